package lake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"seatlake/pipeline"
)

// The mirror is the copies of a bucket's files in the work directory of a lake, for
// engines that read files. A copy's name is the SHA-256 of its bytes:
//
//	mirror/<first 2 hex digits>/<64 hex digits>
//
// so it is never out of date, two versions share it, and damage shows by itself. It
// is compared with its name once, when it comes; later its size has to do, and Repair
// compares again.
//
// Who reads copies gives them a second name, in a scratch directory that lasts as long
// as the process at most. So a copy may be removed from the mirror at any time, by
// another process that makes room or by a person who removes the directory, and its
// bytes stay until their last reader is done.
const mirrorDir = "mirror"

const (
	fetchedAtOnce = 16 // files; a store answers many at once as fast as one
	fetchTries    = 3  // of a file whose bytes are not what they have to be
)

// Want is a file of the lake that somebody is going to read: a data file or a mart.
type Want struct {
	Path   string // relative to the lake
	Size   int64  // bytes
	SHA256 string
}

// Wanted are data files as files to read.
func Wanted(files []pipeline.File) []Want {
	wants := make([]Want, len(files))
	for i, f := range files {
		wants[i] = Want{f.Path, f.Size, f.SHA256}
	}
	return wants
}

// Want is the mart as a file to read.
func (f GoldFile) Want() Want { return Want{f.Path, f.Size, f.SHA256} }

// Mirroring is how files of a bucket come to this machine. The zero value is right
// where nobody watches.
type Mirroring struct {
	// MaxSize is what the mirror may take when the fetch is over, in bytes; the copies
	// that were longest without a reader go first. 0 means no bound.
	MaxSize int64

	// Begin is told how much is not here yet, if anything; Arrived, from several
	// goroutines, how many bytes more have come. Both may be nil.
	Begin   func(files int, bytes int64)
	Arrived func(bytes int64)
}

// Copies are files of the lake on this machine. They are nobody's to change.
type Copies struct {
	store   *store
	scratch *scratch // holds their names; nil for those of a lake in a directory
}

// Path is where a file is that was fetched, absolute.
func (c *Copies) Path(name string) string {
	if c.scratch == nil {
		return c.store.path(name)
	}
	return c.scratch.store.path(c.scratch.dir + "/" + name)
}

// Close gives the copies up. They stay in the mirror.
func (c *Copies) Close() error {
	if c.scratch == nil {
		return nil
	}
	return c.scratch.remove()
}

// Fetch brings files to this machine, several at once, unless they are there. Those of
// a lake in a directory are. Every other was compared with its size and SHA-256 when it
// came; one whose bytes are not what the log says is fetched again, and then an error
// that names it. The caller closes the copies.
func (l *Lake) Fetch(ctx context.Context, wants []Want) (*Copies, error) {
	if l.store.bucket == nil {
		return &Copies{store: l.store}, nil
	}
	return l.store.mirror().copies(ctx, wants, l.Mirroring)
}

// mirror is the copies of a bucket's files.
func (s *store) mirror() *mirror {
	return &mirror{work: s.work(), fetch: s.bucket.fetch, at: s.path}
}

// local gives the path, on this machine, of an object that never changes and has the
// stated size and SHA-256. In a directory it is the file itself, which is not read. A
// copy of what is in a bucket stays until the mirror makes room.
func (s *store) local(ctx context.Context, name string, size int64, sum string) (string, error) {
	if s.bucket == nil {
		return s.path(name), nil
	}
	m := s.mirror()
	c, err := m.copies(ctx, []Want{{name, size, sum}}, Mirroring{})
	if err != nil {
		return "", err
	}
	return m.work.path(mirrorName(sum)), c.Close()
}

// mirror is the copies in a work directory.
type mirror struct {
	work  *store                                            // a directory
	fetch func(name string, to *os.File) (time.Time, error) // writes an object into a file
	at    func(name string) string                          // an object, for people
}

func mirrorName(sum string) string { return mirrorDir + "/" + sum[:2] + "/" + sum }

func (m *mirror) copies(ctx context.Context, wants []Want, o Mirroring) (*Copies, error) {
	if err := m.work.sweep(); err != nil {
		return nil, err
	}
	s, err := m.work.scratch("read")
	if err != nil {
		return nil, err
	}
	c := &Copies{store: m.work, scratch: s}
	if err := m.fill(ctx, s, wants, o); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// fill gives every wanted file its name in the scratch directory.
func (m *mirror) fill(ctx context.Context, s *scratch, wants []Want, o Mirroring) error {
	now, err := s.now()
	if err != nil {
		return err
	}
	var missing []Want
	var size int64
	seen := map[string]bool{}
	for _, w := range wants {
		if !sumForm.MatchString(w.SHA256) || !fs.ValidPath(w.Path) {
			return fmt.Errorf("file %q with SHA-256 %q is not one of a lake", w.Path, w.SHA256)
		}
		if seen[w.Path] {
			continue
		}
		seen[w.Path] = true
		to := s.dir + "/" + w.Path
		if err := m.work.mkdir(path.Dir(to)); err != nil {
			return err
		}
		there, err := m.take(w, to, now)
		if err != nil {
			return err
		}
		if !there {
			missing = append(missing, w)
			size += w.Size
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if o.Begin != nil {
		o.Begin(len(missing), size)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(fetchedAtOnce)
	for _, w := range missing {
		g.Go(func() error { return m.bring(ctx, w, s.dir+"/"+w.Path, o.Arrived) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if o.MaxSize <= 0 {
		return nil
	}
	return m.trim(o.MaxSize)
}

// take gives a copy of the mirror its name for a reader, and says whether there is one.
// A copy of another size is cut off or damaged, and goes.
func (m *mirror) take(w Want, to string, now time.Time) (bool, error) {
	from := mirrorName(w.SHA256)
	err := m.work.link(from, to)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	info, err := m.work.stat(to)
	if err != nil {
		return false, err
	}
	if info.Size() != w.Size {
		return false, errors.Join(m.work.remove(from), m.work.remove(to))
	}
	err = m.work.do("touch", to, func() error { return os.Chtimes(m.work.path(to), now, now) })
	return true, err
}

// bring fetches a file, compares it, and gives it its name in the mirror as well.
func (m *mirror) bring(ctx context.Context, w Want, to string, arrived func(int64)) error {
	var wrong error
	for range fetchTries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := m.work.remove(to); err != nil {
			return err
		}
		f, err := m.work.create(to)
		if err != nil {
			return err
		}
		_, err = m.fetch(w.Path, f.f)
		if err = errors.Join(err, f.close()); err != nil {
			return err
		}
		sum, err := m.work.hash(to)
		if err != nil {
			return err
		}
		info, err := m.work.stat(to)
		if err != nil {
			return err
		}
		switch {
		case info.Size() != w.Size:
			wrong = fmt.Errorf("it has %d bytes, and %d were written", info.Size(), w.Size)
			continue
		case sum != w.SHA256:
			wrong = fmt.Errorf("its SHA-256 is %s, and %s was written", sum, w.SHA256)
			continue
		}
		if arrived != nil {
			arrived(w.Size)
		}
		return m.keep(to, mirrorName(w.SHA256))
	}
	return &DamagedError{Path: w.Path, At: m.at(w.Path), Err: wrong}
}

// keep gives a sound copy its name in the mirror. Another process may have given it to
// the same bytes.
func (m *mirror) keep(from, to string) error {
	err := m.work.link(from, to)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// DamagedError is the error of a file of the lake whose bytes are not those that were
// written, as often as it is read.
type DamagedError struct {
	Path string // relative to the lake
	At   string // for people
	Err  error  // what is wrong with it
}

func (e *DamagedError) Error() string {
	cure := "`seatlake replay` writes it again from the kept pages"
	if strings.HasPrefix(e.Path, goldDir+"/") {
		cure = "`seatlake check --repair` builds it again"
	}
	return fmt.Sprintf("%s was read %d times and is damaged in the store: %v (%s)", e.At, fetchTries, e.Err, cure)
}

func (e *DamagedError) Unwrap() error { return e.Err }

// trim removes the copies that were longest without a reader until the others take no
// more than max bytes. Their readers keep them by the names that they gave them.
func (m *mirror) trim(maxSize int64) error {
	var all []fs.FileInfo
	var size int64
	err := m.work.walk(mirrorDir, func(_ string, e fs.DirEntry) error {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // another process makes room
		}
		if err != nil {
			return err
		}
		all, size = append(all, info), size+info.Size()
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(all, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, info := range all {
		if size <= maxSize {
			break
		}
		sum := info.Name()
		if !sumForm.MatchString(sum) {
			continue // what is not ours is not ours to remove
		}
		if err := m.work.remove(mirrorName(sum)); err != nil {
			return err
		}
		size -= info.Size()
	}
	return nil
}

// repair removes the copies that are not what their names say, and gives their names.
func (m *mirror) repair(ctx context.Context) ([]string, error) {
	var gone []string
	err := m.work.walk(mirrorDir, func(name string, _ fs.DirEntry) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		sum, err := m.work.hash(name)
		if errors.Is(err, fs.ErrNotExist) || err == nil && sum == path.Base(name) {
			return nil
		}
		if err != nil {
			return err
		}
		gone = append(gone, name)
		return m.work.remove(name)
	})
	return gone, err
}
