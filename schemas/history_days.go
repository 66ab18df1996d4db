package schemas

// HistoryDays is the days that history knows. A day that is not there is a gap: nobody
// read the tenant's users on it.
var HistoryDays = &Table{
	Name: "history_days", Version: 1,
	Doc:       "Days whose users and licences are in the history, and of which files it was made.",
	Grain:     "day",
	Key:       []string{"snapshot_date"},
	Partition: "snapshot_date",
	Fields: []Field{
		tenantID(),
		historyDate("UTC day of the snapshot that the history tells of. Computed."),
		{ID: 3, Name: "users", Kind: Int64, Required: true, Doc: "Users of the day's snapshot. Computed."},
		{ID: 4, Name: "licenses", Kind: Int64, Required: true, Doc: "Licences held in the day's snapshot, user x SKU. Computed."},
		{ID: 5, Name: "sources_sha256", Kind: String, Required: true, Doc: "SHA-256 over the SHA-256 of the day's files of graph_users and graph_user_licenses, which were read; other files make the history of the day anew. Computed."},
		{ID: 6, Name: "marts_version", Kind: Int64, Doc: "Lake version of the marts that the day's positions are of; null when no marts were built of the day. Computed."},
	},
}

// historyDate is the partition column of the history's tables.
func historyDate(doc string) Field {
	return Field{ID: 2, Name: "snapshot_date", Kind: Date, Dict: true, Required: true, Doc: doc}
}
