package lake

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"
	"time"

	"seatlake/pipeline"
	"seatlake/pipeline/pipelinetest"
	"seatlake/schemas"
)

// hiding serves lists without the objects whose keys end in a text.
func hiding(end string) func(http.ResponseWriter, *http.Request, http.Handler) {
	item := regexp.MustCompile(`(?s)<Contents>.*?</Contents>`)
	return func(w http.ResponseWriter, r *http.Request, serve http.Handler) {
		if r.Method != http.MethodGet || !r.URL.Query().Has("list-type") {
			serve.ServeHTTP(w, r)
			return
		}
		said := httptest.NewRecorder()
		serve.ServeHTTP(said, r)
		body := item.ReplaceAllFunc(said.Body.Bytes(), func(one []byte) []byte {
			if bytes.Contains(one, []byte(end+"</Key>")) {
				return nil
			}
			return one
		})
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(said.Code)
		_, _ = w.Write(body)
	}
}

// TestListsThatHideVersions lets the lists of a bucket leave out an object of the log.
func TestListsThatHideVersions(t *testing.T) {
	quiet(t)
	server := fakeS3(t)
	l := lakeAt(t, server.Place)
	day := "2026-11-20"
	commit := func(n int) error {
		_, err := tryPlans(t, l, pipelinetest.NewRun(t, contoso, fmt.Sprintf("2026-11-20T08:%02d", n), byte(n)), pipelinetest.Plans(contoso, day, 0, n+1), day)
		return err
	}
	for n := range checkpointEvery + 5 {
		if err := commit(n); err != nil {
			t.Fatal(err)
		}
	}
	newest := func() error {
		seen, err := server.Open(t.Context())
		if err == nil {
			_, err = seen.Snapshot(t.Context(), 0)
		}
		return err
	}
	for name, v := range map[string]pipeline.Version{"behind the checkpoint": checkpointEvery + 3, "of the checkpoint": checkpointEvery} {
		t.Run("one "+name+" is an error, not a shorter lake", func(t *testing.T) {
			server.suffer(hiding(entryName(v)))
			defer server.suffer(nil)
			wantError(t, newest(), "gap", entryName(v))
		})
	}
	t.Run("one before the checkpoint is read by its name", func(t *testing.T) {
		server.suffer(hiding(entryName(3)))
		defer server.suffer(nil)
		seen, err := server.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		noFaults(t, seen)
	})
	t.Run("the newest is not written over by a run that does not see it", func(t *testing.T) {
		head := snapshot(t, l, 0).Version
		before, err := l.store.read(entryName(head))
		if err != nil {
			t.Fatal(err)
		}
		server.suffer(hiding(entryName(head)))
		blind, err := server.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = tryPlans(t, blind, pipelinetest.NewRun(t, contoso, "2026-11-20T09:00", 99), pipelinetest.Plans(contoso, day, 0, 50), day)
		server.suffer(nil)
		if err == nil {
			t.Error("the run says that it committed")
		}
		if after, err := l.store.read(entryName(head)); err != nil || !bytes.Equal(before, after) {
			t.Errorf("version %d is another, %v", head, err)
		}
		noFaults(t, l)
	})
}

// TestClocksThatAreDaysApart lets a machine commit whose clock is two days off.
func TestClocksThatAreDaysApart(t *testing.T) {
	for _, off := range []time.Duration{-48 * time.Hour, 48 * time.Hour} {
		t.Run(off.String(), func(t *testing.T) {
			quiet(t)
			server := fakeS3(t)
			at := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
			for n, clock := range []time.Time{at, at.Add(time.Hour + off), at.Add(2 * time.Hour)} {
				p := server.Place
				p.Work = t.TempDir()
				l := lakeAt(t, p)
				day := fmt.Sprintf("2026-11-%02d", 10+n)
				run := pipelinetest.NewRun(t, contoso, clock.Format("2006-01-02T15:04"), byte(n))
				if v := commitPlans(t, l, run, pipelinetest.Plans(contoso, day, 0, n+1), day); v != pipeline.Version(n+1) {
					t.Errorf("run %d is version %d", n, v)
				}
				if _, err := l.Prune(t.Context(), PruneOptions{Now: clock}); err != nil {
					t.Error(err)
				}
			}
			l, err := server.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for v := range pipeline.Version(3) {
				if n := len(snapshot(t, l, v+1).Files[schemas.GraphServicePlans.Name]); n != int(v)+1 {
					t.Errorf("version %d has %d files", v+1, n)
				}
			}
			noFaults(t, l)
		})
	}
}

// TestABucketThatOnlyReads refuses every write, as credentials do that may only read.
func TestABucketThatOnlyReads(t *testing.T) {
	quiet(t)
	server := fakeS3(t)
	l := lakeAt(t, server.Place)
	commitPlans(t, l, pipelinetest.NewRun(t, contoso, "2026-11-20T08:00", 1), pipelinetest.Plans(contoso, "2026-11-20", 0, 3), "2026-11-20")
	server.suffer(func(w http.ResponseWriter, r *http.Request, serve http.Handler) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			refuse(http.StatusForbidden, "AccessDenied")(w, r, serve)
			return
		}
		serve.ServeHTTP(w, r)
	})
	seen, err := server.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	noFaults(t, seen)
	_, err = tryPlans(t, seen, pipelinetest.NewRun(t, contoso, "2026-11-21T08:00", 2), pipelinetest.Plans(contoso, "2026-11-21", 0, 3), "2026-11-21")
	wantError(t, err, "403 Forbidden, AccessDenied")
	if v := snapshot(t, seen, 0).Version; v != 1 {
		t.Errorf("version %d", v)
	}
}
