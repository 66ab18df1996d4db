// Package graph reads a tenant from Microsoft Graph: it signs in, asks for each
// source page by page, and hands the answers on byte for byte.
//
// It promises that
//   - a page that is yielded is whole: its coding, its JSON envelope or its CSV
//     header have been checked, and a damaged one was asked for again;
//   - the access token reaches the configured Graph root and nothing else, and
//     a credential the login root, or the managed identity's endpoint, and nothing
//     else;
//   - nothing but reads is sent, except by a Writer;
//   - no error, event or page holds a token, a secret or a pre-authenticated
//     link;
//   - a source either ends after its last page or in an error. Part of a source
//     is never presented as all of it.
//
// It leaves out what pages mean: decoding is extract/decode's, and rows that come
// twice are dropped downstream.
package graph

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Config is how a tenant is reached. Tenant, Graph, Login, DirectoryID, ClientID
// and Credential are needed; the zero value of everything else is right.
type Config struct {
	Tenant string // the configured name, for errors

	// Graph and Login are the roots of a cloud, such as
	// "https://graph.microsoft.com" and "https://login.microsoftonline.com".
	// Plain http is taken for loopback addresses only.
	Graph, Login string

	DirectoryID string // GUID or verified domain of the tenant
	ClientID    string // application registration; "" for a machine's own managed identity
	Credential  Credential

	// ReportHosts are host suffixes from which reports may be downloaded, besides
	// the Graph root's own host. Nil means MicrosoftReportHosts. When the Graph root
	// is a loopback address, any loopback host and port is allowed too.
	ReportHosts []string

	Transport http.RoundTripper                          // nil: a tuned http.Transport
	Now       func() time.Time                           // nil: the system's clock
	Sleep     func(context.Context, time.Duration) error // nil: a timer; must end early with ctx
	Jitter    func() float64                             // in [0, 1), safe for concurrent use; nil: random

	// Pacer keeps Graph's limits. Clients of one application share one, whatever
	// their tenants. Nil: one of the client's own.
	Pacer *Pacer

	// PublishedLimits has the limits that Microsoft publishes kept from the first
	// request, also where Graph's root is not Microsoft's.
	PublishedLimits bool

	Attempts int           // per request, the first included; 0: 6
	Silence  time.Duration // how long a server may send nothing; 0: 2 minutes

	// SpoolDir is where the bodies of long reports are kept while they are read,
	// a temporary file each, which goes when its page is released. "" is the
	// system's directory for such files.
	SpoolDir string

	// HoldReports keeps long reports in memory, as they came over the wire, so that
	// no name in them is on a disk.
	HoldReports bool

	Progress  func(Event) // may be nil; called from several goroutines
	UserAgent string      // "" : "seatlake"
}

// Client reads one tenant. It is safe for concurrent use; all sources share its
// token and its regard for throttling.
type Client struct {
	config      Config
	root        *url.URL // Graph
	login       endpoints
	reportHosts []string // lower-case suffixes without leading dots

	graph  http.RoundTripper // signs in; refuses other hosts than root
	bare   http.RoundTripper // sends what it is given
	direct http.RoundTripper // sends what it is given, past any proxy
	near   http.RoundTripper // beneath direct
	token  *tokens

	hidden hidden
	stats  counters

	signInsDenied atomic.Bool // of one user

	mu    sync.Mutex
	notes map[string][]string // by source
}

// New checks the configuration, naming every fault of it, and connects to
// nothing.
func New(c Config) (*Client, error) { return newClient(c, false) }

func newClient(c Config, writes bool) (*Client, error) {
	root, login, err := c.check()
	if err != nil {
		return nil, fmt.Errorf("graph client of tenant %s: %w", c.Tenant, err)
	}
	near := c.Transport
	if near == nil {
		near = newDirectTransport()
	}
	c = c.withDefaults()
	client := &Client{config: c, root: root, hidden: hidden{secrets: map[string]bool{}}, notes: map[string][]string{}}
	for _, host := range c.ReportHosts {
		if host = strings.ToLower(strings.TrimLeft(host, "*.")); host != "" {
			client.reportHosts = append(client.reportHosts, host)
		}
	}

	if client.login, err = newEndpoints(login, c.DirectoryID); err != nil {
		return nil, fmt.Errorf("graph client of tenant %s: %w", c.Tenant, err)
	}
	over := func(next http.RoundTripper) http.RoundTripper {
		return &wire{next: next, silence: c.Silence, agent: c.UserAgent, stats: &client.stats}
	}
	client.near = near
	client.bare = &readOnly{next: over(c.Transport), signIn: []*url.URL{client.login.token, client.login.device}}
	client.direct = &readOnly{next: over(near)}
	client.token = newTokens(client)
	var writable *url.URL
	if writes {
		writable = root
	}
	client.graph = &readOnly{writable: writable, next: &pace{
		next:  &authorize{next: over(c.Transport), root: root, tokens: client.token},
		pacer: c.Pacer, who: newParty(root, c.ClientID, c.DirectoryID, c.PublishedLimits), now: c.Now,
		ready: client.signedIn, hold: client.hold, queue: client.queue,
	}}
	return client, nil
}

// endpoints are a directory's at the login host.
type endpoints struct{ authorize, token, device *url.URL }

func newEndpoints(login *url.URL, directoryID string) (e endpoints, err error) {
	for name, u := range map[string]**url.URL{"authorize": &e.authorize, "token": &e.token, "devicecode": &e.device} {
		if *u, err = login.Parse(login.Path + "/" + directoryID + "/oauth2/v2.0/" + name); err != nil {
			return endpoints{}, err
		}
	}
	return e, nil
}

var (
	guid   = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	domain = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*(\.[A-Za-z0-9-]+)+$`)
)

// check names every fault of the configuration at once.
func (c *Config) check() (root, login *url.URL, err error) {
	var faults []error
	root, err = parseRoot(c.Graph)
	if err != nil {
		faults = append(faults, fmt.Errorf("graph root: %w", err))
	}
	login, err = parseRoot(c.Login)
	if err != nil {
		faults = append(faults, fmt.Errorf("login root: %w", err))
	}
	if !guid.MatchString(c.DirectoryID) && !domain.MatchString(c.DirectoryID) {
		faults = append(faults, fmt.Errorf("directory id %q: want the tenant's GUID or one of its verified domains", c.DirectoryID))
	}
	if c.Credential == nil {
		faults = append(faults, errors.New("credential is missing"))
	} else if err := c.Credential.check(c); err != nil {
		faults = append(faults, err)
	}
	return root, login, errors.Join(faults...)
}

func parseRoot(root string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSuffix(root, "/"))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q is not a URL", root)
	case u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%q: want a URL such as https://host", root)
	case u.Scheme == "https", u.Scheme == "http" && loopback(u):
		return u, nil
	default:
		return nil, fmt.Errorf("%q: want https; plain http is for loopback addresses only", root)
	}
}

// MicrosoftReportHosts are office.com and its siblings in other clouds.
func MicrosoftReportHosts() []string {
	return []string{"office.com", "office365.us", "partner.outlook.cn"}
}

func (c Config) withDefaults() Config {
	if c.ReportHosts == nil {
		c.ReportHosts = MicrosoftReportHosts()
	}
	if c.Transport == nil {
		c.Transport = newTransport()
	}
	if c.Now == nil {
		c.Now = time.Now //nolint:forbidigo // the default of the injected clock
	}
	if c.Sleep == nil {
		c.Sleep = sleep
	}
	if c.Jitter == nil {
		c.Jitter = rand.Float64
	}
	if c.Pacer == nil {
		c.Pacer = NewPacer(nil)
	}
	if c.Attempts <= 0 {
		c.Attempts = 6
	}
	if c.Silence <= 0 {
		c.Silence = 2 * time.Minute
	}
	if c.Progress == nil {
		c.Progress = func(Event) {}
	}
	if c.UserAgent == "" {
		c.UserAgent = "seatlake"
	}
	return c
}

// TenantID is the tenant's directory id as a lower-case GUID: the configured one,
// or else the one in the access token. It is an *AuthError when signing in fails.
func (c *Client) TenantID(ctx context.Context) (string, error) {
	if guid.MatchString(c.config.DirectoryID) {
		return strings.ToLower(c.config.DirectoryID), nil
	}
	token, err := c.token.get(ctx)
	if err != nil {
		return "", fmt.Errorf("directory id of tenant %s: %w", c.config.Tenant, err)
	}
	if id := token.claims.TenantID; guid.MatchString(id) {
		return strings.ToLower(id), nil
	}
	return "", fmt.Errorf("directory id of tenant %s: the access token does not say it for %s; configure the tenant's id as a GUID",
		c.config.Tenant, c.config.DirectoryID)
}

// Roles are the permissions the access token carries, such as "User.Read.All", be
// they the application's or a person's; nil when the token cannot be read. It is
// an *AuthError when signing in fails.
func (c *Client) Roles(ctx context.Context) ([]string, error) {
	token, err := c.token.get(ctx)
	if err != nil {
		return nil, fmt.Errorf("permissions of tenant %s: %w", c.config.Tenant, err)
	}
	return append(slices.Clone(token.claims.Roles), strings.Fields(token.claims.Scopes)...), nil
}

// Notes says to people what was left out of the source's pages when they were
// last read, and why. It is nil when they are all that was asked for.
func (c *Client) Notes(source string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.notes[source])
}

func (c *Client) note(source string, notes ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notes[source] = notes
}

// Close lets go of idle connections.
func (c *Client) Close() {
	for _, t := range []http.RoundTripper{c.config.Transport, c.near} {
		if t, ok := t.(interface{ CloseIdleConnections() }); ok {
			t.CloseIdleConnections()
		}
	}
}
