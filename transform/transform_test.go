package transform

import (
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"seatlake/pipeline"
	"seatlake/schemas"
)

// row is a row as Go values: string, bool, int32, int64, time.Time (dates and
// timestamps), []any (lists), row (structs), UUIDs as hexadecimal; nil for null.
type row map[string]any

// tableSchema is the schema of some columns of a table.
func tableSchema(table *schemas.Table, names ...string) *arrow.Schema {
	var fields []schemas.Field
	for _, name := range names {
		f, ok := table.Field(name)
		if !ok {
			panic("no column " + name)
		}
		fields = append(fields, *f)
	}
	return schemas.ArrowSchema(fields)
}

// build makes a batch of rows; absent columns are null.
func build(mem memory.Allocator, schema *arrow.Schema, rows []row) arrow.RecordBatch {
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	for _, r := range rows {
		for i, f := range schema.Fields() {
			put(b.Field(i), r[f.Name])
		}
	}
	return b.NewRecordBatch()
}

func put(b array.Builder, v any) {
	if v == nil {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.FixedSizeBinaryBuilder:
		b.Append(unhex(v))
	case *array.FixedSizeBinaryDictionaryBuilder:
		must(b.Append(unhex(v)))
	case *array.StringBuilder:
		b.Append(v.(string))
	case *array.BinaryDictionaryBuilder:
		must(b.AppendString(v.(string)))
	case *array.BooleanBuilder:
		b.Append(v.(bool))
	case *array.Int32Builder:
		b.Append(v.(int32))
	case *array.Date32DictionaryBuilder:
		must(b.Append(arrow.Date32FromTime(v.(time.Time))))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(v.(time.Time).UnixMicro()))
	case *array.ListBuilder:
		b.Append(true)
		for _, e := range v.([]any) {
			put(b.ValueBuilder(), e)
		}
	case *array.StructBuilder:
		b.Append(true)
		for i, f := range b.Type().(*arrow.StructType).Fields() {
			put(b.FieldBuilder(i), v.(row)[f.Name])
		}
	default:
		panic(fmt.Sprintf("no builder for %T", b))
	}
}

func unhex(v any) []byte {
	b, err := hex.DecodeString(v.(string))
	must(err)
	return b
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// read is the rows of a batch.
func read(batch arrow.RecordBatch) []row {
	rows := make([]row, batch.NumRows())
	for i := range rows {
		rows[i] = row{}
		for c, f := range batch.Schema().Fields() {
			rows[i][f.Name] = get(batch.Column(c), i)
		}
	}
	return rows
}

func get(a arrow.Array, i int) any {
	if a.IsNull(i) {
		return nil
	}
	switch a := a.(type) {
	case *array.Dictionary:
		return get(a.Dictionary(), a.GetValueIndex(i))
	case *array.FixedSizeBinary:
		return hex.EncodeToString(a.Value(i))
	case *array.String:
		return a.Value(i)
	case *array.Boolean:
		return a.Value(i)
	case *array.Int32:
		return a.Value(i)
	case *array.Date32:
		return a.Value(i).ToTime()
	case *array.Timestamp:
		return time.UnixMicro(int64(a.Value(i))).UTC()
	case *array.List:
		from, to := a.ValueOffsets(i)
		out := []any{}
		for j := from; j < to; j++ {
			out = append(out, get(a.ListValues(), int(j)))
		}
		return out
	case *array.Struct:
		out := row{}
		for c, f := range a.DataType().(*arrow.StructType).Fields() {
			out[f.Name] = get(a.Field(c), i)
		}
		return out
	default:
		panic(fmt.Sprintf("no reader for %T", a))
	}
}

// tb is what testing.T and rapid.T share.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// lend is a stream of batches that are built as they are asked for and released
// once they were lent. Rows are cut at the given sizes, the rest in one batch;
// each batch is a slice out of the middle of a larger one, so that offsets are
// never zero.
func lend(mem memory.Allocator, schema *arrow.Schema, rows []row, sizes ...int) pipeline.Stream {
	return pipeline.Stream{Schema: schema, Batches: func(yield func(arrow.RecordBatch, error) bool) {
		for part := range cut(rows, sizes) {
			padded := make([]row, 0, len(part)+4)
			pad := rows[:min(3, len(rows))]
			padded = append(append(append(padded, pad...), part...), pad...)
			whole := build(mem, schema, padded)
			batch := whole.NewSlice(int64(len(pad)), int64(len(pad)+len(part)))
			whole.Release()
			more := yield(batch, nil)
			batch.Release()
			if !more {
				return
			}
		}
	}}
}

func cut(rows []row, sizes []int) iter.Seq[[]row] {
	return func(yield func([]row) bool) {
		for _, n := range sizes {
			n = min(n, len(rows))
			if !yield(rows[:n]) {
				return
			}
			rows = rows[n:]
		}
		if len(rows) > 0 || len(sizes) == 0 {
			yield(rows)
		}
	}
}

// run sends rows through transforms and reads what comes out. It checks that
// batches are whole and have the stream's schema, and that all memory is given
// back.
func run(t tb, schema *arrow.Schema, rows []row, sizes []int, through ...pipeline.Transform) ([]row, error) {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	s := lend(mem, schema, rows, sizes...)
	for _, f := range through {
		var err error
		if s, err = f(s); err != nil {
			return nil, err
		}
	}
	out := []row{}
	var failed error
	for batch, err := range s.Batches {
		if err != nil {
			failed = err
			break
		}
		if !batch.Schema().Equal(s.Schema) {
			t.Errorf("batch has schema %v, stream %v", batch.Schema(), s.Schema)
		}
		for i, c := range batch.Columns() {
			if !arrow.TypeEqual(c.DataType(), s.Schema.Field(i).Type) {
				t.Errorf("column %s is %v, want %v", s.Schema.Field(i).Name, c.DataType(), s.Schema.Field(i).Type)
			}
			if err := array.ValidateFull(c); err != nil {
				t.Errorf("column %s: %v", s.Schema.Field(i).Name, err)
			}
		}
		out = append(out, read(batch)...)
	}
	checkFreed(t, mem)
	return out, failed
}

func checkFreed(t tb, mem *memory.CheckedAllocator) {
	t.Helper()
	if n := mem.CurrentAlloc(); n != 0 {
		t.Errorf("%d bytes were not given back", n)
	}
}

// The draws that several properties share.
var (
	uuidDraw  = rapid.Custom(func(t *rapid.T) any { return id(rapid.IntRange(0, 5).Draw(t, "id")) })
	sizesDraw = rapid.SliceOfN(rapid.IntRange(0, 7), 0, 6)
	boolDraw  = rapid.SampledFrom([]any{nil, true, false})
)

func nullable(g *rapid.Generator[any]) *rapid.Generator[any] {
	return rapid.OneOf(rapid.Just[any](nil), g)
}

// id is the n-th UUID of the tests, as hexadecimal.
func id(n int) string { return fmt.Sprintf("%032x", n) }

func uuid(n int) (out [16]byte) {
	copy(out[:], unhex(id(n)))
	return out
}

// day is the n-th day of the tests.
func date(n int) time.Time { return time.Date(2026, 2, 27, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n) }

func TestTransformsPassErrorsOn(t *testing.T) {
	broken := errors.New("page 3 is broken")
	for name, c := range everyTransform() {
		t.Run(name, func(t *testing.T) {
			in := pipeline.Stream{Schema: c.schema, Batches: func(yield func(arrow.RecordBatch, error) bool) { yield(nil, broken) }}
			out, err := c.transform(in)
			if err != nil {
				t.Fatal(err)
			}
			for batch, err := range out.Batches {
				if batch != nil || !errors.Is(err, broken) {
					t.Errorf("got batch %v, error %v", batch, err)
				}
			}
		})
	}
}

func TestTransformsGiveBackWhatTheyHeldWhenTheReaderStops(t *testing.T) {
	for name, c := range everyTransform() {
		t.Run(name, func(t *testing.T) {
			mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
			defer mem.AssertSize(t, 0)
			out, err := c.transform(lend(mem, c.schema, []row{c.row, c.row}, 1, 1))
			if err != nil {
				t.Fatal(err)
			}
			seen := 0
			for _, err := range out.Batches {
				if err != nil {
					t.Fatal(err)
				}
				seen++
				break
			}
			if seen != 1 {
				t.Errorf("%d batches, want 1", seen)
			}
		})
	}
}

func TestTransformsTakeEmptyBatches(t *testing.T) {
	for name, c := range everyTransform() {
		t.Run(name, func(t *testing.T) {
			got, err := run(t, c.schema, nil, []int{0, 0}, c.transform)
			if err != nil || len(got) != 0 {
				t.Errorf("got %d rows, error %v", len(got), err)
			}
		})
	}
}

func TestTransformsRefuseAStreamThatLacksTheirColumns(t *testing.T) {
	for name, c := range everyTransform() {
		if name == "rows" {
			continue // counts whatever comes
		}
		t.Run(name, func(t *testing.T) {
			if _, err := c.transform(pipeline.Stream{Schema: arrow.NewSchema(nil, nil)}); err == nil {
				t.Error("a stream without columns was taken")
			}
		})
	}
}

// TestABatchIsReadByTwoTransformsAtOnce fails under the race detector: one
// source's batches feed several tables side by side.
func TestABatchIsReadByTwoTransformsAtOnce(t *testing.T) {
	for name, c := range everyTransform() {
		t.Run(name, func(t *testing.T) {
			mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
			defer mem.AssertSize(t, 0)
			batch := build(mem, c.schema, []row{c.row, c.row})
			defer batch.Release()
			var group errgroup.Group
			for _, transform := range []pipeline.Transform{c.transform, everyTransform()[name].transform} {
				group.Go(func() error {
					out, err := transform(pipeline.Stream{Schema: c.schema, Batches: func(yield func(arrow.RecordBatch, error) bool) { yield(batch, nil) }})
					if err != nil {
						return err
					}
					for _, err := range out.Batches {
						if err != nil {
							return err
						}
					}
					return nil
				})
			}
			if err := group.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

type transformCase struct {
	transform pipeline.Transform
	schema    *arrow.Schema
	row       row
}

// everyTransform is each transform with a row that it takes.
func everyTransform() map[string]transformCase {
	reports := schemas.ReportOffice365ActiveUserDetail
	signIn := row{"id": id(1), "created_date_time": date(1)}
	signIns := tableSchema(schemas.GraphSignIns, "id", "created_date_time", "app_id", "resource_id")
	return map[string]transformCase{
		"stamp": {
			Stamp(schemas.GraphServicePlans, uuid(9), date(0)),
			unstamped(schemas.GraphServicePlans), row{"sku_id": id(1), "service_plan_id": id(2)},
		},
		"distinct":         {Distinct("id", DistinctOptions{}), signIns, signIn},
		"within":           {Within("created_date_time", pipeline.Window{}), signIns, signIn},
		"activity":         {Activity(), schemas.ArrowSchema(reports.Decoded()), row{"report_refresh_date": date(9)}},
		"devices":          {Devices(), schemas.ArrowSchema(schemas.ReportM365AppUserDetail.Decoded()), row{"report_refresh_date": date(9), "word": true}},
		"sign-in services": {SignInServices(nil), signIns, signIn},
		"licenses": {
			Licenses(entitledTo{}), usersSchema(),
			row{"id": id(1), "assigned_licenses": []any{row{"sku_id": id(2)}}},
		},
		"service plans": {
			ServicePlans(), tableSchema(schemas.GraphSubscribedSkus, "sku_id", "service_plans"),
			row{"sku_id": id(1), "service_plans": []any{row{"service_plan_id": id(2)}}},
		},
		"rows":  {Observe(&Rows{}), signIns, signIn},
		"dates": {Observe(&Dates{Column: "report_refresh_date"}), schemas.ArrowSchema(reports.Decoded()), row{"report_refresh_date": date(9)}},
		"tenant plans": {
			Observe(&TenantPlans{}),
			unstamped(schemas.GraphServicePlans), row{"sku_id": id(1), "service_plan_id": id(2)},
		},
		"concealment": {Observe(&Concealment{Column: "user_principal_name"}), schemas.ArrowSchema(reports.Decoded()), row{"report_refresh_date": date(9)}},
	}
}
