package graphsim

import (
	"crypto/rsa"
	"crypto/sha1" // what an older header has
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Certificate is one of the application's, in DER.
type Certificate []byte

// Federation is whom an application trusts to vouch for it.
type Federation struct {
	Issuer, Subject, Audience string
	Key                       *rsa.PublicKey
}

// clockSkew is what the login host forgives.
const clockSkew = 5 * time.Minute

// vouched verifies the statement that stands for the application: signed by one
// of its certificates, or by an issuer it trusts. If not, it has been refused.
func (s *Server) vouched(w http.ResponseWriter, r *http.Request) bool {
	refuse := func(number int, message string) bool {
		s.loginError(w, http.StatusUnauthorized, number, "invalid_client", message)
		return false
	}
	if r.PostForm.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		return refuse(700019, "The 'client_assertion_type' is not supported.")
	}
	statement := r.PostForm.Get("client_assertion")
	rules := []jwt.ParserOption{jwt.WithTimeFunc(s.o.Clock), jwt.WithLeeway(clockSkew), jwt.WithExpirationRequired()}
	seen, _, err := jwt.NewParser().ParseUnverified(statement, jwt.MapClaims{})
	if err != nil {
		return refuse(50027, "JWT token is invalid or malformed.")
	}
	_, plain := seen.Header["x5t"]
	_, hashed := seen.Header["x5t#S256"]
	if !plain && !hashed {
		return s.federated(statement, rules, refuse)
	}
	certificate, ok := s.certificate(seen)
	if !ok {
		return refuse(700027, "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - The key was not found.]")
	}
	rules = append(rules, jwt.WithValidMethods([]string{"PS256", "RS256"}), jwt.WithSubject(s.o.ClientID), jwt.WithIssuer(s.o.ClientID),
		jwt.WithAudience(s.LoginURL+r.URL.Path))
	_, err = jwt.NewParser(rules...).Parse(statement, func(*jwt.Token) (any, error) { return certificate.PublicKey, nil })
	switch {
	case err == nil:
		return true
	case errors.Is(err, jwt.ErrTokenSignatureInvalid), errors.Is(err, jwt.ErrTokenUnverifiable):
		return refuse(700027, "Client assertion failed signature validation. [Reason - The key was found, but use of the key to verify the signature failed.]")
	case errors.Is(err, jwt.ErrTokenInvalidAudience):
		return refuse(700023, "Client assertion audience claim does not match Realm issuer.")
	case errors.Is(err, jwt.ErrTokenInvalidIssuer), errors.Is(err, jwt.ErrTokenInvalidSubject):
		return refuse(700021, "Client assertion application identifier doesn't match 'client_id' parameter.")
	default:
		return refuse(700024, "Client assertion is not within its valid time range.")
	}
}

// certificate is the application's that a statement's header names by its hash.
func (s *Server) certificate(statement *jwt.Token) (*x509.Certificate, bool) {
	encode := base64.RawURLEncoding.EncodeToString
	for _, der := range s.logins().Certificates {
		strong, weak := sha256.Sum256(der), sha1.Sum(der)
		trim := func(name string) string {
			hash, _ := statement.Header[name].(string)
			return strings.TrimRight(hash, "=")
		}
		if trim("x5t#S256") == encode(strong[:]) || trim("x5t") == encode(weak[:]) {
			c, err := x509.ParseCertificate(der)
			return c, err == nil
		}
	}
	return nil, false
}

// federated verifies a statement of another issuer.
func (s *Server) federated(statement string, rules []jwt.ParserOption, refuse func(int, string) bool) bool {
	f := s.logins().Federation
	if f == nil {
		return refuse(70025, "The client has no configured federated identity credentials.")
	}
	var claims jwt.RegisteredClaims
	_, err := jwt.NewParser(append(rules, jwt.WithValidMethods([]string{"RS256"}))...).ParseWithClaims(statement, &claims, func(*jwt.Token) (any, error) { return f.Key, nil })
	switch {
	case errors.Is(err, jwt.ErrTokenSignatureInvalid), errors.Is(err, jwt.ErrTokenUnverifiable):
		return refuse(50013, "Assertion failed signature validation.")
	case err != nil:
		return refuse(700024, "Client assertion is not within its valid time range.")
	case claims.Issuer != f.Issuer:
		return refuse(700211, fmt.Sprintf("No matching federated identity record found for presented assertion issuer '%s'.", claims.Issuer))
	case claims.Subject != f.Subject:
		return refuse(700213, fmt.Sprintf("No matching federated identity record found for presented assertion subject '%s'. "+
			"Check your federated identity credential Subject, Audience and Issuer against the presented assertion.", claims.Subject))
	case len(claims.Audience) != 1 || claims.Audience[0] != f.Audience:
		return refuse(700212, fmt.Sprintf("No matching federated identity record found for presented assertion audience '%s'.", strings.Join(claims.Audience, " ")))
	}
	return true
}

// The paths at which a machine asks for its identity's tokens, on the login host's
// address: as the instance metadata service, and as App Service.
const (
	IdentityPath   = "/metadata/identity/oauth2/token"
	AppServicePath = "/msi/token"
)

// serveIdentity is a managed identity: the machine's own, or that of the
// application's client id.
func (s *Server) serveIdentity(w http.ResponseWriter, r *http.Request) {
	o := s.logins()
	q := r.URL.Query()
	appService := r.URL.Path == AppServicePath
	version, known := "2018-02-01", r.Header.Get("Metadata") == "true" && r.Header.Get("X-Forwarded-For") == ""
	if appService {
		version, known = "2019-08-01", r.Header.Get("X-IDENTITY-HEADER") == o.IdentityHeader
	}
	refuse := func(status int, code, description string) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		if appService {
			fmt.Fprintf(w, `{"statusCode":%d,"message":%q,"correlationId":"00aa00aa-bb11-cc22-dd33-44ee44ee44ee"}`, status, description)
			return
		}
		fmt.Fprintf(w, `{"error":%q,"error_description":%q}`, code, description)
	}
	number, refused := o.Refuse["identity"]
	switch client := q.Get("client_id"); {
	case appService && o.IdentityHeader == "":
		http.NotFound(w, r)
	case r.Method != http.MethodGet:
		refuse(http.StatusMethodNotAllowed, "invalid_request", "Method not allowed")
	case !known:
		refuse(http.StatusBadRequest, "invalid_request", "Required metadata header not specified")
	case q.Get("api-version") != version:
		refuse(http.StatusBadRequest, "invalid_request", "The api-version is invalid")
	case refused:
		refuse(http.StatusBadRequest, "invalid_request", refusalOf(number).description())
	case client != "" && !strings.EqualFold(client, s.o.ClientID):
		refuse(http.StatusBadRequest, "invalid_request", "Identity not found")
	case q.Get("resource") != s.GraphURL:
		refuse(http.StatusBadRequest, "invalid_resource", "The resource principal named "+q.Get("resource")+" was not found in the tenant.")
	default:
		now := s.o.Clock()
		life := fmt.Sprintf(`"expires_in":"%d",`, int(tokenLife.Seconds()))
		if appService { // says the instant alone
			life = ""
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		fmt.Fprintf(w, `{"access_token":%q,"client_id":%q,%s"expires_on":"%d","not_before":"%d","resource":%q,"token_type":"Bearer"}`,
			s.issue("", nil), s.o.ClientID, life, now.Add(tokenLife).Unix(), now.Unix(), s.GraphURL)
	}
}
