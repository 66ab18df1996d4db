package pipelinetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/uuid"

	"seatlake/pipeline"
	"seatlake/schemas"
)

// Plan is a row of graph_service_plans, the small table that the suites write.
type Plan struct {
	Tenant string // GUID; empty for null
	Day    string // snapshot_date, "2006-01-02"; empty for null
	Number int    // any; it becomes the row's ids and name
}

// Plans is n rows of one tenant and day, numbered from first.
func Plans(tenant, day string, first, n int) []Plan {
	rows := make([]Plan, n)
	for i := range rows {
		rows[i] = Plan{tenant, day, first + i}
	}
	return rows
}

// PlanStream is a stream of batches of graph_service_plans. It makes each batch
// when it is asked for, and releases it after it was lent.
func PlanStream(t testing.TB, mem memory.Allocator, batches ...[]Plan) pipeline.Stream {
	schema := schemas.GraphServicePlans.Arrow()
	return pipeline.Stream{Schema: schema, Batches: func(yield func(arrow.RecordBatch, error) bool) {
		for _, rows := range batches {
			batch := planBatch(t, mem, schema, rows)
			more := yield(batch, nil)
			batch.Release()
			if !more {
				return
			}
		}
	}}
}

func planBatch(t testing.TB, mem memory.Allocator, schema *arrow.Schema, rows []Plan) arrow.RecordBatch {
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	for _, r := range rows {
		sku := uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, "sku", r.Number%7))
		plan := uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, "plan", r.Number))
		var err error
		for i, f := range schema.Fields() {
			switch column := b.Field(i).(type) {
			case *array.FixedSizeBinaryDictionaryBuilder:
				id := map[string]uuid.UUID{"tenant_id": parse(t, r.Tenant), "sku_id": sku, "service_plan_id": plan}[f.Name]
				if f.Name == "tenant_id" && r.Tenant == "" {
					column.AppendNull()
					continue
				}
				err = column.Append(id[:])
			case *array.Date32DictionaryBuilder:
				if r.Day == "" {
					column.AppendNull()
					continue
				}
				err = column.Append(arrow.Date32FromTime(date(t, r.Day)))
			case *array.BinaryDictionaryBuilder:
				err = column.AppendString(fmt.Sprintf("%s %d", f.Name, r.Number))
			default:
				t.Fatalf("column %s has a type that the suite cannot build: %T", f.Name, column)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return b.NewRecordBatch()
}

func parse(t testing.TB, s string) uuid.UUID {
	if s == "" {
		return uuid.Nil
	}
	id, err := uuid.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func date(t testing.TB, s string) time.Time {
	d, err := time.Parse(time.DateOnly, s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
