package lake

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"seatlake/pipeline"
)

// ErrEmpty is the error of a lake without commits.
var ErrEmpty = errors.New("the lake has no commit yet: run `seatlake run` first")

// Snapshot is the lake at one version. It does not change when runs are
// committed; its files stay until they are pruned.
type Snapshot struct {
	Version  pipeline.Version
	RunID    string                     // of the version's commit
	Ended    time.Time                  // UTC, when that run ended
	Notices  []string                   // of that commit, for people
	Files    map[string][]pipeline.File // live files by table, sorted by path
	Coverage []TenantCoverage           // newest of each tenant and table, sorted by both

	// State is the newest cursors: by tenant id, then by source.
	State map[string]map[string]json.RawMessage

	store *store
}

// TenantCoverage is the coverage of a table by a tenant's newest run that read it.
// Newest is the run that started last, and of runs that started together the one
// committed last, so that the replay of an old run hides no new one.
type TenantCoverage struct {
	TenantID     string
	Tenant       string // configured name
	RunID        string
	SnapshotDate string           // UTC day the run started, "2006-01-02"
	Version      pipeline.Version // of the run's commit
	pipeline.Coverage
}

// Commit is one version of the lake.
type Commit struct {
	Version pipeline.Version
	pipeline.Commit
	Remove []string // paths of the files it removed
	Keep   []string // paths of live files whose bytes the run gave again
}

// Snapshot reads the log up to a version; 0 is the newest. The error of a lake
// without commits is ErrEmpty.
func (l *Lake) Snapshot(ctx context.Context, v pipeline.Version) (*Snapshot, error) {
	entries, err := l.entries(ctx)
	if err != nil {
		return nil, err
	}
	head := pipeline.Version(len(entries))
	switch {
	case head == 0:
		return nil, ErrEmpty
	case v < 0 || v > head:
		return nil, fmt.Errorf("version %d does not exist: the lake has versions 1 to %d", v, head)
	case v > 0:
		entries = entries[:v]
	}
	s, err := fold(entries)
	if err != nil {
		return nil, err
	}
	last := entries[len(entries)-1]
	return &Snapshot{
		Version: last.Version, RunID: last.Run.ID, Ended: last.Ended, Notices: last.Notices,
		Files: s.byTable(), Coverage: coverage(entries), State: cursors(entries), store: l.store,
	}, nil
}

// Paths is the absolute paths of a table's live files, sorted.
func (s *Snapshot) Paths(table string) []string {
	var paths []string
	for _, f := range s.Files[table] {
		paths = append(paths, s.store.path(f.Path))
	}
	return paths
}

// Commits is the lake's commits, oldest first.
func (l *Lake) Commits(ctx context.Context) ([]Commit, error) {
	entries, err := l.entries(ctx)
	if err != nil {
		return nil, err
	}
	commits := make([]Commit, len(entries))
	for i, e := range entries {
		commits[i] = Commit{Version: e.Version, Commit: e.Commit, Remove: e.Remove, Keep: e.Keep}
	}
	return commits, nil
}

// AsOf is the newest version whose run had ended at t.
func (l *Lake) AsOf(ctx context.Context, t time.Time) (pipeline.Version, error) {
	entries, err := l.entries(ctx)
	if err != nil {
		return 0, err
	}
	if len(entries) == 0 {
		return 0, ErrEmpty
	}
	for _, e := range slices.Backward(entries) {
		if !e.Ended.After(t) {
			return e.Version, nil
		}
	}
	return 0, fmt.Errorf("the lake has no version as of %s: its first run ended at %s",
		t.UTC().Format(time.RFC3339), entries[0].Ended.UTC().Format(time.RFC3339))
}

func (s *state) byTable() map[string][]pipeline.File {
	m := map[string][]pipeline.File{}
	for _, f := range s.files {
		m[f.Table] = append(m[f.Table], f.File)
	}
	for _, files := range m {
		slices.SortFunc(files, func(a, b pipeline.File) int { return cmp.Compare(a.Path, b.Path) })
	}
	return m
}

func coverage(entries []*entry) []TenantCoverage {
	type key struct{ tenant, table string }
	newest := map[key]TenantCoverage{}
	for _, e := range byStart(entries) {
		for _, c := range e.Coverage {
			newest[key{e.Run.TenantID, c.Table}] = TenantCoverage{
				TenantID: e.Run.TenantID, Tenant: e.Run.Tenant, RunID: e.Run.ID,
				SnapshotDate: e.Run.Started.UTC().Format(time.DateOnly), Version: e.Version, Coverage: c,
			}
		}
	}
	return slices.SortedFunc(maps.Values(newest), func(a, b TenantCoverage) int {
		return cmp.Or(cmp.Compare(a.TenantID, b.TenantID), cmp.Compare(a.Table, b.Table))
	})
}

// cursors is the newest state of every tenant and source, newest as for coverage.
func cursors(entries []*entry) map[string]map[string]json.RawMessage {
	all := map[string]map[string]json.RawMessage{}
	for _, e := range byStart(entries) {
		for source, cursor := range e.State {
			if all[e.Run.TenantID] == nil {
				all[e.Run.TenantID] = map[string]json.RawMessage{}
			}
			all[e.Run.TenantID][source] = cursor
		}
	}
	return all
}

// byStart is the entries in the order their runs started, then of their versions.
func byStart(entries []*entry) []*entry {
	sorted := slices.Clone(entries)
	slices.SortStableFunc(sorted, func(a, b *entry) int { return a.Run.Started.Compare(b.Run.Started) })
	return sorted
}
