package lake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"seatlake/pipeline"
)

// Begin stages a run. It also sweeps away what dead processes left half done.
func (l *Lake) Begin(ctx context.Context, run pipeline.Run) (pipeline.Transaction, error) {
	return l.begin(ctx, run, false)
}

// Replay is the lake for runs that are read again from their kept pages. A replay
// that gives the files the lake has commits nothing, and puts back those that are
// missing or damaged; one that gives others commits them in their place.
func (l *Lake) Replay() pipeline.Dataset { return replays{l} }

type replays struct{ lake *Lake }

func (r replays) Begin(ctx context.Context, run pipeline.Run) (pipeline.Transaction, error) {
	return r.lake.begin(ctx, run, true)
}

func (l *Lake) begin(ctx context.Context, run pipeline.Run, replay bool) (*transaction, error) {
	if err := checkRun(run.ID, run.TenantID); err != nil {
		return nil, err
	}
	if run.Started.IsZero() {
		return nil, fmt.Errorf("run %s does not say when it started", run.ID)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := l.store.sweep(); err != nil {
		return nil, err
	}
	s, err := l.store.scratch(run.ID)
	if err != nil {
		return nil, err
	}
	return &transaction{lake: l, run: run, replay: replay, scratch: s, parts: map[string]int{}, staged: map[string]staged{}}, nil
}

// transaction is a run being staged. Its files are in a scratch directory until
// Commit, so that Abort never touches what others may see.
type transaction struct {
	lake    *Lake
	run     pipeline.Run
	replay  bool
	scratch *scratch

	mu     sync.Mutex
	parts  map[string]int    // parts given out, by table and partition
	staged map[string]staged // by path
	ended  bool
}

// staged is a finished file that waits for the commit.
type staged struct {
	pipeline.File
	temp  string // its name in the scratch directory
	moved bool   // it is at its path
	was   bool   // an object was there before
}

// Abort removes what was staged.
func (t *transaction) Abort() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.end()
}

func (t *transaction) end() error {
	if t.ended {
		return nil
	}
	t.ended = true
	return t.scratch.remove()
}

// Commit publishes the staged files, all of which c.Add must list. A run that is
// in the log already gives that version, unless this is a replay. Partitions for which a run that started
// later has rows keep them, and the commit's notices say so.
//
// An error leaves the lake's snapshot as it was, unless the log object was
// written and its answer lost; committing the run again then gives its version.
func (t *transaction) Commit(ctx context.Context, c pipeline.Commit) (pipeline.Version, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return 0, fmt.Errorf("run %s has ended", t.run.ID)
	}
	version, err := t.commit(ctx, c)
	if err != nil {
		return 0, errors.Join(err, t.end())
	}
	// The run is published; what cannot be removed now is swept away later.
	_ = t.end()
	return version, nil
}

func (t *transaction) commit(ctx context.Context, c pipeline.Commit) (pipeline.Version, error) {
	if err := t.checkCommit(c); err != nil {
		return 0, err
	}
	for {
		s, err := t.lake.head(ctx)
		if err != nil {
			return 0, err
		}
		v, done := s.runs[t.run.ID]
		if done && !t.replay {
			return v, t.lake.store.syncDirs(logDir)
		}
		e, err := plan(s, c)
		if err != nil {
			return 0, err
		}
		if done {
			e.Kind = kindReplay
			if len(e.Add) == 0 && len(e.Remove) == 0 {
				return v, t.repair(s, e.Keep)
			}
		}
		if err := t.move(ctx, e.Add); err != nil {
			return 0, err
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		err = t.lake.append(t.scratch, s, e)
		switch {
		case err == nil:
			return e.Version, t.putBack(e.Add)
		case errors.Is(err, fs.ErrExist): // another run took the number: look again
			if err := t.lake.overtaken(ctx, e.Version); err != nil {
				return 0, err
			}
			continue
		}
		// The answer is lost, not necessarily the object.
		if v, found := t.find(ctx, e); found {
			return v, t.putBack(e.Add)
		}
		return 0, err
	}
}

// repair puts staged files in the place of live ones that have the same hash in
// the log, but are missing or hold other bytes.
func (t *transaction) repair(s *state, keep []string) error {
	for _, name := range keep {
		want := s.files[name]
		sum, err := t.lake.store.hash(name)
		if err == nil && sum == want.SHA256 {
			continue
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, f := range t.staged {
			if f.SHA256 == want.SHA256 {
				if err := t.lake.store.rename(f.temp, name); err != nil {
					return err
				}
				if err := t.lake.store.syncDirs(path.Dir(name)); err != nil {
					return err
				}
				break
			}
		}
	}
	return nil
}

// find looks in the log for an entry whose answer may be lost, and makes it
// durable there.
func (t *transaction) find(ctx context.Context, lost *entry) (pipeline.Version, bool) {
	s, err := t.lake.head(context.WithoutCancel(ctx))
	if err != nil {
		return 0, false
	}
	for v := lost.Version; v <= s.version; v++ {
		if c := s.commits[v-1]; c.run == t.run.ID && c.kind == lost.Kind {
			return v, t.lake.store.syncDirs(logDir) == nil
		}
	}
	return 0, false
}

// checkCommit compares what a commit says with what was staged.
func (t *transaction) checkCommit(c pipeline.Commit) error {
	if c.Run.ID != t.run.ID || c.Run.TenantID != t.run.TenantID {
		return fmt.Errorf("commit of run %s of tenant %s in the transaction of run %s of tenant %s", c.Run.ID, c.Run.TenantID, t.run.ID, t.run.TenantID)
	}
	if c.Ended.IsZero() {
		return fmt.Errorf("commit of run %s does not say when it ended", c.Run.ID)
	}
	listed := map[string]bool{}
	for _, f := range c.Add {
		if s, ok := t.staged[f.Path]; !ok || s.File != f || listed[f.Path] {
			return fmt.Errorf("commit of run %s adds %s, which is not a file staged once by it", c.Run.ID, f.Path)
		}
		listed[f.Path] = true
	}
	for name := range t.staged {
		if !listed[name] {
			return fmt.Errorf("commit of run %s leaves out the staged file %s", c.Run.ID, name)
		}
	}
	for _, r := range c.Replaces {
		if err := checkReplacement(r); err != nil {
			return err
		}
	}
	return nil
}

// move brings staged files to their paths and makes them durable there. A file
// that is at its path already has the same bytes, since its hash is in its name.
func (t *transaction) move(ctx context.Context, files []pipeline.File) error {
	var left []staged
	var dirs []string
	for _, f := range files {
		if s := t.staged[f.Path]; !s.moved {
			left = append(left, s)
			dirs = append(dirs, path.Dir(f.Path))
		}
	}
	err := t.lake.store.each(ctx, len(left), func(i int) (err error) {
		left[i].was, err = t.lake.store.settle(left[i].temp, left[i].Path)
		left[i].moved = err == nil
		return err
	})
	for _, s := range left {
		t.staged[s.Path] = s
	}
	if err != nil {
		return err
	}
	if err := t.lake.store.syncDirs(dirs...); err != nil {
		return err
	}
	if t.lake.store.bucket != nil {
		return nil // what a bucket takes is what it was given
	}
	for _, f := range files {
		info, err := t.lake.store.stat(f.Path)
		if err != nil {
			return err
		}
		if info.Size() != f.Size {
			return fmt.Errorf("staged file %s has %d bytes, and %d were written: run again", t.lake.store.path(f.Path), info.Size(), f.Size)
		}
	}
	return nil
}

// putBack puts files again that an earlier try had left in a bucket and a prune took
// for abandoned: it looked before this commit listed them, and removed them after. The
// prune looks at the log once more as well, so that one of the two sees the other.
func (t *transaction) putBack(files []pipeline.File) error {
	for _, f := range files {
		s := t.staged[f.Path]
		if !s.was {
			continue
		}
		_, err := t.lake.store.stat(f.Path)
		if errors.Is(err, fs.ErrNotExist) {
			err = t.lake.store.rename(s.temp, f.Path)
		}
		if err != nil {
			return fmt.Errorf("version is committed, and its file may be missing: %w; `seatlake check` says so, and `seatlake replay` mends it", err)
		}
	}
	return nil
}

// plan is the entry that commits c on top of a state.
func plan(s *state, c pipeline.Commit) (*entry, error) {
	e := &entry{Format: Format, Version: s.version + 1, Parent: s.version, Kind: kindRun, Commit: c, Remove: []string{}, Keep: []string{}}
	e.Add = []pipeline.File{}
	e.Notices = slices.Clone(c.Notices)
	now, then := byPartition(c.Add), replaced(s, c)
	for p := range then {
		if _, ok := now[p]; !ok {
			now[p] = nil
		}
	}
	for p, files := range now {
		old := then[p]
		if i := slices.IndexFunc(old, func(f live) bool { return f.started.After(c.Run.Started) }); i >= 0 {
			e.Notices = append(e.Notices, fmt.Sprintf("%s: rows of %s stay those of run %s, which started later than this one",
				p.table, cmp.Or(p.day, "the whole table"), old[i].run))
			continue
		}
		e.exchange(files, old)
	}
	if err := e.overlap(s); err != nil {
		return nil, err
	}
	slices.SortFunc(e.Add, func(a, b pipeline.File) int { return strings.Compare(a.Path, b.Path) })
	slices.Sort(e.Remove)
	slices.Sort(e.Keep)
	slices.Sort(e.Notices)
	return e, nil
}

// partition is a table's part that is replaced as a whole.
type partition struct{ table, tenant, day string }

func byPartition(files []pipeline.File) map[partition][]pipeline.File {
	m := map[partition][]pipeline.File{}
	for _, f := range files {
		p := partition{f.Table, f.Tenant, f.Partition}
		m[p] = append(m[p], f)
	}
	return m
}

// replaced is the live files that a commit replaces, of all schema versions.
func replaced(s *state, c pipeline.Commit) map[partition][]live {
	m := map[partition][]live{}
	for _, f := range s.files {
		if f.Tenant != "" && f.Tenant != c.Run.TenantID {
			continue
		}
		if slices.ContainsFunc(c.Replaces, func(r pipeline.Replacement) bool { return covers(r, f.Table, f.Partition) }) {
			p := partition{f.Table, f.Tenant, f.Partition}
			m[p] = append(m[p], f)
		}
	}
	return m
}

func covers(r pipeline.Replacement, table, day string) bool {
	return r.Table == table && (r.From == "" || day != "" && r.From <= day && day <= r.To)
}

// exchange puts the new files of a partition in the place of the old. An old file
// with the bytes of a new one stays, and the new one is dropped.
func (e *entry) exchange(files []pipeline.File, old []live) {
	slices.SortFunc(old, func(a, b live) int { return strings.Compare(a.Path, b.Path) })
	for _, f := range files {
		same := slices.IndexFunc(old, func(o live) bool { return o.SHA256 == f.SHA256 && o.SchemaVersion == f.SchemaVersion })
		if same < 0 {
			e.Add = append(e.Add, f)
			continue
		}
		e.Keep = append(e.Keep, old[same].Path)
		old = slices.Delete(old, same, same+1)
	}
	for _, o := range old {
		e.Remove = append(e.Remove, o.Path)
	}
}

// overlap refuses an entry that would add rows to rows that it does not replace:
// they would count twice.
func (e *entry) overlap(s *state) error {
	added := byPartition(e.Add)
	for _, f := range s.files {
		_, ok := added[partition{f.Table, f.Tenant, f.Partition}]
		if ok && !slices.Contains(e.Remove, f.Path) && !slices.Contains(e.Keep, f.Path) {
			return fmt.Errorf("run %s adds rows to %s of %s without replacing those that are there (%s)",
				e.Run.ID, cmp.Or(f.Partition, "all"), f.Table, f.Path)
		}
	}
	return nil
}
