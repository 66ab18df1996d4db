package graphsim

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// permissions are those an administrator can grant to the application.
var permissions = []string{
	"AuditLog.Read.All", "LicenseAssignment.Read.All", "Organization.Read.All", "Reports.Read.All", "ReportSettings.Read.All", "User.Read.All",
}

const tokenLife = 3599 * time.Second

// serveLogin is the token endpoint: client credentials with a secret.
func (s *Server) serveLogin(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store, no-cache")
	w.Header().Set("Pragma", "no-cache")
	if f, ok := s.fault("token", 1, []FaultKind{RefusedToken, Reset}); ok {
		if f.Kind == Reset {
			s.fail(w, r, f)
			return
		}
		if f.RetryAfter != "" {
			w.Header().Set("Retry-After", f.RetryAfter)
		}
		http.Error(w, "The service is unavailable.", http.StatusServiceUnavailable)
		return
	}
	tenant, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if rest != "oauth2/v2.0/token" {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodPost {
		s.loginError(w, http.StatusBadRequest, 900561, "invalid_request", "The endpoint only accepts POST requests. Received a GET request.")
		return
	}
	if err := r.ParseForm(); err != nil {
		s.loginError(w, http.StatusBadRequest, 900144, "invalid_request", "The request body is malformed.")
		return
	}
	client, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if id, pass, ok := r.BasicAuth(); ok {
		client, secret = unescape(id), unescape(pass)
	}
	scope := r.PostForm.Get("scope")
	switch {
	case !strings.EqualFold(tenant, s.o.TenantID) && tenant != tenantHost && tenant != domain:
		s.loginError(w, http.StatusBadRequest, 90002, "invalid_request",
			fmt.Sprintf("Tenant '%s' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.", tenant))
	case r.PostForm.Get("grant_type") != "client_credentials":
		s.loginError(w, http.StatusBadRequest, 70003, "unsupported_grant_type", "The app requested an unsupported grant type.")
	case !strings.EqualFold(client, s.o.ClientID):
		s.loginError(w, http.StatusBadRequest, 700016, "unauthorized_client",
			fmt.Sprintf("Application with identifier '%s' was not found in the directory 'Contoso'.", client))
	case secret != s.o.ClientSecret:
		s.loginError(w, http.StatusUnauthorized, 7000215, "invalid_client",
			"Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, "+
				fmt.Sprintf("for a secret added to app '%s'.", client))
	case scope != s.GraphURL+"/.default" && scope != "https://graph.microsoft.com/.default":
		s.loginError(w, http.StatusBadRequest, 70011, "invalid_scope",
			fmt.Sprintf("The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope %s is not valid.", scope))
	default:
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":%d,"ext_expires_in":%d,"access_token":"%s"}`,
			int(tokenLife.Seconds()), int(tokenLife.Seconds()), s.issue())
	}
}

// unescape undoes the form encoding that RFC 6749 asks of Basic credentials.
func unescape(v string) string {
	if u, err := url.QueryUnescape(v); err == nil {
		return u
	}
	return v
}

// issue makes an access token of the shape of a JWT, which carries the tenant and
// the permissions granted.
func (s *Server) issue() string {
	now := s.o.Clock()
	var claims text
	claims.raw(`{"aud":`)
	claims.str(s.GraphURL)
	claims.raw(`,"iss":`)
	claims.str("https://sts.windows.net/" + s.o.TenantID + "/")
	claims.raw(`,"iat":`)
	claims.int(int(now.Unix()))
	claims.raw(`,"nbf":`)
	claims.int(int(now.Unix()))
	claims.raw(`,"exp":`)
	claims.int(int(now.Add(tokenLife).Unix()))
	claims.raw(`,"appid":`)
	claims.str(s.o.ClientID)
	claims.raw(`,"idtyp":"app","tid":`)
	claims.str(s.o.TenantID)
	if roles := s.granted(); len(roles) > 0 { // without any, there is no claim
		claims.raw(`,"roles":["` + strings.Join(roles, `","`) + `"]`)
	}
	claims.raw(`,"ver":"1.0"}`)
	s.mu.Lock()
	defer s.mu.Unlock()
	r := newRandom(s.o.Seed, forToken, uint64(s.issued))
	s.issued++
	signature := r.guid()
	enc := base64.RawURLEncoding
	token := enc.EncodeToString([]byte(`{"typ":"JWT","alg":"RS256"}`)) + "." + enc.EncodeToString(claims.b) + "." + enc.EncodeToString(signature[:])
	s.tokens[token] = now.Add(tokenLife)
	return token
}

func (s *Server) granted() (roles []string) {
	for _, p := range permissions {
		if s.allows(p) {
			roles = append(roles, p)
		}
	}
	return roles
}

func (s *Server) allows(permission string) bool {
	return !slices.Contains(s.o.Deny, permission)
}

// authorised says whether a request carries a token that is valid now.
func (s *Server) authorised(r *http.Request) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	expires, ok := s.tokens[token]
	return ok && s.o.Clock().Before(expires)
}

// loginError writes an error of the token endpoint.
func (s *Server) loginError(w http.ResponseWriter, status, number int, code, message string) {
	trace := newRandom(s.o.Seed, forRequest, uint64(number))
	traceID, correlation := guidText(trace.guid()), guidText(trace.guid())
	at := s.o.Clock().UTC().Format("2006-01-02 15:04:05Z")
	var t text
	t.raw(`{"error":`)
	t.str(code)
	t.raw(`,"error_description":`)
	t.str(fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s", number, message, traceID, correlation, at))
	t.raw(`,"error_codes":[`)
	t.int(number)
	t.raw(`],"timestamp":`)
	t.str(at)
	t.raw(`,"trace_id":`)
	t.str(traceID)
	t.raw(`,"correlation_id":`)
	t.str(correlation)
	t.raw(`,"error_uri":`)
	t.str(fmt.Sprintf("https://login.microsoftonline.com/error?code=%d", number))
	t.byte('}')
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	w.Write(t.b)
}
