package lake

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/klauspost/compress/gzip"

	"seatlake/pipeline"
	"seatlake/pipeline/pipelinetest"
)

// rawTestRun asks for the sources of these tests.
func rawTestRun(t testing.TB) pipeline.Run {
	run := pipelinetest.NewRun(t, contoso, "2026-11-20T08:00", 1)
	for _, s := range []string{pipeline.Users, pipeline.ReportApps, pipeline.SignIns, pipeline.SubscribedSkus} {
		run.Requests = append(run.Requests, pipeline.Request{Source: s})
	}
	return run
}

func page(source string, number int, coding, text string) *pipeline.Page {
	body := []byte(text)
	if coding == "gzip" {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(body); err != nil {
			panic(err)
		}
		if err := z.Close(); err != nil {
			panic(err)
		}
		body = b.Bytes()
	}
	return &pipeline.Page{
		Source: source, Number: number, Request: fmt.Sprintf("/v1.0/%s?page=%d", source, number), RequestID: fmt.Sprint("r", number),
		Coding: coding, Body: body, Observed: clock().Add(time.Duration(number) * time.Second),
	}
}

func pagesOf(end error, pages ...*pipeline.Page) pipeline.Pages {
	return func(yield func(*pipeline.Page, error) bool) {
		for _, p := range pages {
			if !yield(p, nil) {
				return
			}
		}
		if end != nil {
			yield(nil, end)
		}
	}
}

// drain ranges over pages and gives them and their end.
func drain(pages pipeline.Pages) (all []*pipeline.Page, end error) {
	for p, err := range pages {
		if err != nil {
			end = err
			continue
		}
		all = append(all, p)
	}
	return all, end
}

// keepRun keeps a run of which every source ends in its own way.
func keepRun(t testing.TB, l *Lake) pipeline.Run {
	t.Helper()
	run := rawTestRun(t)
	k, err := l.Keeper(run)
	if err != nil {
		t.Fatal(err)
	}
	gap := &pipeline.Gap{State: pipeline.Denied, Reason: "grant AuditLog.Read.All", Err: errors.New("403 Forbidden")}
	for source, pages := range map[string]pipeline.Pages{
		pipeline.Users:          pagesOf(nil, page(pipeline.Users, 1, "gzip", `{"value":[1]}`), page(pipeline.Users, 2, "gzip", `{"value":[2]}`), page(pipeline.Users, 3, "", `{"value":[3]}`)),
		pipeline.ReportApps:     pagesOf(nil, page(pipeline.ReportApps, 1, "", "Report Refresh Date\r\n")),
		pipeline.SignIns:        pagesOf(gap, page(pipeline.SignIns, 1, "", `{"value":[]}`)),
		pipeline.SubscribedSkus: pagesOf(nil),
	} {
		if _, err := drain(k.Keep(t.Context(), source, pages)); err != nil && !errors.Is(err, gap) {
			t.Fatal(err)
		}
	}
	end(t, k)
	return run
}

// end gives a keeper's lock back.
func end(t testing.TB, k *Keeper) {
	t.Helper()
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestRawIsASource(t *testing.T) {
	pipelinetest.TestSource(t, func(t *testing.T) pipelinetest.Source {
		l := newLake(t)
		return pipelinetest.Source{
			Source: l.Raw(keepRun(t, l)),
			Whole:  pipeline.Users, Empty: pipeline.SubscribedSkus, Gap: pipeline.SignIns, None: pipeline.ReportEmail,
		}
	})
}

func TestKeep(t *testing.T) {
	t.Run("pages come back as they came", func(t *testing.T) {
		l := newLake(t)
		run := keepRun(t, l)
		want, _ := drain(pagesOf(nil, page(pipeline.Users, 1, "gzip", `{"value":[1]}`), page(pipeline.Users, 2, "gzip", `{"value":[2]}`), page(pipeline.Users, 3, "", `{"value":[3]}`)))
		got, err := drain(reopen(t, l).Raw(run).Pages(t.Context(), pipeline.Users, pipeline.Window{}))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(pipeline.Page{})); diff != "" {
			t.Errorf("pages (-want +got):\n%s", diff)
		}
		noTemp(t, l)
	})
	t.Run("their files are named by what is in them", func(t *testing.T) {
		l := newLake(t)
		dir := l.store.path(rawPath(keepRun(t, l)))
		for _, name := range []string{"run.json", "users/000001.json.gz", "users/000003.json", "getM365AppUserDetail/000001.csv", "users/index.json"} {
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("each page is on the disk before it is handed on", func(t *testing.T) {
		l := newLake(t)
		run := rawTestRun(t)
		k, err := l.Keeper(run)
		if err != nil {
			t.Fatal(err)
		}
		defer end(t, k)
		for p, err := range k.Keep(t.Context(), pipeline.Users, pagesOf(nil, page(pipeline.Users, 1, "", "{}"), page(pipeline.Users, 2, "", "{}"))) {
			if err != nil {
				t.Fatal(err)
			}
			if _, err := l.store.stat(rawPath(run, pipeline.Users, fmt.Sprintf("%06d.json", p.Number))); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("a gap comes back as the same gap", func(t *testing.T) {
		l := newLake(t)
		pages, err := drain(l.Raw(keepRun(t, l)).Pages(t.Context(), pipeline.SignIns, pipeline.Window{}))
		g, ok := pipeline.AsGap(err)
		if !ok || len(pages) != 1 || g.State != pipeline.Denied || g.Reason != "grant AuditLog.Read.All" || g.Err.Error() != "403 Forbidden" {
			t.Errorf("%d pages, then %#v", len(pages), err)
		}
	})
	for name, stop := range map[string]func(k pipeline.Keeper) error{
		"pages that end in an error have no index": func(k pipeline.Keeper) error {
			_, err := drain(k.Keep(t.Context(), pipeline.Users, pagesOf(errors.New("reset"), page(pipeline.Users, 1, "", "{}"))))
			return err
		},
		"pages that nobody read to their end have no index": func(k pipeline.Keeper) error {
			for range k.Keep(t.Context(), pipeline.Users, pagesOf(nil, page(pipeline.Users, 1, "", "{}"), page(pipeline.Users, 2, "", "{}"))) {
				break
			}
			return errors.New("stopped")
		},
		"a page out of order is refused": func(k pipeline.Keeper) error {
			_, err := drain(k.Keep(t.Context(), pipeline.Users, pagesOf(nil, page(pipeline.Users, 2, "", "{}"))))
			return err
		},
		"a coding that cannot be read again is refused": func(k pipeline.Keeper) error {
			_, err := drain(k.Keep(t.Context(), pipeline.Users, pagesOf(nil, page(pipeline.Users, 1, "br", "{}"))))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLake(t)
			run := keepRun(t, l) // an earlier, whole try of the same run
			k, err := l.Keeper(run)
			if err != nil {
				t.Fatal(err)
			}
			defer end(t, k)
			if err := stop(k); err == nil {
				t.Fatal("no error")
			}
			_, err = drain(l.Raw(run).Pages(t.Context(), pipeline.Users, pipeline.Window{}))
			wantError(t, err, "ended before this source did", "seatlake run")
		})
	}
	t.Run("a source that is a path is refused", func(t *testing.T) {
		l := newLake(t)
		k, err := l.Keeper(rawTestRun(t))
		if err != nil {
			t.Fatal(err)
		}
		defer end(t, k)
		_, err = drain(k.Keep(t.Context(), "../../data", pagesOf(nil)))
		wantError(t, err, "not a name")
	})
	t.Run("a run id that another run has is refused", func(t *testing.T) {
		l := newLake(t)
		run := keepRun(t, l)
		run.Program = "another"
		_, err := l.Keeper(run)
		wantError(t, err, "another run with the same id")
	})
}

func TestRawDamage(t *testing.T) {
	file := func(l *Lake, run pipeline.Run, name string) string {
		return l.store.path(rawPath(run, pipeline.Users, name))
	}
	for name, test := range map[string]struct {
		harm func(t *testing.T, l *Lake, run pipeline.Run)
		want []string
	}{
		"a changed page is not read": {func(t *testing.T, l *Lake, run pipeline.Run) {
			put(t, file(l, run, "000003.json"), `{"value":[4]}`)
		}, []string{"page 3", "000003.json is damaged", "seatlake run"}},
		"a cut page is not read": {func(t *testing.T, l *Lake, run pipeline.Run) {
			put(t, file(l, run, "000003.json"), `{"value"`)
		}, []string{"page 3", "8 bytes are not the 13"}},
		"a missing page is named": {func(t *testing.T, l *Lake, run pipeline.Run) {
			remove(t, file(l, run, "000002.json.gz"))
		}, []string{"page 2", "cannot be read", "seatlake run"}},
		"a damaged index is named": {func(t *testing.T, l *Lake, run pipeline.Run) {
			put(t, file(l, run, "index.json"), `{"format":1,"source":"users","pages":[{"number":1,"name":"../../x"}]}`)
		}, []string{"index.json is damaged"}},
		"an index of another source is damage": {func(t *testing.T, l *Lake, run pipeline.Run) {
			put(t, file(l, run, "index.json"), `{"format":1,"source":"groups","pages":[]}`)
		}, []string{"index.json is damaged", "groups"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLake(t)
			run := keepRun(t, l)
			test.harm(t, l, run)
			_, err := drain(l.Raw(run).Pages(t.Context(), pipeline.Users, pipeline.Window{}))
			wantError(t, err, append(test.want, run.ID)...)
		})
	}
	t.Run("another window than was read is refused", func(t *testing.T) {
		l := newLake(t)
		run := keepRun(t, l)
		_, err := drain(l.Raw(run).Pages(t.Context(), pipeline.Users, pipeline.Window{From: clock()}))
		wantError(t, err, "was read from")
	})
}

func TestRawRuns(t *testing.T) {
	l := newLake(t)
	whole := keepRun(t, l)
	cut := pipelinetest.NewRun(t, fabrikam, "2026-11-19T08:00", 1)
	cut.Requests = whole.Requests
	k, err := l.Keeper(cut)
	if err != nil {
		t.Fatal(err)
	}
	defer end(t, k)
	if _, err := drain(k.Keep(t.Context(), pipeline.Users, pagesOf(nil))); err != nil {
		t.Fatal(err)
	}
	put(t, l.store.path("raw/notes/mine.txt"), "not a run")

	runs, err := l.RawRuns()
	if err != nil {
		t.Fatal(err)
	}
	want := []RawRun{
		{Run: cut, Lacking: []string{pipeline.ReportApps, pipeline.SignIns, pipeline.SubscribedSkus}},
		{Run: whole},
	}
	if diff := cmp.Diff(want, runs); diff != "" {
		t.Errorf("runs, oldest first (-want +got):\n%s", diff)
	}
	if runs[0].Complete() || !runs[1].Complete() {
		t.Errorf("complete: %v, %v", runs[0].Complete(), runs[1].Complete())
	}
}
