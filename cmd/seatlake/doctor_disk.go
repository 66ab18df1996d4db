package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// probeDirectory tries in a lake's directory, or where it would be made, what a lake
// does: make a directory, write and sync a file, link it, sync the directory. What it
// made is removed again. It returns the directory it tried.
func probeDirectory(lake string) (string, error) {
	dir, err := existing(lake)
	if err != nil {
		return "", err
	}
	probe, err := os.MkdirTemp(dir, ".seatlake-doctor-")
	if err != nil {
		return dir, fmt.Errorf("no directory can be made in %s: %w", dir, err)
	}
	err = tryFiles(probe)
	if rerr := os.RemoveAll(probe); rerr != nil {
		err = errors.Join(err, fmt.Errorf("what was made in %s cannot be removed: %w", dir, rerr))
	}
	return dir, err
}

// existing is the directory itself, or the nearest one above it that is there.
func existing(dir string) (string, error) {
	for {
		info, err := os.Stat(dir)
		switch {
		case err == nil && !info.IsDir():
			return "", fmt.Errorf("%s is not a directory", dir)
		case err == nil:
			return dir, nil
		case !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir):
			return "", err
		}
		dir = filepath.Dir(dir)
	}
}

func tryFiles(dir string) error {
	name := filepath.Join(dir, "file")
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("no file can be made in %s: %w", filepath.Dir(dir), err)
	}
	_, err = f.Write(make([]byte, 4096))
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("a file in %s cannot be written: %w", filepath.Dir(dir), err)
	}
	if err := os.Link(name, name+".link"); err != nil {
		return fmt.Errorf("files in %s cannot be linked, which a commit takes: %w", filepath.Dir(dir), err)
	}
	return syncDirectory(dir)
}

func syncDirectory(dir string) error {
	f, err := os.Open(dir)
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	if err != nil {
		return fmt.Errorf("directories in %s cannot be synced: %w", filepath.Dir(dir), err)
	}
	return nil
}
