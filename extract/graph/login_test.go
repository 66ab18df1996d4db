package graph

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seatlake/extract/graph/graphsim"
	"seatlake/extract/graph/tokenstore"
)

// browser goes where it is sent until it has landed, and tells what it last saw.
type browser struct {
	t     *testing.T
	gone  sync.WaitGroup
	page  string
	error error
}

func (b *browser) visit(address string) {
	b.gone.Go(func() {
		transport := &http.Transport{DisableKeepAlives: true}
		resp, err := (&http.Client{Transport: transport}).Get(address)
		if err != nil {
			b.error = err
			return
		}
		defer resp.Body.Close()
		page, err := io.ReadAll(resp.Body)
		b.page, b.error = fmt.Sprint(resp.StatusCode, " ", string(page)), err
	})
}

// saw is the browser's last page.
func (b *browser) saw() string {
	b.t.Helper()
	b.gone.Wait()
	if b.error != nil {
		b.t.Errorf("browser: %v", b.error)
	}
	return b.page
}

func TestLogInByBrowser(t *testing.T) {
	t.Run("stores the refresh token, and the person can be read for", func(t *testing.T) {
		h, store, b := newHost(t, graphsim.Logins{}), &memory{}, &browser{t: t}
		client := h.client(Delegated{Store: store})
		var address string
		person, err := client.LogInByBrowser(t.Context(), func(a string) { address = a; b.visit(a) })
		if err != nil {
			t.Fatal(err)
		}
		if person.Name != graphsim.DefaultPerson || !strings.Contains(strings.Join(person.Permissions, " "), "User.Read.All") {
			t.Errorf("%+v", person)
		}
		if !strings.Contains(b.saw(), "200") || !strings.Contains(b.page, "signed in") {
			t.Errorf("page: %s", b.page)
		}
		if store.token == "" {
			t.Error("no refresh token is stored")
		}
		asked := mustURL(t, address)
		q := asked.Query()
		if asked.Path != "/"+graphsim.DefaultTenantID+"/oauth2/v2.0/authorize" || !strings.HasPrefix(q.Get("redirect_uri"), "http://localhost:") ||
			q.Get("scope") != scopeOf(h.GraphURL, ReadPermissions(everySource()...)) || q.Get("response_mode") != "query" || len(q.Get("state")) < 20 {
			t.Errorf("address: %s", address)
		}
		checkSignsIn(t, client) // with the token at hand
		if roles, err := client.Roles(t.Context()); err != nil || len(roles) == 0 {
			t.Errorf("roles %v, %v", roles, err)
		}
		checkSignsIn(t, h.client(Delegated{Store: store})) // with the stored one
	})

	t.Run("waits on when someone else comes by", func(t *testing.T) {
		h, store, b := newHost(t, graphsim.Logins{}), &memory{}, &browser{t: t}
		var pages []string
		_, err := h.client(Delegated{Store: store}).LogInByBrowser(t.Context(), func(address string) {
			landing := mustURL(t, address).Query().Get("redirect_uri")
			for _, path := range []string{"/?code=stolen&state=guessed", "/?error=access_denied", "/favicon.ico", "/"} {
				stranger := &browser{t: t}
				stranger.visit(landing + path)
				pages = append(pages, stranger.saw()[:3])
			}
			b.visit(address)
		})
		if err != nil {
			t.Fatal(err)
		}
		b.saw()
		if diff := cmp.Diff([]string{"400", "400", "404", "400"}, pages); diff != "" {
			t.Error(diff)
		}
	})

	for number, hint := range map[int]string{65004: "declined to consent", 65001: "consent", 53003: "conditional access", 50105: "not assigned"} {
		t.Run(fmt.Sprintf("that is refused with AADSTS%d says what to do", number), func(t *testing.T) {
			h, store, b := newHost(t, graphsim.Logins{Refuse: map[string]int{"authorize": number}}), &memory{token: "before"}, &browser{t: t}
			_, err := h.client(Delegated{Store: store}).LogInByBrowser(t.Context(), b.visit)
			e, ok := errors.AsType[*AuthError](err)
			if !ok || e.AADSTS != number || !strings.Contains(e.Hint, hint) || strings.Contains(e.Description, "Trace ID") {
				t.Errorf("%v", err)
			}
			if !strings.Contains(b.saw(), "failed") || store.token != "before" {
				t.Errorf("page %s, stored %s", b.page, store.token)
			}
		})
		t.Run(fmt.Sprintf("whose code is refused with AADSTS%d says what to do", number), func(t *testing.T) {
			h, b := newHost(t, graphsim.Logins{Refuse: map[string]int{"authorization_code": number}}), &browser{t: t}
			_, err := h.client(Delegated{Store: &memory{}}).LogInByBrowser(t.Context(), b.visit)
			b.saw()
			if e, ok := errors.AsType[*AuthError](err); !ok || e.AADSTS != number || !strings.Contains(e.Hint, hint) {
				t.Errorf("%v", err)
			}
		})
	}

	t.Run("redeems its code with the verifier alone", func(t *testing.T) {
		h, b := newHost(t, graphsim.Logins{}), &browser{t: t}
		client := h.client(Delegated{Store: &memory{}})
		_, err := client.LogInByBrowser(t.Context(), func(address string) {
			u := mustURL(t, address)
			q := u.Query()
			q.Set("code_challenge", "of-someone-else")
			u.RawQuery = q.Encode()
			b.visit(u.String())
		})
		b.saw()
		if e, ok := errors.AsType[*AuthError](err); !ok || e.AADSTS != 501481 {
			t.Errorf("%v", err)
		}
	})

	t.Run("ends with the context", func(t *testing.T) {
		h := newHost(t, graphsim.Logins{})
		ctx, cancel := context.WithCancel(t.Context())
		_, err := h.client(Delegated{Store: &memory{}}).LogInByBrowser(ctx, func(string) { cancel() })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})

	t.Run("is for people only", func(t *testing.T) {
		h := newHost(t, graphsim.Logins{})
		client := h.client(ClientSecret(canarySecret))
		_, err := client.LogInByBrowser(t.Context(), func(string) {})
		want(t, err, "without a person")
		_, err = client.LogInByCode(t.Context(), func(Prompt) {})
		want(t, err, "without a person")
	})

	t.Run("without a refresh token is none", func(t *testing.T) {
		cloud, b := newCloud(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			q := r.URL.Query()
			http.Redirect(w, r, q.Get("redirect_uri")+"?code=canary-code-1&state="+url.QueryEscape(q.Get("state")), http.StatusFound)
		})), &browser{t: t}
		_, err := cloud.client(func(c *Config) { c.Credential = Delegated{Store: &memory{}} }).LogInByBrowser(t.Context(), b.visit)
		b.saw()
		want(t, err, "no refresh token", "offline_access")
	})
}

func TestLogInByCode(t *testing.T) {
	logIn := func(t *testing.T, o graphsim.Logins) (*host, *memory, Prompt, *Person, error) {
		t.Helper()
		h, store := newHost(t, o), &memory{}
		var prompt Prompt
		person, err := h.client(Delegated{Store: store}).LogInByCode(t.Context(), func(p Prompt) { prompt = p })
		return h, store, prompt, person, err
	}
	t.Run("shows the code, asks at the interval, and stores the refresh token", func(t *testing.T) {
		h, store, prompt, person, err := logIn(t, graphsim.Logins{Polls: []string{"authorization_pending", "slow_down", "authorization_pending"}})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Prompt{Address: "https://microsoft.com/devicelogin", Code: "C7SMRPQTL"}, prompt); diff != "" {
			t.Error(diff)
		}
		if person.Name != graphsim.DefaultPerson || store.token == "" {
			t.Errorf("%+v", person)
		}
		if diff := cmp.Diff([]time.Duration{5 * time.Second, 5 * time.Second, 10 * time.Second, 10 * time.Second}, h.clock.slept); diff != "" {
			t.Errorf("waits: %s", diff)
		}
		checkSignsIn(t, h.client(Delegated{Store: store}))
	})
	for said, hint := range map[string]string{
		"authorization_declined": "declined", "bad_verification_code": "not entered in time", "expired_token": "not entered in time", "nonsense": "public client",
	} {
		t.Run("that ends in "+said+" says what to do", func(t *testing.T) {
			_, store, _, _, err := logIn(t, graphsim.Logins{Polls: []string{"authorization_pending", said}})
			e, ok := errors.AsType[*AuthError](err)
			if !ok || e.Code != said || !strings.Contains(e.Hint, hint) || store.token != "" {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("that nobody answers expires", func(t *testing.T) {
		polls := strings.Split(strings.TrimSuffix(strings.Repeat("authorization_pending ", 1000), " "), " ")
		h, _, _, _, err := logIn(t, graphsim.Logins{Polls: polls})
		want(t, err, "expired_token", "not entered in time")
		if n := len(h.clock.slept); n != 180 {
			t.Errorf("asked %d times", n)
		}
	})
	t.Run("is not asked for ever, whatever the login host says", func(t *testing.T) {
		cloud := newCloud(t, withType(text(`{"device_code":"canary-device-code","user_code":"A","verification_uri":"https://example.com","interval":5}`)))
		cloud.token = withType(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"error":"authorization_pending","error_description":"canary-device-code"}`)
		}))
		_, err := cloud.client(func(c *Config) { c.Credential = Delegated{Store: &memory{}} }).LogInByCode(t.Context(), func(Prompt) {})
		want(t, err, "authorization_pending")
		if strings.Contains(err.Error(), "canary") || len(cloud.clock.slept) > 720 {
			t.Errorf("after %d waits: %v", len(cloud.clock.slept), err)
		}
	})
	t.Run("goes on when the login host is busy meanwhile", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t, status(503), withType(text(`{"device_code":"canary-device-code","user_code":"A\u001b[2J","verification_uri":"https://example.com"}`)).ServeHTTP))
		cloud.token = inTurn(t, status(503), withType(text(`{"access_token":"a","refresh_token":"canary-refresh"}`)).ServeHTTP)
		store := &memory{}
		var prompt Prompt
		_, err := cloud.client(func(c *Config) { c.Credential = Delegated{Store: store} }).LogInByCode(t.Context(), func(p Prompt) { prompt = p })
		if err != nil || store.token != "canary-refresh" {
			t.Errorf("%v", err)
		}
		if prompt.Code != "A[2J" {
			t.Errorf("the terminal is given %q", prompt.Code)
		}
	})
	t.Run("that may not begin says what to do", func(t *testing.T) {
		_, _, _, _, err := logIn(t, graphsim.Logins{Refuse: map[string]int{"devicecode": 7000218}})
		if e, ok := errors.AsType[*AuthError](err); !ok || e.AADSTS != 7000218 || !strings.Contains(e.Hint, "public client") {
			t.Errorf("%v", err)
		}
	})
	t.Run("without a code is none", func(t *testing.T) {
		cloud := newCloud(t, withType(text(`{"message":"hello"}`)))
		_, err := cloud.client(func(c *Config) { c.Credential = Delegated{Store: &memory{}} }).LogInByCode(t.Context(), func(Prompt) {})
		want(t, err, "holds no", "check the login root")
	})
	t.Run("ends with the context", func(t *testing.T) {
		h := newHost(t, graphsim.Logins{})
		ctx, cancel := context.WithCancel(t.Context())
		_, err := h.client(Delegated{Store: &memory{}}).LogInByCode(ctx, func(Prompt) { cancel() })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}

func TestRefreshing(t *testing.T) {
	// signedIn is a store with a person's refresh token.
	signedIn := func(t *testing.T, h *host) *memory {
		t.Helper()
		store := &memory{}
		if _, err := h.client(Delegated{Store: store}).LogInByCode(t.Context(), func(Prompt) {}); err != nil {
			t.Fatal(err)
		}
		return store
	}
	t.Run("stores the new token and drops the old one", func(t *testing.T) {
		h := newHost(t, graphsim.Logins{RefreshOnce: true})
		store := signedIn(t, h)
		client := h.client(Delegated{Store: store})
		seen := map[string]bool{store.token: true}
		for range 3 {
			checkSignsIn(t, client)
			if seen[store.token] {
				t.Errorf("token %s stayed", store.token)
			}
			seen[store.token] = true
			h.clock.now = h.clock.now.Add(time.Hour)
		}
	})
	t.Run("keeps the token when the answer has none", func(t *testing.T) {
		cloud := newCloud(t, text(`{"value":[]}`))
		store := &memory{token: "canary-refresh"}
		checkSignsIn(t, cloud.client(func(c *Config) { c.Credential = Delegated{Store: store} }))
		if store.token != "canary-refresh" {
			t.Errorf("stored %q", store.token)
		}
		form := cloud.sent[0].Form
		if diff := cmp.Diff(map[string][]string{
			"grant_type": {"refresh_token"}, "client_id": {clientID}, "refresh_token": {"canary-refresh"}, "scope": {scopeOf(cloud.URL, ReadPermissions(everySource()...))},
		}, form); diff != "" {
			t.Error(diff)
		}
	})
	for number, hint := range map[int]string{700082: "seatlake login", 70008: "seatlake login", 50076: "seatlake login", 50173: "password", 65001: "consent", 53003: "conditional access", 700016: "client id"} {
		t.Run(fmt.Sprintf("that is refused with AADSTS%d says what to do, and keeps the token", number), func(t *testing.T) {
			h := newHost(t, graphsim.Logins{})
			store := signedIn(t, h)
			before := store.token
			h.Logins(graphsim.Logins{Refuse: map[string]int{"refresh_token": number}})
			checkAuthError(t, signIn(h.client(Delegated{Store: store})), number, hint)
			if store.token != before {
				t.Error("the token is gone")
			}
		})
	}
	t.Run("before anyone has signed in says how to", func(t *testing.T) {
		h := newHost(t, graphsim.Logins{})
		want(t, signIn(h.client(Delegated{Store: &memory{}})), "tenant contoso", "nobody has signed in", "seatlake login")
		if n := len(h.Log()); n != 0 {
			t.Errorf("%d requests", n)
		}
	})
	t.Run("fails with its store", func(t *testing.T) {
		h := newHost(t, graphsim.Logins{})
		store := &tokenstore.Store{Dir: filepath.Join(t.TempDir(), "tokens"), Name: "x", Place: tokenstore.File}
		if err := os.WriteFile(store.Dir, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		want(t, signIn(h.client(Delegated{Store: store})), "token_dir")
	})
}

// TestProcessesThatRefresh lets processes sign in by one stored token, which the
// login host takes once: one that is overwritten or read too early ends a process.
func TestProcessesThatRefresh(t *testing.T) {
	h := newHost(t, graphsim.Logins{RefreshOnce: true})
	dir := filepath.Join(t.TempDir(), "tokens")
	client := h.client(Delegated{Store: shared(dir)})
	if _, err := client.LogInByCode(t.Context(), func(Prompt) {}); err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	for range 3 {
		running.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), "GRAPH_SIGN_IN_TO="+h.GraphURL+" "+h.LoginURL, "GRAPH_TOKENS_IN="+dir)
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Run(); err != nil {
				t.Errorf("%v: %s", err, out.String())
			}
		})
	}
	running.Wait()
	checkSignsIn(t, h.client(Delegated{Store: shared(dir)}))
}

func shared(dir string) *tokenstore.Store {
	return &tokenstore.Store{Dir: dir, Name: "contoso", Place: tokenstore.File}
}

// signInOften is the other process: it signs in ten times, and gives its exit
// status.
func signInOften(server, dir string) int {
	graph, login, _ := strings.Cut(server, " ")
	for range 10 {
		client, err := New(Config{
			Tenant: "contoso", Graph: graph, Login: login, DirectoryID: graphsim.DefaultTenantID, ClientID: graphsim.DefaultClientID,
			Credential: Delegated{Store: shared(dir)},
		})
		if err == nil {
			_, err = client.Roles(context.Background())
		}
		if err != nil {
			fmt.Println(err)
			return 1
		}
	}
	return 0
}
