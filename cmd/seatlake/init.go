package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
)

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Write a sample configuration to start from",
		Long: `Writes a commented configuration to the file that -c names (seatlake.yaml). An
existing file is left alone. The client secret is not written: the sample takes it
from the environment variable SEATLAKE_CLIENT_SECRET.`,
		Args: cobra.NoArgs,
		RunE: action(func(context.Context, []string) error {
			f, err := os.OpenFile(a.configPath, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if errors.Is(err, fs.ErrExist) {
				return usage("%s exists already; remove it or name another file with -c", a.configPath)
			}
			if err != nil {
				return err
			}
			if err := WriteSample(f); err != nil {
				return errors.Join(err, f.Close())
			}
			if err := f.Close(); err != nil {
				return err
			}
			fmt.Fprintf(a.out, "Wrote %s. Fill in the tenant and the application, then:\n\n  export SEATLAKE_CLIENT_SECRET=...\n  seatlake run -c %s\n", a.configPath, a.configPath)
			return nil
		}),
	}
}
