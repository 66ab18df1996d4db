package reclaim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"seatlake/pipeline"
)

// RollbackOptions say what Rollback gives back.
type RollbackOptions struct {
	Rows    []int // of the plan; none stands for all
	Partial bool  // as many as seats suffice for, in the order of the plan
	DryRun  bool
	Tell    func(Result) // may be nil
}

// ShortError is the error of a rollback for which seats do not suffice.
type ShortError struct{ Missing []Missing }

// Missing is how many seats of a SKU are wanted and there.
type Missing struct {
	PartNumber    string
	Wanted, There int
}

func (e *ShortError) Error() string {
	var parts []string
	for _, m := range e.Missing {
		parts = append(parts, fmt.Sprintf("%s: %d are to be given back, and %d seats are free", m.PartNumber, m.Wanted, m.There))
	}
	return "seats do not suffice: " + strings.Join(parts, "; ") + ". Free or buy some, or give back what there are seats for with --partial. Nothing was written"
}

// Rollback gives back what a plan took: the exact direct assignments, with the plans
// that were off, and the memberships of groups. Whoever has a licence again, assigned
// otherwise, keeps it so. Its error is a *ShortError when seats do not suffice.
func (b *Book) Rollback(ctx context.Context, p *Reclamation, t Tenant, o RollbackOptions) (*Summary, error) {
	items, err := p.restorable(o.Rows)
	if err != nil {
		return nil, err
	}
	if err := b.seats(ctx, items, t, o); err != nil {
		return nil, err
	}
	s := &Summary{Waiting: map[State]int{}}
	for _, i := range items {
		if err := ctx.Err(); err != nil {
			return s, context.Cause(ctx)
		}
		r := &restore{Book: b, plan: p, item: i, tenant: t, dryRun: o.DryRun}
		err := r.do(ctx)
		if err != nil && !errors.Is(err, errStop) {
			return s, err
		}
		if r.result.Cause != "" {
			s.Failed++
		}
		s.add(r.result, o.Tell)
		if err != nil {
			s.Stopped = r.result.Reason
			return s, nil
		}
	}
	return s, nil
}

// TookFromGroups says that memberships of groups are to be given back for some rows of
// the plan; for all when none is named.
func (p *Reclamation) TookFromGroups(rows []int) bool {
	items, err := p.restorable(rows)
	return err == nil && slices.ContainsFunc(items, func(i *Item) bool {
		return i.Pending != nil && i.Pending.Assignment.Group != "" ||
			slices.ContainsFunc(i.open(), func(t Taken) bool { return t.Assignment.Group != "" })
	})
}

// restorable are the items from which something was taken that is not back.
func (p *Reclamation) restorable(rows []int) ([]*Item, error) {
	for _, n := range rows {
		if !slices.ContainsFunc(p.Items, func(i *Item) bool { return i.Number == n }) {
			return nil, fmt.Errorf("plan %s has no row %d", p.ID, n)
		}
	}
	var out []*Item
	for _, i := range p.Items {
		if (len(rows) == 0 || slices.Contains(rows, i.Number)) && (len(i.open()) > 0 || i.Pending != nil) {
			out = append(out, i)
		}
	}
	return out, nil
}

// seats compares what is to be given back with what is free. Who has a SKU already
// needs no seat.
func (b *Book) seats(ctx context.Context, items []*Item, t Tenant, o RollbackOptions) error {
	wanted := map[string]int{}
	names := map[string]string{}
	for _, i := range items {
		u, err := t.User(ctx, i.UserID)
		if errors.Is(err, ErrNoUser) {
			continue
		}
		if err != nil {
			return fmt.Errorf("user %s cannot be read: %w", i.UserPrincipalName, err)
		}
		if !u.has(i.SKU) {
			wanted[i.SKU]++
		}
		names[i.SKU] = i.PartNumber
	}
	units, err := t.Units(ctx)
	if err != nil {
		return fmt.Errorf("the tenant's units cannot be read: %w", err)
	}
	short := &ShortError{}
	for sku, n := range wanted {
		if there := units[sku].Free(); there < n {
			short.Missing = append(short.Missing, Missing{names[sku], n, max(there, 0)})
		}
	}
	if len(short.Missing) == 0 || o.Partial {
		return nil
	}
	slices.SortFunc(short.Missing, func(a, b Missing) int { return strings.Compare(a.PartNumber, b.PartNumber) })
	return short
}

// restore is one row's turn.
type restore struct {
	*Book
	plan   *Reclamation
	item   *Item
	tenant Tenant
	dryRun bool
	result Result
}

func (r *restore) enter(events ...Event) error {
	if r.dryRun {
		return nil
	}
	for n := range events {
		events[n].Row = r.item.Number
	}
	return r.write(r.plan.ID, nil, events...)
}

func (r *restore) end(cause pipeline.Cause, reason string) error {
	r.result.Row, r.result.State, r.result.Cause, r.result.Reason = &r.item.Row, r.item.State, cause, reason
	return nil
}

func (r *restore) do(ctx context.Context) error {
	u, err := r.tenant.User(ctx, r.item.UserID)
	if errors.Is(err, ErrNoUser) {
		return r.end(pipeline.CauseUnknownUser, "the user no longer exists: nothing can be given back")
	}
	if err != nil {
		return r.end(pipeline.CauseUnreadable, err.Error())
	}
	if pending := r.item.Pending; pending != nil && !pending.Restore {
		// It may have been taken. What the user has afterwards is what counts.
		e := Event{Action: Removed, Way: way(pending.Assignment), Assignment: &pending.Assignment, Reason: "whether it was taken is not known: it is given back"}
		if err := r.enter(e); err != nil {
			return err
		}
	}
	for _, x := range r.item.open() {
		if ended, err := r.give(ctx, u, x.Assignment); ended || err != nil {
			return err
		}
	}
	if r.dryRun {
		r.result = Result{Row: &r.item.Row, State: ClosedCancelled, Reason: "given back", Requests: r.result.Requests}
		return nil
	}
	reason := "given back by " + r.Actor
	if err := r.enter(Event{Action: RestoreCompleted, State: ClosedCancelled, Reason: reason}); err != nil {
		return err
	}
	return r.end("", reason)
}

// give gives one assignment back, with the ledger before and after.
func (r *restore) give(ctx context.Context, u *User, x Assignment) (ended bool, err error) {
	request := Request{User: r.item.UserID, Add: &x}
	if x.Group != "" {
		request = Request{User: r.item.UserID, Join: x.Group}
	}
	if direct, _ := parts(u, x.SKU); x.Group == "" && direct != nil && !held(u, x) {
		reason := "somebody assigned the licence again with other plans off: it is left so"
		if err := r.enter(Event{Action: RestoreNotDone, Way: way(x), Assignment: &x, Reason: reason, State: AttentionRequired}); err != nil {
			return true, err
		}
		return true, r.end(pipeline.CauseRefused, reason)
	}
	r.result.Requests = append(r.result.Requests, r.tenant.Preview(request))
	if r.dryRun {
		return false, nil
	}
	if err := r.enter(Event{Action: RestoreIntended, Way: way(x), Assignment: &x}); err != nil {
		return true, err
	}
	note, err := settle(ctx, r.tenant, request, false, func(u *User) bool { return held(u, x) })
	var refusal *Refusal
	switch {
	case err == nil:
		return false, r.enter(Event{Action: Restored, Way: way(x), Assignment: &x, Reason: note})
	case errors.Is(err, ErrUnanswered):
		return true, r.end(pipeline.CauseUnanswered, err.Error()+": `seatlake reclaim rollback` again finds out whether it was done")
	case !errors.As(err, &refusal):
		return true, err
	}
	e := Event{Action: RestoreNotDone, Way: way(x), Assignment: &x, Cause: refusal.Cause, Reason: refusal.Error()}
	if refusal.Cause != pipeline.CauseNoRights {
		e.State = AttentionRequired
	}
	if err := r.enter(e); err != nil {
		return true, err
	}
	if err := r.end(refusal.Cause, refusal.Error()); err != nil {
		return true, err
	}
	if refusal.Cause == pipeline.CauseNoRights {
		return true, errStop
	}
	return true, nil
}
