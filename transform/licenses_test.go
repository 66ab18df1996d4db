package transform

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"seatlake/pipeline"
	"seatlake/schemas"
)

// entitledTo is Entitlements as a table.
type entitledTo map[[16]byte][]Plan

func (e entitledTo) Plans(sku [16]byte) []Plan { return e[sku] }

func usersSchema() *arrow.Schema {
	return tableSchema(schemas.GraphUsers, "id", "user_principal_name", "assigned_licenses", "license_assignment_states")
}

func TestLicensesEqualTheRowByRowModel(t *testing.T) {
	states := rapid.SampledFrom([]any{nil, "Active", "ActiveWithError", "Disabled", "Error", "Paused"})
	failures := rapid.SampledFrom([]any{nil, "None", "", "CountViolation", "Others"})
	plans := rapid.Map(rapid.SliceOfN(rapid.IntRange(20, 27), 0, 4), func(ns []int) any {
		out := []any{}
		for _, n := range ns {
			out = append(out, id(n))
		}
		return out
	})
	skus := rapid.Map(rapid.IntRange(10, 14), func(n int) any { return id(n) })
	held := rapid.Custom(func(t *rapid.T) any {
		return row{"sku_id": skus.Draw(t, "sku"), "disabled_plans": nullable(plans).Draw(t, "disabled")}
	})
	state := rapid.Custom(func(t *rapid.T) any {
		return row{
			"sku_id": skus.Draw(t, "sku"), "disabled_plans": nullable(plans).Draw(t, "disabled"),
			"assigned_by_group": nullable(uuidDraw).Draw(t, "group"),
			"state":             states.Draw(t, "state"), "error": failures.Draw(t, "error"),
			"last_updated_date_time": nullable(rapid.Map(rapid.IntRange(-3, 3), func(n int) any { return date(n) })).Draw(t, "updated"),
		}
	})
	listOf := func(e *rapid.Generator[any]) *rapid.Generator[any] {
		return nullable(rapid.Map(rapid.SliceOfN(nullable(e), 0, 5), func(l []any) any { return l }))
	}
	services := rapid.SliceOfNDistinct(rapid.SampledFrom(schemas.Services()), 0, 2, rapid.ID)
	rapid.Check(t, func(t *rapid.T) {
		users := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) row {
			return row{
				"id":                        uuidDraw.Draw(t, "user"),
				"assigned_licenses":         listOf(held).Draw(t, "assigned"),
				"license_assignment_states": listOf(state).Draw(t, "states"),
			}
		}), 0, 12).Draw(t, "users")
		entitled := entitledTo{}
		for sku := 10; sku < 14; sku++ { // nobody knows the last
			for _, plan := range rapid.SliceOfNDistinct(rapid.IntRange(20, 25), 0, 5, rapid.ID).Draw(t, "plans") {
				entitled[uuid(sku)] = append(entitled[uuid(sku)], Plan{ID: uuid(plan), Services: services.Draw(t, "services")})
			}
		}
		got, err := run(t, usersSchema(), users, sizesDraw.Draw(t, "sizes"), Licenses(entitled))
		if err != nil {
			t.Fatalf("%v", err)
		}
		want := []row{}
		for _, u := range users {
			want = append(want, modelLicenses(u, entitled)...)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("-want +got\n%s", d)
		}
	})
}

// modelLicenses is the licences of one user, said as plainly as possible.
func modelLicenses(user row, entitled entitledTo) []row {
	var order []string
	held := map[string]bool{}
	listings := map[string][]row{}
	for _, l := range elements(user["assigned_licenses"]) {
		sku := l["sku_id"].(string)
		if !held[sku] {
			order = append(order, sku)
		}
		held[sku] = true
		listings[sku] = append(listings[sku], l)
	}
	states := map[string][]row{}
	for _, s := range elements(user["license_assignment_states"]) {
		sku := s["sku_id"].(string)
		if !held[sku] && states[sku] == nil {
			order = append(order, sku)
		}
		states[sku] = append(states[sku], s)
		if !held[sku] {
			listings[sku] = append(listings[sku], s)
		}
	}
	isError := func(s row) bool { return s["error"] != nil && s["error"] != "" && s["error"] != "None" }
	var out []row
	for _, sku := range order {
		failing := slices.ContainsFunc(states[sku], func(s row) bool {
			return s["state"] == "Error" || s["state"] == "ActiveWithError" || isError(s)
		})
		if !held[sku] && !failing {
			continue
		}
		r := row{
			"user_id": user["id"], "sku_id": sku, "holds_seat": held[sku],
			"service": nil, "assigned_by": nil, "assigned_by_groups": nil, "assigned_date_time": nil,
			"assignment_state": nil, "assignment_error": nil,
		}
		off := map[string]int{}
		for _, l := range listings[sku] {
			once := map[string]bool{}
			list, _ := l["disabled_plans"].([]any)
			for _, p := range list {
				once[p.(string)] = true
			}
			for p := range once {
				off[p]++
			}
		}
		isOff := func(p string) bool { return off[p] == len(listings[sku]) }
		enabled, disabled := int32(0), []any{}
		for _, p := range slices.Sorted(maps.Keys(off)) {
			if isOff(p) {
				disabled = append(disabled, p)
			}
		}
		on := map[schemas.Service]bool{}
		var skuID [16]byte
		copy(skuID[:], unhex(sku))
		for _, p := range entitled[skuID] {
			if isOff(fmt.Sprintf("%x", p.ID)) {
				continue
			}
			enabled++
			for _, s := range p.Services {
				on[s] = true
			}
		}
		r["enabled_plans"], r["disabled_plans"], r["disabled_plan_ids"] = enabled, int32(len(disabled)), disabled
		for _, worst := range []string{"Error", "ActiveWithError", "Disabled", "Paused", "Active"} {
			if slices.ContainsFunc(states[sku], func(s row) bool { return s["state"] == worst }) {
				r["assignment_state"] = worst
				break
			}
		}
		if i := slices.IndexFunc(states[sku], isError); i >= 0 {
			r["assignment_error"] = states[sku][i]["error"]
		}
		telling := slices.DeleteFunc(slices.Clone(states[sku]), func(s row) bool {
			return s["state"] != "Active" && s["state"] != "ActiveWithError"
		})
		if len(telling) == 0 {
			telling = states[sku]
		}
		if len(telling) > 0 {
			groups := []any{}
			var ways []string
			for _, s := range telling {
				way := "direct"
				if g := s["assigned_by_group"]; g != nil {
					way = "group"
					if !slices.Contains(groups, g) {
						groups = append(groups, g)
					}
				}
				if !slices.Contains(ways, way) {
					ways = append(ways, way)
				}
				if at, ok := s["last_updated_date_time"].(time.Time); ok {
					if since, ok := r["assigned_date_time"].(time.Time); !ok || at.Before(since) {
						r["assigned_date_time"] = at
					}
				}
			}
			r["assigned_by_groups"] = groups
			r["assigned_by"] = ways[0]
			if len(ways) == 2 {
				r["assigned_by"] = "both"
			}
		}
		rows := 0
		for _, s := range schemas.Services() {
			if on[s] {
				c := row{}
				for k, v := range r {
					c[k] = v
				}
				c["service"] = string(s)
				out = append(out, c)
				rows++
			}
		}
		if rows == 0 {
			out = append(out, r)
		}
	}
	return out
}

func elements(list any) []row {
	var out []row
	l, _ := list.([]any)
	for _, e := range l {
		if e != nil {
			out = append(out, e.(row))
		}
	}
	return out
}

func TestLicensesSaysWhatAnExampleEntitles(t *testing.T) {
	entitled := entitledTo{uuid(10): {
		{ID: uuid(21), Services: []schemas.Service{schemas.Exchange, schemas.Outlook}},
		{ID: uuid(22), Services: []schemas.Service{schemas.Teams}},
		{ID: uuid(23)},
	}}
	users := []row{{
		"id":                id(1),
		"assigned_licenses": []any{row{"sku_id": id(10), "disabled_plans": []any{id(22)}}},
		"license_assignment_states": []any{
			row{"sku_id": id(10), "state": "Active", "error": "None", "last_updated_date_time": date(2)},
			row{"sku_id": id(10), "state": "Active", "error": "None", "last_updated_date_time": date(1), "assigned_by_group": id(30)},
			row{"sku_id": id(10), "state": "Error", "error": "CountViolation", "last_updated_date_time": date(0), "assigned_by_group": id(31)},
			row{"sku_id": id(11), "state": "Error", "error": "MutuallyExclusiveViolation", "last_updated_date_time": date(5), "assigned_by_group": id(30)},
		},
	}}
	got, err := run(t, usersSchema(), users, nil, Licenses(entitled))
	if err != nil {
		t.Fatal(err)
	}
	e5 := row{
		"user_id": id(1), "sku_id": id(10), "holds_seat": true, "assigned_by": "both", "assigned_by_groups": []any{id(30)},
		"assigned_date_time": date(1), "assignment_state": "Error", "assignment_error": "CountViolation",
		"enabled_plans": int32(2), "disabled_plans": int32(1), "disabled_plan_ids": []any{id(22)},
	}
	want := []row{
		with(e5, "service", "Microsoft Exchange Server"),
		with(e5, "service", "Outlook"),
		{
			"user_id": id(1), "sku_id": id(11), "service": nil, "holds_seat": false, "assigned_by": "group", "assigned_by_groups": []any{id(30)},
			"assigned_date_time": date(5), "assignment_state": "Error", "assignment_error": "MutuallyExclusiveViolation",
			"enabled_plans": int32(0), "disabled_plans": int32(0), "disabled_plan_ids": []any{},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestLicensesTellPlansOfHeldAndOfFailedLicencesApart(t *testing.T) {
	entitled := entitledTo{uuid(10): {
		{ID: uuid(21), Services: []schemas.Service{schemas.Teams}},
		{ID: uuid(22), Services: []schemas.Service{schemas.Yammer}},
	}}
	// Plan 21 and plan 22 are both the first value of their column's dictionary.
	users := []row{
		{"id": id(1), "assigned_licenses": []any{row{"sku_id": id(10), "disabled_plans": []any{id(21)}}}},
		{"id": id(2), "license_assignment_states": []any{row{"sku_id": id(10), "disabled_plans": []any{id(22)}, "state": "Error"}}},
	}
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	batch := build(mem, usersSchema(), users)
	defer batch.Release()
	out, err := Licenses(entitled)(pipeline.Stream{Schema: batch.Schema(), Batches: func(yield func(arrow.RecordBatch, error) bool) { yield(batch, nil) }})
	if err != nil {
		t.Fatal(err)
	}
	var got []any
	for batch, err := range out.Batches {
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range read(batch) {
			got = append(got, r["service"])
		}
	}
	if d := cmp.Diff([]any{"Yammer", "Microsoft Teams"}, got); d != "" {
		t.Errorf("services: -want +got\n%s", d)
	}
}

func with(r row, name string, v any) row {
	out := row{name: v}
	for k, v := range r {
		out[k] = v
	}
	return out
}

func TestLicensesAreCompleteOnceStamped(t *testing.T) {
	users := []row{{"id": id(1), "assigned_licenses": []any{row{"sku_id": id(10)}}}}
	got, err := run(t, usersSchema(), users, nil, Licenses(entitledTo{}), Stamp(schemas.GraphUserLicenses, uuid(9), date(3).Add(23*time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0]["tenant_id"] != id(9) || got[0]["snapshot_date"] != date(3) {
		t.Errorf("got %v", got)
	}
}

func TestLicensesRefuseWhatHasNoId(t *testing.T) {
	for name, c := range map[string]struct {
		user row
		want string
	}{
		"a user":              {row{}, "has no id"},
		"an assigned licence": {row{"id": id(1), "assigned_licenses": []any{row{}}}, "no SKU"},
		"a state":             {row{"id": id(1), "license_assignment_states": []any{row{"state": "Active"}}}, "no SKU"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := run(t, usersSchema(), []row{c.user}, nil, Licenses(entitledTo{}))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q in it", err, c.want)
			}
		})
	}
}

func BenchmarkLicenses(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 2))
	entitled := entitledTo{}
	for sku := range 30 {
		for plan := range 40 {
			p := Plan{ID: uuid(1000 + plan)}
			if plan < 8 {
				p.Services = []schemas.Service{schemas.Services()[plan]}
			}
			entitled[uuid(100+sku)] = append(entitled[uuid(100+sku)], p)
		}
	}
	users := make([]row, 8000)
	for i := range users {
		var held, states []any
		for range rnd.IntN(4) {
			sku := id(100 + rnd.IntN(30))
			off := []any{}
			if rnd.IntN(3) == 0 {
				first := rnd.IntN(5)
				for plan := range 4 {
					off = append(off, id(1000+first+plan))
				}
			}
			held = append(held, row{"sku_id": sku, "disabled_plans": off})
			s := row{"sku_id": sku, "disabled_plans": off, "state": "Active", "error": "None", "last_updated_date_time": date(rnd.IntN(500))}
			if rnd.IntN(2) == 0 {
				s["assigned_by_group"] = id(5000 + rnd.IntN(40))
			}
			states = append(states, s)
		}
		users[i] = row{"id": id(1 << 20 * i), "assigned_licenses": held, "license_assignment_states": states}
	}
	batch := build(memory.NewGoAllocator(), usersSchema(), users)
	benchmarkTransform(b, batch, Licenses(entitled))
}

// benchmarkTransform reports how many rows a second a transform takes, given one
// batch over and over.
func benchmarkTransform(b *testing.B, batch arrow.RecordBatch, transform pipeline.Transform) {
	b.Helper()
	b.ReportAllocs()
	out, err := transform(pipeline.Stream{Schema: batch.Schema(), Batches: func(yield func(arrow.RecordBatch, error) bool) {
		for b.Loop() {
			if !yield(batch, nil) {
				return
			}
		}
	}})
	if err != nil {
		b.Fatal(err)
	}
	for _, err := range out.Batches {
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*float64(batch.NumRows())/b.Elapsed().Seconds(), "rows/s")
}
