package graphsim

import (
	"encoding/json"
	"strings"
	"time"
)

// find looks a user up by object id or sign-in name, whatever the case.
func (t *Tenant) find(key string) (i int, ok bool) {
	i, ok = t.index()[strings.ToLower(key)]
	return i, ok
}

// indexUsers knows all users by object id and sign-in name.
func (t *Tenant) indexUsers() map[string]int {
	at := make(map[string]int, 2*t.o.Users)
	u := new(user)
	for i := range t.o.Users {
		t.identity(u, i)
		at[guidText(u.id)], at[strings.ToLower(u.upn)] = i, i
	}
	return at
}

func (t *Tenant) account(i int) account {
	u := new(user)
	t.user(u, i)
	a := account{id: guidText(u.id), upn: u.upn}
	if u.place >= 0 {
		a.usageLocation = places[u.place].code
	}
	for _, h := range u.held {
		for _, s := range h.states[:h.count] {
			group := ""
			if s.group != direct {
				group = guidText(t.groups[s.group])
			}
			a.held = append(a.held, Assignment{
				SKU: t.products[h.sku].id, Group: group, Disabled: t.products[h.sku].disabled[h.disabled],
				State: s.state, Error: s.err, Updated: time.Unix(s.updated, 0).UTC(),
			})
		}
	}
	return a
}

func (t *Tenant) group(id string) (g Group, ok bool) {
	for n := range t.groups {
		if guidText(t.groups[n]) != id {
			continue
		}
		g = Group{ID: id, Name: "Licences " + string(rune('A'+n))}
		for s, by := range groupOf {
			if by == n {
				g.Licenses = append(g.Licenses, Assignment{SKU: t.products[s].id})
			}
		}
		return g, true
	}
	return g, false
}

func (t *Tenant) offer(sku string) (o offer, ok bool) {
	for i := range t.products {
		if p := &t.products[i]; p.id == sku {
			u := t.units(i)
			o = offer{units: u.enabled + u.warning, consumed: u.consumed}
			for _, pl := range p.plans {
				o.plans = append(o.plans, pl.id)
			}
			return o, true
		}
	}
	return o, false
}

// folderUser is what a folder's users say of licences.
type folderUser struct {
	ID                string
	UserPrincipalName string
	UsageLocation     string
	AssignedLicenses  []struct {
		SkuID         string `json:"skuId"`
		DisabledPlans []string
	}
	LicenseAssignmentStates []struct {
		SkuID               string `json:"skuId"`
		AssignedByGroup     string
		DisabledPlans       []string
		State, Error        string
		LastUpdatedDateTime time.Time
	}
}

func (l *list) read(i int, into any) error {
	object := map[string]json.RawMessage{}
	for _, m := range l.rows[i] {
		object[m.name] = m.value
	}
	b, err := json.Marshal(object)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

func (t *FolderTenant) find(key string) (int, bool) {
	if t.lists["users"] == nil {
		return 0, false
	}
	for i := range t.lists["users"].rows {
		if a := t.account(i); strings.EqualFold(a.id, key) || strings.EqualFold(a.upn, key) {
			return i, true
		}
	}
	return 0, false
}

// account reads a user. Licences without states are taken to be direct.
func (t *FolderTenant) account(i int) account {
	var u folderUser
	if err := t.lists["users"].read(i, &u); err != nil {
		return account{}
	}
	a := account{id: strings.ToLower(u.ID), upn: u.UserPrincipalName, usageLocation: u.UsageLocation}
	for _, s := range u.LicenseAssignmentStates {
		a.held = append(a.held, Assignment{
			SKU: strings.ToLower(s.SkuID), Group: strings.ToLower(s.AssignedByGroup), Disabled: s.DisabledPlans,
			State: s.State, Error: s.Error, Updated: s.LastUpdatedDateTime,
		})
	}
	for _, l := range u.AssignedLicenses {
		sku := strings.ToLower(l.SkuID)
		if !seats(a.held)[sku] {
			a.held = append(a.held, Assignment{SKU: sku, Disabled: l.DisabledPlans, State: "Active", Error: "None"})
		}
	}
	return a
}

func (t *FolderTenant) group(id string) (g Group, ok bool) {
	l := t.lists["groups"]
	if l == nil {
		return g, false
	}
	for i := range l.rows {
		var f struct {
			ID, DisplayName       string
			GroupTypes            []string
			OnPremisesSyncEnabled bool
			AssignedLicenses      []struct {
				SkuID         string `json:"skuId"`
				DisabledPlans []string
			}
		}
		if err := l.read(i, &f); err != nil || !strings.EqualFold(f.ID, id) {
			continue
		}
		g = Group{ID: strings.ToLower(f.ID), Name: f.DisplayName, Synced: f.OnPremisesSyncEnabled}
		for _, kind := range f.GroupTypes {
			g.Dynamic = g.Dynamic || kind == "DynamicMembership"
		}
		for _, a := range f.AssignedLicenses {
			g.Licenses = append(g.Licenses, Assignment{SKU: strings.ToLower(a.SkuID), Disabled: a.DisabledPlans})
		}
		return g, true
	}
	return g, false
}

func (t *FolderTenant) offer(sku string) (o offer, ok bool) {
	l := t.lists["subscribed_skus"]
	if l == nil {
		return o, false
	}
	for i := range l.rows {
		var f struct {
			SkuID         string `json:"skuId"`
			ConsumedUnits int
			PrepaidUnits  struct{ Enabled, Warning int }
			ServicePlans  []struct{ ServicePlanID string }
		}
		if err := l.read(i, &f); err != nil || !strings.EqualFold(f.SkuID, sku) {
			continue
		}
		o = offer{units: f.PrepaidUnits.Enabled + f.PrepaidUnits.Warning, consumed: f.ConsumedUnits}
		for _, p := range f.ServicePlans {
			o.plans = append(o.plans, strings.ToLower(p.ServicePlanID))
		}
		return o, true
	}
	return o, false
}
