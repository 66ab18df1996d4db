package schemas

// ReportOneDriveUsageAccountDetail is the source of onedrive_usage_mb.
var ReportOneDriveUsageAccountDetail = &Table{
	Name: "report_onedrive_usage_account_detail", Version: 1, Format: CSV,
	Doc:       "Size of each OneDrive, from getOneDriveUsageAccountDetail.",
	Grain:     "site",
	Key:       []string{"site_id", "site_url", "owner_principal_name"},
	Partition: "report_refresh_date",
	Fields: []Field{
		tenantID(),
		reportRefreshDate(),
		{ID: 3, Name: "site_id", Kind: UUID, From: "Site Id", Doc: "Site; all zero when concealed."},
		{ID: 4, Name: "site_url", Kind: String, Personal: Place, From: "Site URL", Doc: "Address of the site."},
		{ID: 5, Name: "owner_display_name", Kind: String, Personal: PersonName, From: "Owner Display Name", Doc: "Owner's display name."},
		{ID: 6, Name: "is_deleted", Kind: Bool, From: "Is Deleted", Doc: "Whether the account is deleted; such rows never count as activity."},
		{ID: 7, Name: "last_activity_date", Kind: Date, Dict: true, From: "Last Activity Date", Doc: "UTC day of the latest activity, all-time."},
		{ID: 8, Name: "file_count", Kind: Int64, From: "File Count", Doc: "File Count now."},
		{ID: 9, Name: "active_file_count", Kind: Int64, From: "Active File Count", Doc: "Active File Count within the period."},
		{ID: 10, Name: "storage_used_byte", Kind: Int64, From: "Storage Used (Byte)", Doc: "Storage Used, bytes."},
		{ID: 11, Name: "storage_allocated_byte", Kind: Int64, From: "Storage Allocated (Byte)", Doc: "Storage Allocated, bytes."},
		{ID: 12, Name: "owner_principal_name", Kind: String, Personal: SignInName, From: "Owner Principal Name", Doc: "Owner's sign-in name; a hash when concealed."},
		{ID: 13, Name: "report_period", Kind: Int32, From: "Report Period", Doc: "Days the counts cover."},
	},
}
