package graphsim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// The truth is checked against a second opinion: what a careful reader makes of the
// served answers by the definitions, written without the tenant's model.

// reader holds all of a small tenant as served.
type reader struct {
	c       *client
	users   []servedUser
	skus    []servedSKU
	signIns []servedSignIn
	reports map[string][]map[string]string // by function; nil when refused
	strong  map[string]Flag                // by user listed; nil when refused
	signed  bool                           // signInActivity could be read
	log     bool                           // sign-ins could be read
	now     time.Time
}

type servedUser struct {
	ID, UserPrincipalName, DisplayName, GivenName, Surname, Mail, UserType, JobTitle, Department, Country string
	AccountEnabled                                                                                        bool
	CreatedDateTime                                                                                       *time.Time
	OnPremisesSyncEnabled                                                                                 *bool
	AssignedLicenses                                                                                      []struct {
		SkuID         string
		DisabledPlans []string
	}
	LicenseAssignmentStates []struct {
		SkuID, State, Error string
		AssignedByGroup     *string
		LastUpdatedDateTime time.Time
	}
	SignInActivity struct{ LastSignInDateTime, LastSuccessfulSignInDateTime time.Time }
	Manager        struct{ ID string }
}

type servedSKU struct {
	SkuID, SkuPartNumber, AppliesTo, CapabilityStatus string
	ConsumedUnits                                     int
	PrepaidUnits                                      struct{ Enabled, Warning, Suspended, LockedOut int }
	ServicePlans                                      []struct{ ServicePlanID, ServicePlanName string }
}

type servedSignIn struct {
	ID, UserID, AppID, ResourceID string
	CreatedDateTime               time.Time
	Status                        struct{ ErrorCode int }
	IsInteractive                 bool
}

type servedRegistration struct {
	ID              string
	IsMfaRegistered bool
}

const registrations = "/v1.0/reports/authenticationMethods/userRegistrationDetails"

func readTenant(t *testing.T, o Options) (*Tenant, *reader) {
	t.Helper()
	tenant, c := open(t, o)
	r := &reader{c: c, reports: map[string][]map[string]string{}, now: tenant.o.Now}
	asked := "/beta/users?$top=999&$select=" + strings.TrimSuffix(everything, ",signInActivity")
	if status, _ := c.get("/beta/users?$top=1&$select=id,signInActivity"); status == 200 {
		r.signed = true
		asked += ",signInActivity"
	}
	if status, _ := c.get("/beta/users?$top=1&$expand=manager"); status == 200 {
		asked += "&$expand=manager($select=id)"
	}
	r.users, _ = all[servedUser](c, asked)
	r.skus, _ = all[servedSKU](c, "/v1.0/subscribedSkus")
	if status, _ := c.get("/v1.0/auditLogs/signIns?$top=1"); status == 200 {
		r.log = true
		r.signIns, _ = all[servedSignIn](c, "/v1.0/auditLogs/signIns")
	}
	if status, _ := c.get(registrations + "?$top=1"); status == 200 {
		r.strong = map[string]Flag{}
		listed, _ := all[servedRegistration](c, registrations)
		for _, l := range listed {
			r.strong[l.ID] = flag(l.IsMfaRegistered)
		}
	}
	for _, k := range reportKinds {
		if status, _ := c.get(reportAddress(k)); status == 302 && !o.Concealed {
			r.reports[k.function] = readCSV(t, c.download(reportAddress(k)))
		}
	}
	return tenant, r
}

// entitles is the service map by families of plan names.
var entitles = []struct {
	plan     *regexp.Regexp
	services []string
}{
	{regexp.MustCompile(`^EXCHANGE_S_(DESKLESS|ESSENTIALS|STANDARD|ENTERPRISE)$`), []string{"Microsoft Exchange Server", "Outlook"}},
	{regexp.MustCompile(`^SHAREPOINT(STANDARD|ENTERPRISE|DESKLESS)$`), []string{"SharePoint", "OneDrive"}},
	{regexp.MustCompile(`^ONEDRIVE`), []string{"OneDrive"}},
	{regexp.MustCompile(`^(MCOSTANDARD|MCOIMP)$`), []string{"Skype for Business"}},
	{regexp.MustCompile(`^YAMMER_ENTERPRISE$`), []string{"Yammer"}},
	{regexp.MustCompile(`^TEAMS1$`), []string{"Microsoft Teams"}},
	{regexp.MustCompile(`^BI_AZURE_P\d$`), []string{"Power BI"}},
	{regexp.MustCompile(`^(PROJECT_CLIENT_SUBSCRIPTION|PROJECT_PROFESSIONAL|SHAREPOINT_PROJECT)$`), []string{"Project"}},
	{regexp.MustCompile(`^VISIO`), []string{"Visio"}},
	{regexp.MustCompile(`^DYN365_BUSCENTRAL`), []string{"Dynamics 365"}},
}

// tells is the service that a sign-in shows use of.
func tells(s servedSignIn) string {
	switch s.AppID {
	case "00000015-0000-0000-c000-000000000000", "996def3d-b36c-4153-8607-a6fd3c01b89f", "8d25f88c-09fe-41eb-9ee1-0545adf985df",
		"ce9f9f18-dd0c-473e-b9b2-47812435e20d", "60216f25-dbae-452b-83ae-6224158ce95e", "4906f920-9f94-4f14-98aa-8456dd5f78a8":
		return "Dynamics 365"
	case "871c010f-5e61-4fb1-83ac-98610a7e9110", "7f67af8a-fedc-4b08-8b4e-37c4d127b6cf", "c0d2a505-13b8-4ae0-aa9e-cddd5eab0b12":
		return "Power BI"
	case "f53895d3-095d-408f-8e93-8f94b391404e":
		return "Project"
	case "00695ed2-3202-4156-8da1-69f60065e255":
		return "Visio"
	}
	if s.ResourceID == "00000009-0000-0000-c000-000000000000" {
		return "Power BI"
	}
	return ""
}

var activeColumns = []string{"Exchange", "OneDrive", "SharePoint", "Skype For Business", "Yammer", "Teams"}

const dayHours = 24 * time.Hour

func day(s string) time.Time {
	d, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return time.Time{}
	}
	return d
}

// living are a report's rows by lower-case name, without deleted ones.
func (r *reader) living(function, key string) map[string][]map[string]string {
	out := map[string][]map[string]string{}
	for _, row := range r.reports[function] {
		if row["Is Deleted"] != "True" {
			upn := strings.ToLower(row[key])
			out[upn] = append(out[upn], row)
		}
	}
	return out
}

// activity is the last day in each service of every user.
func (r *reader) activity() map[string]map[string]time.Time {
	out := map[string]map[string]time.Time{}
	active, email := r.living("getOffice365ActiveUserDetail", "User Principal Name"), r.living("getEmailActivityUserDetail", "User Principal Name")
	for _, u := range r.users {
		seen := map[string]time.Time{}
		upn := strings.ToLower(u.UserPrincipalName)
		for _, row := range active[upn] {
			for i, c := range activeColumns {
				seen[labels[i]] = day(row[c+" Last Activity Date"])
			}
		}
		for _, row := range email[upn] {
			seen["Outlook"] = day(row["Last Activity Date"])
		}
		out[u.ID] = seen
	}
	for _, s := range r.signIns {
		if service := tells(s); service != "" && s.Status.ErrorCode == 0 && s.IsInteractive {
			if d := s.CreatedDateTime.Truncate(dayHours); d.After(out[s.UserID][service]) {
				out[s.UserID][service] = d
			}
		}
	}
	return out
}

// through is the day a service's source observed through; zero when it was not
// measured.
func (r *reader) through(service string) time.Time {
	function := "getOffice365ActiveUserDetail"
	switch service {
	case "Dynamics 365", "Power BI", "Project", "Visio":
		if !r.log {
			return time.Time{}
		}
		return r.now.Truncate(dayHours)
	case "Outlook":
		function = "getEmailActivityUserDetail"
	}
	if rows := r.reports[function]; len(rows) > 0 {
		return day(rows[0]["Report Refresh Date"])
	}
	return time.Time{}
}

func daysBetween(through, seen time.Time) int { return max(int(through.Sub(seen)/dayHours), 0) }

// best is the service with the fewest days.
func (r *reader) best(seen map[string]time.Time, among []string, since time.Time) (service string, last time.Time, days int) {
	days = -1
	for _, s := range labels {
		if !slices.Contains(among, s) || seen[s].IsZero() || seen[s].Before(since) {
			continue
		}
		if n := daysBetween(r.through(s), seen[s]); days < 0 || n < days || n == days && seen[s].After(last) {
			service, last, days = s, seen[s], n
		}
	}
	return service, last, days
}

// assignments judges every licence held.
func (r *reader) assignments(threshold, grace int) []TruthAssignment {
	activity := r.activity()
	skus := map[string]servedSKU{}
	for _, s := range r.skus {
		skus[s.SkuID] = s
	}
	lastSignIn := map[string]time.Time{}
	for _, u := range r.users {
		lastSignIn[u.ID] = u.SignInActivity.LastSuccessfulSignInDateTime
	}
	for _, s := range r.signIns {
		if s.Status.ErrorCode == 0 && s.CreatedDateTime.After(lastSignIn[s.UserID]) {
			lastSignIn[s.UserID] = s.CreatedDateTime
		}
	}
	var out []TruthAssignment
	for _, u := range r.users {
		for _, l := range u.AssignedLicenses {
			a := TruthAssignment{UserID: u.ID, SkuID: l.SkuID, PartNumber: skus[l.SkuID].SkuPartNumber, Days: -1, Basis: "service",
				AccountEnabled: u.AccountEnabled, IsGuest: isGuest(u)}
			ways := map[string]bool{}
			for _, s := range u.LicenseAssignmentStates {
				if s.SkuID != l.SkuID {
					continue
				}
				if s.Error != "None" && a.AssignmentError == "" {
					a.AssignmentError = s.Error
				}
				if s.State != "Active" && s.State != "ActiveWithError" {
					continue
				}
				if a.Assigned.IsZero() || s.LastUpdatedDateTime.Before(a.Assigned) {
					a.Assigned = s.LastUpdatedDateTime
				}
				a.AssignedBy = "direct"
				if s.AssignedByGroup != nil {
					a.AssignedBy = "group"
				}
				ways[a.AssignedBy] = true
			}
			if len(ways) == 2 {
				a.AssignedBy = "both"
			}
			since := a.Assigned.Truncate(dayHours)
			for _, p := range skus[l.SkuID].ServicePlans {
				for _, e := range entitles {
					if e.plan.MatchString(p.ServicePlanName) && !slices.Contains(l.DisabledPlans, p.ServicePlanID) {
						a.Services = append(a.Services, e.services...)
					}
				}
			}
			slices.SortFunc(a.Services, func(x, y string) int { return cmp.Compare(slices.Index(labels[:], x), slices.Index(labels[:], y)) })
			a.Services = slices.Compact(a.Services)
			through, measured := r.now.Truncate(dayHours), 0
			for _, s := range a.Services {
				if d := r.through(s); !d.IsZero() {
					measured++
					if d.Before(through) {
						through = d
					}
				}
			}
			if len(a.Services) > 0 {
				a.LastActivityService, a.LastActivity, a.Days = r.best(activity[u.ID], a.Services, since)
			} else {
				a.Basis = "sign_in"
				if r.signed {
					measured = 1
					if d := lastSignIn[u.ID].Truncate(dayHours); !d.IsZero() && !d.Before(since) {
						a.LastActivity, a.Days = d, daysBetween(through, d)
					}
				}
			}
			a.Evidence = "complete"
			switch {
			case measured == 0:
				a.Evidence, a.Status = "none", "not_measurable"
			case a.Days >= 0 && a.Days <= threshold:
				a.Status = "active"
			case a.Days >= 0:
				a.Status = "inactive"
			case through.Sub(since) < time.Duration(grace)*dayHours:
				a.Status = "too_new"
			default:
				a.Status = "never_active"
			}
			if measured > 0 && measured < len(a.Services) {
				a.Evidence = "partial"
			}
			out = append(out, a)
		}
	}
	return out
}

func isGuest(u servedUser) bool {
	return u.UserType == "Guest" || u.UserType == "" && strings.Contains(u.UserPrincipalName, "#EXT#")
}

func (r *reader) flags(rows map[string][]map[string]string, upn, column string) Flag {
	if r.reports["getM365AppUserDetail"] == nil {
		return Unknown
	}
	for _, row := range rows[upn] {
		for name, cell := range row {
			if cell == "Yes" && (name == column || strings.HasSuffix(name, "("+column+")")) {
				return True
			}
		}
	}
	return False
}

// usersMart is the mart users.
func (r *reader) usersMart(names map[string]string) []TruthUser {
	activity := r.activity()
	apps := r.living("getM365AppUserDetail", "User Principal Name")
	activations := r.living("getOffice365ActivationsUserDetail", "User Principal Name")
	mail := r.living("getMailboxUsageDetail", "User Principal Name")
	drives := r.living("getOneDriveUsageAccountDetail", "Owner Principal Name")
	sum := func(rows []map[string]string) int64 {
		total := int64(-1)
		for _, row := range rows {
			n, err := strconv.ParseInt(row["Storage Used (Byte)"], 10, 64)
			if err == nil {
				total = max(total, 0) + n
			}
		}
		return total
	}
	listed := map[string]string{}
	for _, u := range r.users {
		listed[u.ID] = strings.ToLower(u.UserPrincipalName)
	}
	var out []TruthUser
	for _, u := range r.users {
		upn := strings.ToLower(u.UserPrincipalName)
		row := TruthUser{UserID: u.ID, UPN: u.UserPrincipalName, DisplayName: u.DisplayName, Mail: u.Mail, GivenName: u.GivenName, Surname: u.Surname,
			JobTitle: u.JobTitle, Department: u.Department, Country: u.Country, AccountEnabled: u.AccountEnabled, IsGuest: isGuest(u),
			OnPremisesSync: "cloud_only", Licenses: len(u.AssignedLicenses), Activations: -1,
			MailBytes: sum(mail[upn]), OneDriveBytes: sum(drives[upn]),
			Windows: r.flags(apps, upn, "Windows"), Mac: r.flags(apps, upn, "Mac"), Mobile: r.flags(apps, upn, "Mobile"), Web: r.flags(apps, upn, "Web"),
			MFARegistered: Unknown, LastSignIn: u.SignInActivity.LastSignInDateTime, LastSuccessful: u.SignInActivity.LastSuccessfulSignInDateTime,
			ManagerID: u.Manager.ID, Manager: cmp.Or(listed[u.Manager.ID], u.Manager.ID)}
		if u.CreatedDateTime != nil {
			row.Created = *u.CreatedDateTime
		}
		if u.OnPremisesSyncEnabled != nil {
			row.OnPremisesSync = "was_synced"
			if *u.OnPremisesSyncEnabled {
				row.OnPremisesSync = "synced"
			}
		}
		if strong, listed := r.strong[u.ID]; listed {
			row.MFARegistered = strong
		}
		for _, l := range u.AssignedLicenses {
			row.LicenseNames = append(row.LicenseNames, names[l.SkuID])
		}
		slices.Sort(row.LicenseNames)
		if r.reports["getOffice365ActivationsUserDetail"] != nil {
			products := map[string]bool{}
			for _, a := range activations[upn] {
				for _, platform := range []string{"Windows", "Mac", "Windows 10 Mobile", "iOS", "Android"} {
					if n, err := strconv.Atoi(a[platform]); err == nil && n > 0 {
						products[a["Product Type"]] = true
					}
				}
			}
			row.Activations = len(products)
		}
		row.LastActivityService, row.LastActivity, row.Days = r.best(activity[u.ID], labels[:], time.Time{})
		out = append(out, row)
	}
	return out
}

func TestTruthIsWhatTheAnswersAmountTo(t *testing.T) {
	late := time.Date(2026, 3, 1, 0, 20, 0, 0, time.UTC)
	for name, o := range map[string]Options{
		"a plain tenant":                         {Seed: 1, Users: 600, SignIns: 4000},
		"another seed":                           {Seed: 99, Users: 300, SignIns: 2000},
		"a tenant observed just after midnight":  {Seed: 2, Users: 250, SignIns: 1500, Now: late},
		"small pages, columns shuffled and new":  {Seed: 4, Users: 250, SignIns: 1500, PageSize: 7, ShuffleColumns: true, InsertColumns: true},
		"value first, other keys, escaped":       {Seed: 5, Users: 250, SignIns: 1500, ValueFirst: true},
		"the documented OneDrive report":         {Seed: 6, Users: 250, SignIns: 1500, DocumentedOneDriveHeader: true},
		"a report that is six days late":         {Seed: 7, Users: 250, SignIns: 1500, RefreshLagDays: 6},
		"concealed names":                        {Seed: 8, Users: 250, SignIns: 1500, Concealed: true},
		"no reports":                             {Seed: 8, Users: 250, SignIns: 1500, Deny: []string{"Reports.Read.All"}},
		"no premium":                             {Seed: 9, Users: 250, SignIns: 1500, NoPremium: true},
		"neither reports nor sign-ins":           {Seed: 9, Users: 250, SignIns: 1500, Deny: []string{"Reports.Read.All", "AuditLog.Read.All"}},
		"one user":                               {Seed: 9, Users: 1, SignIns: 10},
		"users listed without their managers":    {Seed: 9, Users: 120, SignIns: 100, NoExpand: true},
		"no users":                               {},
		"users without a sign-in":                {Seed: 3, Users: 60},
		"more sign-ins than seconds in the time": {Seed: 3, Users: 3, SignIns: 3000},
	} {
		t.Run(name, func(t *testing.T) {
			tenant, r := readTenant(t, o)
			truth := tenant.Truth()
			names := map[string]string{}
			for _, s := range skus {
				names[s.id] = s.name
			}

			var users []TruthUser
			truth.Users(func(u TruthUser) bool { users = append(users, u); return true })
			if diff := gocmp.Diff(r.usersMart(names), users); diff != "" {
				t.Errorf("users (-read +truth):\n%.3000s", diff)
			}

			activity := r.activity()
			truth.Services(func(s TruthService) bool {
				want := TruthService{UserID: s.UserID, Service: s.Service, ObservedThrough: r.through(s.Service), Days: -1}
				if want.Measured = !want.ObservedThrough.IsZero(); want.Measured {
					if want.LastActivity = activity[s.UserID][s.Service]; !want.LastActivity.IsZero() {
						want.Days = daysBetween(want.ObservedThrough, want.LastActivity)
					}
				}
				if diff := gocmp.Diff(want, s); diff != "" {
					t.Errorf("service activity (-read +truth):\n%s", diff)
					return false
				}
				return true
			})

			for _, rule := range []struct{ threshold, grace int }{{60, 14}, {15, 14}, {30, 0}, {120, 5}} {
				var have []TruthAssignment
				truth.Assignments(rule.threshold, rule.grace, func(a TruthAssignment) bool {
					a.ProductName = ""
					have = append(have, a)
					return true
				})
				want := r.assignments(rule.threshold, rule.grace)
				if diff := gocmp.Diff(want, have); diff != "" {
					t.Fatalf("assignments at %v (-read +truth):\n%.3000s", rule, diff)
				}
				checkPositions(t, r, want, truth.Positions(rule.threshold, rule.grace))
			}
		})
	}
}

// checkPositions counts positions from assignments.
func checkPositions(t *testing.T, r *reader, assignments []TruthAssignment, have []TruthPosition) {
	t.Helper()
	if len(have) != len(r.skus) {
		t.Errorf("%d positions for %d SKUs", len(have), len(r.skus))
	}
	for _, s := range r.skus {
		want := TruthPosition{SkuID: s.SkuID, PartNumber: s.SkuPartNumber, AppliesTo: s.AppliesTo, Status: s.CapabilityStatus,
			Enabled: s.PrepaidUnits.Enabled, Warning: s.PrepaidUnits.Warning, Suspended: s.PrepaidUnits.Suspended, LockedOut: s.PrepaidUnits.LockedOut,
			Entitled: s.PrepaidUnits.Enabled + s.PrepaidUnits.Warning, Consumed: s.ConsumedUnits}
		want.Available = want.Entitled - want.Consumed
		for _, a := range assignments {
			if a.SkuID != s.SkuID {
				continue
			}
			want.Assigned++
			*map[string]*int{"active": &want.Active, "inactive": &want.Inactive, "never_active": &want.NeverActive, "too_new": &want.TooNew, "not_measurable": &want.NotMeasurable}[a.Status]++
			if !a.AccountEnabled {
				want.Disabled++
			}
			if a.IsGuest {
				want.Guests++
			}
		}
		want.Unreconciled = want.Consumed - want.Assigned
		i := slices.IndexFunc(have, func(p TruthPosition) bool { return p.SkuID == s.SkuID })
		if i < 0 {
			t.Errorf("no position for %s", s.SkuPartNumber)
			continue
		}
		got := have[i]
		got.ProductName, got.Class = "", ""
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("position %s (-read +truth):\n%s", s.SkuPartNumber, diff)
		}
	}
}

func TestTruthStopsWhenAsked(t *testing.T) {
	tenant, err := New(Options{Users: 40})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	stop := func() bool { n++; return false }
	tenant.Truth().Users(func(TruthUser) bool { return stop() })
	tenant.Truth().Services(func(TruthService) bool { return stop() })
	tenant.Truth().Assignments(60, 14, func(TruthAssignment) bool { return stop() })
	tenant.Truth().Failures(func(TruthFailure) bool { return stop() })
	if n != 4 {
		t.Errorf("%d calls, want 4", n)
	}
}

func ExampleTruth_Positions() {
	tenant, err := New(Options{Seed: 1, Users: 500, SignIns: 5000})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range tenant.Truth().Positions(60, 14) {
		if p.PartNumber == "POWER_BI_PRO" || p.PartNumber == "FLOW_FREE" {
			line, _ := json.Marshal(map[string]int{"entitled": p.Entitled, "consumed": p.Consumed, "available": p.Available})
			fmt.Println(p.PartNumber, p.Class, string(line))
		}
	}
	// Output:
	// FLOW_FREE free {"available":9878,"consumed":122,"entitled":10000}
	// POWER_BI_PRO paid {"available":-2,"consumed":38,"entitled":36}
}
