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

// serveLogin is the login host, and the endpoints of managed identities.
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
	switch r.URL.Path {
	case IdentityPath, AppServicePath:
		s.serveIdentity(w, r)
		return
	}
	tenant, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	var serve func(http.ResponseWriter, *http.Request)
	method := http.MethodPost
	switch rest {
	case "oauth2/v2.0/token":
		serve = s.serveToken
	case "oauth2/v2.0/devicecode":
		serve = s.serveDevice
	case "oauth2/v2.0/authorize":
		serve, method = s.serveAuthorize, http.MethodGet
	default:
		http.NotFound(w, r)
		return
	}
	if r.Method != method {
		s.loginError(w, http.StatusBadRequest, 900561, "invalid_request",
			fmt.Sprintf("The endpoint only accepts %s requests. Received a %s request.", method, r.Method))
		return
	}
	if err := r.ParseForm(); err != nil {
		s.loginError(w, http.StatusBadRequest, 900144, "invalid_request", "The request body is malformed.")
		return
	}
	if !strings.EqualFold(tenant, s.o.TenantID) && tenant != tenantHost && tenant != domain {
		s.loginError(w, http.StatusBadRequest, 90002, "invalid_request",
			fmt.Sprintf("Tenant '%s' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.", tenant))
		return
	}
	serve(w, r)
}

// serveToken is the token endpoint: every way ends here.
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	grant := r.PostForm.Get("grant_type")
	redeem, ok := map[string]func(http.ResponseWriter, *http.Request){
		"client_credentials": s.redeemCredentials,
		"authorization_code": s.redeemCode,
		"refresh_token":      s.redeemRefresh,
		"urn:ietf:params:oauth:grant-type:device_code": s.redeemDevice,
	}[grant]
	client := r.PostForm.Get("client_id")
	if id, _, basic := r.BasicAuth(); basic {
		client = unescape(id)
	}
	number, refused := s.logins().Refuse[grant]
	switch {
	case !ok:
		s.loginError(w, http.StatusBadRequest, 70003, "unsupported_grant_type", "The app requested an unsupported grant type.")
	case !strings.EqualFold(client, s.o.ClientID):
		s.loginError(w, http.StatusBadRequest, 700016, "unauthorized_client",
			fmt.Sprintf("Application with identifier '%s' was not found in the directory 'Contoso'.", client))
	case refused:
		s.refuseLogin(w, number)
	default:
		redeem(w, r)
	}
}

// redeemCredentials is the application by itself: a secret or a signed statement.
func (s *Server) redeemCredentials(w http.ResponseWriter, r *http.Request) {
	client, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if id, pass, ok := r.BasicAuth(); ok {
		client, secret = unescape(id), unescape(pass)
	}
	if r.PostForm.Get("client_assertion_type") != "" {
		if !s.vouched(w, r) {
			return
		}
	} else if secret != s.o.ClientSecret {
		s.loginError(w, http.StatusUnauthorized, 7000215, "invalid_client",
			"Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, "+
				fmt.Sprintf("for a secret added to app '%s'.", client))
		return
	}
	if _, refused := s.asks(r.PostForm.Get("scope"), false); refused != nil {
		s.writeLoginError(w, *refused)
		return
	}
	s.sendToken(w, s.issue("", nil), "", "")
}

// sendToken answers with an access token and, if there is one, a refresh token.
func (s *Server) sendToken(w http.ResponseWriter, access, refresh, scope string) {
	var t text
	t.raw(`{"token_type":"Bearer"`)
	if scope != "" {
		t.raw(`,"scope":`)
		t.str(scope)
	}
	t.raw(fmt.Sprintf(`,"expires_in":%d,"ext_expires_in":%[1]d,"access_token":`, int(tokenLife.Seconds())))
	t.str(access)
	if refresh != "" {
		t.raw(`,"refresh_token":`)
		t.str(refresh)
	}
	t.byte('}')
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	fmt.Fprintf(w, "%s", t.b)
}

// unescape undoes the form encoding that RFC 6749 asks of Basic credentials.
func unescape(v string) string {
	if u, err := url.QueryUnescape(v); err == nil {
		return u
	}
	return v
}

// issue makes an access token of the shape of a JWT, which carries the tenant and
// the permissions granted: to the application, or to it on a person's behalf, of which
// those are the scopes.
func (s *Server) issue(person string, scopes []string) string {
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
	claims.raw(`,"tid":`)
	claims.str(s.o.TenantID)
	roles := s.granted()
	switch {
	case person != "":
		claims.raw(`,"idtyp":"user","upn":`)
		claims.str(person)
		claims.raw(`,"scp":`)
		claims.str(strings.Join(scopes, " "))
	case len(roles) > 0:
		claims.raw(`,"idtyp":"app","roles":["` + strings.Join(roles, `","`) + `"]`)
	default: // without any, there is no claim
		claims.raw(`,"idtyp":"app"`)
	}
	claims.raw(`,"ver":"1.0"}`)
	s.mu.Lock()
	defer s.mu.Unlock()
	r := newRandom(s.o.Seed, forToken, uint64(s.issued))
	s.issued++
	signature := r.guid()
	enc := base64.RawURLEncoding
	token := enc.EncodeToString([]byte(`{"typ":"JWT","alg":"RS256"}`)) + "." + enc.EncodeToString(claims.b) + "." + enc.EncodeToString(signature[:])
	s.tokens[token] = access{now.Add(tokenLife), person != "", scopes}
	return token
}

func (s *Server) granted() (roles []string) {
	for _, p := range permissions {
		if s.allows(p) {
			roles = append(roles, p)
		}
	}
	return append(roles, s.o.Grant...)
}

func (s *Server) allows(permission string) bool {
	if slices.Contains(grantable, permission) {
		return slices.Contains(s.o.Grant, permission)
	}
	return !slices.Contains(s.o.Deny, permission)
}

// authorised says whether a request carries a token that is valid now.
func (s *Server) authorised(r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.tokens[bearer(r)]
	return ok && s.o.Clock().Before(a.expires)
}

// loginError writes an error of the token endpoint. Number 0 is an error that has
// none.
func (s *Server) loginError(w http.ResponseWriter, status, number int, code, message string) {
	s.writeLoginError(w, loginRefusal{status, number, code, "", message})
}

// loginRefusal is an error of the login host.
type loginRefusal struct {
	status, number          int
	code, suberror, message string
}

func (s *Server) writeLoginError(w http.ResponseWriter, e loginRefusal) {
	trace := newRandom(s.o.Seed, forRequest, uint64(e.number))
	traceID, correlation := guidText(trace.guid()), guidText(trace.guid())
	at := s.o.Clock().UTC().Format("2006-01-02 15:04:05Z")
	var t text
	t.raw(`{"error":`)
	t.str(e.code)
	t.raw(`,"error_description":`)
	t.str(e.description() + fmt.Sprintf(" Trace ID: %s Correlation ID: %s Timestamp: %s", traceID, correlation, at))
	t.raw(`,"error_codes":[`)
	if e.number != 0 {
		t.int(e.number)
	}
	t.raw(`],"timestamp":`)
	t.str(at)
	t.raw(`,"trace_id":`)
	t.str(traceID)
	t.raw(`,"correlation_id":`)
	t.str(correlation)
	t.raw(`,"error_uri":`)
	t.str(fmt.Sprintf("https://login.microsoftonline.com/error?code=%d", e.number))
	if e.suberror != "" {
		t.raw(`,"suberror":`)
		t.str(e.suberror)
	}
	t.byte('}')
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(e.status)
	fmt.Fprintf(w, "%s", t.b)
}

func (e loginRefusal) description() string {
	if e.number == 0 {
		return e.message
	}
	return fmt.Sprintf("AADSTS%d: %s", e.number, e.message)
}
