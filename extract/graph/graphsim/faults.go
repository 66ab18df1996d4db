package graphsim

import (
	"fmt"
	"slices"
	"strings"
)

// FaultKind is a way in which an answer goes wrong.
type FaultKind string

// The kinds of faults.
const (
	TooManyRequests FaultKind = "429"                // with Fault.RetryAfter as it stands
	Forbidden       FaultKind = "403"                // the permission is taken away
	BadGateway      FaultKind = "502"                //
	Unavailable     FaultKind = "503"                // with Fault.RetryAfter as it stands
	GatewayTimeout  FaultKind = "504"                //
	Reset           FaultKind = "reset"              // the connection breaks in the first line of the answer
	CutShort        FaultKind = "cut short"          // the connection breaks in the middle of the body
	TruncatedGzip   FaultKind = "truncated gzip"     // a well-formed answer whose gzip body lacks its end
	HTML            FaultKind = "html"               // 200 with a proxy's sign-in page
	MalformedJSON   FaultKind = "malformed json"     // 200 with a body that stops making sense
	RepeatedRow     FaultKind = "repeated row"       // the page's last row twice
	EmptyPage       FaultKind = "empty page"         // no rows, and a nextLink that goes on to them
	EndlessLink     FaultKind = "endless nextLink"   // the page's nextLink leads to the page itself
	ForeignLink     FaultKind = "foreign nextLink"   // the nextLink leads to another host
	ExpiredLink     FaultKind = "expired skiptoken"  // 400: the link that led here is too old
	ExpiredDownload FaultKind = "expired download"   // the report's download link is too old
	ExpiredToken    FaultKind = "expired token"      // 401: all access tokens issued so far stop working
	RefusedToken    FaultKind = "token endpoint 503" // the token endpoint is overloaded
	LostAnswer      FaultKind = "lost answer"        // what was asked for is done, and the connection breaks before it is said
)

var faultKinds = []FaultKind{
	TooManyRequests, Forbidden, BadGateway, Unavailable, GatewayTimeout, Reset, CutShort, TruncatedGzip, HTML, MalformedJSON, RepeatedRow,
	EmptyPage, EndlessLink, ForeignLink, ExpiredLink, ExpiredDownload, ExpiredToken, RefusedToken, LostAnswer,
}

// Fault makes one answer go wrong, a number of times; then the server answers as if
// nothing had been.
type Fault struct {
	// Source is users, subscribed_skus, sign_ins, non_interactive_sign_ins, subscriptions,
	// user_registration_details, report_settings, a report's function name, or token;
	// user, group, assign_license or group_members for one object; empty is any.
	Source string
	// Page counts from 1 within a query. A report's page 1 is the redirect and page 2
	// its download; the Copilot report comes on page 1.
	Page int // 0 is any; an expired skiptoken never strikes page 1
	Kind FaultKind
	// Times is how often it happens: once when 0, always when negative.
	Times int
	// RetryAfter is the header's value as it is sent, such as "3" or "2.128"; none
	// when empty.
	RetryAfter string
}

func (f Fault) check() error {
	if !slices.Contains(faultKinds, f.Kind) {
		return fmt.Errorf("kind %q is not known", f.Kind)
	}
	if f.Page < 0 {
		return fmt.Errorf("page %d is negative", f.Page)
	}
	return nil
}

func (f Fault) String() string {
	s := string(f.Kind)
	if f.Source != "" || f.Page != 0 {
		s += fmt.Sprintf(" at %s page %d", f.Source, f.Page)
	}
	return strings.TrimSpace(s)
}

// Faults by what they need to know: answers replace any answer, damages spoil a body,
// links are about pages and what leads from one to the next.
var (
	answers = []FaultKind{TooManyRequests, Forbidden, BadGateway, Unavailable, GatewayTimeout, Reset, HTML, ExpiredToken}
	damages = []FaultKind{CutShort, TruncatedGzip, MalformedJSON}
	links   = []FaultKind{RepeatedRow, EmptyPage, EndlessLink, ForeignLink, ExpiredLink}
)

// fault takes the first fault that is due for a page and of one of those kinds.
func (s *Server) fault(source string, page int, kinds []FaultKind) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.o.Faults {
		if s.left[i] == 0 || f.Source != "" && f.Source != source || f.Page != 0 && f.Page != page || !slices.Contains(kinds, f.Kind) ||
			f.Kind == ExpiredLink && page == 1 {
			continue
		}
		if s.left[i] > 0 {
			s.left[i]--
		}
		return f, true
	}
	return Fault{}, false
}
