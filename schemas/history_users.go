package schemas

// HistoryUsers is what became of users from day to day. A user about whom nothing
// changed has no row.
var HistoryUsers = &Table{
	Name: "history_users", Version: 1,
	Doc:       "Changes of users between snapshots: who came, who went, whose account was switched on or off.",
	Grain:     "user x day of a change; of the first day known, every user",
	Key:       []string{"user_id"},
	Partition: "snapshot_date",
	Fields: []Field{
		tenantID(),
		historyDate("UTC day of the first snapshot in which it is so. Computed."),
		{ID: 3, Name: "user_id", Kind: UUID, Required: true, Personal: ObjectID, Doc: "Object id of the user. Computed from graph_users.id."},
		{ID: 4, Name: "is_present", Kind: Bool, Required: true, Doc: "Whether the user is in the snapshot. Computed."},
		{ID: 5, Name: "account_enabled", Kind: Bool, Doc: "Whether sign-in is allowed; null of a user who is gone. Computed from graph_users.account_enabled, of which null is true."},
	},
}
