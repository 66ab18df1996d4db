package main

import (
	"slices"
	"testing"
	"time"

	"seatlake/pipeline"
	"seatlake/schemas"
)

// TestDaysThatWaitForTheHistory has snapshots of fifty days, and says which of them a run
// on the day after puts into the history.
func TestDaysThatWaitForTheHistory(t *testing.T) {
	var days []string
	for i := range 50 {
		days = append(days, time.Date(2026, 9, 1+i, 0, 0, 0, 0, time.UTC).Format(time.DateOnly))
	}
	const today = "2026-10-21"
	// lake has snapshots of some days, and some of the fifty in its history.
	lake := func(stored, known []string) *recording {
		s := &recording{files: map[string][]pipeline.File{}, known: map[string]recordedDay{}}
		file := func(day string) []pipeline.File {
			return []pipeline.File{{Table: schemas.GraphUsers.Name, Partition: day, SHA256: day}}
		}
		for _, day := range stored {
			s.files[day] = file(day)
		}
		for _, day := range known {
			s.known[day] = recordedDay{sources: sourcesOf(file(day))}
		}
		return s
	}
	replaced := lake(days, days)
	replaced.files[days[20]][0].SHA256 = "another"
	thinned := lake(days[30:], days[:40])
	damaged := lake(slices.Concat(days[:5], days[30:]), days[:40])
	damaged.files[days[2]][0].SHA256 = "another"
	for _, c := range []struct {
		name string
		of   *recording
		want []string
	}{
		{"all days of a lake that has no history", lake(days, nil), days},
		{"no day when the history has all", lake(days, days), nil},
		{"the days behind the history's last", lake(days, days[:10]), days[10:]},
		{"days of before the history's first, and all behind them", lake(days, days[19:]), days},
		{"a day that was read again, and all behind it", replaced, days[20:]},
		{"the days behind the last, where older snapshots are gone", thinned, days[40:]},
		{"no day of before one whose snapshot is gone", damaged, days[40:]},
		{"no day of today", lake(append(slices.Clone(days), today), days), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.of.waiting(today); !slices.Equal(got, c.want) {
				t.Errorf("%d days %v, want %d: %v", len(got), got, len(c.want), c.want)
			}
		})
	}
}
