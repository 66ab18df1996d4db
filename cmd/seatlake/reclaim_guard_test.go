package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"seatlake/extract/graph"
	"seatlake/extract/graph/graphsim"
	"seatlake/load/lake"
)

// TestOneOfTwoAppliesIsRefused holds the tenant as another process does.
func TestOneOfTwoAppliesIsRefused(t *testing.T) {
	tenant := serve(t, graphsim.Options{Seed: 9, Users: 10, Now: scriptNow, Grant: []string{graph.WriteLicenses}})
	l := newSimLake(t)
	l.configure(map[string]*simTenant{"contoso": tenant})
	sealed, _, _ := sealDirect(t, l, tenant)
	lease, err := l.open().Lease(tenant.o.TenantID, lake.Holder{Host: "elsewhere", Process: 4711, Since: scriptNow})
	if err != nil {
		t.Fatal(err)
	}
	out, err := l.reclaim("apply", "--immediate", "--no-build", sealed).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "is in use by process 4711 on elsewhere") {
		t.Errorf("the second apply: %v: %s", err, out)
	}
	if err := lease.Release(); err != nil {
		t.Fatal(err)
	}
	if out, err := l.reclaim("apply", "--immediate", "--no-build", sealed).CombinedOutput(); err != nil {
		t.Errorf("apply afterwards: %v: %s", err, out)
	}
}

// TestOnlyReclaimWrites runs every command there is against a tenant that would let it
// write, and reads the tenant's log: nothing but reads came, and requests for tokens. A
// command that is new has to be added here.
func TestOnlyReclaimWrites(t *testing.T) {
	o := graphsim.Options{Seed: 9, Users: 10, SignIns: 20, Now: scriptNow, Grant: []string{graph.WriteLicenses, graph.WriteMembers}}
	tenant := serve(t, o)
	l := newSimLake(t)
	l.configure(map[string]*simTenant{"contoso": tenant})
	if status, stderr := l.run(t.Context(), func() time.Time { return scriptNow }); status != exitComplete && status != exitGaps {
		t.Fatalf("run: status %d: %s", status, stderr)
	}
	sealed, _, _ := sealDirect(t, l, tenant)
	name := strings.TrimSuffix(sealed, ".sealed.json")

	// What is left out asks another tenant than ours, or waits for somebody.
	elsewhere := []string{"seatlake demo", "seatlake graph serve", "seatlake completion bash", "seatlake completion zsh", "seatlake completion fish", "seatlake completion powershell", "seatlake help"}
	writes := []string{"seatlake reclaim apply", "seatlake reclaim rollback"} // tried below without leave to write
	args := map[string][]string{
		"seatlake reclaim approve": {name + ".csv"}, "seatlake reclaim notify": {sealed, "-o", name + ".mails.csv"}, "seatlake reclaim answers": {sealed, name + ".mails.csv"},
		"seatlake reclaim verify": {sealed}, "seatlake reclaim plan": {"-o", name}, "seatlake show": {"users"}, "seatlake query": {"select 1"},
		"seatlake replay": {"--no-build"}, "seatlake init": {filepath.Join(l.dir, "other.yaml")},
		"seatlake run": {"--no-build"}, "seatlake build": {"--as-of", "9999"}, // the models ask nobody
		"seatlake reclaim apply": {sealed, "--immediate", "--dry-run", "--remove-from-groups"}, "seatlake reclaim rollback": {sealed, "--dry-run"},
	}
	tried := 0
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			visit(sub)
		}
		path := c.CommandPath()
		if c.HasSubCommands() && c.Run == nil && c.RunE == nil || slices.Contains(elsewhere, path) {
			return
		}
		line := append(strings.Fields(path)[1:], args[path]...)
		a := &app{
			in: strings.NewReader(""), out: &bytes.Buffer{}, err: &bytes.Buffer{}, now: func() time.Time { return scriptNow }, sleep: impatient,
			env: func(name string) (string, bool) {
				return graphsim.DefaultClientSecret, name == "SEATLAKE_CLIENT_SECRET"
			},
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		a.execute(ctx, append(line, "-q", "-c", filepath.Join(l.dir, "seatlake.yaml")))
		tried++
		for _, r := range tenant.server.Log() {
			if r.Server == "graph" && r.Method != http.MethodGet || r.Server == "reports" && r.Method != http.MethodGet && r.Method != http.MethodHead {
				t.Fatalf("%s sent %s %s", path, r.Method, r.Path)
			}
		}
	}
	root := (&app{out: &bytes.Buffer{}, err: &bytes.Buffer{}}).root()
	visit(root)
	for _, path := range writes {
		if _, _, err := root.Find(strings.Fields(path)[1:]); err != nil {
			t.Errorf("%s is no command: %v", path, err)
		}
	}
	if tried < 25 {
		t.Errorf("%d commands were tried", tried)
	}

	// The test can fail: apply does write, once the users have said so.
	mails, err := os.ReadFile(name + ".mails.csv")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name+".answers.csv", bytes.ReplaceAll(mails, []byte(" UTC,,"), []byte(" UTC,release,")), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := l.reclaim("answers", sealed, name+".answers.csv").CombinedOutput(); err != nil {
		t.Fatalf("answers: %v: %s", err, out)
	}
	if out, err := l.reclaim("apply", "--immediate", "--no-build", sealed).CombinedOutput(); err != nil {
		t.Fatalf("apply: %v: %s", err, out)
	}
	if !slices.ContainsFunc(tenant.server.Log(), func(r graphsim.RequestRecord) bool { return r.Method == http.MethodPost && r.Server == "graph" }) {
		t.Error("apply wrote nothing, so the others prove nothing")
	}
}
