package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestProtectedLicencesAreRead(t *testing.T) {
	path := write(t, tenant+`
hr: {file: people/employees.csv}
reclaim:
  protect:
    users: ["BreakGlass*@contoso.com", 05E9A617-0261-4CEE-BB44-138D3EF5D965]
    groups: [CDBDD28E-0E75-43A1-A09C-0C8C9E1A0E3C]
    skus: [VISIO*, "class:free"]
  shared_mailboxes: ["shared-*@contoso.com"]
`)
	config, err := LoadConfig(path, environment)
	if err != nil {
		t.Fatal(err)
	}
	want := Reclaim{
		Protect: Protect{
			Users:  []string{"breakglass*@contoso.com", "05e9a617-0261-4cee-bb44-138d3ef5d965"},
			Groups: []string{"cdbdd28e-0e75-43a1-a09c-0c8c9e1a0e3c"},
			SKUs:   []string{"VISIO*", "class:free"},
		},
		SharedMailboxes: []string{"shared-*@contoso.com"},
		Policy:          carefulPolicy,
	}
	if diff := cmp.Diff(want, config.Reclaim); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if want := filepath.Join(filepath.Dir(path), "people", "employees.csv"); config.HR != want {
		t.Errorf("the HR file is %s, want %s", config.HR, want)
	}
	const rules = `kind,pattern
user,breakglass*@contoso.com
user,05e9a617-0261-4cee-bb44-138d3ef5d965
group,cdbdd28e-0e75-43a1-a09c-0c8c9e1a0e3c
sku,VISIO*
sku,class:free
`
	if diff := cmp.Diff(rules, string(config.Seeds()["protected_rules"])); diff != "" {
		t.Errorf("seed differs (-want +got):\n%s", diff)
	}
	if got := string(config.Seeds()["shared_mailbox_rules"]); got != "pattern\nshared-*@contoso.com\n" {
		t.Errorf("shared mailboxes are %q", got)
	}
}

func TestProtectedLicencesThatCannotBeReadAreNamed(t *testing.T) {
	got := faults(t, tenant+`
hr: employees.csv
reclaim:
  protect:
    users: [ada]
    groups: [VIPs, ""]
    skus: ["class:cheap"]
  shared_mailboxes: shared
`)
	for _, want := range []string{
		":9: hr: must be a mapping of keys to values, not a single value",
		`:12: reclaim.protect.users[0]: "ada" is neither a user principal name nor an object id`,
		`:13: reclaim.protect.groups[0]: "VIPs" is not an object id; the group's page in the Entra admin center has it`,
		":13: reclaim.protect.groups[1]: is empty: the object id of a group that assigns licences",
		`:14: reclaim.protect.skus[0]: "class:cheap" is not a licence class`,
		":15: reclaim.shared_mailboxes: must be a list, not a single value",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no fault %s in:\n%s", want, got)
		}
	}
}
