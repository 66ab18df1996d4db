package lake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"seatlake/pipeline"
)

// failedName says why a run is not worth taking up.
const failedName = "failed.txt"

// Resume takes up the newest run of a tenant that has neither been committed nor
// given up, if it fits and no other process is at it. It is nil when there is
// none. Runs older than the tenant's last commit are left alone: their rows would
// not stand.
//
// The run that goes on reads its pages from Source and keeps them with the
// Keeper. The caller closes it. A run of a lake in a bucket goes on where its work
// directory is.
func (l *Lake) Resume(ctx context.Context, tenantID string, fits func(pipeline.Run) bool) (*Keeper, error) {
	if !locks {
		return nil, nil // nobody could tell a dead run from a living one
	}
	last, err := l.lastRun(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	if err := l.clearOlder(tenantID, last); err != nil {
		return nil, err
	}
	ids, err := l.store.work().list(path.Join(rawDir, tenantID))
	if err != nil {
		return nil, err
	}
	slices.Reverse(ids)
	for _, id := range ids {
		if checkRun(id.Name(), tenantID) != nil {
			continue // not ours
		}
		if id.Name() <= last {
			break
		}
		run, err := l.unfinished(tenantID, id.Name())
		if err != nil {
			return nil, err
		}
		if run == nil || !fits(*run) {
			continue
		}
		k, err := l.takeUp(ctx, *run)
		if k != nil || err != nil {
			return k, err
		}
	}
	return nil, nil
}

// lastRun is the id of the tenant's run that started last of the committed ones.
func (l *Lake) lastRun(ctx context.Context, tenantID string) (id string, err error) {
	s, err := l.head(ctx)
	if err != nil {
		return "", err
	}
	for _, c := range s.commits {
		if c.tenant == tenantID && !rewrites(c.kind) {
			id = max(id, c.run)
		}
	}
	return id, nil
}

// unfinished reads what a run is, or gives nil when it died before it said so, or
// was given up.
func (l *Lake) unfinished(tenantID, id string) (*pipeline.Run, error) {
	dir, work := path.Join(rawDir, tenantID, id), l.store.work()
	if _, err := work.stat(path.Join(dir, failedName)); !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	body, err := work.read(path.Join(dir, runName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	run := new(pipeline.Run)
	if json.Unmarshal(body, run) != nil || run.ID != id || run.TenantID != tenantID {
		return nil, nil // RawRuns tells of the damage; there is nothing to take up
	}
	return run, nil
}

// takeUp takes a run's lock and looks what of its pages is whole. It gives nil
// when another process is at it, or was and has committed it.
func (l *Lake) takeUp(ctx context.Context, run pipeline.Run) (*Keeper, error) {
	k, err := l.hold(run)
	if errors.Is(err, errHeld) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	last, err := l.lastRun(ctx, run.TenantID)
	if err == nil && last >= run.ID {
		return nil, k.Close()
	}
	k.kept = map[string]*keptSource{}
	for _, q := range run.Requests {
		if err == nil {
			k.kept[q.Source], err = k.look(ctx, q)
		}
	}
	if err != nil {
		return nil, errors.Join(err, k.Close())
	}
	return k, nil
}

// keptSource is what an earlier process kept of a source.
type keptSource struct {
	whole bool // the index says that these are all
	pages []keptPage
	ends  []int64 // of the pages' lines in the list
}

// has says whether a page is the kept one of its number.
func (s *keptSource) has(p keptPage) bool {
	return s != nil && p.Number <= len(s.pages) && s.pages[p.Number-1] == p
}

// size is how long the list is behind its first n pages.
func (s *keptSource) size(n int) int64 {
	if s == nil || n == 0 {
		return 0
	}
	return s.ends[n-1]
}

// look finds the pages of a source that are whole. A source that ended in a gap is
// asked for again: a permission may have been granted since.
func (k *Keeper) look(ctx context.Context, q pipeline.Request) (*keptSource, error) {
	if !sourceForm.MatchString(q.Source) {
		return nil, fmt.Errorf("source %q is not a name of letters, digits and _", q.Source)
	}
	raw := &rawSource{store: k.store, run: k.run}
	s := new(keptSource)
	at, err := raw.index(q.Source, q.Window)
	s.whole = err == nil && at.Gap == nil
	if s.whole {
		s.pages = at.Pages
	} else if s.pages, s.ends, err = k.listed(q.Source); err != nil {
		return nil, err
	}
	for i, p := range s.pages {
		if _, err := raw.page(ctx, q.Source, p); err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			// The list of a source with an index is gone, so that none of its
			// pages can be gone on from.
			if s.whole {
				return new(keptSource), nil
			}
			s.pages, s.ends = s.pages[:i], s.ends[:i]
			break
		}
	}
	return s, nil
}

// listed reads the whole lines of a list, and where each ends.
func (k *Keeper) listed(source string) (pages []keptPage, ends []int64, err error) {
	body, err := k.store.read(rawPath(k.run, source, listName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	at := &index{Format: Format, Source: source}
	var end int64
	for line := range bytes.Lines(body) {
		var p keptPage
		if !bytes.HasSuffix(line, []byte("\n")) || json.Unmarshal(line, &p) != nil {
			break
		}
		at.Pages = append(at.Pages, p)
		if at.check(source) != nil {
			at.Pages = at.Pages[:len(at.Pages)-1]
			break
		}
		end += int64(len(line))
		ends = append(ends, end)
	}
	return at.Pages, ends, nil
}

// Kept is how many pages the run had when it was taken up.
func (k *Keeper) Kept() int {
	n := 0
	for _, s := range k.kept {
		n += len(s.pages)
	}
	return n
}

// Source reads what is kept, and goes on from there with the living source.
func (k *Keeper) Source(live pipeline.Continuer) pipeline.Source {
	if k.kept == nil {
		return live
	}
	return &resumed{keeper: k, live: live}
}

type resumed struct {
	keeper *Keeper
	live   pipeline.Continuer
}

func (r *resumed) Pages(ctx context.Context, source string, w pipeline.Window) pipeline.Pages {
	s := r.keeper.kept[source]
	switch {
	case s == nil || len(s.pages) == 0 && !s.whole:
		return r.live.Pages(ctx, source, w)
	case s.whole:
		return r.keeper.pages(ctx, source)
	default:
		return r.live.Continue(ctx, source, w, r.keeper.pages(ctx, source))
	}
}

// pages reads the kept pages of a source.
func (k *Keeper) pages(ctx context.Context, source string) pipeline.Pages {
	return func(yield func(*pipeline.Page, error) bool) {
		raw := &rawSource{store: k.store, run: k.run}
		for _, p := range k.kept[source].pages {
			page, err := raw.page(ctx, source, p)
			if err != nil {
				yield(nil, fmt.Errorf("kept page %d of run %s: %w", p.Number, k.run.ID, err))
				return
			}
			if !yield(page, nil) {
				return
			}
		}
	}
}

// GiveUp says why the run is not to be taken up: its pages would end it again.
func (k *Keeper) GiveUp(reason error) error {
	s, err := k.store.scratch(k.run.ID)
	if err != nil {
		return err
	}
	return errors.Join(s.put(rawPath(k.run, failedName), []byte(reason.Error()+"\n")), s.remove())
}
