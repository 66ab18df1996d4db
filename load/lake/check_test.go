package lake

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seatlake/pipeline/pipelinetest"
)

// someLake has two versions, marts of the second, and kept pages.
func someLake(t testing.TB) *Lake {
	t.Helper()
	l := newLake(t)
	commitPlans(t, l, pipelinetest.NewRun(t, contoso, "2026-11-20T08:00", 1), pipelinetest.Plans(contoso, "2026-11-20", 0, 3), "2026-11-20")
	second := pipelinetest.NewRun(t, contoso, "2026-11-20T08:00", 2)
	commitPlans(t, l, second, pipelinetest.Plans(contoso, "2026-11-20", 0, 4), "2026-11-20")
	if _, err := l.PublishGold(t.Context(), 2, second.ID, built(t, map[string]int{"users": 3})); err != nil {
		t.Fatal(err)
	}
	keepRun(t, l)
	return l
}

func TestCheck(t *testing.T) {
	t.Run("a sound lake has no findings", func(t *testing.T) {
		found, err := someLake(t).Check(t.Context())
		if err != nil || len(found) > 0 {
			t.Errorf("Check = %v, %v", found, err)
		}
	})
	t.Run("an empty lake has no findings", func(t *testing.T) {
		found, err := newLake(t).Check(t.Context())
		if err != nil || len(found) > 0 {
			t.Errorf("Check = %v, %v", found, err)
		}
	})
	live := func(l *Lake) string { return paths(t, l, snapshot(t, l, 0), "graph_service_plans")[0] }
	old := func(l *Lake) string { return paths(t, l, snapshot(t, l, 1), "graph_service_plans")[0] }
	flip := func(name string) {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		body[len(body)/2] ^= 1
		put(t, name, string(body))
	}
	for name, test := range map[string]struct {
		harm func(l *Lake) (at string)
		want string
	}{
		"a flipped bit of a live file": {func(l *Lake) string { at := live(l); flip(at); return at }, "SHA-256"},
		"a cut live file": {func(l *Lake) string {
			at := live(l)
			if err := os.Truncate(at, 100); err != nil {
				t.Fatal(err)
			}
			return at
		}, "100 bytes"},
		"a missing live file":            {func(l *Lake) string { at := live(l); remove(t, at); return at }, "missing"},
		"a missing file of an older one": {func(l *Lake) string { at := old(l); remove(t, at); return at }, "missing"},
		"a flipped bit of a mart":        {func(l *Lake) string { at := l.store.path(goldPath(2) + "/users.parquet"); flip(at); return at }, "SHA-256"},
		"a missing current mart":         {func(l *Lake) string { at := l.store.path(currentDir + "/users.parquet"); remove(t, at); return at }, "missing"},
		"a log with a gap":               {func(l *Lake) string { remove(t, l.store.path(entryName(1))); return l.store.path(logDir) }, "gap"},
		"a damaged list of marts":        {func(l *Lake) string { at := l.store.path(currentName); put(t, at, "{"); return at }, "damaged"},
		"marts of a version nobody made": {func(l *Lake) string { publish(t, l, 7, map[string]int{"users": 1}); return l.store.path(currentName) }, "version 7"},
		"an identity of another lake": {func(l *Lake) string {
			at := l.store.path(identityName)
			put(t, at, `{"format":1,"lake_id":"01JD3Z5YQ0000000000000000A"}`)
			return at
		}, "was"},
		"an identity of a newer program": {func(l *Lake) string { at := l.store.path(identityName); put(t, at, `{"format":2}`); return at }, "newer"},
	} {
		t.Run(name+" is a fault with a cure", func(t *testing.T) {
			l := someLake(t)
			at := test.harm(l)
			found, err := l.Check(t.Context())
			if err != nil || len(found) != 1 {
				t.Fatalf("Check = %v, %v, want one finding", found, err)
			}
			f := found[0]
			if f.Severity != Fault || f.Path != at || !strings.Contains(f.Problem, test.want) || f.Cure == "" {
				t.Errorf("found %v, want a fault of %s that says %q", f, at, test.want)
			}
		})
	}
	t.Run("what no commit lists is worth a word, not a fault", func(t *testing.T) {
		l := someLake(t)
		stray := l.store.path(strings.Replace(somePath, "2026-11-20", "2026-11-21", 1))
		put(t, stray, "x")
		found, err := l.Check(t.Context())
		if err != nil || len(found) != 1 || found[0].Severity != Info || found[0].Path != stray {
			t.Errorf("Check = %v, %v", found, err)
		}
	})
	t.Run("a cancelled check ends in the context's error", func(t *testing.T) {
		l := someLake(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := l.Check(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Check = %v", err)
		}
	})
}

func TestPrune(t *testing.T) {
	t.Run("kept pages go by the age of their run, and no other file does", func(t *testing.T) {
		l := someLake(t)
		young := pipelinetest.NewRun(t, fabrikam, "2026-11-22T08:00", 1)
		k, err := l.Keeper(young)
		if err != nil {
			t.Fatal(err)
		}
		end(t, k)
		done, err := l.Prune(t.Context(), PruneOptions{RawOlderThan: young.Started})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{rawPath(rawTestRun(t))}
		if diff := cmp.Diff(want, done.RawRuns); diff != "" || len(done.Orphans) > 0 || done.Bytes == 0 {
			t.Errorf("pruned %+v, want the runs %v", done, want)
		}
		runs, err := l.RawRuns()
		if err != nil || len(runs) != 1 || runs[0].ID != young.ID {
			t.Errorf("runs %v, %v", runs, err)
		}
		if found, err := l.Check(t.Context()); err != nil || len(found) > 0 {
			t.Errorf("Check = %v, %v", found, err)
		}
		noTemp(t, l)
	})
	t.Run("the zero value keeps all pages", func(t *testing.T) {
		l := someLake(t)
		done, err := l.Prune(t.Context(), PruneOptions{})
		if err != nil || len(done.RawRuns) > 0 || len(done.Orphans) > 0 {
			t.Errorf("Prune = %+v, %v", done, err)
		}
	})
	t.Run("old files that no commit lists go, young ones and others' stay", func(t *testing.T) {
		l := someLake(t)
		old, young := somePath, strings.Replace(somePath, "-001-", "-002-", 1)
		foreign := "data/graph_users/mine.txt"
		for _, name := range []string{old, young, foreign} {
			put(t, l.store.path(name), "x")
		}
		info, err := os.Stat(l.store.path(young))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{old, foreign} {
			at := info.ModTime().Add(-49 * time.Hour)
			if err := os.Chtimes(l.store.path(name), at, at); err != nil {
				t.Fatal(err)
			}
		}
		done, err := l.Prune(t.Context(), PruneOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&Pruned{Orphans: []string{old}, Bytes: 1, Oldest: 1}, done); diff != "" {
			t.Errorf("pruned (-want +got):\n%s", diff)
		}
		for _, name := range []string{young, foreign} {
			if _, err := os.Stat(l.store.path(name)); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("an orphan that a run has just given again goes back", func(t *testing.T) {
		l := someLake(t)
		s, err := l.store.scratch("prune")
		if err != nil {
			t.Fatal(err)
		}
		defer s.remove()
		put(t, l.store.path(somePath), "x")
		now, err := s.now()
		if err != nil {
			t.Fatal(err)
		}
		p := &pruning{lake: l, scratch: s}
		if gone, err := p.take(somePath, now.Add(-orphanAge)); err != nil || gone {
			t.Errorf("it is gone: %v, %v", gone, err)
		}
		if _, err := os.Stat(l.store.path(somePath)); err != nil {
			t.Error(err)
		}
	})
}

func TestSweep(t *testing.T) {
	t.Run("what a dead process left goes, what a living one holds stays", func(t *testing.T) {
		l := newLake(t)
		put(t, l.store.path(stagingDir+"/dead/000001"), "x")
		put(t, l.store.path(stagingDir+"/dead.lock"), "")
		alive, err := l.Begin(t.Context(), pipelinetest.NewRun(t, contoso, "2026-11-20T08:00", 1))
		if err != nil {
			t.Fatal(err)
		}
		held := dirNames(t, l.store.path(stagingDir))
		commitPlans(t, l, pipelinetest.NewRun(t, contoso, "2026-11-20T08:00", 2), nil)
		if diff := cmp.Diff(held, dirNames(t, l.store.path(stagingDir))); diff != "" || len(held) != 2 {
			t.Errorf("staging, while a run is alive (-want +got):\n%s", diff)
		}
		if err := alive.Abort(); err != nil {
			t.Fatal(err)
		}
		noTemp(t, l)
	})
}
