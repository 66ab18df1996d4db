package graphsim

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestFaultsStrikeOnceAndClear(t *testing.T) {
	const second = 2
	link := func(c *client) string { return c.page("/v1.0/users?$select=id&$top=10").Next }
	valid := func(t *testing.T, r *http.Response, body []byte, err error) page {
		t.Helper()
		var p page
		if err != nil || r.StatusCode != 200 {
			t.Fatalf("%v, %s", err, body)
		}
		if err := json.Unmarshal(body, &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, f := range []struct {
		fault Fault
		check func(t *testing.T, c *client, r *http.Response, body []byte, err error)
	}{
		{Fault{Kind: TooManyRequests, RetryAfter: "2.128"}, status(429, "2.128")},
		{Fault{Kind: TooManyRequests, RetryAfter: "3"}, status(429, "3")},
		{Fault{Kind: TooManyRequests}, status(429, "")},
		{Fault{Kind: BadGateway}, status(502, "")},
		{Fault{Kind: Unavailable, RetryAfter: "30"}, status(503, "30")},
		{Fault{Kind: GatewayTimeout}, status(504, "")},
		{Fault{Kind: ExpiredToken}, func(t *testing.T, c *client, r *http.Response, body []byte, err error) {
			status(401, "")(t, c, r, body, err)
			if again, _ := c.get("/v1.0/users"); again != 401 {
				t.Errorf("the old token still works: %d", again)
			}
			c.login()
		}},
		{Fault{Kind: ExpiredLink}, func(t *testing.T, c *client, r *http.Response, body []byte, err error) {
			status(400, "")(t, c, r, body, err)
			if !bytes.Contains(body, []byte("Directory_ExpiredPageToken")) {
				t.Errorf("%s", body)
			}
		}},
		{Fault{Kind: Reset}, func(t *testing.T, _ *client, _ *http.Response, _ []byte, err error) {
			if err == nil {
				t.Errorf("error %v", err)
			}
		}},
		{Fault{Kind: CutShort}, func(t *testing.T, _ *client, r *http.Response, body []byte, err error) {
			if err == nil || r == nil || r.StatusCode != 200 || len(body) == 0 {
				t.Errorf("error %v with %d bytes of body", err, len(body))
			}
		}},
		{Fault{Kind: TruncatedGzip}, func(t *testing.T, _ *client, _ *http.Response, _ []byte, err error) {
			if err != io.ErrUnexpectedEOF {
				t.Errorf("error %v", err)
			}
		}},
		{Fault{Kind: HTML}, func(t *testing.T, _ *client, r *http.Response, body []byte, err error) {
			if err != nil || r.StatusCode != 200 || !bytes.HasPrefix(body, []byte("<!DOCTYPE html>")) {
				t.Errorf("%v %s", err, body)
			}
		}},
		{Fault{Kind: MalformedJSON}, func(t *testing.T, _ *client, r *http.Response, body []byte, err error) {
			if err != nil || r.StatusCode != 200 || json.Valid(body) {
				t.Errorf("%v %s", err, body)
			}
		}},
		{Fault{Kind: RepeatedRow}, func(t *testing.T, _ *client, r *http.Response, body []byte, err error) {
			p := valid(t, r, body, err)
			if n := len(p.Value); n != 11 || !bytes.Equal(p.Value[9], p.Value[10]) {
				t.Errorf("%d rows", n)
			}
		}},
		{Fault{Kind: EmptyPage}, func(t *testing.T, c *client, r *http.Response, body []byte, err error) {
			p := valid(t, r, body, err)
			if len(p.Value) != 0 || p.Next == "" {
				t.Fatalf("%d rows, next %q", len(p.Value), p.Next)
			}
			if rest, _ := all[struct{ ID string }](c, p.Next); len(rest) != 20 {
				t.Errorf("%d users behind the empty page, want 20", len(rest))
			}
		}},
		{Fault{Kind: EndlessLink}, func(t *testing.T, c *client, r *http.Response, body []byte, err error) {
			p := valid(t, r, body, err)
			if again := c.page(p.Next); !bytes.Equal(again.Value[0], p.Value[0]) {
				t.Error("the link leads on")
			}
		}},
		{Fault{Kind: ForeignLink}, func(t *testing.T, c *client, r *http.Response, body []byte, err error) {
			p := valid(t, r, body, err)
			if strings.HasPrefix(p.Next, c.s.GraphURL) || p.Next == "" {
				t.Errorf("next %s", p.Next)
			}
			if u, err := url.Parse(p.Next); err != nil || u.Path != "/v1.0/users" {
				t.Errorf("next %s: %v", p.Next, err)
			}
		}},
	} {
		t.Run(f.fault.String(), func(t *testing.T) {
			f.fault.Source, f.fault.Page = "users", second
			_, c := open(t, Options{Users: 30, Faults: []Fault{f.fault}})
			next := link(c) // page 1 is spared
			r, body, err := c.try(next)
			f.check(t, c, r, body, err)
			if p := c.page(next); len(p.Value) != 10 {
				t.Errorf("the fault did not clear: %d rows", len(p.Value))
			}
		})
	}
}

func status(want int, after string) func(*testing.T, *client, *http.Response, []byte, error) {
	return func(t *testing.T, _ *client, r *http.Response, body []byte, err error) {
		t.Helper()
		if err != nil || r.StatusCode != want || r.Header.Get("Retry-After") != after {
			t.Errorf("%v, %+v, %s", err, r, body)
		}
	}
}

func TestFaultsOfReports(t *testing.T) {
	const path = "/v1.0/reports/getMailboxUsageDetail(period='D30')"
	t.Run("an expired download link", func(t *testing.T) {
		_, c := open(t, Options{Users: 10, Faults: []Fault{{Source: "getMailboxUsageDetail", Kind: ExpiredDownload}}})
		r, _, err := c.try(path)
		if err != nil {
			t.Fatal(err)
		}
		if status, _ := c.get(r.Header.Get("Location")); status != http.StatusForbidden {
			t.Errorf("status %d", status)
		}
		c.download(path)
	})
	t.Run("the redirect and the download fail apart", func(t *testing.T) {
		_, c := open(t, Options{Users: 10, Faults: []Fault{
			{Source: "getMailboxUsageDetail", Page: 1, Kind: Unavailable}, {Source: "getMailboxUsageDetail", Page: 2, Kind: HTML},
		}})
		if status, _ := c.get(path); status != 503 {
			t.Errorf("redirect: status %d", status)
		}
		if body := c.download(path); !bytes.HasPrefix(body, []byte("<!DOCTYPE")) {
			t.Errorf("download: %.60q", body)
		}
		if body := c.download(path); !bytes.HasPrefix(body, []byte("\ufeffReport Refresh Date")) {
			t.Errorf("download: %.60q", body)
		}
	})
	t.Run("a download whose gzip lacks its end", func(t *testing.T) {
		_, c := open(t, Options{Users: 10, Faults: []Fault{{Source: "getMailboxUsageDetail", Page: 2, Kind: TruncatedGzip}}})
		r, _, err := c.try(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.try(r.Header.Get("Location")); err != io.ErrUnexpectedEOF {
			t.Errorf("error %v, want one of gzip %v", err, gzip.ErrHeader)
		}
	})
}

func TestFaultsOfSignInsAndTokens(t *testing.T) {
	t.Run("an expired skip token of sign-ins has a text of its own", func(t *testing.T) {
		_, c := open(t, Options{Users: 10, SignIns: 50, Faults: []Fault{{Source: "sign_ins", Kind: ExpiredLink}}})
		status, body := c.get(c.page("/v1.0/auditLogs/signIns?$top=10").Next)
		if status != 400 || !bytes.Contains(body, []byte("Invalid Skip Token")) {
			t.Errorf("%d %s", status, body)
		}
	})
	t.Run("the token endpoint is overloaded", func(t *testing.T) {
		tenant, err := New(Options{Faults: []Fault{{Kind: RefusedToken, RetryAfter: "1", Times: 2}}})
		if err != nil {
			t.Fatal(err)
		}
		s, err := tenant.Serve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		tr := &http.Transport{}
		c := &client{t: t, s: s, http: &http.Client{Transport: tr}}
		for range 2 {
			if status, _ := c.tokenRequest(nil); status != 503 {
				t.Errorf("status %d", status)
			}
		}
		c.login()
		tr.CloseIdleConnections()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("a fault without end strikes always", func(t *testing.T) {
		_, c := open(t, Options{Users: 10, Faults: []Fault{{Kind: GatewayTimeout, Times: -1}}})
		for range 5 {
			if status, _ := c.get("/v1.0/users"); status != 504 {
				t.Errorf("status %d", status)
			}
		}
	})
}
