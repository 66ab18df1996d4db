package main

import (
	"testing"
	"time"

	"seatlake/pipeline"
	"seatlake/schemas"
)

func TestWhenARunIsDue(t *testing.T) {
	jobs := []pipeline.Job{{Outputs: []pipeline.Output{{Table: schemas.GraphUsers}}}}
	for name, c := range map[string]struct {
		every, ago time.Duration
		want       bool
	}{
		"a run that is always made is":                       {0, time.Minute, true},
		"one whose last run is recent is not":                {20 * time.Hour, 19 * time.Hour, false},
		"one whose last run is long enough ago is":           {20 * time.Hour, 20 * time.Hour, true},
		"one whose last run another host's clock saw is not": {20 * time.Hour, -time.Minute, false},
		"one whose last run a clock saw that ran ahead is":   {20 * time.Hour, -70 * time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			last := &past{began: map[string]time.Time{schemas.GraphUsers.Name: scriptNow.Add(-c.ago)}}
			if got := (due{every: c.every}).is(scriptNow, last, jobs); got != c.want {
				t.Errorf("%t", got)
			}
		})
	}
	t.Run("one that never read a table is", func(t *testing.T) {
		if !(due{every: 20 * time.Hour}).is(scriptNow, &past{}, jobs) {
			t.Error("it is not")
		}
	})
}
