package sql

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"seatlake/schemas"
)

// small is a project that loads, for tests to break.
func small() fstest.MapFS {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	return fstest.MapFS{
		"dbt_project.yml":                file("vars: {days: 7}\nmodels: {small: {marts: {+materialized: table}}}\n"),
		"models/staging/_sources.yml":    file("version: 2\nsources:\n  - name: lake\n    tables:\n      - name: graph_users\n"),
		"models/staging/stg_users.sql":   file("select * from {{ source('lake', 'graph_users') }}\n"),
		"models/marts/people.sql":        file("select *, {{ var('days') }} as days from {{ ref('stg_users') }}\n"),
		"models/marts/_marts.yml":        file("version: 2\nmodels:\n  - name: people\n    description: People.\n    columns:\n      - name: id\n        data_tests: [unique]\n"),
		"seeds/rules.csv":                file("a,b\n1,2\n"),
		"tests/people_are_there.sql":     file("{{ config(severity='warn') }}\nselect 1 from {{ ref('people') }} where id is null\n"),
		"models/marts/ignored_readme.md": file("not a model"),
	}
}

func TestAProject(t *testing.T) {
	t.Run("orders models after all they read", func(t *testing.T) {
		p, err := load(small(), map[string]string{"days": "30"})
		if err != nil {
			t.Fatal(err)
		}
		var order []string
		for _, n := range p.order {
			order = append(order, n.Name)
		}
		if diff := cmp.Diff([]string{"rules", "stg_users", "people"}, order); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		people := p.nodes["people"]
		if want := `select *, 30 as days from main."stg_users"`; people.SQL != want || people.Materialized != "table" {
			t.Errorf("%s: %s, want %s as a table", people.Materialized, people.SQL, want)
		}
		if got := p.nodes["stg_users"]; got.SQL != `select * from lake."graph_users"` || got.Materialized != "view" {
			t.Errorf("%s: %s", got.Materialized, got.SQL)
		}
		if len(p.tests) != 2 || p.tests[1].severity != Warn || p.tests[0].severity != Error {
			t.Errorf("tests %+v", p.tests)
		}
	})
	t.Run("renders the branch of an if that holds", func(t *testing.T) {
		fsys := small()
		fsys["models/marts/people.sql"].Data = []byte("select 1 as id{% if var('days') == 7 %}, 'week' as w{% else %}, 'other' as w{% endif %}")
		p, err := load(fsys, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.nodes["people"].SQL; got != "select 1 as id, 'week' as w" {
			t.Errorf("rendered %s", got)
		}
	})
	t.Run("puts an ephemeral model into its readers", func(t *testing.T) {
		fsys := small()
		fsys["models/staging/stg_users.sql"].Data = []byte("{{ config(materialized='ephemeral') }}select 1 as id")
		p, err := load(fsys, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.nodes["people"].SQL; got != "select *, 7 as days from (select 1 as id)" {
			t.Errorf("rendered %s", got)
		}
	})

	for name, c := range map[string]struct{ file, text, want string }{
		"an unknown function is refused with its line": {"models/marts/people.sql", "select 1\nfrom {{ star(ref('stg_users')) }}", "people.sql:2: the call of"},
		"a name of Jinja is refused with its line":     {"models/marts/people.sql", "select\n\n{{ this }}", "people.sql:3: the name this"},
		"a filter is refused with its line":            {"models/marts/people.sql", "select '{{ var('days') | upper }}'", "people.sql:1: the filter upper"},
		"a loop is refused with its line":              {"models/marts/people.sql", "select\n{% for x in [1] %}1{% endfor %}", "people.sql:2: "},
		"an assignment is refused with its line":       {"models/marts/people.sql", "{% set x = 1 %}", "people.sql:1: "},
		"an unknown model is named":                    {"models/marts/people.sql", "select * from {{ ref('nobody') }}", `ref("nobody"): no such seed or model`},
		"an unknown source is named":                   {"models/marts/people.sql", "select * from {{ source('lake', 'nothing') }}", `source("lake", "nothing"): no such source`},
		"an unknown variable is named":                 {"models/marts/people.sql", "select {{ var('weeks') }}", `var "weeks" is not set`},
		"an unknown setting is named":                  {"models/marts/people.sql", "{{ config(alias='x') }}select 1", "config(alias) is not supported"},
		"an unknown materialization is named":          {"models/marts/people.sql", "{{ config(materialized='incremental') }}select 1", `materialized="incremental" is not supported`},
		"an unclosed expression is refused":            {"models/marts/people.sql", "select {{ ref('stg_users'", "models/marts/people.sql"},
		"a cycle is named":                             {"models/staging/stg_users.sql", "select * from {{ ref('people') }}", "people -> stg_users -> people"},
		"two nodes of one name are named":              {"models/marts/rules.sql", "select 1", "have the same name"},
		"an unknown property is refused":               {"models/marts/_marts.yml", "version: 2\nmodels:\n  - name: people\n    colums: []\n", "colums"},
		"a description of nothing is named":            {"models/marts/_marts.yml", "version: 2\nmodels:\n  - name: nobody\n", "nobody is described"},
		"an unknown test is refused with its line":     {"models/marts/_marts.yml", "version: 2\nmodels:\n  - name: people\n    columns:\n      - name: id\n        data_tests: [positive]\n", `_marts.yml:6: test "positive" is not supported`},
		"a relationship to nothing is named":           {"models/marts/_marts.yml", "version: 2\nmodels:\n  - name: people\n    columns:\n      - name: id\n        data_tests:\n          - relationships: {arguments: {to: ref('nobody'), field: id}}\n", "no such seed or model"},
		"an unknown severity is refused":               {"tests/people_are_there.sql", "{{ config(severity='fatal') }}select 1", `severity "fatal" is not supported`},
		"a project file that is no YAML is refused":    {"dbt_project.yml", "vars: [", "dbt_project.yml"},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := small()
			fsys[c.file] = &fstest.MapFile{Data: []byte(c.text)}
			_, err := load(fsys, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	t.Run("a variable that is not declared is refused", func(t *testing.T) {
		if _, err := load(small(), map[string]string{"weeks": "1"}); err == nil || !strings.Contains(err.Error(), `"weeks" is not declared`) {
			t.Errorf("error %v", err)
		}
	})
}

func TestSeeds(t *testing.T) {
	t.Run("services are those of the schemas, in their order", func(t *testing.T) {
		rows, err := Seed("services", nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []schemas.Service
		for _, r := range rows {
			got = append(got, schemas.Service(r["service"]))
		}
		if diff := cmp.Diff(schemas.Services(), got); diff != "" {
			t.Errorf("-schemas +seed:\n%s", diff)
		}
	})
	t.Run("coverage sources are the stored tables of a tenant, but for a user's files and the ledger", func(t *testing.T) {
		rows, err := Seed("coverage_sources", nil)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		for _, r := range rows {
			got[r["table_name"]] = true
		}
		want := map[string]bool{}
		// A tenant without the file lacks nothing, nor does one from which nothing was taken.
		files := []*schemas.Table{schemas.LicenseTerms, schemas.ReclaimEvents, schemas.HrEmployees, schemas.InventoryInstallations, schemas.LegacyLicenses}
		files = append(files, schemas.HistoryDays, schemas.HistoryUsers, schemas.HistoryUserLicenses, schemas.HistoryPositions, schemas.HistoryLicenseActivity) // of no source
		for _, table := range schemas.All() {
			if table.Partition != "" && !slices.Contains(files, table) {
				want[table.Name] = true
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-schemas +seed:\n%s", diff)
		}
	})
	t.Run("a resource alone never counts for Dynamics 365", func(t *testing.T) {
		rules, err := SignInRules(nil)
		if err != nil {
			t.Fatal(err)
		}
		services := map[string]bool{}
		for _, r := range rules {
			services[r.Service] = true
			if r.Match == "resource" && r.Service != "Power BI" {
				t.Errorf("rule %s matches a resource for %s", r.Name, r.Service)
			}
		}
		if want := map[string]bool{"Dynamics 365": true, "Power BI": true, "Project": true, "Visio": true}; !maps.Equal(want, services) {
			t.Errorf("rules are for %v", services)
		}
	})
	t.Run("the user's rows replace the project's", func(t *testing.T) {
		rows, err := Seed("managed_sku_rules", map[string][]byte{"managed_sku_rules": ManagedSKUs(nil, []string{`SPE_"E3"`})})
		if err != nil {
			t.Fatal(err)
		}
		want := []map[string]string{{"kind": "include", "pattern": "*"}, {"kind": "exclude", "pattern": `SPE_"E3"`}}
		if diff := cmp.Diff(want, rows); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
	t.Run("thresholds that are not set are left to the next scope", func(t *testing.T) {
		got := string(Thresholds(60, 14, []Threshold{{SKU: "g", ThresholdDays: 30}, {Service: "Visio", GraceDays: 3}}))
		want := "scope,sku_id,service,threshold_days,grace_days\ndefault,,,60,14\nsku,g,,30,\nservice,,Visio,,3\n"
		if got != want {
			t.Errorf("got %s", got)
		}
	})
	for name, c := range map[string]struct {
		seed, csv, want string
	}{
		"a seed that does not exist is refused": {"nothing", "a\n", `seed "nothing": no such seed`},
		"a seed with other columns is refused":  {"managed_sku_rules", "pattern\nx\n", "its columns are kind,pattern, not pattern"},
		"a seed with a short row is refused":    {"managed_sku_rules", "kind,pattern\nx\n", "seed managed_sku_rules: record on line 2"},
		"an empty seed is refused":              {"managed_sku_rules", "", "seed managed_sku_rules: EOF"},
		"a cell of the wrong type is refused":   {"activity_thresholds", "scope,sku_id,service,threshold_days,grace_days\ndefault,,,sixty,14\n", "seeds/activity_thresholds.csv: row 1"},
	} {
		t.Run(name, func(t *testing.T) {
			in := Inputs{Seeds: map[string][]byte{c.seed: []byte(c.csv)}}
			_, err := Build(t.Context(), in, t.TempDir(), Options{TempDir: t.TempDir()})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestDocsNameEveryModelAndColumn(t *testing.T) {
	var out bytes.Buffer
	if err := Docs(&out); err != nil {
		t.Fatal(err)
	}
	nodes, err := Nodes()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if n.Kind == KindSource {
			continue
		}
		if !strings.Contains(out.String(), "\n### "+n.Name+"\n\n"+n.Description+"\n") {
			t.Errorf("%s is not there", n.Name)
		}
		for _, c := range n.Columns {
			if !strings.Contains(out.String(), "| `"+c.Name+"` | ") {
				t.Errorf("column %s of %s is not there", c.Name, n.Name)
			}
		}
		if n.Kind == KindModel && !strings.HasPrefix(n.SQL, "-- Grain: ") {
			t.Errorf("%s does not begin with its grain", n.File)
		}
	}
}

func TestTheEmbeddedProjectIsTheFolder(t *testing.T) {
	err := fs.WalkDir(Project(), ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		want, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		got, err := fs.ReadFile(Project(), file)
		if err != nil {
			return err
		}
		if !bytes.Equal(want, got) {
			t.Errorf("%s differs", file)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
