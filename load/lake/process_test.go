package lake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"seatlake/pipeline"
	"seatlake/pipeline/pipelinetest"
	"seatlake/schemas"
)

// children is what this test binary does as a child process, by the value of
// SEATLAKE_LAKE_CHILD. A child starts when its standard input ends.
var children = map[string]func(){
	"race":  func() { childMain(raceChild) },
	"run":   func() { childMain(runChild) },
	"lease": func() { childMain(leaseChild) },
}

func childMain(fn func(dir string, number int) error) {
	number, err := strconv.Atoi(os.Getenv("SEATLAKE_LAKE_NUMBER"))
	if err == nil {
		_, err = io.Copy(io.Discard, os.Stdin)
	}
	if err == nil {
		err = fn(os.Getenv("SEATLAKE_LAKE_DIR"), number)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child is this test binary as one of its children.
func child(t *testing.T, what, dir string, number int) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), "SEATLAKE_LAKE_CHILD="+what, "SEATLAKE_LAKE_DIR="+dir, "SEATLAKE_LAKE_NUMBER="+strconv.Itoa(number))
	return c
}

// memoryDir is a directory in memory where there is one: the tests of processes
// are about what is visible, not about what is durable.
func memoryDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "seatlake-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { remove(t, dir) })
	return dir
}

const (
	racers   = 24
	raceKeys = 300
)

// raceChild tries every key and prints those it got.
func raceChild(dir string, number int) error {
	l, err := Open(dir)
	if err != nil {
		return err
	}
	s, err := l.store.scratch("race")
	if err != nil {
		return err
	}
	for key := range raceKeys {
		switch err := s.putNew(fmt.Sprintf("race/%03d", key), fmt.Appendf(nil, "%d", number)); {
		case err == nil:
			fmt.Println(key)
		case !errors.Is(err, os.ErrExist):
			return err
		}
	}
	return s.remove()
}

func TestOneProcessWinsEachName(t *testing.T) {
	l, err := Create(filepath.Join(memoryDir(t), "lake"), clock)
	if err != nil {
		t.Fatal(err)
	}
	gate, barrier, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out := make([]bytes.Buffer, racers)
	var all []*exec.Cmd
	for i := range racers {
		c := child(t, "race", l.Dir(), i)
		c.Stdin, c.Stdout, c.Stderr = gate, &out[i], os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	if err := errors.Join(gate.Close(), barrier.Close()); err != nil { // all go
		t.Fatal(err)
	}
	winner := map[string]string{}
	for i, c := range all {
		if err := c.Wait(); err != nil {
			t.Errorf("process %d: %v", i, err)
		}
		for _, key := range strings.Fields(out[i].String()) {
			if other, twice := winner[key]; twice {
				t.Errorf("key %s was won by processes %s and %d", key, other, i)
			}
			winner[key] = strconv.Itoa(i)
		}
	}
	if len(winner) != raceKeys {
		t.Errorf("%d of %d keys were won", len(winner), raceKeys)
	}
	for key, who := range winner {
		n, err := strconv.Atoi(key)
		if err != nil {
			t.Fatal(err)
		}
		body, err := l.store.read(fmt.Sprintf("race/%03d", n))
		if err != nil || string(body) != who {
			t.Errorf("key %s was won by %s and holds %q, %v", key, who, body, err)
		}
	}
	noTemp(t, l)
}

const (
	crashRuns  = 15
	sharedDay  = "2026-10-31"
	crashKills = 4 // at most, a run
)

func crashRun(number int) (pipeline.Run, []pipelinetest.Plan, []string) {
	started := time.Date(2026, 11, 1, 8, number, 0, 0, time.UTC)
	run := pipelinetest.NewRun(nil, contoso, started.Format("2006-01-02T15:04"), byte(number))
	run.Requests = []pipeline.Request{{Source: pipeline.Users}}
	own := started.AddDate(0, 0, number).Format(time.DateOnly)
	// Its own day, and one that every run replaces.
	rows := append(pipelinetest.Plans(contoso, sharedDay, 1000*number, number+1), pipelinetest.Plans(contoso, own, 0, number+1)...)
	return run, rows, []string{sharedDay, own}
}

// runChild is a whole run: it keeps pages, writes, commits and publishes.
func runChild(dir string, number int) error {
	ctx := context.Background()
	l, err := Create(dir, clock)
	if err != nil {
		return err
	}
	run, rows, days := crashRun(number)
	k, err := l.Keeper(run)
	if err != nil {
		return err
	}
	if _, err := drain(k.Keep(ctx, pipeline.Users, pagesOf(nil, page(pipeline.Users, 1, "gzip", "{}"), page(pipeline.Users, 2, "", "{}")))); err != nil {
		return err
	}
	tx, err := l.Begin(ctx, run)
	if err != nil {
		return err
	}
	c := pipeline.Commit{Run: run, Ended: run.Started.Add(time.Minute)}
	for _, d := range days {
		c.Replaces = append(c.Replaces, pipeline.Replacement{Table: schemas.GraphServicePlans.Name, From: d, To: d})
	}
	c.Replaces = append(c.Replaces, pipeline.Replacement{Table: schemas.CatalogSkus.Name})
	plans, err := tx.Write(ctx, schemas.GraphServicePlans, pipelinetest.PlanStream(nil, memory.DefaultAllocator, rows))
	if err != nil {
		return err
	}
	skus, err := tx.Write(ctx, schemas.CatalogSkus, catalogStream(number+1))
	if err != nil {
		return err
	}
	c.Add = append(plans, skus...)
	v, err := tx.Commit(ctx, c)
	if err != nil {
		return err
	}
	_, err = l.PublishGold(ctx, v, run.ID, filepath.Join(filepath.Dir(dir), "marts"))
	return err
}

// TestKilledRuns kills runs at random moments, starts them again until they end,
// and reads all the while. The seed names the moments.
func TestKilledRuns(t *testing.T) {
	parent := memoryDir(t)
	dir := filepath.Join(parent, "lake")
	if err := os.CopyFS(filepath.Join(parent, "marts"), os.DirFS(built(t, map[string]int{"users": 3, "coverage": 1}))); err != nil {
		t.Fatal(err)
	}
	complete(t, dir, 0)
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}

	const seed = 20261120
	var kills, reads int
	var mu sync.Mutex
	var runners sync.WaitGroup
	numbers := make(chan int)
	for w := range 3 {
		random := rand.New(rand.NewPCG(seed, uint64(w)))
		runners.Go(func() {
			for n := range numbers {
				// The later the try, the later its end, however fast the machine.
				for try := range crashKills {
					if kill(t, dir, n, time.Duration(random.Int64N(int64(5*time.Millisecond)<<(2*try)))) {
						mu.Lock()
						kills++
						mu.Unlock()
					}
				}
				complete(t, dir, n)
			}
		})
	}
	ended := make(chan struct{})
	go func() {
		for n := range crashRuns - 1 {
			numbers <- n + 1
		}
		close(numbers)
		runners.Wait()
		close(ended)
	}()
	for reading := true; reading; reads++ {
		select {
		case <-ended:
			reading = false // once more, of what is there at the end
		default:
		}
		wholeSnapshot(t, l)
	}
	t.Logf("seed %d: %d runs were killed %d times; %d snapshots were read", seed, crashRuns, kills, reads)
	if kills == 0 {
		t.Error("no run was killed: the test shows nothing")
	}

	commits, err := l.Commits(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	times := map[string]int{}
	for _, c := range commits {
		times[c.Run.ID]++
	}
	want := map[string]int{}
	rows := map[string]int64{sharedDay: crashRuns}
	for n := range crashRuns {
		run, _, days := crashRun(n)
		want[run.ID] = 1
		rows[days[1]] = int64(n) + 1
	}
	if diff := cmp.Diff(want, times); diff != "" {
		t.Errorf("how often runs are in the log (-want +got):\n%s", diff)
	}
	got := map[string]int64{}
	for _, f := range snapshot(t, l, 0).Files["graph_service_plans"] {
		got[f.Partition] += f.Rows
	}
	// The run that started last stands in the day that all of them replaced.
	if diff := cmp.Diff(rows, got); diff != "" {
		t.Errorf("rows by day (-want +got):\n%s", diff)
	}
	if g, err := l.Gold(0); err != nil || g.Version != crashRuns {
		t.Errorf("current marts are %+v, %v", g, err)
	}
	if runs, err := l.RawRuns(); err != nil || len(runs) != crashRuns {
		t.Errorf("%d runs have kept pages, %v", len(runs), err)
	}
	if _, err := l.Prune(t.Context(), PruneOptions{OrphanAge: time.Nanosecond}); err != nil {
		t.Fatal(err)
	}
	noTemp(t, l)
	found, err := l.Check(t.Context())
	if err != nil || len(found) > 0 {
		t.Errorf("Check = %v, %v", found, err)
	}
}

// complete lets a run end.
func complete(t *testing.T, dir string, number int) {
	t.Helper()
	if out, err := child(t, "run", dir, number).CombinedOutput(); err != nil {
		t.Errorf("run %d: %v: %s", number, err, out)
	}
}

// kill starts a run and kills it after a while, unless it has ended.
func kill(t *testing.T, dir string, number int, after time.Duration) bool {
	c := child(t, "run", dir, number)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Error(err)
		return false
	}
	timer := time.AfterFunc(after, func() { _ = c.Process.Kill() }) // it may have ended
	err := c.Wait()
	timer.Stop()
	if err != nil && !strings.Contains(err.Error(), "killed") {
		t.Errorf("run %d: %v: %s", number, err, out.String())
	}
	return err != nil
}

// wholeSnapshot reads the newest snapshot and every byte that it lists.
func wholeSnapshot(t *testing.T, l *Lake) {
	t.Helper()
	s, err := l.Snapshot(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	perDay := map[string]map[string]int64{}
	for _, files := range s.Files {
		for _, f := range files {
			sum, err := l.store.hash(f.Path)
			if err != nil || sum != f.SHA256 {
				t.Fatalf("version %d lists %s with SHA-256 %s, is %s, %v", s.Version, f.Path, f.SHA256, sum, err)
			}
			at, err := ParsePath(f.Path)
			if err != nil {
				t.Fatal(err)
			}
			if perDay[f.Table+f.Partition] == nil {
				perDay[f.Table+f.Partition] = map[string]int64{}
			}
			perDay[f.Table+f.Partition][at.Run] += f.Rows
		}
	}
	for day, runs := range perDay {
		if len(runs) != 1 {
			t.Fatalf("version %d has rows of %d runs in %s: %v", s.Version, len(runs), day, runs)
		}
	}
}
