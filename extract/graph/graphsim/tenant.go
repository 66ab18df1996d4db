// Package graphsim is a simulated Microsoft 365 tenant behind a server that behaves
// as Microsoft Graph does on the wire: tokens, paging with opaque links, gzip,
// redirected report downloads, refused permissions, throttling, and, when asked for,
// faults.
//
// A tenant is drawn from a seed. Every row is computed from the seed and its index
// when it is asked for, so a tenant of a million users and tens of millions of
// sign-ins is served without being held; about 25 bytes a user are kept for the
// newest sign-ins. The same options give the same tenant.
//
// The tenant knows its truth: what every user, assignment and licence position must
// come to, computed from its own model rather than from what it serves. A Tenant
// never changes; what is written to it over HTTP is state of its Server.
//
// A folder of text files can stand in for the drawn tenant; see Folder.
package graphsim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Defaults of Options.
const (
	DefaultTenantID     = "48a80680-7326-48cd-9935-b556b81d3a4e"
	DefaultClientID     = "11112222-bbbb-3333-cccc-4444dddd5555"
	DefaultClientSecret = "a~simulated+secret/with%odd&signs"
)

// Options shapes a tenant and its server. The zero value is an empty tenant whose
// clock stands still.
type Options struct {
	Seed    uint64
	Users   int       // user objects, guests and disabled accounts included
	SignIns int       // interactive sign-ins in the 30 days before Now
	Now     time.Time // the moment the tenant is observed; 2026-11-24 09:15:02 UTC when zero

	NonInteractiveSignIns int // sign-ins by clients in those days, which beta alone lists

	TenantID, ClientID, ClientSecret string // the Default constants when empty

	// PageSize caps pages below what $top asks for. 0 leaves Graph's own limits:
	// 999 users, 500 with signInActivity, 1,000 sign-ins.
	PageSize int

	Concealed bool     // usage reports hide names
	NoPremium bool     // the tenant has no Entra ID P1: sign-ins are refused
	Deny      []string // permissions that were not granted, such as "Reports.Read.All"
	Grant     []string // permissions beyond those for reading: "LicenseAssignment.ReadWrite.All" and those about groups

	// ReadsUntilVisible is how many reads of a user still show the licences from
	// before a write.
	ReadsUntilVisible int

	NoExpand                 bool // users are not listed with their managers: $expand is refused
	DocumentedOneDriveHeader bool // the OneDrive report has no Site Id, as its documentation says
	CopilotV1                bool // the Copilot report has the columns of its first version only
	CopilotFirst             bool // and takes what its first version took: a period of D30, and no version
	CopilotJSON              bool // the Copilot report comes as JSON, in pages of PageSize, or of 200
	ShuffleColumns           bool // report columns in another order
	InsertColumns            bool // report columns that nobody knows, in the middle
	RefreshLagDays           int  // days the usage reports trail Now; 2 when zero, none when negative

	// ValueFirst writes "value" before "@odata.nextLink", properties in reverse
	// order, and text beyond ASCII as \u escapes.
	ValueFirst bool

	// Throttle enforces the published limits with 429, by Clock.
	Throttle bool
	// Clock is the server's time, by which tokens expire and limits refill. It
	// stands still at Now when nil.
	Clock func() time.Time

	Faults []Fault

	// Before is told the number of each request, from 1, before it is answered, from
	// several goroutines. May be nil.
	Before func(request int)
}

// withDefaults fills the options in and names every fault in them.
func (o Options) withDefaults() (Options, error) {
	if o.Now.IsZero() {
		o.Now = time.Date(2026, 11, 24, 9, 15, 2, 0, time.UTC)
	}
	o.Now = o.Now.UTC()
	set := func(s *string, to string) {
		if *s == "" {
			*s = to
		}
	}
	set(&o.TenantID, DefaultTenantID)
	set(&o.ClientID, DefaultClientID)
	set(&o.ClientSecret, DefaultClientSecret)
	switch {
	case o.RefreshLagDays == 0:
		o.RefreshLagDays = 2
	case o.RefreshLagDays < 0:
		o.RefreshLagDays = 0
	}
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(o.Users >= 0 && o.Users <= 1<<24, "Users %d is not within 0 and %d", o.Users, 1<<24)
	check(o.SignIns >= 0 && o.SignIns <= 1<<30, "SignIns %d is not within 0 and %d", o.SignIns, 1<<30)
	check(o.NonInteractiveSignIns >= 0 && o.NonInteractiveSignIns <= 1<<30, "NonInteractiveSignIns %d is not within 0 and %d", o.NonInteractiveSignIns, 1<<30)
	check(o.SignIns == 0 || o.Users > 0, "SignIns %d need users", o.SignIns)
	check(o.NonInteractiveSignIns == 0 || o.Users > 0, "NonInteractiveSignIns %d need users", o.NonInteractiveSignIns)
	check(o.PageSize >= 0, "PageSize %d is negative", o.PageSize)
	check(!o.Throttle || o.Clock != nil, "Throttle needs a Clock: limits refill with time")
	for _, d := range o.Deny {
		check(slices.Contains(permissions, d), "Deny %q is none of the permissions %s", d, strings.Join(permissions, ", "))
	}
	for _, g := range o.Grant {
		check(slices.Contains(grantable, g), "Grant %q is none of the permissions %s", g, strings.Join(grantable, ", "))
	}
	check(o.ReadsUntilVisible >= 0, "ReadsUntilVisible %d is negative", o.ReadsUntilVisible)
	for i, f := range o.Faults {
		if err := f.check(); err != nil {
			errs = append(errs, fmt.Errorf("fault %d: %w", i, err))
		}
	}
	if o.Clock == nil {
		now := o.Now
		o.Clock = func() time.Time { return now }
	}
	return o, errors.Join(errs...)
}

// Tenant is a simulated tenant. It is safe for concurrent use and never changes.
type Tenant struct {
	o          Options
	products   []product
	day        int // Now, in days since 1970
	refreshDay int // day the reports observe through
	groups     [groupCount][16]byte

	seats   func() *[skuCount]int // licences held, counted when first asked for
	index   func() map[string]int // users by object id and sign-in name
	flags   func() []uint8        // of users, gathered when first asked for
	signIns *signInLog
	clients *signInLog // of clients on behalf of users
}

// New draws a tenant. It fails on options that make no sense, naming them all.
func New(o Options) (*Tenant, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("graphsim: %w", err)
	}
	t := &Tenant{o: o, products: products(), day: dayOf(o.Now)}
	t.refreshDay = t.day - o.RefreshLagDays
	for i := range t.groups {
		r := newRandom(o.Seed, forGroup, uint64(i))
		t.groups[i] = r.guid()
	}
	t.seats = sync.OnceValue(t.countSeats)
	t.index = sync.OnceValue(t.indexUsers)
	t.flags = sync.OnceValue(t.flagUsers)
	t.signIns, t.clients = newSignInLog(t, false), newSignInLog(t, true)
	return t, nil
}

const secondsPerDay = 24 * 60 * 60

func dayOf(at time.Time) int { return int(at.Unix() / secondsPerDay) }

// dateOf is midnight of a day since 1970.
func dateOf(day int) time.Time { return time.Unix(int64(day)*secondsPerDay, 0).UTC() }

// every is true for one index in each period of consecutive ones; the seed and the
// salt say which. Unlike a chance it leaves no tenant of that size without.
func (t *Tenant) every(i, period int, salt purpose) bool {
	offset := mix(t.o.Seed*gamma+uint64(salt)<<32+uint64(period)) % uint64(period)
	return (uint64(i)+offset)%uint64(period) == 0
}

// countSeats counts the licences held.
func (t *Tenant) countSeats() *[skuCount]int {
	var seats [skuCount]int
	var held []holding
	for i := range t.o.Users {
		held = t.holdings(i, held[:0])
		for _, h := range held {
			if h.seat {
				seats[h.sku]++
			}
		}
	}
	return &seats
}

// units is what the tenant bought of a SKU and how much of it is taken.
type units struct {
	enabled, warning, suspended, lockedOut, consumed int
	status                                           string
}

// softDeleted is how many deleted users still hold a seat of Microsoft 365 E3: the
// service counts them, no list of users shows them.
const softDeleted = 3

func (t *Tenant) units(s int) units {
	held := t.seats()[s]
	u := units{enabled: held + held/12 + 5, consumed: held, status: "Enabled"}
	switch s {
	case e3:
		u.consumed += softDeleted
		u.warning = 10
	case officeE3: // expired, in its grace period
		u.enabled, u.warning, u.status = 0, held+4, "Warning"
	case powerBIPro: // over-assigned
		u.enabled = max(held-2, 0)
	case flowFree:
		u.enabled = 10000
	case fabricFree:
		u.enabled = 1000000
	case extraStorage:
		u.enabled, u.consumed = 500, 0
	case visioP1:
		u.enabled, u.suspended, u.status = 0, held+2, "Suspended"
	case projectPremium:
		u.enabled, u.lockedOut, u.status = 0, held+1, "LockedOut"
	}
	return u
}
