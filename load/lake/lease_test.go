package lake

import (
	"bufio"
	"errors"
	"os"
	"os/signal"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func holder(process int) Holder {
	return Holder{Host: "build-7", Process: process, Since: time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)}
}

func TestLease(t *testing.T) {
	take := func(t *testing.T, l *Lake, tenant string, process int) *Lease {
		t.Helper()
		lease, err := l.Lease(tenant, holder(process))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { lease.Release() })
		return lease
	}
	heldBy := func(t *testing.T, l *Lake, want Holder) {
		t.Helper()
		_, err := l.Lease(contoso, holder(2))
		held, ok := errors.AsType[*HeldError](err)
		if !ok {
			t.Fatalf("error: %v", err)
		}
		if diff := cmp.Diff(want, held.Holder); diff != "" {
			t.Error(diff)
		}
	}

	t.Run("one process has it at a time, and the others are told which", func(t *testing.T) {
		l := newLake(t)
		take(t, l, contoso, 1)
		heldBy(t, l, holder(1))
		_, err := l.Lease(contoso, holder(2))
		wantError(t, err, contoso, "process 1 on build-7 since 2026-11-24T06:00:00Z", "--wait")
	})

	t.Run("each tenant has its own", func(t *testing.T) {
		l := newLake(t)
		take(t, l, contoso, 1)
		take(t, l, fabrikam, 1)
	})

	t.Run("given back it is free, and nothing is left of it", func(t *testing.T) {
		l := newLake(t)
		lease := take(t, l, contoso, 1)
		for range 2 {
			if err := lease.Release(); err != nil {
				t.Error(err)
			}
		}
		if names, err := os.ReadDir(l.store.path(leaseDir)); err != nil || len(names) != 0 {
			t.Errorf("%v, %v", names, err)
		}
		take(t, l, contoso, 2)
	})

	t.Run("a second release takes nobody else's", func(t *testing.T) {
		l := newLake(t)
		first := take(t, l, contoso, 1)
		if err := first.Release(); err != nil {
			t.Fatal(err)
		}
		take(t, l, contoso, 3)
		if err := first.Release(); err != nil {
			t.Error(err)
		}
		heldBy(t, l, holder(3))
	})

	t.Run("a process that died leaves a file that the next one signs", func(t *testing.T) {
		l := newLake(t)
		put(t, l.store.path(leaseDir+"/"+contoso+".json"), strings.Repeat("a longer text than the next holder's\n", 20))
		take(t, l, contoso, 1)
		heldBy(t, l, holder(1))
	})

	t.Run("a holder that has not signed yet is nobody in particular", func(t *testing.T) {
		l := newLake(t)
		lease := take(t, l, contoso, 1)
		if err := lease.file.Truncate(3); err != nil {
			t.Fatal(err)
		}
		_, err := l.Lease(contoso, holder(2))
		wantError(t, err, "by another process")
	})

	t.Run("it ends with its process", func(t *testing.T) {
		l := newLake(t)
		c := child(t, "lease", l.Dir(), 1)
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		in.Close()
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
			t.Fatalf("%q, %v", line, err)
		}
		heldBy(t, l, holder(1))
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err == nil {
			t.Error("it was not killed")
		}
		take(t, l, contoso, 2)
	})

	t.Run("a name that leads elsewhere is refused", func(t *testing.T) {
		_, err := newLake(t).Lease("../"+contoso, holder(1))
		wantError(t, err, "is not a lower-case GUID")
	})

	t.Run("a fault of the file system keeps no lock", func(t *testing.T) {
		for _, act := range []string{"mkdir", "lock", "write"} {
			l := newLake(t)
			broken := errors.New("broken")
			l.store.fault = func(a, name string, done bool) error {
				if a == act && strings.HasPrefix(name, leaseDir) {
					return broken
				}
				return nil
			}
			if _, err := l.Lease(contoso, holder(1)); !errors.Is(err, broken) {
				t.Errorf("%s: %v", act, err)
			}
			l.store.fault = nil
			take(t, l, contoso, 2)
		}
	})
}

// leaseChild takes contoso's lease and keeps it until it is killed.
func leaseChild(dir string, number int) error {
	l, err := Open(dir)
	if err != nil {
		return err
	}
	if _, err := l.Lease(contoso, holder(number)); err != nil {
		return err
	}
	if _, err := os.Stdout.WriteString("held\n"); err != nil {
		return err
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, os.Interrupt)
	<-asked
	return nil
}
