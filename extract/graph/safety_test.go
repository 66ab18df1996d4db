package graph

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"seatlake/pipeline"
)

// TestSecretsStaySecret lets servers repeat everything they were sent, in every
// way an answer can go wrong, and reads every error and event.
func TestSecretsStaySecret(t *testing.T) {
	echo := func(code int, contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			said := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ") + " " + r.PostForm.Get("client_secret") +
				" " + url.QueryEscape(r.PostForm.Get("client_secret")) + " " + r.URL.RawQuery
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("request-id", said)
			w.WriteHeader(code)
			token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			io.WriteString(w, strings.NewReplacer("{said}", said, "{token}", token).Replace(body))
		}
	}
	raw := func(answer string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			io.WriteString(conn, strings.ReplaceAll(answer, "{said}", r.Header.Get("Authorization")+" "+r.URL.RequestURI()))
		}
	}
	graphError := `{"error":{"code":"{said}","message":"{said}"}}`
	answers := map[string]http.HandlerFunc{
		"400":                          echo(400, "application/json", graphError),
		"401":                          echo(401, "application/json", graphError),
		"403":                          echo(403, "application/json", graphError),
		"404":                          echo(404, "application/json", graphError),
		"500":                          echo(500, "application/json", graphError),
		"200 that is no JSON":          echo(200, "text/plain", "{said}"),
		"200 that is broken JSON":      echo(200, "application/json", `{"value":[{"id":"{said}"}`),
		"200 with a foreign link":      echo(200, "application/json", `{"value":[],"@odata.nextLink":"https://example.com/{said}"}`),
		"200 with the token as a host": echo(200, "application/json", `{"value":[],"@odata.nextLink":"https://{token}.example.com/"}`),
		"200 with the token as a path": echo(200, "application/json", `{"value":[],"@odata.nextLink":"/{token}"}`),
		"a broken header":              raw("HTTP/1.1 what {said}\r\n\r\n"),
		"no HTTP at all":               raw("{said}\r\n\r\n"),
	}
	login := map[string]http.HandlerFunc{
		"400":                 echo(400, "application/json", `{"error":"{said}","error_description":"AADSTS7000215: {said}"}`),
		"500":                 echo(500, "text/html", "<html>{said}"),
		"200":                 echo(200, "application/json", `{"error_description":"{said}"}`),
		"200 that is no JSON": echo(200, "application/json", "{said}"),
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "https://example.com/"+r.PostForm.Get("client_secret"))
			w.WriteHeader(http.StatusFound)
		},
		"no HTTP at all": raw("{said}\r\n\r\n"),
	}
	check := func(t *testing.T, cloud *cloud, err error) {
		t.Helper()
		if err == nil {
			t.Fatal("no error")
		}
		cloud.mu.Lock()
		defer cloud.mu.Unlock()
		texts := []string{err.Error()}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if _, ok := e.(*fault); ok {
				break // what is behind a fault has the server's words and is printed by nobody
			}
			texts = append(texts, e.Error())
		}
		for _, e := range cloud.events {
			texts = append(texts, e.Reason, e.Request)
		}
		for _, text := range texts {
			for _, canary := range []string{canarySecret, url.QueryEscape(canarySecret), canaryToken, canaryLink} {
				if strings.Contains(text, canary) {
					t.Errorf("%q is in %q", canary, text)
				}
			}
		}
	}
	for name, h := range answers {
		for _, source := range []string{pipeline.Users, pipeline.ReportEmail} {
			t.Run("Graph answers "+source+" with "+name, func(t *testing.T) {
				cloud := newCloud(t, h)
				_, err := collect(cloud.client().Pages(t.Context(), source, pipeline.Window{}))
				check(t, cloud, err)
			})
		}
		t.Run("the download answers with "+name, func(t *testing.T) {
			files := storage(t, h)
			cloud := newCloud(t, redirect(files.URL+"/"+canaryLink+"?token="+canaryLink))
			_, err := collect(cloud.client().Pages(t.Context(), pipeline.ReportEmail, pipeline.Window{}))
			check(t, cloud, err)
		})
	}
	for name, h := range login {
		t.Run("the login host answers with "+name, func(t *testing.T) {
			cloud := newCloud(t, inTurn(t))
			cloud.token = h
			_, err := collect(cloud.client().Pages(t.Context(), pipeline.Users, pipeline.Window{}))
			check(t, cloud, err)
		})
	}
}

func TestTransports(t *testing.T) {
	cloud := newCloud(t, text(`{"value":[]}`))
	client := cloud.client()

	t.Run("nothing but reads is sent", func(t *testing.T) {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, "MERGE"} {
			for _, via := range []http.RoundTripper{client.graph, client.bare} {
				for _, to := range []string{"/v1.0/users/1/assignLicense", "/" + directoryID + "/oauth2/v2.0/token/x"} {
					req, err := http.NewRequestWithContext(t.Context(), method, cloud.URL+to, nil)
					if err != nil {
						t.Fatal(err)
					}
					if _, err := via.RoundTrip(req); !errors.Is(err, errRefused) {
						t.Errorf("%s %s: %v", method, to, err)
					}
				}
			}
		}
		if n := len(cloud.sent); n != 0 {
			t.Errorf("%d requests were sent", n)
		}
	})

	t.Run("signing in posts to its two endpoints only", func(t *testing.T) {
		cloud := newCloud(t, text(`{}`))
		client := cloud.client()
		login := cloud.URL + "/" + directoryID + "/oauth2/v2.0/"
		other := strings.Replace(login, "127.0.0.1", "localhost", 1)
		for _, tt := range []struct {
			via  http.RoundTripper
			to   string
			goes bool
		}{
			{client.bare, login + "token", true},
			{client.bare, login + "devicecode", true},
			{client.bare, login + "authorize", false},
			{client.bare, other + "token", false},
			{client.bare, other + "devicecode", false},
			{client.direct, login + "token", false},
			{client.direct, login + "devicecode", false},
			{client.graph, login + "token", false},
		} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, tt.to, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := tt.via.RoundTrip(req)
			if err == nil {
				discard(resp)
			}
			if (err == nil) != tt.goes || err != nil && !errors.Is(err, errRefused) {
				t.Errorf("%s: %v", tt.to, err)
			}
		}
	})

	t.Run("the token goes to the Graph root only", func(t *testing.T) {
		for _, to := range []string{"https://example.com/", "https://" + strings.TrimPrefix(cloud.URL, "http://"), "http://127.0.0.1:1/"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, to, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := client.graph.RoundTrip(req); !errors.Is(err, errRefused) {
				t.Errorf("%s: %v", to, err)
			}
		}
	})

	t.Run("each request has an id of its own", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t, status(503), users("/beta/users?$skiptoken=a", "u1"), users("", "u2")))
		if _, err := collect(cloud.client(func(c *Config) { c.UserAgent = "seatlake/test" }).Pages(t.Context(), pipeline.Users, pipeline.Window{})); err != nil {
			t.Fatal(err)
		}
		ids := map[string]bool{}
		for _, s := range cloud.graphRequests() {
			id := s.Header.Get("client-request-id")
			if !guid.MatchString(id) || ids[id] {
				t.Errorf("client-request-id %q", id)
			}
			ids[id] = true
			if s.Header.Get("User-Agent") != "seatlake/test" {
				t.Errorf("User-Agent: %s", s.Header.Get("User-Agent"))
			}
		}
	})
}

func TestCertificates(t *testing.T) {
	cloud := newCloud(t, inTurn(t))
	secure := httptest.NewUnstartedServer(inTurn(t))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // it tells of the handshake that is meant to fail
	secure.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	secure.StartTLS()
	t.Cleanup(secure.Close)
	client := cloud.client(func(c *Config) { c.Graph = secure.URL })
	_, err := collect(client.Pages(t.Context(), pipeline.Users, pipeline.Window{}))
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
		t.Errorf("error: %v", err)
	}
	if len(cloud.clock.slept) != 0 {
		t.Error("a certificate that is not trusted was tried again")
	}
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
