package sql

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seatlake/schemas"
)

// installationDefaults are what a row of inventory_installations leaves out. A name
// of the user with an @ is an address, another one an account.
func installationDefaults(i int, row map[string]string) map[string]string {
	name := strings.ToLower(row["user_name"])
	defaults := map[string]string{
		"file": "devices.csv", "line": fmt.Sprint(i + 2), "mapping": "csv", "platform": "windows",
		"product_family": "Microsoft 365 Apps", "product_rule": "a_rule", "product_name": "a product", "install_kind": "per_user",
		"device_key": "name:" + strings.ToLower(row["device_name"]),
	}
	if serial := row["serial_number"]; serial != "" {
		defaults["device_key"] = "serial:" + strings.ToLower(serial)
	}
	if strings.Contains(name, "@") {
		defaults["user_address"] = name
	} else {
		defaults["user_account"] = name
	}
	return defaults
}

// The plans that entitle the products of the random tenants.
var hybridPlans = []struct{ family, desktop, web, product string }{
	{"Microsoft 365 Apps", "43de0ff5-c92c-492b-9116-175376d08c38", "c63d4d19-e8cb-460e-b37c-4d6c34603745", "MICROSOFT 365 APPS FOR ENTERPRISE"},
	{"Visio", "663a804f-1c30-4ff0-9915-9db84f0d1cea", "2bdbaf8f-738f-4ac7-9234-3c3ee2ce7d0f", "VISIO PLAN 2"},
	{"Project", "fafd7243-e5c1-4a3a-9e40-495efcb1d3c3", "4a12c688-56c6-461a-87b1-30d6f32136f9", "PROJECT ONLINE DESKTOP CLIENT"},
}

// hybridTenant is a random tenant and what is to come out of it, worked out
// without the models.
type hybridTenant struct {
	id          string
	inventory   bool
	activations bool
	rights      map[string]string // "user family" -> the user's strongest right
	activated   map[string]int
	shared      map[string]bool            // whether some activation was on a shared computer
	own, others map[string]map[string]bool // "user family" -> devices
	nobodys     map[string]string          // "device family" -> reason
	devices     map[string]map[string]bool // family -> devices
	reasons     map[string]string
}

// hybridTenants writes random tenants as rows of the stored tables.
func hybridTenants(t *testing.T, tenants int) (Inputs, []*hybridTenant) {
	t.Helper()
	random := rand.New(rand.NewPCG(6, 3))
	chance := func(percent int) bool { return random.IntN(100) < percent }
	rows := map[string][]map[string]string{}
	add := func(table string, cells ...string) {
		row := map[string]string{}
		for i := 0; i < len(cells); i += 2 {
			row[cells[i]] = cells[i+1]
		}
		stored, _ := schemas.ByName(table)
		rows[table] = append(rows[table], withDefaults(stored, len(rows[table]), row))
	}
	var ids []string
	var over []map[string]string
	var out []*hybridTenant
	for n := range tenants {
		h := &hybridTenant{
			id: fmt.Sprintf("t%d", n+1), inventory: !chance(10), activations: !chance(10),
			rights: map[string]string{}, activated: map[string]int{}, shared: map[string]bool{},
			own: map[string]map[string]bool{}, others: map[string]map[string]bool{}, nobodys: map[string]string{}, devices: map[string]map[string]bool{},
		}
		out = append(out, h)
		ids = append(ids, word(h.id))
		if !h.inventory {
			over = append(over, map[string]string{"tenant_id": h.id, "table_name": "inventory_installations", "state": "absent"})
		}
		if !h.activations {
			over = append(over, map[string]string{"tenant_id": h.id, "table_name": "report_office365_activations_user_detail", "state": "concealed"})
		}
		users := 1 + random.IntN(6)
		for u := range users {
			add("graph_users", "tenant_id", h.id, "id", fmt.Sprintf("u%d", u), "on_premises_sam_account_name", fmt.Sprintf("twin%d", u/2))
		}
		for i, p := range hybridPlans {
			full, web := fmt.Sprintf("full%d", i), fmt.Sprintf("web%d", i)
			taken := 0
			for u := range users {
				user := fmt.Sprintf("u%d", u)
				key := user + " " + p.family
				switch random.IntN(5) {
				case 0:
					h.rights[key] = "desktop"
					add("graph_user_licenses", "tenant_id", h.id, "user_id", user, "sku_id", full)
					taken++
				case 1:
					h.rights[key] = "switched_off"
					add("graph_user_licenses", "tenant_id", h.id, "user_id", user, "sku_id", full, "disabled_plan_ids", p.desktop)
					taken++
				case 2:
					h.rights[key] = "not_managed"
					add("graph_user_licenses", "tenant_id", h.id, "user_id", user, "sku_id", fmt.Sprintf("unmanaged%d", i))
				default:
					h.rights[key] = "none"
				}
				if chance(25) { // two licences: the stronger right counts
					add("graph_user_licenses", "tenant_id", h.id, "user_id", user, "sku_id", web)
					if h.rights[key] == "none" {
						h.rights[key] = "web"
					}
				}
				if chance(50) {
					h.activated[key], h.shared[key] = random.IntN(8), chance(20)
					add("report_office365_activations_user_detail", "tenant_id", h.id, "user_principal_name", strings.ToUpper(user)+"@contoso.com", "product_type", p.product,
						"windows", fmt.Sprint(h.activated[key]/2), "mac", fmt.Sprint(h.activated[key]-h.activated[key]/2), "ios", "9", "activated_on_shared_computer", fmt.Sprint(h.shared[key]))
				}
			}
			add("graph_subscribed_skus", "tenant_id", h.id, "sku_id", full, "sku_part_number", "FULL", "enabled_units", fmt.Sprint(random.IntN(8)), "consumed_units", fmt.Sprint(taken))
			h.install(random, p.family, users, add)
		}
		h.judge(users)
	}
	for i, p := range hybridPlans {
		for name, plan := range map[string]string{"full": p.desktop, "web": p.web, "unmanaged": p.desktop} {
			add("catalog_service_plans", "sku_id", fmt.Sprintf("%s%d", name, i), "service_plan_id", plan)
			add("catalog_skus", "sku_id", fmt.Sprintf("%s%d", name, i), "sku_part_number", strings.ToUpper(name), "product_name", name)
		}
	}
	dir := t.TempDir()
	in := Inputs{Version: 7, RunID: "run", Files: map[string][]string{}, Seeds: map[string][]byte{"managed_sku_rules": ManagedSKUs(nil, []string{"UNMANAGED"})}}
	for name, some := range rows {
		table, _ := schemas.ByName(name)
		in.Files[name] = []string{writeTable(t, dir, table, some)}
	}
	in.Coverage = coverageOf(t, ids, over, schemas.InventoryInstallations.Name)
	return in, out
}

// install puts a product on some devices, each with up to two users.
func (h *hybridTenant) install(random *rand.Rand, family string, users int, add func(string, ...string)) {
	h.devices[family] = map[string]bool{}
	for d := range random.IntN(4 * users) {
		device := fmt.Sprintf("%s-pc%d", strings.ToLower(strings.Fields(family)[0]), d)
		if random.IntN(10) == 0 { // no desktop
			add("inventory_installations", "tenant_id", h.id, "device_name", device, "user_name", "u0@contoso.com", "product_family", family, "platform", "android")
			continue
		}
		h.devices[family][device] = true
		shared, found, twins := false, []string{}, false
		for range 1 + random.IntN(2) {
			kind := "per_user"
			if random.IntN(6) == 0 {
				kind, shared = []string{"shared_computer", "vdi", "unattended"}[random.IntN(3)], true
			}
			name := ""
			switch u := random.IntN(users); random.IntN(6) {
			case 0: // nobody is named
			case 1:
				name = "stranger@contoso.com"
			case 2:
				name = fmt.Sprintf("twin%d", u/2)
				if u/2*2+1 < users {
					twins = true
				} else {
					found = append(found, fmt.Sprintf("u%d", u/2*2))
				}
			default:
				name = fmt.Sprintf("U%d@contoso.com", u)
				found = append(found, fmt.Sprintf("u%d", u))
			}
			add("inventory_installations", "tenant_id", h.id, "device_name", device, "user_name", name, "product_family", family, "install_kind", kind)
		}
		on := h.own
		if shared {
			on = h.others
		}
		for _, user := range found {
			if key := user + " " + family; on[key] == nil {
				on[key] = map[string]bool{}
			}
			on[user+" "+family][device] = true
		}
		switch {
		case len(found) > 0:
		case shared:
			h.nobodys[device+" "+family] = "shared_computer"
		case twins:
			h.nobodys[device+" "+family] = "ambiguous_user"
		default:
			h.nobodys[device+" "+family] = "unresolved_user"
		}
	}
}

// judge works out the reason of every user and device, in the order of precedence
// that the seed documents.
func (h *hybridTenant) judge(users int) {
	h.reasons = map[string]string{}
	if h.inventory {
		for key, reason := range h.nobodys {
			h.reasons["device "+key] = reason
		}
	}
	for u := range users {
		for _, p := range hybridPlans {
			key := fmt.Sprintf("u%d %s", u, p.family)
			own, shared := len(h.own[key]), len(h.others[key])
			if !h.inventory {
				own, shared = 0, 0
			}
			times := h.activated[key]
			if !h.activations {
				times = 0
			}
			right := h.rights[key]
			if right != "desktop" && times == 0 && own+shared == 0 {
				continue
			}
			var reason string
			uses := own > 0 || times > 0
			switch {
			case right == "web" && uses:
				reason = "web_only_license_with_desktop_install"
			case right == "switched_off" && uses:
				reason = "installed_with_plan_switched_off"
			case right == "not_managed":
				reason = "license_not_managed"
			case right == "none" && own > 0:
				reason = "installed_without_license"
			case right == "none" && times > 0:
				reason = "activated_without_assignment"
			case own > 5 || times > 5 && !h.shared[key]:
				reason = "over_five_devices"
			case own == 0 && shared > 0:
				reason = "shared_computer"
			case own > 0 && h.activations && times == 0:
				reason = "installed_not_activated"
			case own > 0:
				reason = "matched"
			case !h.inventory:
				reason = "not_measurable"
			case times > 0:
				reason = "activated_not_in_inventory"
			default:
				reason = "assigned_not_installed"
			}
			h.reasons["user "+key] = reason
		}
	}
}

func TestEverySubjectIsUnderOneReasonAndCountsAddUpOnBothSides(t *testing.T) {
	in, tenants := hybridTenants(t, 60)
	got := built(t, in)
	reasons := map[string]map[string]string{} // tenant -> subject -> reason
	for _, row := range answer(t, got, "select tenant_id, subject, subject_id, product_family, reason from hybrid_exceptions") {
		tenant, key := row[0], row[1]+" "+strings.TrimPrefix(row[2], "name:")+" "+row[3]
		if reasons[tenant] == nil {
			reasons[tenant] = map[string]string{}
		}
		if reasons[tenant][key] != "" {
			t.Errorf("%s is there twice", key)
		}
		reasons[tenant][key] = row[4]
	}
	seen := map[string]int{}
	for _, h := range tenants {
		if diff := cmp.Diff(h.reasons, reasons[h.id]); len(h.reasons) > 0 && diff != "" {
			t.Fatalf("%s (inventory %t, activations %t): reasons differ (-want +got):\n%s", h.id, h.inventory, h.activations, diff)
		}
		for _, reason := range h.reasons {
			seen[reason]++
		}
	}
	for _, reason := range []string{
		"web_only_license_with_desktop_install", "installed_with_plan_switched_off", "license_not_managed", "installed_without_license", "activated_without_assignment",
		"over_five_devices", "shared_computer", "installed_not_activated", "matched", "not_measurable", "activated_not_in_inventory", "assigned_not_installed",
		"ambiguous_user", "unresolved_user",
	} {
		if seen[reason] == 0 {
			t.Errorf("no subject is under %s", reason)
		}
	}

	type side struct{ Assigned, Activated, Installed, InstalledUsers string }
	want, have := map[string]side{}, map[string]side{}
	for _, row := range answer(t, got, "select tenant_id, product_family, assigned, activated, installed, installed_users from hybrid_positions") {
		have[row[0]+" "+row[1]] = side{row[2], row[3], row[4], row[5]}
	}
	for _, h := range tenants {
		for _, p := range hybridPlans {
			want[h.id+" "+p.family] = h.position(p.family)
		}
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("positions differ (-want +got):\n%s", diff)
	}
}

// position counts the sources of one product, each by itself.
func (h *hybridTenant) position(family string) (s struct{ Assigned, Activated, Installed, InstalledUsers string }) {
	assigned, activated := 0, 0
	holders := map[string]bool{}
	for key, right := range h.rights {
		if strings.HasSuffix(key, " "+family) && right == "desktop" {
			assigned++
		}
	}
	for key, times := range h.activated {
		if strings.HasSuffix(key, " "+family) && times > 0 {
			activated++
		}
	}
	for _, on := range []map[string]map[string]bool{h.own, h.others} {
		for key := range on {
			if strings.HasSuffix(key, " "+family) {
				holders[key] = true
			}
		}
	}
	s.Assigned, s.Activated, s.Installed, s.InstalledUsers = fmt.Sprint(assigned), "", "", ""
	if h.activations {
		s.Activated = fmt.Sprint(activated)
	}
	if h.inventory {
		s.Installed, s.InstalledUsers = fmt.Sprint(len(h.devices[family])), fmt.Sprint(len(holders))
	}
	return s
}

func TestTheModelGivesTheReasonsOfTheSeedAndNoOther(t *testing.T) {
	p, err := load(files, nil)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := Seed("hybrid_reasons", nil)
	if err != nil {
		t.Fatal(err)
	}
	var want, given []string
	for _, row := range rows {
		want = append(want, row["reason"])
	}
	for _, m := range regexp.MustCompile(`(?:then|else) '([a-z_]+)'`).FindAllStringSubmatch(p.nodes["int_hybrid_reasons"].SQL, -1) {
		if !slices.Contains(given, m[1]) {
			given = append(given, m[1])
		}
	}
	slices.Sort(want)
	slices.Sort(given)
	if diff := cmp.Diff(want, given); diff != "" {
		t.Errorf("reasons differ (-seed +model):\n%s", diff)
	}
}

func TestTheDocumentHasReasonsAndRulesInTheirOrder(t *testing.T) {
	text, err := os.ReadFile("../docs/inventory.md")
	if err != nil {
		t.Fatal(err)
	}
	for seed, column := range map[string]string{"hybrid_reasons": "reason", "identity_rules": "rule"} {
		rows, err := Seed(seed, nil)
		if err != nil {
			t.Fatal(err)
		}
		at := 0
		for _, row := range rows {
			i := strings.Index(string(text[at:]), "\n| "+row[column]+" ")
			if i < 0 {
				t.Fatalf("%s of %s is not in docs/inventory.md, or not in its place", row[column], seed)
			}
			at += i + 1
		}
	}
}
