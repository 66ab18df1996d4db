package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"seatlake/load/lake"
)

func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Verify the log, the hash of every file, and the published marts",
		Long: `Reads every live data file and every published mart and compares size, SHA-256
and row count with the log; looks for gaps in the log and for files that no commit
lists. Findings are printed with their cure. Exit status 4 when something is wrong.`,
		Args: cobra.NoArgs,
		RunE: action(func(ctx context.Context, _ []string) error {
			_, lk, err := a.openLake()
			if err != nil {
				return err
			}
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
			fmt.Fprintln(a.out, "The lake is whole.")
			return nil
		}),
	}
}
