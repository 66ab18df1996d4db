package sql

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seatlake/schemas"
)

// manyTenants is small tenants with all that spend is made of, and what each SKU's
// terms in force cost a year, by "tenant sku currency", reckoned in fractions.
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
		users := random.IntN(7)
		for u := range users {
			user := fmt.Sprintf("u%d", u)
			add("graph_users", "tenant_id", tenant, "id", user, "department", pick("", "Sales", "Legal"), "country", pick("", "FR"), "company_name", pick("", "A", "B"), "account_enabled", pick("true", "false"))
			if day := pick("", "2026-11-17", "2026-08-01", "2026-09-19"); day != "" {
				add("report_email_activity_user_detail", "tenant_id", tenant, "user_principal_name", user+"@contoso.com", "last_activity_date", day)
			}
		}
		for s := range 1 + random.IntN(3) {
			sku := fmt.Sprintf("s%d", s)
			part := strings.ToUpper(sku)
			held := 0
			for u := range users {
				if random.IntN(2) == 0 {
					held++
					add("graph_user_licenses", "tenant_id", tenant, "user_id", fmt.Sprintf("u%d", u), "sku_id", sku, "service", pick("Outlook", ""),
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
	in := Inputs{Version: 1, RunID: "run", Files: map[string][]string{}, Coverage: coverageOf(t, ids, over, schemas.LicenseTerms.Name)}
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

func TestPartsAddUpToWholes(t *testing.T) {
	in, whole := manyTenants(t, t.TempDir(), 100)
	gold := built(t, in)
	none := func(name, query string) {
		t.Helper()
		if rows := answer(t, gold, query+" limit 5"); len(rows) > 0 {
			t.Errorf("%s: %v", name, rows)
		}
	}

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

func TestAFindingsQueryListsWhatItCounts(t *testing.T) {
	in, _ := manyTenants(t, t.TempDir(), 20)
	gold := built(t, in)
	seen := map[string]int{}
	for _, row := range answer(t, gold, "select rule, units, query from findings order by tenant_id, rank") {
		rule, units := row[0], row[1]
		rows := answer(t, gold, row[2])
		want := "1" // the position of the SKU, or the term
		switch rule {
		case "reclaim_candidates", "group_candidates", "unproven_candidates":
			want = units
		case "no_current_term":
			want = fmt.Sprint(max(len(rows), 1))
		}
		if fmt.Sprint(len(rows)) != want {
			t.Errorf("%s: %s units, and %d rows of %s", rule, units, len(rows), row[2])
		}
		seen[rule]++
	}
	for _, rule := range []string{"reclaim_candidates", "unassigned_units", "over_assigned", "no_current_term"} {
		if seen[rule] == 0 {
			t.Errorf("no finding of rule %s", rule)
		}
	}
}

func TestExcludingASKUChangesItsOwnRowsAlone(t *testing.T) {
	in, _ := manyTenants(t, t.TempDir(), 20)
	before := built(t, in)
	without := in
	without.Seeds = map[string][]byte{"managed_sku_rules": ManagedSKUs(nil, []string{"S1"})}
	after := built(t, without)
	own := word("s1")
	for _, mart := range []string{"license_positions", "license_spend", "license_costs", "license_chargeback", "license_assignments", "license_activity"} {
		query := "select * from " + mart + " where coalesce(sku_id, '') <> '" + own + "' order by all"
		if diff := cmp.Diff(answer(t, before, query), answer(t, after, query)); diff != "" {
			t.Errorf("%s differs (-before +after):\n%s", mart, diff)
		}
		if rows := answer(t, after, "select * from "+mart+" where sku_id = '"+own+"'"); len(rows) > 0 {
			t.Errorf("%s has rows of the excluded SKU: %v", mart, rows[0])
		}
	}
	query := "select * exclude (rank) from findings where coalesce(sku_id, '') <> '" + own + "' order by all"
	if diff := cmp.Diff(answer(t, before, query), answer(t, after, query)); diff != "" {
		t.Errorf("findings differ (-before +after):\n%s", diff)
	}
}
