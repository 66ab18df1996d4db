package parquet

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
)

// column takes a part of an Arrow array: the slots of it that in names.
type column interface {
	append(a arrow.Array, in slots) error
}

// slots are entries of a column in order, nested ones in the order of their
// rows. Those that are present stand in the Arrow array at hand; the others
// were cut off by a null or an empty list above.
type slots struct {
	n     int
	level byte   // definition level of a slot that is present
	def   []byte // definition level of each slot; nil when all are present
	rep   []byte // repetition level of each slot; nil when all are 0
	spans []span // where the present slots stand in the array, in order
}

// span is a half-open range of positions in an Arrow array.
type span struct{ lo, hi int }

// nullable is the layer of a column at which its value is null or not. Its
// buffers are reused from call to call.
type nullable struct {
	place
	required bool

	def   []byte
	spans []span
}

// narrow keeps the slots whose value is not null.
func (c *nullable) narrow(in slots, valid bitmap) (slots, error) {
	if c.required {
		if nulls := valid.nulls(in.spans); nulls > 0 {
			return in, fmt.Errorf("column %s is required, but %d values are null", c.name(), nulls)
		}
		return in, nil
	}
	out := in
	out.level++
	if in.def == nil && valid.bits == nil {
		return out, nil
	}
	c.def = slices.Grow(c.def[:0], in.n)[:in.n]
	out.def = c.def
	if valid.bits == nil {
		for i, d := range in.def {
			if d == in.level {
				d++
			}
			out.def[i] = d
		}
		return out, nil
	}
	if in.def == nil {
		i := 0
		for _, s := range in.spans {
			for p := s.lo; p < s.hi; p++ {
				out.def[i] = in.level + valid.at(p)
				i++
			}
		}
	} else {
		copy(out.def, in.def)
		i := 0
		for _, s := range in.spans {
			for p := s.lo; p < s.hi; p++ {
				for in.def[i] != in.level {
					i++
				}
				out.def[i] += valid.at(p)
				i++
			}
		}
	}
	c.spans = valid.appendRuns(c.spans[:0], in.spans)
	out.spans = c.spans
	return out, nil
}

// group is a struct column.
type group struct {
	nullable
	members []column
}

func (g *group) append(a arrow.Array, in slots) error {
	s, ok := a.(*array.Struct)
	if !ok {
		return fmt.Errorf("column %s: %T is not a struct array", g.name(), a)
	}
	out, err := g.narrow(in, validity(a))
	if err != nil {
		return err
	}
	for i, m := range g.members {
		if err := m.append(s.Field(i), out); err != nil {
			return err
		}
	}
	return nil
}

// list is a list column. Its repetition levels are those of every leaf below
// that has no nearer list.
type list struct {
	nullable
	elem column
	max  byte // repetition level of an element that continues a list

	rep     []byte // of the open row group
	levels  []byte // rep, encoded
	itemDef []byte
	items   []span
}

func (l *list) append(a arrow.Array, in slots) error {
	arr, ok := a.(*array.List)
	if !ok {
		return fmt.Errorf("column %s: %T is not a list array", l.name(), a)
	}
	in, err := l.narrow(in, validity(a))
	if err != nil {
		return err
	}
	// A list array without values may lack its offsets.
	var offsets []int32
	if arr.Len() > 0 {
		offsets = arr.Offsets()[arr.Data().Offset():]
	}
	first := len(l.rep)
	l.itemDef, l.items = l.itemDef[:0], l.items[:0]
	cut := false // whether some slot below is absent
	slot := 0
	absent := func(end int) {
		for ; slot < end; slot++ {
			cut = true
			l.itemDef = append(l.itemDef, in.def[slot])
			l.rep = append(l.rep, in.repetition(slot))
		}
	}
	for _, s := range in.spans {
		for p := s.lo; p < s.hi; p++ {
			if in.def != nil {
				end := slot
				for in.def[end] != in.level {
					end++
				}
				absent(end)
			}
			lo, hi := int(offsets[p]), int(offsets[p+1])
			l.rep = append(l.rep, in.repetition(slot))
			slot++
			if lo == hi {
				cut = true
				l.itemDef = append(l.itemDef, in.level)
				continue
			}
			l.itemDef = appendRepeated(l.itemDef, in.level+1, hi-lo)
			l.rep = appendRepeated(l.rep, l.max, hi-lo-1)
			if n := len(l.items); n > 0 && l.items[n-1].hi == lo {
				l.items[n-1].hi = hi
			} else {
				l.items = append(l.items, span{lo, hi})
			}
		}
	}
	if in.def != nil {
		absent(in.n)
	}
	out := slots{n: len(l.itemDef), level: in.level + 1, rep: l.rep[first:], spans: l.items}
	if cut {
		out.def = l.itemDef
	}
	return l.elem.append(arr.ListValues(), out)
}

func (s *slots) repetition(i int) byte {
	if s.rep == nil {
		return 0
	}
	return s.rep[i]
}

func appendRepeated(dst []byte, b byte, n int) []byte {
	dst = slices.Grow(dst, n)
	end := len(dst)
	dst = dst[:end+n]
	for i := end; i < len(dst); i++ {
		dst[i] = b
	}
	return dst
}

func (l *list) encode() {
	l.levels = appendHybrid(l.levels[:0], l.rep, bits.Len8(l.max))
}

func (l *list) reset() { l.rep = l.rep[:0] }

// bitmap is an Arrow validity bitmap; without bits, everything is valid.
type bitmap struct {
	bits   []byte
	offset int
}

func validity(a arrow.Array) bitmap {
	if a.NullN() == 0 {
		return bitmap{}
	}
	return bitmap{bits: a.NullBitmapBytes(), offset: a.Data().Offset()}
}

// at is 1 when position p is valid, else 0. The bitmap has bits.
func (b bitmap) at(p int) byte {
	p += b.offset
	return b.bits[p>>3] >> (p & 7) & 1
}

func (b bitmap) nulls(spans []span) int {
	if b.bits == nil {
		return 0
	}
	n := 0
	for _, s := range spans {
		n += s.hi - s.lo - bitutil.CountSetBits(b.bits, b.offset+s.lo, s.hi-s.lo)
	}
	return n
}

// appendRuns appends the stretches of the spans that are valid.
func (b bitmap) appendRuns(dst, spans []span) []span {
	for _, s := range spans {
		for p := s.lo; p < s.hi; {
			p = b.next(p, s.hi, 0)
			if p == s.hi {
				break
			}
			end := b.next(p, s.hi, ^uint64(0))
			dst = append(dst, span{p, end})
			p = end
		}
	}
	return dst
}

// next is the first position in [p, hi) whose bit is set, or with all ones for
// flip, is not; hi when there is none.
func (b bitmap) next(p, hi int, flip uint64) int {
	for p < hi {
		word, n := loadBits(b.bits, b.offset+p)
		if first := bits.TrailingZeros64(word ^ flip); first < n {
			return min(p+first, hi)
		}
		p += n
	}
	return hi
}

// loadBits returns the bits of b from bit i on, the first in bit 0, and how
// many they are: 57 to 64, those past the end of b included, which are 0.
func loadBits(b []byte, i int) (word uint64, n int) {
	at, shift := i>>3, i&7
	if at+8 <= len(b) {
		word = binary.LittleEndian.Uint64(b[at:])
	} else {
		for k, x := range b[at:] {
			word |= uint64(x) << (8 * k)
		}
	}
	return word >> shift, 64 - shift
}
