package graphsim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client is a plain reader of a served tenant.
type client struct {
	t     testing.TB
	s     *Server
	http  *http.Client
	token string
}

// open serves a tenant until the test ends.
func open(t testing.TB, o Options) (*Tenant, *client) {
	t.Helper()
	tenant, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s, err := tenant.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tenant, connect(t, s)
}

func connect(t testing.TB, s *Server) *client {
	t.Helper()
	tr := &http.Transport{}
	c := &client{t: t, s: s, http: &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	c.login()
	return c
}

func (c *client) login() {
	c.t.Helper()
	status, body := c.tokenRequest(url.Values{
		"grant_type": {"client_credentials"}, "client_id": {c.s.o.ClientID}, "client_secret": {c.s.o.ClientSecret}, "scope": {c.s.GraphURL + "/.default"},
	})
	if status != http.StatusOK {
		c.t.Fatalf("token: %d %s", status, body)
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		c.t.Fatal(err)
	}
	c.token = answer.AccessToken
}

func (c *client) tokenRequest(form url.Values) (int, []byte) {
	c.t.Helper()
	r, err := c.http.PostForm(c.s.LoginURL+"/"+c.s.o.TenantID+"/oauth2/v2.0/token", form)
	if err != nil {
		c.t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return r.StatusCode, body
}

// try sends a GET; path is relative to Graph or a whole address.
func (c *client) try(path string) (*http.Response, []byte, error) {
	c.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = c.s.GraphURL + path
	}
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if strings.HasPrefix(path, c.s.GraphURL) {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	r, err := c.http.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return r, body, err
}

func (c *client) get(path string) (int, []byte) {
	c.t.Helper()
	r, body, err := c.try(path)
	if err != nil {
		c.t.Fatalf("GET %s: %v", path, err)
	}
	return r.StatusCode, body
}

// page is one page of a collection.
type page struct {
	Context string            `json:"@odata.context"`
	Next    string            `json:"@odata.nextLink"`
	Count   *int              `json:"@odata.count"`
	Value   []json.RawMessage `json:"value"`
}

func (c *client) page(path string) page {
	c.t.Helper()
	status, body := c.get(path)
	if status != http.StatusOK {
		c.t.Fatalf("GET %s: %d %s", path, status, body)
	}
	var p page
	if err := json.Unmarshal(body, &p); err != nil {
		c.t.Fatalf("GET %s: %v", path, err)
	}
	return p
}

// all follows nextLinks to the end.
func all[T any](c *client, path string) (rows []T, pages int) {
	c.t.Helper()
	for path != "" {
		p := c.page(path)
		pages++
		for _, raw := range p.Value {
			var row T
			if err := json.Unmarshal(raw, &row); err != nil {
				c.t.Fatalf("%v: %s", err, raw)
			}
			rows = append(rows, row)
		}
		path = p.Next
	}
	return rows, pages
}

// download follows a report's redirect.
func (c *client) download(path string) []byte {
	c.t.Helper()
	r, body, err := c.try(path)
	if err != nil {
		c.t.Fatal(err)
	}
	if r.StatusCode != http.StatusFound {
		c.t.Fatalf("GET %s: %d %s", path, r.StatusCode, body)
	}
	status, body := c.get(r.Header.Get("Location"))
	if status != http.StatusOK {
		c.t.Fatalf("GET %s: %d %s", r.Header.Get("Location"), status, body)
	}
	return body
}

func reportAddress(k reportKind) string {
	if k.period {
		return "/v1.0/reports/" + k.function + "(period='D30')"
	}
	return "/v1.0/reports/" + k.function
}

// everything is the $select of a whole user.
const everything = "id,userPrincipalName,displayName,givenName,surname,mail,otherMails,proxyAddresses,accountEnabled,userType,createdDateTime,jobTitle,department,companyName," +
	"country,city,officeLocation,usageLocation,preferredLanguage,employeeId,employeeType,employeeHireDate,employeeLeaveDateTime,onPremisesSyncEnabled," +
	"onPremisesLastSyncDateTime,onPremisesSamAccountName,onPremisesDomainName,externalUserState,lastPasswordChangeDateTime,assignedLicenses,assignedPlans," +
	"provisionedPlans,licenseAssignmentStates,signInActivity"

func TestATenantCanBeReadWhole(t *testing.T) {
	_, c := open(t, Options{Seed: 1, Users: 500, SignIns: 5000})
	users, pages := all[struct{ ID string }](c, "/beta/users?$select="+everything+"&$top=999")
	if len(users) != 500 || pages != 1 {
		t.Errorf("%d users on %d pages, want 500 on 1", len(users), pages)
	}
	signIns, _ := all[struct{ ID string }](c, "/v1.0/auditLogs/signIns")
	ids := map[string]bool{}
	for _, s := range signIns {
		ids[s.ID] = true
	}
	if len(ids) != 5000 {
		t.Errorf("%d sign-ins, want 5000", len(ids))
	}
	if len(signIns) == len(ids) {
		t.Error("no sign-in stands on two pages")
	}
	skus, _ := all[struct{ SkuID string }](c, "/v1.0/subscribedSkus")
	if len(skus) != skuCount {
		t.Errorf("%d SKUs, want %d", len(skus), skuCount)
	}
	for _, k := range reportKinds {
		body := c.download(reportAddress(k))
		if !bytes.HasPrefix(body, []byte("\ufeff"+k.header+"\r\n")) {
			t.Errorf("%s begins with %.80q", k.function, body)
		}
		if n := bytes.Count(body, []byte("\r\n")); n < 10 {
			t.Errorf("%s has %d lines", k.function, n)
		}
	}
}
