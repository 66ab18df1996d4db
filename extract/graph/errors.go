package graph

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// Error is Graph's refusal of a request.
type Error struct {
	Status    int    // HTTP status
	Code      string // Graph's word for it, such as "Authorization_RequestDenied"; "" when the answer is not Graph's
	Message   string // Graph's explanation
	RequestID string // for support cases
	URL       string // path of the request, without host and query
	Hint      string // what a person can do, may be ""

	retryAfter time.Duration // 0 when Graph did not say
	foreign    bool          // the body is not Graph's: something between us answered
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "graph: %d %s", e.Status, http.StatusText(e.Status))
	for _, s := range []string{e.Code, e.Message} {
		if s != "" {
			b.WriteString(": " + s)
		}
	}
	fmt.Fprintf(&b, " (GET %s%s)", e.URL, idText(e.RequestID))
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

func idText(requestID string) string {
	if requestID == "" {
		return ""
	}
	return ", request-id " + requestID
}

// newError reads Graph's refusal. The body's casing varies, which encoding/json
// takes alike; of reports, the message is JSON again.
func (c *Client) newError(a *answer) *Error {
	e := &Error{Status: a.status, RequestID: a.requestID, URL: a.path, retryAfter: a.retryAfter}
	var body struct {
		Error struct {
			Code       string
			Message    string
			InnerError struct {
				RequestID string `json:"request-id"`
			}
		}
	}
	text := a.text()
	if err := json.Unmarshal(text, &body); err != nil {
		e.foreign = len(text) > 0
	}
	e.Code, e.Message = body.Error.Code, body.Error.Message
	if e.RequestID == "" {
		e.RequestID = body.Error.InnerError.RequestID
	}
	if strings.HasPrefix(e.Message, "{") && json.Unmarshal([]byte(e.Message), &body) == nil {
		e.Code, e.Message = body.Error.Code, body.Error.Message
	}
	if e.foreign {
		e.Message = "the answer is not Graph's"
	}
	e.Code, e.Message = c.clean(e.Code), c.clean(e.Message)
	e.Hint = hint(e)
	return e
}

// hint is what an administrator can do about a refusal.
func hint(e *Error) string {
	switch {
	case e.foreign && e.Status < 500:
		return "a proxy or firewall between here and Graph seems to answer; check the Graph root and the proxy"
	case e.Status >= 300 && e.Status < 400:
		return "Graph does not redirect this request: check the Graph root"
	case e.Status == http.StatusUnauthorized:
		return "a new token was refused as well: check that the Graph and login roots belong to one cloud, " +
			"that the directory id is this tenant's, and that the application is enabled"
	case e.Status == http.StatusBadRequest && pageTokenExpired(e):
		return "the link to the next page expired while pages were read: run again"
	case e.Status == http.StatusBadRequest, e.Status == http.StatusNotImplemented:
		return "Graph no longer takes this request: update seatlake"
	case e.Status == http.StatusNotFound:
		return "this cloud or tenant does not offer it: check the Graph root"
	case e.Status == http.StatusGone:
		return "the link is no longer valid: run again"
	case e.Status == http.StatusTooManyRequests:
		return "another application may be using up the tenant's quota: run again later"
	case e.Status >= 500:
		return "Graph is overloaded or down: run again later"
	default:
		return ""
	}
}

// pageTokenExpired says that paging cannot go on from this link and has to start
// over: the same link never works again.
func pageTokenExpired(e *Error) bool {
	switch e.Code {
	case "Directory_ExpiredPageToken", "DirectoryPageTokenNotFoundException":
		return true
	default:
		return strings.Contains(strings.ToLower(e.Message), "invalid skip token")
	}
}

// clean makes a server's text fit for an error: one line of bounded length, with
// nothing in it that we keep secret, should the server repeat it.
func (c *Client) clean(text string) string {
	if secret := c.config.ClientSecret; len(secret) >= minSecret {
		text = strings.ReplaceAll(text, secret, "[client secret]")
		text = strings.ReplaceAll(text, url.QueryEscape(secret), "[client secret]")
	}
	if t := c.token.now.Load(); t != nil {
		text = strings.ReplaceAll(text, t.access, "[token]")
	}
	text = bearer.ReplaceAllString(text, "[token]")
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "") + "..."
	}
	return text
}

const (
	maxMessage = 500 // bytes
	minSecret  = 8   // bytes; shorter ones are words, and none of Microsoft's
)

// bearer is what a JWT looks like, alone or behind its scheme.
var bearer = regexp.MustCompile(`(?i:bearer\s+\S+)|\beyJ[\w-]+\.[\w-]+\.[\w-]*`)

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
// never decided upon.
func newAuthError(c *Client, answer *oauth2.RetrieveError) *AuthError {
	e := &AuthError{Tenant: c.config.Tenant, Status: answer.Response.StatusCode, Code: c.clean(answer.ErrorCode)}
	text := c.clean(answer.ErrorDescription)
	if m := aadsts.FindStringSubmatch(text); m != nil {
		e.AADSTS, _ = strconv.Atoi(m[1]) // digits; too many are no number of Microsoft's
		text = text[len(m[0]):]
	}
	for _, noise := range []string{" Trace ID:", " Correlation ID:", " Timestamp:"} {
		text, _, _ = strings.Cut(text, noise)
	}
	e.Description = text
	e.Hint = authHint(e)
	return e
}

func authHint(e *AuthError) string {
	switch e.AADSTS {
	case 7000215:
		return "the client secret is wrong: configure the secret's value, not its id"
	case 7000222:
		return "the client secret has expired: create a new one under the application's certificates and secrets, and configure it"
	case 700016:
		return "the application is not known in this directory: check client id and directory id, and that both are of the configured cloud"
	case 90002:
		return "the directory is not known: check the directory id and the cloud"
	case 65001:
		return "consent is missing: have an administrator grant consent to the application's permissions"
	case 53003:
		return "a conditional access policy blocks the application: exclude it or allow this network in the policy for workload identities"
	case 50076:
		return "multi-factor authentication is asked for: sign in interactively, or use an application permission"
	case 700082:
		return "the refresh token has expired after 90 days without use: sign in again"
	case 70011:
		return "the scope is not valid: check that the Graph root belongs to the configured cloud"
	case 700213:
		return "no federated credential of the application matches: check its issuer, subject and audience"
	}
	if e.Status >= 500 || e.Status == http.StatusTooManyRequests {
		return "the login host is overloaded or down: run again later"
	}
	if e.Code == "" {
		return "the answer is not Microsoft's: check the login root and the proxy"
	}
	return "check directory id, client id and client secret"
}
