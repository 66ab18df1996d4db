package transform

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"seatlake/pipeline"
	"seatlake/schemas"
)

func TestActivityIsTheLatestOfSixServices(t *testing.T) {
	services := map[string]string{
		"exchange_last_activity_date": "Microsoft Exchange Server", "onedrive_last_activity_date": "OneDrive",
		"sharepoint_last_activity_date": "SharePoint", "skype_for_business_last_activity_date": "Skype for Business",
		"yammer_last_activity_date": "Yammer", "teams_last_activity_date": "Microsoft Teams",
	}
	names := []string{"is_deleted", "report_refresh_date", "has_teams_license"}
	var inOrder []string
	for _, f := range schemas.ReportOffice365ActiveUserDetail.Fields {
		if services[f.Name] != "" {
			inOrder = append(inOrder, f.Name)
			names = append(names, f.Name)
		}
	}
	in := tableSchema(schemas.ReportOffice365ActiveUserDetail, names...)
	dates := nullable(rapid.Map(rapid.IntRange(-4, 4), func(n int) any { return date(n) }))
	rapid.Check(t, func(t *rapid.T) {
		var rows, want []row
		for range rapid.IntRange(0, 12).Draw(t, "rows") {
			r := row{
				"is_deleted": boolDraw.Draw(t, "deleted"), "report_refresh_date": date(rapid.IntRange(0, 3).Draw(t, "refreshed")),
				"has_teams_license": boolDraw.Draw(t, "licensed"),
			}
			w := row{"last_activity_date": nil, "last_activity_service": nil, "days_since_last_activity": nil}
			for _, name := range inOrder {
				r[name] = dates.Draw(t, name)
				at, ok := r[name].(time.Time)
				if !ok || r["is_deleted"] == true {
					continue
				}
				if last, ok := w["last_activity_date"].(time.Time); ok && !at.After(last) {
					continue
				}
				w["last_activity_date"], w["last_activity_service"] = at, services[name]
				w["days_since_last_activity"] = max(0, int32(r["report_refresh_date"].(time.Time).Sub(at).Hours()/24))
			}
			for name, v := range r {
				w[name] = v
			}
			rows, want = append(rows, r), append(want, w)
		}
		got, err := run(t, in, rows, sizesDraw.Draw(t, "sizes"), Activity())
		if err != nil {
			t.Fatalf("%v", err)
		}
		if d := cmp.Diff(append([]row{}, want...), got); d != "" {
			t.Errorf("-want +got\n%s", d)
		}
	})
}

func TestDevicesAreUsedWhenTheReportSaysSo(t *testing.T) {
	in := schemas.ArrowSchema(schemas.ReportM365AppUserDetail.Decoded())
	apps := []string{"outlook", "word", "excel", "powerpoint", "onenote", "teams"}
	labels := map[string]any{"outlook": "Outlook", "word": "Word", "excel": "Excel", "powerpoint": "PowerPoint", "onenote": "OneNote", "teams": "Teams"}
	platforms := []string{"windows", "mac", "mobile", "web"}
	stated := func(r row, names []string) any {
		if own := r[names[0]]; own != nil {
			return own
		}
		var out any
		for _, name := range names[1:] {
			if r[name] == true {
				return true
			}
			if r[name] == false {
				out = false
			}
		}
		return out
	}
	rapid.Check(t, func(t *rapid.T) {
		// Nulls and falses must be frequent enough that a whole platform is one.
		cell := rapid.SampledFrom([][]any{{nil}, {nil, false}, {nil, false, false, true}}).Draw(t, "cells")
		var rows, want []row
		for range rapid.IntRange(0, 20).Draw(t, "rows") {
			r := row{"report_refresh_date": date(0)}
			for _, f := range schemas.ReportM365AppUserDetail.Decoded() {
				if f.Kind == schemas.Bool {
					r[f.Name] = rapid.SampledFrom(cell).Draw(t, f.Name)
				}
			}
			w := row{}
			for _, p := range platforms {
				names := []string{p}
				for _, a := range apps {
					names = append(names, a+"_"+p)
				}
				w["uses_"+p] = stated(r, names)
			}
			var used, known []any
			for _, a := range apps {
				names := []string{a}
				for _, p := range platforms {
					names = append(names, a+"_"+p)
				}
				switch stated(r, names) {
				case true:
					used = append(used, labels[a])
					known = append(known, a)
				case false:
					known = append(known, a)
				}
			}
			w["apps_used"] = nil
			if known != nil {
				w["apps_used"] = append([]any{}, used...)
			}
			rows, want = append(rows, r), append(want, w)
		}
		got, err := run(t, in, rows, sizesDraw.Draw(t, "sizes"), Devices())
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
			for name, v := range rows[i] {
				if d := cmp.Diff(v, got[i][name]); d != "" {
					t.Errorf("row %d: %s: -want +got\n%s", i, name, d)
				}
			}
		}
	})
}

func TestDevicesIgnoreWhatLiesUnderNulls(t *testing.T) {
	batch := build(memory.NewGoAllocator(), schemas.ArrowSchema(schemas.ReportM365AppUserDetail.Decoded()), []row{
		{"report_refresh_date": date(0), "word_mac": false}, {"report_refresh_date": date(0)},
	})
	at := batch.Schema().FieldIndices("mac")[0]
	// The first row is null over a set bit, which Arrow leaves undefined.
	mac := booleans([]byte{0b01}, memory.NewBufferBytes([]byte{0b10}), 2, 1)
	batch, err := batch.SetColumn(at, mac)
	if err != nil {
		t.Fatal(err)
	}
	out, err := Devices()(pipeline.Stream{Schema: batch.Schema(), Batches: func(yield func(arrow.RecordBatch, error) bool) { yield(batch, nil) }})
	if err != nil {
		t.Fatal(err)
	}
	for batch, err := range out.Batches {
		if err != nil {
			t.Fatal(err)
		}
		if rows := read(batch); rows[0]["uses_mac"] != false || rows[1]["uses_mac"] != false {
			t.Errorf("uses_mac is %v and %v, want false and false", rows[0]["uses_mac"], rows[1]["uses_mac"])
		}
	}
}

func TestANullInADictionaryIsNull(t *testing.T) {
	dates := makeColumn[arrow.Date32](2)
	dates.append(arrow.Date32FromTime(date(1)))
	dates.appendNull()
	indices := makeColumn[int32](3)
	indices.append(1)
	indices.append(0)
	indices.appendNull()
	c := readDays(dictionary(&indices, dates.array(arrow.FixedWidthTypes.Date32)))
	if d := cmp.Diff([]int32{-1, 0, -1}, []int32{c.at(0), c.at(1), c.at(2)}); d != "" {
		t.Errorf("positions: -want +got\n%s", d)
	}
}

func TestReportsAreCompleteOnceStamped(t *testing.T) {
	active, apps := schemas.ReportOffice365ActiveUserDetail, schemas.ReportM365AppUserDetail
	if _, err := run(t, schemas.ArrowSchema(active.Decoded()), []row{{"report_refresh_date": date(0)}}, nil, Activity(), Stamp(active, uuid(9), date(0))); err != nil {
		t.Error(err)
	}
	if _, err := run(t, schemas.ArrowSchema(apps.Decoded()), []row{{"report_refresh_date": date(0)}}, nil, Devices(), Stamp(apps, uuid(9), date(0))); err != nil {
		t.Error(err)
	}
}

func BenchmarkActivity(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 2))
	rows := make([]row, 8000)
	for i := range rows {
		rows[i] = row{"is_deleted": rnd.IntN(20) == 0, "report_refresh_date": date(200)}
		for _, s := range activityColumns() {
			if rnd.IntN(3) > 0 {
				rows[i][s.column] = date(rnd.IntN(200))
			}
		}
	}
	in := schemas.ArrowSchema(schemas.ReportOffice365ActiveUserDetail.Decoded())
	benchmarkTransform(b, build(memory.NewGoAllocator(), in, rows), Activity())
}

func BenchmarkDevices(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 2))
	rows := make([]row, 8000)
	for i := range rows {
		rows[i] = row{"report_refresh_date": date(0)}
		for _, f := range schemas.ReportM365AppUserDetail.Decoded() {
			if f.Kind == schemas.Bool {
				rows[i][f.Name] = rnd.IntN(4) == 0
			}
		}
	}
	in := schemas.ArrowSchema(schemas.ReportM365AppUserDetail.Decoded())
	benchmarkTransform(b, build(memory.NewGoAllocator(), in, rows), Devices())
}
