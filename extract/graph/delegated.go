package graph

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"strings"

	"golang.org/x/oauth2"
)

// Delegated is the credential of a person who has signed in once, by
// Client.LogInByBrowser or Client.LogInByCode, and acts through the application
// since. It needs an application that is a public client.
//
// Permissions are asked for by name, at the sign-in and with each access token, so
// that a token is good for what its command does and no more. The login host gives
// those that were consented to, and refuses when one was not.
type Delegated struct {
	Store TokenStore

	// Permissions are such as "User.Read.All". Nil asks for those that reading takes.
	Permissions []string

	// LogIn is the command by which the person signs in, for errors; "" is
	// "seatlake login".
	LogIn string
}

// TokenStore keeps one person's refresh token from run to run. It is a secret.
type TokenStore interface {
	// Update gives fn the token that is stored, or "" when there is none, and stores
	// the one that fn returns. From before the token is read until after it is
	// stored, no one else is within Update, in this process or another. An error of
	// fn is returned as it is, and leaves what is stored.
	Update(ctx context.Context, fn func(stored string) (string, error)) error
	// Put stores a token in place of whatever is stored, be it legible or not.
	Put(ctx context.Context, token string) error
}

func (d Delegated) check(c *Config) error {
	var missing error
	if d.Store == nil {
		missing = errors.New("the store of the refresh token is missing")
	}
	return errors.Join(needClientID(c), missing)
}

// ask redeems the refresh token. Each answer brings a new one, which lives for
// another 90 days; the login host does not revoke the old one, so a new one that
// is lost on the way costs nothing but those days.
func (d Delegated) ask(ctx context.Context, t *tokens) (*oauth2.Token, error) {
	var answer *oauth2.Token
	err := d.Store.Update(ctx, func(stored string) (string, error) {
		if stored == "" {
			return "", errors.New("nobody has signed in yet: " + d.logIn())
		}
		t.client.hide(stored)
		var err error
		answer, err = t.post(ctx, url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {stored}, "scope": {d.scope(t.client)},
		})
		if err != nil {
			return "", err
		}
		return cmp.Or(answer.RefreshToken, stored), nil
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

func (d Delegated) advice() string {
	return "check directory id and client id, and that the application allows public client flows; then " + d.again()
}

// again is what to do when a refresh token is good for nothing.
func (d Delegated) again() string { return "sign in again: " + d.logIn() }

func (d Delegated) logIn() string { return cmp.Or(d.LogIn, "seatlake login") }

// permissions are those that are asked for.
func (d Delegated) permissions() []string {
	if d.Permissions == nil {
		return ReadPermissions(everySource()...)
	}
	return d.Permissions
}

// scope is the permissions as the login host takes them, and a refresh token.
func (d Delegated) scope(c *Client) string {
	var scope strings.Builder
	for _, p := range d.permissions() {
		scope.WriteString(c.audience() + "/" + p + " ")
	}
	return scope.String() + "offline_access"
}
