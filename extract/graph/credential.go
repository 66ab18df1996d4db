package graph

import (
	"context"
	"errors"
	"net/url"

	"golang.org/x/oauth2"
)

// ClientSecret is the credential of an application that has a secret.
func ClientSecret(secret string) Credential { return &clientSecret{secret} }

type clientSecret struct{ value string }

// String keeps the secret out of prints.
func (*clientSecret) String() string { return "client secret" }

func (s *clientSecret) check(c *Config) error {
	var missing error
	if s.value == "" {
		missing = errors.New("client secret is missing")
	}
	return errors.Join(needClientID(c), missing)
}

func (s *clientSecret) ask(ctx context.Context, t *tokens) (*oauth2.Token, error) {
	t.client.hide(s.value)
	return t.post(ctx, url.Values{
		"grant_type": {"client_credentials"}, "scope": {t.client.scope()}, "client_secret": {s.value},
	})
}

func needClientID(c *Config) error {
	if c.ClientID == "" {
		return errors.New("client id is missing")
	}
	return nil
}

// scope is all that was granted to the application in Graph.
func (c *Client) scope() string { return c.root.Scheme + "://" + c.root.Host + "/.default" }
