package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"seatlake/pipeline"
)

// errInterrupted is the error of a run that was asked to stop before it had read
// all its pages.
var errInterrupted = errors.New("interrupted; nothing of this run is published, its kept pages stay under raw/; run again to go on")

// untilSignal is a context that SIGINT and SIGTERM end. A command that would
// rather finish what it has in hand takes patient of it, which ends at the second
// signal only. The caller calls stop.
func untilSignal(parent context.Context) (ctx context.Context, stop func()) {
	second, kill := context.WithCancel(parent)
	first, ask := context.WithCancel(context.WithValue(second, patientKey{}, second))
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		for _, end := range []func(){ask, kill} {
			select {
			case <-signals:
				end()
			case <-done:
				return
			}
		}
	}()
	return first, sync.OnceFunc(func() {
		signal.Stop(signals)
		close(done)
		ask()
		kill()
	})
}

type patientKey struct{}

// patient is ctx without the first signal's end, or ctx itself when it knows of
// no signals. The caller calls stop.
func patient(ctx context.Context) (_ context.Context, stop func()) {
	second, ok := ctx.Value(patientKey{}).(context.Context)
	if !ok {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	forget := context.AfterFunc(second, cancel)
	return ctx, func() { forget(); cancel() }
}

// stopper ends a source between two pages once asked to: the pages in flight, of
// all the run's sources, arrive and are kept first. Then the sources end in
// errInterrupted. A run whose pages have all arrived is not stopped.
type stopper struct {
	pipeline.Source
	asked  context.Context // ends when the run is to stop
	flight sync.RWMutex    // read-locked while a page is in flight or being kept
}

// Pages reads the source until it ends or is asked to stop.
func (s *stopper) Pages(ctx context.Context, source string, w pipeline.Window) pipeline.Pages {
	return func(yield func(*pipeline.Page, error) bool) {
		if s.inFlight(ctx, source, w, yield) {
			s.flight.Lock() // waits for the pages of the other sources
			defer s.flight.Unlock()
			yield(nil, errInterrupted)
		}
	}
}

// inFlight yields pages and says whether it ended because it was asked to.
func (s *stopper) inFlight(ctx context.Context, source string, w pipeline.Window, yield func(*pipeline.Page, error) bool) bool {
	s.flight.RLock()
	defer s.flight.RUnlock()
	if s.asked.Err() != nil {
		return true
	}
	for page, err := range s.Source.Pages(ctx, source, w) {
		if errors.Is(err, errInterrupted) { // a wait was cut short
			return true
		}
		if !yield(page, err) || err != nil {
			return false
		}
		if s.asked.Err() != nil {
			return true
		}
	}
	return false
}

// hasten makes a sleep that ends in errInterrupted once asked to stop: nothing is
// in flight while a client waits. A nil sleep is a timer.
func hasten(asked context.Context, sleep func(context.Context, time.Duration) error) func(context.Context, time.Duration) error {
	if sleep == nil {
		sleep = wait
	}
	return func(ctx context.Context, d time.Duration) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(asked, func() { cancel(errInterrupted) })()
		if asked.Err() != nil {
			return errInterrupted
		}
		if err := sleep(ctx, d); err != nil {
			return cmp.Or(context.Cause(ctx), err)
		}
		return nil
	}
}

// wait is a timer that ends early with ctx.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
