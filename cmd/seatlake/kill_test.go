package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seatlake/extract/graph/graphsim"
	"seatlake/pipeline"
)

var kills = flag.Int("kills", 15, "how often TestKilledRunsGoOn kills a run")

// TestKilledRunsGoOn kills runs with SIGKILL: before some request is answered, or
// once the lake has some number of files. The run after goes on from the pages that
// are kept, asks for none of them again, and ends in the lake of a run that nobody
// killed, byte for byte.
func TestKilledRunsGoOn(t *testing.T) {
	const seed = 20261120
	random := rand.New(rand.NewPCG(seed, 0))
	o := graphsim.Options{Seed: 5, Users: 50, SignIns: 120, PageSize: 16, Now: scriptNow}
	sound := newSimLake(t)
	tenant := serve(t, o)
	sound.configure(map[string]*simTenant{"contoso": tenant})
	if status, stderr := sound.run(t.Context(), func() time.Time { return scriptNow }); status != exitComplete && status != exitGaps {
		t.Fatalf("the sound run ended in status %d: %s", status, stderr)
	}
	sound.whole(t.Context())
	requests, files := len(tenant.log(t)), entries(sound.lakeDir())
	want := sound.log()

	// Nobody else asks the tenant meanwhile, so one serves all.
	killed, resumed, spared, afterCommit := 0, 0, 0, 0
	for trial := 0; killed < *kills; trial++ {
		l := newSimLake(t)
		l.configure(map[string]*simTenant{"contoso": tenant})
		for range 3 {
			request, entry := 1+random.IntN(requests), 1+random.IntN(files)
			byRequest := random.IntN(2) == 0
			kept := l.keptRequests()
			before := len(tenant.log(t))
			died, err := l.killed(scriptNow, func(kill func()) func() {
				if byRequest {
					tenant.at(request, kill)
					return func() { tenant.at(0, nil) }
				}
				return watch(l.lakeDir(), entry, kill)
			})
			if err != nil {
				t.Fatalf("seed %d, trial %d: the run ended on its own: %v", seed, trial, err)
			}
			spared += l.notAskedAgain(tenant.log(t)[before:], kept)
			l.whole(t.Context())
			if !died {
				break
			}
			killed++
			if len(kept) > 0 {
				resumed++
			}
			if l.committed() > 0 {
				afterCommit++
				break
			}
		}
		kept := l.keptRequests()
		ended := l.committed() > 0
		before := len(tenant.log(t))
		if out, err := l.command(t.Context(), scriptNow).CombinedOutput(); err != nil && !strings.Contains(err.Error(), "exit status 3") {
			t.Fatalf("trial %d: the last run: %v: %s", trial, err, out)
		}
		if !ended { // else it is another run, which asks anew
			spared += l.notAskedAgain(tenant.log(t)[before:], kept)
			if diff := cmp.Diff(want, l.log()); diff != "" {
				t.Errorf("the log (-sound +killed):\n%s", diff)
			}
			found, err := l.open().Check(t.Context())
			if err != nil || len(found) > 0 {
				t.Errorf("check: %v, %v", found, err)
			}
		}
		l.whole(t.Context())
		if diff := cmp.Diff(sound.sums(t.Context()), l.sums(t.Context())); diff != "" {
			t.Errorf("files (-sound +killed):\n%s", diff)
		}
		if t.Failed() {
			t.Fatalf("seed %d, trial %d, after %d kills", seed, trial, killed)
		}
	}
	t.Logf("seed %d: %d kills, %d of them of runs that had been resumed, %d after the commit; %d kept pages were not asked for again", seed, killed, resumed, afterCommit, spared)
	if resumed == 0 || spared == 0 {
		t.Error("no run was resumed: the test shows nothing")
	}
}

// watch kills once a directory has n entries.
func watch(dir string, n int, kill func()) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			default:
			}
			if entries(dir) >= n {
				kill()
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

// log is the log's entries, with another name for the run and no moment of its end.
func (l simLake) log() (out []string) {
	l.t.Helper()
	names, err := filepath.Glob(filepath.Join(l.lakeDir(), "_log", "*.json"))
	if err != nil {
		l.t.Fatal(err)
	}
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			l.t.Fatal(err)
		}
		var entry struct {
			Run struct {
				ID string `json:"run_id"`
			}
		}
		if err := json.Unmarshal(body, &entry); err != nil || entry.Run.ID == "" {
			l.t.Fatalf("%s: %v", name, err)
		}
		out = append(out, strings.ReplaceAll(string(body), entry.Run.ID, "RUN"))
	}
	return out
}

// keptRequests are the requests of the pages that a run which was killed has kept
// whole. It reads the files for itself. Sources that cannot be gone on from in
// their middle are left out unless they are whole.
func (l simLake) keptRequests() (out []string) {
	l.t.Helper()
	lists, err := filepath.Glob(filepath.Join(l.lakeDir(), "raw", "*", "*", "*", "*"))
	if err != nil {
		l.t.Fatal(err)
	}
	runs := map[string]bool{}
	for _, name := range lists {
		dir := filepath.Dir(name)
		runs[filepath.Dir(dir)] = true
		switch filepath.Base(name) {
		case "index.json":
			var at struct {
				Pages []keptPage
				Gap   any
			}
			body, err := os.ReadFile(name)
			if err != nil {
				l.t.Fatal(err)
			}
			if err := json.Unmarshal(body, &at); err != nil {
				l.t.Fatal(err)
			}
			if at.Gap == nil {
				for _, page := range at.Pages {
					out = append(out, page.Request)
				}
			}
		case "pages.jsonl":
			if s := filepath.Base(dir); s == pipeline.SubscribedSkus || s == pipeline.ReportSettings {
				continue
			}
			f, err := os.Open(name)
			if err != nil {
				l.t.Fatal(err)
			}
			for lines := bufio.NewScanner(f); lines.Scan(); {
				var page keptPage
				if json.Unmarshal(lines.Bytes(), &page) == nil && page.whole(dir) {
					out = append(out, page.Request)
				}
			}
			f.Close()
		}
	}
	if len(runs) > 1 {
		l.t.Errorf("pages of %d runs are kept", len(runs))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

type keptPage struct{ Name, Request, SHA256 string }

func (k keptPage) whole(dir string) bool {
	body, err := os.ReadFile(filepath.Join(dir, k.Name))
	sum := sha256.Sum256(body)
	return err == nil && hex.EncodeToString(sum[:]) == k.SHA256
}

// notAskedAgain fails the test when a request for a kept page was sent once more,
// and counts those that were not.
func (l simLake) notAskedAgain(asked []graphsim.RequestRecord, kept []string) int {
	l.t.Helper()
	for _, k := range kept {
		u, err := url.Parse(k)
		if err != nil {
			l.t.Fatal(err)
		}
		for _, r := range asked {
			if r.Server == "graph" && r.Path == u.Path && r.Query == u.RawQuery {
				l.t.Errorf("GET %s was sent again", k)
			}
		}
	}
	return len(kept)
}
