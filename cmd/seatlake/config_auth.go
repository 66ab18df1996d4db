package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"seatlake/extract/graph"
	"seatlake/extract/graph/tokenstore"
)

// method is a way to sign in.
type method struct {
	name string
	keys []string // besides method and client_id
	read func(*reader, map[string]place, *Auth)

	person bool // a person signs in, by `seatlake login`
}

func methods() []method {
	stored := []string{"token_store", "token_dir", "permissions"}
	return []method{
		{"client_secret", []string{"client_secret", "client_secret_file"}, (*reader).clientSecret, false},
		{"certificate", []string{"client_certificate", "client_certificate_password"}, (*reader).certificate, false},
		{"federated", []string{"federated_token_file"}, (*reader).federated, false},
		{"managed_identity", []string{"identity_endpoint"}, (*reader).managedIdentity, false},
		{"authorization_code", stored, (*reader).tokenStore, true},
		{"device_code", stored, (*reader).tokenStore, true},
	}
}

func findMethod(name string) (method, bool) {
	for _, m := range methods() {
		if m.name == name {
			return m, true
		}
	}
	return method{}, false
}

func (r *reader) auth(p place) Auth {
	p.private = true
	if !p.given() {
		r.fault(p, "is missing: method, client_id, and what the method needs, such as client_secret")
		return Auth{}
	}
	if p.Kind != yaml.MappingNode {
		r.entries(p)
		return Auth{}
	}
	allowed := []string{"method", "client_id"}
	for _, m := range methods() {
		for _, key := range m.keys {
			if !slices.Contains(allowed, key) {
				allowed = append(allowed, key)
			}
		}
	}
	keys := r.mapping(p, allowed...)
	if !r.secrets {
		return Auth{}
	}
	m, known := r.method(keys["method"])
	a := Auth{Method: m.name, ClientID: r.clientID(keys["client_id"], m)}
	if !known {
		return a
	}
	m.read(r, keys, &a)
	for _, key := range allowed[2:] {
		if keys[key].given() && !slices.Contains(m.keys, key) {
			r.fault(keys[key], "has no part in method %s, which takes %s", m.name, strings.Join(append([]string{"client_id"}, m.keys...), ", "))
		}
	}
	return a
}

// method gives the way to sign in. Its text is not quoted: a secret may stand
// where it belongs.
func (r *reader) method(p place) (method, bool) {
	var names []string
	for _, m := range methods() {
		names = append(names, m.name)
	}
	list := strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
	s, ok := r.required(p, list)
	if !ok {
		return method{}, false
	}
	m, known := findMethod(s)
	if guess, close := closest(s, names); !known && close {
		r.fault(p, "is not a way to sign in; did you mean %s?", guess)
	} else if !known {
		r.fault(p, "is not a way to sign in; write %s", list)
	}
	return m, known
}

// clientID gives the application's id. A machine's own identity has none, and
// where a cluster vouches for the application, its environment says it.
func (r *reader) clientID(p place, m method) string {
	var s string
	switch {
	case m.name == "managed_identity" && !p.given():
		return ""
	case m.name == "federated" && !p.given():
		s, _ = r.env("AZURE_CLIENT_ID")
	}
	ok := s != ""
	if !ok {
		s, ok = r.required(p, "the application (client) id of the app registration")
	}
	s = strings.ToLower(s)
	switch {
	case !ok:
	case s == zeroGUID:
		r.fault(p, "is the placeholder of the sample; put the application (client) id here")
	case !isGUID(s):
		r.fault(p, "is not a GUID; the application (client) id is one")
	}
	return s
}

func (r *reader) clientSecret(keys map[string]place, a *Auth) {
	secret, file := keys["client_secret"], keys["client_secret_file"]
	switch {
	case secret.given() && file.given():
		r.fault(file, "stands beside client_secret on line %d; keep one of them", secret.line)
	case file.given():
		a.ClientSecretFile = r.path(file)
		a.ClientSecret = r.secretFile(file, a.ClientSecretFile)
	default:
		a.ClientSecret = r.secret(secret, "${NAME} of an environment variable that holds it, or client_secret_file with a path",
			"the secret itself is in the file; ${NAME} or client_secret_file keeps it out")
	}
}

// secret gives a secret that must be there. One that is written out is noted.
func (r *reader) secret(p place, what, note string) Secret {
	s, ok := r.required(p, what)
	if ok && !strings.Contains(p.Value, "${") {
		r.note(p, note)
	}
	return NewSecret(s)
}

// secretFile reads a secret without the line break that editors leave behind it.
func (r *reader) secretFile(p place, path string) Secret {
	text, ok := r.smallFile(p, path)
	if !ok {
		return Secret{}
	}
	s := strings.TrimRight(string(text), "\r\n")
	if strings.TrimSpace(s) == "" {
		r.fault(p, "is an empty file")
	}
	return NewSecret(s)
}

// smallFile reads a file of a secret or a certificate, and names what keeps it
// from being one.
func (r *reader) smallFile(p place, path string) ([]byte, bool) {
	const most = 64 << 10 // bytes; a secret has some forty, a certificate some thousands
	if path == "" {
		return nil, false
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		r.fault(p, "cannot be read: %s", reasonOf(err))
		return nil, false
	case !info.Mode().IsRegular() || info.Size() > most:
		r.fault(p, "is not a small, ordinary file")
		return nil, false
	}
	text, err := os.ReadFile(path)
	if err != nil {
		r.fault(p, "cannot be read: %s", reasonOf(err))
		return nil, false
	}
	return text, true
}

// certificate reads the certificate at once, so that what is wrong with it has a
// line.
func (r *reader) certificate(keys map[string]place, a *Auth) {
	file, password := keys["client_certificate"], keys["client_certificate_password"]
	var opens string
	if password.given() {
		opens = r.secret(password, "${NAME} of an environment variable that holds it; leave the key out when the file has no password",
			"the password itself is in the file; ${NAME} keeps it out").Reveal()
	}
	if _, ok := r.required(file, "the path of a PEM or PFX file with the certificate and its private key"); !ok {
		return
	}
	a.CertificateFile = r.path(file)
	text, ok := r.smallFile(file, a.CertificateFile)
	if !ok {
		return
	}
	var err error
	if a.Certificate, err = graph.ParseCertificate(text, opens); err != nil {
		r.fault(file, "%v", err)
	}
}

// federated takes the token's file from the environment that a cluster sets, if
// the configuration names none.
func (r *reader) federated(keys map[string]place, a *Auth) {
	p := keys["federated_token_file"]
	if file, ok := r.env("AZURE_FEDERATED_TOKEN_FILE"); ok && file != "" && !p.given() {
		a.FederatedTokenFile = file
		return
	}
	if _, ok := r.required(p, "the path of the issuer's token; AZURE_FEDERATED_TOKEN_FILE can say it as well"); ok {
		a.FederatedTokenFile = r.path(p)
	}
}

// managedIdentity takes the endpoint from the environment that App Service and its
// kin set, if the configuration names none; without either it is that of virtual
// machines.
func (r *reader) managedIdentity(keys map[string]place, a *Auth) {
	p := keys["identity_endpoint"]
	if p.given() {
		a.IdentityEndpoint, _ = r.required(p, "the URL of the endpoint; leave the key out to have the machine's")
	} else if endpoint, ok := r.env("IDENTITY_ENDPOINT"); ok && endpoint != "" {
		a.IdentityEndpoint = endpoint
		if header, ok := r.env("IDENTITY_HEADER"); ok {
			a.IdentityHeader = NewSecret(header)
		}
	}
	if err := a.identity().Validate(); err != nil {
		r.fault(p, "%v", err)
	}
}

// tokenStore says where a person's refresh token rests between runs.
func (r *reader) tokenStore(keys map[string]place, a *Auth) {
	a.Permissions = r.permissions(keys["permissions"])
	place, dir := keys["token_store"], keys["token_dir"]
	if s, ok := r.text(place); ok {
		a.TokenStore = tokenstore.Place(s)
		if a.TokenStore != tokenstore.Keyring && a.TokenStore != tokenstore.File {
			r.fault(place, "is neither keyring nor file; leave it out to have the keyring where there is one")
		}
	}
	if a.TokenDir = r.path(dir); !dir.given() {
		home, err := os.UserConfigDir()
		if err != nil {
			r.fault(dir, "is missing, and there is no home folder: name a folder for refresh tokens that outlives the run")
			return
		}
		a.TokenDir = filepath.Join(home, "seatlake", "tokens")
	}
	if passphrase, ok := r.env(tokenstore.Passphrase); ok {
		a.TokenPassphrase = NewSecret(passphrase)
	}
}

// credential is how the tenant's configuration has seatlake sign in.
func (t Tenant) credential() graph.Credential {
	switch t.Auth.Method {
	case "certificate":
		return t.Auth.Certificate
	case "federated":
		return graph.FederatedToken{File: t.Auth.FederatedTokenFile}
	case "managed_identity":
		return t.Auth.identity()
	case "authorization_code", "device_code":
		return t.person(forReading)
	default:
		return graph.ClientSecret(t.Auth.ClientSecret.Reveal())
	}
}

func (a Auth) identity() graph.ManagedIdentity {
	return graph.ManagedIdentity{Endpoint: a.IdentityEndpoint, Header: a.IdentityHeader.Reveal()}
}

// tokens is where a refresh token of the tenant's rests. Its name is what the token is
// good for, so that a tenant may be renamed, and one of another directory, application
// or purpose has one of its own.
func (t Tenant) tokens(p purpose) *tokenstore.Store {
	host := strings.TrimPrefix(strings.TrimPrefix(t.Cloud.Login, "https://"), "http://")
	return &tokenstore.Store{
		Dir: t.Auth.TokenDir, Name: host + "/" + t.ID + "/" + t.Auth.ClientID + p.entry, Place: t.Auth.TokenStore,
		Passphrase: t.Auth.TokenPassphrase.Reveal(),
	}
}
