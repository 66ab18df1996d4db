package reclaim

import (
	"context"
	"strings"
	"testing"
	"time"
)

func TestVerifyComparesTheTenantsOwnCount(t *testing.T) {
	for _, c := range []struct {
		name     string
		others   func(*fake) // what others do between apply and verify
		says     string
		contrary bool
		waits    bool
	}{
		{"a count that fell by what was freed agrees", func(*fake) {}, "400 units were assigned at 2026-11-24T09:00:00Z, 3 were freed since, 397 are assigned now, as the ledger says", false, false},
		{"one that fell by less is told", func(f *fake) { f.free[skuA]-- }, "1 more than by the ledger alone", false, false},
		{"one that fell by more is told", func(f *fake) { f.free[skuA] += 2 }, "2 less than by the ledger alone", false, false},
		{"one that did not fall contradicts, and is waited for", func(f *fake) { f.stuck = true }, "none has come free by the tenant's own count", true, true},
		{"one that rose contradicts", func(f *fake) { f.free[skuA] -= 9 }, "none has come free by the tenant's own count", true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t, t.TempDir())
			f := newFake()
			var rows []Row
			for n := 1; n <= 3; n++ {
				f.people[userID(n)] = []Assignment{{SKU: skuA, Disabled: []string{}}}
				f.signIns[userID(n)] = start.Add(-25 * time.Hour)
				rows = append(rows, row(userID(n), skuA))
			}
			sealed := d.seal(d.plan(rows...))
			b := d.open("apply")
			defer b.Close()
			p, err := b.Check(sealed)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.Apply(t.Context(), p, f, f, ApplyOptions{Immediate: true, Settle: time.Hour}); err != nil {
				t.Fatal(err)
			}
			c.others(f)
			slept := 0
			s, err := b.Verify(t.Context(), p, f, VerifyOptions{Rounds: 3, Sleep: func(context.Context, time.Duration) error { slept++; return nil }})
			if err != nil || s.Failed > 0 || len(s.Tallies) != 1 {
				t.Fatalf("%v: %+v", err, s)
			}
			tally := s.Tallies[0]
			if !strings.Contains(tally.String(), c.says) || tally.Contradicts() != c.contrary || (slept > 0) != c.waits {
				t.Errorf("contradicts %v, after %d waits: %s", tally.Contradicts(), slept, tally)
			}
		})
	}
}
