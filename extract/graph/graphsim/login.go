package graphsim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
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
	if f, ok := s.fault("token", 1, RefusedToken, Reset); ok {
		if f.Kind == Reset {
			panic(http.ErrAbortHandler)
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
	claims := map[string]any{
		"aud": s.GraphURL, "iss": "https://sts.windows.net/" + s.o.TenantID + "/", "tid": s.o.TenantID, "appid": s.o.ClientID,
		"idtyp": "app", "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(tokenLife).Unix(), "ver": "1.0",
	}
	if roles := s.granted(); len(roles) > 0 {
		claims["roles"] = roles
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err) // a map of strings and numbers
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := newRandom(s.o.Seed, forToken, uint64(s.issued))
	s.issued++
	signature := r.guid()
	enc := base64.RawURLEncoding
	token := enc.EncodeToString([]byte(`{"typ":"JWT","alg":"RS256"}`)) + "." + enc.EncodeToString(payload) + "." + enc.EncodeToString(signature[:])
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
	for _, d := range s.o.Deny {
		if d == permission {
			return false
		}
	}
	return true
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
	body, err := json.Marshal(struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Codes       []int  `json:"error_codes"`
		Timestamp   string `json:"timestamp"`
		TraceID     string `json:"trace_id"`
		Correlation string `json:"correlation_id"`
		URI         string `json:"error_uri"`
	}{
		code, fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s", number, message, traceID, correlation, at),
		[]int{number}, at, traceID, correlation, fmt.Sprintf("https://login.microsoftonline.com/error?code=%d", number),
	})
	if err != nil {
		panic(err) // a struct of strings
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	w.Write(body)
}
