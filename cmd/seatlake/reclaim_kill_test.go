package main

import (
	"bytes"
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

// TestKilledReclaimTakesEachLicenceOnce kills apply, and then rollback, with SIGKILL at
// random requests until each ends by itself. Every direct licence of the plan was then
// taken once, nothing else changed, and everything is back as it was.
func TestKilledReclaimTakesEachLicenceOnce(t *testing.T) {
	const seed = 20261124
	random := rand.New(rand.NewPCG(seed, 0))
	o := graphsim.Options{Seed: 9, Users: 30, Now: scriptNow, ReadsUntilVisible: 1, Grant: []string{graph.WriteLicenses}}
	for range 4 { // answers are lost, too
		o.Faults = append(o.Faults, graphsim.Fault{Kind: graphsim.LostAnswer, Source: "assign_license", Page: 1})
	}
	tenant := serve(t, o)
	l := newSimLake(t)
	l.configure(map[string]*simTenant{"contoso": tenant})
	sealed, users, rows := sealDirect(t, l, tenant)
	before := holdings(tenant.server, users)

	kills := 0
	until := func(args ...string) {
		for trial := 0; ; trial++ {
			c := l.reclaim(args...)
			var out bytes.Buffer
			c.Stdout, c.Stderr = &out, &out
			if trial < 12 {
				tenant.at(2+random.IntN(24), func() { _ = c.Process.Kill() }) // it may have ended
			}
			err := c.Run()
			tenant.at(0, nil)
			if err == nil {
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
	taken := len(before) - len(want)
	done := 0
	for _, r := range tenant.log(t) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.Path, "/assignLicense") && r.Status == http.StatusOK {
			done++
		}
	}
	if done > taken || taken != len(rows) { // a licence that is taken again is refused
		t.Errorf("seed %d: %d of %d licences were taken by %d requests", seed, taken, len(rows), done)
	}
	until("rollback", "--no-build", sealed)
	if diff := cmp.Diff(before, holdings(tenant.server, users)); diff != "" {
		t.Errorf("seed %d: after the rollback (-before +there):\n%s", seed, diff)
	}
	if out, err := l.reclaim("audit").CombinedOutput(); err != nil || !strings.Contains(string(out), "; 0 writes without an outcome") {
		t.Errorf("audit: %v: %s", err, out)
	}
	t.Logf("seed %d: %d kills over %d licences", seed, kills, taken)
	if kills < 5 || taken < 5 {
		t.Error("too little was killed or taken: the test shows nothing")
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
		Format: reclaim.PlanFormat, ID: "01KAV00000000000000000000A", Created: scriptNow, Program: "test", LakeID: lk.ID(),
		Tenant: "contoso", TenantID: tenant.o.TenantID, Limits: reclaim.Limits{Share: 10_000, Licenses: 1000}, Filter: reclaim.Filter{MinConfidence: "low"},
	}
	var candidates []reclaim.Candidate
	assigned := map[string]int{}
	for _, u := range users {
		for _, a := range tenant.server.Licenses(u) {
			ways := slices.DeleteFunc(tenant.server.Licenses(u), func(b graphsim.Assignment) bool { return b.SKU != a.SKU })
			if a.Group != "" || len(ways) > 1 || !planned(a.SKU) {
				continue
			}
			assigned[a.SKU]++
			candidates = append(candidates, reclaim.Candidate{Row: reclaim.Row{
				UserID: u, UserPrincipalName: u + "@contoso.com", SKU: a.SKU, PartNumber: a.SKU, Reason: "inactive", Confidence: "high", Evidence: "complete",
				AssignedBy: "direct", Judged: []string{"Visio"}, ObservedThrough: "2026-10-08", LastSignIn: "2026-10-08T05:59:59Z", ActivityStatus: "never_active",
			}})
		}
	}
	plan.Draw(candidates, assigned)
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
		for _, part := range strings.Split(string(text), `"id":"`)[1:] {
			ids = append(ids, part[:36])
		}
	}
	return ids
}
