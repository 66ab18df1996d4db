package parquet_test

import (
	"io"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	reader "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"seatlake/load/parquet"
	"seatlake/schemas"
)

// BenchmarkWrite compares this package with the fastest public path of
// parquet-go, WriteRowValues of its column writers, on the same batches with
// the same codec. MB/s are of Arrow buffers.
func BenchmarkWrite(b *testing.B) {
	for _, tc := range []struct {
		table *schemas.Table
		rows  int
	}{
		{schemas.GraphUsers, 4_000},
		{schemas.GraphSignIns, 20_000},
		{schemas.GraphUserLicenses, 40_000},
		{schemas.ReportM365AppUserDetail, 20_000},
		{schemas.ReportMailboxUsageDetail, 20_000},
	} {
		batches := realisticBatches(tc.table, tc.rows, 2_000, memory.DefaultAllocator)
		size := int64(0)
		for _, batch := range batches {
			for _, c := range batch.Columns() {
				size += bufferBytes(c.Data())
			}
		}
		run := func(name string, write func(w io.Writer) error) {
			b.Run(tc.table.Name+"/"+name, func(b *testing.B) {
				b.SetBytes(size)
				b.ReportAllocs()
				var file counter
				for b.Loop() {
					file = 0
					if err := write(&file); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(tc.rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
				b.ReportMetric(float64(file)/float64(tc.rows), "B/row")
			})
		}
		run("seatlake", func(w io.Writer) error {
			pw, err := parquet.NewWriter(w, tc.table, parquet.Options{})
			if err != nil {
				return err
			}
			for _, batch := range batches {
				if err := pw.Write(batch); err != nil {
					return err
				}
			}
			return pw.Close()
		})
		run("parquet-go", func(w io.Writer) error { return writeRowValues(w, tc.table, batches) })
	}
}

func bufferBytes(d arrow.ArrayData) int64 {
	if d == nil {
		return 0
	}
	n := int64(0)
	for _, b := range d.Buffers() {
		if b != nil {
			n += int64(b.Len())
		}
	}
	for _, child := range d.Children() {
		n += bufferBytes(child)
	}
	if d.DataType().ID() == arrow.DICTIONARY {
		n += bufferBytes(d.Dictionary())
	}
	return n
}

// counter is a writer that counts.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// writeRowValues writes batches through parquet-go's column writers as one row
// group, a thousand rows of one leaf at a time.
func writeRowValues(w io.Writer, table *schemas.Table, batches []arrow.RecordBatch) error {
	schema := reader.NewSchema(table.Name, readerGroup(table.Fields))
	pw := reader.NewWriter(w, schema, reader.Compression(&zstd.Codec{Level: zstd.SpeedDefault}))
	group := pw.BeginRowGroup()
	s := &rowValues{schema: schema, writers: group.ColumnWriters()}
	for _, batch := range batches {
		n := int(batch.NumRows())
		for lo := 0; lo < n; lo += 1000 {
			hi := min(n, lo+1000)
			in := rowSlots{def: make([]int, hi-lo), rep: make([]int, hi-lo), at: make([]int, hi-lo)}
			for i := range in.at {
				in.at[i] = lo + i
			}
			s.leaf = 0
			for i := range table.Fields {
				f := &table.Fields[i]
				if err := s.write(f, []string{f.Name}, batch.Column(i), in, 0, 0); err != nil {
					return err
				}
			}
		}
	}
	for _, c := range group.ColumnWriters() {
		if err := c.Flush(); err != nil {
			return err
		}
	}
	if _, err := group.Commit(); err != nil {
		return err
	}
	return pw.Close()
}

func readerGroup(fields []schemas.Field) reader.Group {
	g := reader.Group{}
	for i := range fields {
		g[fields[i].Name] = readerNode(&fields[i])
	}
	return g
}

func readerNode(f *schemas.Field) reader.Node {
	var n reader.Node
	switch f.Kind {
	case schemas.String:
		n = reader.Encoded(reader.String(), &reader.DeltaLengthByteArray)
	case schemas.UUID:
		n = reader.UUID()
	case schemas.Bool:
		n = reader.Leaf(reader.BooleanType)
	case schemas.Int32:
		n = reader.Encoded(reader.Leaf(reader.Int32Type), &reader.DeltaBinaryPacked)
	case schemas.Int64:
		n = reader.Encoded(reader.Leaf(reader.Int64Type), &reader.DeltaBinaryPacked)
	case schemas.Float64:
		n = reader.Leaf(reader.DoubleType)
	case schemas.Date:
		n = reader.Date()
	case schemas.Timestamp:
		n = reader.Encoded(reader.Timestamp(reader.Microsecond), &reader.DeltaBinaryPacked)
	case schemas.List:
		n = reader.List(readerNode(f.Elem))
	case schemas.Struct:
		n = readerGroup(f.Fields)
	}
	if f.Dict {
		n = reader.Encoded(n, &reader.RLEDictionary)
	}
	if !f.Required {
		n = reader.Optional(n)
	}
	return n
}

type rowValues struct {
	schema  *reader.Schema
	writers []*reader.ColumnWriter
	columns []int // of each leaf, in the order of the table
	leaf    int
	values  []reader.Value
}

// rowSlots are entries of a column: their levels, and where each stands in the
// array, -1 when it is cut off above.
type rowSlots struct{ def, rep, at []int }

func (s *rowValues) write(f *schemas.Field, path []string, a arrow.Array, in rowSlots, def, rep int) error {
	if !f.Required {
		out := rowSlots{def: make([]int, len(in.def)), rep: in.rep, at: make([]int, len(in.at))}
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
		var out rowSlots
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
		c, _ := s.schema.Lookup(path...)
		s.columns = append(s.columns, c.ColumnIndex)
	}
	column := s.columns[s.leaf]
	s.leaf++
	s.values = s.values[:0]
	value := valueFunc(a)
	for i, p := range in.at {
		v := reader.Value{}
		if p >= 0 {
			v = value(p)
		}
		s.values = append(s.values, v.Level(in.rep[i], in.def[i], column))
	}
	_, err := s.writers[column].WriteRowValues(s.values)
	return err
}

// valueFunc reads an array's values as parquet-go's, without copying text.
func valueFunc(a arrow.Array) func(int) reader.Value {
	switch a := a.(type) {
	case *array.Dictionary:
		value, indices := valueFunc(a.Dictionary()), a.Indices().(*array.Int32).Int32Values()
		return func(i int) reader.Value { return value(int(indices[i])) }
	case *array.String:
		text := a.Data().Buffers()[2].Bytes()
		offsets := a.ValueOffsets()
		return func(i int) reader.Value { return reader.ByteArrayValue(text[offsets[i]:offsets[i+1]]) }
	case *array.FixedSizeBinary:
		return func(i int) reader.Value { return reader.FixedLenByteArrayValue(a.Value(i)) }
	case *array.Boolean:
		return func(i int) reader.Value { return reader.BooleanValue(a.Value(i)) }
	case *array.Int32:
		return func(i int) reader.Value { return reader.Int32Value(a.Value(i)) }
	case *array.Int64:
		return func(i int) reader.Value { return reader.Int64Value(a.Value(i)) }
	case *array.Float64:
		return func(i int) reader.Value { return reader.DoubleValue(a.Value(i)) }
	case *array.Date32:
		return func(i int) reader.Value { return reader.Int32Value(int32(a.Value(i))) }
	case *array.Timestamp:
		return func(i int) reader.Value { return reader.Int64Value(int64(a.Value(i))) }
	default:
		panic("no parquet-go value for " + a.DataType().String())
	}
}
