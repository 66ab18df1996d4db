package parquet

import (
	"fmt"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/parquet-go/parquet-go/format"

	"seatlake/schemas"
)

// leaf gathers one column's part of the open row group.
type leaf struct {
	nullable
	physical format.Type
	maxDef   byte
	declared bool // the table declares it a dictionary column

	n      int    // slots
	levels []byte // definition level of each slot; empty while all are maxDef
	values values // the present values; unused when declared

	// The row group's dictionary: the values that occur, in the order in which
	// they first do, and the place in it of each present value.
	dictionary dictionary
	ids        []int32

	// What the batch's Arrow dictionary is in the row group's: remap[i] is the
	// place of its value i, or -1 while that has not occurred.
	remap   []int32
	mapped  bool
	nonNull []byte // validity bitmap where the dictionary itself holds nulls
}

func (l *leaf) append(a arrow.Array, in slots) error {
	valid := validity(a)
	if l.declared {
		d, ok := a.(*array.Dictionary)
		if !ok {
			return fmt.Errorf("column %s: %T is not a dictionary array", l.name(), a)
		}
		if d.Dictionary().NullN() > 0 {
			valid = l.withoutNullValues(d, in.spans)
		}
	}
	in, err := l.narrow(in, valid)
	if err != nil {
		return err
	}
	if in.def != nil && len(l.levels) == 0 {
		l.levels = appendRepeated(l.levels, l.maxDef, l.n)
	}
	l.n += in.n
	if in.def != nil {
		l.levels = append(room(l.levels, in.n), in.def...)
	} else if len(l.levels) > 0 {
		l.levels = appendRepeated(l.levels, l.maxDef, in.n)
	}
	if l.declared {
		l.ids = room(l.ids, in.n)
		err = l.appendDictionary(a.(*array.Dictionary), in.spans)
	} else {
		l.values.room(in.n)
		err = l.values.append(a, in.spans)
	}
	if err != nil {
		return fmt.Errorf("column %s: %w", l.name(), err)
	}
	return nil
}

// withoutNullValues is the validity of the spans of a dictionary array when a
// value of the dictionary, and not only an index, may be null.
func (l *leaf) withoutNullValues(d *array.Dictionary, spans []span) bitmap {
	l.nonNull = append(l.nonNull[:0], make([]byte, (d.Len()+7)/8)...)
	indices := d.Indices().(*array.Int32).Int32Values()
	for _, s := range spans {
		for p := s.lo; p < s.hi; p++ {
			// An index out of range is found where the value is looked up.
			i := int(indices[p])
			if d.IsValid(p) && (i < 0 || i >= d.Dictionary().Len() || d.Dictionary().IsValid(i)) {
				l.nonNull[p>>3] |= 1 << (p & 7)
			}
		}
	}
	return bitmap{bits: l.nonNull}
}

func (l *leaf) appendDictionary(d *array.Dictionary, spans []span) error {
	indices, ok := d.Indices().(*array.Int32)
	if !ok {
		return fmt.Errorf("dictionary indices are %s, not int32", d.Indices().DataType())
	}
	if !l.mapped {
		l.remap = l.remap[:0]
		for range d.Dictionary().Len() {
			l.remap = append(l.remap, -1)
		}
		l.mapped = true
	}
	from := indices.Int32Values()
	for _, s := range spans {
		for _, i := range from[s.lo:s.hi] {
			if uint(i) >= uint(len(l.remap)) {
				return fmt.Errorf("dictionary index %d, of %d values", i, len(l.remap))
			}
			id := l.remap[i]
			if id < 0 {
				var err error
				if id, err = l.dictionary.addArrow(d.Dictionary(), int(i)); err != nil {
					return err
				}
				l.remap[i] = id
			}
			l.ids = append(l.ids, id)
		}
	}
	return nil
}

// forgetBatch is called before each batch, whose dictionary may be another.
func (l *leaf) forgetBatch() { l.mapped = false }

// reset empties the leaf for the next row group.
func (l *leaf) reset() {
	l.n = 0
	l.levels = l.levels[:0]
	l.values.reset()
	l.dictionary.reset()
	l.ids = l.ids[:0]
	l.mapped = false
}

// size is the bytes gathered.
func (l *leaf) size() int {
	return len(l.levels) + l.values.size() + l.dictionary.size() + 4*len(l.ids)
}

// nulls is the number of slots without a value.
func (l *leaf) nulls() int {
	if l.declared {
		return l.n - len(l.ids)
	}
	return l.n - l.values.n
}

const uuidSize = 16

// values is a sequence of values of one kind.
type values struct {
	kind schemas.Kind
	n    int

	data    []byte   // text end to end, UUIDs, or bits
	offsets []uint32 // n+1 offsets into data, for text
	ints    []int64  // integers, dates, timestamps, and the bits of doubles
}

// append takes the spans of an array, all of them valid.
func (v *values) append(a arrow.Array, spans []span) error {
	if len(spans) == 0 {
		return nil // an array without values may lack its buffers
	}
	switch v.kind {
	case schemas.String:
		s, ok := a.(*array.String)
		if !ok {
			break
		}
		v.appendStrings(s, spans)
		return nil
	case schemas.UUID:
		u, ok := a.(*array.FixedSizeBinary)
		if !ok {
			break
		}
		for _, s := range spans {
			raw := u.Data().Buffers()[1].Bytes()[u.Data().Offset()*uuidSize:]
			v.data = append(v.data, raw[s.lo*uuidSize:s.hi*uuidSize]...)
			v.n += s.hi - s.lo
		}
		return nil
	case schemas.Bool:
		b, ok := a.(*array.Boolean)
		if !ok {
			break
		}
		v.appendBits(b, spans)
		return nil
	case schemas.Int32:
		if x, ok := a.(*array.Int32); ok {
			takeInts(v, x.Int32Values(), spans)
			return nil
		}
	case schemas.Date:
		if x, ok := a.(*array.Date32); ok {
			takeInts(v, x.Date32Values(), spans)
			return nil
		}
	case schemas.Int64:
		if x, ok := a.(*array.Int64); ok {
			takeInts(v, x.Int64Values(), spans)
			return nil
		}
	case schemas.Timestamp:
		if x, ok := a.(*array.Timestamp); ok {
			takeInts(v, x.TimestampValues(), spans)
			return nil
		}
	case schemas.Float64:
		if x, ok := a.(*array.Float64); ok {
			f := x.Float64Values()
			takeInts(v, unsafe.Slice((*int64)(unsafe.Pointer(unsafe.SliceData(f))), len(f)), spans)
			return nil
		}
	}
	return fmt.Errorf("%T does not hold %s", a, v.kind)
}

func (v *values) appendStrings(a *array.String, spans []span) {
	if len(v.offsets) == 0 {
		v.offsets = append(v.offsets, 0)
	}
	for _, s := range spans {
		offsets := a.ValueOffsets()[s.lo : s.hi+1]
		if text := a.Data().Buffers()[2]; text != nil {
			// Offsets move by the same distance; unsigned arithmetic wraps back.
			shift := uint32(len(v.data)) - uint32(offsets[0])
			v.data = room(v.data, int(offsets[len(offsets)-1]-offsets[0]))
			v.data = append(v.data, text.Bytes()[offsets[0]:offsets[len(offsets)-1]]...)
			for _, o := range offsets[1:] {
				v.offsets = append(v.offsets, uint32(o)+shift)
			}
		} else {
			for range offsets[1:] {
				v.offsets = append(v.offsets, uint32(len(v.data)))
			}
		}
		v.n += s.hi - s.lo
	}
}

func (v *values) appendBits(a *array.Boolean, spans []span) {
	from := a.Data().Buffers()[1].Bytes()
	for _, s := range spans {
		for p := s.lo; p < s.hi; {
			word, n := loadBits(from, a.Data().Offset()+p)
			n = min(n, s.hi-p)
			v.appendWord(word, n)
			p += n
		}
	}
}

// appendWord appends the lowest n bits of word. Bits of data past the last
// value are 0.
func (v *values) appendWord(word uint64, n int) {
	word &= ^uint64(0) >> (64 - n)
	used := v.n & 7
	v.n += n
	if used > 0 {
		v.data[len(v.data)-1] |= byte(word << used)
		word >>= 8 - used
		n -= 8 - used
	}
	for ; n > 0; n -= 8 {
		v.data = append(v.data, byte(word))
		word >>= 8
	}
}

func takeInts[T ~int32 | ~int64](v *values, from []T, spans []span) {
	for _, s := range spans {
		for _, x := range from[s.lo:s.hi] {
			v.ints = append(v.ints, int64(x))
		}
		v.n += s.hi - s.lo
	}
}

// room makes room for n more integers or texts.
func (v *values) room(n int) {
	switch v.kind {
	case schemas.String:
		v.offsets = room(v.offsets, n+1)
	case schemas.UUID:
		v.data = room(v.data, n*uuidSize)
	case schemas.Bool:
	default:
		v.ints = room(v.ints, n)
	}
}

// room makes room for n more elements. It doubles a slice that is full, where
// append adds a quarter and so copies a large one many times.
func room[T any](s []T, n int) []T {
	if cap(s)-len(s) >= n {
		return s
	}
	return append(make([]T, 0, max(2*cap(s), len(s)+n)), s...)
}

// narrow says that the integers are stored in four bytes, not eight.
func (v *values) narrow() bool { return v.kind == schemas.Int32 || v.kind == schemas.Date }

// bytes is value i of text or UUIDs.
func (v *values) bytes(i int) []byte {
	if v.kind == schemas.UUID {
		return v.data[i*uuidSize : (i+1)*uuidSize]
	}
	return v.data[v.offsets[i]:v.offsets[i+1]]
}

func (v *values) appendBytes(b []byte) {
	if v.kind == schemas.String {
		if len(v.offsets) == 0 {
			v.offsets = append(v.offsets, 0)
		}
		v.offsets = append(v.offsets, uint32(len(v.data)+len(b)))
	}
	v.data = append(v.data, b...)
	v.n++
}

func (v *values) appendInt(x int64) {
	v.ints = append(v.ints, x)
	v.n++
}

func (v *values) reset() {
	v.n = 0
	v.data, v.offsets, v.ints = v.data[:0], v.offsets[:0], v.ints[:0]
}

func (v *values) size() int { return len(v.data) + 4*len(v.offsets) + 8*len(v.ints) }
