package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"seatlake/load/reclaim"
)

func (a *app) reclaimApproveCommand() *cobra.Command {
	var o reclaiming
	var planFile, output string
	cmd := &cobra.Command{
		Use:   "approve PLAN.csv",
		Short: "Seal what a person left of a plan",
		Long: `Seals the rows that are left in a plan's CSV, with their comments: the sealed plan
states who sealed it and when, until when it may be acted on, and a hash of all that.
The seal is entered in the tenant's ledger, so that a plan that is changed afterwards
is refused. Everything but the comment is taken from the plan's JSON, which stands
beside the CSV.

A plan expires reclaim.expires (14 days) after it was made, whenever it was sealed.`,
		Example: "  seatlake reclaim approve november.csv --by rita@contoso.com",
		Args:    cobra.ExactArgs(1),
		RunE: action(func(ctx context.Context, args []string) error {
			name := strings.TrimSuffix(strings.TrimSuffix(args[0], ".csv"), ".json")
			if planFile == "" {
				planFile = name + ".json"
			}
			table, err := os.ReadFile(name + ".csv")
			if err != nil {
				return usage("%w", err)
			}
			body, err := os.ReadFile(planFile)
			if err != nil {
				return usage("%w; --plan names the plan's JSON when it is not beside the CSV", err)
			}
			plan, err := reclaim.ReadPlan(body)
			if err != nil {
				return fmt.Errorf("%s: %w", planFile, err)
			}
			if output == "" {
				output = name + ".sealed.json"
			}
			return a.approve(ctx, plan, table, output, o)
		}),
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&planFile, "plan", "", "the plan's JSON `file`, when it is not beside the CSV")
	cmd.Flags().StringVarP(&output, "output", "o", "", "write the sealed plan into this `file`; PLAN.sealed.json when left out")
	return cmd
}

func (a *app) approve(ctx context.Context, plan *reclaim.Plan, table []byte, output string, o reclaiming) (err error) {
	cfg, err := LoadConfigWithoutSecrets(a.configPath, a.env)
	if err != nil {
		return err
	}
	lk, err := cfg.openLake(ctx)
	if err != nil {
		return err
	}
	name := o.tenant
	for _, t := range cfg.Tenants {
		if name == "" && t.Name == plan.Tenant {
			name = t.Name
		}
	}
	t, tenantID, err := planTenant(ctx, cfg, lk, name)
	if err != nil {
		return err
	}
	c, err := a.openCounter(ctx, cfg, lk, t, tenantID, "approve", o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close(ctx)) }()
	sealed, notes, err := c.book.Approve(plan, table, cfg.Reclaim.Policy.Expires)
	if err != nil {
		return err
	}
	for _, note := range notes {
		fmt.Fprintln(a.err, "note: "+note)
	}
	if err := writeFile(output, func(f *os.File) error { return sealed.WriteJSON(f) }); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "Plan %s is sealed by %s with %d of %d rows, and may be acted on until %s.\nSHA-256 %s\n",
		sealed.ID, sealed.Seal.By, len(sealed.Rows), len(plan.Rows), sealed.Seal.Expires.Format(time.RFC3339), sealed.Seal.SHA256)
	fmt.Fprintf(a.out, "Ask the users with: seatlake reclaim notify %s\nOr take without asking: seatlake reclaim apply --immediate %[1]s\n", output)
	return nil
}
