package tokenstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"filippo.io/age"
)

// maxFile is in bytes; a token has some two thousand.
const maxFile = 1 << 20

// readFile decrypts the token's file. The error wraps os.ErrNotExist when there is
// none.
func (s *Store) readFile() (string, error) {
	f, err := os.Open(s.file())
	if err != nil {
		return "", fmt.Errorf("refresh token: %w", err)
	}
	defer f.Close()
	identities, err := s.identities()
	if err != nil {
		return "", err
	}
	if len(identities) == 0 {
		return "", s.illegible()
	}
	plain, err := age.Decrypt(io.LimitReader(f, maxFile), identities...)
	if _, ok := errors.AsType[*age.NoIdentityMatchError](err); ok {
		return "", s.illegible()
	}
	if err != nil {
		return "", fmt.Errorf("refresh token in %s: %w; sign in again: seatlake login", s.file(), err)
	}
	token, err := io.ReadAll(plain)
	if err != nil {
		return "", fmt.Errorf("refresh token in %s: %w; sign in again: seatlake login", s.file(), err)
	}
	return string(token), nil
}

func (s *Store) illegible() error {
	reason := Passphrase + " is not set and the key beside it does not open it"
	if s.Passphrase != "" {
		reason = "the passphrase in " + Passphrase + " does not open it"
	}
	return fmt.Errorf("refresh token in %s: %s; set %s to the one it was stored with, or sign in again: seatlake login", s.file(), reason, Passphrase)
}

// identities are what may open a file: the passphrase, and the key, if there is
// one.
func (s *Store) identities() ([]age.Identity, error) {
	var out []age.Identity
	if s.Passphrase != "" {
		i, err := age.NewScryptIdentity(s.Passphrase)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", Passphrase, err)
		}
		out = append(out, i)
	}
	key, err := s.readKey()
	switch {
	case err == nil:
		out = append(out, key)
	case !errors.Is(err, os.ErrNotExist):
		return nil, err
	}
	return out, nil
}

// writeFile replaces the token's file in one step.
func (s *Store) writeFile(token string) error {
	recipient, err := s.recipient()
	if err != nil {
		return err
	}
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, recipient)
	if err != nil {
		return fmt.Errorf("encrypt the refresh token: %w", err)
	}
	if _, err := io.WriteString(w, token); err != nil {
		return fmt.Errorf("encrypt the refresh token: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("encrypt the refresh token: %w", err)
	}
	if err := replace(s.file(), sealed.Bytes()); err != nil {
		return fmt.Errorf("store the refresh token: %w", err)
	}
	return nil
}

func (s *Store) recipient() (age.Recipient, error) {
	if s.Passphrase == "" {
		key, err := s.key()
		if err != nil {
			return nil, err
		}
		return key.Recipient(), nil
	}
	r, err := age.NewScryptRecipient(s.Passphrase)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Passphrase, err)
	}
	if s.workFactor > 0 {
		r.SetWorkFactor(s.workFactor)
	}
	return r, nil
}

// key is the key of all tokens in the folder, made when there is none.
func (s *Store) key() (*age.X25519Identity, error) {
	unlock, err := s.lock(context.Background(), s.keyFile()+".lock") // held for the writing of one line
	if err != nil {
		return nil, err
	}
	defer unlock()
	key, err := s.readKey()
	if !errors.Is(err, os.ErrNotExist) {
		return key, err
	}
	if key, err = age.GenerateX25519Identity(); err != nil {
		return nil, fmt.Errorf("make the key of refresh tokens: %w", err)
	}
	if err := replace(s.keyFile(), []byte(key.String()+"\n")); err != nil {
		return nil, fmt.Errorf("store the key of refresh tokens: %w", err)
	}
	return key, nil
}

func (s *Store) keyFile() string { return filepath.Join(s.Dir, "identity.txt") }

// readKey reads the key, which only its owner may be able to read. The error wraps
// os.ErrNotExist when there is none.
func (s *Store) readKey() (*age.X25519Identity, error) {
	info, err := os.Stat(s.keyFile())
	if err != nil {
		return nil, fmt.Errorf("key of refresh tokens: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("key of refresh tokens: others than you may read %s: chmod 600 it, and sign in again should they have", s.keyFile())
	}
	text, err := os.ReadFile(s.keyFile())
	if err != nil {
		return nil, fmt.Errorf("key of refresh tokens: %w", err)
	}
	key, err := age.ParseX25519Identity(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("key of refresh tokens: %s is not an age identity; remove it, and sign in again: seatlake login", s.keyFile())
	}
	return key, nil
}

// replace writes a file that its owner alone may read, whole or not at all.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp") // made with 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
