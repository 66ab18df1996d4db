// Package reclaim takes licences back: it is the only part of seatlake that has a
// tenant changed.
//
// A *plan* lists licences, one row per user and SKU, with the reason, the evidence and
// what the user loses. A person edits it and *seals* it; only a sealed plan is acted
// on, until it expires. Each row passes through *states* until it is closed. Whatever
// happens to a row is an *event* in the tenant's *ledger*, which is append-only and
// chained by hashes, and from which every state is computed.
//
// It promises that
//   - nothing is written to a tenant that is not in a sealed plan, and that was not
//     looked at again at the moment of the act;
//   - what is about to be written is in the ledger, on the disk, before it is sent, so
//     that a process that dies leaves nothing behind that the next one does not find;
//   - a licence is taken once, and what was taken is known exactly, so that it can be
//     given back;
//   - other licences of the user are never touched.
//
// It leaves out how Graph is asked (extract/graph does that, behind Tenant), and who is
// a candidate (the mart reclaim_candidates says).
package reclaim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"seatlake/pipeline"
)

// Tenant is the tenant as it is now.
type Tenant interface {
	// User reads one user. The error of nobody is ErrNoUser.
	User(ctx context.Context, id string) (*User, error)
	// Group reads one group. What may not be read is an error.
	Group(ctx context.Context, id string) (*Group, error)
	// Units are those of each SKU, by GUID.
	Units(ctx context.Context) (map[string]Units, error)
	// Write sends one request. Its error is a *Refusal when nothing was done, and
	// ErrUnanswered when nobody knows.
	Write(ctx context.Context, r Request) error
	// Preview is the request as it would be sent.
	Preview(r Request) string
}

// ErrNoUser is the error of a user that does not exist.
var ErrNoUser = errors.New("there is no such user")

// ErrUnanswered is the kind of a write whose answer did not come: it may have been done.
var ErrUnanswered = errors.New("the answer was lost")

// User is a user at one moment.
type User struct {
	ID, UserPrincipalName string
	Enabled               *bool
	Held                  []Assignment // SKUs and what is off in them, by whatever way
	Assignments           []Assignment // the ways
	LastSignIn            time.Time    // newest successful sign-in; zero for none
	LastAttempt           time.Time    // newest sign-in, successful or not; zero for none
	SignInsKnown          bool         // whether sign-ins could be read
}

// Assignment is one way in which a user has a SKU. GUIDs are lower-case.
type Assignment struct {
	SKU      string   `json:"sku_id"`
	Group    string   `json:"group_id,omitempty"` // "" for a direct assignment
	Disabled []string `json:"disabled_plans"`
	State    string   `json:"state,omitempty"`

	Updated time.Time `json:"-"` // when it was assigned, or changed; zero when that is not known
}

// works says that the assignment gives the licence. One in error holds no seat.
func (a Assignment) works() bool { return !strings.EqualFold(a.State, "Error") }

// of are the assignments of a SKU that work. Graph may know of a licence and of no way
// it came: then it is taken to be direct.
func (u *User) of(sku string) []Assignment {
	var out []Assignment
	for _, a := range u.Assignments {
		if a.SKU == sku && a.works() {
			out = append(out, a)
		}
	}
	if len(out) > 0 || slices.ContainsFunc(u.Assignments, func(a Assignment) bool { return a.SKU == sku }) {
		return out
	}
	for _, a := range u.Held {
		if a.SKU == sku {
			out = append(out, a)
		}
	}
	return out
}

// has says that the user holds a SKU.
func (u *User) has(sku string) bool { return len(u.of(sku)) > 0 }

// Group is a group that assigns licences.
type Group struct {
	ID, Name string
	SKUs     []string
	Dynamic  bool // a rule says who is a member
	Synced   bool // it belongs to an on-premises directory
}

// Request is one write. Exactly one of Remove, Add, Leave and Join is set.
type Request struct {
	User   string
	Remove string      // SKU whose direct assignment goes
	Add    *Assignment // direct assignment that comes
	Leave  string      // group whose member the user ceases to be
	Join   string      // group whose member the user becomes
}

// Refusal is the error of a write that Graph did not do.
type Refusal struct {
	Cause pipeline.Cause
	Err   error
}

func (e *Refusal) Error() string { return e.Err.Error() }

// Unwrap gives Graph's own error.
func (e *Refusal) Unwrap() error { return e.Err }

// Activity is what was seen of users at the start of an act.
type Activity interface {
	// Since is the latest day on which a user used one of the services, and that
	// service; "" for none. The user is known by lower-case sign-in names, for reports
	// tell of a renamed one by the name there was, and by object id. Its error says why
	// some service's activity cannot be told.
	Since(names []string, id string, services []string) (day, service string, err error)
}

// State is where a row of a sealed plan stands.
type State string

// The states. A row is closed once and stays so.
const (
	AttentionRequired  State = "Attention Required"  // a person has to see to it
	Ready              State = "Ready"               // sealed
	AwaitingUser       State = "Awaiting User"       // the user was asked
	AwaitingApproval   State = "Awaiting Approval"   // the user agreed, or did not answer
	AwaitingRevocation State = "Awaiting Revocation" // may be taken
	ClosedComplete     State = "Closed Complete"     // taken
	ClosedSkipped      State = "Closed Skipped"      // was gone already
	ClosedCancelled    State = "Closed Cancelled"    // is not to be taken, or was given back
)

// Closed says that nothing more happens to the row by itself.
func (s State) Closed() bool { return strings.HasPrefix(string(s), "Closed") }

// Action is what an event did.
type Action string

// The actions.
const (
	Planned          Action = "planned"
	Sealed           Action = "sealed"
	Notified         Action = "notified"
	Answered         Action = "answered"
	TimedOut         Action = "timed_out" // no answer in time
	Approved         Action = "approved"
	Due              Action = "due"        // waiting is skipped
	Counted          Action = "counted"    // the units of the SKU were read, before the plan's first act on it
	Intended         Action = "intended"   // a write is about to be sent
	Removed          Action = "removed"    // the write was done
	NotDone          Action = "not_done"   // the write was refused, or is known not to have been done
	Completed        Action = "completed"  // the licence is gone
	Skipped          Action = "skipped"    // there was nothing to take
	Cancelled        Action = "cancelled"  // something changed
	Reported         Action = "reported"   // a person has to see to it
	Verified         Action = "verified"   // a read shows it
	Unverified       Action = "unverified" // no read shows it, or the licence came back
	RestoreIntended  Action = "restore_intended"
	Restored         Action = "restored"
	RestoreNotDone   Action = "restore_not_done"
	RestoreCompleted Action = "restore_completed"
)

// Event is something that happened to a row of a sealed plan.
type Event struct {
	Row    int            `json:"row"`
	Action Action         `json:"action"`
	State  State          `json:"state,omitempty"` // the row's from now on; "" leaves it
	Reason string         `json:"reason,omitempty"`
	Cause  pipeline.Cause `json:"cause,omitempty"`

	Way        string      `json:"way,omitempty"` // direct or group, of a write
	Assignment *Assignment `json:"assignment,omitempty"`
	Freed      bool        `json:"freed,omitempty"`      // the unit can be given to somebody else
	Units      *Units      `json:"units,omitempty"`      // of the SKU
	Deadline   time.Time   `json:"deadline,omitzero"`    // of an answer
	AnsweredBy string      `json:"answered_by,omitzero"` // whose answer it is, as the file of answers says
}

func (e Event) String() string {
	text := fmt.Sprintf("row %d: %s", e.Row, e.Action)
	if e.State != "" {
		text += ", " + string(e.State)
	}
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}
