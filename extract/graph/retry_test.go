package graph

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"seatlake/pipeline"
)

func TestRetries(t *testing.T) {
	const s = time.Second
	header := func(name, value string) func(http.Header) {
		return func(h http.Header) { h.Set(name, value) }
	}
	for _, tt := range []struct {
		name     string
		failures []http.HandlerFunc
		slept    []time.Duration
	}{
		{"429 with whole seconds", []http.HandlerFunc{sample(t, "429-directory")}, []time.Duration{10 * s}},
		{"429 with fractional seconds", []http.HandlerFunc{sample(t, "429-generic")}, []time.Duration{2128 * time.Millisecond}},
		{"429 with a date", []http.HandlerFunc{sample(t, "429-generic", header("Retry-After", "Thu, 08 Oct 2026 09:15:22 GMT"))}, []time.Duration{20 * s}},
		{"429 without a word", []http.HandlerFunc{sample(t, "429-audit-log"), sample(t, "429-audit-log"), sample(t, "429-audit-log")}, []time.Duration{s, 2 * s, 4 * s}},
		{"429 with nonsense", []http.HandlerFunc{status(429, "Retry-After", "soon"), status(429, "Retry-After", "-5"), status(429, "Retry-After", "NaN")}, []time.Duration{s, 2 * s, 4 * s}},
		{"503 with whole seconds", []http.HandlerFunc{sample(t, "503-retry-after")}, []time.Duration{30 * s}},
		{"502, 503 and 504", []http.HandlerFunc{status(502), status(503), sample(t, "504-sign-ins")}, []time.Duration{s, 2 * s, 4 * s}},
		{"500 twice", []http.HandlerFunc{status(500), status(500)}, []time.Duration{s, 2 * s}},
		{"a body that ends early", []http.HandlerFunc{cutOff}, []time.Duration{s}},
		{"a connection that breaks", []http.HandlerFunc{hangUp}, []time.Duration{s}},
		{"truncated gzip", []http.HandlerFunc{cutGzip(t)}, []time.Duration{s}},
		{"an unknown content coding", []http.HandlerFunc{status(200, "Content-Encoding", "br")}, []time.Duration{s}},
		{"a page cut in the middle", []http.HandlerFunc{text(`{"value":[{"id":"u1"`)}, []time.Duration{s}},
		{"HTML", []http.HandlerFunc{text("<!DOCTYPE html><title>Sign in</title>")}, []time.Duration{s}},
		{"an empty body", []http.HandlerFunc{text("")}, []time.Duration{s}},
		{"JSON without value", []http.HandlerFunc{text(`{"error":{"code":"UnknownError"}}`)}, []time.Duration{s}},
	} {
		t.Run(tt.name+" is asked for again", func(t *testing.T) {
			cloud := newCloud(t, inTurn(t, append(tt.failures, users("", "u1"))...))
			client := cloud.client()
			pages, err := collect(client.Pages(t.Context(), pipeline.Users, pipeline.Window{}))
			if err != nil || len(pages) != 1 {
				t.Fatalf("%d pages, %v", len(pages), err)
			}
			if diff := cmp.Diff(tt.slept, cloud.clock.slept); diff != "" {
				t.Errorf("waits: %s", diff)
			}
			stats := client.Stats()
			if want := int64(len(tt.failures)); stats.Retries != want || stats.Requests != want+2 { // the token, and the page
				t.Errorf("stats: %+v", stats)
			}
		})
	}
}

func TestGivingUp(t *testing.T) {
	for _, tt := range []struct {
		name    string
		failure http.HandlerFunc
		sent    int
		says    []string
	}{
		{"503", status(503, "request-id", "r1"), 6, []string{"503 Service Unavailable", "request-id r1", "6 attempts", "run again later"}},
		{"429", sample(t, "429-directory"), 6, []string{"TooManyRequests", "6 attempts", "quota"}},
		{"500", status(500), 3, []string{"500 Internal Server Error", "3 attempts"}},
		{"a damaged page", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("request-id", "r2")
			io.WriteString(w, `{"value":[`)
		}, 6, []string{"damaged", "request-id r2", "6 attempts", "support"}},
		{"HTML", text("<html>"), 6, []string{"HTML", "6 attempts", "proxy"}},
		{"a hang-up", hangUp, 6, []string{"no answer", "6 attempts", "firewall"}},
	} {
		t.Run("the attempts at "+tt.name+" are bounded", func(t *testing.T) {
			cloud := newCloud(t, tt.failure)
			_, err := collect(cloud.client().Pages(t.Context(), pipeline.Users, pipeline.Window{}))
			want(t, err, append(tt.says, "tenant contoso: users: page 1")...)
			if n := len(cloud.graphRequests()); n != tt.sent {
				t.Errorf("%d requests, want %d", n, tt.sent)
			}
		})
	}

	for _, name := range []string{"400-expand", "404-not-found", "410-resync", "501-not-in-collection"} {
		t.Run(name+" is not asked for again", func(t *testing.T) {
			cloud := newCloud(t, inTurn(t, sample(t, name)))
			_, err := collect(cloud.client().Pages(t.Context(), pipeline.SignIns, pipeline.Window{}))
			e, ok := errors.AsType[*Error](err)
			if !ok || fmt.Sprint(e.Status) != name[:3] || e.Code == "" || e.RequestID == "" || e.Hint == "" || e.URL != "/v1.0/auditLogs/signIns" {
				t.Errorf("refusal %+v of %v", e, err)
			}
			want(t, err, "tenant contoso: sign_ins: page 1", e.Hint)
		})
	}

	t.Run("a long refusal is cut to a line", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"error":{"code":"BadRequest","message":%q}}`, strings.Repeat("über\r\n", 2000))
		}))
		_, err := collect(cloud.client().Pages(t.Context(), pipeline.SignIns, pipeline.Window{}))
		want(t, err, "BadRequest: über über", "update seatlake")
		if text := err.Error(); len(text) > 1000 || strings.ContainsAny(text, "\r\n") || !utf8.ValidString(text) {
			t.Errorf("%d bytes: %q", len(text), text)
		}
	})

	t.Run("a redirect is not followed", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t, status(302, "Location", "/beta/users?elsewhere")))
		_, err := collect(cloud.client().Pages(t.Context(), pipeline.Users, pipeline.Window{}))
		want(t, err, "302 Found", "does not redirect")
	})

	t.Run("a wait of hours is an error that says so", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t, status(429, "Retry-After", "7200")))
		client := cloud.client()
		_, err := collect(client.Pages(t.Context(), pipeline.Users, pipeline.Window{}))
		want(t, err, "2h0m0s", "run again after that")
		_, err = collect(client.Pages(t.Context(), pipeline.SubscribedSkus, pipeline.Window{}))
		want(t, err, "subscribed_skus", "2h0m0s", "run again after that")
		if len(cloud.clock.slept) > 0 {
			t.Errorf("waited %v", cloud.clock.slept)
		}
	})
}

func TestPatience(t *testing.T) {
	t.Run("a throttled family holds back its other requests, and no other family", func(t *testing.T) {
		cloud := newCloud(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.HasPrefix(r.URL.Path, "/beta/users"):
				status(429, "Retry-After", "40")(w, r)
			default:
				text(`{"value":[]}`)(w, r)
			}
		}))
		// Its own retries wait elsewhere, so that only the held back request sleeps here.
		client := cloud.client(func(c *Config) { c.Attempts = 1 })
		_, err := collect(client.Pages(t.Context(), pipeline.Users, pipeline.Window{}))
		want(t, err, "429")
		if _, err := collect(client.Pages(t.Context(), pipeline.SignIns, pipeline.Window{})); err != nil {
			t.Fatal(err)
		}
		if len(cloud.clock.slept) != 0 {
			t.Errorf("the audit log waited %v", cloud.clock.slept)
		}
		if _, err := collect(client.Pages(t.Context(), pipeline.SubscribedSkus, pipeline.Window{})); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]time.Duration{40 * time.Second}, cloud.clock.slept); diff != "" {
			t.Errorf("waits: %s", diff)
		}
		if got := client.Stats().Throttled; got != 40*time.Second {
			t.Errorf("throttled for %v", got)
		}
	})

	t.Run("a wait is waited for, even by a clock that stands still", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t, status(429, "Retry-After", "40"), text(`{"value":[]}`), text(`{"value":[]}`)))
		began := cloud.clock.now
		client := cloud.client(func(c *Config) { c.Now = func() time.Time { return began } })
		for range 2 {
			if _, err := collect(client.Pages(t.Context(), pipeline.SubscribedSkus, pipeline.Window{})); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(cloud.clock.slept); n > 2 { // the retry, and the family's wait
			t.Errorf("waited %v", cloud.clock.slept)
		}
	})

	t.Run("each report function is a family", func(t *testing.T) {
		cloud := newCloud(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "Mailbox") {
				status(429, "Retry-After", "40")(w, r)
				return
			}
			io.WriteString(w, reportCSV)
		}))
		client := cloud.client(func(c *Config) { c.Attempts = 1 })
		_, err := collect(client.Pages(t.Context(), pipeline.ReportMailboxes, pipeline.Window{}))
		want(t, err, "429")
		if _, err := collect(client.Pages(t.Context(), pipeline.ReportEmail, pipeline.Window{})); err != nil {
			t.Fatal(err)
		}
		if len(cloud.clock.slept) != 0 {
			t.Errorf("waited %v", cloud.clock.slept)
		}
	})

	t.Run("events say what is waited for", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t, sample(t, "429-directory"), users("", "u1")))
		if _, err := collect(cloud.client().Pages(t.Context(), pipeline.Users, pipeline.Window{})); err != nil {
			t.Fatal(err)
		}
		if len(cloud.events) != 2 {
			t.Fatalf("events: %+v", cloud.events)
		}
		held, answered := cloud.events[0], cloud.events[1]
		if held.Kind != Throttled || held.Source != pipeline.Users || held.Page != 1 || held.Attempt != 1 ||
			held.Wait != 10*time.Second || !strings.Contains(held.Reason, "429") {
			t.Errorf("held: %+v", held)
		}
		if answered.Kind != Answered || answered.Attempt != 2 || answered.Bytes == 0 || !strings.HasPrefix(answered.Request, "/beta/users?") {
			t.Errorf("answered: %+v", answered)
		}
	})

	t.Run("waits grow, stay bounded and are spread", func(t *testing.T) {
		for _, jitter := range []float64{0, 0.5, 0.999} {
			c := &Client{config: Config{Jitter: func() float64 { return jitter }}}
			last := time.Duration(0)
			for n := 1; n < 40; n++ {
				d := c.backoff(n)
				if d < last || d < firstWait/2 || d > maxWait {
					t.Errorf("wait %d with jitter %v: %v after %v", n, jitter, d, last)
				}
				last = d
			}
		}
	})
}

func TestCancelling(t *testing.T) {
	t.Run("a wait ends at once", func(t *testing.T) {
		cloud := newCloud(t, status(503))
		ctx, cancel := context.WithCancel(t.Context())
		client := cloud.client(func(c *Config) {
			c.Sleep = nil
			c.Progress = func(e Event) {
				if e.Kind == Retrying {
					cancel()
				}
			}
		})
		_, err := collect(client.Pages(ctx, pipeline.Users, pipeline.Window{}))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error: %v", err)
		}
		if n := len(cloud.graphRequests()); n != 1 {
			t.Errorf("%d requests were sent", n)
		}
	})

	t.Run("a request ends at once", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cloud := newCloud(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		}))
		_, err := collect(cloud.client().Pages(ctx, pipeline.Users, pipeline.Window{}))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error: %v", err)
		}
	})
}

func TestSilence(t *testing.T) {
	for name, silent := range map[string]func(*http.Request) (*http.Response, error){
		"a header that does not come": func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		},
		"a body that stops": func(r *http.Request) (*http.Response, error) {
			return answerOf(r, io.MultiReader(strings.NewReader(`{"value":[`), until{r.Context()})), nil
		},
	} {
		t.Run(name+" is asked for again", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				client := offline(t, func(r *http.Request) (*http.Response, error) {
					if asked++; asked == 1 {
						return silent(r)
					}
					return answerOf(r, strings.NewReader(`{"value":[{"id":"u1"}]}`)), nil
				})
				began := time.Now()
				pages, err := collect(client.Pages(t.Context(), pipeline.Users, pipeline.Window{}))
				if err != nil || len(pages) != 1 || asked != 2 {
					t.Fatalf("%d pages after %d requests, %v", len(pages), asked, err)
				}
				if took := time.Since(began); took < 2*time.Minute || took > 2*time.Minute+firstWait {
					t.Errorf("took %v", took)
				}
			})
		})
	}

	t.Run("a slow body that goes on is waited for", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client := offline(t, func(r *http.Request) (*http.Response, error) {
				return answerOf(r, &slow{text: `{"value":[{"id":"u1"}]}`, pause: 90 * time.Second}), nil
			})
			if _, err := collect(client.Pages(t.Context(), pipeline.Users, pipeline.Window{})); err != nil {
				t.Fatal(err)
			}
			if client.Stats().Retries != 0 {
				t.Error("it was asked for again")
			}
		})
	})

	t.Run("silence to the end says so", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client := offline(t, func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			})
			_, err := collect(client.Pages(t.Context(), pipeline.Users, pipeline.Window{}))
			want(t, err, "the server went silent", "6 attempts")
		})
	})
}

func TestOneSignInForAll(t *testing.T) {
	cloud := newCloud(t, text(`{"value":[]}`))
	client := cloud.client()
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			if _, err := collect(client.Pages(t.Context(), pipeline.SubscribedSkus, pipeline.Window{})); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if cloud.issued != 1 {
		t.Errorf("signed in %d times", cloud.issued)
	}
}

func TestOneRenewalForAll(t *testing.T) {
	const sources = 8
	var together sync.WaitGroup
	together.Add(sources)
	cloud := newCloud(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer "+canaryToken+"1" {
			together.Done()
			together.Wait() // all have sent the old token before any is refused
			sample(t, "401-expired-token")(w, r)
			return
		}
		text(`{"value":[]}`)(w, r)
	}))
	client := cloud.client()
	var group sync.WaitGroup
	for range sources {
		group.Go(func() {
			if _, err := collect(client.Pages(t.Context(), pipeline.SubscribedSkus, pipeline.Window{})); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if cloud.issued != 2 {
		t.Errorf("signed in %d times, want 2", cloud.issued)
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "10", "2.128", "-1", "NaN", "Inf", "1e300", "Thu, 08 Oct 2026 09:15:22 GMT", "soon"} {
		f.Add(s)
	}
	now := time.Date(2026, 10, 8, 9, 15, 2, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		resp := &http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {value}}}
		if d := retryAfter(resp, now); d < 0 {
			t.Errorf("%q is %v", value, d)
		}
	})
}

// offline is a client whose transport is a function, for tests in a bubble of
// fake time, where sockets would block it.
func offline(t testing.TB, graph func(*http.Request) (*http.Response, error)) *Client {
	t.Helper()
	client, err := New(Config{
		Tenant: "contoso", Graph: "https://graph.example.com", Login: "https://login.example.com",
		DirectoryID: directoryID, ClientID: clientID, Credential: ClientSecret(canarySecret),
		Jitter: func() float64 { return 0 },
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == "login.example.com" {
				return answerOf(r, strings.NewReader(`{"token_type":"Bearer","expires_in":3599,"access_token":"`+canaryToken+`1"}`)), nil
			}
			return graph(r)
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answerOf(r *http.Request, body io.Reader) *http.Response {
	return &http.Response{
		StatusCode: http.StatusOK, Request: r, ContentLength: -1, Body: io.NopCloser(body),
		Header: http.Header{"Content-Type": {"application/json"}},
	}
}

// until is a body that blocks until its request ends.
type until struct{ ctx context.Context }

func (u until) Read([]byte) (int, error) {
	<-u.ctx.Done()
	return 0, u.ctx.Err()
}

// slow is a body that sends four bytes at a time.
type slow struct {
	text  string
	pause time.Duration
}

func (s *slow) Read(p []byte) (int, error) {
	if s.text == "" {
		return 0, io.EOF
	}
	time.Sleep(s.pause) // in a bubble of fake time
	n := copy(p, s.text[:min(4, len(s.text))])
	s.text = s.text[n:]
	return n, nil
}

// cutOff promises more than it sends.
func cutOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	io.WriteString(w, `{"value":[]}`)
}

// hangUp closes the connection without an answer.
func hangUp(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

func cutGzip(t *testing.T) http.HandlerFunc {
	body := zipped(t, `{"value":[{"id":"u1"}]}`)
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(body[:len(body)-6])
	}
}
