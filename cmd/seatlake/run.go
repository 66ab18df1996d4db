package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"seatlake/extract/graph"
	"seatlake/load/lake"
	"seatlake/pipeline"
)

func (a *app) runCommand() *cobra.Command {
	var tenants, tasks []string
	var when due
	var noBuild, fresh bool
	var summary string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Read the tenants, commit what was read, rebuild the models",
		Long: `Reads every source of every configured tenant, commits each tenant's tables in
one step, then rebuilds the models and publishes them as gold. A second run on the
same UTC day replaces that day.

Tenants are read side by side, as parallel.tenants says; one that fails does not keep
the others from being published (exit status 3; 1 when none is). A tenant that
another run is reading is left to it.

A run that was cut off is taken up where it stopped: its pages are not asked for
again while they are younger than raw.resume_within and of the same UTC day.

The first SIGINT or SIGTERM lets the pages in flight arrive, then stops: tenants
whose pages have not all been read publish nothing. The second stops at once.

Traces and metrics are pushed over OTLP (http/protobuf) when the environment says
where to, as OTEL_EXPORTER_OTLP_ENDPOINT does.`,
		Example: "  seatlake run -c seatlake.yaml\n  seatlake run --tenant contoso --task licenses,roster\n  seatlake run --if-due 24h",
		Args:    cobra.NoArgs,
		RunE: action(func(ctx context.Context, _ []string) error {
			defer saveMemory()()
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
			batch := &batch{app: a, cfg: cfg, tasks: wanted, due: when, fresh: fresh, build: !noBuild, reporter: a.reporter()}
			batch.summary.Started = a.now().UTC()
			batch.telemetry = newTelemetry(ctx, a.env, batch.reporter.Warn)
			defer batch.telemetry.close(ctx)
			defer batch.reporter.Close()
			for _, note := range cfg.Notes {
				batch.reporter.Warn("configuration", "note", note)
			}
			err = batch.run(ctx, selected)
			return batch.summarize(summary, errors.Join(err, batch.tellFindings(ctx, summary)))
		}),
	}
	cmd.Flags().StringArrayVar(&tenants, "tenant", nil, "read only the tenant of this `name`; may be repeated")
	cmd.Flags().StringSliceVar(&tasks, "task", nil, "read only these `tasks`: roster, access, licenses")
	cmd.Flags().DurationVar(&when.every, "if-due", 0, "skip tenants whose last run began less than this `long` ago")
	cmd.Flags().BoolVar(&when.wait, "wait", false, "wait for another run to leave a tenant, in place of leaving the tenant to it")
	cmd.Flags().StringVar(&summary, "summary", "", "write what was done as JSON into this `file`, - for the standard output")
	cmd.Flags().BoolVar(&fresh, "fresh", false, "read all pages anew, and leave alone a run that was cut off")
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

// tenant reads one tenant and commits it, and tells its summary about it. It
// returns nil when the tenant is not due.
func (b *batch) tenant(ctx context.Context, lk *lake.Lake, parts *parts, t Tenant, s *TenantSummary) (*pipeline.Published, error) {
	asked := ctx // to stop; what is in hand is finished
	ctx, forget := patient(ctx)
	defer forget()
	spool, err := lk.Spool()
	if err != nil {
		return nil, err
	}
	defer func() { _ = spool.Close() }() // what is left in it is swept away by the next run
	client, err := b.client(asked, t, spool.Dir(), parts.key != nil)
	if err != nil {
		return nil, err
	}
	defer func() {
		s.count(client.Stats())
		client.Close()
	}()
	tenantID, err := client.TenantID(ctx)
	if err != nil {
		return nil, fmt.Errorf("tenant %s: %w", t.Name, err)
	}
	s.TenantID = tenantID
	lease, err := b.lease(asked, lk, t, tenantID)
	if err != nil {
		return nil, fmt.Errorf("tenant %s: %w", t.Name, err)
	}
	defer func() { _ = lease.Release() }() // it ends with the process at the latest

	past, err := pastOf(ctx, lk, tenantID)
	if err != nil {
		return nil, err
	}
	run := b.newRun(t, tenantID, past)
	jobs, err := parts.jobs(run)
	if err != nil {
		return nil, err
	}
	if !b.due.is(run.Started, past, jobs) {
		return nil, nil
	}
	recording, history := b.history(ctx, lk, t, tenantID, run)
	defer func() { _ = recording.close() }() // what its directory holds is of no use to anybody
	p := &pipeline.Pipeline{
		Dataset: b.telemetry.dataset(lk), Jobs: jobs, Fixed: slices.Concat(parts.fixed(), history), Now: b.now, Progress: b.progress(t.Name),
	}
	if b.cfg.Raw.Retain <= 0 {
		p.Source = &stopper{Source: b.telemetry.source(b.source(client, t.Name)), asked: asked}
		s.RunID = run.ID
		b.reporter.Step("run begins", "tenant", t.Name, "run", run.ID)
		return p.Run(ctx, run)
	}
	keeper, err := b.keeper(ctx, lk, run, past)
	if err != nil {
		return nil, err
	}
	defer func() { _ = keeper.Close() }() // its lock ends with the process at the latest

	if keeper.Run().ID == run.ID {
		b.reporter.Step("run begins", "tenant", t.Name, "run", run.ID)
	} else {
		run = keeper.Run()
		if p.Jobs, err = parts.jobs(run); err != nil { // whose day and windows are the older run's
			return nil, err
		}
		b.reporter.Step("run is resumed", "tenant", t.Name, "run", run.ID, "kept_pages", keeper.Kept())
	}
	s.RunID = run.ID
	var source pipeline.Source
	if p.Keeper, source = keeper, keeper.Source(b.source(client, t.Name)); parts.key != nil {
		p.Keeper, source = parts.key.Keeper(keeper), parts.key.Resumed(b.source(client, t.Name), keeper.Source)
	}
	p.Source = &stopper{Source: b.telemetry.source(source), asked: asked}
	published, err := p.Run(ctx, run)
	if errors.Is(err, pipeline.ErrOfPages) {
		err = errors.Join(err, keeper.GiveUp(reasonToKeep(err, parts.key != nil)))
	}
	return published, err
}

// reasonToKeep is the reason for giving a run up as the lake may have it: an error of
// pages can quote what stands in them.
func reasonToKeep(err error, sealed bool) error {
	if !sealed {
		return err
	}
	return errors.New("the pages are at fault; names are sealed here, so that only the run's own log says how")
}

// history is what a run puts into the history of the days before it. When that cannot
// be made, the run does without: its days wait, and models read them as snapshots.
func (b *batch) history(ctx context.Context, lk *lake.Lake, t Tenant, tenantID string, run pipeline.Run) (*recording, []pipeline.Fixed) {
	s, err := recordHistory(ctx, b.cfg, lk, tenantID, run.Started)
	if err == nil {
		var fixed []pipeline.Fixed
		if s != nil && len(s.days) > 1 {
			b.reporter.Step("days are put into the history", "tenant", t.Name, "days", len(s.days), "from", s.days[0])
		}
		if fixed, err = s.fixed(ctx); err == nil {
			return s, fixed
		}
	}
	b.reporter.Warn("the history is behind", "tenant", t.Name, "error", errors.Join(err, s.close()).Error())
	return nil, nil
}

// client is Graph as one tenant's configuration says. It spools into the directory,
// unless long reports are to be held in memory.
func (b *batch) client(asked context.Context, t Tenant, spoolDir string, hold bool) (*graph.Client, error) {
	return graph.New(graph.Config{
		Tenant: t.Name, Graph: t.Cloud.Graph, Login: t.Cloud.Login, DirectoryID: t.ID,
		ClientID: t.Auth.ClientID, Credential: t.credential(),
		Now: b.now, Sleep: hasten(asked, b.sleep), UserAgent: "seatlake/" + version(),
		SpoolDir: spoolDir, HoldReports: hold, Pacer: b.pacer, PublishedLimits: t.Cloud.Limits, ReportHosts: t.reportHosts(),
		Progress: func(e graph.Event) {
			switch {
			case e.Kind == graph.Throttled:
				b.reporter.Step("waiting", "tenant", t.Name, "source", e.Source, "wait", e.Wait.String(), "reason", e.Reason)
			case e.Wait > 0:
				b.reporter.Warn("retry", "tenant", t.Name, "source", e.Source, "wait", e.Wait.String(), "reason", e.Reason)
			}
		},
	})
}

// progress shows a run's sources as they are read.
func (b *batch) progress(tenant string) pipeline.Progress {
	return pipeline.Progress{
		Page: func(source string, p *pipeline.Page) { b.reporter.Source(tenant, source).Page(int(p.Size())) },
		Rows: func(source string, n int64) { b.reporter.Source(tenant, source).Rows(n) },
		Ended: func(source string, c []pipeline.Coverage) {
			state := pipeline.Complete
			for _, x := range c {
				if x.State != pipeline.Complete {
					state = x.State
				}
			}
			b.reporter.Source(tenant, source).Done(string(state))
		},
	}
}

// retire removes raw pages past their retention.
func (b *batch) retire(ctx context.Context, lk *lake.Lake) error {
	if b.cfg.Raw.Retain <= 0 {
		return nil
	}
	_, err := lk.Prune(ctx, lake.PruneOptions{RawOlderThan: b.now().Add(-b.cfg.Raw.Retain)})
	return err
}
