package sql

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seatlake/schemas"
)

func TestEveryRelationIsDescribed(t *testing.T) {
	ctx := t.Context()
	p, err := load(files, nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := open(ctx, Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	b := &build{engine: e}
	none := Inputs{}
	local, err := none.local(ctx, nil, p.reads(nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.begin(ctx, p, none, local); err != nil {
		t.Fatal(err)
	}
	for _, n := range p.order {
		if err := b.node(ctx, n); err != nil {
			t.Fatal(err)
		}
		if n.Description == "" {
			t.Errorf("%s has no description", n.File)
		}
		built, _, err := e.columns(ctx, "select * from main."+quote(n.Name))
		if err != nil {
			t.Fatal(err)
		}
		var described []string
		for _, c := range n.Columns {
			described = append(described, c.Name)
			if c.Description == "" {
				t.Errorf("%s: column %s has no description", n.File, c.Name)
			}
		}
		if diff := cmp.Diff(built, described); diff != "" {
			t.Errorf("%s: columns built and described differ (-built +described):\n%s", n.File, diff)
		}
		for _, k := range n.Key {
			if !slices.Contains(built, k) {
				t.Errorf("%s: key column %s is not there", n.File, k)
			}
		}
		if n.Layer == "marts" && len(n.Key) == 0 {
			t.Errorf("%s: a mart needs a key", n.File)
		}
	}
}

func TestAnEmptyLakeBuilds(t *testing.T) {
	dir := t.TempDir()
	r, err := Build(t.Context(), Inputs{Version: 1, RunID: "r"}, dir, Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range r.Nodes {
		if n.Status != OK {
			t.Errorf("%s: %s %v", n.Name, n.Status, n.Faults)
		}
	}
	if r.Failed() {
		t.Error("an empty lake fails its tests")
	}
}

// smallTenant is a tenant with something in every report.
func smallTenant(t *testing.T, dir string) Inputs {
	t.Helper()
	in := Inputs{Version: 5, RunID: "01RUN", Files: map[string][]string{}, Coverage: coverageOf(t, []string{word("t1")}, nil)}
	rows := map[string][]map[string]string{}
	for i := range 40 {
		id := fmt.Sprintf("user%02d", i)
		upn := id + "@contoso.com"
		day := time.Date(2026, 11, 18, 0, 0, 0, 0, time.UTC).AddDate(0, 0, -5*i).Format(time.DateOnly)
		rows["graph_users"] = append(rows["graph_users"], map[string]string{"id": id, "last_successful_sign_in_date_time": day + "T10:00:00Z"})
		for _, l := range [][2]string{{"e3", "Outlook"}, {"e3", "Microsoft Teams"}, {"ems", ""}} {
			rows["graph_user_licenses"] = append(rows["graph_user_licenses"], map[string]string{"user_id": id, "sku_id": l[0], "service": l[1]})
		}
		rows["report_email_activity_user_detail"] = append(rows["report_email_activity_user_detail"], map[string]string{"user_principal_name": upn, "last_activity_date": day})
		rows["report_onedrive_usage_account_detail"] = append(rows["report_onedrive_usage_account_detail"],
			map[string]string{"owner_principal_name": upn, "site_id": id, "storage_used_byte": fmt.Sprint(1000 * i)})
	}
	for name, rs := range rows {
		table, _ := schemas.ByName(name)
		for i := range rs {
			rs[i] = withDefaults(table, i, rs[i])
		}
		in.Files[name] = []string{writeTable(t, dir, table, rs)}
	}
	return in
}

func TestMartsAreTheSameBytesWhateverTheThreads(t *testing.T) {
	in := smallTenant(t, t.TempDir())
	sums := func(threads int) map[string][32]byte {
		dir := t.TempDir()
		r, err := Build(t.Context(), in, dir, Options{TempDir: t.TempDir(), Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		out := map[string][32]byte{}
		for _, m := range r.Marts {
			text, err := os.ReadFile(m.Path)
			if err != nil {
				t.Fatal(err)
			}
			out[m.Name] = sha256.Sum256(text)
		}
		return out
	}
	first := sums(1)
	if len(first) < 8 {
		t.Errorf("only %d marts", len(first))
	}
	if diff := cmp.Diff(first, sums(4)); diff != "" {
		t.Errorf("-1 thread +4 threads:\n%s", diff)
	}
}

func TestALongerThresholdNeverMakesALicenceIdle(t *testing.T) {
	in := smallTenant(t, t.TempDir())
	before := int64(-1)
	for _, days := range []int{15, 30, 60, 90, 120} {
		in.Seeds = map[string][]byte{"activity_thresholds": Thresholds(days, 14, nil)}
		dir := t.TempDir()
		if _, err := Build(t.Context(), in, dir, Options{TempDir: t.TempDir()}); err != nil {
			t.Fatal(err)
		}
		var active, inactive int64
		err := Query(t.Context(), in, map[string]string{"license_positions": filepath.Join(dir, "license_positions.parquet")},
			"select cast(sum(active_users) as bigint), cast(sum(inactive_users) as bigint) from license_positions", func(r *Rows) error {
				for row, err := range r.All() {
					if err != nil {
						return err
					}
					active, inactive = row[0].(int64), row[1].(int64)
				}
				return nil
			})
		if err != nil {
			t.Fatal(err)
		}
		if active+inactive != 80 || active <= before {
			t.Errorf("%d days: %d active, %d inactive; %d active with a shorter threshold", days, active, inactive, before)
		}
		before = active
	}
}

func TestABuildTellsWhatItDoes(t *testing.T) {
	in := smallTenant(t, t.TempDir())
	var clock time.Time
	var events []Event
	dir := t.TempDir()
	temp := t.TempDir()
	r, err := Build(t.Context(), in, dir, Options{
		TempDir:  temp,
		Now:      func() time.Time { clock = clock.Add(time.Second); return clock },
		Progress: func(e Event) { events = append(events, e) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != 2*len(r.Nodes) || events[len(events)-1].Index != events[0].Total {
		t.Errorf("%d events for %d nodes, total %d", len(events), len(r.Nodes), events[0].Total)
	}
	rows := map[string]int64{}
	for _, n := range r.Nodes {
		rows[n.Name] = n.Rows
		if n.Seconds != 1 {
			t.Errorf("%s took %v s", n.Name, n.Seconds)
		}
	}
	for name, want := range map[string]int64{"services": 11, "stg_users": -1, "users": 40, "users.parquet": 40, "license_assignments": 80, "days_are_not_negative": 0} {
		if rows[name] != want {
			t.Errorf("%s has %d rows, want %d", name, rows[name], want)
		}
	}
	left, err := os.ReadDir(temp)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestABuildRefusesBadInputs(t *testing.T) {
	for name, c := range map[string]struct {
		in   Inputs
		want string
	}{
		"a table that is not stored": {Inputs{Files: map[string][]string{"x": nil}}, `files of table "x": no such stored table`},
		"a tenant that is no GUID":   {Inputs{Coverage: []CoverageRow{{TenantID: "contoso", SnapshotDate: "2026-11-20"}}}, `coverage row 1: tenant id "contoso" is not a GUID`},
		"a day that is none":         {Inputs{Coverage: []CoverageRow{{TenantID: word("t"), Table: "graph_users", SnapshotDate: "today"}}}, `"today" is not a day`},
		"a run without a day":        {Inputs{Coverage: []CoverageRow{{TenantID: word("t"), Table: "graph_users"}}}, "the day of its run is missing"},
		"a file that is not there":   {Inputs{Files: map[string][]string{"graph_users": {"/nowhere/x.parquet"}}}, "read files of graph_users"},
		"a variable that is not one": {Inputs{Vars: map[string]string{"x": "1"}}, `variable "x" is not declared`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Build(t.Context(), c.in, t.TempDir(), Options{TempDir: t.TempDir()})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	t.Run("a folder that is not there", func(t *testing.T) {
		_, err := Build(t.Context(), Inputs{}, "/nowhere/gold", Options{TempDir: t.TempDir()})
		if err == nil || !strings.Contains(err.Error(), "write mart coverage") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a context that is done", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		temp := t.TempDir()
		if _, err := Build(ctx, Inputs{}, t.TempDir(), Options{TempDir: temp}); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if left, _ := os.ReadDir(temp); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

func TestFilesOfBeforeAColumnGiveNull(t *testing.T) {
	dir := t.TempDir()
	e, err := open(t.Context(), Options{TempDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	write := func(name, query string) string {
		path := filepath.Join(dir, name)
		if err := e.exec(t.Context(), "copy ("+query+") to "+literal(path)+" (format parquet)"); err != nil {
			t.Fatal(err)
		}
		return path
	}
	required := "select uuid '" + word("t1") + "' as tenant_id, date '2026-11-20' as snapshot_date, "
	old := write("old.parquet", required+"uuid '"+word("ann")+"' as id")
	later := write("new.parquet", required+"uuid '"+word("bob")+"' as id, 'B' as given_name")
	if err := e.storedView(t.Context(), "main.v", schemas.GraphUsers, []string{old, later}, "VARCHAR"); err != nil {
		t.Fatal(err)
	}
	n, err := e.count(t.Context(), "select count(*) from v where (given_name is null) = (id = '"+word("ann")+"') and surname is null")
	if err != nil || n != 2 {
		t.Errorf("%d rows, %v", n, err)
	}
	broken := write("broken.parquet", "select 'x' as surname")
	if err := e.storedView(t.Context(), "main.w", schemas.GraphUsers, []string{broken}, "UUID"); err == nil || !strings.Contains(err.Error(), "column tenant_id is missing") {
		t.Errorf("error %v", err)
	}
}
