// Package tokenstore keeps refresh tokens from run to run: in the keyring of the
// operating system or, where there is none, in a file that age encrypts.
//
// It promises that a token is on disk in encrypted form only, that a file is
// whole or as it was, and that of two processes which replace a token at once the
// second sees what the first has stored. It leaves out what a token is worth:
// that is extract/graph's.
package tokenstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/zalando/go-keyring"
)

// Place is where tokens rest.
type Place string

// The places. Anywhere is a file that is there already, else the keyring, else a
// file.
const (
	Anywhere Place = ""
	Keyring  Place = "keyring"
	File     Place = "file"
)

// Passphrase is the environment variable that people set for Store.Passphrase. The
// errors of this package name it.
const Passphrase = "SEATLAKE_TOKEN_PASSPHRASE"

// Store is the place of one refresh token. It is safe for concurrent use.
type Store struct {
	Dir   string // of its files; made when needed, for the user alone
	Name  string // of the token: who it is for, and where it is good
	Place Place
	// Passphrase encrypts the file. With "" a key does that is kept beside it, so
	// that a copy of the file alone is of no use, and one of the folder is.
	Passphrase string

	workFactor int // of the passphrase, for tests; 0: age's

	mu   sync.Mutex
	kept string // where the token was last found or put, for people
}

// Update gives fn the token that is stored, or "" when there is none, and stores
// the one that fn returns. No one else is within Update or Put of the same token
// meanwhile, in this process or another. An error of fn is returned as it is, and
// leaves what is stored.
func (s *Store) Update(ctx context.Context, fn func(stored string) (string, error)) error {
	unlock, err := s.lock(ctx, s.file()+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	place, stored, err := s.get()
	if err != nil {
		return err
	}
	fresh, err := fn(stored)
	if err != nil || fresh == stored {
		return err
	}
	return s.put(place, fresh)
}

// Put stores a token in place of whatever is stored, be it legible or not.
func (s *Store) Put(ctx context.Context, token string) error {
	unlock, err := s.lock(ctx, s.file()+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	if err := s.put(s.Place, token); err != nil {
		return err
	}
	if s.Place == Anywhere && s.Kept() == inKeyring {
		// A file would be found before the keyring.
		if err := os.Remove(s.file()); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove the refresh token of an earlier sign-in: %w", err)
		}
	}
	return nil
}

// Kept says to people where the token was last found or put.
func (s *Store) Kept() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept
}

func (s *Store) keep(where string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = where
}

const (
	service   = "seatlake" // what the keyring knows us by
	inKeyring = "the keyring of the operating system"
)

// get finds the token, and the place it is in or belongs.
func (s *Store) get() (Place, string, error) {
	if s.Place != Keyring {
		token, err := s.readFile()
		if s.Place == File || !errors.Is(err, os.ErrNotExist) {
			s.keep(s.file())
			if errors.Is(err, os.ErrNotExist) {
				err = nil
			}
			return File, token, err
		}
	}
	token, err := keyring.Get(service, s.Name)
	s.keep(inKeyring)
	switch {
	case err == nil:
		return s.Place, token, nil
	case errors.Is(err, keyring.ErrNotFound):
		return s.Place, "", nil
	case s.Place == Anywhere: // no keyring here
		s.keep(s.file())
		return File, "", nil
	default:
		return s.Place, "", fmt.Errorf("refresh token in %s: %w; unlock it, or keep the token in a file (token_store: file)", inKeyring, err)
	}
}

func (s *Store) put(place Place, token string) error {
	if place != File {
		err := keyring.Set(service, s.Name, token)
		if err == nil {
			s.keep(inKeyring)
			return nil
		}
		if s.Place == Keyring {
			return fmt.Errorf("store the refresh token in %s: %w; unlock it, or keep the token in a file (token_store: file)", inKeyring, err)
		}
	}
	s.keep(s.file())
	return s.writeFile(token)
}

// lock waits until a file is locked for this caller alone. A lock ends with its
// process, however that ends; its file stays.
func (s *Store) lock(ctx context.Context, path string) (unlock func(), err error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("folder of refresh tokens: %w; name another with token_dir", err)
	}
	l := flock.New(path, flock.SetPermissions(0o600))
	const often = 20 * time.Millisecond
	if _, err := l.TryLockContext(ctx, often); err != nil {
		return nil, fmt.Errorf("lock the refresh token %s: %w", path, err)
	}
	return func() { l.Close() }, nil
}

// file is the token's, whether it is there or not.
func (s *Store) file() string {
	name := regexp.MustCompile(`[^A-Za-z0-9.-]+`).ReplaceAllString(s.Name, "_")
	return filepath.Join(s.Dir, name+".age")
}
