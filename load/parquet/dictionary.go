package parquet

import (
	"bytes"
	"fmt"
	"math/bits"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/zeebo/xxh3"

	"seatlake/schemas"
)

// dictionary is a set of values that remembers in which order they came. It
// finds a value by open addressing in a table of at most half its places.
type dictionary struct {
	values
	table []int32 // 1 + the place of a value, 0 when free; a power of two long
}

// addArrow is the place of value i of an Arrow array, added if it is new.
func (d *dictionary) addArrow(a arrow.Array, i int) (int32, error) {
	switch a := a.(type) {
	case *array.String:
		s := a.Value(i)
		return d.addBytes(unsafe.Slice(unsafe.StringData(s), len(s))), nil
	case *array.FixedSizeBinary:
		return d.addBytes(a.Value(i)), nil
	case *array.Date32:
		return d.addInt(int64(a.Value(i))), nil
	default:
		return 0, fmt.Errorf("a dictionary of %s cannot be stored", a.DataType())
	}
}

// add is the place of value i of v, added if it is new.
func (d *dictionary) add(v *values, i int) int32 {
	if v.kind == schemas.String || v.kind == schemas.UUID {
		return d.addBytes(v.bytes(i))
	}
	return d.addInt(v.ints[i])
}

func (d *dictionary) addBytes(b []byte) int32 {
	d.grow()
	mask := uint64(len(d.table) - 1)
	for h := xxh3.Hash(b) & mask; ; h = (h + 1) & mask {
		at := d.table[h]
		if at == 0 {
			d.appendBytes(b)
			d.table[h] = int32(d.n)
			return int32(d.n - 1)
		}
		if bytes.Equal(d.bytes(int(at-1)), b) {
			return at - 1
		}
	}
}

func (d *dictionary) addInt(x int64) int32 {
	d.grow()
	mask := uint64(len(d.table) - 1)
	for h := hashInt(x) & mask; ; h = (h + 1) & mask {
		at := d.table[h]
		if at == 0 {
			d.appendInt(x)
			d.table[h] = int32(d.n)
			return int32(d.n - 1)
		}
		if d.ints[at-1] == x {
			return at - 1
		}
	}
}

// hashInt spreads an integer over 64 bits by folding its product with an odd
// constant.
func hashInt(x int64) uint64 {
	hi, lo := bits.Mul64(uint64(x)^0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)
	return hi ^ lo
}

// grow keeps the table at most half full after one more value.
func (d *dictionary) grow() {
	if 2*(d.n+1) <= len(d.table) {
		return
	}
	d.reserve(max(32, 2*d.n))
	mask := uint64(len(d.table) - 1)
	for i := range d.n {
		var h uint64
		if d.kind == schemas.String || d.kind == schemas.UUID {
			h = xxh3.Hash(d.bytes(i))
		} else {
			h = hashInt(d.ints[i])
		}
		for h &= mask; d.table[h] != 0; h = (h + 1) & mask {
		}
		d.table[h] = int32(i + 1)
	}
}

// reserve empties the table and makes it large enough for n values.
func (d *dictionary) reserve(n int) {
	size := 1 << bits.Len(uint(2*n-1))
	if cap(d.table) < size {
		d.table = make([]int32, size)
		return
	}
	d.table = d.table[:size]
	clear(d.table)
}

func (d *dictionary) reset() {
	d.values.reset()
	d.table = d.table[:0]
}
