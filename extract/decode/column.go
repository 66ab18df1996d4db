package decode

import (
	"fmt"
	"slices"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"seatlake/schemas"
)

// batch is the rows that wait to be handed over, column by column.
type batch struct {
	pool    *pool
	schema  *arrow.Schema
	columns []*column // in the order of the schema
	// required are the columns that must have a value in every row.
	required []*column
	rows     int
}

// newBatch lays out the table's decoded columns.
func newBatch(table *schemas.Table, schema *arrow.Schema, mem memory.Allocator) (*batch, error) {
	b := &batch{pool: &pool{mem: mem}, schema: schema}
	fields := table.Decoded()
	for i := range fields {
		c, err := newColumn(&fields[i], "", b.pool)
		if err != nil {
			return nil, err
		}
		b.columns = append(b.columns, c)
	}
	b.required = required(b.columns)
	return b, nil
}

// flush hands the rows over as a record, which belongs to the caller, and starts
// the next batch.
func (b *batch) flush() arrow.RecordBatch {
	cols := make([]arrow.Array, len(b.columns))
	for i, c := range b.columns {
		data := c.flush()
		cols[i] = array.MakeFromData(data)
		data.Release()
	}
	rec := array.NewRecordBatch(b.schema, cols, int64(b.rows))
	for _, c := range cols {
		c.Release()
	}
	b.rows = 0
	return rec
}

// close drops what was not handed over and frees what nobody holds.
func (b *batch) close() {
	for _, c := range b.columns {
		c.drop()
	}
	b.pool.close()
}

// shape is how a column's values are read and laid out: the kind of its field,
// and for some kinds whether it is a dictionary.
type shape uint8

const (
	shapeText shape = iota + 1
	shapeTextDict
	shapeUUID
	shapeUUIDDict
	shapeBool
	shapeInt32
	shapeInt64
	shapeFloat64
	shapeDate
	shapeDateDict
	shapeTimestamp
	shapeList
	shapeStruct
)

// column is one Arrow array being filled. Which buffers it uses depends on its
// shape; they come from the pool and go to the record when it is flushed.
type column struct {
	field *schemas.Field
	path  string // for errors: "assigned_licenses.sku_id"
	typ   arrow.DataType
	shape shape
	pool  *pool

	n     int     // values, nulls included
	nulls []int32 // positions of the nulls, rising

	bytes []byte  // text; UUIDs, 16 bytes each; booleans, one bit each
	i32   []int32 // offsets (one more than values), dictionary indices, dates, integers
	i64   []int64 // timestamps, integers, the bits of floats

	elem    *column   // of a list
	members []*column // of a struct
	// required are the members that must have a value in every struct.
	required []*column
	object   *object // of a struct: where its members stand in JSON

	texts *textDict
	uuids *uuidDict
	days  *dayDict

	lastDay dayText // of a timestamp: the day read last

	hint struct{ bytes, i32, i64 int } // lengths in the last batch
}

func newColumn(f *schemas.Field, parent string, p *pool) (*column, error) {
	c := &column{field: f, path: f.Name, typ: f.ArrowType(), pool: p}
	if parent != "" {
		c.path = parent + "." + f.Name
	}
	switch f.Kind {
	case schemas.String:
		c.shape = shapeText
	case schemas.UUID:
		c.shape = shapeUUID
	case schemas.Bool:
		c.shape = shapeBool
	case schemas.Int32:
		c.shape = shapeInt32
	case schemas.Int64:
		c.shape = shapeInt64
	case schemas.Float64:
		c.shape = shapeFloat64
	case schemas.Date:
		c.shape = shapeDate
	case schemas.Timestamp:
		c.shape = shapeTimestamp
	case schemas.List:
		c.shape = shapeList
		elem, err := newColumn(f.Elem, c.path, p)
		if err != nil {
			return nil, err
		}
		c.elem = elem
	case schemas.Struct:
		c.shape = shapeStruct
		for i := range f.Fields {
			m, err := newColumn(&f.Fields[i], c.path, p)
			if err != nil {
				return nil, err
			}
			c.members = append(c.members, m)
		}
		c.required = required(c.members)
	}
	if f.Dict {
		switch c.shape {
		case shapeText:
			c.shape, c.texts = shapeTextDict, newTextDict()
		case shapeUUID:
			c.shape, c.uuids = shapeUUIDDict, newUUIDDict()
		case shapeDate:
			c.shape, c.days = shapeDateDict, newDayDict()
		default:
			return nil, fmt.Errorf("column %s: a %v cannot be a dictionary", c.path, f.Kind)
		}
	}
	c.start()
	return c, nil
}

func required(columns []*column) []*column {
	return slices.DeleteFunc(slices.Clone(columns), func(c *column) bool { return !c.field.Required })
}

// start puts the first offset of a new batch.
func (c *column) start() {
	if c.shape == shapeText || c.shape == shapeList {
		c.i32 = append(grow(c.pool, c.i32, max(1, c.hint.i32)), 0)
	}
}

// grow gives s room for n more values, in a buffer of the pool.
func grow[T byte | int32 | int64](p *pool, s []T, n int) []T {
	n = max(2*cap(s), len(s)+n)
	b := p.Allocate(n * int(unsafe.Sizeof(T(0))))
	next := arrow.GetData[T](b[:cap(b)])[:len(s)]
	copy(next, s)
	recycle(p, s)
	return next
}

// recycle gives a buffer back to the pool.
func recycle[T byte | int32 | int64](p *pool, s []T) {
	if cap(s) > 0 {
		p.Free(arrow.GetBytes(s[:cap(s)]))
	}
}

// addInt32 appends an offset, index, date or integer; the caller counts it.
func (c *column) addInt32(v int32) {
	if len(c.i32) == cap(c.i32) {
		c.i32 = grow(c.pool, c.i32, max(1, c.hint.i32))
	}
	n := len(c.i32)
	c.i32 = c.i32[:n+1]
	c.i32[n] = v
}

func (c *column) addInt64(v int64) {
	if len(c.i64) == cap(c.i64) {
		c.i64 = grow(c.pool, c.i64, max(1, c.hint.i64))
	}
	n := len(c.i64)
	c.i64 = c.i64[:n+1]
	c.i64[n] = v
}

// extend makes room for n more bytes and returns it.
func (c *column) extend(n int) []byte {
	if cap(c.bytes)-len(c.bytes) < n {
		c.bytes = grow(c.pool, c.bytes, max(n, c.hint.bytes))
	}
	at := len(c.bytes)
	c.bytes = c.bytes[:at+n]
	return c.bytes[at:]
}

// addText appends a string.
func (c *column) addText(v []byte) {
	copy(c.extend(len(v)), v)
	c.addInt32(int32(len(c.bytes)))
	c.n++
}

func (c *column) addBool(v bool) {
	if c.n&7 == 0 {
		c.extend(1)[0] = 0
	}
	if v {
		c.bytes[c.n>>3] |= 1 << (c.n & 7)
	}
	c.n++
}

// addNull appends a null, to every member of a struct too.
func (c *column) addNull() {
	c.nulls = append(c.nulls, int32(c.n))
	switch c.shape {
	case shapeText:
		c.addInt32(int32(len(c.bytes)))
	case shapeList:
		c.addInt32(int32(c.elem.n))
	case shapeTextDict, shapeUUIDDict, shapeDateDict, shapeDate, shapeInt32:
		c.addInt32(0)
	case shapeInt64, shapeFloat64, shapeTimestamp:
		c.addInt64(0)
	case shapeUUID:
		clear(c.extend(16))
	case shapeBool:
		if c.n&7 == 0 {
			c.extend(1)[0] = 0
		}
	case shapeStruct:
		for _, m := range c.members {
			m.addNull()
		}
	}
	c.n++
}

// lastIsNull says that the value appended last is null.
func (c *column) lastIsNull() bool {
	return len(c.nulls) > 0 && int(c.nulls[len(c.nulls)-1]) == c.n-1
}

// truncate takes back all values from position n on: those of a key that is
// repeated, or of a row that is left out.
func (c *column) truncate(n int) {
	if n >= c.n {
		return
	}
	for len(c.nulls) > 0 && int(c.nulls[len(c.nulls)-1]) >= n {
		c.nulls = c.nulls[:len(c.nulls)-1]
	}
	switch c.shape {
	case shapeText:
		c.i32 = c.i32[:n+1]
		c.bytes = c.bytes[:c.i32[n]]
	case shapeList:
		c.i32 = c.i32[:n+1]
		c.elem.truncate(int(c.i32[n]))
	case shapeTextDict, shapeUUIDDict, shapeDateDict, shapeDate, shapeInt32:
		c.i32 = c.i32[:n]
	case shapeInt64, shapeFloat64, shapeTimestamp:
		c.i64 = c.i64[:n]
	case shapeUUID:
		c.bytes = c.bytes[:16*n]
	case shapeBool:
		c.bytes = c.bytes[:(n+7)/8]
		if n&7 != 0 {
			c.bytes[n>>3] &= 1<<(n&7) - 1
		}
	case shapeStruct:
		for _, m := range c.members {
			m.truncate(n)
		}
	}
	c.n = n
}

// flush turns the values into array data, which belongs to the caller, and
// starts the next batch.
func (c *column) flush() arrow.ArrayData {
	var (
		buffers  = make([]*memory.Buffer, 1, 3)
		children []arrow.ArrayData
		dict     *array.Data
	)
	c.hint.bytes, c.hint.i32, c.hint.i64 = len(c.bytes), len(c.i32), len(c.i64)
	buffers[0] = c.validity()
	switch c.shape {
	case shapeText:
		buffers = append(buffers, hand(c.pool, c.i32), hand(c.pool, c.bytes))
	case shapeList:
		buffers = append(buffers, hand(c.pool, c.i32))
		children = []arrow.ArrayData{c.elem.flush()}
	case shapeTextDict:
		buffers = append(buffers, hand(c.pool, c.i32))
		dict = c.texts.values(c.pool)
	case shapeUUIDDict:
		buffers = append(buffers, hand(c.pool, c.i32))
		dict = c.uuids.values(c.pool)
	case shapeDateDict:
		buffers = append(buffers, hand(c.pool, c.i32))
		dict = c.days.values(c.pool)
	case shapeDate, shapeInt32:
		buffers = append(buffers, hand(c.pool, c.i32))
	case shapeInt64, shapeFloat64, shapeTimestamp:
		buffers = append(buffers, hand(c.pool, c.i64))
	case shapeUUID, shapeBool:
		buffers = append(buffers, hand(c.pool, c.bytes))
	case shapeStruct:
		for _, m := range c.members {
			children = append(children, m.flush())
		}
	}
	var data *array.Data
	if dict != nil {
		data = array.NewDataWithDictionary(c.typ, c.n, buffers, len(c.nulls), 0, dict)
	} else {
		data = array.NewData(c.typ, c.n, buffers, children, len(c.nulls), 0)
	}
	for _, b := range buffers {
		if b != nil {
			b.Release()
		}
	}
	for _, k := range children {
		k.Release()
	}
	c.n, c.nulls = 0, c.nulls[:0]
	c.bytes, c.i32, c.i64 = nil, nil, nil
	c.start()
	return data
}

// hand wraps a buffer, so that it comes back to the pool when its last holder
// releases it.
func hand[T byte | int32 | int64](p *pool, s []T) *memory.Buffer {
	if cap(s) == 0 {
		return memory.NewBufferBytes([]byte{})
	}
	size := len(s) * int(unsafe.Sizeof(T(0)))
	return memory.NewBufferWithAllocator(arrow.GetBytes(s[:cap(s)])[:size], p)
}

// validity is the bitmap of the values that are not null; nil when all are valid.
func (c *column) validity() *memory.Buffer {
	if len(c.nulls) == 0 {
		return nil
	}
	bitmap := c.pool.Allocate((c.n + 7) / 8)
	if len(c.nulls) == c.n {
		clear(bitmap)
	} else {
		for i := range bitmap {
			bitmap[i] = 0xff
		}
		for _, i := range c.nulls {
			bitmap[i>>3] &^= 1 << (i & 7)
		}
		if rest := c.n & 7; rest != 0 {
			bitmap[len(bitmap)-1] &= 1<<rest - 1
		}
	}
	return memory.NewBufferWithAllocator(bitmap, c.pool)
}

// drop gives all buffers back.
func (c *column) drop() {
	recycle(c.pool, c.bytes)
	recycle(c.pool, c.i32)
	recycle(c.pool, c.i64)
	c.bytes, c.i32, c.i64 = nil, nil, nil
	switch {
	case c.texts != nil:
		c.texts.release()
	case c.uuids != nil:
		c.uuids.release()
	case c.days != nil:
		c.days.release()
	}
	if c.elem != nil {
		c.elem.drop()
	}
	for _, m := range c.members {
		m.drop()
	}
}
