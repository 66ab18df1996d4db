package graph

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
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
	turn   chan struct{} // holds one value; who has taken it may sign in
	now    atomic.Pointer[token]
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
	if now := t.now.Load(); now != nil && good(now) {
		return now, nil
	}
	fresh, err := t.signIn(ctx)
	if err != nil {
		return nil, err
	}
	t.now.Store(fresh)
	return fresh, nil
}

// signIn fetches a token. Its error is an *AuthError, unless ctx ended.
func (t *tokens) signIn(ctx context.Context) (*token, error) {
	config := &t.client.config
	var fresh *token
	var refused *AuthError
	attempts := 0
	err := t.client.try(ctx, Event{Source: "sign-in"}, func(ctx context.Context) (err error) {
		attempts++
		var answer *oauth2.Token
		answer, refused, err = t.ask(ctx)
		if err != nil {
			return err
		}
		life := lifetime(answer)
		fresh = &token{
			access:  answer.AccessToken,
			claims:  readClaims(answer.AccessToken),
			renewAt: config.Now().Add(life - min(5*time.Minute, life/2)),
		}
		return nil
	})
	switch {
	case err == nil:
		return fresh, nil
	case ctx.Err() != nil:
		return nil, err
	case refused != nil:
		refused.Attempts = attempts
		return nil, refused
	default:
		return nil, &AuthError{Tenant: config.Tenant, Attempts: attempts, Err: err}
	}
}

// ask makes one attempt at a token. The error is a *fault when another attempt may
// help. The OAuth library's texts quote the answer whole, so none of them is
// passed on.
func (t *tokens) ask(ctx context.Context) (*oauth2.Token, *AuthError, error) {
	answer, err := t.flow.Token(context.WithValue(ctx, oauth2.HTTPClient, &http.Client{
		Transport:     t.client.bare,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}))
	if err == nil {
		return answer, nil, nil
	}
	if unsent, ok := errors.AsType[*url.Error](err); ok {
		return nil, nil, t.client.networkFault(unsent.Err)
	}
	refusal, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		const text = "the login host's answer holds no token"
		return nil, nil, &fault{err: errors.New(text), text: text, hint: "check the login root and the proxy"}
	}
	refused := newAuthError(t.client, refusal)
	status := refusal.Response.StatusCode
	if status >= 500 || status == http.StatusTooManyRequests || refused.Code == "temporarily_unavailable" || refused.Code == "server_error" {
		text := refused.Error()
		return nil, refused, &fault{err: errors.New(text), text: text, wait: retryAfter(refusal.Response, t.client.config.Now())}
	}
	return nil, refused, refused
}

// lifetime is how long the login host says the token is good for. The library
// reckons an expiry by the system's clock, which need not be ours.
func lifetime(answer *oauth2.Token) time.Duration {
	seconds, err := strconv.ParseFloat(fmt.Sprint(answer.Extra("expires_in")), 64)
	if err != nil || !(seconds > 0) {
		return 10 * time.Minute // unsaid; no token of Microsoft's lives shorter
	}
	return time.Duration(min(seconds, 1e6) * float64(time.Second))
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
