package graphsim

import (
	"strconv"
	"strings"
	"time"
)

// user is everything about one user, ready to be written. It is reused from row to
// row.
type user struct {
	person
	index        int
	id           [16]byte
	given, last  name
	display      string
	upn, mail    string
	place        int // index of places, -1 for none
	department   string
	title        string
	company      string
	created      int64 // seconds since 1970, 0 for null
	typeless     bool  // userType is null
	synced       int8  // 1 synced, 0 never, -1 no longer
	held         []holding
	boss         boss
	attempt      int64 // last sign-ins, nanoseconds since 1970, 0 for none
	success      int64
	quiet        int64
	successQuiet bool // the last success was the non-interactive one
}

const (
	domain      = "contoso.com"
	tenantHost  = "contoso.onmicrosoft.com"
	guestDomain = "fabrikam.com"
)

// identity fills in who a user is; rest adds what only the list of users shows.
func (t *Tenant) identity(u *user, i int) random {
	ids := newRandom(t.o.Seed, forID, uint64(i))
	r := newRandom(t.o.Seed, forUser, uint64(i))
	*u = user{person: t.person(i), index: i, id: ids.guid(), held: u.held[:0], place: -1}
	u.given, u.last = givenNames[r.below(len(givenNames))], surnames[r.below(len(surnames))]
	number := strconv.Itoa(i)
	style := r.below(4)
	switch {
	case u.room:
		u.given, u.last = name{}, name{}
		u.display = "Meeting Room " + number
		if i%2 == 0 {
			u.display = "Shared Mailbox " + number
		}
		u.upn = strings.ToLower(strings.ReplaceAll(u.display, " ", "")) + "@" + domain
		u.mail = u.upn
		return r
	case u.guest:
		u.display = u.given.text + " " + u.last.text + " (Fabrikam)"
		local := u.given.ascii + u.last.ascii + number
		u.upn = strings.ToLower(local) + "_" + guestDomain + "#EXT#@" + tenantHost
		u.mail = local + "@" + guestDomain
		return r
	case style == 0:
		u.upn = u.given.ascii + u.last.ascii[:1] + number + "@" + domain
	case style == 1:
		u.upn = strings.ToLower(u.given.ascii+"."+u.last.ascii) + number + "@" + domain
	case style == 2:
		u.upn = u.given.ascii + "." + u.last.ascii + number + "@emea." + domain
	default:
		u.upn = strings.ToUpper(u.last.ascii) + number + "@" + domain
	}
	u.mail = u.upn
	u.display = u.given.text + " " + u.last.text
	if r.chance(4) {
		u.display = u.last.text + ", " + u.given.text
	}
	if r.chance(3) {
		u.mail = ""
	}
	return r
}

// user computes user i.
func (t *Tenant) user(u *user, i int) {
	r := t.identity(u, i)
	u.held = t.holdings(i, u.held)
	daysAgo := func(days int) int64 {
		return int64(t.day-days)*secondsPerDay + int64(r.below(secondsPerDay))
	}
	switch {
	case u.room:
		u.created = daysAgo(3000)
	case u.hire:
		u.created = daysAgo(10 + r.below(3))
	default:
		u.created = daysAgo(1500 + r.below(3000))
		if t.every(i, 14, forID) {
			u.created = 0
		}
	}
	if !u.room && !u.guest {
		u.place = r.skewed(len(places))
		u.department = departments[r.skewed(len(departments))]
		u.title = titles[r.skewed(len(titles))]
		u.company = companies[r.skewed(len(companies))]
		switch {
		case t.every(i, 19, forUser):
			u.synced = -1
		case r.chance(60):
			u.synced = 1
		}
		if r.chance(5) {
			u.department = ""
		}
	}
	u.typeless = u.guest && t.every(i/12, 5, forUser) || !u.guest && t.every(i, 101, forUser)
	u.boss = t.bossOf(i)
	t.lastSignIns(u, &r)
	t.lastClientSignIns(u)
}

// lastClientSignIns takes account of the log of clients.
func (t *Tenant) lastClientSignIns(u *user) {
	n := t.clients.newest()[u.index]
	if n.attempt != 0 {
		u.quiet = max(u.quiet, t.clients.at(int(n.attempt)-1))
	}
	if n.success != 0 {
		if at := t.clients.at(int(n.success) - 1); at > u.success {
			u.success, u.successQuiet = at, true
		}
	}
}

// lastSignIns fills in the newest sign-ins: from the sign-ins themselves where the
// user has some, older ones for those who used to come.
func (t *Tenant) lastSignIns(u *user, r *random) {
	n := t.signIns.newest()[u.index]
	if n.attempt != 0 {
		u.attempt = t.signIns.at(int(n.attempt) - 1)
	}
	if n.success != 0 {
		u.success = t.signIns.at(int(n.success) - 1)
		if r.chance(50) { // a client renewed its token since
			u.quiet = u.success/int64(time.Second)*int64(time.Second) + int64(r.below(3600)+1)*int64(time.Second)
			u.success, u.successQuiet = u.quiet, true
		}
		return
	}
	if n.attempt != 0 {
		return // failed attempts only
	}
	var ago int
	switch u.use {
	case never:
		return
	case active, waning, idle:
		ago = 61 + r.below(200)
	case lapsed:
		ago = 45 + r.below(10)
	}
	if u.hire {
		return
	}
	u.attempt = (int64(t.day-ago)*secondsPerDay + int64(r.below(secondsPerDay))) * int64(time.Second)
	u.success = u.attempt
}

// property is one property of a user as Graph lists it.
type property struct {
	name  string
	basic bool // among v1.0's default properties
	wide  bool // not among beta's default properties either: needs $select
	write func(t *Tenant, w *text, u *user)
}

// absent says that the property is left out of this user's object.
func (p *property) absent(u *user) bool {
	return p.name == signInActivity && u.attempt == 0 && u.success == 0 || p.name == manager && u.boss == boss{}
}

const signInActivity = "signInActivity"

func str(get func(u *user) string) func(*Tenant, *text, *user) {
	return func(_ *Tenant, w *text, u *user) { w.strOrNull(get(u)) }
}

func null(_ *Tenant, w *text, _ *user) { w.raw("null") }

func place(get func(p int) string) func(*Tenant, *text, *user) {
	return func(_ *Tenant, w *text, u *user) {
		if u.place < 0 {
			w.raw("null")
			return
		}
		w.str(get(u.place))
	}
}

// properties are all properties of a user that the tenant knows, in the order they
// are written.
var properties = []property{
	{name: "id", basic: true, write: func(_ *Tenant, w *text, u *user) { w.guid(u.id) }},
	{name: "userPrincipalName", basic: true, write: str(func(u *user) string { return u.upn })},
	{name: "displayName", basic: true, write: str(func(u *user) string { return u.display })},
	{name: "givenName", basic: true, write: str(func(u *user) string { return u.given.text })},
	{name: "surname", basic: true, write: str(func(u *user) string { return u.last.text })},
	{name: "mail", basic: true, write: str(func(u *user) string { return u.mail })},
	{name: "otherMails", write: func(_ *Tenant, w *text, u *user) {
		w.byte('[')
		if u.guest || u.index%9 == 4 && u.mail != "" {
			w.str("private+" + strings.ToLower(u.given.ascii) + strconv.Itoa(u.index) + "@example.net")
		}
		w.byte(']')
	}},
	{name: "proxyAddresses", write: func(_ *Tenant, w *text, u *user) {
		w.byte('[')
		if u.mail != "" {
			w.str("SMTP:" + u.mail)
			if u.index%5 == 2 && !u.guest {
				w.byte(',')
				w.str("smtp:" + strings.ToLower(u.given.ascii) + strconv.Itoa(u.index) + "@mail." + domain)
			}
		}
		w.byte(']')
	}},
	{name: "businessPhones", basic: true, write: func(_ *Tenant, w *text, u *user) { w.raw("[]") }},
	{name: "mobilePhone", basic: true, write: null},
	{name: "accountEnabled", write: func(_ *Tenant, w *text, u *user) { w.bool(!u.disabled) }},
	{name: "userType", write: str(userType)},
	{name: "createdDateTime", write: func(_ *Tenant, w *text, u *user) {
		if u.created == 0 {
			w.raw("null")
			return
		}
		w.instant(u.created)
	}},
	{name: "jobTitle", basic: true, write: str(func(u *user) string { return u.title })},
	{name: "department", write: str(func(u *user) string { return u.department })},
	{name: "companyName", write: str(func(u *user) string { return u.company })},
	{name: "country", write: place(func(p int) string { return places[p].country })},
	{name: "city", write: place(func(p int) string { return places[p].city })},
	{name: "officeLocation", basic: true, write: str(func(u *user) string {
		if u.place < 0 || u.index%3 == 0 {
			return ""
		}
		return "Building " + strconv.Itoa(1+u.index%17) + "/" + places[u.place].code
	})},
	{name: "usageLocation", write: place(func(p int) string { return places[p].code })},
	{name: "preferredLanguage", basic: true, write: place(func(p int) string { return places[p].language })},
	{name: "employeeId", write: str(func(u *user) string {
		if u.place < 0 {
			return ""
		}
		return strconv.Itoa(10000 + u.index)
	})},
	{name: "employeeType", write: str(func(u *user) string {
		switch {
		case u.place < 0:
			return ""
		case u.index%8 == 0:
			return "Contractor"
		default:
			return "Employee"
		}
	})},
	{name: "employeeHireDate", wide: true, write: func(_ *Tenant, w *text, u *user) {
		if u.place < 0 || u.created == 0 {
			w.raw("null")
			return
		}
		w.instant(u.created / secondsPerDay * secondsPerDay)
	}},
	{name: "employeeLeaveDateTime", wide: true, write: null},
	{name: "onPremisesSyncEnabled", write: func(_ *Tenant, w *text, u *user) {
		switch u.synced {
		case 1:
			w.raw("true")
		case -1:
			w.raw("false")
		default:
			w.raw("null")
		}
	}},
	{name: "onPremisesLastSyncDateTime", write: func(t *Tenant, w *text, u *user) {
		if u.synced == 0 {
			w.raw("null")
			return
		}
		w.instant(t.o.Now.Unix() - 1800 - int64(u.index%1700))
	}},
	{name: "onPremisesSamAccountName", write: str(func(u *user) string {
		if u.synced == 0 {
			return ""
		}
		return strings.ToLower(u.last.ascii[:1]) + strconv.Itoa(u.index)
	})},
	{name: "onPremisesDomainName", write: str(func(u *user) string {
		if u.synced == 0 {
			return ""
		}
		return "corp." + domain
	})},
	{name: "externalUserState", write: str(func(u *user) string {
		switch {
		case !u.guest:
			return ""
		case u.index/12%4 == 0:
			return "PendingAcceptance"
		default:
			return "Accepted"
		}
	})},
	{name: "externalUserStateChangeDateTime", write: null},
	{name: "lastPasswordChangeDateTime", write: func(t *Tenant, w *text, u *user) {
		w.instant(int64(t.day-20-u.index%300) * secondsPerDay)
	}},
	{name: "identities", write: func(_ *Tenant, w *text, u *user) { w.raw("[]") }},
	{name: "assignedLicenses", write: writeLicenses},
	{name: "assignedPlans", write: writePlans},
	{name: "provisionedPlans", write: writeProvisioned},
	{name: "licenseAssignmentStates", wide: true, write: writeStates},
	{name: signInActivity, wide: true, write: writeSignInActivity},
}

func userType(u *user) string {
	switch {
	case u.typeless:
		return ""
	case u.guest:
		return "Guest"
	default:
		return "Member"
	}
}

func writeLicenses(t *Tenant, w *text, u *user) {
	w.byte('[')
	first := true
	for _, h := range u.held {
		if !h.seat {
			continue
		}
		if !first {
			w.byte(',')
		}
		first = false
		w.raw(`{"disabledPlans":`)
		t.writeDisabled(w, h)
		w.raw(`,"skuId":"`)
		w.raw(t.products[h.sku].id)
		w.raw(`"}`)
	}
	w.byte(']')
}

func (t *Tenant) writeDisabled(w *text, h holding) {
	w.byte('[')
	for i, id := range t.products[h.sku].disabled[h.disabled] {
		if i > 0 {
			w.byte(',')
		}
		w.byte('"')
		w.raw(id)
		w.byte('"')
	}
	w.byte(']')
}

// writePlans lists the plans of all licences, those switched off as Deleted.
func writePlans(t *Tenant, w *text, u *user) {
	w.byte('[')
	first := true
	entry := func(at int64, status, workload, id string) {
		if !first {
			w.byte(',')
		}
		first = false
		w.raw(`{"assignedDateTime":`)
		w.instant(at)
		w.raw(`,"capabilityStatus":"`)
		w.raw(status)
		w.raw(`","service":"`)
		w.raw(workload)
		w.raw(`","servicePlanId":"`)
		w.raw(id)
		w.raw(`"}`)
	}
	for _, h := range u.held {
		if !h.seat {
			continue
		}
		status := "Enabled"
		switch h.sku {
		case officeE3:
			status = "Warning"
		case visioP1:
			status = "Suspended"
		case projectPremium:
			status = "LockedOut"
		}
		for _, p := range t.products[h.sku].plans {
			s := status
			if h.disabled.off(p.entitles) {
				s = "Deleted"
			}
			entry(h.states[0].updated, s, p.workload, p.id)
		}
	}
	if u.index%10 == 3 { // of a licence taken away long ago
		entry(1551398400, "Deleted", "YammerEnterprise", "7547a3fe-08ee-4ccb-b430-5077c5041653")
	}
	w.byte(']')
}

func writeProvisioned(t *Tenant, w *text, u *user) {
	w.byte('[')
	first := true
	for _, h := range u.held {
		if !h.seat {
			continue
		}
		for _, p := range t.products[h.sku].plans {
			if p.entitles == 0 {
				continue
			}
			if !first {
				w.byte(',')
			}
			first = false
			w.raw(`{"capabilityStatus":"Enabled","provisioningStatus":"Success","service":"`)
			w.raw(p.workload)
			w.raw(`"}`)
		}
	}
	w.byte(']')
}

func writeStates(t *Tenant, w *text, u *user) {
	w.byte('[')
	first := true
	for _, h := range u.held {
		for _, s := range h.states[:h.count] {
			if !first {
				w.byte(',')
			}
			first = false
			w.raw(`{"skuId":"`)
			w.raw(t.products[h.sku].id)
			w.raw(`","disabledPlans":`)
			t.writeDisabled(w, h)
			w.raw(`,"assignedByGroup":`)
			if s.group == direct {
				w.raw("null")
			} else {
				w.guid(t.groups[s.group])
			}
			w.raw(`,"state":"`)
			w.raw(s.state)
			w.raw(`","error":"`)
			w.raw(s.err)
			w.raw(`","lastUpdatedDateTime":`)
			w.instant(s.updated)
			w.raw(`}`)
		}
	}
	w.byte(']')
}

func writeSignInActivity(t *Tenant, w *text, u *user) {
	r := newRandom(t.o.Seed, forSignInID, uint64(u.index)+1<<40)
	interactive, quiet := r.guid(), r.guid()
	w.byte('{')
	slot := func(name string, at int64, id [16]byte) {
		w.key("last" + name + "DateTime")
		if at == 0 {
			w.raw(`"0001-01-01T00:00:00Z"`)
		} else {
			w.instant(at / int64(time.Second))
		}
		w.byte(',')
		w.key("last" + name + "RequestId")
		if at == 0 {
			w.raw(`""`)
		} else {
			w.guid(id)
		}
	}
	slot("SignIn", u.attempt, interactive)
	w.byte(',')
	slot("NonInteractiveSignIn", u.quiet, quiet)
	w.byte(',')
	success := interactive
	if u.successQuiet {
		success = quiet
	}
	slot("SuccessfulSignIn", u.success, success)
	w.byte('}')
}

// writeUser writes the asked properties of a user, last first when reversed.
func (t *Tenant) writeUser(w *text, u *user, asked []*property) {
	w.byte('{')
	first := true
	for i := range asked {
		p := asked[i]
		if t.o.ValueFirst {
			p = asked[len(asked)-1-i]
		}
		if p.absent(u) {
			continue
		}
		if !first {
			w.byte(',')
		}
		first = false
		w.key(p.name)
		p.write(t, w, u)
	}
	w.byte('}')
}
