package graph

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seatlake/extract/graph/graphsim"
	"seatlake/pipeline"
)

// scopeOf is how permissions are asked for at the login host.
func scopeOf(root string, permissions []string) string {
	var b strings.Builder
	for _, p := range permissions {
		b.WriteString(root + "/" + p + " ")
	}
	return b.String() + "offline_access"
}

func TestReadPermissions(t *testing.T) {
	want := []string{"AuditLog.Read.All", "LicenseAssignment.Read.All", "Organization.Read.All", "ReportSettings.Read.All", "Reports.Read.All", "User.Read.All"}
	if diff := cmp.Diff(want, ReadPermissions(everySource()...)); diff != "" {
		t.Errorf("all sources (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"AuditLog.Read.All", "User.Read.All"}, ReadPermissions(pipeline.Users, "nonsense")); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
	for _, p := range want {
		if MayWriteLicenses([]string{p}) || MayWriteMembers([]string{p}) {
			t.Errorf("%s writes", p)
		}
	}
}

func TestScopes(t *testing.T) {
	log := func(h *host) (scopes []string) {
		for _, r := range h.Log() {
			if r.Server == "login" && r.Scope != "" {
				scopes = append(scopes, strings.ReplaceAll(r.Scope, h.GraphURL+"/", ""))
			}
		}
		return scopes
	}

	t.Run("of a person name what is asked for, at the sign-in and afterwards", func(t *testing.T) {
		h, store := newHost(t, graphsim.Logins{}), &memory{}
		person := Delegated{Store: store, Permissions: []string{"User.Read.All", "AuditLog.Read.All"}}
		signedIn, err := h.client(person).LogInByCode(t.Context(), func(Prompt) {})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(person.Permissions, signedIn.Permissions); diff != "" {
			t.Errorf("signed in with (-want +got):\n%s", diff)
		}
		roles, err := h.client(person).Roles(t.Context())
		if diff := cmp.Diff(person.Permissions, roles); diff != "" || err != nil {
			t.Errorf("%v, refreshed (-want +got):\n%s", err, diff)
		}
		want := "User.Read.All AuditLog.Read.All offline_access"
		if diff := cmp.Diff([]string{want, want}, log(h)); diff != "" {
			t.Errorf("asked for (-want +got):\n%s", diff)
		}
	})

	t.Run("that nobody consented to are refused, with what to do", func(t *testing.T) {
		h, store := newHost(t, graphsim.Logins{}), &memory{}
		if _, err := h.client(Delegated{Store: store}).LogInByCode(t.Context(), func(Prompt) {}); err != nil {
			t.Fatal(err)
		}
		writes := Delegated{Store: store, Permissions: []string{"User.Read.All", WriteLicenses}, LogIn: "seatlake login --for reclaim"}
		_, err := h.client(writes).Roles(t.Context())
		e, ok := errors.AsType[*AuthError](err)
		if !ok || e.AADSTS != 65001 || !strings.Contains(e.Hint, "User.Read.All, "+WriteLicenses+": sign in again: seatlake login --for reclaim,") {
			t.Errorf("%v", err)
		}
		h.Logins(graphsim.Logins{Consents: []string{WriteLicenses}})
		signedIn, err := h.client(writes).LogInByCode(t.Context(), func(Prompt) {})
		if err != nil {
			t.Fatal(err)
		}
		if !MayWriteLicenses(signedIn.Permissions) {
			t.Errorf("consented to, and signed in with %v", signedIn.Permissions)
		}
		roles, err := h.client(Delegated{Store: store}).Roles(t.Context())
		if err != nil || MayWriteLicenses(roles) {
			t.Errorf("%v: a reader's token carries %v", err, roles)
		}
	})

	t.Run("of an application are all that it was granted", func(t *testing.T) {
		h := newHost(t, graphsim.Logins{})
		checkSignsIn(t, h.client(ClientSecret(graphsim.DefaultClientSecret)))
		if diff := cmp.Diff([]string{".default"}, log(h)); diff != "" {
			t.Errorf("asked for (-want +got):\n%s", diff)
		}
	})
}
