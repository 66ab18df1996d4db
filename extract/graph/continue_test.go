package graph

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seatlake/extract/graph/graphsim"
	"seatlake/pipeline"
)

// given are pages that an earlier process was given, as they are read again.
func given(pages []*pipeline.Page, end error) pipeline.Pages {
	return func(yield func(*pipeline.Page, error) bool) {
		for _, p := range pages {
			again := &pipeline.Page{
				Source: p.Source, Number: p.Number, Request: p.Request, RequestID: p.RequestID, Coding: p.Coding, Body: p.Body, Observed: p.Observed,
			}
			if !yield(again, nil) {
				return
			}
		}
		if end != nil {
			yield(nil, end)
		}
	}
}

// asked are the requests of Graph's own in a log, from some place on.
func asked(server *graphsim.Server, from int) (out []string) {
	for _, r := range server.Log()[from:] {
		if r.Server == "graph" {
			out = append(out, r.Path+"?"+r.Query)
		}
	}
	return out
}

func requestsOf(pages []*pipeline.Page) (out []string) {
	for _, p := range pages {
		out = append(out, p.Request)
	}
	return out
}

func TestContinue(t *testing.T) {
	whole := func(t *testing.T, client *Client, source string, w pipeline.Window) []*pipeline.Page {
		t.Helper()
		pages, err := collect(client.Pages(t.Context(), source, w))
		if err != nil {
			t.Fatal(err)
		}
		return pages
	}
	t.Run("asks for what follows the kept pages, and for nothing else", func(t *testing.T) {
		for _, source := range []string{pipeline.Users, pipeline.SignIns} {
			client, server, clock := simulated(t, func(*graphsim.Options) {})
			w := month(clock)
			want := whole(t, client, source, w)
			for n := 1; n <= len(want); n++ {
				before := len(server.Log())
				got, err := collect(client.Continue(t.Context(), source, w, given(want[:n], nil)))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(bodies(t, want), bodies(t, got)); diff != "" {
					t.Errorf("%s behind page %d (-want +got):\n%s", source, n, diff)
				}
				if len(got) != len(want) || got[len(got)-1].Number != len(want) {
					t.Errorf("%s behind page %d: %d pages, want %d", source, n, len(got), len(want))
				}
				if extra := len(asked(server, before)) - (len(want) - n); extra != 0 {
					t.Errorf("%s behind page %d: %d requests too many", source, n, extra)
				}
			}
		}
	})
	t.Run("asks for nothing behind a report", func(t *testing.T) {
		client, server, _ := simulated(t, func(*graphsim.Options) {})
		want := whole(t, client, pipeline.ReportEmail, pipeline.Window{})
		before := len(server.Log())
		got, err := collect(client.Continue(t.Context(), pipeline.ReportEmail, pipeline.Window{}, given(want, nil)))
		if err != nil || len(got) != 1 || len(server.Log()) != before {
			t.Errorf("%d pages after %d requests, %v", len(got), len(server.Log())-before, err)
		}
	})
	t.Run("goes on with less where the first page was of less", func(t *testing.T) {
		client, server, _ := simulated(t, func(o *graphsim.Options) { o.NoPremium = true })
		want := whole(t, client, pipeline.Users, pipeline.Window{})
		notes := client.Notes(pipeline.Users)
		before := len(server.Log())
		got, err := collect(client.Continue(t.Context(), pipeline.Users, pipeline.Window{}, given(want[:2], nil)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(requestsOf(want), requestsOf(got)); diff != "" || len(asked(server, before)) != len(want)-2 {
			t.Errorf("after %d requests (-want +got):\n%s", len(asked(server, before)), diff)
		}
		if again := client.Notes(pipeline.Users); len(notes) == 0 || !slices.Equal(notes, again) {
			t.Errorf("notes %v, want %v", again, notes)
		}
	})
	t.Run("starts over behind a link that has expired", func(t *testing.T) {
		for _, source := range []string{pipeline.Users, pipeline.SignIns} {
			sound, _, clock := simulated(t, func(*graphsim.Options) {})
			w := month(clock)
			want := whole(t, sound, source, w)
			client, server, _ := simulated(t, func(o *graphsim.Options) {
				o.Faults = []graphsim.Fault{{Kind: graphsim.ExpiredLink, Source: source, Page: 3}}
			})
			var kept []*pipeline.Page
			for p, err := range client.Pages(t.Context(), source, w) {
				if err != nil {
					t.Fatal(err)
				}
				if kept = append(kept, p); len(kept) == 2 {
					break
				}
			}
			before := len(server.Log())
			got, err := collect(client.Continue(t.Context(), source, w, given(kept, nil)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(rows(t, want), rows(t, got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", source, diff)
			}
			if n := len(asked(server, before)); n != len(want)+1 || got[2].Request != kept[0].Request || got[len(got)-1].Number != len(want)+2 {
				t.Errorf("%s: %d requests, page 3 is %s, the last is %d", source, n, got[2].Request, got[len(got)-1].Number)
			}
		}
	})
	t.Run("starts over behind links that lead elsewhere", func(t *testing.T) {
		sound, _, clock := simulated(t, func(*graphsim.Options) {})
		w := month(clock)
		kept := whole(t, sound, pipeline.Users, w)
		client, _, _ := simulated(t, func(*graphsim.Options) {})
		got, err := collect(client.Continue(t.Context(), pipeline.Users, w, given(kept[:2], nil)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(rows(t, kept), rows(t, got)); diff != "" || len(got) != len(kept)+2 {
			t.Errorf("%d pages, want %d (-want +got):\n%s", len(got), len(kept)+2, diff)
		}
	})
	t.Run("starts over behind pages that had been started over", func(t *testing.T) {
		client, _, clock := simulated(t, func(o *graphsim.Options) {
			o.Faults = []graphsim.Fault{{Kind: graphsim.GatewayTimeout, Source: pipeline.SignIns, Page: 4, Times: 6}}
		})
		w := month(clock)
		halved := whole(t, client, pipeline.SignIns, w) // three pages, then the halves
		want := rows(t, halved)
		for n := 4; n <= len(halved); n++ {
			got, err := collect(client.Continue(t.Context(), pipeline.SignIns, w, given(halved[:n], nil)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, rows(t, got)); diff != "" {
				t.Errorf("behind page %d (-want +got):\n%s", n, diff)
			}
		}
	})
	t.Run("leaves out pages that were asked for otherwise", func(t *testing.T) {
		client, _, clock := simulated(t, func(*graphsim.Options) {})
		w := month(clock)
		other := w
		other.From = other.From.AddDate(0, 0, 7)
		kept, want := whole(t, client, pipeline.SignIns, other), whole(t, client, pipeline.SignIns, w)
		got, err := collect(client.Continue(t.Context(), pipeline.SignIns, w, given(kept[:2], nil)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(bodies(t, want), bodies(t, got)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("ends where the kept pages cannot be read", func(t *testing.T) {
		client, _, _ := simulated(t, func(*graphsim.Options) {})
		damaged := errors.New("damaged")
		kept := whole(t, client, pipeline.Users, pipeline.Window{})
		if _, err := collect(client.Continue(t.Context(), pipeline.Users, pipeline.Window{}, given(kept[:1], damaged))); !errors.Is(err, damaged) {
			t.Errorf("got error %v", err)
		}
	})
}
