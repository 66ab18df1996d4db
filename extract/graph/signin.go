package graph

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// token is an access token and what it says of itself.
type token struct {
	access  string
	renewAt time.Time
	claims  claims
}

// claims are the parts of a token's payload that concern a run. The token is for
// Graph, so they are read and not verified: Graph decides, they only explain.
type claims struct {
	TenantID string   `json:"tid"`
	Roles    []string `json:"roles"`
}

// tokens signs in when a token is needed and keeps it until shortly before it
// expires. One goroutine at a time signs in; the others wait for its token.
type tokens struct {
	client *Client
	flow   clientcredentials.Config
	turn   chan struct{} // holds one value; who has taken it owns current
	now    *token        // nil before the first sign-in
}

func newTokens(c *Client, tokenURL *url.URL) *tokens {
	t := &tokens{
		client: c,
		flow: clientcredentials.Config{
			ClientID:     c.config.ClientID,
			ClientSecret: c.config.ClientSecret,
			TokenURL:     tokenURL.String(),
			Scopes:       []string{c.root.Scheme + "://" + c.root.Host + "/.default"},
			AuthStyle:    oauth2.AuthStyleInParams,
		},
		turn: make(chan struct{}, 1),
	}
	t.turn <- struct{}{}
	return t
}

// get is a token that is valid for some minutes more.
func (t *tokens) get(ctx context.Context) (*token, error) {
	return t.take(ctx, func(now *token) bool { return t.client.config.Now().Before(now.renewAt) })
}

// renew is a token other than the refused one.
func (t *tokens) renew(ctx context.Context, refused *token) (*token, error) {
	return t.take(ctx, func(now *token) bool { return now.access != refused.access })
}

func (t *tokens) take(ctx context.Context, good func(*token) bool) (*token, error) {
	select {
	case <-t.turn:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { t.turn <- struct{}{} }()
	if t.now != nil && good(t.now) {
		return t.now, nil
	}
	fresh, err := t.signIn(ctx)
	if err != nil {
		return nil, err
	}
	t.now = fresh
	return fresh, nil
}

// current is the token in use, nil when there is none or one is being fetched.
func (t *tokens) current() *token {
	select {
	case <-t.turn:
		defer func() { t.turn <- struct{}{} }()
		return t.now
	default:
		return nil
	}
}

// signIn fetches a token. Its error is an *AuthError, unless ctx ended.
func (t *tokens) signIn(ctx context.Context) (*token, error) {
	config := &t.client.config
	var fresh *token
	err := t.client.try(ctx, Event{Source: "sign-in"}, func(ctx context.Context) error {
		answer, err := t.flow.Token(context.WithValue(ctx, oauth2.HTTPClient, &http.Client{
			Transport:     t.client.bare,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}))
		if err != nil {
			return t.refused(err)
		}
		life := time.Duration(answer.ExpiresIn) * time.Second
		fresh = &token{
			access:  answer.AccessToken,
			claims:  readClaims(answer.AccessToken),
			renewAt: config.Now().Add(life - min(5*time.Minute, life/2)),
		}
		return nil
	})
	if err == nil {
		return fresh, nil
	}
	if ctx.Err() != nil {
		return nil, err
	}
	var refused *AuthError
	if errors.As(err, &refused) {
		return nil, refused
	}
	return nil, &AuthError{
		Tenant: config.Tenant, Err: err,
		Hint: "check that the login root can be reached from here (name resolution, proxy, firewall)",
	}
}

// refused turns an error of the OAuth library into ours, and says whether another
// attempt may help. The library's own texts quote the answer whole, so none of
// them is passed on.
func (t *tokens) refused(err error) error {
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) {
		var transport *url.Error // names the URL, which adds nothing
		if errors.As(err, &transport) {
			return networkFault(transport.Err)
		}
		return &fault{err: errors.New("the login host's answer holds no token")}
	}
	refused := newAuthError(t.client, answer)
	busy := answer.Response.StatusCode >= 500 || answer.Response.StatusCode == http.StatusTooManyRequests ||
		answer.ErrorCode == "temporarily_unavailable" || answer.ErrorCode == "server_error"
	if busy {
		return &fault{err: refused, wait: retryAfter(answer.Response, t.client.config.Now())}
	}
	return refused
}

// readClaims reads a JWT's payload. Graph may issue tokens that are not JWTs; they
// say nothing.
func readClaims(access string) claims {
	var c claims
	parts := strings.Split(access, ".")
	if len(parts) != 3 {
		return c
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil || json.Unmarshal(payload, &c) != nil {
		return claims{}
	}
	return c
}
