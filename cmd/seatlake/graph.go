package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"seatlake/extract/graph/graphsim"
)

func (a *app) graphCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "graph",
		Short: "The simulated tenant as a server",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.graphServeCommand())
	return cmd
}

// simulated is a tenant that can be served: a drawn one, or a folder.
type simulated interface {
	Serve(context.Context) (*graphsim.Server, error)
}

func (a *app) graphServeCommand() *cobra.Command {
	var o graphsim.Options
	var dir string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve a simulated tenant until interrupted",
		Long: `Serves a simulated Microsoft 365 tenant on ports of this machine: Graph, the login
endpoint, and, on a host of its own as in the real service, report downloads. Prints a
configuration that reads it. The tenant is a function of --seed, or, with --dir, of a
folder of files: users.1.json, subscribedSkus.json, signIns.1.json, nonInteractiveSignIns.1.json, <report>.csv.`,
		Args: cobra.NoArgs,
		RunE: action(func(ctx context.Context, _ []string) error {
			o.Now, o.Clock = a.now().UTC(), a.now
			var tenant simulated
			var err error
			if dir != "" {
				tenant, err = graphsim.Folder(dir, o)
			} else {
				tenant, err = graphsim.New(o)
			}
			if err != nil {
				return usage("%w", err)
			}
			server, err := tenant.Serve(ctx)
			if err != nil {
				return err
			}
			defer server.Close()
			if err := writeDemoConfig(a.out, server); err != nil {
				return err
			}
			fmt.Fprintf(a.err, "Serving until interrupted. The client secret is %s\n", graphsim.DefaultClientSecret)
			<-ctx.Done()
			return nil
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&dir, "dir", "", "serve the files of this `folder` in place of a generated tenant")
	flags.IntVar(&o.Users, "users", 1000, "how many `users`")
	flags.IntVar(&o.SignIns, "sign-ins", 10000, "how many `sign-ins` over the last 30 days")
	flags.IntVar(&o.NonInteractiveSignIns, "non-interactive-sign-ins", 0, "how many `sign-ins` by clients over the last 30 days; beta lists them")
	flags.Uint64Var(&o.Seed, "seed", 1, "the tenant is a function of this `number`")
	flags.IntVar(&o.PageSize, "page-size", 0, "at most this many `rows` a page; 0 leaves Graph's limits")
	flags.BoolVar(&o.Concealed, "concealed", false, "hide names in usage reports")
	flags.BoolVar(&o.NoPremium, "no-premium", false, "no Entra ID P1 or P2: no sign-ins")
	flags.StringSliceVar(&o.Deny, "deny", nil, "`permissions` that are not granted, such as Reports.Read.All")
	flags.StringSliceVar(&o.Grant, "grant", nil, "`permissions` beyond those for reading, such as LicenseAssignment.ReadWrite.All")
	flags.BoolVar(&o.Throttle, "throttle", false, "enforce Graph's published limits")
	return cmd
}
