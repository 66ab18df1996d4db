package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"seatlake/extract/graph/graphsim"
	"seatlake/load/lake"
	"seatlake/pipeline"
	"seatlake/pipeline/pipelinetest"
	"seatlake/schemas"
)

// commitPlans commits rows as a run of a program with some declaration of
// graph_service_plans.
func (l simLake) commitPlans(t *testing.T, table *schemas.Table, started string, rows []pipelinetest.Plan, days ...string) {
	t.Helper()
	lk := l.open()
	run := pipelinetest.NewRun(t, pipelinetest.Contoso, started, 1)
	tx, err := lk.Begin(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	c := pipeline.Commit{Run: run, Ended: run.Started.Add(time.Minute)}
	if c.Add, err = tx.Write(t.Context(), table, pipelinetest.PlanStream(t, memory.DefaultAllocator, rows)); err != nil {
		t.Fatal(err)
	}
	for _, d := range days {
		c.Replaces = append(c.Replaces, pipeline.Replacement{Table: table.Name, From: d, To: d})
	}
	if _, err := tx.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// emptyLake is a lake without a version, and the configuration of a tenant that nobody
// asks.
func emptyLake(t *testing.T) simLake {
	t.Helper()
	l := newSimLake(t)
	l.configure(map[string]*simTenant{"contoso": serve(t, graphsim.Options{Now: scriptNow, Users: 1, TenantID: pipelinetest.Contoso})})
	if _, err := lake.Create(l.lakeDir(), func() time.Time { return scriptNow }); err != nil {
		t.Fatal(err)
	}
	return l
}

// liveFiles counts the files of graph_service_plans in the newest version.
func (l simLake) liveFiles(t *testing.T) int {
	t.Helper()
	s, err := l.open().Snapshot(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return len(s.Files[schemas.GraphServicePlans.Name])
}

// TestCompactKeepsRows compacts days whose rows came in turns, and so in several files.
func TestCompactKeepsRows(t *testing.T) {
	l := emptyLake(t)
	days := []string{"2026-10-05", "2026-10-06", "2026-10-07"}
	var rows []pipelinetest.Plan
	for n := range 9 {
		rows = append(rows, pipelinetest.Plans(pipelinetest.Contoso, days[n%3], n*5, 5)...)
	}
	l.commitPlans(t, schemas.GraphServicePlans, "2026-10-08T06:00", rows, days...)
	files := l.liveFiles(t)
	if files <= len(days) {
		t.Fatalf("%d files of %d days: there is nothing to compact", files, len(days))
	}
	const all = "select * from graph_service_plans order by all"
	before := l.tell(t, "query", all, "--format", "csv")
	if n := strings.Count(before, "\n"); n != 46 {
		t.Fatalf("%d lines, want a header and 45 rows", n)
	}
	if said := l.tell(t, "compact", "--dry-run"); !strings.Contains(said, "compact graph_service_plans of 2026-10-06: ") || !strings.Contains(said, "Would put 3 files") || l.committed() != 1 {
		t.Errorf("a dry run: %s", said)
	}
	if said := l.tell(t, "compact"); !strings.Contains(said, "Version 2 has the same rows") {
		t.Errorf("compact: %s", said)
	}
	if n := l.liveFiles(t); n != len(days) {
		t.Errorf("%d files became %d, want %d", files, n, len(days))
	}
	for _, version := range []string{"1", "2"} {
		if now := l.tell(t, "query", all, "--format", "csv", "--as-of", version); now != before {
			t.Errorf("version %s has other rows than there were", version)
		}
	}
	if said := l.tell(t, "check"); !strings.Contains(said, "The lake is whole") {
		t.Errorf("check: %s", said)
	}
	if said := l.tell(t, "compact"); !strings.Contains(said, "nothing to compact") || l.committed() != 2 {
		t.Errorf("compacted again: %s", said)
	}
}

// TestNewerLakesAreRefused asks lakes that a newer program wrote, at different places.
func TestNewerLakesAreRefused(t *testing.T) {
	edit := func(name, was, is string) func(*testing.T, simLake) {
		return func(t *testing.T, l simLake) {
			path := filepath.Join(l.lakeDir(), name)
			body, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			changed := bytes.Replace(body, []byte(was), []byte(is), 1)
			if bytes.Equal(changed, body) {
				t.Fatalf("%s has no %s: %s", name, was, body)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, changed, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	newer := *schemas.GraphServicePlans
	newer.Version = 99
	for name, c := range map[string]struct {
		table *schemas.Table
		edit  func(*testing.T, simLake)
		word  string
	}{
		"a version of a table": {&newer, func(*testing.T, simLake) {}, "written by a newer seatlake: install it"},
		"a format of the log":  {schemas.GraphServicePlans, edit("_log/000000000001.json", `"format": 1`, `"format": 9`), "install a newer seatlake"},
		"a format of the lake": {schemas.GraphServicePlans, edit("lake.json", `"format":1`, `"format":9`), "install a newer seatlake"},
	} {
		t.Run(name, func(t *testing.T) {
			l := emptyLake(t)
			l.commitPlans(t, c.table, "2026-10-08T06:00", pipelinetest.Plans(pipelinetest.Contoso, "2026-10-07", 0, 5), "2026-10-07")
			c.edit(t, l)
			for _, line := range [][]string{{"query", "select count(*) from graph_service_plans"}, {"show", "summary"}, {"build"}} {
				if line[0] == "show" && c.table == &newer {
					continue // it reads marts alone, and none can be built of these
				}
				a, out, errs := l.app()
				if status := a.execute(t.Context(), append(line, "-q", "-c", filepath.Join(l.dir, "seatlake.yaml"))); status == exitComplete || status == exitGaps || !strings.Contains(errs.String(), c.word) {
					t.Errorf("%v: status %d: %s%s", line, status, out, errs)
				}
			}
		})
	}
}
