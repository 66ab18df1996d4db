package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"seatlake/extract/graph"
	"seatlake/extract/graph/graphsim"
)

// toRead are the permissions that reading takes, as the login host is asked for them.
const toRead = "AuditLog.Read.All LicenseAssignment.Read.All Organization.Read.All ReportSettings.Read.All Reports.Read.All User.Read.All"

// step is a command, what it asks the login host for, and how it ends.
type step struct {
	command string // SEALED stands for the sealed plan
	scope   string // "" for no request
	fails   string // in what it says; "" when it succeeds
}

// TestScopesOfCommands runs commands by every way of signing in. A person's tokens ask
// for the permission to write in apply and rollback alone; an application's for all it
// was granted, by all commands.
func TestScopesOfCommands(t *testing.T) {
	const licences, members = " " + graph.WriteLicenses, " " + graph.WriteLicenses + " " + graph.WriteMembers
	person := []step{
		{"reclaim apply SEALED --immediate --no-build", "", "nobody has signed in yet: seatlake login --for reclaim --tenant contoso"},
		{"login", toRead, ""},
		{"reclaim apply SEALED --immediate --no-build", "", "nobody has signed in yet: seatlake login --for reclaim --tenant contoso"},
		{"run --no-build", toRead, ""},
		{"doctor", toRead, ""},
		{"reclaim apply SEALED --immediate --no-build --dry-run --remove-from-groups", toRead, ""},
		{"reclaim rollback SEALED --no-build --dry-run", toRead, ""},
		{"login --for reclaim", toRead + licences, ""},
		{"reclaim apply SEALED --immediate --no-build --remove-from-groups", toRead + members, "sign in again: seatlake login --for reclaim-groups --tenant contoso"},
		{"reclaim apply SEALED --immediate --no-build", toRead + licences, ""},
		{"reclaim verify SEALED --no-build", toRead, ""},
		{"run --no-build", toRead, ""},
		{"reclaim rollback SEALED --no-build", toRead + licences, ""},
		{"login --for reclaim-groups", toRead + members, ""},
		{"reclaim apply SEALED --immediate --no-build --remove-from-groups", toRead + members, ""},
		{"doctor", toRead, ""},
		{"login --for writing", "", "--for \"writing\" is not known; it is reading, reclaim, reclaim-groups"},
	}
	application := func(scope string) []step {
		return []step{
			{"run --no-build", scope, ""}, {"doctor", scope, ""}, {"reclaim apply SEALED --immediate --no-build --dry-run", scope, ""},
			{"reclaim apply SEALED --immediate --no-build --remove-from-groups", scope, "add " + graph.WriteMembers},
			{"reclaim apply SEALED --immediate --no-build", scope, ""},
			{"reclaim verify SEALED --no-build", scope, ""}, {"reclaim rollback SEALED --no-build", scope, ""},
		}
	}
	for _, tt := range []struct {
		method, keys string
		steps        []step
	}{
		{"authorization_code", "token_store: file, token_dir: tokens", person},
		{"device_code", "token_store: file, token_dir: tokens", person},
		{"client_secret", "client_secret: \"${SEATLAKE_CLIENT_SECRET}\"", application(".default")},
		{"certificate", "client_certificate: app.pem", application(".default")},
		{"federated", "federated_token_file: token", application(".default")},
		{"managed_identity", "identity_endpoint: \"${LOGIN}/metadata/identity/oauth2/token\"", application("")},
	} {
		t.Run(tt.method, func(t *testing.T) {
			t.Parallel()
			m, _ := findMethod(tt.method)
			o := graphsim.Options{Seed: 9, Users: 10, SignIns: 10, Now: scriptNow}
			if !m.person {
				o.Grant = []string{graph.WriteLicenses}
			}
			tenant := serve(t, o)
			key, c := certificate()
			tenant.server.Logins(graphsim.Logins{
				Consents: []string{graph.WriteLicenses}, Certificates: []graphsim.Certificate{c.Raw},
				Federation: &graphsim.Federation{Issuer: "https://cluster", Subject: "reader", Audience: "api://AzureADTokenExchange", Key: &key.PublicKey},
			})
			l := newSimLake(t)
			sealed, _, _ := sealDirect(t, l, tenant)
			statement, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
				"iss": "https://cluster", "sub": "reader", "aud": "api://AzureADTokenExchange", "exp": scriptNow.Add(time.Hour).Unix(),
			}).SignedString(key)
			if err != nil {
				t.Fatal(err)
			}
			keys := strings.ReplaceAll(tt.keys, "${LOGIN}", tenant.server.LoginURL)
			id := "client_id: " + graphsim.DefaultClientID + ", "
			if tt.method == "managed_identity" {
				id = ""
			}
			config := fmt.Sprintf("lake: ./lake\ntenants:\n- name: contoso\n  id: %s\n  cloud: {graph: %q, login: %q}\n  auth: {method: %s, %s%s}\n",
				tenant.o.TenantID, tenant.server.GraphURL, tenant.server.LoginURL, tt.method, id, keys)
			for name, text := range map[string]string{"seatlake.yaml": config, "app.pem": string(certificatePEM()), "token": statement} {
				if err := os.WriteFile(filepath.Join(l.dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, s := range tt.steps {
				if strings.HasPrefix(s.command, "login --for reclaim-groups") {
					tenant.server.Logins(graphsim.Logins{Consents: []string{graph.WriteMembers}})
				}
				l.step(tenant, strings.Fields(strings.ReplaceAll(s.command, "SEALED", sealed)), s)
			}
		})
	}
}

// TestATenantByItsDomainIsThePlans points a configuration that has the tenant by its
// domain at another tenant of that domain.
func TestATenantByItsDomainIsThePlans(t *testing.T) {
	o := graphsim.Options{Seed: 9, Users: 10, SignIns: 10, Now: scriptNow, Grant: []string{graph.WriteLicenses}}
	tenant := serve(t, o)
	l := newSimLake(t)
	sealed, _, _ := sealDirect(t, l, tenant)
	o.TenantID = "58a80680-7326-48cd-9935-b556b81d3a4e"
	other := serve(t, o)
	acts := []string{
		"reclaim apply --immediate --no-build --dry-run " + sealed, "reclaim apply --immediate --no-build " + sealed, "reclaim rollback --no-build " + sealed,
	}
	for _, c := range []struct {
		at    *simTenant
		fails string
		lines []string
	}{
		{tenant, "", []string{"run --no-build"}},
		{other, "is tenant 58a80680-7326-48cd-9935-b556b81d3a4e, and the plan is of ", acts},
		{tenant, "", acts},
	} {
		config := fmt.Sprintf("lake: ./lake\ntenants:\n- name: contoso\n  id: contoso.onmicrosoft.com\n  cloud: {graph: %q, login: %q}\n  auth: {method: client_secret, client_id: %s, client_secret: \"${SEATLAKE_CLIENT_SECRET}\"}\n",
			c.at.server.GraphURL, c.at.server.LoginURL, graphsim.DefaultClientID)
		if err := os.WriteFile(filepath.Join(l.dir, "seatlake.yaml"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, line := range c.lines {
			l.step(c.at, strings.Fields(line), step{line, ".default", c.fails})
		}
	}
}

// step runs a command in this process, and looks at what it asks for and sends.
func (l simLake) step(tenant *simTenant, line []string, s step) {
	l.t.Helper()
	var out bytes.Buffer
	a := &app{
		in: strings.NewReader(""), out: &out, err: &out, now: func() time.Time { return scriptNow }, sleep: impatient,
		env: func(name string) (string, bool) {
			return graphsim.DefaultClientSecret, name == "SEATLAKE_CLIENT_SECRET"
		},
	}
	before := len(tenant.server.Log())
	status := a.execute(l.t.Context(), append(line, "-q", "-c", filepath.Join(l.dir, "seatlake.yaml")))
	var scopes []string
	wrote := false
	for _, r := range tenant.server.Log()[before:] {
		if r.Server == "login" && r.Scope != "" {
			scopes = append(scopes, strings.TrimSuffix(strings.ReplaceAll(r.Scope, tenant.server.GraphURL+"/", ""), " offline_access"))
		}
		wrote = wrote || r.Server == "graph" && r.Method != http.MethodGet
	}
	slices.Sort(scopes)
	var want []string
	if s.scope != "" {
		want = []string{s.scope}
	}
	if diff := cmp.Diff(want, slices.Compact(scopes)); diff != "" {
		l.t.Errorf("%s asks for (-want +got):\n%s", s.command, diff)
	}
	if failed := status == exitNothing || status == exitUsage; failed != (s.fails != "") || !strings.Contains(out.String(), s.fails) {
		l.t.Errorf("%s: status %d, want %q: %s", s.command, status, s.fails, out.String())
	}
	writes := s.fails == "" && !slices.Contains(line, "--dry-run") && (slices.Contains(line, "apply") && !slices.Contains(line, "--remove-from-groups") || slices.Contains(line, "rollback"))
	if wrote != writes {
		l.t.Errorf("%s: wrote %v", s.command, wrote)
	}
}
