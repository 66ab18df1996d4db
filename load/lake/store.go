package lake

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// store is the lake's directory. Everything the package does to the file system
// is one of its acts, so that another store can take its place. Names are
// slash-separated and relative to the root; whoever makes a name has checked its
// parts.
type store struct {
	root string // absolute

	// fault, when set, is asked before and after each act and fails it by an
	// error: a fault after the act is an answer that was lost.
	fault func(act, name string, done bool) error
}

func (s *store) path(name string) string {
	return filepath.Join(s.root, filepath.FromSlash(name))
}

// do runs one act and explains its error.
func (s *store) do(act, name string, fn func() error) error {
	if s.fault != nil {
		if err := s.fault(act, name, false); err != nil {
			return explain(act, s.path(name), err)
		}
	}
	err := fn()
	if err == nil && s.fault != nil {
		err = s.fault(act, name, true)
	}
	return explain(act, s.path(name), err)
}

// explain says what was done to which path, and how a person can mend it.
func explain(act, at string, err error) error {
	if err == nil {
		return nil
	}
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		err = pe.Err // the path is named once
	} else if le := (*os.LinkError)(nil); errors.As(err, &le) {
		err = le.Err
	}
	cure := ""
	switch {
	case errors.Is(err, syscall.ENOSPC):
		cure = "the disk is full: make room there, then run again"
	case errors.Is(err, syscall.EROFS):
		cure = "the file system is read-only: mount it for writing, or move the lake"
	case errors.Is(err, syscall.EXDEV), errors.Is(err, syscall.ENOTSUP), act == "link" && errors.Is(err, syscall.EPERM):
		cure = "a lake needs one file system with hard links: move it to a local disk"
	case errors.Is(err, fs.ErrPermission):
		cure = "let the user that runs seatlake read and write the lake"
	case errors.Is(err, syscall.EMFILE):
		cure = "raise the limit of open files (ulimit -n)"
	default:
		return fmt.Errorf("%s %s: %w", act, at, err)
	}
	return fmt.Errorf("%s %s: %w (%s)", act, at, err, cure)
}

// mkdir makes a directory and its parents.
func (s *store) mkdir(name string) error {
	return s.do("mkdir", name, func() error { return os.MkdirAll(s.path(name), 0o700) })
}

// read returns a whole file. The error of an absent one is fs.ErrNotExist.
func (s *store) read(name string) (body []byte, err error) {
	err = s.do("read", name, func() error {
		body, err = os.ReadFile(s.path(name))
		return err
	})
	return body, err
}

// open opens a file for reading. The caller closes it.
func (s *store) open(name string) (f *os.File, err error) {
	err = s.do("open", name, func() error {
		f, err = os.Open(s.path(name))
		return err
	})
	if err != nil && f != nil {
		f.Close()
	}
	return f, err
}

// stat returns a file's size and time of last change.
func (s *store) stat(name string) (info fs.FileInfo, err error) {
	err = s.do("stat", name, func() error {
		info, err = os.Lstat(s.path(name))
		return err
	})
	return info, err
}

// list returns a directory's entries sorted by name; an absent directory is empty.
func (s *store) list(name string) (entries []fs.DirEntry, err error) {
	err = s.do("list", name, func() error {
		entries, err = os.ReadDir(s.path(name))
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return err
	})
	return entries, err
}

// walk calls fn with every file below a directory, in the order of their names.
func (s *store) walk(name string, fn func(name string, info fs.DirEntry) error) error {
	entries, err := s.list(name)
	if err != nil {
		return err
	}
	for _, e := range entries {
		below := path.Join(name, e.Name())
		if e.IsDir() {
			err = s.walk(below, fn)
		} else {
			err = fn(below, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rename moves a file or directory to its name. A file that is there is replaced.
func (s *store) rename(from, to string) error {
	if err := s.mkdir(path.Dir(to)); err != nil {
		return err
	}
	return s.do("rename", to, func() error { return os.Rename(s.path(from), s.path(to)) })
}

// link gives a file a second name. The error of a name that is taken is
// fs.ErrExist; of many processes that try one name, one succeeds.
func (s *store) link(from, to string) error {
	if err := s.mkdir(path.Dir(to)); err != nil {
		return err
	}
	return s.do("link", to, func() error { return os.Link(s.path(from), s.path(to)) })
}

// remove removes a file, or a directory and all below. What is absent is removed.
func (s *store) remove(name string) error {
	return s.do("remove", name, func() error { return os.RemoveAll(s.path(name)) })
}

// syncFile makes the bytes of a closed file durable.
func (s *store) syncFile(name string) error {
	return s.do("sync", name, func() error { return syncPath(s.path(name)) })
}

// syncDirs makes the names in some directories durable, and those of the
// directories themselves up to the root.
func (s *store) syncDirs(names ...string) error {
	if runtime.GOOS == "windows" { // directories cannot be synced there
		return nil
	}
	seen := map[string]bool{}
	var all []string
	for _, name := range names {
		for !seen[name] {
			seen[name] = true
			all = append(all, name)
			name = path.Dir(name)
		}
	}
	slices.SortFunc(all, func(a, b string) int {
		return strings.Count(b, "/") - strings.Count(a, "/") // the deepest first
	})
	for _, name := range all {
		if err := s.syncFile(name); err != nil {
			return err
		}
	}
	return nil
}

func syncPath(at string) error {
	f, err := os.Open(at)
	if err != nil {
		return err
	}
	err = f.Sync()
	return errors.Join(err, f.Close())
}

// file is a new file being written, and the hash of what was written.
type file struct {
	store *store
	name  string
	f     *os.File
	sum   hash.Hash
	size  int64
}

// create makes a new file. The error of a name that is taken is fs.ErrExist. The
// caller ends it with close.
func (s *store) create(name string) (*file, error) {
	f := &file{store: s, name: name, sum: sha256.New()}
	err := s.do("create", name, func() (err error) {
		f.f, err = os.OpenFile(s.path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		return err
	})
	if err != nil {
		if f.f != nil {
			f.f.Close()
		}
		return nil, err
	}
	return f, nil
}

// reopen opens a file for writing behind its first size bytes and cuts off the
// rest. An absent file is made. The hash is of what is written from here on.
func (s *store) reopen(name string, size int64) (*file, error) {
	f := &file{store: s, name: name, sum: sha256.New()}
	err := s.do("open", name, func() (err error) {
		if f.f, err = os.OpenFile(s.path(name), os.O_WRONLY|os.O_CREATE, 0o600); err != nil {
			return err
		}
		if err := f.f.Truncate(size); err != nil {
			return err
		}
		_, err = f.f.Seek(size, io.SeekStart)
		return err
	})
	if err != nil {
		if f.f != nil {
			f.f.Close()
		}
		return nil, err
	}
	return f, nil
}

func (f *file) Write(p []byte) (n int, err error) {
	err = f.store.do("write", f.name, func() error {
		n, err = f.f.Write(p)
		return err
	})
	f.sum.Write(p[:n])
	f.size += int64(n)
	return n, err
}

// finish makes the file durable and closes it.
func (f *file) finish() error {
	err := f.store.do("sync", f.name, f.f.Sync)
	return errors.Join(err, f.close())
}

func (f *file) close() error {
	return f.store.do("close", f.name, f.f.Close)
}

// sha256 is the hash of what was written, in hex.
func (f *file) sha256() string { return hex.EncodeToString(f.sum.Sum(nil)) }

// stagingDir holds a directory and a lock file per process and task at work.
const stagingDir = ".staging"

// scratch is a directory of unfinished files. Its lock file is locked as long as
// its owner lives, which is how others tell what they may sweep away.
type scratch struct {
	store *store
	dir   string
	lock  *os.File
	count atomic.Int64
}

// scratch makes a scratch directory whose name begins with prefix. The caller
// removes it.
func (s *store) scratch(prefix string) (*scratch, error) {
	for {
		t, err := s.scratchNamed(prefix + "-" + strings.ToLower(rand.Text()[:12]))
		// A sweep takes a new lock file for a dead one when it comes between its
		// making and its locking.
		if !errors.Is(err, errHeld) {
			return t, err
		}
	}
}

// scratchAlone makes the one scratch directory of a name, and waits while another
// process has it.
func (s *store) scratchAlone(ctx context.Context, name string) (*scratch, error) {
	for {
		t, err := s.scratchNamed(name)
		if !errors.Is(err, errHeld) {
			return t, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for another process: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// errHeld says that a living process holds a scratch directory.
var errHeld = errors.New("held by another process")

func (s *store) scratchNamed(name string) (*scratch, error) {
	if err := s.mkdir(stagingDir); err != nil {
		return nil, err
	}
	t := &scratch{store: s, dir: path.Join(stagingDir, name)}
	var err error
	// The lock comes before the directory and goes after it, so no directory is
	// ever without one.
	if t.lock, err = s.acquire(t.dir+lockSuffix, os.O_CREATE); err != nil {
		return nil, err
	}
	if err := s.remove(t.dir); err != nil { // a dead owner's, where names are fixed
		t.lock.Close()
		return nil, err
	}
	if err := s.mkdir(t.dir); err != nil {
		return nil, errors.Join(err, t.remove())
	}
	return t, nil
}

const lockSuffix = ".lock"

// acquire opens and locks a lock file. The lock ends when the file is closed.
func (s *store) acquire(name string, flag int) (f *os.File, err error) {
	err = s.do("lock", name, func() error {
		f, err = os.OpenFile(s.path(name), os.O_RDWR|flag, 0o600)
		if err != nil {
			return err
		}
		if err := lockFile(f); err != nil {
			return err
		}
		// Whoever held the lock before may have removed the file under it.
		mine, err := f.Stat()
		if err != nil {
			return err
		}
		if there, err := os.Lstat(s.path(name)); err != nil || !os.SameFile(mine, there) {
			return errHeld
		}
		return nil
	})
	if err != nil && f != nil {
		f.Close()
		f = nil
	}
	return f, err
}

// temp is a fresh name in the directory.
func (t *scratch) temp() string {
	return fmt.Sprintf("%s/%06d", t.dir, t.count.Add(1))
}

// remove ends the scratch directory and all that is still in it.
func (t *scratch) remove() error {
	err := t.store.remove(t.dir)
	if err == nil {
		err = t.store.remove(t.dir + lockSuffix)
	}
	return errors.Join(err, t.lock.Close())
}

// put writes an object whole, in place of the one that is there.
func (t *scratch) put(name string, body []byte) error {
	temp, err := t.write(body)
	if err != nil {
		return err
	}
	if err := t.store.rename(temp, name); err != nil {
		return err
	}
	return t.store.syncDirs(path.Dir(name))
}

// putNew writes an object whole if its name is free; else the error is
// fs.ErrExist. After any other error the object may or may not be there.
func (t *scratch) putNew(name string, body []byte) error {
	temp, err := t.write(body)
	if err != nil {
		return err
	}
	if err := t.store.link(temp, name); err != nil {
		return err
	}
	if err := t.store.syncDirs(path.Dir(name)); err != nil {
		return err
	}
	return t.store.remove(temp)
}

func (t *scratch) write(body []byte) (string, error) {
	temp := t.temp()
	f, err := t.store.create(temp)
	if err != nil {
		return "", err
	}
	if _, err := f.Write(body); err != nil {
		return "", errors.Join(err, f.close())
	}
	return temp, f.finish()
}

// copyIn copies a file of any place into the directory and returns it, finished.
func (t *scratch) copyIn(from string, name string) (*file, error) {
	in, err := os.Open(from)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	f, err := t.store.create(name)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(f, in); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, f.finish()
}

// sweep removes the scratch directories of processes that are gone.
func (s *store) sweep() error {
	entries, err := s.list(stagingDir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(stagingDir, e.Name())
		if path.Ext(name) != lockSuffix || !abandoned(e, newest(entries)) {
			continue
		}
		lock, err := s.acquire(name, 0)
		if errors.Is(err, errHeld) || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		dead := &scratch{store: s, dir: strings.TrimSuffix(name, lockSuffix), lock: lock}
		if err := dead.remove(); err != nil {
			return fmt.Errorf("sweep what a dead process left: %w", err)
		}
	}
	return nil
}

// newest is the latest change among some entries: the file system's own clock,
// as near as it can be read.
func newest(entries []fs.DirEntry) time.Time {
	var t time.Time
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.ModTime().After(t) {
			t = info.ModTime()
		}
	}
	return t
}
