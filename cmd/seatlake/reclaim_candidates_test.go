package main

import (
	"database/sql"
	"flag"
	"fmt"
	"iter"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"seatlake/load/reclaim"
)

var manyCandidates = flag.Int("candidates", 20_000, "how many candidates TestPlansHoldWhatTheyTake draws from")

// TestPlansHoldWhatTheyTake draws a plan of ten licences from few candidates and from
// many: what is held of them while they are read does not grow with their number.
func TestPlansHoldWhatTheyTake(t *testing.T) {
	few, most := 2_000, *manyCandidates
	small, large := peakOfPlan(t, few), peakOfPlan(t, most)
	t.Logf("held while a plan is drawn: %d KB of %d candidates, %d KB of %d", small>>10, few, large>>10, most)
	if large > small+1<<20 {
		t.Errorf("%d candidates hold %d KB more than %d", most, (large-small)>>10, few)
	}
}

// peakOfPlan is the most bytes that were alive while a plan was drawn from n
// candidates of which each has two licences.
func peakOfPlan(t *testing.T, n int) (most uint64) {
	t.Helper()
	o := &opened{gold: map[string]string{}}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const visio = "c5928f49-12ba-48f7-ada3-0d743a3601d5"
	const id = "'dddddddd-0000-4000-8000-' || lpad(cast(i as varchar), 12, '0')"
	for mart, query := range map[string]string{
		"reclaim_candidates": `select 't' as tenant_id, ` + id + ` as user_id, 'user' || i || '@contoso.com' as user_principal_name, 'Sales' as department, 'SE' as country,
			'` + visio + `' as sku_id, 'VISIOCLIENT' as sku_part_number, 'Visio Plan 2' as product_name, 'inactive' as reason, 'inactive' as reasons,
			'high' as confidence, 'complete' as evidence, 'no use seen' as evidence_text, date '2026-01-01' as last_activity_date, 'Visio' as last_activity_service,
			cast(280 as bigint) as days_since_last_activity, 'inactive' as activity_status, timestamp '2026-01-01 00:00:00' as last_sign_in_at,
			date '2026-10-06' as observed_through, 'direct' as assigned_by, '' as assigned_by_groups, date '2025-01-01' as assigned_date,
			cast(100 + mod(i, 7) as decimal(18, 2)) as annual_saving, cast(0 as decimal(18, 2)) as cash_until_renewal, cast(100 as decimal(18, 2)) as cash_at_renewal,
			date '2027-01-01' as renewal_date, 'EUR' as currency, false as is_estimate, '' as blocked_by, date '2026-10-08' as as_of_date from range(%d) as r(i)`,
		"license_positions": `select 't' as tenant_id, '` + visio + `' as sku_id, %d as assigned_users`,
		"license_activity":  `select 't' as tenant_id, ` + id + ` as user_id, '` + visio + `' as sku_id, 'Visio' as service from range(%d) as r(i)`,
		"license_assignments": `select 't' as tenant_id, ` + id + ` as user_id, 'f8a1db68-be16-40ed-86d5-cb42ce701560' as sku_id, 'POWER_BI_PRO' as sku_part_number
			from range(%d) as r(i)`,
		"users": `select 't' as tenant_id, ` + id + ` as user_id, cast(12 as bigint) as mail_usage_mb, cast(3 as bigint) as onedrive_usage_mb from range(%d) as r(i)`,
	} {
		o.gold[mart] = filepath.Join(t.TempDir(), mart+".parquet")
		if _, err := db.ExecContext(t.Context(), "copy ("+fmt.Sprintf(query, n)+") to '"+o.gold[mart]+"' (format parquet)"); err != nil {
			t.Fatal(err)
		}
	}
	mart, err := openCandidates(t.Context(), o, "t")
	if err != nil {
		t.Fatal(err)
	}
	p := &reclaim.Plan{Filter: reclaim.Filter{MinConfidence: "high"}, Limits: reclaim.Limits{Share: 10_000, Licenses: 10}}
	alive := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := alive()
	err = mart.read(t.Context(), func(all iter.Seq2[*reclaim.Candidate, error]) error {
		return p.Draw(func(yield func(*reclaim.Candidate, error) bool) {
			rows := 0
			for c, err := range all {
				if rows++; rows%(n/8) == 0 {
					most = max(most, alive())
				}
				if !yield(c, err) {
					return
				}
			}
		}, map[string]int{visio: n})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := mart.draw(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if len(p.Rows) != 10 || p.Rows[0].AnnualSaving != "106.00" || !slices.Equal(p.Rows[0].Kept, []string{"POWER_BI_PRO"}) {
		t.Errorf("%d candidates make %+v", n, p.Rows)
	}
	if len(p.LeftOut) != 1 || p.LeftOut[0].Rows != n-10 {
		t.Errorf("left out: %v", p.LeftOut)
	}
	return max(most, before) - before
}
