package lake

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync/atomic"
	"time"
)

// stagingDir holds a directory and a lock file per process and task at work.
const stagingDir = ".staging"

// scratch is a directory of unfinished files. Its lock file is locked as long as
// its owner lives, which is how others tell what they may sweep away.
type scratch struct {
	store *store
	dir   string
	lock  *os.File
	count atomic.Int64

	object *leaseObject // keeps other machines from the same task; mostly nil
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
// process has it, or another machine the name's lease in a bucket.
func (s *store) scratchAlone(ctx context.Context, name string) (*scratch, error) {
	for {
		t, err := s.scratchNamed(name)
		if err == nil && s.bucket != nil {
			t.object, err = s.takeObject(path.Join(leaseDir, "task-"+name+".json"), Holder{})
			if errors.As(err, new(*heldObject)) {
				err = errHeld
			}
			if err != nil {
				err = errors.Join(err, t.remove())
			}
		}
		if err == nil {
			return t, nil
		}
		if !errors.Is(err, errHeld) {
			return nil, err
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
		f, err = os.OpenFile(s.file(name), os.O_RDWR|flag, 0o600)
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
		if there, err := os.Lstat(s.file(name)); err != nil || !os.SameFile(mine, there) {
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
	err := t.object.release()
	t.object = nil
	err = errors.Join(err, t.store.remove(t.dir))
	if err == nil {
		err = t.store.remove(t.dir + lockSuffix)
	}
	return errors.Join(err, t.lock.Close())
}

// put writes an object whole, in place of the one that is there.
func (t *scratch) put(name string, body []byte) error {
	if s := t.store; s.inBucket(name) {
		return s.do("rename", name, func() error { return s.bucket.put(name, body) })
	}
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
	if s := t.store; s.inBucket(name) {
		return s.do("link", name, func() error { return s.bucket.create(name, body) })
	}
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

// discard takes a directory out of sight as a whole, and then away. In a bucket its
// objects go one by one, the head first, without which nobody looks at the others.
func (t *scratch) discard(dir, head string) error {
	s := t.store
	if !s.inBucket(dir) {
		if err := s.rename(dir, t.temp()); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if head != "" {
		if err := s.remove(path.Join(dir, head)); err != nil {
			return err
		}
	}
	return s.do("remove", dir, func() error { return s.bucket.removeAll(dir) })
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
