package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seatlake/extract/graph"
	"seatlake/extract/graph/graphsim"
	"seatlake/load/lake"
	"seatlake/load/reclaim"
	"seatlake/pipeline"
)

var reclaimFor = flag.Duration("reclaim-for", 0, "how long TestKilledReclaimTakesEachLicenceOnce goes on with new tenants")

// TestKilledReclaimTakesEachLicenceOnce kills apply, and then rollback, with SIGKILL at
// random requests until each ends by itself, while answers are lost and writes show
// late. Every direct assignment of the plan was then taken once, nothing else changed,
// and everything is back as it was. Licences that a group gives besides are among them.
func TestKilledReclaimTakesEachLicenceOnce(t *testing.T) {
	ends := time.Now().Add(*reclaimFor)
	kills, taken, tenants := 0, 0, 0
	for seed := uint64(20261124); tenants == 0 || time.Now().Before(ends); seed++ {
		k, n := killReclaim(t, seed)
		kills, taken, tenants = kills+k, taken+n, tenants+1
		if t.Failed() {
			break
		}
	}
	t.Logf("%d kills over %d licences of %d tenants", kills, taken, tenants)
	if kills < 10 || taken < 5 {
		t.Error("too little was killed or taken: the test shows nothing")
	}
}

// killReclaim does so to one tenant.
func killReclaim(t *testing.T, seed uint64) (kills, taken int) {
	random := rand.New(rand.NewPCG(seed, 0))
	o := graphsim.Options{Seed: seed % 97, Users: 30, Now: scriptNow, ReadsUntilVisible: random.IntN(3), Grant: []string{graph.WriteLicenses}}
	for range 4 { // answers are lost, too
		o.Faults = append(o.Faults, graphsim.Fault{Kind: graphsim.LostAnswer, Source: "assign_license", Page: 1})
	}
	tenant := serve(t, o)
	l := newSimLake(t)
	l.configure(map[string]*simTenant{"contoso": tenant})
	sealed, users, rows := sealWhere(t, l, tenant, func([]graphsim.Assignment) bool { return true })
	before := holdings(tenant.server, users)

	until := func(args ...string) {
		for trial := 0; ; trial++ {
			c := l.reclaim(args...)
			var out bytes.Buffer
			c.Stdout, c.Stderr = &out, &out
			if trial < 12 {
				tenant.at(2+random.IntN(16), func() { _ = c.Process.Kill() }) // it may have ended
			}
			err := c.Run()
			tenant.at(0, nil)
			if err == nil || c.ProcessState.ExitCode() == exitGaps { // some need attention
				return
			}
			if state, ok := c.ProcessState.Sys().(syscall.WaitStatus); !ok || state.Signal() != syscall.SIGKILL {
				t.Fatalf("seed %d: %v: %s", seed, err, out.String())
			}
			kills++
		}
	}
	until("apply", "--immediate", "--no-build", sealed)

	want := slices.DeleteFunc(slices.Clone(before), func(line string) bool {
		return slices.ContainsFunc(rows, func(r reclaim.Row) bool { return strings.HasPrefix(line, r.UserID+" "+r.SKU+" direct ") })
	})
	if diff := cmp.Diff(want, holdings(tenant.server, users)); diff != "" {
		t.Errorf("seed %d: licences (-planned +there):\n%s", seed, diff)
	}
	taken = len(before) - len(want)
	done := 0
	for _, r := range tenant.log(t) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.Path, "/assignLicense") && r.Status == http.StatusOK {
			done++
		}
	}
	if done > taken || taken != len(rows) { // a licence that is taken again is refused
		t.Errorf("seed %d: %d of %d licences were taken by %d requests", seed, taken, len(rows), done)
	}
	l.agrees(tenant, rows)
	until("rollback", "--no-build", sealed)
	if diff := cmp.Diff(before, holdings(tenant.server, users)); diff != "" {
		t.Errorf("seed %d: after the rollback (-before +there):\n%s", seed, diff)
	}
	if out, err := l.reclaim("audit").CombinedOutput(); err != nil || !strings.Contains(string(out), "; 0 writes without an outcome") {
		t.Errorf("seed %d: audit: %v: %s", seed, err, out)
	}
	return kills, taken
}

// agrees compares the ledger with the tenant: a row is closed as complete when the user
// has the licence in no way any more, and needs attention when a group still gives it.
func (l simLake) agrees(tenant *simTenant, rows []reclaim.Row) {
	l.t.Helper()
	book, err := reclaim.OpenBook(l.t.Context(), l.open(), tenant.o.TenantID, reclaim.Clerk{Command: "audit", Now: func() time.Time { return scriptNow }})
	if err != nil {
		l.t.Fatal(err)
	}
	defer book.Close()
	for _, p := range book.Plans() {
		if len(p.Items) != len(rows) {
			l.t.Errorf("%d of %d rows are in the ledger", len(p.Items), len(rows))
		}
		for _, i := range p.Items {
			left := slices.ContainsFunc(tenant.server.Licenses(i.UserID), func(a graphsim.Assignment) bool { return a.SKU == i.SKU && a.State != "Error" })
			want := reclaim.ClosedComplete
			if left {
				want = reclaim.AttentionRequired
			}
			if i.State != want || i.Freed == left || i.Pending != nil || len(i.Taken) != 1 {
				l.t.Errorf("row %d is %s, freed %v, taken %d times, and the user still has it: %v", i.Number, i.State, i.Freed, len(i.Taken), left)
			}
		}
	}
}

// planned are the SKUs that the test takes: Microsoft 365 E3 and F3, and Power Automate
// Free.
func planned(sku string) bool {
	return slices.Contains([]string{"05e9a617-0261-4cee-bb44-138d3ef5d965", "66b55226-6b4f-492c-910c-a3b7a3c9d993", "f30db892-07e9-47e9-837c-80727f46fd3d"}, sku)
}

// reclaim is a reclaim command as a process.
func (l simLake) reclaim(args ...string) *exec.Cmd {
	args = append([]string{"reclaim"}, args...)
	args = append(args, "-q", "--now", scriptNow.Format(time.RFC3339), "-c", filepath.Join(l.dir, "seatlake.yaml"))
	c := exec.CommandContext(l.t.Context(), "seatlake", args...)
	c.Env = append(os.Environ(), "SEATLAKE_CLIENT_SECRET="+graphsim.DefaultClientSecret)
	return c
}

// holdings are all assignments of the users, as sorted lines.
func holdings(s *graphsim.Server, users []string) (out []string) {
	for _, u := range users {
		for _, a := range s.Licenses(u) {
			way := "direct"
			if a.Group != "" {
				way = a.Group
			}
			out = append(out, fmt.Sprintln(u, a.SKU, way, slices.Sorted(slices.Values(a.Disabled))))
		}
	}
	slices.Sort(out)
	return out
}

// sealDirect seals a plan of all planned licences that are assigned directly and in no
// other way, and gives all users besides.
func sealDirect(t *testing.T, l simLake, tenant *simTenant) (file string, users []string, rows []reclaim.Row) {
	t.Helper()
	return sealWhere(t, l, tenant, func(ways []graphsim.Assignment) bool { return len(ways) == 1 })
}

// sealWhere seals a plan of all planned licences that are assigned directly, perhaps
// among other ways, and whose ways are good.
func sealWhere(t *testing.T, l simLake, tenant *simTenant, good func(ways []graphsim.Assignment) bool) (file string, users []string, rows []reclaim.Row) {
	t.Helper()
	lk, err := lake.Create(l.lakeDir(), func() time.Time { return scriptNow })
	if err != nil {
		t.Fatal(err)
	}
	client, err := graph.New(graph.Config{
		Tenant: "contoso", Graph: tenant.server.GraphURL, Login: tenant.server.LoginURL, DirectoryID: tenant.o.TenantID,
		ClientID: graphsim.DefaultClientID, Credential: graph.ClientSecret(graphsim.DefaultClientSecret),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	users = userIDs(t, client)
	plan := &reclaim.Plan{
		Format: reclaim.PlanFormat, ID: "01KAV00000000000000000000A", Created: scriptNow, AsOf: scriptNow.Format(time.DateOnly), Program: "test", LakeID: lk.ID(),
		Tenant: "contoso", TenantID: tenant.o.TenantID, Limits: reclaim.Limits{Share: 10_000, Licenses: 1000}, Filter: reclaim.Filter{MinConfidence: "low"},
	}
	var candidates []reclaim.Candidate
	assigned := map[string]int{}
	for _, u := range users {
		for _, a := range tenant.server.Licenses(u) {
			ways := slices.DeleteFunc(tenant.server.Licenses(u), func(b graphsim.Assignment) bool { return b.SKU != a.SKU })
			if a.Group != "" || !good(ways) || !planned(a.SKU) || a.State == "Error" {
				continue
			}
			assigned[a.SKU]++
			candidates = append(candidates, reclaim.Candidate{Row: reclaim.Row{
				UserID: u, UserPrincipalName: u + "@contoso.com", SKU: a.SKU, PartNumber: a.SKU, Reason: "inactive", Confidence: "high", Evidence: "complete",
				AssignedBy: "direct", Judged: []string{"Visio"}, ObservedThrough: "2026-10-08", LastSignIn: "2026-10-08T05:59:59Z", ActivityStatus: "never_active",
			}})
		}
	}
	slices.SortFunc(candidates, func(a, b reclaim.Candidate) int { return reclaim.Compare(&a, &b) })
	err = plan.Draw(func(yield func(*reclaim.Candidate, error) bool) {
		for n := range candidates {
			if !yield(&candidates[n], nil) {
				return
			}
		}
	}, assigned)
	if err != nil {
		t.Fatal(err)
	}
	book, err := reclaim.OpenBook(t.Context(), lk, tenant.o.TenantID, reclaim.Clerk{Command: "approve", Actor: "rita", Now: func() time.Time { return scriptNow }})
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	var table bytes.Buffer
	if err := plan.WriteCSV(&table); err != nil {
		t.Fatal(err)
	}
	sealed, _, err := book.Approve(plan, table.Bytes(), 14*24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(l.dir, "plan.sealed.json")
	if err := writeFile(file, func(f *os.File) error { return sealed.WriteJSON(f) }); err != nil {
		t.Fatal(err)
	}
	return file, users, sealed.Rows
}

// userIDs are the object ids of all users.
func userIDs(t *testing.T, client *graph.Client) (ids []string) {
	t.Helper()
	for page, err := range client.Pages(t.Context(), pipeline.Users, pipeline.Window{}) {
		if err != nil {
			t.Fatal(err)
		}
		text, err := page.Text()
		if err != nil {
			t.Fatal(err)
		}
		var wire struct{ Value []struct{ ID string } }
		if err := json.Unmarshal(text, &wire); err != nil {
			t.Fatal(err)
		}
		for _, u := range wire.Value {
			ids = append(ids, u.ID)
		}
	}
	return ids
}
