package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the program's version and those of the engines inside",
		Args:  cobra.NoArgs,
		RunE: action(func(context.Context, []string) error {
			fmt.Fprintf(a.out, "seatlake %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			info, ok := debug.ReadBuildInfo()
			if !ok {
				return nil
			}
			for _, dep := range info.Deps {
				switch dep.Path {
				case "github.com/apache/arrow-go/v18", "github.com/parquet-go/parquet-go", "github.com/duckdb/duckdb-go/v2":
					fmt.Fprintf(a.out, "%s %s\n", dep.Path, dep.Version)
				}
			}
			return nil
		}),
	}
}
