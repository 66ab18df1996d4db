package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"seatlake/extract/catalog"
)

// defaultCatalog is where, beside the configuration, `catalog update` puts the
// catalogue and every command looks for one, when the configuration names no file.
const defaultCatalog = "catalog.seatlake"

func (a *app) catalogCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "catalog",
		Short: "The product catalogue: names of SKUs and service plans",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "update FILE",
		Short: "Take Microsoft's list of product names as it comes",
		Long: `Reads Microsoft's CSV "Product names and service plan identifiers for licensing",
with its BOM, non-breaking spaces, tabs, mixed case and duplicates, says what is new,
gone or renamed, and writes it to the file that the configuration's catalog key names
(` + defaultCatalog + ` beside the configuration when it names none).`,
		Args: cobra.ExactArgs(1),
		RunE: action(func(_ context.Context, args []string) error {
			into := filepath.Join(filepath.Dir(a.configPath), defaultCatalog)
			cfg, err := LoadConfigWithoutSecrets(a.configPath, a.env)
			switch {
			case errors.Is(err, fs.ErrNotExist): // a catalogue can come before the configuration
			case err != nil:
				return err
			case cfg.Catalog != "":
				into = cfg.Catalog
			}
			diff, err := catalog.Update(args[0], into)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.out, "%s\nWrote %s; the next run takes its names and plans from there.\n", diff, into)
			return nil
		}),
	})
	return cmd
}

// loadCatalog is the catalogue a user updated, or the one in the program.
func loadCatalog(path string) (*catalog.Catalog, error) {
	if path == "" {
		return catalog.Embedded()
	}
	c, err := catalog.Load(path)
	if err != nil {
		return nil, errors.Join(err, fmt.Errorf("write it with `seatlake catalog update FILE`, or remove the key catalog from the configuration to use the built-in one"))
	}
	return c, nil
}
