package lake

import (
	"context"
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
	"syscall"
)

// store is where a lake is. Everything the package does to a file system or a bucket
// is one of its acts. Names are slash-separated and relative to the lake; whoever
// makes a name has checked its parts.
//
// A lake in a directory has all of it there. A lake in a bucket has a *work directory*
// on this machine for what a bucket cannot do: unfinished files, locks, and copies of
// objects for those who read files. What is below .staging/ is in the work directory,
// and everything else in the bucket. There, moving a finished file to its name is an
// upload, giving it a name that must be free is a conditional one, and syncing is
// nothing, since an answered upload is durable.
type store struct {
	root   string  // absolute: the lake's directory, or the work directory
	bucket *bucket // nil in a directory

	// fault, when set, is asked before and after each act and fails it by an
	// error: a fault after the act is an answer that was lost.
	fault func(act, name string, done bool) error
}

// inBucket says that a name is an object's, and not a file's on this machine.
func (s *store) inBucket(name string) bool {
	return s.bucket != nil && name != stagingDir && !strings.HasPrefix(name, stagingDir+"/")
}

// context is that of acts on the store.
func (s *store) context() context.Context {
	if s.bucket == nil {
		return context.Background()
	}
	return s.bucket.ctx
}

// work is the work directory by itself: of a lake in a directory, that directory.
func (s *store) work() *store {
	if s.bucket == nil {
		return s
	}
	return &store{root: s.root, fault: s.fault}
}

// file is the path of a name that is a file's on this machine.
func (s *store) file(name string) string {
	return filepath.Join(s.root, filepath.FromSlash(name))
}

// path is where a name is, for people: a file's path, or an object's URL.
func (s *store) path(name string) string {
	if s.inBucket(name) {
		return s.bucket.at(name)
	}
	return s.file(name)
}

// where is where the lake is, for people.
func (s *store) where() string {
	if s.bucket != nil {
		return s.bucket.url
	}
	return s.root
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
	if be := (*bucketError)(nil); errors.As(err, &be) {
		return err // it says all this already
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

// mkdir makes a directory and its parents. A bucket has none.
func (s *store) mkdir(name string) error {
	if s.inBucket(name) {
		return nil
	}
	return s.do("mkdir", name, func() error { return os.MkdirAll(s.file(name), 0o700) })
}

// read returns a whole file. The error of an absent one is fs.ErrNotExist.
func (s *store) read(name string) (body []byte, err error) {
	err = s.do("read", name, func() error {
		if s.inBucket(name) {
			body, err = s.bucket.read(name)
		} else {
			body, err = os.ReadFile(s.file(name))
		}
		return err
	})
	return body, err
}

// opened is a file that is open for reading. Of an object it is a copy that was
// fetched for this reader, and is no longer when it is closed.
type opened struct {
	*os.File
	named bool // the copy still has a name, since open files cannot lose theirs here
}

func (f *opened) Close() error {
	err := f.File.Close()
	if f.named {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}

// open opens a file as it is in the store now. The caller closes it.
func (s *store) open(name string) (f *opened, err error) {
	err = s.do("open", name, func() error {
		f = new(opened)
		if !s.inBucket(name) {
			f.File, err = os.Open(s.file(name))
			return err
		}
		if err := s.mkdir(stagingDir); err != nil {
			return err
		}
		if f.File, err = os.CreateTemp(s.file(stagingDir), "read-*"); err != nil {
			return err
		}
		f.named = os.Remove(f.Name()) != nil
		if _, err := s.bucket.fetch(name, f.File); err != nil {
			return err
		}
		_, err = f.Seek(0, io.SeekStart)
		return err
	})
	if err != nil {
		if f != nil && f.File != nil {
			f.Close()
		}
		return nil, err
	}
	return f, nil
}

// stat returns a file's size and time of last change.
func (s *store) stat(name string) (info fs.FileInfo, err error) {
	err = s.do("stat", name, func() error {
		if s.inBucket(name) {
			info, err = s.bucket.stat(name)
		} else {
			info, err = os.Lstat(s.file(name))
		}
		return err
	})
	return info, err
}

// list returns a directory's entries sorted by name; an absent directory is empty.
func (s *store) list(name string) (entries []fs.DirEntry, err error) {
	err = s.do("list", name, func() error {
		if s.inBucket(name) {
			entries, err = s.bucket.list(name)
			return err
		}
		entries, err = os.ReadDir(s.file(name))
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return err
	})
	return entries, err
}

// walk calls fn with every file below a directory, in the order of their names.
func (s *store) walk(name string, fn func(name string, info fs.DirEntry) error) error {
	if s.inBucket(name) {
		return s.do("list", name, func() error { return s.bucket.walk(name, fn) })
	}
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
// An object that is moved out of the bucket keeps its time of last change. Objects
// are not moved within it.
func (s *store) rename(from, to string) error {
	if err := s.mkdir(path.Dir(to)); err != nil {
		return err
	}
	return s.do("rename", to, func() error {
		switch {
		case s.inBucket(from) && s.inBucket(to):
			return fmt.Errorf("move %s in a bucket: %w", s.path(from), errors.ErrUnsupported)
		case s.inBucket(from):
			return s.takeOut(from, to)
		case s.inBucket(to):
			if err := s.upload(from, to); err != nil {
				return err
			}
			return os.RemoveAll(s.file(from))
		}
		return os.Rename(s.file(from), s.file(to))
	})
}

// upload puts a file, or the files of a directory, under their names in the bucket.
func (s *store) upload(from, to string) error {
	info, err := os.Stat(s.file(from))
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return s.bucket.putFile(to, s.file(from))
	}
	return s.work().walk(from, func(name string, _ fs.DirEntry) error {
		return s.bucket.putFile(to+strings.TrimPrefix(name, from), s.file(name))
	})
}

// takeOut moves an object to a file.
func (s *store) takeOut(from, to string) error {
	f, err := os.OpenFile(s.file(to), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	changed, err := s.bucket.fetch(from, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Chtimes(f.Name(), changed, changed); err != nil {
		return err
	}
	return s.bucket.remove(from)
}

// settle moves a finished data file to its path, whose name has the file's hash. It
// says whether an object had the name before: then the same bytes are put again, so
// that they are young, and the file stays where it was for who has to put them once
// more.
func (s *store) settle(from, to string) (was bool, err error) {
	if !s.inBucket(to) {
		return false, s.rename(from, to)
	}
	err = s.do("link", to, func() error { return s.bucket.createFile(to, s.file(from)) })
	if errors.Is(err, fs.ErrExist) {
		return true, s.do("rename", to, func() error { return s.bucket.putFile(to, s.file(from)) })
	}
	return false, err
}

// link gives a file a second name. The error of a name that is taken is
// fs.ErrExist; of many processes that try one name, one succeeds.
func (s *store) link(from, to string) error {
	if err := s.mkdir(path.Dir(to)); err != nil {
		return err
	}
	return s.do("link", to, func() error {
		if s.inBucket(to) {
			return s.bucket.createFile(to, s.file(from))
		}
		return os.Link(s.file(from), s.file(to))
	})
}

// remove removes a file, or a directory and all below. What is absent is removed. In a
// bucket a name with an extension is an object's, and any other may be a directory's.
func (s *store) remove(name string) error {
	return s.do("remove", name, func() error {
		if s.inBucket(name) && path.Ext(name) != "" {
			return s.bucket.remove(name)
		}
		if s.inBucket(name) {
			return s.bucket.removeAll(name)
		}
		return os.RemoveAll(s.file(name))
	})
}

// syncFile makes the bytes of a closed file durable.
func (s *store) syncFile(name string) error {
	if s.inBucket(name) {
		return nil
	}
	return s.do("sync", name, func() error { return syncPath(s.file(name)) })
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
		for !seen[name] && !s.inBucket(name) {
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
		f.f, err = os.OpenFile(s.file(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
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
		if f.f, err = os.OpenFile(s.file(name), os.O_WRONLY|os.O_CREATE, 0o600); err != nil {
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
