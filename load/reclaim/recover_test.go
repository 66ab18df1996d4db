package reclaim

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestAWriteThatWasBegunIsNotRepeatedBlindly kills apply as it is about to write, or
// right after the write was done. Something that speaks against the act happens then,
// and apply goes on: what was not taken stays, and what was taken is said to be.
func TestAWriteThatWasBegunIsNotRepeatedBlindly(t *testing.T) {
	id := userID(1)
	answer := func(word string) func(*desk, *fake, *SealedPlan) {
		return func(d *desk, _ *fake, s *SealedPlan) {
			b := d.open("answers")
			defer b.Close()
			p, _ := b.Plan(s.ID)
			if _, err := b.Answer(p, fmt.Appendf(nil, "row,answer,plan_id\n1,%s,%s\n", word, s.ID), Policy{}); err != nil {
				d.t.Fatal(err)
			}
		}
	}
	uses := func(_ *desk, f *fake, _ *SealedPlan) { f.used[id+"/Visio"] = "2026-11-24" }
	for _, c := range []struct {
		name    string
		done    bool // the write was done before the process died
		group   bool // a group assigns the licence
		happens func(*desk, *fake, *SealedPlan)
		after   time.Duration
		state   State
		says    string
	}{
		{"the user keeps it, soon", false, false, answer("keep"), time.Minute, ClosedCancelled, "keep"},
		{"the user keeps it, later", false, false, answer("keep"), 2 * time.Hour, ClosedCancelled, "keep"},
		{"somebody rejects it", false, false, answer("reject"), time.Minute, ClosedCancelled, "reject"},
		{"the user uses it, soon", false, false, uses, time.Minute, AwaitingRevocation, "Visio was used on 2026-11-24"},
		{"the user uses it, later", false, false, uses, 2 * time.Hour, ClosedCancelled, "Visio was used on 2026-11-24"},
		{"groups are not edited any more", false, true, func(*desk, *fake, *SealedPlan) {}, time.Minute, AwaitingRevocation, "--remove-from-groups"},
		{"the user keeps what was taken", true, false, answer("keep"), time.Minute, AttentionRequired, "rollback"},
		{"the user uses what was taken", true, false, uses, time.Minute, ClosedComplete, "taken"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake()
			f.people[id] = []Assignment{{SKU: skuA}}
			if c.group {
				f.people[id][0].Group = single
			}
			d := newDesk(t, t.TempDir())
			sealed := d.seal(d.plan(row(id, skuA)))
			apply := func(o ApplyOptions) *Summary {
				b := d.open("apply")
				defer b.Close()
				p, _ := b.Plan(sealed.ID)
				s, err := b.Apply(t.Context(), p, f, f, o)
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			f.killAt = func(int) bool { return f.writes == 1 && len(f.people[id]) == 0 == c.done }
			if !c.done {
				f.killAt = func(int) bool { return lastAction(d, sealed) == Intended }
			}
			if survives(func() bool {
				apply(ApplyOptions{Immediate: true, RemoveFromGroups: c.group, Settle: time.Hour})
				return true
			}) {
				t.Fatal("nothing was killed")
			}
			f.killAt = nil
			c.happens(d, f, sealed)
			d.now = d.now.Add(c.after)
			s := apply(ApplyOptions{Settle: time.Hour})
			if len(s.Results) != 1 || s.Results[0].State != c.state || !strings.Contains(s.Results[0].Reason, c.says) {
				t.Errorf("%+v; want %s: %s", s.Results, c.state, c.says)
			}
			if kept := len(f.people[id]) == 1; kept == c.done {
				t.Errorf("the user has %v", f.people[id])
			}
		})
	}
}

// lastAction is what the newest entry of the ledger did to row 1.
func lastAction(d *desk, s *SealedPlan) Action {
	b := d.open("apply")
	defer b.Close()
	p, _ := b.Plan(s.ID)
	if p.Items[0].Pending != nil {
		return Intended
	}
	return ""
}
