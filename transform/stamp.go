package transform

import (
	"errors"
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"seatlake/pipeline"
	"seatlake/schemas"
)

// Stamp makes rows of a table complete: it adds tenant_id, snapshot_date (the
// UTC day of day) and event_date (the UTC day of created_date_time), as far as
// the table has them, and puts all columns in the table's order. The resulting
// schema is the table's.
//
// A stream that lacks any other column of the table, holds one that the table
// lacks, or one of another type, is refused. So is a row without the
// created_date_time that its event_date is taken from.
func Stamp(table *schemas.Table, tenantID [16]byte, day time.Time) pipeline.Transform {
	return func(in pipeline.Stream) (pipeline.Stream, error) {
		s := &stamp{schema: table.Arrow()}
		var faults []error
		for i := range table.Fields {
			f := &table.Fields[i]
			take, err := s.column(f, in.Schema, tenantID, day)
			if err != nil {
				faults = append(faults, err)
			}
			s.take = append(s.take, take)
		}
		for _, f := range in.Schema.Fields() {
			if _, ok := table.Field(f.Name); !ok {
				faults = append(faults, fmt.Errorf("stream has a column %s that the table lacks", f.Name))
			}
		}
		if faults != nil {
			return pipeline.Stream{}, fmt.Errorf("stamp %s: %w", table.Name, errors.Join(faults...))
		}
		return pipeline.Map(in, s.schema, s.batch), nil
	}
}

type stamp struct {
	schema *arrow.Schema
	take   []func(arrow.RecordBatch) (arrow.Array, error) // the columns of the table; a reference is the caller's
	zeros  []int32
}

// column says where a column of the table comes from.
func (s *stamp) column(f *schemas.Field, in *arrow.Schema, tenantID [16]byte, day time.Time) (func(arrow.RecordBatch) (arrow.Array, error), error) {
	switch {
	case f.Computed() && f.Name == "tenant_id":
		return s.constant(uuids(tenantID[:])), nil
	case f.Computed() && f.Name == "snapshot_date":
		return s.constant(days([]arrow.Date32{arrow.Date32FromTime(day.UTC())})), nil
	case f.Computed() && f.Name == "event_date":
		at, err := position(in, "created_date_time", timestampType())
		if err != nil {
			return nil, err
		}
		return func(batch arrow.RecordBatch) (arrow.Array, error) {
			return eventDates(batch.Column(at).(*array.Timestamp))
		}, nil
	}
	at, err := position(in, f.Name, f.ArrowType())
	if err != nil {
		return nil, err
	}
	return func(batch arrow.RecordBatch) (arrow.Array, error) {
		c := batch.Column(at)
		c.Retain()
		return c, nil
	}, nil
}

func timestampType() arrow.DataType {
	return &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
}

// constant is a dictionary column of one value. All rows point at it, so that
// batches of any size share the zeros they are made of.
func (s *stamp) constant(value arrow.Array) func(arrow.RecordBatch) (arrow.Array, error) {
	return func(batch arrow.RecordBatch) (arrow.Array, error) {
		n := int(batch.NumRows())
		if n > len(s.zeros) {
			s.zeros = make([]int32, n)
		}
		buffers := []*memory.Buffer{nil, memory.NewBufferBytes(arrow.GetBytes(s.zeros[:n:n]))}
		data := array.NewDataWithDictionary(dictType(value.DataType()), n, buffers, 0, 0, value.Data().(*array.Data))
		return fromData(data), nil
	}
}

func (s *stamp) batch(batch arrow.RecordBatch) (arrow.RecordBatch, error) {
	columns := make([]arrow.Array, 0, len(s.take))
	defer func() { release(columns) }()
	for _, take := range s.take {
		c, err := take(batch)
		if err != nil {
			return nil, err
		}
		columns = append(columns, c)
	}
	return array.NewRecordBatch(s.schema, columns, batch.NumRows()), nil
}

// eventDates is the UTC days of instants.
func eventDates(at *array.Timestamp) (arrow.Array, error) {
	var (
		dict    values[arrow.Date32]
		indices = makeColumn[int32](at.Len())
		last    arrow.Date32
		index   = int32(-1)
	)
	for i, us := range at.TimestampValues() {
		if at.IsNull(i) {
			return nil, fmt.Errorf("row %d of the batch has no created_date_time, so it belongs to no event_date", i)
		}
		// Sign-ins come in order of time: most rows repeat the day before them.
		if day := dayOf(us); index < 0 || day != last {
			last, index = day, dict.index(day)
		}
		indices.append(index)
	}
	return dictionary(&indices, days(dict.seen)), nil
}

const dayInMicros = int64(24 * time.Hour / time.Microsecond)

// dayOf is the UTC day of an instant in microseconds, before 1970 too.
func dayOf(us arrow.Timestamp) arrow.Date32 {
	day := int64(us) / dayInMicros
	if int64(us)%dayInMicros < 0 {
		day--
	}
	return arrow.Date32(day)
}
