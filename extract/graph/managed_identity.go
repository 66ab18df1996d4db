package graph

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"
)

// ManagedIdentity is the identity Azure gives to a machine, which asks for tokens
// at an address that only the machine reaches. With Config.ClientID it is the
// user-assigned identity of that client id, without one the machine's own.
type ManagedIdentity struct {
	// Endpoint is where tokens are asked for. "" is the instance metadata service of
	// virtual machines; App Service, Functions and Container Apps say theirs in
	// IDENTITY_ENDPOINT.
	Endpoint string
	// Header is what App Service and its kin want to see, from IDENTITY_HEADER. It
	// is a secret; "" for the instance metadata service.
	Header string
}

// metadataService is the instance metadata service of Azure's virtual machines.
const metadataService = "http://169.254.169.254/metadata/identity/oauth2/token"

// identityDial bounds the connection to an address nearby: elsewhere than in Azure
// nothing answers there.
const identityDial = 3 * time.Second

// String keeps the header out of prints.
func (ManagedIdentity) String() string { return "managed identity" }

func (m ManagedIdentity) check(*Config) error { return m.Validate() }

// Validate says what is wrong with the endpoint. It quotes nothing.
func (m ManagedIdentity) Validate() error {
	if m.Endpoint == "" && m.Header != "" {
		return errors.New("the managed identity has a header and no endpoint to send it to")
	}
	_, err := m.endpoint()
	return err
}

// endpoint takes plain http within the machine and its link only, where Azure's
// endpoints are.
func (m ManagedIdentity) endpoint() (*url.URL, error) {
	if m.Endpoint == "" {
		return url.Parse(metadataService)
	}
	u, err := url.Parse(m.Endpoint)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("managed identity endpoint: is not a URL such as " + metadataService)
	}
	ip := net.ParseIP(u.Hostname())
	near := loopback(u) || ip != nil && ip.IsLinkLocalUnicast()
	if u.Scheme != "https" && (u.Scheme != "http" || !near) {
		return nil, errors.New("managed identity endpoint: plain http is for loopback and link-local addresses only")
	}
	return u, nil
}

func (m ManagedIdentity) ask(ctx context.Context, t *tokens) (*oauth2.Token, error) {
	req, err := m.request(ctx, t.client)
	if err != nil {
		return nil, err
	}
	resp, err := t.client.direct.RoundTrip(req)
	if err != nil {
		failed := t.client.networkFault(err)
		if f, ok := errors.AsType[*fault](failed); ok {
			f.hint = "managed identities answer in Azure only, on machines that have one: assign one, or use another method to sign in"
		}
		return nil, failed
	}
	defer discard(resp)
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	if err != nil {
		return nil, t.client.networkFault(err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, m.refusal(t, resp, body)
	}
	var answer map[string]any
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, t.senseless()
	}
	access, _ := answer["access_token"].(string)
	if access == "" {
		return nil, t.senseless()
	}
	token := &oauth2.Token{AccessToken: access}
	return token.WithExtra(answer), nil
}

func (m ManagedIdentity) request(ctx context.Context, c *Client) (*http.Request, error) {
	u, err := m.endpoint()
	if err != nil {
		return nil, err
	}
	query := url.Values{"resource": {c.audience()}, "api-version": {"2018-02-01"}}
	if m.Header != "" {
		query.Set("api-version", "2019-08-01")
	}
	if c.config.ClientID != "" {
		query.Set("client_id", c.config.ClientID)
	}
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	if m.Header != "" {
		c.hide(m.Header)
		req.Header.Set("X-IDENTITY-HEADER", m.Header)
	} else {
		req.Header.Set("Metadata", "true")
	}
	return req, nil
}

// refusal reads either of the two forms an endpoint refuses in. Not found and gone
// are what the metadata service says while it is updated; they pass.
func (m ManagedIdentity) refusal(t *tokens, resp *http.Response, body []byte) error {
	var said struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Message     string `json:"message"` // App Service
	}
	if json.Unmarshal(body, &said) != nil {
		said.Error = ""
	}
	if said.Description == "" {
		said.Description = said.Message
	}
	refused := newAuthError(t.client, resp.StatusCode, said.Error, said.Description)
	if refused.AADSTS == 0 && resp.StatusCode < 500 && resp.StatusCode != http.StatusTooManyRequests {
		refused.Hint = m.advice()
	}
	if resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone {
		text := refused.Error()
		return &fault{err: errors.New(text), text: text, wait: retryAfter(resp, t.client.config.Now()), refused: refused}
	}
	return t.refused(refused, resp)
}

func (m ManagedIdentity) advice() string {
	return "check that the machine has a managed identity, and that client id, if configured, is that of one assigned to it"
}
