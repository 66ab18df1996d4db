package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seatlake/extract/graph/graphsim"
	"seatlake/schemas"
)

// TestErasedPeopleAreGone reads random tenants with files of employees and devices,
// erases people, and looks for them in every byte. All other rows are as they were,
// cell by cell, and what is replayed from the kept pages gives the same files.
func TestErasedPeopleAreGone(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 7))
			tenant := serve(t, graphsim.Options{Now: scriptNow, Users: 40, SignIns: 200, Seed: 200 + seed})
			l := newSimLake(t)
			l.configure(map[string]*simTenant{"contoso": tenant})
			l.tell(t, "run", "--no-build", "--task", "roster,licenses")
			people := l.people(t)
			if err := os.RemoveAll(l.lakeDir()); err != nil {
				t.Fatal(err)
			}
			l.withPeople(t, people, false)
			totals, built := "", seed == 0
			if built {
				l.tell(t, "run")
				totals = l.tell(t, "show", "license_positions", "--format", "csv")
			} else {
				l.tell(t, "run", "--no-build")
			}
			for range 3 {
				who := people[random.IntN(len(people))]
				name := cell(who[random.IntN(2)*4]) // the sign-in name or the object id
				before := l.stored(t)
				marks := l.marks(t, cell(who[4]))
				l.tell(t, "erase", "--user", name, "--yes")
				if t.Failed() {
					return
				}
				if diff := cmp.Diff(without(before, cell(who[4]), marks), l.stored(t)); diff != "" {
					t.Errorf("%s: rows (-without the person +after the erasure):\n%.4000s", name, diff)
				}
				l.doesNotHold(t, marks)
				if again := l.tell(t, "erase", "--user", name, "--yes"); !strings.Contains(again, "Nothing in the lake tells of the person") {
					t.Errorf("erased again: %s", again)
				}
				if found, err := l.open().Check(t.Context()); err != nil || len(found) > 0 {
					t.Errorf("check: %v, %v", found, err)
				}
			}
			if built {
				if now := l.tell(t, "show", "license_positions", "--format", "csv"); now != totals {
					t.Errorf("the positions are not as they were published (-before +after):\n%s", cmp.Diff(totals, now))
				}
			}
			was := l.committed()
			l.tell(t, "replay", "--no-build")
			if now := l.committed(); now != was {
				t.Errorf("the replay of the pages gave other files: %d commits became %d", was, now)
			}
		})
	}
}

// people are the tenant's users, as withPeople takes them.
func (l simLake) people(t *testing.T) [][]any {
	t.Helper()
	return l.answer(t, `select user_principal_name, mail, coalesce(employee_id, 'e' || row_number() over (order by id)),
		coalesce(on_premises_sam_account_name, 'sam'), cast(id as varchar) from graph_users where user_principal_name is not null and mail is not null order by id`)
}

// stored is every row of every stored table as text.
func (l simLake) stored(t *testing.T) map[string][]string {
	t.Helper()
	var tables []string
	for _, table := range schemas.All() {
		tables = append(tables, fmt.Sprintf("select '%s', cast(m as varchar) from %[1]s as m", table.Name))
	}
	out := map[string][]string{}
	for _, row := range l.answer(t, strings.Join(tables, " union all ")) {
		out[cell(row[0])] = append(out[cell(row[0])], cell(row[1]))
	}
	for table := range out {
		slices.Sort(out[table])
	}
	return out
}

// marks are the texts, in lower case, that nothing may hold once a user is erased, and
// the account name behind them.
func (l simLake) marks(t *testing.T, id string) []string {
	t.Helper()
	marks := []string{id}
	for _, row := range l.answer(t, fmt.Sprintf(`select lower(user_principal_name), lower(mail), other_mails, proxy_addresses, lower(on_premises_sam_account_name), lower(employee_id)
		from graph_users where cast(id as varchar) = '%s'`, id)) {
		marks = append(marks, cell(row[0]), cell(row[1]))
		for _, list := range row[2:4] {
			items, _ := list.([]any)
			for _, address := range items {
				_, bare, found := strings.Cut(strings.ToLower(cell(address)), ":")
				if !found {
					bare = strings.ToLower(cell(address))
				}
				marks = append(marks, bare)
			}
		}
		if sam := cell(row[4]); sam != "" {
			marks = append(marks, `corp\`+sam)
		}
		if number := cell(row[5]); number != "" {
			marks = append(marks, "'employee_id': "+number)
		}
	}
	return slices.DeleteFunc(marks, func(m string) bool { return m == "" })
}

// without is the rows of somebody else, whose manager the person no longer is.
func without(rows map[string][]string, id string, marks []string) map[string][]string {
	managers := []*regexp.Regexp{
		regexp.MustCompile(`'manager_id': ` + id), regexp.MustCompile(`(?i)'manager_user_principal_name': '?(?:` + strings.Join(patternsOf(marks), "|") + `)'?(,|})`),
	}
	sam := ""
	for _, m := range marks {
		if bare, is := strings.CutPrefix(m, `corp\`); is {
			sam = bare
		}
	}
	out := map[string][]string{}
	for table, all := range rows {
		for _, row := range all {
			row = managers[0].ReplaceAllString(row, `'manager_id': NULL`)
			row = managers[1].ReplaceAllString(row, `'manager_user_principal_name': NULL$1`)
			lower := strings.ToLower(row)
			mine := slices.ContainsFunc(marks, func(m string) bool { return holds(lower, m) }) ||
				sam != "" && strings.Contains(lower, "'user_account': "+sam+",")
			if !mine {
				out[table] = append(out[table], row)
			}
		}
		slices.Sort(out[table])
	}
	return out
}

func patternsOf(texts []string) (out []string) {
	for _, t := range texts {
		out = append(out, regexp.QuoteMeta(strings.ReplaceAll(t, "'", `\'`)), regexp.QuoteMeta(t))
	}
	return out
}

// holds says that a text has a mark as a word of its own.
func holds(text, mark string) bool {
	for _, form := range []string{mark, strings.ReplaceAll(mark, "'", `\'`), strings.ReplaceAll(mark, "'", `\u0027`)} {
		for from := 0; ; from++ {
			i := strings.Index(text[from:], form)
			if i < 0 {
				break
			}
			from += i
			part := func(at int) bool {
				return at >= 0 && at < len(text) && (text[at] >= 'a' && text[at] <= 'z' || text[at] >= '0' && text[at] <= '9' || strings.IndexByte("._-+", text[at]) >= 0)
			}
			if !part(from-1) && !part(from+len(form)) {
				return true
			}
		}
	}
	return false
}

// doesNotHold looks for marks in all bytes of the lake: of files as they are, of what is
// zipped in them, and of the values of Parquet files, listed or not.
func (l simLake) doesNotHold(t *testing.T, marks []string) {
	t.Helper()
	for _, held := range holders(t, l.lakeDir(), marks) {
		t.Error(held)
	}
}

// holders says which files of a directory hold which marks.
func holders(t *testing.T, dir string, marks []string) (held []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text := path + "\n" + string(body)
		switch filepath.Ext(path) {
		case ".gz":
			r, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			plain, err := io.ReadAll(r)
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			text += string(plain)
		case ".parquet":
			text += strings.Join(readRows(t, path), "\n")
		}
		text = strings.ToLower(text)
		for _, m := range marks {
			if holds(text, m) {
				held = append(held, fmt.Sprintf("%s holds %q", path, m))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return held
}
