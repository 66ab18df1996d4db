package graph

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/oauth2"
)

// Person is who signed in, as the access token tells.
type Person struct {
	Name        string   // user principal name; "" when the token does not say
	Permissions []string // such as "User.Read.All"
}

// LogInByBrowser lets a person sign in with a browser on this machine, and stores
// the refresh token. It gives visit the address to open, and waits until the
// browser has come back, or ctx ends. A refusal is an *AuthError. The credential
// has to be a Delegated.
func (c *Client) LogInByBrowser(ctx context.Context, visit func(address string)) (*Person, error) {
	person, err := c.delegated()
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("wait for the browser: %w", err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		listener.Close()
		return nil, fmt.Errorf("wait for the browser: %w", err)
	}
	// Entra lets http://localhost have any port, and no other host or path.
	flow := oauth2.Config{
		ClientID: c.config.ClientID, RedirectURL: "http://localhost:" + port, Scopes: strings.Fields(person.scope(c)),
		Endpoint: oauth2.Endpoint{AuthURL: c.login.authorize.String()},
	}
	state, verifier := rand.Text(), oauth2.GenerateVerifier()
	c.hide(state, verifier)
	landed := land(listener, state)
	visit(flow.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier),
		oauth2.SetAuthURLParam("prompt", "select_account"), oauth2.SetAuthURLParam("response_mode", "query")))
	came, err := landed.wait(ctx)
	if err != nil {
		return nil, err
	}
	code := came.Get("code")
	if code == "" {
		return nil, newAuthError(c, 0, came.Get("error"), came.Get("error_description"))
	}
	c.hide(code)
	return c.enter(ctx, person.Store, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {flow.RedirectURL}, "code_verifier": {verifier},
		"scope": {person.scope(c)},
	})
}

// Prompt is what a person has to do to sign in on another device.
type Prompt struct {
	Address string // to open
	Code    string // to enter there
}

// LogInByCode lets a person sign in with a browser on any device, and stores the
// refresh token. It gives show what to do, and asks until it is done, or ctx
// ends. A refusal is an *AuthError. The credential has to be a Delegated.
func (c *Client) LogInByCode(ctx context.Context, show func(Prompt)) (*Person, error) {
	person, err := c.delegated()
	if err != nil {
		return nil, err
	}
	device, err := c.device(ctx, person)
	if err != nil {
		return nil, err
	}
	show(Prompt{Address: printable(device.VerificationURI), Code: printable(device.UserCode)})
	const (
		usual   = 5 * time.Second // between two questions, when the login host does not say
		longest = time.Hour       // a code lives a quarter of that
	)
	interval := usual
	if device.Interval > 0 {
		interval = time.Duration(device.Interval) * time.Second
	}
	for waited := interval; ; waited += interval {
		if err := c.config.Sleep(ctx, interval); err != nil {
			return nil, err
		}
		signedIn, err := c.enter(ctx, person.Store, url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {device.DeviceCode},
		})
		refused, ok := errors.AsType[*AuthError](err)
		switch {
		case ok && waited < longest && refused.Code == "authorization_pending":
		case ok && waited < longest && refused.Code == "slow_down":
			interval += usual // as RFC 8628 has it
		default:
			return signedIn, err
		}
	}
}

// device asks for a code.
func (c *Client) device(ctx context.Context, person Delegated) (*oauth2.DeviceAuthResponse, error) {
	flow := oauth2.Config{
		ClientID: c.config.ClientID, Scopes: strings.Fields(person.scope(c)),
		Endpoint: oauth2.Endpoint{DeviceAuthURL: c.login.device.String()},
	}
	var device *oauth2.DeviceAuthResponse
	err := c.token.insist(ctx, func(ctx context.Context) (err error) {
		device, err = flow.DeviceAuth(c.plain(ctx))
		switch {
		case err != nil:
			return c.token.failed(err)
		case device.DeviceCode == "" || device.UserCode == "":
			return c.token.senseless()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.hide(device.DeviceCode)
	return device, nil
}

func (c *Client) delegated() (Delegated, error) {
	d, ok := c.config.Credential.(Delegated)
	if !ok {
		return d, fmt.Errorf("tenant %s signs in without a person", c.config.Tenant)
	}
	return d, nil
}

// enter redeems what a person's sign-in has brought, and stores the refresh token.
func (c *Client) enter(ctx context.Context, store TokenStore, form url.Values) (*Person, error) {
	var answer *oauth2.Token
	err := c.token.insist(ctx, func(ctx context.Context) (err error) {
		answer, err = c.token.post(ctx, form)
		return err
	})
	if err != nil {
		return nil, err
	}
	if answer.RefreshToken == "" {
		return nil, &AuthError{Tenant: c.config.Tenant, Err: errors.New("the login host gave no refresh token: " +
			"have an administrator grant offline_access to the application")}
	}
	if err := store.Put(ctx, answer.RefreshToken); err != nil {
		return nil, err
	}
	fresh := c.token.read(answer)
	c.token.now.Store(fresh)
	return &Person{Name: printable(fresh.claims.Name), Permissions: strings.Fields(fresh.claims.Scopes)}, nil
}

// printable is a server's text without what a terminal would take for orders.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, text)
}

// landing is where a browser comes back to.
type landing struct {
	state  string
	came   chan url.Values // one, the first that knew the state
	server *http.Server
	done   sync.WaitGroup
}

// land serves until wait returns.
func land(listener net.Listener, state string) *landing {
	l := &landing{state: state, came: make(chan url.Values, 1)}
	l.server = &http.Server{Handler: l, ReadHeaderTimeout: 10 * time.Second}
	l.server.SetKeepAlivesEnabled(false)
	l.done.Go(func() {
		_ = l.server.Serve(listener) // ends when the server is shut
	})
	return l
}

// wait is what the browser brought.
func (l *landing) wait(ctx context.Context) (url.Values, error) {
	defer l.done.Wait()
	defer l.shut(context.WithoutCancel(ctx))
	select {
	case came := <-l.came:
		return came, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// shut lets the browser have its last page.
func (l *landing) shut(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if l.server.Shutdown(ctx) != nil {
		l.server.Close()
	}
}

// ServeHTTP takes the login host's answer out of the address. Whoever does not
// know the state was not sent by the login host: the wait goes on.
func (l *landing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	came := r.URL.Query()
	known := subtle.ConstantTimeCompare([]byte(came.Get("state")), []byte(l.state)) == 1
	text := "You are signed in. You may close this window."
	switch {
	case r.URL.Path != "/" || r.Method != http.MethodGet:
		w.WriteHeader(http.StatusNotFound)
		return
	case !known:
		w.WriteHeader(http.StatusBadRequest)
		text = "This does not belong to the sign-in that is under way."
	case came.Get("code") == "":
		text = "The sign-in failed. The program you came from says why."
	}
	fmt.Fprintf(w, "<!DOCTYPE html><html><head><title>seatlake</title></head><body><p>%s</p></body></html>", text)
	if known {
		select {
		case l.came <- came:
		default: // it came before
		}
	}
}
