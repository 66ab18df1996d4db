package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/oklog/ulid/v2"

	"seatlake/load/lake"
	"seatlake/pipeline"
)

// due says which tenants a batch reads now.
type due struct {
	every time.Duration // a tenant is due this long after its last run began; 0: always
	wait  bool          // for another process that reads the tenant
}

// is says whether a run with these jobs is due: one of its tables was never read,
// or last by a run that began long enough ago. Other runs, of other tasks, do not
// count.
func (d due) is(now time.Time, p *past, jobs []pipeline.Job) bool {
	if d.every <= 0 {
		return true
	}
	for _, job := range jobs {
		for _, out := range job.Outputs {
			began, read := p.began[out.Table.Name]
			if !read || now.Sub(began).Abs() >= d.every { // a clock that ran ahead puts nothing off
				return true
			}
		}
	}
	return false
}

// past is what a lake knows of a tenant's runs.
type past struct {
	watermarks map[string]time.Time // where sources were read to, by source; none where they never were
	began      map[string]time.Time // when the run began that read a table last, by table
}

func pastOf(ctx context.Context, lk *lake.Lake, tenantID string) (*past, error) {
	p := &past{began: map[string]time.Time{}, watermarks: map[string]time.Time{}}
	snapshot, err := lk.Snapshot(ctx, 0)
	if errors.Is(err, lake.ErrEmpty) {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	for _, source := range byTime {
		raw, ok := snapshot.State[tenantID][source]
		if !ok {
			continue
		}
		var mark pipeline.Watermark
		if err := json.Unmarshal(raw, &mark); err != nil {
			return nil, fmt.Errorf("watermark of %s of tenant %s in version %d: %w", source, tenantID, snapshot.Version, err)
		}
		p.watermarks[source] = mark.Through
	}
	for _, c := range snapshot.Coverage {
		if c.TenantID != tenantID {
			continue
		}
		id, err := ulid.Parse(c.RunID)
		if err != nil {
			return nil, fmt.Errorf("run %s of tenant %s: %w", c.RunID, tenantID, err)
		}
		p.began[c.Table] = id.Timestamp()
	}
	return p, nil
}

// askAgain is how often a run that waits looks whether a tenant is free.
const askAgain = 5 * time.Second

// lease takes the lease of a tenant. When another process has it, the error is a
// *lake.HeldError, or the batch waits, if it was told to.
func (b *batch) lease(asked context.Context, lk *lake.Lake, t Tenant, tenantID string) (*lake.Lease, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "an unnamed host"
	}
	me := lake.Holder{Host: host, Process: os.Getpid(), Since: b.now().UTC()}
	for said := false; ; said = true {
		lease, err := lk.Lease(tenantID, me)
		var held *lake.HeldError
		if !errors.As(err, &held) || !b.due.wait {
			return lease, err
		}
		if !said {
			b.reporter.Step("waiting for another run", "tenant", t.Name, "host", held.Holder.Host, "process", held.Holder.Process)
		}
		if err := hasten(asked, b.sleep)(asked, askAgain); err != nil {
			return nil, cmp.Or(context.Cause(asked), err)
		}
	}
}
