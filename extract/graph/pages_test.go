package graph

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seatlake/pipeline"
	"seatlake/schemas"
)

func TestPages(t *testing.T) {
	t.Run("follow links to the last page, past an empty one", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t,
			users("/beta/users?$skiptoken=a", "u1", "u2"),
			users("/beta/users?$skiptoken=b%27+c"),
			users("", "u3")))
		pages, err := collect(cloud.client().Pages(t.Context(), pipeline.Users, pipeline.Window{}))
		if err != nil {
			t.Fatal(err)
		}
		host := strings.TrimPrefix(cloud.URL, "http://")
		r := &http.Request{Host: host}
		if diff := cmp.Diff([]string{
			"1 " + usersJSON(r, "/beta/users?$skiptoken=a", "u1", "u2"),
			"2 " + usersJSON(r, "/beta/users?$skiptoken=b%27+c"),
			"3 " + usersJSON(r, "", "u3"),
		}, bodies(t, pages)); diff != "" {
			t.Error(diff)
		}
		if got := pages[2].Request; got != "/beta/users?$skiptoken=b%27+c" {
			t.Errorf("request of page 3: %s", got)
		}
		sent := cloud.graphRequests()
		if got := sent[2].Query; got != "$skiptoken=b%27+c" {
			t.Errorf("the link was not used whole: %s", got)
		}
	})

	t.Run("say what a page answers", func(t *testing.T) {
		cloud := newCloud(t, users("", "u1"))
		pages, err := collect(cloud.client().Pages(t.Context(), pipeline.Users, pipeline.Window{}))
		if err != nil {
			t.Fatal(err)
		}
		p := pages[0]
		if p.Source != pipeline.Users || p.RequestID != "page-u1" || p.Coding != "" || !p.Observed.Equal(cloud.clock.now) {
			t.Errorf("page: %+v", p)
		}
		if strings.Contains(p.Request, "http") || !strings.HasPrefix(p.Request, "/beta/users?$select=") {
			t.Errorf("request: %s", p.Request)
		}
	})

	t.Run("keep a gzip body as it came", func(t *testing.T) {
		body := zipped(t, `{"value":[{"id":"u1"}]}`)
		cloud := newCloud(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept-Encoding") != "gzip" {
				t.Errorf("Accept-Encoding: %q", r.Header.Get("Accept-Encoding"))
			}
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(body)
		}))
		pages, err := collect(cloud.client().Pages(t.Context(), pipeline.Users, pipeline.Window{}))
		if err != nil {
			t.Fatal(err)
		}
		if p := pages[0]; p.Coding != "gzip" || !slices.Equal(p.Body, body) {
			t.Errorf("coding %q, body %x", p.Coding, p.Body)
		}
	})

	t.Run("stop when the consumer does", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t, users("/beta/users?$skiptoken=a", "u1")))
		for range cloud.client().Pages(t.Context(), pipeline.Users, pipeline.Window{}) {
			break
		}
	})

	t.Run("refuse a source that is not Graph's", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t))
		_, err := collect(cloud.client().Pages(t.Context(), "mailboxes", pipeline.Window{}))
		want(t, err, "contoso", `"mailboxes" is not a source`)
	})
}

func TestRequests(t *testing.T) {
	answer := map[bool]string{false: `{"value":[]}`, true: reportCSV}
	for source, want := range map[string]string{
		pipeline.SubscribedSkus:    "/v1.0/subscribedSkus",
		pipeline.ReportActiveUsers: "/v1.0/reports/getOffice365ActiveUserDetail(period='D180')",
		pipeline.ReportEmail:       "/v1.0/reports/getEmailActivityUserDetail(period='D180')",
		pipeline.ReportApps:        "/v1.0/reports/getM365AppUserDetail(period='D30')",
		pipeline.ReportMailboxes:   "/v1.0/reports/getMailboxUsageDetail(period='D30')",
		pipeline.ReportOneDrives:   "/v1.0/reports/getOneDriveUsageAccountDetail(period='D30')",
		pipeline.ReportActivations: "/v1.0/reports/getOffice365ActivationsUserDetail",
		pipeline.SignIns:           "/v1.0/auditLogs/signIns?$top=1000",
	} {
		t.Run(source, func(t *testing.T) {
			cloud := newCloud(t, text(answer[strings.HasPrefix(source, "get")]))
			pages, err := collect(cloud.client().Pages(t.Context(), source, pipeline.Window{}))
			if err != nil {
				t.Fatal(err)
			}
			sent := cloud.graphRequests()[0]
			got := sent.Path
			if sent.Query != "" {
				got += "?" + sent.Query
			}
			if got != want || pages[0].Request != want {
				t.Errorf("sent %s, page says %s, want %s", got, pages[0].Request, want)
			}
		})
	}

	t.Run("users are asked for every property the table stores, once", func(t *testing.T) {
		cloud := newCloud(t, text(`{"value":[]}`))
		if _, err := collect(cloud.client().Pages(t.Context(), pipeline.Users, pipeline.Window{})); err != nil {
			t.Fatal(err)
		}
		q, err := url.ParseQuery(cloud.graphRequests()[0].Query)
		if err != nil {
			t.Fatal(err)
		}
		asked := strings.Split(q.Get("$select"), ",")
		if q.Get("$expand") == "manager($select=id)" {
			asked = append(asked, "manager")
		}
		for _, f := range schemas.GraphUsers.Decoded() {
			property, _, _ := strings.Cut(f.From, ".")
			if n := len(slices.Collect(func(yield func(string) bool) {
				for _, s := range asked {
					if s == property && !yield(s) {
						return
					}
				}
			})); n != 1 {
				t.Errorf("%s is asked for %d times", property, n)
			}
		}
		if q.Get("$top") != "500" {
			t.Errorf("$top=%s", q.Get("$top"))
		}
	})

	t.Run("sign-ins ask for whole seconds, both ends included", func(t *testing.T) {
		cloud := newCloud(t, text(`{"value":[]}`))
		window := pipeline.Window{
			From: time.Date(2026, 10, 1, 2, 0, 0, 0, time.FixedZone("", 2*60*60)),
			To:   time.Date(2026, 10, 8, 0, 0, 0, 0, time.UTC),
		}
		if _, err := collect(cloud.client().Pages(t.Context(), pipeline.SignIns, window)); err != nil {
			t.Fatal(err)
		}
		raw := cloud.graphRequests()[0].Query
		if strings.ContainsAny(raw, " +") {
			t.Errorf("the filter is not escaped: %s", raw)
		}
		q, err := url.ParseQuery(raw)
		if err != nil {
			t.Fatal(err)
		}
		const filter = "createdDateTime ge 2026-10-01T00:00:00Z and createdDateTime le 2026-10-08T00:00:00Z"
		if q.Get("$filter") != filter || q.Get("$top") != "1000" {
			t.Errorf("query: %v", q)
		}
	})
}

func TestUnknownProperties(t *testing.T) {
	unknown := func(property string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"error":{"code":"BadRequest","message":"Could not find a property named '%s' on type 'microsoft.graph.user'."}}`, property)
		}
	}

	t.Run("users are read without properties that this Graph does not know", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t, unknown("city"), unknown("otherMails"), users("", "u1")))
		client := cloud.client()
		if _, err := collect(client.Pages(t.Context(), pipeline.Users, pipeline.Window{})); err != nil {
			t.Fatal(err)
		}
		requests := cloud.graphRequests()
		q, err := url.ParseQuery(requests[len(requests)-1].Query)
		if err != nil {
			t.Fatal(err)
		}
		asked := strings.Split(q.Get("$select"), ",")
		if slices.Contains(asked, "city") || slices.Contains(asked, "otherMails") || !slices.Contains(asked, "signInActivity") {
			t.Errorf("asked for %v", asked)
		}
		if notes := strings.Join(client.Notes(pipeline.Users), "\n"); !strings.Contains(notes, "city") || !strings.Contains(notes, "otherMails") {
			t.Errorf("notes do not name the properties: %s", notes)
		}
	})
	t.Run("users cannot be read without an id", func(t *testing.T) {
		cloud := newCloud(t, unknown("id"))
		_, err := collect(cloud.client().Pages(t.Context(), pipeline.Users, pipeline.Window{}))
		want(t, err, "400", "'id'")
	})
}

func TestLinks(t *testing.T) {
	elsewhere := newCloud(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a request was sent where the link leads")
	}))
	for name, link := range map[string]string{
		"to another host":       "https://graph.example.com/beta/users?$skiptoken=a",
		"to another port":       elsewhere.URL + "/beta/users?$skiptoken=a",
		"without a host":        "users?$skiptoken=a",
		"with another scheme":   "ftp://{host}/beta/users",
		"with a user's name":    "http://{host}@graph.example.com/beta/users",
		"with credentials":      "http://me:pass@{host}/beta/users",
		"that cannot be parsed": "http://%zz/",
	} {
		t.Run("a link "+name+" is refused", func(t *testing.T) {
			cloud := newCloud(t, inTurn(t, func(w http.ResponseWriter, r *http.Request) {
				users(strings.ReplaceAll(link, "{host}", r.Host), "u1")(w, r)
			}))
			pages, err := collect(cloud.client().Pages(t.Context(), pipeline.Users, pipeline.Window{}))
			want(t, err, "contoso", "users: page 1", "the link to the next page", "request-id page-u1")
			if len(pages) != 0 {
				t.Errorf("%d pages were yielded", len(pages))
			}
		})
	}

	t.Run("a link that leads back is an error", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t,
			users("/beta/users?$skiptoken=a", "u1"),
			users("/beta/users?$skiptoken=b", "u2"),
			users("/beta/users?$skiptoken=a", "u3")))
		pages, err := collect(cloud.client().Pages(t.Context(), pipeline.Users, pipeline.Window{}))
		want(t, err, "users: page 3", "the answer repeats itself", "request-id page-u3")
		if len(pages) != 2 {
			t.Errorf("%d pages were yielded, want 2", len(pages))
		}
	})

	t.Run("a space in a link does not break the request", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t, users("/beta/users?$filter=a ge b", "u1"), users("", "u2")))
		if _, err := collect(cloud.client().Pages(t.Context(), pipeline.Users, pipeline.Window{})); err != nil {
			t.Fatal(err)
		}
		if got := cloud.graphRequests()[1].Query; got != "$filter=a%20ge%20b" {
			t.Errorf("query: %s", got)
		}
	})
}

func TestStartingOver(t *testing.T) {
	expired := sample(t, "400-expired-page-token")
	skipToken := func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"error":{"code":"UnknownError","message":"Invalid Skip Token, skip token is null"}}`)
	}
	for name, refusal := range map[string]http.HandlerFunc{"Directory_ExpiredPageToken": expired, "Invalid Skip Token": skipToken} {
		t.Run("an expired link starts the source over: "+name, func(t *testing.T) {
			cloud := newCloud(t, inTurn(t,
				users("/beta/users?$skiptoken=a", "u1"), refusal,
				users("/beta/users?$skiptoken=a", "u1"), users("", "u2")))
			pages, err := collect(cloud.client().Pages(t.Context(), pipeline.Users, pipeline.Window{}))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range pages {
				got = append(got, fmt.Sprint(p.Number, " ", p.RequestID))
			}
			if diff := cmp.Diff([]string{"1 page-u1", "2 page-u1", "3 page-u2"}, got); diff != "" {
				t.Error(diff)
			}
		})
	}

	t.Run("a link that keeps expiring is an error", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t,
			users("/beta/users?$skiptoken=a", "u1"), expired,
			users("/beta/users?$skiptoken=a", "u1"), expired,
			users("/beta/users?$skiptoken=a", "u1"), expired))
		_, err := collect(cloud.client().Pages(t.Context(), pipeline.Users, pipeline.Window{}))
		want(t, err, "users: page 4", "Directory_ExpiredPageToken", "starting over 2 times", "run again", "94fb3b52")
	})

	t.Run("a first request is not started over", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t, expired))
		_, err := collect(cloud.client().Pages(t.Context(), pipeline.Users, pipeline.Window{}))
		want(t, err, "users: page 1", "Directory_ExpiredPageToken")
	})

	t.Run("a source whose rows are not made unique is not started over", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t, users("/v1.0/subscribedSkus?$skiptoken=a"), expired))
		_, err := collect(cloud.client().Pages(t.Context(), pipeline.SubscribedSkus, pipeline.Window{}))
		want(t, err, "subscribed_skus: page 2", "Directory_ExpiredPageToken")
	})
}

func TestHalving(t *testing.T) {
	day := pipeline.Window{From: time.Date(2026, 10, 7, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 10, 8, 0, 0, 0, 0, time.UTC)}
	// asked are the filters of first requests, in order.
	asked := func(cloud *cloud) []string {
		var out []string
		for _, s := range cloud.graphRequests() {
			q, err := url.ParseQuery(s.Query)
			if err != nil {
				t.Fatal(err)
			}
			if f := q.Get("$filter"); f != "" && (len(out) == 0 || out[len(out)-1] != f) {
				out = append(out, f)
			}
		}
		return out
	}
	between := func(from, to string) string {
		return "createdDateTime ge 2026-10-07T" + from + "Z and createdDateTime le 2026-10-" + to + "Z"
	}
	once := func(c *Config) { c.Attempts = 1 }
	timeout, page := sample(t, "504-sign-ins"), func(id string) http.HandlerFunc { return users("", id) }

	t.Run("sign-ins that are too deep for Graph are asked for by halves", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t,
			users("/v1.0/auditLogs/signIns?$skiptoken=a", "s1"), timeout, // the day
			timeout,                // its newer half
			page("s2"), page("s3"), // the quarters of that
			page("s4"))) // its older half
		pages, err := collect(cloud.client(once).Pages(t.Context(), pipeline.SignIns, day))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{
			between("00:00:00", "08T00:00:00"), between("12:00:00", "08T00:00:00"),
			between("18:00:00", "08T00:00:00"), between("12:00:00", "07T18:00:00"), between("00:00:00", "07T12:00:00"),
		}, asked(cloud)); diff != "" {
			t.Error(diff)
		}
		for i, p := range pages {
			if p.Number != i+1 {
				t.Errorf("page %d has number %d", i+1, p.Number)
			}
		}
	})

	t.Run("halving is bounded", func(t *testing.T) {
		cloud := newCloud(t, timeout)
		_, err := collect(cloud.client(once).Pages(t.Context(), pipeline.SignIns, day))
		want(t, err, "sign_ins: page 1", "504")
		if n := len(cloud.graphRequests()); n > 7 {
			t.Errorf("%d requests", n)
		}
	})

	t.Run("a first page that is refused for now is not halved", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t, status(503)))
		_, err := collect(cloud.client(once).Pages(t.Context(), pipeline.SignIns, day))
		want(t, err, "503")
	})

	t.Run("an unbounded window is not halved", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t, timeout))
		_, err := collect(cloud.client(once).Pages(t.Context(), pipeline.SignIns, pipeline.Window{}))
		want(t, err, "504")
	})

	t.Run("users are not halved", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t, users("/beta/users?$skiptoken=a", "u1"), timeout))
		_, err := collect(cloud.client(once).Pages(t.Context(), pipeline.Users, day))
		want(t, err, "users: page 2", "504")
	})
}

func TestDenied(t *testing.T) {
	for _, tt := range []struct {
		source, sample string
		reason         string
	}{
		{pipeline.SubscribedSkus, "403-directory", "LicenseAssignment.Read.All"},
		{pipeline.SignIns, "403-directory", "AuditLog.Read.All"},
		{pipeline.SignIns, "403-not-premium", "Entra ID P1 or P2"},
		{pipeline.ReportEmail, "403-reports", "Reports.Read.All"},
	} {
		t.Run(tt.source+" is a gap that names "+tt.reason, func(t *testing.T) {
			cloud := newCloud(t, inTurn(t, sample(t, tt.sample)))
			_, err := collect(cloud.client().Pages(t.Context(), tt.source, pipeline.Window{}))
			gap, ok := err.(*pipeline.Gap)
			if !ok {
				t.Fatalf("not a gap: %v", err)
			}
			if gap.State != pipeline.Denied || !strings.Contains(gap.Reason, tt.reason) {
				t.Errorf("gap: %+v", gap)
			}
			want(t, gap, "403 Forbidden")
		})
	}

	t.Run("of reports, the nested refusal is read", func(t *testing.T) {
		cloud := newCloud(t, sample(t, "403-reports"))
		_, err := collect(cloud.client().Pages(t.Context(), pipeline.ReportApps, pipeline.Window{}))
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Code != "S2SUnauthorized" || e.Message != "Invalid permission." ||
			e.RequestID != "94fb3b52-452a-4535-a601-69e0a90e3aa2" || strings.Contains(e.URL, "?") {
			t.Errorf("refusal: %+v", e)
		}
	})

	for _, name := range []string{"403-directory", "403-not-premium"} {
		t.Run("users go on without sign-in activity: "+name, func(t *testing.T) {
			cloud := newCloud(t, inTurn(t, sample(t, name), users("/beta/users?$skiptoken=a", "u1"), users("", "u2")))
			client := cloud.client()
			pages, err := collect(client.Pages(t.Context(), pipeline.Users, pipeline.Window{}))
			if err != nil || len(pages) != 2 {
				t.Fatalf("%d pages, %v", len(pages), err)
			}
			sent := cloud.graphRequests()
			if !strings.Contains(sent[0].Query, "signInActivity") || strings.Contains(sent[1].Query, "signInActivity") {
				t.Errorf("queries: %s, then %s", sent[0].Query, sent[1].Query)
			}
			if !strings.Contains(sent[1].Query, "licenseAssignmentStates") || !strings.Contains(sent[1].Query, "lastPasswordChangeDateTime") {
				t.Errorf("more than sign-in activity is gone: %s", sent[1].Query)
			}
			notes := client.Notes(pipeline.Users)
			if len(notes) != 1 || !strings.Contains(notes[0], "AuditLog.Read.All") || !strings.Contains(notes[0], "null") {
				t.Errorf("notes: %q", notes)
			}
		})
	}

	t.Run("users that are denied altogether are a gap", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t, sample(t, "403-directory"), sample(t, "403-directory")))
		client := cloud.client()
		_, err := collect(client.Pages(t.Context(), pipeline.Users, pipeline.Window{}))
		if gap, ok := pipeline.AsGap(err); !ok || !strings.Contains(gap.Reason, "User.Read.All") {
			t.Errorf("error: %v", err)
		}
		if notes := client.Notes(pipeline.Users); notes != nil {
			t.Errorf("notes: %q", notes)
		}
	})

	t.Run("a refusal after pages were yielded is no gap", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t, users("/beta/users?$skiptoken=a", "u1"), sample(t, "403-directory")))
		_, err := collect(cloud.client().Pages(t.Context(), pipeline.Users, pipeline.Window{}))
		if _, ok := pipeline.AsGap(err); ok {
			t.Errorf("part of a source is recorded as a gap: %v", err)
		}
		want(t, err, "users: page 2", "Authorization_RequestDenied")
	})

	t.Run("a proxy's refusal is no gap", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, "<html>blocked by policy</html>")
		}))
		_, err := collect(cloud.client().Pages(t.Context(), pipeline.SubscribedSkus, pipeline.Window{}))
		if _, ok := pipeline.AsGap(err); ok {
			t.Errorf("recorded as a gap: %v", err)
		}
		want(t, err, "subscribed_skus", "403", "proxy")
	})

	t.Run("a token without permissions is pointed out", func(t *testing.T) {
		cloud := newCloud(t, sample(t, "403-directory"))
		cloud.token = withType(text(`{"token_type":"Bearer","expires_in":3599,"access_token":"` + unsigned(`{"tid":"`+directoryID+`"}`) + `"}`))
		_, err := collect(cloud.client().Pages(t.Context(), pipeline.SubscribedSkus, pipeline.Window{}))
		want(t, err, "no application permission at all")
	})
}
