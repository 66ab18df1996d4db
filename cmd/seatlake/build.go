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
	var asOf string
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Rebuild the models over the committed snapshot and publish gold",
		Long: `Runs every model and check of the dbt project inside seatlake over the newest
commit, or over the one that --as-of names, and publishes the marts. A failed check
of severity error publishes nothing.`,
		Args: cobra.NoArgs,
		RunE: action(func(ctx context.Context, _ []string) error {
			cfg, lk, err := a.openLake()
			if err != nil {
				return err
			}
			version, err := resolveVersion(ctx, lk, asOf)
			if err != nil {
				return err
			}
			reporter := a.reporter()
			defer reporter.Close()
			return a.buildVersion(ctx, cfg, lk, version, reporter)
		}),
	}
	cmd.Flags().StringVar(&asOf, "as-of", "", "build this `version or date` (42, 2026-11-24) in place of the newest commit")
	return cmd
}

// openLake opens the configured lake, which has to exist.
func (a *app) openLake() (*Config, *lake.Lake, error) {
	cfg, err := LoadConfigWithoutSecrets(a.configPath, a.env)
	if err != nil {
		return nil, nil, err
	}
	lk, err := lake.Open(cfg.Lake)
	return cfg, lk, err
}

// buildVersion runs the models over one version and publishes their results. A
// failed check ends in exitCheckFailed.
func (a *app) buildVersion(ctx context.Context, cfg *Config, lk *lake.Lake, version pipeline.Version, reporter *Reporter) error {
	failed := func(err error) error {
		return &statusError{code: exitCheckFailed, err: fmt.Errorf("build of version %d: %w", version, err)}
	}
	snapshot, err := lk.Snapshot(ctx, version)
	if err != nil {
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
	in, err := inputs(ctx, cfg, snapshot)
	if err != nil {
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

// inputs are what the models read: the files of one snapshot, its coverage, and
// the configured rules.
func inputs(ctx context.Context, cfg *Config, s *lake.Snapshot) (sql.Inputs, error) {
	in := sql.Inputs{Version: int64(s.Version), RunID: s.RunID, Files: map[string][]string{}, Seeds: cfg.Seeds(), Vars: cfg.Vars()}
	for table := range s.Files {
		var err error
		if in.Files[table], err = s.Local(ctx, table); err != nil {
			return in, err
		}
	}
	for _, c := range s.Coverage {
		in.Coverage = append(in.Coverage, sql.CoverageRow{
			TenantID: c.TenantID, TenantName: c.Tenant, Table: c.Table, State: string(c.State), Reason: c.Reason,
			Observed: c.Observed, ObservedThrough: c.ObservedThrough, LogicalDate: c.LogicalDate, Rows: c.Rows,
			RunID: c.RunID, SnapshotDate: c.SnapshotDate,
		})
	}
	return in, nil
}

// martFiles is the files of a version's marts, by their names.
func martFiles(ctx context.Context, g *lake.Gold) (map[string]string, error) {
	files := map[string]string{}
	for _, mart := range g.Marts() {
		var err error
		if files[mart], err = g.Local(ctx, mart); err != nil {
			return nil, err
		}
	}
	return files, nil
}
