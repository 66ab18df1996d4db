package sql

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seatlake/schemas"
)

// queryInputs is a lake with one user and one mart.
func queryInputs(t *testing.T) (in Inputs, gold map[string]string, dir string) {
	t.Helper()
	dir = t.TempDir()
	row := withDefaults(schemas.GraphUsers, 0, map[string]string{"id": "ann", "created_date_time": "2021-03-04T23:59:59Z"})
	row["other_mails"] = "[a@b.c]"
	in = Inputs{Version: 3, RunID: "run", Files: map[string][]string{
		"graph_users": {writeTable(t, dir, schemas.GraphUsers, []map[string]string{row})},
	}, Coverage: coverageOf(t, []string{word("t1")}, nil)}
	r, err := Build(t.Context(), in, dir, Options{TempDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	gold = map[string]string{}
	for _, m := range r.Marts {
		gold[m.Name] = m.Path
	}
	return in, gold, dir
}

func TestAQuery(t *testing.T) {
	in, gold, dir := queryInputs(t)
	run := func(t *testing.T, query string) (columns []ResultColumn, rows [][]any, err error) {
		t.Helper()
		err = QueryWith(t.Context(), in, gold, query, Options{TempDir: t.TempDir()}, func(r *Rows) error {
			columns = r.Columns
			for row, err := range r.All() {
				if err != nil {
					return err
				}
				rows = append(rows, row)
			}
			return nil
		})
		return columns, rows, err
	}

	t.Run("reads stored tables by their bare names with GUIDs as text and instants in UTC", func(t *testing.T) {
		columns, rows, err := run(t, "select tenant_id, id, snapshot_date, created_date_time, account_enabled, other_mails, employee_id from graph_users")
		if err != nil {
			t.Fatal(err)
		}
		want := [][]any{{
			word("t1"), word("ann"), time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), time.Date(2021, 3, 4, 23, 59, 59, 0, time.UTC), true, []any{"a@b.c"}, nil,
		}}
		if diff := cmp.Diff(want, rows); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if got := columns[3]; got != (ResultColumn{"created_date_time", "TIMESTAMP"}) {
			t.Errorf("column %v", got)
		}
	})
	t.Run("joins marts, with the version they were built from", func(t *testing.T) {
		_, rows, err := run(t, "with a as (select user_id, _lake_version from users) select count(*), max(_lake_version) from a join graph_users u on u.id = a.user_id;")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([][]any{{int64(1), int64(3)}}, rows); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
	t.Run("sees tables without files as empty", func(t *testing.T) {
		_, rows, err := run(t, "select count(*) from graph_sign_ins")
		if err != nil || len(rows) != 1 || rows[0][0] != int64(0) {
			t.Errorf("rows %v, error %v", rows, err)
		}
	})
	t.Run("gives numbers as plain Go values", func(t *testing.T) {
		_, rows, err := run(t, "select 1::tinyint, 2::utinyint, 3::hugeint, -0.05::decimal(9,2), 170141183460469231731687303715884105727::hugeint, 1.50::decimal(9,2), 0.5::float, {'a': 1}, uuid '616e6e00-0000-0000-0000-000000000000'")
		if err != nil {
			t.Fatal(err)
		}
		want := [][]any{{int64(1), int64(2), int64(3), "-0.05", "170141183460469231731687303715884105727", "1.50", 0.5, map[string]any{"a": int64(1)}, word("ann")}}
		if diff := cmp.Diff(want, rows); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
	t.Run("that is malformed says where", func(t *testing.T) {
		_, _, err := run(t, "select from where")
		if err == nil || errors.Is(err, ErrNotSelect) {
			t.Errorf("error %v", err)
		}
	})

	secret := filepath.Join(dir, "secret.csv")
	if err := os.WriteFile(secret, []byte("a\nsecret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "other.parquet")
	for _, query := range []string{
		"", ";", "select 1; select 2", "select 1; drop view graph_users",
		"create table x as select 1", "insert into users values (1)", "drop view users", "delete from users", "update users set mail = ''",
		"copy (select 1) to " + literal(other), "copy users to " + literal(gold["users"]),
		"attach " + literal(filepath.Join(dir, "x.db")), "detach build", "install httpfs", "load httpfs",
		"set enable_external_access = true", "reset lock_configuration", "pragma database_list", "call pragma_version()",
		"export database " + literal(dir), "begin", "checkpoint", "explain select 1", "prepare p as select 1", "vacuum",
	} {
		t.Run("is refused: "+query, func(t *testing.T) {
			if _, _, err := run(t, query); !errors.Is(err, ErrNotSelect) {
				t.Errorf("error %v, want ErrNotSelect", err)
			}
		})
	}
	for _, query := range []string{
		"select * from read_csv(" + literal(secret) + ")",
		"select * from " + literal(secret),
		"select * from read_text(" + literal(secret) + ")",
		"select * from read_blob(" + literal(secret) + ")",
		"select * from sniff_csv(" + literal(secret) + ")",
		"select * from glob(" + literal(dir+"/*") + ")",
		"select * from read_parquet(" + literal(dir+"/*.parquet") + ")",
		"select * from parquet_schema(" + literal(other) + ")",
		"select * from query('copy (select 1) to ''" + other + "''')",
		"select * from query_table('" + secret + "')",
		"select * from enable_logging(storage = 'file', storage_path = '" + dir + "/log')",
		"select getenv('HOME')",
	} {
		t.Run("cannot reach out: "+query, func(t *testing.T) {
			if _, rows, err := run(t, query); err == nil {
				t.Errorf("gave %v", rows)
			}
		})
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range left {
		if f.Name() != "secret.csv" && !strings.HasSuffix(f.Name(), ".parquet") || f.Name() == "other.parquet" {
			t.Errorf("queries left %s behind", f.Name())
		}
	}
}
