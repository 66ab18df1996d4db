package lake

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	stdlog "log"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

var crashFor = flag.Duration("crash", 0, "kill runs for this `long` at each place of TestKilledRuns, in place of a few runs")

const (
	crashRuns  = 15 // in a directory, when no time is given
	remoteRuns = 6  // in a bucket
	crashers   = 3  // runs at once, each as on a machine of its own
	sharedDay  = "2026-10-31"
	crashKills = 4 // at most, a run
)

func crashRun(number int) (pipeline.Run, []pipelinetest.Plan, []string) {
	started := time.Date(2026, 11, 1, 8, number, 0, 0, time.UTC)
	run := pipelinetest.NewRun(nil, contoso, started.Format("2006-01-02T15:04"), byte(number))
	run.Requests = []pipeline.Request{{Source: pipeline.Users}}
	own := started.Truncate(24*time.Hour).AddDate(0, 0, number).Format(time.DateOnly)
	// Its own day, and one that every run replaces.
	rows := append(pipelinetest.Plans(contoso, sharedDay, 1000*number, number%50+1), pipelinetest.Plans(contoso, own, 0, number%50+1)...)
	return run, rows, []string{sharedDay, own}
}

// impatient is a place whose bucket, if it is one, is asked again without long waits,
// and where who has died is soon taken for dead.
func impatient(ctx context.Context, p Place) (*store, error) {
	s, err := p.store(ctx)
	if err == nil && s.bucket != nil {
		s.bucket.tries.first, s.bucket.tries.long = time.Millisecond, 20*time.Millisecond
		s.bucket.lease = leaseTimes{renew: 100 * time.Millisecond, dead: 4 * time.Second, look: 50 * time.Millisecond}
	}
	return s, err
}

// runChild is a whole run: it keeps pages, writes, commits and publishes.
func runChild(p Place, number int) error {
	ctx := context.Background()
	s, err := impatient(ctx, p)
	if err != nil {
		return err
	}
	l, err := create(s, "", clock)
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
	skus, err := tx.Write(ctx, schemas.CatalogSkus, catalogStream(number%50+1))
	if err != nil {
		return err
	}
	c.Add = append(plans, skus...)
	v, err := tx.Commit(ctx, c)
	if err != nil {
		return err
	}
	_, err = l.PublishGold(ctx, v, run.ID, os.Getenv("SEATLAKE_LAKE_MARTS"))
	return err
}

// readChild reads the newest snapshot and every byte that it lists, over and over,
// until its standard input ends. It prints a word for each time: read, or error where
// the place could not be read. A snapshot that is not whole ends it.
func readChild(p Place, number int) error {
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	for n := number; ; n++ {
		select {
		case <-ended:
			return nil
		default:
		}
		switch err := readOnce(p, n); {
		case errors.Is(err, errNotWhole):
			return err
		case err != nil:
			fmt.Println("error", err)
		default:
			fmt.Println("read")
		}
	}
}

var errNotWhole = errors.New("the snapshot is not whole")

// readOnce opens the lake anew. Every other time it reads through the mirror, which has
// room for few files.
func readOnce(p Place, number int) error {
	at, err := impatient(context.Background(), p)
	if err != nil {
		return err
	}
	l, err := openExisting(at)
	if err != nil {
		return err
	}
	s, err := l.Snapshot(context.Background(), 0)
	if err != nil {
		return err
	}
	files := slices.Concat(slices.Collect(maps.Values(s.Files))...)
	sum := l.store.hash
	if number%2 == 0 {
		l.Mirroring.MaxSize = 10_000
		copies, err := l.Fetch(context.Background(), Wanted(files))
		if damage := (*DamagedError)(nil); errors.As(err, &damage) {
			return errors.Join(errNotWhole, err)
		}
		if err != nil {
			return err
		}
		defer func() { _ = copies.Close() }() // the next reader sweeps it away
		sum = func(name string) (string, error) {
			body, err := os.ReadFile(copies.Path(name))
			return hashOf(body), err
		}
	}
	perDay := map[string]map[string]bool{}
	for _, f := range files {
		got, err := sum(f.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%w: version %d lists %s: %w", errNotWhole, s.Version, f.Path, err)
		case err != nil:
			return err
		case got != f.SHA256:
			return fmt.Errorf("%w: version %d lists %s with SHA-256 %s, is %s", errNotWhole, s.Version, f.Path, f.SHA256, got)
		}
		at, err := ParsePath(f.Path)
		if err != nil {
			return errors.Join(errNotWhole, err)
		}
		if perDay[f.Table+f.Partition] == nil {
			perDay[f.Table+f.Partition] = map[string]bool{}
		}
		perDay[f.Table+f.Partition][at.Run] = true
	}
	for day, runs := range perDay {
		if len(runs) != 1 {
			return fmt.Errorf("%w: version %d has rows of %d runs in %s", errNotWhole, s.Version, len(runs), day)
		}
	}
	return nil
}

// crash is runs being killed at one place while others read.
type crash struct {
	t     *testing.T
	place Place
	marts string
	slow  time.Duration // about how long a run takes there
	least int           // runs

	mu    sync.Mutex
	kills int
	ended []int // numbers of the runs that came to their end
}

// TestKilledRuns kills runs at random moments, starts them again until they end, and
// reads all the while, at every place where a lake can be, and behind a proxy that
// loses requests, answers and connections. Each run counts once, no reader sees part of
// one, and nothing is left of them. The seed names the moments.
func TestKilledRuns(t *testing.T) {
	for name, place := range crashPlaces() {
		t.Run(name, func(t *testing.T) {
			quiet(t)
			c := &crash{t: t, place: place(t), marts: built(t, map[string]int{"users": 3, "coverage": 1}), slow: 200 * time.Millisecond, least: crashRuns}
			if strings.Contains(c.place.URL, "://") {
				c.slow, c.least = 500*time.Millisecond, remoteRuns
			}
			c.run()
		})
	}
}

func crashPlaces() map[string]func(t *testing.T) Place {
	places := map[string]func(t *testing.T) Place{
		"a directory": func(t *testing.T) Place { return Place{URL: filepath.Join(memoryDir(t), "lake")} },
	}
	stores := map[string]func(t *testing.T) Place{"S3": func(t *testing.T) Place { return fakeS3(t).Place }}
	for name, variable := range map[string]string{"S3": "SEATLAKE_TEST_S3", "Azure": "SEATLAKE_TEST_AZURE"} {
		if at := os.Getenv(variable); at != "" {
			stores[name] = func(t *testing.T) Place {
				bucket, options, _ := strings.Cut(at, "?")
				return Place{URL: fmt.Sprintf("%s/crash-%d?%s", bucket, time.Now().UnixNano(), options), Work: memoryDir(t)}
			}
		}
	}
	for name, place := range stores {
		places[name+" behind a bad network"] = func(t *testing.T) Place { return badNetwork(t, place(t)) }
		if *crashFor > 0 {
			places[name] = place
		}
	}
	return places
}

func (c *crash) run() {
	t := c.t
	const seed = 20261120
	stop := c.readers(2)
	end := time.Now().Add(*crashFor)
	var runners sync.WaitGroup
	numbers := make(chan int)
	for w := range crashers {
		random := rand.New(rand.NewPCG(seed, uint64(w)))
		runners.Go(func() {
			for n := range numbers {
				// The later the try, the later its end, however fast the machine.
				for try := range crashKills {
					c.kill(n, w, time.Duration(random.Int64N(int64(c.slow)<<try/4)))
				}
				c.complete(n, w)
			}
		})
	}
	for n := 0; n < c.least || time.Now().Before(end); n++ {
		if t.Failed() {
			break
		}
		numbers <- n
	}
	close(numbers)
	runners.Wait()
	reads := stop()
	t.Logf("seed %d: %d runs were killed %d times; %d snapshots were read", seed, len(c.ended), c.kills, reads)
	if c.kills == 0 || reads == 0 {
		t.Error("nobody was killed, or nobody read: the test shows nothing")
	}
	if !t.Failed() {
		c.check()
	}
}

// check compares the lake with the runs that ended.
func (c *crash) check() {
	t := c.t
	at, err := impatient(t.Context(), c.place)
	if err != nil {
		t.Fatal(err)
	}
	l, err := openExisting(at)
	if err != nil {
		t.Fatal(err)
	}
	commits, err := l.Commits(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	times := map[string]int{}
	for _, commit := range commits {
		times[commit.Run.ID]++
	}
	want := map[string]int{}
	rows := map[string]int64{sharedDay: int64((len(c.ended)-1)%50 + 1)}
	for _, n := range c.ended {
		run, _, days := crashRun(n)
		want[run.ID] = 1
		rows[days[1]] = int64(n%50) + 1
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
	if g, err := l.Gold(0); err != nil || g.Version != pipeline.Version(len(c.ended)) {
		t.Errorf("current marts are %+v, %v", g, err)
	}
	if runs, err := l.RawRuns(); err != nil || len(runs) != len(c.ended) {
		t.Errorf("%d runs have kept pages, %v", len(runs), err)
	}
	if _, err := l.Prune(t.Context(), PruneOptions{OrphanAge: time.Nanosecond}); err != nil {
		t.Fatal(err)
	}
	found, err := l.Check(t.Context())
	if err != nil || len(found) > 0 {
		t.Errorf("Check = %v, %v", found, err)
	}
	for w := range crashers { // what dead processes left on their machines
		p := c.at(w)
		l, err := p.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := l.store.sweep(); err != nil {
			t.Fatal(err)
		}
		noTemp(t, l)
	}
}

// at is the place as one of several machines has it.
func (c *crash) at(machine int) Place {
	p := c.place
	if p.Work != "" {
		p.Work = filepath.Join(p.Work, "machine-"+strconv.Itoa(machine))
	}
	return p
}

func (c *crash) child(what string, number, machine int) *exec.Cmd {
	p := c.at(machine)
	cmd := child(c.t, what, p.URL, number)
	cmd.Env = append(cmd.Env, "SEATLAKE_LAKE_WORK="+p.Work, "SEATLAKE_LAKE_MARTS="+c.marts)
	return cmd
}

// complete lets a run end. Behind a bad network it may need more than one try.
func (c *crash) complete(number, machine int) {
	var out []byte
	var err error
	for range 5 {
		if out, err = c.child("run", number, machine).CombinedOutput(); err == nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.ended = append(c.ended, number)
			return
		}
	}
	c.t.Errorf("run %d: %v: %s", number, err, out)
}

// kill starts a run and kills it after a while, unless it has ended.
func (c *crash) kill(number, machine int, after time.Duration) {
	cmd := c.child("run", number, machine)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		c.t.Error(err)
		return
	}
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() }) // it may have ended
	err := cmd.Wait()
	timer.Stop()
	if err == nil {
		return
	}
	if !strings.Contains(err.Error(), "killed") {
		c.t.Logf("run %d: %v: %s", number, err, out.String()) // complete has to bring it to its end
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kills++
}

// readers starts processes that read until stop is called, which says how often they
// read a snapshot.
func (c *crash) readers(n int) (stop func() (reads int)) {
	var all sync.WaitGroup
	var mu sync.Mutex
	reads, failures, last := 0, 0, ""
	var inputs []io.Closer
	for i := range n {
		cmd := c.child("read", i, crashers+i)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		in, err := cmd.StdinPipe()
		if err != nil {
			c.t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			c.t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			c.t.Fatal(err)
		}
		inputs = append(inputs, in)
		all.Go(func() {
			lines := bufio.NewScanner(out)
			for lines.Scan() {
				mu.Lock()
				if lines.Text() == "read" {
					reads++
				} else {
					failures++
					last = lines.Text()
				}
				mu.Unlock()
			}
			if err := cmd.Wait(); err != nil {
				c.t.Errorf("reader %d: %v: %s", i, err, errs.String())
			}
		})
	}
	return func() int {
		for _, in := range inputs {
			_ = in.Close() // a reader that is gone has none
		}
		all.Wait()
		if failures > 0 {
			c.t.Logf("%d times nothing could be read, at last: %s", failures, last)
		}
		return reads
	}
}

// badNetwork is a place behind a proxy that refuses some requests, loses some answers
// after what was asked is done, and cuts some connections in the middle of an answer.
func badNetwork(t *testing.T, p Place) Place {
	t.Helper()
	u, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	options := u.Query()
	target, option := options.Get("endpoint"), "endpoint"
	if domain := options.Get("domain"); domain != "" {
		target, option = "http://"+domain, "domain"
	}
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	quiet := stdlog.New(io.Discard, "", 0)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // which is signed
		},
		ErrorLog: quiet,
	}
	// Azure's library waits for seconds between tries of its own, so that a holder of a
	// lease would be taken for dead too often: there, faults are fewer.
	of := 100
	if option == "domain" {
		of = 400
	}
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(20261124, 1))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		odds := random.IntN(of)
		mu.Unlock()
		switch {
		case odds < 15:
			http.Error(w, "try again", http.StatusServiceUnavailable)
		case odds < 22 && r.Method == http.MethodPut:
			proxy.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		case odds < 26:
			answer := httptest.NewRecorder()
			proxy.ServeHTTP(answer, r)
			maps.Copy(w.Header(), answer.Header())
			w.WriteHeader(answer.Code)
			body := answer.Body.Bytes()
			_, _ = w.Write(body[:len(body)/2]) // the reader may be gone
			panic(http.ErrAbortHandler)
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	server.Config.ErrorLog = quiet
	server.Start()
	t.Cleanup(server.Close)
	if option == "domain" {
		options.Set(option, strings.TrimPrefix(server.URL, "http://"))
	} else {
		options.Set(option, server.URL)
		options.Set("rate_limiter_capacity", "1") // leaves the library no tries of its own, which wait for seconds
	}
	u.RawQuery = options.Encode()
	p.URL = u.String()
	return p
}
