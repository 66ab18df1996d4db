package reclaim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"seatlake/pipeline"
)

// ApplyOptions say how far Apply may go. The zero value takes direct assignments of
// rows that have waited.
type ApplyOptions struct {
	Immediate        bool // rows that are Ready, too
	RemoveFromGroups bool // take users out of groups that give the one licence
	DryRun           bool // read and judge, and write nothing anywhere

	StopAfter    int // failures after which the run may stop; 0 never stops it
	FailureShare int // basis points of the attempts that have to have failed for it

	// Settle is how long a write may take to show. An intended write of which no
	// outcome is known is sent again within it, for it may be done and not shown.
	Settle time.Duration

	// Current says why a row is no candidate any more, of a user as read at this
	// moment: by what was configured, or became known to the lake, since the plan. Nil
	// when nothing was.
	Current func(r *Row, u *User) (why string)

	// Tell is told of each row once it is done. May be nil.
	Tell func(Result)
}

// Result is what became of a row.
type Result struct {
	Row      *Row
	State    State          // now
	Reason   string         // why, for people
	Cause    pipeline.Cause // of a failure; else ""
	Requests []string       // that were sent, or would be
	Radius   []string       // what they do besides, for people
}

// Summary is what Apply, Verify or Rollback did.
type Summary struct {
	Results []Result
	Waiting map[State]int // rows that were not due, by state
	Failed  int
	Stopped string // why the run ended early; "" when it did not

	Tallies []Tally // of Verify
}

// errStop ends a run.
var errStop = errors.New("stopped")

// Apply takes the licences of all rows that may be taken. Each row is looked at again,
// then entered in the ledger, then written, then entered again. An error is the
// ledger's or the context's; refusals are results. It goes on where an earlier process
// stopped.
func (b *Book) Apply(ctx context.Context, p *Reclamation, t Tenant, a Activity, o ApplyOptions) (*Summary, error) {
	if err := p.Expired(b.Now()); err != nil {
		return nil, err
	}
	s := &Summary{Waiting: map[State]int{}}
	if !o.DryRun {
		due := slices.DeleteFunc(slices.Clone(p.Items), func(i *Item) bool { return !i.mayBeTaken(o) })
		if err := b.count(ctx, p, due, t); err != nil {
			return nil, err
		}
	}
	attempts := 0
	for _, i := range p.Items {
		if err := ctx.Err(); err != nil {
			return s, context.Cause(ctx)
		}
		if !i.mayBeTaken(o) {
			if !i.State.Closed() {
				s.Waiting[i.State]++
			}
			continue
		}
		act := &act{Book: b, plan: p, item: i, tenant: t, activity: a, options: o}
		if i.State == Ready && i.Pending == nil {
			act.add(Event{Action: Due, State: AwaitingRevocation, Reason: "taken without waiting (--immediate)"})
		}
		err := act.do(ctx)
		if err == nil {
			err = act.flush()
		}
		if err != nil && !errors.Is(err, errStop) {
			return s, err
		}
		attempts++
		if act.result.Cause != "" && act.result.Cause != pipeline.CauseInherited {
			s.Failed++
		}
		s.add(act.result, o.Tell)
		switch {
		case err != nil:
			s.Stopped = act.result.Reason
		case o.StopAfter > 0 && s.Failed >= o.StopAfter && s.Failed*10_000 > attempts*o.FailureShare:
			s.Stopped = fmt.Sprintf("%d of the first %d rows failed", s.Failed, attempts)
		}
		if s.Stopped != "" {
			return s, nil
		}
	}
	return s, nil
}

func (s *Summary) add(r Result, tell func(Result)) {
	s.Results = append(s.Results, r)
	if tell != nil {
		tell(r)
	}
}

// mayBeTaken says that the row's turn has come.
func (i *Item) mayBeTaken(o ApplyOptions) bool {
	switch {
	case i.Pending != nil:
		return !i.Pending.Restore
	case i.State == AwaitingRevocation, i.State == Ready && o.Immediate:
		return true
	default: // reported before, because groups were not to be edited
		return i.State == AttentionRequired && i.due && o.RemoveFromGroups
	}
}

// act is one row's turn.
type act struct {
	*Book
	plan     *Reclamation
	item     *Item
	tenant   Tenant
	activity Activity
	options  ApplyOptions

	events []Event // not yet in the ledger
	result Result
}

// add keeps an event for the next entry.
func (a *act) add(e Event) {
	e.Row = a.item.Number
	a.events = append(a.events, e)
}

// flush enters the events that are due.
func (a *act) flush() error {
	events := a.events
	a.events = nil
	if a.options.DryRun {
		return nil
	}
	return a.write(a.plan.ID, nil, events...)
}

// end closes the turn with an event.
func (a *act) end(e Event) error {
	a.add(e)
	a.result.Row, a.result.State, a.result.Reason, a.result.Cause = &a.item.Row, e.State, e.Reason, e.Cause
	if e.State == "" {
		a.result.State = a.item.State
	}
	return nil
}

// fail ends the turn without an event: the row stays as it is, to be tried again.
func (a *act) fail(cause pipeline.Cause, err error) error {
	a.result.Row, a.result.State, a.result.Reason, a.result.Cause = &a.item.Row, a.item.State, err.Error(), cause
	for _, e := range a.events { // which are entered yet
		a.result.State = cmp.Or(e.State, a.result.State)
	}
	return nil
}

func (a *act) do(ctx context.Context) error {
	u, err := a.tenant.User(ctx, a.item.UserID)
	if errors.Is(err, ErrNoUser) {
		if a.item.Pending != nil {
			a.add(Event{Action: NotDone, Reason: "the user no longer exists"})
		}
		return a.end(Event{Action: Skipped, State: ClosedSkipped, Cause: pipeline.CauseUnknownUser, Reason: "the user no longer exists"})
	}
	if err != nil {
		return a.fail(pipeline.CauseUnreadable, err)
	}
	if pending := a.item.Pending; pending != nil {
		if again, err := a.recover(ctx, u, pending); again || err != nil {
			return err
		}
	}
	direct, groups := parts(u, a.item.SKU)
	took, again := a.taken("")
	if direct != nil && took {
		direct = nil // which is not shown yet
		if again {
			return a.end(Event{Action: Reported, State: AttentionRequired, Reason: "somebody assigned the licence again after it was taken: it is left"})
		}
	}
	groups = slices.DeleteFunc(groups, func(g Assignment) bool {
		took, again := a.taken(g.Group)
		return took && !again
	})
	if direct == nil && len(groups) == 0 {
		return a.gone()
	}
	if stop, err := a.changed(u); stop || err != nil {
		return err
	}
	if direct != nil {
		if ended, err := a.take(ctx, *direct, Request{User: a.item.UserID, Remove: a.item.SKU}); ended || err != nil {
			return err
		}
	}
	return a.leave(ctx, groups)
}

// taken says that an assignment was taken before, by this plan, and whether that is so
// long ago that a read which shows it shows another.
func (a *act) taken(group string) (took, again bool) {
	for _, t := range a.item.open() {
		if t.Assignment.Group == group {
			return true, a.Now().Sub(t.At) >= a.options.Settle
		}
	}
	return false, false
}

// gone ends the turn of a row whose licence the user has not any more.
func (a *act) gone() error {
	if len(a.item.open()) > 0 || a.tookNow() {
		return a.end(Event{Action: Completed, State: ClosedComplete, Freed: true, Reason: "the licence was taken"})
	}
	return a.end(Event{Action: Skipped, State: ClosedSkipped, Cause: "", Reason: "the user does not have the licence any more"})
}

// tookNow says that an event of this turn took something.
func (a *act) tookNow() bool {
	for _, e := range a.events {
		if e.Action == Removed {
			return true
		}
	}
	return false
}

// against says what speaks against the act; "" when nothing does. Its error says what
// could not be looked at.
func (a *act) against(u *User) (why string, err error) {
	if a.options.Current != nil {
		why = a.options.Current(&a.item.Row, u)
	}
	if why == "" {
		if why, err = news(a.plan, a.item, u, a.activity); err != nil {
			return "", fmt.Errorf("the user's activity cannot be read again: %w", err)
		}
	}
	return why, nil
}

// changed ends the turn when something speaks against the act.
func (a *act) changed(u *User) (ended bool, err error) {
	why, err := a.against(u)
	switch {
	case err != nil:
		return true, a.fail(pipeline.CauseUnreadable, err)
	case why == "":
		return false, nil
	case len(a.item.open()) > 0:
		return true, a.end(Event{Action: Reported, State: AttentionRequired, Reason: why + "; a part was taken before, which `reclaim rollback` gives back"})
	default:
		return true, a.end(Event{Action: Cancelled, State: ClosedCancelled, Reason: why})
	}
}

// recover looks what became of a write that was intended by a process that ended. It
// is done with the turn when that cannot be told yet, when the write had to be sent
// again and failed, and when the row was closed meanwhile.
func (a *act) recover(ctx context.Context, u *User, pending *Pending) (ended bool, err error) {
	there := false
	for _, x := range u.of(a.item.SKU) {
		there = there || x.Group == pending.Assignment.Group
	}
	closed := a.item.State.Closed()
	switch {
	case !there:
		a.add(Event{Action: Removed, Way: way(pending.Assignment), Assignment: &pending.Assignment, Reason: "an earlier run took it, and its answer was lost"})
		if closed {
			return true, a.end(Event{Action: Reported, State: AttentionRequired, Reason: takenBefore(a.item.Note)})
		}
	case a.Now().Sub(pending.At) < a.options.Settle: // it may be done and not shown yet
		if a.options.DryRun {
			return true, a.end(Event{Action: Intended, Reason: "an earlier run may have taken it: apply finds out"})
		}
		return a.repeat(ctx, u, pending)
	default:
		a.add(Event{Action: NotDone, Reason: "an earlier run did not take it"})
		if closed {
			return true, a.end(Event{Action: Cancelled, State: a.item.State, Reason: a.item.Note})
		}
	}
	return false, a.flush()
}

// repeat sends a write again that was intended, which does no harm when it was done. It
// is an act as the first was: what speaks against it leaves the write without an
// outcome, until it is sure that it was not done.
func (a *act) repeat(ctx context.Context, u *User, pending *Pending) (ended bool, err error) {
	why, request := "", Request{User: a.item.UserID, Remove: a.item.SKU}
	if pending.Assignment.Group != "" {
		request = Request{User: a.item.UserID, Leave: pending.Assignment.Group}
	}
	switch {
	case a.item.State.Closed():
		why = a.item.Note
	case pending.Assignment.Group != "" && !a.options.RemoveFromGroups:
		why = "--remove-from-groups was not given"
	default:
		if why, err = a.against(u); err != nil {
			return true, a.fail(pipeline.CauseUnreadable, err)
		}
	}
	if why != "" {
		return true, a.fail(pipeline.CauseUnanswered, fmt.Errorf("an earlier run may have taken it, which does not show; it is not sent again (%s): `reclaim verify`, or apply after %s, finds out",
			why, pending.At.Add(a.options.Settle).Format(time.RFC3339)))
	}
	return a.send(ctx, pending.Assignment, request)
}

// takenBefore is why a row needs attention whose licence went before it was closed.
func takenBefore(why string) string {
	return "it was taken before the row was closed (" + why + "): `reclaim rollback` gives it back"
}

func way(x Assignment) string {
	if x.Group == "" {
		return "direct"
	}
	return "group"
}

// leave takes the user out of groups, where that is wanted and harms nothing else, and
// reports the others.
func (a *act) leave(ctx context.Context, groups []Assignment) error {
	var kept []string
	for _, g := range groups {
		if !a.options.RemoveFromGroups {
			kept = append(kept, "group "+g.Group+" assigns it (--remove-from-groups was not given)")
			continue
		}
		group, err := a.tenant.Group(ctx, g.Group)
		if err != nil {
			kept = append(kept, fmt.Sprintf("group %s cannot be read: %v", g.Group, err))
			continue
		}
		if why := group.editable(a.item.SKU); why != "" {
			kept = append(kept, why)
			continue
		}
		a.result.Radius = append(a.result.Radius, fmt.Sprintf("%s ceases to be a member of group %s (%s), and loses whatever else the group gives: access, mail, teams", a.item.UserPrincipalName, group.Name, group.ID))
		if ended, err := a.take(ctx, g, Request{User: a.item.UserID, Leave: g.Group}); ended || err != nil {
			return err
		}
	}
	if len(kept) == 0 {
		return a.gone()
	}
	reason := strings.Join(kept, "; ")
	if len(a.item.open()) > 0 || a.tookNow() {
		reason = "the direct assignment was taken, and the user keeps the licence: " + reason
	}
	return a.end(Event{Action: Reported, State: AttentionRequired, Cause: pipeline.CauseInherited, Reason: reason})
}

// take writes one assignment away, with the ledger before and after.
func (a *act) take(ctx context.Context, x Assignment, r Request) (ended bool, err error) {
	a.result.Requests = append(a.result.Requests, a.tenant.Preview(r))
	if a.options.DryRun {
		a.add(Event{Action: Removed, Way: way(x), Assignment: &x})
		return false, nil
	}
	a.add(Event{Action: Intended, Way: way(x), Assignment: &x})
	if err := a.flush(); err != nil {
		return true, err
	}
	return a.send(ctx, x, r)
}

// send sends a write whose intent is in the ledger.
func (a *act) send(ctx context.Context, x Assignment, r Request) (ended bool, err error) {
	note, err := settle(ctx, a.tenant, r, x.State != "", func(u *User) bool {
		for _, held := range u.of(x.SKU) {
			if held.Group == x.Group {
				return false
			}
		}
		return true
	})
	var refusal *Refusal
	switch {
	case err == nil:
		a.add(Event{Action: Removed, Way: way(x), Assignment: &x, Reason: note})
		return false, a.flush()
	case errors.Is(err, ErrUnanswered):
		return true, a.fail(pipeline.CauseUnanswered, fmt.Errorf("%w: `seatlake reclaim apply` again finds out whether it was done", err))
	case !errors.As(err, &refusal):
		return true, err
	}
	a.add(Event{Action: NotDone, Way: way(x), Assignment: &x, Cause: refusal.Cause, Reason: refusal.Error()})
	switch refusal.Cause {
	case pipeline.CauseUnknownUser:
		return true, a.end(Event{Action: Skipped, State: ClosedSkipped, Cause: pipeline.CauseUnknownUser, Reason: "the user, or the group, no longer exists"})
	case pipeline.CauseNoRights:
		if err := a.flush(); err != nil {
			return true, err
		}
		if err := a.fail(pipeline.CauseNoRights, refusal); err != nil {
			return true, err
		}
		return true, errStop
	default:
		return true, a.end(Event{Action: Reported, State: AttentionRequired, Cause: refusal.Cause, Reason: refusal.Error()})
	}
}

// resends bounds how often a write is sent whose answer is lost.
const resends = 3

// settle sends a write until its outcome is known. done says by a read that what it is
// for is so. What is sent is harmless when it was done before, so that it is sent again
// when a read does not show it: reads trail writes. seen says that a read has shown the
// direct assignment that goes, so that a licence which is said to be inherited alone
// has lost it. The note says how the outcome is known, "" when by the answer.
func settle(ctx context.Context, t Tenant, r Request, seen bool, done func(*User) bool) (note string, err error) {
	ctx = context.WithoutCancel(ctx) // what was begun is found out about
	for n := 1; ; n++ {
		err = t.Write(ctx, r)
		var refusal *Refusal
		if errors.As(err, &refusal) {
			switch {
			case r.Remove != "" && (refusal.Cause == pipeline.CauseNotHeld || seen && refusal.Cause == pipeline.CauseInherited), r.Join != "" && refusal.Cause == pipeline.CauseAlreadyMember:
				return "it was so already", nil
			case r.Leave != "" && refusal.Cause == pipeline.CauseUnknownUser:
				// Of who is no member Graph says the same as of who does not exist.
				if _, err := t.User(ctx, r.User); err == nil {
					return "it was so already", nil
				}
			}
		}
		if !errors.Is(err, ErrUnanswered) {
			return "", err
		}
		if u, err := t.User(ctx, r.User); err == nil && done(u) {
			return "the answer was lost, and a read shows that it was done", nil
		}
		if n == resends {
			return "", err
		}
	}
}
