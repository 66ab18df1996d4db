package graph

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"software.sslmate.com/src/go-pkcs12"

	"seatlake/extract/graph/graphsim"
	"seatlake/pipeline"
)

// host is a simulated login host, and what signs in to it.
type host struct {
	*graphsim.Server
	t     *testing.T
	clock *clock
}

func newHost(t *testing.T, o graphsim.Logins) *host {
	t.Helper()
	h := &host{t: t, clock: &clock{now: time.Date(2026, 10, 8, 9, 15, 2, 0, time.UTC)}}
	tenant, err := graphsim.New(graphsim.Options{Users: 3, Now: h.clock.now, Clock: h.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	if h.Server, err = tenant.Serve(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	h.Logins(o)
	return h
}

func (h *host) client(c Credential, change ...func(*Config)) *Client {
	h.t.Helper()
	config := Config{
		Tenant: "contoso", Graph: h.GraphURL, Login: h.LoginURL, DirectoryID: graphsim.DefaultTenantID, ClientID: graphsim.DefaultClientID,
		Credential: c, Now: h.clock.Now, Sleep: h.clock.Sleep, Jitter: func() float64 { return 0 },
	}
	for _, f := range change {
		f(&config)
	}
	client, err := New(config)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(client.Close)
	return client
}

// signIn signs in and reads a page with the token.
func signIn(client *Client) error {
	if _, err := client.Roles(context.Background()); err != nil {
		return err
	}
	_, err := collect(client.Pages(context.Background(), pipeline.SubscribedSkus, pipeline.Window{}))
	return err
}

func checkSignsIn(t *testing.T, client *Client) {
	t.Helper()
	if err := signIn(client); err != nil {
		t.Error(err)
	}
}

// pair is a key and a certificate of it, made once for all tests.
type pair struct {
	key  *rsa.PrivateKey
	cert *x509.Certificate
}

var pairs = sync.OnceValue(func() [2]pair {
	var out [2]pair
	for i := range out {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		out[i] = pair{key, certify(key, int64(i+1))}
	}
	return out
})

func certify(key crypto.Signer, serial int64) *x509.Certificate {
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "seatlake"},
		NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
	}, &x509.Certificate{SerialNumber: big.NewInt(serial)}, key.Public(), key)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return cert
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs8(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return block("PRIVATE KEY", der)
}

func TestCertificate(t *testing.T) {
	ours, other := pairs()[0], pairs()[1]
	pfx, err := pkcs12.Modern.Encode(ours.key, ours.cert, []*x509.Certificate{other.cert}, "pass word")
	if err != nil {
		t.Fatal(err)
	}
	legacy, err := pkcs12.LegacyRC2.Encode(ours.key, ours.cert, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := block("CERTIFICATE", ours.cert.Raw)
	key := pkcs8(t, ours.key)
	registered := graphsim.Logins{Certificates: []graphsim.Certificate{ours.cert.Raw}}

	for name, file := range map[string]struct{ text, password string }{
		"PEM with the key first":            {key + cert, ""},
		"PEM with other certificates first": {block("CERTIFICATE", other.cert.Raw) + "Bag Attributes\n" + cert + key, ""},
		"PEM with a PKCS #1 key":            {cert + block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(ours.key)), ""},
		"PFX with a password":               {string(pfx), "pass word"},
		"PFX of older tools without one":    {string(legacy), ""},
	} {
		t.Run("in "+name+" signs in", func(t *testing.T) {
			c, err := ParseCertificate([]byte(file.text), file.password)
			if err != nil {
				t.Fatal(err)
			}
			checkSignsIn(t, newHost(t, registered).client(c))
			if !c.Expires().Equal(ours.cert.NotAfter) {
				t.Errorf("expires %v", c.Expires())
			}
		})
	}

	for name, file := range map[string]struct{ text, password, want string }{
		"without a key":                     {cert, "", "no private key"},
		"without a certificate":             {key, "", "no certificate that belongs"},
		"with another's certificate":        {key + block("CERTIFICATE", other.cert.Raw), "", "no certificate that belongs"},
		"with an elliptic key":              {pkcs8(t, ecKey) + block("CERTIFICATE", certify(ecKey, 3).Raw), "", "not RSA"},
		"with an encrypted key":             {cert + block("ENCRYPTED PRIVATE KEY", []byte("x")), "", "PFX"},
		"with a key encrypted the old way":  {cert + "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n", "", "PFX"},
		"with a damaged key":                {cert + block("PRIVATE KEY", []byte(canarySecret)), "", "key in it is damaged"},
		"with a damaged certificate":        {key + block("CERTIFICATE", []byte(canarySecret)), "", "certificate in it is damaged"},
		"that is a PFX of another password": {string(pfx), canarySecret, "password"},
		"that is neither":                   {canarySecret, canarySecret, "neither PEM nor a PFX"},
		"that is empty":                     {"", "", "neither PEM nor a PFX"},
	} {
		t.Run("in a file "+name+" is refused", func(t *testing.T) {
			_, err := ParseCertificate([]byte(file.text), file.password)
			want(t, err, file.want)
			if strings.Contains(err.Error(), canarySecret) {
				t.Errorf("the file is quoted: %v", err)
			}
		})
	}

	mine, err := ParseCertificate([]byte(cert+key), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("signs what the login host documents", func(t *testing.T) {
		now := time.Unix(1791446400, 0)
		const endpoint = "https://login.example.com/tenant/oauth2/v2.0/token"
		statement, err := mine.assertion(clientID, endpoint, now)
		if err != nil {
			t.Fatal(err)
		}
		var claims jwt.MapClaims
		parsed, err := jwt.NewParser(jwt.WithTimeFunc(func() time.Time { return now })).
			ParseWithClaims(statement, &claims, func(*jwt.Token) (any, error) { return ours.cert.PublicKey, nil })
		if err != nil {
			t.Fatal(err)
		}
		hash := sha256.Sum256(ours.cert.Raw)
		header := map[string]any{"alg": "PS256", "typ": "JWT", "x5t#S256": base64.RawURLEncoding.EncodeToString(hash[:])}
		if diff := cmp.Diff(header, parsed.Header); diff != "" {
			t.Error(diff)
		}
		if id, _ := claims["jti"].(string); !guid.MatchString(id) {
			t.Errorf("jti %v", claims["jti"])
		}
		delete(claims, "jti")
		said := jwt.MapClaims{"aud": endpoint, "iss": clientID, "sub": clientID, "nbf": 1791446400.0, "iat": 1791446400.0, "exp": 1791447000.0}
		if diff := cmp.Diff(said, claims); diff != "" {
			t.Error(diff)
		}
		again, err := mine.assertion(clientID, endpoint, now)
		if err != nil || again == statement {
			t.Errorf("the statement is used twice (%v)", err)
		}
	})

	t.Run("that the application does not have says so", func(t *testing.T) {
		err := signIn(newHost(t, graphsim.Logins{}).client(mine))
		checkAuthError(t, err, 700027, "upload its public part")
	})
	t.Run("that has expired is not sent", func(t *testing.T) {
		h := newHost(t, registered)
		client := h.client(mine)
		h.clock.now = ours.cert.NotAfter.Add(time.Hour)
		want(t, signIn(client), "sign in", "2026-01-01 to 2027-01-01", "configure one that is valid")
		if n := len(h.Log()); n != 0 {
			t.Errorf("%d requests", n)
		}
	})
	t.Run("on a machine whose clock is wrong says so", func(t *testing.T) {
		h := newHost(t, registered)
		err := signIn(h.client(mine, func(c *Config) { c.Now = func() time.Time { return h.clock.Now().Add(time.Hour) } }))
		checkAuthError(t, err, 700024, "clock")
	})
	t.Run("for another login host is not taken", func(t *testing.T) {
		h := newHost(t, registered)
		err := signIn(h.client(mine, func(c *Config) { c.Login = strings.Replace(c.Login, "127.0.0.1", "localhost", 1) }))
		checkAuthError(t, err, 700023, "certificate")
	})
	t.Run("is taken in the older form too", func(t *testing.T) {
		h := newHost(t, registered)
		client := h.client(mine)
		now := h.clock.Now()
		statement := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
			"aud": client.login.token.String(), "iss": graphsim.DefaultClientID, "sub": graphsim.DefaultClientID, "jti": "1", "nbf": now.Unix(), "exp": now.Add(time.Minute).Unix(),
		})
		hash := sha1.Sum(ours.cert.Raw)
		statement.Header["x5t"] = base64.RawURLEncoding.EncodeToString(hash[:])
		signed, err := statement.SignedString(ours.key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.token.assert(t.Context(), signed); err != nil {
			t.Error(err)
		}
		forged, err := statement.SignedString(other.key)
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.token.assert(t.Context(), forged)
		checkAuthError(t, fmt.Errorf("tenant contoso: %w", err), 700027, "upload")
	})
}

func TestFederatedToken(t *testing.T) {
	cluster := pairs()[0].key
	trusted := graphsim.Logins{Federation: &graphsim.Federation{
		Issuer: "https://cluster.example.com", Subject: "system:serviceaccount:licences:reader", Audience: "api://AzureADTokenExchange", Key: &cluster.PublicKey,
	}}
	now := time.Date(2026, 10, 8, 9, 15, 2, 0, time.UTC)
	vouch := func(t *testing.T, change func(jwt.MapClaims), key *rsa.PrivateKey) string {
		t.Helper()
		claims := jwt.MapClaims{
			"iss": trusted.Federation.Issuer, "sub": trusted.Federation.Subject, "aud": []string{trusted.Federation.Audience},
			"exp": now.Add(time.Hour).Unix(), "iat": now.Unix(),
		}
		if change != nil {
			change(claims)
		}
		signed, err := jwt.NewWithClaims(jwt.SigningMethodRS256, claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	project := func(t *testing.T, token string) FederatedToken {
		t.Helper()
		path := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return FederatedToken{File: path}
	}

	t.Run("signs in, and is read again each time", func(t *testing.T) {
		h := newHost(t, trusted)
		f := project(t, vouch(t, nil, cluster))
		client := h.client(f)
		checkSignsIn(t, client)
		h.clock.now = now.Add(2 * time.Hour)
		checkAuthError(t, signIn(client), 700024, "clock")
		fresh := vouch(t, func(c jwt.MapClaims) { c["exp"] = now.Add(3 * time.Hour).Unix() }, cluster)
		if err := os.WriteFile(f.File, []byte(fresh), 0o600); err != nil {
			t.Fatal(err)
		}
		checkSignsIn(t, client)
	})
	for number, tt := range map[int]struct {
		change func(jwt.MapClaims)
		key    *rsa.PrivateKey
		hint   string
	}{
		700213: {func(c jwt.MapClaims) { c["sub"] = "system:serviceaccount:licences:other" }, cluster, "subject"},
		700211: {func(c jwt.MapClaims) { c["iss"] = "https://elsewhere.example.com" }, cluster, "issuer"},
		700212: {func(c jwt.MapClaims) { c["aud"] = "https://kubernetes.default.svc" }, cluster, "api://AzureADTokenExchange"},
		50013:  {nil, pairs()[1].key, "federated credentials"},
	} {
		t.Run(fmt.Sprintf("that is refused with AADSTS%d says what to do", number), func(t *testing.T) {
			err := signIn(newHost(t, trusted).client(project(t, vouch(t, tt.change, tt.key))))
			checkAuthError(t, err, number, tt.hint)
		})
	}
	t.Run("is named when its file is missing or empty", func(t *testing.T) {
		h := newHost(t, trusted)
		want(t, signIn(h.client(FederatedToken{File: "/nowhere/token"})), "tenant contoso", "federated token", "/nowhere/token")
		f := project(t, "")
		want(t, signIn(h.client(f)), "federated token", f.File, "empty")
		if n := len(h.Log()); n != 0 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestManagedIdentity(t *testing.T) {
	imds := func(h *host) ManagedIdentity { return ManagedIdentity{Endpoint: h.LoginURL + graphsim.IdentityPath} }
	const header = "canary-identity-header"
	t.Run("of the machine signs in without a client id", func(t *testing.T) {
		h := newHost(t, graphsim.Logins{})
		checkSignsIn(t, h.client(imds(h), func(c *Config) { c.ClientID = "" }))
		r := h.Log()[0]
		if r.Method != http.MethodGet || r.Authorized || !strings.Contains(r.Query, "resource="+url.QueryEscape(h.GraphURL)+"&") && !strings.HasSuffix(r.Query, "resource="+url.QueryEscape(h.GraphURL)) {
			t.Errorf("%+v", r)
		}
	})
	t.Run("of a client id signs in", func(t *testing.T) {
		h := newHost(t, graphsim.Logins{})
		checkSignsIn(t, h.client(imds(h)))
		if q := h.Log()[0].Query; !strings.Contains(q, "client_id="+graphsim.DefaultClientID) {
			t.Errorf("query %s", q)
		}
	})
	t.Run("of App Service signs in, and is good until the instant it says", func(t *testing.T) {
		h := newHost(t, graphsim.Logins{IdentityHeader: header})
		client := h.client(ManagedIdentity{Endpoint: h.LoginURL + graphsim.AppServicePath, Header: header})
		checkSignsIn(t, client)
		if got := client.token.now.Load().renewAt.Sub(h.clock.now); got != 3599*time.Second-5*time.Minute {
			t.Errorf("renewed after %v", got)
		}
	})
	t.Run("that the machine does not have says so", func(t *testing.T) {
		h := newHost(t, graphsim.Logins{})
		err := signIn(h.client(imds(h), func(c *Config) { c.ClientID = "22222222-bbbb-3333-cccc-4444dddd5555" }))
		want(t, err, "tenant contoso", "sign in: 400", "Identity not found", "client id, if configured")
	})
	t.Run("of App Service with another header says so, and not which", func(t *testing.T) {
		h := newHost(t, graphsim.Logins{IdentityHeader: "another"})
		err := signIn(h.client(ManagedIdentity{Endpoint: h.LoginURL + graphsim.AppServicePath, Header: header}))
		want(t, err, "sign in: 400", "header", "managed identity")
		if strings.Contains(err.Error(), header) {
			t.Errorf("the header is in %v", err)
		}
	})
	t.Run("that Microsoft refuses says what to do", func(t *testing.T) {
		h := newHost(t, graphsim.Logins{Refuse: map[string]int{"identity": 90002}})
		checkAuthError(t, signIn(h.client(imds(h))), 90002, "directory id")
	})
	t.Run("is asked again while its endpoint is updated or busy", func(t *testing.T) {
		cloud := newCloud(t, nil)
		cloud.graph = inTurn(t, status(404), status(410), status(429, "Retry-After", "7"), status(500), withType(text(`{"access_token":"a","expires_in":"3599"}`)).ServeHTTP)
		client := cloud.client(func(c *Config) { c.Credential = ManagedIdentity{Endpoint: cloud.URL + "/metadata"} })
		if _, err := client.Roles(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]time.Duration{time.Second, 2 * time.Second, 7 * time.Second, 8 * time.Second}, cloud.clock.slept); diff != "" {
			t.Error(diff)
		}
		for _, s := range cloud.sent {
			if s.Header.Get("Metadata") != "true" {
				t.Errorf("%+v", s)
			}
		}
	})
	t.Run("that answers nonsense is given up", func(t *testing.T) {
		for _, answer := range []http.HandlerFunc{text("<html>"), text("{}"), text(`{"access_token":7}`), status(302, "Location", "https://example.com/")} {
			cloud := newCloud(t, answer)
			_, err := cloud.client(func(c *Config) { c.Credential = ManagedIdentity{Endpoint: cloud.URL + "/metadata"} }).Roles(t.Context())
			if _, ok := errors.AsType[*AuthError](err); !ok {
				t.Errorf("%v", err)
			}
		}
	})
	t.Run("that is not there says that this is not Azure", func(t *testing.T) {
		cloud := newCloud(t, http.HandlerFunc(hangUp))
		_, err := cloud.client(func(c *Config) { c.Credential = ManagedIdentity{Endpoint: cloud.URL + "/metadata"} }).Roles(t.Context())
		want(t, err, "sign in: no answer", "in Azure only")
	})
	t.Run("is asked for nearby only", func(t *testing.T) {
		for endpoint, good := range map[string]bool{
			"": true, "http://169.254.129.5:8081/msi/token": true, "http://localhost:42356/msi/token": true, "https://identity.example.com/token": true,
			"http://identity.example.com/token": false, "http://10.0.0.1/token": false, "ftp://127.0.0.1/": false, "169.254.169.254": false, "http://u:p@127.0.0.1/": false,
		} {
			err := ManagedIdentity{Endpoint: endpoint}.check(&Config{})
			if (err == nil) != good {
				t.Errorf("%q: %v", endpoint, err)
			}
		}
		if err := (ManagedIdentity{Header: header}).check(&Config{}); err == nil || strings.Contains(err.Error(), header) {
			t.Errorf("a header without an endpoint: %v", err)
		}
	})
	t.Run("is asked past any proxy", func(t *testing.T) {
		if newDirectTransport().Proxy != nil {
			t.Error("a proxy is asked for")
		}
	})
}

// TestCredentialsPrint prints every credential in every way.
func TestCredentialsPrint(t *testing.T) {
	ours := pairs()[0]
	c, err := ParseCertificate([]byte(pkcs8(t, ours.key)+block("CERTIFICATE", ours.cert.Raw)), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, credential := range []Credential{ClientSecret(canarySecret), c, ManagedIdentity{Header: canarySecret, Endpoint: "http://127.0.0.1"}} {
		config := Config{Credential: credential}
		for _, verb := range []string{"%v", "%+v", "%s"} {
			for _, print := range []string{fmt.Sprintf(verb, credential), fmt.Sprintf(verb, config), fmt.Sprintf(verb, &config)} {
				if strings.Contains(print, canarySecret) || strings.Contains(print, ours.key.D.String()) {
					t.Errorf("%s of %T shows the secret: %s", verb, credential, print)
				}
			}
		}
	}
}

func TestCredentialsAreChecked(t *testing.T) {
	for name, credential := range map[string]Credential{
		"client secret is missing": ClientSecret(""), "certificate is missing": (*Certificate)(nil), "federated token is missing": FederatedToken{},
		"refresh token is missing": Delegated{},
	} {
		_, err := New(Config{Tenant: "contoso", Graph: "https://graph.example.com", Login: "https://login.example.com", DirectoryID: directoryID, Credential: credential})
		want(t, err, name, "client id is missing")
	}
}

// TestEveryCredentialStaysSecret has the login host repeat all it was sent, in
// every kind of answer.
func TestEveryCredentialStaysSecret(t *testing.T) {
	ours := pairs()[0]
	certificate, err := ParseCertificate([]byte(pkcs8(t, ours.key)+block("CERTIFICATE", ours.cert.Raw)), "")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(canarySecret), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, credential := range map[string]func(*cloud) Credential{
		"client secret":    func(*cloud) Credential { return ClientSecret(canarySecret) },
		"certificate":      func(*cloud) Credential { return certificate },
		"federated token":  func(*cloud) Credential { return FederatedToken{File: file} },
		"refresh token":    func(*cloud) Credential { return Delegated{Store: &memory{token: canarySecret}} },
		"managed identity": func(c *cloud) Credential { return ManagedIdentity{Endpoint: c.URL + "/msi", Header: canarySecret} },
	} {
		for _, code := range []int{200, 302, 400, 401, 404, 429, 500} {
			t.Run(fmt.Sprintf("%s, answered with %d", name, code), func(t *testing.T) {
				var assertions []string
				echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					r.ParseForm()
					assertions = append(assertions, r.PostForm.Get("client_assertion"))
					said := r.PostForm.Encode() + " " + r.Header.Get("X-IDENTITY-HEADER")
					for _, values := range r.PostForm {
						said += " " + strings.Join(values, " ")
					}
					w.Header().Set("Content-Type", "application/json")
					w.WriteHeader(code)
					fmt.Fprintf(w, `{"error":%q,"error_description":"AADSTS7000215: %s","message":%[1]q}`, said, said)
				})
				cloud := newCloud(t, echo)
				cloud.token = echo
				_, err := cloud.client(func(c *Config) { c.Credential = credential(cloud) }).Roles(t.Context())
				if err == nil {
					t.Fatal("no error")
				}
				texts := []string{err.Error()}
				for _, e := range cloud.events {
					texts = append(texts, e.Reason)
				}
				secrets := append(assertions, canarySecret, url.QueryEscape(canarySecret))
				for _, text := range texts {
					if i := slices.IndexFunc(secrets, func(s string) bool { return s != "" && strings.Contains(text, s) }); i >= 0 {
						t.Errorf("%s is in %q", secrets[i], text)
					}
				}
			})
		}
	}
}

// memory is a store of one process.
type memory struct {
	mu    sync.Mutex
	token string
}

func (m *memory) Update(_ context.Context, fn func(string) (string, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	fresh, err := fn(m.token)
	if err == nil {
		m.token = fresh
	}
	return err
}

func (m *memory) Put(_ context.Context, token string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.token = token
	return nil
}

func FuzzParseCertificate(f *testing.F) {
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), "")
	f.Add([]byte{0x30, 0x82, 0x01, 0x00}, "x")
	f.Fuzz(func(t *testing.T, file []byte, password string) {
		c, err := ParseCertificate(file, password)
		if (c == nil) == (err == nil) {
			t.Errorf("%v, %v", c, err)
		}
		if err != nil && len(password) > 12 && bytes.Contains([]byte(err.Error()), []byte(password)) {
			t.Errorf("the password is in %v", err)
		}
	})
}
