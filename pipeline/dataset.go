package pipeline

import (
	"context"
	"encoding/json"
	"time"

	"seatlake/schemas"
)

// Dataset is where runs are committed: the lake.
type Dataset interface {
	// Begin stages a run. Nothing of it is visible before Commit.
	Begin(ctx context.Context, run Run) (Transaction, error)
}

// Transaction is a run being staged. Write may be called from several
// goroutines. Exactly one of Commit and Abort ends it; Abort after Commit does
// nothing.
type Transaction interface {
	// Write stages a stream as data files, one or more per partition, and returns
	// them. The stream's schema is the table's. A row whose partition column
	// is null is an error.
	Write(ctx context.Context, table *schemas.Table, in Stream) ([]File, error)
	// Commit publishes all staged files at once. Partitions named by replaces
	// lose the files they had. It returns the version that holds the run; a run
	// that is already committed is not committed again.
	Commit(ctx context.Context, c Commit) (Version, error)
	// Abort removes what was staged.
	Abort() error
}

// Version is the number of a commit, from 1.
type Version int64

// File is one data file.
type File struct {
	Table         string `json:"table"`
	Path          string `json:"path"` // relative to the lake
	Size          int64  `json:"size"` // bytes
	SHA256        string `json:"sha256"`
	Rows          int64  `json:"rows"`
	SchemaVersion int    `json:"schema_version"`
	Tenant        string `json:"tenant,omitempty"`    // tenant_id, empty for the catalogue
	Partition     string `json:"partition,omitempty"` // value of the partition column, "2006-01-02"
}

// Replacement says which partitions of a table a run replaces: those from From to
// To, inclusive days "2006-01-02". Both empty replaces the whole table of the
// tenant (the catalogue's tables).
type Replacement struct {
	Table string `json:"table"`
	From  string `json:"from,omitempty"`
	To    string `json:"to,omitempty"`
}

// Run identifies one batch run of one tenant. It is written beside the run's raw
// pages, so that a replay is the same run again.
type Run struct {
	ID       string    `json:"run_id"` // ULID: sorts by time
	Tenant   string    `json:"tenant"` // configured name
	TenantID string    `json:"tenant_id"`
	Started  time.Time `json:"started"` // UTC; its day is the snapshot_date
	Program  string    `json:"program"` // seatlake's version
	Requests []Request `json:"requests"`
}

// Request is one source a run reads, with its window.
type Request struct {
	Source string `json:"source"`
	Window Window `json:"window,omitzero"`
	// Unread is the span before the window that no run has read and the source no
	// longer has.
	Unread Window `json:"unread,omitzero"`
}

// Commit is what one commit says.
type Commit struct {
	Run      Run                        `json:"run"`
	Ended    time.Time                  `json:"ended"` // UTC
	Add      []File                     `json:"add"`
	Replaces []Replacement              `json:"replaces"`
	Coverage []Coverage                 `json:"coverage"`
	Notices  []string                   `json:"notices,omitempty"` // for people: drift, unknown SKUs
	State    map[string]json.RawMessage `json:"state,omitempty"`   // cursors, by source: {"sign_ins":{"watermark":"..."}}
}
