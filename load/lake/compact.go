package lake

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/oklog/ulid/v2"

	"seatlake/load/parquet"
	"seatlake/pipeline"
	"seatlake/schemas"
)

// CompactOptions says what may be compacted, and by whom.
type CompactOptions struct {
	Now     func() time.Time // dates the commits and their ids
	Program string           // seatlake's version

	// SmallerThan is the bytes from which on a file is left alone; 0 means 128 MiB.
	SmallerThan int64

	// DryRun says what would be compacted, and changes nothing.
	DryRun bool
}

// smallFile is what a reader gains nothing from that is merged with others.
const smallFile = 128 << 20

// Compacted is a partition of which one file came in the place of several.
type Compacted struct {
	Version   pipeline.Version // of the commit; 0 in a dry run
	Table     string
	Tenant    string // empty for the catalogue
	Partition string // day, empty where there is none
	Files     int    // that went
	Rows      int64
	Before    int64 // bytes that went
	After     int64 // bytes that came; 0 in a dry run
}

// Compact puts one file in the place of the small ones of each partition, in one commit
// a tenant that changes no row: the rows are those of the files, in their order, with
// the table's newest columns, and are read back and compared before the commit. A
// partition that a run replaces meanwhile stays the run's. What went is listed by
// older versions, and goes with them. A second call finds nothing to do.
//
// An error leaves the snapshot as it was, or with the commits of the tenants before.
// At most one batch of rows is held.
func (l *Lake) Compact(ctx context.Context, o CompactOptions) ([]Compacted, error) {
	s, err := l.head(ctx)
	if err != nil {
		return nil, err
	}
	groups := s.fragmented(cmp.Or(o.SmallerThan, smallFile))
	var done []Compacted
	for _, tenant := range groups.tenants() {
		parts, err := l.compactTenant(ctx, tenant, groups[tenant], o)
		done = append(done, parts...)
		if err != nil {
			return done, fmt.Errorf("compact the files of tenant %s: %w", tenant, err)
		}
	}
	return done, nil
}

// fragments is, by tenant, the partitions that have several small files, which stand in
// the order in which they were written.
type fragments map[string][][]live

func (f fragments) tenants() []string {
	var out []string
	for t := range f {
		out = append(out, t)
	}
	slices.Sort(out)
	return out
}

// fragmented finds the partitions that have several files below a size. Those of the
// catalogue, which is no tenant's, go with the first tenant.
func (s *state) fragmented(below int64) fragments {
	small := map[partition][]live{}
	for _, f := range s.files {
		if f.Size < below {
			p := partition{f.Table, f.Tenant, f.Partition}
			small[p] = append(small[p], f)
		}
	}
	out := fragments{}
	first := ""
	for _, c := range s.commits {
		if first == "" || c.tenant < first {
			first = c.tenant
		}
	}
	for p, files := range small {
		if len(files) < 2 {
			continue
		}
		slices.SortFunc(files, func(a, b live) int { return strings.Compare(a.Path, b.Path) })
		tenant := cmp.Or(p.tenant, first)
		out[tenant] = append(out[tenant], files)
	}
	for _, parts := range out {
		slices.SortFunc(parts, func(a, b []live) int { return strings.Compare(a[0].Path, b[0].Path) })
	}
	return out
}

// compaction is a tenant's commit in the making.
type compaction struct {
	*transaction
	parts []compactedPart
}

type compactedPart struct {
	was []live
	is  pipeline.File
}

func (l *Lake) compactTenant(ctx context.Context, tenant string, parts [][]live, o CompactOptions) ([]Compacted, error) {
	if o.DryRun {
		var out []Compacted
		for _, was := range parts {
			out = append(out, compactedPart{was: was}.report(0))
		}
		return out, nil
	}
	now := o.Now().UTC()
	id, err := ulid.New(ulid.Timestamp(now), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("id of the commit: %w", err)
	}
	run := pipeline.Run{ID: id.String(), TenantID: tenant, Started: now, Program: o.Program, Requests: []pipeline.Request{}}
	tx, err := l.begin(ctx, run, false)
	if err != nil {
		return nil, err
	}
	c := &compaction{transaction: tx}
	version, err := c.run(ctx, parts, o.Now)
	if err = errors.Join(err, tx.Abort()); err != nil || version == 0 {
		return nil, err
	}
	var out []Compacted
	for _, p := range c.parts {
		out = append(out, p.report(version))
	}
	return out, nil
}

func (p compactedPart) report(v pipeline.Version) Compacted {
	out := Compacted{Version: v, Table: p.was[0].Table, Tenant: p.was[0].Tenant, Partition: p.was[0].Partition, Files: len(p.was), After: p.is.Size}
	for _, f := range p.was {
		out.Rows += f.Rows
		out.Before += f.Size
	}
	return out
}

// run writes the new files and commits them; version 0 says that runs replaced all of
// the partitions meanwhile.
func (c *compaction) run(ctx context.Context, parts [][]live, now func() time.Time) (pipeline.Version, error) {
	for _, was := range parts {
		is, err := c.merge(ctx, was)
		if err != nil {
			return 0, fmt.Errorf("%s of %s: %w", was[0].Table, cmp.Or(was[0].Partition, "all"), err)
		}
		c.parts = append(c.parts, compactedPart{was, is})
	}
	for {
		s, err := c.lake.head(ctx)
		if err != nil {
			return 0, err
		}
		c.parts = slices.DeleteFunc(c.parts, func(p compactedPart) bool {
			return slices.ContainsFunc(p.was, func(f live) bool { _, there := s.files[f.Path]; return !there })
		})
		if len(c.parts) == 0 {
			return 0, nil
		}
		e := c.entry(s, now().UTC())
		if err := c.move(ctx, e.Add); err != nil {
			return 0, err
		}
		err = c.lake.append(c.scratch, s, e)
		switch {
		case err == nil:
			return e.Version, nil
		case errors.Is(err, fs.ErrExist):
			if err := c.lake.overtaken(ctx, e.Version); err != nil {
				return 0, err
			}
			continue
		}
		if v, found := c.find(ctx, e); found {
			return v, nil
		}
		return 0, err
	}
}

func (c *compaction) entry(s *state, ended time.Time) *entry {
	e := &entry{
		Format: rewritingFormat, Version: s.version + 1, Parent: s.version, Kind: kindCompact, Remove: []string{}, Keep: []string{},
		Commit: pipeline.Commit{Run: c.transaction.run, Ended: ended, Add: []pipeline.File{}, Replaces: []pipeline.Replacement{}, Coverage: []pipeline.Coverage{}},
	}
	for _, p := range c.parts {
		e.Add = append(e.Add, p.is)
		for _, f := range p.was {
			e.Remove = append(e.Remove, f.Path)
		}
	}
	slices.SortFunc(e.Add, func(a, b pipeline.File) int { return strings.Compare(a.Path, b.Path) })
	slices.Sort(e.Remove)
	return e
}

// merge stages one file with the rows of others, and reads it back.
func (c *compaction) merge(ctx context.Context, was []live) (pipeline.File, error) {
	table, err := tableOf(was[0].File)
	if err != nil {
		return pipeline.File{}, err
	}
	var before parquet.Digest
	in := pipeline.Stream{Schema: table.Arrow(), Batches: func(yield func(arrow.RecordBatch, error) bool) {
		for _, f := range was {
			for batch, err := range c.lake.rowsOf(f.File, f.Path, table, parquet.ReadOptions{}) {
				if err == nil {
					err = before.Add(batch)
				}
				if !yield(batch, err) || err != nil {
					return
				}
			}
		}
	}}
	files, err := c.Write(ctx, table, in)
	if err != nil {
		return pipeline.File{}, err
	}
	if len(files) != 1 {
		return pipeline.File{}, fmt.Errorf("%d files came of %d", len(files), len(was))
	}
	var after parquet.Digest
	for batch, err := range c.lake.rowsOf(files[0], c.staged[files[0].Path].temp, table, parquet.ReadOptions{}) {
		if err == nil {
			err = cmp.Or(ctx.Err(), after.Add(batch))
		}
		if err != nil {
			return pipeline.File{}, fmt.Errorf("read back: %w", err)
		}
	}
	if before.Sum() != after.Sum() {
		return pipeline.File{}, fmt.Errorf("the new file, read back, has not the %d rows of the old ones: check the disk, then run again", before.Rows())
	}
	return files[0], nil
}

// tableOf is the table that a file is of, if this program knows as new a one.
func tableOf(f pipeline.File) (*schemas.Table, error) {
	table, known := schemas.ByName(f.Table)
	if !known || f.SchemaVersion > table.Version {
		return nil, fmt.Errorf("%s: %w", f.Path, parquet.ErrNewer)
	}
	return table, nil
}

// rowsOf reads a data file that stands at a name, after it has compared its bytes with
// the file's hash.
func (l *Lake) rowsOf(f pipeline.File, name string, table *schemas.Table, o parquet.ReadOptions) func(func(arrow.RecordBatch, error) bool) {
	return func(yield func(arrow.RecordBatch, error) bool) {
		sum, err := l.store.hash(name)
		if err == nil && sum != f.SHA256 {
			err = fmt.Errorf("its SHA-256 is %s, and %s was written: %s", sum, f.SHA256, cureReplay)
		}
		var in *opened
		if err == nil {
			in, err = l.store.open(name)
		}
		if err != nil {
			yield(nil, fmt.Errorf("%s: %w", l.store.path(name), err))
			return
		}
		defer in.Close()
		rows, err := parquet.Read(in, f.Size, table, o)
		if err != nil {
			yield(nil, fmt.Errorf("%s: %w", l.store.path(name), err))
			return
		}
		for batch, err := range rows.Batches {
			if err != nil {
				err = fmt.Errorf("%s: %w", l.store.path(name), err)
			}
			if !yield(batch, err) {
				return
			}
		}
	}
}
