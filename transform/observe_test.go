package transform

import (
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"seatlake/schemas"
)

func TestObserveChangesNothing(t *testing.T) {
	table := schemas.ReportOneDriveUsageAccountDetail
	in := tableSchema(table, "report_refresh_date", "site_id", "owner_principal_name")
	rows := []row{
		{"report_refresh_date": date(3), "site_id": id(1), "owner_principal_name": "a@contoso.com"},
		{"report_refresh_date": date(1), "site_id": nil, "owner_principal_name": nil},
		{"report_refresh_date": date(3), "site_id": id(0), "owner_principal_name": "(Unknown)"},
	}
	var count Rows
	days := &Dates{Column: "report_refresh_date"}
	c := ConcealmentOf(table)
	got, err := run(t, in, rows, []int{1, 0, 1}, Observe(&count, days, c))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(rows, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if count.N != 3 {
		t.Errorf("%d rows", count.N)
	}
	if d := cmp.Diff([]string{"2026-02-28", "2026-03-02"}, days.Days()); d != "" {
		t.Errorf("days: -want +got\n%s", d)
	}
	if c.Names != 1 || c.Hashes != 0 || c.Sites != 2 || c.Zeroes != 1 || c.Concealed() {
		t.Errorf("concealment is %+v", c)
	}
}

func TestDatesLeavesOutDaysThatNoRowPointsAt(t *testing.T) {
	in := tableSchema(schemas.ReportOneDriveUsageAccountDetail, "report_refresh_date")
	whole := build(memory.NewGoAllocator(), in, []row{{"report_refresh_date": date(1)}, {"report_refresh_date": date(2)}})
	days := &Dates{Column: "report_refresh_date"}
	if err := days.Bind(in); err != nil {
		t.Fatal(err)
	}
	days.See(whole.NewSlice(0, 1))
	if d := cmp.Diff([]string{"2026-02-28"}, days.Days()); d != "" {
		t.Errorf("days: -want +got\n%s", d)
	}
}

func TestFlagIsSetByAnyRow(t *testing.T) {
	in := tableSchema(schemas.GraphReportSettings, "display_concealed_names")
	for _, c := range []struct {
		values []any
		want   bool
	}{
		{nil, false},
		{[]any{false, nil}, false},
		{[]any{false, true, false}, true},
	} {
		var rows []row
		for _, v := range c.values {
			rows = append(rows, row{"display_concealed_names": v})
		}
		flag := &Flag{Column: "display_concealed_names"}
		if _, err := run(t, in, rows, []int{1, 2}, Observe(flag)); err != nil {
			t.Fatal(err)
		}
		if flag.Set != c.want {
			t.Errorf("%v: set is %v", c.values, flag.Set)
		}
	}
}

func TestNamesAreConcealed(t *testing.T) {
	const hash = "0C3AF1D6E1B2F0F97EBBD6E7A5A8B9C1"
	repeat := func(n int, name string) []row {
		var out []row
		for range n {
			out = append(out, row{"user_principal_name": name})
		}
		return out
	}
	for name, c := range map[string]struct {
		rows []row
		want bool
	}{
		"when nearly all are hashes":          {append(repeat(91, hash), repeat(9, "a@contoso.com")...), true},
		"not when nine of ten are":            {append(repeat(9, hash), repeat(1, "a@contoso.com")...), false},
		"in the form of 2021":                 {repeat(3, "<PII:H105(1234abcd)>@contoso.com"), true},
		"and blanks and unknowns do not tell": {append(append(repeat(1, hash), repeat(9, "")...), repeat(9, "(Unknown)")...), true},
		"not when there are none":             {repeat(9, "(Unknown)"), false},
		"not in lower case":                   {repeat(3, "0c3af1d6e1b2f0f97ebbd6e7a5a8b9c1"), false},
		"not when a name is as long":          {repeat(3, "abcdefghijklmnopqrst@contoso.com"), false},
	} {
		t.Run(name, func(t *testing.T) {
			probe := &Concealment{Column: "user_principal_name"}
			in := tableSchema(schemas.ReportOffice365ActiveUserDetail, "user_principal_name")
			if _, err := run(t, in, c.rows, []int{4}, Observe(probe)); err != nil {
				t.Fatal(err)
			}
			if got := probe.Concealed(); got != c.want {
				t.Errorf("concealed is %v: %+v", got, probe)
			}
		})
	}
}

func TestSitesAreConcealedWhenAllAreZero(t *testing.T) {
	in := tableSchema(schemas.ReportOneDriveUsageAccountDetail, "site_id", "owner_principal_name")
	for _, c := range []struct {
		sites []any
		want  bool
	}{
		{[]any{id(0), nil, id(0)}, true},
		{[]any{id(0), id(1)}, false},
		{[]any{nil}, false},
		{nil, false},
	} {
		t.Run(fmt.Sprint(c.sites), func(t *testing.T) {
			var rows []row
			for _, s := range c.sites {
				rows = append(rows, row{"site_id": s})
			}
			probe := &Concealment{Column: "owner_principal_name", SiteIDs: "site_id"}
			if _, err := run(t, in, rows, nil, Observe(probe)); err != nil {
				t.Fatal(err)
			}
			if got := probe.Concealed(); got != c.want {
				t.Errorf("concealed is %v", got)
			}
		})
	}
}

func TestEveryReportHasAConcealmentProbe(t *testing.T) {
	for _, table := range schemas.All() {
		c := ConcealmentOf(table)
		if (c != nil) != (table.Format == schemas.CSV) {
			t.Errorf("%s: probe is %+v", table.Name, c)
		}
		if c != nil {
			if err := c.Bind(schemas.ArrowSchema(table.Decoded())); err != nil {
				t.Errorf("%s: %v", table.Name, err)
			}
		}
	}
}

func TestTenantPlansAreWhatTheTenantWasTold(t *testing.T) {
	in := tableSchema(schemas.GraphSubscribedSkus, "sku_id", "service_plans")
	plans := &TenantPlans{}
	_, err := run(t, in, []row{
		{"sku_id": id(1), "service_plans": []any{row{"service_plan_id": id(21), "service_plan_name": "TEAMS1"}, row{"service_plan_id": id(22)}}},
		{"sku_id": id(2), "service_plans": []any{}},
		{"sku_id": id(3), "service_plans": []any{row{"service_plan_id": id(21), "service_plan_name": "TEAMS1"}}},
	}, []int{1, 1}, ServicePlans(), Observe(plans))
	if err != nil {
		t.Fatal(err)
	}
	for sku, want := range [][]NamedPlan{1: {{uuid(21), "TEAMS1"}, {ID: uuid(22)}}, 2: nil, 3: {{uuid(21), "TEAMS1"}}, 4: nil} {
		if d := cmp.Diff(want, plans.Plans(uuid(sku))); d != "" {
			t.Errorf("SKU %d: -want +got\n%s", sku, d)
		}
	}
}
