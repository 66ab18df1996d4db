package graph

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"seatlake/pipeline"
)

// maxPages bounds what one start of a source may read. The largest tenants have
// some thousand pages of users.
const maxPages = 1_000_000

// Pages reads a source, page by page and in order. Rows of users and sign-ins may
// come twice: Graph repeats some, and a link that expires makes paging start over.
//
// A denied source ends in a *pipeline.Gap before its first page, and an optional one
// wherever Graph fails to give the next. Every other error is a *pipeline.Error
// that says tenant, source and page; behind it stands an *Error, an *AuthError, or a
// fault that outlasted its attempts.
func (c *Client) Pages(ctx context.Context, source string, w pipeline.Window) pipeline.Pages {
	return c.Continue(ctx, source, w, func(func(*pipeline.Page, error) bool) {})
}

// Continue is Pages for a source whose first pages an earlier process was given.
// It yields those, and goes on with the link of the last. When that link has
// expired, or the earlier process had started over, so that the link does not
// tell how much is left, it starts over behind them: rows come twice, none is
// left out. Errors are as those of Pages, and those of the kept pages.
func (c *Client) Continue(ctx context.Context, source string, w pipeline.Window, kept pipeline.Pages) pipeline.Pages {
	return func(yield func(*pipeline.Page, error) bool) {
		r := &reading{client: c, source: source}
		err := r.read(ctx, w, kept, yield)
		if err == nil || errors.Is(err, errStopped) {
			return
		}
		if gap, ok := pipeline.AsGap(err); ok {
			yield(nil, gap)
			return
		}
		yield(nil, &pipeline.Error{Tenant: c.config.Tenant, Source: source, Page: r.number + 1, Err: err})
	}
}

var _ pipeline.Continuer = (*Client)(nil)

// errStopped says that the consumer wants no more pages.
var errStopped = errors.New("stopped")

// reading is one source being read.
type reading struct {
	client *Client
	source string
	ask    *ask
	link   *url.URL // where kept pages lead to; nil: the first page is next
	number int      // pages yielded, over all starts
	notes  []string
}

// note says to people what was asked for otherwise than the source wants.
func (r *reading) note(text string) {
	r.notes = append(r.notes, text)
	r.client.note(r.source, r.notes...)
}

// read follows the source's links from the first page to the last. When they lead
// no further, it starts over, with windows of half the span if the source is read
// by time: Graph's audit log fails in the depth of a long answer.
func (r *reading) read(ctx context.Context, w pipeline.Window, kept pipeline.Pages, yield func(*pipeline.Page, error) bool) error {
	r.client.note(r.source)
	if ended, err := r.again(w, kept, yield); ended || err != nil {
		return err
	}
	rest := []pipeline.Window{w} // still to be read
	for restarts := 0; len(rest) > 0; {
		if r.ask == nil {
			var err error
			if r.ask, err = newAsk(r.source, rest[0]); err != nil {
				return err
			}
		}
		before := r.number
		err := r.follow(ctx, yield)
		if err == nil {
			rest, r.ask = rest[1:], nil
			continue
		}
		halves := r.ask.halves()
		if !leadsNoFurther(err, r.number > before, halves != nil) || r.ask.restarts == 0 {
			return r.orAbsent(err)
		}
		if restarts == r.ask.restarts {
			return r.orAbsent(fmt.Errorf("%w (after starting over %d times)", err, restarts))
		}
		restarts++
		if halves != nil {
			rest, r.ask = append(halves, rest[1:]...), nil
		}
	}
	return nil
}

// orAbsent is the gap of an optional source that Graph does not give, or not to its
// end; else the error itself.
func (r *reading) orAbsent(err error) error {
	if _, gap := pipeline.AsGap(err); gap || !r.ask.optional {
		return err
	}
	if why, ok := absence(err); ok {
		if r.number > 0 {
			why = fmt.Sprintf("Graph broke off behind its page %d: run again later; nothing else depends on it", r.number)
		}
		return &pipeline.Gap{State: pipeline.Missing, Reason: why, Err: err}
	}
	return err
}

// again yields the kept pages and finds where they lead to, or that they are all
// there is.
func (r *reading) again(w pipeline.Window, kept pipeline.Pages, yield func(*pipeline.Page, error) bool) (ended bool, err error) {
	oneStart := true // so far, every page is what the link of the one before it leads to
	for page, err := range kept {
		if err != nil {
			return false, err
		}
		if r.number > 0 {
			oneStart = oneStart && r.link != nil && r.link.RequestURI() == page.Request
		} else if r.ask, err = r.askedWith(page.Request, w); r.ask == nil || err != nil {
			return false, err
		}
		if r.link, err = r.linkOf(page); err != nil {
			oneStart = false
		}
		if r.number == 0 && r.link != nil && r.ask.restarts == 0 { // no starting over behind it
			r.ask, r.link = nil, nil
			return false, nil
		}
		r.number = page.Number
		if !yield(page, nil) {
			return false, errStopped
		}
	}
	if !oneStart {
		r.link = nil
		return false, nil
	}
	return r.number > 0 && r.link == nil, nil
}

// askedWith is how a kept first page was asked for. It is nil when the page is not
// what would be asked for now, or when there is no starting over behind it.
func (r *reading) askedWith(request string, w pipeline.Window) (*ask, error) {
	whole, err := newAsk(r.source, w)
	if err != nil {
		return nil, err
	}
	var found *ask
	whole.forms(nil, func(a *ask, notes []string) bool {
		var u *url.URL
		if u, err = r.url(a); err != nil {
			return false
		}
		if u.RequestURI() != request || !a.csv && a.restarts == 0 {
			return true
		}
		for _, n := range notes {
			r.note(n)
		}
		found = a
		return false
	})
	return found, err
}

// linkOf is where a kept page leads to, nil when it is the last.
func (r *reading) linkOf(page *pipeline.Page) (*url.URL, error) {
	next, err := "", error(nil)
	if r.ask.csv {
		next, err = checkReport(page)
	} else {
		next, err = nextOf(page)
	}
	if err != nil || next == "" {
		return nil, err
	}
	return r.client.nextLink(next, page.RequestID)
}

// leadsNoFurther says that another start may succeed where more attempts at the
// same link do not: the link has expired, or the answer is too deep for Graph.
// paged says that this start got to its second page, halved that the next one is
// for less.
func leadsNoFurther(err error, paged, halved bool) bool {
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
		return false
	case pageTokenExpired(e):
		return paged
	case e.Status == http.StatusGatewayTimeout:
		return halved
	default:
		return paged && halved && judge(e).attempts > 1
	}
}

// follow reads from the first page to the last.
func (r *reading) follow(ctx context.Context, yield func(*pipeline.Page, error) bool) error {
	seen := map[[sha256.Size]byte]bool{} // links, which may be long
	page, next, err := r.first(ctx)
	for {
		if err != nil {
			return err
		}
		var link *url.URL
		if next != "" {
			if link, err = r.client.nextLink(next, page.RequestID); err != nil {
				return err
			}
			sum := sha256.Sum256([]byte(next))
			if seen[sum] || len(seen) == maxPages {
				return fmt.Errorf("the answer repeats itself: the link of its page %d was followed before, or has no end (GET %s%s); "+
					"run again, and give the request-id to Microsoft's support if it stays",
					len(seen)+1, r.client.clean(link.Path), idText(page.RequestID))
			}
			seen[sum] = true
		}
		r.number++
		page.Number = r.number
		if !yield(page, nil) {
			return errStopped
		}
		if link == nil {
			return nil
		}
		page, next, err = r.client.fetch(ctx, r.source, r.number+1, link, false)
	}
}

// first asks for the page that kept pages lead to, unless Graph no longer knows its
// link, or else for the first one. What Graph denies or does not know is asked for
// with less, if the source can do with less; what it then still denies is a gap. Once
// pages have been yielded, nothing less is asked for: rows of one source are alike.
func (r *reading) first(ctx context.Context) (*pipeline.Page, string, error) {
	if link := r.link; link != nil {
		r.link = nil
		page, next, err := r.client.fetch(ctx, r.source, r.number+1, link, false)
		if e, ok := refused(err); !ok || !e.lastsForLink() {
			return page, next, err
		}
	}
	page, next, err := r.start(ctx)
	if r.number > 0 {
		return page, next, err
	}
	var notes []string
	for rest, note := r.ask.instead(err); rest != nil; rest, note = r.ask.instead(err) {
		if note != "" {
			notes = append(notes, note)
		}
		r.ask = rest
		page, next, err = r.start(ctx)
	}
	if denied(err) {
		err = &pipeline.Gap{State: pipeline.Denied, Reason: r.client.reason(err, r.ask), Err: err}
	}
	if err == nil {
		for _, n := range notes {
			r.note(n)
		}
	}
	return page, next, err
}

func (r *reading) start(ctx context.Context) (*pipeline.Page, string, error) {
	u, err := r.url(r.ask)
	if err != nil {
		return nil, "", err
	}
	return r.client.fetch(ctx, r.source, r.number+1, u, r.ask.csv)
}

// url is where a source's first page is.
func (r *reading) url(a *ask) (*url.URL, error) {
	return url.Parse(r.client.root.String() + a.path)
}

// lastsForLink says that Graph refuses a link as one that it no longer knows.
func (e *Error) lastsForLink() bool {
	return e.Status == http.StatusBadRequest || e.Status == http.StatusNotFound || e.Status == http.StatusGone
}

// refused gives Graph's own refusal of a request. A token that Graph does not take
// is none: it concerns every source.
func refused(err error) (*Error, bool) {
	e, ok := errors.AsType[*Error](err)
	return e, ok && !e.foreign && e.Status != http.StatusUnauthorized
}

// unknownProperty is the property that Graph says it has not, or "".
func unknownProperty(err error) string {
	e, ok := refused(err)
	if !ok || e.Status != http.StatusBadRequest {
		return ""
	}
	_, after, _ := strings.Cut(e.Message, "Could not find a property named '")
	property, _, found := strings.Cut(after, "'")
	if !found {
		return ""
	}
	return property
}

// denied says that Graph itself, and not something on the way, denies a request.
func denied(err error) bool {
	e, ok := refused(err)
	return ok && e.Status == http.StatusForbidden
}

// absence says to people why an optional source is not there, whoever says so: a
// gateway that does not know the address is no reason to read nothing. It is false
// for what is no matter of the source: a sign-in that fails, a request that is not
// sent.
func absence(err error) (why string, ok bool) {
	if e, ok := errors.AsType[*Error](err); ok && e.Status != http.StatusUnauthorized {
		switch e.Status {
		case http.StatusNotFound, http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotImplemented:
			return "this tenant or cloud does not offer it; nothing else depends on it", true
		}
		return "Graph did not answer for it: run again later; nothing else depends on it", true
	}
	if _, ok := errors.AsType[*fault](err); ok {
		return "its answer could not be read: run again later; nothing else depends on it", true
	}
	return "", false
}

// reason says to people what is missing for a source.
func (c *Client) reason(err error, a *ask) string {
	var e *Error
	if errors.As(err, &e) && e.Code == "Authentication_RequestFromNonPremiumTenantOrB2CTenant" {
		return "the tenant has no Entra ID P1 or P2 licence, without which Graph keeps this closed"
	}
	if t := c.token.now.Load(); t != nil && slices.Contains(strings.Fields(t.claims.Scopes), a.permission) {
		return "the permission " + a.permission + " is granted, but the person who signed in lacks a role that goes with it: " +
			"assign one in Microsoft Entra, Reports Reader (usage reports, sign-ins) or Global Reader (the directory), and sign in again"
	}
	reason := "the application permission " + a.permission + " is missing: add it to the application and have an administrator grant consent"
	if t := c.token.now.Load(); t != nil && t.claims.TenantID != "" && len(t.claims.Roles) == 0 {
		reason += " (its token carries no application permission at all)"
	}
	return reason
}

// nextLink checks a link before anything is sent to it. The link is used whole:
// it holds the query it came from.
func (c *Client) nextLink(link, requestID string) (*url.URL, error) {
	u, err := url.Parse(link)
	if err != nil {
		return nil, fmt.Errorf("the link to the next page is not a URL%s", idText(requestID))
	}
	if !sameOrigin(u, c.root) || u.User != nil {
		return nil, fmt.Errorf("%w: the link to the next page leads to %s://%s instead of %s://%s%s; "+
			"the token was not sent there: check the Graph root and what stands between it and here",
			errRefused, u.Scheme, c.clean(u.Host), c.root.Scheme, c.root.Host, idText(requestID))
	}
	u.RawQuery = strings.ReplaceAll(u.RawQuery, " ", "%20") // a space would end the request line
	return u, nil
}
