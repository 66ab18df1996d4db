package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"seatlake/load/lake"
	"seatlake/pipeline"
	"seatlake/sql"
)

func (a *app) buildCommand() *cobra.Command {
	var m moment
	var output string
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Rebuild the models over the committed snapshot and publish gold",
		Long: `Runs every model and check of the dbt project inside seatlake over the newest
commit, or over the one that --as-of names, and publishes the marts. A failed check
of severity error publishes nothing.

With --about, the marts say what is known about an earlier day. They are of no version,
so that they are written into the directory of -o in place of being published.`,
		Example: "  seatlake build\n  seatlake build --as-of 42\n  seatlake build --as-of 2026-11-24 --about 2026-11-20 -o marts/",
		Args:    cobra.NoArgs,
		RunE: action(func(ctx context.Context, _ []string) error {
			cfg, lk, err := a.openLake(ctx)
			if err != nil {
				return err
			}
			if output != "" || m.about != "" {
				return a.buildInto(ctx, cfg, lk, m, output)
			}
			version, err := resolveVersion(ctx, lk, m.asOf)
			if err != nil {
				return err
			}
			reporter := a.reporter()
			defer reporter.Close()
			return a.buildVersion(ctx, cfg, lk, version, reporter)
		}),
	}
	m.flags(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "write the marts into this `directory` in place of publishing them")
	return cmd
}

// buildInto writes the marts of a moment into a directory, which nobody else has to
// know.
func (a *app) buildInto(ctx context.Context, cfg *Config, lk *lake.Lake, m moment, dir string) (err error) {
	if dir == "" {
		return usage("--about makes marts that are of no version: name the directory for them with -o")
	}
	snapshot, err := m.snapshot(ctx, lk)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	o := openedOf(cfg, lk, snapshot, nil)
	if err := o.make(ctx, cfg, lk, a.now, dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	for _, mart := range o.marts() {
		if err := os.Rename(o.gold[mart], filepath.Join(dir, mart+".parquet")); err != nil {
			return err
		}
	}
	fmt.Fprintf(a.out, "%d marts of version %d are in %s.\n", len(o.gold), snapshot.Version, dir)
	return nil
}

// openLake opens the configured lake, which has to exist.
func (a *app) openLake(ctx context.Context) (*Config, *lake.Lake, error) {
	cfg, err := LoadConfigWithoutSecrets(a.configPath, a.env)
	if err != nil {
		return nil, nil, err
	}
	lk, err := cfg.openLake(ctx)
	if err != nil {
		return nil, nil, err
	}
	a.watch(lk)
	return cfg, lk, nil
}

// buildVersion runs the models over one version and publishes their results. A
// failed check ends in exitCheckFailed.
func (a *app) buildVersion(ctx context.Context, cfg *Config, lk *lake.Lake, version pipeline.Version, reporter *Reporter) error {
	failed := func(err error) error {
		if status := statusOf(err); status == exitUsage {
			return err
		}
		return &statusError{code: exitCheckFailed, err: fmt.Errorf("build of version %d: %w", version, err)}
	}
	snapshot, err := lk.Snapshot(ctx, version)
	if err != nil {
		return failed(err)
	}
	in := openedOf(cfg, lk, snapshot, nil).inputs
	if err := cfg.completeRules(ctx, lk, &in); err != nil {
		return failed(err)
	}
	staging, err := os.MkdirTemp("", "seatlake-build-")
	if err != nil {
		return failed(err)
	}
	defer os.RemoveAll(staging)

	reporter.Step("build begins", "version", int64(snapshot.Version))
	marts := filepath.Join(staging, "marts")
	if err := os.Mkdir(marts, 0o700); err != nil {
		return failed(err)
	}
	result, err := sql.Build(ctx, in, marts, sql.Options{
		MemoryLimit: cfg.DuckDB.MemoryLimit, Threads: cfg.DuckDB.Threads, TempDir: staging, Now: a.now,
	})
	if err != nil {
		return failed(err)
	}
	for _, n := range result.Nodes {
		if n.Status != sql.OK {
			reporter.Warn("check found faults", "check", n.Name, "severity", string(n.Severity), "rows", n.Rows, "first", firstFault(n))
		}
	}
	if result.Failed() {
		return failed(errors.New("a check of severity error failed, so nothing was published to gold; the committed tables stand, and gold is still the version before"))
	}
	gold, err := lk.PublishGold(ctx, snapshot.Version, snapshot.RunID, marts)
	if err != nil {
		return failed(err)
	}
	reporter.Step("build published", "version", int64(gold.Version), "marts", len(gold.Files), "models", len(result.Nodes))
	return nil
}

// firstFault is the first row that a check found, column by column.
func firstFault(n sql.NodeResult) string {
	var cells []string
	for i, name := range n.Columns {
		cells = append(cells, fmt.Sprintf("%s %v", name, n.Faults[0][i]))
	}
	return strings.Join(cells, ", ")
}

// inputs are what the models read of one snapshot: its coverage, and the configured
// rules. openedOf adds its files.
func inputs(cfg *Config, s *lake.Snapshot) sql.Inputs {
	in := sql.Inputs{Version: int64(s.Version), RunID: s.RunID, Files: map[string][]string{}, Seeds: cfg.Seeds(), Vars: cfg.Vars()}
	for _, c := range s.Coverage {
		in.Coverage = append(in.Coverage, sql.CoverageRow{
			TenantID: c.TenantID, TenantName: c.Tenant, Table: c.Table, State: string(c.State), Reason: c.Reason,
			Observed: c.Observed, ObservedThrough: c.ObservedThrough, LogicalDate: c.LogicalDate, Rows: c.Rows,
			RunID: c.RunID, SnapshotDate: c.SnapshotDate,
		})
	}
	return in
}
