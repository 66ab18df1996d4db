package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"software.sslmate.com/src/go-pkcs12"

	"seatlake/extract/graph"
	"seatlake/extract/graph/tokenstore"
)

// signIn is a tenant with these lines below auth, which begin on line 5.
func signIn(lines ...string) string {
	auth := strings.Index(tenant, "      method:")
	return tenant[:auth] + "      " + strings.Join(lines, "\n      ") + "\n"
}

// azure is what a cluster and App Service set.
func azure(name string) (string, bool) {
	value, ok := map[string]string{
		"AZURE_CLIENT_ID": strings.ToUpper(clientID), "AZURE_FEDERATED_TOKEN_FILE": "/var/run/secrets/azure/tokens/token",
		"IDENTITY_ENDPOINT": "http://localhost:42356/msi/token", "IDENTITY_HEADER": canary,
		tokenstore.Passphrase: canary, "SECRET": canary,
	}[name]
	return value, ok
}

// certificate is a key and a certificate of it, made once for all tests.
var certificate = sync.OnceValues(func() (*rsa.PrivateKey, *x509.Certificate) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "seatlake"},
		NotBefore: scriptNow.AddDate(0, -1, 0), NotAfter: scriptNow.AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return key, c
})

// certificatePEM is the certificate with its key.
func certificatePEM() []byte {
	key, c := certificate()
	return append(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
}

func TestAuth(t *testing.T) {
	key, c := certificate()
	pfx, err := pkcs12.Modern.Encode(key, c, nil, canary)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string][]byte{"app.pem": certificatePEM(), "app.pfx": pfx} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := graph.ParseCertificate(certificatePEM(), "")
	if err != nil {
		t.Fatal(err)
	}
	home, err := os.UserConfigDir()
	if err != nil {
		t.Fatal(err)
	}
	home = filepath.Join(home, "seatlake", "tokens")
	none := func(string) (string, bool) { return "", false }
	id := "client_id: " + clientID
	reading := []string{
		"AuditLog.Read.All", "LicenseAssignment.Read.All", "Organization.Read.All",
		"ReportSettings.Read.All", "Reports.Read.All", "User.Read.All",
	}
	store := func(t Tenant) *tokenstore.Store { return t.credential().(graph.Delegated).Store.(*tokenstore.Store) }

	for _, tt := range []struct {
		name  string
		lines []string
		env   func(string) (string, bool)
		want  Auth
	}{
		{"a certificate in PEM", []string{"method: certificate", id, "client_certificate: " + dir + "/app.pem"}, none,
			Auth{Method: "certificate", ClientID: clientID, Certificate: parsed, CertificateFile: dir + "/app.pem"}},
		{"a certificate in PFX", []string{"method: certificate", id, "client_certificate: " + dir + "/app.pfx", "client_certificate_password: ${SECRET}"}, azure,
			Auth{Method: "certificate", ClientID: clientID, Certificate: parsed, CertificateFile: dir + "/app.pfx"}},
		{"a federated token of the environment", []string{"method: federated"}, azure,
			Auth{Method: "federated", ClientID: clientID, FederatedTokenFile: "/var/run/secrets/azure/tokens/token"}},
		{"a federated token of one's own", []string{"method: federated", "client_id: 22222222-7777-8888-9999-aaaaaaaaaaaa", "federated_token_file: /token"}, azure,
			Auth{Method: "federated", ClientID: "22222222-7777-8888-9999-aaaaaaaaaaaa", FederatedTokenFile: "/token"}},
		{"the identity of a virtual machine", []string{"method: managed_identity"}, none,
			Auth{Method: "managed_identity"}},
		{"the identity of App Service", []string{"method: managed_identity", id}, azure,
			Auth{Method: "managed_identity", ClientID: clientID, IdentityEndpoint: "http://localhost:42356/msi/token", IdentityHeader: NewSecret(canary)}},
		{"an identity at an endpoint of one's own", []string{"method: managed_identity", "identity_endpoint: http://127.0.0.1:1/token"}, azure,
			Auth{Method: "managed_identity", IdentityEndpoint: "http://127.0.0.1:1/token"}},
		{"a person at a browser", []string{"method: authorization_code", id}, azure,
			Auth{Method: "authorization_code", ClientID: clientID, Permissions: reading, TokenDir: home, TokenPassphrase: NewSecret(canary)}},
		{"a person with a device", []string{"method: device_code", id, "token_store: file", "token_dir: /tokens"}, none,
			Auth{Method: "device_code", ClientID: clientID, Permissions: reading, TokenStore: tokenstore.File, TokenDir: "/tokens"}},
	} {
		t.Run(tt.name+" can be said", func(t *testing.T) {
			config, err := LoadConfig(write(t, signIn(tt.lines...)), tt.env)
			if err != nil {
				t.Fatal(err)
			}
			got := config.Tenants[0].Auth
			same := cmp.Comparer(func(a, b *graph.Certificate) bool { return (a == nil) == (b == nil) })
			if diff := cmp.Diff(tt.want, got, same, cmpopts.EquateComparable()); diff != "" {
				t.Error(diff)
			}
			if len(config.Notes) != 0 {
				t.Errorf("notes: %q", config.Notes)
			}
		})
		t.Run(tt.name+" is not read by commands that only read the lake", func(t *testing.T) {
			config, err := LoadConfigWithoutSecrets(write(t, signIn(tt.lines...)), none)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(Auth{}, config.Tenants[0].Auth, cmpopts.EquateComparable()); diff != "" {
				t.Error(diff)
			}
		})
	}

	t.Run("tokens of other directories and applications rest elsewhere", func(t *testing.T) {
		a := Tenant{ID: tenantID, Cloud: clouds()[0], Auth: Auth{Method: "device_code", ClientID: clientID, TokenDir: "/tokens"}}
		renamed, other, cloud := a, a, a
		renamed.Name, renamed.Auth.Method = "b", "authorization_code"
		other.ID = "contoso.com"
		cloud.Cloud = clouds()[1]
		if got := store(a).Name; got != "login.microsoftonline.com/"+tenantID+"/"+clientID || store(renamed).Name != got {
			t.Errorf("%s, renamed %s", got, store(renamed).Name)
		}
		if store(other).Name == store(a).Name || store(cloud).Name == store(a).Name {
			t.Errorf("%s and %s are one", store(other).Name, store(cloud).Name)
		}
	})

	t.Run("no secret of any method is printed", func(t *testing.T) {
		for _, lines := range [][]string{{"method: managed_identity"}, {"method: device_code", id}, {"method: certificate", id, "client_certificate: " + dir + "/app.pfx", "client_certificate_password: ${SECRET}"}} {
			config, err := LoadConfig(write(t, signIn(lines...)), azure)
			if err != nil {
				t.Fatal(err)
			}
			hidden := struct{ config Config }{*config}
			text, err := json.Marshal(config)
			if err != nil {
				t.Fatal(err)
			}
			prints := string(text)
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
				prints += fmt.Sprintf(verb, config) + fmt.Sprintf(verb, *config) + fmt.Sprintf(verb, hidden)
			}
			if strings.Contains(prints, canary) || strings.Contains(prints, key.D.String()) {
				t.Errorf("%s: a secret is in %s", lines[0], prints)
			}
		}
	})
}

func TestAuthFaults(t *testing.T) {
	key, c := certificate()
	pfx, err := pkcs12.Modern.Encode(key, c, nil, canary)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string][]byte{
		"app.pfx": pfx, "public.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}), "nonsense": []byte(canary),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	id := "client_id: " + clientID
	for _, tt := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"a certificate is missing", []string{"method: certificate", id}, "4: tenants[0].auth.client_certificate: is missing: the path of a PEM or PFX file with the certificate and its private key"},
		{"a certificate's file is there", []string{"method: certificate", id, "client_certificate: gone"}, "7: tenants[0].auth.client_certificate: cannot be read: no such file or directory"},
		{"a certificate has its key", []string{"method: certificate", id, "client_certificate: " + dir + "/public.pem"}, "7: tenants[0].auth.client_certificate: holds no private key; the certificate alone cannot sign"},
		{"a certificate is one", []string{"method: certificate", id, "client_certificate: " + dir + "/nonsense"}, "7: tenants[0].auth.client_certificate: is neither PEM nor a PFX file with one private key"},
		{"a certificate's password opens it", []string{"method: certificate", id, "client_certificate: " + dir + "/app.pfx"}, "7: tenants[0].auth.client_certificate: the password does not open it"},
		{"a certificate's password is set", []string{"method: certificate", id, "client_certificate: " + dir + "/app.pfx", "client_certificate_password: ${UNSET}"},
			"7: tenants[0].auth.client_certificate: the password does not open it\n8: tenants[0].auth.client_certificate_password: the environment variable UNSET is not set"},
		{"a secret beside a certificate is one too many", []string{"method: certificate", id, "client_certificate: " + dir + "/app.pfx", "client_certificate_password: ${SECRET}", "client_secret: ${SECRET}"},
			"9: tenants[0].auth.client_secret: has no part in method certificate, which takes client_id, client_certificate, client_certificate_password"},
		{"a federated token is missing", []string{"method: federated"},
			"4: tenants[0].auth.client_id: is missing: the application (client) id of the app registration\n" +
				"4: tenants[0].auth.federated_token_file: is missing: the path of the issuer's token; AZURE_FEDERATED_TOKEN_FILE can say it as well"},
		{"an identity's endpoint is nearby", []string{"method: managed_identity", "identity_endpoint: http://example.com/"},
			"6: tenants[0].auth.identity_endpoint: managed identity endpoint: plain http is for loopback and link-local addresses only"},
		{"an identity's client id is a GUID", []string{"method: managed_identity", "client_id: " + canary}, "6: tenants[0].auth.client_id: is not a GUID; the application (client) id is one"},
		{"a person needs the application", []string{"method: device_code"}, "4: tenants[0].auth.client_id: is missing: the application (client) id of the app registration"},
		{"a store is a store", []string{"method: device_code", id, "token_store: " + canary}, "7: tenants[0].auth.token_store: is neither keyring nor file; leave it out to have the keyring where there is one"},
		{"a person has no secret and no endpoint", []string{"method: authorization_code", id, "client_secret: " + canary, "identity_endpoint: http://localhost/"},
			"7: tenants[0].auth.client_secret: has no part in method authorization_code, which takes client_id, token_store, token_dir, permissions\n" +
				"8: tenants[0].auth.identity_endpoint: has no part in method authorization_code, which takes client_id, token_store, token_dir, permissions"},
		{"a misspelt key has a suggestion", []string{"method: federated", id, "federated_token: x"},
			"4: tenants[0].auth.federated_token_file: is missing: the path of the issuer's token; AZURE_FEDERATED_TOKEN_FILE can say it as well\n" +
				"7: tenants[0].auth.federated_token: is not a key; did you mean federated_token_file?"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := faults(t, signIn(tt.lines...))
			want := "seatlake.yaml:" + strings.ReplaceAll(tt.want, "\n", "\nseatlake.yaml:")
			if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(got, canary) {
				t.Errorf("a secret is in the fault: %s", got)
			}
		})
	}

	t.Run("a password written into the file is noted", func(t *testing.T) {
		path := write(t, signIn("method: certificate", id, "client_certificate: "+dir+"/app.pfx", "client_certificate_password: "+canary))
		config, err := LoadConfig(path, environment)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{path + ":8: tenants[0].auth.client_certificate_password: the password itself is in the file; ${NAME} keeps it out"}
		if diff := cmp.Diff(want, config.Notes); diff != "" {
			t.Error(diff)
		}
	})
}
