package schemas

// HistoryUserLicenses is what became of licences from day to day. A licence about which
// nothing changed has no row.
var HistoryUserLicenses = &Table{
	Name: "history_user_licenses", Version: 1,
	Doc:       "Changes of held licences between snapshots: who got one, who lost one, which is assigned in another way.",
	Grain:     "user x SKU x day of a change; of the first day known, every licence that is held",
	Key:       []string{"user_id", "sku_id"},
	Partition: "snapshot_date",
	Fields: []Field{
		tenantID(),
		historyDate("UTC day of the first snapshot in which it is so. Computed."),
		{ID: 3, Name: "user_id", Kind: UUID, Required: true, Personal: ObjectID, Doc: "Object id of the user. Computed from graph_user_licenses.user_id."},
		{ID: 4, Name: "sku_id", Kind: UUID, Dict: true, Required: true, Doc: "SKU. Computed from graph_user_licenses.sku_id."},
		{ID: 5, Name: "is_held", Kind: Bool, Required: true, Doc: "Whether the user holds the licence in the snapshot. Computed."},
		{ID: 6, Name: "assigned_by", Kind: String, Dict: true, Doc: "direct, group or both; null of a licence that is lost, or when Graph gave no assignment state. Computed."},
	},
}
