package parquet

import (
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	pq "github.com/parquet-go/parquet-go"

	"seatlake/pipeline"
	"seatlake/schemas"
)

// ReadOptions of Read. The zero value reads every row as it is.
type ReadOptions struct {
	// Edit looks at each row before it is taken, may change it, and says whether it
	// stays.
	Edit func(*Row) (keep bool, err error)

	// Allocator of the batches; nil means Go's own.
	Allocator memory.Allocator
}

// batchRows is the rows of a batch that is read.
const batchRows = 4096

// ErrNewer is the kind of a file that a newer program wrote.
var ErrNewer = errors.New("it was written by a newer program: install a newer seatlake")

// Read is the rows of a file as batches of the table's schema, in their order. The
// file may be of any older declaration of the same table: columns are found by
// their field ids, those that the file lacks are null, an int32 becomes an int64, and
// one whose id the table no longer has is passed over. A column with an id that the
// table does not have yet is ErrNewer, since its values would be lost. At most a
// batch and a page of each column are held.
func Read(r io.ReaderAt, size int64, table *schemas.Table, o ReadOptions) (pipeline.Stream, error) {
	if o.Allocator == nil {
		o.Allocator = memory.DefaultAllocator
	}
	file, err := openFile(r, size)
	if err != nil {
		return pipeline.Stream{}, fmt.Errorf("parquet: %s: %w", table.Name, err)
	}
	plan, err := newPlan(file, table)
	if err != nil {
		return pipeline.Stream{}, fmt.Errorf("parquet: %s: %w", table.Name, err)
	}
	schema := table.Arrow()
	return pipeline.Stream{Schema: schema, Batches: func(yield func(arrow.RecordBatch, error) bool) {
		b := array.NewRecordBuilder(o.Allocator, schema)
		defer b.Release()
		rows := 0
		flush := func() bool {
			batch := b.NewRecordBatch()
			defer batch.Release()
			rows = 0
			return yield(batch, nil)
		}
		for i, group := range file.RowGroups() {
			err := plan.read(group, func(row *Row) (bool, error) {
				if o.Edit != nil {
					if keep, err := o.Edit(row); err != nil || !keep {
						return true, err
					}
				}
				if err := plan.append(b, row); err != nil {
					return false, err
				}
				rows++
				return rows < batchRows || flush(), nil
			})
			if errors.Is(err, errStopped) {
				return
			}
			if err != nil {
				yield(nil, fmt.Errorf("parquet: %s: row group %d: %w", table.Name, i, err))
				return
			}
		}
		if rows > 0 {
			flush()
		}
	}}, nil
}

// errStopped says that nobody wants more rows.
var errStopped = errors.New("stopped")

func openFile(r io.ReaderAt, size int64) (*pq.File, error) {
	if _, err := Verify(r, size); err != nil {
		return nil, err
	}
	return pq.OpenFile(r, size, pq.SkipPageIndex(true), pq.SkipBloomFilters(true))
}

// plan is how a file's columns become the table's.
type plan struct {
	fields []*source // of the table's columns
	leaves []*source // by their number in the file; nil for one that is passed over
}

// source is a column of the table, and where it stands in the file.
type source struct {
	field   *schemas.Field
	missing bool // the file does not have it
	def     int  // definition level from which on a value, list or struct is present
	rep     int  // of a list: repetition level of an element that continues it
	first   int  // number of the first leaf below
	last    int  // number behind the last leaf below
	members []*source
}

// newPlan compares the file's schema with the table's.
func newPlan(file *pq.File, table *schemas.Table) (*plan, error) {
	p := &plan{}
	known := newestID(table)
	tree := file.Root()
	var err error
	p.leaves = make([]*source, len(file.Schema().Columns()))
	p.fields, err = p.match(table.Fields, tree.Columns(), known, "")
	return p, err
}

// newestID is the highest field id that the table has.
func newestID(table *schemas.Table) int {
	newest := int32(0)
	var look func(fields []schemas.Field)
	look = func(fields []schemas.Field) {
		for i := range fields {
			newest = max(newest, fields[i].ID)
			look(fields[i].Fields)
			if fields[i].Elem != nil {
				look([]schemas.Field{*fields[i].Elem})
			}
		}
	}
	look(table.Fields)
	return int(newest)
}

// match finds each field among the columns of a file by its id.
func (p *plan) match(fields []schemas.Field, columns []*pq.Column, known int, above string) ([]*source, error) {
	byID := map[int]*pq.Column{}
	for _, c := range columns {
		byID[c.ID()] = c
		if c.ID() > known {
			return nil, fmt.Errorf("column %s%s has the field id %d: %w", above, c.Name(), c.ID(), ErrNewer)
		}
	}
	out := make([]*source, len(fields))
	for i := range fields {
		f := &fields[i]
		var err error
		if out[i], err = p.source(f, byID[int(f.ID)], known, above+f.Name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (p *plan) source(f *schemas.Field, c *pq.Column, known int, at string) (*source, error) {
	s := &source{field: f}
	if c == nil {
		if f.Required {
			return nil, fmt.Errorf("column %s is missing, and may not be null", at)
		}
		s.missing = true
		return s, nil
	}
	s.def = c.MaxDefinitionLevel()
	var err error
	switch {
	case c.Leaf() != (f.Kind != schemas.List && f.Kind != schemas.Struct):
		return nil, fmt.Errorf("column %s is a %s in the table, and not in the file", at, f.Kind)
	case f.Kind == schemas.List:
		inner := c.Columns()
		if len(inner) != 1 || !inner[0].Repeated() || len(inner[0].Columns()) != 1 {
			return nil, fmt.Errorf("column %s is not a list of three levels", at)
		}
		s.rep = inner[0].MaxRepetitionLevel()
		s.members, err = p.match([]schemas.Field{*f.Elem}, inner[0].Columns(), known, at+".")
	case f.Kind == schemas.Struct:
		s.members, err = p.match(f.Fields, c.Columns(), known, at+".")
	default:
		s.first, s.last = c.Index(), c.Index()+1
		p.leaves[c.Index()] = s
		return s, sameType(f, c, at)
	}
	if err != nil {
		return nil, err
	}
	s.first, s.last = -1, -1
	for _, m := range s.members {
		if m.missing {
			continue
		}
		if s.first < 0 || m.first < s.first {
			s.first = m.first
		}
		s.last = max(s.last, m.last)
	}
	if s.first < 0 {
		return nil, fmt.Errorf("column %s has no member that the file has", at)
	}
	return s, nil
}

// sameType refuses a column that cannot be read as the field. An int32 can be read as
// an int64.
func sameType(f *schemas.Field, c *pq.Column, at string) error {
	want := map[schemas.Kind][]pq.Kind{
		schemas.String: {pq.ByteArray}, schemas.UUID: {pq.FixedLenByteArray}, schemas.Bool: {pq.Boolean},
		schemas.Int32: {pq.Int32}, schemas.Int64: {pq.Int64, pq.Int32}, schemas.Float64: {pq.Double},
		schemas.Date: {pq.Int32}, schemas.Timestamp: {pq.Int64},
	}[f.Kind]
	for _, k := range want {
		if c.Type().Kind() == k && (k != pq.FixedLenByteArray || c.Type().Length() == uuidSize) {
			return nil
		}
	}
	return fmt.Errorf("column %s is of type %s in the file, which cannot be read as %s", at, c.Type(), f.Kind)
}

// Row is one row of a file, leaf by leaf.
type Row struct {
	plan   *plan
	values [][]pq.Value // by leaf: one, or more below a list
	taken  []int        // by leaf: values that became cells
	edited bool
}

// Change is what becomes of a text or a GUID.
type Change struct {
	Drop bool   // it becomes null
	To   []byte // its new value; nil leaves it
}

// Texts calls fn with every text and GUID of the row that is not null, GUIDs as their
// 16 bytes, and changes it as fn says.
func (r *Row) Texts(fn func(f *schemas.Field, value []byte) Change) error {
	for n, s := range r.plan.leaves {
		if s == nil || s.field.Kind != schemas.String && s.field.Kind != schemas.UUID {
			continue
		}
		for i, v := range r.values[n] {
			if v.IsNull() {
				continue
			}
			change := fn(s.field, v.ByteArray())
			switch {
			case change.Drop && s.field.Required:
				return fmt.Errorf("column %s may not be null", s.field.Name)
			case change.Drop:
				r.values[n][i] = pq.NullValue().Level(v.RepetitionLevel(), s.def-1, n)
				r.edited = true
			case change.To != nil:
				r.values[n][i] = pq.ByteArrayValue(change.To).Level(v.RepetitionLevel(), v.DefinitionLevel(), n)
				r.edited = true
			}
		}
	}
	return nil
}

// Edited says that a text of the row was changed.
func (r *Row) Edited() bool { return r.edited }

// read calls fn with every row of a row group until it says that it is enough.
func (p *plan) read(group pq.RowGroup, fn func(*Row) (more bool, err error)) (err error) {
	chunks := group.ColumnChunks()
	cursors := make([]*cursor, len(p.leaves))
	defer func() {
		for _, c := range cursors {
			if c != nil {
				err = errors.Join(err, c.pages.Close())
			}
		}
	}()
	row := &Row{plan: p, values: make([][]pq.Value, len(p.leaves)), taken: make([]int, len(p.leaves))}
	for n, s := range p.leaves {
		if s != nil {
			cursors[n] = &cursor{pages: chunks[n].Pages(), buffer: make([]pq.Value, 512)}
		}
	}
	for range group.NumRows() {
		row.edited = false
		for n, c := range cursors {
			if c == nil {
				continue
			}
			if row.values[n], err = c.row(row.values[n][:0]); err != nil {
				return fmt.Errorf("column %s: %w", p.leaves[n].field.Name, err)
			}
			row.taken[n] = 0
		}
		more, err := fn(row)
		if err != nil {
			return err
		}
		if !more {
			return errStopped
		}
	}
	return nil
}

// cursor reads a leaf value by value.
type cursor struct {
	pages  pq.Pages
	values pq.ValueReader // of the page at hand; nil before the first
	buffer []pq.Value
	at, n  int // the next value in the buffer, and how many it has
	ended  bool
}

// row appends the values of the next row.
func (c *cursor) row(to []pq.Value) ([]pq.Value, error) {
	first := true
	for {
		more, err := c.fill()
		if err != nil {
			return to, err
		}
		if !more {
			if first {
				return to, fmt.Errorf("its values end before its rows: %w", io.ErrUnexpectedEOF)
			}
			return to, nil
		}
		v := c.buffer[c.at]
		if !first && v.RepetitionLevel() == 0 {
			return to, nil
		}
		to, first = append(to, v), false
		c.at++
	}
}

// fill makes sure that a value is at hand; false when there is none left.
func (c *cursor) fill() (bool, error) {
	for c.at == c.n {
		if c.ended {
			return false, nil
		}
		if c.values == nil {
			page, err := c.pages.ReadPage()
			if errors.Is(err, io.EOF) {
				c.ended = true
				return false, nil
			}
			if err != nil {
				return false, err
			}
			c.values = page.Values()
		}
		n, err := c.values.ReadValues(c.buffer)
		c.at, c.n = 0, n
		if errors.Is(err, io.EOF) {
			c.values = nil
		} else if err != nil {
			return false, err
		}
	}
	return true, nil
}

// append makes cells of a row.
func (p *plan) append(b *array.RecordBuilder, row *Row) error {
	for i, s := range p.fields {
		if err := s.append(b.Field(i), row); err != nil {
			return fmt.Errorf("column %s: %w", s.field.Name, err)
		}
	}
	return nil
}

// next is the value of a leaf that becomes a cell next.
func (r *Row) next(leaf int) (pq.Value, error) {
	if r.taken[leaf] == len(r.values[leaf]) {
		return pq.Value{}, errors.New("its values do not fit its levels")
	}
	return r.values[leaf][r.taken[leaf]], nil
}

func (s *source) append(b array.Builder, row *Row) error {
	if s.missing {
		b.AppendNull()
		return nil
	}
	v, err := row.next(s.first)
	if err != nil {
		return err
	}
	if v.DefinitionLevel() < s.def {
		if s.field.Required {
			return errors.New("it is null, and may not be")
		}
		b.AppendNull()
		return s.skip(row)
	}
	switch s.field.Kind {
	case schemas.Struct:
		to := b.(*array.StructBuilder)
		to.Append(true)
		for i, m := range s.members {
			if err := m.append(to.FieldBuilder(i), row); err != nil {
				return err
			}
		}
		return nil
	case schemas.List:
		return s.appendList(b.(*array.ListBuilder), v, row)
	}
	row.taken[s.first]++
	return s.appendValue(b, v)
}

// skip passes over the one value that each leaf below a null has.
func (s *source) skip(row *Row) error {
	for n := s.first; n < s.last; n++ {
		if row.plan.leaves[n] == nil {
			continue
		}
		if _, err := row.next(n); err != nil {
			return err
		}
		row.taken[n]++
	}
	return nil
}

func (s *source) appendList(to *array.ListBuilder, v pq.Value, row *Row) error {
	to.Append(true)
	if v.DefinitionLevel() == s.def { // empty
		return s.skip(row)
	}
	for {
		if err := s.members[0].append(to.ValueBuilder(), row); err != nil {
			return err
		}
		if row.taken[s.first] == len(row.values[s.first]) {
			return nil
		}
		v, err := row.next(s.first)
		if err != nil {
			return err
		}
		if v.RepetitionLevel() != s.rep {
			return nil
		}
	}
}

func (s *source) appendValue(b array.Builder, v pq.Value) error {
	switch to := b.(type) {
	case *array.StringBuilder:
		to.BinaryBuilder.Append(v.ByteArray())
	case *array.BinaryDictionaryBuilder:
		return to.Append(v.ByteArray())
	case *array.FixedSizeBinaryBuilder:
		to.Append(v.ByteArray())
	case *array.FixedSizeBinaryDictionaryBuilder:
		return to.Append(v.ByteArray())
	case *array.BooleanBuilder:
		to.Append(v.Boolean())
	case *array.Int32Builder:
		to.Append(v.Int32())
	case *array.Int64Builder:
		if v.Kind() == pq.Int32 {
			to.Append(int64(v.Int32()))
		} else {
			to.Append(v.Int64())
		}
	case *array.Float64Builder:
		to.Append(v.Double())
	case *array.Date32Builder:
		to.Append(arrow.Date32(v.Int32()))
	case *array.Date32DictionaryBuilder:
		return to.Append(arrow.Date32(v.Int32()))
	case *array.TimestampBuilder:
		to.Append(arrow.Timestamp(v.Int64()))
	default:
		return fmt.Errorf("a builder of type %T has no place for it", b)
	}
	return nil
}
