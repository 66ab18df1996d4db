package lake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"seatlake/pipeline"
)

// log is what was read of _log: the entries behind a checkpoint, or all of them.
// Its objects never change, so each is read once.
type log struct {
	mu         sync.Mutex
	base       *state          // what a checkpoint says; nil when the log was read from its first object
	entries    []*entry        // of the versions behind base
	sum        string          // SHA-256 of the last one's bytes
	head       *state          // what all of it adds up to, or all but the newest entries
	checkpoint *checkpointMark // the newest that is known to be good
}

// version is the newest version that was read.
func (g *log) version() pipeline.Version {
	v := pipeline.Version(len(g.entries))
	if g.base != nil {
		v += g.base.version
	}
	return v
}

// entries reads the whole log up to its head. A version that is missing between
// others is an error, never a shorter log.
func (l *Lake) entries(ctx context.Context) ([]*entry, error) {
	l.log.mu.Lock()
	defer l.log.mu.Unlock()
	if err := l.read(ctx); err != nil {
		return nil, err
	}
	if base := l.log.base; base != nil {
		older := new(log)
		if err := l.readTo(ctx, older, base.version); err != nil {
			return nil, err
		}
		if older.sum != base.sum {
			return nil, fmt.Errorf("%s has the SHA-256 %.12s, and %.12s when its checkpoint was made: it was changed; restore it from a backup",
				l.store.path(entryName(base.version)), older.sum, base.sum)
		}
		l.log.entries = append(older.entries, l.log.entries...)
		l.log.base = nil
	}
	n := len(l.log.entries)
	return l.log.entries[:n:n], nil
}

// head is what the log adds up to at its newest version. Nobody changes it.
func (l *Lake) head(ctx context.Context) (*state, error) {
	l.log.mu.Lock()
	defer l.log.mu.Unlock()
	if err := l.read(ctx); err != nil {
		return nil, err
	}
	if l.log.head == nil || l.log.head.version < l.log.version() {
		s, err := l.log.upTo(l.log.version())
		if err != nil {
			return nil, err
		}
		l.log.head = s
	}
	return l.log.head, nil
}

// overtaken is nil when the log can be read up to a version that another process took,
// so that what was to be committed can be planned anew. A store that hides the version
// from its lists would have its number tried for ever.
func (l *Lake) overtaken(ctx context.Context, v pipeline.Version) error {
	s, err := l.head(ctx)
	if err == nil && s.version < v {
		err = fmt.Errorf("%s is there, but the store's lists do not show it: run again when they do", l.Where()+"/"+entryName(v))
	}
	return err
}

// upTo adds up what was read to a version, which is none before the base's.
func (g *log) upTo(v pipeline.Version) (*state, error) {
	s := newState()
	switch {
	case g.head != nil && g.head.version <= v:
		s = g.head.clone()
	case g.base != nil:
		s = g.base.clone()
	}
	read := g.version() - pipeline.Version(len(g.entries)) // before the entries
	return s, s.add(g.entries[s.version-read : v-read])
}

// read reads what came behind the newest version that was read. The first time it
// begins at the newest checkpoint that the log itself vouches for.
func (l *Lake) read(ctx context.Context) error {
	known := l.log.version()
	head, err := l.newest(known)
	if err != nil {
		return err
	}
	if head < known {
		return fmt.Errorf("the log in %s ends at version %d, and %d was there before: restore %s from a backup",
			l.store.path(logDir), head, known, l.store.path(entryName(known)))
	}
	if known > 0 || head == 0 {
		return l.readTo(ctx, &l.log, head)
	}
	fresh, bodies, err := l.fromCheckpoint(ctx, head)
	if err != nil {
		return err
	}
	for v := fresh.version() + 1; v <= head; v++ {
		if err := l.take(fresh, v, bodies[v]); err != nil {
			return err
		}
	}
	l.log.base, l.log.entries, l.log.sum, l.log.head, l.log.checkpoint = fresh.base, fresh.entries, fresh.sum, nil, fresh.checkpoint
	return nil
}

// fromCheckpoint walks back from the head to the version of a checkpoint that an
// object on the way states, and gives what it read. A checkpoint that is missing or
// damaged is passed by; without one the walk ends at the first version.
func (l *Lake) fromCheckpoint(ctx context.Context, head pipeline.Version) (*log, map[pipeline.Version][]byte, error) {
	fresh, bodies := new(log), map[pipeline.Version][]byte{}
	tried := map[checkpointMark]bool{}
	for v := head; v > 0 && (fresh.base == nil || v > fresh.base.version); v-- {
		if bodies[v] == nil {
			if err := l.readBodies(ctx, bodies, max(1, v-checkpointEvery), v); err != nil {
				return nil, nil, err
			}
		}
		body := bodies[v]
		if fresh.base != nil || !bytes.Contains(body, []byte(`"checkpoint"`)) {
			continue
		}
		var said struct {
			Checkpoint *checkpointMark `json:"checkpoint"`
		}
		if json.Unmarshal(body, &said) != nil || said.Checkpoint == nil || said.Checkpoint.Version >= v || tried[*said.Checkpoint] {
			continue // what is wrong with the object is told when it is decoded
		}
		tried[*said.Checkpoint] = true
		if base, err := l.readCheckpoint(*said.Checkpoint); err == nil {
			fresh.base, fresh.sum, fresh.checkpoint = base, base.sum, said.Checkpoint
		}
	}
	return fresh, bodies, nil
}

// readBodies reads the log objects of some versions: of a bucket several at once, of a
// directory the last alone.
func (l *Lake) readBodies(ctx context.Context, bodies map[pipeline.Version][]byte, from, to pipeline.Version) error {
	if l.store.bucket == nil {
		from = to
	}
	var names []string
	for v := from; v <= to; v++ {
		names = append(names, entryName(v))
	}
	read, err := l.store.readAll(ctx, names)
	for i, body := range read {
		bodies[from+pipeline.Version(i)] = body
	}
	return err
}

// readTo reads the log objects behind those that g has, to a version.
func (l *Lake) readTo(ctx context.Context, g *log, to pipeline.Version) error {
	const atOnce = 256 // bounds what is held before it is decoded
	bodies := map[pipeline.Version][]byte{}
	for v := g.version() + 1; v <= to; v++ {
		if bodies[v] == nil {
			clear(bodies)
			last := v
			if l.store.bucket != nil {
				last = min(to, v+atOnce)
			}
			if err := l.readBodies(ctx, bodies, v, last); err != nil {
				return err
			}
		}
		if err := l.take(g, v, bodies[v]); err != nil {
			return err
		}
		if said := g.entries[len(g.entries)-1].Checkpoint; said != nil {
			g.checkpoint = said
		}
	}
	return nil
}

// take decodes a log object and puts it behind the others.
func (l *Lake) take(g *log, v pipeline.Version, body []byte) error {
	e, err := decodeEntry(body, v, g.sum)
	if err != nil {
		return fmt.Errorf("%s: %w", l.store.path(entryName(v)), err)
	}
	g.entries, g.sum = append(g.entries, e), hashOf(body)
	return nil
}

// append puts an entry behind the state it was planned for. Now and then it writes a
// checkpoint of that state before, for the entry to vouch for. The error of a version
// that another process took is fs.ErrExist.
func (l *Lake) append(t *scratch, before *state, e *entry) error {
	sum, err := l.sumOf(before.version)
	if err != nil {
		return err
	}
	e.ParentSHA256 = sum
	if e.Checkpoint, err = l.checkpointFor(t, before, e.ParentSHA256); err != nil {
		return fmt.Errorf("checkpoint of version %d: %w", before.version, err)
	}
	body, err := e.encode()
	if err != nil {
		return err
	}
	// What cannot be read back must not be written: it would close the lake.
	if _, err := decodeEntry(body, e.Version, e.ParentSHA256); err != nil {
		return fmt.Errorf("commit of run %s: %w", e.Run.ID, err)
	}
	return t.putNew(entryName(e.Version), body)
}

// sumOf is the SHA-256 of a version's log object; empty for none.
func (l *Lake) sumOf(v pipeline.Version) (string, error) {
	if v == 0 {
		return "", nil
	}
	l.log.mu.Lock()
	known, sum := l.log.version(), l.log.sum
	l.log.mu.Unlock()
	if known == v {
		return sum, nil
	}
	body, err := l.store.read(entryName(v))
	return hashOf(body), err
}

// live is a data file of a snapshot.
type live struct {
	pipeline.File
	run     string    // that wrote it, or gave the same bytes again last
	started time.Time // when that run started
}

// committed is what is remembered of every commit.
type committed struct {
	kind, run, tenant string
	started, ended    time.Time // UTC
}

// state is what the log adds up to at one version.
type state struct {
	version  pipeline.Version
	sum      string                      // SHA-256 of the version's log object; only of a checkpoint's state
	files    map[string]live             // by path
	runs     map[string]pipeline.Version // by run id
	commits  []committed                 // of versions 1, 2, ...
	coverage map[tenantTable]startedCoverage
	cursors  map[tenantSource]startedCursor
}

type (
	tenantTable     struct{ tenant, table string }
	tenantSource    struct{ tenant, source string }
	startedCoverage struct {
		started time.Time
		TenantCoverage
	}
	startedCursor struct {
		started time.Time
		cursor  json.RawMessage // compact
	}
)

func newState() *state {
	return &state{
		files: map[string]live{}, runs: map[string]pipeline.Version{},
		coverage: map[tenantTable]startedCoverage{}, cursors: map[tenantSource]startedCursor{},
	}
}

func (s *state) clone() *state {
	return &state{
		version: s.version, files: maps.Clone(s.files), runs: maps.Clone(s.runs), commits: slices.Clone(s.commits),
		coverage: maps.Clone(s.coverage), cursors: maps.Clone(s.cursors),
	}
}

// fold adds up log entries from the first on. An entry that does not fit what came
// before is an error.
func fold(entries []*entry) (*state, error) {
	s := newState()
	return s, s.add(entries)
}

func (s *state) add(entries []*entry) error {
	for _, e := range entries {
		if err := s.apply(e); err != nil {
			return fmt.Errorf("%s: %w", entryName(e.Version), damaged(err))
		}
	}
	return nil
}

func (s *state) apply(e *entry) error {
	v, known := s.runs[e.Run.ID]
	if known && e.Kind != kindReplay {
		return fmt.Errorf("run %s is already in version %d", e.Run.ID, v)
	}
	if !known && e.Kind == kindReplay {
		return fmt.Errorf("it replays run %s, which is in no version", e.Run.ID)
	}
	if err := s.applyFiles(e); err != nil {
		return err
	}
	if err := s.applyFacts(e); err != nil {
		return err
	}
	s.version = e.Version
	s.runs[e.Run.ID] = e.Version
	s.commits = append(s.commits, committed{e.Kind, e.Run.ID, e.Run.TenantID, e.Run.Started.UTC(), e.Ended.UTC()})
	return nil
}

func (s *state) applyFiles(e *entry) error {
	holders := map[partition]live{}
	if e.Kind == kindCompact {
		var err error
		if holders, err = s.holders(e); err != nil {
			return err
		}
	}
	for _, p := range e.Remove {
		if _, there := s.files[p]; !there {
			return fmt.Errorf("it removes %s, which is not live", p)
		}
		delete(s.files, p)
	}
	for _, p := range e.Keep {
		f, there := s.files[p]
		if !there {
			return fmt.Errorf("it keeps %s, which is not live", p)
		}
		f.run, f.started = e.Run.ID, e.Run.Started
		s.files[p] = f
	}
	for _, f := range e.Add {
		if _, there := s.files[f.Path]; there {
			return fmt.Errorf("it adds %s, which is live already", f.Path)
		}
		at := live{File: f, run: e.Run.ID, started: e.Run.Started}
		if e.Kind == kindCompact {
			holder := holders[partition{f.Table, f.Tenant, f.Partition}]
			at.run, at.started = holder.run, holder.started
		}
		s.files[f.Path] = at
	}
	for _, r := range e.Rewrite {
		s.rewrite(r)
	}
	return nil
}

// applyFacts keeps the newest coverage of every tenant and table, and the newest
// cursor of every tenant and source: those of the run that started last, and of
// runs that started together of the one committed last.
func (s *state) applyFacts(e *entry) error {
	for _, c := range e.Coverage {
		at := tenantTable{e.Run.TenantID, c.Table}
		if old, there := s.coverage[at]; there && old.started.After(e.Run.Started) {
			continue
		}
		s.coverage[at] = startedCoverage{e.Run.Started, TenantCoverage{
			TenantID: e.Run.TenantID, Tenant: e.Run.Tenant, RunID: e.Run.ID,
			SnapshotDate: e.Run.Started.UTC().Format(time.DateOnly), Version: e.Version, Coverage: c,
		}}
	}
	for source, cursor := range e.State {
		at := tenantSource{e.Run.TenantID, source}
		if old, there := s.cursors[at]; there && old.started.After(e.Run.Started) {
			continue
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, cursor); err != nil {
			return errors.Join(fmt.Errorf("state of %s", source), err)
		}
		s.cursors[at] = startedCursor{e.Run.Started, compact.Bytes()}
	}
	return nil
}
