package decode_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
	"unicode/utf16"

	"seatlake/pipeline"
)

// gen writes pages that resemble those of a tenant: skewed values, nulls, names
// with accents and quotes, written plainly or as escapes.
type gen struct {
	*rand.Rand
	b     []byte
	users int

	skus, plans, groups, apps, resources, policies []string
}

func newGen(seed uint64) *gen {
	g := &gen{Rand: rand.New(rand.NewPCG(seed, 7))}
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

func (g *gen) guid() string {
	a, b := g.Uint64(), g.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", uint32(a), uint16(a>>32), uint16(a>>48)&0xfff, 0x8000|uint16(b>>48)&0x3fff, b&0xffffffffffff)
}

// skewed is a number below n, small ones more often.
func (g *gen) skewed(n int) int { f := g.Float64(); return int(f * f * float64(n)) }

func (g *gen) pick(s ...string) string { return s[g.skewed(len(s))] }

// or gives s with some probability, else nothing.
func (g *gen) or(p float64, s string) string {
	if g.Float64() < p {
		return s
	}
	return ""
}

var genBase = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

func (g *gen) time(days int) string {
	return genBase.Add(-time.Duration(g.IntN(days*86400)) * time.Second).Format(time.RFC3339)
}

func (g *gen) day(days int) string {
	return genBase.AddDate(0, 0, -g.IntN(days)).Format(time.DateOnly)
}

// obj and arr write what f writes within brackets.
func (g *gen) obj(f func()) { g.within('{', '}', f) }
func (g *gen) arr(f func()) { g.within('[', ']', f) }

func (g *gen) within(open, close byte, f func()) {
	g.comma()
	g.b = append(g.b, open)
	f()
	g.b = append(g.b, close)
}

func (g *gen) comma() {
	if n := len(g.b); n > 0 && g.b[n-1] != '{' && g.b[n-1] != '[' && g.b[n-1] != ':' {
		g.b = append(g.b, ',')
	}
}

func (g *gen) raw(s string) { g.comma(); g.b = append(g.b, s...) }

func (g *gen) key(k string) {
	g.raw(`"` + k + `":`)
}

func (g *gen) str(s string) {
	g.comma()
	escape := g.IntN(2) == 0
	g.b = append(g.b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			g.b = append(g.b, '\\', byte(r))
		case r == '\n':
			g.b = append(g.b, `\n`...)
		case r < ' ' || r > 0x7e && escape:
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
func (g *gen) text(k, v string) {
	if g.key(k); v == "" {
		g.raw("null")
	} else {
		g.str(v)
	}
}

func (g *gen) bool(k string, p float64) { g.key(k); g.raw(fmt.Sprint(g.Float64() < p)) }

func (g *gen) texts(k string, vs ...string) {
	g.key(k)
	g.arr(func() {
		for _, v := range vs {
			g.str(v)
		}
	})
}

type person struct{ first, last, upn string }

func (g *gen) person() person {
	g.users++
	p := person{
		first: g.pick("Anna", "James", "Maria", "Wei", "Zoë", "Łukasz", "Chloé", "Søren", "Ravi", "𝒥o"),
		last:  g.pick("Smith", "Müller", "García", "Chen", "O'Brien", "Nakamura", "van der Berg", `"Ace" Jones`),
	}
	p.upn = fmt.Sprintf("user%06d.%s@contoso.com", g.users, strings.ToLower(p.first[:1]+p.last[:1]))
	return p
}

func (g *gen) page(link string, rows int, row func()) *pipeline.Page {
	g.b = nil
	g.obj(func() {
		g.text("@odata.context", "https://graph.microsoft.com/"+link)
		g.text("@odata.nextLink", "https://graph.microsoft.com/"+link+"?$skiptoken="+g.guid())
		g.key("value")
		g.arr(func() {
			for range rows {
				g.obj(row)
			}
		})
	})
	return &pipeline.Page{Body: g.b}
}

// usersPage is a page of users; full ones have all properties of the beta type
// and 20 to 60 plans.
func (g *gen) usersPage(rows int, full bool) *pipeline.Page {
	return g.page("beta/users", rows, func() { g.user(full) })
}

func (g *gen) user(full bool) {
	p := g.person()
	g.text("id", g.guid())
	if full {
		g.text("deletedDateTime", "")
		g.text("ageGroup", "")
		g.texts("businessPhones", "+44 20 7946 0000")
		g.text("creationType", "")
		g.texts("imAddresses", p.upn)
		g.texts("infoCatalogs")
		g.text("mailNickname", p.upn[:10])
		g.texts("proxyAddresses", "SMTP:"+p.upn, "smtp:"+p.upn)
		g.text("securityIdentifier", fmt.Sprintf("S-1-12-1-%d-%d", g.Uint32(), g.Uint32()))
		g.text("streetAddress", "1 High Street\nFloor 3")
		for _, k := range []string{"postalCode", "preferredDataLocation", "showInAddressList", "state", "faxNumber", "legalAgeGroupClassification", "mySite", "passwordPolicies"} {
			g.text(k, g.or(.3, "some text of it"))
		}
	}
	g.bool("accountEnabled", .9)
	g.text("city", g.or(.9, g.pick("London", "Zürich", "New York", "São Paulo", "Tokyo")))
	g.text("createdDateTime", g.time(3000))
	g.text("companyName", g.or(.9, g.pick("Contoso Ltd", "Fabrikam, Inc.", `Tailspin "Toys"`)))
	g.text("country", g.or(.9, g.pick("United Kingdom", "France", "Switzerland")))
	g.text("department", g.or(.9, fmt.Sprintf("Department %d", g.skewed(60))))
	g.text("displayName", p.first+" "+p.last)
	g.text("employeeId", g.or(.8, fmt.Sprint(100000+g.users)))
	g.text("employeeHireDate", g.or(.5, g.time(3000)))
	g.text("employeeLeaveDateTime", "")
	g.text("employeeType", g.or(.5, "Employee"))
	g.text("givenName", p.first)
	g.text("jobTitle", g.or(.9, fmt.Sprintf("Senior Analyst Level %d", g.skewed(150))))
	g.text("mail", p.upn)
	g.text("officeLocation", g.or(.8, fmt.Sprintf("Building %d/2", g.skewed(40))))
	g.text("onPremisesDomainName", g.or(.7, "corp.contoso.com"))
	g.text("onPremisesLastSyncDateTime", g.or(.7, g.time(20)))
	g.text("onPremisesSamAccountName", p.upn[:10])
	g.bool("onPremisesSyncEnabled", .7)
	g.texts("otherMails")
	g.text("preferredLanguage", g.or(.5, "en-GB"))
	g.text("surname", p.last)
	g.text("usageLocation", g.pick("GB", "FR", "CH"))
	g.text("userPrincipalName", p.upn)
	g.text("externalUserState", "")
	g.text("userType", g.pick("Member", "Member", "Guest"))
	var mine []string
	g.key("assignedLicenses")
	g.arr(func() {
		for range 1 + g.IntN(4) {
			mine = append(mine, g.pick(g.skus...))
			g.obj(func() {
				g.texts("disabledPlans", g.plans[:g.skewed(4)]...)
				g.text("skuId", mine[len(mine)-1])
			})
		}
	})
	n := 3
	if full {
		n = 20 + g.IntN(41)
	}
	g.key("assignedPlans")
	g.arr(func() {
		when := g.time(900)
		for i := range n {
			if i%9 == 8 {
				when = g.time(900)
			}
			g.obj(func() {
				plan := g.skewed(len(g.plans))
				g.text("assignedDateTime", when)
				g.text("capabilityStatus", g.pick("Enabled", "Enabled", "Deleted"))
				g.text("service", fmt.Sprintf("Service%dOnline", plan%25))
				g.text("servicePlanId", g.plans[plan])
			})
		}
	})
	if full {
		g.key("provisionedPlans")
		g.arr(func() {
			for range n / 3 {
				g.obj(func() {
					g.text("capabilityStatus", "Enabled")
					g.text("provisioningStatus", "Success")
					g.text("service", "exchange")
				})
			}
		})
		g.key("onPremisesExtensionAttributes")
		g.obj(func() {
			for i := range 15 {
				g.text(fmt.Sprintf("extensionAttribute%d", i+1), "")
			}
		})
	}
	g.key("licenseAssignmentStates")
	g.arr(func() {
		for _, sku := range mine {
			g.obj(func() {
				g.text("skuId", sku)
				g.texts("disabledPlans")
				g.text("assignedByGroup", g.or(.7, g.pick(g.groups...)))
				g.text("state", "Active")
				g.text("error", "None")
				g.text("lastUpdatedDateTime", g.time(900))
			})
		}
	})
	if g.IntN(5) > 0 {
		g.key("signInActivity")
		g.obj(func() {
			g.text("lastSignInDateTime", g.time(60))
			g.text("lastSignInRequestId", g.guid())
			g.text("lastNonInteractiveSignInDateTime", g.pick(g.time(30), "0001-01-01T00:00:00Z"))
			g.text("lastNonInteractiveSignInRequestId", g.guid())
			g.text("lastSuccessfulSignInDateTime", g.time(60))
			g.text("lastSuccessfulSignInRequestId", g.guid())
		})
	}
}

func (g *gen) signInsPage(rows int) *pipeline.Page {
	return g.page("v1.0/auditLogs/signIns", rows, g.signIn)
}

func (g *gen) signIn() {
	p, app, resource := g.person(), g.skewed(len(g.apps)), g.skewed(len(g.resources))
	g.text("id", g.guid())
	g.text("createdDateTime", g.time(30))
	g.text("userDisplayName", p.first+" "+p.last)
	g.text("userPrincipalName", p.upn)
	g.text("userId", g.guid())
	g.text("appId", g.apps[app])
	g.text("appDisplayName", fmt.Sprintf("Contoso Line of Business App %d", app))
	g.text("ipAddress", fmt.Sprintf("203.0.%d.%d", g.IntN(256), g.IntN(256)))
	g.text("clientAppUsed", g.pick("Browser", "Mobile Apps and Desktop clients", "Exchange ActiveSync"))
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
	g.obj(func() {
		code := []int{0, 0, 0, 50125, 53003}[g.IntN(5)]
		g.key("errorCode")
		g.raw(fmt.Sprint(code))
		reason := "Other."
		if code != 0 {
			reason = "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."
		}
		g.text("failureReason", reason)
		g.text("additionalDetails", g.or(.6, "MFA requirement satisfied by claim in the token"))
	})
	g.key("deviceDetail")
	g.obj(func() {
		g.key("deviceId")
		g.str("")
		g.text("displayName", g.or(.5, fmt.Sprintf("LAPTOP-%07d", g.IntN(1e7))))
		g.text("operatingSystem", g.pick("Windows 10", "MacOs", "Ios 17.5.1"))
		g.text("browser", g.pick("Edge 125.0.0", "Chrome 125.0.0", "Mobile Safari"))
		g.bool("isCompliant", .5)
		g.bool("isManaged", .5)
		g.text("trustType", g.or(.5, "Azure AD joined"))
	})
	g.key("location")
	g.obj(func() {
		g.text("city", g.pick("London", "Zürich", "New York"))
		g.text("state", "State GB")
		g.text("countryOrRegion", g.pick("GB", "CH", "US"))
		g.key("geoCoordinates")
		g.obj(func() {
			g.text("altitude", "")
			g.key("latitude")
			g.raw(fmt.Sprintf("%.5f", g.Float64()*90))
		})
	})
	g.key("appliedConditionalAccessPolicies")
	g.arr(func() {
		for range 6 + g.IntN(9) {
			g.obj(func() {
				policy := g.IntN(len(g.policies))
				g.text("id", g.policies[policy])
				g.text("displayName", fmt.Sprintf("CA%03d - Require MFA for all users on unmanaged devices", policy))
				g.texts("enforcedGrantControls", "Mfa")
				g.texts("enforcedSessionControls")
				g.text("result", g.pick("notApplied", "success", "notEnabled"))
			})
		}
	})
}

// report writes a usage report: row gives the cells below the header.
func (g *gen) report(header string, rows int, row func() []string) *pipeline.Page {
	b := []byte("\ufeff" + header + "\r\n")
	for range rows {
		for i, cell := range row() {
			if i > 0 {
				b = append(b, ',')
			}
			if strings.ContainsAny(cell, "\",\n") {
				cell = `"` + strings.ReplaceAll(cell, `"`, `""`) + `"`
			}
			b = append(b, cell...)
		}
		b = append(b, "\r\n"...)
	}
	return &pipeline.Page{Body: b}
}

func (g *gen) activeUsersReport(rows int) *pipeline.Page {
	var header strings.Builder
	header.WriteString("Report Refresh Date,User Principal Name,Display Name,Is Deleted,Deleted Date")
	for _, form := range []string{",Has %s License", ",%s Last Activity Date", ",%s License Assign Date"} {
		for _, s := range []string{"Exchange", "OneDrive", "SharePoint", "Skype For Business", "Yammer", "Teams"} {
			fmt.Fprintf(&header, form, s)
		}
	}
	header.WriteString(",Assigned Products")
	return g.report(header.String(), rows, func() []string {
		p := g.person()
		row := []string{"2026-06-01", p.upn, p.first + " " + p.last, "False", ""}
		if g.IntN(50) == 0 {
			row[3], row[4] = "True", g.day(30)
		}
		for range 6 {
			row = append(row, g.pick("True", "True", "False"))
		}
		for range 6 {
			row = append(row, g.or(.7, g.day(60)))
		}
		for range 6 {
			row = append(row, g.or(.8, g.day(2000)))
		}
		return append(row, g.pick("MICROSOFT 365 E5", "OFFICE 365 E3+POWER BI PRO", "ENTERPRISE MOBILITY + SECURITY E5+VISIO PLAN 2", "EXCHANGE ONLINE, PLAN 1", ""))
	})
}

func (g *gen) appsReport(rows int) *pipeline.Page {
	header := "Report Refresh Date,User Principal Name,Last Activation Date,Last Activity Date,Report Period,Windows,Mac,Mobile,Web,Outlook,Word,Excel,PowerPoint,OneNote,Teams"
	for _, platform := range []string{"Windows", "Mac", "Mobile", "Web"} {
		for _, app := range []string{"Outlook", "Word", "Excel", "PowerPoint", "OneNote", "Teams"} {
			header += "," + app + " (" + platform + ")"
		}
	}
	return g.report(header, rows, func() []string {
		p := g.person()
		row := []string{"2026-06-01", p.upn, g.or(.8, g.day(1000)), g.or(.9, g.day(30)), "30"}
		for range 34 {
			row = append(row, g.pick("No", "Yes"))
		}
		return row
	})
}
