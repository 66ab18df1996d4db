package schemas

// ReportMicrosoft365CopilotUsageUserDetail is who used Microsoft 365 Copilot, of those who hold
// a licence for it.
var ReportMicrosoft365CopilotUsageUserDetail = &Table{
	Name: "report_microsoft365_copilot_usage_user_detail", Version: 1, Format: CSV,
	Doc:       "Last use of Microsoft 365 Copilot per licensed user and application, from getMicrosoft365CopilotUsageUserDetail. Optional: tenants without Copilot have none.",
	Grain:     "user",
	Key:       []string{"user_principal_name"},
	Partition: "report_refresh_date",
	Fields: []Field{
		tenantID(),
		reportRefreshDate(),
		{ID: 3, Name: "user_principal_name", Kind: String, Personal: SignInName, From: "User Principal Name", Doc: "Sign-in name, case as the report gives it; a hash when concealed."},
		{ID: 4, Name: "display_name", Kind: String, Personal: PersonName, From: "Display Name", Doc: "Display name."},
		{ID: 5, Name: "last_activity_date", Kind: Date, Dict: true, From: "Last Activity Date", Doc: "UTC day of the latest use of Copilot in any application, all-time."},
		{ID: 6, Name: "copilot_chat_last_activity_date", Kind: Date, Dict: true, From: "Copilot Chat Last Activity Date", Doc: "UTC day of the latest use of Copilot Chat."},
		{ID: 7, Name: "microsoft_teams_copilot_last_activity_date", Kind: Date, Dict: true, From: "Microsoft Teams Copilot Last Activity Date", Doc: "UTC day of the latest use in Microsoft Teams."},
		{ID: 8, Name: "word_copilot_last_activity_date", Kind: Date, Dict: true, From: "Word Copilot Last Activity Date", Doc: "UTC day of the latest use in Word."},
		{ID: 9, Name: "excel_copilot_last_activity_date", Kind: Date, Dict: true, From: "Excel Copilot Last Activity Date", Doc: "UTC day of the latest use in Excel."},
		{ID: 10, Name: "powerpoint_copilot_last_activity_date", Kind: Date, Dict: true, From: "PowerPoint Copilot Last Activity Date", Doc: "UTC day of the latest use in PowerPoint."},
		{ID: 11, Name: "outlook_copilot_last_activity_date", Kind: Date, Dict: true, From: "Outlook Copilot Last Activity Date", Doc: "UTC day of the latest use in Outlook."},
		{ID: 12, Name: "onenote_copilot_last_activity_date", Kind: Date, Dict: true, From: "OneNote Copilot Last Activity Date", Doc: "UTC day of the latest use in OneNote."},
		{ID: 13, Name: "loop_copilot_last_activity_date", Kind: Date, Dict: true, From: "Loop Copilot Last Activity Date", Doc: "UTC day of the latest use in Loop."},
		{ID: 14, Name: "report_period", Kind: Int32, From: "Report Period", Doc: "Days the counts cover."},
		{ID: 15, Name: "prompts_submitted_for_all_apps", Kind: Int64, From: "Prompts submitted for all apps", Doc: "Prompts within the period. Null in reports of version 1, as are the columns below."},
		{ID: 16, Name: "prompts_submitted_for_copilot_chat_work", Kind: Int64, From: "Prompts submitted for Copilot Chat (work)", Doc: "Prompts to Copilot Chat over the tenant's data within the period."},
		{ID: 17, Name: "prompts_submitted_for_copilot_chat_web", Kind: Int64, From: "Prompts submitted for Copilot Chat (web)", Doc: "Prompts to Copilot Chat over the web within the period."},
		{ID: 18, Name: "active_usage_days_for_all_apps", Kind: Int32, From: "Active Usage Days for all apps", Doc: "Days with use within the period."},
		{ID: 19, Name: "copilot_chat_work_last_activity_date", Kind: Date, Dict: true, From: "Copilot Chat (work) Last Activity Date", Doc: "UTC day of the latest use of Copilot Chat over the tenant's data."},
		{ID: 20, Name: "copilot_chat_web_last_activity_date", Kind: Date, Dict: true, From: "Copilot Chat (web) Last Activity Date", Doc: "UTC day of the latest use of Copilot Chat over the web."},
		{ID: 21, Name: "microsoft_365_copilot_last_activity_date", Kind: Date, Dict: true, From: "Microsoft 365 Copilot Last Activity Date", Doc: "UTC day of the latest use of the Microsoft 365 Copilot application."},
		{ID: 22, Name: "edge_last_activity_date", Kind: Date, Dict: true, From: "Edge Last Activity Date", Doc: "UTC day of the latest use in Edge."},
		{ID: 23, Name: "copilot_agent_last_activity_date", Kind: Date, Dict: true, From: "Copilot Agent Last Activity Date", Doc: "UTC day of the latest use of an agent."},
	},
}
