package pipeline

// The optional sources of a tenant: what they hold is good to know, and a run
// without them is whole.
const (
	Subscriptions           = "subscriptions"
	UserRegistrationDetails = "user_registration_details"
	ReportSettings          = "report_settings"

	ReportCopilot = "getMicrosoft365CopilotUsageUserDetail"
)
