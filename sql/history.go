package sql

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/uuid"

	"seatlake/pipeline"
	"seatlake/schemas"
)

// changeModels are the models that tell what changed from day to day.
var changeModels = []string{"int_user_changes", "int_license_changes"}

// Recorder makes rows of the history's tables: what changed between the snapshots of
// its inputs, and figures of published marts. All that can go wrong with the inputs
// goes wrong when it is opened. It holds a DuckDB with files of its own until Close.
type Recorder struct {
	engine *engine
	local  *Local
}

// OpenRecorder builds the models of changes from inputs: the history up to a day, and
// the snapshots of the days behind it. Marts are by name, as of Query; the rows that
// the queries of keep select of them are copied into tables of the queries' names.
func OpenRecorder(ctx context.Context, in Inputs, gold map[string]string, keep map[string]string, o Options) (_ *Recorder, err error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	p, err := load(files, in.Vars)
	if err != nil {
		return nil, err
	}
	r := new(Recorder)
	if r.engine, err = open(ctx, o); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = r.Close() // the error before it is the cause
		}
	}()
	needed := p.needed(changeModels...)
	wanted := p.reads(needed)
	for _, mart := range slices.Sorted(maps.Keys(gold)) {
		wanted = append(wanted, Read{Name: mart})
	}
	if r.local, err = in.local(ctx, gold, wanted); err != nil {
		return nil, err
	}
	b := &build{engine: r.engine, options: o}
	if err := b.begin(ctx, p, in, r.local); err != nil {
		return nil, err
	}
	for _, n := range p.order {
		if !needed[n.Name] {
			continue
		}
		if err := b.node(ctx, n); err != nil {
			return nil, err
		}
	}
	for mart, path := range r.local.Gold {
		if err := r.engine.exec(ctx, "create view "+quote(mart)+" as select * from read_parquet("+list([]string{path})+", hive_partitioning = false)"); err != nil {
			return nil, fmt.Errorf("read mart %s: %w", mart, err)
		}
	}
	for name, query := range keep {
		if err := r.engine.exec(ctx, "create table "+quote(name)+" as "+query); err != nil {
			return nil, fmt.Errorf("copy of the marts for %s: %w", name, err)
		}
	}
	return r, nil
}

// needed is models, and the seeds and models that they are made of.
func (p *project) needed(models ...string) map[string]bool {
	needed := map[string]bool{}
	for _, name := range models {
		needed[name] = true
	}
	for i := len(p.order) - 1; i >= 0; i-- { // what a node reads stands before it
		if n := p.order[i]; needed[n.Name] {
			for _, name := range n.DependsOn {
				needed[name] = true
			}
		}
	}
	return needed
}

// Close stops the recorder's DuckDB and removes its files.
func (r *Recorder) Close() error {
	err := r.engine.Close()
	if released := r.local.release(); err == nil {
		err = released
	}
	return err
}

// Rows gives the result of a query of the program's own to fn.
func (r *Recorder) Rows(ctx context.Context, query string, fn func(row []any) error) error {
	rows, err := r.engine.conn.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("query: %w", err)
	}
	defer rows.Close()
	out, err := newRows(rows)
	if err != nil {
		return fmt.Errorf("query: %w", err)
	}
	for row, err := range out.All() {
		if err != nil {
			return err
		}
		if err := fn(row); err != nil {
			return err
		}
	}
	return nil
}

// recordBatch is how many rows of history are in a batch.
const recordBatch = 16 << 10

// Stream is the result of a query as rows of a table, whose columns it gives in their
// order.
func (r *Recorder) Stream(ctx context.Context, table *schemas.Table, query string) pipeline.Stream {
	schema := table.Arrow()
	return pipeline.Stream{Schema: schema, Batches: func(yield func(arrow.RecordBatch, error) bool) {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		defer b.Release()
		stopped := false
		give := func() bool {
			batch := b.NewRecordBatch()
			defer batch.Release()
			stopped = !yield(batch, nil)
			return !stopped
		}
		rows := 0
		err := r.Rows(ctx, query, func(row []any) error {
			if stopped {
				return nil
			}
			if len(row) != len(table.Fields) {
				return fmt.Errorf("%d columns for the %d of %s", len(row), len(table.Fields), table.Name)
			}
			for i, v := range row {
				if err := appendValue(b.Field(i), v); err != nil {
					return fmt.Errorf("%s.%s: %w", table.Name, table.Fields[i].Name, err)
				}
			}
			if rows++; rows%recordBatch == 0 {
				give()
			}
			return nil
		})
		switch {
		case stopped:
		case err != nil:
			yield(nil, err)
		case rows%recordBatch != 0:
			give()
		}
	}}
}

// appendValue puts a value of Rows into a column.
func appendValue(to array.Builder, v any) error {
	switch v := v.(type) {
	case nil:
		to.AppendNull()
		return nil
	case bool:
		if b, ok := to.(*array.BooleanBuilder); ok {
			b.Append(v)
			return nil
		}
	case int64:
		switch b := to.(type) {
		case *array.Int32Builder:
			b.Append(int32(v))
			return nil
		case *array.Int64Builder:
			b.Append(v)
			return nil
		}
	case time.Time:
		switch b := to.(type) {
		case *array.Date32Builder:
			b.Append(arrow.Date32FromTime(v))
			return nil
		case *array.Date32DictionaryBuilder:
			return b.Append(arrow.Date32FromTime(v))
		}
	case string:
		return appendText(to, v)
	}
	return fmt.Errorf("a %T is no value of type %s", v, to.Type())
}

// appendText puts text, or a GUID as text, into a column.
func appendText(to array.Builder, text string) error {
	switch b := to.(type) {
	case *array.StringBuilder:
		b.Append(text)
		return nil
	case *array.BinaryDictionaryBuilder:
		return b.AppendString(text)
	}
	id, err := uuid.Parse(text)
	if err != nil {
		return fmt.Errorf("%q is no value of type %s", text, to.Type())
	}
	switch b := to.(type) {
	case *array.FixedSizeBinaryBuilder:
		b.Append(id[:])
		return nil
	case *array.FixedSizeBinaryDictionaryBuilder:
		return b.Append(id[:])
	}
	return fmt.Errorf("text is no value of type %s", to.Type())
}
