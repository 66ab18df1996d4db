package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"seatlake/extract/graph/graphsim"
	"seatlake/schemas"
	"seatlake/transform/seal"
)

const privacyKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

// TestPseudonymisedLakeSaysTheSame reads random tenants twice, into a lake whose names
// are clear and into one whose names are sealed. All marts are equal, row by row, once
// the sealed values are revealed, and nothing in the sealed lake names anybody.
func TestPseudonymisedLakeSaysTheSame(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			tenant := serve(t, graphsim.Options{Now: scriptNow, Users: 60, SignIns: 200, Seed: 100 + seed, Concealed: false})
			clear, sealed := newSimLake(t), newSimLake(t)
			var people [][]any
			for _, l := range []simLake{clear, sealed} {
				l.configure(map[string]*simTenant{"contoso": tenant})
				if people == nil {
					l.tell(t, "run", "--no-build", "--task", "roster,licenses")
					people = l.answer(t, "select user_principal_name, mail, coalesce(employee_id, 'e' || row_number() over (order by id)), coalesce(on_premises_sam_account_name, 'sam'), cast(id as varchar) from graph_users where user_principal_name is not null order by id")
					if err := os.RemoveAll(l.lakeDir()); err != nil {
						t.Fatal(err)
					}
				}
				l.withPeople(t, people, l == sealed)
				l.tell(t, "run")
			}
			differ(t, clear.marts(t, false), sealed.marts(t, true))
			sealed.namesNobody(t, clear)
			clear.figuresAddUp(t)
		})
	}
}

// withPeople gives a lake an HR file, an inventory and lists of users, all of whom the
// tenant has or nearly has.
func (l simLake) withPeople(t *testing.T, people [][]any, sealed bool) {
	t.Helper()
	hr := "employee_id,user_principal_name,mail,status,department,cost_centre,manager_user_principal_name,end_date\n"
	inventory := "Host;Serial;Person;App;Since\n"
	for i, p := range people {
		upn, mail, number, account, id := cell(p[0]), cell(p[1]), cell(p[2]), cell(p[3]), cell(p[4])
		switch i % 5 {
		case 0:
			hr += fmt.Sprintf("%s,%s,,active,Sales,C1,%s,\n", number, strings.ToUpper(upn), cell(people[0][0]))
		case 1:
			hr += fmt.Sprintf("%s,,%s,inactive,,C2,,2026-09-30\n", strings.ToUpper(number), mail)
		case 2:
			hr += fmt.Sprintf("%s,nobody%d@contoso.com,,leave,Sales,,,\n", number, i)
		}
		names := []string{upn, strings.ToUpper(mail), `CORP\` + account, account, id, "Stranger " + number, ""}
		inventory += fmt.Sprintf("Pc-%d;S-%d;%s;Microsoft Word.app;01.02.2026\n", i, i, names[i%len(names)])
		if i%4 == 0 {
			inventory += fmt.Sprintf("pC-%d;;%s;Microsoft Excel.app;01.02.2026\n", i, names[(i+1)%len(names)])
		}
	}
	config := "hr: {file: hr.csv}\ninventory: [{file: devices.csv, mapping: own.yaml}]\n" +
		fmt.Sprintf("reclaim: {protect: {users: [%q, %q]}, shared_mailboxes: [%q, %q]}\n",
			cell(people[1][0])[:2]+"*", cell(people[2][4]), cell(people[3][0]), "*a*@*")
	if sealed {
		config += "privacy: {pseudonymise: true, key_file: privacy.key}\n"
	}
	before, err := os.ReadFile(filepath.Join(l.dir, "seatlake.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"hr.csv": hr, "devices.csv": inventory, "privacy.key": privacyKey + "\n", "seatlake.yaml": string(before) + config,
		"own.yaml": "name: own\ncolumns: {device_name: Host, serial_number: Serial, user_name: Person, product_name: App, install_date: Since}\nconstants: {os: macOS}\ndates: [dd.MM.yyyy]\n",
	} {
		if err := os.WriteFile(filepath.Join(l.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// tell runs a command that has to end well or with gaps, and gives what it printed.
func (l simLake) tell(t *testing.T, args ...string) string {
	t.Helper()
	a, out, errs := l.app()
	if status := a.execute(t.Context(), append(args, "-q", "-c", filepath.Join(l.dir, "seatlake.yaml"))); status != exitComplete && status != exitGaps {
		t.Fatalf("seatlake %v: status %d: %s", args, status, errs)
	}
	return out.String()
}

// app is the program over the lake's directory.
func (l simLake) app() (a *app, out, errs *bytes.Buffer) {
	out, errs = new(bytes.Buffer), new(bytes.Buffer)
	return &app{
		in: strings.NewReader(""), out: out, err: errs, now: func() time.Time { return scriptNow }, sleep: impatient, configPath: filepath.Join(l.dir, "seatlake.yaml"),
		env: func(name string) (string, bool) {
			return graphsim.DefaultClientSecret, name == "SEATLAKE_CLIENT_SECRET"
		},
	}, out, errs
}

// answer asks the lake.
func (l simLake) answer(t *testing.T, query string) [][]any {
	t.Helper()
	a, _, _ := l.app()
	cfg, lk, err := a.openLake(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o, err := openReading(t.Context(), cfg, lk)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := o.values(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// marts are all rows of all marts as text, in lower case, since that is how names come
// back. Columns that list names of several rows in their order are left out.
func (l simLake) marts(t *testing.T, reveal bool) map[string][]string {
	t.Helper()
	var queries []string
	for _, mart := range martNames() {
		except := "_lake_version, _run_id"
		switch mart {
		case "hybrid_exceptions":
			except += ", device_names, inventory_user"
		}
		queries = append(queries, fmt.Sprintf("select '%s', cast(m as varchar) from (select * exclude (%s) from %[1]s) as m", mart, except))
	}
	a, _, _ := l.app()
	out := map[string][]string{}
	for _, row := range l.answer(t, strings.Join(queries, " union all ")) {
		text := cell(row[1])
		if reveal {
			key, err := a.revealKey()
			if err != nil {
				t.Fatal(err)
			}
			if text, err = key.Reveal(text); err != nil {
				t.Fatal(err)
			}
		}
		// A struct's text quotes values that hold apostrophes, which sealed ones do not.
		text = strings.NewReplacer("'", "", `\`, "").Replace(strings.ToLower(text))
		out[cell(row[0])] = append(out[cell(row[0])], text)
	}
	for mart := range out {
		slices.Sort(out[mart])
	}
	return out
}

func differ(t *testing.T, clear, sealed map[string][]string) {
	t.Helper()
	if len(clear["users"]) == 0 || len(clear["reclaim_candidates"]) == 0 || len(clear["hybrid_exceptions"]) == 0 {
		t.Fatal("the marts are empty")
	}
	for _, mart := range martNames() {
		if diff := cmp.Diff(clear[mart], sealed[mart]); diff != "" {
			t.Errorf("%s (-clear +sealed):\n%.3000s", mart, diff)
		}
	}
}

// namesNobody looks for everybody whom the clear lake names, in all of a lake's bytes
// and in every value of its tables and marts.
func (l simLake) namesNobody(t *testing.T, clear simLake) {
	t.Helper()
	var names, tables []string
	for _, table := range schemas.All() {
		tables = append(tables, fmt.Sprintf("select cast(m as varchar) from %s as m", table.Name))
		for _, f := range table.Fields {
			if f.Kind == schemas.String && f.Personal != 0 && f.Personal != schemas.ObjectID {
				names = append(names, fmt.Sprintf("select distinct lower(cast(%s as varchar)) from %s", f.Name, table.Name))
			}
		}
	}
	for _, mart := range martNames() {
		tables = append(tables, fmt.Sprintf("select cast(m as varchar) from %s as m", mart))
	}
	var all bytes.Buffer
	for _, row := range l.answer(t, strings.Join(tables, " union all ")) {
		all.WriteString(strings.ToLower(cell(row[0])) + "\n")
	}
	err := filepath.WalkDir(l.lakeDir(), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		all.WriteString(strings.ToLower(path) + "\n")
		all.Write(bytes.ToLower(body))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	text := all.String()
	looked := 0
	for _, row := range clear.answer(t, strings.Join(names, " union ")) {
		if name := cell(row[0]); len(name) >= 6 && !isGUID(name) {
			looked++
			if i := strings.Index(text, name); i >= 0 {
				t.Errorf("%q is in the lake: %q", name, text[max(0, i-60):min(len(text), i+60)])
			}
		}
	}
	if looked < 100 {
		t.Errorf("looked for %d names only", looked)
	}
}

// TestKeyOfAnotherLake refuses what would put names of two kinds into one lake.
func TestKeyOfAnotherLake(t *testing.T) {
	tenant := serve(t, graphsim.Options{Now: scriptNow, Users: 12, SignIns: 10, Seed: 1})
	l := newSimLake(t)
	l.configure(map[string]*simTenant{"contoso": tenant})
	plain, err := os.ReadFile(filepath.Join(l.dir, "seatlake.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	run := func(privacy string, args ...string) (int, string) {
		if err := os.WriteFile(filepath.Join(l.dir, "seatlake.yaml"), []byte(string(plain)+privacy), 0o600); err != nil {
			t.Fatal(err)
		}
		a, out, errs := l.app()
		status := a.execute(context.Background(), append(args, "-q", "-c", filepath.Join(l.dir, "seatlake.yaml")))
		return status, out.String() + errs.String()
	}
	key, other := "privacy: {pseudonymise: true, key: \""+privacyKey+"\"}\n", "privacy: {pseudonymise: true, key: \""+"ff"+privacyKey[2:]+"\"}\n"
	if status, text := run(key, "run", "--no-build"); status != exitComplete {
		t.Fatal(text)
	}
	for _, c := range []struct {
		name, privacy string
		args          []string
		status        int
		want          string
	}{
		{"a run without the mode is refused", "", []string{"run"}, exitUsage, "are sealed with key f9934faf39c9b2ea, and privacy.pseudonymise is not set"},
		{"a replay without the mode is refused", "", []string{"replay"}, exitUsage, "are sealed with key"},
		{"a build without the mode is refused", "", []string{"build"}, exitUsage, "are sealed with key"},
		{"another key is refused", other, []string{"run"}, exitUsage, "and the configuration has key"},
		{"no key is refused", "privacy: {pseudonymise: true}\n", []string{"run"}, exitUsage, "privacy.key: is missing"},
		{"a key that is none is refused, and not quoted", "privacy: {pseudonymise: true, key: abcdef}\n", []string{"run"}, exitUsage, "privacy.key: is no key: it is not 64 hexadecimal digits"},
		{"a key out of reach is missed where it is needed", "privacy: {pseudonymise: true, key: \"${NO_SUCH_KEY}\"}\n", []string{"reveal", "x"}, exitUsage, "NO_SUCH_KEY"},
		{"reading needs no key", "privacy: {pseudonymise: true, key: \"${NO_SUCH_KEY}\"}\n", []string{"query", "select count(*) as n from graph_users", "--format", "csv"}, exitComplete, "n\n1"},
		{"nothing is revealed with another key", other, []string{"query", "select user_principal_name from graph_users", "--reveal", "--format", "csv"}, exitNothing, "do not open with key"},
		{"a replay with the key changes nothing", key, []string{"replay", "--no-build"}, exitComplete, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, text := run(c.privacy, c.args...)
			if status != c.status || !strings.Contains(text, c.want) || strings.Contains(text, "abcdef") {
				t.Errorf("status %d: %s", status, text)
			}
		})
	}
	if log, err := filepath.Glob(filepath.Join(l.lakeDir(), "_log", "*.json")); err != nil || len(log) != 1 {
		t.Errorf("commits %v, %v", log, err)
	}

	t.Run("a clear lake is not sealed afterwards", func(t *testing.T) {
		if err := os.RemoveAll(l.lakeDir()); err != nil {
			t.Fatal(err)
		}
		if status, text := run("", "run", "--no-build"); status != exitComplete {
			t.Fatal(text)
		}
		if status, text := run(key, "run"); status != exitUsage || !strings.Contains(text, "are clear, and privacy.pseudonymise is true") {
			t.Errorf("status %d: %s", status, text)
		}
	})
}

// TestCaseIsFoldedAsModelsDo compares the seal with lower() of the models, letter by
// letter: names that join in a clear lake join in a sealed one, and no others.
func TestCaseIsFoldedAsModelsDo(t *testing.T) {
	key, err := seal.ParseKey(privacyKey)
	if err != nil {
		t.Fatal(err)
	}
	lower := map[rune]string{}
	query := "select i, lower(chr(cast(i as integer))) from range(1, 1114112) as r(i) where not i between 55296 and 57343 and lower(chr(cast(i as integer))) <> chr(cast(i as integer))"
	rows, err := new(opened).values(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		n, _ := whole(row[0])
		lower[rune(n)] = cell(row[1])
	}
	if len(lower) < 1000 {
		t.Fatalf("%d letters have a lower case", len(lower))
	}
	for r := rune(1); r <= unicode.MaxRune; r++ {
		want, ok := lower[r]
		if !ok && unicode.ToLower(r) == r {
			continue
		}
		if !ok {
			want = string(r)
		}
		got, err := key.Reveal(key.Seal(schemas.SignInName, string(r)))
		if err != nil || got != want {
			t.Errorf("%U is folded to %+q, by the models to %+q", r, got, want)
		}
	}
}
