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

// PruneOptions says what may go. The zero value keeps all raw pages and all versions.
type PruneOptions struct {
	// RawOlderThan removes the kept pages of runs that started before it.
	RawOlderThan time.Time

	// OrphanAge is how long a data file that no commit lists is left alone, by
	// the file system's clock; 0 means 48 hours, longer than any run takes.
	OrphanAge time.Duration

	// Retain says which versions can be read at Now; nil retires none.
	Retain *Retention
	Now    time.Time

	// DryRun says what would go, and changes nothing.
	DryRun bool
}

// Pruned is what Prune removed and marked. Paths are relative to the lake.
type Pruned struct {
	RawRuns []string
	Orphans []string
	Retired []string // files that no kept version lists, marked by an earlier prune
	Bytes   int64    // of all three

	Marked      []string // files that no kept version lists; a later prune removes them
	MarkedBytes int64
	Oldest      pipeline.Version // that can be read; 0 when the lake is empty
}

// orphanAge is longer than any run takes.
const orphanAge = 48 * time.Hour

// pruning is one prune at work.
type pruning struct {
	PruneOptions
	lake    *Lake
	scratch *scratch
	clock   time.Time // of the file system, when the work began
	done    *Pruned
	aside   map[string]string // files that were taken, and where they are until the end
}

// Prune removes raw pages past their retention, data files that no commit lists,
// what dead processes left, and, in two steps, files that only versions past their
// retention list: one prune marks them, and one after the grace removes them, so that
// a reader of such a version comes to its end. An error gives what was removed until
// then; the next prune goes on. It waits for another process that prunes.
func (l *Lake) Prune(ctx context.Context, o PruneOptions) (*Pruned, error) {
	p := &pruning{PruneOptions: o, lake: l, done: new(Pruned), aside: map[string]string{}}
	if !o.DryRun {
		if err := l.store.sweep(); err != nil {
			return p.done, err
		}
	}
	var err error
	if p.scratch, err = l.store.scratchAlone(ctx, "prune"); err != nil {
		return p.done, err
	}
	p.clock, err = p.scratch.now()
	for _, step := range []func(context.Context) error{p.raw, p.orphans, p.retire, p.recheck} {
		if err == nil {
			err = step(ctx)
		}
	}
	return p.done, errors.Join(err, p.scratch.remove())
}

// raw moves each old run aside as a whole, so that none is left in part.
func (p *pruning) raw(ctx context.Context) error {
	return p.lake.rawDirs(func(tenant, id string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		dir := path.Join(rawDir, tenant, id)
		if !p.lake.rawStart(dir, id).Before(p.RawOlderThan) {
			return nil
		}
		size, err := p.lake.store.total(dir)
		if err != nil {
			return err
		}
		if !p.DryRun {
			if err := p.scratch.discard(dir, runName); err != nil {
				return err
			}
		}
		p.done.RawRuns = append(p.done.RawRuns, dir)
		p.done.Bytes += size
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

// orphans removes the old files below data/ that no version lists.
func (p *pruning) orphans(ctx context.Context) error {
	entries, err := p.lake.entries(ctx)
	if err != nil {
		return err
	}
	listed := everListed(entries)
	age := cmp.Or(p.OrphanAge, orphanAge)
	return p.lake.store.walk(dataDir, func(name string, e fs.DirEntry) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, ever := listed[name]; ever {
			return nil
		}
		if _, err := ParsePath(name); err != nil {
			return nil // what is not ours is not ours to remove
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && p.clock.Sub(info.ModTime()) < age {
			return nil
		}
		if err != nil {
			return err
		}
		gone, err := p.take(name, p.clock.Add(-age))
		if gone {
			p.done.Orphans = append(p.done.Orphans, name)
			p.done.Bytes += info.Size()
		}
		return err
	})
}

// take moves a file aside, and only then looks whether it is still the old one: a
// run that gives the same bytes again puts a young file in its place, and that one
// goes back. It says whether the file is gone.
func (p *pruning) take(name string, before time.Time) (gone bool, err error) {
	if p.DryRun {
		return true, nil
	}
	aside := p.scratch.temp()
	if err := p.lake.store.rename(name, aside); err != nil {
		return false, err
	}
	info, err := p.lake.store.stat(aside)
	if err == nil && !info.ModTime().After(before) {
		p.aside[name] = aside
		return true, nil
	}
	back := p.lake.store.link(aside, name)
	if errors.Is(back, fs.ErrExist) {
		back = nil
	}
	return false, errors.Join(err, back)
}

// recheck puts files back into a bucket that a run has listed since they were found to
// be listed by nobody: the run found them there, and committed while they were taken.
func (p *pruning) recheck(ctx context.Context) error {
	if p.lake.store.bucket == nil || len(p.aside) == 0 {
		return nil
	}
	s, err := p.lake.head(ctx)
	if err != nil {
		return err
	}
	for name, aside := range p.aside {
		if _, live := s.files[name]; !live {
			continue
		}
		if err := p.lake.store.link(aside, name); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// now is the time by the clock that dates the files: the file system's, or the store's.
func (t *scratch) now() (time.Time, error) {
	if t.store.bucket != nil {
		return t.store.bucketTime()
	}
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
