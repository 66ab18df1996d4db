package pipeline

// The optional sources of a tenant: what they hold is good to know, and a run
// without them is whole.
const (
	Subscriptions           = "subscriptions"
	UserRegistrationDetails = "user_registration_details"
	ReportSettings          = "report_settings"

	ReportCopilot = "getMicrosoft365CopilotUsageUserDetail"
)

// NonInteractiveSignIns are the sign-ins that clients make on behalf of users. They
// come many times as often as those that users take part in, so that a run reads them
// only when it is told to.
const NonInteractiveSignIns = "non_interactive_sign_ins"
