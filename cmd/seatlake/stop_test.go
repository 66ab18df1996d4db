package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"seatlake/extract/graph/graphsim"
	"seatlake/pipeline"
)

// signals are contexts as untilSignal makes them, ended by calls.
func signals(t *testing.T) (ctx context.Context, first, second func()) {
	hard, second := context.WithCancel(t.Context())
	ctx, first = context.WithCancel(context.WithValue(hard, patientKey{}, hard))
	t.Cleanup(func() { first(); second() })
	return ctx, first, second
}

func TestUntilSignal(t *testing.T) {
	ctx, stop := untilSignal(t.Context())
	defer stop()
	kill := func() {
		t.Helper()
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	hard, forget := patient(ctx)
	defer forget()
	if ctx.Err() != nil || hard.Err() != nil {
		t.Fatal("it has ended before any signal")
	}
	kill()
	<-ctx.Done()
	if hard.Err() != nil {
		t.Error("patience ends with the first signal")
	}
	kill()
	<-hard.Done()
	stop()
	stop()
}

// gated is a source whose pages arrive when the test lets them.
type gated struct {
	asked  chan string         // a page of this source is asked for
	arrive map[string]chan int // and arrives
}

func (g *gated) Pages(_ context.Context, source string, _ pipeline.Window) pipeline.Pages {
	return func(yield func(*pipeline.Page, error) bool) {
		for n := range 3 {
			g.asked <- source
			<-g.arrive[source]
			if !yield(&pipeline.Page{Source: source, Number: n + 1}, nil) {
				return
			}
		}
	}
}

func TestStopper(t *testing.T) {
	t.Run("pages in flight arrive, of all sources, before any ends", func(t *testing.T) {
		asked, stop := context.WithCancel(t.Context())
		g := &gated{asked: make(chan string), arrive: map[string]chan int{"a": make(chan int), "b": make(chan int)}}
		s := &stopper{Source: g, asked: asked}
		var mu sync.Mutex
		var events []string
		var running sync.WaitGroup
		for source := range g.arrive {
			running.Go(func() {
				for page, err := range s.Pages(t.Context(), source, pipeline.Window{}) {
					mu.Lock()
					if err != nil {
						if !errors.Is(err, errInterrupted) {
							t.Error(err)
						}
						events = append(events, "end")
					} else {
						events = append(events, fmt.Sprint("page ", page.Number))
					}
					mu.Unlock()
				}
			})
		}
		<-g.asked
		<-g.asked
		stop()
		g.arrive["a"] <- 1
		g.arrive["b"] <- 1
		running.Wait()
		if got := strings.Join(events, ", "); got != "page 1, page 1, end, end" {
			t.Error(got)
		}
	})

	t.Run("a source that has not begun asks for nothing", func(t *testing.T) {
		asked, stop := context.WithCancel(t.Context())
		stop()
		s := &stopper{Source: &gated{}, asked: asked}
		for page, err := range s.Pages(t.Context(), "a", pipeline.Window{}) {
			if page != nil || !errors.Is(err, errInterrupted) {
				t.Errorf("%v, %v", page, err)
			}
		}
	})

	t.Run("a wait is cut short", func(t *testing.T) {
		asked, stop := context.WithCancel(t.Context())
		sleep := hasten(asked, func(ctx context.Context, _ time.Duration) error {
			stop()
			<-ctx.Done()
			return ctx.Err()
		})
		for range 2 {
			if err := sleep(t.Context(), time.Hour); !errors.Is(err, errInterrupted) {
				t.Error(err)
			}
		}
		if err := hasten(t.Context(), nil)(t.Context(), time.Nanosecond); err != nil {
			t.Error(err)
		}
	})
}

// trigger is a stream that calls a function at the first line with some words.
type trigger struct {
	bytes.Buffer
	words string
	once  sync.Once
	fn    func()
}

func (w *trigger) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(w.words)) {
		w.once.Do(w.fn)
	}
	return w.Buffer.Write(p)
}

func TestInterruptedRun(t *testing.T) {
	// interrupted runs, and calls fn when the log says words.
	interrupted := func(e *estate, ctx context.Context, words string, fn func(), args ...string) (int, Summary, string) {
		errs := &trigger{words: words, fn: fn}
		var out bytes.Buffer
		a := &app{
			out: &out, err: errs, now: func() time.Time { return e.now }, sleep: impatient,
			env: func(name string) (string, bool) { v, ok := e.secret[name]; return v, ok },
		}
		status := a.execute(ctx, append([]string{"run", "--summary", "-", "-c", e.config}, args...))
		var s Summary
		if err := json.Unmarshal(out.Bytes(), &s); err != nil {
			t.Fatalf("%v: %s", err, errs.String())
		}
		return status, s, errs.String()
	}

	t.Run("after the first signal nothing is published, pages are kept, and the next run goes on", func(t *testing.T) {
		e := newEstate(t, 1, graphsim.Options{Users: 100, PageSize: 10})
		ctx, first, _ := signals(t)
		status, s, stderr := interrupted(e, ctx, "source=subscribed_skus", first)
		if status != exitNothing || s.Tenants[0].Outcome != Interrupted || len(e.commits()) != 0 || s.Built != 0 {
			t.Errorf("status %d, %+v", status, s.Tenants[0])
		}
		if !strings.Contains(stderr, "seatlake: tenant t01: ") || !strings.Contains(stderr, "run again to go on") {
			t.Errorf("it does not say how to go on: %s", stderr)
		}
		if kept, err := filepath.Glob(filepath.Join(e.dir, "raw", "*", "*", "*", "*.json*")); err != nil || len(kept) == 0 {
			t.Errorf("no page is kept: %v", err)
		}
		if status, _, stderr := e.run("-q", "--no-build"); status != exitComplete {
			t.Errorf("the next run ends in status %d: %s", status, stderr)
		}
		if got := e.query("select count(*) as n, count(distinct id) as d from graph_users"); got != "n,d\n100,100\n" {
			t.Error(got)
		}
	})

	t.Run("tenants that were committed before it stand, and are built by the next run", func(t *testing.T) {
		e := newEstate(t, 2, graphsim.Options{Users: 20, PageSize: 10})
		config, err := os.ReadFile(e.config)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(e.config, bytes.Replace(config, []byte("{tenants: 8}"), []byte("{tenants: 1}"), 1), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, first, _ := signals(t)
		status, s, stderr := interrupted(e, ctx, "run committed", first)
		if status != exitGaps || s.Tenants[0].Outcome != Published || s.Tenants[1].Outcome != Interrupted || s.Built != 0 || s.Tenants[1].Requests > 1 {
			t.Errorf("status %d, %+v", status, s)
		}
		if !strings.Contains(stderr, "`seatlake build` publishes it") {
			t.Error(stderr)
		}
		if _, s, stderr := e.run("-q", "--tenant", "t01", "--if-due", "20h"); s.Built != 1 {
			t.Errorf("version %d was built: %s", s.Built, stderr)
		}
	})

	t.Run("the second signal stops at once", func(t *testing.T) {
		e := newEstate(t, 1, graphsim.Options{Users: 20, PageSize: 10})
		ctx, first, second := signals(t)
		status, s, stderr := interrupted(e, ctx, "source=subscribed_skus", func() { first(); second() })
		if status != exitNothing || s.Tenants[0].Outcome != Interrupted || len(e.commits()) != 0 {
			t.Errorf("status %d, %+v: %s", status, s.Tenants[0], stderr)
		}
	})
}
