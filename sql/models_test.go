package sql

import (
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/rogpeppe/go-internal/txtar"

	"seatlake/schemas"
)

// TestModels builds the models from tables written as text and compares marts with
// what the text expects. A file of testdata has these sections:
//
//	<stored table>   rows as CSV; columns that are left out have the defaults below
//	table_coverage   rows as CSV, laid over the default: every source complete
//	seed <name>      the whole seed
//	vars             name,value
//	want <mart>      the mart's rows, with the columns of the header; rewritten by -update
//	want faults      tests that found faults, with the count; rewritten by -update
//
// A GUID may be a word of up to 16 letters: it stands for its bytes. Every run is
// of 2026-11-20, every report ends on 2026-11-18.
func TestModels(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no model tests: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := runModelTest(t, archive)
			if *update {
				if err := os.WriteFile(path, txtar.Format(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(txtar.Format(archive)), string(txtar.Format(got))); diff != "" {
				t.Errorf("marts differ (-want +got):\n%s", diff)
			}
		})
	}
}

// runModelTest is the archive with its want sections as they come out.
func runModelTest(t *testing.T, a *txtar.Archive) *txtar.Archive {
	in := Inputs{Version: 7, RunID: "run", Files: map[string][]string{}, Seeds: map[string][]byte{}, Vars: map[string]string{}}
	tenants := map[string]bool{word("t1"): true}
	var coverage []map[string]string
	tables := map[string][]map[string]string{}
	for _, f := range a.Files {
		kind, name, _ := strings.Cut(f.Name, " ")
		switch {
		case kind == "want":
		case kind == "seed":
			in.Seeds[name] = seedOf(t, f.Data)
		case kind == "vars":
			for _, row := range readCSV(t, f.Data) {
				in.Vars[row["name"]] = row["value"]
			}
		case kind == "table_coverage":
			coverage = readCSV(t, f.Data)
		default:
			table, ok := schemas.ByName(f.Name)
			if !ok {
				t.Fatalf("%s is no stored table", f.Name)
			}
			for i, row := range readCSV(t, f.Data) {
				row = withDefaults(table, i, row)
				if id, ok := row["tenant_id"]; ok {
					tenants[id] = true
				}
				tables[table.Name] = append(tables[table.Name], row)
			}
		}
	}
	for _, row := range coverage {
		if row["tenant_id"] != "" {
			tenants[word(row["tenant_id"])] = true
		}
	}
	dir := t.TempDir()
	for name, rows := range tables {
		table, _ := schemas.ByName(name)
		in.Files[name] = []string{writeTable(t, dir, table, rows)}
	}
	var files []string
	for _, t := range []*schemas.Table{schemas.LicenseTerms, schemas.HrEmployees, schemas.InventoryInstallations, schemas.LegacyLicenses} {
		if len(tables[t.Name]) > 0 {
			files = append(files, t.Name)
		}
	}
	in.Coverage = coverageOf(t, slices.Sorted(maps.Keys(tenants)), coverage, files...)

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

	got := &txtar.Archive{Comment: a.Comment}
	for _, f := range a.Files {
		if mart, ok := strings.CutPrefix(f.Name, "want "); ok {
			if mart == "faults" {
				f.Data = faultsOf(result)
			} else {
				header, _, _ := strings.Cut(string(f.Data), "\n")
				f.Data = martOf(t, in, gold, mart, header)
			}
		}
		got.Files = append(got.Files, f)
	}
	if result.Failed() && !slices.ContainsFunc(a.Files, func(f txtar.File) bool { return f.Name == "want faults" }) {
		t.Errorf("tests of severity error found faults:\n%s", faultsOf(result))
	}
	return got
}

// withDefaults fills in what a row leaves out.
func withDefaults(table *schemas.Table, i int, row map[string]string) map[string]string {
	defaults := map[string]string{
		"tenant_id": "t1", "snapshot_date": "2026-11-20", "report_refresh_date": "2026-11-18",
		"account_enabled": "true", "user_type": "Member", "is_deleted": "false",
		"holds_seat": "true", "assigned_by": "direct", "assignment_state": "Active", "enabled_plans": "1", "disabled_plans": "0",
		"applies_to": "User", "capability_status": "Enabled",
		"status_error_code": "0", "is_interactive": "true", "event_date": strings.Split(row["created_date_time"], "T")[0],
	}
	if table == schemas.InventoryInstallations {
		maps.Copy(defaults, installationDefaults(i, row))
	}
	if table == schemas.LegacyLicenses {
		defaults["line"] = fmt.Sprint(i + 2)
	}
	if table == schemas.LicenseTerms {
		defaults["line"], defaults["fees"] = fmt.Sprint(i+2), "0"
	}
	if table == schemas.GraphSignIns || table == schemas.GraphNonInteractiveSignIns {
		defaults["id"] = fmt.Sprintf("signin%d", i)
	}
	if table == schemas.GraphUsers {
		defaults["user_principal_name"] = row["id"] + "@contoso.com"
		defaults["created_date_time"] = "2020-01-01T00:00:00Z"
	}
	out := map[string]string{}
	for _, f := range table.Fields {
		value, given := row[f.Name]
		if !given {
			value = defaults[f.Name]
		}
		switch {
		case value == "":
		case f.Kind == schemas.UUID, f.Name == "user_object_id":
			value = word(value)
		case f.Kind == schemas.List && f.Elem.Kind == schemas.UUID: // words or GUIDs, in a list or with blanks between them
			words := strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" ,[]", r) })
			for i := range words {
				words[i] = word(words[i])
			}
			value = "[" + strings.Join(words, ", ") + "]"
		}
		out[f.Name] = value
	}
	return out
}

// writeTable writes rows as a Parquet file of the table.
func writeTable(t testing.TB, dir string, table *schemas.Table, rows []map[string]string) string {
	t.Helper()
	e, err := open(t.Context(), Options{TempDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	lines := [][]string{nil}
	var columns []string
	for i := range table.Fields {
		f := &table.Fields[i]
		kind := duckType(f, "UUID")
		if f.Kind == schemas.Timestamp {
			kind = "TIMESTAMP WITH TIME ZONE" // as the lake's files have it
		}
		lines[0] = append(lines[0], f.Name)
		columns = append(columns, "cast(nullif("+quote(f.Name)+", '') as "+kind+") as "+quote(f.Name))
	}
	for _, row := range rows {
		line := make([]string, len(lines[0]))
		for i, name := range lines[0] {
			line[i] = row[name]
		}
		lines = append(lines, line)
	}
	text, path := filepath.Join(dir, table.Name+".csv"), filepath.Join(dir, table.Name+".parquet")
	if err := os.WriteFile(text, writeCSV(lines), 0o644); err != nil {
		t.Fatal(err)
	}
	read := "read_csv(" + literal(text) + ", header = true, all_varchar = true, delim = ',', quote = '\"', escape = '\"')"
	if err := e.exec(t.Context(), "copy (select "+strings.Join(columns, ", ")+" from "+read+") to "+literal(path)+" (format parquet)"); err != nil {
		t.Fatalf("%s: %v", table.Name, err)
	}
	if err := os.Remove(text); err != nil {
		t.Fatal(err)
	}
	return path
}

// coverageOf is the default coverage of the tenants, with rows laid over it. A cell
// "-" empties the default. Tables of a user's files are covered when they are named.
func coverageOf(t *testing.T, tenants []string, over []map[string]string, files ...string) []CoverageRow {
	t.Helper()
	sources, err := Seed("coverage_sources", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		sources = append(sources, map[string]string{"table_name": name})
	}
	laid := map[string][]map[string]string{} // over the tenant's rows; of no tenant: over all
	for _, o := range over {
		tenant := o["tenant_id"]
		if tenant != "" {
			tenant = word(tenant)
		}
		laid[tenant] = append(laid[tenant], o)
	}
	var out []CoverageRow
	for _, tenant := range tenants {
		for _, s := range sources {
			row := map[string]string{
				"state": "complete", "observed_at": "2026-11-20T06:00:00Z", "observed_through": "2026-11-20",
				"logical_date": "2026-11-20", "snapshot_date": "2026-11-20", "row_count": "1", "run_id": "run",
			}
			switch s["kind"] {
			case "report":
				row["observed_through"], row["logical_date"] = "2026-11-18", "2026-11-18"
			case "sign_ins":
				row["logical_date"] = ""
			}
			absent := false
			for _, o := range slices.Concat(laid[""], laid[tenant]) {
				if o["table_name"] != s["table_name"] {
					continue
				}
				absent = o["state"] == "absent"
				for name, value := range o {
					if value == "-" {
						row[name] = ""
					} else if value != "" {
						row[name] = value
					}
				}
			}
			if absent {
				continue
			}
			c := CoverageRow{
				TenantID: tenant, TenantName: "contoso", Table: s["table_name"], State: row["state"], Reason: row["reason"],
				ObservedThrough: row["observed_through"], LogicalDate: row["logical_date"], Rows: 1, RunID: row["run_id"], SnapshotDate: row["snapshot_date"],
			}
			if row["observed_at"] != "" {
				if c.Observed, err = time.Parse(time.RFC3339, row["observed_at"]); err != nil {
					t.Fatal(err)
				}
			}
			out = append(out, c)
		}
	}
	return out
}

// martOf is some columns of a mart as CSV.
func martOf(t *testing.T, in Inputs, gold map[string]string, mart, header string) []byte {
	t.Helper()
	rows := [][]string{strings.Split(header, ",")}
	query := "select " + header + " from " + quote(mart) + " order by all"
	err := Query(t.Context(), in, gold, query, func(r *Rows) error {
		for row, err := range r.All() {
			if err != nil {
				return err
			}
			cells := make([]string, len(row))
			for i, v := range row {
				cells[i] = cell(v, r.Columns[i].Type)
			}
			rows = append(rows, cells)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("want %s: %v", mart, err)
	}
	return writeCSV(rows)
}

// cell is a value as text; GUIDs that stand for words are those words.
func cell(v any, kind string) string {
	switch v := v.(type) {
	case nil:
		return ""
	case time.Time:
		if kind == "DATE" {
			return v.Format(time.DateOnly)
		}
		return v.Format(time.RFC3339)
	case string:
		if id, err := uuid.Parse(v); err == nil {
			if w := strings.TrimRight(string(id[:]), "\x00"); w != "" && strings.Trim(w, "abcdefghijklmnopqrstuvwxyz0123456789_") == "" {
				return w
			}
		}
		return v
	default:
		return fmt.Sprint(v)
	}
}

// word is the GUID of a word; a GUID stays itself.
func word(w string) string {
	if _, err := uuid.Parse(w); err == nil {
		return w
	}
	var id uuid.UUID
	if len(w) > len(id) {
		panic("word too long for a GUID: " + hex.EncodeToString([]byte(w)))
	}
	copy(id[:], w)
	return id.String()
}

// seedOf is a seed's CSV with its sku_id column as GUIDs, part numbers (which have
// capitals) left as they are.
func seedOf(t *testing.T, data []byte) []byte {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if i := slices.Index(rows[0], "sku_id"); i >= 0 {
		for _, row := range rows[1:] {
			if row[i] != "" && row[i] == strings.ToLower(row[i]) {
				row[i] = word(row[i])
			}
		}
	}
	return writeCSV(rows)
}

func faultsOf(r *Result) []byte {
	rows := [][]string{{"test", "severity", "rows"}}
	for _, n := range r.Nodes {
		if n.Status != OK {
			rows = append(rows, []string{n.Name, string(n.Severity), fmt.Sprint(n.Rows)})
		}
	}
	return writeCSV(rows)
}

func readCSV(t *testing.T, data []byte) []map[string]string {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, row := range rows[1:] {
		m := map[string]string{}
		for i, name := range rows[0] {
			m[name] = row[i]
		}
		out = append(out, m)
	}
	return out
}
