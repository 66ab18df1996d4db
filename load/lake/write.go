package lake

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/uuid"

	"seatlake/load/parquet"
	"seatlake/pipeline"
	"seatlake/schemas"
)

// maxOpen is how many partitions of a table are written at once. Beyond it the
// one that was longest without a row is finished, and more rows of it begin
// another part. It bounds memory, of which each holds a row group, and open files.
// Events come newest first, so that only neighbouring days grow at once.
const maxOpen = 2

// Write stages a stream as data files, one per partition, or more when the stream
// comes back to a partition after many others. Every row must be of the run's
// tenant, and its partition column not null. An empty stream gives no file.
func (t *transaction) Write(ctx context.Context, table *schemas.Table, in pipeline.Stream) ([]pipeline.File, error) {
	w, err := t.writer(table, in.Schema)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", table.Name, err)
	}
	for batch, err := range in.Batches {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, errors.Join(err, w.discard())
		}
		if err := w.write(batch); err != nil {
			return nil, errors.Join(fmt.Errorf("write %s: %w", table.Name, err), w.discard())
		}
	}
	files, err := w.finish()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("write %s: %w", table.Name, err), w.discard())
	}
	return files, nil
}

// writer stages one stream.
type writer struct {
	tx     *transaction
	table  *schemas.Table
	tenant int // column of tenant_id, or -1
	day    int // column of the partition, or -1
	open   []*part
	done   []staged
	clock  int // counts runs of rows, to find the part longest without one
}

// part is a data file being written.
type part struct {
	day    string
	number int
	file   *file
	rows   *parquet.Writer
	used   int
}

func (t *transaction) writer(table *schemas.Table, schema *arrow.Schema) (*writer, error) {
	if want := table.Arrow(); !schema.Equal(want) {
		return nil, fmt.Errorf("the stream's schema is not the table's: stream %v, table %v", schema, want)
	}
	w := &writer{tx: t, table: table, tenant: -1, day: -1}
	if table.Partition == "" {
		return w, nil
	}
	for i, f := range table.Fields {
		switch f.Name {
		case "tenant_id":
			w.tenant = i
		case table.Partition:
			w.day = i
		}
	}
	if w.tenant < 0 || w.day < 0 {
		return nil, fmt.Errorf("table has no column tenant_id or %s", table.Partition)
	}
	return w, nil
}

// write divides a batch into runs of rows of one partition and writes each to its
// part. Streams come nearly in order, so the runs are long.
func (w *writer) write(batch arrow.RecordBatch) error {
	if w.day < 0 {
		return w.writeRows("", batch)
	}
	if err := w.checkTenant(batch.Column(w.tenant)); err != nil {
		return err
	}
	day, err := days(batch.Column(w.day))
	if err != nil {
		return fmt.Errorf("column %s: %w", w.table.Partition, err)
	}
	rows := int(batch.NumRows())
	for from := 0; from < rows; {
		d, ok := day(from)
		if !ok {
			return fmt.Errorf("column %s of row %d is null: the row has no partition", w.table.Partition, from)
		}
		to := from + 1
		for ; to < rows; to++ {
			if next, ok := day(to); !ok || next != d {
				break
			}
		}
		slice := batch.NewSlice(int64(from), int64(to))
		err := w.writeRows(d.FormattedString(), slice)
		slice.Release()
		if err != nil {
			return err
		}
		from = to
	}
	return nil
}

// days reads a column of days, plain or as a dictionary; false is a null.
func days(column arrow.Array) (func(i int) (arrow.Date32, bool), error) {
	switch c := column.(type) {
	case *array.Date32:
		return func(i int) (arrow.Date32, bool) { return c.Value(i), c.IsValid(i) }, nil
	case *array.Dictionary:
		if values, ok := c.Dictionary().(*array.Date32); ok {
			return func(i int) (arrow.Date32, bool) {
				if c.IsNull(i) {
					return 0, false
				}
				v := c.GetValueIndex(i)
				return values.Value(v), values.IsValid(v)
			}, nil
		}
	}
	return nil, fmt.Errorf("type %s is not a day", column.DataType())
}

// checkTenant refuses rows of another tenant: their folder would lie.
func (w *writer) checkTenant(column arrow.Array) error {
	want, err := uuid.Parse(w.tx.run.TenantID)
	if err != nil {
		return err
	}
	values := column
	index := func(i int) int { return i }
	if d, ok := column.(*array.Dictionary); ok {
		values = d.Dictionary()
		index = d.GetValueIndex
	}
	ids, ok := values.(*array.FixedSizeBinary)
	if !ok {
		return fmt.Errorf("column tenant_id: type %s is not a GUID", column.DataType())
	}
	for i := range column.Len() {
		if column.IsNull(i) || ids.IsNull(index(i)) {
			return fmt.Errorf("column tenant_id of row %d is null", i)
		}
		if got := ids.Value(index(i)); string(got) != string(want[:]) {
			return fmt.Errorf("column tenant_id of row %d is %x, and the run is of tenant %s", i, got, want)
		}
	}
	return nil
}

// writeRows writes rows of one partition to its open part, or to a new one.
func (w *writer) writeRows(day string, rows arrow.RecordBatch) error {
	if rows.NumRows() == 0 {
		return nil
	}
	p, err := w.part(day)
	if err != nil {
		return err
	}
	w.clock++
	p.used = w.clock
	return p.rows.Write(rows)
}

func (w *writer) part(day string) (*part, error) {
	oldest := 0
	for i, p := range w.open {
		if p.day == day {
			return p, nil
		}
		if p.used < w.open[oldest].used {
			oldest = i
		}
	}
	if len(w.open) == maxOpen {
		if err := w.close(oldest); err != nil {
			return nil, err
		}
	}
	f, err := w.tx.lake.store.create(w.tx.scratch.temp())
	if err != nil {
		return nil, err
	}
	rows, err := parquet.NewWriter(f, w.table, parquet.Options{Metadata: map[string]string{
		"seatlake.table":          w.table.Name,
		"seatlake.schema_version": fmt.Sprint(w.table.Version),
	}})
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	p := &part{day: day, number: w.tx.nextPart(w.table.Name + "/" + day), file: f, rows: rows}
	w.open = append(w.open, p)
	return p, nil
}

func (t *transaction) nextPart(key string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.parts[key]++
	return t.parts[key]
}

// close finishes one open part and looks at what is on the disk.
func (w *writer) close(i int) error {
	p := w.open[i]
	if err := p.rows.Close(); err != nil {
		return err
	}
	w.open = append(w.open[:i], w.open[i+1:]...)
	if err := p.file.finish(); err != nil {
		return err
	}
	if err := w.tx.lake.verify(p.file.name, p.file.size, p.rows.Rows()); err != nil {
		return err
	}
	f := pipeline.File{
		Table: w.table.Name, SchemaVersion: w.table.Version,
		Size: p.file.size, SHA256: p.file.sha256(), Rows: p.rows.Rows(), Partition: p.day,
	}
	at := Location{Table: f.Table, SchemaVersion: f.SchemaVersion, Run: w.tx.run.ID, Part: p.number, Sum: f.SHA256[:12]}
	if w.day >= 0 {
		f.Tenant = w.tx.run.TenantID
		at.Tenant, at.Column, at.Partition = f.Tenant, w.table.Partition, p.day
	}
	var err error
	if f.Path, err = at.Path(); err != nil {
		return err
	}
	w.done = append(w.done, staged{File: f, temp: p.file.name})
	return nil
}

// verify compares a Parquet file's size and rows with what is known of it.
func (l *Lake) verify(name string, size, rows int64) error {
	info, err := l.store.stat(name)
	if err != nil {
		return err
	}
	if info.Size() != size {
		return fmt.Errorf("%s has %d bytes instead of %d", l.store.path(name), info.Size(), size)
	}
	got, err := l.store.rows(name, size)
	if err != nil {
		return err
	}
	if got != rows {
		return fmt.Errorf("%s has %d rows instead of %d", l.store.path(name), got, rows)
	}
	return nil
}

// rows reads how many rows a Parquet file has. A damaged one is an error.
func (s *store) rows(name string, size int64) (int64, error) {
	f, err := s.open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	rows, err := parquet.Verify(f, size)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", s.path(name), err)
	}
	return rows, nil
}

// finish ends the stream's parts and stages them.
func (w *writer) finish() ([]pipeline.File, error) {
	for len(w.open) > 0 {
		if err := w.close(0); err != nil {
			return nil, err
		}
	}
	w.tx.mu.Lock()
	defer w.tx.mu.Unlock()
	if w.tx.ended {
		return nil, fmt.Errorf("run %s has ended", w.tx.run.ID)
	}
	files := make([]pipeline.File, len(w.done))
	for i, s := range w.done {
		files[i] = s.File
		w.tx.staged[s.Path] = s
	}
	return files, nil
}

// discard removes the parts of a stream that failed.
func (w *writer) discard() error {
	var errs []error
	for _, p := range w.open {
		errs = append(errs, p.file.close(), w.tx.lake.store.remove(p.file.name))
	}
	for _, s := range w.done {
		errs = append(errs, w.tx.lake.store.remove(s.temp))
	}
	return errors.Join(errs...)
}
