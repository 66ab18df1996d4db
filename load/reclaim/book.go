package reclaim

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"seatlake/load/lake"
)

// Clerk is who writes into a ledger.
type Clerk struct {
	Command string // approve, notify, answers, apply, verify or rollback
	Actor   string // who runs it
	Program string // seatlake's version
	Tenant  string // configured name
	Now     func() time.Time
}

// Book is a tenant's ledger, read: the sealed plans and where their rows stand. It is
// of one process; the tenant's lease keeps others away.
type Book struct {
	Clerk
	lake     *lake.Lake
	ledger   *lake.Ledger
	tenantID string
	plans    map[string]*Reclamation
}

// Reclamation is a sealed plan and where its rows stand.
type Reclamation struct {
	*SealedPlan
	Items []*Item // in the order of the rows

	counted map[string]counted // by SKU
}

// item is the row of a number. A sealed plan's rows are in the order of their numbers.
func (p *Reclamation) item(number int) (*Item, bool) {
	at, ok := slices.BinarySearchFunc(p.Items, number, func(i *Item, number int) int { return i.Number - number })
	if !ok {
		return nil, false
	}
	return p.Items[at], true
}

// Item is a row of a sealed plan and where it stands.
type Item struct {
	Row
	State    State
	Since    time.Time // of the state
	Note     string    // why, of the last event that said
	Deadline time.Time // of the user's answer; zero when the user was not asked
	Pending  *Pending  // a write of which no outcome is known
	Taken    []Taken   // writes that were done, in their order
	Freed    bool      // the unit was freed, and not given back
	FreedAt  time.Time
	Verified bool // a read has shown what was written last

	due bool // it has been Awaiting Revocation, and was not closed since
}

// Pending is a write that was about to be sent when its process ended.
type Pending struct {
	Assignment Assignment
	Restore    bool
	At         time.Time
}

// Taken is an assignment that was taken.
type Taken struct {
	Assignment Assignment
	At         time.Time
	Restored   bool
}

// record is what an entry of the ledger says.
type record struct {
	Command string      `json:"command"`
	Actor   string      `json:"actor"`
	Program string      `json:"program"`
	Plan    string      `json:"plan_id"`
	Sealed  *SealedPlan `json:"sealed,omitempty"` // in the entry that seals it
	Events  []Event     `json:"events"`
}

// OpenBook reads a tenant's ledger. The caller closes it.
func OpenBook(ctx context.Context, l *lake.Lake, tenantID string, c Clerk) (*Book, error) {
	ledger, err := l.Ledger(tenantID)
	if err != nil {
		return nil, err
	}
	b := &Book{Clerk: c, lake: l, ledger: ledger, tenantID: tenantID, plans: map[string]*Reclamation{}}
	entries, err := ledger.Entries(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if err := b.apply(e); err != nil {
			return nil, fmt.Errorf("entry %d of the ledger: %w", e.Sequence, err)
		}
	}
	return b, nil
}

// Close gives the ledger back.
func (b *Book) Close() error { return b.ledger.Close() }

// Plans are the sealed plans, oldest first.
func (b *Book) Plans() []*Reclamation {
	var out []*Reclamation
	for _, p := range b.plans {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *Reclamation) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// Plan is the sealed plan of an id.
func (b *Book) Plan(id string) (*Reclamation, bool) {
	p, ok := b.plans[id]
	return p, ok
}

// Check says why a sealed plan may not be acted on: it is of another tenant or lake,
// the ledger does not know it, or knows it otherwise, or it has expired.
func (b *Book) Check(s *SealedPlan) (*Reclamation, error) {
	switch {
	case s.LakeID != b.lake.ID():
		return nil, fmt.Errorf("the plan was made on lake %s, and this is %s", s.LakeID, b.lake.ID())
	case s.TenantID != b.tenantID:
		return nil, fmt.Errorf("the plan is of tenant %s (%s), and this is %s", s.TenantID, s.Tenant, b.tenantID)
	}
	p, ok := b.plans[s.ID]
	switch {
	case !ok:
		return nil, fmt.Errorf("the ledger of this lake knows no seal of plan %s: %w", s.ID, ErrNotSealed)
	case p.Seal.SHA256 != s.Seal.SHA256:
		return nil, fmt.Errorf("plan %s was sealed with SHA-256 %.12s, and the file has %.12s: %w", s.ID, p.Seal.SHA256, s.Seal.SHA256, ErrChanged)
	}
	return p, nil
}

// ErrExpired is the kind of a plan whose seal is too old.
var ErrExpired = errors.New("its evidence is too old to act on: make a new plan")

// ErrClock is the kind of a plan that was sealed in the future, as the clock says.
var ErrClock = errors.New("this machine's clock is behind: set it right")

// Expired is the error of a plan whose time is over, or not yet come; nil while it may be
// acted on. That a clock is behind by less is not seen.
func (p *Reclamation) Expired(now time.Time) error {
	if now.Before(p.Seal.At) {
		return fmt.Errorf("plan %s was sealed at %s, and it is %s: %w", p.ID, p.Seal.At.Format(time.RFC3339), now.UTC().Format(time.RFC3339), ErrClock)
	}
	if now.Before(p.Seal.Expires) {
		return nil
	}
	return fmt.Errorf("plan %s expired at %s: %w", p.ID, p.Seal.Expires.Format(time.RFC3339), ErrExpired)
}

// write records events of a plan. They are on the disk when it returns.
func (b *Book) write(plan string, sealed *SealedPlan, events ...Event) error {
	if len(events) == 0 {
		return nil
	}
	e, err := b.ledger.Append(b.Now(), record{
		Command: b.Command, Actor: b.Actor, Program: b.Program, Plan: plan, Sealed: sealed, Events: events,
	})
	if err != nil {
		return err
	}
	return b.apply(e)
}

// apply adds an entry to what is known.
func (b *Book) apply(e lake.LedgerEntry) error {
	var r record
	if err := json.Unmarshal(e.Body, &r); err != nil {
		return err
	}
	if r.Sealed != nil {
		if _, twice := b.plans[r.Plan]; twice || r.Sealed.ID != r.Plan {
			return fmt.Errorf("it seals plan %s a second time", r.Plan)
		}
		p := &Reclamation{SealedPlan: r.Sealed, counted: map[string]counted{}}
		for _, row := range r.Sealed.Rows {
			p.Items = append(p.Items, &Item{Row: row})
		}
		b.plans[r.Plan] = p
	}
	p, ok := b.plans[r.Plan]
	if !ok {
		return fmt.Errorf("it is about plan %s, which no entry seals", r.Plan)
	}
	for _, event := range r.Events {
		i, ok := p.item(event.Row)
		if !ok {
			return fmt.Errorf("it is about row %d of plan %s, which has no such row", event.Row, r.Plan)
		}
		i.apply(event, e.At)
		if event.Units != nil {
			p.counted[i.SKU] = counted{*event.Units, e.At}
		}
	}
	return nil
}

func (i *Item) apply(e Event, at time.Time) {
	if e.State != "" {
		i.State, i.Since = e.State, at
		i.due = e.State == AwaitingRevocation || i.due && !e.State.Closed()
	}
	if e.Reason != "" {
		i.Note = e.Reason
	}
	switch e.Action {
	case Notified:
		i.Deadline = e.Deadline
	case Intended, RestoreIntended:
		i.Pending = &Pending{*e.Assignment, e.Action == RestoreIntended, at}
	case Removed:
		i.Pending, i.Verified = nil, false
		i.Taken = append(i.Taken, Taken{Assignment: *e.Assignment, At: at})
	case NotDone, RestoreNotDone:
		i.Pending = nil
	case Restored:
		i.Pending, i.Verified, i.Freed = nil, false, false
		for n := range i.Taken {
			if t := &i.Taken[n]; t.Assignment.SKU == e.Assignment.SKU && t.Assignment.Group == e.Assignment.Group {
				t.Restored = true
			}
		}
	case Verified:
		i.Verified = true
	}
	if e.Freed {
		i.Freed, i.FreedAt = true, at
	}
}

// open are the writes that were done and not taken back again.
func (i *Item) open() []Taken {
	var out []Taken
	for _, t := range i.Taken {
		if !t.Restored {
			out = append(out, t)
		}
	}
	return out
}

// Approve seals what a person left of a plan's CSV, and enters it in the ledger. It
// returns notes about cells that were changed and are not taken over. A plan is sealed
// once; the same plan sealed again by the same person is the seal there is.
func (b *Book) Approve(p *Plan, csv []byte, expires time.Duration) (*SealedPlan, []string, error) {
	if p.LakeID != b.lake.ID() {
		return nil, nil, fmt.Errorf("the plan was made on lake %s, and this is %s", p.LakeID, b.lake.ID())
	}
	if p.TenantID != b.tenantID {
		return nil, nil, fmt.Errorf("the plan is of tenant %s (%s), and this is %s", p.TenantID, p.Tenant, b.tenantID)
	}
	e, err := p.readEdited(csv)
	if err != nil {
		return nil, nil, err
	}
	if known, ok := b.plans[p.ID]; ok {
		again, err := p.seal(e.rows, known.Seal.By, known.Seal.At, known.Seal.Expires)
		if err == nil && again.Seal.SHA256 == known.Seal.SHA256 && known.Seal.By == b.Actor {
			return known.SealedPlan, e.notes, nil
		}
		return nil, nil, fmt.Errorf("plan %s was sealed by %s at %s, with %d rows: to change it, make a new plan",
			p.ID, known.Seal.By, known.Seal.At.Format(time.RFC3339), len(known.Rows))
	}
	now := b.Now()
	if end := p.Created.Add(expires); !now.Before(end) {
		return nil, nil, fmt.Errorf("the plan was made at %s: %w", p.Created.Format(time.RFC3339), ErrExpired)
	}
	sealed, err := p.seal(e.rows, b.Actor, now, p.Created.Add(expires))
	if err != nil {
		return nil, nil, err
	}
	var events []Event
	for _, r := range sealed.Rows {
		events = append(events,
			Event{Row: r.Number, Action: Planned, State: AttentionRequired, Reason: r.EvidenceText},
			Event{Row: r.Number, Action: Sealed, State: Ready, Reason: cmp.Or(r.Comment, "sealed by "+b.Actor)})
	}
	return sealed, e.notes, b.write(p.ID, sealed, events...)
}
