package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"seatlake/extract/graph/graphsim"
	"seatlake/load/lake"
	"seatlake/pipeline"
)

var seeds = flag.Int("seeds", 2, "how many seeds TestSimulation goes through")

// simLake is a lake and the configuration of its tenants, in a directory of its own.
type simLake struct {
	t   *testing.T
	dir string
}

// newSimLake makes one, in memory where there is any to write to: these tests are
// about what is visible, not about what is durable.
func newSimLake(t *testing.T) simLake {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "seatlake-test-")
	if err != nil {
		return simLake{t, t.TempDir()}
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return simLake{t, dir}
}

func (l simLake) lakeDir() string { return filepath.Join(l.dir, "lake") }

// configure writes the configuration of tenants by name.
func (l simLake) configure(tenants map[string]*simTenant) {
	l.t.Helper()
	var b strings.Builder
	b.WriteString("lake: ./lake\ntenants:\n")
	for _, name := range slices.Sorted(maps.Keys(tenants)) {
		s := tenants[name]
		fmt.Fprintf(&b, "- name: %s\n  id: %s\n  cloud: {graph: %q, login: %q}\n", name, s.o.TenantID, s.server.GraphURL, s.server.LoginURL)
		fmt.Fprintf(&b, "  auth: {method: client_secret, client_id: %s, client_secret: \"${SEATLAKE_CLIENT_SECRET}\"}\n", graphsim.DefaultClientID)
	}
	if err := os.WriteFile(filepath.Join(l.dir, "seatlake.yaml"), []byte(b.String()), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

// run is `seatlake run` in this process, without the models.
func (l simLake) run(ctx context.Context, now func() time.Time, args ...string) (status int, stderr string) {
	var errs bytes.Buffer
	a := &app{
		in: strings.NewReader(""), out: &bytes.Buffer{}, err: &errs, now: now, sleep: impatient,
		env: func(name string) (string, bool) {
			return graphsim.DefaultClientSecret, name == "SEATLAKE_CLIENT_SECRET"
		},
	}
	status = a.execute(ctx, append([]string{"run", "--no-build", "-q", "-c", filepath.Join(l.dir, "seatlake.yaml")}, args...))
	return status, errs.String()
}

// command is the same as a process.
func (l simLake) command(ctx context.Context, now time.Time, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, "seatlake", append([]string{"run", "--no-build", "-q", "--now", now.Format(time.RFC3339), "-c", filepath.Join(l.dir, "seatlake.yaml")}, args...)...)
	c.Env = append(os.Environ(), "SEATLAKE_CLIENT_SECRET="+graphsim.DefaultClientSecret)
	return c
}

// killed runs a process that is killed once the given func says so, and says
// whether it was. It may have ended before: err is then what it ended with.
func (l simLake) killed(now time.Time, when func(kill func()) (stop func())) (died bool, err error) {
	l.t.Helper()
	c := l.command(l.t.Context(), now)
	var errs bytes.Buffer
	c.Stderr = &errs
	if err := c.Start(); err != nil {
		l.t.Fatal(err)
	}
	stop := when(func() { _ = c.Process.Kill() }) // it may have ended
	err = c.Wait()
	stop()
	if err == nil {
		return false, nil
	}
	if state, ok := c.ProcessState.Sys().(syscall.WaitStatus); ok && state.Signal() == syscall.SIGKILL {
		return true, nil
	}
	return false, fmt.Errorf("%w: %s", err, errs.String())
}

// simTenant is a simulated tenant that serves.
type simTenant struct {
	o      graphsim.Options
	server *graphsim.Server

	requests atomic.Int64 // begun
	before   atomic.Pointer[func(request int)]
}

// serve serves a tenant until the test ends.
func serve(t *testing.T, o graphsim.Options) *simTenant {
	t.Helper()
	if o.TenantID == "" {
		o.TenantID = graphsim.DefaultTenantID
	}
	s := new(simTenant)
	o.Before = func(int) {
		n := s.requests.Add(1)
		if before := s.before.Load(); before != nil {
			(*before)(int(n))
		}
	}
	s.o = o
	tenant, err := graphsim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if s.server, err = tenant.Serve(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.server.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// at calls fn before the n-th request from now on is answered; 0 takes it back.
func (s *simTenant) at(n int, fn func()) {
	if n == 0 {
		s.before.Store(nil)
		return
	}
	from := int(s.requests.Load())
	before := func(request int) {
		if request == from+n {
			fn()
		}
	}
	s.before.Store(&before)
}

// log is all requests that were begun, once they have ended: what a process that was
// killed asked for ends by itself.
func (s *simTenant) log(t *testing.T) []graphsim.RequestRecord {
	t.Helper()
	for {
		if all := s.server.Log(); len(all) == int(s.requests.Load()) {
			return all
		}
		if t.Context().Err() != nil {
			t.Fatal("requests do not end")
		}
		runtime.Gosched()
	}
}

func (l simLake) open() *lake.Lake {
	l.t.Helper()
	lk, err := lake.Open(l.lakeDir())
	if err != nil {
		l.t.Fatal(err)
	}
	return lk
}

// committed is how many commits the lake has.
func (l simLake) committed() int {
	names, err := filepath.Glob(filepath.Join(l.lakeDir(), "_log", "*.json"))
	if err != nil {
		l.t.Fatal(err)
	}
	return len(names)
}

// whole fails the test unless every version's files are there as they are listed.
func (l simLake) whole(ctx context.Context) {
	l.t.Helper()
	if l.committed() == 0 {
		return
	}
	found, err := l.open().Check(ctx)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, f := range found {
		if f.Severity == lake.Fault {
			l.t.Errorf("%v", f)
		}
	}
}

// files are the live files by tenant, table and partition.
func (l simLake) files(ctx context.Context) map[string][]pipeline.File {
	l.t.Helper()
	s, err := l.open().Snapshot(ctx, 0)
	if err != nil {
		l.t.Fatal(err)
	}
	out := map[string][]pipeline.File{}
	for _, files := range s.Files {
		for _, f := range files {
			key := strings.Join([]string{f.Tenant, f.Table, f.Partition}, " ")
			out[key] = append(out[key], f)
		}
	}
	return out
}

// sums are the hashes of the live files, of which whole has seen that they are the
// files' own.
func (l simLake) sums(ctx context.Context) map[string][]string {
	out := map[string][]string{}
	for key, files := range l.files(ctx) {
		for _, f := range files {
			out[key] = append(out[key], f.SHA256)
		}
		slices.Sort(out[key])
	}
	return out
}

// rows are the live rows as text, sorted.
func (l simLake) rows(ctx context.Context) map[string][]string {
	l.t.Helper()
	out := map[string][]string{}
	for key, files := range l.files(ctx) {
		for _, f := range files {
			out[key] = append(out[key], readRows(l.t, filepath.Join(l.lakeDir(), f.Path))...)
		}
		slices.Sort(out[key])
	}
	return out
}

func readRows(t *testing.T, name string) (out []string) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	in, err := parquet.OpenFile(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range in.RowGroups() {
		rows := group.Rows()
		buffer := make([]parquet.Row, 64)
		for {
			n, err := rows.ReadRows(buffer)
			for _, row := range buffer[:n] {
				out = append(out, fmt.Sprintf("%+v", row))
			}
			if err != nil || n == 0 {
				break
			}
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// same fails the test unless two lakes hold the same files, and says by which rows
// they differ.
func same(t *testing.T, want, got simLake) {
	t.Helper()
	diff := cmp.Diff(want.sums(t.Context()), got.sums(t.Context()))
	if diff == "" {
		return
	}
	t.Errorf("files (-want +got):\n%s", diff)
	if diff := cmp.Diff(want.rows(t.Context()), got.rows(t.Context())); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// entries counts the files and directories below a directory that changes.
func entries(dir string) (n int) {
	_ = filepath.WalkDir(dir, func(string, fs.DirEntry, error) error {
		n++
		return nil
	})
	return n
}

// TestSimulation lets several runs of several tenants meet faults and deaths, as a
// seed says, and looks after each whether every snapshot is whole. After each day
// the lake holds the rows of one that nothing happened to: each once, none left out.
func TestSimulation(t *testing.T) {
	for seed := range *seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			simulate(t, uint64(seed))
		})
	}
}

func simulate(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 20261120))
	calm, rough := newSimLake(t), newSimLake(t)
	did := map[string]int{}
	for day := range 3 {
		now := scriptNow.AddDate(0, 0, day)
		clock := func() time.Time { return now }
		quiet, wild := map[string]*simTenant{}, map[string]*simTenant{}
		for i, name := range []string{"contoso", "fabrikam"} {
			o := graphsim.Options{
				Seed: seed + uint64(i), Users: 30 + 10*i, SignIns: 60, NonInteractiveSignIns: 80, PageSize: 15, Now: now,
				TenantID: fmt.Sprintf("%08d-0000-4000-8000-000000000000", i+1),
			}
			quiet[name] = serve(t, o)
			o.Faults = someFaults(random)
			wild[name] = serve(t, o)
		}
		calm.configure(quiet)
		rough.configure(wild)
		for _, l := range []simLake{calm, rough} {
			withNonInteractive(t, filepath.Join(l.dir, "seatlake.yaml"))
		}
		if status, stderr := calm.run(t.Context(), clock); status != exitComplete && status != exitGaps {
			t.Fatalf("the calm run ended in status %d: %s", status, stderr)
		}
		for range 1 + random.IntN(3) {
			victim := wild[[]string{"contoso", "fabrikam"}[random.IntN(2)]]
			moment := 1 + random.IntN(35)
			switch random.IntN(3) {
			case 0:
				did["killed"]++
				_, err := rough.killed(now, func(kill func()) func() {
					victim.at(moment, kill)
					return func() { victim.at(0, nil) }
				})
				if err != nil {
					did["failed"]++
				}
			case 1:
				did["ended"]++
				ctx, end := context.WithCancel(t.Context())
				victim.at(moment, end)
				rough.run(ctx, clock)
				victim.at(0, nil)
				end()
			default:
				did["ran"]++
				rough.run(t.Context(), clock, "--tenant", []string{"contoso", "fabrikam"}[random.IntN(2)])
			}
			rough.whole(t.Context())
		}
		status, stderr := rough.run(t.Context(), clock)
		for try := 0; status == exitNothing || strings.Contains(stderr, "seatlake: "); try++ {
			rough.whole(t.Context())
			if try == 8 {
				t.Fatalf("day %d: it does not end: %s", day, stderr)
			}
			did["failed"]++
			status, stderr = rough.run(t.Context(), clock)
		}
		rough.whole(t.Context())
		same(t, calm, rough)
		if t.Failed() {
			t.Fatalf("seed %d, day %d, after %v", seed, day, did)
		}
	}
	t.Logf("seed %d: %v", seed, did)
}

// someFaults are faults that pass: most at once, some only after a run has failed.
func someFaults(random *rand.Rand) (out []graphsim.Fault) {
	kinds := []graphsim.FaultKind{
		graphsim.TooManyRequests, graphsim.BadGateway, graphsim.Unavailable, graphsim.GatewayTimeout, graphsim.Reset, graphsim.CutShort,
		graphsim.TruncatedGzip, graphsim.HTML, graphsim.MalformedJSON, graphsim.RepeatedRow, graphsim.EmptyPage, graphsim.ExpiredLink,
		graphsim.ExpiredDownload, graphsim.ExpiredToken, graphsim.EndlessLink, graphsim.ForeignLink,
	}
	sources := []string{pipeline.Users, pipeline.SignIns, pipeline.SubscribedSkus, pipeline.ReportMailboxes, pipeline.ReportActiveUsers}
	for range 12 {
		f := graphsim.Fault{Kind: kinds[random.IntN(len(kinds))], Source: sources[random.IntN(len(sources))], Page: 1 + random.IntN(4)}
		switch f.Kind {
		case graphsim.Unavailable, graphsim.Reset, graphsim.HTML:
			f.Times = 1 + random.IntN(7)
		}
		out = append(out, f)
	}
	// The sign-ins of clients are optional: a fault that lasts leaves them out.
	for range 3 {
		out = append(out, graphsim.Fault{Kind: kinds[random.IntN(len(kinds))], Source: pipeline.NonInteractiveSignIns, Page: 1 + random.IntN(4)})
	}
	return out
}
