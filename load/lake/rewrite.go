package lake

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"strings"

	"seatlake/pipeline"
)

// rewritten says which file stands in the place of one that a person was erased from. It
// holds for every version that lists the old file, not only from its commit on. A
// data file and the rows of a delivery get a new name, for their hash is in it; an
// entry of a ledger keeps its own.
type rewritten struct {
	Path   string `json:"path"`
	To     string `json:"to,omitempty"` // empty when no row was left
	Size   int64  `json:"size,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	Rows   int64  `json:"rows,omitempty"` // of a data file
}

// checkRewriting checks what kinds of commits may say that are of no run.
func (e *entry) checkRewriting() error {
	if e.Kind != kindErase && len(e.Rewrite) > 0 {
		return fmt.Errorf("a commit of kind %s rewrites files", e.Kind)
	}
	if rewrites(e.Kind) && len(e.Coverage)+len(e.State)+len(e.Keep)+len(e.Replaces) > 0 {
		return fmt.Errorf("a commit of kind %s says what only a run can say", e.Kind)
	}
	switch e.Kind {
	case kindCompact:
		if len(e.Add) == 0 || len(e.Remove) == 0 {
			return errors.New("it compacts nothing")
		}
	case kindErase:
		if len(e.Add)+len(e.Remove) > 0 {
			return errors.New("it erases, and adds or removes files")
		}
	}
	seen := map[string]bool{}
	for _, r := range e.Rewrite {
		if seen[r.Path] {
			return fmt.Errorf("it rewrites %s twice", r.Path)
		}
		seen[r.Path] = true
		if err := r.check(); err != nil {
			return fmt.Errorf("it rewrites %s: %w", r.Path, err)
		}
	}
	return nil
}

func (r *rewritten) check() error {
	if r.To != "" && (!sumForm.MatchString(r.SHA256) || r.Size <= 0) {
		return fmt.Errorf("the new file has %d bytes and the SHA-256 %q", r.Size, r.SHA256)
	}
	dir, name := path.Split(r.Path)
	switch top, _, _ := strings.Cut(r.Path, "/"); top {
	case dataDir:
		was, err := ParsePath(r.Path)
		if err != nil || r.To == "" {
			return err
		}
		was.Sum = r.SHA256[:12]
		if r.To != was.path() || r.Rows <= 0 {
			return fmt.Errorf("the new file %s of %d rows is not one of its place", r.To, r.Rows)
		}
	case feedsDir:
		was := rowsForm.FindStringSubmatch(name)
		if was == nil || r.To != dir+was[1]+"-"+r.SHA256[:12]+".rows.gz" {
			return fmt.Errorf("the new file %q is not the rows of a delivery", r.To)
		}
	case ledgerDir:
		if !ledgerForm.MatchString(name) || r.To != r.Path {
			return fmt.Errorf("the new file %q is not the entry of a ledger", r.To)
		}
	default:
		return errors.New("it is no file that a commit can rewrite")
	}
	return nil
}

// rewrite puts the new file in the place of the old one, if that is live. What a
// table's coverage says of its rows goes with it.
func (s *state) rewrite(r rewritten) {
	f, there := s.files[r.Path]
	if !there {
		return
	}
	delete(s.files, r.Path)
	at := tenantTable{f.Tenant, f.Table}
	if c, known := s.coverage[at]; known && c.RunID == f.run {
		c.Rows -= f.Rows - r.Rows
		s.coverage[at] = c
	}
	if r.To == "" {
		return
	}
	f.Path, f.Size, f.SHA256, f.Rows = r.To, r.Size, r.SHA256, r.Rows
	s.files[r.To] = f
}

// holders is, for each partition that an entry compacts, the run whose rows it has:
// of the files that go, the one whose run started last. As many rows come as go, or
// it is an error.
func (s *state) holders(e *entry) (map[partition]live, error) {
	rows, holders := map[partition]int64{}, map[partition]live{}
	for _, name := range e.Remove {
		f, there := s.files[name]
		if !there {
			return nil, fmt.Errorf("it removes %s, which is not live", name)
		}
		p := partition{f.Table, f.Tenant, f.Partition}
		rows[p] -= f.Rows
		if h, known := holders[p]; !known || cmp.Or(f.started.Compare(h.started), cmp.Compare(f.run, h.run)) > 0 {
			holders[p] = f
		}
	}
	for _, f := range e.Add {
		rows[partition{f.Table, f.Tenant, f.Partition}] += f.Rows
	}
	for p, n := range rows {
		if n != 0 {
			return nil, fmt.Errorf("it compacts %s of %s and changes its rows by %d", cmp.Or(p.day, "all"), p.table, n)
		}
	}
	return holders, nil
}

// everListed is every data file that any version lists or listed, by its path. A file
// that a person was erased from is none, as if it had never been.
func everListed(entries []*entry) map[string]pipeline.File {
	listed := map[string]pipeline.File{}
	for _, e := range entries {
		for _, f := range e.Add {
			listed[f.Path] = f
		}
		for _, r := range e.Rewrite {
			f, there := listed[r.Path]
			if !there {
				continue
			}
			delete(listed, r.Path)
			if r.To != "" {
				f.Path, f.Size, f.SHA256, f.Rows = r.To, r.Size, r.SHA256, r.Rows
				listed[r.To] = f
			}
		}
	}
	return listed
}

// erasedFiles is the files that a commit put others in the place of, by their path. They
// are not to exist; entries of ledgers, which keep their names, are not among them.
func erasedFiles(entries []*entry) map[string]rewritten {
	gone := map[string]rewritten{}
	for _, e := range entries {
		for _, f := range e.Add {
			delete(gone, f.Path)
		}
		for _, r := range e.Rewrite {
			if r.To != r.Path {
				gone[r.Path] = r
				delete(gone, r.To)
			}
		}
	}
	return gone
}
