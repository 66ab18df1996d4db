package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"seatlake/extract/graph/graphsim"
)

// TestMartsEqualTheTenantsTruth runs the real command against simulated tenants
// and compares every cell of the marts with what the tenant knows of itself.
func TestMartsEqualTheTenantsTruth(t *testing.T) {
	tenants := map[string]graphsim.Options{
		"a tenant as Graph answers by default":           {Seed: 7, Users: 700, SignIns: 9000},
		"another tenant, in small pages":                 {Seed: 8, Users: 400, SignIns: 3000, PageSize: 37},
		"columns in another order, and unknown ones":     {Seed: 9, Users: 300, SignIns: 2000, ShuffleColumns: true, InsertColumns: true},
		"values before links, properties reversed":       {Seed: 10, Users: 300, SignIns: 2000, ValueFirst: true, DocumentedOneDriveHeader: true},
		"a Copilot report as JSON, page by page":         {Seed: 15, Users: 400, SignIns: 2000, CopilotJSON: true, PageSize: 5},
		"a Copilot report that knows no second version":  {Seed: 15, Users: 200, SignIns: 2000, CopilotFirst: true},
		"a Copilot report of the first version":          {Seed: 15, Users: 200, SignIns: 2000, CopilotV1: true},
		"names concealed in reports":                     {Seed: 11, Users: 200, SignIns: 2000, Concealed: true},
		"no Entra ID P1":                                 {Seed: 12, Users: 200, SignIns: 2000, NoPremium: true},
		"no permission for reports":                      {Seed: 13, Users: 200, SignIns: 2000, Deny: []string{"Reports.Read.All"}},
		"users listed without their managers":            {Seed: 16, Users: 150, SignIns: 500, NoExpand: true},
		"reports of the day before yesterday, and later": {Seed: 14, Users: 200, SignIns: 2000, RefreshLagDays: 5},
	}
	for _, name := range slices.Sorted(maps.Keys(tenants)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := tenants[name]
			o.Now = scriptNow
			tenant, err := graphsim.New(o)
			if err != nil {
				t.Fatal(err)
			}
			lake := runAgainst(t, tenant)
			truth := tenant.Truth()
			compareMart(t, lake, "users", []string{"user_id"}, truthUsers(truth))
			compareMart(t, lake, "service_activity", []string{"user_id", "service"}, truthServices(truth))
			compareMart(t, lake, "license_assignments", []string{"user_id", "sku_id"}, truthAssignments(truth))
			compareMart(t, lake, "license_positions", []string{"sku_id"}, truthPositions(truth))
			compareMart(t, lake, "graph_users", []string{"id"}, truthManagers(truth))
			compareMart(t, lake, managersSeats, []string{"value", "sku_id"}, truthManagersSeats(truth))
			compareMart(t, lake, subscriptions, []string{"id"}, truthSubscriptions(truth))
			if o.Deny == nil && !o.Concealed {
				compareMart(t, lake, copilotUse, []string{"user_principal_name"}, truthCopilot(truth))
			}
			compareMart(t, lake, "license_assignment_errors where not holds_seat", []string{"user_id", "sku_id"}, truthFailures(truth))
		})
	}
}

// Stored tables as queries: sign-in names as the directory spells them, since reports
// spell some in another case, and instants as days.
const (
	subscriptions = "(select * replace (next_lifecycle_date_time::date as next_lifecycle_date_time) from graph_subscriptions)"
	managersSeats = "(select value, sku_id, assigned_users from license_chargeback where dimension = 'manager')"
	copilotUse    = "(select u.user_principal_name, r.last_activity_date from report_microsoft365_copilot_usage_user_detail r join graph_users u on lower(u.user_principal_name) = lower(r.user_principal_name))"
)

// testLake is a lake that a test asks.
type testLake struct {
	t      *testing.T
	config string
}

// runAgainst reads a simulated tenant with the real command, in this process, with
// lines added to its configuration.
func runAgainst(t *testing.T, tenant simulated, lines ...string) testLake {
	t.Helper()
	server, err := tenant.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	config := filepath.Join(t.TempDir(), "seatlake.yaml")
	f, err := os.Create(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeDemoConfig(f, server); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(strings.Join(lines, "")); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	l := testLake{t, config}
	if status, _, stderr := l.command("run", "-q"); status != exitComplete && status != exitGaps {
		t.Fatalf("run ended in status %d: %s", status, stderr)
	}
	return l
}

// command runs one command line.
func (l testLake) command(args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	a := &app{
		in: strings.NewReader(""), out: &out, err: &errs, now: func() time.Time { return scriptNow },
		env: func(name string) (string, bool) {
			return graphsim.DefaultClientSecret, name == "SEATLAKE_CLIENT_SECRET"
		},
	}
	status = a.execute(context.WithoutCancel(l.t.Context()), append(args, "-c", l.config))
	return status, out.String(), errs.String()
}

// query answers a SELECT as rows of text.
func (l testLake) query(query string) [][]string {
	l.t.Helper()
	status, stdout, stderr := l.command("query", query, "--format", "csv")
	if status != exitComplete {
		l.t.Fatalf("query ended in status %d: %s", status, stderr)
	}
	rows, err := csv.NewReader(strings.NewReader(stdout)).ReadAll()
	if err != nil {
		l.t.Fatal(err)
	}
	return rows
}

// cells are a row's values by column, as CSV prints them.
type cells map[string]string

// compareMart compares the columns that the truth names, row by row.
func compareMart(t *testing.T, l testLake, mart string, key []string, want []cells) {
	t.Helper()
	if len(want) == 0 {
		t.Fatalf("the truth of %s has no rows, so comparing proves nothing", mart)
	}
	columns := slices.Sorted(maps.Keys(want[0]))
	rows := l.query("select " + strings.Join(columns, ", ") + " from " + mart)
	got := map[string]cells{}
	for _, row := range rows[1:] {
		c := cells{}
		for i, name := range rows[0] {
			c[name] = row[i]
		}
		got[keyOf(c, key)] = c
	}
	if len(rows)-1 != len(want) {
		t.Errorf("%s has %d rows, the truth %d", mart, len(rows)-1, len(want))
	}
	wrong := 0
	for _, w := range want {
		g, ok := got[keyOf(w, key)]
		if !ok {
			wrong++
			if wrong <= 5 {
				t.Errorf("%s lacks %v", mart, w)
			}
			continue
		}
		for _, name := range columns {
			if g[name] != w[name] {
				if wrong++; wrong <= 5 {
					t.Errorf("%s %s: %s is %q, want %q\n  row   %v\n  truth %v", mart, keyOf(w, key), name, g[name], w[name], g, w)
				}
				break
			}
		}
	}
	if wrong > 5 {
		t.Errorf("%s: %d rows in all are wrong", mart, wrong)
	}
}

func keyOf(c cells, key []string) string {
	var parts []string
	for _, k := range key {
		parts = append(parts, c[k])
	}
	return strings.Join(parts, " ")
}

func truthUsers(truth *graphsim.Truth) (out []cells) {
	truth.Users(func(u graphsim.TruthUser) bool {
		out = append(out, cells{
			"user_id": u.UserID, "user_principal_name": u.UPN, "mail": u.Mail, "given_name": u.GivenName, "surname": u.Surname,
			"account_enabled": strconv.FormatBool(u.AccountEnabled), "is_guest": strconv.FormatBool(u.IsGuest),
			"job_title": u.JobTitle, "department": u.Department, "country": u.Country,
			"account_created_date": date(u.Created), "on_premises_sync": u.OnPremisesSync,
			"licenses": strconv.Itoa(u.Licenses), "license_names": strings.Join(u.LicenseNames, ", "),
			"activations": unless(u.Activations < 0, u.Activations), "mail_usage_mb": megabytes(u.MailBytes), "onedrive_usage_mb": megabytes(u.OneDriveBytes),
			"uses_windows": flag3(u.Windows), "uses_mac": flag3(u.Mac), "uses_mobile": flag3(u.Mobile), "uses_web": flag3(u.Web),
			"last_activity_date": date(u.LastActivity), "last_activity_service": u.LastActivityService,
			"days_since_last_activity": unless(u.Days < 0, u.Days), "is_mfa_registered": flag3(u.MFARegistered),
		})
		return true
	})
	return out
}

func truthManagers(truth *graphsim.Truth) (out []cells) {
	truth.Users(func(u graphsim.TruthUser) bool {
		out = append(out, cells{"id": u.UserID, "manager_id": u.ManagerID})
		return true
	})
	return out
}

// truthManagersSeats counts the seats of paid SKUs by who is the holder's manager.
func truthManagersSeats(truth *graphsim.Truth) (out []cells) {
	const nobody = "(unattributed)"
	managers := map[string]string{}
	truth.Users(func(u graphsim.TruthUser) bool {
		managers[u.UserID] = cmp.Or(u.Manager, nobody)
		return true
	})
	seats := map[[2]string]int{}
	for _, p := range truth.Positions(60, 14) {
		if p.Class == "paid" {
			seats[[2]string{nobody, p.SkuID}] = 0 // which bears the units that nobody holds, too
		}
	}
	truth.Assignments(60, 14, func(a graphsim.TruthAssignment) bool {
		if _, paid := seats[[2]string{nobody, a.SkuID}]; paid {
			seats[[2]string{managers[a.UserID], a.SkuID}]++
		}
		return true
	})
	for line, n := range seats {
		out = append(out, cells{"value": line[0], "sku_id": line[1], "assigned_users": strconv.Itoa(n)})
	}
	return out
}

func truthSubscriptions(truth *graphsim.Truth) (out []cells) {
	for _, s := range truth.Subscriptions() {
		out = append(out, cells{
			"id": s.ID, "sku_id": s.SkuID, "status": s.Status, "total_licenses": strconv.Itoa(s.Total),
			"next_lifecycle_date_time": date(s.Next),
		})
	}
	return out
}

func truthCopilot(truth *graphsim.Truth) (out []cells) {
	truth.Copilot(func(c graphsim.TruthCopilot) bool {
		out = append(out, cells{"user_principal_name": c.UPN, "last_activity_date": date(c.LastActivity)})
		return true
	})
	return out
}

func truthServices(truth *graphsim.Truth) (out []cells) {
	truth.Services(func(s graphsim.TruthService) bool {
		out = append(out, cells{
			"user_id": s.UserID, "service": s.Service, "last_activity_date": date(s.LastActivity),
			"observed_through": date(s.ObservedThrough), "days_since_last_activity": unless(s.Days < 0, s.Days),
		})
		return true
	})
	return out
}

func truthAssignments(truth *graphsim.Truth) (out []cells) {
	truth.Assignments(60, 14, func(a graphsim.TruthAssignment) bool {
		out = append(out, cells{
			"user_id": a.UserID, "sku_id": a.SkuID, "sku_part_number": a.PartNumber, "product_name": a.ProductName,
			"assigned_by": a.AssignedBy, "assignment_error": a.AssignmentError, "assigned_date": date(a.Assigned),
			"last_activity_date": date(a.LastActivity), "last_activity_service": a.LastActivityService,
			"days_since_last_activity": unless(a.Days < 0, a.Days), "activity_status": a.Status, "activity_basis": a.Basis,
			"evidence": a.Evidence, "account_enabled": strconv.FormatBool(a.AccountEnabled), "is_guest": strconv.FormatBool(a.IsGuest),
		})
		return true
	})
	return out
}

func truthPositions(truth *graphsim.Truth) (out []cells) {
	for _, p := range truth.Positions(60, 14) {
		out = append(out, cells{
			"sku_id": p.SkuID, "sku_part_number": p.PartNumber, "product_name": p.ProductName, "license_class": p.Class,
			"applies_to": p.AppliesTo, "capability_status": p.Status,
			"enabled_units": strconv.Itoa(p.Enabled), "warning_units": strconv.Itoa(p.Warning),
			"suspended_units": strconv.Itoa(p.Suspended), "locked_out_units": strconv.Itoa(p.LockedOut),
			"entitled_units": strconv.Itoa(p.Entitled), "consumed_units": strconv.Itoa(p.Consumed), "available_units": strconv.Itoa(p.Available),
			"assigned_users": strconv.Itoa(p.Assigned), "active_users": strconv.Itoa(p.Active), "inactive_users": strconv.Itoa(p.Inactive),
			"never_active_users": strconv.Itoa(p.NeverActive), "too_new_users": strconv.Itoa(p.TooNew),
			"not_measurable_users": strconv.Itoa(p.NotMeasurable), "disabled_users": strconv.Itoa(p.Disabled),
			"guest_users": strconv.Itoa(p.Guests), "unreconciled_units": strconv.Itoa(p.Unreconciled),
		})
	}
	return out
}

func truthFailures(truth *graphsim.Truth) (out []cells) {
	truth.Failures(func(f graphsim.TruthFailure) bool {
		out = append(out, cells{"user_id": f.UserID, "sku_id": f.SkuID, "assignment_error": f.Error})
		return true
	})
	return out
}

func date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

func unless(none bool, n int) string {
	if none {
		return ""
	}
	return strconv.Itoa(n)
}

func megabytes(bytes int64) string {
	if bytes < 0 {
		return ""
	}
	return fmt.Sprint(float64(bytes) / (1 << 20))
}

func flag3(f graphsim.Flag) string {
	switch f {
	case graphsim.True:
		return "true"
	case graphsim.False:
		return "false"
	default:
		return ""
	}
}
