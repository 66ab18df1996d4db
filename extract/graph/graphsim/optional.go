package graphsim

import (
	"slices"
	"strings"
)

// subscription is a commercial subscription to units of a SKU.
type subscription struct {
	sku    int
	id     [16]byte
	status string
	total  int // units
	next   int // day of its next state
}

// subscriptions are those of all SKUs, in the SKUs' order. A SKU has one for each
// state that some of its units are in, so that they add up to its units; the one of
// Microsoft 365 E3 that was replaced long ago is still listed, as deleted.
func (t *Tenant) subscriptions() []subscription {
	var out []subscription
	for sku := range skuCount {
		r := newRandom(t.o.Seed, forGroup, uint64(sku)+1<<41)
		add := func(status string, total int) {
			out = append(out, subscription{sku: sku, id: r.guid(), status: status, total: total, next: t.day + 20 + r.below(300)})
		}
		u := t.units(sku)
		if u.enabled > 0 || u.warning+u.suspended+u.lockedOut == 0 {
			add("Enabled", u.enabled)
		}
		for _, s := range []struct {
			status string
			total  int
		}{{"Warning", u.warning}, {"Suspended", u.suspended}, {"LockedOut", u.lockedOut}} {
			if s.total > 0 {
				add(s.status, s.total)
			}
		}
		if sku == e3 {
			add("Deleted", 40)
		}
	}
	return out
}

func (t *Tenant) writeSubscription(w *text, s *subscription) {
	p, r := &t.products[s.sku], random(s.next)
	w.raw(`{"id":`)
	w.guid(s.id)
	w.raw(`,"commerceSubscriptionId":`)
	w.guid(r.guid())
	w.raw(`,"createdDateTime":"2023-01-01T00:00:00Z","isTrial":`)
	w.bool(p.class == "trial")
	w.raw(`,"nextLifecycleDateTime":`)
	w.instant(int64(s.next) * secondsPerDay)
	w.raw(`,"ownerId":null,"ownerTenantId":null,"ownerType":null,"skuId":"`)
	w.raw(p.id)
	w.raw(`","skuPartNumber":`)
	w.str(p.part)
	w.raw(`,"status":"`)
	w.raw(s.status)
	w.raw(`","totalLicenses":`)
	w.int(s.total)
	w.raw(`,"serviceStatus":`)
	t.writeServicePlans(w, p, t.units(s.sku))
	w.byte('}')
}

// One user in registrationPeriod is not in the list of what users have registered.
const registrationPeriod = 29

// registrations counts the users of the list, and registered gives the k-th.
func (t *Tenant) registrations() int {
	n, first := t.o.Users, t.firstUnlisted()
	if n <= first {
		return n
	}
	return n - 1 - (n-1-first)/registrationPeriod
}

func (t *Tenant) registered(k int) int {
	first := t.firstUnlisted()
	if k < first {
		return k
	}
	return k + 1 + (k-first)/(registrationPeriod-1)
}

// firstUnlisted is the first user who is not in the list.
func (t *Tenant) firstUnlisted() int {
	for i := range registrationPeriod {
		if t.every(i, registrationPeriod, forRegistration) {
			return i
		}
	}
	return 0 // not reached: one of a period is
}

// hasMFA says whether a user has registered a strong method, if the list has the
// user. Rooms have not, most people have.
func (t *Tenant) hasMFA(i int) Flag {
	if t.every(i, registrationPeriod, forRegistration) {
		return Unknown
	}
	r := newRandom(t.o.Seed, forRegistration, uint64(i))
	return flag(!t.person(i).room && r.chance(85))
}

func (t *Tenant) writeRegistration(w *text, u *user) {
	strong := t.hasMFA(u.index) == True
	kind := "member"
	if u.guest {
		kind = "guest"
	}
	w.raw(`{"id":`)
	w.guid(u.id)
	w.raw(`,"userPrincipalName":`)
	w.str(u.upn)
	w.raw(`,"userDisplayName":`)
	w.str(u.display)
	w.raw(`,"userType":"` + kind + `","isAdmin":`)
	w.bool(u.index%50 == 0)
	for _, name := range []string{"isSsprRegistered", "isSsprEnabled", "isSsprCapable", "isMfaRegistered", "isMfaCapable", "isPasswordlessCapable"} {
		w.raw(`,"` + name + `":`)
		w.bool(strong)
	}
	if strong {
		w.raw(`,"methodsRegistered":["microsoftAuthenticatorPush","softwareOneTimePasscode"],"isSystemPreferredAuthenticationMethodEnabled":true,` +
			`"systemPreferredAuthenticationMethods":["push"],"userPreferredMethodForSecondaryAuthentication":"push"`)
	} else {
		w.raw(`,"methodsRegistered":[],"isSystemPreferredAuthenticationMethodEnabled":true,` +
			`"systemPreferredAuthenticationMethods":[],"userPreferredMethodForSecondaryAuthentication":""`)
	}
	w.raw(`,"lastUpdatedDateTime":`)
	w.instant(t.o.Now.Unix() - 3600)
	w.byte('}')
}

// copilotApps are the applications in which Copilot is used, as the report's columns
// name them.
var copilotApps = []string{"Copilot Chat", "Microsoft Teams Copilot", "Word Copilot", "Excel Copilot", "PowerPoint Copilot", "Outlook Copilot", "OneNote Copilot", "Loop Copilot"}

// copilotColumns is how many columns the report of version 1 has; version 2 has more
// behind them.
const copilotColumns = 13

// copilotReport stands apart from the other reports: it has its own address, comes in
// the answer itself, and has other periods.
var copilotReport = reportKind{"getMicrosoft365CopilotUsageUserDetail", true,
	"Report Refresh Date,User Principal Name,Display Name,Last Activity Date," + strings.Join(copilotApps, " Last Activity Date,") + " Last Activity Date,Report Period," +
		"Prompts submitted for all apps,Prompts submitted for Copilot Chat (work),Prompts submitted for Copilot Chat (web),Active Usage Days for all apps," +
		"Copilot Chat (work) Last Activity Date,Copilot Chat (web) Last Activity Date,Microsoft 365 Copilot Last Activity Date,Edge Last Activity Date," +
		"Copilot Agent Last Activity Date", (*Tenant).copilotUse}

// copilotDays are the days on which a user last used Copilot, by application, 0 for
// none. One holder in six never did.
func (t *Tenant) copilotDays(i int) (days [8]int) {
	r := newRandom(t.o.Seed, forCopilot, uint64(i))
	if r.below(6) == 0 {
		return days
	}
	for app := range days {
		if r.chance(50) {
			days[app] = t.refreshDay - r.below(120)
		}
	}
	return days
}

// holdsCopilot says that a user has a seat of Microsoft 365 Copilot.
func holdsCopilot(held []holding) bool {
	return slices.ContainsFunc(held, func(h holding) bool { return h.seat && h.sku == copilot })
}

func (t *Tenant) copilotUse(w *record) {
	t.each(func(u *user, _ service, _ [reports]int) {
		if !holdsCopilot(u.held) {
			return
		}
		days := t.copilotDays(u.index)
		last := slices.Max(days[:])
		w.day(t.refreshDay)
		w.secret(t.reportedUPN(u), "upn")
		w.secret(u.display, "name")
		w.day(last)
		for _, d := range days {
			w.day(d)
		}
		w.text(w.period)
		prompts := 0
		if last > t.refreshDay-28 {
			prompts = 3 + u.index%140
		}
		w.number(prompts)
		w.number(prompts - prompts/3)
		w.number(prompts / 3)
		w.number(min(prompts, 20))
		w.day(days[0])
		w.blank(1)
		w.day(last)
		w.blank(2)
		w.row()
	})
}
