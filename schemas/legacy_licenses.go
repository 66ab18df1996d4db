package schemas

// LegacyLicenses is one row per licence of the user's list of those that older,
// separate integrations made in the ITAM tool.
var LegacyLicenses = &Table{
	Name: "legacy_licenses", Version: 1,
	Doc:       "Licences that older integrations made in the ITAM tool, from the user's list.",
	Grain:     "licence: a row of the list",
	Key:       []string{"line"},
	Partition: "snapshot_date",
	Fields: []Field{
		tenantID(),
		snapshotDate(),
		{ID: 3, Name: "line", Kind: Int32, Required: true, Doc: "Line of the file the licence stands on, from 1. Computed."},
		{ID: 4, Name: "license_id", Kind: String, Required: true, From: "license_id", Doc: "Id of the licence in the ITAM tool."},
		{ID: 5, Name: "name", Kind: String, Required: true, From: "name", Doc: "Name of the licence."},
		{ID: 6, Name: "integration", Kind: String, Dict: true, From: "integration", Doc: "Integration that made it, as the list names it."},
		{ID: 7, Name: "publisher", Kind: String, Dict: true, From: "publisher", Doc: "Publisher of the licensed product."},
		{ID: 8, Name: "sku", Kind: String, Dict: true, From: "sku", Doc: "SKU of the licence: a lower-case GUID, or a part number as it was written."},
		{ID: 9, Name: "status", Kind: String, Dict: true, From: "status", Doc: "Status in the ITAM tool, such as Active or Retired."},
		{ID: 10, Name: "quantity", Kind: Int64, From: "quantity", Doc: "Entitlements that the ITAM tool counts for it; null when the list does not say."},
		{ID: 11, Name: "purchases", Kind: String, From: "purchases", Doc: "Purchases linked to it, as the list names them."},
	},
}
