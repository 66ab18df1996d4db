package lake

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"time"
)

// ledgerDir holds a directory per tenant with its ledger.
const ledgerDir = "_ledger"

// LedgerEntry is one object of a ledger. It is never changed, and carries the hash of
// the one before it.
type LedgerEntry struct {
	Format         int             `json:"format"`
	Sequence       int64           `json:"sequence"` // from 1
	PreviousSHA256 string          `json:"previous_sha256,omitempty"`
	At             time.Time       `json:"at"` // UTC, never before the entry before
	Body           json.RawMessage `json:"body"`

	// ErasedSHA256 is the hash of the bytes that the entry had before a person was erased
	// from its body; empty for an entry that is as it was written.
	ErasedSHA256 string `json:"erased_sha256,omitempty"`

	SHA256 string `json:"-"` // of the object's bytes, as they were written
	sum    string // of the object's bytes, as they are
}

// Ledger is what was done to a tenant, entry by entry:
//
//	_ledger/<tenant>/000000000001.json
//
// An entry is put as a commit is: written aside, synced, and given a name that must be
// free. So one that Append returned is on the disk, whatever happens next, and of two
// processes that append one loses. Entries are not a part of any snapshot: a commit
// states the sequence and the hash that the ledger had.
type Ledger struct {
	lake    *Lake
	tenant  string
	entries []LedgerEntry
	scratch *scratch // made by the first Append
}

var ledgerForm = regexp.MustCompile(`^([0-9]{12})\.json$`)

// Ledger opens a tenant's ledger, which may be empty. The caller closes it.
func (l *Lake) Ledger(tenantID string) (*Ledger, error) {
	if !guidForm.MatchString(tenantID) {
		return nil, fmt.Errorf("tenant id %q is not a lower-case GUID", tenantID)
	}
	return &Ledger{lake: l, tenant: tenantID}, nil
}

// Ledgers are the tenants that have a ledger, sorted.
func (l *Lake) Ledgers() ([]string, error) {
	names, err := l.store.list(ledgerDir)
	if err != nil {
		return nil, err
	}
	var tenants []string
	for _, n := range names {
		if n.IsDir() && guidForm.MatchString(n.Name()) {
			tenants = append(tenants, n.Name())
		}
	}
	return tenants, nil
}

func (g *Ledger) name(sequence int64) string {
	return path.Join(ledgerDir, g.tenant, fmt.Sprintf("%012d.json", sequence))
}

// Entries reads the ledger to its end. A gap, an entry that cannot be read, or one
// that does not follow the bytes before it, is an error that names the object.
func (g *Ledger) Entries(ctx context.Context) ([]LedgerEntry, error) {
	names, err := g.lake.store.list(path.Join(ledgerDir, g.tenant))
	if err != nil {
		return nil, err
	}
	var head int64
	for _, n := range names {
		m := ledgerForm.FindStringSubmatch(n.Name())
		if m == nil {
			continue
		}
		sequence, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil {
			return nil, err
		}
		if head++; sequence != head {
			return nil, fmt.Errorf("the ledger has a gap: %s is missing, and entry %d is there: restore it from a backup",
				g.lake.store.path(g.name(head)), sequence)
		}
	}
	if known := int64(len(g.entries)); head < known {
		return nil, fmt.Errorf("the ledger ends at entry %d, and %d was there before: restore %s from a backup", head, known, g.lake.store.path(g.name(known)))
	}
	for sequence := int64(len(g.entries)) + 1; sequence <= head; sequence++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		body, err := g.lake.store.read(g.name(sequence))
		if err != nil {
			return nil, err
		}
		e, err := g.decode(body, sequence)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", g.lake.store.path(g.name(sequence)), err)
		}
		g.entries = append(g.entries, e)
	}
	return g.entries[:head:head], nil
}

// last is the newest entry that was read or written; zero in an empty ledger.
func (g *Ledger) last() LedgerEntry {
	if len(g.entries) == 0 {
		return LedgerEntry{}
	}
	return g.entries[len(g.entries)-1]
}

func (g *Ledger) decode(body []byte, sequence int64) (e LedgerEntry, err error) {
	if err := json.Unmarshal(body, &e); err != nil {
		return e, fmt.Errorf("the entry is damaged: %w; restore it from a backup", err)
	}
	if e.Format != rewritingFormat || !sumForm.MatchString(e.ErasedSHA256) {
		if err := checkFormat(e.Format); err != nil {
			return e, err
		}
	}
	before := g.last()
	switch {
	case e.Sequence != sequence:
		return e, fmt.Errorf("the entry says that it is number %d; restore it from a backup", e.Sequence)
	case e.PreviousSHA256 != before.SHA256:
		return e, fmt.Errorf("it follows an entry %d with other bytes (SHA-256 %.12s, is %.12s): one of the two was changed; restore both from a backup",
			before.Sequence, e.PreviousSHA256, before.SHA256)
	case e.At.Before(before.At):
		return e, fmt.Errorf("it is of %s, before the entry it follows; restore it from a backup", e.At.Format(time.RFC3339))
	}
	e.sum = hashOf(body)
	e.SHA256 = cmp.Or(e.ErasedSHA256, e.sum)
	return e, nil
}

// ErrLedgerMoved is the error of an entry that another process forestalled.
var ErrLedgerMoved = errors.New("another process wrote into the ledger meanwhile: run again")

// Append puts an entry behind those that Entries read last. Its time is at, or that of
// the entry before when a clock went back. It is durable when Append returns without
// an error; after an error other than ErrLedgerMoved it may or may not be there.
func (g *Ledger) Append(at time.Time, body any) (LedgerEntry, error) {
	content, err := json.Marshal(body)
	if err != nil {
		return LedgerEntry{}, err
	}
	if g.scratch == nil {
		if err := g.lake.store.sweep(); err != nil {
			return LedgerEntry{}, err
		}
		if g.scratch, err = g.lake.store.scratch("ledger"); err != nil {
			return LedgerEntry{}, err
		}
	}
	before := g.last()
	e := LedgerEntry{Format: Format, Sequence: before.Sequence + 1, PreviousSHA256: before.SHA256, At: at.UTC(), Body: content}
	if e.At.Before(before.At) {
		e.At = before.At
	}
	text, err := json.Marshal(e)
	if err != nil {
		return e, err
	}
	text = append(text, '\n')
	name := g.name(e.Sequence)
	err = g.scratch.putNew(name, text)
	if errors.Is(err, fs.ErrExist) {
		return e, fmt.Errorf("%s: %w", g.lake.store.path(name), ErrLedgerMoved)
	}
	if err != nil {
		// The answer is lost, not necessarily the entry.
		there, read := g.lake.store.read(name)
		if read != nil || !bytes.Equal(there, text) || g.lake.store.syncDirs(path.Dir(name)) != nil {
			return e, err
		}
	}
	e.SHA256 = hashOf(text)
	g.entries = append(g.entries, e)
	return e, nil
}

// Close removes what Append worked with. A second call does nothing.
func (g *Ledger) Close() error {
	if g.scratch == nil {
		return nil
	}
	s := g.scratch
	g.scratch = nil
	return s.remove()
}

// LedgerState is the key below which a commit states its tenant's ledger.
const LedgerState = "ledger"

// LedgerMark is a ledger as a commit states it.
type LedgerMark struct {
	Sequence int64  `json:"sequence"`
	SHA256   string `json:"sha256"` // of the entry of that number
}

// Published is the newest commit that states the ledger, and what it states; a zero
// mark when there is none.
func (g *Ledger) Published(ctx context.Context) (Commit, LedgerMark, error) {
	marks, err := g.marks(ctx)
	if err != nil || len(marks) == 0 {
		return Commit{}, LedgerMark{}, err
	}
	newest := marks[len(marks)-1]
	return newest.Commit, newest.LedgerMark, nil
}

type committedMark struct {
	Commit
	LedgerMark
}

// marks are the tenant's commits that state the ledger.
func (g *Ledger) marks(ctx context.Context) ([]committedMark, error) {
	commits, err := g.lake.Commits(ctx)
	if err != nil {
		return nil, err
	}
	var out []committedMark
	for _, c := range commits {
		raw, ok := c.State[LedgerState]
		if !ok || c.Run.TenantID != g.tenant {
			continue
		}
		var m LedgerMark
		if err := json.Unmarshal(raw, &m); err != nil {
			return nil, fmt.Errorf("ledger in version %d: %w", c.Version, err)
		}
		out = append(out, committedMark{c, m})
	}
	return out, nil
}

// Verify reads the whole ledger anew, and compares it with every commit that states it:
// an entry that was changed or taken away since is an error that names it. It returns
// the entries, and how many commits vouch for them.
func (g *Ledger) Verify(ctx context.Context) (entries []LedgerEntry, vouched int, err error) {
	anew := &Ledger{lake: g.lake, tenant: g.tenant}
	if entries, err = anew.Entries(ctx); err != nil {
		return nil, 0, err
	}
	log, err := g.lake.entries(ctx)
	if err != nil {
		return nil, 0, err
	}
	now := rewrittenNow(log)
	for _, e := range entries {
		if e.ErasedSHA256 != "" && now[g.name(e.Sequence)].SHA256 != e.sum {
			return nil, 0, fmt.Errorf("entry %d of the ledger says that a person was erased from it, and no version of the lake says so of its bytes: it was changed; restore %s from a backup",
				e.Sequence, g.lake.store.path(g.name(e.Sequence)))
		}
	}
	marks, err := g.marks(ctx)
	if err != nil {
		return nil, 0, err
	}
	for _, m := range marks {
		switch {
		case m.Sequence < 1 || m.Sequence > int64(len(entries)):
			return nil, 0, fmt.Errorf("version %d of the lake states entry %d of the ledger, and the ledger ends at %d: restore %s from a backup",
				m.Version, m.Sequence, len(entries), g.lake.store.path(g.name(m.Sequence)))
		case entries[m.Sequence-1].SHA256 != m.SHA256:
			return nil, 0, fmt.Errorf("version %d of the lake states entry %d of the ledger with SHA-256 %.12s, and it is %.12s: it was changed; restore %s from a backup",
				m.Version, m.Sequence, m.SHA256, entries[m.Sequence-1].SHA256, g.lake.store.path(g.name(m.Sequence)))
		}
	}
	return entries, len(marks), nil
}
