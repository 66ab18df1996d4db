package graphsim

import (
	"slices"
	"strings"
	"time"
)

// Truth is what the marts must say of the tenant, computed from the tenant's model.
// Its iterators walk the tenant in the order of the list of users and stop when the
// function returns false; nothing is held.
//
// Usage reports and sign-ins that are refused or concealed by the tenant's options
// are not measured in its truth either. Refused users or SKUs leave no marts at all,
// and the truth takes no notice of that.
//
// Dates are midnights in UTC; the zero time is "none". Days is -1 for "none".
type Truth struct {
	t       *Tenant
	clients bool // their sign-ins count as use
}

// Truth gives what the marts must say of the tenant.
func (t *Tenant) Truth() *Truth { return &Truth{t: t} }

// CountingClients is the truth for those who count sign-ins by clients as use of a
// service by the user.
func (tr *Truth) CountingClients() *Truth { return &Truth{tr.t, true} }

// Flag is true, false or not known.
type Flag int8

// The values of a Flag.
const (
	Unknown Flag = iota - 1
	False
	True
)

func flag(v bool) Flag {
	if v {
		return True
	}
	return False
}

// TruthUser is a row of the mart users.
type TruthUser struct {
	UserID, UPN, DisplayName, Mail string
	GivenName, Surname             string
	JobTitle, Department, Country  string
	AccountEnabled, IsGuest        bool
	Created                        time.Time // zero for null
	OnPremisesSync                 string    // synced, was_synced, cloud_only
	Licenses                       int
	LicenseNames                   []string // sorted
	Activations                    int      // distinct products activated; -1 when the report was refused or hides names
	MailBytes, OneDriveBytes       int64    // -1 for none
	Windows, Mac, Mobile, Web      Flag
	LastActivity                   time.Time // of LastActivityService
	LastActivityService            string
	Days                           int
	MFARegistered                  Flag      // Unknown when refused, or when the list lacks the user
	LastSignIn, LastSuccessful     time.Time // interactive attempt; success of either kind; to the second
	ManagerID, Manager             string    // as expanded; whom charge-back names: sign-in name in lower case, else id; "" for none
}

// TruthService is a row of the mart service_activity.
type TruthService struct {
	UserID, Service string
	Measured        bool
	LastActivity    time.Time
	ObservedThrough time.Time
	Days            int
}

// TruthAssignment is a row of the mart license_assignments: one licence held by one
// user.
type TruthAssignment struct {
	UserID, SkuID, PartNumber, ProductName string
	AssignedBy                             string // direct, group, both
	AssignmentError                        string
	Assigned                               time.Time // to the second
	LastActivity                           time.Time
	LastActivityService                    string // empty when judged by sign-in
	Days                                   int
	Status                                 string // active, inactive, never_active, too_new, not_measurable
	Basis                                  string // service, sign_in
	Evidence                               string // complete, partial, none
	AccountEnabled, IsGuest                bool
	Services                               []string // entitled, in the order of the labels
}

// TruthFailure is an assignment that holds no seat.
type TruthFailure struct{ UserID, SkuID, State, Error string }

// TruthPosition is a row of the mart license_positions.
type TruthPosition struct {
	SkuID, PartNumber, ProductName, Class, AppliesTo, Status string
	Enabled, Warning, Suspended, LockedOut                   int
	Entitled, Consumed, Available                            int
	Assigned, Active, Inactive, NeverActive                  int
	TooNew, NotMeasurable, Disabled, Guests                  int
	Unreconciled                                             int
}

// reportsReadable and signInsReadable say which sources can be measured.
func (t *Tenant) reportsReadable() bool {
	return !t.o.Concealed && !slices.Contains(t.o.Deny, "Reports.Read.All")
}

func (t *Tenant) signInsReadable() bool {
	return !t.o.NoPremium && !slices.Contains(t.o.Deny, "AuditLog.Read.All")
}

// observed is the days through which the sources of a service saw activity, and
// whether they could be read.
func (t *Tenant) observed(service int) (day int, ok bool) {
	if service < reports {
		return t.refreshDay, t.reportsReadable()
	}
	return t.day, t.signInsReadable()
}

// traces are the days of a user's last activity by service, 0 for none, as far as
// it can be measured; and of the last successful sign-in.
type traces struct {
	seen   [services]int
	signIn int
}

func (tr *Truth) traces(u *user) (out traces) {
	t := tr.t
	if t.reportsReadable() {
		seen := t.lastSeen(u.index, u.person, u.held)
		copy(out.seen[:], seen[:])
	}
	if !t.signInsReadable() {
		return out
	}
	for _, log := range []*signInLog{t.signIns, t.clients} {
		if log.clients && !tr.clients {
			continue
		}
		for i, k := range log.newest()[u.index].shows {
			if k != 0 {
				day := int(log.at(int(k)-1) / (secondsPerDay * int64(time.Second)))
				out.seen[reports+i] = max(out.seen[reports+i], day)
			}
		}
	}
	if u.success != 0 {
		out.signIn = int(u.success / (secondsPerDay * int64(time.Second)))
	}
	return out
}

// days between an activity and what its source observed, never negative.
func days(observed, seen int) int { return max(observed-seen, 0) }

func date(day int) time.Time {
	if day == 0 {
		return time.Time{}
	}
	return dateOf(day)
}

func instant(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(ns/int64(time.Second), 0).UTC()
}

// newestOf is the service with the fewest days among some: on a tie the latest date,
// then the order of the labels. since drops what lies before a day.
func (t *Tenant) newestOf(tr *traces, among service, since int) (service, seen, d int) {
	service, d = -1, -1
	for s := range services {
		if among>>s&1 == 0 || tr.seen[s] == 0 || tr.seen[s] < since {
			continue
		}
		through, _ := t.observed(s)
		n := days(through, tr.seen[s])
		if service < 0 || n < d || n == d && tr.seen[s] > seen {
			service, seen, d = s, tr.seen[s], n
		}
	}
	return service, seen, d
}

// walk computes users one after another.
func (t *Tenant) walk(fn func(u *user) bool) {
	u := new(user)
	for i := range t.o.Users {
		t.user(u, i)
		if !fn(u) {
			return
		}
	}
}

// Users walks the mart users.
func (tr *Truth) Users(fn func(TruthUser) bool) {
	t := tr.t
	var list []activation
	var sites []site
	named := new(user)
	t.walk(func(u *user) bool {
		row := TruthUser{
			UserID: guidText(u.id), UPN: u.upn, DisplayName: u.display, Mail: u.mail, GivenName: u.given.text, Surname: u.last.text,
			JobTitle: u.title, Department: u.department, AccountEnabled: !u.disabled, IsGuest: u.guest,
			OnPremisesSync: map[int8]string{1: "synced", 0: "cloud_only", -1: "was_synced"}[u.synced],
			Activations:    -1, MailBytes: -1, OneDriveBytes: -1, Windows: Unknown, Mac: Unknown, Mobile: Unknown, Web: Unknown,
			MFARegistered: Unknown,
		}
		if u.place >= 0 {
			row.Country = places[u.place].country
		}
		if u.boss != (boss{}) && !t.o.NoExpand {
			row.ManagerID = guidText(u.boss.id)
			row.Manager = row.ManagerID
			if !u.boss.contact {
				t.identity(named, u.boss.index)
				row.Manager = strings.ToLower(named.upn)
			}
		}
		if u.created != 0 {
			row.Created = time.Unix(u.created, 0).UTC()
		}
		for _, h := range u.held {
			if h.seat {
				row.Licenses++
				row.LicenseNames = append(row.LicenseNames, t.products[h.sku].name)
			}
		}
		slices.Sort(row.LicenseNames)
		if t.reportsReadable() {
			seen := t.lastSeen(u.index, u.person, u.held)
			d := t.devices(u.index, u.held, seen)
			row.Windows, row.Mac, row.Mobile, row.Web = flag(d.uses(0)), flag(d.uses(1)), flag(d.uses(2)), flag(d.uses(3))
			list = t.activated(u.index, u.held, list[:0])
			products := map[string]bool{}
			for _, a := range list {
				if a.counts != [5]int{} {
					products[a.product] = true
				}
			}
			row.Activations = len(products)
			entitled := t.entitled(u.held)
			if size, ok := t.mailBytes(u.index, u.room, entitled); ok {
				row.MailBytes = size
			}
			sites = t.oneDrives(u.index, entitled, sites[:0])
			for _, s := range sites {
				if !s.deleted {
					row.OneDriveBytes = max(row.OneDriveBytes, 0) + s.size
				}
			}
		}
		trace := tr.traces(u)
		service, seen, d := t.newestOf(&trace, 1<<services-1, 0)
		row.LastActivity, row.Days = date(seen), d
		if service >= 0 {
			row.LastActivityService = labels[service]
		}
		if t.signInsReadable() {
			row.LastSignIn, row.LastSuccessful = instant(u.attempt), instant(u.success)
			row.MFARegistered = t.hasMFA(u.index)
		}
		return fn(row)
	})
}

// Services walks the mart service_activity: every user times eleven services.
func (tr *Truth) Services(fn func(TruthService) bool) {
	t := tr.t
	t.walk(func(u *user) bool {
		trace := tr.traces(u)
		id := guidText(u.id)
		for s := range services {
			through, ok := t.observed(s)
			row := TruthService{UserID: id, Service: labels[s], Measured: ok, Days: -1}
			if ok {
				row.ObservedThrough, row.LastActivity = dateOf(through), date(trace.seen[s])
				if trace.seen[s] != 0 {
					row.Days = days(through, trace.seen[s])
				}
			}
			if !fn(row) {
				return false
			}
		}
		return true
	})
}

// Assignments walks the mart license_assignments, judged by a threshold and a grace
// in days.
func (tr *Truth) Assignments(thresholdDays, graceDays int, fn func(TruthAssignment) bool) {
	t := tr.t
	t.walk(func(u *user) bool {
		trace := tr.traces(u)
		for i := range u.held {
			if h := &u.held[i]; h.seat && !fn(t.judge(u, h, &trace, thresholdDays, graceDays)) {
				return false
			}
		}
		return true
	})
}

// judge says how a licence is used.
func (t *Tenant) judge(u *user, h *holding, trace *traces, threshold, grace int) TruthAssignment {
	p := &t.products[h.sku]
	a := TruthAssignment{
		UserID: guidText(u.id), SkuID: p.id, PartNumber: p.part, ProductName: p.name, Days: -1, Basis: "service",
		AccountEnabled: !u.disabled, IsGuest: u.guest,
	}
	var at int64
	for _, s := range h.states[:h.count] {
		if s.err != "None" && a.AssignmentError == "" {
			a.AssignmentError = s.err
		}
		if s.state != "Active" && s.state != "ActiveWithError" {
			continue
		}
		by := "group"
		if s.group == direct {
			by = "direct"
		}
		if a.AssignedBy != "" && a.AssignedBy != by {
			by = "both"
		}
		a.AssignedBy = by
		if at == 0 || s.updated < at {
			at = s.updated
		}
	}
	a.Assigned = time.Unix(at, 0).UTC()
	since := int(at / secondsPerDay)

	entitled := p.services[h.disabled]
	measured, earliest := 0, t.day
	for s := range services {
		if entitled>>s&1 == 0 {
			continue
		}
		a.Services = append(a.Services, labels[s])
		if through, ok := t.observed(s); ok {
			measured++
			earliest = min(earliest, through)
		}
	}
	if entitled != 0 {
		var service, seen int
		service, seen, a.Days = t.newestOf(trace, entitled, since)
		a.LastActivity = date(seen)
		if service >= 0 {
			a.LastActivityService = labels[service]
		}
	} else {
		a.Basis = "sign_in"
		if t.signInsReadable() {
			measured = 1
			if trace.signIn != 0 && trace.signIn >= since {
				a.LastActivity, a.Days = dateOf(trace.signIn), days(t.day, trace.signIn)
			}
		}
	}
	switch {
	case measured == 0:
		a.Evidence = "none"
	case measured < len(a.Services):
		a.Evidence = "partial"
	default:
		a.Evidence = "complete"
	}
	switch {
	case measured == 0:
		a.Status = "not_measurable"
	case a.Days >= 0 && a.Days <= threshold:
		a.Status = "active"
	case a.Days >= 0:
		a.Status = "inactive"
	case earliest-since < grace:
		a.Status = "too_new"
	default:
		a.Status = "never_active"
	}
	return a
}

// Failures walks the assignments that hold no seat.
func (tr *Truth) Failures(fn func(TruthFailure) bool) {
	t := tr.t
	t.walk(func(u *user) bool {
		for _, h := range u.held {
			if !h.seat && !fn(TruthFailure{guidText(u.id), t.products[h.sku].id, h.states[0].state, h.states[0].err}) {
				return false
			}
		}
		return true
	})
}

// Positions is the mart license_positions, ordered by part number.
func (tr *Truth) Positions(thresholdDays, graceDays int) []TruthPosition {
	t := tr.t
	out := make([]TruthPosition, skuCount)
	bySKU := make(map[string]*TruthPosition, skuCount)
	for i := range out {
		p, u := &t.products[i], t.units(i)
		out[i] = TruthPosition{
			SkuID: p.id, PartNumber: p.part, ProductName: p.name, Class: p.class, AppliesTo: p.appliesTo(), Status: u.status,
			Enabled: u.enabled, Warning: u.warning, Suspended: u.suspended, LockedOut: u.lockedOut,
			Entitled: u.enabled + u.warning, Consumed: u.consumed, Available: u.enabled + u.warning - u.consumed,
		}
		if p.class == "" {
			out[i].Class = "paid"
		}
		bySKU[p.id] = &out[i]
	}
	tr.Assignments(thresholdDays, graceDays, func(a TruthAssignment) bool {
		p := bySKU[a.SkuID]
		p.Assigned++
		switch a.Status {
		case "active":
			p.Active++
		case "inactive":
			p.Inactive++
		case "never_active":
			p.NeverActive++
		case "too_new":
			p.TooNew++
		default:
			p.NotMeasurable++
		}
		if !a.AccountEnabled {
			p.Disabled++
		}
		if a.IsGuest {
			p.Guests++
		}
		return true
	})
	for i := range out {
		out[i].Unreconciled = out[i].Consumed - out[i].Assigned
	}
	slices.SortFunc(out, func(a, b TruthPosition) int { return strings.Compare(a.PartNumber, b.PartNumber) })
	return out
}

// TruthSubscription is a row of the stored table graph_subscriptions.
type TruthSubscription struct {
	ID, SkuID, Status string
	Total             int
	Next              time.Time
}

// Subscriptions is the tenant's subscriptions. But for those that are deleted, they
// add up to the units of their SKUs, state by state.
func (tr *Truth) Subscriptions() []TruthSubscription {
	var out []TruthSubscription
	for _, s := range tr.t.subscriptions() {
		out = append(out, TruthSubscription{guidText(s.id), tr.t.products[s.sku].id, s.status, s.total, dateOf(s.next)})
	}
	return out
}

// TruthCopilot is a row of the stored table
// report_microsoft365_copilot_usage_user_detail.
type TruthCopilot struct {
	UPN          string // as the directory spells it
	LastActivity time.Time
}

// Copilot walks the holders of Microsoft 365 Copilot, none when the report cannot be
// read.
func (tr *Truth) Copilot(fn func(TruthCopilot) bool) {
	t := tr.t
	if !t.reportsReadable() {
		return
	}
	t.walk(func(u *user) bool {
		if !holdsCopilot(u.held) {
			return true
		}
		days := t.copilotDays(u.index)
		return fn(TruthCopilot{u.upn, date(slices.Max(days[:]))})
	})
}
