// Package pipelinetest holds the conformance suites of pipeline's ports. Every
// implementation, fakes included, passes the suite of its port.
package pipelinetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"

	"seatlake/pipeline"
	"seatlake/schemas"
)

// Dataset is a dataset under test with what its readers see.
type Dataset struct {
	pipeline.Dataset

	// Files is the newest version and its live files by table; 0 and none before
	// the first commit.
	Files func(ctx context.Context) (pipeline.Version, map[string][]pipeline.File, error)

	// Open reads the bytes of a live file.
	Open func(f pipeline.File) (io.ReadCloser, error)
}

// The tenants of the suites.
const (
	Contoso  = "11111111-1111-4111-8111-111111111111"
	Fabrikam = "22222222-2222-4222-8222-222222222222"
)

// NewRun is a run of a tenant that starts at the given time, "2006-01-02T15:04".
// The seed tells apart runs that start together.
func NewRun(t testing.TB, tenant, started string, seed byte) pipeline.Run {
	at, err := time.Parse("2006-01-02T15:04", started)
	if err != nil {
		t.Fatal(err)
	}
	var id ulid.ULID
	if err := errors.Join(id.SetTime(ulid.Timestamp(at)), id.SetEntropy([]byte{seed, 0, 0, 0, 0, 0, 0, 0, 0, tenant[0]})); err != nil {
		t.Fatal(err)
	}
	return pipeline.Run{ID: id.String(), Tenant: "t" + tenant[:1], TenantID: tenant, Started: at, Program: "test"}
}

// TestDataset is the suite of pipeline.Dataset. Each subtest opens an empty one.
func TestDataset(t *testing.T, open func(t *testing.T) Dataset) {
	for _, test := range datasetTests {
		t.Run(test.name, func(t *testing.T) {
			mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
			defer mem.AssertSize(t, 0)
			test.fn(&bench{T: t, Dataset: open(t), mem: mem})
		})
	}
}

var datasetTests = []struct {
	name string
	fn   func(b *bench)
}{
	{"nothing of a run is visible before its commit, all of it after", whole},
	{"rows stand in the partition of their day", partitions},
	{"a run replaces the partitions it names and no others", replaces},
	{"an empty stream has no file and still replaces", empties},
	{"another tenant's rows stay", tenants},
	{"a run is committed once", once},
	{"the same rows again change no file", same},
	{"an older run brings no old rows back", older},
	{"rows are not added to rows that are not replaced", doubles},
	{"an aborted run leaves nothing", aborted},
	{"a commit ends the transaction", ended},
	{"a commit lists what was staged, no more and no less", listed},
	{"a row that belongs nowhere is refused", refused},
	{"an error of the stream comes back and stages nothing", broken},
	{"a cancelled run is not committed", cancelled},
	{"tables are written side by side", sideBySide},
	{"runs that commit at once all arrive", together},
}

// bench is a dataset under test with shorthands.
type bench struct {
	*testing.T
	Dataset
	mem memory.Allocator
}

// plans is the one table of the suite; days are its partitions.
var plans = schemas.GraphServicePlans

func (b *bench) begin(run pipeline.Run) pipeline.Transaction {
	b.Helper()
	tx, err := b.Begin(b.Context(), run)
	if err != nil {
		b.Fatal(err)
	}
	return tx
}

func (b *bench) write(tx pipeline.Transaction, batches ...[]Plan) []pipeline.File {
	b.Helper()
	files, err := tx.Write(b.Context(), plans, PlanStream(b, b.mem, batches...))
	if err != nil {
		b.Fatal(err)
	}
	return files
}

func commitOf(run pipeline.Run, files []pipeline.File, days ...string) pipeline.Commit {
	c := pipeline.Commit{Run: run, Ended: run.Started.Add(time.Minute), Add: files}
	for _, d := range days {
		c.Replaces = append(c.Replaces, pipeline.Replacement{Table: plans.Name, From: d, To: d})
	}
	return c
}

// run writes and commits rows in place of those of the given days.
func (b *bench) run(run pipeline.Run, rows []Plan, days ...string) pipeline.Version {
	b.Helper()
	tx := b.begin(run)
	files := b.write(tx, rows)
	v, err := tx.Commit(b.Context(), commitOf(run, files, days...))
	if err != nil {
		b.Fatal(err)
	}
	return v
}

// live is the newest version, and the rows of every tenant and day.
func (b *bench) live() (pipeline.Version, map[string]int64) {
	b.Helper()
	v, files, err := b.Files(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	rows := map[string]int64{}
	for table, list := range files {
		for _, f := range list {
			if f.Table != table {
				b.Errorf("file of table %s is listed under %s", f.Table, table)
			}
			b.intact(f)
			rows[f.Tenant[:1]+" "+f.Partition] += f.Rows
		}
	}
	return v, rows
}

func (b *bench) wantLive(v pipeline.Version, rows map[string]int64) {
	b.Helper()
	gotV, got := b.live()
	if gotV != v {
		b.Errorf("newest version is %d, want %d", gotV, v)
	}
	if diff := cmp.Diff(rows, got); diff != "" {
		b.Errorf("live rows (-want +got):\n%s", diff)
	}
}

// intact checks a file's bytes against its entry.
func (b *bench) intact(f pipeline.File) {
	b.Helper()
	r, err := b.Open(f)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, r)
	if err != nil {
		b.Fatal(err)
	}
	if n != f.Size || hex.EncodeToString(sum.Sum(nil)) != f.SHA256 {
		b.Errorf("file %s: %d bytes with SHA-256 %x, listed with %d and %s", f.Path, n, sum.Sum(nil), f.Size, f.SHA256)
	}
}

func whole(b *bench) {
	run := NewRun(b, Contoso, "2026-11-20T08:00", 1)
	tx := b.begin(run)
	files := b.write(tx, Plans(Contoso, "2026-11-20", 0, 10), Plans(Contoso, "2026-11-20", 10, 5))
	b.wantLive(0, map[string]int64{})
	v, err := tx.Commit(b.Context(), commitOf(run, files, "2026-11-20"))
	if err != nil || v != 1 {
		b.Fatalf("Commit = %d, %v", v, err)
	}
	b.wantLive(1, map[string]int64{"1 2026-11-20": 15})
}

func partitions(b *bench) {
	run := NewRun(b, Contoso, "2026-11-20T08:00", 1)
	tx := b.begin(run)
	mixed := append(Plans(Contoso, "2026-11-19", 0, 3), Plans(Contoso, "2026-11-20", 3, 4)...)
	files := b.write(tx, mixed, Plans(Contoso, "2026-11-19", 7, 2), mixed[2:4])
	rows := map[string]int64{}
	for _, f := range files {
		if f.Tenant != Contoso || f.SchemaVersion != plans.Version || f.Table != plans.Name {
			b.Errorf("file says %+v", f)
		}
		rows[f.Partition] += f.Rows
	}
	if diff := cmp.Diff(map[string]int64{"2026-11-19": 6, "2026-11-20": 5}, rows); diff != "" {
		b.Errorf("rows by partition (-want +got):\n%s", diff)
	}
	if _, err := tx.Commit(b.Context(), commitOf(run, files, "2026-11-19", "2026-11-20")); err != nil {
		b.Fatal(err)
	}
	b.wantLive(1, map[string]int64{"1 2026-11-19": 6, "1 2026-11-20": 5})
}

func replaces(b *bench) {
	both := append(Plans(Contoso, "2026-11-19", 0, 3), Plans(Contoso, "2026-11-20", 0, 3)...)
	b.run(NewRun(b, Contoso, "2026-11-20T08:00", 1), both, "2026-11-19", "2026-11-20")
	b.run(NewRun(b, Contoso, "2026-11-20T09:00", 1), Plans(Contoso, "2026-11-20", 100, 8), "2026-11-20")
	b.wantLive(2, map[string]int64{"1 2026-11-19": 3, "1 2026-11-20": 8})
}

func empties(b *bench) {
	b.run(NewRun(b, Contoso, "2026-11-20T08:00", 1), Plans(Contoso, "2026-11-20", 0, 3), "2026-11-20")
	run := NewRun(b, Contoso, "2026-11-20T09:00", 1)
	tx := b.begin(run)
	if files := b.write(tx, nil, []Plan{}); len(files) != 0 {
		b.Errorf("an empty stream gave the files %v", files)
	}
	if _, err := tx.Commit(b.Context(), commitOf(run, nil, "2026-11-20")); err != nil {
		b.Fatal(err)
	}
	b.wantLive(2, map[string]int64{})
}

func tenants(b *bench) {
	b.run(NewRun(b, Contoso, "2026-11-20T08:00", 1), Plans(Contoso, "2026-11-20", 0, 3), "2026-11-20")
	b.run(NewRun(b, Fabrikam, "2026-11-20T09:00", 1), Plans(Fabrikam, "2026-11-20", 0, 4), "2026-11-20")
	b.wantLive(2, map[string]int64{"1 2026-11-20": 3, "2 2026-11-20": 4})
}

func once(b *bench) {
	run := NewRun(b, Contoso, "2026-11-20T08:00", 1)
	first := b.run(run, Plans(Contoso, "2026-11-20", 0, 3), "2026-11-20")
	b.run(NewRun(b, Fabrikam, "2026-11-20T09:00", 1), Plans(Fabrikam, "2026-11-20", 0, 4), "2026-11-20")
	if again := b.run(run, Plans(Contoso, "2026-11-20", 0, 3), "2026-11-20"); again != first {
		b.Errorf("the run was committed as %d and as %d", first, again)
	}
	b.wantLive(2, map[string]int64{"1 2026-11-20": 3, "2 2026-11-20": 4})
}

func same(b *bench) {
	b.run(NewRun(b, Contoso, "2026-11-20T08:00", 1), Plans(Contoso, "2026-11-20", 0, 3), "2026-11-20")
	_, before, err := b.Files(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.run(NewRun(b, Contoso, "2026-11-20T09:00", 1), Plans(Contoso, "2026-11-20", 0, 3), "2026-11-20")
	v, after, err := b.Files(b.Context())
	if err != nil || v != 2 {
		b.Fatalf("version %d, %v", v, err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		b.Errorf("files changed (-before +after):\n%s", diff)
	}
}

func older(b *bench) {
	days := []string{"2026-11-19", "2026-11-20"}
	first := append(Plans(Contoso, days[0], 0, 3), Plans(Contoso, days[1], 0, 3)...)
	b.run(NewRun(b, Contoso, "2026-11-20T12:00", 1), Plans(Contoso, days[1], 0, 9), days[1])
	b.run(NewRun(b, Contoso, "2026-11-20T08:00", 1), first, days...)
	b.wantLive(2, map[string]int64{"1 2026-11-19": 3, "1 2026-11-20": 9})
	// Also when the newer run gave the bytes of a run that started earlier still.
	b.run(NewRun(b, Contoso, "2026-11-20T13:00", 1), first[:3], days[0])
	b.run(NewRun(b, Contoso, "2026-11-20T09:00", 1), Plans(Contoso, days[0], 50, 1), days[0])
	b.wantLive(4, map[string]int64{"1 2026-11-19": 3, "1 2026-11-20": 9})
}

func doubles(b *bench) {
	b.run(NewRun(b, Contoso, "2026-11-20T08:00", 1), Plans(Contoso, "2026-11-20", 0, 3), "2026-11-20")
	run := NewRun(b, Contoso, "2026-11-20T09:00", 1)
	tx := b.begin(run)
	files := b.write(tx, Plans(Contoso, "2026-11-20", 50, 3))
	if v, err := tx.Commit(b.Context(), commitOf(run, files)); err == nil {
		b.Errorf("Commit = %d, and the day's rows now stand twice", v)
	}
	b.wantLive(1, map[string]int64{"1 2026-11-20": 3})
}

func aborted(b *bench) {
	run := NewRun(b, Contoso, "2026-11-20T08:00", 1)
	tx := b.begin(run)
	files := b.write(tx, Plans(Contoso, "2026-11-20", 0, 3))
	if err := errors.Join(tx.Abort(), tx.Abort()); err != nil {
		b.Fatal(err)
	}
	if v, err := tx.Commit(b.Context(), commitOf(run, files, "2026-11-20")); err == nil {
		b.Errorf("Commit after Abort = %d", v)
	}
	b.wantLive(0, map[string]int64{})
	// The run can be tried again.
	b.run(run, Plans(Contoso, "2026-11-20", 0, 3), "2026-11-20")
	b.wantLive(1, map[string]int64{"1 2026-11-20": 3})
}

func ended(b *bench) {
	run := NewRun(b, Contoso, "2026-11-20T08:00", 1)
	tx := b.begin(run)
	files := b.write(tx, Plans(Contoso, "2026-11-20", 0, 3))
	if _, err := tx.Commit(b.Context(), commitOf(run, files, "2026-11-20")); err != nil {
		b.Fatal(err)
	}
	if err := tx.Abort(); err != nil {
		b.Fatal(err)
	}
	if _, err := tx.Write(b.Context(), plans, PlanStream(b, b.mem, Plans(Contoso, "2026-11-20", 0, 3))); err == nil {
		b.Error("Write after Commit had no error")
	}
	b.wantLive(1, map[string]int64{"1 2026-11-20": 3})
}

func listed(b *bench) {
	change := map[string]func(c *pipeline.Commit){
		"a file is left out":      func(c *pipeline.Commit) { c.Add = c.Add[:1] },
		"a file is listed twice":  func(c *pipeline.Commit) { c.Add = append(c.Add, c.Add[0]) },
		"a file has other rows":   func(c *pipeline.Commit) { c.Add[0].Rows++ },
		"the run is another":      func(c *pipeline.Commit) { c.Run = NewRun(b, Contoso, "2026-11-20T10:00", 9) },
		"a replaced day is none":  func(c *pipeline.Commit) { c.Replaces[0].To = "2026-11-31" },
		"a span of days is empty": func(c *pipeline.Commit) { c.Replaces[0].To = "2026-11-01" },
	}
	for name, fn := range change {
		run := NewRun(b, Contoso, "2026-11-20T08:00", 1)
		tx := b.begin(run)
		files := b.write(tx, append(Plans(Contoso, "2026-11-19", 0, 3), Plans(Contoso, "2026-11-20", 0, 3)...))
		c := commitOf(run, files, "2026-11-19", "2026-11-20")
		fn(&c)
		if v, err := tx.Commit(b.Context(), c); err == nil {
			b.Errorf("%s: Commit = %d", name, v)
		}
	}
	b.wantLive(0, map[string]int64{})
}

func refused(b *bench) {
	tx := b.begin(NewRun(b, Contoso, "2026-11-20T08:00", 1))
	good := Plan{Contoso, "2026-11-20", 1}
	for name, bad := range map[string]Plan{
		"the day is null":      {Contoso, "", 1},
		"the tenant is null":   {"", "2026-11-20", 1},
		"it is another tenant": {Fabrikam, "2026-11-20", 1},
	} {
		if files, err := tx.Write(b.Context(), plans, PlanStream(b, b.mem, []Plan{good, good, bad})); err == nil {
			b.Errorf("%s: Write = %v", name, files)
		}
	}
	if _, err := tx.Write(b.Context(), schemas.GraphUsers, PlanStream(b, b.mem, []Plan{good})); err == nil {
		b.Error("a stream of another table was written")
	}
	if err := tx.Abort(); err != nil {
		b.Fatal(err)
	}
}

func broken(b *bench) {
	run := NewRun(b, Contoso, "2026-11-20T08:00", 1)
	tx := b.begin(run)
	boom := &pipeline.Gap{State: pipeline.Denied, Reason: "no right"}
	good := PlanStream(b, b.mem, Plans(Contoso, "2026-11-20", 0, 3))
	in := pipeline.Stream{Schema: good.Schema, Batches: func(yield func(arrow.RecordBatch, error) bool) {
		for batch, err := range good.Batches {
			if !yield(batch, err) {
				return
			}
		}
		yield(nil, boom)
	}}
	if files, err := tx.Write(b.Context(), plans, in); !errors.Is(err, boom) {
		b.Errorf("Write = %v, %v, want the stream's error", files, err)
	}
	// The other tables of the run are committed, and nothing of the broken stream.
	files := b.write(tx, Plans(Contoso, "2026-11-19", 0, 2))
	if _, err := tx.Commit(b.Context(), commitOf(run, files, "2026-11-19")); err != nil {
		b.Fatal(err)
	}
	b.wantLive(1, map[string]int64{"1 2026-11-19": 2})
}

func cancelled(b *bench) {
	run := NewRun(b, Contoso, "2026-11-20T08:00", 1)
	tx := b.begin(run)
	files := b.write(tx, Plans(Contoso, "2026-11-20", 0, 3))
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	if v, err := tx.Commit(ctx, commitOf(run, files, "2026-11-20")); !errors.Is(err, context.Canceled) {
		b.Errorf("Commit = %d, %v, want context.Canceled", v, err)
	}
	b.wantLive(0, map[string]int64{})
}

func sideBySide(b *bench) {
	run := NewRun(b, Contoso, "2026-11-20T08:00", 1)
	tx := b.begin(run)
	written := make([][]pipeline.File, 8)
	var wg sync.WaitGroup
	for i := range written {
		wg.Go(func() {
			var err error
			written[i], err = tx.Write(b.Context(), plans, PlanStream(b, memory.DefaultAllocator, Plans(Contoso, "2026-11-20", 100*i, 10)))
			if err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	var files []pipeline.File
	for _, w := range written {
		files = append(files, w...)
	}
	if _, err := tx.Commit(b.Context(), commitOf(run, files, "2026-11-20")); err != nil {
		b.Fatal(err)
	}
	b.wantLive(1, map[string]int64{"1 2026-11-20": 80})
}

func together(b *bench) {
	const runs = 12
	versions := make([]pipeline.Version, runs)
	var wg sync.WaitGroup
	for i := range versions {
		wg.Go(func() {
			run := NewRun(b, Contoso, "2026-11-20T08:00", byte(i))
			tx, err := b.Begin(b.Context(), run)
			if err != nil {
				b.Error(err)
				return
			}
			files, err := tx.Write(b.Context(), plans, PlanStream(b, memory.DefaultAllocator, Plans(Contoso, "2026-11-20", 100*i, i+1)))
			if err == nil {
				versions[i], err = tx.Commit(b.Context(), commitOf(run, files, "2026-11-20"))
			}
			if err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	last, seen := 0, map[pipeline.Version]bool{}
	for i, v := range versions {
		if seen[v] {
			b.Errorf("version %d was given to two runs", v)
		}
		seen[v] = true
		if v > versions[last] {
			last = i
		}
	}
	// They started together, so the last to commit stands, and alone.
	b.wantLive(runs, map[string]int64{"1 2026-11-20": int64(last) + 1})
}
