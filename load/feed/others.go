package feed

import "strings"

// snowLicenses is Snow's licence import. Its mandatory fields are those of Snow's
// help pages; a licence without metric and quantity would be ignored there.
func snowLicenses() *Profile {
	return &Profile{
		Name: "snow-licenses", Target: "Snow License Manager and Snow Atlas: licence import", Formats: []Format{XLSX}, Absent: Keeps,
		Needs: []string{"graph_subscribed_skus", "license_terms"}, Template: MayUseTemplate,
		Sheets: []Sheet{{
			Name: "licenses", Worksheet: "Licenses", Key: purchaseKey, Label: purchaseLabel,
			Columns: []Column{
				{Name: "Application name", Field: "product", Kind: Text, Required: true, Source: "license_positions.product_name"},
				{Name: "SKU (stock keeping unit)", Field: "part_number", Kind: Text, Required: true, Labels: []string{"SKU"}, Source: "license_positions.sku_part_number"},
				{Name: "Legal organisation", Kind: Text, Required: true, Labels: []string{"Legal organization"}, Source: "the organisation's name in Snow, which no tenant knows"},
				{Name: "Purchase date", Field: "effective_date", Kind: Day, Required: true, Source: "license_costs.effective_date; units without a term have none"},
				{Name: "Metric", Field: "metric", Kind: Text, Required: true, Else: "Users", Source: "Users, unless --set says otherwise"},
				{Name: "Quantity", Field: "quantity", Kind: Whole, Required: true, Source: "license_positions.entitled_units, divided among the terms"},
				{Name: "Purchase price", Field: "annual_total", Kind: Money, Source: "license_costs.annual_spend, in proportion of the units"},
				{Name: "Purchase currency", Field: "currency", Kind: Text, Source: "license_costs.currency"},
				{Name: "Subscription valid from", Field: "effective_date", Kind: Day, Source: "license_costs.effective_date"},
				{Name: "Subscription valid to", Field: "expiry_date", Kind: Day, Source: "the day before license_costs.ending_date"},
				{Name: "Agreement number", Field: "contract", Kind: Text, Source: "license_costs.contract"},
				{Name: "Vendor", Field: "vendor", Kind: Text, Source: "license_costs.vendor"},
				{Name: "External ID", Field: "asset_tag", Kind: Text, Required: true, Source: "purchase number and part number, the same in every delivery"},
				{Name: "Notes", Field: "comments", Kind: Text, Source: "grace period, payment frequency"},
			},
		}},
		fill: fillPurchases("licenses"),
	}
}

// sam360 is the general licence details of SAM360's Office 365 import: every
// managed SKU, as Microsoft's own list has it.
func sam360() *Profile {
	return &Profile{
		Name: "sam360", Target: "SAM360: Office 365 general licence details", Formats: []Format{CSV}, Absent: Deletes,
		Needs: []string{"graph_subscribed_skus"},
		Sheets: []Sheet{{
			Name: "Office365LicenseDetails", Key: []string{"tenant_id", "sku_id"}, Label: []string{"tenant", "part_number"},
			Columns: []Column{
				{Name: "AccountName", Field: "tenant", Kind: Text, Required: true, Source: "the tenant's name in the configuration"},
				{Name: "SkuPartNumber", Field: "part_number", Kind: Text, Required: true, Source: "license_positions.sku_part_number"},
				{Name: "SkuName", Field: "product", Kind: Text, Required: true, Source: "license_positions.product_name"},
				{Name: "SkuId", Field: "sku_id", Kind: Text, Required: true, Source: "license_positions.sku_id"},
				{Name: "TargetClass", Field: "target_class", Kind: Text, Required: true, Values: []string{"User", "Tenant"}, Source: "license_positions.applies_to; Company is Tenant"},
				{Name: "ActiveUnits", Field: "enabled", Kind: Whole, Required: true, Source: "license_positions.enabled_units"},
				{Name: "ConsumedUnits", Field: "consumed", Kind: Whole, Required: true, Source: "license_positions.consumed_units"},
				{Name: "LockedOutUnits", Field: "locked_out", Kind: Whole, Required: true, Source: "license_positions.locked_out_units"},
				{Name: "SuspendedUnits", Field: "suspended", Kind: Whole, Required: true, Source: "license_positions.suspended_units"},
				{Name: "WarningUnits", Field: "warning", Kind: Whole, Required: true, Source: "license_positions.warning_units"},
			},
		}},
		fill: func(f *Facts, _ Options) (*filled, error) {
			m := &filled{records: map[string][]record{}}
			for i := range f.Positions {
				r := f.Positions[i].record()
				r["part_number"], r["target_class"] = f.Positions[i].Part(), "User"
				if f.Positions[i].AppliesTo == "Company" {
					r["target_class"] = "Tenant"
				}
				m.records["Office365LicenseDetails"] = append(m.records["Office365LicenseDetails"], r)
			}
			return m, nil
		},
	}
}

// record is the fields of a position.
func (p *Position) record() record {
	return record{
		"tenant_id": p.TenantID, "tenant": p.Tenant, "as_of_date": p.AsOf, "sku_id": p.SKUID, "part_number": p.PartNumber, "product": p.Product,
		"class": p.Class, "applies_to": p.AppliesTo, "status": p.Status,
		"enabled": value(p.Enabled), "warning": value(p.Warning), "suspended": value(p.Suspended), "locked_out": value(p.LockedOut),
		"entitled": value(p.Entitled), "consumed": value(p.Consumed), "available": value(p.Available), "assigned": value(p.Assigned),
		"active": value(p.Active), "inactive": value(p.Inactive), "never_active": value(p.NeverActive),
		"too_new": value(p.TooNew), "not_measurable": value(p.NotMeasurable),
	}
}

// generic is the project's own form, for tools without a profile: positions of all
// managed SKUs, the terms in force that pay for them, and hybrid positions.
func generic() *Profile {
	whole := func(name, field, source string) Column {
		return Column{Name: name, Field: field, Kind: Whole, Source: "license_positions." + source}
	}
	text := func(name, field, source string) Column {
		return Column{Name: name, Field: field, Kind: Text, Source: source}
	}
	hybrid := func(name string) Column {
		return Column{Name: name, Field: name, Kind: Whole, Source: "hybrid_positions." + name}
	}
	required := func(c Column) Column { c.Required = true; return c }
	return &Profile{
		Name: "generic", Target: "any tool: positions, terms and hybrid positions", Formats: []Format{CSV, Parquet, XLSX}, Absent: Deletes,
		Needs: []string{
			"graph_subscribed_skus", "license_terms", "graph_users", "graph_user_licenses", "graph_sign_ins", "report_office365_active_user_detail",
			"report_email_activity_user_detail", "report_m365_app_user_detail", "report_onedrive_usage_account_detail",
			"report_office365_activations_user_detail", "inventory_installations",
		},
		NeedsHybrids: true,
		Sheets: []Sheet{
			{
				Name: "license_positions", Worksheet: "license_positions", Key: []string{"tenant_id", "sku_id"}, Label: []string{"tenant", "part_number"},
				Columns: []Column{
					required(text("tenant_id", "tenant_id", "license_positions.tenant_id")),
					required(text("tenant", "tenant", "the tenant's name in the configuration")),
					{Name: "as_of_date", Field: "as_of_date", Kind: Day, Required: true, Source: "license_positions.as_of_date"},
					required(text("sku_id", "sku_id", "license_positions.sku_id")),
					text("sku_part_number", "part_number", "license_positions.sku_part_number"),
					required(text("product_name", "product", "license_positions.product_name")),
					required(text("license_class", "class", "license_positions.license_class")),
					text("applies_to", "applies_to", "license_positions.applies_to"),
					text("capability_status", "status", "license_positions.capability_status"),
					whole("enabled_units", "enabled", "enabled_units"),
					whole("warning_units", "warning", "warning_units"),
					whole("suspended_units", "suspended", "suspended_units"),
					whole("locked_out_units", "locked_out", "locked_out_units"),
					whole("entitled_units", "entitled", "entitled_units"),
					{Name: "is_in_grace", Field: "in_grace", Kind: Flag, Source: "whether warning_units are among the entitled ones"},
					whole("consumed_units", "consumed", "consumed_units"),
					whole("available_units", "available", "available_units"),
					whole("assigned_users", "assigned", "assigned_users"),
					whole("active_users", "active", "active_users"),
					whole("inactive_users", "inactive", "inactive_users"),
					whole("never_active_users", "never_active", "never_active_users"),
					whole("too_new_users", "too_new", "too_new_users"),
					whole("not_measurable_users", "not_measurable", "not_measurable_users"),
				},
			},
			{
				Name: "license_terms", Worksheet: "license_terms", Key: []string{"tenant_id", "line"}, Label: []string{"line", "purchase_id"},
				Columns: []Column{
					required(text("tenant_id", "tenant_id", "license_costs.tenant_id")),
					{Name: "line", Field: "line", Kind: Whole, Required: true, Source: "license_costs.line"},
					required(text("sku_id", "sku_id", "license_costs.sku_id")),
					text("purchase_id", "purchase_id", "license_costs.purchase_id"),
					{Name: "quantity", Field: "quantity", Kind: Whole, Required: true, Source: "license_costs.quantity"},
					{Name: "amount", Field: "amount", Kind: Money, Required: true, Source: "license_costs.amount: one payment, whole quantity"},
					{Name: "annual_spend", Field: "annual", Kind: Money, Required: true, Source: "license_costs.annual_spend"},
					required(text("currency", "currency", "license_costs.currency")),
					required(text("payment_frequency", "frequency", "license_costs.payment_frequency")),
					{Name: "effective_date", Field: "effective_date", Kind: Day, Required: true, Source: "license_costs.effective_date"},
					{Name: "ending_date", Field: "ending_date", Kind: Day, Source: "license_costs.ending_date: the first day after the term"},
					text("vendor", "vendor", "license_costs.vendor"),
					text("contract", "contract", "license_costs.contract"),
					text("cost_centre", "cost_centre", "license_costs.cost_centre"),
				},
			},
			{
				Name: "hybrid_positions", Worksheet: "hybrid_positions", Key: []string{"tenant_id", "family"}, Label: []string{"tenant", "family"},
				Columns: []Column{
					required(text("tenant_id", "tenant_id", "hybrid_positions.tenant_id")),
					required(text("tenant", "tenant", "the tenant's name in the configuration")),
					{Name: "as_of_date", Field: "as_of_date", Kind: Day, Required: true, Source: "hybrid_positions.as_of_date"},
					required(text("product_family", "family", "hybrid_positions.product_family")),
					hybrid("entitled"), hybrid("assigned"), hybrid("activated"), hybrid("installed"), hybrid("installed_users"), hybrid("matched"),
					hybrid("unlicensed_users"), hybrid("unresolved_devices"),
					hybrid("consumed"), hybrid("entitlements"), hybrid("at_risk"), hybrid("availability"),
					text("compliance_status", "compliance_status", "hybrid_positions.compliance_status"),
					text("status_reason", "status_reason", "hybrid_positions.status_reason"),
				},
			},
		},
		fill: fillGeneric,
	}
}

func fillGeneric(f *Facts, _ Options) (*filled, error) {
	m := &filled{records: map[string][]record{}}
	for i := range f.Positions {
		p := &f.Positions[i]
		r := p.record()
		if p.Warning != nil {
			r["in_grace"] = *p.Warning > 0
		}
		m.records["license_positions"] = append(m.records["license_positions"], r)
	}
	for i := range f.Terms {
		t := &f.Terms[i]
		m.records["license_terms"] = append(m.records["license_terms"], record{
			"tenant_id": t.TenantID, "line": t.Line, "sku_id": t.SKUID, "purchase_id": t.PurchaseID, "quantity": t.Quantity, "amount": t.Amount,
			"annual": t.Annual, "currency": t.Currency, "frequency": t.Frequency, "effective_date": t.Effective, "ending_date": value(t.Ending),
			"vendor": t.Vendor, "contract": t.Contract, "cost_centre": t.CostCentre,
		})
	}
	for i := range f.Hybrids {
		h := &f.Hybrids[i]
		m.records["hybrid_positions"] = append(m.records["hybrid_positions"], record{
			"tenant_id": h.TenantID, "tenant": h.Tenant, "as_of_date": h.AsOf, "family": h.Family,
			"entitled": value(h.Entitled), "assigned": value(h.Assigned), "activated": value(h.Activated), "installed": value(h.Installed),
			"installed_users": value(h.InstalledUsers), "matched": value(h.Matched), "unlicensed_users": value(h.UnlicensedUsers),
			"unresolved_devices": value(h.UnresolvedDevices), "consumed": value(h.Consumed), "entitlements": value(h.Entitlements),
			"at_risk": value(h.AtRisk), "availability": value(h.Availability), "compliance_status": h.Status, "status_reason": h.StatusReason,
		})
	}
	return m, nil
}

// normal is a column's name for comparing: letters and digits in lower case.
func normal(name string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c > 0x7f:
			return c
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		}
		return -1
	}, name)
}
