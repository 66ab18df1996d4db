package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"seatlake/load/lake"
)

func (a *app) compactCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "compact",
		Short: "Put one file in the place of a partition's small ones",
		Long: `Puts one data file in the place of the files that a partition (a table's day) has
several of, such as days of sign-ins that were read in pieces. It is a commit like any
other, and changes no row: what was written is read back and compared before.

Files of 128 MiB and more are left alone. The files that went stay until prune removes
the versions that list them, so disk space is free only then. A run that replaces a
partition meanwhile wins. Doing it twice does nothing.`,
		Example: "  seatlake compact --dry-run\n  seatlake compact",
		Args:    cobra.NoArgs,
		RunE: action(func(ctx context.Context, _ []string) error {
			_, lk, err := a.openLake(ctx)
			if err != nil {
				return err
			}
			done, err := lk.Compact(ctx, lake.CompactOptions{Now: a.now, Program: version(), DryRun: dryRun})
			a.printCompacted(done, dryRun)
			return err
		}),
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what would be compacted, and change nothing")
	return cmd
}

func (a *app) printCompacted(done []lake.Compacted, dryRun bool) {
	var files int
	var before, after int64
	for _, c := range done {
		files += c.Files
		before += c.Before
		after += c.After
		if dryRun {
			fmt.Fprintf(a.out, "compact %s of %s: %d files, %d rows\n", c.Table, cmp.Or(c.Partition, "all days"), c.Files, c.Rows)
		}
	}
	switch {
	case len(done) == 0:
		fmt.Fprintln(a.out, "No partition has more than one small file: there is nothing to compact.")
	case dryRun:
		fmt.Fprintf(a.out, "Would put %d files in the place of %d, %s.\n", len(done), files, humanize.Bytes(uint64(before)))
	default:
		fmt.Fprintf(a.out, "Put %d files in the place of %d: %s became %s. Version %d has the same rows as the one before.\n",
			len(done), files, humanize.Bytes(uint64(before)), humanize.Bytes(uint64(after)), done[len(done)-1].Version)
	}
}
