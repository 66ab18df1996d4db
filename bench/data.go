package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf16"

	"seatlake/schemas"
)

// base is the newest moment in the data.
var base = time.Date(2026, 6, 1, 6, 0, 0, 0, time.UTC)

// origin is the root of all links in pages; the page server puts its own there.
const origin = "https://graph.microsoft.com"

// generator writes pages and reports that resemble a tenant's: skewed values,
// nulls, names with accents and quotes, half of them written as escapes. The same
// seed gives the same bytes.
type generator struct {
	*rand.Rand
	b     []byte
	users int

	skus, plans, groups, apps, resources, policies []string
}

func newGenerator(seed uint64) *generator {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 42))}
	for _, l := range []struct {
		ids *[]string
		n   int
	}{{&g.skus, 20}, {&g.plans, 180}, {&g.groups, 25}, {&g.apps, 120}, {&g.resources, 30}, {&g.policies, 18}} {
		for range l.n {
			*l.ids = append(*l.ids, g.guid())
		}
	}
	return g
}

// collection writes pages of rows, each with a link to the next, and hands each
// over as it is made.
func (g *generator) collection(path string, pages, rows int, row func(), take func(page int, text []byte) error) error {
	for page := range pages {
		g.b = nil
		g.object(func() {
			g.text("@odata.context", origin+"/beta/$metadata#"+path)
			if page+1 < pages {
				g.text("@odata.nextLink", fmt.Sprintf("%s/%s?$skiptoken=%d", origin, path, page+1))
			}
			g.key("value")
			g.array(func() {
				for range rows {
					g.object(row)
				}
			})
		})
		if err := take(page, g.b); err != nil {
			return err
		}
	}
	return nil
}

// userFull is a user with all properties of the beta type: 20 to 60 plans, some 11
// KB.
func (g *generator) userFull() {
	p := g.person()
	synced := g.IntN(4) > 0
	g.text("id", g.guid())
	g.text("deletedDateTime", "")
	g.bool("accountEnabled", .9)
	g.nulls("ageGroup")
	g.texts("businessPhones", "+44 20 7946 0000")
	g.text("city", g.or(.9, g.pick(cities...)))
	g.text("createdDateTime", g.instant(3000))
	g.nulls("creationType")
	g.text("companyName", g.or(.9, g.pick(companies...)))
	g.nulls("consentProvidedForMinor")
	g.text("country", g.or(.95, g.pick(countries...)))
	g.text("department", g.or(.95, fmt.Sprintf("Department %d", g.skewed(60))))
	g.text("displayName", p.first+" "+p.last)
	g.text("employeeId", g.or(.8, fmt.Sprint(100_000+g.users)))
	g.text("employeeHireDate", g.or(.5, g.instant(3000)))
	g.nulls("employeeLeaveDateTime")
	g.text("employeeType", g.or(.5, "Employee"))
	g.nulls("faxNumber")
	g.text("givenName", p.first)
	g.texts("imAddresses", p.name)
	g.texts("infoCatalogs")
	g.bool("isLicenseReconciliationNeeded", 0)
	g.nulls("isManagementRestricted", "isResourceAccount")
	g.text("jobTitle", g.or(.9, fmt.Sprintf("Senior Analyst Level %d", g.skewed(150))))
	g.nulls("legalAgeGroupClassification")
	g.text("mail", p.name)
	alias, _, _ := strings.Cut(p.name, "@")
	g.text("mailNickname", alias)
	g.text("mobilePhone", g.or(.4, fmt.Sprintf("+44 7%09d", g.IntN(1e9))))
	g.text("officeLocation", g.or(.8, fmt.Sprintf("Building %d/2", g.skewed(40))))
	if synced {
		g.text("onPremisesDistinguishedName", "CN="+p.first+" "+p.last+",OU=Users,DC=corp,DC=contoso,DC=com")
		g.text("onPremisesDomainName", "corp.contoso.com")
		g.text("onPremisesImmutableId", g.guid()[:22]+"==")
		g.text("onPremisesLastSyncDateTime", g.instant(20))
		g.nulls("onPremisesObjectIdentifier")
		g.text("onPremisesSecurityIdentifier", fmt.Sprintf("S-1-5-21-2124525321-1604012920-1887927527-%d", 100_000+g.users))
		g.text("onPremisesSamAccountName", alias)
		g.bool("onPremisesSyncEnabled", 1)
		g.text("onPremisesUserPrincipalName", p.name)
	} else {
		g.nulls("onPremisesDistinguishedName", "onPremisesDomainName", "onPremisesImmutableId", "onPremisesLastSyncDateTime", "onPremisesObjectIdentifier",
			"onPremisesSecurityIdentifier", "onPremisesSamAccountName", "onPremisesSyncEnabled", "onPremisesUserPrincipalName")
	}
	g.texts("otherMails")
	g.text("passwordPolicies", g.or(.6, "DisablePasswordExpiration"))
	g.text("postalCode", g.or(.7, fmt.Sprintf("%05d", g.IntN(100_000))))
	g.nulls("preferredDataLocation")
	g.text("preferredLanguage", g.or(.5, "en-GB"))
	g.texts("proxyAddresses", "SMTP:"+p.name, "smtp:"+alias+"@contoso.onmicrosoft.com")
	g.text("refreshTokensValidFromDateTime", g.instant(900))
	g.text("securityIdentifier", fmt.Sprintf("S-1-12-1-%d-%d-%d-%d", g.Uint32(), g.Uint32(), g.Uint32(), g.Uint32()))
	g.nulls("showInAddressList")
	g.text("signInSessionsValidFromDateTime", g.instant(900))
	g.text("state", g.or(.3, "State GB"))
	g.text("streetAddress", g.or(.6, fmt.Sprintf("%d High Street\nFloor %d", g.IntN(300), g.IntN(9))))
	g.text("surname", p.last)
	g.text("usageLocation", g.pick(regions...))
	g.text("userPrincipalName", p.name)
	g.nulls("externalUserState", "externalUserStateChangeDateTime")
	g.text("userType", g.pick("Member", "Member", "Member", "Guest"))
	g.nulls("employeeOrgData")
	mine := g.licences()
	plans := 20 + g.IntN(41)
	g.key("assignedPlans")
	g.array(func() {
		when := g.instant(900)
		for i := range plans {
			if i%9 == 8 {
				when = g.instant(900)
			}
			g.object(func() {
				plan := g.skewed(len(g.plans))
				g.text("assignedDateTime", when)
				g.text("capabilityStatus", g.pick("Enabled", "Enabled", "Deleted"))
				g.text("service", fmt.Sprintf("Service%dOnline", plan%25))
				g.text("servicePlanId", g.plans[plan])
			})
		}
	})
	g.key("authorizationInfo")
	g.object(func() { g.texts("certificateUserIds") })
	g.texts("deviceKeys")
	g.key("identities")
	g.array(func() {
		g.object(func() {
			g.text("signInType", "userPrincipalName")
			g.text("issuer", "contoso.onmicrosoft.com")
			g.text("issuerAssignedId", p.name)
		})
	})
	g.key("licenseAssignmentStates")
	g.array(func() {
		for _, sku := range mine {
			g.object(func() {
				g.text("skuId", sku)
				g.texts("disabledPlans")
				g.text("assignedByGroup", g.or(.7, g.pick(g.groups...)))
				g.text("state", "Active")
				g.text("error", "None")
				g.text("lastUpdatedDateTime", g.instant(900))
			})
		}
	})
	g.key("onPremisesExtensionAttributes")
	g.object(func() {
		for i := range 15 {
			g.text(fmt.Sprintf("extensionAttribute%d", i+1), g.or(.1, fmt.Sprintf("ext-%d", g.IntN(500))))
		}
	})
	g.texts("onPremisesProvisioningErrors")
	g.key("provisionedPlans")
	g.array(func() {
		for range plans / 3 {
			g.object(func() {
				g.text("capabilityStatus", "Enabled")
				g.text("provisioningStatus", "Success")
				g.text("service", fmt.Sprintf("Service%dOnline", g.IntN(25)))
			})
		}
	})
	g.activity()
}

// userSelected is a user as $select asks for it: 15 scalars, licences, sign-in
// activity; some 1.1 KB.
func (g *generator) userSelected() {
	p := g.person()
	g.text("id", g.guid())
	g.bool("accountEnabled", .9)
	g.text("city", g.or(.9, g.pick(cities...)))
	g.text("createdDateTime", g.instant(3000))
	g.text("companyName", g.or(.9, g.pick(companies...)))
	g.text("country", g.or(.95, g.pick(countries...)))
	g.text("department", g.or(.95, fmt.Sprintf("Department %d", g.skewed(60))))
	g.text("displayName", p.first+" "+p.last)
	g.text("jobTitle", g.or(.9, fmt.Sprintf("Senior Analyst Level %d", g.skewed(150))))
	g.text("mail", p.name)
	g.text("officeLocation", g.or(.8, fmt.Sprintf("Building %d/2", g.skewed(40))))
	if g.IntN(4) > 0 {
		g.bool("onPremisesSyncEnabled", 1)
	} else {
		g.nulls("onPremisesSyncEnabled")
	}
	g.text("usageLocation", g.pick(regions...))
	g.text("userPrincipalName", p.name)
	g.text("userType", "Member")
	g.licences()
	g.activity()
}

// licences writes assignedLicenses and says which SKUs they are.
func (g *generator) licences() (mine []string) {
	g.key("assignedLicenses")
	g.array(func() {
		for range 1 + g.IntN(4) {
			sku := g.pick(g.skus...)
			mine = append(mine, sku)
			var off []string
			if g.IntN(3) == 0 {
				for range g.IntN(4) {
					off = append(off, g.pick(g.plans...))
				}
			}
			g.object(func() {
				g.texts("disabledPlans", off...)
				g.text("skuId", sku)
			})
		}
	})
	return mine
}

func (g *generator) activity() {
	g.key("signInActivity")
	g.object(func() {
		g.text("lastSignInDateTime", g.instant(60))
		g.text("lastSignInRequestId", g.guid())
		g.text("lastNonInteractiveSignInDateTime", g.instant(30))
		g.text("lastNonInteractiveSignInRequestId", g.guid())
		g.text("lastSuccessfulSignInDateTime", g.instant(60))
		g.text("lastSuccessfulSignInRequestId", g.guid())
	})
}

// signIns writes sign-ins, the newest first as Graph gives them, evenly over some
// days.
func (g *generator) signIns(total int, span time.Duration) func() {
	n := 0
	return func() {
		n++
		g.signIn(base.Add(-time.Duration(float64(span) * float64(n) / float64(total+1))))
	}
}

func (g *generator) signIn(when time.Time) {
	p, app, resource, region := g.person(), g.skewed(len(g.apps)), g.skewed(len(g.resources)), g.skewed(len(regions))
	g.text("id", g.guid())
	g.text("createdDateTime", when.Format(time.RFC3339))
	g.text("userDisplayName", p.first+" "+p.last)
	g.text("userPrincipalName", p.name)
	g.text("userId", g.guid())
	g.text("appId", g.apps[app])
	g.text("appDisplayName", fmt.Sprintf("Contoso Line of Business App %d", app))
	g.text("ipAddress", fmt.Sprintf("%d.%d.%d.%d", 20+g.IntN(200), g.IntN(256), g.IntN(256), g.IntN(256)))
	g.text("clientAppUsed", g.pick("Browser", "Mobile Apps and Desktop clients", "Exchange ActiveSync", "IMAP4"))
	g.text("correlationId", g.guid())
	g.text("conditionalAccessStatus", g.pick("success", "notApplied", "failure"))
	g.bool("isInteractive", 1)
	for _, k := range []string{"riskDetail", "riskLevelAggregated", "riskLevelDuringSignIn", "riskState"} {
		g.text(k, "none")
	}
	g.texts("riskEventTypes")
	g.texts("riskEventTypes_v2")
	g.text("resourceDisplayName", fmt.Sprintf("Resource Service %d", resource))
	g.text("resourceId", g.resources[resource])
	g.key("status")
	g.object(func() {
		code := []int{0, 0, 0, 50125, 50074, 53003}[g.IntN(6)]
		g.key("errorCode")
		g.raw(fmt.Sprint(code))
		reason := "Other."
		if code != 0 {
			reason = "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."
		}
		g.text("failureReason", reason)
		g.text("additionalDetails", g.or(.6, "MFA requirement satisfied by claim in the token"))
	})
	managed := g.IntN(2) == 0
	g.key("deviceDetail")
	g.object(func() {
		g.key("deviceId")
		g.str("")
		g.text("displayName", g.or(.5, fmt.Sprintf("LAPTOP-%07d", g.IntN(1e7))))
		g.text("operatingSystem", g.pick("Windows 10", "Windows11", "MacOs", "Ios 17.5.1", "Android"))
		g.text("browser", g.pick("Edge 125.0.0", "Chrome 125.0.0", "Safari 17.5", "Mobile Safari"))
		g.key("isCompliant")
		g.raw(fmt.Sprint(managed))
		g.key("isManaged")
		g.raw(fmt.Sprint(managed))
		g.text("trustType", map[bool]string{true: "Azure AD joined"}[managed])
	})
	g.key("location")
	g.object(func() {
		g.text("city", cities[region])
		g.text("state", "State "+regions[region])
		g.text("countryOrRegion", regions[region])
		g.key("geoCoordinates")
		g.object(func() {
			g.nulls("altitude")
			g.key("latitude")
			g.raw(fmt.Sprintf("%.5f", g.Float64()*90))
			g.key("longitude")
			g.raw(fmt.Sprintf("%.5f", g.Float64()*180))
		})
	})
	g.key("appliedConditionalAccessPolicies")
	g.array(func() {
		for range 6 + g.IntN(9) {
			policy := g.IntN(len(g.policies))
			g.object(func() {
				g.text("id", g.policies[policy])
				g.text("displayName", fmt.Sprintf("CA%03d - Require MFA for all users on unmanaged devices", policy))
				if g.IntN(2) == 0 {
					g.texts("enforcedGrantControls", "Mfa")
				} else {
					g.texts("enforcedGrantControls")
				}
				g.texts("enforcedSessionControls")
				g.text("result", g.pick("notApplied", "success", "reportOnlyNotApplied", "notEnabled"))
			})
		}
	})
}

// sku writes one subscribed SKU with some of the plans.
func (g *generator) sku(n int) {
	id := g.skus[n]
	g.text("id", g.guid()+"_"+id)
	g.text("skuId", id)
	g.text("skuPartNumber", fmt.Sprintf("SKU_%d", n))
	g.text("appliesTo", "User")
	g.text("capabilityStatus", "Enabled")
	g.key("consumedUnits")
	g.raw("100")
	g.key("prepaidUnits")
	g.object(func() {
		for _, k := range []string{"enabled", "suspended", "warning", "lockedOut"} {
			g.key(k)
			g.raw(fmt.Sprint(map[bool]int{true: 200}[k == "enabled"]))
		}
	})
	g.key("servicePlans")
	g.array(func() {
		for i := range 20 {
			plan := (n*9 + i) % len(g.plans)
			g.object(func() {
				g.text("servicePlanId", g.plans[plan])
				g.text("servicePlanName", fmt.Sprintf("PLAN_%d", plan))
				g.text("provisioningStatus", "Success")
				g.text("appliesTo", "User")
			})
		}
	})
}

// report writes a usage report in CSV, with the table's columns in their order.
func (g *generator) report(table *schemas.Table, rows int) []byte {
	fields := table.Decoded()
	b := []byte("\ufeff")
	for i := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, fields[i].From...)
	}
	b = append(b, "\r\n"...)
	for range rows {
		p := g.person()
		for i := range fields {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, g.cell(&fields[i], p, table)...)
		}
		b = append(b, "\r\n"...)
	}
	return b
}

func (g *generator) cell(f *schemas.Field, p person, table *schemas.Table) string {
	switch f.Name {
	case "report_refresh_date":
		return base.Format(time.DateOnly)
	case "user_principal_name", "owner_principal_name":
		return p.name
	case "display_name", "owner_display_name":
		return strings.ReplaceAll(p.first+" "+p.last, `"`, "")
	case "is_deleted":
		return "False"
	case "deleted_date":
		return g.or(.02, g.day(30))
	case "report_period":
		return "30"
	}
	switch f.Kind {
	case schemas.Bool:
		if table == schemas.ReportM365AppUserDetail {
			return g.pick("No", "Yes")
		}
		return g.pick("True", "True", "False")
	case schemas.Date:
		if strings.Contains(f.Name, "assign") {
			return g.or(.8, g.day(2000))
		}
		return g.or(.7, g.day(60))
	case schemas.List:
		return g.pick("MICROSOFT 365 E5", "OFFICE 365 E3+POWER BI PRO", "MICROSOFT 365 F3", "MICROSOFT 365 E3+VISIO PLAN 2+PROJECT PLAN 3", `"EXCHANGE ONLINE, PLAN 1"`)
	case schemas.UUID:
		return g.guid()
	case schemas.Int32, schemas.Int64:
		return fmt.Sprint(g.skewed(100_000))
	default:
		return g.pick("one of few", "another", "a third")
	}
}

type person struct{ first, last, name string }

var (
	firsts    = []string{"Anna", "James", "Maria", "Wei", "Oliver", "Zoë", "Müge", "Łukasz", "Sarah", "Chloé", "Søren", "Ravi"}
	lasts     = []string{"Smith", "Müller", "García", "Chen", "O'Brien", "Nakamura", "van der Berg", `"Ace" Jones`, "Novák", "Silva"}
	cities    = []string{"London", "Paris", "Zürich", "New York", "München", "São Paulo", "Tokyo", "Sydney"}
	countries = []string{"United Kingdom", "France", "Switzerland", "United States", "Germany", "Brazil", "Japan", "Australia"}
	regions   = []string{"GB", "FR", "CH", "US", "DE", "BR", "JP", "AU"}
	companies = []string{"Contoso Ltd", "Fabrikam, Inc.", "Northwind Traders", `Tailspin "Toys"`}
)

func (g *generator) person() person {
	g.users++
	p := person{first: g.pick(firsts...), last: g.pick(lasts...)}
	plain := func(s string) string {
		return strings.ToLower(strings.Map(func(c rune) rune {
			if c < 128 && c != ' ' && c != '\'' && c != '"' {
				return c
			}
			return -1
		}, s))
	}
	p.name = fmt.Sprintf("%s.%s%d@contoso.com", plain(p.first), plain(p.last), g.users)
	return p
}

func (g *generator) guid() string {
	a, b := g.Uint64(), g.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", uint32(a), uint16(a>>32), uint16(a>>48)&0xfff, 0x8000|uint16(b>>48)&0x3fff, b&0xffffffffffff)
}

// skewed is a number below n, small ones more often.
func (g *generator) skewed(n int) int { f := g.Float64(); return int(f * f * float64(n)) }

func (g *generator) pick(s ...string) string { return s[g.skewed(len(s))] }

// or gives s with some probability, else nothing.
func (g *generator) or(p float64, s string) string {
	if g.Float64() < p {
		return s
	}
	return ""
}

func (g *generator) instant(days int) string {
	return base.Add(-time.Duration(g.IntN(days*86_400)) * time.Second).Format(time.RFC3339)
}

func (g *generator) day(days int) string {
	return base.AddDate(0, 0, -g.IntN(days)).Format(time.DateOnly)
}

func (g *generator) object(f func()) { g.within('{', '}', f) }
func (g *generator) array(f func())  { g.within('[', ']', f) }

func (g *generator) within(open, close byte, f func()) {
	g.comma()
	g.b = append(g.b, open)
	f()
	g.b = append(g.b, close)
}

func (g *generator) comma() {
	if n := len(g.b); n > 0 && g.b[n-1] != '{' && g.b[n-1] != '[' && g.b[n-1] != ':' {
		g.b = append(g.b, ',')
	}
}

func (g *generator) raw(s string) { g.comma(); g.b = append(g.b, s...) }
func (g *generator) key(k string) { g.raw(`"` + k + `":`) }

func (g *generator) str(s string) {
	g.comma()
	escape := g.IntN(2) == 0
	g.b = append(g.b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			g.b = append(g.b, '\\', byte(r))
		case r == '\n':
			g.b = append(g.b, `\n`...)
		case r > 0x7e && escape:
			for _, u := range utf16.AppendRune(nil, r) {
				g.b = fmt.Appendf(g.b, `\u%04x`, u)
			}
		default:
			g.b = append(g.b, string(r)...)
		}
	}
	g.b = append(g.b, '"')
}

// text writes a property; no text is a null.
func (g *generator) text(k, v string) {
	if g.key(k); v == "" {
		g.raw("null")
	} else {
		g.str(v)
	}
}

func (g *generator) nulls(keys ...string) {
	for _, k := range keys {
		g.text(k, "")
	}
}

func (g *generator) bool(k string, p float64) { g.key(k); g.raw(fmt.Sprint(g.Float64() < p)) }

func (g *generator) texts(k string, vs ...string) {
	g.key(k)
	g.array(func() {
		for _, v := range vs {
			g.str(v)
		}
	})
}

// sizes are how much data there is.
type sizes struct {
	fullPages, selectedPages, signInPages, reportRows int
}

// The sets of pages, which are also the folders they are in.
const (
	usersFull     = "users_full"
	usersSelected = "users_sel"
	signIns       = "sign_ins"
	skus          = "skus"
)

// reports are the usage reports by Graph's names for them.
var reports = map[string]*schemas.Table{
	"getOffice365ActiveUserDetail":      schemas.ReportOffice365ActiveUserDetail,
	"getEmailActivityUserDetail":        schemas.ReportEmailActivityUserDetail,
	"getM365AppUserDetail":              schemas.ReportM365AppUserDetail,
	"getOffice365ActivationsUserDetail": schemas.ReportOffice365ActivationsUserDetail,
	"getMailboxUsageDetail":             schemas.ReportMailboxUsageDetail,
	"getOneDriveUsageAccountDetail":     schemas.ReportOneDriveUsageAccountDetail,
}

// generate writes all data below a folder: <set>/p0000.json and <report>.csv.
func generate(dir string, n sizes) error {
	g := newGenerator(1)
	nth := 0
	for _, set := range []struct {
		name, path  string
		pages, rows int
		row         func()
	}{
		{usersFull, "beta/users", n.fullPages, 999, g.userFull},
		{usersSelected, "beta/users", n.selectedPages, 999, g.userSelected},
		{signIns, "v1.0/auditLogs/signIns", n.signInPages, 1000, g.signIns(n.signInPages*1000, 48*time.Hour)},
		{skus, "v1.0/subscribedSkus", 1, len(g.skus), func() { g.sku(nth); nth++ }},
	} {
		folder := filepath.Join(dir, set.name)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		err := g.collection(set.path, set.pages, set.rows, set.row, func(page int, text []byte) error {
			return os.WriteFile(filepath.Join(folder, fmt.Sprintf("p%04d.json", page)), text, 0o644)
		})
		if err != nil {
			return err
		}
	}
	for name, table := range reports {
		if err := os.WriteFile(filepath.Join(dir, name+".csv"), newGenerator(2).report(table, n.reportRows), 0o644); err != nil {
			return err
		}
	}
	return nil
}
