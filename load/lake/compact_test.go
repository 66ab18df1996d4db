package lake

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"seatlake/pipeline"
	"seatlake/pipeline/pipelinetest"
	"seatlake/schemas"
)

// scattered is rows of some days that come in turns, so that each day has several
// files.
func scattered(days []string, turns, rows, first int) []pipelinetest.Plan {
	var out []pipelinetest.Plan
	for range turns {
		for _, d := range days {
			out = append(out, pipelinetest.Plans(contoso, d, first, rows)...)
			first += rows
		}
	}
	return out
}

var threeDays = []string{"2026-11-18", "2026-11-19", "2026-11-20"}

// rowsByDay is the rows of a version by day, in their order.
func rowsByDay(t *testing.T, l *Lake, v pipeline.Version) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, f := range snapshot(t, l, v).Files[schemas.GraphServicePlans.Name] {
		out[f.Partition] = append(out[f.Partition], planNames(t, l.store.path(f.Path))...)
	}
	return out
}

func compact(t *testing.T, l *Lake) []Compacted {
	t.Helper()
	done, err := l.Compact(t.Context(), CompactOptions{Now: clock, Program: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func TestCompact(t *testing.T) {
	run := pipelinetest.NewRun(t, contoso, "2026-11-20T08:00", 1)
	fragmentedLake := func(t *testing.T) *Lake {
		l := newLake(t)
		commitPlans(t, l, run, scattered(threeDays, 3, 5, 0), threeDays...)
		return l
	}
	t.Run("each partition has one file with the rows in their order", func(t *testing.T) {
		l := fragmentedLake(t)
		before := rowsByDay(t, l, 1)
		done := compact(t, l)
		if len(done) != 3 || done[0].Files < 2 || done[0].Rows != 15 || done[0].Version != 2 {
			t.Fatalf("compacted %+v", done)
		}
		if n := len(snapshot(t, l, 0).Files[schemas.GraphServicePlans.Name]); n != 3 {
			t.Errorf("%d files are left, want 3", n)
		}
		for _, v := range []pipeline.Version{1, 2} {
			if diff := cmp.Diff(before, rowsByDay(t, reopen(t, l), v)); diff != "" {
				t.Errorf("rows of version %d (-before +after):\n%s", v, diff)
			}
		}
		noFaults(t, l)
		noTemp(t, l)
	})
	t.Run("a second time does nothing", func(t *testing.T) {
		l := fragmentedLake(t)
		compact(t, l)
		if done := compact(t, l); len(done) > 0 || snapshot(t, l, 0).Version != 2 {
			t.Errorf("compacted %+v, version %d", done, snapshot(t, l, 0).Version)
		}
	})
	t.Run("a dry run says what would be done", func(t *testing.T) {
		l := fragmentedLake(t)
		done, err := l.Compact(t.Context(), CompactOptions{Now: clock, DryRun: true})
		if err != nil || len(done) != 3 || done[0].Version != 0 || snapshot(t, l, 0).Version != 1 {
			t.Errorf("%+v, %v", done, err)
		}
	})
	t.Run("large files are left alone", func(t *testing.T) {
		l := fragmentedLake(t)
		done, err := l.Compact(t.Context(), CompactOptions{Now: clock, SmallerThan: 1})
		if err != nil || len(done) > 0 {
			t.Errorf("%+v, %v", done, err)
		}
	})
	t.Run("the partition stays its run's", func(t *testing.T) {
		l := fragmentedLake(t)
		compact(t, l)
		// A run that started later than the first, and earlier than the compaction.
		later := pipelinetest.NewRun(t, contoso, "2026-11-20T09:00", 2)
		commitPlans(t, l, later, pipelinetest.Plans(contoso, threeDays[0], 100, 2), threeDays[0])
		if got := len(rowsByDay(t, l, 0)[threeDays[0]]); got != 2 {
			t.Errorf("the day has %d rows, want the 2 of the run that started later", got)
		}
		earlier := pipelinetest.NewRun(t, contoso, "2026-11-20T07:00", 3)
		commitPlans(t, l, earlier, pipelinetest.Plans(contoso, threeDays[1], 200, 1), threeDays[1])
		if got := len(rowsByDay(t, l, 0)[threeDays[1]]); got != 15 {
			t.Errorf("the day has %d rows, want the 15 of the run that started later", got)
		}
	})
	t.Run("a cut-off run is taken up behind it", func(t *testing.T) {
		l := fragmentedLake(t)
		last, err := l.lastRun(t.Context(), contoso)
		compact(t, l)
		if again, err2 := l.lastRun(t.Context(), contoso); err != nil || err2 != nil || again != last {
			t.Errorf("the last run is %s, and was %s; %v, %v", again, last, err, err2)
		}
	})
	t.Run("a day is asked for by its runs", func(t *testing.T) {
		l := fragmentedLake(t)
		compact(t, l)
		if v, err := l.AsOf(t.Context(), clock().AddDate(0, 0, 9)); err != nil || v != 1 {
			t.Errorf("version %d, %v", v, err)
		}
	})
	t.Run("what went stays for the versions that list it, and goes with them", func(t *testing.T) {
		l := fragmentedLake(t)
		went := snapshot(t, l, 0).Files[schemas.GraphServicePlans.Name]
		compact(t, l)
		prune := func(now time.Time) *Pruned {
			done, err := l.Prune(t.Context(), PruneOptions{Retain: &Retention{Versions: 1}, Now: now})
			if err != nil {
				t.Fatal(err)
			}
			return done
		}
		if marked := prune(clock().AddDate(1, 0, 0)).Marked; len(marked) != len(went) {
			t.Fatalf("%d files are marked, and %d went", len(marked), len(went))
		}
		if gone := prune(clock().AddDate(1, 0, 0)).Retired; len(gone) != len(went) {
			t.Fatalf("%d files are removed, and %d went", len(gone), len(went))
		}
		if got := rowsByDay(t, l, 0); len(got) != 3 || len(got[threeDays[0]]) != 15 {
			t.Errorf("rows %v", got)
		}
		noFaults(t, l)
	})
	t.Run("an old program refuses it with a clear word", func(t *testing.T) {
		l := fragmentedLake(t)
		compact(t, l)
		if body := readFile(t, l.store.path(entryName(2))); !strings.Contains(body, `"format": 2`) || !strings.Contains(body, `"kind": "compact"`) {
			t.Error(body)
		}
	})
	t.Run("a damaged file ends it, and nothing is changed", func(t *testing.T) {
		l := fragmentedLake(t)
		f := snapshot(t, l, 0).Files[schemas.GraphServicePlans.Name][0]
		put(t, l.store.path(f.Path), "PAR1")
		_, err := l.Compact(t.Context(), CompactOptions{Now: clock})
		wantError(t, err, filepath.Base(f.Path), "SHA-256")
		if v := snapshot(t, l, 0).Version; v != 1 {
			t.Errorf("version %d", v)
		}
		noTemp(t, l)
	})
}

// TestACompactionGivesWay commits a run between the writing of the new files and their
// commit.
func TestACompactionGivesWay(t *testing.T) {
	l := newLake(t)
	commitPlans(t, l, pipelinetest.NewRun(t, contoso, "2026-11-20T08:00", 1), scattered(threeDays, 3, 5, 0), threeDays...)
	raced := false
	racing := &Lake{id: l.id, store: &store{root: l.store.root, fault: func(act, name string, done bool) error {
		if act == "link" && strings.HasPrefix(name, logDir) && !done && !raced {
			raced = true
			commitPlans(t, l, pipelinetest.NewRun(t, contoso, "2026-11-20T09:00", 2), pipelinetest.Plans(contoso, threeDays[2], 500, 1), threeDays[2])
		}
		return nil
	}}}
	done, err := racing.Compact(t.Context(), CompactOptions{Now: clock})
	if err != nil || !raced {
		t.Fatalf("%v, raced: %v", err, raced)
	}
	days := []string{}
	for _, c := range done {
		days = append(days, c.Partition)
		if c.Version != 3 {
			t.Errorf("%+v is not of the version behind the run's", c)
		}
	}
	if !slices.Equal(days, threeDays[:2]) {
		t.Errorf("compacted days %v, want those that the run left", days)
	}
	got := rowsByDay(t, reopen(t, l), 0)
	if len(got[threeDays[2]]) != 1 || len(got[threeDays[0]]) != 15 {
		t.Errorf("rows %v", got)
	}
	noFaults(t, l)
}

// TestCompactionChangesNoRow compacts after random runs, again and again, and compares
// every version with what it was before.
func TestCompactionChangesNoRow(t *testing.T) {
	base := memoryDir(t)
	lakes := 0
	rapid.Check(t, func(rt *rapid.T) {
		lakes++
		l, err := Create(filepath.Join(base, fmt.Sprint(lakes)), clock)
		if err != nil {
			rt.Fatal(err)
		}
		want := map[pipeline.Version]map[string][]string{}
		for n := range rapid.IntRange(1, 4).Draw(rt, "runs") {
			days := threeDays[rapid.IntRange(0, 2).Draw(rt, "first day"):]
			run := pipelinetest.NewRun(t, contoso, "2026-11-20T08:0"+fmt.Sprint(rapid.IntRange(0, 5).Draw(rt, "minute")), byte(n+1))
			rows := scattered(days, rapid.IntRange(1, 4).Draw(rt, "turns"), rapid.IntRange(1, 4).Draw(rt, "rows"), n*100)
			v := commitPlans(t, l, run, rows, days...)
			want[v] = rowsByDay(t, l, v)
			if rapid.Bool().Draw(rt, "compact") {
				done := compact(t, l)
				if now := snapshot(t, l, 0).Version; now != v {
					want[now] = want[v]
				} else if len(done) > 0 {
					rt.Fatalf("compacted %v without a version", done)
				}
			}
		}
		again := reopen(t, l)
		for v, rows := range want {
			if diff := cmp.Diff(rows, rowsByDay(t, again, v)); diff != "" {
				rt.Fatalf("rows of version %d (-before +after):\n%s", v, diff)
			}
		}
		if lakes%10 == 0 {
			noFaults(t, again)
		}
	})
}

// commitTwice commits a day that has two files.
func commitTwice(t *testing.T, l *Lake, run pipeline.Run, day string) {
	t.Helper()
	tx, err := l.Begin(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	c := pipeline.Commit{Run: run, Ended: run.Started, Replaces: []pipeline.Replacement{{Table: schemas.GraphServicePlans.Name, From: day, To: day}}}
	for n := range 2 {
		files, err := tx.Write(t.Context(), schemas.GraphServicePlans, pipelinetest.PlanStream(t, memory.DefaultAllocator, pipelinetest.Plans(contoso, day, n*10, 2)))
		if err != nil {
			t.Fatal(err)
		}
		c.Add = append(c.Add, files...)
	}
	if _, err := tx.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func TestFaultsOfCompacting(t *testing.T) {
	started := clock()
	eachFault(t, func(t *testing.T, faulty, sound *Lake, n int) error {
		started = started.Add(time.Minute)
		run := pipelinetest.NewRun(t, contoso, started.Format("2006-01-02T15:04"), byte(n))
		commitTwice(t, sound, run, threeDays[0])
		before := rowsByDay(t, sound, 0)
		faulty.log.base, faulty.log.entries, faulty.log.sum, faulty.log.checkpoint = sound.log.base, slices.Clone(sound.log.entries), sound.log.sum, sound.log.checkpoint
		_, failed := faulty.Compact(t.Context(), CompactOptions{Now: clock})
		compact(t, sound)
		s, err := sound.head(t.Context())
		if err != nil || len(s.fragmented(smallFile)) > 0 {
			t.Errorf("something is left to compact, %v", err)
		}
		if diff := cmp.Diff(before, rowsByDay(t, sound, 0)); diff != "" {
			t.Errorf("rows (-before +after):\n%s", diff)
		}
		return failed
	})
}
