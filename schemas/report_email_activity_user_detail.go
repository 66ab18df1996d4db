package schemas

// ReportEmailActivityUserDetail is the source of the service Outlook.
var ReportEmailActivityUserDetail = &Table{
	Name: "report_email_activity_user_detail", Version: 1, Format: CSV,
	Doc:       "E-mail activity per user, from getEmailActivityUserDetail.",
	Grain:     "user",
	Key:       []string{"user_principal_name"},
	Partition: "report_refresh_date",
	Fields: []Field{
		tenantID(),
		reportRefreshDate(),
		{ID: 3, Name: "user_principal_name", Kind: String, Personal: SignInName, From: "User Principal Name", Doc: "Sign-in name, case as the report gives it; \"(Unknown)\" or a hash when concealed."},
		{ID: 4, Name: "display_name", Kind: String, Personal: PersonName, From: "Display Name", Doc: "Display name."},
		{ID: 5, Name: "is_deleted", Kind: Bool, From: "Is Deleted", Doc: "Whether the account is deleted; such rows never count as activity."},
		{ID: 6, Name: "deleted_date", Kind: Date, Dict: true, From: "Deleted Date", Doc: "UTC day of the deletion."},
		{ID: 7, Name: "last_activity_date", Kind: Date, Dict: true, From: "Last Activity Date", Doc: "UTC day of the latest activity, all-time."},
		{ID: 8, Name: "send_count", Kind: Int64, From: "Send Count", Doc: "Send Count within the period."},
		{ID: 9, Name: "receive_count", Kind: Int64, From: "Receive Count", Doc: "Receive Count within the period."},
		{ID: 10, Name: "read_count", Kind: Int64, From: "Read Count", Doc: "Read Count within the period."},
		{ID: 11, Name: "meeting_created_count", Kind: Int64, From: "Meeting Created Count", Doc: "Meeting Created Count within the period."},
		{ID: 12, Name: "meeting_interacted_count", Kind: Int64, From: "Meeting Interacted Count", Doc: "Meeting Interacted Count within the period."},
		{ID: 13, Name: "assigned_products", Kind: List, From: "Assigned Products", Doc: "Product display names, upper case; not a source for licences.",
			Elem: &Field{ID: 14, Name: "element", Kind: String, Dict: true, Doc: "One product display name."}},
		{ID: 15, Name: "report_period", Kind: Int32, From: "Report Period", Doc: "Days the counts cover."},
	},
}
