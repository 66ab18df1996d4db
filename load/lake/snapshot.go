package lake

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	Erases bool     // it is of no run: files without a person stand in the place of others
}

// Snapshot reads the log up to a version; 0 is the newest. The error of a lake
// without commits is ErrEmpty.
func (l *Lake) Snapshot(ctx context.Context, v pipeline.Version) (*Snapshot, error) {
	s, err := l.head(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case s.version == 0:
		return nil, ErrEmpty
	case v < 0 || v > s.version:
		return nil, fmt.Errorf("version %d does not exist: the lake has versions 1 to %d", v, s.version)
	case v == 0:
		v = s.version
	}
	if v < s.version {
		if err := l.readable(v); err != nil {
			return nil, err
		}
	}
	last, err := l.at(ctx, &s, v)
	if err != nil {
		return nil, err
	}
	return &Snapshot{
		Version: last.Version, RunID: last.Run.ID, Ended: last.Ended, Notices: last.Notices,
		Files: s.byTable(), Coverage: s.covered(), State: s.state(),
	}, nil
}

// at gives the log object of a version, and puts the state at that version in the
// place of a later one. Only a version before the checkpoint makes it read the
// whole log.
func (l *Lake) at(ctx context.Context, s **state, v pipeline.Version) (*entry, error) {
	l.log.mu.Lock()
	before := l.log.base != nil && v <= l.log.base.version
	l.log.mu.Unlock()
	if before {
		if _, err := l.entries(ctx); err != nil {
			return nil, err
		}
	}
	l.log.mu.Lock()
	defer l.log.mu.Unlock()
	if v < (*s).version {
		var err error
		if *s, err = l.log.upTo(v); err != nil {
			return nil, err
		}
		// What was erased since is not in older versions either.
		for _, e := range l.log.entries[len(l.log.entries)-int(l.log.version()-v):] {
			for _, r := range e.Rewrite {
				(*s).rewrite(r)
			}
		}
	}
	n := len(l.log.entries) - int(l.log.version()-v)
	return l.log.entries[n-1], nil
}

// Commits is the lake's commits, oldest first.
func (l *Lake) Commits(ctx context.Context) ([]Commit, error) {
	entries, err := l.entries(ctx)
	if err != nil {
		return nil, err
	}
	commits := make([]Commit, len(entries))
	for i, e := range entries {
		commits[i] = Commit{Version: e.Version, Commit: e.Commit, Remove: e.Remove, Keep: e.Keep, Erases: e.Kind == kindErase}
	}
	return commits, nil
}

// AsOf is the newest version whose run had ended at t. Commits that are of no run, for
// they changed files and no fact, are passed by.
func (l *Lake) AsOf(ctx context.Context, t time.Time) (pipeline.Version, error) {
	s, err := l.head(ctx)
	if err != nil {
		return 0, err
	}
	if s.version == 0 {
		return 0, ErrEmpty
	}
	for i, c := range slices.Backward(s.commits) {
		if !c.ended.After(t) && !rewrites(c.kind) {
			return pipeline.Version(i + 1), nil
		}
	}
	return 0, fmt.Errorf("the lake has no version as of %s: its first run ended at %s",
		t.UTC().Format(time.RFC3339), s.commits[0].ended.Format(time.RFC3339))
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

// covered is the newest coverage of every tenant and table, sorted by both.
func (s *state) covered() []TenantCoverage {
	all := make([]TenantCoverage, 0, len(s.coverage))
	for _, c := range s.coverage {
		all = append(all, c.TenantCoverage)
	}
	slices.SortFunc(all, func(a, b TenantCoverage) int {
		return cmp.Or(cmp.Compare(a.TenantID, b.TenantID), cmp.Compare(a.Table, b.Table))
	})
	return all
}

// state is the newest cursors, by tenant and by source.
func (s *state) state() map[string]map[string]json.RawMessage {
	all := map[string]map[string]json.RawMessage{}
	for at, c := range s.cursors {
		if all[at.tenant] == nil {
			all[at.tenant] = map[string]json.RawMessage{}
		}
		all[at.tenant][at.source] = c.cursor
	}
	return all
}
