package decode

import (
	"encoding/binary"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// A dictionary lives as long as its stream: the values of a batch begin with
// those of the batch before, and a batch that brings no new value shares its
// array. One that has grown beyond these bounds starts anew with the next batch,
// so that memory does not follow the size of the tenant.
const (
	maxDictValues = 1 << 17
	maxDictBytes  = 8 << 20
)

// snapshot is the Arrow array of a dictionary's values, made again only when
// there are more of them.
type snapshot struct {
	data *array.Data
	n    int
}

// take gives the array over n values, which stays the snapshot's own; fill makes
// its buffers.
func (s *snapshot) take(typ arrow.DataType, n int, fill func() []*memory.Buffer) *array.Data {
	if s.data == nil || s.n != n {
		s.release()
		buffers := fill()
		s.data, s.n = array.NewData(typ, n, buffers, nil, 0, 0), n
		for _, b := range buffers {
			if b != nil {
				b.Release()
			}
		}
	}
	return s.data
}

// stale says that the values are others now, however many.
func (s *snapshot) stale() { s.n = -1 }

func (s *snapshot) release() {
	if s.data != nil {
		s.data.Release()
		s.data = nil
	}
}

// copyOf is a buffer of the pool with the same bytes.
func copyOf[T byte | int32](p *pool, s []T) *memory.Buffer {
	return hand(p, append(grow(p, []T(nil), max(1, len(s))), s...))
}

// textDict is the distinct strings of a column.
type textDict struct {
	snapshot
	data  []byte
	off   []int32 // one more than values
	index map[string]int32
	slots [1024]int32   // value + 1, by hash: the map's cache
	raw   [512]textSlot // by the eight raw bytes at a value's start
	era   int           // how often it started anew
}

// textSlot remembers a value as it stands in the page. Only values that stand
// there unescaped are remembered, so that equal bytes mean an equal value.
type textSlot struct {
	first uint64 // the eight bytes at its start, the closing quote included if it is shorter
	off   uint32 // in the dictionary's data
	n     uint32 // bytes, never 0; 0 marks a free slot
	value int32
}

func newTextDict() *textDict {
	return &textDict{off: []int32{0}, index: map[string]int32{}}
}

func (d *textDict) value(i int32) []byte { return d.data[d.off[i]:d.off[i+1]] }

// guess recognises a known value at b[i:] together with its closing quote,
// without looking for the quote, and returns the position behind it.
func (d *textDict) guess(b []byte, i int) (value int32, next int, ok bool) {
	first := binary.LittleEndian.Uint64(b[i:])
	s := &d.raw[first*goldenRatio>>55]
	if s.first != first {
		return 0, 0, false
	}
	n := int(s.n)
	if n < 8 { // the quote is one of the eight bytes
		return s.value, i + n + 1, n > 0
	}
	if i+n >= len(b) || b[i+n] != '"' || string(b[i+8:i+n]) != string(d.data[int(s.off)+8:int(s.off)+n]) {
		return 0, 0, false
	}
	return s.value, i + n + 1, true
}

// learn lets guess recognise value, which stands unescaped at b[i:].
func (d *textDict) learn(b []byte, i int, value int32) {
	n := d.off[value+1] - d.off[value]
	if n == 0 {
		return
	}
	first := binary.LittleEndian.Uint64(b[i:])
	d.raw[first*goldenRatio>>55] = textSlot{first, uint32(d.off[value]), uint32(n), value}
}

// add returns the index of v, a new one if it was not seen before.
func (d *textDict) add(v []byte) int32 {
	s := &d.slots[hashText(v)>>54]
	if *s != 0 && string(d.value(*s-1)) == string(v) {
		return *s - 1
	}
	i, ok := d.index[string(v)]
	if !ok {
		i = int32(len(d.off) - 1)
		d.data = append(d.data, v...)
		d.off = append(d.off, int32(len(d.data)))
		d.index[string(v)] = i
	}
	*s = i + 1
	return i
}

// values is the Arrow array of the values. A dictionary that has grown too large
// is emptied: the batch being flushed is the last to use it.
func (d *textDict) values(p *pool) *array.Data {
	data := d.take(arrow.BinaryTypes.String, len(d.off)-1, func() []*memory.Buffer {
		return []*memory.Buffer{nil, copyOf(p, d.off), copyOf(p, d.data)}
	})
	if len(d.off) > maxDictValues || len(d.data) > maxDictBytes {
		d.data, d.off = d.data[:0], d.off[:1]
		clear(d.index)
		clear(d.slots[:])
		d.era++
		clear(d.raw[:])
		d.stale()
	}
	return data
}

// goldenRatio spreads a hash over its upper bits.
const goldenRatio = 0x9E3779B97F4A7C15

func hashText(v []byte) uint64 {
	n := len(v)
	var head, tail uint64
	if n >= 8 {
		head = binary.LittleEndian.Uint64(v)
		tail = binary.LittleEndian.Uint64(v[n-8:])
	} else {
		for _, c := range v {
			head = head<<8 | uint64(c)
		}
	}
	return (head*goldenRatio ^ bits.RotateLeft64(tail, 29) + uint64(n)) * 0xC2B2AE3D27D4EB4F
}

// uuidDict is the distinct GUIDs of a column.
type uuidDict struct {
	snapshot
	all   [][16]byte
	index map[[16]byte]int32
	raw   [512]uuidSlot // by the eight raw characters at a GUID's start
}

// uuidSlot remembers the 36 characters of a GUID as they stand in the page.
type uuidSlot struct {
	text  [36]byte
	value int32
}

func newUUIDDict() *uuidDict { return &uuidDict{index: map[[16]byte]int32{}} }

// guess recognises the GUID whose 36 characters are v.
func (d *uuidDict) guess(v *[36]byte) (int32, bool) {
	s := &d.raw[binary.LittleEndian.Uint64(v[:])*goldenRatio>>55]
	return s.value, s.text == *v
}

// learn lets guess recognise value, whose 36 characters are v.
func (d *uuidDict) learn(v *[36]byte, value int32) {
	d.raw[binary.LittleEndian.Uint64(v[:])*goldenRatio>>55] = uuidSlot{*v, value}
}

// add returns the index of u, a new one if it was not seen before.
func (d *uuidDict) add(u [16]byte) int32 {
	i, ok := d.index[u]
	if !ok {
		i = int32(len(d.all))
		d.all = append(d.all, u)
		d.index[u] = i
	}
	return i
}

// values is as textDict.values.
func (d *uuidDict) values(p *pool) *array.Data {
	data := d.take(uuidType, len(d.all), func() []*memory.Buffer {
		b := p.Allocate(16 * len(d.all))
		for i := range d.all {
			copy(b[16*i:], d.all[i][:])
		}
		return []*memory.Buffer{nil, memory.NewBufferWithAllocator(b, p)}
	})
	if len(d.all) > maxDictValues {
		d.all = d.all[:0]
		clear(d.index)
		clear(d.raw[:])
		d.stale()
	}
	return data
}

var uuidType = &arrow.FixedSizeBinaryType{ByteWidth: 16}

// dayDict is the distinct days of a column.
type dayDict struct {
	snapshot
	all []int32
	// near holds the index + 1 of the days from 1970 to 2149, at day + 1. Its
	// first entry is 1, so that a null finds an index without being asked for.
	near []int32
	far  map[int32]int32 // the other days
}

func newDayDict() *dayDict { return &dayDict{near: []int32{1}, far: map[int32]int32{}} }

// add returns the index of a day, a new one if it was not seen before.
func (d *dayDict) add(day int32) int32 {
	if day < 0 || day >= 1<<16 {
		i, ok := d.far[day]
		if !ok {
			i = int32(len(d.all))
			d.all = append(d.all, day)
			d.far[day] = i
		}
		return i
	}
	at := int(day) + 1
	if at >= len(d.near) {
		d.near = append(d.near, make([]int32, at+1024-len(d.near))...)
	}
	if d.near[at] == 0 {
		d.all = append(d.all, day)
		d.near[at] = int32(len(d.all))
	}
	return d.near[at] - 1
}

// values is as textDict.values; there are not enough days to grow too large.
func (d *dayDict) values(p *pool) *array.Data {
	return d.take(arrow.FixedWidthTypes.Date32, len(d.all), func() []*memory.Buffer {
		return []*memory.Buffer{nil, copyOf(p, d.all)}
	})
}
