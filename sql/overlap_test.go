package sql

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seatlake/extract/catalog"
	"seatlake/schemas"
)

// holding is a licence of a user in these tests: a part number of the catalogue,
// and the plans of it that are switched off.
type holding struct {
	part    string
	off     []string // names of plans
	byGroup bool
}

// catalogSKU is a SKU of the embedded catalogue.
type catalogSKU struct {
	id    string
	plans []catalog.Plan
}

// embeddedCatalog is the embedded catalogue by part number.
func embeddedCatalog(t testing.TB) (*catalog.Catalog, map[string]catalogSKU) {
	t.Helper()
	c, err := catalog.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]catalogSKU{}
	for s := range c.SKUs() {
		out[s.PartNumber] = catalogSKU{catalog.FormatGUID(s.ID), c.Plans(s.ID)}
	}
	return c, out
}

// withCatalog is a tenant whose users hold licences of the embedded catalogue. It
// subscribes to each of them and was told nothing of their plans.
func withCatalog(t *testing.T, users map[string][]holding) Inputs {
	t.Helper()
	dir := t.TempDir()
	c, parts := embeddedCatalog(t)
	rows := map[*schemas.Table][]map[string]string{}
	add := func(table *schemas.Table, row map[string]string) {
		rows[table] = append(rows[table], withDefaults(table, len(rows[table]), row))
	}
	subscribed := map[string]bool{}
	for _, user := range slices.Sorted(maps.Keys(users)) {
		add(schemas.GraphUsers, map[string]string{"id": user})
		for _, h := range users[user] {
			sku, ok := parts[h.part]
			if !ok {
				t.Fatalf("the catalogue has no SKU %s", h.part)
			}
			var off []string
			for _, p := range sku.plans {
				if slices.Contains(h.off, p.Name) {
					off = append(off, catalog.FormatGUID(p.ID))
				}
			}
			by := "direct"
			if h.byGroup {
				by = "group"
			}
			add(schemas.GraphUserLicenses, map[string]string{
				"user_id": user, "sku_id": sku.id, "assigned_by": by, "disabled_plans": fmt.Sprint(len(off)),
				"disabled_plan_ids": strings.Join(off, " "),
			})
			if !subscribed[h.part] {
				subscribed[h.part] = true
				add(schemas.GraphSubscribedSkus, map[string]string{"sku_id": sku.id, "sku_part_number": h.part, "enabled_units": "10", "consumed_units": "1"})
			}
		}
	}
	for s := range c.SKUs() {
		id := catalog.FormatGUID(s.ID)
		add(schemas.CatalogSkus, map[string]string{"sku_id": id, "sku_part_number": s.PartNumber, "product_name": s.Name})
		for _, p := range c.Plans(s.ID) {
			add(schemas.CatalogServicePlans, map[string]string{"sku_id": id, "service_plan_id": catalog.FormatGUID(p.ID), "service_plan_name": p.Name})
		}
	}
	in := Inputs{Version: 1, RunID: "run", Files: map[string][]string{}, Seeds: map[string][]byte{}, Coverage: coverageOf(t, []string{word("t1")}, nil)}
	for table, rs := range rows {
		in.Files[table.Name] = []string{writeTable(t, dir, table, rs)}
	}
	return in
}

// redundant is the redundant licences of each user, as "user part number rule".
func redundant(t *testing.T, gold map[string]string) []string {
	t.Helper()
	var out []string
	for _, row := range answer(t, gold, "select user_id, sku_part_number, rule from license_overlaps order by all") {
		out = append(out, strings.Join(row, " "))
	}
	return out
}

func TestPairsOfTheCatalogue(t *testing.T) {
	users := map[string][]holding{}
	var want []string
	n := 0
	pair := func(covered, by, rule string) {
		n++
		user := fmt.Sprintf("u%03d", n)
		users[user] = []holding{{part: covered}, {part: by}}
		if rule != "" {
			want = append(want, user+" "+covered+" "+rule)
		}
	}
	pair("EXCHANGESTANDARD", "SPE_E3", "higher_plans")
	pair("SPE_E3", "SPE_E5", "higher_plans")
	pair("SPE_F1", "SPE_E3", "higher_plans")
	pair("STANDARDPACK", "ENTERPRISEPACK", "higher_plans")
	pair("DESKLESSPACK", "ENTERPRISEPACK", "higher_plans")
	pair("OFFICESUBSCRIPTION", "SPE_E3", "higher_plans")
	pair("EMS", "EMSPREMIUM", "higher_plans")
	pair("AAD_PREMIUM", "SPE_E3", "same_plans")
	pair("M365_F1_COMM", "SPE_F1", "same_plans")
	pair("VISIOONLINE_PLAN1", "VISIOCLIENT", "same_plans")
	pair("ENTERPRISEPACK", "SPE_E3", "same_plans")
	pair("ENTERPRISEPREMIUM", "SPE_E5", "same_plans")
	pair("EMSPREMIUM", "SPE_E5", "same_plans")
	pair("POWER_BI_PRO", "SPE_E5", "same_plans")
	pair("PROJECT_P1", "PROJECTPROFESSIONAL", "project_plan_1_platform")
	// A suite of its own plans; the right to virtual machines; and what E5 adds.
	pair("SPB", "SPE_E3", "")
	pair("SPB", "SPE_E5", "")
	pair("E3_VDA_only", "SPE_E3", "")
	pair("STANDARDPACK", "EMS", "")
	pair("M365_F1_COMM", "EXCHANGESTANDARD", "")
	// What a room, a device, a server or the tenant holds is nobody's twin.
	pair("Microsoft_Teams_Rooms_Pro", "SPE_E5", "")
	pair("MEETING_ROOM", "SPE_E5", "")
	pair("INTUNE_A_D", "SPE_E5", "")
	pair("MCOCAP", "SPE_E5", "")
	pair("MDATP_Server", "SPE_E5", "")
	pair("PHONESYSTEM_VIRTUALUSER", "MCOEV", "")
	pair("OFFICE_PROPLUS_DEVICE1", "SPE_E5", "")
	pair("SHAREPOINTSTORAGE", "SPE_E5", "")
	pair("SPE_E3_RPA1", "SPE_E3", "")
	pair("D365_SALES_ENT_ATTACH", "DYN365_ENTERPRISE_SALES", "")
	// Clouds are worlds of their own.
	pair("AAD_PREMIUM_FACULTY", "SPE_E5", "")
	pair("AAD_PREMIUM_USGOV_GCCHIGH", "SPE_E5", "")
	pair("VISIOCLIENT_FACULTY", "VISIOCLIENT", "")
	pair("EMS_GOV", "EMS", "")
	pair("STANDARDPACK_GOV", "ENTERPRISEPACK_GOV", "higher_plans")

	if diff := cmp.Diff(want, redundant(t, built(t, withCatalog(t, users)))); diff != "" {
		t.Errorf("redundant licences (-want +got):\n%s", diff)
	}
}

func TestNoRuleNoCover(t *testing.T) {
	in := withCatalog(t, map[string][]holding{
		"project":  {{part: "PROJECT_P1"}, {part: "PROJECTPROFESSIONAL"}},
		"exchange": {{part: "EXCHANGESTANDARD"}, {part: "SPE_E3"}},
	})
	in.Seeds["immaterial_plans"] = []byte("rule,pattern,needs_confirmation,reason\nfoundation,EXCHANGE_S_FOUNDATION*,false,none\nto_do,BPOS_S_TODO_1,false,none\n")
	in.Seeds["plan_tiers"] = []byte("ladder,service_plan_name,rank\nproject,PROJECT_ESSENTIALS,1\nproject,PROJECT_P1,2\nproject,PROJECT_PROFESSIONAL,3\n")
	if got := redundant(t, built(t, in)); len(got) > 0 {
		t.Errorf("covered by no rule: %v", got)
	}
}

// planRules is the rules of the seeds, read and applied without SQL.
type planRules struct {
	above      map[string][]string // plans that give a plan at once
	immaterial []string            // patterns
	classes    []map[string]string
}

func readPlanRules(t *testing.T) planRules {
	t.Helper()
	seed := func(name string) []map[string]string {
		rows, err := Seed(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	r := planRules{above: map[string][]string{}, classes: seed("sku_assignment_classes")}
	tiers := seed("plan_tiers")
	for _, low := range tiers {
		for _, high := range tiers {
			if low["ladder"] == high["ladder"] && len(low["rank"]) == 1 && len(high["rank"]) == 1 && low["rank"] < high["rank"] {
				key := strings.ToLower(low["service_plan_name"])
				r.above[key] = append(r.above[key], strings.ToLower(high["service_plan_name"]))
			}
		}
	}
	for _, row := range seed("plan_implications") {
		key := strings.ToLower(row["implied_plan_name"])
		r.above[key] = append(r.above[key], strings.ToLower(row["service_plan_name"]))
	}
	for _, row := range seed("immaterial_plans") {
		r.immaterial = append(r.immaterial, row["pattern"])
	}
	return r
}

// like says that a pattern with stars matches a text, in any case.
func like(pattern, text string) bool {
	pieces := strings.Split(strings.ToLower(pattern), "*")
	text = strings.ToLower(text)
	if len(pieces) == 1 {
		return pieces[0] == text
	}
	if !strings.HasPrefix(text, pieces[0]) {
		return false
	}
	text = text[len(pieces[0]):]
	for _, p := range pieces[1 : len(pieces)-1] {
		i := strings.Index(text, p)
		if i < 0 {
			return false
		}
		text = text[i+len(p):]
	}
	return strings.HasSuffix(text, pieces[len(pieces)-1])
}

func (r planRules) classOf(kind, part, otherwise string) string {
	for _, row := range r.classes { // in the order of priority within a kind
		if row["kind"] == kind && row["field"] == "sku_part_number" && like(row["pattern"], part) {
			return row["value"]
		}
	}
	return otherwise
}

// covers says that some plan of have gives the plan need.
func (r planRules) covers(have map[string]bool, need string) bool {
	seen := map[string]bool{need: true}
	for queue := []string{need}; len(queue) > 0; queue = queue[1:] {
		if have[queue[0]] {
			return true
		}
		for _, next := range r.above[queue[0]] {
			if !seen[next] {
				seen[next] = true
				queue = append(queue, next)
			}
		}
	}
	return false
}

// material is the plans of a holding that count.
func (r planRules) material(h holding, sku catalogSKU) map[string]bool {
	out := map[string]bool{}
	for _, p := range sku.plans {
		matches := func(pattern string) bool { return like(pattern, p.Name) }
		if !slices.Contains(h.off, p.Name) && !slices.ContainsFunc(r.immaterial, matches) {
			out[strings.ToLower(p.Name)] = true
		}
	}
	return out
}

// best is the part numbers to take away of a user's licences: every set is tried.
func (r planRules) best(basket []holding, parts map[string]catalogSKU, cents map[string]int64) []string {
	plans := make([]map[string]bool, len(basket))
	for i, h := range basket {
		plans[i] = r.material(h, parts[h.part])
	}
	covered := func(removed int) bool {
		for i := range basket {
			if removed>>i&1 == 0 {
				continue
			}
			if r.classOf("assignment_class", basket[i].part, "user") != "user" || len(plans[i]) == 0 {
				return false
			}
			have := map[string]bool{}
			for j := range basket {
				if removed>>j&1 == 0 && r.classOf("assignment_class", basket[j].part, "user") == "user" &&
					r.classOf("cloud", basket[j].part, "") == r.classOf("cloud", basket[i].part, "") {
					maps.Copy(have, plans[j])
				}
			}
			for p := range plans[i] {
				if !r.covers(have, p) {
					return false
				}
			}
		}
		return true
	}
	type score struct {
		cents                      int64
		unpriced, licenses, direct int
		ids                        string
		parts                      []string
	}
	better := func(a, b score) bool {
		switch {
		case a.cents != b.cents:
			return a.cents > b.cents
		case a.unpriced != b.unpriced:
			return a.unpriced > b.unpriced
		case a.licenses != b.licenses:
			return a.licenses < b.licenses
		case a.direct != b.direct:
			return a.direct > b.direct
		default:
			return a.ids < b.ids
		}
	}
	var top score
	for removed := 1; removed < 1<<len(basket); removed++ {
		if !covered(removed) {
			continue
		}
		var s score
		var ids []string
		for i, h := range basket {
			if removed>>i&1 == 0 {
				continue
			}
			s.cents += cents[h.part]
			if cents[h.part] == 0 {
				s.unpriced++
			}
			if !h.byGroup {
				s.direct++
			}
			s.licenses++
			s.parts = append(s.parts, h.part)
			ids = append(ids, parts[h.part].id)
		}
		slices.Sort(ids)
		s.ids = strings.Join(ids, ",")
		if top.licenses == 0 || better(s, top) {
			top = s
		}
	}
	slices.Sort(top.parts)
	return top.parts
}

// manyBaskets is baskets of up to five licences, half of them of two, with plans
// switched off here and there.
func manyBaskets(parts map[string]catalogSKU, n int) map[string][]holding {
	random := rand.New(rand.NewPCG(3, 9))
	all := slices.Sorted(maps.Keys(parts))
	// Most licences of random SKUs have nothing to do with one another.
	usual := []string{
		"SPE_E3", "SPE_E5", "SPE_F1", "M365_F1_COMM", "ENTERPRISEPACK", "ENTERPRISEPREMIUM", "STANDARDPACK", "DESKLESSPACK", "EXCHANGESTANDARD",
		"EXCHANGEENTERPRISE", "EMS", "EMSPREMIUM", "AAD_PREMIUM", "AAD_PREMIUM_P2", "POWER_BI_PRO", "POWER_BI_PRO_DEPT", "PBI_PREMIUM_PER_USER", "VISIOCLIENT",
		"VISIO_PLAN2_DEPT", "VISIOONLINE_PLAN1", "VISIO_PLAN1_DEPT", "PROJECT_P1", "PROJECTPROFESSIONAL", "OFFICESUBSCRIPTION", "O365_BUSINESS", "SMB_BUSINESS", "SPB",
		"O365_BUSINESS_PREMIUM", "SMB_BUSINESS_PREMIUM", "INTUNE_A", "RIGHTSMANAGEMENT", "RIGHTSMANAGEMENT_CE", "SHAREPOINTSTANDARD", "SHAREPOINTENTERPRISE", "WACONEDRIVESTANDARD",
		"WACONEDRIVEENTERPRISE", "MCOEV", "MCOMEETADV", "WIN_DEF_ATP", "ATP_ENTERPRISE", "M365EDU_A3_FACULTY", "M365EDU_A5_FACULTY", "M365_G3_GOV", "M365_G5_GCC", "MEETING_ROOM",
	}
	out := map[string][]holding{}
	for i := range n {
		size := 2
		if i%2 == 1 {
			size = 3 + random.IntN(3)
		}
		var basket []holding
		taken := map[string]bool{}
		for len(basket) < size {
			part := usual[random.IntN(len(usual))]
			if random.IntN(4) == 0 {
				part = all[random.IntN(len(all))]
			}
			if taken[part] {
				continue
			}
			taken[part] = true
			h := holding{part: part, byGroup: random.IntN(3) == 0}
			if random.IntN(2) == 0 {
				share := random.IntN(100)
				for _, p := range parts[part].plans {
					if random.IntN(100) < share {
						h.off = append(h.off, p.Name)
					}
				}
			}
			basket = append(basket, h)
		}
		out[fmt.Sprintf("u%04d", i)] = basket
	}
	return out
}

func TestRemovalsAreThoseOfTryingEverySet(t *testing.T) {
	_, parts := embeddedCatalog(t)
	users := manyBaskets(parts, 600)
	random := rand.New(rand.NewPCG(1, 1))
	cents := map[string]int64{}
	prices := [][]string{{"sku_id", "sku_part_number", "currency", "monthly_unit_price", "effective_date", "ending_date", "source", "source_date"}}
	for _, part := range slices.Sorted(maps.Keys(parts)) {
		if random.IntN(4) == 0 {
			continue // not every price is known
		}
		price := int64(random.IntN(6)) * 5 // few prices, so that sets cost the same
		cents[part] = price * 1200
		prices = append(prices, []string{parts[part].id, part, "USD", fmt.Sprint(price), "", "", "test", "2026-11-20"})
	}
	in := withCatalog(t, users)
	in.Seeds["list_prices"] = writeCSV(prices)
	in.Seeds["license_classes"] = []byte("sku_id,sku_part_number,license_class\n")
	in.Seeds["license_class_rules"] = []byte("priority,field,pattern,license_class\n")
	gold := built(t, in)

	got := map[string][]string{}
	for _, row := range answer(t, gold, "select user_id, sku_part_number from license_overlaps order by all") {
		got[row[0]] = append(got[row[0]], row[1])
	}
	rules := readPlanRules(t)
	pairs, sets := 0, 0
	for _, user := range slices.Sorted(maps.Keys(users)) {
		want := rules.best(users[user], parts, cents)
		slices.Sort(got[user])
		if !slices.Equal(want, got[user]) {
			t.Errorf("%s holds %+v: remove %v, got %v", user, users[user], want, got[user])
		}
		if len(want) > 0 {
			sets++
			if len(users[user]) == 2 {
				pairs++
			}
		}
	}
	if pairs < 20 || sets < 100 {
		t.Errorf("only %d pairs and %d baskets have something to remove", pairs, sets)
	}
	// A finding counts the rows of its query, and adds up their savings.
	for _, row := range answer(t, gold, `select units, coalesce(cast(annual_amount as varchar), '-'), query from findings
		where rule in ('redundant_licenses', 'downgrades', 'downgrades_to_confirm', 'consolidations')`) {
		query := "select count(*), coalesce(cast(sum(annual_saving) as varchar), '-') from (" + row[2] + ")"
		if diff := cmp.Diff([][]string{row[:2]}, answer(t, gold, query)); diff != "" {
			t.Errorf("%s (-finding +rows):\n%s", row[2], diff)
		}
	}
	// What a row says covers a licence stays.
	gone := answer(t, gold, `select a.user_id, a.sku_id from license_overlaps as a join license_overlaps as b
		on b.tenant_id = a.tenant_id and b.user_id = a.user_id and a.covering_sku_ids like '%' || b.sku_id || '%'`)
	if len(gone) > 0 {
		t.Errorf("covered by what is redundant: %v", gone)
	}
}
