package tokenstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/zalando/go-keyring"
)

const canary = "0.AXoA-canary-refresh-token"

// TestMain is also another process that counts in a token; see TestProcesses.
func TestMain(m *testing.M) {
	if dir := os.Getenv("TOKENSTORE_COUNT_IN"); dir != "" {
		s := &Store{Dir: dir, Name: "counter", Place: File}
		for range 10 {
			if err := s.Update(context.Background(), increment); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
		os.Exit(0)
	}
	keyring.MockInitWithError(errors.New("no keyring in tests"))
	os.Exit(m.Run())
}

func increment(stored string) (string, error) {
	n, err := strconv.Atoi("0" + stored)
	return strconv.Itoa(n + 1), err
}

func inFile(t *testing.T, passphrase string) *Store {
	return &Store{Dir: filepath.Join(t.TempDir(), "tokens"), Name: "login.example.com/tenant/client", Place: File, Passphrase: passphrase, workFactor: 4}
}

// read gives what a store has, by way of a new one.
func read(t *testing.T, s *Store) (string, error) {
	t.Helper()
	var got string
	fresh := &Store{Dir: s.Dir, Name: s.Name, Place: s.Place, Passphrase: s.Passphrase, workFactor: s.workFactor}
	err := fresh.Update(t.Context(), func(stored string) (string, error) {
		got = stored
		return stored, nil
	})
	return got, err
}

func put(t *testing.T, s *Store, token string) {
	t.Helper()
	if err := s.Put(t.Context(), token); err != nil {
		t.Fatal(err)
	}
}

func checkHolds(t *testing.T, s *Store, want string) {
	t.Helper()
	got, err := read(t, s)
	if err != nil || got != want {
		t.Errorf("stored: %q (%v), want %q", got, err, want)
	}
}

func checkError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one that says %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q\ndoes not say %q", err, p)
		}
	}
	if strings.Contains(err.Error(), canary) {
		t.Errorf("the token is in the error: %v", err)
	}
}

func TestFile(t *testing.T) {
	for name, passphrase := range map[string]string{"a passphrase": "correct horse battery", "a key beside it": ""} {
		t.Run("a token under "+name+" is read again", func(t *testing.T) {
			s := inFile(t, passphrase)
			checkHolds(t, s, "")
			put(t, s, canary+"1")
			checkHolds(t, s, canary+"1")
			if err := s.Update(t.Context(), func(stored string) (string, error) { return stored + "2", nil }); err != nil {
				t.Fatal(err)
			}
			checkHolds(t, s, canary+"12")
			if s.Kept() != s.file() {
				t.Errorf("kept in %s", s.Kept())
			}
		})
		t.Run("a token under "+name+" is nowhere in the clear, and no one else may read it", func(t *testing.T) {
			s := inFile(t, passphrase)
			put(t, s, canary)
			entries, err := os.ReadDir(s.Dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				info, err := e.Info()
				if err != nil {
					t.Fatal(err)
				}
				text, err := os.ReadFile(filepath.Join(s.Dir, e.Name()))
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(string(text), canary) || info.Mode().Perm() != 0o600 || strings.HasSuffix(e.Name(), ".tmp") {
					t.Errorf("%s: mode %o, %d bytes", e.Name(), info.Mode().Perm(), len(text))
				}
			}
			if info, err := os.Stat(s.Dir); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("folder: %v, %v", info.Mode(), err)
			}
		})
	}

	t.Run("an error of fn leaves the token", func(t *testing.T) {
		s := inFile(t, "")
		put(t, s, canary)
		failed := errors.New("refused")
		if err := s.Update(t.Context(), func(string) (string, error) { return "lost", failed }); !errors.Is(err, failed) {
			t.Errorf("%v", err)
		}
		checkHolds(t, s, canary)
	})

	t.Run("another passphrase says how to go on, and a new sign-in does", func(t *testing.T) {
		s := inFile(t, "correct horse battery")
		put(t, s, canary)
		s.Passphrase = "wrong"
		_, err := read(t, s)
		checkError(t, err, s.file(), Passphrase, "does not open", "seatlake login")
		put(t, s, canary+"2")
		checkHolds(t, s, canary+"2")
	})

	t.Run("a passphrase that is missing is asked for", func(t *testing.T) {
		s := inFile(t, "correct horse battery")
		put(t, s, canary)
		s.Passphrase = ""
		_, err := read(t, s)
		checkError(t, err, Passphrase+" is not set")
	})

	t.Run("a passphrase takes over what the key has encrypted", func(t *testing.T) {
		s := inFile(t, "")
		put(t, s, canary)
		s.Passphrase = "correct horse battery"
		if err := s.Update(t.Context(), func(stored string) (string, error) { return stored + "2", nil }); err != nil {
			t.Fatal(err)
		}
		os.Remove(s.keyFile())
		checkHolds(t, s, canary+"2")
	})

	t.Run("a key that others may read is refused", func(t *testing.T) {
		s := inFile(t, "")
		put(t, s, canary)
		if err := os.Chmod(s.keyFile(), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := read(t, s)
		checkError(t, err, s.keyFile(), "chmod 600")
	})

	t.Run("a damaged file or key says so", func(t *testing.T) {
		s := inFile(t, "")
		put(t, s, canary)
		for _, path := range []string{s.file(), s.keyFile()} {
			if err := os.WriteFile(path, []byte("age-encryption.org/v1\n"+canary), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := read(t, s)
			checkError(t, err, path, "seatlake login")
		}
	})

	t.Run("tokens of one folder do not meet", func(t *testing.T) {
		a := inFile(t, "")
		b := &Store{Dir: a.Dir, Name: "login.example.com/tenant/client2", Place: File}
		put(t, a, canary)
		put(t, b, canary+"b")
		checkHolds(t, a, canary)
		checkHolds(t, b, canary+"b")
	})

	t.Run("a folder that cannot be says so", func(t *testing.T) {
		s := inFile(t, "")
		if err := os.WriteFile(s.Dir, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		checkError(t, s.Put(t.Context(), canary), s.Dir, "token_dir")
	})
}

func TestKeyring(t *testing.T) {
	mock := func(t *testing.T) {
		keyring.MockInit()
		t.Cleanup(func() { keyring.MockInitWithError(errors.New("no keyring in tests")) })
	}
	anywhere := func(t *testing.T) *Store {
		s := inFile(t, "")
		s.Place = Anywhere
		return s
	}

	t.Run("is preferred where there is one", func(t *testing.T) {
		mock(t)
		s := anywhere(t)
		put(t, s, canary)
		checkHolds(t, s, canary)
		if _, err := os.Stat(s.file()); !errors.Is(err, os.ErrNotExist) || s.Kept() != inKeyring {
			t.Errorf("kept in %s; file: %v", s.Kept(), err)
		}
		if got, err := keyring.Get("seatlake", s.Name); err != nil || got != canary {
			t.Errorf("in the keyring: %q, %v", got, err)
		}
	})

	t.Run("gives way to a file where there is none", func(t *testing.T) {
		s := anywhere(t)
		checkHolds(t, s, "")
		put(t, s, canary)
		checkHolds(t, s, canary)
		if s.Kept() != s.file() {
			t.Errorf("kept in %s", s.Kept())
		}
	})

	t.Run("does not hide a file that was there before it", func(t *testing.T) {
		s := anywhere(t)
		put(t, s, canary)
		mock(t)
		checkHolds(t, s, canary)
		if err := s.Update(t.Context(), func(stored string) (string, error) { return stored + "2", nil }); err != nil {
			t.Fatal(err)
		}
		checkHolds(t, s, canary+"2")
	})

	t.Run("takes over from a file when someone signs in again", func(t *testing.T) {
		s := anywhere(t)
		put(t, s, canary)
		mock(t)
		put(t, s, canary+"2")
		checkHolds(t, s, canary+"2")
		if _, err := os.Stat(s.file()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("file: %v", err)
		}
	})

	t.Run("that was asked for is not replaced by a file", func(t *testing.T) {
		s := anywhere(t)
		s.Place = Keyring
		checkError(t, s.Put(t.Context(), canary), "keyring", "token_store: file")
		_, err := read(t, s)
		checkError(t, err, "keyring", "token_store: file")
	})
}

// TestProcesses lets processes and goroutines count in one token. Each that does
// not see what another stored loses a count.
func TestProcesses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tokens")
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), "TOKENSTORE_COUNT_IN="+dir)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	shared := &Store{Dir: dir, Name: "counter", Place: File}
	for range 4 {
		running.Go(func() {
			for range 10 {
				if err := shared.Update(t.Context(), increment); err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	checkHolds(t, &Store{Dir: dir, Name: "counter", Place: File}, "80")
}

func TestLock(t *testing.T) {
	t.Run("a wait for another process ends with the context", func(t *testing.T) {
		s := inFile(t, "")
		ctx, cancel := context.WithCancel(t.Context())
		err := s.Update(t.Context(), func(string) (string, error) {
			cancel()
			err := s.Put(ctx, canary)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
			return "outer", nil
		})
		if err != nil {
			t.Fatal(err)
		}
		checkHolds(t, s, "outer")
	})
}
