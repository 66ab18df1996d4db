package lake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"seatlake/pipeline"
)

// spooled is a page with its body in a file of the directory.
func spooled(t interface{ Fatal(...any) }, dir string, p pipeline.Page) *pipeline.Page {
	f, err := os.CreateTemp(dir, "report-")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(p.Body); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	p.Spool = &pipeline.Spool{Path: f.Name(), Size: p.Size(), SHA256: p.SHA256(), Temporary: true}
	p.Body = nil
	return &p
}

// filesBelow are the files of a directory by name, without locks.
func filesBelow(t interface{ Fatal(...any) }, dir string) map[string]string {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == lockName {
			return err
		}
		body, err := os.ReadFile(name)
		files[strings.TrimPrefix(name, dir)] = string(body)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func rawOf(t interface{ Fatal(...any) }, page *pipeline.Page) string {
	r, err := page.Raw()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// incompressible is a text of n bytes.
func incompressible(n int) string {
	rnd := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for b.Len() < n {
		fmt.Fprintf(&b, "%016x", rnd.Uint64())
	}
	return b.String()[:n]
}

func TestSpooledPagesAreKeptAsHeldOnes(t *testing.T) {
	inMemory := func() *Lake {
		l, err := Create(filepath.Join(memoryDir(t), "lake"), clock)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	held, file := inMemory(), inMemory()
	away := t.TempDir() // often another file system, where no link leads
	text := incompressible(pipeline.MaxHeld + 1)
	spool, err := file.Spool()
	if err != nil {
		t.Fatal(err)
	}
	run := rawTestRun(t)
	rapid.Check(t, func(t *rapid.T) {
		dir := rapid.SampledFrom([]string{spool.Dir(), away}).Draw(t, "directory")
		size := rapid.SampledFrom([]int{0, 1, 99, 999, 9999, pipeline.MaxHeld, pipeline.MaxHeld + 1}).Draw(t, "size")
		coding := rapid.SampledFrom([]string{"", "gzip"}).Draw(t, "coding")
		source := rapid.SampledFrom([]string{pipeline.ReportApps, pipeline.Users}).Draw(t, "source")
		first, second := page(source, 1, coding, text[:size]), page(source, 2, "", "a\r\n")

		keep := func(l *Lake, pages ...*pipeline.Page) (bodies []string) {
			k, err := l.Keeper(run)
			if err != nil {
				t.Fatal(err)
			}
			for p, err := range k.Keep(context.Background(), source, pagesOf(nil, pages...)) {
				if err != nil {
					t.Fatal(err)
				}
				bodies = append(bodies, rawOf(t, p))
				p.Release()
			}
			if err := k.Close(); err != nil {
				t.Fatal(err)
			}
			return bodies
		}
		want := keep(held, first, second)
		got := keep(file, spooled(t, dir, *first), spooled(t, dir, *second))
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("pages that passed, -held +spooled\n%.500s", d)
		}
		for _, at := range []string{spool.Dir(), away} {
			if left := filesBelow(t, at); len(left) > 0 {
				t.Errorf("%d files are left in %s", len(left), at)
			}
		}
		below := func(l *Lake) map[string]string { return filesBelow(t, l.store.path(rawPath(run, source))) }
		if d := cmp.Diff(below(held), below(file)); d != "" {
			t.Errorf("kept files, -held +spooled\n%.500s", d)
		}
		replayed, err := drain(file.Raw(run).Pages(context.Background(), source, pipeline.Window{}))
		if err != nil || len(replayed) != 2 {
			t.Fatalf("%d pages, %v", len(replayed), err)
		}
		for i, p := range replayed {
			if rawOf(t, p) != want[i] {
				t.Errorf("page %d is not as it came", i+1)
			}
			p.Release()
		}
		if _, err := os.Stat(file.store.path(rawPath(run, source, indexName))); err != nil {
			t.Error(err)
		}
	})
	if err := spool.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(spool.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the spool is still there: %v", err)
	}
}

func TestLongKeptReports(t *testing.T) {
	keepLong := func(t *testing.T) (*Lake, pipeline.Run, *pipeline.Page) {
		l := newLake(t)
		run := rawTestRun(t)
		k, err := l.Keeper(run)
		if err != nil {
			t.Fatal(err)
		}
		defer end(t, k)
		long := page(pipeline.ReportApps, 1, "gzip", incompressible(3*pipeline.MaxHeld))
		if _, err := drain(k.Keep(t.Context(), pipeline.ReportApps, pagesOf(nil, long))); err != nil {
			t.Fatal(err)
		}
		return l, run, long
	}
	t.Run("are read from their files, which stay", func(t *testing.T) {
		l, run, long := keepLong(t)
		pages, err := drain(l.Raw(run).Pages(t.Context(), pipeline.ReportApps, pipeline.Window{}))
		if err != nil || len(pages) != 1 || pages[0].Body != nil || pages[0].Spool == nil {
			t.Fatalf("pages %v, %v", pages, err)
		}
		pages[0].Release()
		if rawOf(t, pages[0]) != string(long.Body) {
			t.Error("the page is not as it came")
		}
	})
	for name, damage := range map[string]func(body []byte) []byte{
		"changed":      func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"cut short":    func(b []byte) []byte { return b[:len(b)-1] },
		"grown":        func(b []byte) []byte { return append(b, 0) },
		"all but gone": func([]byte) []byte { return nil },
	} {
		t.Run("that were "+name+" are refused", func(t *testing.T) {
			l, run, long := keepLong(t)
			at := l.store.path(rawPath(run, pipeline.ReportApps, "000001.csv.gz"))
			if err := os.WriteFile(at, damage(bytes.Clone(long.Body)), 0o600); err != nil {
				t.Fatal(err)
			}
			pages, err := drain(l.Raw(run).Pages(t.Context(), pipeline.ReportApps, pipeline.Window{}))
			if len(pages) > 0 || err == nil || !strings.Contains(err.Error(), "is damaged") {
				t.Errorf("%d pages, %v", len(pages), err)
			}
		})
	}
}

func TestKeepReleasesWhatItCannotKeep(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*pipeline.Page)
		cancel bool
	}{
		"a page out of order":      {change: func(p *pipeline.Page) { p.Number = 3 }},
		"a coding that is unknown": {change: func(p *pipeline.Page) { p.Coding = "br" }},
		"a run that is cancelled":  {change: func(*pipeline.Page) {}, cancel: true},
	} {
		t.Run(name, func(t *testing.T) {
			l, dir := newLake(t), t.TempDir()
			k, err := l.Keeper(rawTestRun(t))
			if err != nil {
				t.Fatal(err)
			}
			defer end(t, k)
			p := spooled(t, dir, *page(pipeline.ReportApps, 1, "", "a\r\n"))
			test.change(p)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if test.cancel {
				cancel()
			}
			if pages, err := drain(k.Keep(ctx, pipeline.ReportApps, pagesOf(nil, p))); err == nil || len(pages) > 0 {
				t.Errorf("%d pages, %v", len(pages), err)
			}
			if left := filesBelow(t, dir); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func TestDeadSpoolsAreSweptAway(t *testing.T) {
	l := newLake(t)
	dead, err := l.Spool()
	if err != nil {
		t.Fatal(err)
	}
	living, err := l.Spool()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Spool{dead, living} {
		spooled(t, s.Dir(), pipeline.Page{Body: []byte("rows")})
	}
	if err := dead.scratch.lock.Close(); err != nil { // as when a process is killed
		t.Fatal(err)
	}
	if err := l.store.sweep(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dead.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the dead spool is still there: %v", err)
	}
	if files := filesBelow(t, living.Dir()); len(files) != 1 {
		t.Errorf("the living spool has %d files", len(files))
	}
	if err := living.Close(); err != nil {
		t.Error(err)
	}
}
