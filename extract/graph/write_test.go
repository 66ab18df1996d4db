package graph

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seatlake/extract/graph/graphsim"
	"seatlake/pipeline"
)

const (
	someUser  = "4562bcc8-c436-4f95-b7c0-4f8ce89dca5e"
	someGroup = "9e3c1a2b-0f4d-4c8e-9a6b-7d2e5f801234"
	someSKU   = "06ebc4ee-1bb5-47dd-8120-11324bc54e06"
)

func (c *cloud) writer(change ...func(*Config)) *Writer {
	c.t.Helper()
	config := c.client(change...).config
	w, err := NewWriter(config)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(w.Close)
	return w
}

func TestNothingButAWriterWrites(t *testing.T) {
	try := func(via http.RoundTripper, method, url string) error {
		req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := via.RoundTrip(req)
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	paths := []struct {
		method, path string
		writer       bool // passes for a Writer
	}{
		{"POST", "/v1.0/users/" + someUser + "/assignLicense", true},
		{"DELETE", "/v1.0/groups/" + someGroup + "/members/" + someUser + "/$ref", true},
		{"POST", "/v1.0/groups/" + someGroup + "/members/$ref", true},
		{"POST", "/beta/users/" + someUser + "/assignLicense", false},
		{"POST", "/v1.0/users/" + someUser + "/assignLicense?x=1", false},
		{"POST", "/v1.0/users/adele@contoso.com/assignLicense", false},
		{"POST", "/v1.0/groups/" + someGroup + "/assignLicense", false},
		{"DELETE", "/v1.0/users/" + someUser, false},
		{"DELETE", "/v1.0/groups/" + someGroup, false},
		{"DELETE", "/v1.0/groups/" + someGroup + "/members/" + someUser, false}, // which would delete the user
		{"PATCH", "/v1.0/users/" + someUser, false},
		{"PUT", "/v1.0/users/" + someUser + "/assignLicense", false},
		{"POST", "/v1.0/$batch", false},
	}
	for _, p := range paths {
		t.Run(p.method+" "+p.path, func(t *testing.T) {
			cloud := newCloud(t, status(http.StatusNoContent))
			if err := try(cloud.client().graph, p.method, cloud.URL+p.path); !errors.Is(err, errRefused) {
				t.Errorf("a client that reads: error %v", err)
			}
			if n := len(cloud.graphRequests()); n > 0 {
				t.Errorf("a client that reads sent %d requests", n)
			}
			if err := try(cloud.writer().graph, p.method, cloud.URL+p.path); errors.Is(err, errRefused) == p.writer {
				t.Errorf("a Writer: error %v", err)
			}
			if err := try(cloud.writer().graph, p.method, "https://elsewhere.example.com"+p.path); !errors.Is(err, errRefused) {
				t.Errorf("a Writer to another host: error %v", err)
			}
		})
	}
}

func TestAWriteSendsBothLists(t *testing.T) {
	var bodies []string
	cloud := newCloud(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		bodies = append(bodies, r.Header.Get("Content-Type")+" "+string(b))
	}))
	w := cloud.writer()
	for _, write := range []Write{
		AssignLicense(someUser, nil, []string{someSKU}),
		AssignLicense(someUser, []License{{SKU: someSKU}, {SKU: someGroup, Disabled: []string{someUser}}}, nil),
		RemoveMember(someGroup, someUser),
	} {
		if err := w.Send(t.Context(), write); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		`application/json {"addLicenses":[],"removeLicenses":["` + someSKU + `"]}`,
		`application/json {"addLicenses":[{"skuId":"` + someSKU + `","disabledPlans":[]},{"skuId":"` + someGroup + `","disabledPlans":["` + someUser + `"]}],"removeLicenses":[]}`,
		" ",
	}
	if diff := cmp.Diff(want, bodies); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
}

func TestAWriteIsSentAgainOnlyWhenNothingWasDone(t *testing.T) {
	refusal := func(code int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if b, _ := io.ReadAll(r.Body); !strings.Contains(string(b), someSKU) {
				t.Errorf("a request without its body: %q", b)
			}
			status(code, header...)(w, r)
		}
	}
	cut := func(w http.ResponseWriter, _ *http.Request) {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			conn.Close()
		}
	}
	for _, c := range []struct {
		name     string
		answers  []http.HandlerFunc
		unknown  bool
		contains string
	}{
		{"after a 429 it is", []http.HandlerFunc{refusal(429, "Retry-After", "3"), refusal(200)}, false, ""},
		{"after a 401 it is, with a new token", []http.HandlerFunc{refusal(401), refusal(200)}, false, ""},
		{"after a 503 it is not", []http.HandlerFunc{refusal(503)}, true, "503"},
		{"after a 504 it is not", []http.HandlerFunc{refusal(504)}, true, "504"},
		{"after a broken connection it is not", []http.HandlerFunc{cut}, true, "POST"},
		{"after the page of a proxy it is not", []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
			io.WriteString(w, "<html>blocked")
		}}, true, "not Graph's"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cloud := newCloud(t, inTurn(t, c.answers...))
			err := cloud.writer().Send(t.Context(), AssignLicense(someUser, nil, []string{someSKU}))
			if _, unknown := errors.AsType[*UnansweredError](err); unknown != c.unknown || !unknown && err != nil {
				t.Fatalf("error %v", err)
			}
			if c.contains != "" {
				want(t, err, c.contains)
			}
		})
	}
}

// TestEachCauseIsToldApart asks the simulated tenant for what it refuses.
func TestEachCauseIsToldApart(t *testing.T) {
	texts := map[string]pipeline.Cause{
		"Subscription with SKU x does not have any available licenses.":                                                 pipeline.CauseNoSeats,
		"License assignment failed because service plans a, b are mutually exclusive.":                                  pipeline.CauseExclusive,
		"License assignment failed because service plan a depends on the service plan(s) b":                             pipeline.CauseDependency,
		"License assignment cannot be done for user with invalid usage location.":                                       pipeline.CauseUsageLocation,
		"User license is inherited from a group membership and it cannot be removed directly from the user.":            pipeline.CauseInherited,
		"User does not have a corresponding license.":                                                                   pipeline.CauseNotHeld,
		"License x does not correspond to a valid company License.":                                                     pipeline.CauseUnknownSKU,
		"Something that nobody has seen before.":                                                                        pipeline.CauseRefused,
		"One or more parameters of the operation 'assignLicense' are missing from the request payload. And so on, etc.": pipeline.CauseRefused,
	}
	for text, cause := range texts {
		if got, ok := CauseOf(fmt.Errorf("wrapped: %w", &Error{Status: 400, Code: "Request_BadRequest", Message: text})); got != cause || !ok {
			t.Errorf("%q is %s", text, got)
		}
	}
	for status, cause := range map[int]pipeline.Cause{403: pipeline.CauseNoRights, 404: pipeline.CauseUnknownUser, 409: pipeline.CauseRefused} {
		if got, _ := CauseOf(&Error{Status: status}); got != cause {
			t.Errorf("%d is %s", status, got)
		}
	}
	if _, ok := CauseOf(&UnansweredError{"no answer"}); ok {
		t.Error("a lost answer is a refusal")
	}
}

// TestWritesAgainstATenant takes a licence from each of some users in every way there
// is, and looks at the tenant.
func TestWritesAgainstATenant(t *testing.T) {
	tenant, err := graphsim.New(graphsim.Options{Seed: 3, Users: 120, Grant: []string{WriteLicenses, WriteMembers}})
	if err != nil {
		t.Fatal(err)
	}
	server, err := tenant.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	w, err := NewWriter(Config{
		Tenant: "contoso", Graph: server.GraphURL, Login: server.LoginURL, DirectoryID: graphsim.DefaultTenantID,
		ClientID: graphsim.DefaultClientID, Credential: ClientSecret(graphsim.DefaultClientSecret),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	direct, inherited := 0, 0
	for id := range userIDs(t, w.Client) {
		user, err := w.User(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range user.Assignments {
			before := server.Consumed(a.SKU)
			err := w.Send(t.Context(), AssignLicense(id, nil, []string{a.SKU}))
			ways := 0
			for _, b := range user.Assignments {
				if b.SKU == a.SKU {
					ways++
				}
			}
			switch cause, _ := CauseOf(err); {
			case a.Group != "" && ways == 1:
				inherited++
				if cause != pipeline.CauseInherited {
					t.Errorf("%s of %s by a group: error %v", a.SKU, id, err)
				}
			case a.Group == "" && ways == 1:
				direct++
				if err != nil || server.Consumed(a.SKU) != before-1 {
					t.Errorf("%s of %s, direct: error %v, %d units of %d", a.SKU, id, err, server.Consumed(a.SKU), before)
				}
				if cause, _ = CauseOf(w.Send(t.Context(), AssignLicense(id, nil, []string{a.SKU}))); cause != pipeline.CauseNotHeld {
					t.Errorf("%s of %s, taken before: %s", a.SKU, id, cause)
				}
			}
		}
	}
	if direct == 0 || inherited == 0 {
		t.Errorf("%d direct and %d inherited licences prove nothing", direct, inherited)
	}
	if _, err := w.User(t.Context(), someUser); !isNotFound(err) {
		t.Errorf("nobody: error %v", err)
	}
}

// TestAUserIsReadWithoutSignInsWhereTheyAreDenied denies sign-in activity in both ways,
// and asks for it no second time.
func TestAUserIsReadWithoutSignInsWhereTheyAreDenied(t *testing.T) {
	for _, code := range []int{400, 403} {
		var asked []string
		cloud := newCloud(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.URL.RawQuery)
			if strings.Contains(r.URL.RawQuery, signInActivity) {
				w.WriteHeader(code)
				io.WriteString(w, `{"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges to complete the operation."}}`)
				return
			}
			io.WriteString(w, `{"id":"`+strings.ToUpper(someUser)+`","accountEnabled":false,"assignedLicenses":[{"skuId":"`+strings.ToUpper(someSKU)+`","disabledPlans":[]}],
				"licenseAssignmentStates":[{"skuId":"`+someSKU+`","assignedByGroup":null,"state":"Active","error":"None"}]}`)
		}))
		c := cloud.client()
		for range 2 {
			u, err := c.User(t.Context(), someUser)
			if err != nil {
				t.Fatal(err)
			}
			if u.SignInsKnown || u.ID != someUser || *u.Enabled || u.Licenses[0].SKU != someSKU || u.Assignments[0].Group != "" {
				t.Errorf("%d: %+v", code, u)
			}
		}
		if len(asked) != 3 {
			t.Errorf("%d: asked %q", code, asked)
		}
	}
}

func isNotFound(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == http.StatusNotFound
}

// userIDs are the ids of all users.
func userIDs(t *testing.T, c *Client) map[string]bool {
	t.Helper()
	ids := map[string]bool{}
	pages, err := collect(c.Pages(t.Context(), pipeline.Users, pipeline.Window{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range rows(t, pages) {
		ids[id] = true
	}
	return ids
}

// TestWritesKeepTheirLimit sends writes to Graph itself, where nobody answers 429, by
// a clock that waits move.
func TestWritesKeepTheirLimit(t *testing.T) {
	cloud := newCloud(t, status(http.StatusOK))
	began := cloud.clock.Now()
	w := cloud.writer(func(c *Config) {
		c.Graph = "https://graph.microsoft.com"
		c.Transport = sendTo{cloud}
	})
	const n = 400
	for range n {
		if err := w.Send(t.Context(), AssignLicense(someUser, nil, []string{someSKU})); err != nil {
			t.Fatal(err)
		}
	}
	took := cloud.clock.Now().Sub(began)
	if least := (n - 3000/64) * 150 * time.Second / 3000; took < least || took > 2*least {
		t.Errorf("%d writes took %s, at 3,000 in 150 s they take at least %s", n, took, least)
	}
}

// sendTo carries requests for any host to the cloud.
type sendTo struct{ cloud *cloud }

func (s sendTo) RoundTrip(req *http.Request) (*http.Response, error) {
	to, err := url.Parse(s.cloud.URL)
	if err != nil {
		return nil, err
	}
	req = req.Clone(context.WithoutCancel(req.Context()))
	req.URL.Scheme, req.URL.Host, req.Host = to.Scheme, to.Host, to.Host
	return http.DefaultTransport.RoundTrip(req)
}
