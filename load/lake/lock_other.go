//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package lake

import (
	"io/fs"
	"os"
	"time"
)

// locks says that a lock may have several holders.
const locks = false

// lockFile does nothing: age decides what is abandoned.
func lockFile(*os.File) error { return nil }

// abandoned says that a lock file is two days older than the newest one.
func abandoned(e fs.DirEntry, now time.Time) bool {
	info, err := e.Info()
	return err == nil && now.Sub(info.ModTime()) > orphanAge
}
