package schemas

// LicenseTerms is one row per row of the user's file of licence terms. Facts read
// from Graph never overwrite it.
var LicenseTerms = &Table{
	Name: "license_terms", Version: 1,
	Doc:       "What is paid for licences, from the user's file of licence terms.",
	Grain:     "term: a row of the file",
	Key:       []string{"line"},
	Partition: "snapshot_date",
	Fields: []Field{
		tenantID(),
		snapshotDate(),
		{ID: 3, Name: "line", Kind: Int32, Required: true, Doc: "Line of the file the term begins on, from 1. Computed."},
		{ID: 4, Name: "purchase_id", Kind: String, From: "purchase_id", Doc: "Identifier of the purchase, such as the number of the order."},
		{ID: 5, Name: "sku", Kind: String, Dict: true, Required: true, From: "sku", Doc: "SKU paid for: a lower-case GUID, or a part number as it was written."},
		{ID: 6, Name: "quantity", Kind: Int64, Required: true, From: "quantity", Doc: "Units the term pays for, 1 or more."},
		{ID: 7, Name: "amount", Kind: String, Required: true, From: "amount", Doc: "Money of one payment for the whole quantity: a decimal with four places, such as 1234.5000. Computed from unit_amount when the file gives that."},
		{ID: 8, Name: "unit_amount", Kind: String, From: "unit_amount", Doc: "Money of one payment for one unit, a decimal with four places; null when the file gives the amount."},
		{ID: 9, Name: "fees", Kind: String, Required: true, From: "fees", Doc: "Further money of one payment that is not for units: a decimal with four places, 0.0000 when the file gives none."},
		{ID: 10, Name: "currency", Kind: String, Dict: true, Required: true, From: "currency", Doc: "ISO 4217 code, upper case."},
		{ID: 11, Name: "payment_frequency", Kind: String, Dict: true, Required: true, From: "payment_frequency", Doc: "Once, Monthly, Quarterly, Semi-Annually, Annually, Every 18 Months, Biannually (every two years) or Triennially."},
		{ID: 12, Name: "effective_date", Kind: Date, Required: true, From: "effective_date", Doc: "First day of the term."},
		{ID: 13, Name: "ending_date", Kind: Date, From: "ending_date", Doc: "First day after the term; null for a term without end."},
		{ID: 14, Name: "vendor", Kind: String, Dict: true, From: "vendor", Doc: "Whom it is bought from."},
		{ID: 15, Name: "contract", Kind: String, Dict: true, From: "contract", Doc: "Contract it is bought under."},
		{ID: 16, Name: "cost_centre", Kind: String, Dict: true, From: "cost_centre", Doc: "Who bears the cost."},
	},
}
