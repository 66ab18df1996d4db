package graphsim

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPagingLosesNothing(t *testing.T) {
	type row struct{ ID string }
	for _, size := range []int{1, 7, 100, 499, 0} {
		t.Run(fmt.Sprint("pages of ", size), func(t *testing.T) {
			_, c := open(t, Options{Seed: 1, Users: 250, SignIns: 250, PageSize: size})
			users, pages := all[row](c, "/v1.0/users?$top=999&$select=id")
			distinct := map[string]bool{}
			for _, u := range users {
				distinct[u.ID] = true
			}
			if len(users) != 250 || len(distinct) != 250 {
				t.Errorf("%d users, %d of them distinct, on %d pages", len(users), len(distinct), pages)
			}
			if size > 0 && pages != (250+size-1)/size {
				t.Errorf("%d pages", pages)
			}
			signIns, _ := all[row](c, "/v1.0/auditLogs/signIns?$top=1000&$select=id")
			seen := map[string]bool{}
			for _, s := range signIns {
				seen[s.ID] = true
			}
			if len(seen) != 250 {
				t.Errorf("%d sign-ins", len(seen))
			}
		})
	}
}

func TestPagesAreNeverLargerThanGraphs(t *testing.T) {
	_, c := open(t, Options{Users: 2500, SignIns: 2500})
	for path, want := range map[string]int{
		"/v1.0/users?$select=id":                                100,
		"/v1.0/users?$select=id&$top=5":                         5,
		"/v1.0/users?$select=id&$top=5000":                      999,
		"/beta/users?$select=id,signInActivity&$top=999":        500,
		"/v1.0/auditLogs/signIns?$select=id":                    1000,
		"/v1.0/auditLogs/signIns?$select=id&$top=5000":          1000,
		"/v1.0/auditLogs/signIns?$select=id&$top=10":            10,
		"/v1.0/subscribedSkus":                                  skuCount,
		"/v1.0/users?$select=id&$count=true&$top=3":             3,
		"/v1.0/users?%24select=id&%24top=4":                     4,
		"/v1.0/auditLogs/signIns?$orderby=createdDateTime+desc": 1000,
	} {
		if p := c.page(path); len(p.Value) != want {
			t.Errorf("%s: %d rows, want %d", path, len(p.Value), want)
		}
	}
	first := c.page("/v1.0/users?$count=true&$select=id")
	if first.Count == nil || *first.Count != 2500 {
		t.Errorf("@odata.count %v", first.Count)
	}
	if second := c.page(first.Next); second.Count != nil {
		t.Error("@odata.count stands on the second page")
	}
}

func TestSelectGivesWhatWasAskedFor(t *testing.T) {
	_, c := open(t, Options{Users: 60})
	keys := func(path string) (ks []string) {
		rows, _ := all[map[string]any](c, path)
		for k := range rows[0] {
			ks = append(ks, k)
		}
		slices.Sort(ks)
		return ks
	}
	if diff := cmp.Diff([]string{"id", "mail"}, keys("/beta/users?$select=mail,id")); diff != "" {
		t.Error(diff)
	}
	basic := []string{"businessPhones", "displayName", "givenName", "id", "jobTitle", "mail", "mobilePhone", "officeLocation", "preferredLanguage", "surname", "userPrincipalName"}
	if diff := cmp.Diff(basic, keys("/v1.0/users")); diff != "" {
		t.Error(diff)
	}
	if beta := keys("/beta/users"); len(beta) <= len(basic) || slices.Contains(beta, "signInActivity") {
		t.Errorf("beta's default properties: %v", beta)
	}
}

func TestWhatGraphDoesNotTakeIsRefused(t *testing.T) {
	_, c := open(t, Options{Users: 10, SignIns: 10})
	for path, want := range map[string]int{
		"/v1.0/users?$select=shoeSize":                                            400,
		"/v1.0/users?$select=manager":                                             400,
		"/v1.0/users?$expand=photo":                                               400,
		"/v1.0/users?$expand=manager($levels=max)":                                400,
		"/v1.0/subscribedSkus?$expand=manager":                                    400,
		"/v1.0/users?$skip=10":                                                    400,
		"/v1.0/users?$top=0":                                                      400,
		"/v1.0/users?$top=many":                                                   400,
		"/v1.0/users?$filter=accountEnabled+eq+true":                              400,
		"/v1.0/subscribedSkus?$top=5":                                             400,
		"/v1.0/subscribedSkus?$filter=x":                                          400,
		"/v1.0/subscribedSkus?$select=id":                                         400,
		"/v1.0/auditLogs/signIns?$skip=5":                                         400,
		"/v1.0/auditLogs/signIns?$skiptoken=nonsense":                             400,
		"/v1.0/auditLogs/signIns?$filter=createdDateTime+ge+today":                400,
		"/v1.0/auditLogs/signIns?$filter=createdDateTime+gt+2026-01-01T00:00:00Z": 400,
		"/v1.0/reports/getMailboxUsageDetail":                                     400,
		"/v1.0/reports/getMailboxUsageDetail(period=D30)":                         400,
		"/v1.0/reports/getMailboxUsageDetail(period='D31')":                       400,
		"/v1.0/reports/getOffice365ActivationsUserDetail(period='D30')":           400,
		"/v1.0/reports/getNothing(period='D30')":                                  400,
		"/v1.0/nothing":                                                           400,
		"/v2.0/users":                                                             400,
	} {
		if status, body := c.get(path); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	t.Run("a token that is not known", func(t *testing.T) {
		c := *c
		c.token = "guess"
		if status, _ := c.get("/v1.0/users"); status != 401 {
			t.Errorf("status %d", status)
		}
	})
	t.Run("a write", func(t *testing.T) {
		req, err := http.NewRequest(http.MethodPost, c.s.GraphURL+"/v1.0/users", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+c.token)
		r, err := c.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("status %d", r.StatusCode)
		}
	})
}

func TestSignInsComeNewestFirstAndByInclusiveWindows(t *testing.T) {
	tenant, c := open(t, Options{Seed: 5, Users: 50, SignIns: 3000})
	type row struct {
		ID              string
		CreatedDateTime time.Time
	}
	rows, _ := all[row](c, "/v1.0/auditLogs/signIns")
	seen := map[string]bool{}
	var whole []row
	for i, r := range rows {
		if i > 0 && r.CreatedDateTime.After(rows[i-1].CreatedDateTime) && !seen[r.ID] {
			t.Fatalf("sign-in %d is newer than the one before", i)
		}
		if !seen[r.ID] {
			whole = append(whole, r)
		}
		seen[r.ID] = true
	}
	oldest := whole[len(whole)-1].CreatedDateTime
	if now := tenant.o.Now; whole[0].CreatedDateTime.After(now) || now.Sub(whole[0].CreatedDateTime) > 2*time.Hour || now.Sub(oldest) > 30*dayHours || now.Sub(oldest) < 29*dayHours {
		t.Errorf("sign-ins from %v to %v", oldest, whole[0].CreatedDateTime)
	}
	// Days as windows, closed at both ends: what happened at midnight is in two.
	window := func(from, to time.Time) []row {
		filter := "createdDateTime ge " + from.Format(time.RFC3339) + " and createdDateTime le " + to.Format(time.RFC3339)
		rows, _ := all[row](c, "/v1.0/auditLogs/signIns?$top=1000&$filter="+url.QueryEscape(filter))
		return rows
	}
	total, midnights := 0, 0
	for d := tenant.o.Now.Truncate(dayHours).Add(-31 * dayHours); d.Before(tenant.o.Now); d = d.Add(dayHours) {
		for _, r := range window(d, d.Add(dayHours)) {
			total++
			if r.CreatedDateTime.Before(d) || r.CreatedDateTime.After(d.Add(dayHours)) {
				t.Errorf("%v is not within the day of %v", r.CreatedDateTime, d)
			}
			if r.CreatedDateTime.Equal(d) {
				midnights++
			}
		}
	}
	if midnights == 0 || total != len(whole)+midnights {
		t.Errorf("%d sign-ins in windows, %d of them at midnight; %d in all", total, midnights, len(whole))
	}
	if rows := window(tenant.o.Now.Add(dayHours), tenant.o.Now.Add(2*dayHours)); len(rows) != 0 {
		t.Errorf("%d sign-ins tomorrow", len(rows))
	}
}

func TestAShortPageIsNotTheLast(t *testing.T) {
	_, c := open(t, Options{Users: 10, SignIns: 500})
	var sizes []int
	for path := "/v1.0/auditLogs/signIns?$select=id&$top=100"; path != ""; {
		p := c.page(path)
		sizes = append(sizes, len(p.Value))
		path = p.Next
	}
	if diff := cmp.Diff([]int{100, 101, 50, 100, 101, 50}, sizes); diff != "" {
		t.Error(diff)
	}
}

// transcript reads all of a tenant as bytes, without the server's addresses.
func transcript(t *testing.T, o Options) string {
	t.Helper()
	_, c := open(t, o)
	var b strings.Builder
	for _, path := range []string{"/beta/users?$top=999&$select=" + everything, "/v1.0/subscribedSkus", "/v1.0/auditLogs/signIns", "/v1.0/directory/subscriptions"} {
		for path != "" {
			p := c.page(path)
			_, body := c.get(path)
			b.Write(body)
			path = p.Next
		}
	}
	for _, k := range reportKinds {
		b.Write(c.download(reportAddress(k)))
	}
	return strings.ReplaceAll(b.String(), c.s.GraphURL, "")
}

func TestTheSameOptionsGiveTheSameBytes(t *testing.T) {
	o := Options{Seed: 11, Users: 120, SignIns: 600}
	first := transcript(t, o)
	if transcript(t, o) != first {
		t.Error("the same options gave another tenant")
	}
	o.Seed++
	if transcript(t, o) == first {
		t.Error("another seed gave the same tenant")
	}
}

func TestAnswersAreCompressedWhenAsked(t *testing.T) {
	_, c := open(t, Options{Users: 50})
	for _, path := range []string{"/v1.0/users", c.s.ReportsURL} {
		if path == c.s.ReportsURL {
			r, _, err := c.try(reportAddress(reportKinds[0]))
			if err != nil {
				t.Fatal(err)
			}
			path = r.Header.Get("Location")
		} else {
			path = c.s.GraphURL + path
		}
		req, err := http.NewRequest(http.MethodGet, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(path, c.s.GraphURL) {
			req.Header.Set("Authorization", "Bearer "+c.token)
		}
		req.Header.Set("Accept-Encoding", "gzip")
		req.Header.Set("client-request-id", "7d1b6a52-0c1d-4a41-9d0e-6d7b8f0e2c55")
		r, err := c.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		if r.Header.Get("Content-Encoding") != "gzip" {
			t.Fatalf("%s: coding %q", path, r.Header.Get("Content-Encoding"))
		}
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, z); err != nil {
			t.Error(err)
		}
		if strings.HasPrefix(path, c.s.GraphURL) && (r.Header.Get("request-id") == "" || r.Header.Get("client-request-id") != req.Header.Get("client-request-id")) {
			t.Errorf("headers %v", r.Header)
		}
	}
}

func TestATokenMustNotReachTheDownloadHost(t *testing.T) {
	tenant, err := New(Options{Users: 5})
	if err != nil {
		t.Fatal(err)
	}
	s, err := tenant.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodGet, s.ReportsURL+"/data/v1.0/download?token=x", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer secret")
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	r, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusInternalServerError {
		t.Errorf("status %d", r.StatusCode)
	}
	if err := s.Close(); err == nil || !strings.Contains(err.Error(), "Authorization was sent") {
		t.Errorf("Close says %v", err)
	}
	log := s.Log()
	if len(log) != 1 || log[0].Server != "reports" || !log[0].Authorized || log[0].Status != 500 {
		t.Errorf("log %+v", log)
	}
}

func TestTheServerStopsWithItsContext(t *testing.T) {
	tenant, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s, err := tenant.Serve(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	s.done.Wait()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestSourcesAreReadSideBySide(t *testing.T) {
	_, c := open(t, Options{Users: 120, SignIns: 400})
	want := map[string]int{}
	paths := []string{"/beta/users?$select=id,signInActivity,assignedLicenses&$top=999", "/v1.0/subscribedSkus", "/v1.0/auditLogs/signIns", "/v1.0/directory/subscriptions"}
	for _, p := range paths {
		want[p] = len(c.page(p).Value)
	}
	var all sync.WaitGroup
	for range 3 {
		for _, p := range paths {
			all.Go(func() {
				_, body, err := c.try(p)
				var got page
				if err == nil {
					err = json.Unmarshal(body, &got)
				}
				if err != nil || len(got.Value) != want[p] {
					t.Errorf("%s: %d rows, %v", p, len(got.Value), err)
				}
			})
		}
	}
	all.Wait()
	if log := c.s.Log(); len(log) != 1+4*len(paths) { // one for the token
		t.Errorf("%d requests are in the log", len(log))
	}
}

func TestOptionsNameAllTheirFaults(t *testing.T) {
	_, err := New(Options{Users: -1, PageSize: -2, Throttle: true, Deny: []string{"Everything"}, Faults: []Fault{{Kind: "fire"}}})
	for _, want := range []string{"Users -1", "PageSize -2", "Throttle", `Deny "Everything"`, `fault 0: kind "fire"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

func TestPublishedLimits(t *testing.T) {
	now := time.Date(2026, 11, 24, 9, 15, 2, 0, time.UTC)
	clock := func() time.Time { return now }
	for _, l := range []struct {
		name, path string
		calls      int // that pass
		per        time.Duration
		silent     bool
	}{
		{"sign-ins", "/v1.0/auditLogs/signIns?$top=1", 5, 10 * time.Second, true},
		{"users with signInActivity", "/beta/users?$select=id,signInActivity", 10, time.Minute, false},
		{"a report", "/v1.0/reports/getMailboxUsageDetail(period='D30')", 14, 10 * time.Minute, false},
	} {
		t.Run(l.name, func(t *testing.T) {
			_, c := open(t, Options{Users: 10, SignIns: 10, Throttle: true, Clock: clock})
			for i := range l.calls {
				if status, body := c.get(l.path); status >= 400 {
					t.Fatalf("call %d: %d %s", i+1, status, body)
				}
			}
			r, body, err := c.try(l.path)
			if err != nil || r.StatusCode != http.StatusTooManyRequests {
				t.Fatalf("call %d: %v %s", l.calls+1, err, body)
			}
			if after := r.Header.Get("Retry-After"); (after == "") != l.silent {
				t.Errorf("Retry-After %q", after)
			}
			if l.silent {
				same(t, body, sample(t, "429-audit-reports-no-retry-after.json"))
			}
			now = now.Add(l.per)
			if status, body := c.get(l.path); status >= 400 {
				t.Errorf("after %v: %d %s", l.per, status, body)
			}
		})
	}
}

func TestTokensAndDownloadLinksExpire(t *testing.T) {
	now := time.Date(2026, 11, 24, 9, 15, 2, 0, time.UTC)
	_, c := open(t, Options{Users: 10, Clock: func() time.Time { return now }})
	r, _, err := c.try(reportAddress(reportKinds[0]))
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(6 * time.Minute)
	if status, body := c.get(r.Header.Get("Location")); status != http.StatusForbidden {
		t.Errorf("an old link: %d %s", status, body)
	}
	if status, _ := c.get("/v1.0/users"); status != 200 {
		t.Errorf("status %d", status)
	}
	now = now.Add(time.Hour)
	if status, _ := c.get("/v1.0/users"); status != 401 {
		t.Errorf("an old token: status %d", status)
	}
	c.login()
	if status, _ := c.get("/v1.0/users"); status != 200 {
		t.Errorf("a new token: status %d", status)
	}
}

func TestAFolderIsATenant(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("users.1.json", `[{"id": "u1", "accountEnabled": true, "assignedLicenses": []}, {"id": "u2"}]`)
	write("users.2.json", `{"@odata.context": "x", "value": [{"id": "u3", "displayName": "Zoë"}]}`)
	write("signIns.1.json", `[{"id": "s1", "createdDateTime": "2026-11-24T08:00:00Z"}, {"id": "s2", "createdDateTime": "2026-11-23T08:00:00.1234567Z"}]`)
	write("getMailboxUsageDetail.csv", "Report Refresh Date,User Principal Name\n2026-11-22,a@contoso.com\n")
	write("reportSettings.json", `{"displayConcealedNames": true}`)
	tenant, err := Folder(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := tenant.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, s)

	users, pages := all[map[string]any](c, "/beta/users?$select=id,accountEnabled,signInActivity&$top=999")
	want := []map[string]any{{"id": "u1", "accountEnabled": true}, {"id": "u2"}, {"id": "u3"}}
	if diff := cmp.Diff(want, users); diff != "" || pages != 2 {
		t.Errorf("%d pages\n%s", pages, diff)
	}
	filter := url.QueryEscape("createdDateTime ge 2026-11-24T00:00:00Z")
	if rows, _ := all[map[string]any](c, "/v1.0/auditLogs/signIns?$filter="+filter); len(rows) != 1 || rows[0]["id"] != "s1" {
		t.Errorf("sign-ins %v", rows)
	}
	if body := c.download("/v1.0/reports/getMailboxUsageDetail(period='D30')"); !bytes.Equal(body, []byte("\ufeffReport Refresh Date,User Principal Name\r\n2026-11-22,a@contoso.com\r\n")) {
		t.Errorf("report %q", body)
	}
	if _, body := c.get("/v1.0/admin/reportSettings"); !bytes.Contains(body, []byte(`"displayConcealedNames":true`)) {
		t.Errorf("settings %s", body)
	}
	for path, want := range map[string]int{
		"/v1.0/subscribedSkus": 404, "/v1.0/reports/getEmailActivityUserDetail(period='D30')": 404, "/v1.0/users?$select=shoeSize": 400,
	} {
		if status, body := c.get(path); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	t.Run("rows that are no objects are named", func(t *testing.T) {
		write("users.3.json", `[1]`)
		if _, err := Folder(dir, Options{}); err == nil || !strings.Contains(err.Error(), "users.3.json: row 1") {
			t.Errorf("error %v", err)
		}
	})
}
