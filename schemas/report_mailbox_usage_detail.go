package schemas

// ReportMailboxUsageDetail is the source of mail_usage_mb.
var ReportMailboxUsageDetail = &Table{
	Name: "report_mailbox_usage_detail", Version: 1, Format: CSV,
	Doc:       "Size of each mailbox, from getMailboxUsageDetail.",
	Grain:     "mailbox",
	Key:       []string{"user_principal_name"},
	Partition: "report_refresh_date",
	Fields: []Field{
		tenantID(),
		reportRefreshDate(),
		{ID: 3, Name: "user_principal_name", Kind: String, Personal: SignInName, From: "User Principal Name", Doc: "Sign-in name, case as the report gives it; \"(Unknown)\" or a hash when concealed."},
		{ID: 4, Name: "display_name", Kind: String, Personal: PersonName, From: "Display Name", Doc: "Display name."},
		{ID: 5, Name: "is_deleted", Kind: Bool, From: "Is Deleted", Doc: "Whether the account is deleted; such rows never count as activity."},
		{ID: 6, Name: "deleted_date", Kind: Date, Dict: true, From: "Deleted Date", Doc: "UTC day of the deletion."},
		{ID: 7, Name: "created_date", Kind: Date, Dict: true, From: "Created Date", Doc: "UTC day the mailbox was created."},
		{ID: 8, Name: "last_activity_date", Kind: Date, Dict: true, From: "Last Activity Date", Doc: "UTC day of the latest activity, all-time."},
		{ID: 9, Name: "item_count", Kind: Int64, From: "Item Count", Doc: "Item Count now."},
		{ID: 10, Name: "storage_used_byte", Kind: Int64, From: "Storage Used (Byte)", Doc: "Storage Used, bytes."},
		{ID: 11, Name: "issue_warning_quota_byte", Kind: Int64, From: "Issue Warning Quota (Byte)", Doc: "Issue Warning Quota, bytes."},
		{ID: 12, Name: "prohibit_send_quota_byte", Kind: Int64, From: "Prohibit Send Quota (Byte)", Doc: "Prohibit Send Quota, bytes."},
		{ID: 13, Name: "prohibit_send_receive_quota_byte", Kind: Int64, From: "Prohibit Send/Receive Quota (Byte)", Doc: "Prohibit Send/Receive Quota, bytes."},
		{ID: 14, Name: "deleted_item_count", Kind: Int64, From: "Deleted Item Count", Doc: "Deleted Item Count now."},
		{ID: 15, Name: "deleted_item_size_byte", Kind: Int64, From: "Deleted Item Size (Byte)", Doc: "Deleted Item Size, bytes."},
		{ID: 16, Name: "deleted_item_quota_byte", Kind: Int64, From: "Deleted Item Quota (Byte)", Doc: "Deleted Item Quota, bytes."},
		{ID: 17, Name: "has_archive", Kind: Bool, From: "Has Archive", Doc: "Whether an archive mailbox exists."},
		{ID: 18, Name: "report_period", Kind: Int32, From: "Report Period", Doc: "Days the counts cover."},
	},
}
