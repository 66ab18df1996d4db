package graphsim

import (
	"fmt"
	"io"
	"math"
	"slices"
)

// span gives a collection's size.
func (t *Tenant) span(source string, ge, le int64) (from, to int, ok bool) {
	switch source {
	case "users":
		return 0, t.o.Users, true
	case "subscribed_skus":
		return 0, skuCount, true
	case "subscriptions":
		return 0, len(t.subscriptions()), true
	case "user_registration_details":
		return 0, t.registrations(), true
	default:
		from, to = t.log(source).within(ge, le)
		return from, to, true
	}
}

func (t *Tenant) log(source string) *signInLog {
	if source == clientSignInSource {
		return t.clients
	}
	return t.signIns
}

func (t *Tenant) limit(string, int) int { return math.MaxInt }

func (t *Tenant) concealed() bool { return t.o.Concealed }

func (t *Tenant) hasReport(string) bool { return true }

func (t *Tenant) report(out io.Writer, function, period string) error {
	kind, ok := findReport(function)
	if !ok {
		return fmt.Errorf("%s is not a report of the tenant", function)
	}
	return t.writeReport(out, kind, period)
}

// rows gives what writes rows. The function reuses its memory and serves one page.
func (t *Tenant) rows(source string, beta bool, asked []string, managers *expansion) (write func(w *text, i int), unknown string) {
	switch source {
	case "users":
		ps, unknown := userProperties(beta, asked)
		if unknown != "" {
			return nil, unknown
		}
		if managers != nil {
			ps = append(ps, &property{name: manager, write: managers.write})
		}
		u := new(user)
		return func(w *text, i int) {
			t.user(u, i)
			t.writeUser(w, u, ps)
		}, ""
	case signInSource, clientSignInSource:
		all := signInProperties
		if beta {
			all = betaSignInProperties
		}
		ps, unknown := choose(all, asked, func(p *signInProperty) string { return p.name })
		if unknown != "" {
			return nil, unknown
		}
		s := new(signIn)
		return func(w *text, i int) {
			t.signIn(s, t.log(source), i)
			t.writeSignIn(w, s, ps)
		}, ""
	case "subscriptions":
		all := t.subscriptions()
		return func(w *text, i int) { t.writeSubscription(w, &all[i]) }, ""
	case "user_registration_details":
		u := new(user)
		return func(w *text, i int) {
			t.identity(u, t.registered(i))
			t.writeRegistration(w, u)
		}, ""
	default:
		return t.writeSKU, ""
	}
}

// userProperties are the asked properties of a user, or the default ones of a
// version.
func userProperties(beta bool, asked []string) (ps []*property, unknown string) {
	if asked != nil {
		return choose(properties, asked, func(p *property) string { return p.name })
	}
	for i := range properties {
		if p := &properties[i]; p.basic || beta && !p.wide {
			ps = append(ps, p)
		}
	}
	return ps, ""
}

// choose gives the asked properties in the order they are written, all of them when
// none is named; or the first of the asked that is unknown.
func choose[P any](all []P, asked []string, name func(*P) string) (ps []*P, unknown string) {
	for i := range all {
		if asked == nil || slices.Contains(asked, name(&all[i])) {
			ps = append(ps, &all[i])
		}
	}
	for _, a := range asked {
		if !slices.ContainsFunc(ps, func(p *P) bool { return name(p) == a }) {
			return nil, a
		}
	}
	return ps, ""
}

func (t *Tenant) writeSKU(w *text, i int) {
	p, u := &t.products[i], t.units(i)
	w.raw(`{"accountName":"contoso","accountId":`)
	w.str(t.o.TenantID)
	w.raw(`,"appliesTo":"`)
	w.raw(p.appliesTo())
	w.raw(`","capabilityStatus":"`)
	w.raw(u.status)
	w.raw(`","consumedUnits":`)
	w.int(u.consumed)
	w.raw(`,"id":"`)
	w.raw(t.o.TenantID + "_" + p.id)
	w.raw(`","skuId":"`)
	w.raw(p.id)
	w.raw(`","skuPartNumber":`)
	w.str(p.part)
	w.raw(`,"subscriptionIds":[`)
	listed := 0
	for _, s := range t.subscriptions() {
		if s.sku != i || s.status == "LockedOut" || s.status == "Deleted" {
			continue
		}
		if listed++; listed > 1 {
			w.byte(',')
		}
		w.guid(s.id)
	}
	w.raw(`],"prepaidUnits":{"enabled":`)
	w.int(u.enabled)
	w.raw(`,"suspended":`)
	w.int(u.suspended)
	w.raw(`,"warning":`)
	w.int(u.warning)
	w.raw(`,"lockedOut":`)
	w.int(u.lockedOut)
	w.raw(`},"servicePlans":`)
	t.writeServicePlans(w, p, u)
	w.byte('}')
}

func (p *product) appliesTo() string {
	if p.company {
		return "Company"
	}
	return "User"
}

func (t *Tenant) writeServicePlans(w *text, p *product, u units) {
	w.byte('[')
	for i, pl := range p.plans {
		if i > 0 {
			w.byte(',')
		}
		status, to := "Success", "User"
		switch {
		case u.status == "Suspended" || u.status == "LockedOut":
			status = "Disabled"
		case pl.name == "INTUNE_O365":
			status = "PendingActivation"
		}
		if p.company || pl.name == "EXCHANGE_S_FOUNDATION" || pl.name == "INTUNE_O365" {
			to = "Company"
		}
		w.raw(`{"servicePlanId":"`)
		w.raw(pl.id)
		w.raw(`","servicePlanName":`)
		w.str(pl.name)
		w.raw(`,"provisioningStatus":"`)
		w.raw(status)
		w.raw(`","appliesTo":"`)
		w.raw(to)
		w.raw(`"}`)
	}
	w.byte(']')
}
