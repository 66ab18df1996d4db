package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seatlake/extract/graph/graphsim"
	"seatlake/load/lake"
	"seatlake/pipeline"
)

// estate is some simulated tenants, one configuration, and one lake.
type estate struct {
	t      *testing.T
	config string
	dir    string // of the lake
	now    time.Time
	secret map[string]string // by the name of a variable
}

// memoryDir is a directory in memory where there is one: fifty tenants sync some
// thousand files.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "seatlake-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func tenantNumber(i int) string { return fmt.Sprintf("10000000-0000-4000-8000-%012x", i) }

// newEstate serves n tenants, named t01 and so on, each a directory of its own.
func newEstate(t *testing.T, n int, o graphsim.Options) *estate {
	t.Helper()
	dir := memoryDir(t)
	e := &estate{t: t, config: filepath.Join(dir, "seatlake.yaml"), dir: filepath.Join(dir, "lake"), now: scriptNow, secret: map[string]string{}}
	var config strings.Builder
	fmt.Fprintf(&config, "lake: ./lake\nparallel: {tenants: 8}\ntenants:\n")
	for i := 1; i <= n; i++ {
		o.Now, o.Seed, o.TenantID = scriptNow, uint64(i), tenantNumber(i)
		tenant, err := graphsim.New(o)
		if err != nil {
			t.Fatal(err)
		}
		server, err := tenant.Serve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := server.Close(); err != nil {
				t.Error(err)
			}
		})
		e.secret[fmt.Sprintf("SECRET_%02d", i)] = graphsim.DefaultClientSecret
		fmt.Fprintf(&config, "  - {name: t%02d, id: %s, cloud: {graph: %q, login: %q}, auth: {method: client_secret, client_id: %s, client_secret: \"${SECRET_%02d}\"}}\n",
			i, tenantNumber(i), server.GraphURL, server.LoginURL, graphsim.DefaultClientID, i)
	}
	if err := os.WriteFile(e.config, []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return e
}

// command runs one command line in this process.
func (e *estate) command(ctx context.Context, args ...string) (status int, stdout, stderr string) {
	e.t.Helper()
	var out, errs bytes.Buffer
	a := &app{
		in: strings.NewReader(""), out: &out, err: &errs, now: func() time.Time { return e.now }, sleep: impatient,
		env: func(name string) (string, bool) { v, ok := e.secret[name]; return v, ok },
	}
	status = a.execute(ctx, append(args, "-c", e.config))
	return status, out.String(), errs.String()
}

// run is `run --summary -`.
func (e *estate) run(args ...string) (status int, s Summary, stderr string) {
	e.t.Helper()
	status, stdout, stderr := e.command(e.t.Context(), append([]string{"run", "--summary", "-"}, args...)...)
	if err := json.Unmarshal([]byte(stdout), &s); err != nil {
		e.t.Fatalf("summary %q: %v\n%s", stdout, err, stderr)
	}
	if s.ExitStatus != status {
		e.t.Errorf("the summary says status %d, and the run ended in %d", s.ExitStatus, status)
	}
	return status, s, stderr
}

func (e *estate) commits() []lake.Commit {
	e.t.Helper()
	lk, err := lake.Open(e.dir)
	if err != nil {
		e.t.Fatal(err)
	}
	commits, err := lk.Commits(e.t.Context())
	if err != nil {
		e.t.Fatal(err)
	}
	return commits
}

func (e *estate) query(query string) string {
	e.t.Helper()
	status, stdout, stderr := e.command(e.t.Context(), "query", query, "--format", "csv")
	if status != exitComplete {
		e.t.Fatalf("query ended in status %d: %s", status, stderr)
	}
	return stdout
}

func outcomes(s Summary) map[Outcome]int {
	m := map[Outcome]int{}
	for _, t := range s.Tenants {
		m[t.Outcome]++
	}
	return m
}

func TestFiftyTenants(t *testing.T) {
	const n, bad = 50, 17
	e := newEstate(t, n, graphsim.Options{Users: 12, SignIns: 8})
	e.secret["SECRET_17"] = "a secret that has expired"
	status, s, stderr := e.run("-q")

	t.Run("one with a bad secret fails alone", func(t *testing.T) {
		if status != exitGaps {
			t.Errorf("status %d: %s", status, stderr)
		}
		if diff := cmp.Diff(map[Outcome]int{Published: n - 1, Failed: 1}, outcomes(s)); diff != "" {
			t.Errorf("%s\n%s", diff, stderr)
		}
		failed := s.Tenants[bad-1]
		if failed.Outcome != Failed || !strings.Contains(failed.Error, "AADSTS7000215") || failed.Version != 0 {
			t.Errorf("%+v", failed)
		}
		if !strings.Contains(stderr, "tenant t17") {
			t.Errorf("the error does not name the tenant: %s", stderr)
		}
	})

	commits := e.commits()
	t.Run("the others are committed once each, in one log", func(t *testing.T) {
		if len(commits) != n-1 {
			t.Fatalf("%d commits", len(commits))
		}
		seen := map[string]bool{}
		for _, c := range commits {
			if seen[c.Run.TenantID] || c.Run.TenantID == tenantNumber(bad) {
				t.Errorf("version %d is of %s", c.Version, c.Run.Tenant)
			}
			seen[c.Run.TenantID] = true
		}
	})

	t.Run("the summary says what the log says", func(t *testing.T) {
		for _, tenant := range s.Tenants {
			if tenant.Outcome != Published {
				continue
			}
			c := commits[tenant.Version-1]
			var rows int64
			for _, f := range c.Add {
				rows += f.Rows
			}
			// A catalogue that another tenant has brought already is not added again.
			if c.Run.ID != tenant.RunID || c.Run.Tenant != tenant.Tenant || tenant.Rows < rows || tenant.Rows == 0 || tenant.Files < len(c.Add) {
				t.Errorf("%+v, and the log has %d rows in %d files", tenant, rows, len(c.Add))
			}
			if diff := cmp.Diff(c.Coverage, tenant.Coverage); diff != "" {
				t.Error(diff)
			}
			if tenant.Requests == 0 || tenant.Bytes == 0 {
				t.Errorf("%s: %d requests, %d bytes", tenant.Tenant, tenant.Requests, tenant.Bytes)
			}
		}
	})

	t.Run("the models are built once, over all of them", func(t *testing.T) {
		if s.Built != pipeline.Version(n-1) {
			t.Errorf("version %d was built", s.Built)
		}
		built, err := filepath.Glob(filepath.Join(e.dir, "gold", "v=*.json"))
		if err != nil || len(built) != 1 {
			t.Errorf("gold holds %v, %v", built, err)
		}
		want := fmt.Sprintf("tenants,users\n%d,%d\n", n-1, (n-1)*12)
		if got := e.query("select count(distinct tenant_id) as tenants, count(*) as users from users"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})

	t.Run("no row stands in the partition of another tenant", func(t *testing.T) {
		lk, err := lake.Open(e.dir)
		if err != nil {
			t.Fatal(err)
		}
		snapshot, err := lk.Snapshot(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]int64{}
		var queries []string
		for table, files := range snapshot.Files {
			if files[0].Tenant == "" {
				continue // the catalogue's
			}
			for _, f := range files {
				want[table+","+f.Tenant] += f.Rows
			}
			queries = append(queries, fmt.Sprintf("select '%[1]s' as table_name, tenant_id, count(*) as n from %[1]s group by 1, 2", table))
		}
		got := map[string]int64{}
		for _, line := range strings.Fields(e.query(strings.Join(queries, " union all ")))[1:] {
			at := strings.LastIndex(line, ",")
			n, err := strconv.ParseInt(line[at+1:], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			got[line[:at]] = n
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("rows by folder and by column: %s", diff)
		}
	})

	t.Run("the next run reads the one that is due", func(t *testing.T) {
		e.secret["SECRET_17"] = graphsim.DefaultClientSecret
		e.now = scriptNow.Add(time.Hour)
		status, s, stderr := e.run("-q", "--if-due", "20h")
		if status != exitComplete {
			t.Errorf("status %d: %s", status, stderr)
		}
		if diff := cmp.Diff(map[Outcome]int{Published: 1, NotDue: n - 1}, outcomes(s)); diff != "" {
			t.Error(diff)
		}
		if s.Tenants[bad-1].Version != n {
			t.Errorf("%+v", s.Tenants[bad-1])
		}
		if status, s, _ := e.run("-q", "--if-due", "20h"); status != exitComplete || outcomes(s)[NotDue] != n || s.Built != 0 {
			t.Errorf("status %d, %v", status, outcomes(s))
		}
	})
}

func TestRunExitStatus(t *testing.T) {
	t.Run("nothing is published when every tenant fails", func(t *testing.T) {
		e := newEstate(t, 2, graphsim.Options{Users: 5})
		e.secret["SECRET_01"], e.secret["SECRET_02"] = "wrong", "wrong"
		status, s, stderr := e.run("-q")
		if status != exitNothing || len(e.commits()) != 0 || outcomes(s)[Failed] != 2 {
			t.Errorf("status %d, %v: %s", status, outcomes(s), stderr)
		}
		for _, name := range []string{"tenant t01: ", "tenant t02: "} {
			if !strings.Contains(stderr, name) {
				t.Errorf("%q is not in %s", name, stderr)
			}
		}
	})

	t.Run("one tenant can be asked for", func(t *testing.T) {
		e := newEstate(t, 2, graphsim.Options{Users: 5})
		status, s, stderr := e.run("-q", "--tenant", "t02", "--no-build")
		if status != exitComplete || len(s.Tenants) != 1 || s.Tenants[0].Tenant != "t02" {
			t.Errorf("status %d, %+v: %s", status, s, stderr)
		}
	})

	t.Run("a task that was not read is due, whatever else was", func(t *testing.T) {
		e := newEstate(t, 1, graphsim.Options{Users: 5})
		e.run("-q", "--no-build", "--task", "licenses")
		for i, want := range []Outcome{Published, NotDue} {
			if _, s, stderr := e.run("-q", "--no-build", "--if-due", "20h"); s.Tenants[0].Outcome != want {
				t.Errorf("run %d: %s: %s", i, s.Tenants[0].Outcome, stderr)
			}
		}
	})

	t.Run("a summary that cannot be written is said", func(t *testing.T) {
		e := newEstate(t, 1, graphsim.Options{Users: 5})
		status, _, stderr := e.command(t.Context(), "run", "-q", "--no-build", "--summary", filepath.Join(e.dir, "absent", "summary.json"))
		if status != exitCheckFailed || !strings.Contains(stderr, "write the summary") || len(e.commits()) != 1 {
			t.Errorf("status %d: %s", status, stderr)
		}
	})
}

func TestTwoRunsOfATenant(t *testing.T) {
	e := newEstate(t, 2, graphsim.Options{Users: 5})
	lk, err := lake.Create(e.dir, func() time.Time { return e.now })
	if err != nil {
		t.Fatal(err)
	}
	other, err := lk.Lease(tenantNumber(1), lake.Holder{Host: "build-7", Process: 4711, Since: e.now})
	if err != nil {
		t.Fatal(err)
	}

	t.Run("the second leaves it to the first, and reads the others", func(t *testing.T) {
		status, s, stderr := e.run("-q", "--no-build")
		if status != exitGaps || s.Tenants[0].Outcome != Held || s.Tenants[1].Outcome != Published || s.Tenants[0].Requests != 0 {
			t.Errorf("status %d, %+v", status, s.Tenants)
		}
		if !strings.Contains(stderr, "process 4711 on build-7 since 2026-10-08T06:00:00Z") {
			t.Errorf("it does not say who has it: %s", stderr)
		}
	})

	t.Run("the second waits when it is told to", func(t *testing.T) {
		waits := 0
		var out, errs bytes.Buffer
		a := &app{
			out: &out, err: &errs, now: func() time.Time { return e.now },
			env: func(name string) (string, bool) { v, ok := e.secret[name]; return v, ok },
			sleep: func(context.Context, time.Duration) error {
				if waits++; waits == 3 {
					return other.Release()
				}
				return nil
			},
		}
		if status := a.execute(t.Context(), []string{"run", "--no-build", "--wait", "--tenant", "t01", "-c", e.config}); status != exitComplete || waits != 3 {
			t.Errorf("status %d after %d waits: %s", status, waits, errs.String())
		}
		if n := strings.Count(errs.String(), "waiting for another run"); n != 1 {
			t.Errorf("it says %d times that it waits: %s", n, errs.String())
		}
	})
}
