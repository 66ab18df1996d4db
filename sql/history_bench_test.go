package sql

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"seatlake/schemas"
)

// BenchmarkHistory builds the history of 300,000 licences of 100,000 users over 400
// days, of which one in a hundred changes a day, and asks it who held a licence on a
// day.
func BenchmarkHistory(b *testing.B) {
	const users, days = 100_000, 400
	dir := b.TempDir()
	in, size := seededHistory(b, dir, users, days)
	query := `select count(*) from user_license_history
		where from_date <= date '2026-05-01' and (to_date is null or to_date > date '2026-05-01')`
	for b.Loop() {
		err := Preview(b.Context(), in, "user_license_history", query, Options{TempDir: dir}, func(r *Rows) error {
			for row, err := range r.All() {
				if err != nil {
					return err
				}
				if n, _ := row[0].(int64); n < users || n > 3*users {
					b.Fatalf("%v licences were held", row[0])
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(size)/(users*days), "bytes/user-day")
}

// seededHistory writes the history of all days but the newest, a file a day and table,
// and the newest day's snapshot, and says how many bytes the history takes.
func seededHistory(b *testing.B, dir string, users, days int) (Inputs, int64) {
	b.Helper()
	e, err := open(b.Context(), Options{TempDir: dir})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	in := Inputs{Version: 1, RunID: "bench", Files: map[string][]string{}}
	var size int64
	write := func(table *schemas.Table, day int, query string) {
		path := filepath.Join(dir, fmt.Sprintf("%s-%d.parquet", table.Name, day))
		err := e.exec(b.Context(), fmt.Sprintf("copy (select cast('%s' as uuid) as tenant_id, date '2026-11-20' - %d as snapshot_date, * from (%s)) to %s (format parquet, compression zstd)",
			benchTenant, days-day, query, literal(path)))
		if err != nil {
			b.Fatalf("%s: %v", table.Name, err)
		}
		info, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		in.Files[table.Name] = append(in.Files[table.Name], path)
		if day < days {
			size += info.Size()
		}
	}
	user, sku := "cast(md5('user' || u) as uuid)", "cast(md5('sku' || (u + k) % 40) as uuid)"
	held := fmt.Sprintf("from range(%d) as t(u), range(3) as l(k)", users)
	for day := range days {
		changed, isHeld := fmt.Sprintf("where hash(u, k) %% 100 = %d", day%100), day/100%2 == 1
		if day == 0 {
			changed, isHeld = "", true
		}
		write(schemas.HistoryUserLicenses, day, fmt.Sprintf("select %s as user_id, %s as sku_id, %t as is_held, case when %[3]t then 'direct' end as assigned_by %s %s order by 1, 2",
			user, sku, isHeld, held, changed))
		write(schemas.HistoryDays, day, fmt.Sprintf("select cast(%d as bigint) as users, cast(%d as bigint) as licenses, '' as sources_sha256, cast(%d as bigint) as marts_version", users, 3*users, day+1))
	}
	write(schemas.HistoryUsers, 0, fmt.Sprintf("select %s as user_id, true as is_present, true as account_enabled from range(%d) as t(u) order by 1", user, users))
	write(schemas.GraphUsers, days, fmt.Sprintf("select %s as id, 'user' || u as user_principal_name, true as account_enabled from range(%d) as t(u)", user, users))
	write(schemas.GraphUserLicenses, days, fmt.Sprintf("select %s as user_id, %s as sku_id, x.service as service, true as holds_seat, 'direct' as assigned_by, 1 as enabled_plans, 0 as disabled_plans %s, (select unnest(['Outlook', 'OneDrive', 'Yammer']) as service) as x", user, sku, held))
	for _, table := range []*schemas.Table{schemas.GraphUsers, schemas.GraphUserLicenses, schemas.GraphSubscribedSkus} {
		in.Coverage = append(in.Coverage, CoverageRow{
			TenantID: benchTenant, Table: table.Name, State: "complete", Observed: time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC),
			ObservedThrough: "2026-11-20", LogicalDate: "2026-11-20", SnapshotDate: "2026-11-20", RunID: "bench",
		})
	}
	return in, size
}
