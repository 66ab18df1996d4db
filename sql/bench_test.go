package sql

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"seatlake/schemas"
)

// BenchmarkBuild builds the marts of a tenant with 100,000 users who hold three
// licences each, eight services in all, within the default memory.
func BenchmarkBuild(b *testing.B) {
	const users = 100_000
	dir := b.TempDir()
	in := Inputs{Version: 1, RunID: "bench", Files: seededTenant(b, dir, users)}
	for _, table := range schemas.All() {
		c := CoverageRow{
			TenantID: benchTenant, Table: table.Name, State: "complete", Observed: time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC),
			ObservedThrough: "2026-11-20", LogicalDate: "2026-11-20", SnapshotDate: "2026-11-20", RunID: "bench",
		}
		switch table.Partition {
		case "report_refresh_date":
			c.ObservedThrough, c.LogicalDate = "2026-11-18", "2026-11-18"
		case "event_date":
			c.LogicalDate = ""
		case "":
			continue
		}
		in.Coverage = append(in.Coverage, c)
	}
	for b.Loop() {
		r, err := Build(b.Context(), in, dir, Options{TempDir: dir, Now: time.Now})
		if err != nil {
			b.Fatal(err)
		}
		for _, n := range r.Nodes {
			if n.Status == Failed {
				b.Fatalf("%s: %v", n.Name, n.Faults)
			}
			if testing.Verbose() && n.Seconds > 0.2 {
				b.Logf("%6.2f s %9d rows %s", n.Seconds, n.Rows, n.Name)
			}
		}
	}
	b.ReportMetric(float64(3*users)*float64(b.N)/b.Elapsed().Seconds(), "assignments/s")
}

const benchTenant = "00000000-0000-4000-8000-000000000001"

// seededTenant writes the stored tables of a tenant of n users. The same n gives
// the same rows.
func seededTenant(b *testing.B, dir string, n int) map[string][]string {
	b.Helper()
	e, err := open(b.Context(), Options{TempDir: dir})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	user := "cast(md5('user' || u) as uuid)"
	upn := "'user' || u || '@contoso.com'"
	sku := "cast(md5('sku' || s) as uuid)"
	day := func(salt, most string) string {
		return "date '2026-11-18' - cast(hash(u, '" + salt + "') % " + most + " as integer)"
	}
	services := "['Microsoft Exchange Server', 'OneDrive', 'SharePoint', 'Yammer', 'Microsoft Teams', 'Outlook', 'Skype for Business', 'Power BI']"
	queries := map[string]string{
		"graph_users": fmt.Sprintf(`select date '2026-11-20' as snapshot_date, %s as id, %s as user_principal_name, u %% 50 <> 0 as account_enabled,
			'Member' as user_type, timestamptz '2026-11-19 08:00:00' - to_days(cast(u %% 200 as integer)) as last_successful_sign_in_date_time
			from range(%d) as t(u)`, user, upn, n),
		"graph_user_licenses": fmt.Sprintf(`select date '2026-11-20' as snapshot_date, %s as user_id, cast(md5('sku' || (u + k) %% 40) as uuid) as sku_id,
			x.service as service, true as holds_seat, 'direct' as assigned_by, timestamptz '2024-01-01 00:00:00' as assigned_date_time,
			'Active' as assignment_state, 10 as enabled_plans, 0 as disabled_plans
			from range(%d) as t(u), range(3) as l(k), (select unnest(%s) as service, generate_subscripts(%[3]s, 1) as i) as x
			where k = 0 or x.i = 6 or (k = 1 and x.i < 4)`, user, n, services),
		"graph_subscribed_skus": fmt.Sprintf(`select date '2026-11-20' as snapshot_date, %s as sku_id, 'SKU_' || s as sku_part_number, 'User' as applies_to,
			'Enabled' as capability_status, %d as enabled_units, %d as consumed_units from range(40) as t(s)`, sku, n/10, 3*n/40),
		"report_office365_active_user_detail": fmt.Sprintf(`select date '2026-11-18' as report_refresh_date, upper(%s) as user_principal_name, false as is_deleted,
			%s as exchange_last_activity_date, %s as onedrive_last_activity_date, %s as sharepoint_last_activity_date, %s as teams_last_activity_date
			from range(%d) as t(u)`, upn, day("e", "300"), day("o", "200"), day("s", "100"), day("t", "90"), n),
		"report_email_activity_user_detail": fmt.Sprintf(`select date '2026-11-18' as report_refresh_date, %s as user_principal_name, false as is_deleted,
			%s as last_activity_date from range(%d) as t(u)`, upn, day("m", "120"), n),
		"graph_sign_ins": fmt.Sprintf(`select date '2026-11-20' as event_date, cast(md5('sign-in' || u || '/' || k) as uuid) as id,
			timestamptz '2026-11-20 00:00:00' - to_hours(cast(k * 24 as integer)) as created_date_time, %s as user_id, true as is_interactive, 0 as status_error_code,
			case when k %% 5 = 0 then 'Power BI' end as service from range(%d) as t(u), range(10) as l(k)`, user, n),
	}
	out := map[string][]string{}
	for name, query := range queries {
		path := filepath.Join(dir, name+".parquet")
		err := e.exec(b.Context(), fmt.Sprintf("copy (select cast('%s' as uuid) as tenant_id, * from (%s)) to %s (format parquet, compression zstd)", benchTenant, query, literal(path)))
		if err != nil {
			b.Fatalf("%s: %v", name, err)
		}
		out[name] = []string{path}
	}
	return out
}
