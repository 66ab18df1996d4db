package main

import (
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	pq "github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"seatlake/schemas"
)

// writeColumnWriters writes batches through the fastest public path of parquet-go,
// WriteRowValues of its column writers: one row group, a thousand rows of one leaf
// at a time, dictionaries and zstd as the lake has them.
func writeColumnWriters(w io.Writer, name string, fields []schemas.Field, batches []arrow.RecordBatch) error {
	schema := parquet.NewSchema(name, group(fields))
	pw := parquet.NewWriter(w, schema, parquet.Compression(&zstd.Codec{Level: zstd.SpeedDefault}))
	rows := pw.BeginRowGroup()
	s := &columnWriters{schema: schema, writers: rows.ColumnWriters()}
	for _, batch := range batches {
		n := int(batch.NumRows())
		for lo := 0; lo < n; lo += 1000 {
			hi := min(n, lo+1000)
			in := slots{def: make([]int, hi-lo), rep: make([]int, hi-lo), at: make([]int, hi-lo)}
			for i := range in.at {
				in.at[i] = lo + i
			}
			s.leaf = 0
			for i := range fields {
				f := &fields[i]
				if err := s.write(f, []string{f.Name}, batch.Column(i), in, 0, 0); err != nil {
					return err
				}
			}
		}
	}
	for _, c := range rows.ColumnWriters() {
		if err := c.Flush(); err != nil {
			return err
		}
	}
	if _, err := rows.Commit(); err != nil {
		return err
	}
	return pw.Close()
}

// group is the Parquet schema of some columns.
func group(fields []schemas.Field) parquet.Group {
	g := parquet.Group{}
	for i := range fields {
		g[fields[i].Name] = parquetNode(&fields[i])
	}
	return g
}

func parquetNode(f *schemas.Field) parquet.Node {
	var n parquet.Node
	switch f.Kind {
	case schemas.String:
		n = parquet.Encoded(parquet.String(), &parquet.DeltaLengthByteArray)
	case schemas.UUID:
		n = parquet.UUID()
	case schemas.Bool:
		n = parquet.Leaf(parquet.BooleanType)
	case schemas.Int32:
		n = parquet.Encoded(parquet.Leaf(parquet.Int32Type), &parquet.DeltaBinaryPacked)
	case schemas.Int64:
		n = parquet.Encoded(parquet.Leaf(parquet.Int64Type), &parquet.DeltaBinaryPacked)
	case schemas.Float64:
		n = parquet.Leaf(parquet.DoubleType)
	case schemas.Date:
		n = parquet.Date()
	case schemas.Timestamp:
		n = parquet.Encoded(parquet.Timestamp(parquet.Microsecond), &parquet.DeltaBinaryPacked)
	case schemas.List:
		n = parquet.List(parquetNode(f.Elem))
	case schemas.Struct:
		n = group(f.Fields)
	}
	if f.Dict {
		n = parquet.Encoded(n, &parquet.RLEDictionary)
	}
	if !f.Required {
		n = parquet.Optional(n)
	}
	return n
}

type columnWriters struct {
	schema  *parquet.Schema
	writers []*parquet.ColumnWriter
	columns []int // of each leaf, in the order of the table
	leaf    int
	values  []parquet.Value
}

// slots are entries of a column: their levels, and where each stands in the array,
// -1 when it is cut off above.
type slots struct{ def, rep, at []int }

func (s *columnWriters) write(f *schemas.Field, path []string, a arrow.Array, in slots, def, rep int) error {
	if !f.Required {
		out := slots{def: make([]int, len(in.def)), rep: in.rep, at: make([]int, len(in.at))}
		for i, p := range in.at {
			out.def[i], out.at[i] = in.def[i], -1
			if p >= 0 && a.IsValid(p) {
				out.def[i], out.at[i] = def+1, p
			}
		}
		in = out
		def++
	}
	switch a := a.(type) {
	case *array.Struct:
		for i := range f.Fields {
			m := &f.Fields[i]
			if err := s.write(m, append(path[:len(path):len(path)], m.Name), a.Field(i), in, def, rep); err != nil {
				return err
			}
		}
		return nil
	case *array.List:
		var out slots
		for i, p := range in.at {
			lo, hi := int64(0), int64(0)
			if p >= 0 {
				lo, hi = a.ValueOffsets(p)
			}
			if lo == hi {
				out.def, out.rep, out.at = append(out.def, in.def[i]), append(out.rep, in.rep[i]), append(out.at, -1)
			}
			r := in.rep[i]
			for k := lo; k < hi; k++ {
				out.def, out.rep, out.at = append(out.def, def+1), append(out.rep, r), append(out.at, int(k))
				r = rep + 1
			}
		}
		return s.write(f.Elem, append(path[:len(path):len(path)], "list", "element"), a.ListValues(), out, def+1, rep+1)
	}
	if s.leaf == len(s.columns) {
		c, ok := s.schema.Lookup(path...)
		if !ok {
			return fmt.Errorf("no column %v", path)
		}
		s.columns = append(s.columns, c.ColumnIndex)
	}
	column := s.columns[s.leaf]
	s.leaf++
	s.values = s.values[:0]
	value := valueOf(a)
	for i, p := range in.at {
		v := parquet.Value{}
		if p >= 0 {
			v = value(p)
		}
		s.values = append(s.values, v.Level(in.rep[i], in.def[i], column))
	}
	_, err := s.writers[column].WriteRowValues(s.values)
	return err
}

// valueOf reads an array's values as parquet-go's, without copying text.
func valueOf(a arrow.Array) func(int) parquet.Value {
	switch a := a.(type) {
	case *array.Dictionary:
		value, indices := valueOf(a.Dictionary()), a.Indices().(*array.Int32).Int32Values()
		return func(i int) parquet.Value { return value(int(indices[i])) }
	case *array.String:
		text := a.Data().Buffers()[2].Bytes()
		offsets := a.ValueOffsets()
		return func(i int) parquet.Value { return parquet.ByteArrayValue(text[offsets[i]:offsets[i+1]]) }
	case *array.FixedSizeBinary:
		return func(i int) parquet.Value { return parquet.FixedLenByteArrayValue(a.Value(i)) }
	case *array.Boolean:
		return func(i int) parquet.Value { return parquet.BooleanValue(a.Value(i)) }
	case *array.Int32:
		return func(i int) parquet.Value { return parquet.Int32Value(a.Value(i)) }
	case *array.Int64:
		return func(i int) parquet.Value { return parquet.Int64Value(a.Value(i)) }
	case *array.Float64:
		return func(i int) parquet.Value { return parquet.DoubleValue(a.Value(i)) }
	case *array.Date32:
		return func(i int) parquet.Value { return parquet.Int32Value(int32(a.Value(i))) }
	case *array.Timestamp:
		return func(i int) parquet.Value { return parquet.Int64Value(int64(a.Value(i))) }
	default:
		return nil
	}
}

// writePqarrow writes batches through arrow-go's own Parquet writer, in its
// buffered mode, so that they share row groups. It would close w if it could.
func writePqarrow(w io.Writer, batches []arrow.RecordBatch) error {
	properties := pq.NewWriterProperties(pq.WithCompression(compress.Codecs.Zstd), pq.WithCompressionLevel(3), pq.WithDictionaryDefault(true))
	fw, err := pqarrow.NewFileWriter(batches[0].Schema(), struct{ io.Writer }{w}, properties, pqarrow.DefaultWriterProps())
	if err != nil {
		return err
	}
	for _, batch := range batches {
		if err := fw.WriteBuffered(batch); err != nil {
			return err
		}
	}
	return fw.Close()
}
