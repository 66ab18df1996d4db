package lake

import (
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"seatlake/pipeline"
	"seatlake/pipeline/pipelinetest"
	"seatlake/schemas"
)

func TestAbout(t *testing.T) {
	l := newLake(t)
	table := schemas.GraphServicePlans.Name
	read := func(started, day string, seed byte, rows int) {
		t.Helper()
		run := pipelinetest.NewRun(t, contoso, started, seed)
		tx, err := l.Begin(t.Context(), run)
		if err != nil {
			t.Fatal(err)
		}
		c := pipeline.Commit{
			Run: run, Ended: run.Started.Add(time.Minute), Replaces: []pipeline.Replacement{{Table: table, From: day, To: day}},
			Coverage: []pipeline.Coverage{{Table: table, State: pipeline.Complete, LogicalDate: day, Rows: int64(rows)}},
		}
		if c.Add, err = tx.Write(t.Context(), schemas.GraphServicePlans, pipelinetest.PlanStream(t, memory.DefaultAllocator, pipelinetest.Plans(contoso, day, 0, rows))); err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	read("2026-11-18T06:00", "2026-11-18", 1, 3)
	read("2026-11-19T06:00", "2026-11-19", 2, 4)
	read("2026-11-18T20:00", "2026-11-18", 3, 5) // a late second run of the 18th
	read("2026-11-20T06:00", "2026-11-20", 4, 6)
	rows := func(s *Snapshot) (n int64) {
		for _, f := range s.Files[table] {
			n += f.Rows
		}
		return n
	}
	day := func(text string) time.Time {
		at, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, c := range []struct {
		name    string
		version pipeline.Version
		about   string
		rows    int64 // of all days up to it
		newest  int64 // that the coverage states
	}{
		{"a day is seen without those behind it", 2, "2026-11-18", 3, 3},
		{"a second run counts in the version that has it", 3, "2026-11-18", 5, 5},
		{"a later day has the corrected one before it", 4, "2026-11-19", 9, 4},
		{"a day without a run is seen from the one before", 2, "2026-11-25", 7, 4},
		{"the newest day is the version itself", 4, "2026-11-20", 15, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := l.About(t.Context(), c.version, day(c.about))
			if err != nil {
				t.Fatal(err)
			}
			if s.Version != c.version || rows(s) != c.rows || len(s.Coverage) != 1 || s.Coverage[0].Rows != c.newest {
				t.Errorf("version %d has %d rows, and states %+v", s.Version, rows(s), s.Coverage)
			}
		})
	}
	t.Run("a day before all runs is refused", func(t *testing.T) {
		_, err := l.About(t.Context(), 0, day("2026-11-17"))
		wantError(t, err, "version 4 has no run of 2026-11-17")
	})
	t.Run("a day whose snapshot has left the version is refused there, and not in the version before", func(t *testing.T) {
		run := pipelinetest.NewRun(t, contoso, "2026-11-21T06:00", 5)
		commitPlans(t, l, run, nil, "2026-11-18")
		_, err := l.About(t.Context(), 0, day("2026-11-18"))
		wantError(t, err, "version 5 no longer has "+table+" of 2026-11-18", "name a version of that time")
		if _, err := l.About(t.Context(), 4, day("2026-11-18")); err != nil {
			t.Errorf("version 4: %v", err)
		}
	})
}
