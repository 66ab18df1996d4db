package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seatlake/load/lake"
)

const (
	tenantID = "11111111-2222-3333-4444-555555555555"
	clientID = "66666666-7777-8888-9999-aaaaaaaaaaaa"

	canary = "hunter2-s3cr3t~canary"
)

// tenant is a tenant that has nothing wrong, on lines 1 to 7 of its file.
const tenant = `tenants:
  - name: contoso
    id: ` + tenantID + `
    auth:
      method: client_secret
      client_id: ` + clientID + `
      client_secret: ${SECRET}
`

func environment(name string) (string, bool) {
	value, ok := map[string]string{
		"SECRET": canary, "EMPTY": "", "DAYS": "30", "NAME": "fabrikam", "BRACES": "${SECRET}", "CLOUD": canary,
	}[name]
	return value, ok
}

// write puts a configuration into a folder of its own and gives its path.
func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "seatlake.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadConfig(t *testing.T) {
	t.Run("a tenant alone is enough, and all else has its default", func(t *testing.T) {
		path := write(t, tenant)
		got, err := LoadConfig(path, environment)
		if err != nil {
			t.Fatal(err)
		}
		want := &Config{
			Path: path,
			Lake: filepath.Join(filepath.Dir(path), "lake"), Mirror: 10 << 30,
			Tenants: []Tenant{{
				Name: "contoso", ID: tenantID,
				Cloud: Cloud{Name: "global", Graph: "https://graph.microsoft.com", Login: "https://login.microsoftonline.com"},
				Auth:  Auth{Method: "client_secret", ClientID: clientID, ClientSecret: NewSecret(canary)},
			}},
			Activity:      Activity{ThresholdDays: 60, GraceDays: 14, Overrides: map[string]Override{}},
			Licenses:      Licenses{Include: []string{"*"}},
			Off:           []string{"non_interactive_sign_ins"},
			Reclaim:       Reclaim{Policy: carefulPolicy},
			Raw:           Raw{Retain: 30 * 24 * time.Hour, ResumeWithin: 6 * time.Hour},
			Retain:        lake.Retention{Versions: 30, Age: 400 * 24 * time.Hour, Grace: 48 * time.Hour},
			KeepSnapshots: 35 * 24 * time.Hour,
			DuckDB:        DuckDB{MemoryLimit: "1GB"},
			Parallel:      Parallel{Tenants: 4},
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(Privacy{})); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("everything can be said", func(t *testing.T) {
		path := write(t, `
lake: file:///srv/lake%20of%20facts/
tenants:
  - name: ${NAME}
    id: Fabrikam.OnMicrosoft.com
    cloud: usgov-dod
    auth: &app
      method: client_secret
      client_id: 66666666-7777-8888-9999-AAAAAAAAAAAA
      client_secret: a$${b}-${SECRET}
  - name: simulated
    id: 11111111-2222-3333-4444-AAAAAAAAAAAA
    cloud: {graph: "http://127.0.0.1:8080/", login: "http://[::1]:8081", limits: published}
    report_hosts: [Reports.Example.com]
    auth: *app
activity:
  threshold_days: ${DAYS}
  grace_days: 0
  count_non_interactive_sign_ins: true
  overrides:
    power bi: {threshold_days: 90}
    SPE_E5: {grace_days: 7}
    05E9A617-0261-4CEE-BB44-138D3EF5D965: {threshold_days: 15, grace_days: 1}
licenses:
  include: [SPE_*, class:Paid]
  exclude: [06EBC4EE-1BB5-47DD-8120-11324BC54E06]
  terms: terms.csv
inventory: [{file: installed.csv, mapping: sccm}, {file: macs.xlsx, mapping: macs.yaml, tenant: fabrikam}]
itam: {legacy_licenses: old.csv}
sources: {subscriptions: true, copilot_usage: false, non_interactive_sign_ins: true}
raw: {retain: 2w, resume_within: 1h30m}
retain: {versions: 7, age: 3w, grace: 1h, snapshots: 5w1d}
catalog: catalog.seatlake
duckdb: {memory_limit: 1.5GiB, threads: 2}
parallel: {tenants: 8}
`)
		got, err := LoadConfig(path, environment)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Dir(path)
		auth := Auth{Method: "client_secret", ClientID: clientID, ClientSecret: NewSecret("a${b}-" + canary)}
		want := &Config{
			Path: path,
			Lake: "/srv/lake of facts", Mirror: 10 << 30,
			Tenants: []Tenant{
				{
					Name: "fabrikam", ID: "fabrikam.onmicrosoft.com", Auth: auth,
					Cloud: Cloud{Name: "usgov-dod", Graph: "https://dod-graph.microsoft.us", Login: "https://login.microsoftonline.us"},
				},
				{
					Name: "simulated", ID: "11111111-2222-3333-4444-aaaaaaaaaaaa", Auth: auth,
					Cloud: Cloud{Graph: "http://127.0.0.1:8080", Login: "http://[::1]:8081", Limits: true}, ReportHosts: []string{"reports.example.com"},
				},
			},
			Activity: Activity{ThresholdDays: 30, GraceDays: 0, CountNonInteractive: true, Overrides: map[string]Override{
				"Power BI":                             {ThresholdDays: new(90)},
				"SPE_E5":                               {GraceDays: new(7)},
				"05e9a617-0261-4cee-bb44-138d3ef5d965": {ThresholdDays: new(15), GraceDays: new(1)},
			}},
			Licenses: Licenses{
				Include: []string{"SPE_*", "class:paid"}, Exclude: []string{"06ebc4ee-1bb5-47dd-8120-11324bc54e06"},
				Terms: filepath.Join(dir, "terms.csv"),
			},
			Inventory: []InventoryFile{
				{File: filepath.Join(dir, "installed.csv"), Mapping: "sccm"},
				{File: filepath.Join(dir, "macs.xlsx"), Mapping: filepath.Join(dir, "macs.yaml"), Tenant: "fabrikam"},
			},
			ITAM:          ITAM{LegacyLicenses: filepath.Join(dir, "old.csv")},
			Off:           []string{"getMicrosoft365CopilotUsageUserDetail"},
			Reclaim:       Reclaim{Policy: carefulPolicy},
			Raw:           Raw{Retain: 14 * 24 * time.Hour, ResumeWithin: 90 * time.Minute},
			Retain:        lake.Retention{Versions: 7, Age: 21 * 24 * time.Hour, Grace: time.Hour},
			KeepSnapshots: 36 * 24 * time.Hour,
			Catalog:       filepath.Join(dir, "catalog.seatlake"),
			DuckDB:        DuckDB{MemoryLimit: "1.5GiB", Threads: 2},
			Parallel:      Parallel{Tenants: 8},
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(Privacy{})); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("a value of the environment is not expanded again", func(t *testing.T) {
		got, err := LoadConfig(write(t, strings.Replace(tenant, "SECRET", "BRACES", 1)), environment)
		if err != nil {
			t.Fatal(err)
		}
		if secret := got.Tenants[0].Auth.ClientSecret.Reveal(); secret != "${SECRET}" {
			t.Errorf("the secret is %q", secret)
		}
	})

	t.Run("a secret comes from a file, without its line break", func(t *testing.T) {
		path := write(t, strings.Replace(tenant, "client_secret: ${SECRET}", "client_secret_file: secret.txt", 1))
		file := filepath.Join(filepath.Dir(path), "secret.txt")
		if err := os.WriteFile(file, []byte(" "+canary+"\r\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := LoadConfig(path, environment)
		if err != nil {
			t.Fatal(err)
		}
		want := Auth{Method: "client_secret", ClientID: clientID, ClientSecret: NewSecret(" " + canary), ClientSecretFile: file}
		if diff := cmp.Diff(want, got.Tenants[0].Auth); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("a secret written into the file is noted", func(t *testing.T) {
		path := write(t, strings.Replace(tenant, "${SECRET}", canary, 1))
		got, err := LoadConfig(path, environment)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{path + ":7: tenants[0].auth.client_secret: the secret itself is in the file; ${NAME} or client_secret_file keeps it out"}
		if diff := cmp.Diff(want, got.Notes); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("commands that only read the lake need no secret", func(t *testing.T) {
		none := func(string) (string, bool) { return "", false }
		for _, text := range []string{tenant, strings.Replace(tenant, "client_secret: ${SECRET}", "client_secret_file: gone", 1)} {
			got, err := LoadConfigWithoutSecrets(write(t, text), none)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(Auth{}, got.Tenants[0].Auth); diff != "" {
				t.Error(diff)
			}
			if _, err := LoadConfig(write(t, text), none); err == nil {
				t.Error("a secret that is out of reach is no fault")
			}
		}
	})

	t.Run("no file says how to get one", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "seatlake.yaml")
		_, err := LoadConfig(path, environment)
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v is not fs.ErrNotExist", err)
		}
		want := path + ": no such file; `seatlake init` writes one, -c names another"
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	})
}

// faults gives the faults of a configuration without the file's folder.
func faults(t *testing.T, text string) string {
	t.Helper()
	path := write(t, text)
	_, err := LoadConfig(path, environment)
	var config *ConfigError
	if !errors.As(err, &config) {
		t.Fatalf("got %v, want a *ConfigError", err)
	}
	return strings.ReplaceAll(err.Error(), filepath.Dir(path)+string(filepath.Separator), "")
}

func TestFaults(t *testing.T) {
	edit := func(old, new string) string {
		if !strings.Contains(tenant, old) {
			t.Fatalf("%q is not in the tenant", old)
		}
		return strings.Replace(tenant, old, new, 1)
	}
	tests := []struct {
		name string
		text string
		want string // without the file's name
	}{
		{"an empty file lacks a tenant", "", "1: tenants: is missing: at least one tenant with name, id and auth"},
		{"comments are as good as nothing", "# lake: x\n", "1: tenants: is missing: at least one tenant with name, id and auth"},
		{"an empty list lacks a tenant", "lake: x\ntenants: []", "2: tenants: is missing: at least one tenant with name, id and auth"},
		{"a list is no configuration", "- a", "1: must be a mapping of keys to values, not a list\n1: tenants: is missing: at least one tenant with name, id and auth"},
		{"syntax has its line", "lake: x\n  tenants: y", "2: YAML: mapping values are not allowed in this context"},
		{"a second document is refused", tenant + "---\nlake: x", "8: a second YAML document begins here; write one only"},
		{"a secret that begins with * is not quoted", edit("${SECRET}", "*"+canary), "7: YAML: a value that begins with * or & is an alias or anchor, and this one is not known; quote it if it is text"},
		{"an unknown anchor is not quoted", edit("${SECRET}", "*hunter2"), "7: YAML: a value that begins with * or & is an alias or anchor, and this one is not known; quote it if it is text"},

		{"a misspelt key has a suggestion", tenant + "licences: {}", "8: licences: is not a key; did you mean licenses?"},
		{"a strange key has the list", tenant + "x: {}", "8: x: is not a key; here are lake, work_dir, mirror, tenants, activity, licenses, inventory, itam, sources, hr, reclaim, raw, retain, catalog, duckdb, parallel, privacy"},
		{"a key in a tenant has a suggestion", edit("name:", "nam:"), "2: tenants[0].nam: is not a key; did you mean name?\n2: tenants[0].name: is missing: a short name of your choice, such as contoso"},
		{"a missing space is told, and the value is not", edit("client_secret: ${SECRET}", "client_secret: ${SECRET}\n      {client_secret:"+canary+"}: x"), "8: tenants[0].auth: a key must be text, not a mapping"},
		{"a missing space in a flow mapping is told, and the value is not", "tenants: [{name: a, id: contoso.com, auth: {method: client_secret, client_id: " + clientID + ", client_secret:" + canary + "}}]",
			"1: tenants[0].auth.client_secret: is not a key; a space is missing after the colon of client_secret\n" +
				"1: tenants[0].auth.client_secret: is missing: ${NAME} of an environment variable that holds it, or client_secret_file with a path"},
		{"a key stands once", tenant + "lake: a\nlake: b", "9: lake: is written twice; line 8 has it too"},
		{"merge keys are refused", tenant + "raw: {<<: {retain: 1d}}", "8: raw: merge keys (<<) are not supported; write the values out"},
		{"a mapping is wanted", tenant + "raw: 30d", "8: raw: must be a mapping of keys to values, not a single value"},
		{"a source that is no option has the list", tenant + "sources: {mailboxes: false}", "8: sources.mailboxes: is not a key; here are copilot_usage, non_interactive_sign_ins, report_settings, subscriptions, user_registration_details"},
		{"a source is on or off", tenant + "sources: {copilot_usage: maybe}", `8: sources.copilot_usage: "maybe" is neither true nor false`},
		{"a single value is wanted", tenant + "lake: [a]", "8: lake: must be a single value, not a list"},
		{"a list is wanted", tenant + "licenses: {include: SPE_E5}", "8: licenses.include: must be a list, not a single value"},

		{"a name is missing", edit("  - name: contoso\n    id", "  - id"), "2: tenants[0].name: is missing: a short name of your choice, such as contoso"},
		{"a name is empty", edit("contoso", `""`), "2: tenants[0].name: is empty: a short name of your choice, such as contoso"},
		{"a name is a name", edit("contoso", `"../x"`), `2: tenants[0].name: "../x" is not a name; up to 64 letters, digits, dots, dashes and underscores make one`},
		{"an id is missing", edit("    id: "+tenantID+"\n", ""), "2: tenants[0].id: is missing: the directory (tenant) id, or a verified domain"},
		{"an id is a GUID or a domain", edit(tenantID, "contoso"), `3: tenants[0].id: "contoso" is neither a GUID nor a domain`},
		{"an address is no domain", edit(tenantID, "10.0.0.1"), `3: tenants[0].id: "10.0.0.1" is neither a GUID nor a domain`},
		{"any directory is none", edit(tenantID, "common"), `3: tenants[0].id: "common" stands for any directory; name the one to read, by id or verified domain`},
		{"names are unique whatever the case", tenant + strings.Replace(strings.TrimPrefix(edit("contoso", "Contoso"), "tenants:\n"), tenantID, "contoso.com", 1), `8: tenants[1].name: "Contoso" names two tenants; tenants[0] has it too`},
		{"directories are unique", tenant + strings.Replace(strings.TrimPrefix(tenant, "tenants:\n"), "contoso", "b", 1), "9: tenants[1].id: is the directory of two tenants; tenants[0] has it too, and they would overwrite each other"},

		{"a cloud has a name", edit("    auth:", "    cloud: usgow\n    auth:"), `4: tenants[0].cloud: "usgow" is not a cloud; did you mean usgov?`},
		{"a strange cloud has the list", edit("    auth:", "    cloud: mars\n    auth:"), `4: tenants[0].cloud: "mars" is not a cloud; global, usgov, usgov-dod, china are, or {graph: URL, login: URL}`},
		{"a cloud of one's own needs both", edit("    auth:", "    cloud: {graph: 'https://g'}\n    auth:"), "4: tenants[0].cloud.login: is missing: the root URL; a cloud of your own needs both graph and login"},
		{"a root is a URL", edit("    auth:", "    cloud: {graph: 'graph.microsoft.com', login: 'ftp://x'}\n    auth:"), "4: tenants[0].cloud.graph: is not a URL; https://host is one\n4: tenants[0].cloud.login: is not a URL; https://host is one"},
		{"plain http leaves the machine never", edit("    auth:", "    cloud: {graph: 'http://10.0.0.1', login: 'http://localhost:1'}\n    auth:"), "4: tenants[0].cloud.graph: would send tokens unencrypted; http:// is for this machine's loopback address alone"},
		{"a root is only a root", edit("    auth:", "    cloud: {graph: 'https://g/v1.0', login: 'https://u:p@g'}\n    auth:"), "4: tenants[0].cloud.graph: has more than scheme and host; versions and paths are added to it\n4: tenants[0].cloud.login: holds a user name or password; they have no place in a URL"},

		{"auth is missing", tenant[:strings.Index(tenant, "    auth:")], "2: tenants[0].auth: is missing: method, client_id, and what the method needs, such as client_secret"},
		{"auth is a mapping", edit("auth:\n      method: client_secret\n      client_id: "+clientID+"\n      client_secret: ${SECRET}", "auth: "+canary), "4: tenants[0].auth: must be a mapping of keys to values, not a single value"},
		{"a method is missing", edit("      method: client_secret\n", ""), "4: tenants[0].auth.method: is missing: client_secret, certificate, federated, managed_identity, authorization_code or device_code"},
		{"a misspelt method has a suggestion", edit("method: client_secret", "method: device-code"), "5: tenants[0].auth.method: is not a way to sign in; did you mean device_code?"},
		{"a strange method is not quoted", edit("method: client_secret", "method: "+canary), "5: tenants[0].auth.method: is not a way to sign in; write client_secret, certificate, federated, managed_identity, authorization_code or device_code"},
		{"a client id is missing", edit("      client_id: "+clientID+"\n", ""), "4: tenants[0].auth.client_id: is missing: the application (client) id of the app registration"},
		{"a client id that is a secret is not quoted", edit(clientID, canary), "6: tenants[0].auth.client_id: is not a GUID; the application (client) id is one"},
		{"a secret is missing", edit("      client_secret: ${SECRET}\n", ""), "4: tenants[0].auth.client_secret: is missing: ${NAME} of an environment variable that holds it, or client_secret_file with a path"},
		{"a secret is a single value", edit("${SECRET}", "["+canary+"]"), "7: tenants[0].auth.client_secret: must be a single value, not a list"},
		{"a secret's variable is not set", edit("SECRET", "UNSET"), "7: tenants[0].auth.client_secret: the environment variable UNSET is not set"},
		{"a secret's variable is empty", edit("SECRET", "EMPTY"), "7: tenants[0].auth.client_secret: is empty: ${NAME} of an environment variable that holds it, or client_secret_file with a path"},
		{"a secret with an open brace is not quoted", edit("${SECRET}", canary+"${"), "7: tenants[0].auth.client_secret: holds a ${ that no NAME and } follow; write $${ for the characters themselves"},
		{"a secret comes from one place", edit("${SECRET}", "${SECRET}\n      client_secret_file: x"), "8: tenants[0].auth.client_secret_file: stands beside client_secret on line 7; keep one of them"},
		{"a secret's file is there", edit("client_secret: ${SECRET}", "client_secret_file: gone"), "7: tenants[0].auth.client_secret_file: cannot be read: no such file or directory"},
		{"a secret's file is a file", edit("client_secret: ${SECRET}", "client_secret_file: ."), "7: tenants[0].auth.client_secret_file: is not a small, ordinary file"},

		{"a bucket has a name", tenant + "lake: s3:///x", "8: lake: s3:///x: the bucket is not named"},
		{"a bucket's URL holds no secret", tenant + "lake: s3://key:secret@bucket/x", "8: lake: s3://bucket/x: credentials do not belong into the URL: give them in the environment"},
		{"a bucket's prefix is a path", tenant + "lake: gs://bucket?prefix=a", "8: lake: gs://bucket: write the prefix as a path: gs://bucket/prefix"},
		{"a prefix leads nowhere else", tenant + "lake: azblob://container/a/../b", `8: lake: azblob://container/b: the prefix "/a/../b" has empty parts, dots or signs that are none of a name`},
		{"a lake is not anywhere", tenant + "lake: https://host", "8: lake: https://host: https:// is not known; a lake is a path or a URL of file://, s3://, azblob:// or gs://"},
		{"a file URL is absolute", tenant + "lake: file://lake", `8: lake: file://lake: write file:///lake/... with three slashes for a path`},
		{"a lake is not empty text", tenant + "lake: ''", "8: lake: is not a path; leave the key out to have none"},
		{"a catalogue is a file", tenant + "catalog: .", "8: catalog: is a directory; name a file in it"},

		{"days are a whole number", tenant + "activity: {threshold_days: 1.5, grace_days: soon}", "8: activity.threshold_days: \"1.5\" is not a whole number\n8: activity.grace_days: \"soon\" is not a whole number"},
		{"limits are kept or learned", edit("    auth:", "    cloud: {graph: 'http://localhost:1', login: 'http://localhost:2', limits: none}\n    auth:"), `4: tenants[0].cloud.limits: "none" is neither published (Microsoft's limits are kept from the first request on) nor learned (from the first 429 on)`},
		{"a report host is a name", edit("    auth:", "    report_hosts: ['https://reports.example.com/']\n    auth:"), `4: tenants[0].report_hosts[0]: "https://reports.example.com/" is not a host name; give it without scheme, port and path`},
		{"what is counted is read", tenant + "activity: {count_non_interactive_sign_ins: true}", "8: activity: count_non_interactive_sign_ins counts what is not read; set sources.non_interactive_sign_ins to true as well"},
		{"a switch is true or false", tenant + "sources: {non_interactive_sign_ins: on please}", "8: sources.non_interactive_sign_ins: \"on please\" is neither true nor false"},
		{"days are in range", tenant + "activity: {threshold_days: 0, grace_days: -1}", "8: activity.threshold_days: \"0\" is out of range; from 1 to 3650 is possible\n8: activity.grace_days: \"-1\" is out of range; from 0 to 3650 is possible"},
		{"an override overrides", tenant + "activity: {overrides: {SPE_E5: {}, Visio: }}", "8: activity.overrides.SPE_E5: overrides nothing; give threshold_days, grace_days or both\n8: activity.overrides.Visio: overrides nothing; give threshold_days, grace_days or both"},
		{"an override's days are checked", tenant + "activity: {overrides: {SPE_E5: {threshold_days: x, days: 1}}}", "8: activity.overrides.SPE_E5.days: is not a key; here are threshold_days, grace_days\n8: activity.overrides.SPE_E5.threshold_days: \"x\" is not a whole number"},
		{"an override is not a pattern", tenant + "activity: {overrides: {SPE_*: {grace_days: 1}}}", "8: activity.overrides.SPE_*: must be one SKU id, part number or service; patterns are for licenses"},
		{"an override is written once", tenant + "activity: {overrides: {Visio: {grace_days: 1}, VISIO: {grace_days: 2}}}", "8: activity.overrides.VISIO: is written twice in different words"},
		{"a service is not taken for a part number", tenant + "activity: {overrides: {PowerBI: {grace_days: 1}, teams: {grace_days: 1}}}", "8: activity.overrides.PowerBI: is not a service; did you mean Power BI?\n8: activity.overrides.teams: is not a service; did you mean Microsoft Teams?"},

		{"no licence at all is no choice", tenant + "licenses: {include: []}", `8: licenses.include: is empty, so that no licence would be managed; leave it out, or write ["*"]`},
		{"a pattern is not empty", tenant + "licenses: {exclude: ['', ]}", "8: licenses.exclude[0]: is empty: a SKU id, a part number with *, or class:free and the like"},
		{"a class is a class", tenant + "licenses: {exclude: ['class:cheap']}", `8: licenses.exclude[0]: "class:cheap" is not a licence class; class: goes with paid, free, trial, capacity`},

		{"at least one version stays", tenant + "retain: {versions: 0}", `8: retain.versions: "0" is out of range; from 1 to 1000000 is possible`},
		{"a retention has a unit", tenant + "raw: {retain: 30}", `8: raw.retain: "30" has no unit; 30d and 12h are durations, 0 keeps nothing`},
		{"a retention is a duration", tenant + "raw: {retain: forever}", `8: raw.retain: "forever" is not a duration; 30d and 12h are durations, 0 keeps nothing`},
		{"some tenants are read side by side", tenant + "parallel: {tenants: 0}", "8: parallel.tenants: \"0\" is out of range; from 1 to 64 is possible"},
		{"certificates are checked, whatever the file says", tenant + "tls: {insecure: true}", "8: tls: is not a key; here are lake, work_dir, mirror, tenants, activity, licenses, inventory, itam, sources, hr, reclaim, raw, retain, catalog, duckdb, parallel, privacy"},
		{"memory is an amount", tenant + "duckdb: {memory_limit: '80%', threads: 0}", "8: duckdb.threads: \"0\" is out of range; from 1 to 1024 is possible\n8: duckdb.memory_limit: \"80%\" is not an amount of memory; 512MB, 1GB and 2GiB are"},

		{"a variable elsewhere is not set", tenant + "lake: /srv/${UNSET}/${ALSO}", "8: lake: the environment variable UNSET is not set\n8: lake: the environment variable ALSO is not set"},
		{"a variable has a name", tenant + "lake: ${1}", "8: lake: holds a ${ that no NAME and } follow; write $${ for the characters themselves"},
		{"a variable's value is not quoted", edit("    auth:", "    cloud: ${CLOUD}\n    auth:"), `4: tenants[0].cloud: "${CLOUD}" is not a cloud; global, usgov, usgov-dod, china are, or {graph: URL, login: URL}`},
		{"long values are cut", edit("contoso", strings.Repeat("x", 100)), `2: tenants[0].name: "` + strings.Repeat("x", 80) + `"... is not a name; up to 64 letters, digits, dots, dashes and underscores make one`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := faults(t, test.text)
			want := "seatlake.yaml:" + strings.ReplaceAll(test.want, "\n", "\nseatlake.yaml:")
			if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(got, "hunter2") {
				t.Errorf("the secret is in the fault: %s", got)
			}
		})
	}

	t.Run("all faults of a file come at once, in its order", func(t *testing.T) {
		got := faults(t, `lake: gs://
tenants:
  - name: contoso
    id: nowhere
    cloud: moon
    auth:
      method: device_code
      client_secret: ${UNSET}
activity: {threshold_days: -1}
raw: {keep: 1d}
`)
		want := `seatlake.yaml:1: lake: gs://: the bucket is not named
seatlake.yaml:4: tenants[0].id: "nowhere" is neither a GUID nor a domain
seatlake.yaml:5: tenants[0].cloud: "moon" is not a cloud; global, usgov, usgov-dod, china are, or {graph: URL, login: URL}
seatlake.yaml:6: tenants[0].auth.client_id: is missing: the application (client) id of the app registration
seatlake.yaml:8: tenants[0].auth.client_secret: has no part in method device_code, which takes client_id, token_store, token_dir, permissions
seatlake.yaml:9: activity.threshold_days: "-1" is out of range; from 1 to 3650 is possible
seatlake.yaml:10: raw.keep: is not a key; here are retain, resume_within`
		if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWriteSample(t *testing.T) {
	var sample strings.Builder
	if err := WriteSample(&sample); err != nil {
		t.Fatal(err)
	}
	t.Run("it names what only people know", func(t *testing.T) {
		want := `seatlake.yaml:11: tenants[0].id: is the placeholder of the sample; put the directory (tenant) id here
seatlake.yaml:15: tenants[0].auth.client_id: is the placeholder of the sample; put the application (client) id here
seatlake.yaml:16: tenants[0].auth.client_secret: the environment variable SEATLAKE_CLIENT_SECRET is not set`
		if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(faults(t, sample.String()), "\n")); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("filled in, it says what the defaults say", func(t *testing.T) {
		filled := strings.NewReplacer("id: "+zeroGUID, "id: "+tenantID, "client_id: "+zeroGUID, "client_id: "+clientID,
			"${SEATLAKE_CLIENT_SECRET}", "${SECRET}").Replace(sample.String())
		filled = strings.Replace(filled, "client_id: "+tenantID, "client_id: "+clientID, 1)
		got, err := LoadConfig(write(t, filled), environment)
		if err != nil {
			t.Fatal(err)
		}
		want, err := LoadConfig(write(t, tenant), environment)
		if err != nil {
			t.Fatal(err)
		}
		want.Path, want.Lake = got.Path, filepath.Join(filepath.Dir(got.Path), "lake")
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(Privacy{})); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSeeds(t *testing.T) {
	config, err := LoadConfig(write(t, tenant+`
activity:
  threshold_days: 30
  overrides:
    visio: {threshold_days: 90}
    "O365_w/o, Teams": {threshold_days: 45, grace_days: 0}
    05E9A617-0261-4CEE-BB44-138D3EF5D965: {grace_days: 7}
licenses: {include: ["SPE_*", ENTERPRISEPACK], exclude: ["class:free"]}
`), environment)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"managed_sku_rules": "kind,pattern\ninclude,SPE_*\ninclude,ENTERPRISEPACK\nexclude,class:free\n",
		"activity_thresholds": `scope,sku_id,service,threshold_days,grace_days
default,,,30,14
sku,05e9a617-0261-4cee-bb44-138d3ef5d965,,,7
sku,"O365_w/o, Teams",,45,0
service,,Visio,90,
`,
		"protected_rules":      "kind,pattern\n",
		"shared_mailbox_rules": "pattern\n",
	}
	got := map[string]string{}
	for name, csv := range config.Seeds() {
		got[name] = string(csv)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Privacy{})); diff != "" {
		t.Error(diff)
	}
}

func TestParseRetention(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"0": 0, "0d": 0, "30d": 30 * day, "12h": 12 * time.Hour, "2w": 14 * day, "1w1d12h30m": 8*day + 12*time.Hour + 30*time.Minute,
		"36500d": 36500 * day,
	} {
		if got, err := parseRetention(text); err != nil || got != want {
			t.Errorf("%q is %v (%v), want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-1d", "30", "1.5", "d", "1d-1h", "12h1d", "36501d", "99999w", "36500d1h", "9999999h", "1e3", " 1d", "NaN"} {
		if got, err := parseRetention(text); err == nil {
			t.Errorf("%q is %v, want an error", text, got)
		}
	}
}

func TestSecret(t *testing.T) {
	config, err := LoadConfig(write(t, tenant), environment)
	if err != nil {
		t.Fatal(err)
	}
	if got := config.Tenants[0].Auth.ClientSecret.Reveal(); got != canary {
		t.Fatalf("the secret is %q", got)
	}
	hidden := struct{ config Config }{*config} // fmt calls no methods on what it holds

	prints := map[string]string{"error": fmt.Errorf("run with %v: %w", config, errors.New("x")).Error()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		prints["config "+verb] = fmt.Sprintf(verb, config) + fmt.Sprintf(verb, *config)
		prints["hidden "+verb] = fmt.Sprintf(verb, hidden)
		prints["secret "+verb] = fmt.Sprintf(verb, config.Tenants[0].Auth.ClientSecret)
	}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	prints["json"] = string(text)
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "config", config, "value", config.Tenants[0].Auth.ClientSecret)
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "config", config, "value", config.Tenants[0].Auth.ClientSecret)
	prints["slog"] = logged.String()

	hex := fmt.Sprintf("%x", canary)
	for name, print := range prints {
		if strings.Contains(print, canary) || strings.Contains(print, hex) {
			t.Errorf("%s shows the secret: %s", name, print)
		}
	}
	for _, name := range []string{"config %v", "config %#v", "secret %s", "secret %x", "json", "slog"} {
		if !strings.Contains(prints[name], redacted) {
			t.Errorf("%s does not say that something is redacted: %s", name, prints[name])
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(tenant))
	f.Add([]byte(sample))
	f.Add([]byte("tenants: &a [*a]"))
	f.Add([]byte("a: &a {b: *a}\nactivity: {overrides: *a}"))
	f.Add([]byte("tenants: [{name: ${, cloud: {graph: 'https://%zz'}, auth: {client_secret: *" + canary + "}}]"))
	f.Add([]byte("lake: file://\nraw: {retain: 99999w99999d99999h}\n---\n"))
	f.Add([]byte("lake: !!int x\n? [a]\n: b\n<<: c"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(dir, "seatlake.yaml")
		r := &reader{file: path, dir: dir, env: environment, secrets: true}
		c := r.config(text)
		if len(r.faults) == 0 && (c == nil || len(c.Tenants) == 0 || c.Tenants[0].ID == "" || c.Tenants[0].Auth.Method == "client_secret" && c.Tenants[0].Auth.ClientSecret.Reveal() == "") {
			t.Errorf("a configuration without faults lacks values: %+v", c)
		}
		lines := bytes.Count(text, []byte("\n")) + bytes.Count(text, []byte("\r")) + 1
		for _, fault := range r.faults {
			if fault.Text == "" || fault.Line > lines+bytes.Count(text, []byte("\u2028"))+bytes.Count(text, []byte("\u2029"))+bytes.Count(text, []byte("\u0085")) {
				t.Errorf("a fault on line %d of %d: %s", fault.Line, lines, fault)
			}
			if !bytes.Contains(text, []byte("hunter2")) && strings.Contains(fault.String(), "hunter2") {
				t.Errorf("a value of the environment is in a fault: %s", fault)
			}
		}
	})
}
