package lake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"time"

	"seatlake/pipeline"
)

// entry is a log object: one commit. Entries are never changed, and each carries
// the hash of the one before it.
type entry struct {
	Format       int              `json:"format"`
	Version      pipeline.Version `json:"version"`
	Parent       pipeline.Version `json:"parent"`                  // version - 1
	ParentSHA256 string           `json:"parent_sha256,omitempty"` // of the parent's bytes; empty for the first
	Kind         string           `json:"kind"`
	pipeline.Commit
	Remove []string `json:"remove"` // paths of live files that are no longer
	Keep   []string `json:"keep"`   // paths of live files whose bytes the run gave again
}

// The kinds of commits.
const (
	kindRun    = "run"    // of a run; a run has one
	kindReplay = "replay" // of a run that was read again from its pages and gave other files
)

const logDir = "_log"

var entryForm = regexp.MustCompile(`^([0-9]{12})\.json$`)

func entryName(v pipeline.Version) string { return fmt.Sprintf("%s/%012d.json", logDir, v) }

// log is what was read of _log. Its objects never change, so each is read once.
type log struct {
	mu      sync.Mutex
	entries []*entry // of versions 1, 2, ...
	sum     string   // SHA-256 of the last one's bytes
}

// entries reads the log up to its head. A version that is missing between others
// is an error, never a shorter log.
func (l *Lake) entries(ctx context.Context) ([]*entry, error) {
	l.log.mu.Lock()
	defer l.log.mu.Unlock()
	head, err := l.head()
	if err != nil {
		return nil, err
	}
	if known := pipeline.Version(len(l.log.entries)); head < known {
		return nil, fmt.Errorf("the log in %s ends at version %d, and %d was there before: restore %s from a backup",
			l.store.path(logDir), head, known, l.store.path(entryName(known)))
	}
	for v := pipeline.Version(len(l.log.entries)) + 1; v <= head; v++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		body, err := l.store.read(entryName(v))
		if err != nil {
			return nil, err
		}
		e, err := decodeEntry(body, v, l.log.sum)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.store.path(entryName(v)), err)
		}
		l.log.entries = append(l.log.entries, e)
		l.log.sum = hashOf(body)
	}
	return l.log.entries[:head:head], nil
}

// head is the newest version, 0 when there is none.
func (l *Lake) head() (pipeline.Version, error) {
	names, err := l.store.list(logDir)
	if err != nil {
		return 0, err
	}
	var head pipeline.Version
	for _, n := range names {
		m := entryForm.FindStringSubmatch(n.Name())
		if m == nil {
			continue
		}
		v, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil {
			return 0, err
		}
		if head++; pipeline.Version(v) != head {
			return 0, fmt.Errorf("the log has a gap: %s is missing, and version %d is there: restore it from a backup",
				l.store.path(entryName(head)), v)
		}
	}
	return head, nil
}

// decodeEntry reads a log object. Properties it does not know are let pass, since
// a newer program of the same format may write them; all else must be as this
// program would have written it.
func decodeEntry(body []byte, v pipeline.Version, parentSum string) (*entry, error) {
	var form struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(body, &form); err != nil {
		return nil, damaged(err)
	}
	if err := checkFormat(form.Format); err != nil {
		return nil, err
	}
	e := new(entry)
	if err := json.Unmarshal(body, e); err != nil {
		return nil, damaged(err)
	}
	if err := e.check(v); err != nil {
		return nil, damaged(err)
	}
	if e.ParentSHA256 != parentSum {
		return nil, fmt.Errorf("it follows a version %d with other bytes (SHA-256 %.12s, is %.12s): one of the two was changed; restore both from a backup",
			e.Parent, e.ParentSHA256, parentSum)
	}
	return e, nil
}

func damaged(err error) error {
	return fmt.Errorf("the log object is damaged: %w; restore it from a backup", err)
}

func (e *entry) check(v pipeline.Version) error {
	if e.Version != v || e.Parent != v-1 {
		return fmt.Errorf("it says version %d after %d", e.Version, e.Parent)
	}
	if e.Kind != kindRun && e.Kind != kindReplay {
		return fmt.Errorf("kind %q is not known", e.Kind)
	}
	if err := checkRun(e.Run.ID, e.Run.TenantID); err != nil {
		return err
	}
	if e.Run.Started.IsZero() || e.Ended.IsZero() {
		return errors.New("it has no times")
	}
	for _, f := range e.Add {
		at, err := checkFile(f)
		if err != nil {
			return err
		}
		if at.Run != e.Run.ID || f.Tenant != "" && f.Tenant != e.Run.TenantID {
			return fmt.Errorf("file %s is not of run %s", f.Path, e.Run.ID)
		}
	}
	for _, r := range e.Replaces {
		if err := checkReplacement(r); err != nil {
			return err
		}
	}
	for _, paths := range [][]string{e.Remove, e.Keep} {
		for _, p := range paths {
			if _, err := ParsePath(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkFile compares a file's entry with its path.
func checkFile(f pipeline.File) (Location, error) {
	at, err := ParsePath(f.Path)
	if err != nil {
		return at, err
	}
	switch {
	case at.Table != f.Table || at.SchemaVersion != f.SchemaVersion || at.Tenant != f.Tenant || at.Partition != f.Partition:
		return at, fmt.Errorf("file %s is listed for another partition than it stands in", f.Path)
	case !sumForm.MatchString(f.SHA256) || f.SHA256[:12] != at.Sum:
		return at, fmt.Errorf("file %s is listed with a SHA-256 %q that its name does not begin with", f.Path, f.SHA256)
	case f.Size <= 0 || f.Rows <= 0:
		return at, fmt.Errorf("file %s is listed with %d bytes and %d rows", f.Path, f.Size, f.Rows)
	}
	return at, nil
}

func checkReplacement(r pipeline.Replacement) error {
	switch {
	case !nameForm.MatchString(r.Table):
		return fmt.Errorf("replaced table %q is not a name", r.Table)
	case r.From == "" && r.To == "":
		return nil
	case !isDay(r.From) || !isDay(r.To) || r.To < r.From:
		return fmt.Errorf("replaced partitions of %s, %q to %q, are not a span of days", r.Table, r.From, r.To)
	}
	return nil
}

// encode is the entry as it is stored.
func (e *entry) encode() ([]byte, error) {
	body, err := json.MarshalIndent(e, "", " ")
	return append(body, '\n'), err
}

func hashOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// live is a data file of a snapshot.
type live struct {
	pipeline.File
	run     string    // that wrote it, or gave the same bytes again last
	started time.Time // when that run started
}

// state is what the log adds up to at one version.
type state struct {
	version pipeline.Version
	files   map[string]live             // by path
	runs    map[string]pipeline.Version // by run id
}

// fold adds up log entries. An entry that does not fit what came before is an
// error.
func fold(entries []*entry) (*state, error) {
	s := &state{files: map[string]live{}, runs: map[string]pipeline.Version{}}
	for _, e := range entries {
		if err := s.apply(e); err != nil {
			return nil, fmt.Errorf("%s: %w", entryName(e.Version), damaged(err))
		}
	}
	return s, nil
}

func (s *state) apply(e *entry) error {
	v, known := s.runs[e.Run.ID]
	if known && e.Kind == kindRun {
		return fmt.Errorf("run %s is already in version %d", e.Run.ID, v)
	}
	if !known && e.Kind == kindReplay {
		return fmt.Errorf("it replays run %s, which is in no version", e.Run.ID)
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
		s.files[f.Path] = live{File: f, run: e.Run.ID, started: e.Run.Started}
	}
	s.version = e.Version
	s.runs[e.Run.ID] = e.Version
	return nil
}
