package graph

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// Error is Graph's refusal of a request.
type Error struct {
	Status    int    // HTTP status
	Code      string // Graph's word for it, such as "Authorization_RequestDenied"; "" when the answer is not Graph's
	Message   string // Graph's explanation
	RequestID string // for support cases
	Method    string // of the request; "" stands for GET
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
	fmt.Fprintf(&b, " (%s %s%s)", cmp.Or(e.Method, http.MethodGet), e.URL, idText(e.RequestID))
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
	text = c.hidden.clean(text)
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

const maxMessage = 500 // bytes

// bearer is what a JWT looks like, alone or behind its scheme.
var bearer = regexp.MustCompile(`(?i:bearer\s+\S+)|\beyJ[\w-]+\.[\w-]+\.[\w-]*`)
