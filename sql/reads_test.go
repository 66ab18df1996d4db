package sql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"seatlake/schemas"
)

func TestWhatAQueryReads(t *testing.T) {
	e, err := open(t.Context(), Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	gold := map[string]string{"users": "", "findings": ""}
	day := "2026-11-20"
	all := [][2]string(nil)
	one := [][2]string{{day, day}}
	users := func(days [][2]string) []Read { return []Read{{Name: "graph_users", Days: days}} }
	for query, want := range map[string][]Read{
		"select 1":                                          nil,
		"select * from table_coverage":                      nil,
		"select * from GRAPH_Users":                         users(all),
		`from main."graph_users"`:                           users(all),
		"table graph_users":                                 users(all),
		"summarize graph_users":                             users(all),
		"describe graph_users":                              users(all),
		"select (select count(*) from graph_users)":         users(all),
		"select 1 where exists (select 1 from graph_users)": users(all),
		"with graph_users as (select * from graph_users) select * from graph_users": users(all),
		"unpivot graph_users on mail, surname into name n value v":                  users(all),
		"select * from users, lateral (select users.user_id) union all from findings": {
			{Name: "findings"}, {Name: "users"},
		},
		"select * from duckdb_columns()":           {{Name: "findings"}, {Name: "users"}},
		"select * from information_schema.columns": {{Name: "findings"}, {Name: "users"}},
		"show tables":                 {{Name: "findings"}, {Name: "users"}},
		"select * from no_such_table": nil,

		"select * from graph_users where snapshot_date = '2026-11-20'":                                                   users(one),
		"select * from graph_users where SNAPSHOT_DATE = date '2026-11-20' and mail <> ''":                               users(one),
		"select * from graph_users u where '2026-11-20'::date = u.snapshot_date":                                         users(one),
		"select * from graph_users where snapshot_date >= '2026-11-20'":                                                  users([][2]string{{day, ""}}),
		"select * from graph_users where '2026-11-20' > snapshot_date":                                                   users([][2]string{{"", day}}),
		"select * from graph_users where snapshot_date > '2026-11-10' and snapshot_date < '2026-11-20'":                  users([][2]string{{"2026-11-10", day}}),
		"select * from graph_users where snapshot_date between '2026-11-10' and '2026-11-20'":                            users([][2]string{{"2026-11-10", day}}),
		"select * from graph_users where snapshot_date in ('2026-11-20')":                                                users(one),
		"select * from graph_users u join users m on m.user_id = u.id where u.snapshot_date = '2026-11-20'":              {users(one)[0], {Name: "users"}},
		"from graph_users where snapshot_date = '2026-11-20' union from graph_users where snapshot_date = '2026-11-19'":  users([][2]string{{"2026-11-19", "2026-11-19"}, {day, day}}),
		"from graph_users where snapshot_date = '2026-11-20' union from graph_users":                                     users(all),
		"select * from graph_users where snapshot_date = '2026-11-20' or mail = ''":                                      users(all),
		"select * from graph_users where not snapshot_date = '2026-11-20'":                                               users(all),
		"select * from graph_users where snapshot_date <> '2026-11-20'":                                                  users(all),
		"select * from graph_users where snapshot_date = current_date":                                                   users(all),
		"select * from graph_users where snapshot_date = try_cast('2026-11-20' as date)":                                 users(all),
		"select * from graph_users where cast(snapshot_date as varchar) = '2026-11-20'":                                  users(all),
		"select * from graph_users where snapshot_date = '20-11-2026'":                                                   users(all),
		"select * from graph_users where created_date_time = '2026-11-20'":                                               users(all),
		"select * from graph_users using sample 2 rows":                                                                  users(all),
		"select * from graph_users tablesample 10% where snapshot_date = '2026-11-20'":                                   users(all),
		"select * from graph_users where snapshot_date = '2026-11-20' using sample 2 rows":                               users(all),
		"select * from graph_users as u(snapshot_date) where snapshot_date = '2026-11-20'":                               users(all),
		"select * from users join graph_users on user_id = id where snapshot_date = '2026-11-20'":                        {users(all)[0], {Name: "users"}},
		"select * from users asof join graph_users u on user_id >= id where u.snapshot_date = '2026-11-20'":              {users(all)[0], {Name: "users"}},
		"select * from users positional join graph_users u where u.snapshot_date = '2026-11-20'":                         {users(all)[0], {Name: "users"}},
		"select * from (select * from graph_users) u where u.snapshot_date = '2026-11-20'":                               users(all),
		"select * from users u where u.snapshot_date = '2026-11-20' and exists (from graph_users)":                       {users(all)[0], {Name: "users"}},
		"select * from users u where exists (select 1 from graph_users u where u.snapshot_date = '2026-11-20')":          {users(one)[0], {Name: "users"}},
		"select * from users u where u.snapshot_date = '2026-11-20' and exists (select 1 from graph_users u where true)": {users(all)[0], {Name: "users"}},
		"select count(*) from graph_users having max(snapshot_date) = '2026-11-20'":                                      users(all),
		"select row_number() over () from graph_users qualify row_number() over (order by snapshot_date) = '2026-11-20'": users(all),
	} {
		t.Run(query, func(t *testing.T) {
			tree, err := e.parse(t.Context(), query)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, reads(tree, gold)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// fetching is inputs whose files are fetched: by partition, a row each.
func fetching(files map[string]map[string]string, fetched *[]Read, released *int) Inputs {
	return Inputs{Fetch: func(_ context.Context, reads []Read) (*Local, error) {
		*fetched = reads
		l := &Local{Files: map[string][]string{}, Gold: map[string]string{}, Release: func() error { *released++; return nil }}
		for _, r := range reads {
			paths := []string{}
			for day, path := range files[r.Name] {
				if r.Has(day) {
					paths = append(paths, path)
				}
			}
			slices.Sort(paths)
			l.Files[r.Name] = paths
		}
		return l, nil
	}}
}

// divided writes rows of some tables, a partition a day.
func divided(t *testing.T, tables map[*schemas.Table]int, days int) (map[string]map[string]string, Inputs) {
	t.Helper()
	files, whole := map[string]map[string]string{}, Inputs{Files: map[string][]string{}}
	for table, rows := range tables {
		files[table.Name] = map[string]string{}
		for d := range days {
			day := fmt.Sprintf("2026-11-%02d", d+1)
			var some []map[string]string
			for i := range rows {
				row := withDefaults(table, i, map[string]string{"id": fmt.Sprintf("%08d-0000-0000-0000-000000000000", i)})
				row["snapshot_date"] = day
				some = append(some, row)
			}
			path := writeTable(t, t.TempDir(), table, some)
			files[table.Name][day] = path
			whole.Files[table.Name] = append(whole.Files[table.Name], path)
		}
	}
	return files, whole
}

// conditional are queries over two joined tables with conditions on their days.
var conditional = rapid.Custom(func(r *rapid.T) string {
	day := rapid.Custom(func(r *rapid.T) string {
		return rapid.SampledFrom([]string{"", "date "}).Draw(r, "form") +
			rapid.SampledFrom([]string{"'2026-10-31'", "'2026-11-01'", "'2026-11-02'", "'2026-11-03'", "'2026-11-04'", "'2026-11-05'"}).Draw(r, "day")
	})
	relation := rapid.SampledFrom([]string{" = ", " < ", " <= ", " > ", " >= ", " <> "})
	condition := rapid.Custom(func(r *rapid.T) string {
		column := rapid.SampledFrom([]string{"u", "l"}).Draw(r, "table") + ".snapshot_date"
		switch rapid.IntRange(0, 4).Draw(r, "kind") {
		case 0:
			return column + " between " + day.Draw(r, "from") + " and " + day.Draw(r, "to")
		case 1:
			return column + " in (" + day.Draw(r, "one") + ", " + day.Draw(r, "other") + ")"
		case 2:
			return day.Draw(r, "left") + relation.Draw(r, "relation") + column
		case 3:
			return "(" + column + " = " + day.Draw(r, "a") + " or " + column + " is null)"
		default:
			return column + relation.Draw(r, "relation") + day.Draw(r, "right")
		}
	})
	join := rapid.SampledFrom([]string{
		"join graph_user_licenses l on u.snapshot_date = l.snapshot_date", "left join graph_user_licenses l on u.snapshot_date = l.snapshot_date",
		"right join graph_user_licenses l on u.snapshot_date = l.snapshot_date", "full join graph_user_licenses l on u.snapshot_date = l.snapshot_date",
		"cross join graph_user_licenses l", "asof join graph_user_licenses l on u.tenant_id = l.tenant_id and u.snapshot_date >= l.snapshot_date",
	}).Draw(r, "join")
	where := strings.Join(rapid.SliceOfN(condition, 1, 3).Draw(r, "where"), " and ")
	return "select u.snapshot_date, l.snapshot_date, u.id, count(*) from graph_users u " + join + " where " + where + " group by all order by all"
})

func TestAQueryOverPartsOfALake(t *testing.T) {
	files, whole := divided(t, map[*schemas.Table]int{schemas.GraphUsers: 2, schemas.GraphUserLicenses: 1}, 4)
	answer := func(in Inputs, query string) (rows [][]any, err error) {
		err = QueryWith(t.Context(), in, map[string]string{"users": "/not/there"}, query, Options{}, func(r *Rows) error {
			for row, err := range r.All() {
				if err != nil {
					return err
				}
				rows = append(rows, row)
			}
			return nil
		})
		return rows, err
	}
	t.Run("gives what it gives over the whole", func(t *testing.T) {
		leftOut := 0
		for seed := range 25 {
			query := conditional.Example(seed)
			var read []Read
			var released int
			want, err := answer(whole, query)
			if err != nil {
				t.Fatal(err)
			}
			got, err := answer(fetching(files, &read, &released), query)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s reads %v (-whole +parts):\n%s", query, read, diff)
			}
			if released != 1 {
				t.Errorf("files were let go of %d times", released)
			}
			if read[0].Days != nil || read[1].Days != nil {
				leftOut++
			}
		}
		if leftOut == 0 {
			t.Error("no query left a partition out: the test shows nothing")
		}
	})
	t.Run("sees the columns of tables that are not read", func(t *testing.T) {
		rows, err := answer(whole, "select count(*) from information_schema.columns where table_name = 'graph_sign_ins'")
		if err == nil || rows != nil || !strings.Contains(err.Error(), "/not/there") {
			t.Errorf("rows %v, error %v: the mart was not read", rows, err)
		}
	})
	t.Run("fails when its files cannot be fetched", func(t *testing.T) {
		away := errors.New("away")
		_, err := answer(Inputs{Fetch: func(context.Context, []Read) (*Local, error) { return nil, away }}, "from graph_users")
		if !errors.Is(err, away) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("never takes a table that was not found for an empty one", func(t *testing.T) {
		for _, query := range []string{"select count(*) from graph_users", "select count(*) from users", "select max(id) from graph_users", "from users"} {
			in := Inputs{Fetch: func(context.Context, []Read) (*Local, error) { return &Local{}, nil }}
			rows, err := answer(in, query)
			if err == nil || !strings.Contains(err.Error(), "does not name") {
				t.Errorf("%s = %v, %v", query, rows, err)
			}
		}
	})
}

func TestABuildFetchesWhatModelsRead(t *testing.T) {
	files, _ := divided(t, map[*schemas.Table]int{schemas.GraphUsers: 1}, 1)
	var read []Read
	var released int
	in := fetching(files, &read, &released)
	in.Files = map[string][]string{"graph_users": {"users-1", "users-2"}}
	in.Version, in.RunID, in.Coverage = 3, "run", coverageOf(t, []string{word("t1")}, nil)
	err := Preview(t.Context(), in, "stg_users", "select count(*) from stg_users", Options{}, func(r *Rows) error {
		for row, err := range r.All() {
			if err != nil {
				return err
			}
			if row[0] != int64(1) {
				t.Errorf("%v users", row[0])
			}
		}
		return nil
	})
	if err != nil || released != 1 || !cmp.Equal(read, []Read{{Name: "graph_users", Files: []string{"users-1", "users-2"}}}) {
		t.Errorf("error %v, read %v, released %d times", err, read, released)
	}
	p, err := load(Project(), nil)
	if err != nil {
		t.Fatal(err)
	}
	all := p.reads(nil)
	if !slices.ContainsFunc(all, func(r Read) bool { return r.Name == "graph_sign_ins" }) || len(all) < 20 {
		t.Errorf("a build reads %v", all)
	}
}
