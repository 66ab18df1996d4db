package graphsim

import (
	"sort"
	"time"
)

// app is an application as sign-ins name it, with the resource it asked a token
// for, and the service that such a sign-in shows use of.
type app struct {
	id, name, resource, resourceName, client string
	shows                                    service
}

const (
	browser = "Browser"
	desktop = "Mobile Apps and Desktop clients"
)

// everyday are applications that show use of none of the four sign-in services,
// some of them near misses.
var everyday = []app{
	{"9199bf20-a13f-4107-85dc-02114787ef48", "One Outlook Web", "00000002-0000-0ff1-ce00-000000000000", "Office 365 Exchange Online", browser, 0},
	{"1fec8e78-bce4-4aaf-ab1b-5451cc387264", "Microsoft Teams", "00000003-0000-0000-c000-000000000000", "Microsoft Graph", desktop, 0},
	{"4765445b-32c6-49b0-83e6-1d93765276ca", "OfficeHome", "00000003-0000-0000-c000-000000000000", "Microsoft Graph", browser, 0},
	{"d3590ed6-52b3-4102-aeff-aad2292ab01c", "Microsoft Office", "00000002-0000-0ff1-ce00-000000000000", "Office 365 Exchange Online", desktop, 0},
	{"de8bc8b5-d9f9-48b1-a8ad-b748da725064", "Graph Explorer", "00000003-0000-0000-c000-000000000000", "Microsoft Graph", browser, 0},
	// Planner looks like Project, and Power Apps shares Dataverse with Dynamics 365.
	{"09abbdfd-ed23-44ee-a2d9-a627aa1c90f3", "ProjectWorkManagement", "00000003-0000-0000-c000-000000000000", "Microsoft Graph", browser, 0},
	{"a8f7a65c-f5ba-4859-b2d6-df772c264e9d", "Power Apps Runtime", "00000007-0000-0000-c000-000000000000", "Dataverse", browser, 0},
	// A refresh of data is no use of Power BI by a person.
	{"b52893c8-bc2e-47fc-918b-77022b299bbc", "Power BI Data Refresh", "00000003-0000-0000-c000-000000000000", "Microsoft Graph", desktop, 0},
	{"5d3f9a80-6c1e-4b52-9d0c-2f8e71a4b6c3", "Expenses (SAML)", "5d3f9a80-6c1e-4b52-9d0c-2f8e71a4b6c3", "Expenses (SAML)", browser, 0},
}

// telling are the applications of the four services.
var telling = []app{
	{"996def3d-b36c-4153-8607-a6fd3c01b89f", "Dynamics 365 Business Central", "996def3d-b36c-4153-8607-a6fd3c01b89f", "Dynamics 365 Business Central", browser, dynamics},
	{"00000015-0000-0000-c000-000000000000", "Microsoft Dynamics ERP", "00000015-0000-0000-c000-000000000000", "Microsoft Dynamics ERP", browser, dynamics},
	{"ce9f9f18-dd0c-473e-b9b2-47812435e20d", "Microsoft Dynamics CRM for tablets and phones", "00000007-0000-0000-c000-000000000000", "Dataverse", desktop, dynamics},
	{"871c010f-5e61-4fb1-83ac-98610a7e9110", "Microsoft Power BI", "00000009-0000-0000-c000-000000000000", "Power BI Service", browser, powerBI},
	{"7f67af8a-fedc-4b08-8b4e-37c4d127b6cf", "Power BI Desktop", "00000009-0000-0000-c000-000000000000", "Power BI Service", desktop, powerBI},
	// Known by the resource alone.
	{"d3590ed6-52b3-4102-aeff-aad2292ab01c", "Microsoft Office", "00000009-0000-0000-c000-000000000000", "Power BI Service", desktop, powerBI},
	{"f53895d3-095d-408f-8e93-8f94b391404e", "Portfolios", "00000003-0000-0ff1-ce00-000000000000", "Office 365 SharePoint Online", browser, project},
	{"f53895d3-095d-408f-8e93-8f94b391404e", "Project Online", "00000003-0000-0ff1-ce00-000000000000", "Office 365 SharePoint Online", desktop, project},
	{"00695ed2-3202-4156-8da1-69f60065e255", "Visio Data Visualizer", "00000003-0000-0000-c000-000000000000", "Microsoft Graph", desktop, visio},
}

// tellingFor are the indexes of telling by service, dynamics first.
var tellingFor = [4][]int{{0, 1, 2}, {3, 4, 5}, {6, 7}, {8}}

// outcomes of a sign-in; the first is success.
var outcomes = []struct {
	code                int
	reason, details, ca string
}{
	{0, "Other.", "MFA requirement satisfied by claim in the token", "success"},
	{50126, "Error validating credentials due to invalid username or password.", "", "notApplied"},
	{50076, "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access the resource.", "MFA required in Azure AD", "failure"},
	{53003, "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.", "", "failure"},
	{50053, "The account is locked, you've tried to sign in too many times with an incorrect user ID or password.", "", "notApplied"},
}

// event is one sign-in.
type event struct {
	user    int
	app     *app
	outcome int
	r       random // for the rest of the record
}

// spans lays the sign-ins of a log out in time, newest first. Sign-in k happens within
// the k-th step back from the end; where that step holds a midnight, exactly then.
type spans struct {
	seed   uint64
	period purpose
	n      int
	end    int64 // nanoseconds since 1970, an hour before Now
	step   int64 // nanoseconds
}

func newSpans(o Options, period purpose, n int) spans {
	s := spans{seed: o.Seed, period: period, n: n, end: o.Now.Add(-time.Hour).UnixNano()}
	if s.n > 0 {
		s.step = int64(30*24*time.Hour-2*time.Hour) / int64(s.n)
	}
	return s
}

// at is when sign-in k is recorded to have happened, in nanoseconds since 1970. It
// never grows with k. In one hour of four, records have seven digits of fraction;
// in the others whole seconds.
func (s spans) at(k int) int64 {
	newest := s.end - int64(k)*s.step
	const day = secondsPerDay * int64(time.Second)
	if midnight := newest / day * day; midnight > newest-s.step {
		return midnight
	}
	r := newRandom(s.seed, s.period, uint64(k))
	at := newest - int64(r.next()%uint64(s.step))
	if at/int64(time.Hour)%4 == 0 {
		return at / 100 * 100
	}
	return at / int64(time.Second) * int64(time.Second)
}

// within gives the sign-ins [from, to) that happened not before ge and not after
// le, in nanoseconds since 1970.
func (s spans) within(ge, le int64) (from, to int) {
	from = sort.Search(s.n, func(k int) bool { return s.at(k) <= le })
	to = sort.Search(s.n, func(k int) bool { return s.at(k) < ge })
	return from, max(from, to)
}
