package main

import (
	"seatlake/extract/catalog"
	"seatlake/transform"
)

// entitlements says what a SKU consists of: the plans that the tenant's own
// subscribedSkus lists, else the catalogue's. A plan the catalogue does not know is
// mapped to services by its name.
type entitlements struct {
	tenant  *transform.TenantPlans
	catalog *catalog.Catalog
	names   *catalog.ServiceMap
}

// Plans implements transform.Entitlements.
func (e entitlements) Plans(sku [16]byte) []transform.Plan {
	var out []transform.Plan
	for _, p := range e.tenant.Plans(sku) {
		plan := transform.Plan{ID: p.ID, Services: e.catalog.Services(p.ID)}
		if _, known := e.catalog.Plan(p.ID); !known {
			plan.Services = e.names.Services(p.Name)
		}
		out = append(out, plan)
	}
	if len(out) > 0 {
		return out
	}
	for _, p := range e.catalog.Plans(sku) {
		out = append(out, transform.Plan{ID: p.ID, Services: e.catalog.Services(p.ID)})
	}
	return out
}
