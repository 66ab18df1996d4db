package graphsim

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

const copilotAddress = "/v1.0/copilot/reports/getMicrosoft365CopilotUsageUserDetail(period='D28',version='v2')"

func TestSubscriptionsAddUpToTheUnits(t *testing.T) {
	tenant, c := open(t, Options{Seed: 5, Users: 300})
	type subscription struct {
		ID, SkuID, Status     string
		TotalLicenses         int
		NextLifecycleDateTime time.Time
	}
	listed, _ := all[subscription](c, "/v1.0/directory/subscriptions")
	units := map[string]int{}
	var read []TruthSubscription
	for _, s := range listed {
		units[s.SkuID+s.Status] += s.TotalLicenses
		read = append(read, TruthSubscription{s.ID, s.SkuID, s.Status, s.TotalLicenses, s.NextLifecycleDateTime})
	}
	if diff := gocmp.Diff(read, tenant.Truth().Subscriptions()); diff != "" {
		t.Errorf("subscriptions (-read +truth):\n%s", diff)
	}
	skus, _ := all[servedSKU](c, "/v1.0/subscribedSkus")
	states := 0
	for _, s := range skus {
		for status, want := range map[string]int{
			"Enabled": s.PrepaidUnits.Enabled, "Warning": s.PrepaidUnits.Warning,
			"Suspended": s.PrepaidUnits.Suspended, "LockedOut": s.PrepaidUnits.LockedOut,
		} {
			if want > 0 {
				states++
			}
			if got := units[s.SkuID+status]; got != want {
				t.Errorf("%s: subscriptions have %d units %s, the SKU has %d", s.SkuPartNumber, got, status, want)
			}
		}
	}
	if states <= len(skus) {
		t.Errorf("%d SKUs have units in %d states; some should have two", len(skus), states)
	}
}

func TestRegistrationsLackAFewUsers(t *testing.T) {
	for _, users := range []int{0, 1, 28, 29, 30, 300} {
		_, c := open(t, Options{Seed: 5, Users: users, PageSize: 17})
		listed, _ := all[servedRegistration](c, registrations)
		inDirectory, _ := all[servedUser](c, "/beta/users?$top=999&$select=id")
		known := map[string]bool{}
		for _, u := range inDirectory {
			known[u.ID] = true
		}
		for _, l := range listed {
			if !known[l.ID] {
				t.Errorf("%d users: %s is listed twice, or is nobody", users, l.ID)
			}
			delete(known, l.ID)
		}
		if most := users/29 + 1; len(known) > most || users >= 29 && len(known) == 0 {
			t.Errorf("%d users: %d are not listed", users, len(known))
		}
	}
}

func TestCopilotReport(t *testing.T) {
	header := func(name string) string {
		line, _, _ := strings.Cut(string(sample(t, name)), "\n")
		return strings.TrimRight(line, "\r")
	}
	for name, o := range map[string]Options{
		"getMicrosoft365CopilotUsageUserDetail.v2.csv": {Seed: 5, Users: 300},
		"getMicrosoft365CopilotUsageUserDetail.v1.csv": {Seed: 5, Users: 300, CopilotV1: true},
	} {
		t.Run("comes in the answer itself: "+name, func(t *testing.T) {
			tenant, c := open(t, o)
			status, body := c.get(copilotAddress)
			if status != http.StatusOK || !bytes.HasPrefix(body, []byte(header(name)+"\r\n")) {
				t.Fatalf("%d %.300q, want the header %q", status, body, header(name))
			}
			var read, truth []TruthCopilot
			for _, row := range readCSV(t, body) {
				last, _ := time.Parse(time.DateOnly, row["Last Activity Date"])
				read = append(read, TruthCopilot{strings.ToLower(row["User Principal Name"]), last})
				if row["Report Period"] != "28" {
					t.Errorf("period %q", row["Report Period"])
				}
			}
			tenant.Truth().Copilot(func(c TruthCopilot) bool {
				c.UPN = strings.ToLower(c.UPN)
				truth = append(truth, c)
				return true
			})
			if diff := gocmp.Diff(read, truth); diff != "" || len(truth) == 0 {
				t.Errorf("%d holders (-read +truth):\n%s", len(truth), diff)
			}
		})
	}

	for name, path := range map[string]string{
		"a period that it does not know": strings.Replace(copilotAddress, "D28", "D30", 1),
		"the address of other reports":   "/v1.0/reports/getMicrosoft365CopilotUsageUserDetail(period='D30')",
		"another function":               "/v1.0/copilot/reports/getMailboxUsageDetail(period='D28')",
	} {
		t.Run("is not at "+name, func(t *testing.T) {
			_, c := open(t, Options{Users: 10})
			if status, body := c.get(path); status != http.StatusBadRequest {
				t.Errorf("%d %s", status, body)
			}
		})
	}

	t.Run("hides names when the tenant does", func(t *testing.T) {
		_, c := open(t, Options{Seed: 5, Users: 300, Concealed: true})
		_, body := c.get(copilotAddress)
		for _, row := range readCSV(t, body) {
			if name := row["User Principal Name"]; strings.Contains(name, "@") || len(name) != 32 {
				t.Errorf("name %q", name)
			}
		}
	})
}

func TestOptionalSourcesAreRefused(t *testing.T) {
	for _, at := range []struct {
		path string
		o    Options
	}{
		{"/v1.0/directory/subscriptions", Options{Deny: []string{"Organization.Read.All"}}},
		{registrations, Options{Deny: []string{"AuditLog.Read.All"}}},
		{registrations, Options{NoPremium: true}},
		{"/v1.0/admin/reportSettings", Options{Deny: []string{"ReportSettings.Read.All"}}},
		{copilotAddress, Options{Deny: []string{"Reports.Read.All"}}},
	} {
		_, c := open(t, at.o)
		if status, body := c.get(at.path); status != http.StatusForbidden {
			t.Errorf("%s: %d %s", at.path, status, body)
		}
	}
}

func TestOptionalSourcesFail(t *testing.T) {
	for source, path := range map[string]string{
		"subscriptions": "/v1.0/directory/subscriptions", "user_registration_details": registrations,
		"report_settings": "/v1.0/admin/reportSettings", "getMicrosoft365CopilotUsageUserDetail": copilotAddress,
	} {
		_, c := open(t, Options{Users: 40, Faults: []Fault{{Source: source, Page: 1, Kind: Unavailable}}})
		if status, body := c.get(path); status != http.StatusServiceUnavailable {
			t.Errorf("%s: %d %s, want the fault", source, status, body)
		}
		if status, body := c.get(path); status != http.StatusOK {
			t.Errorf("%s: %d %s after the fault", source, status, body)
		}
	}
}
