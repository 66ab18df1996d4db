package main

import (
	"context"
	"fmt"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"seatlake/load/lake"
)

func (a *app) pruneCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Remove what is past its retention: raw pages, old versions, files of dead runs",
		Long: `Removes raw pages that are older than raw.retain, and data files that no commit lists
and that are two days old.

Versions that retain no longer keeps (by default: older than 400 days, and not among
the newest 30) cannot be read any more. The files that only they list are marked, and
removed by a prune after the grace (2 days), so that who reads such a version comes to
the end. Files of a version that is kept are never touched.

Snapshots of users, licences and usage that are older than retain.snapshots (35 days; 0 keeps
all) leave the newest version once the history has what changed on their days. Versions
before still have them, as long as retain keeps those.`,
		Example: "  seatlake prune --dry-run\n  seatlake prune",
		Args:    cobra.NoArgs,
		RunE: action(func(ctx context.Context, _ []string) error {
			cfg, lk, err := a.openLake(ctx)
			if err != nil {
				return err
			}
			if err := a.thin(ctx, cfg, lk, dryRun); err != nil {
				return err
			}
			pruned, err := lk.Prune(ctx, lake.PruneOptions{
				RawOlderThan: a.now().Add(-cfg.Raw.Retain), Retain: &cfg.Retain, Now: a.now(), DryRun: dryRun,
			})
			if err != nil {
				return err
			}
			a.printPruned(pruned, dryRun)
			return nil
		}),
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what would go, and change nothing")
	return cmd
}

func (a *app) printPruned(p *lake.Pruned, dryRun bool) {
	removed, marked := "Removed", "Marked"
	if dryRun {
		removed, marked = "Would remove", "Would mark"
		for _, list := range [][]string{p.RawRuns, p.Orphans, p.Retired} {
			for _, path := range list {
				fmt.Fprintln(a.out, "remove", path)
			}
		}
		for _, path := range p.Marked {
			fmt.Fprintln(a.out, "mark", path)
		}
	}
	fmt.Fprintf(a.out, "%s the raw pages of %d runs, %d files that no commit lists and %d files that only retired versions list, %s in all.\n",
		removed, len(p.RawRuns), len(p.Orphans), len(p.Retired), humanize.Bytes(uint64(p.Bytes)))
	if len(p.Marked) > 0 {
		fmt.Fprintf(a.out, "%s %d files that only versions before %d list, %s: a prune after the grace removes them.\n",
			marked, len(p.Marked), p.Oldest, humanize.Bytes(uint64(p.MarkedBytes)))
	}
}
