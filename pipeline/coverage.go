package pipeline

import (
	"errors"
	"fmt"
	"time"
)

// State says how much of a source a table holds. "Empty" and "failed" are
// different results, so every table of a commit has one.
type State string

// The states of a table's coverage.
const (
	Complete  State = "complete"  // all that Graph has
	Partial   State = "partial"   // rows are there, some columns or events are not
	Concealed State = "concealed" // the tenant hides names in usage reports: rows join nobody
	Denied    State = "denied"    // a permission, role or licence is missing
	Missing   State = "missing"   // Graph has no data for it
	Stale     State = "stale"     // the data is older than its source should be
)

// Coverage is a table's completeness and freshness in one commit.
type Coverage struct {
	Table    string    `json:"table"`
	State    State     `json:"state"`
	Reason   string    `json:"reason,omitempty"`     // for people, with the cure; empty when complete
	Optional bool      `json:"optional,omitempty"`   // a run without the table is whole: no state of it is a gap
	Observed time.Time `json:"observed_at,omitzero"` // UTC, when Graph answered first

	// ObservedThrough is the UTC day up to which the source saw activity: the
	// refresh date of a report, the day of capture otherwise. "2006-01-02", or
	// empty when nothing was observed.
	ObservedThrough string `json:"observed_through,omitempty"`

	// LogicalDate is the partition this run wrote, "2006-01-02"; empty when it
	// wrote none, or (sign-ins) several.
	LogicalDate string `json:"logical_date,omitempty"`
	Rows        int64  `json:"rows"`
}

// Gap is the error of a source that Graph refuses in a way a run can record and
// go on without. It becomes the table's coverage.
type Gap struct {
	State State // Denied or Missing
	// Reason says to people what is missing and what to do about it.
	Reason string
	Err    error // the answer behind it, may be nil
}

func (g *Gap) Error() string {
	if g.Err == nil {
		return fmt.Sprintf("%s: %s", g.State, g.Reason)
	}
	return fmt.Sprintf("%s: %s: %v", g.State, g.Reason, g.Err)
}

// Unwrap gives the answer behind the gap.
func (g *Gap) Unwrap() error { return g.Err }

// AsGap finds a *Gap in an error's chain.
func AsGap(err error) (*Gap, bool) {
	var g *Gap
	ok := errors.As(err, &g)
	return g, ok
}

// Error is an error with its place: which tenant, source and page.
type Error struct {
	Tenant string
	Source string // source or table
	Page   int    // 0 when no page is at fault
	Err    error
}

func (e *Error) Error() string {
	place := e.Source
	if e.Tenant != "" {
		place = "tenant " + e.Tenant + ": " + place
	}
	if e.Page > 0 {
		place = fmt.Sprintf("%s: page %d", place, e.Page)
	}
	return place + ": " + e.Err.Error()
}

// Unwrap gives the error itself.
func (e *Error) Unwrap() error { return e.Err }
