package lake

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	pq "github.com/parquet-go/parquet-go"

	"seatlake/pipeline"
	"seatlake/pipeline/pipelinetest"
)

// built is a directory of finished marts, each of so many rows.
func built(t testing.TB, marts map[string]int) string {
	t.Helper()
	type row struct {
		N int64 `parquet:"n"`
	}
	dir := t.TempDir()
	for mart, n := range marts {
		rows := make([]row, n)
		for i := range rows {
			rows[i].N = int64(i)
		}
		if err := pq.WriteFile(filepath.Join(dir, mart+".parquet"), rows); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func publish(t testing.TB, l *Lake, v pipeline.Version, marts map[string]int) *Gold {
	t.Helper()
	run := pipelinetest.NewRun(t, contoso, "2026-11-20T08:00", byte(v))
	g, err := l.PublishGold(t.Context(), v, run.ID, built(t, marts))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGold(t *testing.T) {
	t.Run("marts are published with their rows and sums", func(t *testing.T) {
		l := newLake(t)
		publish(t, l, 1, map[string]int{"users": 3, "coverage": 0})
		for _, v := range []pipeline.Version{0, 1} {
			g, err := reopen(t, l).Gold(v)
			if err != nil {
				t.Fatal(err)
			}
			if g.Version != 1 || len(g.Files) != 2 || g.Files[0].Mart != "coverage" || g.Files[1].Rows != 3 {
				t.Fatalf("Gold(%d) = %+v", v, g)
			}
			for _, f := range g.Files {
				copies, err := l.Fetch(t.Context(), []Want{f.Want()})
				if err != nil {
					t.Fatal(err)
				}
				body, err := os.ReadFile(copies.Path(f.Path))
				if err != nil || hashOf(body) != f.SHA256 || f.Path != goldPath(1)+"/"+f.Mart+".parquet" {
					t.Errorf("%s is at %s with SHA-256 %s, %v", f.Mart, f.Path, hashOf(body), err)
				}
			}
		}
		noTemp(t, l)
	})
	t.Run("a new version replaces the current marts, and drops those it does not have", func(t *testing.T) {
		l := newLake(t)
		publish(t, l, 1, map[string]int{"users": 3, "old": 1})
		publish(t, l, 2, map[string]int{"users": 4})
		if names := dirNames(t, l.store.path(currentDir)); !slices.Equal(names, []string{"users.parquet"}) {
			t.Errorf("current marts are %v", names)
		}
		if g, err := l.Gold(0); err != nil || g.Version != 2 {
			t.Errorf("Gold(0) = %+v, %v", g, err)
		}
		if g, err := l.Gold(1); err != nil || len(g.Files) != 2 {
			t.Errorf("Gold(1) = %+v, %v", g, err)
		}
	})
	t.Run("an older version published late is not the current one", func(t *testing.T) {
		l := newLake(t)
		publish(t, l, 2, map[string]int{"users": 4})
		publish(t, l, 1, map[string]int{"users": 3})
		if g, err := l.Gold(0); err != nil || g.Version != 2 {
			t.Errorf("Gold(0) = %+v, %v", g, err)
		}
		if g, err := l.Gold(1); err != nil || g.Version != 1 {
			t.Errorf("Gold(1) = %+v, %v", g, err)
		}
		if rows, err := pq.ReadFile[struct{ N int64 }](l.store.path(currentDir + "/users.parquet")); err != nil || len(rows) != 4 {
			t.Errorf("current users has %d rows, %v", len(rows), err)
		}
	})
	t.Run("a rebuild replaces its own version", func(t *testing.T) {
		l := newLake(t)
		publish(t, l, 1, map[string]int{"users": 3, "old": 1})
		publish(t, l, 1, map[string]int{"users": 5})
		publish(t, l, 1, map[string]int{"users": 5})
		g, err := l.Gold(1)
		if err != nil || len(g.Files) != 1 || g.Files[0].Rows != 5 {
			t.Errorf("Gold(1) = %+v, %v", g, err)
		}
		if names := dirNames(t, l.store.path(goldPath(1))); !slices.Equal(names, []string{"users.parquet"}) {
			t.Errorf("the version has %v", names)
		}
		noTemp(t, l)
	})
	t.Run("the newest thirty versions stay", func(t *testing.T) {
		l := newLake(t)
		for v := range pipeline.Version(goldKept + 3) {
			publish(t, l, v+1, map[string]int{"users": 1})
		}
		all, err := l.goldVersions()
		if err != nil || len(all) != goldKept || all[0] != goldKept+3 {
			t.Errorf("versions %v, %v", all, err)
		}
		_, err = l.Gold(1)
		wantError(t, err, "version 1 has no marts", "seatlake build")
	})
	t.Run("a lake without marts says what to run", func(t *testing.T) {
		_, err := newLake(t).Gold(0)
		wantError(t, err, "seatlake build")
		if !errors.Is(err, ErrNoGold) {
			t.Errorf("%v is not ErrNoGold", err)
		}
	})
	for name, harm := range map[string]func(t *testing.T, dir string){
		"a damaged mart is not published": func(t *testing.T, dir string) { put(t, filepath.Join(dir, "users.parquet"), "PAR1 and no more PAR1") },
		"a stray file is not published":   func(t *testing.T, dir string) { put(t, filepath.Join(dir, "users.csv"), "a") },
		"no mart is nothing to publish":   func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "users.parquet")) },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLake(t)
			publish(t, l, 1, map[string]int{"users": 3})
			dir := built(t, map[string]int{"users": 4})
			harm(t, dir)
			run := pipelinetest.NewRun(t, contoso, "2026-11-20T08:00", 2)
			if g, err := l.PublishGold(t.Context(), 2, run.ID, dir); err == nil {
				t.Fatalf("published %+v", g)
			}
			if g, err := l.Gold(0); err != nil || g.Version != 1 {
				t.Errorf("Gold(0) = %+v, %v", g, err)
			}
			noTemp(t, l)
		})
	}
	t.Run("a changed list is damage", func(t *testing.T) {
		l := newLake(t)
		publish(t, l, 1, map[string]int{"users": 3})
		put(t, l.store.path(currentName), `{"format":1,"version":1,"run_id":"01JD3Z5YQ0000000000000000A","files":[{"mart":"users","path":"../../etc/passwd"}]}`)
		_, err := l.Gold(0)
		wantError(t, err, "current.json is damaged", "seatlake build")
	})
}

// A reader of gold/current.json never sees a version in part, however many
// publishers there are.
func TestGoldWhilePublishing(t *testing.T) {
	l := newLake(t)
	publish(t, l, 1, map[string]int{"a": 1, "b": 1, "c": 1})
	done := make(chan error)
	for p := range 2 {
		go func() {
			for v := range pipeline.Version(8) {
				run := pipelinetest.NewRun(t, contoso, "2026-11-20T08:00", byte(v))
				n := int(v) + 1
				if _, err := reopen(t, l).PublishGold(t.Context(), 2*v+pipeline.Version(p)+1, run.ID, built(t, map[string]int{"a": n, "b": n, "c": n})); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for running, last := 2, pipeline.Version(0); running > 0; {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			running--
		default:
			g, err := l.Gold(0)
			if err != nil {
				t.Fatal(err)
			}
			if g.Version < last {
				t.Fatalf("version %d came after %d", g.Version, last)
			}
			last = g.Version
			for _, f := range g.Files {
				// A version that is built again may be away for a moment, never torn.
				sum, err := l.store.hash(f.Path)
				if err == nil && sum != f.SHA256 && g.Version != 1 {
					t.Fatalf("%s has other bytes than its list says", f.Path)
				}
			}
		}
	}
}

func dirNames(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
