package main

import (
	"context"
	"fmt"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"seatlake/load/lake"
)

func (a *app) checkCommand() *cobra.Command {
	var repair, stats bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Verify the log, the hash of every file, and the published marts",
		Long: `Reads every live data file and every published mart and compares size, SHA-256
and row count with the log; looks for gaps in the log and for files that no commit
lists; adds up the log anew and compares it with its checkpoint. Where all that is
right, compares sums that must agree across the tables and the current marts, such as
assigned users with assignments and with what every department bears, and names days
that wait for the history. Findings are printed with their cure. Exit status 4 when something is wrong.

--repair makes again what can be made of what is sound: checkpoints, and marts, by a build of
their versions. Damaged copies of a bucket's files on this machine are dropped. What it cannot make stays a finding: data files, log objects, deliveries.

--stats says what the lake takes in place of verifying it: bytes by layer and table,
per user and day, and per sign-in.`,
		Example: "  seatlake check\n  seatlake check --repair\n  seatlake check --stats",
		Args:    cobra.NoArgs,
		RunE: action(func(ctx context.Context, _ []string) error {
			cfg, lk, err := a.openLake(ctx)
			if err != nil {
				return err
			}
			switch {
			case stats && repair:
				return usage("--stats measures and --repair mends: give one of them")
			case stats:
				return a.printStats(ctx, lk)
			case repair:
				if err := a.repair(ctx, cfg, lk); err != nil {
					return err
				}
			}
			return a.check(ctx, cfg, lk)
		}),
	}
	cmd.Flags().BoolVar(&repair, "repair", false, "make again what can be made: checkpoints and marts")
	cmd.Flags().BoolVar(&stats, "stats", false, "say what the lake takes: bytes per user and day, and per sign-in")
	return cmd
}

func (a *app) check(ctx context.Context, cfg *Config, lk *lake.Lake) error {
	findings, err := lk.Check(ctx)
	if err != nil {
		return &statusError{code: exitCheckFailed, err: err}
	}
	wrong := 0
	for _, f := range findings {
		fmt.Fprintln(a.out, f)
		if f.Severity == lake.Fault {
			wrong++
		}
	}
	if wrong > 0 {
		return &statusError{code: exitCheckFailed, err: fmt.Errorf("%d of the lake's objects are wrong", wrong)}
	}
	if err := a.checkSums(ctx, cfg, lk); err != nil {
		return err
	}
	fmt.Fprintln(a.out, "The lake is whole.")
	return nil
}

// repair makes again what the lake can make of its log and data. A build that fails
// ends it; the marts of other versions are then still to be built.
func (a *app) repair(ctx context.Context, cfg *Config, lk *lake.Lake) error {
	made, err := lk.Repair(ctx)
	if err != nil {
		return &statusError{code: exitCheckFailed, err: fmt.Errorf("repair: %w", err)}
	}
	for _, path := range made {
		fmt.Fprintln(a.out, "repaired", path)
	}
	versions, err := lk.DropDamagedGold(ctx)
	if err != nil {
		return &statusError{code: exitCheckFailed, err: fmt.Errorf("repair: %w", err)}
	}
	reporter := a.reporter()
	defer reporter.Close()
	for _, v := range versions {
		if err := a.buildVersion(ctx, cfg, lk, v, reporter); err != nil {
			return err
		}
		fmt.Fprintf(a.out, "repaired the marts of version %d\n", v)
	}
	return nil
}

// printStats says what the lake takes. A user and day is a row of graph_users; its bytes
// are those of all live tables but the sign-ins, whose rows are counted by themselves,
// and the catalogue, which does not grow with either.
func (a *app) printStats(ctx context.Context, lk *lake.Lake) error {
	stats, err := lk.Stats(ctx)
	if err != nil {
		return err
	}
	var rows [][]any
	for _, s := range stats.Layers {
		rows = append(rows, []any{s.Name, s.Files, nil, s.Bytes, nil})
	}
	var userDays, userBytes int64
	for _, s := range stats.Tables {
		rows = append(rows, []any{s.Name, s.Files, s.Rows, s.Bytes, perRow(s.Bytes, s.Rows)})
		switch s.Name {
		case "graph_sign_ins", "graph_non_interactive_sign_ins", "catalog_skus", "catalog_service_plans":
			continue
		case "graph_users":
			userDays = s.Rows
		}
		userBytes += s.Bytes
	}
	columns := []Column{{Name: "part", Type: "VARCHAR"}, {Name: "files", Type: "BIGINT"}, {Name: "rows", Type: "BIGINT"}, {Name: "bytes", Type: "BIGINT"}, {Name: "bytes_per_row", Type: "VARCHAR"}}
	if err := a.printValues(columns, rows, reading{format: "table"}); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "A user takes %s bytes a day in all tables but sign-ins and catalogue (%s users and days).\n", said(perRow(userBytes, userDays)), humanize.Comma(userDays))
	for _, s := range stats.Tables {
		if s.Name == "graph_sign_ins" {
			fmt.Fprintf(a.out, "A sign-in takes %s bytes (%s sign-ins).\n", said(perRow(s.Bytes, s.Rows)), humanize.Comma(s.Rows))
		}
	}
	return nil
}

// perRow is bytes a row with one decimal, nil without rows.
func perRow(bytes, rows int64) any {
	if rows == 0 {
		return nil
	}
	tenths := (10*bytes + rows/2) / rows
	return fmt.Sprintf("%d.%d", tenths/10, tenths%10)
}

func said(v any) any {
	if v == nil {
		return "unknown"
	}
	return v
}
