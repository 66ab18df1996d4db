package sql

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"seatlake/extract/catalog"
	"seatlake/schemas"
)

// BenchmarkOverlaps builds the marts of 100,000 users who hold three of 300 SKUs
// of the catalogue each, a fifth of them with plans switched off, and reports how
// long the models of overlaps, downgrades and consolidations take of it. "Usual"
// has 3,000 distinct baskets; "any" has hardly two users with the same one.
func BenchmarkOverlaps(b *testing.B) {
	for _, bench := range []struct {
		name    string
		baskets int
	}{{"usual", 3_000}, {"any", 100_000}} {
		b.Run(bench.name, func(b *testing.B) {
			dir := b.TempDir()
			in := Inputs{Version: 1, RunID: "bench", Files: licensedTenant(b, dir, 100_000, bench.baskets)}
			for _, table := range []*schemas.Table{schemas.GraphUsers, schemas.GraphUserLicenses, schemas.GraphSubscribedSkus} {
				in.Coverage = append(in.Coverage, CoverageRow{
					TenantID: benchTenant, Table: table.Name, State: "complete", Observed: time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC),
					ObservedThrough: "2026-11-20", LogicalDate: "2026-11-20", SnapshotDate: "2026-11-20", RunID: "bench",
				})
			}
			own := 0.0
			for b.Loop() {
				r, err := Build(b.Context(), in, dir, Options{TempDir: dir, Now: time.Now})
				if err != nil {
					b.Fatal(err)
				}
				for _, n := range r.Nodes {
					if n.Status == Failed {
						b.Fatalf("%s: %v", n.Name, n.Faults)
					}
					if isOverlapNode(n.Name) {
						own += n.Seconds
					}
					if testing.Verbose() && n.Seconds > 0.2 {
						b.Logf("%6.2f s %9d rows %s", n.Seconds, n.Rows, n.Name)
					}
				}
			}
			b.ReportMetric(own/float64(b.N), "overlap-s/op")
		})
	}
}

// isOverlapNode says that a model is only there to compare licences by their plans.
func isOverlapNode(name string) bool {
	for _, part := range []string{"basket", "variant", "overlap", "downgrade", "consolidation", "held_licenses", "plan_covers", "sku_plans", "removal_sets", "desktop_use", "user_storage"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// licensedTenant writes the stored tables of a tenant of n users with so many
// distinct baskets. The same numbers give the same rows.
func licensedTenant(b *testing.B, dir string, n, baskets int) map[string][]string {
	b.Helper()
	_, parts := embeddedCatalog(b)
	rows := map[*schemas.Table][]map[string]string{}
	add := func(table *schemas.Table, row map[string]string) {
		row["tenant_id"] = benchTenant
		rows[table] = append(rows[table], withDefaults(table, len(rows[table]), row))
	}
	var listed []string
	for _, part := range slices.Sorted(maps.Keys(parts)) {
		sku := parts[part]
		add(schemas.CatalogSkus, map[string]string{"sku_id": sku.id, "sku_part_number": part, "product_name": part})
		for _, p := range sku.plans {
			add(schemas.CatalogServicePlans, map[string]string{"sku_id": sku.id, "service_plan_id": catalog.FormatGUID(p.ID), "service_plan_name": p.Name})
		}
		if len(listed) < 300 && len(sku.plans) > 1 {
			add(schemas.GraphSubscribedSkus, map[string]string{"sku_id": sku.id, "sku_part_number": part, "enabled_units": "2000", "consumed_units": "1000"})
			listed = append(listed, fmt.Sprintf("(%d, '%s', '%s')", len(listed), sku.id, catalog.FormatGUID(sku.plans[0].ID)))
		}
	}
	out := map[string][]string{}
	for table, rs := range rows {
		out[table.Name] = []string{writeTable(b, dir, table, rs)}
	}
	e, err := open(b.Context(), Options{TempDir: dir})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	for name, query := range map[string]string{
		"graph_users": fmt.Sprintf(`select date '2026-11-20' as snapshot_date, cast(md5('user' || u) as uuid) as id, 'user' || u || '@contoso.com' as user_principal_name,
			true as account_enabled, 'Member' as user_type from range(%d) as t(u)`, n),
		"graph_user_licenses": fmt.Sprintf(`select date '2026-11-20' as snapshot_date, cast(md5('user' || u) as uuid) as user_id, cast(s.id as uuid) as sku_id,
			null as service, true as holds_seat, case when hash(u %% %[2]d, k, 'by') %% 3 = 0 then 'group' else 'direct' end as assigned_by,
			timestamptz '2024-01-01 00:00:00' as assigned_date_time, 'Active' as assignment_state, 10 as enabled_plans,
			case when hash(u %% %[2]d, k, 'off') %% 5 = 0 then 1 else 0 end as disabled_plans,
			case when hash(u %% %[2]d, k, 'off') %% 5 = 0 then [cast(s.plan as uuid)] else cast([] as uuid[]) end as disabled_plan_ids
			from range(%[1]d) as t(u), range(3) as l(k) join (values %[3]s) as s(n, id, plan) on s.n = 100 * l.k + hash(u %% %[2]d, k) %% 100`, n, baskets, strings.Join(listed, ", ")),
	} {
		path := filepath.Join(dir, name+".parquet")
		if err := e.exec(b.Context(), fmt.Sprintf("copy (select cast('%s' as uuid) as tenant_id, * from (%s)) to %s (format parquet)", benchTenant, query, literal(path))); err != nil {
			b.Fatalf("%s: %v", name, err)
		}
		out[name] = []string{path}
	}
	return out
}
