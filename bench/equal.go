package main

import (
	"bytes"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/uuid"
)

// differ says in which row the values of two batches differ, whatever their types:
// a dictionary is what it points at, 16 bytes are a GUID's text. It is empty when
// they are equal.
func differ(a, b []arrow.RecordBatch) string {
	left, right := rows(a), rows(b)
	if len(left) != len(right) {
		return fmt.Sprintf("%d rows and %d", len(left), len(right))
	}
	for i := range left {
		if !bytes.Equal(left[i], right[i]) {
			return fmt.Sprintf("row %d:\n%s\n%s", i, left[i], right[i])
		}
	}
	return ""
}

func rows(batches []arrow.RecordBatch) (out [][]byte) {
	for _, batch := range batches {
		for i := range int(batch.NumRows()) {
			var row []byte
			for _, column := range batch.Columns() {
				row = append(appendValue(row, column, i), ' ')
			}
			out = append(out, row)
		}
	}
	return out
}

func appendValue(to []byte, a arrow.Array, i int) []byte {
	if a.IsNull(i) {
		return append(to, '~')
	}
	switch a := a.(type) {
	case *array.Dictionary:
		return appendValue(to, a.Dictionary(), a.GetValueIndex(i))
	case *array.FixedSizeBinary:
		return fmt.Appendf(to, "%q", uuid.UUID(a.Value(i)).String())
	case *array.String:
		return fmt.Appendf(to, "%q", a.Value(i))
	case *array.List:
		lo, hi := a.ValueOffsets(i)
		to = append(to, '[')
		for k := lo; k < hi; k++ {
			to = append(appendValue(to, a.ListValues(), int(k)), ' ')
		}
		return append(to, ']')
	case *array.Struct:
		to = append(to, '{')
		for k := range a.NumField() {
			to = append(appendValue(to, a.Field(k), i), ' ')
		}
		return append(to, '}')
	default:
		return append(to, a.ValueStr(i)...)
	}
}
