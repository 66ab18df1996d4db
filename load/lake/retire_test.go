package lake

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"seatlake/pipeline"
	"seatlake/pipeline/pipelinetest"
)

// sameDay is a lake of some runs of one day, each of which replaces the rows of the one
// before, and of a last run of the next day.
func sameDay(t testing.TB, l *Lake, versions int) {
	t.Helper()
	for i := range versions - 1 {
		run := pipelinetest.NewRun(t, contoso, fmt.Sprintf("2026-11-20T%02d:00", i), byte(i))
		commitPlans(t, l, run, pipelinetest.Plans(contoso, "2026-11-20", 0, i+1), "2026-11-20")
	}
	run := pipelinetest.NewRun(t, contoso, "2026-11-21T08:00", 1)
	commitPlans(t, l, run, pipelinetest.Plans(contoso, "2026-11-21", 0, 3), "2026-11-21")
}

func retaining(versions int) PruneOptions {
	return PruneOptions{Retain: &Retention{Versions: versions, Age: time.Hour}, Now: clock().AddDate(0, 0, 10)}
}

// readable reads every file of a version.
func readable(l *Lake, s *Snapshot) error {
	for _, files := range s.Files {
		for _, f := range files {
			if err := l.verify(f.Path, f.Size, f.Rows); err != nil {
				return err
			}
		}
	}
	return nil
}

func TestRetire(t *testing.T) {
	t.Run("what only retired versions list is marked by one prune and removed by another", func(t *testing.T) {
		l := newLake(t)
		sameDay(t, l, 5)
		reader := snapshot(t, l, 2) // opened while version 2 is kept
		first, err := l.Prune(t.Context(), retaining(2))
		if err != nil || len(first.Marked) != 3 || len(first.Retired) != 0 || first.Oldest != 4 || first.MarkedBytes == 0 {
			t.Fatalf("first prune: %+v, %v", first, err)
		}
		if err := readable(l, reader); err != nil {
			t.Errorf("the running reader: %v", err)
		}
		_, err = reopen(t, l).Snapshot(t.Context(), 3)
		wantError(t, err, "version 3 is past its retention", "from 4 on")
		noFaults(t, l)
		second, err := l.Prune(t.Context(), retaining(2))
		if err != nil || len(second.Marked) != 0 || !slices.Equal(second.Retired, first.Marked) || second.Bytes != first.MarkedBytes {
			t.Errorf("second prune: %+v, %v", second, err)
		}
		for v := pipeline.Version(4); v <= 5; v++ {
			if err := readable(l, snapshot(t, l, v)); err != nil {
				t.Errorf("version %d: %v", v, err)
			}
		}
		noFaults(t, l)
		third, err := l.Prune(t.Context(), retaining(2))
		if err != nil || len(third.Marked)+len(third.Retired) != 0 {
			t.Errorf("third prune: %+v, %v", third, err)
		}
	})
	t.Run("within the grace nothing is removed", func(t *testing.T) {
		l := newLake(t)
		sameDay(t, l, 3)
		o := retaining(1)
		o.Retain.Grace = time.Hour
		for range 3 {
			done, err := l.Prune(t.Context(), o)
			if err != nil || len(done.Retired) > 0 {
				t.Errorf("%+v, %v", done, err)
			}
		}
	})
	t.Run("a dry run says the same and changes nothing", func(t *testing.T) {
		l := newLake(t)
		sameDay(t, l, 4)
		for range 2 { // marks, then removals
			o := retaining(1)
			o.DryRun = true
			would, err := l.Prune(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			again, err := l.Prune(t.Context(), o)
			if err != nil || fmt.Sprint(*again) != fmt.Sprint(*would) {
				t.Errorf("a second dry run says %+v, %v", again, err)
			}
			did, err := l.Prune(t.Context(), retaining(1))
			if err != nil || fmt.Sprint(*did) != fmt.Sprint(*would) || len(did.Marked)+len(did.Retired) == 0 {
				t.Errorf("would %+v, did %+v, %v", would, did, err)
			}
		}
	})
	t.Run("the age of a version keeps it, whatever the number", func(t *testing.T) {
		l := newLake(t)
		sameDay(t, l, 4)
		o := retaining(1)
		o.Retain.Age = 365 * 24 * time.Hour
		done, err := l.Prune(t.Context(), o)
		if err != nil || done.Oldest != 1 || len(done.Marked) > 0 {
			t.Errorf("%+v, %v", done, err)
		}
	})
	t.Run("a marked file that a run gives again stays", func(t *testing.T) {
		l := newLake(t)
		run := pipelinetest.NewRun(t, contoso, "2026-11-20T08:00", 1)
		commitPlans(t, l, run, pipelinetest.Plans(contoso, "2026-11-20", 0, 3), "2026-11-20")
		for _, n := range []int{4, 3} { // read again by a program that errs, then by one that does not
			if n == 3 {
				if _, err := l.Prune(t.Context(), retaining(1)); err != nil {
					t.Fatal(err)
				}
			}
			replayPlans(t, l, run, n)
		}
		if _, err := l.Prune(t.Context(), retaining(1)); err != nil {
			t.Fatal(err)
		}
		if err := readable(l, snapshot(t, l, 0)); err != nil {
			t.Error(err)
		}
	})
	t.Run("a damaged list of marks is named, and made again", func(t *testing.T) {
		l := newLake(t)
		sameDay(t, l, 4)
		if _, err := l.Prune(t.Context(), retaining(1)); err != nil {
			t.Fatal(err)
		}
		put(t, l.store.path(retiredName), "{")
		_, err := reopen(t, l).Snapshot(t.Context(), 1)
		wantError(t, err, "retired.json is damaged", "remove it")
		remove(t, l.store.path(retiredName))
		if done, err := l.Prune(t.Context(), retaining(1)); err != nil || len(done.Marked) != 2 {
			t.Errorf("%+v, %v", done, err)
		}
	})
	t.Run("whatever is pruned when, kept versions are whole", func(t *testing.T) {
		rapid.Check(t, func(r *rapid.T) {
			l, err := Create(memoryDir(t), clock)
			if err != nil {
				r.Fatal(err)
			}
			defer os.RemoveAll(l.Dir())
			sameDay(t, l, rapid.IntRange(2, 6).Draw(r, "versions"))
			for range rapid.IntRange(1, 4).Draw(r, "prunes") {
				done, err := l.Prune(t.Context(), retaining(rapid.IntRange(1, 6).Draw(r, "kept")))
				if err != nil {
					r.Fatal(err)
				}
				for v := done.Oldest; ; v++ {
					s, err := l.Snapshot(t.Context(), v)
					if err != nil {
						break
					}
					if err := readable(l, s); err != nil {
						r.Fatalf("version %d of %d: %v", v, done.Oldest, err)
					}
				}
			}
		})
	})
}

func replayPlans(t testing.TB, l *Lake, run pipeline.Run, rows int) {
	t.Helper()
	if _, err := tryPlansIn(t, l.Replay(), run, pipelinetest.Plans(contoso, "2026-11-20", 0, rows), "2026-11-20"); err != nil {
		t.Fatal(err)
	}
}

func TestFaultsOfRetiring(t *testing.T) {
	eachFault(t, func(t *testing.T, faulty, sound *Lake, n int) error {
		for i := range 2 { // always of one day, so that the acts stay the same ones
			run := pipelinetest.NewRun(t, contoso, clock().AddDate(0, 0, n).Format("2006-01-02T15:04"), byte(i))
			commitPlans(t, sound, run, pipelinetest.Plans(contoso, "2026-11-20", 0, n%5+i+1), "2026-11-20")
		}
		o := retaining(1)
		o.Now = clock().AddDate(10, 0, 0)
		_, first := faulty.Prune(t.Context(), o)
		_, second := faulty.Prune(t.Context(), o)
		if err := readable(sound, snapshot(t, sound, 0)); err != nil {
			t.Errorf("the newest version: %v", err)
		}
		for range 2 {
			if _, err := sound.Prune(t.Context(), o); err != nil {
				t.Errorf("pruned again: %v", err)
			}
		}
		entries, err := sound.entries(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		listed, err := listedFrom(entries, pipeline.Version(len(entries)))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			for _, f := range e.Add {
				_, kept := listed[f.Path]
				if _, err := os.Stat(sound.store.path(f.Path)); (err == nil) != kept {
					t.Errorf("%s is listed: %v, and there: %v", f.Path, kept, err)
				}
			}
		}
		return errors.Join(first, second)
	})
}
