package graphsim

// activity is how a user uses what they hold.
type activity uint8

const (
	active activity = iota // within two weeks before the reports' refresh
	waning                 // one to two months before
	idle                   // more than two months before
	never                  // no trace at all
	lapsed                 // used before the licences were assigned, never since
)

// person is what decides a user's licences and activity; the rest of a user is
// decoration.
type person struct {
	guest    bool
	room     bool // meeting room or shared mailbox: disabled, a mailbox, no licence
	disabled bool
	hire     bool // came within the last two weeks
	use      activity
}

func (t *Tenant) person(i int) person {
	p := person{room: t.every(i, 37, forUser)}
	p.guest = !p.room && t.every(i, 12, forUser)
	p.hire = !p.room && !p.guest && t.every(i, 23, forUser)
	p.disabled = p.room || !p.hire && t.every(i, 17, forUser)
	switch {
	case p.room, t.every(i, 11, forActivity):
		p.use = never
	case !p.hire && t.every(i, 31, forActivity):
		p.use = lapsed
	case !p.hire && t.every(i, 7, forActivity):
		p.use = idle
	case !p.hire && t.every(i, 5, forActivity):
		p.use = waning
	case p.hire && i%5 < 2:
		p.use = never
	}
	return p
}

// holding is one SKU of a user: a licence, or an attempt at one.
type holding struct {
	sku      int
	seat     bool // it is in assignedLicenses
	disabled disable
	states   [2]state
	count    int // states in use
}

// state is one entry of licenseAssignmentStates.
type state struct {
	group   int // index of groups, or direct
	state   string
	err     string
	updated int64 // seconds since 1970
}

const (
	direct     = -1
	groupCount = 8
)

// groupOf is the group that assigns a SKU. The groups of Office 365 E3 and F3
// assign several.
var groupOf = [skuCount]int{
	e5: 0, e3: 1, f3: 2, businessPremium: 6, officeE1: 3, officeE3: 3, exchangeP1: 6, appsEnterprise: 6, emsE3: 3,
	entraP2: 4, powerBIPro: 4, visioP2: 4, projectP3: 4, copilot: 5, flowFree: 2, fabricFree: 4, businessCentral: 7,
	teamsPhone: 7, audioConferencing: 7, defenderEndpoint: 7, securityE5: 7, oneDriveP1: 7, extraStorage: 7, visioP1: 4,
	projectPremium: 4, frontier: 5,
}

// suites is how 100 members are spread over suites; the rest have none.
var suites = []struct{ sku, share int }{
	{e5, 15}, {e3, 33}, {f3, 20}, {officeE3, 7}, {officeE1, 5}, {businessPremium, 3}, {exchangeP1, 4}, {appsEnterprise, 2},
}

// suite is the main licence of a user, or -1.
func (t *Tenant) suite(i int, p person) int {
	if p.guest || p.room {
		return -1
	}
	// 61 has no factor in common with 100: every 100 users have all shares.
	x := int((uint64(i)*61 + t.o.Seed%100) % 100)
	for _, s := range suites {
		if x -= s.share; x < 0 {
			return s.sku
		}
	}
	return -1
}

// holdings appends the SKUs of a user to dst, which is empty.
func (t *Tenant) holdings(i int, dst []holding) []holding {
	p := t.person(i)
	if p.room {
		return dst
	}
	r := newRandom(t.o.Seed, forLicenses, uint64(i))
	has := func(sku int) bool {
		for _, h := range dst {
			if h.sku == sku {
				return true
			}
		}
		return false
	}
	give := func(sku, byGroup, byBoth int) *holding {
		h := holding{sku: sku, seat: true, count: 1}
		first := state{group: direct, state: "Active", err: "None", updated: t.assigned(p, &r)}
		switch way := r.below(100); {
		case way < byGroup:
			first.group = groupOf[sku]
		case way < byGroup+byBoth:
			h.count = 2
			h.states[1] = state{group: groupOf[sku], state: "Active", err: "None", updated: t.assigned(p, &r)}
		}
		h.states[0] = first
		dst = append(dst, h)
		return &dst[len(dst)-1]
	}
	fail := func(sku int, err string) {
		if !has(sku) {
			dst = append(dst, holding{sku: sku, count: 1, states: [2]state{
				{group: groupOf[sku], state: "Error", err: err, updated: t.assigned(p, &r)},
			}})
		}
	}
	if p.guest {
		if i/12%5 == 0 {
			give(powerBIPro, 0, 0)
			give(fabricFree, 0, 0)
		}
		return dst
	}
	main := t.suite(i, p)
	if main >= 0 {
		h := give(main, 60, 10)
		if main != exchangeP1 && main != appsEnterprise {
			if t.every(i, 9, forLicenses) {
				h.disabled |= disableYammer
			}
			if t.every(i, 13, forLicenses) {
				h.disabled |= disableTeams
			}
			if t.every(i, 43, forLicenses) {
				h.disabled |= disableExchange
			}
		}
		switch {
		case t.every(i, 67, forLicenses): // the direct assignment works, the group's does not
			h.count, h.states[0].group = 2, direct
			h.states[1] = state{group: groupOf[main], state: "Error", err: "CountViolation", updated: t.assigned(p, &r)}
		case t.every(i, 73, forLicenses):
			h.count = 1
			h.states[0].state, h.states[0].err = "ActiveWithError", "DependencyViolation"
		}
	}
	for _, a := range addOns {
		if t.every(i, a.period, forLicenses+purpose(a.sku)<<8) && (a.with == nil || a.with(main)) && !has(a.sku) {
			give(a.sku, a.byGroup, 5)
		}
	}
	switch {
	case t.every(i, 41, forGroup) && main != e5:
		fail(e5, "CountViolation")
	case t.every(i, 47, forGroup) && main != officeE3:
		fail(officeE3, "MutuallyExclusiveViolation")
	case t.every(i, 59, forGroup):
		fail(copilot, "Other") // the documentation says Others
	}
	return dst
}

// addOns are the licences beside the suite: one member in each period has one.
var addOns = []struct {
	sku, period, byGroup int
	with                 func(main int) bool // nil allows every main licence
}{
	{emsE3, 2, 80, func(m int) bool { return m == officeE1 || m == officeE3 }},
	{entraP2, 29, 0, nil},
	{powerBIPro, 13, 50, func(m int) bool { return m != e5 }},
	{visioP2, 27, 50, nil},
	{projectP3, 33, 50, nil},
	{copilot, 8, 90, func(m int) bool { return m == e5 || m == e3 }},
	{flowFree, 4, 20, nil},
	{fabricFree, 6, 0, nil},
	{businessCentral, 34, 0, nil},
	{teamsPhone, 8, 40, func(m int) bool { return m == e3 }},
	{audioConferencing, 25, 0, nil},
	{defenderEndpoint, 45, 30, nil},
	{securityE5, 24, 30, func(m int) bool { return m == e3 }},
	{oneDriveP1, 2, 0, func(m int) bool { return m == exchangeP1 }},
	{visioP1, 83, 0, nil},
	{projectPremium, 97, 0, nil},
	{frontier, 71, 0, nil},
}

// assigned draws when an assignment was made, in seconds since 1970: a hire's
// within ten days, a lapsed user's after their last activity, one in ten of the
// others within the last weeks.
func (t *Tenant) assigned(p person, r *random) int64 {
	var ago int
	switch {
	case p.hire:
		ago = 3 + r.below(7)
	case p.use == lapsed:
		ago = 30 + r.below(10)
	case r.chance(10):
		ago = 1 + r.below(28)
	default:
		ago = 90 + r.below(1400)
	}
	return int64(t.day-ago)*secondsPerDay + int64(r.below(secondsPerDay))
}

// entitled is what a user's licences entitle, without the plans switched off.
func (t *Tenant) entitled(held []holding) service {
	var s service
	for _, h := range held {
		if h.seat {
			s |= t.products[h.sku].services[h.disabled]
		}
	}
	return s
}

const reports = 7 // services that usage reports measure

// lastSeen is the day of the latest activity in each reported service, in days
// since 1970; 0 is none.
func (t *Tenant) lastSeen(i int, p person, held []holding) (days [reports]int) {
	if p.use == never || p.guest {
		return days
	}
	r := newRandom(t.o.Seed, forActivity, uint64(i))
	var since int
	switch p.use {
	case active:
		since = r.below(14)
		if p.hire {
			since = r.below(2)
		}
	case waning:
		since = 30 + r.below(29)
	case idle:
		since = 61 + r.below(110)
	case lapsed:
		since = 45 + r.below(10)
	}
	percent := [reports]int{97, 80, 70, 2, 8, 90, 95}
	entitled := t.entitled(held)
	extra := 0
	for s := range reports {
		use := percent[s]
		if entitled>>s&1 == 0 {
			use = 2 // from a licence held before, or another tenant's
		}
		if !r.chance(use) {
			continue
		}
		days[s] = t.refreshDay - since - extra
		extra = r.below(20)
	}
	for _, h := range held {
		if h.disabled&disableTeams != 0 && p.use == idle {
			// The plan is switched off; the service was used nevertheless.
			days[5] = t.refreshDay - 1
		}
	}
	if p.hire {
		for s := range days {
			if days[s] != 0 {
				days[s] = max(days[s], t.refreshDay-1)
			}
		}
	}
	return days
}
