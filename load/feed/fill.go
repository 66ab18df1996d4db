package feed

import "time"

// value is what a pointer points to, or nil.
func value[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

// isAfter says whether a day is after another that may not be known.
func isAfter(day time.Time, other any) bool {
	t, ok := other.(time.Time)
	return !ok || day.After(t)
}
