package sql

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"seatlake/schemas"
)

// TestSums builds a small tenant's marts, finds that all sums agree, and then that each
// mart that is changed behind the program's back is named.
func TestSums(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/history.txt")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	in := Inputs{Version: 7, RunID: "run", Files: map[string][]string{}, Coverage: coverageOf(t, []string{word("t1")}, nil)}
	for _, f := range archive.Files {
		table, ok := schemas.ByName(f.Name)
		if !ok {
			continue
		}
		var rows []map[string]string
		for i, row := range readCSV(t, f.Data) {
			rows = append(rows, withDefaults(table, i, row))
		}
		in.Files[table.Name] = []string{writeTable(t, dir, table, rows)}
	}
	out := filepath.Join(dir, "gold")
	if err := os.Mkdir(out, 0o755); err != nil {
		t.Fatal(err)
	}
	result, err := Build(t.Context(), in, out, Options{TempDir: dir, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	gold := map[string]string{}
	for _, m := range result.Marts {
		gold[m.Name] = m.Path
	}
	t.Run("sums of one version agree", func(t *testing.T) {
		found, compared, err := Sums(t.Context(), in, gold, Options{TempDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if len(found) > 0 || compared < 6 {
			t.Errorf("%d sums were compared, and these differ: %v", compared, found)
		}
	})
	for _, c := range []struct {
		name, mart, change string
		want               Disagreement
	}{
		{
			"a position with more users than assignments is named", "license_positions", "* replace (assigned_users + 2 as assigned_users)",
			Disagreement{"Assigned users of a position are the licences of its users, one by one", word("t1"), word("e3"), 3, 1, "license_assignments"},
		},
		{
			"units that no subscription has are named", "license_positions", "* replace (cast(11 as integer) as entitled_units)",
			Disagreement{"Entitled units, managed or not, are the enabled and warning units of the stored subscribed SKUs", word("t1"), word("e3"), 11, 10, ""},
		},
		{
			"a user who is missing is named", "users", "* from users limit 2 --",
			Disagreement{"Users are the rows of the stored snapshot", word("t1"), "users", 2, 3, ""},
		},
		{
			"a span that did not end is named", "user_license_history", "* replace (cast(null as date) as to_date)",
			Disagreement{"The licences that are assigned are those whose spans in the history have not ended", word("t1"), word("e3"), 1, 6, ""},
		},
		{
			"a figure that is not known differs from one that is", "license_positions", "* replace (cast(null as integer) as unreconciled_units)",
			Disagreement{"Consumed units are assigned users and the units that nothing explains, which the position states", word("t1"), word("e3"), 1, 0, ""},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			changed := filepath.Join(t.TempDir(), c.mart+".parquet")
			e, err := open(t.Context(), Options{TempDir: dir})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			for _, query := range []string{
				"create view users as select * from read_parquet(" + literal(gold["users"]) + ")",
				"copy (select " + c.change + " from read_parquet(" + literal(gold[c.mart]) + ")\n) to " + literal(changed) + " (format parquet)",
			} {
				if err := e.exec(t.Context(), query); err != nil {
					t.Fatal(err)
				}
			}
			other := map[string]string{}
			for mart, path := range gold {
				other[mart] = path
			}
			other[c.mart] = changed
			found, _, err := Sums(t.Context(), in, other, Options{TempDir: dir})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(found, c.want) {
				t.Errorf("%v is not among %v", c.want, found)
			}
		})
	}
}
