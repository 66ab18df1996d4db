package parquet_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"seatlake/load/parquet"
	"seatlake/schemas"
)

func TestFilesAreAsSmallAsDuckDBs(t *testing.T) {
	duck := openDuck(t)
	for _, tc := range []struct {
		table *schemas.Table
		rows  int
	}{
		{schemas.GraphUsers, 4_000},
		{schemas.GraphSignIns, 20_000},
		{schemas.GraphUserLicenses, 40_000},
		{schemas.ReportOffice365ActiveUserDetail, 20_000},
		{schemas.ReportEmailActivityUserDetail, 20_000},
		{schemas.ReportM365AppUserDetail, 20_000},
		{schemas.ReportOffice365ActivationsUserDetail, 20_000},
		{schemas.ReportMailboxUsageDetail, 20_000},
		{schemas.ReportOneDriveUsageAccountDetail, 20_000},
		{schemas.ReportMicrosoft365CopilotUsageUserDetail, 2_000},
		{schemas.GraphUserRegistrationDetails, 20_000},
		{schemas.GraphSubscribedSkus, 40},
		{schemas.GraphReportSettings, 1},
	} {
		t.Run(tc.table.Name, func(t *testing.T) {
			dir := t.TempDir()
			ours, theirs := filepath.Join(dir, "ours.parquet"), filepath.Join(dir, "theirs.parquet")
			writeFile(t, ours, tc.table, tc.rows)
			copyTo := fmt.Sprintf("copy (select * from read_parquet('%s')) to '%s' (format parquet, compression zstd)", ours, theirs)
			if _, err := duck.ExecContext(context.Background(), copyTo); err != nil {
				t.Fatal(err)
			}
			a, b := fileSize(t, ours), fileSize(t, theirs)
			ratio := float64(a) / float64(b)
			t.Logf("%.1f bytes a row, DuckDB %.1f: %.3f", float64(a)/float64(tc.rows), float64(b)/float64(tc.rows), ratio)
			if ratio > 1.05 {
				t.Errorf("%d bytes are more than 1.05 times DuckDB's %d", a, b)
			}
			if testing.Verbose() {
				logColumns(t, duck, ours, theirs)
			}
		})
	}
}

func writeFile(t testing.TB, path string, table *schemas.Table, rows int) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := parquet.NewWriter(f, table, parquet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range realisticBatches(table, rows, 2_000, mem) {
		err := w.Write(b)
		b.Release()
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func fileSize(t testing.TB, path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func logColumns(t *testing.T, duck *sql.Conn, ours, theirs string) {
	rows, err := duck.QueryContext(context.Background(), fmt.Sprintf(`
		select a.path_in_schema, a.encodings, a.total_compressed_size, b.encodings, b.total_compressed_size
		from parquet_metadata('%s') a join parquet_metadata('%s') b using (row_group_id, column_id)
		order by a.total_compressed_size - b.total_compressed_size desc limit 12`, ours, theirs))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var path, a, b string
		var x, y int
		if err := rows.Scan(&path, &a, &x, &b, &y); err != nil {
			t.Fatal(err)
		}
		t.Logf("  %-60s %7d %-35s %7d %s", path, x, a, y, b)
	}
}
