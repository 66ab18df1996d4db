package lake

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"

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

	// Rewrite names the files that a person was erased from; of kind erase alone.
	Rewrite []rewritten `json:"rewrite,omitempty"`

	// Checkpoint is the newest one when the entry was written.
	Checkpoint *checkpointMark `json:"checkpoint,omitempty"`
}

// The kinds of commits.
const (
	kindRun    = "run"    // of a run; a run has one
	kindReplay = "replay" // of a run that was read again from its pages and gave other files

	kindCompact = "compact" // that puts fewer files with the same rows in the place of others
	kindErase   = "erase"   // that puts files without a person in the place of others, in all versions
)

// rewritingFormat is the format of the kinds that an older program would misread. It
// refuses them as it refuses a newer lake.
const rewritingFormat = 2

// rewrites says that a kind of commit is of no run.
func rewrites(kind string) bool { return kind == kindCompact || kind == kindErase }

const logDir = "_log"

var entryForm = regexp.MustCompile(`^([0-9]{12})\.json$`)

func entryName(v pipeline.Version) string { return fmt.Sprintf("%s/%012d.json", logDir, v) }

// newest is the number of the newest version, 0 when there is none. Of a log in a
// bucket it looks at no more than what follows a version that is known to have been
// there.
func (l *Lake) newest(known pipeline.Version) (pipeline.Version, error) {
	if l.store.bucket != nil {
		return l.newestObject(known)
	}
	names, err := l.store.list(logDir)
	if err != nil {
		return 0, err
	}
	return l.follow(0, names)
}

// follow counts the versions behind one. A number that is missing between others is
// an error.
func (l *Lake) follow(head pipeline.Version, names []fs.DirEntry) (pipeline.Version, error) {
	for _, n := range names {
		m := entryForm.FindStringSubmatch(n.Name())
		if m == nil {
			continue
		}
		v, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil {
			return 0, err
		}
		if pipeline.Version(v) <= head {
			continue
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
		Format int    `json:"format"`
		Kind   string `json:"kind"`
	}
	if err := json.Unmarshal(body, &form); err != nil {
		return nil, damaged(err)
	}
	if form.Format != rewritingFormat || !rewrites(form.Kind) {
		if err := checkFormat(form.Format); err != nil {
			return nil, err
		}
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
	if e.Kind != kindRun && e.Kind != kindReplay && !rewrites(e.Kind) || rewrites(e.Kind) && e.Format != rewritingFormat {
		return fmt.Errorf("kind %q of format %d is not known", e.Kind, e.Format)
	}
	if err := checkRun(e.Run.ID, e.Run.TenantID); err != nil {
		return err
	}
	if e.Run.Started.IsZero() || e.Ended.IsZero() {
		return errors.New("it has no times")
	}
	if err := e.Checkpoint.check(v); err != nil {
		return err
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
	if err := e.checkRewriting(); err != nil {
		return err
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
