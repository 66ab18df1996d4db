package pipeline

import (
	"context"
	"iter"
	"time"
)

// Page is one answer of Graph, byte for byte.
type Page struct {
	Source    string    // the source it answers, such as "users"
	Number    int       // from 1, within the source
	Request   string    // path and query as sent, without host, token or pre-authenticated link
	RequestID string    // Graph's request-id, for support cases
	Coding    string    // content coding of Body: "gzip" or "" (identity)
	Body      []byte    // the answer's bytes as they came over the wire; belongs to the page
	Observed  time.Time // UTC, when the answer began to arrive
}

// Pages is a source's answers in order. It may be ranged over once; an error
// ends it.
type Pages = iter.Seq2[*Page, error]

// Window is the half-open span [From, To) of event time that a source is asked
// for. The zero Window asks for all there is.
type Window struct {
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
}

// IsZero says that the window is not bounded.
func (w Window) IsZero() bool { return w.From.IsZero() && w.To.IsZero() }

// Source gives a tenant's pages. Live Graph and a run's kept pages are its two
// implementations.
type Source interface {
	// Pages reads one source. It yields an error that is a *Gap when Graph
	// refuses the source in a way that a run can record and go on without;
	// any other error fails the run.
	Pages(ctx context.Context, source string, w Window) Pages
}

// Keeper stores pages as they pass.
type Keeper interface {
	// Keep yields the pages it is given, each after it has been stored. When the
	// pages end, or end in a *Gap, it stores how they ended, so that a replay
	// ends alike.
	Keep(ctx context.Context, source string, pages Pages) Pages
}

// The sources of a tenant. A source is one Graph collection or one usage report;
// its pages may feed several tables.
const (
	Users          = "users"
	SubscribedSkus = "subscribed_skus"
	SignIns        = "sign_ins"

	ReportActiveUsers = "getOffice365ActiveUserDetail"
	ReportEmail       = "getEmailActivityUserDetail"
	ReportApps        = "getM365AppUserDetail"
	ReportActivations = "getOffice365ActivationsUserDetail"
	ReportMailboxes   = "getMailboxUsageDetail"
	ReportOneDrives   = "getOneDriveUsageAccountDetail"
)
