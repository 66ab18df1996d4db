package lake

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"seatlake/pipeline"
	"seatlake/pipeline/pipelinetest"
)

// faults fails acts of a store by their number. Each act has two: before it is
// done, and after, when only its answer is lost.
type faults struct {
	mu    sync.Mutex
	count int
	at    int  // the number that fails; 0 counts only
	stay  bool // all later ones fail too, as on a dead disk
	err   error
	hit   string // the act that failed first
}

func (f *faults) fail(act, name string, done bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
	if f.at == 0 || f.count < f.at || f.count > f.at && !f.stay {
		return nil
	}
	if f.hit == "" {
		f.hit = fmt.Sprintf("%s %s (done: %v)", act, name, done)
	}
	return f.err
}

// eachFault runs fn over and over, with its first act failing, its second, and so
// on until it meets no fault; once with one fault, once with a disk that stays
// dead. The lake given to fn has the faults; sound has none.
func eachFault(t *testing.T, fn func(t *testing.T, faulty, sound *Lake, n int) error) {
	for _, stay := range []bool{false, true} {
		name := "one act fails"
		if stay {
			name = "all acts fail from one on"
		}
		t.Run(name, func(t *testing.T) {
			sound, err := Create(filepath.Join(memoryDir(t), "lake"), clock)
			if err != nil {
				t.Fatal(err)
			}
			for n := 1; ; n++ {
				f := &faults{at: n, stay: stay, err: &fs.PathError{Op: "act", Path: "p", Err: syscall.ENOSPC}}
				faulty := &Lake{store: &store{root: sound.store.root, fault: f.fail}, id: sound.id}
				// It has read the log so far, so that the acts stay the same ones.
				faulty.log.base, faulty.log.entries, faulty.log.sum, faulty.log.checkpoint = sound.log.base, slices.Clone(sound.log.entries), sound.log.sum, sound.log.checkpoint
				err := fn(t, faulty, sound, n)
				if n > 1000 {
					t.Fatalf("the acts do not end")
				}
				if f.hit == "" {
					if err != nil {
						t.Fatalf("without a fault: %v", err)
					}
					if n < 10 {
						t.Fatalf("%d acts: the faults are not wired", n)
					}
					break
				}
				if err != nil && !errors.Is(err, syscall.ENOSPC) {
					t.Errorf("fault %d, %s: error %v is not the fault", n, f.hit, err)
				}
				if err != nil && !strings.Contains(err.Error(), "disk is full: make room") {
					t.Errorf("fault %d, %s: error %v does not say what to do", n, f.hit, err)
				}
				if t.Failed() {
					t.Fatalf("after fault %d, %s", n, f.hit)
				}
			}
			if _, err := sound.Prune(t.Context(), PruneOptions{}); err != nil {
				t.Fatal(err)
			}
			noTemp(t, sound)
			noFaults(t, sound)
		})
	}
}

func noFaults(t *testing.T, l *Lake) {
	t.Helper()
	found, err := l.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if f.Severity == Fault {
			t.Error(f)
		}
	}
}

func TestFaultsOfARun(t *testing.T) {
	eachFault(t, func(t *testing.T, faulty, sound *Lake, n int) error {
		before := pipeline.Version(0)
		if s, err := sound.Snapshot(t.Context(), 0); err == nil {
			before = s.Version
		} else if !errors.Is(err, ErrEmpty) {
			t.Fatal(err)
		}
		run := pipelinetest.NewRun(t, contoso, fmt.Sprintf("2026-11-%02dT%02d:%02d", 1+n/600, n/60%10, n%60), 1)
		rows := append(pipelinetest.Plans(contoso, "2026-11-19", n, 3), pipelinetest.Plans(contoso, "2026-11-20", n, n%5+1)...)
		days := []string{"2026-11-19", "2026-11-20"}

		v, failed := tryPlans(t, faulty, run, rows, days...)
		after := pipeline.Version(0)
		if s, err := sound.Snapshot(t.Context(), 0); err == nil {
			after = s.Version
		}
		switch {
		case failed == nil && (v != before+1 || after != v):
			t.Errorf("Commit = %d, and the lake went from %d to %d", v, before, after)
		case failed != nil && after != before && after != before+1:
			t.Errorf("the lake went from %d to %d", before, after)
		}

		again, err := tryPlans(t, sound, run, rows, days...)
		if err != nil || again != before+1 {
			t.Errorf("the run again: Commit = %d, %v, want %d", again, err, before+1)
		}
		var live int64
		for _, f := range snapshot(t, sound, 0).Files["graph_service_plans"] {
			live += f.Rows
			if err := sound.verify(f.Path, f.Size, f.Rows); err != nil {
				t.Error(err)
			}
		}
		if live != int64(len(rows)) {
			t.Errorf("%d rows are live, want %d", live, len(rows))
		}
		return failed
	})
}

func TestFaultsOfKeeping(t *testing.T) {
	eachFault(t, func(t *testing.T, faulty, sound *Lake, n int) error {
		run := pipelinetest.NewRun(t, contoso, "2026-11-20T08:00", byte(n))
		run.Requests = []pipeline.Request{{Source: pipeline.Users}}
		keep := func(l *Lake) error {
			k, err := l.Keeper(run)
			if err != nil {
				return err
			}
			_, err = drain(k.Keep(t.Context(), pipeline.Users, pagesOf(nil, page(pipeline.Users, 1, "", "{}"), page(pipeline.Users, 2, "gzip", "{}"))))
			return errors.Join(err, k.Close())
		}
		failed := keep(faulty)
		pages, err := drain(sound.Raw(run).Pages(t.Context(), pipeline.Users, pipeline.Window{}))
		if err == nil && len(pages) != 2 || failed == nil && err != nil {
			t.Errorf("%d pages come back, %v, after %v", len(pages), err, failed)
		}
		if err := keep(sound); err != nil {
			t.Errorf("kept again: %v", err)
		}
		return failed
	})
}

func TestFaultsOfPublishing(t *testing.T) {
	marts := built(t, map[string]int{"a": 1, "b": 2})
	eachFault(t, func(t *testing.T, faulty, sound *Lake, n int) error {
		v := pipeline.Version(n)
		run := pipelinetest.NewRun(t, contoso, "2026-11-20T08:00", byte(n))
		commitPlans(t, sound, run, nil)
		_, failed := faulty.PublishGold(t.Context(), v, run.ID, marts)
		g, err := sound.Gold(0)
		switch {
		case failed == nil && (err != nil || g.Version != v):
			t.Errorf("published %d, and current is %+v, %v", v, g, err)
		case n > 1 && err != nil:
			t.Errorf("nothing is current: %v", err)
		case err == nil && !sound.goldStands(g):
			t.Errorf("version %d is current and not whole", g.Version)
		}
		if _, err := sound.PublishGold(t.Context(), v, run.ID, marts); err != nil {
			t.Errorf("published again: %v", err)
		}
		return failed
	})
}

func TestFaultsOfPruning(t *testing.T) {
	eachFault(t, func(t *testing.T, faulty, sound *Lake, n int) error {
		put(t, sound.store.path(somePath), "x")
		run := pipelinetest.NewRun(t, contoso, "2026-11-20T08:00", byte(n))
		k, err := sound.Keeper(run)
		if err != nil {
			t.Fatal(err)
		}
		end(t, k)
		_, failed := faulty.Prune(t.Context(), PruneOptions{RawOlderThan: run.Started.AddDate(0, 0, 1), OrphanAge: 1})
		if _, err := sound.Prune(t.Context(), PruneOptions{RawOlderThan: run.Started.AddDate(0, 0, 1), OrphanAge: 1}); err != nil {
			t.Errorf("pruned again: %v", err)
		}
		runs, err := sound.RawRuns()
		if err != nil || len(runs) > 0 {
			t.Errorf("runs %v, %v", runs, err)
		}
		return failed
	})
}

func TestFaultsOfCreating(t *testing.T) {
	parent := t.TempDir()
	for n := 1; ; n++ {
		root := filepath.Join(parent, fmt.Sprint(n))
		f := &faults{at: n, err: syscall.EROFS}
		_, failed := create(&store{root: root, fault: f.fail}, "", clock)
		l, err := Create(root, clock)
		if err != nil {
			t.Fatalf("fault %d, %s: created again: %v", n, f.hit, err)
		}
		noFaults(t, l)
		if f.hit == "" {
			if failed != nil || n < 5 {
				t.Errorf("%d acts, %v", n, failed)
			}
			return
		}
		if failed != nil && !strings.Contains(failed.Error(), "read-only: mount it for writing") {
			t.Errorf("fault %d, %s: error %v does not say what to do", n, f.hit, failed)
		}
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"a full disk":         {&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, "make room"},
		"a missing right":     {&fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}, "let the user that runs seatlake"},
		"too many open files": {&fs.PathError{Op: "open", Path: "x", Err: syscall.EMFILE}, "ulimit"},
		"another file system": {&os.LinkError{Op: "link", Old: "a", New: "b", Err: syscall.EXDEV}, "one file system"},
		"a missing hard link": {&os.LinkError{Op: "link", Old: "a", New: "b", Err: syscall.EPERM}, "hard links"},
	} {
		t.Run(name, func(t *testing.T) {
			err := explain("link", "/lake/data/f", test.err)
			wantError(t, err, test.want, "/lake/data/f")
			if !errors.Is(err, errors.Unwrap(test.err)) {
				t.Errorf("%v hides %v", err, test.err)
			}
		})
	}
}
