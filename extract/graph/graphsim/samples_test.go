package graphsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shape is the kinds of value that stand at each path of some JSON.
type shape map[string]map[string]bool

func (s shape) add(path string, v any) {
	kind := fmt.Sprintf("%T", v)
	switch v := v.(type) {
	case map[string]any:
		kind = "object"
		for k, e := range v {
			s.add(path+"."+k, e)
		}
	case []any:
		kind = "array"
		for _, e := range v {
			s.add(path+"[]", e)
		}
	case nil:
		kind = "null"
	}
	if s[path] == nil {
		s[path] = map[string]bool{}
	}
	s[path][kind] = true
}

func shapeOf(t *testing.T, body []byte) shape {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%v: %.200s", err, body)
	}
	s := shape{}
	s.add("", v)
	return s
}

func sample(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "samples", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// covers fails for every path of want that have lacks, and every kind of value there.
func covers(t *testing.T, have, want shape, of string) {
	t.Helper()
	for _, path := range slices.Sorted(maps.Keys(want)) {
		for kind := range want[path] {
			if !have[path][kind] {
				t.Errorf("%s: %s is never %s, only %v", of, path, kind, slices.Sorted(maps.Keys(have[path])))
			}
		}
	}
}

func TestPagesHaveTheShapeOfSamples(t *testing.T) {
	_, c := open(t, Options{Seed: 3, Users: 400, SignIns: 2000})
	sampleSelect := "id,userPrincipalName,displayName,mail,jobTitle,department,companyName,country,usageLocation,employeeId,userType,accountEnabled," +
		"createdDateTime,onPremisesSyncEnabled,assignedLicenses,assignedPlans,provisionedPlans,licenseAssignmentStates,signInActivity"
	for _, at := range []struct{ sample, path string }{
		{"users.json", "/beta/users?$select=" + sampleSelect + "&$expand=manager($select=id,displayName,userPrincipalName)&$top=300"},
		{"sign_ins.json", "/v1.0/auditLogs/signIns"},
		{"subscribedSkus.json", "/v1.0/subscribedSkus"},
		{"reportSettings.json", "/v1.0/admin/reportSettings"},
		{"userRegistrationDetails.json", registrations},
	} {
		t.Run(at.sample, func(t *testing.T) {
			status, body := c.get(at.path)
			if status != http.StatusOK {
				t.Fatalf("%d %s", status, body)
			}
			have, want := shapeOf(t, body), shapeOf(t, sample(t, at.sample))
			covers(t, have, want, "served")
			for path := range have {
				if want[path] == nil && !strings.HasSuffix(path, "[]") {
					t.Errorf("%s is served and not in the sample", path)
				}
			}
		})
	}
}

func TestSubscriptionsHaveTheProperties(t *testing.T) {
	_, c := open(t, Options{Users: 50})
	_, body := c.get("/v1.0/directory/subscriptions")
	have, want := shapeOf(t, body), shapeOf(t, sample(t, "directory-subscriptions.json"))
	for path := range want {
		if have[path] == nil {
			t.Errorf("%s is not served", path)
		}
	}
}

var variable = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\d[T ][0-9:]+Z?`)

// same compares two answers but for ids and times, and for the client-request-id,
// which is only echoed.
func same(t *testing.T, have, want []byte) {
	t.Helper()
	read := func(b []byte) (v map[string]any) {
		if err := json.Unmarshal(variable.ReplaceAll(b, []byte("#")), &v); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		if e, ok := v["error"].(map[string]any); ok {
			delete(e["innerError"].(map[string]any), "client-request-id")
		}
		return v
	}
	if diff := cmp.Diff(read(want), read(have)); diff != "" {
		t.Error(diff)
	}
}

func TestRefusalsReadAsSamples(t *testing.T) {
	const signIns = "/v1.0/auditLogs/signIns"
	for _, at := range []struct {
		sample string
		status int
		o      Options
		path   string
	}{
		{"401-expired-token.json", 401, Options{Faults: []Fault{{Kind: ExpiredToken}}}, "/v1.0/users"},
		{"403-authorization-request-denied.json", 403, Options{Deny: []string{"User.Read.All"}}, "/v1.0/users"},
		{"403-authorization-request-denied.json", 403, Options{Deny: []string{"AuditLog.Read.All"}}, "/v1.0/users?$select=id,signInActivity"},
		{"403-authorization-request-denied.json", 403, Options{Deny: []string{"LicenseAssignment.Read.All"}}, "/v1.0/subscribedSkus"},
		{"403-missing-reports-read-all.json", 403, Options{Deny: []string{"Reports.Read.All"}}, "/v1.0/reports/getMailboxUsageDetail(period='D30')"},
		{"403-missing-reports-read-all.json", 403, Options{Deny: []string{"ReportSettings.Read.All"}}, "/v1.0/admin/reportSettings"},
		{"403-nonpremium.json", 403, Options{NoPremium: true}, signIns},
		{"403-nonpremium.json", 403, Options{NoPremium: true}, "/beta/users?$select=signInActivity"},
		{"400-expired-page-token.json", 400, Options{}, "/v1.0/users?$skiptoken=RFNwdAIAAQAAAA"},
		{"400-v1-signInEventTypes.json", 400, Options{}, signIns + "?$filter=" + url.QueryEscape("signInEventTypes/any(t: t eq 'nonInteractiveUser')")},
		{"503-retry-after.json", 503, Options{Faults: []Fault{{Kind: Unavailable, RetryAfter: "30"}}}, "/v1.0/users"},
	} {
		t.Run(at.sample+" for "+at.path, func(t *testing.T) {
			_, c := open(t, at.o)
			status, body := c.get(at.path)
			if status != at.status {
				t.Errorf("status %d, want %d", status, at.status)
			}
			same(t, body, sample(t, at.sample))
		})
	}
}

func TestReportsHaveTheHeadersAndCellsOfSamples(t *testing.T) {
	for _, at := range []struct {
		file string
		o    Options
	}{
		{"getEmailActivityUserDetail", Options{}}, {"getM365AppUserDetail", Options{}}, {"getMailboxUsageDetail", Options{}},
		{"getOffice365ActivationsUserDetail", Options{}}, {"getOffice365ActiveUserDetail", Options{}},
		{"getOneDriveUsageAccountDetail", Options{}},
		{"getOffice365ActiveUserDetail.concealed", Options{Concealed: true}},
		{"getOneDriveUsageAccountDetail.documented-header", Options{DocumentedOneDriveHeader: true}},
	} {
		t.Run(at.file, func(t *testing.T) {
			at.o.Users = 300
			_, c := open(t, at.o)
			function, _, _ := strings.Cut(at.file, ".")
			kind, _ := findReport(function)
			body := c.download(reportAddress(*kind))
			want := sample(t, at.file+".csv")
			header := func(b []byte) string { return string(b[:bytes.Index(b, []byte("\r\n"))]) }
			if diff := cmp.Diff(header(want), header(body)); diff != "" {
				t.Error(diff)
			}
			if !bytes.HasSuffix(body, []byte("\r\n\r\n")) || bytes.Contains(bytes.ReplaceAll(body, []byte("\r\n"), nil), []byte("\n")) {
				t.Error("the report lacks its blank last lines, or has lines that end otherwise than in CRLF")
			}
			// Every kind of cell of the sample is served in its column.
			have, wants := cellKinds(t, body), cellKinds(t, want)
			for col, kinds := range wants {
				for kind := range kinds {
					if !have[col][kind] {
						t.Errorf("column %q never holds %s, only %v", col, kind, slices.Sorted(maps.Keys(have[col])))
					}
				}
			}
		})
	}
}

var cellKind = []struct {
	name string
	is   *regexp.Regexp
}{
	{"nothing", regexp.MustCompile(`^$`)}, {"a date", regexp.MustCompile(`^\d{4}-\d\d-\d\d$`)},
	{"a hash", regexp.MustCompile(`^[0-9A-F]{32}$`)}, {"a number", regexp.MustCompile(`^\d+$`)},
	{"True or False", regexp.MustCompile(`^(True|False)$`)}, {"Yes or No", regexp.MustCompile(`^(Yes|No)$`)},
	{"nobody", regexp.MustCompile(`^\(Unknown\)$`)}, {"a GUID", regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f-]{27}$`)},
	{"text", regexp.MustCompile(`.`)},
}

// cellKinds says what kinds of cell stand under each header.
func cellKinds(t *testing.T, report []byte) map[string]map[string]bool {
	out := map[string]map[string]bool{}
	for _, row := range readCSV(t, report) {
		for col, cell := range row {
			if out[col] == nil {
				out[col] = map[string]bool{}
			}
			for _, k := range cellKind {
				if k.is.MatchString(cell) {
					out[col][k.name] = true
					break
				}
			}
		}
	}
	return out
}

func TestTheTokenEndpoint(t *testing.T) {
	_, c := open(t, Options{Deny: []string{"User.Read.All"}})
	good := func() url.Values {
		return url.Values{"grant_type": {"client_credentials"}, "client_id": {DefaultClientID}, "client_secret": {DefaultClientSecret}, "scope": {c.s.GraphURL + "/.default"}}
	}
	t.Run("a token carries the tenant and the roles", func(t *testing.T) {
		status, body := c.tokenRequest(good())
		if status != 200 {
			t.Fatal(status)
		}
		covers(t, shapeOf(t, body), shapeOf(t, sample(t, "200-client-credentials.json")), "token")
		var answer struct {
			AccessToken string `json:"access_token"`
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(answer.AccessToken, ".")
		if len(parts) != 3 {
			t.Fatalf("%d parts", len(parts))
		}
		claims := claimsOf(t, parts[1])
		if claims["tid"] != DefaultTenantID || claims["appid"] != DefaultClientID || claims["aud"] != c.s.GraphURL {
			t.Errorf("claims %v", claims)
		}
		if roles := fmt.Sprint(claims["roles"]); strings.Contains(roles, "User.Read.All") || !strings.Contains(roles, "AuditLog.Read.All") {
			t.Errorf("roles %v", roles)
		}
	})
	t.Run("a wrong secret reads as the sample", func(t *testing.T) {
		form := good()
		form.Set("client_secret", "wrong")
		status, body := c.tokenRequest(form)
		if status != 401 {
			t.Errorf("status %d", status)
		}
		same(t, body, sample(t, "401-invalid_client-7000215-bad-secret.json"))
	})
	for _, wrong := range []struct{ key, value, want string }{
		{"client_id", "22222222-bbbb-3333-cccc-4444dddd5555", "unauthorized_client"},
		{"scope", "User.Read", "invalid_scope"},
		{"grant_type", "password", "unsupported_grant_type"},
	} {
		t.Run("a wrong "+wrong.key+" is refused", func(t *testing.T) {
			form := good()
			form.Set(wrong.key, wrong.value)
			status, body := c.tokenRequest(form)
			if status != 400 || !bytes.Contains(body, []byte(`"error":"`+wrong.want+`"`)) {
				t.Errorf("%d %s", status, body)
			}
		})
	}
	t.Run("a tenant that was granted nothing gets a token without roles", func(t *testing.T) {
		_, c := open(t, Options{Deny: permissions})
		if claims := claimsOf(t, strings.Split(c.token, ".")[1]); claims["roles"] != nil {
			t.Errorf("roles %v", claims["roles"])
		}
	})
}
