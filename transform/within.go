package transform

import (
	"fmt"
	"math"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"seatlake/pipeline"
)

// Within keeps the rows whose timestamp column lies in the window: From
// included, To not. A bound that is zero does not bound. A null timestamp is an
// error, since it cannot be said to lie anywhere.
func Within(column string, w pipeline.Window) pipeline.Transform {
	return func(in pipeline.Stream) (pipeline.Stream, error) {
		at, err := position(in.Schema, column, timestampType())
		if err != nil {
			return pipeline.Stream{}, fmt.Errorf("within: %w", err)
		}
		from, to := arrow.Timestamp(math.MinInt64), arrow.Timestamp(math.MaxInt64)
		if !w.From.IsZero() {
			from = microsUp(w.From)
		}
		if !w.To.IsZero() {
			to = microsUp(w.To)
		}
		return pipeline.Map(in, in.Schema, func(batch arrow.RecordBatch) (arrow.RecordBatch, error) {
			c := batch.Column(at).(*array.Timestamp)
			var kept runs
			for i, t := range c.TimestampValues() {
				if c.IsNull(i) {
					return nil, fmt.Errorf("within: row %d of the batch has no %s", i, column)
				}
				if from <= t && (t < to || w.To.IsZero()) {
					kept.add(i)
				}
			}
			return kept.of(batch)
		}), nil
	}
}

// microsUp is the first whole microsecond that is not before t.
func microsUp(t time.Time) arrow.Timestamp {
	us := t.UnixMicro()
	if t.Nanosecond()%1000 != 0 {
		us++
	}
	return arrow.Timestamp(us)
}

// runs is a choice of rows as spans of neighbours.
type runs struct {
	spans [][2]int64
	rows  int
}

// add chooses row i; rows are added in ascending order.
func (r *runs) add(i int) {
	r.rows++
	if n := len(r.spans); n > 0 && r.spans[n-1][1] == int64(i) {
		r.spans[n-1][1]++
		return
	}
	r.spans = append(r.spans, [2]int64{int64(i), int64(i) + 1})
}

// of is the chosen rows of a batch: the batch itself or a slice of it where
// they are neighbours, a copy where they are not, nil where there are none.
func (r *runs) of(batch arrow.RecordBatch) (arrow.RecordBatch, error) {
	switch {
	case int64(r.rows) == batch.NumRows():
		batch.Retain()
		return batch, nil
	case r.rows == 0:
		return nil, nil
	case len(r.spans) == 1:
		return batch.NewSlice(r.spans[0][0], r.spans[0][1]), nil
	}
	columns := make([]arrow.Array, 0, batch.NumCols())
	defer func() { release(columns) }()
	for _, c := range batch.Columns() {
		parts := make([]arrow.Array, len(r.spans))
		for i, span := range r.spans {
			parts[i] = array.NewSlice(c, span[0], span[1])
		}
		joined, err := array.Concatenate(parts, memory.NewGoAllocator())
		release(parts)
		if err != nil {
			return nil, err
		}
		columns = append(columns, joined)
	}
	return array.NewRecordBatch(batch.Schema(), columns, int64(r.rows)), nil
}
