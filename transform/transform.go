// Package transform is streams in, streams out: what seatlake computes from one
// row, or from one user's licences, before anything is stored.
//
// A transform is row-local. It does no I/O, asks no clock, and keeps nothing
// between batches but what its comment names, so memory depends on the size of a
// batch and never on the size of a tenant. It finds its columns by name, and
// refuses a stream that lacks them before the first row is read.
//
// The columns that transforms make lie on Go's heap and are handed over whole:
// they may be kept as long as one likes. Columns that pass through are those of
// the batch they came in, retained.
//
// A transform serves one stream; to transform another, make another.
package transform

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"seatlake/pipeline"
	"seatlake/schemas"
)

// positions finds columns of a table in a stream's schema and checks their types.
func positions(in *arrow.Schema, table *schemas.Table, names ...string) ([]int, error) {
	at := make([]int, len(names))
	for i, name := range names {
		f, ok := table.Field(name)
		if !ok {
			return nil, fmt.Errorf("table %s has no column %s", table.Name, name)
		}
		var err error
		if at[i], err = position(in, name, f.ArrowType()); err != nil {
			return nil, err
		}
	}
	return at, nil
}

// position finds the one column of a name and checks its type.
func position(in *arrow.Schema, name string, want arrow.DataType) (int, error) {
	at := in.FieldIndices(name)
	if len(at) != 1 {
		return 0, fmt.Errorf("stream has %d columns named %s, want one", len(at), name)
	}
	if got := in.Field(at[0]).Type; !arrow.TypeEqual(got, want) {
		return 0, fmt.Errorf("column %s is %s, want %s", name, got, want)
	}
	return at[0], nil
}

// appending is the schema of a stream with computed columns of a table after its
// own.
func appending(in *arrow.Schema, table *schemas.Table, names ...string) (*arrow.Schema, error) {
	fields := in.Fields()
	for _, name := range names {
		f, ok := table.Field(name)
		if !ok {
			return nil, fmt.Errorf("table %s has no column %s", table.Name, name)
		}
		if in.HasField(name) {
			return nil, fmt.Errorf("stream has a column %s already", name)
		}
		fields = append(fields, f.Arrow())
	}
	meta := in.Metadata()
	return arrow.NewSchema(fields, &meta), nil
}

// extend maps a stream to itself with further columns, which fn makes and hands
// over.
func extend(in pipeline.Stream, schema *arrow.Schema, fn func(arrow.RecordBatch) ([]arrow.Array, error)) pipeline.Stream {
	return pipeline.Map(in, schema, func(batch arrow.RecordBatch) (arrow.RecordBatch, error) {
		made, err := fn(batch)
		if err != nil {
			return nil, err
		}
		defer release(made)
		columns := append(batch.Columns()[:batch.NumCols():batch.NumCols()], made...)
		return array.NewRecordBatch(schema, columns, batch.NumRows()), nil
	})
}

func release(columns []arrow.Array) {
	for _, c := range columns {
		c.Release()
	}
}
