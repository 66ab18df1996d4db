package schemas

// GraphReportSettings is how the tenant has its usage reports. It says at first
// hand whether they hide names, also for reports too short to tell by their rows.
var GraphReportSettings = &Table{
	Name: "graph_report_settings", Version: 1, Format: JSON,
	Doc:       "Setting of the usage reports, from GET /v1.0/admin/reportSettings. Optional: needs ReportSettings.Read.All.",
	Grain:     "tenant",
	Key:       []string{"tenant_id"},
	Partition: "snapshot_date",
	Fields: []Field{
		tenantID(),
		snapshotDate(),
		{ID: 3, Name: "display_concealed_names", Kind: Bool, From: "displayConcealedNames", Doc: "Whether usage reports show hashes in place of names of users, groups and sites."},
	},
	Ignored: []string{"id"},
}
