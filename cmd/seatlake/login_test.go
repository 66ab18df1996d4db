package main

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/rogpeppe/go-internal/testscript"

	"seatlake/extract/graph/graphsim"
)

// browse opens an address as a browser whose person signs in at once.
func browse() {
	resp, err := http.Get(os.Args[len(os.Args)-1])
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// loginFlags are the flags of the command graph about signing in.
//
//	[-polls ANSWER,...] [-refuse GRANT:NUMBER] [-refresh-once]
//	[-certificate FILE] [-federated FILE] [-identity-header SECRET]
//
// FILE is written: the application's certificate with its key, or the token of an
// issuer that the application trusts.
type loginFlags struct {
	logins                                graphsim.Logins
	polls, refuse, certificate, federated string
}

func newLoginFlags(flags *flag.FlagSet) *loginFlags {
	f := &loginFlags{}
	flags.StringVar(&f.polls, "polls", "", "")
	flags.StringVar(&f.refuse, "refuse", "", "")
	flags.BoolVar(&f.logins.RefreshOnce, "refresh-once", false, "")
	flags.StringVar(&f.certificate, "certificate", "", "")
	flags.StringVar(&f.federated, "federated", "", "")
	flags.StringVar(&f.logins.IdentityHeader, "identity-header", "", "")
	return f
}

func (f *loginFlags) apply(ts *testscript.TestScript, server *graphsim.Server) error {
	if f.polls != "" {
		f.logins.Polls = strings.Split(f.polls, ",")
	}
	if grant, number, ok := strings.Cut(f.refuse, ":"); ok {
		n, err := strconv.Atoi(number)
		if err != nil {
			return err
		}
		f.logins.Refuse = map[string]int{grant: n}
	}
	if f.certificate != "" {
		_, c := certificate()
		f.logins.Certificates = []graphsim.Certificate{c.Raw}
		if err := os.WriteFile(ts.MkAbs(f.certificate), certificatePEM(), 0o600); err != nil {
			return err
		}
	}
	if f.federated != "" {
		key, _ := certificate()
		f.logins.Federation = &graphsim.Federation{Issuer: "https://cluster", Subject: "reader", Audience: "api://AzureADTokenExchange", Key: &key.PublicKey}
		token, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
			"iss": "https://cluster", "sub": "reader", "aud": "api://AzureADTokenExchange", "exp": scriptNow.Add(time.Hour).Unix(),
		}).SignedString(key)
		if err != nil {
			return err
		}
		if err := os.WriteFile(ts.MkAbs(f.federated), []byte(token), 0o600); err != nil {
			return err
		}
	}
	server.Logins(f.logins)
	return nil
}

func TestSelectPersons(t *testing.T) {
	tenants := func(methods ...string) *Config {
		c := &Config{Path: "seatlake.yaml"}
		for i, m := range methods {
			c.Tenants = append(c.Tenants, Tenant{Name: fmt.Sprint("t", i), Auth: Auth{Method: m}})
		}
		return c
	}
	for _, tt := range []struct {
		name  string
		cfg   *Config
		names []string
		want  string // names, or the error's begin
	}{
		{"all tenants of people are signed in to", tenants("client_secret", "device_code", "authorization_code"), nil, "t1 t2"},
		{"those that are named are", tenants("device_code", "device_code"), []string{"t1"}, "t1"},
		{"an application is not", tenants("certificate", "device_code"), []string{"t0"}, "tenant t0 signs in by certificate, which takes no login"},
		{"without people there is no login", tenants("client_secret"), nil, "no tenant of seatlake.yaml takes a login"},
		{"a name is one of the configuration's", tenants("device_code"), []string{"x"}, "--tenant x is not in the configuration"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			selected, err := selectPersons(tt.cfg, tt.names)
			var names []string
			for _, s := range selected {
				names = append(names, s.Name)
			}
			got := strings.Join(names, " ")
			if err != nil {
				got = err.Error()
			}
			if !strings.HasPrefix(got, tt.want) || err != nil && selected != nil {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
