package parquet

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/zeebo/xxh3"
)

// Digest tells whether two streams of one schema have the same rows in the same order.
// How the rows are cut into batches, and what their dictionaries look like, makes no
// difference. The zero value is ready.
type Digest struct {
	rows    int64
	columns []*xxh3.Hasher
	scratch []byte
}

// Add takes a batch.
func (d *Digest) Add(batch arrow.RecordBatch) error {
	if d.columns == nil {
		for range batch.NumCols() {
			d.columns = append(d.columns, xxh3.New())
		}
	}
	if len(d.columns) != int(batch.NumCols()) {
		return fmt.Errorf("parquet: digest of %d columns, and a batch of %d", len(d.columns), batch.NumCols())
	}
	for c, h := range d.columns {
		column := batch.Column(c)
		for i := range column.Len() {
			var err error
			if d.scratch, err = appendCell(d.scratch[:0], column, i); err != nil {
				return fmt.Errorf("parquet: column %s: %w", batch.ColumnName(c), err)
			}
			_, _ = h.Write(d.scratch) // a hash takes everything
		}
	}
	d.rows += batch.NumRows()
	return nil
}

// Rows is how many rows were taken.
func (d *Digest) Rows() int64 { return d.rows }

// Sum is the digest of the rows taken so far.
func (d *Digest) Sum() string {
	all := binary.LittleEndian.AppendUint64(nil, uint64(d.rows))
	for _, h := range d.columns {
		sum := h.Sum128().Bytes()
		all = append(all, sum[:]...)
	}
	sum := xxh3.Hash128(all).Bytes()
	return fmt.Sprintf("%x", sum)
}

// appendCell appends a cell so that different cells never give the same bytes.
func appendCell(to []byte, a arrow.Array, i int) ([]byte, error) {
	if d, ok := a.(*array.Dictionary); ok && d.IsValid(i) {
		return appendCell(to, d.Dictionary(), d.GetValueIndex(i))
	}
	if a.IsNull(i) {
		return append(to, 0), nil
	}
	to = append(to, 1)
	switch a := a.(type) {
	case *array.String:
		to = binary.AppendUvarint(to, uint64(len(a.Value(i))))
		return append(to, a.Value(i)...), nil
	case *array.FixedSizeBinary:
		return append(to, a.Value(i)...), nil
	case *array.Boolean:
		if a.Value(i) {
			return append(to, 1), nil
		}
		return append(to, 0), nil
	case *array.Int32:
		return binary.LittleEndian.AppendUint32(to, uint32(a.Value(i))), nil
	case *array.Int64:
		return binary.LittleEndian.AppendUint64(to, uint64(a.Value(i))), nil
	case *array.Float64:
		return binary.LittleEndian.AppendUint64(to, math.Float64bits(a.Value(i))), nil
	case *array.Date32:
		return binary.LittleEndian.AppendUint32(to, uint32(a.Value(i))), nil
	case *array.Timestamp:
		return binary.LittleEndian.AppendUint64(to, uint64(a.Value(i))), nil
	case *array.Struct:
		var err error
		for m := range a.NumField() {
			if to, err = appendCell(to, a.Field(m), i); err != nil {
				return to, err
			}
		}
		return to, nil
	case *array.List:
		lo, hi := a.ValueOffsets(i)
		to = binary.AppendUvarint(to, uint64(hi-lo))
		var err error
		for e := lo; e < hi; e++ {
			if to, err = appendCell(to, a.ListValues(), int(e)); err != nil {
				return to, err
			}
		}
		return to, nil
	}
	return to, fmt.Errorf("an array of type %T has no digest", a)
}
