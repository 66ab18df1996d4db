package pipeline

import (
	"iter"

	"github.com/apache/arrow-go/v18/arrow"
)

// Stream is batches of one schema. The schema comes first, so that a mismatch
// fails before the first row and an empty table still has columns.
//
// Batches may be ranged over once. A batch is lent to the loop body: whoever
// yields it releases it afterwards, and whoever wants it longer retains it. An
// error ends the stream.
type Stream struct {
	Schema  *arrow.Schema
	Batches iter.Seq2[arrow.RecordBatch, error]
}

// Transform is a stream in and a stream out. It is lazy: nothing is read before
// the result is ranged over.
type Transform func(Stream) (Stream, error)

// Map is the stream of fn over the batches of in. fn's result belongs to Map,
// which releases it after it was lent on; fn may return nil to drop a batch.
func Map(in Stream, schema *arrow.Schema, fn func(arrow.RecordBatch) (arrow.RecordBatch, error)) Stream {
	return Stream{Schema: schema, Batches: func(yield func(arrow.RecordBatch, error) bool) {
		for batch, err := range in.Batches {
			if err != nil {
				yield(nil, err)
				return
			}
			out, err := fn(batch)
			if err != nil {
				yield(nil, err)
				return
			}
			if out == nil {
				continue
			}
			more := yield(out, nil)
			out.Release()
			if !more {
				return
			}
		}
	}}
}
