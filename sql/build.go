package sql

import (
	"context"
	"database/sql/driver"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"seatlake/schemas"
)

// Options bounds a build. The zero value is right for a machine with 1 GB free.
type Options struct {
	MemoryLimit string      // of DuckDB, such as "2GB"; "800MB" when empty, which keeps the process below 1 GiB. More spills to TempDir
	Threads     int         // of DuckDB; 0 for one per core
	TempDir     string      // for the working database and spill files, removed afterwards; the system's when empty
	Progress    func(Event) // called before and after every node, in order; may be nil

	// Now measures how long nodes take; without it Seconds are 0.
	Now func() time.Time
}

func (o Options) memoryLimit() string {
	if o.MemoryLimit == "" {
		return "800MB"
	}
	return o.MemoryLimit
}

// Event says where a build stands.
type Event struct {
	Node  string
	Kind  Kind
	Done  bool // false before the node, true after it
	Index int  // of the node, from 1
	Total int  // nodes of the build
	Rows  int64
}

// Result is what a build did.
type Result struct {
	Nodes []NodeResult // seeds, models and tests in the order they ran
	Marts []Mart       // files written, by name
}

// NodeResult is what became of one node.
type NodeResult struct {
	Name    string
	Kind    Kind
	Rows    int64 // rows of a seed or table, faults of a test; -1 for a view, which is not counted
	Seconds float64
	Status  Status

	Severity Severity // of a test
	File     string   // of the project, for people to read
	Columns  []string // of Faults
	Faults   [][]any  // up to five faulty rows of a test that did not pass
}

// Status is how a node ended.
type Status string

// The ways a node ends. A model that fails ends the build with an error.
const (
	OK     Status = "ok"
	Warned Status = "warn" // a test of severity warn found faults
	Failed Status = "fail" // a test of severity error found faults
)

// Mart is one exported mart.
type Mart struct {
	Name string
	Path string
	Rows int64
}

// Failed says that a test of severity error found faults: the marts must not be
// published.
func (r *Result) Failed() bool {
	for _, n := range r.Nodes {
		if n.Status == Failed {
			return true
		}
	}
	return false
}

// Build builds every seed and model from the inputs, runs the tests, and writes
// each mart to outDir/<mart>.parquet: ordered by its key, zstd, with the columns
// _lake_version and _run_id behind its own. The same inputs give the same bytes.
//
// Marts are written whether tests pass or not; Result.Failed says whether they may
// be published. A model that cannot run is an error that names its file.
func Build(ctx context.Context, in Inputs, outDir string, o Options) (*Result, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	p, err := load(files, in.Vars)
	if err != nil {
		return nil, err
	}
	if err := p.replaceSeeds(in.Seeds); err != nil {
		return nil, err
	}
	b := &build{options: o, total: len(p.order) + len(p.tests) + len(p.marts())}
	err = withEngine(ctx, o, func(e *engine) (*Local, error) {
		local, err := in.local(ctx, nil, p.reads(nil))
		if err != nil {
			return nil, err
		}
		b.engine = e
		return local, b.all(ctx, p, in, local, outDir)
	})
	if err != nil {
		return nil, err
	}
	return &b.result, nil
}

// all builds every node, runs every test, and writes every mart.
func (b *build) all(ctx context.Context, p *project, in Inputs, local *Local, outDir string) error {
	if err := b.begin(ctx, p, in, local); err != nil {
		return err
	}
	for _, n := range p.order {
		if err := b.node(ctx, n); err != nil {
			return err
		}
	}
	for _, t := range p.tests {
		if err := b.test(ctx, t); err != nil {
			return err
		}
	}
	for _, n := range p.marts() {
		if err := b.export(ctx, n, in, outDir); err != nil {
			return err
		}
	}
	return nil
}

// begin makes what the first node finds.
func (b *build) begin(ctx context.Context, p *project, in Inputs, local *Local) error {
	if err := b.createSources(ctx, in, local); err != nil {
		return err
	}
	for _, hook := range p.hooks {
		if err := b.exec(ctx, hook); err != nil {
			return fmt.Errorf("dbt_project.yml: on-run-start: %w", err)
		}
	}
	return nil
}

// reads is the stored tables that some nodes read; nil stands for all nodes and tests.
func (p *project) reads(needed map[string]bool) []Read {
	names := map[string]bool{}
	for _, n := range p.order {
		if needed != nil && !needed[n.Name] {
			continue
		}
		for _, source := range n.Sources {
			names[source] = true
		}
	}
	for _, t := range p.tests {
		for _, source := range t.sources {
			names[source] = names[source] || needed == nil
		}
	}
	delete(names, "table_coverage") // which is in no file
	var out []Read
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if names[name] {
			out = append(out, Read{Name: name})
		}
	}
	return out
}

// createSources makes the schema lake: the stored tables and their coverage. Tables
// that no node reads are not there.
func (e *engine) createSources(ctx context.Context, in Inputs, local *Local) error {
	if err := e.exec(ctx, "create schema lake"); err != nil {
		return fmt.Errorf("create sources: %w", err)
	}
	for _, t := range schemas.All() {
		paths, ok := local.Files[t.Name]
		if !ok {
			continue
		}
		if err := e.storedView(ctx, "lake."+quote(t.Name), t, paths, "UUID"); err != nil {
			return err
		}
	}
	if err := e.createCoverage(ctx, "lake.table_coverage", "UUID", in.Coverage); err != nil {
		return fmt.Errorf("create sources: %w", err)
	}
	return nil
}

// createCoverage makes a table of coverage rows.
func (e *engine) createCoverage(ctx context.Context, name, guids string, rows []CoverageRow) error {
	err := e.exec(ctx, "create table "+name+` (
		tenant_id `+guids+`, tenant_name varchar, table_name varchar, state varchar, reason varchar, observed_at timestamp,
		observed_through date, logical_date date, row_count bigint, run_id varchar, snapshot_date date)`)
	if err != nil {
		return err
	}
	return e.append(ctx, "coverage_rows", "tenant_id, tenant_name, table_name, state, reason, observed_through, logical_date, run_id, snapshot_date",
		"observed_at timestamp, row_count bigint", func(yield func([]driver.Value) bool) {
			for _, c := range rows {
				var observed driver.Value
				if !c.Observed.IsZero() {
					observed = c.Observed.UTC()
				}
				if !yield([]driver.Value{
					c.TenantID, c.TenantName, c.Table, c.State, c.Reason, c.ObservedThrough, c.LogicalDate, c.RunID, c.SnapshotDate, observed, c.Rows,
				}) {
					return
				}
			}
		},
		"insert into "+name+` select cast(lower(tenant_id) as `+guids+`), tenant_name, table_name, state, nullif(reason, ''), observed_at,
			cast(nullif(observed_through, '') as date), cast(nullif(logical_date, '') as date), row_count, run_id, cast(snapshot_date as date)
			from coverage_rows`)
}

// build is a build under way.
type build struct {
	*engine
	options Options
	result  Result
	index   int
	total   int
}

// run does one step and records it.
func (b *build) run(name string, kind Kind, step func(*NodeResult) error) error {
	b.index++
	event := Event{Node: name, Kind: kind, Index: b.index, Total: b.total}
	if b.options.Progress != nil {
		b.options.Progress(event)
	}
	r := NodeResult{Name: name, Kind: kind, Status: OK}
	var began time.Time
	if b.options.Now != nil {
		began = b.options.Now()
	}
	if err := step(&r); err != nil {
		return err
	}
	if b.options.Now != nil {
		r.Seconds = b.options.Now().Sub(began).Seconds()
	}
	b.result.Nodes = append(b.result.Nodes, r)
	if b.options.Progress != nil {
		event.Done, event.Rows = true, r.Rows
		b.options.Progress(event)
	}
	return nil
}

// node builds a seed or a model.
func (b *build) node(ctx context.Context, n *Node) error {
	return b.run(n.Name, n.Kind, func(r *NodeResult) error {
		r.File, r.Rows = n.File, -1
		var err error
		switch n.Materialized {
		case "seed":
			err = b.createSeed(ctx, n)
		case "table", "view":
			err = b.exec(ctx, fmt.Sprintf("create %s main.%s as %s", n.Materialized, quote(n.Name), n.SQL))
		case "ephemeral":
			return nil
		}
		if err == nil && n.Materialized != "view" {
			r.Rows, err = b.count(ctx, "select count(*) from main."+quote(n.Name))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", n.File, err)
		}
		return nil
	})
}

// test runs one test and keeps a few of the faults it finds.
func (b *build) test(ctx context.Context, t check) error {
	return b.run(t.name, KindTest, func(r *NodeResult) (err error) {
		r.File, r.Severity = t.file, t.severity
		defer func() {
			if err != nil {
				err = fmt.Errorf("%s: test %s: %w", t.file, t.name, err)
			}
		}()
		if r.Rows, err = b.count(ctx, "select count(*) from ("+t.sql+"\n)"); err != nil || r.Rows == 0 {
			return err
		}
		r.Status = Failed
		if t.severity == Warn {
			r.Status = Warned
		}
		rows, err := b.conn.QueryContext(ctx, "select * from ("+t.sql+"\n) order by all limit 5")
		if err != nil {
			return err
		}
		defer rows.Close()
		out, err := newRows(rows)
		if err != nil {
			return err
		}
		for _, c := range out.Columns {
			r.Columns = append(r.Columns, c.Name)
		}
		for row, err := range out.All() {
			if err != nil {
				return err
			}
			r.Faults = append(r.Faults, row)
		}
		return nil
	})
}

// export writes a mart as gold.
func (b *build) export(ctx context.Context, n *Node, in Inputs, dir string) error {
	path := filepath.Join(dir, n.Name+".parquet")
	order := "all"
	if len(n.Key) > 0 {
		order = strings.Join(n.Key, ", ")
	}
	return b.run(n.Name+".parquet", KindModel, func(r *NodeResult) error {
		query := fmt.Sprintf("select *, cast(%d as bigint) as _lake_version, %s as _run_id from main.%s order by %s",
			in.Version, literal(in.RunID), quote(n.Name), order)
		err := b.exec(ctx, fmt.Sprintf("copy (%s) to %s (format parquet, compression zstd)", query, literal(path)))
		if err == nil {
			r.Rows, err = b.count(ctx, "select count(*) from read_parquet("+literal(path)+")")
		}
		if err != nil {
			return fmt.Errorf("write mart %s: %w", n.Name, err)
		}
		b.result.Marts = append(b.result.Marts, Mart{Name: n.Name, Path: path, Rows: r.Rows})
		return nil
	})
}
