package sql

import (
	"flag"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"seatlake/schemas"
)

var tenants = flag.Int("tenants", 1_000, "random tenants whose properties are checked")

// TestPropertiesOfManyTenants builds random small tenants in one lake, since a build
// costs more than a tenant, and states what holds for each.
func TestPropertiesOfManyTenants(t *testing.T) {
	in, whole := manyTenants(t, t.TempDir(), *tenants)
	gold := built(t, in)
	t.Run("parts add up to wholes in units, users and money", func(t *testing.T) { partsAddUp(t, gold, whole) })
	t.Run("statuses are monotone in the threshold", func(t *testing.T) { statusesAreMonotone(t, gold) })
	t.Run("candidates are some of the users, and no money is counted twice", func(t *testing.T) { candidatesAddUp(t, gold) })
	t.Run("excluding a SKU changes its own rows alone", func(t *testing.T) {
		without := in
		without.Seeds = maps.Clone(in.Seeds)
		without.Seeds["managed_sku_rules"] = ManagedSKUs(nil, []string{word("s1")})
		othersAreTheSame(t, gold, built(t, without), word("s1"))
	})
}

// partsAddUp says that parts add up to wholes in units, users and money.
func partsAddUp(t *testing.T, gold map[string]string, whole map[string]string) {
	none := func(name, query string) { t.Helper(); empty(t, gold, name, query) }
	got := map[string]string{}
	for _, row := range answer(t, gold, "select tenant_id, sku_id, currency, sum(annual_spend) from license_spend where currency is not null group by all") {
		got[strings.Join(row[:3], " ")] = row[3]
	}
	// Where subscriptions could not be read, what SKUs cost is not known.
	missing := 0
	for key, amount := range whole {
		if _, ok := got[key]; !ok {
			missing++
			continue
		}
		if got[key] != amount {
			t.Errorf("%s: the parts make %s, the terms cost %s", key, got[key], amount)
		}
	}
	for key := range got {
		if _, ok := whole[key]; !ok {
			t.Errorf("%s has spend and no term in force", key)
		}
	}
	if len(got) < 100 || missing > len(whole)/5 {
		t.Errorf("%d of %d wholes are compared", len(got), len(whole))
	}
	none("units of a SKU", `select * from license_spend join license_positions using (tenant_id, sku_id) where
		status = 'active' and units <> active_users or status = 'unassigned' and units <> greatest(available_units, 0)`)
	none("every dimension bears all", `with borne as (
			select tenant_id, dimension, sku_id, currency, sum(annual_spend) as spend, sum(assigned_users) as users, sum(unassigned_units) as unassigned
			from license_chargeback group by all),
		spent as (select tenant_id, sku_id, currency, sum(annual_spend) as spend from license_spend group by all)
		select * from borne as b join spent as s on s.tenant_id = b.tenant_id and s.sku_id = b.sku_id and s.currency is not distinct from b.currency
		join license_positions as p on p.tenant_id = b.tenant_id and p.sku_id = b.sku_id
		where b.spend is distinct from s.spend or b.users is distinct from p.assigned_users or b.unassigned is distinct from greatest(p.available_units, 0)`)
	none("six dimensions", "select tenant_id, sku_id, currency from license_chargeback group by all having count(distinct dimension) <> 6")
	none("one status row each", "select tenant_id, sku_id, currency from license_spend group by all having count(*) <> 7")
}

// statusesAreMonotone says that a higher threshold moves users from inactive to
// active, and nobody else anywhere.
func statusesAreMonotone(t *testing.T, gold map[string]string) {
	for i, days := range thresholds[1:] {
		lower, higher := word(fmt.Sprintf("p%d", thresholds[i])), word(fmt.Sprintf("p%d", days))
		pairs := func(mart string) string {
			return fmt.Sprintf(`with l as (select * from %[1]s where sku_id = '%[2]s'), h as (select * from %[1]s where sku_id = '%[3]s')
				select l.*, h.activity_status as higher from l full join h on h.tenant_id = l.tenant_id and h.user_id = l.user_id`, mart, lower, higher)
		}
		empty(t, gold, "a status that is not monotone", "select * from ("+pairs("license_assignments")+
			") where not coalesce(higher = activity_status or activity_status = 'inactive' and higher = 'active', false)")
		moved := answer(t, gold, "select count(*) from ("+pairs("license_assignments")+") where higher <> activity_status")
		if moved[0][0] == "0" {
			t.Errorf("nobody moves from %d to %d days, so that nothing is proven", thresholds[i], days)
		}
		empty(t, gold, "a candidate at the higher threshold alone", "select * from ("+pairs("reclaim_candidates")+") where activity_status is null")
	}
}

// candidatesAddUp says that candidates are held licences, and that findings count
// each of them once.
func candidatesAddUp(t *testing.T, gold map[string]string) {
	empty(t, gold, "more candidates than users", `select * from license_positions as p join
		(select tenant_id, sku_id, count(*) as n from reclaim_candidates group by all) as c using (tenant_id, sku_id) where n > p.assigned_users or p.assigned_users is null`)
	empty(t, gold, "findings that do not add up to candidates", `with counted as (
			select tenant_id, sku_id, sum(units) as units, sum(annual_amount) as amount from findings where rule in ('reclaim_candidates', 'group_candidates') group by all),
		listed as (
			select tenant_id, sku_id, count(*) as units, sum(annual_saving) as amount from reclaim_candidates
			where license_class = 'paid' and reasons not like '%duplicate%' and (blocked_by is null or blocked_by = 'group_assigned') group by all)
		select * from counted as c full join listed as l on l.tenant_id = c.tenant_id and l.sku_id = c.sku_id
		where c.units is distinct from l.units or c.amount is distinct from l.amount`)
	empty(t, gold, "cash before the renewal, or other cash than the saving", `select * from reclaim_candidates
		where cash_until_renewal <> 0 or cash_at_renewal <> annual_saving or (cash_at_renewal is null) <> (renewal_date is null or annual_saving is null)`)
	for _, row := range answer(t, gold, "select reason, count(r.reason) from (from reclaim_candidates) as r group by 1 order by 1") {
		t.Logf("%s candidates of reason %s", row[1], row[0])
	}
	seen := answer(t, gold, "select count(distinct reason), count(distinct blocked_by) from reclaim_candidates")
	if seen[0][0] < "6" || len(seen[0][1]) < 2 {
		t.Errorf("%s reasons and %s ways to be blocked are seen", seen[0][0], seen[0][1])
	}
}

// othersAreTheSame says that two builds differ in the rows of one SKU alone, and that
// the second has none of them.
func othersAreTheSame(t *testing.T, before, after map[string]string, own string) {
	both := map[string]string{}
	for name, path := range before {
		both["before_"+name] = path
	}
	for name, path := range after {
		both["after_"+name] = path
	}
	for _, mart := range []string{"license_positions", "license_spend", "license_costs", "license_chargeback", "license_assignments", "license_activity", "reclaim_candidates", "findings"} {
		others := func(build string) string {
			columns := "*"
			if mart == "findings" {
				columns = "* exclude (rank)" // among all of the tenant's
			}
			return "select " + columns + " from " + build + "_" + mart + " where coalesce(sku_id, '') <> '" + own + "'"
		}
		empty(t, both, mart+" lost or changed", others("before")+" except all "+others("after"))
		empty(t, both, mart+" came", others("after")+" except all "+others("before"))
		empty(t, both, mart+" of the excluded SKU", "select * from after_"+mart+" where sku_id = '"+own+"'")
		if rows := answer(t, both, "select 1 from before_"+mart+" where sku_id = '"+own+"' limit 1"); len(rows) == 0 {
			t.Errorf("%s never had the SKU, so that nothing is proven", mart)
		}
	}
}

// empty fails the test with the first rows of a query that should have none.
func empty(t *testing.T, gold map[string]string, name, query string) {
	t.Helper()
	if rows := answer(t, gold, "select * from ("+query+") limit 5"); len(rows) > 0 {
		t.Errorf("%s: %v", name, rows)
	}
}

// thresholds are the days that monotony is tried with. Each has a SKU of its own in
// every tenant, held by the same users.
var thresholds = []int{15, 30, 60, 90, 120}

// manyTenants is small tenants with all that positions, spend and candidates are made
// of, and what each SKU's terms in force cost a year, by "tenant sku currency",
// reckoned in fractions.
func manyTenants(t *testing.T, dir string, tenants int) (Inputs, map[string]string) {
	t.Helper()
	random := rand.New(rand.NewPCG(4, 2))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	payments := map[string]*big.Rat{
		"Once": nil, "Monthly": big.NewRat(12, 1), "Quarterly": big.NewRat(4, 1), "Semi-Annually": big.NewRat(2, 1), "Annually": big.NewRat(1, 1),
		"Every 18 Months": big.NewRat(12, 18), "Biannually": big.NewRat(1, 2), "Triennially": big.NewRat(1, 3),
	}
	rows := map[string][]map[string]string{}
	add := func(table string, cells ...string) {
		row := map[string]string{}
		for i := 0; i < len(cells); i += 2 {
			row[cells[i]] = cells[i+1]
		}
		stored, _ := schemas.ByName(table)
		rows[table] = append(rows[table], withDefaults(stored, len(rows[table]), row))
	}
	whole := map[string]*big.Int{}
	var ids []string
	var over []map[string]string
	for n := range tenants {
		tenant := fmt.Sprintf("t%d", n+1)
		ids = append(ids, word(tenant))
		if random.IntN(10) == 0 {
			over = append(over, map[string]string{"tenant_id": tenant, "table_name": pick("graph_subscribed_skus", "report_email_activity_user_detail"), "state": "denied", "observed_at": "-", "observed_through": "-", "logical_date": "-"})
		}
		hr := random.IntN(2) == 0
		if !hr {
			over = append(over, map[string]string{"tenant_id": tenant, "table_name": "hr_employees", "state": "absent"})
		}
		users := random.IntN(7)
		for u := range users {
			user := fmt.Sprintf("u%d", u)
			signedIn := pick("", "2026-11-19T08:00:00Z", "2026-06-01T08:00:00Z")
			add("graph_users", "tenant_id", tenant, "id", user, "department", pick("", "Sales", "Legal"), "country", pick("", "FR"), "company_name", pick("", "A", "B"),
				"manager_id", pick("", "u0", "u1", "gone"),
				"account_enabled", pick("true", "true", "false"), "user_type", pick("Member", "Member", "Member", "Guest"),
				"last_sign_in_date_time", signedIn, "last_successful_sign_in_date_time", signedIn)
			if hr && random.IntN(4) > 0 {
				add("hr_employees", "tenant_id", tenant, "line", fmt.Sprint(u+2), "employee_id", fmt.Sprint(u), "user_principal_name", user+"@contoso.com",
					"status", pick("active", "active", "inactive", "leave"), "cost_centre", pick("", "C1", "C2"), "manager_user_principal_name", pick("", "u0@contoso.com"))
			}
			if day := pick("", "2026-11-17", "2026-11-01", "2026-10-10", "2026-09-19", "2026-09-01", "2026-08-01", "2026-01-01"); day != "" {
				add("report_email_activity_user_detail", "tenant_id", tenant, "user_principal_name", user+"@contoso.com", "last_activity_date", day)
			}
		}
		for u := range users {
			if random.IntN(2) == 0 {
				continue
			}
			assigned := pick("2020-01-01", "2026-11-12") + "T00:00:00Z"
			for _, days := range thresholds {
				add("graph_user_licenses", "tenant_id", tenant, "user_id", fmt.Sprintf("u%d", u), "sku_id", fmt.Sprintf("p%d", days), "service", "Outlook", "assigned_date_time", assigned)
			}
		}
		for s := range 1 + random.IntN(3) {
			sku := fmt.Sprintf("s%d", s)
			part := strings.ToUpper(sku)
			held := 0
			for u := range users {
				if random.IntN(2) == 0 {
					held++
					add("graph_user_licenses", "tenant_id", tenant, "user_id", fmt.Sprintf("u%d", u), "sku_id", sku, "service", pick("Outlook", "", "Power BI"), "assigned_by", pick("direct", "direct", "group"),
						"assigned_date_time", pick("2020-01-01", "2026-11-12")+"T00:00:00Z")
				}
			}
			add("graph_subscribed_skus", "tenant_id", tenant, "sku_id", sku, "sku_part_number", part, "enabled_units", fmt.Sprint(random.IntN(8)), "consumed_units", fmt.Sprint(held+random.IntN(2)))
			for range random.IntN(4) {
				frequency := pick("Once", "Monthly", "Quarterly", "Semi-Annually", "Annually", "Every 18 Months", "Biannually", "Triennially")
				years := int64(1 + random.IntN(3))
				amount := random.Int64N(1_000_000_000)
				currency := pick("USD", "EUR")
				from := pick("2026-01-01", "2025-11-20", "2026-11-20", "2026-11-21", "2022-11-20")
				ending := fmt.Sprint(int64(from[3]-'0')+2020+years) + from[4:]
				add("license_terms", "tenant_id", tenant, "sku", pick(part, strings.ToLower(part), word(sku)), "quantity", fmt.Sprint(1+random.IntN(9)), "amount", fmt.Sprintf("%d.%04d", amount/10_000, amount%10_000),
					"currency", currency, "payment_frequency", frequency, "effective_date", from, "ending_date", ending, "cost_centre", pick("", "IT", "HR"))
				if from > "2026-11-20" || ending <= "2026-11-20" {
					continue
				}
				yearly := payments[frequency]
				if yearly == nil {
					yearly = big.NewRat(1, years)
				}
				cents := new(big.Rat).Mul(big.NewRat(amount, 100), yearly)
				doubled := new(big.Rat).Add(new(big.Rat).Mul(cents, big.NewRat(2, 1)), big.NewRat(1, 1))
				rounded := new(big.Int).Quo(new(big.Int).Quo(doubled.Num(), doubled.Denom()), big.NewInt(2))
				key := tenant + " " + sku + " " + currency
				if whole[key] == nil {
					whole[key] = new(big.Int)
				}
				whole[key].Add(whole[key], rounded)
			}
		}
	}
	var overrides []Threshold
	for _, days := range thresholds {
		overrides = append(overrides, Threshold{SKU: word(fmt.Sprintf("p%d", days)), ThresholdDays: days})
	}
	in := Inputs{Version: 1, Seeds: map[string][]byte{"activity_thresholds": Thresholds(60, 14, overrides)}, RunID: "run", Files: map[string][]string{}, Coverage: coverageOf(t, ids, over, schemas.LicenseTerms.Name, schemas.HrEmployees.Name)}
	for name, rs := range rows {
		table, _ := schemas.ByName(name)
		in.Files[name] = []string{writeTable(t, dir, table, rs)}
	}
	texts := map[string]string{}
	for key, cents := range whole {
		texts[key] = fmt.Sprintf("%d.%02d", new(big.Int).Div(cents, big.NewInt(100)), new(big.Int).Mod(cents, big.NewInt(100)))
	}
	return in, texts
}

// built is marts by name.
func built(t *testing.T, in Inputs) map[string]string {
	t.Helper()
	out := t.TempDir()
	result, err := Build(t.Context(), in, out, Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if result.Failed() {
		t.Errorf("tests of severity error found faults:\n%s", faultsOf(result))
	}
	gold := map[string]string{}
	for _, m := range result.Marts {
		gold[m.Name] = m.Path
	}
	return gold
}

// answer is the rows of a query over marts as text.
func answer(t *testing.T, gold map[string]string, query string) [][]string {
	t.Helper()
	var out [][]string
	err := Query(t.Context(), Inputs{}, gold, query, func(r *Rows) error {
		for row, err := range r.All() {
			if err != nil {
				return err
			}
			cells := make([]string, len(row))
			for i, v := range row {
				cells[i] = cell(v, r.Columns[i].Type)
			}
			out = append(out, cells)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return out
}
