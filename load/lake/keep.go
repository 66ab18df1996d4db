package lake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"seatlake/pipeline"
)

const (
	lockName = "run.lock"
	// listName lists a source's pages as they come, a line each, until an index
	// says how they ended. A line that is not whole is not there.
	listName = "pages.jsonl"
)

// Keeper keeps the pages of one run below raw/. It holds the run's lock, so that
// no other process takes the run up; the caller closes it.
//
// Pages of a lake in a bucket are kept in the work directory, where nothing slow
// stands between two requests, and put into the bucket when their source has ended.
// They stay in the work directory until the run is committed, to be taken up there.
type Keeper struct {
	lake  *Lake
	store *store // of the directory with the pages
	run   pipeline.Run
	lock  *os.File
	kept  map[string]*keptSource // by an earlier process
}

var _ pipeline.Keeper = (*Keeper)(nil)

// Keeper begins to keep the pages of a run. It writes run.json at once; a run id
// that another run has is an error, as is a run that another process keeps.
func (l *Lake) Keeper(run pipeline.Run) (*Keeper, error) {
	if err := checkRun(run.ID, run.TenantID); err != nil {
		return nil, err
	}
	body, err := json.MarshalIndent(run, "", " ")
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", run.ID, err)
	}
	k, err := l.hold(run)
	if err != nil {
		return nil, err
	}
	if err := l.announce(run, append(body, '\n')); err != nil {
		return nil, errors.Join(err, k.Close())
	}
	return k, nil
}

// hold takes the lock of a run. Its error is errHeld when another process has it.
func (l *Lake) hold(run pipeline.Run) (*Keeper, error) {
	work := l.store.work()
	if err := work.mkdir(rawPath(run)); err != nil {
		return nil, err
	}
	lock, err := work.acquire(rawPath(run, lockName), os.O_CREATE)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", run.ID, err)
	}
	return &Keeper{lake: l, store: work, run: run, lock: lock}, nil
}

// announce writes run.json, into the bucket as well.
func (l *Lake) announce(run pipeline.Run, body []byte) error {
	stores := []*store{l.store.work()}
	if l.store.bucket != nil {
		stores = append(stores, l.store)
	}
	for _, s := range stores {
		if err := s.announce(run, body); err != nil {
			return err
		}
	}
	return nil
}

func (s *store) announce(run pipeline.Run, body []byte) error {
	name := rawPath(run, runName)
	t, err := s.scratch(run.ID)
	if err != nil {
		return err
	}
	err = t.putNew(name, body)
	if errors.Is(err, fs.ErrExist) {
		var there []byte
		there, err = s.read(name)
		if err == nil && !bytes.Equal(there, body) {
			err = fmt.Errorf("%s is of another run with the same id %s: start a new run", s.path(name), run.ID)
		}
	}
	return errors.Join(err, t.remove())
}

// Run is the run whose pages are kept.
func (k *Keeper) Run() pipeline.Run { return k.run }

// Close gives the run's lock back. Of a lake in a bucket it clears the work directory
// of a run that was committed.
func (k *Keeper) Close() error {
	return errors.Join(k.clear(), k.store.remove(rawPath(k.run, lockName)), k.lock.Close())
}

// Keep writes each page and its line in the list before it yields it, and the
// index when the pages have ended. Syncing waits for that end, so that nothing
// slow stands between two requests; whoever takes the run up looks at the pages'
// hashes. Pages that the earlier process kept are not written again.
func (k *Keeper) Keep(ctx context.Context, source string, pages pipeline.Pages) pipeline.Pages {
	if kept := k.kept[source]; kept != nil && kept.whole {
		return k.shipped(ctx, source, pages)
	}
	return func(yield func(*pipeline.Page, error) bool) {
		s := &keeping{Keeper: k, dir: rawPath(k.run, source), at: &index{Format: Format, Source: source, Pages: []keptPage{}}}
		defer s.close()
		if err := s.begin(); err != nil {
			yield(nil, fmt.Errorf("keep pages: %w", err))
			return
		}
		var end error
		for page, err := range pages {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				page.Release()
				gap, ok := pipeline.AsGap(err)
				if !ok {
					yield(nil, err)
					return
				}
				s.at.Gap = &keptGap{State: gap.State, Reason: gap.Reason}
				if gap.Err != nil {
					s.at.Gap.Answer = gap.Err.Error()
				}
				end = err
				break
			}
			if err := s.keep(page); err != nil {
				page.Release()
				yield(nil, fmt.Errorf("keep page %d: %w", page.Number, err))
				return
			}
			if !yield(page, nil) {
				return
			}
		}
		if err := s.end(ctx); err != nil {
			yield(nil, fmt.Errorf("keep pages: %w", err))
			return
		}
		if end != nil {
			yield(nil, end)
		}
	}
}

// keeping is one source whose pages are being kept.
type keeping struct {
	*Keeper
	dir  string
	at   *index // of the pages so far
	list *file  // behind the line of the last page; nil until a page is new
}

// begin makes way for the pages of a source. The index of an earlier try goes
// first, since its pages are about to be overwritten.
func (s *keeping) begin() error {
	if !sourceForm.MatchString(s.at.Source) {
		return fmt.Errorf("source %q is not a name of letters, digits and _", s.at.Source)
	}
	if err := s.store.remove(s.dir + "/" + indexName); err != nil {
		return err
	}
	if s.kept[s.at.Source] == nil {
		if err := s.store.remove(s.dir); err != nil {
			return err
		}
	}
	return s.store.mkdir(s.dir)
}

func (s *keeping) keep(page *pipeline.Page) error {
	n := len(s.at.Pages)
	if page.Number != n+1 {
		return fmt.Errorf("it comes after page %d", n)
	}
	p := keptPage{
		Name: fmt.Sprintf("%06d%s", page.Number, extension(s.at.Source)), Number: page.Number, Request: page.Request, RequestID: page.RequestID,
		Coding: page.Coding, Observed: page.Observed.UTC(), Size: page.Size(), SHA256: page.SHA256(),
	}
	switch page.Coding {
	case "":
	case "gzip":
		p.Name += ".gz"
	default:
		return fmt.Errorf("content coding %q is not known; gzip and identity are", page.Coding)
	}
	if s.list == nil {
		if s.kept[s.at.Source].has(p) {
			s.at.Pages = append(s.at.Pages, p)
			return nil
		}
		if err := s.goOn(); err != nil {
			return err
		}
	}
	if err := s.write(p, page); err != nil {
		return err
	}
	s.at.Pages = append(s.at.Pages, p)
	return nil
}

// goOn opens the list behind the pages so far, and forgets those that an earlier
// process kept behind them.
func (s *keeping) goOn() (err error) {
	if s.list, err = s.store.reopen(s.dir+"/"+listName, s.kept[s.at.Source].size(len(s.at.Pages))); err != nil {
		return err
	}
	there, err := s.store.list(s.dir)
	if err != nil {
		return err
	}
	for _, e := range there {
		kept := slices.ContainsFunc(s.at.Pages, func(p keptPage) bool { return p.Name == e.Name() })
		if pageForm.MatchString(e.Name()) && !kept {
			if err := s.store.remove(s.dir + "/" + e.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

// write writes a page, then its line.
func (s *keeping) write(p keptPage, page *pipeline.Page) error {
	if err := s.store.place(s.dir+"/"+p.Name, page); err != nil {
		return err
	}
	line, err := json.Marshal(p)
	if err != nil {
		return err
	}
	_, err = s.list.Write(append(line, '\n'))
	return err
}

// extension tells people what is in a page. Usage reports, which bear the names
// of Graph's functions, are CSV; inventories are files of several kinds.
func extension(source string) string {
	switch {
	case strings.HasPrefix(source, "get"), source == pipeline.LicenseTerms, source == pipeline.LegacyLicenses, source == pipeline.HrEmployees:
		return ".csv"
	case source == pipeline.Inventory:
		return ".file"
	}
	return ".json"
}

// end makes the pages durable, then lists them in the index.
func (s *keeping) end(ctx context.Context) error {
	for _, p := range s.at.Pages {
		if err := s.store.syncFile(s.dir + "/" + p.Name); err != nil {
			return err
		}
	}
	body, err := json.MarshalIndent(s.at, "", " ")
	if err != nil {
		return err
	}
	scratch, err := s.store.scratch(s.run.ID)
	if err != nil {
		return err
	}
	err = scratch.put(s.dir+"/"+indexName, append(body, '\n'))
	if err == nil {
		err = s.store.remove(s.dir + "/" + listName)
	}
	if err == nil {
		err = s.ship(ctx, s.at)
	}
	return errors.Join(err, scratch.remove())
}

// close lets go of the list. Its lines are written without delay, so that nothing
// is lost when this fails.
func (s *keeping) close() {
	if s.list != nil {
		_ = s.list.close()
	}
}
