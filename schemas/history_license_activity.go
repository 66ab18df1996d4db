package schemas

// HistoryLicenseActivity is how many users used which service of which licence on the
// days that are over.
var HistoryLicenseActivity = &Table{
	Name: "history_license_activity", Version: 1,
	Doc:       "Users of each licence and service by their activity, of each day, as the last marts built of the day had them.",
	Grain:     "SKU x service; one row with the service Sign-in for a SKU that is judged by sign-ins",
	Key:       []string{"sku_id", "service"},
	Partition: "snapshot_date",
	Fields: []Field{
		tenantID(),
		historyDate("UTC day of the newest run that the figures knew. Computed."),
		{ID: 3, Name: "sku_id", Kind: UUID, Dict: true, Required: true, Doc: "SKU. Computed from license_activity_trend."},
		{ID: 4, Name: "service", Kind: String, Dict: true, Required: true, Doc: "One of the eleven services, or Sign-in. Computed from license_activity_trend."},
		{ID: 5, Name: "entitled_users", Kind: Int32, Required: true, Doc: "Users whose licence entitles the service. Computed from license_activity_trend."},
		{ID: 6, Name: "active_users", Kind: Int32, Required: true, Doc: "Of them, active. Computed from license_activity_trend."},
		{ID: 7, Name: "inactive_users", Kind: Int32, Required: true, Doc: "Of them, inactive. Computed from license_activity_trend."},
		{ID: 8, Name: "never_active_users", Kind: Int32, Required: true, Doc: "Of them, never active. Computed from license_activity_trend."},
		{ID: 9, Name: "too_new_users", Kind: Int32, Required: true, Doc: "Of them, with a licence too new to judge. Computed from license_activity_trend."},
		{ID: 10, Name: "not_measurable_users", Kind: Int32, Required: true, Doc: "Of them, not measured. Computed from license_activity_trend."},
	},
}
