package lake

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const ledgerTenant = "48a80680-7326-48cd-9935-b556b81d3a4e"

func newLedger(t *testing.T, l *Lake) *Ledger {
	t.Helper()
	g, err := l.Ledger(ledgerTenant)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	if _, err := g.Entries(t.Context()); err != nil {
		t.Fatal(err)
	}
	return g
}

func newTestLake(t *testing.T) *Lake {
	t.Helper()
	l, err := Create(t.TempDir(), func() time.Time { return ledgerStart })
	if err != nil {
		t.Fatal(err)
	}
	return l
}

var ledgerStart = time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC)

func TestALedgerTellsOfEveryChange(t *testing.T) {
	l := newTestLake(t)
	g := newLedger(t, l)
	for i := range 4 {
		if _, err := g.Append(ledgerStart.Add(time.Duration(i)*time.Minute), map[string]int{"n": i}); err != nil {
			t.Fatal(err)
		}
	}
	if entries, err := newLedger(t, l).Entries(t.Context()); err != nil || len(entries) != 4 {
		t.Fatalf("%d entries, error %v", len(entries), err)
	}
	for i := int64(1); i <= 4; i++ {
		name := l.store.path(g.name(i))
		sound, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(sound), `{"n":`, `{"n":9`, 1)
		if err := os.WriteFile(name, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		other, _ := l.Ledger(ledgerTenant)
		entries, err := other.Entries(t.Context())
		// The last entry's bytes are vouched for by the commit that states its hash.
		if i < 4 && err == nil || i == 4 && (err != nil || entries[3].SHA256 == g.last().SHA256) {
			t.Errorf("entry %d was changed: error %v", i, err)
		}
		os.Remove(name)
		other, _ = l.Ledger(ledgerTenant)
		if entries, err := other.Entries(t.Context()); i < 4 && err == nil || i == 4 && len(entries) != 3 {
			t.Errorf("entry %d was removed: error %v", i, err)
		}
		if _, err := g.Entries(t.Context()); err == nil {
			t.Errorf("entry %d was removed while the ledger was open, and nobody says so", i)
		}
		if err := os.WriteFile(name, sound, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOneOfTwoThatAppendLoses(t *testing.T) {
	l := newTestLake(t)
	a, b := newLedger(t, l), newLedger(t, l)
	if _, err := a.Append(ledgerStart, "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Append(ledgerStart, "b"); !errors.Is(err, ErrLedgerMoved) {
		t.Errorf("error %v", err)
	}
	if _, err := b.Entries(t.Context()); err != nil {
		t.Fatal(err)
	}
	e, err := b.Append(ledgerStart.Add(-time.Hour), "b") // whose clock went back
	if err != nil || e.Sequence != 2 || !e.At.Equal(ledgerStart) {
		t.Errorf("entry %+v, error %v", e, err)
	}
}

// TestALedgerSurvivesFaults fails any act of any Append, before or after it took
// place. What Append returned is there, in order and once; what failed may be.
func TestALedgerSurvivesFaults(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "seatlake-ledger-")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		l, err := Create(dir, func() time.Time { return ledgerStart })
		if err != nil {
			rt.Fatal(err)
		}
		acts, failing := 0, rapid.IntRange(1, 60).Draw(rt, "failing act")
		l.store.fault = func(string, string, bool) error {
			if acts++; acts%failing == 0 {
				return errors.New("injected")
			}
			return nil
		}
		g, err := l.Ledger(ledgerTenant)
		if err != nil {
			rt.Fatal(err)
		}
		defer g.Close()
		var kept []int
		for i := range 6 {
			if _, err := g.Entries(t.Context()); err != nil {
				continue
			}
			if _, err := g.Append(ledgerStart, i); err == nil {
				kept = append(kept, i)
			}
		}
		l.store.fault = nil
		fresh, _ := l.Ledger(ledgerTenant)
		entries, err := fresh.Entries(t.Context())
		if err != nil {
			rt.Fatal(err)
		}
		seen := -1
		for _, e := range entries {
			var n int
			if err := json.Unmarshal(e.Body, &n); err != nil || n <= seen {
				rt.Fatalf("entry %d is %s after %d", e.Sequence, e.Body, seen)
			}
			seen = n
			if len(kept) > 0 && kept[0] == n {
				kept = kept[1:]
			}
		}
		if len(kept) > 0 {
			rt.Fatalf("entries %v were lost", kept)
		}
	})
}
