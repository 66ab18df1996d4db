package lake

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"seatlake/pipeline"
)

// PruneOptions says what may go. The zero value keeps all raw pages.
type PruneOptions struct {
	// RawOlderThan removes the kept pages of runs that started before it.
	RawOlderThan time.Time

	// OrphanAge is how long a data file that no commit lists is left alone, by
	// the file system's clock; 0 means 48 hours, longer than any run takes.
	OrphanAge time.Duration
}

// Pruned is what Prune removed.
type Pruned struct {
	RawRuns []string // paths, relative to the lake
	Orphans []string // paths, relative to the lake
	Bytes   int64    // of both
}

// orphanAge is longer than any run takes.
const orphanAge = 48 * time.Hour

// Prune removes raw pages past their retention, data files that no commit lists,
// and what dead processes left. Files that any version lists stay, so that every
// version can be read. An error gives what was removed until then.
func (l *Lake) Prune(ctx context.Context, o PruneOptions) (*Pruned, error) {
	done := new(Pruned)
	if err := l.store.sweep(); err != nil {
		return done, err
	}
	s, err := l.store.scratch("prune")
	if err != nil {
		return done, err
	}
	err = l.pruneRaw(ctx, s, o.RawOlderThan, done)
	if err == nil {
		err = l.pruneOrphans(ctx, s, cmp.Or(o.OrphanAge, orphanAge), done)
	}
	return done, errors.Join(err, s.remove())
}

// pruneRaw moves each old run aside as a whole, so that none is left in part.
func (l *Lake) pruneRaw(ctx context.Context, s *scratch, before time.Time, done *Pruned) error {
	return l.rawDirs(func(tenant, id string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		dir := path.Join(rawDir, tenant, id)
		if !l.rawStart(dir, id).Before(before) {
			return nil
		}
		size, err := l.store.total(dir)
		if err != nil {
			return err
		}
		if err := l.store.rename(dir, s.temp()); err != nil {
			return err
		}
		done.RawRuns = append(done.RawRuns, dir)
		done.Bytes += size
		return nil
	})
}

// rawStart is when a run started: what run.json says, else the run's id.
func (l *Lake) rawStart(dir, id string) time.Time {
	var run pipeline.Run
	body, err := l.store.read(path.Join(dir, runName))
	if err == nil && json.Unmarshal(body, &run) == nil && !run.Started.IsZero() {
		return run.Started
	}
	return startOf(id)
}

// total is the bytes of all files below a directory.
func (s *store) total(dir string) (int64, error) {
	var size int64
	err := s.walk(dir, func(_ string, e fs.DirEntry) error {
		info, err := e.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return size, err
}

func (l *Lake) pruneOrphans(ctx context.Context, s *scratch, age time.Duration, done *Pruned) error {
	entries, err := l.entries(ctx)
	if err != nil {
		return err
	}
	listed := map[string]bool{}
	for _, e := range entries {
		for _, f := range e.Add {
			listed[f.Path] = true
		}
	}
	now, err := s.now()
	if err != nil {
		return err
	}
	return l.store.walk(dataDir, func(name string, e fs.DirEntry) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := ParsePath(name); err != nil || listed[name] {
			return nil // what is not ours is not ours to remove
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && now.Sub(info.ModTime()) < age {
			return nil
		}
		if err != nil {
			return err
		}
		return l.pruneOrphan(s, name, now.Add(-age), done)
	})
}

// pruneOrphan moves a file aside, and only then looks whether it is still the old
// one: a run that gives the same bytes again puts a young file in its place, and
// that one goes back.
func (l *Lake) pruneOrphan(s *scratch, name string, before time.Time, done *Pruned) error {
	aside := s.temp()
	if err := l.store.rename(name, aside); err != nil {
		return err
	}
	info, err := l.store.stat(aside)
	if err == nil && info.ModTime().Before(before) {
		done.Orphans = append(done.Orphans, name)
		done.Bytes += info.Size()
		return nil
	}
	back := l.store.link(aside, name)
	if errors.Is(back, fs.ErrExist) {
		back = nil
	}
	return errors.Join(err, back)
}

// now is the time by the file system's clock, which dates the files.
func (t *scratch) now() (time.Time, error) {
	temp, err := t.write(nil)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the file system's clock: %w", err)
	}
	info, err := t.store.stat(temp)
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}
