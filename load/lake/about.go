package lake

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"seatlake/pipeline"
)

// About is a snapshot as a day is seen from its version: the runs that started on the
// UTC day or before, with the rows that the version has of them. A second run of the
// day, or a replay of one, counts when the version has it; what later days say of
// themselves does not. Tables that are of no day are those of the version.
//
// The day is that of the newest run that is counted, which is an earlier one where
// none ran on it. Without any it is an error.
func (l *Lake) About(ctx context.Context, v pipeline.Version, day time.Time) (*Snapshot, error) {
	snapshot, err := l.Snapshot(ctx, v)
	if err != nil {
		return nil, err
	}
	entries, err := l.entries(ctx)
	if err != nil {
		return nil, err
	}
	end, last := day.UTC().Truncate(24*time.Hour).Add(24*time.Hour), day.UTC().Format(time.DateOnly)
	facts := newState()
	var newest *entry
	for _, e := range entries[:snapshot.Version] {
		if !e.Run.Started.Before(end) {
			continue
		}
		if err := facts.applyFacts(e); err != nil {
			return nil, fmt.Errorf("%s: %w", entryName(e.Version), damaged(err))
		}
		if len(e.Coverage) > 0 && (newest == nil || !e.Run.Started.Before(newest.Run.Started)) {
			newest = e
		}
	}
	if newest == nil {
		return nil, fmt.Errorf("version %d has no run of %s or of a day before", snapshot.Version, last)
	}
	files := maps.Clone(snapshot.Files)
	for table := range files {
		files[table] = slices.DeleteFunc(slices.Clone(files[table]), func(f pipeline.File) bool { return f.Partition > last })
		if len(files[table]) == 0 {
			delete(files, table)
		}
	}
	for _, c := range facts.covered() {
		if c.Rows > 0 && c.LogicalDate != "" && !slices.ContainsFunc(files[c.Table], func(f pipeline.File) bool {
			return f.Tenant == c.TenantID && f.Partition == c.LogicalDate
		}) {
			return nil, fmt.Errorf("version %d no longer has %s of %s, which the runs of %s read: name a version of that time (`--as-of`), or ask the history marts",
				snapshot.Version, c.Table, c.LogicalDate, last)
		}
	}
	return &Snapshot{
		Version: snapshot.Version, RunID: newest.Run.ID, Ended: newest.Ended, Notices: newest.Notices,
		Files: files, Coverage: facts.covered(), State: facts.state(),
	}, nil
}
