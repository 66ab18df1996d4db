package lake

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// objects are a bucket in memory, as a mirror sees it.
type objects struct {
	mu    sync.Mutex
	body  map[string]string
	wrong map[string]int // how often an object is answered with other bytes
	reads map[string]int
	err   error
}

func (o *objects) fetch(name string, to *os.File) (time.Time, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.reads == nil {
		o.reads = map[string]int{}
	}
	o.reads[name]++
	body, ok := o.body[name]
	switch {
	case o.err != nil:
		return time.Time{}, o.err
	case !ok:
		return time.Time{}, fmt.Errorf("read %s: %w", name, fs.ErrNotExist)
	case o.wrong[name] > 0:
		o.wrong[name]--
		body = body[:len(body)-1] + "?"
	}
	_, err := io.WriteString(to, body)
	return time.Time{}, err
}

func (o *objects) all() (wants []Want) {
	for name, body := range o.body {
		wants = append(wants, Want{name, int64(len(body)), hashOf([]byte(body))})
	}
	return wants
}

func (o *objects) count() (n int) {
	for _, reads := range o.reads {
		n += reads
	}
	return n
}

// testMirror is a mirror in a directory, of n objects of 10 bytes each.
func testMirror(t *testing.T, n int) (*mirror, *objects) {
	t.Helper()
	o := &objects{body: map[string]string{}, wrong: map[string]int{}}
	for i := range n {
		o.body[fmt.Sprintf("data/users/v1/%03d.parquet", i)] = fmt.Sprintf("%010d", i)
	}
	work := &store{root: memoryDir(t)}
	return &mirror{work: work, fetch: o.fetch, at: func(name string) string { return "s3://lake/" + name }}, o
}

// reading are the copies of wanted files, compared with what was wanted.
func reading(t *testing.T, m *mirror, wants []Want, o Mirroring) *Copies {
	t.Helper()
	c, err := m.copies(t.Context(), wants, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range wants {
		body, err := os.ReadFile(c.Path(w.Path))
		if err != nil || hashOf(body) != w.SHA256 {
			t.Fatalf("%s holds %q, %v", w.Path, body, err)
		}
	}
	return c
}

// mirrored is the names of the copies in a mirror.
func mirrored(t *testing.T, m *mirror) (sums []string) {
	t.Helper()
	err := m.work.walk(mirrorDir, func(name string, _ fs.DirEntry) error {
		sums = append(sums, path.Base(name))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sums
}

func TestAMirror(t *testing.T) {
	t.Run("fetches each file once", func(t *testing.T) {
		m, o := testMirror(t, 40)
		var begun, arrived int64
		var mu sync.Mutex
		watch := Mirroring{Begin: func(_ int, size int64) { begun += size }, Arrived: func(n int64) {
			mu.Lock()
			defer mu.Unlock()
			arrived += n
		}}
		first := reading(t, m, append(o.all(), o.all()...), watch)
		if o.count() != 40 || begun != 400 || arrived != 400 {
			t.Errorf("%d reads, %d bytes begun, %d arrived", o.count(), begun, arrived)
		}
		second := reading(t, m, o.all(), watch)
		if o.count() != 40 || begun != 400 {
			t.Errorf("the second time: %d reads, %d bytes begun", o.count(), begun)
		}
		for _, c := range []*Copies{first, second} {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		if left, err := m.work.list(stagingDir); err != nil || len(left) > 0 {
			t.Errorf("readers left %v, %v", left, err)
		}
	})
	t.Run("reads a file that came damaged once more", func(t *testing.T) {
		m, o := testMirror(t, 1)
		w := o.all()
		o.wrong[w[0].Path] = 2
		if err := reading(t, m, w, Mirroring{}).Close(); err != nil || o.count() != 3 {
			t.Errorf("%d reads, %v", o.count(), err)
		}
	})
	t.Run("names a file that is damaged in the store", func(t *testing.T) {
		m, o := testMirror(t, 3)
		w := o.all()
		o.wrong[w[1].Path] = 100
		_, err := m.copies(t.Context(), w, Mirroring{})
		damage := (*DamagedError)(nil)
		if !errors.As(err, &damage) || damage.Path != w[1].Path || o.reads[w[1].Path] != fetchTries {
			t.Fatalf("error %v after %d reads", err, o.reads[w[1].Path])
		}
		wantError(t, err, "s3://lake/"+w[1].Path, "SHA-256", "seatlake replay")
		for _, sum := range mirrored(t, m) {
			if sum == w[1].SHA256 {
				t.Error("the damaged file is in the mirror")
			}
		}
		o.body[w[2].Path] += "more"
		o.reads = nil
		_, err = m.copies(t.Context(), []Want{{"gold/v=000000000001/users.parquet", 3, w[2].SHA256}}, Mirroring{})
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a missing file: %v", err)
		}
	})
	t.Run("takes no cut copy for a whole one", func(t *testing.T) {
		m, o := testMirror(t, 2)
		if err := reading(t, m, o.all(), Mirroring{}).Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(m.work.path(mirrorName(o.all()[0].SHA256)), 3); err != nil {
			t.Fatal(err)
		}
		if err := reading(t, m, o.all(), Mirroring{}).Close(); err != nil || o.count() != 3 {
			t.Errorf("%d reads, %v", o.count(), err)
		}
	})
	t.Run("drops damaged copies when it is repaired, and no others", func(t *testing.T) {
		m, o := testMirror(t, 5)
		w := o.all()
		if err := reading(t, m, w, Mirroring{}).Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(m.work.path(mirrorName(w[2].SHA256)), []byte("**********"), 0o600); err != nil {
			t.Fatal(err)
		}
		gone, err := m.repair(t.Context())
		if err != nil || len(gone) != 1 || gone[0] != mirrorName(w[2].SHA256) {
			t.Errorf("repair = %v, %v", gone, err)
		}
		if err := reading(t, m, w, Mirroring{}).Close(); err != nil || o.count() != 6 {
			t.Errorf("%d reads, %v", o.count(), err)
		}
	})
	t.Run("keeps the copies that were read last", func(t *testing.T) {
		m, o := testMirror(t, 10)
		wants := o.all()
		for i, w := range wants {
			if err := reading(t, m, []Want{w}, Mirroring{}).Close(); err != nil {
				t.Fatal(err)
			}
			at := time.Date(2026, 11, 1, i, 0, 0, 0, time.UTC) // long ago, one after the other
			if err := os.Chtimes(m.work.path(mirrorName(w.SHA256)), at, at); err != nil {
				t.Fatal(err)
			}
		}
		if err := reading(t, m, wants[:2], Mirroring{}).Close(); err != nil {
			t.Fatal(err)
		}
		o.body["data/users/v1/new.parquet"] = "**********"
		last := Want{"data/users/v1/new.parquet", 10, hashOf([]byte("**********"))}
		if err := reading(t, m, []Want{last}, Mirroring{MaxSize: 45}).Close(); err != nil {
			t.Fatal(err)
		}
		kept := strings.Join(mirrored(t, m), " ")
		for i, w := range append(wants[:2:2], wants[9], last) {
			if !strings.Contains(kept, w.SHA256) {
				t.Errorf("copy %d went", i)
			}
		}
		if n := len(mirrored(t, m)); n != 4 {
			t.Errorf("%d copies are kept", n)
		}
	})
	t.Run("takes nothing away from a reader", func(t *testing.T) {
		m, o := testMirror(t, 4)
		c := reading(t, m, o.all(), Mirroring{})
		if err := m.trim(0); err != nil || len(mirrored(t, m)) != 0 {
			t.Errorf("trimmed to %v, %v", mirrored(t, m), err)
		}
		if err := os.RemoveAll(m.work.path(mirrorDir)); err != nil { // as a person may
			t.Fatal(err)
		}
		if err := m.work.sweep(); err != nil {
			t.Fatal(err)
		}
		for _, w := range o.all() {
			if body, err := os.ReadFile(c.Path(w.Path)); err != nil || hashOf(body) != w.SHA256 {
				t.Errorf("%s holds %q, %v", w.Path, body, err)
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := reading(t, m, o.all(), Mirroring{}).Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("serves many readers at once, with room for few", func(t *testing.T) {
		m, o := testMirror(t, 30)
		var readers sync.WaitGroup
		wants := o.all()
		for i := range 8 {
			readers.Go(func() {
				for n := range 10 {
					some := wants[(3*i+n)%20:][:10]
					c, err := m.copies(t.Context(), some, Mirroring{MaxSize: 50})
					if err != nil {
						t.Error(err)
						return
					}
					for _, w := range some {
						if body, err := os.ReadFile(c.Path(w.Path)); err != nil || hashOf(body) != w.SHA256 {
							t.Errorf("%s holds %q, %v", w.Path, body, err)
						}
					}
					if err := c.Close(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		readers.Wait()
	})
	t.Run("refuses names that lead out of it", func(t *testing.T) {
		m, _ := testMirror(t, 0)
		for _, w := range []Want{{"../x", 1, strings.Repeat("0", 64)}, {"data/x", 1, "../../x"}, {"/etc/passwd", 1, strings.Repeat("0", 64)}} {
			if _, err := m.copies(t.Context(), []Want{w}, Mirroring{}); err == nil || !strings.Contains(err.Error(), "is not one of a lake") {
				t.Errorf("%v: %v", w, err)
			}
		}
	})
	t.Run("says what to do when its disk is full, and leaves nothing half", func(t *testing.T) {
		m, o := testMirror(t, 3)
		for n := 1; ; n++ {
			f := &faults{at: n, stay: true, err: &fs.PathError{Op: "act", Path: "p", Err: syscall.ENOSPC}}
			faulty := &mirror{work: &store{root: m.work.root, fault: f.fail}, fetch: o.fetch, at: m.at}
			c, err := faulty.copies(t.Context(), o.all(), Mirroring{MaxSize: 20})
			if f.hit == "" {
				if err != nil || n < 10 {
					t.Errorf("%d acts, %v", n, err)
				}
				f.at = 0 // its end is no part of this
				if err := c.Close(); err != nil {
					t.Error(err)
				}
				break
			}
			if err != nil {
				wantError(t, err, "disk is full: make room")
			} else {
				_ = c.Close() // it fails as well
			}
			if err := m.work.sweep(); err != nil {
				t.Fatal(err)
			}
			if err := reading(t, m, o.all(), Mirroring{}).Close(); err != nil {
				t.Fatalf("after fault %d, %s: %v", n, f.hit, err)
			}
			if err := m.work.remove(mirrorDir); err != nil {
				t.Fatal(err)
			}
		}
		if left, err := m.work.list(stagingDir); err != nil || len(left) > 0 {
			t.Errorf("left %v, %v", left, err)
		}
	})
}
