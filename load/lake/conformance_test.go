package lake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/fsouza/fake-gcs-server/fakestorage"
	"github.com/google/go-cmp/cmp"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"

	"seatlake/pipeline"
	"seatlake/pipeline/pipelinetest"
	"seatlake/schemas"
)

// server is an object store in this process, and what its answers suffer on the way.
type server struct {
	Place
	mu    sync.Mutex
	calls []string // method and path of each request
	fault func(w http.ResponseWriter, r *http.Request, serve http.Handler)
}

func (s *server) handler(store http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.calls = append(s.calls, r.Method+" "+r.URL.RequestURI())
		fault := s.fault
		s.mu.Unlock()
		if fault == nil {
			store.ServeHTTP(w, r)
			return
		}
		fault(w, r, store)
	})
}

// suffer sets what the answers suffer from here on; nil for nothing.
func (s *server) suffer(fault func(w http.ResponseWriter, r *http.Request, serve http.Handler)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// count gives the requests of fn.
func (s *server) count(fn func()) []string {
	s.mu.Lock()
	before := len(s.calls)
	s.mu.Unlock()
	fn()
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls[before:])
}

func quiet(t testing.TB) {
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
}

// fakeS3 is a store that speaks S3.
func fakeS3(t testing.TB) *server {
	t.Helper()
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_MAX_ATTEMPTS": "1", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull} {
		t.Setenv(name, value)
	}
	backend := s3mem.New()
	if err := backend.CreateBucket("lake"); err != nil {
		t.Fatal(err)
	}
	s := new(server)
	at := httptest.NewServer(s.handler(gofakes3.New(backend).Server()))
	t.Cleanup(at.Close)
	s.Place = Place{URL: "s3://lake/finance/prod?region=us-east-1&use_path_style=true&endpoint=" + at.URL, Work: t.TempDir()}
	return s
}

// fakeGCS is a store that speaks Google's protocol.
func fakeGCS(t testing.TB) *server {
	t.Helper()
	s := new(server)
	var store *fakestorage.Server
	at := httptest.NewServer(s.handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { store.HTTPHandler().ServeHTTP(w, r) })))
	t.Cleanup(at.Close)
	host := strings.TrimPrefix(at.URL, "http://")
	store, err := fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true, PublicHost: host})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Stop)
	store.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: "lake"})
	t.Setenv("STORAGE_EMULATOR_HOST", host)
	s.Place = Place{URL: "gs://lake/finance", Work: t.TempDir()}
	return s
}

// eachPlace runs a test on each kind of place where a lake can be. Servers that the
// environment names are among them; the lakes there get prefixes of their own.
func eachPlace(t *testing.T, fn func(t *testing.T, place func(t *testing.T) Place)) {
	kinds := map[string]func(t *testing.T) Place{
		"directory": func(t *testing.T) Place { return Place{URL: filepath.Join(t.TempDir(), "lake")} },
		"file URL":  func(t *testing.T) Place { return Place{URL: "file://" + filepath.ToSlash(t.TempDir()) + "/lake"} },
		"s3 fake":   func(t *testing.T) Place { return fakeS3(t).Place },
		"gs fake":   func(t *testing.T) Place { return fakeGCS(t).Place },
	}
	for name, variable := range map[string]string{"s3 server": "SEATLAKE_TEST_S3", "azure server": "SEATLAKE_TEST_AZURE"} {
		if at := os.Getenv(variable); at != "" {
			kinds[name] = func(t *testing.T) Place {
				bucket, options, _ := strings.Cut(at, "?")
				return Place{URL: fmt.Sprintf("%s/%s-%d?%s", bucket, strings.ToLower(filepath.Base(t.TempDir())), time.Now().UnixNano(), options), Work: t.TempDir()}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		t.Run(name, func(t *testing.T) {
			quiet(t)
			fn(t, kinds[name])
		})
	}
}

// lakeAt makes a lake whose bucket, if it is in one, is tried without long waits.
func lakeAt(t testing.TB, p Place) *Lake {
	t.Helper()
	s, err := p.store(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.bucket != nil {
		s.bucket.page = 10
		withoutSDKRetries(t, s.bucket, p)
		s.bucket.tries.first, s.bucket.tries.long = time.Millisecond, 10*time.Millisecond
	}
	l, err := create(s, "", clock)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// withoutSDKRetries takes the S3 library's own retries away, which wait for seconds: the lake's
// are what is tested.
func withoutSDKRetries(t testing.TB, b *bucket, p Place) {
	t.Helper()
	var client *s3.Client
	if !b.blob.As(&client) {
		return
	}
	_, u, err := p.parse()
	if err != nil {
		t.Fatal(err)
	}
	o := client.Options()
	o.Retryer = aws.NopRetryer{}
	opened, err := s3blob.OpenBucket(t.Context(), s3.New(o), u.Host, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.blob = blob.PrefixedBucket(opened, prefixOf(u))
}

func TestStoreConformance(t *testing.T) {
	eachPlace(t, func(t *testing.T, place func(t *testing.T) Place) {
		l := lakeAt(t, place(t))
		s := l.store
		names := scratchOf(t, s)
		wantBody := func(t *testing.T, name, want string) {
			t.Helper()
			if got, err := s.read(name); err != nil || string(got) != want {
				t.Errorf("%s holds %q, %v; want %q", name, got, err, want)
			}
		}
		put := func(t *testing.T, name, body string) {
			t.Helper()
			if err := names.put(name, []byte(body)); err != nil {
				t.Fatal(err)
			}
		}

		t.Run("what is absent is absent to every act", func(t *testing.T) {
			_, read := s.read("no/object")
			_, stat := s.stat("no/object")
			_, open := s.open("no/object")
			for act, err := range map[string]error{"read": read, "stat": stat, "open": open} {
				if !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s: %v", act, err)
				}
			}
			entries, err := s.list("no")
			if err != nil || len(entries) != 0 {
				t.Errorf("list: %v, %v", entries, err)
			}
			if err := s.remove("no/object"); err != nil {
				t.Errorf("remove: %v", err)
			}
		})
		t.Run("an object is replaced whole", func(t *testing.T) {
			put(t, "put/a.json", "a longer one")
			put(t, "put/a.json", "short")
			wantBody(t, "put/a.json", "short")
		})
		t.Run("an empty object is an object", func(t *testing.T) {
			put(t, "put/empty", "")
			wantBody(t, "put/empty", "")
			if info, err := s.stat("put/empty"); err != nil || info.Size() != 0 {
				t.Errorf("%v, %v", info, err)
			}
		})
		t.Run("a name is taken once", func(t *testing.T) {
			if err := names.putNew("new/a", []byte("first")); err != nil {
				t.Fatal(err)
			}
			if err := names.putNew("new/a", []byte("second")); !errors.Is(err, fs.ErrExist) {
				t.Errorf("the second: %v", err)
			}
			wantBody(t, "new/a", "first")
		})
		t.Run("one of 24 gets each name", func(t *testing.T) {
			const racers, keys = 24, 5
			for key := range keys {
				name := fmt.Sprintf("race/%03d", key)
				var mu sync.Mutex
				var won []string
				var group sync.WaitGroup
				start := make(chan struct{})
				for racer := range racers {
					body := fmt.Sprintf("racer %d", racer)
					group.Go(func() {
						<-start
						switch err := names.putNew(name, []byte(body)); {
						case err == nil:
							mu.Lock()
							won = append(won, body)
							mu.Unlock()
						case !errors.Is(err, fs.ErrExist):
							t.Error(err)
						}
					})
				}
				close(start)
				group.Wait()
				if len(won) != 1 {
					t.Fatalf("%s was won by %q", name, won)
				}
				wantBody(t, name, won[0])
			}
		})
		t.Run("a directory is what is directly below it", func(t *testing.T) {
			for _, name := range []string{"dir/b/1", "dir/b/2", "dir/a", "dir/c.json", "dirt/x", "dir/b.json"} {
				put(t, name, "1234")
			}
			var got []string
			entries, err := s.list("dir")
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				info, err := e.Info()
				if err != nil || !e.IsDir() && (info.Size() != 4 || info.ModTime().IsZero()) {
					t.Errorf("%s: %v, %v", e.Name(), info, err)
				}
				got = append(got, fmt.Sprintf("%s %v", e.Name(), e.IsDir()))
			}
			slices.Sort(got)
			if diff := cmp.Diff([]string{"a false", "b true", "b.json false", "c.json false"}, got); diff != "" {
				t.Error(diff)
			}
			var below []string
			err = s.walk("dir", func(name string, e fs.DirEntry) error {
				below = append(below, name)
				if e.Name() != name[strings.LastIndex(name, "/")+1:] {
					t.Errorf("%s is called %s", name, e.Name())
				}
				return nil
			})
			slices.Sort(below)
			if diff := cmp.Diff([]string{"dir/a", "dir/b.json", "dir/b/1", "dir/b/2", "dir/c.json"}, below); err != nil || diff != "" {
				t.Error(err, diff)
			}
		})
		t.Run("more names than a page of a list has are all there", func(t *testing.T) {
			const many = 23 // with pages of ten, and 1000 elsewhere
			err := s.each(t.Context(), many, func(i int) error { return names.put(fmt.Sprintf("many/%04d", i), nil) })
			if err != nil {
				t.Fatal(err)
			}
			entries, err := s.list("many")
			if err != nil || len(entries) != many {
				t.Fatalf("%d entries, %v", len(entries), err)
			}
			if !slices.IsSortedFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) }) {
				t.Error("they are not sorted")
			}
		})
		t.Run("a finished file moves to its name and is read again", func(t *testing.T) {
			body := bytes.Repeat([]byte("0123456789abcdef"), 1<<19) // 8 MiB, and more than one part of an upload
			body = append(body, 'x')
			temp, err := names.write(body)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.rename(temp, "file/a.parquet"); err != nil {
				t.Fatal(err)
			}
			if _, err := s.work().stat(temp); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the file it was: %v", err)
			}
			if sum, err := s.hash("file/a.parquet"); err != nil || sum != hashOf(body) {
				t.Errorf("%s, %v", sum, err)
			}
			at, err := s.local(t.Context(), "file/a.parquet", int64(len(body)), hashOf(body))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(at); err != nil || !bytes.Equal(got, body) {
				t.Errorf("the copy of %d bytes is another: %v", len(got), err)
			}
			if err := s.rename("file/a.parquet", names.temp()); err != nil {
				t.Fatal(err)
			}
			if _, err := s.stat("file/a.parquet"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("what was moved aside: %v", err)
			}
		})
		t.Run("a directory of files moves, and is discarded, as a whole", func(t *testing.T) {
			dir := names.temp()
			for _, name := range []string{"a.parquet", "sub/b.parquet"} {
				at := s.file(dir + "/" + name)
				if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(at, []byte(name), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.rename(dir, "moved/v=1"); err != nil {
				t.Fatal(err)
			}
			wantBody(t, "moved/v=1/a.parquet", "a.parquet")
			wantBody(t, "moved/v=1/sub/b.parquet", "sub/b.parquet")
			put(t, "moved/v=10/a.parquet", "a neighbour")
			for range 2 {
				if err := names.discard("moved/v=1", "a.parquet"); err != nil {
					t.Fatal(err)
				}
			}
			entries, err := s.list("moved")
			if err != nil || len(entries) != 1 || entries[0].Name() != "v=10" {
				t.Errorf("left: %v, %v", entries, err)
			}
		})
		t.Run("a name that a person may choose is the same everywhere", func(t *testing.T) {
			for _, name := range []string{"odd/a b", "odd/ü.json", "odd/%41", "odd/a+b=c", "odd/~x", "odd/" + strings.Repeat("n", 200)} {
				put(t, name, name)
				wantBody(t, name, name)
			}
			entries, err := s.list("odd")
			if err != nil || len(entries) != 6 {
				t.Fatalf("%v, %v", entries, err)
			}
			for _, e := range entries {
				wantBody(t, "odd/"+e.Name(), "odd/"+e.Name())
			}
		})
		t.Run("an upload whose bytes cannot be read publishes nothing", func(t *testing.T) {
			if s.bucket == nil {
				t.Skip("a directory has no uploads")
			}
			if strings.HasPrefix(s.bucket.url, "gs://") {
				t.Skip("the fake takes what was sent before the end for all of it; the store does not")
			}
			broken := io.MultiReader(bytes.NewReader(make([]byte, 100)), failing{})
			if err := s.bucket.upload(t.Context(), "broken/a", broken, false); err == nil {
				t.Error("no error")
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := s.bucket.upload(ctx, "broken/b", strings.NewReader("all of it"), true); err == nil {
				t.Error("no error")
			}
			for _, name := range []string{"broken/a", "broken/b"} {
				if body, err := s.read(name); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s holds %q, %v", name, body, err)
				}
			}
		})
		t.Run("the store's clock goes", func(t *testing.T) {
			at, err := names.now()
			if err != nil || at.IsZero() {
				t.Fatal(at, err)
			}
		})
	})
}

// older waits until the store's clock, which may count whole seconds, has gone on since
// a file was put.
func older(t testing.TB, names *scratch, name string) {
	t.Helper()
	put, err := names.store.stat(name)
	for err == nil {
		var now time.Time
		if now, err = names.now(); now.After(put.ModTime()) {
			return
		}
	}
	t.Fatal(err)
}

// failing is a reader that fails.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }

func scratchOf(t testing.TB, s *store) *scratch {
	t.Helper()
	names, err := s.scratch("test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := names.remove(); err != nil {
			t.Error(err)
		}
	})
	return names
}

// TestLakeConformance is the life of a lake: runs are kept, committed, replaced and
// replayed, marts are published, all is read on another machine, checked and pruned.
func TestLakeConformance(t *testing.T) {
	eachPlace(t, func(t *testing.T, place func(t *testing.T) Place) {
		p := place(t)
		l := lakeAt(t, p)
		run := keepRun(t, l)
		day := run.Started.UTC().Format(time.DateOnly)
		if v := commitPlans(t, l, run, pipelinetest.Plans(contoso, day, 0, 5), day); v != 1 {
			t.Fatalf("version %d", v)
		}
		again := pipelinetest.NewRun(t, contoso, "2026-11-21T09:00", 7)
		commitPlans(t, l, again, pipelinetest.Plans(contoso, day, 0, 7), day)
		for v, rows := range []int{3, 4} {
			if _, err := l.PublishGold(t.Context(), pipeline.Version(v+1), []string{run.ID, again.ID}[v], built(t, map[string]int{"users": rows, "coverage": 1})); err != nil {
				t.Fatal(err)
			}
		}

		other := p
		if l.store.bucket != nil {
			other.Work = t.TempDir()
		}
		seen, err := other.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for v, rows := range map[pipeline.Version]int{1: 5, 2: 7} {
			s := snapshot(t, seen, v)
			if got := planNames(t, paths(t, seen, s, schemas.GraphServicePlans.Name)[0]); len(got) != rows {
				t.Errorf("version %d has %d rows, not %d", v, len(got), rows)
			}
		}
		g, err := seen.Gold(0)
		if err != nil || g.Version != 2 {
			t.Fatalf("%+v, %v", g, err)
		}
		copies, err := seen.Fetch(t.Context(), []Want{g.Files[1].Want()})
		if err != nil {
			t.Fatal(err)
		}
		if body, err := os.ReadFile(copies.Path(g.Files[1].Path)); err != nil || hashOf(body) != g.Files[1].SHA256 {
			t.Errorf("mart %s of %d bytes, %v", g.Files[1].Mart, len(body), err)
		}
		if err := copies.Close(); err != nil {
			t.Error(err)
		}
		runs, err := seen.RawRuns()
		if err != nil || len(runs) != 1 || runs[0].ID != run.ID {
			t.Fatalf("runs with pages: %+v, %v", runs, err)
		}
		got, err := drain(seen.Raw(run).Pages(t.Context(), pipeline.Users, pipeline.Window{}))
		if err != nil || len(got) != 3 {
			t.Errorf("%d pages, %v", len(got), err)
		}
		noFaults(t, seen)

		// What the first version alone lists goes after its grace, and what nobody lists
		// after its age.
		first := snapshot(t, seen, 1).Files[schemas.GraphServicePlans.Name][0].Path
		stray := strings.Replace(first, "-001-", "-009-", 1)
		names, err := seen.store.scratch("test")
		if err != nil {
			t.Fatal(err)
		}
		if err := names.put(stray, []byte("x")); err != nil {
			t.Fatal(err)
		}
		older(t, names, stray)
		if err := names.remove(); err != nil {
			t.Fatal(err)
		}
		o := PruneOptions{OrphanAge: time.Nanosecond, RawOlderThan: run.Started.AddDate(1, 0, 0), Retain: &Retention{Versions: 1}, Now: clock().AddDate(1, 0, 0)}
		marked, err := seen.Prune(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		gone, err := seen.Prune(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([][]string{{first}, {stray}, {first}}, [][]string{marked.Marked, marked.Orphans, gone.Retired}); diff != "" {
			t.Error(diff)
		}
		if _, err := seen.store.stat(first); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", first, err)
		}
		if runs, err := seen.RawRuns(); err != nil || len(runs) != 0 {
			t.Errorf("runs with pages: %+v, %v", runs, err)
		}
		noFaults(t, seen)
		noTemp(t, l)
	})
}

func TestDatasetInBuckets(t *testing.T) {
	for name, fake := range map[string]func(testing.TB) *server{"s3": fakeS3, "gs": fakeGCS} {
		t.Run(name, func(t *testing.T) {
			quiet(t)
			place := fake(t).Place
			n := 0
			pipelinetest.TestDataset(t, func(t *testing.T) pipelinetest.Dataset {
				n++
				p := place
				bucket, options, _ := strings.Cut(p.URL, "?")
				p.URL = fmt.Sprintf("%s/%d?%s", bucket, n, options)
				return datasetOf(t, lakeAt(t, p))
			})
		})
	}
}

func TestRawInABucketIsASource(t *testing.T) {
	quiet(t)
	place := fakeS3(t).Place
	n := 0
	pipelinetest.TestSource(t, func(t *testing.T) pipelinetest.Source {
		n++
		p := place
		bucket, options, _ := strings.Cut(p.URL, "?")
		p.URL = fmt.Sprintf("%s/%d?%s", bucket, n, options)
		l := lakeAt(t, p)
		return pipelinetest.Source{
			Source: l.Raw(keepRun(t, l)),
			Whole:  pipeline.Users, Empty: pipeline.SubscribedSkus, Gap: pipeline.SignIns, None: pipeline.ReportEmail,
		}
	})
}
