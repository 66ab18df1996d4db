package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// activityFilter are the flags of `show activity`.
type activityFilter struct {
	services  []string // labels of the eleven; empty for licences as a whole
	threshold int      // whole days; 0 leaves each licence its own
	byLicense bool     // counts in place of users
}

func (f *activityFilter) flags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.services, "service", nil, "of activity: only what this `service` of a licence is used for; may be repeated")
	cmd.Flags().IntVar(&f.threshold, "threshold", 0, "of activity: `days` without use after which a licence is inactive; 0 is as configured")
	cmd.Flags().BoolVar(&f.byLicense, "by-license", false, "of activity: count the users of each licence in place of listing them")
}

func (f *activityFilter) given() bool { return len(f.services) > 0 || f.threshold != 0 || f.byLicense }

// showActivity prints who uses which licence.
func (a *app) showActivity(ctx context.Context, s *opened, f activityFilter, r reading) error {
	query, err := f.query()
	if err != nil {
		return err
	}
	if r.limit > 0 {
		query += fmt.Sprintf(" limit %d", r.limit)
	}
	return a.print(ctx, s, query, r)
}

// query is the SELECT of the flags. A threshold tells active from inactive, and
// nothing else: a licence that was never used, is too new or cannot be measured is
// so at any threshold.
func (f *activityFilter) query() (string, error) {
	if f.threshold < 0 || f.threshold > maxDays {
		return "", usage("--threshold %d is out of range; it is 1 to %d days", f.threshold, maxDays)
	}
	from, service := "license_assignments", "a.last_activity_service"
	where := ""
	if len(f.services) > 0 {
		labels, err := serviceLabels(f.services)
		if err != nil {
			return "", err
		}
		from, service = "license_activity", "a.service"
		where = " where a.service in ('" + strings.Join(labels, "', '") + "')"
	}
	status := "a.activity_status"
	if f.threshold > 0 {
		status = fmt.Sprintf(`case when a.activity_status not in ('active', 'inactive') then a.activity_status
      when a.days_since_last_activity <= %d then 'active' else 'inactive' end`, f.threshold)
	}
	rows := fmt.Sprintf(`
with activity as (
  select a.tenant_id, a.user_id, a.sku_id, k.product_name, %s as service, a.last_activity_date, a.days_since_last_activity, %s as activity_status
  from %s as a join license_positions as k using (tenant_id, sku_id)%s
)`, service, status, from, where)
	if !f.byLicense {
		return rows + `
select coalesce(u.mail, u.user_principal_name, a.user_id) as email, u.given_name as first_name, u.surname as last_name,
  a.product_name as license_type, a.service, a.last_activity_date, a.days_since_last_activity, a.activity_status
from activity as a left join users as u using (tenant_id, user_id)
order by 1, 4, 5, a.sku_id, a.user_id`, nil
	}
	column := ""
	if len(f.services) > 0 {
		column = "service, "
	}
	return rows + fmt.Sprintf(`
select product_name as license_type, %scount(*) as users, count_if(activity_status = 'active') as active,
  count_if(activity_status = 'inactive') as inactive, count_if(activity_status = 'never_active') as never_active,
  count_if(activity_status = 'too_new') as too_new, count_if(activity_status = 'not_measurable') as not_measurable
from activity group by %sproduct_name, sku_id, tenant_id order by all`, column, column), nil
}

// serviceLabels are services as the marts name them.
func serviceLabels(names []string) ([]string, error) {
	var out []string
	for _, name := range names {
		found := false
		for _, label := range services() {
			if strings.EqualFold(strings.TrimSpace(name), label) {
				out, found = append(out, label), true
			}
		}
		if !found {
			return nil, usage("--service %q is not one of the eleven; there are: %s", name, strings.Join(services(), ", "))
		}
	}
	return out, nil
}
