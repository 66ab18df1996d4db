package graph

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// The chain of a request to Graph, from the outside in:
//
//	readOnly  refuses what is not a read, or one of the few writes of a Writer
//	pace      holds each request back until Graph's limits let it through
//	authorize adds the token, refuses foreign hosts, renews a refused token once
//	wire      counts, and breaks off a connection that went silent
//
// Sign-in and downloads go through readOnly and wire alone. None of them follows
// a redirect.

// newTransport is tuned for a few hosts and several sources at a time. Bodies stay
// in the coding they came in, because pages are kept as they came.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          32,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   15 * time.Second,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true,
	}
}

// newDirectTransport is for an address of the machine itself, which no proxy
// reaches and which answers at once or not at all.
func newDirectTransport() *http.Transport {
	t := newTransport()
	t.Proxy = nil
	t.DialContext = (&net.Dialer{Timeout: identityDial}).DialContext
	return t
}

// errRefused is the kind of every request that is not sent because it would break
// a promise. It is never retried.
var errRefused = errors.New("refused")

// readOnly lets reads through, the POSTs that signing in takes, and the writes of a
// Writer.
type readOnly struct {
	next     http.RoundTripper
	signIn   []*url.URL // where a POST may go
	writable *url.URL   // the root of Graph, for a Writer; else nil
}

func (t *readOnly) RoundTrip(req *http.Request) (*http.Response, error) {
	signIn := req.Method == http.MethodPost && slices.ContainsFunc(t.signIn, func(u *url.URL) bool {
		return sameOrigin(req.URL, u) && req.URL.Path == u.Path
	})
	write := t.writable != nil && isWrite(req, t.writable)
	if req.Method != http.MethodGet && req.Method != http.MethodHead && !signIn && !write {
		return nil, fmt.Errorf("%w: %s %s%s is not a read", errRefused, req.Method, req.URL.Host, req.URL.Path)
	}
	return t.next.RoundTrip(req)
}

// authorize is the only place where a request gets the token.
type authorize struct {
	next   http.RoundTripper
	root   *url.URL
	tokens *tokens
}

func (t *authorize) RoundTrip(req *http.Request) (*http.Response, error) {
	if !sameOrigin(req.URL, t.root) {
		return nil, fmt.Errorf("%w: the token is for %s, not for %s", errRefused, t.root.Host, req.URL.Host)
	}
	token, err := t.tokens.get(req.Context())
	if err != nil {
		return nil, err
	}
	resp, err := t.next.RoundTrip(signed(req, token))
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	// The token was revoked, or the clocks differ: once, a new one may help.
	discard(resp)
	token, err = t.tokens.renew(req.Context(), token)
	if err != nil {
		return nil, err
	}
	if req.GetBody != nil { // the first attempt has read it
		body, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		req = req.Clone(req.Context())
		req.Body = body
	}
	return t.next.RoundTrip(signed(req, token))
}

// signed is the request with the token and an id of its own.
func signed(req *http.Request, token *token) *http.Request {
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+token.access)
	req.Header.Set("client-request-id", uuid.NewString())
	return req
}

// discard ends an answer nobody reads.
func discard(resp *http.Response) {
	io.Copy(io.Discard, io.LimitReader(resp.Body, maxErrorBody)) //nolint:errcheck // only to reuse the connection
	resp.Body.Close()
}

// errSilent is the fault of a server that stopped sending.
var errSilent = errors.New("the server went silent")

// wire is the innermost transport. It breaks off when nothing arrives for a
// while, be it the header or the next bytes of the body.
type wire struct {
	next    http.RoundTripper
	silence time.Duration
	agent   string // User-Agent
	stats   *counters
}

func (t *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	t.stats.requests.Add(1)
	ctx, cancel := context.WithCancelCause(req.Context())
	timer := time.AfterFunc(t.silence, func() { cancel(errSilent) })
	req = req.Clone(ctx)
	req.Header.Set("User-Agent", t.agent)
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		timer.Stop()
		err = cause(ctx, err)
		cancel(nil)
		return nil, err
	}
	resp.Body = &body{ReadCloser: resp.Body, wire: t, ctx: ctx, cancel: cancel, timer: timer}
	return resp, nil
}

// body is an answer's body under the eyes of wire.
type body struct {
	io.ReadCloser
	wire   *wire
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.wire.stats.bytes.Add(int64(n))
	if err == nil {
		b.timer.Reset(b.wire.silence)
		return n, nil
	}
	b.timer.Stop()
	if !errors.Is(err, io.EOF) {
		err = cause(b.ctx, err)
	}
	return n, err
}

func (b *body) Close() error {
	b.timer.Stop()
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

// cause is why the context ended, if it did, and else the error itself.
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil {
		return c
	}
	return err
}

// sameOrigin says that both URLs have one scheme, host and port.
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	default:
		return "80"
	}
}

// loopback says that the URL's host is this machine.
func loopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
