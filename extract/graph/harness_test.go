package graph

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"seatlake/pipeline"
)

// TestMain is also another process that signs in; see TestProcessesThatRefresh.
func TestMain(m *testing.M) {
	if server := os.Getenv("GRAPH_SIGN_IN_TO"); server != "" {
		os.Exit(signInOften(server, os.Getenv("GRAPH_TOKENS_IN")))
	}
	goleak.VerifyTestMain(m)
}

const (
	directoryID  = "48a80680-7326-48cd-9935-b556b81d3a4e"
	clientID     = "11112222-bbbb-3333-cccc-4444dddd5555"
	canarySecret = "canary~secret+8Q~needs=escaping"
	canaryToken  = "canary-access-token-"
)

// cloud is Graph and its login host on one server.
type cloud struct {
	*httptest.Server
	t     *testing.T
	clock *clock

	mu     sync.Mutex
	graph  http.Handler
	token  http.Handler
	sent   []sent
	issued int
	events []Event
}

// sent is a request as a server saw it, with its form when it is the token's.
type sent struct {
	Method, Path, Query string
	Header              http.Header
	Form                map[string][]string
}

func newCloud(t *testing.T, graph http.Handler) *cloud {
	c := &cloud{t: t, graph: graph, clock: &clock{now: time.Date(2026, 10, 8, 9, 15, 2, 0, time.UTC)}}
	c.token = http.HandlerFunc(c.issue)
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		c.mu.Lock()
		c.sent = append(c.sent, sent{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Clone(), r.PostForm})
		graph, token := c.graph, c.token
		c.mu.Unlock()
		if strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token") {
			token.ServeHTTP(w, r)
			return
		}
		graph.ServeHTTP(w, r)
	}))
	t.Cleanup(c.Close)
	return c
}

// issue gives a token that cannot be mistaken for another.
func (c *cloud) issue(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	c.issued++
	n := c.issued
	c.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Connection", "close") // net/http itself repeats a request on a connection that was idle
	fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":3599,"access_token":%q}`, fmt.Sprint(canaryToken, n))
}

// graphRequests are those that were not for the token.
func (c *cloud) graphRequests() []sent {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []sent
	for _, s := range c.sent {
		if !strings.HasSuffix(s.Path, "/oauth2/v2.0/token") {
			out = append(out, s)
		}
	}
	return out
}

func (c *cloud) client(change ...func(*Config)) *Client {
	c.t.Helper()
	config := Config{
		Tenant: "contoso", Graph: c.URL, Login: c.URL,
		DirectoryID: directoryID, ClientID: clientID, Credential: ClientSecret(canarySecret),
		Now: c.clock.Now, Sleep: c.clock.Sleep, Jitter: func() float64 { return 0 },
		Progress: func(e Event) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.events = append(c.events, e)
		},
	}
	for _, f := range change {
		f(&config)
	}
	client, err := New(config)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(client.Close)
	return client
}

// clock stands still but for sleeps, which it notes.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.slept = append(c.slept, d)
	return ctx.Err()
}

// inTurn answers the n-th request with the n-th handler. A request too many is a
// failure.
func inTurn(t *testing.T, handlers ...http.HandlerFunc) http.Handler {
	var mu sync.Mutex
	next := 0
	t.Cleanup(func() {
		if next < len(handlers) {
			t.Errorf("%d requests were sent, want %d", next, len(handlers))
		}
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		n := next
		next++
		mu.Unlock()
		if n >= len(handlers) {
			t.Errorf("one request too many: %s %s", r.Method, r.URL.Path)
			w.WriteHeader(http.StatusTeapot)
			return
		}
		handlers[n](w, r)
	})
}

// users is a page of users with these ids, and a link if next is not "".
func users(next string, ids ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("request-id", "page-"+strings.Join(ids, "-"))
		io.WriteString(w, usersJSON(r, next, ids...))
	}
}

func usersJSON(r *http.Request, next string, ids ...string) string {
	var rows []string
	for _, id := range ids {
		rows = append(rows, fmt.Sprintf(`{"id":%q}`, id))
	}
	link := ""
	if next != "" {
		if strings.HasPrefix(next, "/") {
			next = "http://" + r.Host + next
		}
		link = fmt.Sprintf(`"@odata.nextLink":%q,`, next)
	}
	return "{" + link + `"value":[` + strings.Join(rows, ",") + "]}"
}

// sample answers with a file of testdata, a whole HTTP answer.
func sample(t *testing.T, name string, change ...func(http.Header)) http.HandlerFunc {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".http"))
	if err != nil {
		t.Fatal(err)
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(text)), nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		for k, v := range resp.Header {
			w.Header()[k] = v
		}
		for _, f := range change {
			f(w.Header())
		}
		w.WriteHeader(resp.StatusCode)
		io.Copy(w, resp.Body)
	}
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) }
}

func zipped(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unsigned is a JWT with this payload and no signature to speak of.
func unsigned(payload string) string {
	enc := base64.RawURLEncoding
	return enc.EncodeToString([]byte(`{"alg":"none"}`)) + "." + enc.EncodeToString([]byte(payload)) + ".c2ln"
}

func collect(pages pipeline.Pages) ([]*pipeline.Page, error) {
	var out []*pipeline.Page
	for p, err := range pages {
		if err != nil {
			return out, err
		}
		out = append(out, p)
	}
	return out, nil
}

// bodies are the pages' texts behind their numbers.
func bodies(t *testing.T, pages []*pipeline.Page) []string {
	t.Helper()
	var out []string
	for _, p := range pages {
		text, err := p.Text()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%d %s", p.Number, text))
	}
	return out
}

// want fails unless the error says all of this.
func want(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one that says %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q\ndoes not say %q", err, p)
		}
	}
}
