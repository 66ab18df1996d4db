package lake

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"seatlake/pipeline"
)

// Retention says how long versions can be read. One that either measure keeps is
// kept, as are all that are newer; the newest version always is.
type Retention struct {
	Versions int           // the newest so many
	Age      time.Duration // those whose run ended less than this ago

	// Grace is how long a file stays that no kept version lists, by the file system's
	// clock: longer than any reader takes that opened its version before.
	Grace time.Duration
}

// retirement is _log/retired.json: which versions are past their retention, and which
// files that only they list are marked to be removed. Prune writes it before it removes
// anything, and nobody else does.
type retirement struct {
	Format int              `json:"format"`
	Oldest pipeline.Version `json:"oldest"` // that can be read
	Marked []marked         `json:"marked"` // by their paths
}

type marked struct {
	Path string    `json:"path"`
	Size int64     `json:"size"` // bytes
	At   time.Time `json:"at"`   // UTC, by the file system's clock
}

const retiredName = logDir + "/retired.json"

// retired reads what is past its retention. A lake that was never pruned keeps all.
func (l *Lake) retired() (*retirement, error) {
	r := &retirement{Format: Format, Oldest: 1}
	body, err := l.store.read(retiredName)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	if err = json.Unmarshal(body, r); err == nil {
		err = r.check()
	}
	if err != nil {
		return nil, fmt.Errorf("%s is damaged: %w; remove it: `seatlake prune` makes it again", l.store.path(retiredName), err)
	}
	return r, nil
}

func (r *retirement) check() error {
	if err := checkFormat(r.Format); err != nil {
		return err
	}
	if r.Oldest < 1 {
		return fmt.Errorf("oldest version %d is not one", r.Oldest)
	}
	for _, m := range r.Marked {
		if _, err := ParsePath(m.Path); err != nil || m.At.IsZero() {
			return fmt.Errorf("marked file %q has no path or no time", m.Path)
		}
	}
	return nil
}

// readable refuses a version that is past its retention.
func (l *Lake) readable(v pipeline.Version) error {
	r, err := l.retired()
	if err != nil {
		return err
	}
	if v < r.Oldest {
		return fmt.Errorf("version %d is past its retention: the lake keeps those from %d on (retain in the configuration says how many)", v, r.Oldest)
	}
	return nil
}

// oldest is the oldest version that a retention keeps.
func (r Retention) oldest(entries []*entry, now time.Time) pipeline.Version {
	byCount := max(0, len(entries)-max(1, r.Versions))
	byAge := slices.IndexFunc(entries, func(e *entry) bool { return now.Sub(e.Ended) < r.Age })
	if byAge < 0 {
		byAge = byCount
	}
	return pipeline.Version(min(byCount, byAge) + 1)
}

// listedFrom is the files that a version or any later one lists, with their bytes.
func listedFrom(entries []*entry, oldest pipeline.Version) (map[string]int64, error) {
	n := min(int(oldest), len(entries))
	s, err := fold(entries[:n])
	if err != nil {
		return nil, err
	}
	listed := map[string]int64{}
	for p, f := range s.files {
		listed[p] = f.Size
	}
	for _, e := range entries[n:] {
		for _, f := range e.Add {
			listed[f.Path] = f.Size
		}
		for _, r := range e.Rewrite {
			if _, there := listed[r.Path]; there {
				delete(listed, r.Path)
				if r.To != "" {
					listed[r.To] = r.Size
				}
			}
		}
	}
	return listed, nil
}

// retire removes the files whose grace is over, then marks those that a newly retired
// version was the last to list. What is marked now is removed by a later prune.
func (p *pruning) retire(ctx context.Context) error {
	was, err := p.lake.retired()
	if err != nil {
		return err
	}
	entries, err := p.lake.entries(ctx)
	if err != nil || len(entries) == 0 {
		return err
	}
	next := &retirement{Format: Format, Oldest: was.Oldest, Marked: []marked{}}
	if p.Retain != nil {
		next.Oldest = max(was.Oldest, p.Retain.oldest(entries, p.Now))
	}
	listed, err := listedFrom(entries, next.Oldest)
	if err != nil {
		return err
	}
	if err := p.bury(ctx, was, next, listed); err != nil {
		return err
	}
	if p.Retain != nil {
		before, err := listedFrom(entries, was.Oldest)
		if err != nil {
			return err
		}
		if err := p.mark(before, next, listed); err != nil {
			return err
		}
	}
	p.done.Oldest = next.Oldest
	if p.DryRun || next.Oldest == was.Oldest && slices.Equal(next.Marked, was.Marked) {
		return nil
	}
	body, err := json.MarshalIndent(next, "", " ")
	if err != nil {
		return err
	}
	return p.scratch.put(retiredName, append(body, '\n'))
}

// bury removes the marked files whose grace is over, and passes the others on. A file
// that a kept version lists again is no longer marked.
func (p *pruning) bury(ctx context.Context, was, next *retirement, listed map[string]int64) error {
	grace := orphanAge
	if p.Retain != nil {
		grace = p.Retain.Grace
	}
	for _, m := range was.Marked {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, kept := listed[m.Path]; kept {
			continue
		}
		if _, err := p.lake.store.stat(m.Path); errors.Is(err, fs.ErrNotExist) {
			continue // a prune that died removed it
		} else if err != nil {
			return err
		}
		gone := false
		if p.clock.Sub(m.At) >= grace {
			var err error
			if gone, err = p.take(m.Path, p.clock.Add(-grace)); err != nil {
				return err
			}
		}
		if gone {
			p.done.Retired = append(p.done.Retired, m.Path)
			p.done.Bytes += m.Size
		} else {
			next.Marked = append(next.Marked, m)
		}
	}
	return nil
}

// mark marks the files that versions which were kept before list, and none that is
// kept now.
func (p *pruning) mark(before map[string]int64, next *retirement, listed map[string]int64) error {
	known := map[string]bool{}
	for _, m := range next.Marked {
		known[m.Path] = true
	}
	for _, path := range p.done.Retired {
		known[path] = true
	}
	for _, path := range slices.Sorted(maps.Keys(before)) {
		if _, kept := listed[path]; kept || known[path] {
			continue
		}
		if _, err := p.lake.store.stat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		next.Marked = append(next.Marked, marked{Path: path, Size: before[path], At: p.clock.UTC()})
		p.done.Marked = append(p.done.Marked, path)
		p.done.MarkedBytes += before[path]
	}
	slices.SortFunc(next.Marked, func(a, b marked) int { return cmp.Compare(a.Path, b.Path) })
	return nil
}
