package lake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"seatlake/pipeline"
)

// shipped is the pages of a source that an earlier process kept to its end, which may
// have died before all of them were in the bucket.
func (k *Keeper) shipped(ctx context.Context, source string, pages pipeline.Pages) pipeline.Pages {
	if k.lake.store.bucket == nil {
		return pages
	}
	return func(yield func(*pipeline.Page, error) bool) {
		at, err := k.store.readIndex(rawPath(k.run, source, indexName), source)
		if err == nil {
			err = k.ship(ctx, at)
		}
		if err != nil {
			yield(nil, fmt.Errorf("keep pages: %w", err))
			return
		}
		pages(yield)
	}
}

// ship puts the pages of a source into the bucket, and the index that lists them after
// them. An index of an earlier try with other pages goes first.
func (k *Keeper) ship(ctx context.Context, at *index) error {
	to := k.lake.store
	if to.bucket == nil {
		return nil
	}
	name := rawPath(k.run, at.Source, indexName)
	body, err := k.store.read(name)
	if err != nil {
		return err
	}
	if k.kept != nil { // an earlier process may have shipped
		there, err := to.read(name)
		switch {
		case err == nil && bytes.Equal(there, body):
			return nil
		case err == nil:
			err = to.remove(name)
		case errors.Is(err, fs.ErrNotExist):
			err = nil
		}
		if err != nil {
			return err
		}
	}
	err = to.each(ctx, len(at.Pages), func(i int) error {
		page := rawPath(k.run, at.Source, at.Pages[i].Name)
		return to.do("rename", page, func() error { return to.bucket.putFile(page, k.store.file(page)) })
	})
	if err != nil {
		return err
	}
	return to.do("rename", name, func() error { return to.bucket.put(name, body) })
}

// clear removes the pages of a committed run from the work directory: the bucket has
// them.
func (k *Keeper) clear() error {
	if k.lake.store.bucket == nil {
		return nil
	}
	s, err := k.lake.head(context.WithoutCancel(k.lake.store.context()))
	if err != nil {
		return err
	}
	if _, committed := s.runs[k.run.ID]; !committed {
		return nil
	}
	return k.store.emptyRun(rawPath(k.run))
}

// emptyRun removes all of a run's directory but its lock, which its holder removes.
func (s *store) emptyRun(dir string) error {
	there, err := s.list(dir)
	if err != nil {
		return err
	}
	for _, e := range there {
		if e.Name() == lockName {
			continue
		}
		if err := s.remove(path.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// clearOlder removes the runs of a tenant from the work directory that can no longer be
// taken up, since a later one was committed. Those that a process is at stay.
func (l *Lake) clearOlder(tenantID, last string) error {
	if l.store.bucket == nil {
		return nil
	}
	work := l.store.work()
	ids, err := work.list(path.Join(rawDir, tenantID))
	if err != nil {
		return err
	}
	for _, id := range ids {
		run := pipeline.Run{TenantID: tenantID, ID: id.Name()}
		if checkRun(run.ID, tenantID) != nil || run.ID > last {
			continue
		}
		k, err := l.hold(run)
		if errors.Is(err, errHeld) {
			continue
		}
		if err != nil {
			return err
		}
		err = work.remove(rawPath(run))
		if err := errors.Join(err, k.lock.Close()); err != nil {
			return err
		}
	}
	return nil
}

// forgetCopies removes what the work directory has of a bucket's files, and the pages of
// a tenant's runs that no process is at: after an erasure they are the only ones on this
// machine that may name the person. Another machine's have to be removed there.
func (l *Lake) forgetCopies(tenantID string) error {
	if l.store.bucket == nil {
		return nil
	}
	return errors.Join(l.store.work().remove(mirrorDir), l.clearOlder(tenantID, "~")) // behind every id
}
