package lake

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"seatlake/pipeline"
)

// EraseOptions says who is erased, and what that takes besides the lake.
type EraseOptions struct {
	TenantID string
	User     string // object id, sign-in name or address; empty ends what an earlier call began

	Now     func() time.Time // dates the commit
	Program string           // seatlake's version
	Holder  Holder           // of the tenant's lease

	// Redactor takes somebody out of the bodies of the tenant's ledger. isID knows the
	// object id; redact puts a word in the place of names. Without one the ledger is left
	// alone.
	Redactor func(isID func(string) bool, redact func(string) (string, bool)) Redactor

	// KeepRows are marts that are a book of what was done: their rows stay, and no longer
	// name the person.
	KeepRows []string

	// DryRun says what would be rewritten, and changes nothing.
	DryRun bool
}

// ErasedFile is a file that told of a person. Paths are relative to the lake.
type ErasedFile struct {
	Path    string
	Removed int64 // rows, records or elements that went
	Changed int64 // that stayed, and no longer name the person
	Dropped bool  // the file went as a whole
}

// Erased is what an erasure did, or would do.
type Erased struct {
	Resumed bool             // it ended an earlier one that had died
	Version pipeline.Version // of the commit; 0 when no file of a commit told of the person
	Names   int              // names by which the person was looked for
	Shared  []string         // names that somebody else bore, too: they may still be found
	Data    []ErasedFile     // data files of kept versions
	Records []ErasedFile     // rows of deliveries, entries of ledgers
	Pages   []ErasedFile     // kept pages
	Marts   []ErasedFile
	Orphans []string // data files that no kept version lists, and that went
}

// Nothing says that nothing told of the person.
func (e *Erased) Nothing() bool {
	return len(e.Data)+len(e.Records)+len(e.Pages)+len(e.Marts)+len(e.Orphans) == 0
}

// An erasure that is at work, or has died, is told by its journal. It names the person,
// and is the last that goes.
const (
	eraseDir    = "_erase"
	journalForm = eraseDir + "/%s.json" // by tenant
)

type journal struct {
	Format int    `json:"format"`
	Who    person `json:"who"`
}

// erasing is one erasure at work.
type erasing struct {
	EraseOptions
	lake    *Lake
	tenant  string
	who     *person
	scratch *scratch
	done    *Erased

	clean   map[string]bool   // files that were looked at
	rewrite []rewritten       // for the commit
	staged  map[string]string // by new path: the file that goes there
	entries []ledgerErasure
	gone    []string // data files to be removed
}

// stage notes a file that a commit will put in the place of another.
func (x *erasing) stage(r rewritten, temp string) {
	x.rewrite = append(x.rewrite, r)
	if r.To != "" {
		x.staged[r.To] = temp
	}
}

// Erase removes a person from every layer of the lake: data files of all kept versions,
// kept pages, marts, rows of deliveries and entries of ledgers. Files that a commit lists
// are written anew without the person, and one commit says which stand in the place of
// which; versions before it are read with the new files. Figures that name nobody stay
// as they were published.
//
// What is to be done is found by looking, so an erasure that died is ended by the next
// call, and a second call finds nothing. The tenant's lease is held meanwhile; the error
// when another process has it is a *HeldError. Rows that are one and the same text as
// another person's are an *AmbiguousError or in Shared.
func (l *Lake) Erase(ctx context.Context, o EraseOptions) (done *Erased, err error) {
	if !guidForm.MatchString(o.TenantID) {
		return nil, fmt.Errorf("tenant id %q is not a lower-case GUID", o.TenantID)
	}
	if err := l.store.sweep(); err != nil {
		return nil, err
	}
	lease, err := l.Lease(o.TenantID, o.Holder)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lease.Release()) }()
	x := &erasing{EraseOptions: o, lake: l, tenant: o.TenantID, done: &Erased{}}
	if err := x.begin(ctx); err != nil || x.who == nil {
		return x.done, err
	}
	if err := x.run(ctx); err != nil || o.DryRun {
		return x.done, err
	}
	return x.done, l.forgetCopies(o.TenantID)
}

// begin finds out who is erased: whom the journal of an earlier erasure names, if there is
// one, else whom the options name.
func (x *erasing) begin(ctx context.Context) error {
	was, err := x.lake.journal(x.tenant)
	if err != nil {
		return err
	}
	if was != nil {
		x.who, x.done.Resumed = &was.Who, true
	} else if x.User != "" {
		if x.who, err = x.lake.findPerson(ctx, x.tenant, x.User); err != nil {
			return err
		}
	} else {
		return nil
	}
	x.done.Names = len(x.who.Names)
	for _, n := range x.who.Names {
		if len(n.Others) > 0 {
			x.done.Shared = append(x.done.Shared, n.Text)
		}
	}
	return nil
}

func (l *Lake) journal(tenant string) (*journal, error) {
	name := fmt.Sprintf(journalForm, tenant)
	body, err := l.store.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	j := new(journal)
	if err := json.Unmarshal(body, j); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w; remove it, and erase the person again", l.store.path(name), err)
	}
	return j, checkFormat(j.Format)
}

func (x *erasing) run(ctx context.Context) (err error) {
	if x.scratch, err = x.lake.store.scratchAlone(ctx, "erase"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.scratch.remove()) }()
	x.clean, x.staged = map[string]bool{}, map[string]string{}
	if !x.DryRun {
		body, err := json.Marshal(journal{Format: Format, Who: *x.who})
		if err != nil {
			return err
		}
		if err := x.scratch.put(fmt.Sprintf(journalForm, x.tenant), append(body, '\n')); err != nil {
			return err
		}
	}
	release, err := x.stopFeeds(ctx)
	if err != nil {
		return err
	}
	err = x.layers(ctx)
	if err = errors.Join(err, release()); err != nil || x.DryRun {
		return err
	}
	if err := x.lake.store.remove(fmt.Sprintf(journalForm, x.tenant)); err != nil {
		return err
	}
	return x.lake.store.syncDirs(eraseDir)
}

// stopFeeds waits for the right to each feed, and gives back what lets go of them.
func (x *erasing) stopFeeds(ctx context.Context) (func() error, error) {
	var held []*Delivering
	release := func() error {
		var errs []error
		for _, d := range held {
			errs = append(errs, d.Close())
		}
		return errors.Join(errs...)
	}
	feeds, err := x.lake.Feeds()
	if err != nil {
		return nil, err
	}
	for _, feed := range feeds {
		d, err := x.lake.Deliver(ctx, feed)
		if err != nil {
			return nil, errors.Join(err, release())
		}
		held = append(held, d)
	}
	return release, nil
}

// layers erases the person from each layer. What a commit lists goes first, since nothing
// else can bring rows back.
func (x *erasing) layers(ctx context.Context) error {
	for {
		again, err := x.committed(ctx)
		if err != nil {
			return err
		}
		if !again {
			break
		}
	}
	if err := x.eraseRaw(ctx); err != nil {
		return err
	}
	gold, err := x.lake.store.scratchAlone(ctx, "gold") // one publisher at a time
	if err != nil {
		return err
	}
	return errors.Join(x.eraseGold(ctx), gold.remove())
}

// committed erases the person from the files that commits list, and commits that. It
// says whether to look again, for another commit came between.
func (x *erasing) committed(ctx context.Context) (again bool, err error) {
	before, err := x.lake.head(ctx)
	if err != nil {
		return false, err
	}
	entries, err := x.lake.entries(ctx)
	if err != nil {
		return false, err
	}
	entries = entries[:before.version]
	retired, err := x.lake.retired()
	if err != nil {
		return false, err
	}
	// Entries of the ledger are worked out in one go, from the first on.
	x.gone, x.entries = nil, nil
	x.rewrite = slices.DeleteFunc(x.rewrite, func(r rewritten) bool { return r.Path == r.To })
	x.done.Records = slices.DeleteFunc(x.done.Records, func(f ErasedFile) bool { return strings.HasPrefix(f.Path, ledgerDir) })
	if err := x.eraseData(ctx, entries, retired.Oldest); err != nil {
		return false, err
	}
	if err := x.eraseFeeds(ctx, erasedFiles(entries)); err != nil {
		return false, err
	}
	if err := x.eraseLedger(ctx, rewrittenNow(entries)); err != nil {
		return false, err
	}
	x.done.Orphans = slices.Clone(x.gone)
	if x.DryRun {
		return false, nil
	}
	if len(x.rewrite) > 0 {
		slices.SortFunc(x.rewrite, func(a, b rewritten) int { return strings.Compare(a.Path, b.Path) })
		lost, err := x.commit(ctx, before)
		if lost || err != nil {
			return lost, err
		}
	}
	if err := x.putLedger(); err != nil {
		return false, err
	}
	return false, x.bury(ctx)
}

// commit moves the new files to their places, and puts the entry that lists them. Lost
// says that another commit took the version: what that one added is to be looked at.
func (x *erasing) commit(ctx context.Context, before *state) (lost bool, err error) {
	now := x.Now().UTC()
	id, err := ulid.New(ulid.Timestamp(now), rand.Reader)
	if err != nil {
		return false, fmt.Errorf("id of the commit: %w", err)
	}
	var dirs []string
	for to, temp := range x.staged {
		if err := x.lake.store.rename(temp, to); err != nil {
			return false, err
		}
		dirs = append(dirs, path.Dir(to))
		x.clean[to] = true
		delete(x.staged, to)
	}
	if err := x.lake.store.syncDirs(dirs...); err != nil {
		return false, err
	}
	e := &entry{
		Format: rewritingFormat, Version: before.version + 1, Parent: before.version, Kind: kindErase, Remove: []string{}, Keep: []string{},
		Commit: pipeline.Commit{
			Run: pipeline.Run{ID: id.String(), TenantID: x.tenant, Started: now, Program: x.Program, Requests: []pipeline.Request{}}, Ended: now,
			Add: []pipeline.File{}, Replaces: []pipeline.Replacement{}, Coverage: []pipeline.Coverage{},
		},
		Rewrite: x.rewrite,
	}
	err = x.lake.append(x.scratch, before, e)
	if errors.Is(err, fs.ErrExist) {
		return true, x.lake.overtaken(ctx, e.Version)
	}
	if err != nil {
		// The answer is lost, not necessarily the object.
		s, read := x.lake.head(context.WithoutCancel(ctx))
		if read != nil || s.runs[id.String()] != e.Version {
			return false, err
		}
	}
	x.done.Version, x.rewrite = e.Version, nil
	return false, nil
}

// bury removes the files that others stand in the place of, whoever committed that, and
// those that no version needs.
func (x *erasing) bury(ctx context.Context) error {
	entries, err := x.lake.entries(ctx)
	if err != nil {
		return err
	}
	for name := range erasedFiles(entries) {
		x.gone = append(x.gone, name)
	}
	slices.Sort(x.gone)
	for _, name := range slices.Compact(x.gone) {
		if err := x.lake.store.remove(name); err != nil {
			return err
		}
	}
	return nil
}

// erasures names what an erasure that died left: its journal, which names the person.
func (c *checker) erasures(ctx context.Context, _ []*entry) error {
	names, err := c.lake.store.list(eraseDir)
	if err != nil {
		return err
	}
	for _, e := range names {
		c.fault(path.Join(eraseDir, e.Name()), "an erasure is at work, or died: it is not done", cureErase)
	}
	return ctx.Err()
}
