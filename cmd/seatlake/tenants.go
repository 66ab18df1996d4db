package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"golang.org/x/sync/errgroup"

	"seatlake/extract/graph"
	"seatlake/extract/hr"
	"seatlake/extract/inventory"
	"seatlake/extract/itam"
	"seatlake/extract/terms"
	"seatlake/load/lake"
	"seatlake/pipeline"
)

// batch is one `run` over some tenants.
type batch struct {
	*app
	cfg      *Config
	tasks    []task
	due      due
	fresh    bool // takes up no run that was cut off
	build    bool
	reporter *Reporter

	terms       *terms.File                  // nil when the configuration names none
	hr          *hr.File                     // the same
	inventories map[string][]*inventory.File // exports of device inventories, by lower-case tenant name
	legacy      *itam.File                   // as terms
	summary     Summary

	telemetry *telemetry // nil when nobody watches

	pacer *graph.Pacer // of all tenants, whose limits one application shares
}

// run reads the tenants side by side, each into a commit of its own, then builds
// once. A tenant that fails does not keep the others from being published.
func (b *batch) run(ctx context.Context, tenants []Tenant) error {
	ctx, end := b.telemetry.span(ctx, "run", attribute.Int("tenants", len(tenants)))
	defer func() { end("") }()
	b.pacer = graph.NewPacer(nil)
	parts, err := newParts(b.cfg.Catalog)
	if err != nil {
		return err
	}
	if b.terms, err = readTerms(b.cfg); err != nil {
		return err
	}
	if b.hr, err = readHR(b.cfg); err != nil {
		return err
	}
	if b.inventories, err = readInventories(b.cfg); err != nil {
		return err
	}
	if b.legacy, err = readLegacyLicenses(b.cfg); err != nil {
		return err
	}
	lk, key, err := b.createLake(ctx, b.cfg)
	if err != nil {
		return err
	}
	parts.key = key
	b.summary.Lake = lk.Where()
	b.summary.Tenants = make([]TenantSummary, len(tenants))
	failures := make([]error, len(tenants))
	var tell sync.Mutex // what is said of one tenant stays together
	group := new(errgroup.Group)
	group.SetLimit(max(b.cfg.Parallel.Tenants, 1))
	for i, t := range tenants {
		s := &b.summary.Tenants[i]
		s.Tenant = t.Name
		group.Go(func() error {
			ctx, end := b.telemetry.span(ctx, "tenant", attribute.String("tenant", t.Name))
			s.Started = b.now().UTC()
			var published *pipeline.Published
			err := errInterrupted
			if ctx.Err() == nil {
				published, err = b.tenant(ctx, lk, parts, t, s)
			}
			if err != nil && !strings.Contains(err.Error(), "tenant "+t.Name) {
				err = fmt.Errorf("tenant %s: %w", t.Name, err)
			}
			s.Ended = b.now().UTC()
			s.end(published, err)
			b.telemetry.count(ctx, s)
			end(fault(s.Outcome), attribute.String("tenant_id", s.TenantID), attribute.String("run", s.RunID),
				attribute.String("outcome", string(s.Outcome)), attribute.Int64("version", int64(s.Version)))
			failures[i] = err
			tell.Lock()
			defer tell.Unlock()
			b.tell(s)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return b.publish(ctx, lk, errors.Join(failures...))
}

// fault is an outcome that a span marks as an error.
func fault(o Outcome) string {
	if o == Published || o == NotDue {
		return ""
	}
	return string(o)
}

// tell says what became of a tenant: its end, each table that is not complete,
// and drift.
func (b *batch) tell(s *TenantSummary) {
	switch s.Outcome {
	case Published:
		b.reporter.Step("run committed", "tenant", s.Tenant, "run", s.RunID, "version", int64(s.Version), "files", s.Files,
			"requests", s.Requests, "retries", s.Retries, "bytes", s.Bytes)
	case NotDue:
		b.reporter.Step("not due", "tenant", s.Tenant)
	default:
		b.reporter.Warn("tenant "+string(s.Outcome), "tenant", s.Tenant, "run", s.RunID, "error", s.Error)
	}
	for _, c := range s.Coverage {
		if isGap(c) {
			b.reporter.Warn("coverage gap", "tenant", s.Tenant, "table", c.Table, "state", string(c.State), "reason", c.Reason)
		}
	}
	for _, n := range s.Notices {
		b.reporter.Warn("notice", "tenant", s.Tenant, "notice", n)
	}
}

// isGap says whether a table of a run is less than whole. No state of an optional
// one is.
func isGap(c pipeline.Coverage) bool { return c.State != pipeline.Complete && !c.Optional }

// publish builds the models over what was committed, and gives the batch's exit
// status: failed is what kept tenants from being committed.
func (b *batch) publish(ctx context.Context, lk *lake.Lake, failed error) error {
	last, gaps := b.summary.committed()
	if last == 0 && failed != nil {
		return failed
	}
	if last == 0 {
		b.reporter.Step("nothing is due")
		var err error
		if last, err = b.unbuilt(ctx, lk); err != nil || last == 0 {
			return err
		}
	}
	if ctx.Err() != nil {
		stands := fmt.Errorf("interrupted after version %d was committed; `seatlake build` publishes it", last)
		return &statusError{code: exitGaps, err: errors.Join(failed, stands)}
	}
	if err := b.retire(ctx, lk); err != nil {
		return &statusError{code: exitCheckFailed, err: errors.Join(err, failed)}
	}
	if b.build {
		ctx, end := b.telemetry.span(ctx, "build", attribute.Int64("version", int64(last)))
		if err := b.app.buildVersion(ctx, b.cfg, lk, last, b.reporter); err != nil {
			end("failed")
			return errors.Join(err, failed)
		}
		end("")
		b.summary.Built = last
	}
	if failed != nil || gaps > 0 {
		return &statusError{code: exitGaps, err: failed}
	}
	return nil
}

// unbuilt is the newest version when a run before this one ended between its
// commits and its build; else 0.
func (b *batch) unbuilt(ctx context.Context, lk *lake.Lake) (pipeline.Version, error) {
	snapshot, err := lk.Snapshot(ctx, 0)
	if !b.build || errors.Is(err, lake.ErrEmpty) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	gold, err := lk.Gold(0)
	switch {
	case errors.Is(err, lake.ErrNoGold):
		return snapshot.Version, nil
	case err != nil:
		return 0, err
	case gold.Version < snapshot.Version:
		return snapshot.Version, nil
	}
	return 0, nil
}

// stats is what reading the tenants took of Graph, summed up.
func (b *batch) stats() (sum graph.Stats) {
	for _, s := range b.summary.Tenants {
		sum.Requests += s.Requests
		sum.Retries += s.Retries
		sum.Bytes += s.Bytes
	}
	return sum
}
