package graph

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"seatlake/extract/decode"
	"seatlake/pipeline"
)

const (
	maxBody      = 1 << 30 // bytes of an answer; a usage report is one answer for all users
	maxErrorBody = 1 << 20 // bytes of a refusal
)

// fetch asks for one page until it is whole, and returns it with the link to the
// next one, or "".
func (c *Client) fetch(ctx context.Context, source string, number int, u *url.URL, csv bool) (*pipeline.Page, string, error) {
	e := Event{Source: source, Page: number, Request: u.RequestURI()}
	var page *pipeline.Page
	var next string
	attempts := 0
	err := c.try(ctx, e, func(ctx context.Context) (err error) {
		attempts++
		if csv {
			page, next, err = c.report(ctx, source, u)
		} else {
			page, next, err = c.collection(ctx, source, u)
		}
		return err
	})
	if err != nil {
		return nil, "", err
	}
	e.Kind, e.Attempt, e.Bytes = Answered, attempts, int(page.Size())
	c.config.Progress(e)
	return page, next, nil
}

// collection makes one attempt at a page of JSON.
func (c *Client) collection(ctx context.Context, source string, u *url.URL) (*pipeline.Page, string, error) {
	a, err := c.get(ctx, c.graph, u, false)
	if err != nil {
		return nil, "", err
	}
	if a.status != http.StatusOK {
		return nil, "", c.newError(a)
	}
	page := a.page(source)
	next, err := nextOf(page)
	if err != nil {
		return nil, "", c.damaged(a, err)
	}
	return page, next, nil
}

// report makes one attempt at a usage report: Graph answers with a link that is
// good for some minutes and needs no token, so it is followed at once, bare, and
// then forgotten. Some reports come in the answer itself, and that of Copilot may be
// JSON, which has pages.
func (c *Client) report(ctx context.Context, source string, u *url.URL) (*pipeline.Page, string, error) {
	a, err := c.get(ctx, c.graph, u, true)
	if err != nil {
		return nil, "", err
	}
	file := a
	switch a.status {
	case http.StatusOK:
	case http.StatusFound, http.StatusMovedPermanently, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		if file, err = c.download(ctx, a); err != nil {
			return nil, "", err
		}
	default:
		return nil, "", c.newError(a)
	}
	page := file.page(source)
	page.Request, page.RequestID = a.request, a.requestID
	next, err := checkReport(page)
	if err != nil {
		page.Release()
		return nil, "", c.damaged(a, err)
	}
	return page, next, nil
}

// checkReport refuses what is no usage report, and gives the link to its next page,
// if it has any.
func checkReport(page *pipeline.Page) (next string, err error) {
	if page.Source == pipeline.ReportCopilot {
		if is, err := decode.IsJSON(page); err != nil {
			return "", err
		} else if is {
			return nextOf(page)
		}
	}
	text, err := page.Reader()
	if err != nil {
		return "", err
	}
	defer text.Close()
	return "", decode.CheckCSV(text)
}

// nextOf is the link of a page of JSON to the next one, or "".
func nextOf(page *pipeline.Page) (string, error) {
	text, err := page.Text()
	if err != nil {
		return "", err
	}
	envelope, err := decode.ReadEnvelope(text)
	if err != nil {
		return "", err
	}
	if !envelope.HasValue && page.Source != pipeline.ReportSettings { // which is one object
		return "", errors.New(`it has no "value"`)
	}
	return envelope.NextLink, nil
}

// download follows a report's link. Its errors say nothing of the link but its
// host: who has the link has the report. A download that fails makes for another
// attempt, which asks Graph for another link.
func (c *Client) download(ctx context.Context, a *answer) (*answer, error) {
	link, err := url.Parse(a.location)
	if err != nil || link.Host == "" {
		return nil, c.damaged(a, errors.New("the report's link is not a URL"))
	}
	host := c.clean(link.Host)
	if !c.mayDownload(link) {
		return nil, fmt.Errorf("%w: the report's link leads to %s://%s, which is not a host of Microsoft's reports "+
			"(GET %s%s); if it is one, add it to the tenant's report_hosts in the configuration", errRefused, link.Scheme, host, a.path, idText(a.requestID))
	}
	file, err := c.get(ctx, c.bare, link, true)
	if err == nil && file.status == http.StatusOK {
		return file, nil
	}
	var wait time.Duration
	if err == nil {
		err, wait = fmt.Errorf("%d %s", file.status, http.StatusText(file.status)), file.retryAfter
	} else if f, passes := errors.AsType[*fault](err); passes {
		err = f.err // without the path, which is the link's
	} else {
		return nil, fmt.Errorf("download from %s: %w (GET %s%s)", host, err, a.path, idText(a.requestID))
	}
	return nil, &fault{
		err: err, wait: wait,
		text: fmt.Sprintf("download from %s: %s (GET %s%s)", host, a.withoutLink(c.clean(err.Error())), a.path, idText(a.requestID)),
		hint: "check that this host can be reached from here, and run again",
	}
}

// mayDownload says that a report's link leads where reports are kept.
func (c *Client) mayDownload(link *url.URL) bool {
	if link.User != nil {
		return false
	}
	if sameOrigin(link, c.root) {
		return true
	}
	if loopback(link) {
		return loopback(c.root) && (link.Scheme == "http" || link.Scheme == "https")
	}
	if link.Scheme != "https" {
		return false
	}
	host := strings.ToLower(link.Hostname())
	for _, suffix := range c.reportHosts {
		if host == suffix || strings.HasSuffix(host, "."+suffix) {
			return true
		}
	}
	return false
}

// answer is what came back over the wire, whole.
type answer struct {
	status     int
	request    string // path and query
	path       string
	requestID  string
	location   string // of a redirect; a secret
	coding     string
	body       []byte
	spool      *pipeline.Spool // holds the body in place of it; else nil
	retryAfter time.Duration
	observed   time.Time
}

// get sends one request and reads its answer to the end; a long report is spooled.
// An error is a *fault when another attempt may succeed.
func (c *Client) get(ctx context.Context, via http.RoundTripper, u *url.URL, report bool) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept-Encoding", "gzip")
	resp, err := via.RoundTrip(req)
	if err != nil {
		return nil, c.networkFault(err)
	}
	defer resp.Body.Close()
	a := &answer{
		status:     resp.StatusCode,
		request:    u.RequestURI(),
		path:       c.clean(u.Path),
		requestID:  c.clean(resp.Header.Get("request-id")),
		location:   resp.Header.Get("Location"),
		coding:     coding(resp.Header.Get("Content-Encoding")),
		retryAfter: retryAfter(resp, c.config.Now()),
		observed:   c.config.Now().UTC(),
	}
	if a.status != http.StatusOK {
		// Of a refusal, the status counts; its text may be cut.
		a.body, _ = readBody(resp, maxErrorBody)
		return a, nil
	}
	most := int64(maxBody)
	spooled := report && !c.config.HoldReports
	if spooled {
		most = pipeline.MaxHeld
	}
	a.body, err = readBody(resp, most)
	if err == nil && int64(len(a.body)) > most && spooled {
		a.spool, err = c.spool(a.body, resp.Body, maxBody)
		a.body = nil
	}
	switch {
	case errors.Is(err, errNoSpool):
		return nil, err
	case errors.Is(err, errTooLong), err == nil && int64(len(a.body)) > most:
		return nil, fmt.Errorf("the answer is larger than %d bytes", maxBody)
	case err != nil:
		return nil, c.damaged(a, err)
	}
	return a, nil
}

// readBody reads a body as it comes. A length that the answer states is believed
// once some of it has come, and costs no copies of a long body. It reads at most
// one byte more than a body may have.
func readBody(resp *http.Response, most int64) ([]byte, error) {
	stated := min(resp.ContentLength, most)
	in := io.LimitReader(resp.Body, most+1)
	body := make([]byte, 0, 32<<10)
	for {
		if len(body) == cap(body) {
			size := max(2*int64(len(body)), stated)
			body = append(make([]byte, 0, size+bytes.MinRead), body...)
		}
		n, err := in.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if errors.Is(err, io.EOF) {
			return body, nil
		}
		if err != nil {
			return body, err
		}
	}
}

// coding is a content coding as pages name it.
func coding(header string) string {
	switch h := strings.ToLower(strings.TrimSpace(header)); h {
	case "identity":
		return ""
	case "x-gzip":
		return "gzip"
	default:
		return h
	}
}

// page is the answer as a page without number.
func (a *answer) page(source string) *pipeline.Page {
	return &pipeline.Page{
		Source: source, Request: a.request, RequestID: a.requestID,
		Coding: a.coding, Body: a.body, Spool: a.spool, Observed: a.observed,
	}
}

// text is the body without its coding, empty when it is damaged.
func (a *answer) text() []byte {
	text, err := a.page("").Text()
	if err != nil {
		return nil
	}
	return text
}

// damaged is the fault of an answer that is not whole or not what was asked for.
func (c *Client) damaged(a *answer, err error) error {
	return &fault{
		err:  err,
		text: fmt.Sprintf("the answer is damaged: %s (GET %s%s)", a.withoutLink(c.clean(err.Error())), a.path, idText(a.requestID)),
		hint: "run again; if it stays, look for a proxy that changes answers, or give the request-id to Microsoft's support",
	}
}

// withoutLink is the text without the report's link, or parts of it, should a
// server repeat it.
func (a *answer) withoutLink(text string) string {
	link, err := url.Parse(a.location)
	if err != nil {
		return text
	}
	secrets := []string{link.EscapedPath(), link.Path, link.RawQuery}
	for _, values := range link.Query() {
		secrets = append(secrets, values...)
	}
	for _, secret := range secrets {
		if len(secret) >= minSecret {
			text = strings.ReplaceAll(text, secret, "[link]")
		}
	}
	return text
}
