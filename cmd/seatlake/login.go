package main

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"seatlake/extract/graph"
)

func (a *app) loginCommand() *cobra.Command {
	var tenants []string
	var noBrowser bool
	var what string
	cmd := &cobra.Command{
		Use:   "login",
		Short: "Sign a person in to the tenants that are read on a person's behalf",
		Long: `Signs a person in to each tenant whose auth.method is authorization_code or
device_code, and stores the refresh token for the runs that follow: in the keyring of
the operating system or, where there is none, in an encrypted file. Where runs are
scheduled, and the keyring is locked then, set token_store: file, and
SEATLAKE_TOKEN_PASSPHRASE if the file is to be worth nothing without it.

With authorization_code a browser on this machine opens; the app registration needs
the redirect address http://localhost on its mobile and desktop platform. With
device_code any browser will do; the registration needs public client flows allowed.

A sign-in asks for the permissions by name that reading the configured sources takes,
or those of auth.permissions, and for none that writes. --for reclaim asks for
LicenseAssignment.ReadWrite.All besides, and --for reclaim-groups for
GroupMember.ReadWrite.All, too: for "reclaim apply" and "rollback", which use a token
of their own that no other command asks for.`,
		Example: "  seatlake login\n  seatlake login --tenant contoso --no-browser\n  seatlake login --tenant contoso --for reclaim",
		Args:    cobra.NoArgs,
		RunE: action(func(ctx context.Context, _ []string) error {
			p, err := findPurpose(what)
			if err != nil {
				return err
			}
			cfg, err := a.config()
			if err != nil {
				return err
			}
			selected, err := selectPersons(cfg, tenants)
			if err != nil {
				return err
			}
			for _, t := range selected {
				if err := a.logIn(ctx, t, p, !noBrowser); err != nil {
					return fmt.Errorf("tenant %s: %w", t.Name, err)
				}
			}
			return nil
		}),
	}
	cmd.Flags().StringArrayVar(&tenants, "tenant", nil, "sign in to the tenant of this `name` only; may be repeated")
	cmd.Flags().StringVar(&what, "for", forReading.name, "sign in for `purpose` reading, reclaim or reclaim-groups")
	cmd.Flags().BoolVar(&noBrowser, "no-browser", false, "print the address to open, and open no browser")
	return cmd
}

// selectPersons is the tenants that a person signs in to, of those named or of all.
func selectPersons(cfg *Config, names []string) ([]Tenant, error) {
	selected, err := selectTenants(cfg, names)
	if err != nil {
		return nil, err
	}
	var out []Tenant
	for _, t := range selected {
		m, _ := findMethod(t.Auth.Method)
		switch {
		case m.person:
			out = append(out, t)
		case len(names) > 0:
			return nil, usage("tenant %s signs in by %s, which takes no login; a person signs in by authorization_code or device_code", t.Name, t.Auth.Method)
		}
	}
	if len(out) == 0 {
		return nil, usage("no tenant of %s takes a login: none has auth.method authorization_code or device_code", cfg.Path)
	}
	return out, nil
}

func (a *app) logIn(ctx context.Context, t Tenant, p purpose, browser bool) error {
	store := t.tokens(p)
	credential := t.person(p)
	credential.Store = store
	client, err := graph.New(graph.Config{
		Tenant: t.Name, Graph: t.Cloud.Graph, Login: t.Cloud.Login, DirectoryID: t.ID, ClientID: t.Auth.ClientID,
		Credential: credential, Now: a.now, Sleep: a.sleep, UserAgent: "seatlake/" + version(),
	})
	if err != nil {
		return err
	}
	defer client.Close()
	var person *graph.Person
	if t.Auth.Method == "device_code" {
		person, err = client.LogInByCode(ctx, func(p graph.Prompt) {
			fmt.Fprintf(a.out, "To sign in to %s, open %s in any browser and enter the code %s\n", t.Name, p.Address, p.Code)
		})
	} else {
		person, err = client.LogInByBrowser(ctx, func(address string) {
			fmt.Fprintf(a.out, "To sign in to %s, open this address in a browser on this machine:\n\n  %s\n\n", t.Name, address)
			if !browser {
				return
			}
			if err := openBrowser(address); err != nil {
				fmt.Fprintf(a.err, "No browser could be opened: %v\n", err)
			}
		})
	}
	if err != nil {
		return err
	}
	who := person.Name
	if who == "" {
		who = "a person whom the token does not name"
	}
	fmt.Fprintf(a.out, "Signed in to %s as %s, with %s.\nThe refresh token is in %s.\n", t.Name, who, permissionList(person.Permissions), store.Kept())
	return nil
}

func permissionList(permissions []string) string {
	if len(permissions) == 0 {
		return "no permission in Graph: grant the application delegated permissions, and sign in again"
	}
	return strings.Join(permissions, ", ")
}

// openBrowser hands an address to the desktop. It does not wait for the browser.
func openBrowser(address string) error {
	name, args := "xdg-open", []string{address}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", address}
	}
	cmd := exec.Command(name, args...)
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Release()
}
