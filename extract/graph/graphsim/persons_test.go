package graphsim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// ask sends a form to the login host, or a GET when there is none.
func (c *client) ask(path string, form url.Values, header ...string) (int, http.Header, []byte) {
	c.t.Helper()
	method, body := http.MethodGet, io.Reader(nil)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.s.LoginURL+path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	r, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return r.StatusCode, r.Header, text
}

// field is a text of a JSON object.
func field(t *testing.T, body []byte, name string) string {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	s, _ := v[name].(string)
	return s
}

const oauth = "/" + DefaultTenantID + "/oauth2/v2.0/"

func TestPeopleSignIn(t *testing.T) {
	now := time.Date(2026, 10, 8, 9, 15, 2, 0, time.UTC)
	_, c := open(t, Options{Now: now, Clock: func() time.Time { return now }})
	scope := c.s.GraphURL + "/.default offline_access"
	device := func() string {
		_, _, body := c.ask(oauth+"devicecode", url.Values{"client_id": {DefaultClientID}, "scope": {scope}})
		return field(t, body, "device_code")
	}
	poll := func(code string) (int, []byte) {
		return c.tokenRequest(url.Values{"client_id": {DefaultClientID}, "grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {code}})
	}
	refresh := func(token string) (int, []byte) {
		return c.tokenRequest(url.Values{"client_id": {DefaultClientID}, "grant_type": {"refresh_token"}, "refresh_token": {token}, "scope": {scope}})
	}

	t.Run("the answers have the shape of the samples", func(t *testing.T) {
		c.s.Logins(Logins{Polls: []string{"authorization_pending"}})
		_, _, body := c.ask(oauth+"devicecode", url.Values{"client_id": {DefaultClientID}, "scope": {scope}})
		covers(t, shapeOf(t, body), shapeOf(t, sample(t, "200-devicecode.json")), "devicecode")
		code := field(t, body, "device_code")
		status, body := poll(code)
		if status != http.StatusBadRequest {
			t.Errorf("status %d", status)
		}
		same(t, body, sample(t, "400-authorization_pending.json"))
		_, body = poll(code)
		want := shapeOf(t, sample(t, "200-authorization-code.json"))
		delete(want, ".id_token") // OpenID's, which nobody asks for here
		covers(t, shapeOf(t, body), want, "token")
		c.s.Logins(Logins{Refuse: map[string]int{"refresh_token": 700082}})
		status, body = refresh(field(t, body, "refresh_token"))
		if status != http.StatusBadRequest {
			t.Errorf("status %d", status)
		}
		same(t, body, sample(t, "400-invalid_grant-700082-refresh-expired.json"))
	})

	t.Run("a refresh gives a new token and leaves the old one", func(t *testing.T) {
		c.s.Logins(Logins{})
		_, body := poll(device())
		first := field(t, body, "refresh_token")
		_, body = refresh(first)
		second := field(t, body, "refresh_token")
		if second == "" || second == first {
			t.Errorf("after %q comes %q", first, second)
		}
		for _, token := range []string{first, second} {
			if status, body := refresh(token); status != http.StatusOK {
				t.Errorf("%d %s", status, body)
			}
		}
		if status, _ := refresh("1.Aguess"); status != http.StatusBadRequest {
			t.Errorf("a guess: %d", status)
		}
	})

	t.Run("a refresh gives a new token and takes the old one when told to", func(t *testing.T) {
		c.s.Logins(Logins{RefreshOnce: true})
		_, body := poll(device())
		first := field(t, body, "refresh_token")
		if status, _ := refresh(first); status != http.StatusOK {
			t.Errorf("status %d", status)
		}
		if status, _ := refresh(first); status != http.StatusBadRequest {
			t.Errorf("status %d", status)
		}
	})

	t.Run("a device's code works once, and for a quarter of an hour", func(t *testing.T) {
		c.s.Logins(Logins{})
		code := device()
		if status, _ := poll(code); status != http.StatusOK {
			t.Errorf("status %d", status)
		}
		if _, body := poll(code); field(t, body, "error") != "bad_verification_code" {
			t.Errorf("%s", body)
		}
		code = device()
		now = now.Add(15 * time.Minute)
		if _, body := poll(code); field(t, body, "error") != "expired_token" {
			t.Errorf("%s", body)
		}
	})

	t.Run("a browser is sent to this machine only", func(t *testing.T) {
		c.s.Logins(Logins{})
		page := func(redirect string) (int, *url.URL) {
			q := url.Values{"client_id": {DefaultClientID}, "response_type": {"code"}, "redirect_uri": {redirect}, "scope": {scope}, "state": {"s&t"},
				"code_challenge": {"x"}, "code_challenge_method": {"S256"}}
			status, header, _ := c.ask(oauth+"authorize?"+q.Encode(), nil)
			u, err := url.Parse(header.Get("Location"))
			if err != nil {
				t.Fatal(err)
			}
			return status, u
		}
		status, to := page("http://localhost:53682")
		if status != http.StatusFound || to.Host != "localhost:53682" || to.Query().Get("state") != "s&t" || to.Query().Get("code") == "" {
			t.Errorf("%d %s", status, to)
		}
		for _, redirect := range []string{"http://127.0.0.1:53682", "https://example.com", "http://localhost:53682/path", ""} {
			if status, to := page(redirect); status != http.StatusBadRequest || to.String() != "" {
				t.Errorf("%q: %d %s", redirect, status, to)
			}
		}
	})

	t.Run("a public client has no secret", func(t *testing.T) {
		status, body := c.tokenRequest(url.Values{"client_id": {DefaultClientID}, "grant_type": {"refresh_token"}, "refresh_token": {"x"}, "client_secret": {DefaultClientSecret}})
		if status != http.StatusUnauthorized || !bytes.Contains(body, []byte("AADSTS700025")) {
			t.Errorf("%d %s", status, body)
		}
	})
}

func TestMachinesSignIn(t *testing.T) {
	_, c := open(t, Options{})
	good := "?api-version=2018-02-01&resource=" + url.QueryEscape(c.s.GraphURL)
	for _, tt := range []struct {
		name, path string
		header     []string
		want       int
	}{
		{"the metadata service answers", IdentityPath + good, []string{"Metadata", "true"}, 200},
		{"it wants its header", IdentityPath + good, nil, 400},
		{"it refuses what was forwarded", IdentityPath + good, []string{"Metadata", "true", "X-Forwarded-For", "10.0.0.1"}, 400},
		{"it wants its version", IdentityPath + "?resource=" + url.QueryEscape(c.s.GraphURL), []string{"Metadata", "true"}, 400},
		{"it knows one client id", IdentityPath + good + "&client_id=x", []string{"Metadata", "true"}, 400},
		{"it knows one resource", IdentityPath + "?api-version=2018-02-01&resource=https://example.com", []string{"Metadata", "true"}, 400},
		{"App Service is not there", AppServicePath + good, []string{"X-IDENTITY-HEADER", ""}, 404},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if status, _, body := c.ask(tt.path, nil, tt.header...); status != tt.want {
				t.Errorf("%d %s", status, body)
			}
		})
	}
}

func TestScopes(t *testing.T) {
	_, c := open(t, Options{Deny: []string{"Reports.Read.All"}})
	const write = "LicenseAssignment.ReadWrite.All"
	graph := func(names ...string) string { return c.s.GraphURL + "/" + strings.Join(names, " "+c.s.GraphURL+"/") }
	signIn := func(scope string) (int, []byte) {
		status, _, body := c.ask(oauth+"devicecode", url.Values{"client_id": {DefaultClientID}, "scope": {scope}})
		if status != http.StatusOK {
			return status, body
		}
		return c.tokenRequest(url.Values{"client_id": {DefaultClientID}, "grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {field(t, body, "device_code")}})
	}
	application := func(scope string) (int, []byte) {
		return c.tokenRequest(url.Values{"client_id": {DefaultClientID}, "client_secret": {DefaultClientSecret}, "grant_type": {"client_credentials"}, "scope": {scope}})
	}
	for _, tt := range []struct {
		name   string
		logins Logins
		ask    func(string) (int, []byte)
		scope  string
		want   string // the answer's scope, or a piece of the refusal
	}{
		{"a person gets what is asked for by name", Logins{}, signIn, graph("User.Read.All"), "User.Read.All"},
		{"Graph's address may be left out", Logins{}, signIn, "User.Read.All offline_access", "User.Read.All"},
		{"a person gets what an administrator granted", Logins{}, signIn, graph(".default"), "AuditLog.Read.All LicenseAssignment.Read.All Organization.Read.All ReportSettings.Read.All User.Read.All"},
		{"what an administrator did not grant is refused", Logins{}, signIn, graph("User.Read.All", "Reports.Read.All"), "AADSTS65001"},
		{"what the person does not consent to is refused", Logins{}, signIn, graph(write), "AADSTS65001"},
		{"what the person consents to is given", Logins{Consents: []string{write}}, signIn, graph(write), write},
		{"and stays so", Logins{}, signIn, graph(write), write},
		{"without its being asked for it is not given", Logins{}, signIn, graph("User.Read.All"), "User.Read.All"},
		{"unless the login host gives what was not asked for", Logins{WideTokens: true}, signIn, graph("User.Read.All"),
			"AuditLog.Read.All LicenseAssignment.Read.All " + write + " Organization.Read.All ReportSettings.Read.All User.Read.All"},
		{"everything and something are not asked for at once", Logins{}, signIn, graph(".default", "User.Read.All"), "AADSTS70011"},
		{"nothing is not asked for", Logins{}, signIn, "offline_access", "AADSTS70011"},
		{"what Graph has not is refused", Logins{}, signIn, graph("User.Eat.All"), "AADSTS650053"},
		{"an application asks for everything", Logins{}, application, graph("User.Read.All"), "AADSTS1002012"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.s.Logins(tt.logins)
			status, body := tt.ask(tt.scope)
			got := field(t, body, "scope")
			if status != http.StatusOK {
				got = field(t, body, "error_description")
				got, _, _ = strings.Cut(got, ":")
			}
			if got != tt.want {
				t.Errorf("%d %q, want %q", status, got, tt.want)
			}
		})
	}

	t.Run("a token is good for its scopes", func(t *testing.T) {
		c.s.Logins(Logins{})
		_, body := signIn(graph("User.Read.All"))
		c.token = field(t, body, "access_token")
		for path, want := range map[string]int{"/v1.0/users?$select=id": http.StatusOK, "/v1.0/subscribedSkus": http.StatusForbidden} {
			if status, _ := c.get(path); status != want {
				t.Errorf("%s: %d, want %d", path, status, want)
			}
		}
	})
}
