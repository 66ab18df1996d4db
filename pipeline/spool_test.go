package pipeline

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/gzip"
	"pgregory.net/rapid"
)

// spooled is the page with its body in a file of the directory.
func spooled(t interface{ Fatal(...any) }, dir string, p Page) *Page {
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
	sum := sha256.Sum256(p.Body)
	p.Spool = &Spool{Path: f.Name(), Size: int64(len(p.Body)), SHA256: hex.EncodeToString(sum[:]), Temporary: true}
	p.Body = nil
	return &p
}

// left is how many files a directory has.
func left(t interface{ Fatal(...any) }, dir string) int {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// read gives all that a page says of its body, as text; errors too.
func read(p *Page) [6]string {
	all := func(open func() (io.ReadCloser, error)) (string, string) {
		r, err := open()
		if err != nil {
			return "", err.Error()
		}
		text, err := io.ReadAll(r)
		if err = errors.Join(err, r.Close()); err != nil {
			return "", err.Error() // how far a damaged text can be read does not matter
		}
		return string(text), ""
	}
	var out [6]string
	out[0], out[1] = all(p.Raw)
	out[2], out[3] = all(p.Reader)
	if text, err := p.Text(); err != nil {
		out[4] = err.Error()
	} else {
		out[4] = string(text) + "|" + string(text[:len(text)+Pad][len(text):])
	}
	out[5] = p.SHA256()
	return out
}

func TestSpooledPagesAreAsHeldOnes(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		held := Page{Body: []byte(rapid.StringN(0, 400, -1).Draw(t, "text")), Coding: rapid.SampledFrom([]string{"", "gzip", "br"}).Draw(t, "coding")}
		if held.Coding == "gzip" {
			var b bytes.Buffer
			w := gzip.NewWriter(&b)
			w.Write(bytes.Repeat(held.Body, rapid.IntRange(1, 500).Draw(t, "times")))
			w.Close()
			held.Body = b.Bytes()[:b.Len()-rapid.IntRange(0, 9).Draw(t, "cut")]
		}
		file := spooled(t, dir, held)
		if file.Size() != held.Size() {
			t.Errorf("%d bytes, want %d", file.Size(), held.Size())
		}
		for range 2 {
			if got, want := read(file), read(&held); got != want {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		}
		file.Release()
		file.Release()
		if n := left(t, dir); n != 0 {
			t.Errorf("%d files are left", n)
		}
	})
}

func TestRelease(t *testing.T) {
	t.Run("leaves a file that is not the page's own", func(t *testing.T) {
		p := spooled(t, t.TempDir(), Page{Body: []byte("kept")})
		p.Spool.Temporary = false
		p.Release()
		if _, err := os.Stat(p.Spool.Path); err != nil {
			t.Error(err)
		}
	})
	t.Run("of no page, or of a held one, does nothing", func(*testing.T) {
		(*Page)(nil).Release()
		(&Page{Body: []byte("held")}).Release()
	})
	t.Run("ends reading", func(t *testing.T) {
		p := spooled(t, t.TempDir(), Page{Body: []byte("gone")})
		p.Release()
		if _, err := p.Raw(); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("Raw: %v", err)
		}
		if _, err := p.Text(); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("Text: %v", err)
		}
	})
}

func TestAheadReleasesPages(t *testing.T) {
	pages := func(t *testing.T, dir string, end error) Pages {
		return func(yield func(*Page, error) bool) {
			for range 9 {
				if !yield(spooled(t, dir, Page{Body: []byte("rows")}), nil) {
					return
				}
			}
			if end != nil {
				yield(nil, end)
			}
		}
	}
	for _, test := range []struct {
		name string
		end  error // of the source
		stop int   // pages that the decoder takes; 0: all
		quit int   // pages after which the run is cancelled; 0: never
	}{
		{"that were decoded", nil, 0, 0},
		{"when the decoder stops", nil, 2, 0},
		{"when the decoder stops at once", nil, 1, 0},
		{"when the source breaks", errBroken, 0, 0},
		{"when the run is cancelled", nil, 0, 3},
		{"when the run is cancelled and the decoder stops", nil, 3, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			n := 0
			for page, err := range ahead(ctx, pages(t, dir, test.end)) {
				if err != nil {
					break
				}
				if text, err := page.Text(); err != nil || string(text) != "rows" {
					t.Fatalf("page %d: %q, %v", n+1, text, err)
				}
				if n++; n == test.quit {
					cancel()
				}
				if n == test.stop {
					break
				}
			}
			if n == 0 {
				t.Error("no page came")
			}
			if n := left(t, dir); n != 0 {
				t.Errorf("%d files are left", n)
			}
		})
	}
	t.Run("one at a time: those behind wait as files", func(t *testing.T) {
		dir := t.TempDir()
		var before string
		for page, err := range ahead(t.Context(), pages(t, dir, nil)) {
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(filepath.Join(dir, filepath.Base(page.Spool.Path))); err != nil {
				t.Error(err)
			}
			if before != "" {
				if _, err := os.Stat(before); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("the page before is still there: %v", err)
				}
			}
			before = page.Spool.Path
		}
	})
}
