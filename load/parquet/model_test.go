package parquet_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"seatlake/schemas"
)

// The tests' rows are plain Go values: nil, string, uuid, bool, int32, int64,
// float64, a listValue or a structValue. Dates are int32 days, timestamps int64
// microseconds.
type (
	uuid        [16]byte
	listValue   []any
	structValue []any
)

// gen makes random values and Arrow arrays of them.
type gen struct {
	*rand.Rand
	mem   memory.Allocator
	nulls float64 // share of nulls among values that may be null
	few   bool    // values from a small set
	wild  bool    // arrays with an offset, and junk wherever a reader must not look
}

func (g *gen) rows(f *schemas.Field, n int) []any {
	vs := make([]any, n)
	for i := range vs {
		vs[i] = g.value(f)
	}
	return vs
}

func (g *gen) value(f *schemas.Field) any {
	if !f.Required && g.Float64() < g.nulls {
		return nil
	}
	switch f.Kind {
	case schemas.String:
		switch {
		case g.few:
			return [...]string{"", "a", "Zürich", "b b", "\x00"}[g.IntN(5)]
		case g.IntN(60) == 0:
			return strings.Repeat("å", g.IntN(1200))
		default:
			return fmt.Sprintf("user%d@contoso.com", g.IntN(1<<20))[g.IntN(5):]
		}
	case schemas.UUID:
		var u uuid
		n := len(u)
		if g.few {
			n = 1
		}
		for i := range n {
			u[i] = byte(g.Uint32() & 0x83)
		}
		return u
	case schemas.Bool:
		return g.IntN(3) == 0
	case schemas.Int32:
		return int32(g.int(32))
	case schemas.Int64:
		return g.int(64)
	case schemas.Date:
		return int32(g.int(22))
	case schemas.Timestamp:
		return g.int(58)
	case schemas.Float64:
		return [...]float64{0, math.Copysign(0, -1), 1.5, -2, math.Inf(1), math.NaN(), g.NormFloat64(), float64(g.IntN(9))}[g.IntN(8)]
	case schemas.List:
		n := [...]int{0, 0, 1, 1, 2, 3, g.IntN(40)}[g.IntN(7)]
		return listValue(g.rows(f.Elem, n))
	default:
		s := make(structValue, len(f.Fields))
		for i := range f.Fields {
			s[i] = g.value(&f.Fields[i])
		}
		return s
	}
}

// int is a signed integer of at most that many bits, often a small one.
func (g *gen) int(bits int) int64 {
	if g.few {
		return int64(g.IntN(4)) - 1
	}
	return int64(g.Uint64()) >> (64 - 1 - g.IntN(bits))
}

// batch is a record batch of columns of equal length.
func (g *gen) batch(table *schemas.Table, columns [][]any, n int) arrow.RecordBatch {
	arrays := make([]arrow.Array, len(columns))
	for i := range columns {
		arrays[i] = g.array(&table.Fields[i], columns[i])
		defer arrays[i].Release()
	}
	return array.NewRecordBatch(table.Arrow(), arrays, int64(n))
}

// array holds the values. A wild one is a slice out of a longer array.
func (g *gen) array(f *schemas.Field, vs []any) arrow.Array {
	if !g.wild || g.IntN(3) == 0 {
		return g.whole(f, vs)
	}
	before, after := g.IntN(20), g.IntN(5)
	all := append(append(g.rows(f, before), vs...), g.rows(f, after)...)
	a := g.whole(f, all)
	defer a.Release()
	return array.NewSlice(a, int64(before), int64(before+len(vs)))
}

func (g *gen) whole(f *schemas.Field, vs []any) arrow.Array {
	if f.Dict {
		return g.dictionary(f, vs)
	}
	switch f.Kind {
	case schemas.List:
		return g.list(f, vs)
	case schemas.Struct:
		return g.structs(f, vs)
	}
	b := array.NewBuilder(g.mem, f.ArrowType())
	defer b.Release()
	for _, v := range vs {
		appendValue(b, v)
	}
	return b.NewArray()
}

func appendValue(b array.Builder, v any) {
	if v == nil {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.StringBuilder:
		b.Append(v.(string))
	case *array.FixedSizeBinaryBuilder:
		u := v.(uuid)
		b.Append(u[:])
	case *array.BooleanBuilder:
		b.Append(v.(bool))
	case *array.Int32Builder:
		b.Append(v.(int32))
	case *array.Int64Builder:
		b.Append(v.(int64))
	case *array.Float64Builder:
		b.Append(v.(float64))
	case *array.Date32Builder:
		b.Append(arrow.Date32(v.(int32)))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(v.(int64)))
	default:
		panic(fmt.Sprintf("no builder for %T", v))
	}
}

// dictionary holds the values by index. A wild one has values that do not
// occur, values twice, and a null among its values.
func (g *gen) dictionary(f *schemas.Field, vs []any) arrow.Array {
	t := f.ArrowType().(*arrow.DictionaryType)
	values := array.NewBuilder(g.mem, t.ValueType)
	defer values.Release()
	known := map[any]int32{}
	add := func(v any) int32 {
		appendValue(values, v)
		return int32(values.Len() - 1)
	}
	if g.wild {
		plain := *f
		plain.Required = true
		for range g.IntN(4) {
			v := g.value(&plain)
			known[v] = add(v)
		}
	}
	indices := array.NewInt32Builder(g.mem)
	defer indices.Release()
	for _, v := range vs {
		at, ok := known[v]
		switch {
		case v == nil && (!g.wild || g.IntN(2) == 0):
			indices.AppendNull()
			continue
		case !ok, g.wild && g.IntN(50) == 0:
			at = add(v)
			known[v] = at
		}
		indices.Append(at)
	}
	i, d := indices.NewArray(), values.NewArray()
	defer i.Release()
	defer d.Release()
	return array.NewDictionaryArray(t, i, d)
}

// list holds lists. A wild one has elements under its nulls.
func (g *gen) list(f *schemas.Field, vs []any) arrow.Array {
	var elems []any
	offsets := arrow.Int32Traits.CastToBytes([]int32{0})
	valid, nulls := g.valid(vs)
	for _, v := range vs {
		switch {
		case v != nil:
			elems = append(elems, v.(listValue)...)
		case g.wild:
			elems = append(elems, g.rows(f.Elem, g.IntN(3))...)
		}
		offsets = append(offsets, arrow.Int32Traits.CastToBytes([]int32{int32(len(elems))})...)
	}
	child := g.array(f.Elem, elems)
	defer child.Release()
	data := array.NewData(f.ArrowType(), len(vs), []*memory.Buffer{valid, memory.NewBufferBytes(offsets)}, []arrow.ArrayData{child.Data()}, nulls, 0)
	defer data.Release()
	return array.NewListData(data)
}

// structs holds structs. A wild one has values under its nulls.
func (g *gen) structs(f *schemas.Field, vs []any) arrow.Array {
	valid, nulls := g.valid(vs)
	children := make([]arrow.ArrayData, len(f.Fields))
	for i := range f.Fields {
		member := make([]any, len(vs))
		for k, v := range vs {
			switch {
			case v != nil:
				member[k] = v.(structValue)[i]
			case g.wild:
				member[k] = g.value(&f.Fields[i])
			}
		}
		a := g.array(&f.Fields[i], member)
		defer a.Release()
		children[i] = a.Data()
	}
	data := array.NewData(f.ArrowType(), len(vs), []*memory.Buffer{valid}, children, nulls, 0)
	defer data.Release()
	return array.NewStructData(data)
}

func (g *gen) valid(vs []any) (*memory.Buffer, int) {
	bits := make([]byte, (len(vs)+7)/8)
	nulls := 0
	for i, v := range vs {
		if v == nil {
			nulls++
		} else {
			bits[i/8] |= 1 << (i % 8)
		}
	}
	if nulls == 0 {
		return nil, 0
	}
	return memory.NewBufferBytes(bits), nulls
}

// slot is an entry of a leaf: what Parquet stores.
type slot struct {
	rep, def int
	value    any
}

// shred is the textbook's record shredding: the slots of every leaf below f,
// in schema order.
func shred(f *schemas.Field, rows []any) [][]slot {
	leaves := make([][]slot, countLeaves(f))
	for _, v := range rows {
		shredValue(f, v, 0, 0, 0, leaves)
	}
	return leaves
}

func shredValue(f *schemas.Field, v any, rep, maxRep, def int, leaves [][]slot) {
	if v == nil {
		for i := range leaves {
			leaves[i] = append(leaves[i], slot{rep, def, nil})
		}
		return
	}
	if !f.Required {
		def++
	}
	switch f.Kind {
	case schemas.List:
		if len(v.(listValue)) == 0 {
			for i := range leaves {
				leaves[i] = append(leaves[i], slot{rep, def, nil})
			}
		}
		for _, e := range v.(listValue) {
			shredValue(f.Elem, e, rep, maxRep+1, def+1, leaves)
			rep = maxRep + 1
		}
	case schemas.Struct:
		for i := range f.Fields {
			n := countLeaves(&f.Fields[i])
			shredValue(&f.Fields[i], v.(structValue)[i], rep, maxRep, def, leaves[:n])
			leaves = leaves[n:]
		}
	default:
		leaves[0] = append(leaves[0], slot{rep, def, v})
	}
}

func countLeaves(f *schemas.Field) int {
	switch f.Kind {
	case schemas.List:
		return countLeaves(f.Elem)
	case schemas.Struct:
		n := 0
		for i := range f.Fields {
			n += countLeaves(&f.Fields[i])
		}
		return n
	default:
		return 1
	}
}

func mustWrite(t testing.TB, write func() error) {
	t.Helper()
	if err := write(); err != nil {
		t.Fatal(err)
	}
}
