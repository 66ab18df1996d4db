package graph

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seatlake/extract/graph/graphsim"
	"seatlake/pipeline"
)

// refuses answers as Graph refuses a request.
func refuses(status int, code, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":{"code":%q,"message":%q}}`, code, message)
	}
}

func TestManagers(t *testing.T) {
	read := func(t *testing.T, cloud *cloud) ([]*pipeline.Page, []string, error) {
		t.Helper()
		client := cloud.client()
		pages, err := collect(client.Pages(t.Context(), pipeline.Users, pipeline.Window{}))
		return pages, client.Notes(pipeline.Users), err
	}
	for _, r := range []struct {
		status        int
		code, message string
	}{
		{400, "ExpandNotSupported", "Expand is not allowed for property 'Manager' according to the entity schema."},
		{400, "Request_UnsupportedQuery", "The query option $expand is not supported here."},
		{400, "BadRequest", "Parsing OData Select and Expand failed: Could not find a property named 'manager' on type 'microsoft.graph.user'."},
		{400, "BadRequest", "The request is malformed."},
		{501, "NotImplemented", "Not supported for this resource."},
	} {
		t.Run(fmt.Sprintf("users are listed without them after %d %s: %s", r.status, r.code, r.message), func(t *testing.T) {
			cloud := newCloud(t, inTurn(t, refuses(r.status, r.code, r.message), users("/beta/users?$skiptoken=a", "u1"), users("", "u2")))
			pages, notes, err := read(t, cloud)
			if err != nil || len(pages) != 2 {
				t.Fatalf("%d pages, %v", len(pages), err)
			}
			sent := cloud.graphRequests()
			if want := strings.Replace(sent[0].Query, "&$expand=manager($select=id)", "", 1); want == sent[0].Query || sent[1].Query != want {
				t.Errorf("asked for %s, then for %s", sent[0].Query, sent[1].Query)
			}
			if len(notes) != 1 || !strings.Contains(notes[0], "managers") {
				t.Errorf("notes %q", notes)
			}
		})
	}
	t.Run("what is refused all the same is an error, without a note", func(t *testing.T) {
		wrong := refuses(400, "BadRequest", "The request is malformed.")
		cloud := newCloud(t, inTurn(t, wrong, wrong))
		_, notes, err := read(t, cloud)
		want(t, err, "users: page 1", "The request is malformed.")
		if len(notes) != 0 {
			t.Errorf("notes %q", notes)
		}
	})
	t.Run("sign-ins, managers and properties are left out one by one, in whatever order Graph refuses them", func(t *testing.T) {
		denied := sample(t, "403-not-premium")
		expand := refuses(400, "ExpandNotSupported", "Expand is not allowed for property 'Manager' according to the entity schema.")
		city := refuses(400, "BadRequest", "Could not find a property named 'city' on type 'microsoft.graph.user'.")
		for _, refusals := range [][]http.HandlerFunc{{denied, expand, city}, {city, expand, denied}, {expand, city, denied}, {denied, city, expand}} {
			cloud := newCloud(t, inTurn(t, append(slices.Clone(refusals), users("", "u1"))...))
			_, notes, err := read(t, cloud)
			if err != nil || len(notes) != 3 {
				t.Fatalf("notes %q, %v", notes, err)
			}
			last := cloud.graphRequests()[3].Query
			for _, gone := range []string{"expand", "city", "signInActivity"} {
				if strings.Contains(last, gone) {
					t.Errorf("asked for %s in %s", gone, last)
				}
			}
			if !strings.Contains(last, "assignedLicenses") || !strings.HasSuffix(last, "$top=999") {
				t.Errorf("asked for %s", last)
			}
		}
	})
	t.Run("a run that was cut off goes on with what the first page was asked for", func(t *testing.T) {
		for name, change := range map[string]func(*graphsim.Options){
			"with managers": func(*graphsim.Options) {}, "without": func(o *graphsim.Options) { o.NoExpand = true },
			"without sign-ins": func(o *graphsim.Options) { o.NoPremium = true }, "without either": func(o *graphsim.Options) { o.NoPremium, o.NoExpand = true, true },
		} {
			client, server, _ := simulated(t, change)
			whole, err := collect(client.Pages(t.Context(), pipeline.Users, pipeline.Window{}))
			if err != nil {
				t.Fatal(err)
			}
			notes, before := client.Notes(pipeline.Users), len(server.Log())
			got, err := collect(client.Continue(t.Context(), pipeline.Users, pipeline.Window{}, given(whole[:1], nil)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(requestsOf(whole), requestsOf(got)); diff != "" || len(asked(server, before)) != len(whole)-1 {
				t.Errorf("%s: after %d requests (-want +got):\n%s", name, len(asked(server, before)), diff)
			}
			if again := client.Notes(pipeline.Users); !slices.Equal(slices.Sorted(slices.Values(notes)), slices.Sorted(slices.Values(again))) {
				t.Errorf("%s: notes %v, want %v", name, again, notes)
			}
		}
	})
	t.Run("a start over behind an expired link asks for no managers either", func(t *testing.T) {
		client, server, _ := simulated(t, func(o *graphsim.Options) {
			o.NoExpand = true
			o.Faults = []graphsim.Fault{{Kind: graphsim.ExpiredLink, Source: pipeline.Users, Page: 2}}
		})
		pages, err := collect(client.Pages(t.Context(), pipeline.Users, pipeline.Window{}))
		if err != nil {
			t.Fatal(err)
		}
		expands := 0
		for _, r := range asked(server, 0) {
			if strings.Contains(r, "$expand") {
				expands++
			}
		}
		if len(rows(t, pages)) != 60 || expands != 1 {
			t.Errorf("%d users after %d requests for managers", len(rows(t, pages)), expands)
		}
	})
	t.Run("a probe says that they are left out", func(t *testing.T) {
		client, _, _ := simulated(t, func(o *graphsim.Options) { o.NoPremium, o.NoExpand = true, true })
		found, err := client.Probe(t.Context(), pipeline.Users)
		if err != nil || !strings.Contains(found.Note, "signInActivity") || !strings.Contains(found.Note, "managers") {
			t.Errorf("note %q, %v", found.Note, err)
		}
	})
}
