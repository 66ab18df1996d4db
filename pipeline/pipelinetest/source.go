package pipelinetest

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"seatlake/pipeline"
)

// Source is a source under test. An empty name leaves out its subtests.
type Source struct {
	pipeline.Source

	Whole string // a source of at least two pages
	Empty string // a source that is there and has no rows
	Gap   string // a source that ends in a *pipeline.Gap
	None  string // a source that fails the run
	// Window is asked of all of them.
	Window pipeline.Window
}

// TestSource is the suite of pipeline.Source.
func TestSource(t *testing.T, open func(t *testing.T) Source) {
	if s := open(t); s.Whole != "" {
		t.Run("pages are numbered, dated and readable", func(t *testing.T) { inOrder(t, open(t)) })
		t.Run("a reader may stop", func(t *testing.T) { stops(t, open(t)) })
		t.Run("asked again it gives the same rows", func(t *testing.T) { again(t, open(t)) })
		t.Run("a cancelled read ends in the context's error", func(t *testing.T) { cancels(t, open(t)) })
	}
	if s := open(t); s.Empty != "" {
		t.Run("an empty source is no error", func(t *testing.T) {
			if _, err := read(t.Context(), open(t), s.Empty); err != nil {
				t.Error(err)
			}
		})
	}
	if s := open(t); s.Gap != "" {
		t.Run("a refusal is a gap with a reason, and the last thing", func(t *testing.T) { gap(t, open(t)) })
	}
	if s := open(t); s.None != "" {
		t.Run("a failure is an error and no gap", func(t *testing.T) {
			_, err := read(t.Context(), open(t), s.None)
			if err == nil {
				t.Fatal("it ended without an error")
			}
			if g, ok := pipeline.AsGap(err); ok {
				t.Errorf("it is the gap %v: the run would go on", g)
			}
		})
	}
}

// read ranges over all pages of a source. Its error is the one that ended them.
func read(ctx context.Context, s Source, source string) (pages []*pipeline.Page, end error) {
	for page, err := range s.Pages(ctx, source, s.Window) {
		if end != nil {
			return pages, errors.New("the pages went on after an error")
		}
		if err != nil {
			end = err
			continue
		}
		pages = append(pages, page)
	}
	return pages, end
}

func inOrder(t *testing.T, s Source) {
	pages, err := read(t.Context(), s, s.Whole)
	if err != nil {
		t.Fatal(err)
	}
	if len(pages) < 2 {
		t.Fatalf("%d pages: the suite needs two", len(pages))
	}
	var before time.Time
	for i, p := range pages {
		if p.Source != s.Whole || p.Number != i+1 {
			t.Errorf("page %d says source %q, number %d", i+1, p.Source, p.Number)
		}
		if p.Observed.IsZero() || p.Observed.Location() != time.UTC || p.Observed.Before(before) {
			t.Errorf("page %d was observed at %v, after %v", p.Number, p.Observed, before)
		}
		before = p.Observed
		if !strings.HasPrefix(p.Request, "/") {
			t.Errorf("page %d: request %q is not a path and query", p.Number, p.Request)
		}
		for _, secret := range []string{"://", "Bearer", "tempauth", "sig="} {
			if strings.Contains(p.Request, secret) {
				t.Errorf("page %d: request %q has %q", p.Number, p.Request, secret)
			}
		}
		if text, err := p.Text(); err != nil || len(text) == 0 {
			t.Errorf("page %d has %d bytes of text, %v", p.Number, len(text), err)
		}
	}
}

func stops(t *testing.T, s Source) {
	for page, err := range s.Pages(t.Context(), s.Whole, s.Window) {
		if err != nil || page.Number != 1 {
			t.Fatalf("first page: %v, %v", page, err)
		}
		break
	}
}

func again(t *testing.T, s Source) {
	first, err := read(t.Context(), s, s.Whole)
	if err != nil {
		t.Fatal(err)
	}
	second, err := read(t.Context(), s, s.Whole)
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != len(second) {
		t.Fatalf("%d pages, then %d", len(first), len(second))
	}
	for i := range first {
		a, errA := first[i].Text()
		b, errB := second[i].Text()
		if err := errors.Join(errA, errB); err != nil {
			t.Fatal(err)
		}
		// Links to the next page may bear the time of the request.
		if first[i].Request == second[i].Request && len(a) != len(b) && !bytes.Contains(a, []byte("@odata.nextLink")) {
			t.Errorf("page %d has %d bytes, then %d", i+1, len(a), len(b))
		}
	}
}

func cancels(t *testing.T, s Source) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var end error
	for page, err := range s.Pages(ctx, s.Whole, s.Window) {
		if err != nil {
			end = err
			break
		}
		if page.Number == 1 {
			cancel()
		}
	}
	if !errors.Is(end, context.Canceled) {
		t.Errorf("it ended in %v, want context.Canceled", end)
	}
}

func gap(t *testing.T, s Source) {
	_, err := read(t.Context(), s, s.Gap)
	g, ok := pipeline.AsGap(err)
	if !ok {
		t.Fatalf("it ended in %v, want a *pipeline.Gap", err)
	}
	if g.State != pipeline.Denied && g.State != pipeline.Missing {
		t.Errorf("its state is %q", g.State)
	}
	if g.Reason == "" {
		t.Error("it has no reason for people")
	}
}
