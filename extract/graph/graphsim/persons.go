package graphsim

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Logins is who can sign in, besides the application by its secret, and how that
// goes. With the zero value, DefaultPerson signs in at once, no statement is
// trusted, and the machine has its own managed identity.
type Logins struct {
	Person string // user principal name of who sits at the browser; DefaultPerson when ""

	Certificates []Certificate // the application's
	Federation   *Federation   // whom the application trusts

	// IdentityHeader is the secret of App Service's managed identity endpoint, which
	// is not there when it is "".
	IdentityHeader string

	// Polls are what a device is answered, in order, before it gets a token, such as
	// "authorization_pending", "slow_down" or "authorization_declined".
	Polls []string

	// RefreshOnce makes a refresh token work once, unlike Microsoft's: whoever loses
	// a new one is found out.
	RefreshOnce bool

	// Consents are the permissions that the person consents to when asked: at the page
	// of the login host, or of a device. All else that an administrator has not granted
	// is refused.
	Consents []string

	// WideTokens has access tokens carry everything that was consented to, asked for or
	// not, as the login host sometimes does.
	WideTokens bool

	// Refuse is what fails, by grant type, or "authorize", "devicecode" or
	// "identity": with which AADSTS number.
	Refuse map[string]int
}

// DefaultPerson is who signs in.
const DefaultPerson = "AdeleV@contoso.com"

// Logins says from now on who can sign in, and how.
func (s *Server) Logins(o Logins) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.persons.options = o
}

func (s *Server) logins() Logins {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.persons.options
	if o.Person == "" {
		o.Person = DefaultPerson
	}
	return o
}

// persons is what the login host knows of people who sign in.
type persons struct {
	options  Logins
	secrets  uint64             // given out: codes and refresh tokens
	codes    map[string]code    // authorization codes
	devices  map[string]*device // by device code
	refresh  map[string]string  // the scope of each refresh token that works
	consents []string           // what persons consented to

}

// code is an authorization code. It works once.
type code struct {
	redirect, challenge, scope string
	expires                    time.Time
}

// device is a device on which nobody has signed in yet.
type device struct {
	scope   string
	polls   int
	expires time.Time
}

const codeLife, deviceLife = 10 * time.Minute, 900 * time.Second

// secret gives out a text that cannot be guessed by who does not know the seed.
func (s *Server) secret(kind string) string {
	s.persons.secrets++
	r := newRandom(s.o.Seed, forToken, s.persons.secrets+1<<41)
	a, b := r.guid(), r.guid()
	return kind + base64.RawURLEncoding.EncodeToString(append(a[:], b[:]...))
}

// serveAuthorize is the page on which a person signs in. This one does so at once
// and is sent back.
func (s *Server) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	redirect, err := url.Parse(q.Get("redirect_uri"))
	switch {
	case !strings.EqualFold(q.Get("client_id"), s.o.ClientID):
		http.Error(w, "AADSTS700016: Application with identifier '"+q.Get("client_id")+"' was not found in the directory 'Contoso'.", http.StatusBadRequest)
		return
	case err != nil || redirect.Scheme != "http" || redirect.Hostname() != "localhost" || redirect.Path != "":
		http.Error(w, "AADSTS50011: The redirect URI specified in the request does not match the redirect URIs configured for the application.", http.StatusBadRequest)
		return
	}
	back := url.Values{"state": {q.Get("state")}}
	number, refused := s.logins().Refuse["authorize"]
	names, wrong := s.asks(q.Get("scope"), true)
	refuse := func(e loginRefusal) {
		back.Set("error", e.code)
		back.Set("error_description", e.description()+" Trace ID: 0 Correlation ID: 0 Timestamp: 0")
	}
	switch {
	case refused:
		refuse(refusalOf(number))
	case wrong != nil:
		refuse(*wrong)
	case q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "":
		back.Set("error", "invalid_request")
		back.Set("error_description", "AADSTS9002325: Proof Key for Code Exchange is required for cross-origin authorization code redemption.")
	case s.unconsented(names, true) != nil:
		refuse(refusalOf(65001))
	default:
		s.mu.Lock()
		granted := s.secret("0.A")
		s.persons.codes[granted] = code{q.Get("redirect_uri"), q.Get("code_challenge"), q.Get("scope"), s.o.Clock().Add(codeLife)}
		s.mu.Unlock()
		back.Set("code", granted)
		back.Set("session_state", "00aa00aa-bb11-cc22-dd33-44ee44ee44ee")
	}
	redirect.RawQuery = back.Encode()
	http.Redirect(w, r, redirect.String(), http.StatusFound)
}

// redeemCode gives tokens for an authorization code.
func (s *Server) redeemCode(w http.ResponseWriter, r *http.Request) {
	if s.public(w, r) {
		return
	}
	form := r.PostForm
	s.mu.Lock()
	c, ok := s.persons.codes[form.Get("code")]
	delete(s.persons.codes, form.Get("code"))
	s.mu.Unlock()
	hash := sha256.Sum256([]byte(form.Get("code_verifier")))
	switch {
	case !ok:
		s.refuseLogin(w, 54005)
	case !s.o.Clock().Before(c.expires):
		s.refuseLogin(w, 70008)
	case form.Get("redirect_uri") != c.redirect:
		s.loginError(w, http.StatusBadRequest, 500112, "invalid_client", "The reply address does not match the reply address provided when requesting Authorization code.")
	case base64.RawURLEncoding.EncodeToString(hash[:]) != c.challenge:
		s.loginError(w, http.StatusBadRequest, 501481, "invalid_grant", "The Code_Verifier does not match the code_challenge supplied in the authorization request.")
	default:
		s.admit(w, c.scope)
	}
}

// serveDevice gives a code to a device that has no browser.
func (s *Server) serveDevice(w http.ResponseWriter, r *http.Request) {
	number, refused := s.logins().Refuse["devicecode"]
	switch {
	case !strings.EqualFold(r.PostForm.Get("client_id"), s.o.ClientID):
		s.refuseLogin(w, 700016)
		return
	case refused:
		s.refuseLogin(w, number)
		return
	}
	if _, wrong := s.asks(r.PostForm.Get("scope"), true); wrong != nil {
		s.writeLoginError(w, *wrong)
		return
	}
	s.mu.Lock()
	key := s.secret("GMMhm")
	s.persons.devices[key] = &device{scope: r.PostForm.Get("scope"), expires: s.o.Clock().Add(deviceLife)}
	s.mu.Unlock()
	const page, user = "https://microsoft.com/devicelogin", "C7SMRPQTL"
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	fmt.Fprintf(w, `{"user_code":%q,"device_code":%q,"verification_uri":%q,"expires_in":%d,"interval":5,"message":%q}`, user, key, page,
		int(deviceLife.Seconds()), "To sign in, use a web browser to open the page "+page+" and enter the code "+user+" to authenticate.")
}

// redeemDevice gives tokens to a device once its polls have been answered.
func (s *Server) redeemDevice(w http.ResponseWriter, r *http.Request) {
	if s.public(w, r) {
		return
	}
	polls := s.logins().Polls
	key := r.PostForm.Get("device_code")
	s.mu.Lock()
	d, ok := s.persons.devices[key]
	said := ""
	switch {
	case !ok:
		said = "bad_verification_code"
	case !s.o.Clock().Before(d.expires):
		said = "expired_token"
	case d.polls < len(polls):
		said = polls[d.polls]
		d.polls++
	default:
		delete(s.persons.devices, key)
	}
	s.mu.Unlock()
	switch said {
	case "":
		names, _ := s.asks(d.scope, true) // which was read before
		s.unconsented(names, true)
		s.admit(w, d.scope)
	case "authorization_pending":
		s.loginError(w, http.StatusBadRequest, 70016, said, "OAuth 2.0 device flow error. Authorization is pending. Continue polling.")
	default:
		s.loginError(w, http.StatusBadRequest, 0, said, "OAuth 2.0 device flow error: "+said+".")
	}
}

// redeemRefresh gives a new refresh token each time. The old one goes on working.
func (s *Server) redeemRefresh(w http.ResponseWriter, r *http.Request) {
	if s.public(w, r) {
		return
	}
	old := r.PostForm.Get("refresh_token")
	once := s.logins().RefreshOnce
	s.mu.Lock()
	scope, ok := s.persons.refresh[old]
	if once {
		delete(s.persons.refresh, old)
	}
	s.mu.Unlock()
	if !ok {
		s.refuseLogin(w, 70008)
		return
	}
	if asked := r.PostForm.Get("scope"); asked != "" { // any that was consented to
		scope = asked + " offline_access"
	}
	s.admit(w, scope)
}

// public refuses secrets of an application that can keep none.
func (s *Server) public(w http.ResponseWriter, r *http.Request) bool {
	if r.PostForm.Has("client_secret") || r.PostForm.Has("client_assertion") {
		s.loginError(w, http.StatusUnauthorized, 700025, "invalid_client", "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.")
		return true
	}
	return false
}

// admit gives a person their tokens, for what was consented to.
func (s *Server) admit(w http.ResponseWriter, scope string) {
	names, wrong := s.asks(scope, true)
	switch {
	case wrong != nil:
		s.writeLoginError(w, *wrong)
		return
	case s.unconsented(names, false) != nil:
		s.refuseLogin(w, 65001)
		return
	}
	scopes := s.scopesOf(names)
	refresh := ""
	if slices.Contains(strings.Fields(scope), "offline_access") {
		s.mu.Lock()
		refresh = s.secret("1.A")
		s.persons.refresh[refresh] = scope
		s.mu.Unlock()
	}
	s.sendToken(w, s.issue(s.logins().Person, scopes), refresh, strings.Join(scopes, " "))
}

// refuseLogin answers with an error of Microsoft's by its number.
func (s *Server) refuseLogin(w http.ResponseWriter, number int) {
	s.writeLoginError(w, refusalOf(number))
}

func refusalOf(number int) loginRefusal {
	for _, e := range []loginRefusal{
		{400, 50076, "interaction_required", "basic_action", "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '00000003-0000-0000-c000-000000000000'."},
		{400, 53003, "access_denied", "", "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."},
		{400, 54005, "invalid_grant", "", "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token."},
		{400, 65001, "invalid_grant", "consent_required", "The user or administrator has not consented to use the application. Send an interactive authorization request for this user and resource."},
		{400, 65004, "access_denied", "", "User declined to consent to access the app."},
		{400, 70008, "invalid_grant", "", "The provided authorization code or refresh token has expired due to inactivity."},
		{400, 70011, "invalid_scope", "", "The provided value for the input parameter 'scope' is not valid."},
		{400, 700016, "unauthorized_client", "", "Application was not found in the directory 'Contoso'."},
		{400, 700082, "invalid_grant", "", "The refresh token has expired due to inactivity. The token was issued on 2026-07-01T03:54:33.8043551Z and was inactive for 90.00:00:00."},
		{400, 90002, "invalid_request", "", "Tenant not found."},
		{401, 7000215, "invalid_client", "", "Invalid client secret provided."},
		{401, 7000218, "invalid_client", "", "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."},
		{401, 7000222, "invalid_client", "", "The provided client secret keys for app are expired."},
	} {
		if e.number == number {
			return e
		}
	}
	return loginRefusal{http.StatusBadRequest, number, "invalid_request", "", "The request is refused."}
}
