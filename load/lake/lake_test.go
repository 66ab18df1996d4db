package lake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"
	pq "github.com/parquet-go/parquet-go"

	"seatlake/pipeline"
	"seatlake/pipeline/pipelinetest"
	"seatlake/schemas"
)

const contoso, fabrikam = pipelinetest.Contoso, pipelinetest.Fabrikam

func newLake(t testing.TB) *Lake {
	t.Helper()
	l, err := Create(filepath.Join(t.TempDir(), "lake"), clock)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func clock() time.Time { return time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC) }

// commitPlans runs one run that writes rows of graph_service_plans.
func commitPlans(t testing.TB, l *Lake, run pipeline.Run, rows []pipelinetest.Plan, days ...string) pipeline.Version {
	t.Helper()
	v, err := tryPlans(t, l, run, rows, days...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func tryPlans(t testing.TB, l *Lake, run pipeline.Run, rows []pipelinetest.Plan, days ...string) (pipeline.Version, error) {
	return tryPlansIn(t, l, run, rows, days...)
}

func tryPlansIn(t testing.TB, d pipeline.Dataset, run pipeline.Run, rows []pipelinetest.Plan, days ...string) (pipeline.Version, error) {
	tx, err := d.Begin(t.Context(), run)
	if err != nil {
		return 0, err
	}
	c := pipeline.Commit{Run: run, Ended: run.Started.Add(time.Minute)}
	if len(rows) > 0 {
		c.Add, err = tx.Write(t.Context(), schemas.GraphServicePlans, pipelinetest.PlanStream(t, memory.DefaultAllocator, rows))
		if err != nil {
			return 0, errors.Join(err, tx.Abort())
		}
	}
	for _, d := range days {
		c.Replaces = append(c.Replaces, pipeline.Replacement{Table: schemas.GraphServicePlans.Name, From: d, To: d})
	}
	return tx.Commit(t.Context(), c)
}

func TestDataset(t *testing.T) {
	pipelinetest.TestDataset(t, func(t *testing.T) pipelinetest.Dataset { return datasetOf(t, newLake(t)) })
}

// datasetOf is a lake as the suite of datasets sees it.
func datasetOf(t *testing.T, l *Lake) pipelinetest.Dataset {
	t.Cleanup(func() { noTemp(t, l) })
	return pipelinetest.Dataset{
		Dataset: l,
		Files: func(ctx context.Context) (pipeline.Version, map[string][]pipeline.File, error) {
			s, err := l.Snapshot(ctx, 0)
			if errors.Is(err, ErrEmpty) {
				return 0, nil, nil
			}
			if err != nil {
				return 0, nil, err
			}
			return s.Version, s.Files, nil
		},
		Open: func(f pipeline.File) (io.ReadCloser, error) { return l.store.open(f.Path) },
	}
}

// noTemp checks that nothing unfinished is left.
func noTemp(t testing.TB, l *Lake) {
	t.Helper()
	entries, err := l.store.list(stagingDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("%s is left in %s", e.Name(), stagingDir)
	}
}

func TestCreateAndOpen(t *testing.T) {
	t.Run("a lake is made once and opened ever after", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "a", "lake")
		first, err := Create(dir, clock)
		if err != nil {
			t.Fatal(err)
		}
		second, err := Create(dir, clock)
		if err != nil {
			t.Fatal(err)
		}
		third, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if first.ID() != second.ID() || first.ID() != third.ID() || first.Dir() != dir {
			t.Errorf("ids %s, %s, %s in %s", first.ID(), second.ID(), third.ID(), first.Dir())
		}
		noTemp(t, first)
	})
	t.Run("what is not there is not opened, and the error says what to run", func(t *testing.T) {
		_, err := Open(filepath.Join(t.TempDir(), "lake"))
		wantError(t, err, "no lake at", "seatlake run")
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v is not fs.ErrNotExist", err)
		}
	})
	for name, test := range map[string]struct{ body, want string }{
		"a newer format is refused":    {`{"format":2,"lake_id":"01JD3Z5YQ0000000000000000A"}`, "install a newer seatlake"},
		"an older format was never":    {`{"format":0,"lake_id":"01JD3Z5YQ0000000000000000A"}`, "format 0"},
		"a torn identity is refused":   {`{"format":1,`, "damaged"},
		"an id that is none is damage": {`{"format":1,"lake_id":"x"}`, "lake_id"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, filepath.Join(dir, identityName), test.body)
			_, err := Open(dir)
			wantError(t, err, test.want, filepath.Join(dir, identityName))
			_, err = Create(dir, clock)
			wantError(t, err, test.want)
		})
	}
	t.Run("a log without an identity is not made a new lake", func(t *testing.T) {
		dir := t.TempDir()
		put(t, filepath.Join(dir, "_log", "000000000001.json"), "{}")
		_, err := Create(dir, clock)
		wantError(t, err, "restore that file")
	})
	t.Run("only its owner may read a lake", func(t *testing.T) {
		l := newLake(t)
		run := pipelinetest.NewRun(t, contoso, "2026-11-20T08:00", 1)
		commitPlans(t, l, run, pipelinetest.Plans(contoso, "2026-11-20", 0, 3), "2026-11-20")
		err := filepath.WalkDir(l.Dir(), func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err == nil && info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s has mode %v", name, info.Mode())
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestWrite(t *testing.T) {
	t.Run("the rows of a file are those of its partition, in order", func(t *testing.T) {
		l := newLake(t)
		run := pipelinetest.NewRun(t, contoso, "2026-11-20T08:00", 1)
		rows := append(pipelinetest.Plans(contoso, "2026-11-19", 0, 3), pipelinetest.Plans(contoso, "2026-11-20", 3, 2)...)
		rows = append(rows, pipelinetest.Plans(contoso, "2026-11-19", 5, 1)...)
		commitPlans(t, l, run, rows, "2026-11-19", "2026-11-20")
		s := snapshot(t, l, 0)
		got := map[string][]string{}
		for _, f := range s.Files["graph_service_plans"] {
			got[f.Partition] = append(got[f.Partition], planNames(t, l.store.path(f.Path))...)
		}
		want := map[string][]string{
			"2026-11-19": {"service_plan_name 0", "service_plan_name 1", "service_plan_name 2", "service_plan_name 5"},
			"2026-11-20": {"service_plan_name 3", "service_plan_name 4"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
	})
	t.Run("more partitions than may be open make more parts", func(t *testing.T) {
		l := newLake(t)
		run := pipelinetest.NewRun(t, contoso, "2026-11-20T08:00", 1)
		tx, err := l.Begin(t.Context(), run)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Abort()
		var rows []pipelinetest.Plan
		for round := range 2 {
			for d := range maxOpen + 4 {
				day := time.Date(2026, 10, 1+d, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
				rows = append(rows, pipelinetest.Plan{Tenant: contoso, Day: day, Number: 100*round + d})
			}
		}
		files, err := tx.Write(t.Context(), schemas.GraphServicePlans, pipelinetest.PlanStream(t, memory.DefaultAllocator, rows))
		if err != nil {
			t.Fatal(err)
		}
		var sum int64
		paths := map[string]bool{}
		for _, f := range files {
			sum += f.Rows
			paths[f.Path] = true
		}
		if int(sum) != len(rows) || len(paths) != len(files) {
			t.Errorf("%d rows in %d files with %d paths, want %d rows", sum, len(files), len(paths), len(rows))
		}
		if len(files) <= maxOpen+4 {
			t.Errorf("%d files: no partition was finished early", len(files))
		}
	})
	t.Run("the same rows are the same bytes in every lake", func(t *testing.T) {
		var before map[string][]pipeline.File
		for range 2 {
			l := newLake(t)
			run := pipelinetest.NewRun(t, contoso, "2026-11-20T08:00", 1)
			commitPlans(t, l, run, pipelinetest.Plans(contoso, "2026-11-20", 0, 500), "2026-11-20")
			files := snapshot(t, l, 0).Files
			if diff := cmp.Diff(before, files); before != nil && diff != "" {
				t.Errorf("files differ:\n%s", diff)
			}
			before = files
		}
	})
	t.Run("a table without a tenant has no partitions", func(t *testing.T) {
		l := newLake(t)
		run := pipelinetest.NewRun(t, contoso, "2026-11-20T08:00", 1)
		commitCatalog(t, l, run, 3)
		commitCatalog(t, l, pipelinetest.NewRun(t, fabrikam, "2026-11-20T09:00", 1), 3)
		s := snapshot(t, l, 0)
		files := s.Files["catalog_skus"]
		if s.Version != 2 || len(files) != 1 || files[0].Tenant != "" || files[0].Partition != "" || !strings.Contains(files[0].Path, run.ID) {
			t.Errorf("version %d has %+v, want the first run's file", s.Version, files)
		}
		commitCatalog(t, l, pipelinetest.NewRun(t, fabrikam, "2026-11-20T10:00", 1), 4)
		if files := snapshot(t, l, 0).Files["catalog_skus"]; len(files) != 1 || files[0].Rows != 4 {
			t.Errorf("a new catalogue gives %+v", files)
		}
	})
}

func commitCatalog(t *testing.T, l *Lake, run pipeline.Run, n int) {
	t.Helper()
	tx, err := l.Begin(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	files, err := tx.Write(t.Context(), schemas.CatalogSkus, catalogStream(n))
	if err != nil {
		t.Fatal(err)
	}
	_, err = tx.Commit(t.Context(), pipeline.Commit{
		Run: run, Ended: run.Started, Add: files, Replaces: []pipeline.Replacement{{Table: "catalog_skus"}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func catalogStream(n int) pipeline.Stream {
	schema := schemas.CatalogSkus.Arrow()
	return pipeline.Stream{Schema: schema, Batches: func(yield func(arrow.RecordBatch, error) bool) {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		defer b.Release()
		for i := range n {
			b.Field(0).(*array.FixedSizeBinaryBuilder).Append(fmt.Appendf(nil, "sku %12d", i))
			b.Field(1).(*array.StringBuilder).Append(fmt.Sprint("SKU_", i))
			b.Field(2).(*array.StringBuilder).Append(fmt.Sprint("Sku ", i))
		}
		batch := b.NewRecordBatch()
		defer batch.Release()
		yield(batch, nil)
	}}
}

func TestSnapshot(t *testing.T) {
	l := newLake(t)
	t.Run("an empty lake says so", func(t *testing.T) {
		_, err := l.Snapshot(t.Context(), 0)
		if !errors.Is(err, ErrEmpty) {
			t.Errorf("Snapshot = %v, want ErrEmpty", err)
		}
		if _, err := l.AsOf(t.Context(), clock()); !errors.Is(err, ErrEmpty) {
			t.Errorf("AsOf = %v, want ErrEmpty", err)
		}
	})

	covered := func(run pipeline.Run, table string, state pipeline.State, mark string) pipeline.Version {
		tx, err := l.Begin(t.Context(), run)
		if err != nil {
			t.Fatal(err)
		}
		v, err := tx.Commit(t.Context(), pipeline.Commit{
			Run: run, Ended: run.Started.Add(time.Hour),
			Coverage: []pipeline.Coverage{{Table: table, State: state}},
			State:    map[string]json.RawMessage{"sign_ins": json.RawMessage(`"` + mark + `"`)},
			Notices:  []string{"said " + mark},
		})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	covered(pipelinetest.NewRun(t, contoso, "2026-11-20T08:00", 1), "graph_users", pipeline.Complete, "a")
	covered(pipelinetest.NewRun(t, contoso, "2026-11-21T08:00", 1), "graph_users", pipeline.Denied, "b")
	covered(pipelinetest.NewRun(t, contoso, "2026-11-19T08:00", 1), "graph_users", pipeline.Complete, "old") // a replay
	covered(pipelinetest.NewRun(t, fabrikam, "2026-11-18T08:00", 1), "graph_sign_ins", pipeline.Missing, "f")

	t.Run("coverage and cursors are those of the run that started last", func(t *testing.T) {
		s := snapshot(t, l, 0)
		type row struct {
			Tenant, Table, Day string
			State              pipeline.State
			Version            pipeline.Version
		}
		var got []row
		for _, c := range s.Coverage {
			got = append(got, row{c.Tenant, c.Table, c.SnapshotDate, c.State, c.Version})
		}
		want := []row{
			{"t1", "graph_users", "2026-11-21", pipeline.Denied, 2},
			{"t2", "graph_sign_ins", "2026-11-18", pipeline.Missing, 4},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("coverage (-want +got):\n%s", diff)
		}
		if a, b := string(s.State[contoso]["sign_ins"]), string(s.State[fabrikam]["sign_ins"]); a != `"b"` || b != `"f"` {
			t.Errorf("cursors %s and %s", a, b)
		}
	})
	t.Run("an older version is as it was", func(t *testing.T) {
		s := snapshot(t, l, 1)
		if s.Version != 1 || len(s.Coverage) != 1 || s.Coverage[0].State != pipeline.Complete || s.Notices[0] != "said a" {
			t.Errorf("version 1 is %+v", s)
		}
		_, err := l.Snapshot(t.Context(), 9)
		wantError(t, err, "version 9 does not exist", "1 to 4")
	})
	t.Run("as of a time is the version whose run had ended", func(t *testing.T) {
		at := func(s string) time.Time {
			tm, err := time.Parse(time.RFC3339, s)
			if err != nil {
				t.Fatal(err)
			}
			return tm
		}
		if v, err := l.AsOf(t.Context(), at("2026-11-30T00:00:00Z")); err != nil || v != 4 {
			t.Errorf("AsOf = %d, %v", v, err)
		}
		_, err := l.AsOf(t.Context(), at("2026-11-01T00:00:00Z"))
		wantError(t, err, "no version as of 2026-11-01", "2026-11-20T09:00:00Z")
	})
	t.Run("commits tell the lake's history", func(t *testing.T) {
		all, err := l.Commits(t.Context())
		if err != nil || len(all) != 4 || all[2].Version != 3 || all[2].Run.Started.Day() != 19 {
			t.Errorf("Commits = %v, %v", all, err)
		}
	})
}

func TestNoticeOfAnOlderRun(t *testing.T) {
	l := newLake(t)
	newer := pipelinetest.NewRun(t, contoso, "2026-11-20T12:00", 1)
	commitPlans(t, l, newer, pipelinetest.Plans(contoso, "2026-11-20", 0, 9), "2026-11-20")
	commitPlans(t, l, pipelinetest.NewRun(t, contoso, "2026-11-20T08:00", 1), pipelinetest.Plans(contoso, "2026-11-20", 0, 3), "2026-11-20")
	want := []string{"graph_service_plans: rows of 2026-11-20 stay those of run " + newer.ID + ", which started later than this one"}
	if diff := cmp.Diff(want, snapshot(t, l, 0).Notices); diff != "" {
		t.Errorf("notices (-want +got):\n%s", diff)
	}
}

func TestBeginRefusesNames(t *testing.T) {
	l := newLake(t)
	good := pipelinetest.NewRun(t, contoso, "2026-11-20T08:00", 1)
	for name, change := range map[string]func(r *pipeline.Run){
		"a run id that is a path":      func(r *pipeline.Run) { r.ID = "../../../../../../tmp/abcde" },
		"a run id in lower case":       func(r *pipeline.Run) { r.ID = strings.ToLower(r.ID) },
		"a tenant that is a domain":    func(r *pipeline.Run) { r.TenantID = "contoso.com" },
		"a tenant in upper case":       func(r *pipeline.Run) { r.TenantID = "AAAAAAAA-1111-4111-8111-111111111111" },
		"a run that starts at no time": func(r *pipeline.Run) { r.Started = time.Time{} },
	} {
		t.Run(name, func(t *testing.T) {
			run := good
			change(&run)
			if tx, err := l.Begin(t.Context(), run); err == nil {
				t.Errorf("Begin had no error: %v", tx.Abort())
			}
		})
	}
}

func snapshot(t testing.TB, l *Lake, v pipeline.Version) *Snapshot {
	t.Helper()
	s, err := l.Snapshot(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// paths is the files of a table on this machine, which are there for the test.
func paths(t testing.TB, l *Lake, s *Snapshot, table string) (at []string) {
	t.Helper()
	copies, err := l.Fetch(t.Context(), Wanted(s.Files[table]))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := copies.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, f := range s.Files[table] {
		at = append(at, copies.Path(f.Path))
	}
	return at
}

// planNames reads the column service_plan_name with a reader that is not ours.
func planNames(t *testing.T, name string) []string {
	t.Helper()
	type row struct {
		Name string `parquet:"service_plan_name,optional"`
	}
	rows, err := pq.ReadFile[row](name)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range rows {
		names = append(names, r.Name)
	}
	return names
}

func wantError(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

func put(t testing.TB, name, body string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte(body), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func TestReplay(t *testing.T) {
	stage := func(t *testing.T, d pipeline.Dataset, run pipeline.Run, rows int) pipeline.Version {
		t.Helper()
		tx, err := d.Begin(t.Context(), run)
		if err != nil {
			t.Fatal(err)
		}
		day := run.Started.Format(time.DateOnly)
		files, err := tx.Write(t.Context(), schemas.GraphServicePlans, pipelinetest.PlanStream(t, memory.DefaultAllocator, pipelinetest.Plans(run.TenantID, day, 0, rows)))
		if err != nil {
			t.Fatal(err)
		}
		v, err := tx.Commit(t.Context(), pipeline.Commit{
			Run: run, Ended: run.Started.Add(time.Minute), Add: files,
			Replaces: []pipeline.Replacement{{Table: "graph_service_plans", From: day, To: day}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	newLake := func(t *testing.T) (*Lake, pipeline.Run) {
		l, err := Create(t.TempDir(), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		run := pipelinetest.NewRun(t, pipelinetest.Contoso, "2026-11-20T08:00", 1)
		stage(t, l, run, 5)
		return l, run
	}
	only := func(t *testing.T, l *Lake) (string, int64) {
		t.Helper()
		s, err := l.Snapshot(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		files := s.Files["graph_service_plans"]
		if len(files) != 1 {
			t.Fatalf("the table has %d live files, want 1", len(files))
		}
		return paths(t, l, s, "graph_service_plans")[0], files[0].Rows
	}

	t.Run("a replay that gives the same files commits nothing", func(t *testing.T) {
		l, run := newLake(t)
		if v := stage(t, l.Replay(), run, 5); v != 1 {
			t.Errorf("replay is in version %d, want 1", v)
		}
	})
	t.Run("a replay puts back a file that is missing or damaged", func(t *testing.T) {
		l, run := newLake(t)
		path, _ := only(t, l)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, harm := range []func() error{
			func() error { return os.Remove(path) },
			func() error { return os.WriteFile(path, whole[1:], 0o600) },
			func() error { return os.WriteFile(path, append([]byte{1}, whole[1:]...), 0o600) },
		} {
			if err := harm(); err != nil {
				t.Fatal(err)
			}
			stage(t, l.Replay(), run, 5)
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, whole) {
				t.Errorf("the file was not put back: %v", err)
			}
		}
	})
	t.Run("a replay that gives other files is a version of its own", func(t *testing.T) {
		l, run := newLake(t)
		if v := stage(t, l.Replay(), run, 6); v != 2 {
			t.Errorf("replay is in version %d, want 2", v)
		}
		if _, rows := only(t, l); rows != 6 {
			t.Errorf("the table has %d rows, want 6", rows)
		}
	})
	t.Run("the replay of an old run does not displace a newer one", func(t *testing.T) {
		l, run := newLake(t)
		newer := pipelinetest.NewRun(t, pipelinetest.Contoso, "2026-11-20T09:00", 2)
		stage(t, l, newer, 7)
		stage(t, l.Replay(), run, 6)
		if _, rows := only(t, l); rows != 7 {
			t.Errorf("the table has %d rows, want the newer run's 7", rows)
		}
	})
}
