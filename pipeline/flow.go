package pipeline

import (
	"context"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
)

// pagesAhead is how many pages may wait for the decoder: enough that requests
// follow one another while a batch is written, few enough to keep memory flat.
const pagesAhead = 2

// ahead reads pages in a goroutine of its own, because links are short-lived and
// nothing slow may stand between two requests. The goroutine ends before the
// returned sequence does. Here pages end: each is lent to the loop body, and
// released when that has decoded it or does not come to it.
func ahead(ctx context.Context, in Pages) Pages {
	return func(yield func(*Page, error) bool) {
		type answer struct {
			page *Page
			err  error
		}
		ctx, cancel := context.WithCancel(ctx)
		waiting := make(chan answer, pagesAhead)
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer close(waiting)
			for page, err := range in {
				select {
				case waiting <- answer{page, err}:
				case <-ctx.Done():
					page.Release()
					return
				}
			}
		}()
		defer func() {
			for a := range waiting {
				a.page.Release()
			}
			<-done
		}()
		defer cancel()
		for a := range waiting {
			more := yield(a.page, a.err)
			a.page.Release()
			if !more || a.err != nil {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(nil, err)
		}
	}
}

// fanOut ranges over a stream once and gives each of its batches to every
// consumer. The slowest sets the pace; the first error ends them all.
func fanOut(ctx context.Context, in Stream, consumers []func(context.Context, Stream) error) error {
	if len(consumers) == 1 {
		return consumers[0](ctx, in)
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	feeds := make([]chan arrow.RecordBatch, len(consumers))
	var broken error // of the stream itself; consumers read it once their feed is closed
	var running sync.WaitGroup
	for i, consume := range consumers {
		feed := make(chan arrow.RecordBatch)
		feeds[i] = feed
		running.Go(func() {
			defer drain(feed)
			if err := consume(ctx, fed(in.Schema, feed, &broken)); err != nil {
				fail(err)
			}
		})
	}
	broken = spread(ctx, in, feeds)
	for _, feed := range feeds {
		close(feed)
	}
	running.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return broken
}

// spread gives every batch to every feed, until the stream ends or a consumer
// has failed.
func spread(ctx context.Context, in Stream, feeds []chan arrow.RecordBatch) error {
	for batch, err := range in.Batches {
		if err != nil {
			return err
		}
		for _, feed := range feeds {
			batch.Retain()
			select {
			case feed <- batch:
			case <-ctx.Done():
				batch.Release()
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

// fed is the stream of what comes over a feed, ending in the error that broke it,
// if any.
func fed(schema *arrow.Schema, feed <-chan arrow.RecordBatch, broken *error) Stream {
	return Stream{Schema: schema, Batches: func(yield func(arrow.RecordBatch, error) bool) {
		for batch := range feed {
			more := yield(batch, nil)
			batch.Release()
			if !more {
				return
			}
		}
		if *broken != nil {
			yield(nil, *broken)
		}
	}}
}

// drain releases what a consumer that stopped early left in its feed.
func drain(feed <-chan arrow.RecordBatch) {
	for batch := range feed {
		batch.Release()
	}
}
