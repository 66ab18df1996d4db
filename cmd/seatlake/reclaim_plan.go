package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"

	"seatlake/load/reclaim"
	"seatlake/sql"
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
			cfg, lk, err := a.openLake()
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
			found, err := readCandidates(ctx, o, tenantID)
			if err != nil {
				return err
			}
			if err := found.current(a.now()); err != nil {
				return err
			}
			id, err := ulid.New(ulid.Timestamp(a.now()), rand.Reader)
			if err != nil {
				return fmt.Errorf("id of the plan: %w", err)
			}
			plan := &reclaim.Plan{
				Format: reclaim.PlanFormat, ID: id.String(), Created: a.now().UTC().Truncate(time.Second), Program: version(),
				LakeID: lk.ID(), LakeVersion: found.version, AsOf: found.asOf, Tenant: t.Name, TenantID: tenantID, Filter: filter, Limits: limits,
			}
			plan.Draw(found.candidates, found.assigned)
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

// found is what a lake knows of a tenant's candidates.
type found struct {
	version    int64
	asOf       string // UTC day of the candidates
	candidates []reclaim.Candidate
	assigned   map[string]int // users by SKU
}

// oldEvidence is the age from which candidates are too old to plan with.
const oldEvidence = 7 * 24 * time.Hour

// current refuses candidates of an old run.
func (f *found) current(now time.Time) error {
	if f.asOf == "" {
		return nil // there are none
	}
	day, err := time.Parse(time.DateOnly, f.asOf)
	if err != nil {
		return err
	}
	if now.Sub(day) > oldEvidence+24*time.Hour {
		return fmt.Errorf("the candidates are of %s, more than %d days ago: `seatlake run` first", f.asOf, int(oldEvidence.Hours()/24))
	}
	return nil
}

// readCandidates reads the mart, and what the users would lose.
func readCandidates(ctx context.Context, o *opened, tenantID string) (*found, error) {
	if o.gold["reclaim_candidates"] == "" {
		return nil, fmt.Errorf("no candidates are published: `seatlake build` publishes them")
	}
	f := &found{version: o.inputs.Version, assigned: map[string]int{}}
	only := "tenant_id = '" + tenantID + "'" // a GUID, or planTenant would not have given it
	rows, err := o.values(ctx, `
		select user_id, user_principal_name, department, country, sku_id, sku_part_number, product_name, reason, reasons, confidence, evidence,
			evidence_text, cast(last_activity_date as varchar), last_activity_service, days_since_last_activity, activity_status,
			strftime(last_sign_in_at, '%Y-%m-%dT%H:%M:%SZ'), cast(observed_through as varchar), assigned_by, assigned_by_groups,
			cast(assigned_date as varchar), cast(annual_saving as varchar), cast(cash_until_renewal as varchar), cast(cash_at_renewal as varchar),
			cast(renewal_date as varchar), currency, is_estimate, blocked_by, cast(as_of_date as varchar)
		from reclaim_candidates where `+only+` order by user_id, sku_id`)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		c := reclaim.Candidate{Row: reclaim.Row{
			UserID: cell(row[0]), UserPrincipalName: cell(row[1]), Department: cell(row[2]), Country: cell(row[3]),
			SKU: cell(row[4]), PartNumber: cell(row[5]), Product: cell(row[6]), Reason: cell(row[7]), Reasons: cell(row[8]), Confidence: cell(row[9]),
			Evidence: cell(row[10]), EvidenceText: cell(row[11]), LastActivityDate: cell(row[12]), LastActivityService: cell(row[13]),
			ActivityStatus: cell(row[15]), LastSignIn: cell(row[16]), ObservedThrough: cell(row[17]), AssignedBy: cell(row[18]),
			AssignedDate: cell(row[20]), AnnualSaving: cell(row[21]), CashUntilRenewal: cell(row[22]), CashAtRenewal: cell(row[23]),
			RenewalDate: cell(row[24]), Currency: cell(row[25]), IsEstimate: cell(row[26]) == "true",
		}, BlockedBy: cell(row[27])}
		if days, ok := whole(row[14]); ok {
			c.DaysSince = &days
		}
		for g := range strings.SplitSeq(cell(row[19]), ",") {
			if g = strings.TrimSpace(g); g != "" {
				c.Groups = append(c.Groups, g)
			}
		}
		f.asOf = max(f.asOf, cell(row[28]))
		f.candidates = append(f.candidates, c)
	}
	if err := f.radius(ctx, o, only); err != nil {
		return nil, err
	}
	rows, err = o.values(ctx, "select sku_id, assigned_users from license_positions where "+only)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		n, _ := whole(row[1])
		f.assigned[cell(row[0])] = int(n)
	}
	return f, nil
}

// cell is a value as text, "" for NULL.
func cell(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// whole is a value as a whole number.
func whole(v any) (int64, bool) {
	switch n := v.(type) {
	case int32:
		return int64(n), true
	case int64:
		return n, true
	}
	return 0, false
}

type holding struct{ user, sku string }

// radius fills in what the users would lose and what they keep.
func (f *found) radius(ctx context.Context, o *opened, only string) error {
	const of = " and user_id in (select user_id from reclaim_candidates)"
	services := map[holding][]string{}
	rows, err := o.values(ctx, "select user_id, sku_id, service from license_activity where "+only+of+" and service is not null order by 1, 2, 3")
	if err != nil {
		return err
	}
	for _, row := range rows {
		h := holding{cell(row[0]), cell(row[1])}
		services[h] = append(services[h], cell(row[2]))
	}
	others := map[string][][2]string{}
	rows, err = o.values(ctx, "select user_id, sku_id, sku_part_number from license_assignments where "+only+of+" order by 1, 3, 2")
	if err != nil {
		return err
	}
	for _, row := range rows {
		others[cell(row[0])] = append(others[cell(row[0])], [2]string{cell(row[1]), cell(row[2])})
	}
	stores := map[string][2]string{}
	rows, err = o.values(ctx, "select user_id, cast(mail_usage_mb as varchar), cast(onedrive_usage_mb as varchar) from users where "+only+of)
	if err != nil {
		return err
	}
	for _, row := range rows {
		stores[cell(row[0])] = [2]string{cell(row[1]), cell(row[2])}
	}
	primary, err := primaryServices()
	if err != nil {
		return err
	}
	for n := range f.candidates {
		c := &f.candidates[n]
		mine := services[holding{c.UserID, c.SKU}]
		kept := map[string]bool{}
		for _, other := range others[c.UserID] {
			if other[0] == c.SKU {
				continue
			}
			c.KeptSKUs, c.Kept = append(c.KeptSKUs, other[0]), append(c.Kept, other[1])
			for _, s := range services[holding{c.UserID, other[0]}] {
				kept[s] = true
			}
		}
		for _, s := range mine {
			if !kept[s] {
				c.Lost = append(c.Lost, s)
			}
		}
		c.Judged = primary(c.PartNumber, mine)
		c.Data = dataBehind(c.Lost, stores[c.UserID])
	}
	return nil
}

// dataBehind is what the services store of a user, for people.
func dataBehind(lost []string, stored [2]string) string {
	var out []string
	for i, store := range []struct{ service, name string }{{"Microsoft Exchange Server", "mailbox"}, {"OneDrive", "OneDrive"}} {
		if !slices.Contains(lost, store.service) {
			continue
		}
		size := "of unknown size"
		if stored[i] != "" {
			size = stored[i] + " MB"
		}
		out = append(out, store.name+" "+size)
	}
	return strings.Join(out, "; ")
}

// primaryServices gives the services by which a SKU is judged: those of the seed
// primary_service_rules that it entitles, or else all it entitles.
func primaryServices() (func(part string, entitled []string) []string, error) {
	rules, err := sql.Seed("primary_service_rules", nil)
	if err != nil {
		return nil, err
	}
	return func(part string, entitled []string) []string {
		for _, r := range rules { // in the order of their priority
			if ok, err := filepath.Match(strings.ToLower(r["pattern"]), strings.ToLower(part)); err == nil && ok {
				if slices.Contains(entitled, r["service"]) {
					return []string{r["service"]}
				}
				break
			}
		}
		return entitled
	}, nil
}
