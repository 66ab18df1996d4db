package main

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"seatlake/load/lake"
	"seatlake/pipeline"
)

// newRun is a run of the tenant that begins now.
func (b *batch) newRun(t Tenant, tenantID string, past *past) pipeline.Run {
	now := b.now().UTC()
	started := now.Truncate(time.Second)
	return pipeline.Run{
		ID: ulid.MustNew(ulid.Timestamp(now), rand.Reader).String(), Tenant: t.Name, TenantID: tenantID,
		Started: started, Program: version(), Requests: b.requests(t.Name, started, past),
	}
}

// requests is what a run that begins at some moment asks for, of Graph and of the
// user's files.
func (b *batch) requests(tenant string, started time.Time, past *past) []pipeline.Request {
	asked := requests(b.tasks, b.cfg.Off, started, past.watermarks)
	of := func(t task) bool { return len(b.tasks) == 0 || slices.Contains(b.tasks, t) }
	if b.terms != nil && of(taskLicenses) {
		asked = append(asked, pipeline.Request{Source: pipeline.LicenseTerms})
	}
	if b.legacy != nil && of(taskLicenses) {
		asked = append(asked, pipeline.Request{Source: pipeline.LegacyLicenses})
	}
	if b.hr != nil && of(taskRoster) {
		asked = append(asked, pipeline.Request{Source: pipeline.HrEmployees})
	}
	if len(b.inventories[strings.ToLower(tenant)]) > 0 && of(taskRoster) {
		asked = append(asked, pipeline.Request{Source: pipeline.Inventory})
	}
	return asked
}

// keeper takes up the run that a process before this one did not end, if its pages
// are as good as those that the given run would read; else it begins the given
// run. The caller closes it.
func (b *batch) keeper(ctx context.Context, lk *lake.Lake, run pipeline.Run, past *past) (*lake.Keeper, error) {
	if !b.fresh {
		k, err := lk.Resume(ctx, run.TenantID, func(old pipeline.Run) bool { return b.replaces(old, run, past) })
		if k != nil || err != nil {
			return k, err
		}
	}
	return lk.Keeper(run)
}

// replaces says whether an unfinished run does for a new one: it began a short
// while ago on the same UTC day, and asked for the same.
func (b *batch) replaces(old, run pipeline.Run, past *past) bool {
	age := run.Started.Sub(old.Started)
	return age >= 0 && age < b.cfg.Raw.ResumeWithin && old.Started.UTC().YearDay() == run.Started.YearDay() &&
		old.Tenant == run.Tenant && old.Program == run.Program &&
		slices.EqualFunc(old.Requests, b.requests(old.Tenant, old.Started, past), func(x, y pipeline.Request) bool {
			return x.Source == y.Source && x.Window.From.Equal(y.Window.From) && x.Window.To.Equal(y.Window.To)
		})
}
