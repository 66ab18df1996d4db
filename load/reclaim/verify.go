package reclaim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"seatlake/pipeline"
)

// VerifyOptions bound how long Verify waits for writes to show.
type VerifyOptions struct {
	Rounds int // reads of a row at the most; 1 waits for nothing
	Every  time.Duration
	Sleep  func(context.Context, time.Duration) error
	Tell   func(Result) // may be nil
}

// Verify reads each row's user until what was written shows, and enters what it found.
// A row whose write does not show within the bound, or whose licence came back, is a
// finding: it counts as Failed. Writes of which no outcome is known are settled, too.
//
// The tenant's own count of units is compared as well, and waited for while it has not
// fallen at all.
func (b *Book) Verify(ctx context.Context, p *Reclamation, t Tenant, o VerifyOptions) (*Summary, error) {
	s := &Summary{Waiting: map[State]int{}}
	var left []*Item
	for _, i := range p.Items {
		if len(i.Taken) > 0 || i.Pending != nil {
			left = append(left, i)
		}
	}
	for round := 1; ; round++ {
		var again []*Item
		for _, i := range left {
			if err := ctx.Err(); err != nil {
				return s, context.Cause(ctx)
			}
			why, err := b.shows(ctx, p, i, t)
			if err != nil {
				return s, err
			}
			if why != "" && round < o.Rounds {
				again = append(again, i)
				continue
			}
			if err := b.verified(p, i, why, s, o.Tell); err != nil {
				return s, err
			}
		}
		left = again
		var err error
		if s.Tallies, err = b.tallies(ctx, p, t); err != nil {
			return s, err
		}
		late := slices.ContainsFunc(s.Tallies, Tally.Contradicts)
		if len(left) == 0 && (!late || round >= o.Rounds) {
			return s, nil
		}
		if err := o.Sleep(ctx, o.Every); err != nil {
			return s, err
		}
	}
}

// verified enters what a row's reads came to; why is "" when all shows.
func (b *Book) verified(p *Reclamation, i *Item, why string, s *Summary, tell func(Result)) error {
	event := Event{Row: i.Number, Action: Verified}
	if why != "" {
		event.Action, event.Reason = Unverified, why
		s.Failed++
	}
	events := []Event{event}
	if i.Pending != nil && why != "" { // settled: it was not done
		action := NotDone
		if i.Pending.Restore {
			action = RestoreNotDone
		}
		events = append(events, Event{Row: i.Number, Action: action, Reason: "no read shows it"})
	}
	if event.Action == Unverified || !i.Verified {
		if err := b.write(p.ID, nil, events...); err != nil {
			return err
		}
	}
	s.add(Result{Row: &i.Row, State: i.State, Reason: why}, tell)
	return nil
}

// shows says why a read of the user does not show what was written; "" when it does.
// A write without an outcome that shows is entered as done.
func (b *Book) shows(ctx context.Context, p *Reclamation, i *Item, t Tenant) (why string, err error) {
	u, err := t.User(ctx, i.UserID)
	if errors.Is(err, ErrNoUser) {
		return "", nil // and no licence
	}
	if err != nil {
		return "the user cannot be read: " + err.Error(), nil
	}
	if pending := i.Pending; pending != nil && held(u, pending.Assignment) == pending.Restore {
		e := Event{Row: i.Number, Action: Removed, Way: way(pending.Assignment), Assignment: &pending.Assignment, Reason: "its answer was lost, and a read shows it"}
		if pending.Restore {
			e.Action = Restored
		}
		if err := b.write(p.ID, nil, append([]Event{e}, b.closing(i, pending, u)...)...); err != nil {
			return "", err
		}
	}
	if i.Pending != nil {
		return "a write without an answer does not show", nil
	}
	for _, x := range i.Taken {
		switch has := held(u, x.Assignment); {
		case has && !x.Restored:
			return "the user still has it, or has it again: " + describe(x.Assignment), nil
		case !has && x.Restored:
			return "it was given back, and the user does not have it: " + describe(x.Assignment), nil
		}
	}
	if i.State == ClosedComplete && u.has(i.SKU) {
		return "the user has the licence again, or in another way", nil
	}
	return "", nil
}

// closing is the event that closes a row whose last write turned out to be done.
func (b *Book) closing(i *Item, pending *Pending, u *User) []Event {
	switch {
	case pending.Restore:
		return []Event{{Row: i.Number, Action: RestoreCompleted, State: ClosedCancelled, Reason: "given back"}}
	case i.State.Closed():
		return []Event{{Row: i.Number, Action: Reported, State: AttentionRequired, Reason: takenBefore(i.Note)}}
	case u.has(i.SKU):
		return []Event{{Row: i.Number, Action: Reported, State: AttentionRequired, Cause: pipeline.CauseInherited, Reason: "the user keeps the licence by a group"}}
	default:
		return []Event{{Row: i.Number, Action: Completed, State: ClosedComplete, Freed: true, Reason: "the licence was taken"}}
	}
}

// held says that a user has an assignment, and of a direct one that the same plans are
// off.
func held(u *User, want Assignment) bool {
	return slices.ContainsFunc(u.of(want.SKU), func(x Assignment) bool {
		return x.Group == want.Group && (x.Group != "" || samePlans(x.Disabled, want.Disabled))
	})
}

func samePlans(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func describe(x Assignment) string {
	if x.Group == "" {
		return fmt.Sprintf("the direct assignment with %d plans off", len(x.Disabled))
	}
	return "the assignment by group " + x.Group
}
