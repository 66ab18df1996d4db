package feed

// Limits and columns of Flexera's tools are those of its help pages: the purchase
// order upload, the business importer's purchase order and licence files, and the
// table of imported software licences.

// Limits of a text that consists of levels between slashes.
const (
	maxLevels = 500
	maxLevel  = 64
)

// purchaseKey does not have the line's number, which shifts when a licence comes
// under an old purchase.
var purchaseKey = []string{"tenant_id", "reference", "sku_id", "ordinal"}

var purchaseLabel = []string{"tenant", "part_number", "reference"}

// fnmsPurchases is the purchase order upload, whose columns are those of the
// template that the customer downloads from the own server.
func fnmsPurchases() *Profile {
	return &Profile{
		Name: "fnms-purchases", Target: "Flexera ITAM / FlexNet Manager Suite: purchase order upload", Formats: []Format{CSV, XLSX}, Absent: Keeps,
		Needs: []string{"graph_subscribed_skus", "license_terms"}, Template: MustUseTemplate,
		Sheets: []Sheet{{
			Name: "purchases", Key: purchaseKey, Label: purchaseLabel,
			Columns: []Column{
				{Name: "Purchase Order No.", Field: "reference", Kind: Text, Labels: []string{"Purchase order number", "PurchaseOrderNo", "PO number", "PO no."}, Source: "license_costs.purchase_id, else M365-tenant-part number"},
				{Name: "Purchase order line", Field: "sequence", Kind: Whole, Labels: []string{"Sequence number", "Line", "Line number", "Sequence no."}, Source: "counted within the purchase order"},
				{Name: "Item", Field: "description", Kind: Text, Required: true, Labels: []string{"Item description", "Description", "Purchase description"}, Source: "license_positions.product_name"},
				{Name: "Part no./SKU", Field: "part_number", Kind: Text, Labels: []string{"Part no.", "Part number", "SKU", "PartNo"}, Source: "license_positions.sku_part_number"},
				{Name: "Purchase quantity", Field: "quantity", Kind: Whole, Required: true, Labels: []string{"Quantity", "Purchased quantity"}, Source: "license_positions.entitled_units, divided among the terms"},
				{Name: "Quantity per unit", Field: "units_each", Kind: Whole, Labels: []string{"Qty per unit"}, Source: "always 1"},
				{Name: "Effective quantity", Field: "quantity", Kind: Whole, Source: "as Purchase quantity"},
				{Name: "Publisher", Field: "publisher", Kind: Text, Labels: []string{"Publisher name", "Manufacturer"}, Source: "always Microsoft"},
				{Name: "Vendor", Field: "vendor", Kind: Text, Labels: []string{"Vendor name", "Reseller"}, Source: "license_costs.vendor"},
				{Name: "Purchase type", Field: "purchase_type", Kind: Text, Source: "always Software subscription"},
				{Name: "Purchase date", Field: "effective_date", Kind: Day, Source: "license_costs.effective_date"},
				{Name: "Effective date", Field: "effective_date", Kind: Day, Labels: []string{"Effective/Agreement date", "Agreement date", "Start date"}, Source: "license_costs.effective_date"},
				{Name: "Expiry date", Field: "expiry_date", Kind: Day, Labels: []string{"Expiration date", "End date"}, Source: "the day before license_costs.ending_date"},
				{Name: "Contract No.", Field: "contract", Kind: Text, Max: 64, Labels: []string{"Contract number", "ContractNo"}, Source: "license_costs.contract"},
				{Name: "Cost center", Field: "cost_centre", Kind: Text, Max: maxLevels, Level: maxLevel, Labels: []string{"Cost centre", "CostCenter"}, Source: "license_costs.cost_centre"},
				{Name: "Unit price", Field: "annual_unit", Kind: Money, Source: "license_costs.annual_spend / quantity"},
				{Name: "Total price", Field: "annual_total", Kind: Money, Source: "license_costs.annual_spend, in proportion of the units"},
				{Name: "Currency", Field: "currency", Kind: Text, Max: 32, Labels: []string{"Currency code", "Unit price currency", "Total price currency"}, Source: "license_costs.currency"},
				{Name: "Comments", Field: "comments", Kind: Text, Max: 4000, Labels: []string{"Comment", "Notes"}, Source: "grace period, payment frequency, units without a term"},
				// For mappings to choose.
				{Name: "Unit price of one payment", Field: "payment_unit", Kind: Money, Source: "license_costs.unit_amount, else amount / quantity"},
				{Name: "Total price of one payment", Field: "payment_total", Kind: Money, Source: "license_costs.amount, in proportion of the units"},
				{Name: "Payment frequency", Field: "frequency", Kind: Text, Source: "license_costs.payment_frequency"},
				{Name: "SKU id", Field: "sku_id", Kind: Text, Source: "license_positions.sku_id"},
				{Name: "Tenant", Field: "tenant", Kind: Text, Source: "the tenant's name in the configuration"},
				// Known labels of the template that the lake has nothing to say of.
				{Name: "Authorized by Email", Kind: Text, Source: "empty"},
				{Name: "Status", Kind: Text, Source: "empty"},
				{Name: "Invoice number", Kind: Text, Labels: []string{"Invoice no."}, Source: "empty"},
				{Name: "Invoice date", Kind: Day, Source: "empty"},
				{Name: "Shipping date", Kind: Day, Source: "empty"},
				{Name: "Shipping location", Kind: Text, Source: "empty"},
				{Name: "Product pool", Kind: Text, Source: "empty"},
				{Name: "Product points", Kind: Text, Source: "empty"},
				{Name: "Corporate unit", Kind: Text, Max: maxLevels, Level: maxLevel, Labels: []string{"Business unit"}, Source: "empty"},
				{Name: "Location", Kind: Text, Max: maxLevels, Level: maxLevel, Source: "empty"},
				{Name: "Category", Kind: Text, Max: maxLevels, Level: maxLevel, Source: "empty"},
			},
		}},
		fill: fillPurchases("purchases"),
	}
}

// fillPurchases makes the lines of what is bought the rows of one sheet.
func fillPurchases(sheet string) func(*Facts, Options) (*filled, error) {
	return func(f *Facts, _ Options) (*filled, error) {
		lines, notices := f.lines(isBought)
		m := &filled{records: map[string][]record{sheet: {}}, notices: notices}
		for i := range lines {
			m.records[sheet] = append(m.records[sheet], lines[i].purchased())
		}
		f.leftOut(m, isBought)
		return m, nil
	}
}

// fnmsPurchaseOrder is the business importer's purchase order. All amounts of a
// file must be in one currency, so there is one for each.
func fnmsPurchaseOrder() *Profile {
	empty := func(name string, k Kind) Column { return Column{Name: name, Kind: k, Source: "empty"} }
	return &Profile{
		Name: "fnms-purchase-order", Target: "FlexNet Manager Suite business importer: purchase order", Formats: []Format{CSV}, Absent: Keeps,
		Needs: []string{"graph_subscribed_skus", "license_terms"}, Template: MayUseTemplate,
		Sheets: []Sheet{{
			Name: "PurchaseOrder", Key: purchaseKey, Label: purchaseLabel, byCurrency: true,
			Columns: []Column{
				{Name: "BusinessUnit", Kind: Text, Max: maxLevels, Level: maxLevel, Source: "empty"},
				{Name: "Category", Kind: Text, Max: maxLevels, Level: maxLevel, Source: "empty"},
				{Name: "Comments", Field: "comments", Kind: Text, Max: 4000, Source: "grace period, payment frequency, units without a term"},
				{Name: "ContractNo", Field: "contract", Kind: Text, Max: 64, Source: "license_costs.contract"},
				{Name: "CostCenter", Field: "cost_centre", Kind: Text, Max: maxLevels, Level: maxLevel, Source: "license_costs.cost_centre"},
				{Name: "CurrencyCode", Field: "currency", Kind: Text, Max: 32, Source: "license_costs.currency"},
				empty("CurrencyDate", Day),
				empty("CurrencyRate", Money),
				empty("InvoiceDate", Day),
				empty("InvoiceNo", Text),
				{Name: "ItemDescription", Field: "description", Kind: Text, Required: true, Source: "license_positions.product_name"},
				{Name: "LicensePartNo", Field: "part_number", Kind: Text, Source: "license_positions.sku_part_number"},
				empty("Location", Text),
				{Name: "PartNo", Field: "part_number", Kind: Text, Source: "license_positions.sku_part_number"},
				{Name: "PublisherName", Field: "publisher", Kind: Text, Source: "always Microsoft"},
				{Name: "PurchaseDate", Field: "effective_date", Kind: Day, Source: "license_costs.effective_date"},
				{Name: "PurchaseOrderNo", Field: "reference", Kind: Text, Required: true, Source: "license_costs.purchase_id, else M365-tenant-part number"},
				{Name: "PurchaseQuantity", Field: "quantity", Kind: Whole, Required: true, Source: "license_positions.entitled_units, divided among the terms"},
				{Name: "PurchaseType", Field: "purchase_type", Kind: Text, Source: "always Software subscription"},
				{Name: "QuantityPerUnit", Field: "units_each", Kind: Whole, Source: "always 1"},
				empty("RequestDate", Day),
				empty("RequestNo", Text),
				empty("SalesTax", Money),
				{Name: "SequenceNumber", Field: "sequence", Kind: Whole, Required: true, Source: "counted within the purchase order"},
				empty("ShippingAndHandling", Money),
				empty("ShippingDate", Day),
				empty("Status", Text),
				{Name: "TotalPrice", Field: "annual_total", Kind: Money, Source: "license_costs.annual_spend, in proportion of the units"},
				{Name: "UnitPrice", Field: "annual_unit", Kind: Money, Source: "license_costs.annual_spend / quantity"},
				{Name: "VendorName", Field: "vendor", Kind: Text, Source: "license_costs.vendor"},
			},
		}},
		fill: fillPurchases("PurchaseOrder"),
	}
}

// fnmsLicense is the business importer's licence: one a SKU, with its position.
func fnmsLicense() *Profile {
	return &Profile{
		Name: "fnms-license", Target: "FlexNet Manager Suite business importer: licence", Formats: []Format{CSV}, Absent: Keeps,
		Needs: []string{"graph_subscribed_skus"}, Template: MayUseTemplate,
		Sheets: []Sheet{{
			Name: "License", Key: []string{"tenant_id", "sku_id"}, Label: []string{"tenant", "part_number"},
			Columns: []Column{
				{Name: "BusinessUnit", Kind: Text, Max: maxLevels, Level: maxLevel, Source: "empty"},
				{Name: "Category", Kind: Text, Max: maxLevels, Level: maxLevel, Source: "empty"},
				{Name: "ChargesAmount", Kind: Money, Source: "empty: a charge for each computer, which is not what a licence costs"},
				{Name: "ChargesFrequency", Kind: Text, Values: []string{"Weekly", "Monthly", "Quarterly", "Yearly", "Lump Sum"}, Source: "empty, as ChargesAmount"},
				{Name: "Comments", Field: "comments", Kind: Text, Max: 4000, Source: "grace period"},
				{Name: "ComplianceStatus", Field: "compliance", Kind: Text, Max: 100, Values: []string{"Compliant", "At Risk", "Unknown", "Not Tracked"}, Source: "At Risk where license_positions.available_units is negative"},
				{Name: "ContractNo", Field: "contract", Kind: Text, Max: 60, Source: "license_costs.contract, when all terms of the licence name one"},
				{Name: "ConsumedCount", Field: "consumed", Kind: Whole, Source: "license_positions.consumed_units"},
				{Name: "EntitlementCount", Field: "entitled", Kind: Whole, Required: true, Source: "license_positions.entitled_units"},
				{Name: "ExpiryDate", Field: "expiry_date", Kind: Day, Source: "the day before the latest license_costs.ending_date; empty when a term has no end"},
				{Name: "IsSubscription", Field: "is_subscription", Kind: Flag, Source: "always true"},
				{Name: "LicenseName", Field: "name", Kind: Text, Max: 256, Required: true, Source: "license_positions.product_name (tenant): a name is one licence there"},
				{Name: "LicenseType", Field: "license_type", Kind: Text, Source: "always Named User"},
				{Name: "PartNo", Field: "part_number", Kind: Text, Max: 100, Source: "license_positions.sku_part_number"},
				{Name: "PublisherName", Field: "publisher", Kind: Text, Source: "always Microsoft"},
			},
		}},
		fill: fillLicenses,
	}
}

func fillLicenses(f *Facts, _ Options) (*filled, error) {
	isLicence := func(p *Position) bool {
		used := p.Consumed == nil || *p.Consumed > 0 || p.Assigned != nil && *p.Assigned > 0
		return p.Class == "paid" && p.AppliesTo != "Company" && (p.Entitled == nil || *p.Entitled > 0 || used)
	}
	m := &filled{records: map[string][]record{}}
	for i := range f.Positions {
		p := &f.Positions[i]
		if !isLicence(p) {
			continue
		}
		r := record{
			"tenant_id": p.TenantID, "tenant": p.Tenant, "sku_id": p.SKUID, "name": p.Product + " (" + p.Tenant + ")", "part_number": p.Part(), "publisher": "Microsoft",
			"license_type": "Named User", "is_subscription": true, "entitled": value(p.Entitled), "consumed": value(p.Consumed), "compliance": compliance(p),
			"comments": p.grace(),
		}
		f.contract(p, r)
		m.records["License"] = append(m.records["License"], r)
	}
	f.leftOut(m, isLicence)
	return m, nil
}

// compliance is the target's word for a position.
func compliance(p *Position) string {
	switch {
	case p.Available == nil:
		return "Unknown"
	case *p.Available < 0:
		return "At Risk"
	}
	return "Compliant"
}

// contract gives a licence the contract and the end that its terms agree on.
func (f *Facts) contract(p *Position, r record) {
	first := true
	for i := range f.Terms {
		t := &f.Terms[i]
		if t.TenantID != p.TenantID || t.SKUID != p.SKUID {
			continue
		}
		switch {
		case first:
			r["contract"] = t.Contract
		case r["contract"] != t.Contract:
			r["contract"] = nil
		}
		if t.Ending == nil {
			r["expiry_date"], r["endless"] = nil, true
		} else if last := t.Ending.AddDate(0, 0, -1); r["endless"] == nil && isAfter(last, r["expiry_date"]) {
			r["expiry_date"] = last
		}
		first = false
	}
}
