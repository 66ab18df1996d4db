package graph

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"seatlake/pipeline"
)

// longCSV is a report that takes more than MaxHeld bytes, with gzip too.
func longCSV() string {
	rnd := rand.New(rand.NewPCG(5, 6))
	var b strings.Builder
	header, row, _ := strings.Cut(reportCSV, "\r\n")
	b.WriteString(header + "\r\n")
	for b.Len() < 8*pipeline.MaxHeld {
		b.WriteString(strings.Replace(row, "MiriamG", fmt.Sprintf("%016x%016x%016x%016x", rnd.Uint64(), rnd.Uint64(), rnd.Uint64(), rnd.Uint64()), 1))
	}
	return b.String()
}

func gzipped(body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(body)
	}
}

// cut sends half of a body and breaks off.
func cut(body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		w.Write(body[:len(body)/2])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestLongReportsAreSpooled(t *testing.T) {
	long := longCSV()
	body := zipped(t, long)
	if len(body) < pipeline.MaxHeld*3/2 {
		t.Fatalf("the report has %d bytes only", len(body))
	}
	damaged := bytes.Clone(body)
	damaged[len(damaged)-8] ^= 1 // of the checksum
	into := func(dir string) func(*Config) { return func(c *Config) { c.SpoolDir = dir } }

	for _, test := range []struct {
		name    string
		coding  string
		body    []byte
		answers []http.HandlerFunc
	}{
		{"as they came, compressed", "gzip", body, []http.HandlerFunc{gzipped(body)}},
		{"as they came, plain", "", []byte(long), []http.HandlerFunc{text(long)}},
		{"whole, after one that was cut short", "gzip", body, []http.HandlerFunc{cut(body), gzipped(body)}},
		{"whole, after one that was damaged", "gzip", body, []http.HandlerFunc{gzipped(damaged), gzipped(body)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			cloud := newCloud(t, inTurn(t, test.answers...))
			pages, err := collect(cloud.client(into(dir)).Pages(t.Context(), pipeline.ReportActivations, pipeline.Window{}))
			if err != nil || len(pages) != 1 {
				t.Fatalf("%d pages, %v", len(pages), err)
			}
			p := pages[0]
			held := pipeline.Page{Coding: test.coding, Body: test.body}
			if p.Spool == nil || p.Body != nil || p.Coding != test.coding || p.Size() != held.Size() || p.SHA256() != held.SHA256() {
				t.Fatalf("page: coding %q, %d bytes, spool %+v", p.Coding, p.Size(), p.Spool)
			}
			r, err := p.Raw()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if raw, err := io.ReadAll(r); err != nil || !bytes.Equal(raw, test.body) {
				t.Errorf("%d bytes, %v, want the %d that were sent", len(raw), err, len(test.body))
			}
			if names := filesIn(t, dir); len(names) != 1 || names[0] != p.Spool.Path {
				t.Errorf("files %q, want %q", names, p.Spool.Path)
			}
			if info, err := os.Stat(p.Spool.Path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("file: %v, %v", info, err)
			}
			for _, e := range cloud.events {
				if e.Kind == Answered && e.Bytes != len(test.body) {
					t.Errorf("event says %d bytes, want %d", e.Bytes, len(test.body))
				}
			}
			p.Release()
			if names := filesIn(t, dir); len(names) != 0 {
				t.Errorf("left: %q", names)
			}
		})
	}

	t.Run("and no longer than a report may be", func(t *testing.T) {
		dir := t.TempDir()
		c := newCloud(t, nil).client(into(dir))
		if _, err := c.spool([]byte("abc"), strings.NewReader("defg"), 6); !errors.Is(err, errTooLong) {
			t.Errorf("seven bytes of six: %v", err)
		}
		if s, err := c.spool([]byte("abc"), strings.NewReader("def"), 6); err != nil || s.Size != 6 {
			t.Errorf("six bytes of six: %+v, %v", s, err)
		}
		if names := filesIn(t, dir); len(names) != 1 {
			t.Errorf("files: %q", names)
		}
	})

	t.Run("but short ones, and pages of collections, are held", func(t *testing.T) {
		dir := t.TempDir()
		row := `{"id":"` + strings.Repeat("x", 2*pipeline.MaxHeld) + `"}`
		for source, answer := range map[string]string{pipeline.ReportActivations: reportCSV, pipeline.Users: `{"value":[` + row + `]}`} {
			cloud := newCloud(t, inTurn(t, text(answer)))
			pages, err := collect(cloud.client(into(dir)).Pages(t.Context(), source, pipeline.Window{}))
			if err != nil || len(pages) != 1 || pages[0].Spool != nil || string(pages[0].Body) != answer {
				t.Errorf("%s: %d pages, %v", source, len(pages), err)
			}
		}
		if names := filesIn(t, dir); len(names) != 0 {
			t.Errorf("files: %q", names)
		}
	})

	t.Run("and leave nothing when none comes whole", func(t *testing.T) {
		dir := t.TempDir()
		cloud := newCloud(t, inTurn(t, cut(body), gzipped(damaged), gzipped(body[:len(body)-1])))
		client := cloud.client(into(dir), func(c *Config) { c.Attempts = 3 })
		if _, err := collect(client.Pages(t.Context(), pipeline.ReportActivations, pipeline.Window{})); err == nil {
			t.Error("a damaged report was taken")
		}
		if names := filesIn(t, dir); len(names) != 0 {
			t.Errorf("left: %q", names)
		}
	})

	t.Run("and leave nothing when the run is cancelled within one", func(t *testing.T) {
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		cloud := newCloud(t, inTurn(t, func(w http.ResponseWriter, r *http.Request) {
			w.Write([]byte(long[:2*pipeline.MaxHeld]))
			w.(http.Flusher).Flush()
			for len(filesIn(t, dir)) == 0 && r.Context().Err() == nil { // the client is behind its first bytes
			}
			cancel()
			<-r.Context().Done()
		}))
		_, err := collect(cloud.client(into(dir)).Pages(ctx, pipeline.ReportActivations, pipeline.Window{}))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if names := filesIn(t, dir); len(names) != 0 {
			t.Errorf("left: %q", names)
		}
	})

	t.Run("and end the run when the disk takes none", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t, gzipped(body)))
		gone := filepath.Join(t.TempDir(), "gone")
		_, err := collect(cloud.client(into(gone)).Pages(t.Context(), pipeline.ReportActivations, pipeline.Window{}))
		if _, ok := pipeline.AsGap(err); ok {
			t.Error("recorded as a gap")
		}
		want(t, err, "spool a report", gone, "make room")
	})
}
