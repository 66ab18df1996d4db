package lake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// children is what this test binary does as a child process, by the value of
// SEATLAKE_LAKE_CHILD. A child starts when its standard input ends.
var children = map[string]func(){
	"race":  func() { childMain(raceChild) },
	"run":   func() { placeMain(runChild) },
	"read":  func() { placeMain(readChild) },
	"lease": func() { childMain(leaseChild) },
}

func childMain(fn func(dir string, number int) error) {
	number, err := strconv.Atoi(os.Getenv("SEATLAKE_LAKE_NUMBER"))
	if err == nil {
		_, err = io.Copy(io.Discard, os.Stdin)
	}
	if err == nil {
		err = fn(os.Getenv("SEATLAKE_LAKE_DIR"), number)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// placeMain is a child that works at a place, and starts at once.
func placeMain(fn func(p Place, number int) error) {
	number, err := strconv.Atoi(os.Getenv("SEATLAKE_LAKE_NUMBER"))
	if err == nil {
		err = fn(Place{URL: os.Getenv("SEATLAKE_LAKE_DIR"), Work: os.Getenv("SEATLAKE_LAKE_WORK")}, number)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child is this test binary as one of its children.
func child(t *testing.T, what, dir string, number int) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), "SEATLAKE_LAKE_CHILD="+what, "SEATLAKE_LAKE_DIR="+dir, "SEATLAKE_LAKE_NUMBER="+strconv.Itoa(number))
	return c
}

// memoryDir is a directory in memory where there is one: the tests of processes
// are about what is visible, not about what is durable.
func memoryDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "seatlake-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { remove(t, dir) })
	return dir
}

const (
	racers   = 24
	raceKeys = 300
)

// raceChild tries every key and prints those it got.
func raceChild(dir string, number int) error {
	l, err := Open(dir)
	if err != nil {
		return err
	}
	s, err := l.store.scratch("race")
	if err != nil {
		return err
	}
	for key := range raceKeys {
		switch err := s.putNew(fmt.Sprintf("race/%03d", key), fmt.Appendf(nil, "%d", number)); {
		case err == nil:
			fmt.Println(key)
		case !errors.Is(err, os.ErrExist):
			return err
		}
	}
	return s.remove()
}

func TestOneProcessWinsEachName(t *testing.T) {
	l, err := Create(filepath.Join(memoryDir(t), "lake"), clock)
	if err != nil {
		t.Fatal(err)
	}
	gate, barrier, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out := make([]bytes.Buffer, racers)
	var all []*exec.Cmd
	for i := range racers {
		c := child(t, "race", l.Dir(), i)
		c.Stdin, c.Stdout, c.Stderr = gate, &out[i], os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	if err := errors.Join(gate.Close(), barrier.Close()); err != nil { // all go
		t.Fatal(err)
	}
	winner := map[string]string{}
	for i, c := range all {
		if err := c.Wait(); err != nil {
			t.Errorf("process %d: %v", i, err)
		}
		for _, key := range strings.Fields(out[i].String()) {
			if other, twice := winner[key]; twice {
				t.Errorf("key %s was won by processes %s and %d", key, other, i)
			}
			winner[key] = strconv.Itoa(i)
		}
	}
	if len(winner) != raceKeys {
		t.Errorf("%d of %d keys were won", len(winner), raceKeys)
	}
	for key, who := range winner {
		n, err := strconv.Atoi(key)
		if err != nil {
			t.Fatal(err)
		}
		body, err := l.store.read(fmt.Sprintf("race/%03d", n))
		if err != nil || string(body) != who {
			t.Errorf("key %s was won by %s and holds %q, %v", key, who, body, err)
		}
	}
	noTemp(t, l)
}
