package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"seatlake/extract/graph"
	"seatlake/load/lake"
	"seatlake/pipeline"
)

// Summary is what a batch run did, for the programs that watch it. It holds no
// names of people and no secret. Times are UTC.
type Summary struct {
	Program    string           `json:"program"` // seatlake's version
	Lake       string           `json:"lake,omitempty"`
	Started    time.Time        `json:"started"`
	Ended      time.Time        `json:"ended"`
	ExitStatus int              `json:"exit_status"`
	Error      string           `json:"error,omitempty"`
	Built      pipeline.Version `json:"built,omitempty"` // the version whose marts this run published in gold
	Tenants    []TenantSummary  `json:"tenants"`         // in the order of the configuration
}

// Outcome is how a tenant's part of a batch ended.
type Outcome string

// The outcomes. Only a published tenant has a version.
const (
	Published   Outcome = "published"
	Failed      Outcome = "failed"
	NotDue      Outcome = "not due"
	Held        Outcome = "held"        // another run reads the tenant
	Interrupted Outcome = "interrupted" // by a signal, before all its pages were read
)

// TenantSummary is what a batch did for one tenant.
type TenantSummary struct {
	Tenant    string              `json:"tenant"`
	TenantID  string              `json:"tenant_id,omitempty"`
	Outcome   Outcome             `json:"outcome"`
	Error     string              `json:"error,omitempty"`
	RunID     string              `json:"run_id,omitempty"`
	Version   pipeline.Version    `json:"version,omitempty"`
	Files     int                 `json:"files"` // written
	Rows      int64               `json:"rows"`  // in them
	Bytes     int64               `json:"bytes"` // of answers, as they came over the wire
	Requests  int64               `json:"requests"`
	Retries   int64               `json:"retries"`
	Throttled float64             `json:"throttled_seconds"` // waited because Graph asked to, summed over sources
	Coverage  []pipeline.Coverage `json:"coverage"`
	Notices   []string            `json:"notices"`
	Started   time.Time           `json:"started"`
	Ended     time.Time           `json:"ended"`
}

// count takes what reading the tenant took of Graph.
func (s *TenantSummary) count(stats graph.Stats) {
	s.Requests, s.Retries, s.Bytes, s.Throttled = stats.Requests, stats.Retries, stats.Bytes, stats.Throttled.Seconds()
}

// end takes how the tenant's run ended; neither result nor error is not due.
func (s *TenantSummary) end(published *pipeline.Published, err error) {
	s.Coverage, s.Notices = []pipeline.Coverage{}, []string{}
	var held *lake.HeldError
	switch {
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		s.Outcome = Interrupted
	case errors.As(err, &held):
		s.Outcome = Held
	case err != nil:
		s.Outcome = Failed
	case published == nil:
		s.Outcome = NotDue
	default:
		s.Outcome, s.Version = Published, published.Version
		s.Coverage = append(s.Coverage, published.Commit.Coverage...)
		s.Notices = append(s.Notices, published.Commit.Notices...)
		s.Files = len(published.Commit.Add)
		for _, f := range published.Commit.Add {
			s.Rows += f.Rows
		}
	}
	if err != nil {
		s.Error = err.Error()
	}
}

// committed is the newest version that the batch committed, 0 for none, and how
// many tables of its tenants have gaps.
func (s *Summary) committed() (last pipeline.Version, gaps int) {
	for _, t := range s.Tenants {
		last = max(last, t.Version)
		for _, c := range t.Coverage {
			if isGap(c) {
				gaps++
			}
		}
	}
	return last, gaps
}

// summarize ends the batch's summary and writes it where --summary says, which is
// the standard output for "-". It gives back the batch's own error, with one of
// writing.
func (b *batch) summarize(to string, err error) error {
	err = withStatus(err)
	b.summary.Program, b.summary.Ended = version(), b.now().UTC()
	b.summary.ExitStatus = statusOf(err)
	if err != nil {
		b.summary.Error = err.Error()
	}
	if b.summary.Tenants == nil {
		b.summary.Tenants = []TenantSummary{}
	}
	if to == "" {
		return err
	}
	body, failed := json.MarshalIndent(b.summary, "", "  ")
	if failed == nil {
		failed = b.writeSummary(to, append(body, '\n'))
	}
	if failed != nil {
		code := cmp.Or(statusOf(err), exitCheckFailed) // all is well but for the summary
		return &statusError{code: code, err: errors.Join(err, fmt.Errorf("write the summary: %w", failed))}
	}
	return err
}

// writeSummary replaces the file as a whole, so that a reader never sees half.
func (b *batch) writeSummary(to string, body []byte) error {
	if to == "-" {
		_, err := b.out.Write(body)
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(to), ".summary-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(body)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), to)
}
