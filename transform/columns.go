package transform

import (
	"bytes"
	"math/bits"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// The types of which arrays are made here. Each call makes its own: Arrow's
// types are pointers that anybody could change.
func uuidType() arrow.DataType { return &arrow.FixedSizeBinaryType{ByteWidth: 16} }

func dictType(values arrow.DataType) *arrow.DictionaryType {
	return &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: values}
}

// bitmap is bits in Arrow's order: the values of a boolean column, or the
// validity of another. It costs nothing while all bits are ones.
type bitmap struct {
	bits []byte // nil while all are ones
	n    int
	ones int
}

func (b *bitmap) append(v bool) {
	if v && b.bits == nil {
		b.n++
		b.ones++
		return
	}
	if b.bits == nil {
		b.bits = ones(b.n)
	}
	if b.n&7 == 0 {
		b.bits = append(b.bits, 0)
	}
	if v {
		b.bits[b.n>>3] |= 1 << (b.n & 7)
		b.ones++
	}
	b.n++
}

// nulls counts the zeros of a validity bitmap.
func (b *bitmap) nulls() int { return b.n - b.ones }

// validity is the bitmap as an array's first buffer: nil when nothing is null.
func (b *bitmap) validity() *memory.Buffer {
	if b.nulls() == 0 {
		return nil
	}
	return memory.NewBufferBytes(b.bits)
}

// values is the bitmap as the values of a boolean column.
func (b *bitmap) values() []byte {
	if b.bits == nil {
		return ones(b.n)
	}
	return b.bits
}

// ones is n bits that are set, and zeros to the end of the last byte.
func ones(n int) []byte {
	out := bytes.Repeat([]byte{0xff}, (n+7)/8)
	if rest := n & 7; rest > 0 {
		out[len(out)-1] = 1<<rest - 1
	}
	return out
}

// countOnes counts the bits that are set among the first n.
func countOnes(b []byte, n int) int {
	var ones int
	for i := range n / 8 {
		ones += bits.OnesCount8(b[i])
	}
	if rest := n & 7; rest > 0 {
		ones += bits.OnesCount8(b[n/8] & (1<<rest - 1))
	}
	return ones
}

// column is a column of fixed width in the making.
type column[T arrow.FixedWidthType] struct {
	values []T
	valid  bitmap
}

func makeColumn[T arrow.FixedWidthType](rows int) column[T] {
	return column[T]{values: make([]T, 0, rows)}
}

func (c *column[T]) append(v T) {
	c.values = append(c.values, v)
	c.valid.append(true)
}

func (c *column[T]) appendNull() {
	var zero T
	c.values = append(c.values, zero)
	c.valid.append(false)
}

func (c *column[T]) buffers() []*memory.Buffer {
	return []*memory.Buffer{c.valid.validity(), memory.NewBufferBytes(arrow.GetBytes(c.values))}
}

// array hands the column over.
func (c *column[T]) array(t arrow.DataType) arrow.Array {
	return fromData(array.NewData(t, len(c.values), c.buffers(), nil, c.valid.nulls(), 0))
}

// dictionary hands a column of indices over, with the values they point at.
// It takes the caller's reference to values.
func dictionary(indices *column[int32], values arrow.Array) arrow.Array {
	defer values.Release()
	data := array.NewDataWithDictionary(dictType(values.DataType()), len(indices.values), indices.buffers(),
		indices.valid.nulls(), 0, values.Data().(*array.Data))
	return fromData(data)
}

// list hands a list column over: offsets are one more than rows. It takes the
// caller's reference to values.
func list(t arrow.DataType, offsets []int32, valid *bitmap, values arrow.Array) arrow.Array {
	defer values.Release()
	return fromData(array.NewData(t, len(offsets)-1,
		[]*memory.Buffer{valid.validity(), memory.NewBufferBytes(arrow.GetBytes(offsets))},
		[]arrow.ArrayData{values.Data()}, valid.nulls(), 0))
}

// booleans hands a boolean column over; valid is nil when no row is null.
func booleans(values []byte, valid *memory.Buffer, rows, nulls int) arrow.Array {
	return fromData(array.NewData(arrow.FixedWidthTypes.Boolean, rows,
		[]*memory.Buffer{valid, memory.NewBufferBytes(values)}, nil, nulls, 0))
}

// uuids is a column of 16-byte values, none of them null, laid end to end.
func uuids(values []byte) arrow.Array {
	return fromData(array.NewData(uuidType(), len(values)/16, []*memory.Buffer{nil, memory.NewBufferBytes(values)}, nil, 0, 0))
}

// texts is a column of strings, none of them null.
func texts(values []string) arrow.Array {
	offsets := make([]int32, 1, len(values)+1)
	var text []byte
	for _, v := range values {
		text = append(text, v...)
		offsets = append(offsets, int32(len(text)))
	}
	return fromData(array.NewData(arrow.BinaryTypes.String, len(values),
		[]*memory.Buffer{nil, memory.NewBufferBytes(arrow.GetBytes(offsets)), memory.NewBufferBytes(text)}, nil, 0, 0))
}

// days is a column of dates, none of them null.
func days(values []arrow.Date32) arrow.Array {
	return fromData(array.NewData(arrow.FixedWidthTypes.Date32, len(values),
		[]*memory.Buffer{nil, memory.NewBufferBytes(arrow.GetBytes(values))}, nil, 0, 0))
}

// fromData makes the array of data and gives up the reference to data.
func fromData(data *array.Data) arrow.Array {
	defer data.Release()
	return array.MakeFromData(data)
}

// values numbers distinct values in the order in which they are first seen: the
// dictionary of a column in the making.
type values[T comparable] struct {
	number map[T]int32
	seen   []T
}

func (v *values[T]) index(value T) int32 {
	if i, ok := v.number[value]; ok {
		return i
	}
	if v.number == nil {
		v.number = map[T]int32{}
	}
	i := int32(len(v.seen))
	v.number[value] = i
	v.seen = append(v.seen, value)
	return i
}

// uuidBytes lays UUIDs end to end.
func uuidBytes(ids [][16]byte) []byte {
	out := make([]byte, 0, 16*len(ids))
	for i := range ids {
		out = append(out, ids[i][:]...)
	}
	return out
}

// dictColumn reads a dictionary column. Its values are copies.
type dictColumn[T any] struct {
	column  arrow.Array
	indices []int32
	values  []T
	holes   []bool // which values are null; nil when none is
}

// at is the position of row i's value in values, or -1 for null.
func (d *dictColumn[T]) at(i int) int32 {
	if d.column.IsNull(i) {
		return -1
	}
	index := d.indices[i]
	if d.holes != nil && d.holes[index] {
		return -1
	}
	return index
}

// readUUIDs reads a dictionary column of UUIDs.
func readUUIDs(a arrow.Array) dictColumn[[16]byte] {
	return readDict(a, func(v *array.FixedSizeBinary, i int) [16]byte { return uuidAt(v, i) })
}

// readTexts reads a dictionary column of strings.
func readTexts(a arrow.Array) dictColumn[string] {
	return readDict(a, func(v *array.String, i int) string { return strings.Clone(v.Value(i)) })
}

// readDays reads a dictionary column of dates.
func readDays(a arrow.Array) dictColumn[arrow.Date32] {
	return readDict(a, func(v *array.Date32, i int) arrow.Date32 { return v.Value(i) })
}

// readDict makes an array of its own over the dictionary: the one that
// array.Dictionary keeps is made when it is first asked for, and a batch may be
// read by several tables' transforms at once.
func readDict[A arrow.Array, T any](a arrow.Array, value func(A, int) T) dictColumn[T] {
	d := a.(*array.Dictionary)
	out := dictColumn[T]{column: d, indices: d.Indices().(*array.Int32).Int32Values()}
	if d.NullN() == d.Len() {
		return out
	}
	dict := array.MakeFromData(d.Data().Dictionary())
	defer dict.Release()
	out.values = make([]T, dict.Len())
	if dict.NullN() > 0 {
		out.holes = make([]bool, dict.Len())
	}
	for i := range out.values {
		if dict.IsNull(i) {
			out.holes[i] = true
			continue
		}
		out.values[i] = value(dict.(A), i)
	}
	return out
}

// uuidAt reads one value of a UUID column.
func uuidAt(a *array.FixedSizeBinary, i int) [16]byte { return [16]byte(a.Value(i)) }
