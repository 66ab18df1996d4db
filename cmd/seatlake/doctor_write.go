package main

import (
	"context"
	"slices"
	"strings"

	"seatlake/extract/graph"
)

// writing tells whether what reads could change licences, or the members of groups that
// give them. Nothing but `reclaim apply` and `reclaim rollback` does, so that nobody
// else should have the permission.
func (p *examined) writing(ctx context.Context) {
	var carried []string
	for _, r := range p.roles {
		if one := []string{r}; graph.MayWriteLicenses(one) || graph.MayWriteMembers(one) {
			carried = append(carried, r)
		}
	}
	f := finding{Check: "write_permission", Status: healthy}
	list := strings.Join(carried, ", ")
	used, err := p.reclaims(ctx)
	switch {
	case len(carried) == 0 && p.person():
		f.Found = "no token that reads may change licences; `seatlake reclaim apply` and `rollback` have one of their own, after `" + forReclaim.logIn + "`"
	case len(carried) == 0:
		f.Found = "the application may not change licences; `seatlake reclaim apply` and `rollback` would need " + graph.WriteLicenses
	case p.person():
		f.Status = warning
		f.Found = "the login host gives " + list + " with tokens that did not ask for it, because it was consented to"
		f.Costs = "whoever has a token or the stored sign-in of a reading command can take licences away"
		f.Cure = "withdraw the consent among the enterprise applications when no licences are taken back, or take them back by an application registration, and a configuration, of its own"
	case used && err == nil:
		f.Found = "the application may change licences (" + list + "), which `seatlake reclaim` has made use of; it should not while it does not"
	default:
		f.Status = warning
		f.Found = "the application may change licences (" + list + "), and nothing but `seatlake reclaim apply` and `rollback` makes use of that"
		f.Costs = "whoever has its secret can take licences away"
		f.Cure = "remove the permission from the application unless licences are taken back with seatlake; reading takes none that writes"
	}
	p.say(f)
}

// reclaims says that licences of the tenant have been taken back with this lake.
func (p *examined) reclaims(ctx context.Context) (bool, error) {
	lk, err := p.cfg.openLake(ctx)
	if err != nil {
		return false, err
	}
	tenants, err := lk.Ledgers()
	if err != nil {
		return false, err
	}
	return slices.Contains(tenants, p.tenant.ID), nil
}
