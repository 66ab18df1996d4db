package lake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"seatlake/pipeline"
	"seatlake/pipeline/pipelinetest"
	"seatlake/schemas"
)

// lost serves a request and drops the connection in place of the answer.
func lost(r *http.Request, serve http.Handler) {
	serve.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

func refuse(status int, code string) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>said the store</Message><RequestId>4711</RequestId></Error>", code)
	}
}

func TestLostAnswers(t *testing.T) {
	quiet(t)
	server := fakeS3(t)
	l := lakeAt(t, server.Place)
	l.store.bucket.tries.most = 2
	names := scratchOf(t, l.store)
	losePuts := func(w http.ResponseWriter, r *http.Request, serve http.Handler) {
		if r.Method == http.MethodPut {
			lost(r, serve)
		}
		serve.ServeHTTP(w, r)
	}

	t.Run("an object whose answers are all lost is found to be there", func(t *testing.T) {
		server.suffer(losePuts)
		defer server.suffer(nil)
		if err := names.putNew("lost/a", []byte("mine")); err != nil {
			t.Error(err)
		}
	})
	t.Run("an object of another stays another's", func(t *testing.T) {
		if err := names.putNew("lost/b", []byte("another's")); err != nil {
			t.Fatal(err)
		}
		server.suffer(losePuts)
		defer server.suffer(nil)
		if err := names.putNew("lost/b", []byte("mine")); !errors.Is(err, fs.ErrExist) {
			t.Errorf("error %v", err)
		}
		if body, err := l.store.read("lost/b"); err != nil || string(body) != "another's" {
			t.Errorf("%q, %v", body, err)
		}
	})
	t.Run("a request that never arrives leaves nothing and is an error", func(t *testing.T) {
		server.suffer(func(w http.ResponseWriter, r *http.Request, serve http.Handler) {
			if r.Method == http.MethodPut {
				panic(http.ErrAbortHandler)
			}
			serve.ServeHTTP(w, r)
		})
		err := names.putNew("lost/c", []byte("mine"))
		server.suffer(nil)
		if err == nil || errors.Is(err, fs.ErrExist) {
			t.Errorf("error %v", err)
		}
		wantError(t, err, "create s3://lake/finance/prod/lost/c", "2 times")
		if _, err := l.store.stat("lost/c"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("stat: %v", err)
		}
	})
}

// TestRunsThroughFaults commits runs through answers that are refused, lost and cut, of
// a seed, and finds each of them once.
func TestRunsThroughFaults(t *testing.T) {
	quiet(t)
	server := fakeS3(t)
	l := lakeAt(t, server.Place)
	l.store.bucket.tries.most = 30
	random := rand.New(rand.NewPCG(20261124, 1))
	kinds := map[string]int{}
	server.suffer(func(w http.ResponseWriter, r *http.Request, serve http.Handler) {
		server.mu.Lock()
		chance := random.IntN(100)
		kind := "sound"
		switch {
		case chance < 15:
			kind = "refused"
		case chance < 25 && r.Method == http.MethodPut:
			kind = "lost"
		case chance < 30:
			kind = "cut"
		}
		kinds[kind]++
		server.mu.Unlock()
		switch kind {
		case "refused":
			refuse(http.StatusServiceUnavailable, "SlowDown")(w, r, serve)
		case "lost":
			lost(r, serve)
		case "cut":
			panic(http.ErrAbortHandler)
		default:
			serve.ServeHTTP(w, r)
		}
	})
	const runs = 12
	day := "2026-11-20"
	for n := range runs {
		run := pipelinetest.NewRun(t, contoso, fmt.Sprintf("2026-11-20T08:%02d", n), byte(n))
		if v := commitPlans(t, l, run, pipelinetest.Plans(contoso, day, 0, n+1), day); v != pipeline.Version(n+1) {
			t.Fatalf("run %d is version %d", n, v)
		}
	}
	server.suffer(nil)
	t.Logf("requests: %v", kinds)
	for _, kind := range []string{"refused", "lost", "cut"} {
		if kinds[kind] == 0 {
			t.Errorf("no answer was %s: the test shows nothing", kind)
		}
	}
	seen, err := server.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	noFaults(t, seen)
	commits, err := seen.Commits(t.Context())
	if err != nil || len(commits) != runs {
		t.Errorf("%d commits, %v", len(commits), err)
	}
	found, err := seen.Check(t.Context())
	if err != nil || len(found) > 0 {
		t.Errorf("%v, %v", found, err)
	}
}

// TestCallsOfARun counts what a run asks of a store.
func TestCallsOfARun(t *testing.T) {
	quiet(t)
	server := fakeS3(t)
	l := lakeAt(t, server.Place)
	for n := range 45 {
		run := pipelinetest.NewRun(t, contoso, fmt.Sprintf("2026-11-20T08:%02d", n), byte(n))
		day := "2026-11-20"
		calls := server.count(func() { commitPlans(t, l, run, pipelinetest.Plans(contoso, day, 0, n+1), day) })
		// The data file, a list, the log object that was put before, and the new one; now
		// and then a checkpoint, which is put, and the list of older ones.
		if most := 1 + 5; len(calls) > most {
			t.Errorf("run %d made %d calls, more than %d:\n%s", n, len(calls), most, strings.Join(calls, "\n"))
		}
		if n%10 == 5 && len(calls) != 4 {
			t.Errorf("run %d made %d calls beside its file, not 3:\n%s", n, len(calls)-1, strings.Join(calls, "\n"))
		}
	}
	var seen *Lake
	calls := server.count(func() {
		var err error
		if seen, err = server.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		if v := snapshot(t, seen, 0).Version; v != 45 {
			t.Errorf("version %d", v)
		}
	})
	// lake.json, the checkpoints' names, three lists at once, the objects behind the
	// checkpoint at once, and the checkpoint.
	if most := 6 + checkpointEvery + 1; len(calls) > most {
		t.Errorf("opening made %d calls, more than %d:\n%s", len(calls), most, strings.Join(calls, "\n"))
	}
	for _, c := range calls {
		if strings.Contains(c, entryName(20)) {
			t.Errorf("opening read a version before the checkpoint: %s", c)
		}
	}
	if calls := server.count(func() { snapshot(t, seen, 0) }); len(calls) != 1 {
		t.Errorf("looking again made %d calls:\n%s", len(calls), strings.Join(calls, "\n"))
	}
}

func TestErrorsOfABucketSayWhatToDo(t *testing.T) {
	quiet(t)
	server := fakeS3(t)
	l := lakeAt(t, server.Place)
	l.store.bucket.tries.most = 2
	for name, test := range map[string]struct {
		fault func(http.ResponseWriter, *http.Request, http.Handler)
		kind  error
		says  []string
	}{
		"no such bucket":          {refuse(404, "NoSuchBucket"), errNoBucket, []string{"NoSuchBucket", "make the bucket"}},
		"a right that is missing": {refuse(403, "AccessDenied"), fs.ErrPermission, []string{"AccessDenied: said the store", "4711", "seatlake doctor"}},
		"a key that nobody knows": {refuse(403, "InvalidAccessKeyId"), fs.ErrPermission, []string{"check the key"}},
		"a token that expired":    {refuse(400, "ExpiredToken"), fs.ErrPermission, []string{"neither has expired"}},
		"another region":          {refuse(301, "PermanentRedirect"), nil, []string{"another region"}},
		"a store that is ill":     {refuse(503, "SlowDown"), nil, []string{"run again later", "2 times"}},
	} {
		t.Run(name, func(t *testing.T) {
			server.suffer(test.fault)
			defer server.suffer(nil)
			_, err := l.store.read("_log/000000000301.json")
			wantError(t, err, append(test.says, "read s3://lake/finance/prod/_log/000000000301.json")...)
			if errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v is taken for absence", err)
			}
			if test.kind != nil && !errors.Is(err, test.kind) {
				t.Errorf("%v is not %v", err, test.kind)
			}
			if strings.ContainsAny(err.Error(), "\n") || strings.Contains(err.Error(), "endpoint=") {
				t.Errorf("%q has lines or options", err)
			}
		})
	}
	t.Run("a store that is not there", func(t *testing.T) {
		p := server.Place
		p.URL = "s3://lake/x?region=us-east-1&use_path_style=true&endpoint=http://127.0.0.1:1"
		s, err := p.store(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.bucket.tries.first, s.bucket.tries.most = time.Millisecond, 2
		withoutSDKRetries(t, s.bucket, p)
		_, err = openExisting(s)
		wantError(t, err, "read s3://lake/x/lake.json", "check the network, and the endpoint", "2 times")
	})
}

func TestACommandThatEndsEndsItsActs(t *testing.T) {
	quiet(t)
	server := fakeS3(t)
	l := lakeAt(t, server.Place)
	ctx, cancel := context.WithCancel(t.Context())
	l.store.bucket.ctx, l.store.bucket.tries.grace = ctx, time.Millisecond
	asked := make(chan struct{}, 1)
	server.suffer(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		asked <- struct{}{}
		<-r.Context().Done()
	})
	go func() {
		<-asked
		cancel()
	}()
	_, err := l.store.read("any")
	wantError(t, err, "no answer came in time")
	server.suffer(refuse(503, "SlowDown"))
	if calls := server.count(func() { _, err = l.store.read("any") }); len(calls) > 1 {
		t.Errorf("after its end it was tried %d times: %v", len(calls), err)
	}
}

func TestLeaseInABucket(t *testing.T) {
	quiet(t)
	server := fakeS3(t)
	machine := func() *Lake {
		p := server.Place
		p.Work = t.TempDir()
		l := lakeAt(t, p)
		l.store.bucket.lease = leaseTimes{renew: 10 * time.Millisecond, dead: 3 * time.Second, look: 5 * time.Millisecond}
		return l
	}
	one, two := machine(), machine()
	lease, err := one.Lease(contoso, holder(1))
	if err != nil {
		t.Fatal(err)
	}
	_, err = two.Lease(contoso, holder(2))
	held, ok := errors.AsType[*HeldError](err)
	if !ok {
		t.Fatalf("error: %v", err)
	}
	if diff := cmp.Diff(holder(1), held.Holder); diff != "" {
		t.Error(diff)
	}
	if err := lease.Release(); err != nil {
		t.Fatal(err)
	}

	t.Run("a holder that gives no sign of life is dead", func(t *testing.T) {
		two.store.bucket.lease.dead = 20 * time.Millisecond
		if err := one.store.bucket.put("_lease/"+contoso+".json", []byte(`{"host":"gone","process":7,"machine":"m","owner":"o"}`)); err != nil {
			t.Fatal(err)
		}
		lease, err := two.Lease(contoso, holder(2))
		if err != nil {
			t.Fatal(err)
		}
		if err := lease.Release(); err != nil {
			t.Error(err)
		}
	})
	t.Run("what a dead process of this machine left is taken at once", func(t *testing.T) {
		one.store.bucket.lease.dead = time.Hour
		object, err := one.store.takeObject("_lease/"+contoso+".json", holder(1))
		if err != nil {
			t.Fatal(err)
		}
		close(object.end) // it died: nobody renews or gives back
		<-object.ended
		lease, err := one.Lease(contoso, holder(3))
		if err != nil {
			t.Fatal(err)
		}
		if err := lease.Release(); err != nil {
			t.Error(err)
		}
	})
	if entries, err := one.store.list(leaseDir); err != nil || len(entries) > 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
}

func TestResumeInABucket(t *testing.T) {
	quiet(t)
	server := fakeS3(t)
	l := lakeAt(t, server.Place)
	run := rawTestRun(t)
	k, err := l.Keeper(run)
	if err != nil {
		t.Fatal(err)
	}
	cut := errors.New("cut off")
	pages := func(yield func(*pipeline.Page, error) bool) {
		_ = yield(page(pipeline.Users, 1, "", `{"value":[1]}`), nil) && yield(nil, cut)
	}
	if _, err := drain(k.Keep(t.Context(), pipeline.Users, pages)); !errors.Is(err, cut) {
		t.Fatal(err)
	}
	end(t, k)

	p := server.Place
	p.Work = t.TempDir()
	elsewhere := lakeAt(t, p)
	any := func(pipeline.Run) bool { return true }
	if k, err := elsewhere.Resume(t.Context(), contoso, any); k != nil || err != nil {
		t.Errorf("taken up on another machine: %+v, %v", k, err)
	}
	k, err = l.Resume(t.Context(), contoso, any)
	if err != nil || k == nil || k.Kept() != 1 {
		t.Fatalf("%+v, %v", k, err)
	}
	if _, err := drain(k.Keep(t.Context(), pipeline.Users, pagesOf(nil, page(pipeline.Users, 1, "", `{"value":[1]}`), page(pipeline.Users, 2, "", `{"value":[2]}`)))); err != nil {
		t.Fatal(err)
	}
	day := "2026-11-20"
	commitPlans(t, l, run, pipelinetest.Plans(contoso, day, 0, 1), day)
	end(t, k)
	left, err := l.store.work().list(rawPath(run))
	if err != nil || len(left) != 0 {
		t.Errorf("left in the work directory: %v, %v", left, err)
	}
	got, err := drain(elsewhere.Raw(run).Pages(t.Context(), pipeline.Users, pipeline.Window{}))
	if err != nil || len(got) != 2 {
		t.Errorf("%d pages in the bucket, %v", len(got), err)
	}
}

// TestPruneMeetsACommit lets a run commit an old file that nobody listed while a prune
// is about to take it.
func TestPruneMeetsACommit(t *testing.T) {
	for _, when := range []string{"before the prune removes it", "after the prune removed it"} {
		t.Run(when, func(t *testing.T) {
			quiet(t)
			server := fakeS3(t)
			l := lakeAt(t, server.Place)
			other := lakeAt(t, server.Place)
			day := "2026-11-20"
			run := pipelinetest.NewRun(t, contoso, "2026-11-20T08:00", 1)
			tx, err := l.Begin(t.Context(), run)
			if err != nil {
				t.Fatal(err)
			}
			c := pipeline.Commit{Run: run, Ended: run.Started.Add(time.Minute), Replaces: []pipeline.Replacement{{Table: schemas.GraphServicePlans.Name, From: day, To: day}}}
			if c.Add, err = tx.Write(t.Context(), schemas.GraphServicePlans, pipelinetest.PlanStream(t, memory.DefaultAllocator, pipelinetest.Plans(contoso, day, 0, 3))); err != nil {
				t.Fatal(err)
			}
			at := c.Add[0].Path
			names := scratchOf(t, l.store)
			body, err := os.ReadFile(l.store.file(tx.(*transaction).staged[at].temp))
			if err != nil {
				t.Fatal(err)
			}
			if err := names.put(at, body); err != nil { // as an earlier try left it
				t.Fatal(err)
			}
			older(t, names, at)
			meet := func() {
				if _, err := tx.Commit(t.Context(), c); err != nil {
					t.Error(err)
				}
			}
			other.store.fault = func(act, name string, done bool) error {
				if act == "rename" && strings.HasPrefix(name, stagingDir) && done == strings.HasPrefix(when, "after") && meet != nil {
					now := meet
					meet = nil
					now()
				}
				return nil
			}
			if _, err := other.Prune(t.Context(), PruneOptions{OrphanAge: time.Nanosecond}); err != nil {
				t.Fatal(err)
			}
			if meet != nil {
				t.Fatal("the prune took nothing: the test shows nothing")
			}
			noFaults(t, l)
		})
	}
}

// BenchmarkOpenFarAway opens the newest snapshot of 1,000 versions of 15 files each, in a store that takes 50 ms
// for every answer.
func BenchmarkOpenFarAway(b *testing.B) {
	server := fakeS3(b)
	l := lakeAt(b, server.Place)
	age(b, l, 1000, 15, true)
	server.suffer(func(w http.ResponseWriter, r *http.Request, serve http.Handler) {
		time.Sleep(50 * time.Millisecond)
		serve.ServeHTTP(w, r)
	})
	for b.Loop() {
		seen, err := server.Open(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := seen.Snapshot(b.Context(), 0); err != nil {
			b.Fatal(err)
		}
	}
}
