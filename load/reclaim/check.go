package reclaim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// dormant is how long somebody has not signed in whose next sign-in is news. Of who
// signs in every day it says nothing about a licence that is not used.
const dormant = 30 * 24 * time.Hour

// news says what changed about a row since the plan was made, so that the licence is
// not to be taken; "" when nothing did. Its error says what could not be looked at.
func news(p *Reclamation, i *Item, u *User, a Activity) (string, error) {
	r := &i.Row
	if why := assignedAnew(p, i, u); why != "" {
		return why, nil
	}
	if r.Reason == "blocked_sign_in" {
		switch {
		case u.Enabled == nil:
			return "", errors.New("whether the account is blocked is not said (accountEnabled)")
		case *u.Enabled:
			return "the account is enabled again", nil
		}
	}
	if r.Reason == "duplicate_entitlement" {
		// What makes the licence superfluous has to be there, and use proves nothing.
		if len(r.KeptSKUs) == 0 {
			return "", errors.New("the plan does not say which licence makes this one superfluous")
		}
		for n, sku := range r.KeptSKUs {
			if !u.has(sku) {
				return "the user no longer has " + r.Kept[n] + ", which made this licence superfluous", nil
			}
		}
		return "", nil
	}
	bySignIn := len(r.Judged) == 0 || r.Reason == "never_signed_in"
	if bySignIn && !u.SignInsKnown {
		return "", fmt.Errorf("sign-ins cannot be read, and the licence was judged by them: grant AuditLog.Read.All")
	}
	if why := signedIn(p, r, u, bySignIn); why != "" {
		return why, nil
	}
	if len(r.Judged) == 0 {
		return "", nil
	}
	names := []string{strings.ToLower(u.UserPrincipalName)}
	if before := strings.ToLower(r.UserPrincipalName); before != names[0] {
		names = append(names, before)
	}
	day, service, err := a.Since(names, u.ID, r.Judged)
	if err != nil {
		return "", err
	}
	switch {
	case day == "" || day < r.AssignedDate: // use before the licence came does not count
	case day > r.LastActivityDate:
		return fmt.Sprintf("%s was used on %s, after %s", service, day, orNone(r.LastActivityDate)), nil
	}
	return "", nil
}

// assignedAnew says that the licence was assigned, or its assignment changed, since the
// plan's evidence, which then is of another assignment. What the plan took of a row
// itself may have changed the rest of it.
func assignedAnew(p *Reclamation, i *Item, u *User) string {
	if len(i.open()) > 0 {
		return ""
	}
	for _, x := range u.of(i.SKU) {
		at := x.Updated.UTC()
		if !at.IsZero() && (at.After(p.Created) || at.Format(time.DateOnly) > p.AsOf) {
			return "the licence was assigned anew on " + at.Format(time.DateOnly) + ", after the plan's evidence"
		}
	}
	return ""
}

// signedIn says that somebody signed in who had long not, or whose sign-ins the
// licence was judged by.
func signedIn(p *Reclamation, r *Row, u *User, bySignIn bool) string {
	before, _ := time.Parse(time.RFC3339, r.LastSignIn) // zero when none was seen
	if r.Reason == "never_signed_in" && !u.LastAttempt.IsZero() {
		return "the user signed in on " + u.LastAttempt.Format(time.DateOnly)
	}
	if !u.LastSignIn.After(before) {
		return ""
	}
	if bySignIn || before.IsZero() || p.Created.Sub(before) >= dormant {
		return fmt.Sprintf("the user signed in on %s, after %s", u.LastSignIn.Format(time.DateOnly), orNone(r.LastSignIn))
	}
	return ""
}

func orNone(when string) string {
	if when == "" {
		return "never before"
	}
	return when
}

// parts are a user's assignments of a row's SKU: the direct one, and those of groups.
func parts(u *User, sku string) (direct *Assignment, groups []Assignment) {
	for _, a := range u.of(sku) {
		if a.Group == "" {
			direct = &a
		} else {
			groups = append(groups, a)
		}
	}
	return direct, groups
}

// editable says why a group must not be edited to take one SKU from one member; ""
// when it may be.
func (g *Group) editable(sku string) string {
	name := g.Name
	if name == "" {
		name = g.ID
	}
	switch {
	case g.Dynamic:
		return fmt.Sprintf("group %s has its members by a rule: change what the rule looks at", name)
	case g.Synced:
		return fmt.Sprintf("group %s belongs to the on-premises directory: change it there", name)
	case len(g.SKUs) != 1:
		return fmt.Sprintf("group %s gives %d licences, all of which the user would lose: take the user out of it by hand, or give the licences by groups of their own", name, len(g.SKUs))
	case !slices.Contains(g.SKUs, sku):
		return fmt.Sprintf("group %s does not give this licence any more", name)
	}
	return ""
}
