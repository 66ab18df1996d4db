package graph

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"golang.org/x/oauth2"
)

// Credential is how the application, or a person by way of it, proves who it is:
// ClientSecret, *Certificate, FederatedToken, ManagedIdentity or Delegated.
type Credential interface {
	// check says what of the credential, or of what else it needs, is missing.
	check(*Config) error
	// ask makes one attempt at a token. The error is a *fault when another attempt
	// may help.
	ask(context.Context, *tokens) (*oauth2.Token, error)
	// advice is what a person can look at when the login host refuses and nothing
	// better is known.
	advice() string
}

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

func (s *clientSecret) advice() string { return "check directory id, client id and client secret" }

// FederatedToken is the credential of an application that another issuer vouches
// for, such as a Kubernetes cluster for a service account.
type FederatedToken struct {
	File string // holds the issuer's token; read on each use, because it is replaced often
}

func (f FederatedToken) check(c *Config) error {
	var missing error
	if f.File == "" {
		missing = errors.New("file of the federated token is missing")
	}
	return errors.Join(needClientID(c), missing)
}

func (f FederatedToken) ask(ctx context.Context, t *tokens) (*oauth2.Token, error) {
	text, err := os.ReadFile(f.File)
	if err != nil {
		return nil, fmt.Errorf("federated token: %w", err)
	}
	assertion := strings.TrimSpace(string(text))
	if assertion == "" {
		return nil, fmt.Errorf("federated token: %s is empty; what projects the token into it has not run", f.File)
	}
	return t.assert(ctx, assertion)
}

func (f FederatedToken) advice() string {
	return "check directory id, client id and the application's federated credentials"
}

// assert asks for a token with a signed statement in place of a secret.
func (t *tokens) assert(ctx context.Context, assertion string) (*oauth2.Token, error) {
	t.client.hide(assertion)
	return t.post(ctx, url.Values{
		"grant_type": {"client_credentials"}, "scope": {t.client.scope()},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion},
	})
}

func needClientID(c *Config) error {
	if c.ClientID == "" {
		return errors.New("client id is missing")
	}
	return nil
}

// audience is Graph as a token names it.
func (c *Client) audience() string { return c.root.Scheme + "://" + c.root.Host }

// scope is all that was granted to the application in Graph.
func (c *Client) scope() string { return c.audience() + "/.default" }
