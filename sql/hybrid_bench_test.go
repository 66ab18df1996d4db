package sql

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"seatlake/schemas"
)

// BenchmarkHybridReasons puts everybody under a reason in a tenant with 100,000 users
// and 200,000 devices in two inventories, of which one knows people by their accounts.
func BenchmarkHybridReasons(b *testing.B) {
	const users = 100_000
	dir := b.TempDir()
	in := Inputs{Version: 1, RunID: "bench", Files: seededTenant(b, dir, users)}
	e, err := open(b.Context(), Options{TempDir: dir})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	for name, query := range map[string]string{
		"catalog_service_plans": `select cast(md5('sku' || s) as uuid) as sku_id, cast('43de0ff5-c92c-492b-9116-175376d08c38' as uuid) as service_plan_id,
			'OFFICESUBSCRIPTION' as service_plan_name, cast(null as varchar) as service from range(20) as t(s)`,
		"report_office365_activations_user_detail": fmt.Sprintf(`select cast('%s' as uuid) as tenant_id, date '2026-11-18' as report_refresh_date,
			'user' || u || '@contoso.com' as user_principal_name, 'MICROSOFT 365 APPS FOR ENTERPRISE' as product_type, u %% 3 as windows from range(%d) as t(u)`, benchTenant, users),
		"inventory_installations": fmt.Sprintf(`select cast('%s' as uuid) as tenant_id, date '2026-11-20' as snapshot_date, 'inventory' || k as file, u as line, 'csv' as mapping,
			'serial:' || u || '/' || k as device_key, 'PC-' || u || '-' || k as device_name, 'windows' as platform, 'user' || u as user_name,
			case when k = 0 then 'user' || u || '@contoso.com' end as user_address, case when k = 1 then 'user' || u end as user_account,
			'Microsoft 365 Apps' as product_family, 'a_rule' as product_rule, 'a product' as product_name, 'per_user' as install_kind
			from range(%d) as t(u), range(2) as l(k)`, benchTenant, users),
	} {
		path := filepath.Join(dir, name+".parquet")
		if err := e.exec(b.Context(), "copy ("+query+") to "+literal(path)+" (format parquet)"); err != nil {
			b.Fatalf("%s: %v", name, err)
		}
		in.Files[name] = []string{path}
	}
	for _, table := range schemas.All() {
		c := CoverageRow{
			TenantID: benchTenant, Table: table.Name, State: "complete", Observed: time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC),
			ObservedThrough: "2026-11-20", LogicalDate: "2026-11-20", SnapshotDate: "2026-11-20", RunID: "bench",
		}
		if table.Partition == "report_refresh_date" {
			c.ObservedThrough, c.LogicalDate = "2026-11-18", "2026-11-18"
		}
		if table.Partition != "" {
			in.Coverage = append(in.Coverage, c)
		}
	}
	for b.Loop() {
		began := map[string]time.Time{}
		o := Options{TempDir: dir, Progress: func(ev Event) {
			if !ev.Done {
				began[ev.Node] = time.Now()
			} else if s := time.Since(began[ev.Node]).Seconds(); testing.Verbose() && s > 0.1 {
				b.Logf("%6.2f s %9d rows %s", s, ev.Rows, ev.Node)
			}
		}}
		err := Preview(b.Context(), in, "int_hybrid_reasons", "select cast(sum(own_devices) as bigint) from main.int_hybrid_reasons", o, func(rows *Rows) error {
			for row, err := range rows.All() {
				if err != nil {
					return err
				}
				if fmt.Sprint(row[0]) != fmt.Sprint(2*users) {
					b.Errorf("%v devices", row[0])
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
