//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package lake

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// locks says that a lock is held by one process at most.
const locks = true

// lockFile takes the lock of an open file, which ends with the process at the
// latest; errHeld says that another has it.
func lockFile(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EWOULDBLOCK):
			return errHeld
		}
		return err
	}
}

// abandoned says whether a lock file may be of a dead process; its lock decides.
func abandoned(fs.DirEntry, time.Time) bool { return true }
