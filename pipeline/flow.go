package pipeline

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"golang.org/x/sync/errgroup"
)

// pagesAhead is how many pages may wait for the decoder: enough that requests
// follow one another while a batch is written, few enough to keep memory flat.
const pagesAhead = 2

// ahead reads pages in a goroutine of its own, because links are short-lived and
// nothing slow may stand between two requests. The goroutine ends before the
// returned sequence does.
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
					return
				}
			}
		}()
		defer func() { <-done }()
		defer cancel()
		for a := range waiting {
			if !yield(a.page, a.err) || a.err != nil {
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
	group, ctx := errgroup.WithContext(ctx)
	feeds := make([]chan arrow.RecordBatch, len(consumers))
	var failed error // of the stream itself; read by consumers after their feed is closed
	for i, consume := range consumers {
		feed := make(chan arrow.RecordBatch)
		feeds[i] = feed
		group.Go(func() error {
			defer drain(feed)
			return consume(ctx, Stream{Schema: in.Schema, Batches: func(yield func(arrow.RecordBatch, error) bool) {
				for batch := range feed {
					more := yield(batch, nil)
					batch.Release()
					if !more {
						return
					}
				}
				if failed != nil {
					yield(nil, failed)
				}
			}})
		})
	}
	func() {
		defer func() {
			for _, feed := range feeds {
				close(feed)
			}
		}()
		for batch, err := range in.Batches {
			if err != nil {
				failed = err
				return
			}
			for _, feed := range feeds {
				batch.Retain()
				select {
				case feed <- batch:
				case <-ctx.Done():
					batch.Release()
					failed = ctx.Err()
					return
				}
			}
		}
	}()
	if err := group.Wait(); err != nil {
		return err
	}
	return failed
}

// drain releases what a consumer that stopped early left in its feed.
func drain(feed <-chan arrow.RecordBatch) {
	for batch := range feed {
		batch.Release()
	}
}
