package graph

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seatlake/pipeline"
)

func TestSigningIn(t *testing.T) {
	read := func(client *Client) error {
		_, err := collect(client.Pages(t.Context(), pipeline.SubscribedSkus, pipeline.Window{}))
		return err
	}
	empty := text(`{"value":[]}`)

	t.Run("sends the client credentials as a form", func(t *testing.T) {
		cloud := newCloud(t, empty)
		if err := read(cloud.client()); err != nil {
			t.Fatal(err)
		}
		s := cloud.sent[0]
		if s.Method != http.MethodPost || s.Path != "/"+directoryID+"/oauth2/v2.0/token" || s.Header.Get("Authorization") != "" {
			t.Errorf("request: %+v", s)
		}
		form := map[string][]string{
			"grant_type": {"client_credentials"}, "client_id": {clientID}, "client_secret": {canarySecret},
			"scope": {cloud.URL + "/.default"},
		}
		if diff := cmp.Diff(form, s.Form); diff != "" {
			t.Error(diff)
		}
		if got := cloud.sent[1].Header.Get("Authorization"); got != "Bearer "+canaryToken+"1" {
			t.Errorf("Authorization: %s", got)
		}
	})

	t.Run("is repeated shortly before the token expires", func(t *testing.T) {
		cloud := newCloud(t, empty)
		client := cloud.client()
		for _, after := range []time.Duration{0, 54 * time.Minute, 59 * time.Minute} {
			cloud.clock.now = time.Date(2026, 10, 8, 9, 0, 0, 0, time.UTC).Add(after)
			if err := read(client); err != nil {
				t.Fatal(err)
			}
		}
		if cloud.issued != 2 {
			t.Errorf("signed in %d times, want 2", cloud.issued)
		}
	})

	t.Run("takes any way to write a lifetime", func(t *testing.T) {
		for said, life := range map[string]time.Duration{
			`3599`: 3599 * time.Second, `"3599"`: 3599 * time.Second, `null`: 10 * time.Minute, `0`: 10 * time.Minute, `-1`: 10 * time.Minute,
		} {
			cloud := newCloud(t, empty)
			cloud.token = withType(text(`{"access_token":"a","expires_in":` + said + `}`))
			client := cloud.client()
			if err := read(client); err != nil {
				t.Fatal(err)
			}
			want := cloud.clock.now.Add(life - min(5*time.Minute, life/2))
			if got := client.token.now.Load().renewAt; !got.Equal(want) {
				t.Errorf("expires_in %s: renewed at %v, want %v", said, got, want)
			}
		}
	})

	t.Run("is repeated once when Graph refuses the token", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t, sample(t, "401-expired-token"), empty))
		if err := read(cloud.client()); err != nil {
			t.Fatal(err)
		}
		sent := cloud.graphRequests()
		if a, b := sent[0].Header.Get("Authorization"), sent[1].Header.Get("Authorization"); a == b {
			t.Errorf("the refused token was sent again: %s", b)
		}
	})

	t.Run("does not help when Graph refuses the new token too", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t, sample(t, "401-expired-token"), sample(t, "401-expired-token")))
		err := read(cloud.client())
		want(t, err, "401 Unauthorized", "InvalidAuthenticationToken", "one cloud", "request-id")
	})

	for _, tt := range []struct {
		number int
		hint   string
	}{
		{7000215, "value, not its id"},
		{7000222, "expired"},
		{700016, "client id"},
		{65001, "consent"},
		{50076, "multi-factor"},
		{700082, "sign in again"},
		{700213, "subject"},
	} {
		t.Run(fmt.Sprintf("that fails with AADSTS%d says what to do", tt.number), func(t *testing.T) {
			cloud := newCloud(t, inTurn(t))
			cloud.token = inTurn(t, sample(t, fmt.Sprint("login-", tt.number)))
			checkAuthError(t, read(cloud.client()), tt.number, tt.hint)
		})
	}
	for _, tt := range []struct {
		number int
		hint   string
	}{{90002, "directory id"}, {53003, "conditional access"}, {70011, "scope"}, {999999, "client secret"}} {
		t.Run(fmt.Sprintf("that fails with AADSTS%d says what to do", tt.number), func(t *testing.T) {
			cloud := newCloud(t, inTurn(t))
			cloud.token = inTurn(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprintf(w, `{"error":"invalid_request","error_description":"AADSTS%d: No.\r\nTrace ID: a\r\nCorrelation ID: b\r\nTimestamp: 2026-10-08 09:15:02Z"}`, tt.number)
			})
			checkAuthError(t, read(cloud.client()), tt.number, tt.hint)
		})
	}

	t.Run("that says its number in the list of codes alone says what to do, too", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t))
		cloud.token = inTurn(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `{"error":"invalid_client","error_description":"No.","error_codes":[7000222,1]}`)
		})
		checkAuthError(t, read(cloud.client()), 7000222, "expired")
	})

	t.Run("is tried again when the login host is busy", func(t *testing.T) {
		cloud := newCloud(t, empty)
		cloud.token = inTurn(t, status(503, "Retry-After", "3"), hangUp, text("<html>"), cloud.issue)
		if err := read(cloud.client()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]time.Duration{3 * time.Second, 2 * time.Second, 4 * time.Second}, cloud.clock.slept); diff != "" {
			t.Errorf("waits: %s", diff)
		}
	})

	t.Run("is given up once, not once a request", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t))
		cloud.token = status(503)
		err := read(cloud.client())
		want(t, err, "sign in: 503", "6 attempts", "run again later")
		if _, ok := errors.AsType[*AuthError](err); !ok || len(cloud.sent) != 6 {
			t.Errorf("%d requests, %v", len(cloud.sent), err)
		}
	})

	t.Run("that gets no answer says so", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t))
		cloud.token = http.HandlerFunc(hangUp)
		err := read(cloud.client())
		want(t, err, "sign in: no answer", "6 attempts", "firewall")
		if _, ok := errors.AsType[*AuthError](err); !ok {
			t.Errorf("not an AuthError: %v", err)
		}
	})

	t.Run("does not follow a redirect with the secret", func(t *testing.T) {
		elsewhere := newCloud(t, inTurn(t))
		cloud := newCloud(t, inTurn(t))
		cloud.token = status(307, "Location", elsewhere.URL+"/oauth2/v2.0/token")
		want(t, read(cloud.client()), "sign in: 307")
		if len(elsewhere.sent) != 0 {
			t.Error("the secret was sent elsewhere")
		}
	})
}

func checkAuthError(t *testing.T, err error, number int, hint string) {
	t.Helper()
	e, ok := errors.AsType[*AuthError](err)
	if !ok {
		t.Fatalf("not an AuthError: %v", err)
	}
	if e.AADSTS != number || e.Code == "" || e.Description == "" || e.Status == 0 || !strings.Contains(e.Hint, hint) {
		t.Errorf("%+v", e)
	}
	for _, noise := range []string{"Trace ID", "Correlation", "Timestamp", "AADSTS"} {
		if strings.Contains(e.Description, noise) {
			t.Errorf("description has noise: %s", e.Description)
		}
	}
	want(t, err, "tenant contoso", "sign in", fmt.Sprint("AADSTS", number), e.Hint)
}

func TestTenantID(t *testing.T) {
	id := func(directory, access string) (string, error) {
		cloud := newCloud(t, http.NotFoundHandler())
		cloud.token = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":3599,"access_token":%q}`, access)
		})
		return cloud.client(func(c *Config) { c.DirectoryID = directory }).TenantID(t.Context())
	}
	t.Run("is the configured GUID in lower case", func(t *testing.T) {
		got, err := id(strings.ToUpper(directoryID), "opaque")
		if err != nil || got != directoryID {
			t.Errorf("%s, %v", got, err)
		}
	})
	t.Run("is the token's for a domain", func(t *testing.T) {
		got, err := id("contoso.onmicrosoft.com", unsigned(`{"tid":"`+strings.ToUpper(directoryID)+`"}`))
		if err != nil || got != directoryID {
			t.Errorf("%s, %v", got, err)
		}
	})
	for name, access := range map[string]string{
		"is opaque": "opaque", "is no JSON": "a.b.c", "has no tid": unsigned(`{}`), "has another kind of tid": unsigned(`{"tid":7}`), "has no GUID": unsigned(`{"tid":"common"}`),
	} {
		t.Run("asks for configuration when the token "+name, func(t *testing.T) {
			_, err := id("contoso.com", access)
			want(t, err, "contoso.com", "configure the tenant's id as a GUID")
		})
	}
}

func TestRoles(t *testing.T) {
	cloud := newCloud(t, http.NotFoundHandler())
	cloud.token = withType(text(`{"expires_in":3599,"access_token":"` + unsigned(`{"roles":["User.Read.All","Reports.Read.All"]}`) + `"}`))
	got, err := cloud.client().Roles(t.Context())
	if err != nil || !slices.Equal(got, []string{"User.Read.All", "Reports.Read.All"}) {
		t.Errorf("%v, %v", got, err)
	}
}

func withType(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		h.ServeHTTP(w, r)
	})
}

func TestConfig(t *testing.T) {
	t.Run("every fault is named at once", func(t *testing.T) {
		_, err := New(Config{Tenant: "contoso", Graph: "http://graph.microsoft.com", Login: "login", DirectoryID: "common"})
		want(t, err, "contoso", "graph root", "https", "login root", `"common"`, "credential is missing")
	})
	for name, change := range map[string]func(*Config){
		"a path in the directory id": func(c *Config) { c.DirectoryID = "a.com/../b" },
		"a query in a root":          func(c *Config) { c.Graph += "?x=1" },
		"credentials in a root":      func(c *Config) { c.Login = "https://me:pass@login.example.com" },
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			c := Config{Graph: "https://graph.example.com", Login: "https://login.example.com", DirectoryID: directoryID, ClientID: "a", Credential: ClientSecret("b")}
			change(&c)
			if _, err := New(c); err == nil {
				t.Error("no error")
			}
		})
	}
}
