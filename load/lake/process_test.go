package lake

var children = map[string]func(){}
