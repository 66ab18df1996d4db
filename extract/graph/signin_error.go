package graph

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// AuthError is a sign-in that failed.
type AuthError struct {
	Tenant      string // the configured name
	Status      int    // HTTP status; 0 when the login host did not answer
	AADSTS      int    // Microsoft's number of the error; 0 when there is none
	Code        string // OAuth's word for it, such as "invalid_client"
	Description string // Microsoft's explanation, without trace ids and times
	Hint        string // what a person can do; "" when Err says it
	Attempts    int    // made
	Err         error  // what happened instead of an answer; may be nil
}

func (e *AuthError) Error() string {
	var b strings.Builder
	b.WriteString("sign in")
	if e.Status != 0 {
		fmt.Fprintf(&b, ": %d %s", e.Status, http.StatusText(e.Status))
	}
	if e.Code != "" {
		b.WriteString(": " + e.Code)
	}
	if e.AADSTS != 0 {
		fmt.Fprintf(&b, ": AADSTS%d", e.AADSTS)
	}
	if e.Description != "" {
		b.WriteString(": " + e.Description)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	} else if e.Attempts > 1 {
		fmt.Fprintf(&b, " (gave up after %d attempts)", e.Attempts)
	}
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// Unwrap gives what happened instead of an answer.
func (e *AuthError) Unwrap() error { return e.Err }

// aadsts is how a description begins.
var aadsts = regexp.MustCompile(`^AADSTS(\d+):\s*`)

// newAuthError reads the login host's refusal. The number is shown and explained,
// never decided upon. Status is 0 when a browser brought the refusal.
func newAuthError(c *Client, status int, code, description string) *AuthError {
	e := &AuthError{Tenant: c.config.Tenant, Status: status, Code: c.clean(code)}
	text := c.clean(description)
	number := 0
	if m := aadsts.FindStringSubmatch(text); m != nil {
		number, _ = strconv.Atoi(m[1]) // digits; too many are no number of Microsoft's
		text = text[len(m[0]):]
	}
	for _, noise := range []string{" Trace ID:", " Correlation ID:", " Timestamp:"} {
		text, _, _ = strings.Cut(text, noise)
	}
	e.Description = text
	e.explain(c, number)
	return e
}

// explain gives the error Microsoft's number, 0 for none, and what to do about it.
func (e *AuthError) explain(c *Client, number int) {
	e.AADSTS = number
	e.Hint = c.authHint(e)
}

// authHint is what an administrator has to do about a refusal.
func (c *Client) authHint(e *AuthError) string {
	person, signedIn := c.config.Credential.(Delegated)
	signInAgain, consentTo := person.again(), "the application's permissions"
	if signedIn {
		consentTo = strings.Join(person.permissions(), ", ")
	}
	switch e.AADSTS {
	case 7000215:
		return "the client secret is wrong: configure the secret's value, not its id"
	case 7000222:
		return "the client secret has expired: create a new one under the application's certificates and secrets, and configure it"
	case 7000218:
		return "the application is not a public client: under its authentication settings, allow public client flows"
	case 700016:
		return "the application is not known in this directory: check client id and directory id, and that both are of the configured cloud"
	case 7000112:
		return "the application is disabled in this directory: enable it among the enterprise applications"
	case 700027:
		return "the certificate is not the application's: upload its public part under the application's certificates and secrets, or configure the one that is there"
	case 700024:
		return "the assertion was not valid at the login host's time: set this machine's clock"
	case 90002:
		return "the directory is not known: check the directory id and the cloud"
	case 65001, 650053, 650057:
		if signedIn {
			return "nobody has consented to all of " + consentTo + ": " + signInAgain + ", or have an administrator grant consent to them"
		}
		return "consent is missing: have an administrator grant consent to " + consentTo
	case 65004:
		return "the person declined to consent: sign in again and accept, or have an administrator grant consent to " + consentTo
	case 90094:
		return "only an administrator may consent: have one grant consent to " + consentTo
	case 50105:
		return "the person is not assigned to the application: assign them among the enterprise applications"
	case 50020:
		return "the person's account is of another directory: sign in with one of this directory"
	case 50011:
		return "the redirect address is not registered: add http://localhost to the application's mobile and desktop platform"
	case 53003:
		return "a conditional access policy blocks the sign-in: have it exclude the application or allow this network (for a person a policy for users, otherwise one for workload identities)"
	case 50076, 50079:
		return "multi-factor authentication is asked for: " + signInAgain + ", or use a method without a person, such as certificate"
	case 700082, 70008, 70043:
		return "the refresh token has expired (after 90 days without use, or sooner by policy): " + signInAgain
	case 50173:
		return "the refresh token was revoked, as by a change of password: " + signInAgain
	case 50057:
		return "the person's account is disabled: sign in as another person"
	case 54005:
		return "the code was used already: " + signInAgain
	case 70011:
		return "the scope is not valid: check that the Graph root belongs to the configured cloud"
	case 700213:
		return "no federated credential of the application matches: check its issuer, subject and audience"
	case 700211:
		return "no federated credential of the application has the token's issuer: correct the issuer"
	case 700212:
		return "no federated credential of the application has the token's audience: correct the audience; it is commonly api://AzureADTokenExchange"
	case 900144, 9002313:
		return "the login host does not take the request: check the login root, and update seatlake"
	}
	switch {
	case e.Status >= 500 || e.Status == http.StatusTooManyRequests:
		return "the login host is overloaded or down: run again later"
	case e.Code == "authorization_declined", e.Code == "access_denied":
		return "the person declined: " + signInAgain
	case e.Code == "expired_token", e.Code == "bad_verification_code":
		return "the code was not entered in time: " + signInAgain
	case e.Code == "interaction_required", e.Code == "login_required", e.Code == "consent_required":
		return "a person has to answer: " + signInAgain
	case e.Code == "":
		return "the answer is not Microsoft's: check the login root and the proxy"
	}
	return c.config.Credential.advice()
}

// hidden are the secrets a client has sent or received. No error or event of the
// client repeats one, should a server do so.
type hidden struct {
	mu      sync.Mutex
	secrets map[string]bool
}

// minSecret is in bytes; shorter ones are words, and none of Microsoft's.
const minSecret = 8

// hide keeps secrets out of all the client says from now on.
func (c *Client) hide(secrets ...string) {
	c.hidden.mu.Lock()
	defer c.hidden.mu.Unlock()
	for _, s := range secrets {
		if len(s) >= minSecret {
			c.hidden.secrets[s] = true
			c.hidden.secrets[url.QueryEscape(s)] = true
		}
	}
}

func (h *hidden) clean(text string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.secrets {
		text = strings.ReplaceAll(text, s, "[secret]")
	}
	return text
}
