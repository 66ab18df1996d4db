package transform

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"seatlake/schemas"
)

func TestStampGivesEachRowTheDayOfItsInstant(t *testing.T) {
	in := tableSchema(schemas.GraphSignIns, signInColumns()...)
	rapid.Check(t, func(t *rapid.T) {
		var rows, want []row
		for range rapid.IntRange(0, 12).Draw(t, "rows") {
			at := time.UnixMicro(rapid.Int64Range(-1e14, 2e15).Draw(t, "at")).UTC()
			r := row{"id": uuidDraw.Draw(t, "id"), "created_date_time": at, "app_id": nullable(uuidDraw).Draw(t, "app")}
			rows = append(rows, r)
			want = append(want, row{
				"tenant_id": id(9), "event_date": at.Truncate(24 * time.Hour),
				"id": r["id"], "created_date_time": at, "app_id": r["app_id"],
			})
		}
		got, err := run(t, in, rows, sizesDraw.Draw(t, "sizes"), Stamp(schemas.GraphSignIns, uuid(9), time.Time{}))
		if err != nil {
			t.Fatalf("%v", err)
		}
		if len(got) != len(want) {
			t.Fatalf("%d rows, want %d", len(got), len(want))
		}
		for i := range want {
			for name, v := range want[i] {
				if d := cmp.Diff(v, got[i][name]); d != "" {
					t.Errorf("row %d: %s: -want +got\n%s", i, name, d)
				}
			}
		}
	})
}

// signInColumns is what Stamp finds in sign-ins, in another order than the
// table's.
func signInColumns() []string {
	names := []string{"service_rule", "service"}
	for _, f := range schemas.GraphSignIns.Decoded() {
		names = append(names, f.Name)
	}
	return names
}

func TestStampGivesTheTablesSchema(t *testing.T) {
	for _, table := range schemas.All() {
		if _, ok := table.Field("created_date_time"); table.Partition == "event_date" && !ok {
			continue // its days are not those of events that Graph tells
		}
		t.Run(table.Name, func(t *testing.T) {
			var fields []schemas.Field
			for _, f := range table.Fields {
				if !f.Computed() || f.Name != "tenant_id" && f.Name != "snapshot_date" && f.Name != "event_date" {
					fields = append([]schemas.Field{f}, fields...)
				}
			}
			out, err := Stamp(table, uuid(9), date(0))(lend(nil, schemas.ArrowSchema(fields), nil))
			if err != nil {
				t.Fatal(err)
			}
			if !out.Schema.Equal(table.Arrow()) {
				t.Errorf("got %v\nwant %v", out.Schema, table.Arrow())
			}
		})
	}
}

func TestStampRefuses(t *testing.T) {
	plans := schemas.GraphServicePlans
	t.Run("a stream that lacks a computed column", func(t *testing.T) {
		in := tableSchema(plans, "sku_id", "service_plan_id", "service_plan_name", "provisioning_status")
		_, err := Stamp(plans, uuid(9), date(0))(lend(nil, in, nil))
		if err == nil || !strings.Contains(err.Error(), "applies_to") {
			t.Errorf("error is %v, want one that names applies_to", err)
		}
	})
	t.Run("a stream with a column that the table lacks", func(t *testing.T) {
		in := schemas.ArrowSchema(append(plans.Fields[2:len(plans.Fields):len(plans.Fields)], schemas.Field{ID: 99, Name: "extra", Kind: schemas.Bool}))
		_, err := Stamp(plans, uuid(9), date(0))(lend(nil, in, nil))
		if err == nil || !strings.Contains(err.Error(), "extra") {
			t.Errorf("error is %v, want one that names extra", err)
		}
	})
	t.Run("a column of another type", func(t *testing.T) {
		fields := append([]schemas.Field(nil), plans.Fields[2:]...)
		fields[1].Dict = false
		_, err := Stamp(plans, uuid(9), date(0))(lend(nil, schemas.ArrowSchema(fields), nil))
		if err == nil || !strings.Contains(err.Error(), "service_plan_id") {
			t.Errorf("error is %v, want one that names service_plan_id", err)
		}
	})
	t.Run("a sign-in without its instant", func(t *testing.T) {
		in := tableSchema(schemas.GraphSignIns, signInColumns()...)
		_, err := run(t, in, []row{{"id": id(1)}}, nil, Stamp(schemas.GraphSignIns, uuid(9), date(0)))
		if err == nil || !strings.Contains(err.Error(), "created_date_time") {
			t.Errorf("error is %v, want one that names created_date_time", err)
		}
	})
}
