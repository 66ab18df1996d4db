package graphsim

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Every oddity of Graph and of real tenants must stand in a tenant of 500, whatever
// the seed: tests elsewhere rely on meeting them.
func TestEveryTrapStandsInATenantOf500(t *testing.T) {
	for _, seed := range []uint64{0, 1, 77} {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			tenant, r := readTenant(t, Options{Seed: seed, Users: 500, SignIns: 5000})
			raw, _ := all[map[string]any](r.c, "/beta/users?$top=999&$select="+everything)
			n := map[string]int{}
			count := func(trap string, is bool) {
				if is {
					n[trap]++
				} else {
					n[trap] += 0
				}
			}
			countUserTraps(count, raw)
			countLicenseTraps(count, r)
			countReportTraps(count, r)
			countSignInTraps(count, r)
			countStatuses(count, tenant)
			for trap, hits := range n {
				if hits == 0 {
					t.Errorf("no %s", trap)
				}
			}
			if len(n) < 60 {
				t.Errorf("only %d traps were looked for", len(n))
			}
		})
	}
}

func countUserTraps(count func(string, bool), users []map[string]any) {
	for _, u := range users {
		upn := u["userPrincipalName"].(string)
		name := u["displayName"].(string)
		count("guest", u["userType"] == "Guest")
		count("guest without a user type", u["userType"] == nil && strings.Contains(upn, "#EXT#"))
		count("member without a user type", u["userType"] == nil && !strings.Contains(upn, "#EXT#"))
		count("disabled account", u["accountEnabled"] == false)
		count("null createdDateTime", u["createdDateTime"] == nil)
		count("synced user", u["onPremisesSyncEnabled"] == true)
		count("user who was synced", u["onPremisesSyncEnabled"] == false)
		count("cloud-only user", u["onPremisesSyncEnabled"] == nil)
		count("mixed-case sign-in name", upn != strings.ToLower(upn))
		count("name with an apostrophe", strings.ContainsAny(name, "'’"))
		count("name beyond Latin", strings.IndexFunc(name, func(r rune) bool { return r > 0x370 }) >= 0)
		count("name with a comma", strings.Contains(name, ","))
		count("title with quotes", strings.Contains(fmt.Sprint(u["jobTitle"]), `"`))
		count("user without mail", u["mail"] == nil)
		count("user with another address", len(u["otherMails"].([]any)) > 0)
		count("guest who has not accepted", u["externalUserState"] == "PendingAcceptance")
		activity, ok := u["signInActivity"].(map[string]any)
		count("user without signInActivity", !ok)
		if ok {
			count("empty slot of signInActivity", activity["lastNonInteractiveSignInDateTime"] == "0001-01-01T00:00:00Z" && activity["lastNonInteractiveSignInRequestId"] == "")
			count("sign-in by a client only after the last one", activity["lastSuccessfulSignInDateTime"] == activity["lastNonInteractiveSignInDateTime"])
		}
		for _, p := range u["assignedPlans"].([]any) {
			status := p.(map[string]any)["capabilityStatus"]
			for _, s := range []string{"Enabled", "Warning", "Suspended", "LockedOut", "Deleted"} {
				count(s+" plan", status == s)
			}
		}
	}
}

func countLicenseTraps(count func(string, bool), r *reader) {
	held := map[string]int{}
	groups := map[string]map[string]bool{}
	for _, u := range r.users {
		seats := map[string]bool{}
		for _, l := range u.AssignedLicenses {
			seats[l.SkuID] = true
			held[l.SkuID]++
			count("licence with a plan switched off", len(l.DisabledPlans) > 0)
			count("licensed guest", isGuest(u))
			count("disabled account with a licence", !u.AccountEnabled)
		}
		ways := map[string]int{}
		for _, s := range u.LicenseAssignmentStates {
			ways[s.SkuID]++
			count("failed assignment of a SKU that is held", s.State == "Error" && seats[s.SkuID])
			for _, err := range []string{"None", "CountViolation", "MutuallyExclusiveViolation", "DependencyViolation", "Other"} {
				count("assignment with error "+err, s.Error == err)
			}
			count("assignment that works with an error", s.State == "ActiveWithError")
			count("assignment that holds no seat", s.State == "Error" && !seats[s.SkuID])
			if s.AssignedByGroup != nil {
				if groups[*s.AssignedByGroup] == nil {
					groups[*s.AssignedByGroup] = map[string]bool{}
				}
				groups[*s.AssignedByGroup][s.SkuID] = true
			}
		}
		for sku, n := range ways {
			count("licence assigned twice", n == 2 && seats[sku])
		}
	}
	for _, skus := range groups {
		count("group that assigns one SKU", len(skus) == 1)
		count("group that assigns several SKUs", len(skus) > 1)
	}
	for _, s := range r.skus {
		count("SKU nobody holds", held[s.SkuID] == 0)
		count("SKU with deleted users", held[s.SkuID] < s.ConsumedUnits)
		count("over-assigned SKU", s.PrepaidUnits.Enabled > 0 && s.ConsumedUnits > s.PrepaidUnits.Enabled+s.PrepaidUnits.Warning)
		count("SKU with grace units beside enabled ones", s.PrepaidUnits.Warning > 0 && s.PrepaidUnits.Enabled > 0)
		count("SKU for the company", s.AppliesTo == "Company")
		count("SKU of 10,000 free units", s.PrepaidUnits.Enabled == 10000)
		for _, status := range []string{"Enabled", "Warning", "Suspended", "LockedOut"} {
			count(status+" SKU somebody holds", s.CapabilityStatus == status && held[s.SkuID] > 0)
		}
	}
	for i := range skus {
		if !skus[i].company {
			count("user of "+skus[i].part, held[skus[i].id] > 0)
		}
	}
}

func countReportTraps(count func(string, bool), r *reader) {
	living := map[string]string{}
	for _, u := range r.users {
		living[strings.ToLower(u.UserPrincipalName)] = u.UserPrincipalName
	}
	for function, rows := range r.reports {
		names := map[string]int{}
		for _, row := range rows {
			upn := row["User Principal Name"] + row["Owner Principal Name"]
			real, is := living[strings.ToLower(upn)]
			names[strings.ToLower(upn)]++
			count("row of "+function+" in another case than the directory", is && real != upn)
			if function == "getM365AppUserDetail" {
				count("user of no app", is && row["Last Activity Date"] == "")
				count("user of a desktop app", row["Word (Windows)"] == "Yes")
				count("user of the web only", row["Web"] == "Yes" && row["Windows"] == "No" && row["Mac"] == "No" && row["Mobile"] == "No")
				continue
			}
			if function == "getOffice365ActivationsUserDetail" {
				count("product that was never activated", row["Last Activated Date"] == "")
				count("activation on a shared computer", row["Activated On Shared Computer"] == "True")
				continue
			}
			deleted := row["Is Deleted"] == "True"
			count("deleted row of "+function, deleted && !is)
			count("deleted row of "+function+" that has a living user's name", deleted && is)
		}
		for upn, times := range names {
			count("user with several products", function == "getOffice365ActivationsUserDetail" && times > 1)
			count("user with several sites", function == "getOneDriveUsageAccountDetail" && times > 1)
			count("row of nobody", function == "getOffice365ActiveUserDetail" && upn == "(unknown)")
		}
		for _, row := range rows {
			if function == "getOffice365ActiveUserDetail" {
				seen := ""
				for _, c := range activeColumns {
					seen += row[c+" Last Activity Date"]
				}
				count("row without activity", seen == "")
				count("activity in a service that is not licensed", row["Is Deleted"] == "False" && row["Has Teams License"] == "False" && row["Teams Last Activity Date"] != "")
				count("product name that holds a plus", strings.Contains(row["Assigned Products"], "ENTERPRISE MOBILITY + SECURITY E3"))
			}
		}
	}
}

func countSignInTraps(count func(string, bool), r *reader) {
	seen := map[string]int{}
	for _, s := range r.signIns {
		seen[s.ID]++
		at := s.CreatedDateTime
		for _, service := range labels[reports:] {
			count("sign-in of "+service, tells(s) == service && s.Status.ErrorCode == 0)
			count("failed sign-in of "+service, tells(s) == service && s.Status.ErrorCode != 0)
		}
		count("sign-in at midnight", at.Equal(at.Truncate(dayHours)))
		count("sign-in with a fraction of a second", at.Nanosecond() != 0)
		count("sign-in at a whole second", at.Nanosecond() == 0)
		count("sign-in to Dataverse that is not Dynamics", s.ResourceID == "00000007-0000-0000-c000-000000000000" && tells(s) == "")
		count("sign-in to Planner", s.AppID == "09abbdfd-ed23-44ee-a2d9-a627aa1c90f3")
		count("sign-in known by its resource alone", s.AppID == "d3590ed6-52b3-4102-aeff-aad2292ab01c" && tells(s) == "Power BI")
	}
	for _, times := range seen {
		count("sign-in that stands on two pages", times == 2)
	}
}

func countStatuses(count func(string, bool), tenant *Tenant) {
	tenant.Truth().Assignments(60, 14, func(a TruthAssignment) bool {
		for _, s := range []string{"active", "inactive", "never_active", "too_new"} {
			for _, b := range []string{"service", "sign_in"} {
				count(s+" licence by "+b, a.Status == s && a.Basis == b)
			}
		}
		for _, by := range []string{"direct", "group", "both"} {
			count("licence assigned "+by, a.AssignedBy == by)
		}
		return true
	})
	// Activity that lies before the assignment, and counts for the user alone.
	days := map[string]int{}
	tenant.Truth().Users(func(u TruthUser) bool { days[u.UserID] = u.Days; return true })
	tenant.Truth().Assignments(60, 14, func(a TruthAssignment) bool {
		count("licence assigned after the user's last activity", a.Status == "never_active" && days[a.UserID] >= 0 && time.Duration(days[a.UserID])*dayHours > tenant.o.Now.Sub(a.Assigned))
		count("active user with an inactive licence", a.Status == "inactive" && days[a.UserID] <= 60)
		return true
	})
}
