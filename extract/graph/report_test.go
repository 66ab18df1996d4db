package graph

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seatlake/pipeline"
)

const reportCSV = "\ufeffReport Refresh Date,User Principal Name,Display Name,Product Type,Last Activated Date,Windows,Mac,Windows 10 Mobile,iOS,Android,Activated On Shared Computer\r\n" +
	"2026-10-06,MiriamG@contoso.com,Miriam Graham,MICROSOFT 365 APPS FOR ENTERPRISE,2026-01-10,2,1,0,1,0,False\r\n"

const canaryLink = "canary-download-token"

// storage is a host that keeps reports, other than Graph's.
func storage(t *testing.T, h http.Handler) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"Authorization", "Cookie", "client-request-id"} {
			if r.Header.Get(name) != "" {
				t.Errorf("%s was sent to the download host", name)
			}
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Set-Cookie", "session=canary")
		w.Header().Set("request-id", "r302")
		w.WriteHeader(http.StatusFound)
	}
}

func TestReports(t *testing.T) {
	const link = "/data/v1.0/download/" + canaryLink + "?token=" + canaryLink

	t.Run("are downloaded bare from the link", func(t *testing.T) {
		files := storage(t, text(reportCSV))
		cloud := newCloud(t, inTurn(t, redirect(files.URL+link)))
		pages, err := collect(cloud.client().Pages(t.Context(), pipeline.ReportActivations, pipeline.Window{}))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"1 " + reportCSV}, bodies(t, pages)); diff != "" {
			t.Error(diff)
		}
		if p := pages[0]; p.Request != "/v1.0/reports/getOffice365ActivationsUserDetail" || p.RequestID != "r302" {
			t.Errorf("page says %s, %s", p.Request, p.RequestID)
		}
		for _, e := range cloud.events {
			if strings.Contains(e.Request+e.Reason, canaryLink) {
				t.Errorf("the link is in an event: %+v", e)
			}
		}
	})

	t.Run("stay compressed", func(t *testing.T) {
		body := zipped(t, reportCSV)
		files := storage(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(body)
		}))
		cloud := newCloud(t, inTurn(t, redirect(files.URL+link)))
		pages, err := collect(cloud.client().Pages(t.Context(), pipeline.ReportActivations, pipeline.Window{}))
		if err != nil {
			t.Fatal(err)
		}
		if p := pages[0]; p.Coding != "gzip" || !slices.Equal(p.Body, body) {
			t.Errorf("coding %q, body %x", p.Coding, p.Body)
		}
	})

	t.Run("may come in the answer itself", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t, text(reportCSV)))
		if pages, err := collect(cloud.client().Pages(t.Context(), pipeline.ReportActivations, pipeline.Window{})); err != nil || len(pages) != 1 {
			t.Fatalf("%d pages, %v", len(pages), err)
		}
	})

	t.Run("without rows are pages", func(t *testing.T) {
		header, _, _ := strings.Cut(reportCSV, "\n")
		cloud := newCloud(t, inTurn(t, text(header+"\n")))
		if pages, err := collect(cloud.client().Pages(t.Context(), pipeline.ReportActivations, pipeline.Window{})); err != nil || len(pages) != 1 {
			t.Fatalf("%d pages, %v", len(pages), err)
		}
	})

	t.Run("that are not there are an error", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t, sample(t, "404-not-found")))
		_, err := collect(cloud.client().Pages(t.Context(), pipeline.ReportActivations, pipeline.Window{}))
		if _, ok := pipeline.AsGap(err); ok {
			t.Errorf("recorded as a gap: %v", err)
		}
		want(t, err, "404")
	})

	for name, failure := range map[string]http.HandlerFunc{
		"an expired link":       status(403),
		"a link that is gone":   status(404),
		"a broken storage":      status(500),
		"a second redirect":     status(302, "Location", "http://example.com/"),
		"an HTML page":          text("<html>Sign in</html>"),
		"a file that is cut":    cutOff,
		"truncated compression": cutGzip(t),
	} {
		t.Run(name+" asks Graph for another link", func(t *testing.T) {
			files := storage(t, inTurn(t, failure, text(reportCSV)))
			cloud := newCloud(t, inTurn(t, redirect(files.URL+link+"1"), redirect(files.URL+link+"2")))
			if _, err := collect(cloud.client().Pages(t.Context(), pipeline.ReportActivations, pipeline.Window{})); err != nil {
				t.Fatal(err)
			}
		})
	}

	t.Run("wait as long as the storage asks", func(t *testing.T) {
		files := storage(t, inTurn(t, status(503, "Retry-After", "17"), text(reportCSV)))
		cloud := newCloud(t, inTurn(t, redirect(files.URL+link), redirect(files.URL+link)))
		if _, err := collect(cloud.client().Pages(t.Context(), pipeline.ReportActivations, pipeline.Window{})); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]time.Duration{17 * time.Second}, cloud.clock.slept); diff != "" {
			t.Errorf("waits: %s", diff)
		}
	})

	t.Run("that keep failing name the host and not the link", func(t *testing.T) {
		var links atomic.Int64
		files := storage(t, status(403))
		cloud := newCloud(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			links.Add(1)
			redirect(files.URL+link)(w, r)
		}))
		_, err := collect(cloud.client().Pages(t.Context(), pipeline.ReportActivations, pipeline.Window{}))
		want(t, err, "tenant contoso: getOffice365ActivationsUserDetail: page 1", "403 Forbidden", "request-id r302", "6 attempts", strings.TrimPrefix(files.URL, "http://"))
		if strings.Contains(err.Error(), canaryLink) {
			t.Errorf("the link is in the error: %v", err)
		}
		if _, ok := pipeline.AsGap(err); ok {
			t.Error("a refused download is recorded as a denied source")
		}
		if links.Load() != 6 {
			t.Errorf("%d links were asked for", links.Load())
		}
	})

	for name, to := range map[string]string{
		"to a foreign host":              "https://reports.example.com" + link,
		"to a host that only ends alike": "https://evil-office.com" + link,
		"over plain http":                "http://reportsweu.office.com" + link,
		"with credentials":               "https://reportsweu.office.com:443@example.com" + link,
		"without a host":                 "/data" + link,
		"that is a file":                 "file:///etc/passwd",
		"that is missing":                "",
	} {
		t.Run("a link "+name+" is refused", func(t *testing.T) {
			cloud := newCloud(t, redirect(to))
			_, err := collect(cloud.client().Pages(t.Context(), pipeline.ReportActivations, pipeline.Window{}))
			want(t, err, "the report's link", "request-id r302")
			if strings.Contains(err.Error(), canaryLink) {
				t.Errorf("the link is in the error: %v", err)
			}
		})
	}
}

func TestReportHosts(t *testing.T) {
	cloud := func(graph string, hosts ...string) *Client {
		c, err := New(Config{
			Graph: graph, Login: "https://login.example.com", DirectoryID: directoryID,
			ClientID: clientID, Credential: ClientSecret(canarySecret), ReportHosts: hosts,
		})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	global, loop, own := cloud("https://graph.microsoft.com"), cloud("http://127.0.0.1:8080"), cloud("https://graph.microsoft.com", "*.Example.COM")
	for _, tt := range []struct {
		client *Client
		link   string
		may    bool
	}{
		{global, "https://reports.office.com/data", true},
		{global, "https://REPORTSWEU.office.com:443/data", true},
		{global, "https://graph.microsoft.com/data", true},
		{global, "http://graph.microsoft.com/data", false},
		{global, "https://office.com.example.com/data", false},
		{global, "https://127.0.0.1/data", false},
		{global, "http://localhost:8080/data", false},
		{loop, "http://localhost:9999/data", true},
		{loop, "http://[::1]:9999/data", true},
		{loop, "ftp://localhost/data", false},
		{loop, "http://example.com/data", false},
		{own, "https://a.example.com/data", true},
		{own, "https://example.com/data", true},
		{own, "https://reports.office.com/data", false},
	} {
		link := mustURL(t, tt.link)
		if got := tt.client.mayDownload(link); got != tt.may {
			t.Errorf("%s from %s: %v, want %v", tt.link, tt.client.root, got, tt.may)
		}
	}
}

func TestRepeatedDownloadsDoNotLeakBodies(t *testing.T) {
	closed := 0
	client := offline(t, func(r *http.Request) (*http.Response, error) {
		resp := answerOf(r, strings.NewReader(reportCSV))
		resp.Body = closer{resp.Body, &closed}
		if r.URL.Host == "graph.example.com" {
			resp.StatusCode, resp.Header = http.StatusFound, http.Header{"Location": {"https://reports.office.com/x"}}
		}
		return resp, nil
	})
	if _, err := collect(client.Pages(t.Context(), pipeline.ReportActivations, pipeline.Window{})); err != nil {
		t.Fatal(err)
	}
	if closed != 2 {
		t.Errorf("%d of 2 bodies were closed", closed)
	}
}

type closer struct {
	io.ReadCloser
	closed *int
}

func (c closer) Close() error {
	*c.closed++
	return c.ReadCloser.Close()
}
