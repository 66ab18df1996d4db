package seal

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"seatlake/pipeline"
	"seatlake/schemas"
)

// Table seals the personal columns of a table's complete rows, as its schema marks
// them. The schema of the stream stays. A table without such columns passes as it is.
func (k *Key) Table(table *schemas.Table) pipeline.Transform {
	return func(in pipeline.Stream) (pipeline.Stream, error) {
		if !in.Schema.Equal(table.Arrow()) {
			return pipeline.Stream{}, fmt.Errorf("seal %s: the stream's columns are not the table's", table.Name)
		}
		sealers := make([]sealer, len(table.Fields))
		any := false
		for i := range table.Fields {
			sealers[i] = k.field(&table.Fields[i])
			any = any || sealers[i] != nil
		}
		if !any {
			return in, nil
		}
		return pipeline.Map(in, in.Schema, func(batch arrow.RecordBatch) (arrow.RecordBatch, error) {
			columns := make([]arrow.Array, batch.NumCols())
			defer func() {
				for _, c := range columns {
					c.Release()
				}
			}()
			for i, c := range batch.Columns() {
				columns[i] = sealed(sealers[i], c)
			}
			return array.NewRecordBatch(in.Schema, columns, batch.NumRows()), nil
		}), nil
	}
}

// sealer seals a column's array. The result is the caller's.
type sealer func(arrow.Array) arrow.Array

// sealed is an array through a sealer; nil changes nothing.
func sealed(s sealer, a arrow.Array) arrow.Array {
	if s == nil {
		a.Retain()
		return a
	}
	return s(a)
}

// field is the sealer of a column, at any depth; nil when nothing of it is sealed.
func (k *Key) field(f *schemas.Field) sealer {
	switch f.Kind {
	case schemas.String:
		if _, ok := domainOf(f.Personal); !ok {
			return nil
		}
		known := &memo{seal: func(text string) string { return k.Seal(f.Personal, text) }}
		if f.Dict {
			return known.dictionary
		}
		return known.texts
	case schemas.List:
		elem := k.field(f.Elem)
		if elem == nil {
			return nil
		}
		return func(a arrow.Array) arrow.Array { return children(a, []sealer{elem}) }
	case schemas.Struct:
		members := make([]sealer, len(f.Fields))
		any := false
		for i := range f.Fields {
			members[i] = k.field(&f.Fields[i])
			any = any || members[i] != nil
		}
		if !any {
			return nil
		}
		return func(a arrow.Array) arrow.Array { return children(a, members) }
	default:
		return nil
	}
}

// children is a nested array with its children sealed.
func children(a arrow.Array, sealers []sealer) arrow.Array {
	old := a.Data()
	parts := make([]arrow.ArrayData, len(old.Children()))
	for i, child := range old.Children() {
		in := array.MakeFromData(child)
		out := sealed(sealers[i], in)
		in.Release()
		defer out.Release()
		parts[i] = out.Data()
	}
	data := array.NewData(old.DataType(), old.Len(), old.Buffers(), parts, old.NullN(), old.Offset())
	defer data.Release()
	return array.MakeFromData(data)
}

// most is how many values a memo remembers: enough that the sign-ins of a day, which
// repeat their users, are sealed once each.
const most = 1 << 15

// memo remembers what values were sealed as. It is of one column of one stream.
type memo struct {
	seal  func(string) string
	known map[string]string
}

func (m *memo) of(text string) string {
	if out, ok := m.known[text]; ok {
		return out
	}
	out := m.seal(text)
	if m.known == nil || len(m.known) >= most {
		m.known = map[string]string{}
	}
	m.known[string([]byte(text))] = out // text belongs to its batch
	return out
}

// texts seals a column of strings.
func (m *memo) texts(a arrow.Array) arrow.Array {
	in := a.(*array.String)
	out := array.NewStringBuilder(memory.DefaultAllocator)
	defer out.Release()
	out.Reserve(in.Len())
	for row := range in.Len() {
		if in.IsNull(row) {
			out.AppendNull()
			continue
		}
		out.Append(m.of(in.Value(row)))
	}
	return out.NewStringArray()
}

// dictionary seals a dictionary of strings. Names that differ in case only become one
// value of it.
func (m *memo) dictionary(a arrow.Array) arrow.Array {
	in := a.(*array.Dictionary)
	// A dictionary of its own: that of in is made when it is first asked for, and
	// others may read the batch at the same time.
	values := array.MakeFromData(in.Data().Dictionary())
	defer values.Release()
	indices := in.Indices().(*array.Int32)
	numbers, sealed := array.NewInt32Builder(memory.DefaultAllocator), array.NewStringBuilder(memory.DefaultAllocator)
	defer numbers.Release()
	defer sealed.Release()
	number := map[string]int32{}
	for row := range in.Len() {
		if in.IsNull(row) || values.IsNull(int(indices.Value(row))) {
			numbers.AppendNull()
			continue
		}
		text := m.of(values.(*array.String).Value(int(indices.Value(row))))
		n, ok := number[text]
		if !ok {
			n = int32(len(number))
			number[text] = n
			sealed.Append(text)
		}
		numbers.Append(n)
	}
	at, of := numbers.NewArray(), sealed.NewArray()
	defer at.Release()
	defer of.Release()
	return array.NewDictionaryArray(in.DataType(), at, of)
}
