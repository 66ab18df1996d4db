package lake

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"seatlake/pipeline"
	"seatlake/pipeline/pipelinetest"
)

// numbered is a living source whose pages are numbered from 1 to its value. It
// notes which it was asked for.
type numbered struct {
	last  int
	asked *[]string
	anew  bool // leaves kept pages out
}

func (n numbered) Pages(_ context.Context, source string, _ pipeline.Window) pipeline.Pages {
	return n.from(source, 1)
}

func (n numbered) Continue(_ context.Context, source string, _ pipeline.Window, kept pipeline.Pages) pipeline.Pages {
	if n.anew {
		return n.from(source, 1)
	}
	return func(yield func(*pipeline.Page, error) bool) {
		next := 1
		for p, err := range kept {
			if !yield(p, err) || err != nil {
				return
			}
			next = p.Number + 1
		}
		n.from(source, next)(yield)
	}
}

func (n numbered) from(source string, first int) pipeline.Pages {
	return func(yield func(*pipeline.Page, error) bool) {
		for i := first; i <= n.last; i++ {
			*n.asked = append(*n.asked, fmt.Sprint(source, " ", i))
			if !yield(numberedPage(source, i, n.anew), nil) {
				return
			}
		}
	}
}

func numberedPage(source string, i int, anew bool) *pipeline.Page {
	text := fmt.Sprintf(`{"value":[%d]}`, i)
	if anew {
		text = fmt.Sprintf(`{"value":[%d],"anew":true}`, i)
	}
	return page(source, i, "gzip", text)
}

// killedRun keeps all of the users' pages, two pages of sign-ins, a denied
// report, and nothing of the SKUs.
func killedRun(t *testing.T, l *Lake, at string) pipeline.Run {
	t.Helper()
	run := pipelinetest.NewRun(t, contoso, at, 1)
	for _, s := range []string{pipeline.Users, pipeline.SignIns, pipeline.ReportApps, pipeline.SubscribedSkus} {
		run.Requests = append(run.Requests, pipeline.Request{Source: s})
	}
	k, err := l.Keeper(run)
	if err != nil {
		t.Fatal(err)
	}
	pages := func(source string) []*pipeline.Page {
		return []*pipeline.Page{numberedPage(source, 1, false), numberedPage(source, 2, false)}
	}
	cut := errors.New("killed")
	gap := &pipeline.Gap{State: pipeline.Denied, Reason: "grant it"}
	for source, p := range map[string]pipeline.Pages{
		pipeline.Users:      pagesOf(nil, pages(pipeline.Users)...),
		pipeline.SignIns:    pagesOf(cut, pages(pipeline.SignIns)...),
		pipeline.ReportApps: pagesOf(gap),
	} {
		if _, err := drain(k.Keep(t.Context(), source, p)); err != nil && !errors.Is(err, cut) && !errors.Is(err, gap) {
			t.Fatal(err)
		}
	}
	if err := k.lock.Close(); err != nil { // what a process that dies leaves
		t.Fatal(err)
	}
	return run
}

func anyRun(pipeline.Run) bool { return true }

func resume(t *testing.T, l *Lake) *Keeper {
	t.Helper()
	k, err := l.Resume(t.Context(), contoso, anyRun)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// readOn lets a run that was taken up read its sources to their ends.
func readOn(t *testing.T, k *Keeper, live numbered) (asked []string) {
	t.Helper()
	live.asked = &asked
	for _, q := range k.Run().Requests {
		if _, err := drain(k.Keep(t.Context(), q.Source, k.Source(live).Pages(t.Context(), q.Source, q.Window))); err != nil {
			t.Fatal(err)
		}
	}
	end(t, k)
	return asked
}

func wantPages(t *testing.T, l *Lake, run pipeline.Run, source string, want ...*pipeline.Page) {
	t.Helper()
	got, err := drain(l.Raw(run).Pages(t.Context(), source, pipeline.Window{}))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(pipeline.Page{})); diff != "" {
		t.Errorf("kept pages of %s (-want +got):\n%s", source, diff)
	}
}

func TestResume(t *testing.T) {
	const at = "2026-11-20T08:00"
	three := func(source string) []*pipeline.Page {
		return []*pipeline.Page{numberedPage(source, 1, false), numberedPage(source, 2, false), numberedPage(source, 3, false)}
	}
	t.Run("goes on from the pages that are kept", func(t *testing.T) {
		l := newLake(t)
		run := killedRun(t, l, at)
		k := resume(t, l)
		if diff := cmp.Diff(run, k.Run()); diff != "" {
			t.Errorf("run (-want +got):\n%s", diff)
		}
		if k.Kept() != 4 {
			t.Errorf("%d pages are kept, want 4", k.Kept())
		}
		asked := readOn(t, k, numbered{last: 3})
		want := []string{"sign_ins 3", "getM365AppUserDetail 1", "getM365AppUserDetail 2", "getM365AppUserDetail 3", "subscribed_skus 1", "subscribed_skus 2", "subscribed_skus 3"}
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Errorf("asked for (-want +got):\n%s", diff)
		}
		wantPages(t, l, run, pipeline.Users, three(pipeline.Users)[:2]...)
		wantPages(t, l, run, pipeline.SignIns, three(pipeline.SignIns)...)
		wantPages(t, l, run, pipeline.ReportApps, three(pipeline.ReportApps)...)
		left, err := l.store.list(rawPath(run, pipeline.SignIns))
		if err != nil || len(left) != 4 {
			t.Errorf("files of sign-ins: %v, %v; want three pages and an index", left, err)
		}
		noTemp(t, l)
	})
	t.Run("goes on as often as it is killed", func(t *testing.T) {
		l := newLake(t)
		run := killedRun(t, l, at)
		var asked []string
		for n := 3; n <= 5; n++ {
			k := resume(t, l)
			live := numbered{last: 5, asked: &asked}
			for p, err := range k.Keep(t.Context(), pipeline.SignIns, k.Source(live).Pages(t.Context(), pipeline.SignIns, pipeline.Window{})) {
				if err != nil {
					t.Fatal(err)
				}
				if p.Number == n {
					break
				}
			}
			if err := k.lock.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff([]string{"sign_ins 3", "sign_ins 4", "sign_ins 5"}, asked); diff != "" {
			t.Errorf("asked for (-want +got):\n%s", diff)
		}
		readOn(t, resume(t, l), numbered{last: 5})
		wantPages(t, l, run, pipeline.SignIns, append(three(pipeline.SignIns), numberedPage(pipeline.SignIns, 4, false), numberedPage(pipeline.SignIns, 5, false))...)
	})
	for name, harm := range map[string]func(t *testing.T, l *Lake, run pipeline.Run){
		"a page that is not whole": func(t *testing.T, l *Lake, run pipeline.Run) {
			put(t, l.store.path(rawPath(run, pipeline.SignIns, "000002.json.gz")), "x")
		},
		"a page that is gone": func(t *testing.T, l *Lake, run pipeline.Run) {
			remove(t, l.store.path(rawPath(run, pipeline.SignIns, "000002.json.gz")))
		},
		"a line that is not whole": func(t *testing.T, l *Lake, run pipeline.Run) {
			name := l.store.path(rawPath(run, pipeline.SignIns, listName))
			body, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			put(t, name, string(body[:len(body)-1]))
		},
		"a line that is damaged": func(t *testing.T, l *Lake, run pipeline.Run) {
			name := l.store.path(rawPath(run, pipeline.SignIns, listName))
			body, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			put(t, name, strings.Replace(string(body), `"name":"000002`, `"name":"../002`, 1))
		},
	} {
		t.Run("asks again for "+name, func(t *testing.T) {
			l := newLake(t)
			run := killedRun(t, l, at)
			harm(t, l, run)
			k := resume(t, l)
			if k.Kept() != 3 {
				t.Errorf("%d pages are kept, want 3", k.Kept())
			}
			if asked := readOn(t, k, numbered{last: 3}); !slices.Equal(asked[:2], []string{"sign_ins 2", "sign_ins 3"}) {
				t.Errorf("asked for %v", asked)
			}
			wantPages(t, l, run, pipeline.SignIns, three(pipeline.SignIns)...)
		})
	}
	t.Run("asks again for a whole source one of whose pages is damaged", func(t *testing.T) {
		l := newLake(t)
		run := killedRun(t, l, at)
		put(t, l.store.path(rawPath(run, pipeline.Users, "000002.json.gz")), "x")
		readOn(t, resume(t, l), numbered{last: 3})
		wantPages(t, l, run, pipeline.Users, three(pipeline.Users)...)
	})
	t.Run("forgets kept pages that do not come again", func(t *testing.T) {
		l := newLake(t)
		run := killedRun(t, l, at)
		readOn(t, resume(t, l), numbered{last: 1, anew: true})
		wantPages(t, l, run, pipeline.SignIns, numberedPage(pipeline.SignIns, 1, true))
		wantPages(t, l, run, pipeline.Users, three(pipeline.Users)[:2]...)
	})
	t.Run("leaves alone what is not to be taken up", func(t *testing.T) {
		for name, other := range map[string]func(t *testing.T, l *Lake, run pipeline.Run){
			"a run that does not fit": func(*testing.T, *Lake, pipeline.Run) {},
			"a run of a living process": func(t *testing.T, l *Lake, run pipeline.Run) {
				k, err := l.Keeper(run)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { end(t, k) })
			},
			"a run that was committed": func(t *testing.T, l *Lake, run pipeline.Run) {
				commitPlans(t, l, run, nil)
			},
			"a run before the last commit": func(t *testing.T, l *Lake, _ pipeline.Run) {
				commitPlans(t, l, pipelinetest.NewRun(t, contoso, "2026-11-20T09:00", 1), nil)
			},
			"a run that was given up": func(t *testing.T, l *Lake, run pipeline.Run) {
				k := resume(t, l)
				if err := k.GiveUp(errors.New("page 1 is not one")); err != nil {
					t.Fatal(err)
				}
				end(t, k)
				body, err := os.ReadFile(l.store.path(rawPath(run, failedName)))
				if err != nil || string(body) != "page 1 is not one\n" {
					t.Errorf("%s says %q, %v", failedName, body, err)
				}
			},
			"a run that is damaged": func(t *testing.T, l *Lake, run pipeline.Run) {
				put(t, l.store.path(rawPath(run, runName)), "{")
			},
			"a run of another tenant": func(t *testing.T, l *Lake, run pipeline.Run) {
				if err := l.store.rename(rawPath(run), rawPath(pipeline.Run{TenantID: fabrikam, ID: run.ID})); err != nil {
					t.Fatal(err)
				}
			},
		} {
			t.Run(name, func(t *testing.T) {
				l := newLake(t)
				run := killedRun(t, l, at)
				other(t, l, run)
				k, err := l.Resume(t.Context(), contoso, func(pipeline.Run) bool { return name != "a run that does not fit" })
				if err != nil || k != nil {
					t.Errorf("Resume = %v, %v", k, err)
				}
			})
		}
	})
	t.Run("takes the newest of several", func(t *testing.T) {
		l := newLake(t)
		killedRun(t, l, at)
		newest := killedRun(t, l, "2026-11-20T09:00")
		k := resume(t, l)
		if k.Run().ID != newest.ID {
			t.Errorf("run %s, want %s", k.Run().ID, newest.ID)
		}
		end(t, k)
	})
	t.Run("of many that try, one gets the run", func(t *testing.T) {
		l := newLake(t)
		killedRun(t, l, at)
		first := resume(t, l)
		if second := resume(t, l); second != nil {
			t.Error("a second got it too")
		}
		end(t, first)
		if third := resume(t, l); third == nil {
			t.Error("nobody can have it any more")
		} else {
			end(t, third)
		}
	})
}

// TestFaultsOfResuming fails every act of a run that is taken up: what is kept in
// the end are the pages of a run without faults.
func TestFaultsOfResuming(t *testing.T) {
	eachFault(t, func(t *testing.T, faulty, sound *Lake, n int) error {
		began := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Minute)
		run := killedRun(t, sound, began.Format("2006-01-02T15:04"))
		var asked []string
		live := numbered{last: 3, asked: &asked}
		failed := func() error {
			k, err := faulty.Resume(t.Context(), contoso, anyRun)
			if err != nil {
				return err
			}
			for _, q := range run.Requests {
				_, e := drain(k.Keep(t.Context(), q.Source, k.Source(live).Pages(t.Context(), q.Source, q.Window)))
				err = errors.Join(err, e)
			}
			return errors.Join(err, k.Close())
		}()
		if k := resume(t, sound); k == nil {
			t.Error("the run cannot be taken up")
		} else {
			readOn(t, k, numbered{last: 3})
		}
		for _, source := range []string{pipeline.SignIns, pipeline.ReportApps, pipeline.SubscribedSkus} {
			wantPages(t, sound, run, source, numberedPage(source, 1, false), numberedPage(source, 2, false), numberedPage(source, 3, false))
		}
		return failed
	})
}
