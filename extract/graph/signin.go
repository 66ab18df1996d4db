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
	Roles    []string `json:"roles"` // of an application
	Scopes   string   `json:"scp"`   // of a person, with spaces between them
	Name     string   `json:"upn"`
}

// tokens signs in when a token is needed and keeps it until shortly before it
// expires. One goroutine at a time signs in; the others wait for its token.
type tokens struct {
	client *Client
	turn   chan struct{} // holds one value; who has taken it may sign in
	now    atomic.Pointer[token]
}

func newTokens(c *Client) *tokens {
	t := &tokens{client: c, turn: make(chan struct{}, 1)}
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
	var answer *oauth2.Token
	err := t.insist(ctx, func(ctx context.Context) (err error) {
		answer, err = t.client.config.Credential.ask(ctx, t)
		return err
	})
	if err != nil {
		return nil, err
	}
	return t.read(answer), nil
}

// insist asks until there is an answer or none is to be had. Its error is an
// *AuthError, unless ctx ended.
func (t *tokens) insist(ctx context.Context, ask func(context.Context) error) error {
	attempts := 0
	err := t.client.try(ctx, Event{Source: "sign-in"}, func(ctx context.Context) error {
		attempts++
		return ask(ctx)
	})
	if err == nil || ctx.Err() != nil {
		return err
	}
	refused, ok := errors.AsType[*AuthError](err)
	if f, busy := errors.AsType[*fault](err); busy && f.refused != nil {
		refused, ok = f.refused, true
	}
	if !ok {
		refused = &AuthError{Tenant: t.client.config.Tenant, Err: err}
	}
	refused.Attempts = attempts
	return refused
}

// read makes an answer a token.
func (t *tokens) read(answer *oauth2.Token) *token {
	now := t.client.config.Now()
	life := lifetime(answer, now)
	return &token{
		access:  answer.AccessToken,
		claims:  readClaims(answer.AccessToken),
		renewAt: now.Add(life - min(5*time.Minute, life/2)),
	}
}

// post makes one attempt at a token with a form. Errors are as Credential.ask's.
//
// The library's request for client credentials is any request for a token, once
// the form has a grant_type.
func (t *tokens) post(ctx context.Context, form url.Values) (*oauth2.Token, error) {
	flow := clientcredentials.Config{
		ClientID:       t.client.config.ClientID,
		TokenURL:       t.client.login.token.String(),
		EndpointParams: form,
		AuthStyle:      oauth2.AuthStyleInParams,
	}
	answer, err := flow.Token(t.client.plain(ctx))
	if err != nil {
		return nil, t.failed(err)
	}
	t.client.hide(answer.RefreshToken)
	return answer, nil
}

// plain is a context in which the OAuth library sends over the bare transport and
// follows no redirect.
func (c *Client) plain(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, &http.Client{
		Transport:     c.bare,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	})
}

// failed makes the OAuth library's error ours. Its texts quote the answer whole,
// so none of them is passed on.
func (t *tokens) failed(err error) error {
	if unsent, ok := errors.AsType[*url.Error](err); ok {
		return t.client.networkFault(unsent.Err)
	}
	refusal, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return t.senseless()
	}
	e := newAuthError(t.client, refusal.Response.StatusCode, refusal.ErrorCode, refusal.ErrorDescription)
	if e.AADSTS == 0 { // a description need not say it
		e.explain(t.client, numberIn(refusal.Body))
	}
	return t.refused(e, refusal.Response)
}

// numberIn is Microsoft's number of the error as the answer lists it, or 0.
func numberIn(body []byte) int {
	var said struct {
		Numbers []int `json:"error_codes"`
	}
	if err := json.Unmarshal(body, &said); err != nil || len(said.Numbers) == 0 {
		return 0
	}
	return said.Numbers[0]
}

// senseless is the error of an answer that is neither a token nor a refusal.
func (t *tokens) senseless() error {
	const text = "the login host's answer holds no token"
	return &fault{err: errors.New(text), text: text, hint: "check the login root and the proxy"}
}

// refused is the error of an attempt that was answered with a refusal.
func (t *tokens) refused(refused *AuthError, resp *http.Response) error {
	switch {
	case refused.Status >= 500, refused.Status == http.StatusTooManyRequests,
		refused.Code == "temporarily_unavailable", refused.Code == "server_error":
		text := refused.Error()
		return &fault{err: errors.New(text), text: text, wait: retryAfter(resp, t.client.config.Now()), refused: refused}
	default:
		return refused
	}
}

// lifetime is how long the login host says the token is good for. The library
// reckons an expiry by the system's clock, which need not be ours. Managed
// identities may say an instant instead.
func lifetime(answer *oauth2.Token, now time.Time) time.Duration {
	seconds, err := strconv.ParseFloat(fmt.Sprint(answer.Extra("expires_in")), 64)
	if err != nil || !(seconds > 0) {
		var until float64
		until, err = strconv.ParseFloat(fmt.Sprint(answer.Extra("expires_on")), 64)
		seconds = until - float64(now.Unix())
	}
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
