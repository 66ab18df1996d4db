package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"

	"seatlake/extract/graph"
	"seatlake/load/lake"
	"seatlake/pipeline"
)

func (a *app) runCommand() *cobra.Command {
	var tenants, tasks []string
	var ifDue time.Duration
	var noBuild bool
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Read the tenants, commit what was read, rebuild the models",
		Long: `Reads every source of every configured tenant, commits each tenant's tables in
one step, then rebuilds the models and publishes them as gold. A second run on the
same UTC day replaces that day.`,
		Example: "  seatlake run -c seatlake.yaml\n  seatlake run --tenant contoso --task licenses,roster\n  seatlake run --if-due 24h",
		Args:    cobra.NoArgs,
		RunE: action(func(ctx context.Context, _ []string) error {
			cfg, err := a.config()
			if err != nil {
				return err
			}
			selected, err := selectTenants(cfg, tenants)
			if err != nil {
				return err
			}
			wanted, err := parseTasks(tasks)
			if err != nil {
				return err
			}
			batch := &batch{app: a, cfg: cfg, tasks: wanted, ifDue: ifDue, build: !noBuild, reporter: a.reporter()}
			defer batch.reporter.Close()
			for _, note := range cfg.Notes {
				batch.reporter.Warn("configuration", "note", note)
			}
			return batch.run(ctx, selected)
		}),
	}
	cmd.Flags().StringArrayVar(&tenants, "tenant", nil, "read only the tenant of this `name`; may be repeated")
	cmd.Flags().StringSliceVar(&tasks, "task", nil, "read only these `tasks`: roster, access, licenses")
	cmd.Flags().DurationVar(&ifDue, "if-due", 0, "skip tenants whose last run began less than this `long` ago")
	cmd.Flags().BoolVar(&noBuild, "no-build", false, "commit what was read, but leave the models as they are")
	return cmd
}

func selectTenants(cfg *Config, names []string) ([]Tenant, error) {
	if len(names) == 0 {
		return cfg.Tenants, nil
	}
	var out []Tenant
	for _, name := range names {
		found := false
		for _, t := range cfg.Tenants {
			if t.Name == name {
				out, found = append(out, t), true
			}
		}
		if !found {
			var known []string
			for _, t := range cfg.Tenants {
				known = append(known, t.Name)
			}
			return nil, usage("--tenant %s is not in the configuration; it has: %s", name, strings.Join(known, ", "))
		}
	}
	return out, nil
}

func parseTasks(names []string) ([]task, error) {
	var out []task
	for _, name := range names {
		if _, ok := taskSources[task(name)]; !ok {
			return nil, usage("--task %s is not known; it is roster, access or licenses", name)
		}
		out = append(out, task(name))
	}
	return out, nil
}

// batch is one `run` over some tenants.
type batch struct {
	*app
	cfg      *Config
	tasks    []task
	ifDue    time.Duration
	build    bool
	reporter *Reporter

	stats graph.Stats // of the tenant read last
}

// run reads each tenant, then builds once. A tenant that fails does not keep the
// others from being published.
func (b *batch) run(ctx context.Context, tenants []Tenant) error {
	parts, err := newParts(b.cfg.Catalog)
	if err != nil {
		return err
	}
	lk, err := lake.Create(b.cfg.Lake, b.now)
	if err != nil {
		return err
	}
	var failed []error
	var published, gaps int
	var last pipeline.Version
	for _, t := range tenants {
		result, err := b.tenant(ctx, lk, parts, t)
		switch {
		case err != nil:
			failed = append(failed, err)
			if ctx.Err() != nil {
				return err
			}
		case result == nil: // not due
		default:
			published++
			last = result.Version
			gaps += b.reportGaps(t, result)
		}
	}
	if published == 0 {
		if len(failed) == 0 {
			b.reporter.Step("nothing is due")
			return nil
		}
		return errors.Join(failed...)
	}
	if err := b.retire(ctx, lk); err != nil {
		return &statusError{code: exitCheckFailed, err: err}
	}
	if b.build {
		if err := b.app.buildVersion(ctx, b.cfg, lk, last, b.reporter); err != nil {
			return errors.Join(append([]error{err}, failed...)...)
		}
	}
	if len(failed) > 0 {
		return &statusError{code: exitGaps, err: errors.Join(failed...)}
	}
	if gaps > 0 {
		return &statusError{code: exitGaps}
	}
	return nil
}

// reportGaps warns of each table that is not complete, and of drift, and counts the
// gaps.
func (b *batch) reportGaps(t Tenant, p *pipeline.Published) int {
	gaps := 0
	for _, c := range p.Commit.Coverage {
		if c.State != pipeline.Complete {
			gaps++
			b.reporter.Warn("coverage gap", "tenant", t.Name, "table", c.Table, "state", string(c.State), "reason", c.Reason)
		}
	}
	for _, n := range p.Commit.Notices {
		b.reporter.Warn("notice", "tenant", t.Name, "notice", n)
	}
	return gaps
}

// tenant reads one tenant and commits it. It returns nil when the tenant is not
// due.
func (b *batch) tenant(ctx context.Context, lk *lake.Lake, parts *parts, t Tenant) (*pipeline.Published, error) {
	now := b.now().UTC()
	client, err := b.client(t)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	tenantID, err := client.TenantID(ctx)
	if err != nil {
		return nil, fmt.Errorf("tenant %s: %w", t.Name, err)
	}
	watermark, last, err := cursor(ctx, lk, tenantID)
	if err != nil {
		return nil, err
	}
	if b.ifDue > 0 && !last.IsZero() && now.Sub(last) < b.ifDue {
		b.reporter.Step("not due", "tenant", t.Name, "last_run", last.Format(time.RFC3339))
		return nil, nil
	}
	run := pipeline.Run{
		ID: ulid.MustNew(ulid.Timestamp(now), rand.Reader).String(), Tenant: t.Name, TenantID: tenantID,
		Started: now.Truncate(time.Second), Program: version(), Requests: requests(b.tasks, now, watermark),
	}
	p := &pipeline.Pipeline{Source: client, Dataset: lk, Fixed: parts.fixed(), Now: b.now, Progress: b.progress(t.Name)}
	if b.cfg.Raw.Retain > 0 {
		if p.Keeper, err = lk.Keeper(run); err != nil {
			return nil, err
		}
	}
	if p.Jobs, err = parts.jobs(run); err != nil {
		return nil, err
	}
	b.reporter.Step("run begins", "tenant", t.Name, "run", run.ID)
	published, err := p.Run(ctx, run)
	if err != nil {
		return nil, err
	}
	s := client.Stats()
	b.stats = s
	b.reporter.Step("run committed", "tenant", t.Name, "run", run.ID, "version", int64(published.Version), "files", len(published.Commit.Add),
		"requests", s.Requests, "retries", s.Retries, "bytes", s.Bytes)
	return published, nil
}

// client is Graph as one tenant's configuration says.
func (b *batch) client(t Tenant) (*graph.Client, error) {
	return graph.New(graph.Config{
		Tenant: t.Name, Graph: t.Cloud.Graph, Login: t.Cloud.Login, DirectoryID: t.ID,
		ClientID: t.Auth.ClientID, Credential: graph.ClientSecret(t.Auth.ClientSecret.Reveal()),
		Now: b.now, Sleep: b.sleep, UserAgent: "seatlake/" + version(),
		Progress: func(e graph.Event) {
			if e.Wait > 0 {
				b.reporter.Warn("retry", "tenant", t.Name, "source", e.Source, "wait", e.Wait.String(), "reason", e.Reason)
			}
		},
	})
}

// progress shows a run's sources as they are read.
func (b *batch) progress(tenant string) pipeline.Progress {
	return pipeline.Progress{
		Page: func(source string, p *pipeline.Page) { b.reporter.Source(source).Page(len(p.Body)) },
		Rows: func(source string, n int64) { b.reporter.Source(source).Rows(n) },
		Ended: func(source string, c []pipeline.Coverage) {
			state := pipeline.Complete
			for _, x := range c {
				if x.State != pipeline.Complete {
					state = x.State
				}
			}
			b.reporter.Source(source).Done(string(state))
		},
	}
}

// cursor is where the tenant's last run stopped reading sign-ins, and when that
// run began; zero when there was none.
func cursor(ctx context.Context, lk *lake.Lake, tenantID string) (watermark, last time.Time, err error) {
	snapshot, err := lk.Snapshot(ctx, 0)
	if errors.Is(err, lake.ErrEmpty) {
		return time.Time{}, time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, time.Time{}, err
	}
	if raw, ok := snapshot.State[tenantID][pipeline.SignIns]; ok {
		var mark pipeline.Watermark
		if err := json.Unmarshal(raw, &mark); err != nil {
			return time.Time{}, time.Time{}, fmt.Errorf("sign-in watermark of tenant %s in version %d: %w", tenantID, snapshot.Version, err)
		}
		watermark = mark.Through
	}
	for _, c := range snapshot.Coverage {
		if c.TenantID != tenantID {
			continue
		}
		id, err := ulid.Parse(c.RunID)
		if err != nil {
			return time.Time{}, time.Time{}, fmt.Errorf("run %s of tenant %s: %w", c.RunID, tenantID, err)
		}
		if began := id.Timestamp(); began.After(last) {
			last = began
		}
	}
	return watermark, last, nil
}

// retire removes raw pages past their retention.
func (b *batch) retire(ctx context.Context, lk *lake.Lake) error {
	if b.cfg.Raw.Retain <= 0 {
		return nil
	}
	_, err := lk.Prune(ctx, lake.PruneOptions{RawOlderThan: b.now().Add(-b.cfg.Raw.Retain)})
	return err
}
