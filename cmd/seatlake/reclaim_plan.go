package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"

	"seatlake/load/reclaim"
)

func (a *app) reclaimPlanCommand() *cobra.Command {
	var tenant, output, share string
	var filter reclaim.Filter
	var licenses int
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Write a plan of licences to take back, as CSV and JSON",
		Long: `Draws a plan from the newest published candidates: those that nothing blocks, with
complete evidence, the surest and dearest first, within the limits. Licences are taken
one by one: a user's other licences stay. Nothing is asked of Graph, and nothing is
written to the lake.

A person edits the CSV: removes rows, and writes into the column comment. The JSON is
for machines, and for approve.`,
		Example: `  seatlake reclaim plan
  seatlake reclaim plan --reason inactive,blocked_sign_in --sku VISIOCLIENT --max-share 10% -o november`,
		Args: cobra.NoArgs,
		RunE: action(func(ctx context.Context, _ []string) error {
			cfg, lk, err := a.openLake(ctx)
			if err != nil {
				return err
			}
			limits := cfg.Reclaim.Policy.Limits
			if share != "" {
				var ok bool
				if limits.Share, ok = parseShare(share); !ok {
					return usage("--max-share %q is not a share; 5%% and 0.05 are", share)
				}
			}
			if licenses > 0 {
				limits.Licenses = licenses
			}
			if filter.MinConfidence == "" {
				filter.MinConfidence = cfg.Reclaim.Policy.MinConfidence
			}
			if !slices.Contains(reclaim.Confidences(), filter.MinConfidence) {
				return usage("--min-confidence %q is not known; it is %s", filter.MinConfidence, strings.Join(reclaim.Confidences(), ", "))
			}
			t, tenantID, err := planTenant(ctx, cfg, lk, tenant)
			if err != nil {
				return err
			}
			o, err := openReading(ctx, cfg, lk)
			if err != nil {
				return err
			}
			mart, err := openCandidates(ctx, o, tenantID)
			if err != nil {
				return err
			}
			if err := mart.current(a.now()); err != nil {
				return err
			}
			id, err := ulid.New(ulid.Timestamp(a.now()), rand.Reader)
			if err != nil {
				return fmt.Errorf("id of the plan: %w", err)
			}
			plan := &reclaim.Plan{
				Format: reclaim.PlanFormat, ID: id.String(), Created: a.now().UTC().Truncate(time.Second), Program: version(),
				LakeID: lk.ID(), LakeVersion: o.inputs.Version, AsOf: mart.asOf, Tenant: t.Name, TenantID: tenantID, Filter: filter, Limits: limits,
			}
			if err := mart.draw(ctx, plan); err != nil {
				return err
			}
			return a.writePlan(plan, output)
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&tenant, "tenant", "", "of the tenant of this `name`")
	flags.StringVarP(&output, "output", "o", "", "write `NAME`.csv and NAME.json; reclaim-<plan id> when left out")
	flags.StringSliceVar(&filter.Reasons, "reason", nil, "only candidates for these `reasons`: inactive, never_signed_in, blocked_sign_in, ...")
	flags.StringSliceVar(&filter.SKUs, "sku", nil, "only these `SKUs`, by id or part number")
	flags.StringSliceVar(&filter.Departments, "department", nil, "only users of these `departments`")
	flags.StringSliceVar(&filter.Countries, "country", nil, "only users of these `countries`")
	flags.StringVar(&filter.MinConfidence, "min-confidence", "", "low, medium or high; reclaim.min_confidence when left out")
	flags.StringVar(&share, "max-share", "", "at most this `share` of a SKU's users, such as 10%; reclaim.max_share when left out")
	flags.IntVar(&licenses, "max-licenses", 0, "at most this many `licences`; reclaim.max_licenses when left out")
	return cmd
}

// writePlan writes both files, and says what is in them.
func (a *app) writePlan(p *reclaim.Plan, name string) error {
	for _, left := range p.LeftOut {
		fmt.Fprintf(a.out, "left out: %d of %s: %s\n", left.Rows, left.PartNumber, left.Why)
	}
	if len(p.Rows) == 0 {
		fmt.Fprintln(a.out, "There is nothing to take back by these limits and filters. No plan was written.")
		return nil
	}
	if name == "" {
		name = "reclaim-" + strings.ToLower(p.ID)
	}
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".csv"), ".json")
	if err := writeFile(name+".json", func(f *os.File) error { return p.WriteJSON(f) }); err != nil {
		return err
	}
	if err := writeFile(name+".csv", func(f *os.File) error { return p.WriteCSV(f) }); err != nil {
		return err
	}
	total := p.Total()
	fmt.Fprintf(a.out, "Plan %s: %d licences", p.ID, total.Rows)
	for _, currency := range slices.Sorted(maps.Keys(total.Savings)) {
		fmt.Fprintf(a.out, ", %s %s a year", total.Savings[currency], currency)
	}
	if total.Unpriced > 0 {
		fmt.Fprintf(a.out, ", %d without a known price", total.Unpriced)
	}
	fmt.Fprintf(a.out, ".\nRead and edit %s.csv, then: seatlake reclaim approve %[1]s.csv\n", name)
	return nil
}
