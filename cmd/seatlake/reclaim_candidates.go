package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"seatlake/load/reclaim"
	"seatlake/sql"
)

// candidates is a tenant's part of the published mart reclaim_candidates. It is read
// row by row and never held: a plan is as large as its limits, not as the tenant.
type candidates struct {
	*opened
	only string // the condition that selects the tenant
	asOf string // UTC day of the candidates; "" when there are none
}

func openCandidates(ctx context.Context, o *opened, tenantID string) (*candidates, error) {
	if o.gold["reclaim_candidates"] == "" {
		return nil, errors.New("no candidates are published: `seatlake build` publishes them")
	}
	m := &candidates{opened: o, only: "tenant_id = '" + tenantID + "'"} // a GUID, or planTenant would not have given it
	rows, err := o.values(ctx, "select cast(max(as_of_date) as varchar) from reclaim_candidates where "+m.only)
	if err != nil {
		return nil, err
	}
	m.asOf = cell(rows[0][0])
	return m, nil
}

// oldEvidence is the age from which candidates are too old to plan with.
const oldEvidence = 7 * 24 * time.Hour

// current refuses candidates of an old run.
func (m *candidates) current(now time.Time) error {
	if m.asOf == "" {
		return nil // there are none
	}
	day, err := time.Parse(time.DateOnly, m.asOf)
	if err != nil {
		return err
	}
	if now.Sub(day) > oldEvidence+24*time.Hour {
		return fmt.Errorf("the candidates are of %s, more than %d days ago: `seatlake run` first", m.asOf, int(oldEvidence.Hours()/24))
	}
	return nil
}

// draw fills a plan, and says of its rows what the users would lose.
func (m *candidates) draw(ctx context.Context, p *reclaim.Plan) error {
	rows, err := m.values(ctx, "select sku_id, assigned_users from license_positions where "+m.only)
	if err != nil {
		return err
	}
	assigned := map[string]int{}
	for _, row := range rows {
		n, _ := whole(row[1])
		assigned[cell(row[0])] = int(n)
	}
	if err := m.read(ctx, func(all iter.Seq2[*reclaim.Candidate, error]) error { return p.Draw(all, assigned) }); err != nil {
		return err
	}
	for rows := range slices.Chunk(p.Rows, radiusRows) {
		if err := m.radius(ctx, rows); err != nil {
			return err
		}
	}
	return nil
}

// read gives do the candidates in the order in which a plan takes them up:
// reclaim.Compare's.
func (m *candidates) read(ctx context.Context, do func(iter.Seq2[*reclaim.Candidate, error]) error) error {
	query := `
		select user_id, user_principal_name, department, country, sku_id, sku_part_number, product_name, reason, reasons, confidence, evidence,
			evidence_text, cast(last_activity_date as varchar), last_activity_service, days_since_last_activity, activity_status,
			strftime(last_sign_in_at, '%Y-%m-%dT%H:%M:%SZ'), cast(observed_through as varchar), assigned_by, assigned_by_groups,
			cast(assigned_date as varchar), cast(annual_saving as varchar), cast(cash_until_renewal as varchar), cast(cash_at_renewal as varchar),
			cast(renewal_date as varchar), currency, is_estimate, blocked_by
		from reclaim_candidates where ` + m.only + `
		order by case confidence when 'high' then 1 when 'medium' then 2 when 'low' then 3 else 4 end, annual_saving desc nulls last, sku_id, user_id`
	return sql.Query(ctx, m.inputs, m.gold, query, func(rows *sql.Rows) error {
		return do(func(yield func(*reclaim.Candidate, error) bool) {
			for row, err := range rows.All() {
				if err != nil {
					yield(nil, err)
					return
				}
				if !yield(candidate(row), nil) {
					return
				}
			}
		})
	})
}

// candidate is a row of the query of read.
func candidate(row []any) *reclaim.Candidate {
	c := &reclaim.Candidate{Row: reclaim.Row{
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
	return c
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

// radiusRows is of how many rows of a plan the radius is read at once.
const radiusRows = 2000

// radius fills in what the users of some rows would lose and what they keep.
func (m *candidates) radius(ctx context.Context, of []reclaim.Row) error {
	var users []string
	for _, r := range of {
		users = append(users, "'"+strings.ReplaceAll(r.UserID, "'", "''")+"'")
	}
	only := m.only + " and user_id in (" + strings.Join(users, ", ") + ")"
	services := map[holding][]string{}
	rows, err := m.values(ctx, "select user_id, sku_id, service from license_activity where "+only+" and service is not null order by 1, 2, 3")
	if err != nil {
		return err
	}
	for _, row := range rows {
		h := holding{cell(row[0]), cell(row[1])}
		services[h] = append(services[h], cell(row[2]))
	}
	others := map[string][][2]string{}
	rows, err = m.values(ctx, "select user_id, sku_id, sku_part_number from license_assignments where "+only+" order by 1, 3, 2")
	if err != nil {
		return err
	}
	for _, row := range rows {
		others[cell(row[0])] = append(others[cell(row[0])], [2]string{cell(row[1]), cell(row[2])})
	}
	stores := map[string][2]string{}
	rows, err = m.values(ctx, "select user_id, cast(mail_usage_mb as varchar), cast(onedrive_usage_mb as varchar) from users where "+only)
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
	for n := range of {
		r := &of[n]
		mine := services[holding{r.UserID, r.SKU}]
		kept := map[string]bool{}
		for _, other := range others[r.UserID] {
			if other[0] == r.SKU {
				continue
			}
			r.KeptSKUs, r.Kept = append(r.KeptSKUs, other[0]), append(r.Kept, other[1])
			for _, s := range services[holding{r.UserID, other[0]}] {
				kept[s] = true
			}
		}
		for _, s := range mine {
			if !kept[s] {
				r.Lost = append(r.Lost, s)
			}
		}
		r.Judged = primary(r.PartNumber, mine)
		r.Data = dataBehind(r.Lost, stores[r.UserID])
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
