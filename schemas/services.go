package schemas

// Service is one of the eleven services whose use is tracked, by the label that
// the stored tables, the marts and the feeds show.
type Service string

// The services. Six are measured by the active user report, Outlook by the
// e-mail activity report, the last four by sign-ins.
const (
	Exchange    Service = "Microsoft Exchange Server"
	OneDrive    Service = "OneDrive"
	SharePoint  Service = "SharePoint"
	Skype       Service = "Skype for Business"
	Yammer      Service = "Yammer"
	Teams       Service = "Microsoft Teams"
	Outlook     Service = "Outlook"
	Dynamics365 Service = "Dynamics 365"
	PowerBI     Service = "Power BI"
	Project     Service = "Project"
	Visio       Service = "Visio"
)

// Services is the eleven in their fixed order.
func Services() []Service {
	return []Service{Exchange, OneDrive, SharePoint, Skype, Yammer, Teams, Outlook, Dynamics365, PowerBI, Project, Visio}
}
