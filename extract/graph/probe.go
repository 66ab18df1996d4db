package graph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"seatlake/pipeline"
)

// Probe is what one cheap read of a source found.
type Probe struct {
	// Date is Graph's clock when it answered, and Own ours; zero when Graph did not
	// say, or did not answer.
	Date, Own time.Time
	// Note says what Graph leaves out of the source, and why; "" when nothing.
	Note string
	// Host is where a usage report would be downloaded from, and Unreachable why that
	// host does not answer. "" and nil for sources that come in the answer itself.
	Host        string
	Unreachable error
}

// Probe asks for as little of a source as Graph gives, and keeps none of it: one row
// where rows can be counted, of a usage report the link, and of the host behind the
// link a sign of life. The error is as that of Pages: a *pipeline.Gap for what Graph
// refuses, an *AuthError when signing in fails.
func (c *Client) Probe(ctx context.Context, source string) (Probe, error) {
	a, err := newAsk(source, pipeline.Window{})
	if err != nil {
		return Probe{}, err
	}
	found, err := c.probe(ctx, source, a)
	var notes []string
	for rest, note := a.instead(err); rest != nil; rest, note = a.instead(err) {
		if note != "" {
			notes = append(notes, note)
		}
		a = rest
		found, err = c.probe(ctx, source, a)
	}
	found.Note = strings.Join(notes, "; ")
	switch why, absent := absence(err); {
	case err == nil:
		return found, nil
	case denied(err):
		err = &pipeline.Gap{State: pipeline.Denied, Reason: c.reason(err, a), Err: err}
	case absent && a.optional:
		err = &pipeline.Gap{State: pipeline.Missing, Reason: why, Err: err}
	default:
		err = &pipeline.Error{Tenant: c.config.Tenant, Source: source, Err: err}
	}
	return found, err
}

// topRows is how many rows a request asks for.
var topRows = regexp.MustCompile(`\$top=\d+`)

func (c *Client) probe(ctx context.Context, source string, a *ask) (found Probe, err error) {
	u, err := url.Parse(c.root.String() + topRows.ReplaceAllLiteralString(a.path, "$top=1"))
	if err != nil {
		return Probe{}, err
	}
	err = c.try(ctx, Event{Source: source, Page: 1, Request: u.RequestURI()}, func(ctx context.Context) error {
		found = Probe{}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return err
		}
		resp, err := c.graph.RoundTrip(req)
		if err != nil {
			return c.networkFault(err)
		}
		defer resp.Body.Close()
		found.Own = c.config.Now().UTC()
		if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
			found.Date = date.UTC()
		}
		switch {
		case resp.StatusCode == http.StatusOK:
			return nil
		case a.csv && resp.StatusCode == http.StatusFound:
			found.Host, found.Unreachable = c.knock(ctx, resp.Header.Get("Location"))
			return nil
		}
		refusal := &answer{
			status: resp.StatusCode, path: c.clean(u.Path), requestID: c.clean(resp.Header.Get("request-id")),
			coding: coding(resp.Header.Get("Content-Encoding")), retryAfter: retryAfter(resp, found.Own),
		}
		refusal.body, _ = readBody(resp, maxErrorBody) // of a refusal, the status counts; its text may be cut
		return c.newError(refusal)
	})
	return found, err
}

// knock asks the host behind a report's link for a sign of life. Any answer is one.
// Nothing of the link but its host is told.
func (c *Client) knock(ctx context.Context, location string) (string, error) {
	link, err := url.Parse(location)
	if err != nil || link.Host == "" {
		return "", errors.New("the report's link is not a URL")
	}
	host := c.clean(link.Host)
	if !c.mayDownload(link) {
		return host, errors.New("it is not a host of Microsoft's reports")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, link.String(), nil)
	if err != nil {
		return host, errors.New("the report's link is not a URL")
	}
	resp, err := c.bare.RoundTrip(req)
	if err != nil {
		a := &answer{location: location}
		return host, fmt.Errorf("no answer: %s", a.withoutLink(c.clean(err.Error())))
	}
	resp.Body.Close()
	return host, nil
}
