package feed

// Columns, choices and the form of a cost are those of ServiceNow's help pages on
// importing entitlements and on software subscriptions and usage. A column's header
// is the field's label.

// serviceNowEntitlements is the bulk import of entitlements.
func serviceNowEntitlements() *Profile {
	return &Profile{
		Name: "servicenow-entitlements", Target: "ServiceNow SAM: entitlement import", Formats: []Format{XLSX, CSV}, Absent: Keeps,
		Needs: []string{"graph_subscribed_skus", "license_terms"}, Template: MayUseTemplate,
		Sheets: []Sheet{{
			Name: "entitlements", Worksheet: "Entitlements", Key: purchaseKey, Label: purchaseLabel,
			Columns: []Column{
				{Name: "Asset tag", Field: "asset_tag", Kind: Text, Required: true, Source: "purchase number and part number, the same in every delivery"},
				{Name: "Publisher part number", Field: "part_number", Kind: Text, Required: true, Source: "license_positions.sku_part_number"},
				{Name: "Publisher", Field: "publisher", Kind: Text, Required: true, Source: "always Microsoft"},
				{Name: "Product", Field: "product", Kind: Text, Required: true, Source: "license_positions.product_name"},
				{Name: "License type", Field: "license_type", Kind: Text, Required: true, Values: licenseTypes, Source: "always Subscription"},
				{Name: "Metric group", Field: "metric_group", Kind: Text, Required: true, Values: []string{"Microsoft"}, Source: "always Microsoft"},
				{Name: "License metric", Field: "license_metric", Kind: Text, Required: true, Values: []string{"User Subscription"}, Source: "always User Subscription"},
				{Name: "Purchased rights", Field: "quantity", Kind: Whole, Required: true, Source: "license_positions.entitled_units, divided among the terms"},
				{Name: "Unit cost", Field: "unit_cost", Kind: Text, Source: "currency and license_costs.amount / quantity, of one subscription period"},
				{Name: "Subscription period", Field: "period", Kind: Text, Values: periods, Source: "license_costs.payment_frequency"},
				{Name: "Start date", Field: "effective_date", Kind: Day, Source: "license_costs.effective_date"},
				{Name: "End date", Field: "expiry_date", Kind: Day, Source: "the day before license_costs.ending_date"},
				{Name: "PO number", Field: "purchase_id", Kind: Text, Source: "license_costs.purchase_id"},
				{Name: "Contract number", Field: "contract", Kind: Text, Source: "license_costs.contract"},
				{Name: "Vendor", Field: "vendor", Kind: Text, Source: "license_costs.vendor"},
				{Name: "Cost center", Field: "cost_centre", Kind: Text, Source: "license_costs.cost_centre"},
			},
		}},
		fill: fillEntitlements,
	}
}

var (
	licenseTypes = []string{
		"Perpetual", "Perpetual + Software Assurance", "Software Assurance", "Subscription", "Step-up", "Subscription Step-up", "Add-on", "From SA",
	}
	periods = []string{"Monthly", "Quarterly", "Annually", "Entire Subscription Period"}
)

func fillEntitlements(f *Facts, _ Options) (*filled, error) {
	lines, notices := f.lines(isBought)
	m := &filled{records: map[string][]record{}, notices: notices}
	for i := range lines {
		l := &lines[i]
		r := l.purchased()
		r["license_type"], r["metric_group"], r["license_metric"] = "Subscription", "Microsoft", "User Subscription"
		if l.Term != nil {
			r["purchase_id"] = l.Term.PurchaseID
		}
		if unit, ok := r["payment_unit"].(Decimal); ok {
			switch l.Term.Frequency {
			case "Monthly", "Quarterly", "Annually":
				r["period"] = l.Term.Frequency
			case "Once":
				r["period"] = "Entire Subscription Period"
			default: // the target has no such period: the cost of one year
				r["period"], unit = "Annually", r["annual_unit"].(Decimal)
			}
			r["unit_cost"] = l.Term.Currency + ";" + unit.short()
		}
		m.records["entitlements"] = append(m.records["entitlements"], r)
	}
	f.leftOut(m, isBought)
	return m, nil
}

// activitySources are the tables that tell when a licence was used last.
var activitySources = []string{
	"graph_users", "graph_user_licenses", "graph_sign_ins", "report_office365_active_user_detail",
	"report_email_activity_user_detail", "report_m365_app_user_detail", "report_onedrive_usage_account_detail",
}

// serviceNowSubscriptions is users' subscriptions. A user who no longer has one is
// delivered as not active.
func serviceNowSubscriptions() *Profile {
	return &Profile{
		Name: "servicenow-subscriptions", Target: "ServiceNow SAM: software subscriptions (samp_sw_subscription)", Formats: []Format{XLSX, CSV}, Absent: Tombstone,
		Needs: activitySources, NeedsAssignments: true, Template: MayUseTemplate,
		Sheets: []Sheet{{
			Name: "subscriptions", Worksheet: "Subscriptions", Key: []string{"tenant_id", "user_id", "sku_id"}, Label: []string{"upn", "part_number"}, Ended: "active", EndedValue: "false",
			Columns: []Column{
				{Name: "Display name", Field: "product", Kind: Text, Required: true, Source: "license_assignments.product_name"},
				{Name: "Publisher", Field: "publisher", Kind: Text, Required: true, Source: "always Microsoft"},
				{Name: "Product", Field: "product", Kind: Text, Required: true, Source: "license_assignments.product_name"},
				{Name: "User principal name", Field: "upn", Kind: Text, Required: true, Source: "users.user_principal_name"},
				{Name: "Subscription identifier", Field: "part_number", Kind: Text, Required: true, Source: "license_assignments.sku_part_number"},
				{Name: "Subscription assigned", Field: "assigned_date", Kind: Day, Source: "license_assignments.assigned_date"},
				{Name: "Last activity", Field: "last_activity", Kind: Day, Source: "license_assignments.last_activity_date, where evidence is complete"},
				{Name: "Active", Field: "active", Kind: Text, Required: true, Values: []string{"true", "false"}, Source: "true while the user holds the licence"},
				{Name: "Unlicensed subscription", Field: "unlicensed", Kind: Text, Required: true, Values: []string{"true", "false"}, Source: "always false"},
			},
		}},
		fill: fillSubscriptions,
	}
}

func fillSubscriptions(f *Facts, _ Options) (*filled, error) {
	m := &filled{records: map[string][]record{}}
	unknown := 0
	for i := range f.Assignments {
		a := &f.Assignments[i]
		if a.Class != "paid" {
			continue
		}
		r := a.record()
		r["active"], r["unlicensed"] = "true", "false"
		if a.Evidence != "complete" {
			unknown++
		}
		m.records["subscriptions"] = append(m.records["subscriptions"], r)
	}
	if unknown > 0 {
		m.notice("%d subscriptions have no last activity because not all that could tell was measured; the target takes an empty one for unused, so keep them out of its reclamation rules", unknown)
	}
	f.leftOut(m, func(p *Position) bool { return p.Class == "paid" })
	return m, nil
}

// record is the fields of an assignment. The last activity is given only where
// every source that could tell a later one was measured.
func (a *Assignment) record() record {
	r := record{
		"tenant_id": a.TenantID, "user_id": a.UserID, "sku_id": a.SKUID, "upn": a.UPN, "part_number": a.Part(), "product": a.Product,
		"publisher": "Microsoft", "assigned_date": value(a.AssignedDate),
	}
	if a.Evidence == "complete" {
		r["last_activity"] = value(a.LastActivity)
	}
	return r
}

// serviceNowUsage is when each user last used each product.
func serviceNowUsage() *Profile {
	return &Profile{
		Name: "servicenow-usage", Target: "ServiceNow SAM: software usage (samp_sw_usage)", Formats: []Format{XLSX, CSV}, Absent: Keeps,
		Needs: activitySources, NeedsAssignments: true, Template: MayUseTemplate,
		Sheets: []Sheet{{
			Name: "usage", Worksheet: "Usage", Key: []string{"tenant_id", "user_id", "sku_id"}, Label: []string{"upn", "part_number"},
			Columns: []Column{
				{Name: "Publisher", Field: "publisher", Kind: Text, Required: true, Source: "always Microsoft"},
				{Name: "Product", Field: "product", Kind: Text, Required: true, Source: "license_assignments.product_name"},
				{Name: "User", Field: "upn", Kind: Text, Required: true, Source: "users.user_principal_name"},
				{Name: "Reclamation type", Field: "reclamation", Kind: Text, Required: true, Values: []string{"Total Usage Time", "Last Used Date"}, Source: "always Last Used Date"},
				{Name: "Month", Field: "month", Kind: Whole, Required: true, Source: "of the last use"},
				{Name: "Year", Field: "year", Kind: Whole, Required: true, Source: "of the last use"},
				{Name: "Last used time", Field: "last_activity", Kind: Day, Required: true, Source: "license_assignments.last_activity_date"},
			},
		}},
		fill: fillUsage,
	}
}

func fillUsage(f *Facts, _ Options) (*filled, error) {
	m := &filled{records: map[string][]record{}}
	without := 0
	for i := range f.Assignments {
		a := &f.Assignments[i]
		if a.Class != "paid" {
			continue
		}
		if a.Evidence != "complete" || a.LastActivity == nil {
			without++
			continue
		}
		r := a.record()
		r["reclamation"], r["month"], r["year"] = "Last Used Date", int64(a.LastActivity.Month()), int64(a.LastActivity.Year())
		m.records["usage"] = append(m.records["usage"], r)
	}
	if without > 0 {
		m.notice("%d licences of users have no row: no use of them was seen, or not all that could tell was measured", without)
	}
	return m, nil
}
