//go:build darwin || linux

package main

import (
	"fmt"
	"syscall"
)

// freeSpace is how many bytes of a directory's disk this user may still take.
func freeSpace(dir string) (uint64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	return s.Bavail * uint64(s.Bsize), nil
}
