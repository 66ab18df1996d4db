package sql

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// declared is a Parquet file as another declaration of a table would have it: rows, and
// field ids as DuckDB's COPY takes them; none for a file of another program.
type declared struct{ rows, ids string }

// readAsToday writes files and asks today's table for what they hold.
func readAsToday(t *testing.T, table, query string, files ...declared) (string, error) {
	t.Helper()
	dir := t.TempDir()
	e, err := open(t.Context(), Options{TempDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for i, f := range files {
		path := filepath.Join(dir, fmt.Sprintf("%d.parquet", i))
		ids := ""
		if f.ids != "" {
			ids = ", field_ids {" + f.ids + "}"
		}
		if err := e.exec(t.Context(), "copy ("+f.rows+") to "+literal(path)+" (format parquet"+ids+")"); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	var answer []string
	err = Query(t.Context(), Inputs{Files: map[string][]string{table: paths}}, nil, query, func(r *Rows) error {
		for row, err := range r.All() {
			if err != nil {
				return err
			}
			answer = append(answer, fmt.Sprint(row...))
		}
		return nil
	})
	return strings.Join(answer, "; "), err
}

func TestFilesOfOtherDeclarations(t *testing.T) {
	const (
		key    = "uuid '11111111-1111-4111-8111-111111111111' as tenant_id, date '2026-11-20' as snapshot_date, uuid '22222222-2222-4222-8222-222222222222' as id"
		keyIDs = "tenant_id: 1, snapshot_date: 2, id: 3"
		lists  = "[{'sku_id': uuid '33333333-3333-4333-8333-333333333333', 'disabled_plans': [uuid '44444444-4444-4444-8444-444444444444']%s}] as assigned_licenses"
		listID = "assigned_licenses: {__duckdb_field_id: 32, element: {__duckdb_field_id: 33, sku_id: 34, disabled_plans: {__duckdb_field_id: 35, element: 36}%s}}"
		ask    = "select id, department, len(assigned_licenses) from graph_users order by all"
		ann    = "22222222-2222-4222-8222-222222222222"
	)
	today := declared{"select " + key + ", 'Sales' as department, " + fmt.Sprintf(lists, ""), keyIDs + ", department: 10, " + fmt.Sprintf(listID, "")}
	t.Run("a column that an old file lacks is null, and one that is gone is passed over", func(t *testing.T) {
		got, err := readAsToday(t, "graph_users", "select department is null, surname is null, assigned_licenses is null from graph_users order by all",
			declared{"select " + key + ", 'x' as gone", keyIDs + ", gone: 4"}, today)
		if want := "false true false; true true true"; err != nil || got != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	})
	t.Run("an int32 is read as the int64 that it became", func(t *testing.T) {
		const day = "select uuid '11111111-1111-4111-8111-111111111111' as tenant_id, date '2026-11-20' as snapshot_date, %s as users, 3::%s as licenses, '' as sources_sha256"
		const ids = "tenant_id: 1, snapshot_date: 2, users: 3, licenses: 4, sources_sha256: 5"
		got, err := readAsToday(t, "history_days", "select sum(users), min(typeof(users)) from history_days",
			declared{fmt.Sprintf(day, "2::integer", "integer"), ids}, declared{fmt.Sprintf(day, "3000000000::bigint", "bigint"), ids})
		if err != nil || !strings.Contains(got, "3000000002") || !strings.Contains(got, "BIGINT") {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("a member that an old file lacks is null", func(t *testing.T) {
		for _, files := range [][]declared{{{
			"select " + key + ", [{'sku_id': uuid '33333333-3333-4333-8333-333333333333'}] as assigned_licenses",
			keyIDs + ", assigned_licenses: {__duckdb_field_id: 32, element: {__duckdb_field_id: 33, sku_id: 34}}",
		}}, {{
			"select " + key + ", [{'sku_id': uuid '33333333-3333-4333-8333-333333333333'}] as assigned_licenses",
			keyIDs + ", assigned_licenses: {__duckdb_field_id: 32, element: {__duckdb_field_id: 33, sku_id: 34}}",
		}, today}} {
			got, err := readAsToday(t, "graph_users", "select l.sku_id, len(l.disabled_plans) from (select unnest(assigned_licenses) as l from graph_users) order by all", files...)
			if want := "33333333-3333-4333-8333-333333333333<nil>"; err != nil || !strings.Contains(got, want) {
				t.Errorf("%q, %v, want %q", got, err, want)
			}
		}
	})
	for name, newer := range map[string]declared{
		"a column of a later id":        {"select " + key + ", 1 as later", keyIDs + ", later: 9999"},
		"a member of a later id":        {"select " + key + ", " + fmt.Sprintf(lists, ", 'later': 1"), keyIDs + ", " + fmt.Sprintf(listID, ", later: 9999")},
		"a column that nobody declared": {"select " + key + ", 1 as later", ""},
	} {
		t.Run(name+" is refused, beside files of today too", func(t *testing.T) {
			for _, files := range [][]declared{{newer}, {today, newer}} {
				if got, err := readAsToday(t, "graph_users", ask, files...); !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "later") {
					t.Errorf("%q, %v", got, err)
				}
			}
		})
	}
	t.Run("an int64 that was an int32 here is refused", func(t *testing.T) {
		const rows = "select uuid '11111111-1111-4111-8111-111111111111' as tenant_id, date '2026-11-20' as snapshot_date, 1::bigint as enabled_plans"
		if got, err := readAsToday(t, "graph_user_licenses", "select enabled_plans from graph_user_licenses", declared{rows, "tenant_id: 1, snapshot_date: 2, enabled_plans: 13"}); !errors.Is(err, ErrNewer) {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("a later version of a table, or a later table, is refused by its path", func(t *testing.T) {
		for table, path := range map[string]string{
			"graph_users": "data/graph_users/v99/tenant_id=x/snapshot_date=2026-11-20/f.parquet",
			"graph_later": "data/graph_later/v1/f.parquet",
		} {
			in := Inputs{Files: map[string][]string{table: {path}}}
			none := func(*Rows) error { t.Error("rows were given"); return nil }
			if err := Query(t.Context(), in, nil, "select 1", none); !errors.Is(err, ErrNewer) {
				t.Errorf("%s: %v", table, err)
			}
		}
	})
	if got, err := readAsToday(t, "graph_users", ask, today); err != nil || !strings.HasPrefix(got, ann) {
		t.Errorf("today's: %q, %v", got, err)
	}
}
