package lake

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"seatlake/pipeline"
)

// callsAtOnce is how many calls of one act a bucket gets at a time.
const callsAtOnce = 16

// newestObject is the newest version in a bucket, where a list of all versions would
// cost a call for each thousand, one after the other. What follows a known version is
// found by lists of ten names each; the first time, the checkpoints' names say where
// to begin. They are a hint: where they mislead, the whole log tells.
func (l *Lake) newestObject(known pipeline.Version) (pipeline.Version, error) {
	head, lists := known, pipeline.Version(1) // a run that commits mostly finds nothing new
	var named pipeline.Version
	if known == 0 {
		var err error
		if named, err = l.namedCheckpoint(); err != nil {
			return 0, err
		}
		if named == 0 {
			return l.newestListed()
		}
		head, lists = named-1, 3 // its own object has to be there, and up to twenty more
	}
	for decade := (head + 1) / 10; ; decade += lists {
		names, err := l.listDecades(decade, lists)
		if err != nil {
			return 0, err
		}
		if head, err = l.follow(head, names); err != nil {
			return 0, err
		}
		if head < (decade+lists)*10-1 {
			break
		}
	}
	if head < named {
		return l.newestListed()
	}
	return head, nil
}

// newestListed is the newest version that a list of the whole log has.
func (l *Lake) newestListed() (pipeline.Version, error) {
	names, err := l.store.list(logDir)
	if err != nil {
		return 0, err
	}
	return l.follow(0, names)
}

// namedCheckpoint is the version of the newest checkpoint there is; 0 without one.
func (l *Lake) namedCheckpoint() (pipeline.Version, error) {
	names, err := l.store.list(checkpointDir)
	if err != nil {
		return 0, err
	}
	for i := len(names) - 1; i >= 0; i-- {
		if n := names[i].Name(); checkpointName.MatchString(n) {
			v, err := strconv.ParseInt(n[:12], 10, 64)
			return pipeline.Version(v), err
		}
	}
	return 0, nil
}

// listDecades lists the log objects of so many tens of versions, each with a call.
func (l *Lake) listDecades(first, count pipeline.Version) ([]fs.DirEntry, error) {
	pages := make([][]fs.DirEntry, count)
	group := new(errgroup.Group)
	for i := range pages {
		group.Go(func() (err error) {
			pages[i], err = l.store.listPrefix(fmt.Sprintf("%s/%011d", logDir, int(first)+i))
			return err
		})
	}
	err := group.Wait()
	return slices.Concat(pages...), err
}

// listPrefix lists the objects whose keys begin with a text, sorted.
func (s *store) listPrefix(prefix string) (entries []fs.DirEntry, err error) {
	err = s.do("list", prefix, func() error {
		dir := prefix[:strings.LastIndex(prefix, "/")+1]
		return s.bucket.pages(prefix, "/", func(o *object) error {
			o.name = strings.TrimPrefix(prefix, dir) + o.name
			entries = append(entries, o)
			return nil
		})
	})
	return entries, err
}

// readAll reads some files whole, those of a bucket several at once.
func (s *store) readAll(ctx context.Context, names []string) ([][]byte, error) {
	bodies := make([][]byte, len(names))
	return bodies, s.each(ctx, len(names), func(i int) (err error) {
		bodies[i], err = s.read(names[i])
		return err
	})
}

// each calls fn with the numbers below n, in turn in a directory and several at once in
// a bucket, until one fails.
func (s *store) each(ctx context.Context, n int, fn func(i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(1)
	if s.bucket != nil {
		group.SetLimit(callsAtOnce)
	}
	for i := range n {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return fn(i)
		})
	}
	return group.Wait()
}
