package graph

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seatlake/extract/graph/graphsim"
	"seatlake/pipeline"
)

var sources = []string{
	pipeline.Users, pipeline.SubscribedSkus, pipeline.SignIns,
	pipeline.ReportActiveUsers, pipeline.ReportEmail, pipeline.ReportApps,
	pipeline.ReportActivations, pipeline.ReportMailboxes, pipeline.ReportOneDrives,
}

// simulated serves a tenant of 60 users and 400 sign-ins in pages of 20, and a
// client of it whose sleeps move both clocks.
func simulated(t *testing.T, change func(*graphsim.Options)) (*Client, *graphsim.Server, *clock) {
	t.Helper()
	clock := &clock{now: time.Date(2026, 11, 24, 9, 15, 2, 0, time.UTC)}
	o := graphsim.Options{Seed: 7, Users: 60, SignIns: 400, PageSize: 20, Clock: clock.Now}
	change(&o)
	tenant, err := graphsim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server, err := tenant.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client, err := New(Config{
		Tenant: "simulated", Graph: server.GraphURL, Login: server.LoginURL,
		DirectoryID: graphsim.DefaultTenantID, ClientID: graphsim.DefaultClientID, Credential: ClientSecret(graphsim.DefaultClientSecret),
		Now: clock.Now, Sleep: clock.Sleep, Jitter: func() float64 { return 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		if err := server.Close(); err != nil { // a token reached the download host
			t.Error(err)
		}
	})
	return client, server, clock
}

func month(clock *clock) pipeline.Window {
	to := clock.Now()
	return pipeline.Window{From: to.AddDate(0, 0, -30), To: to}
}

// rows are a source's rows without repetition: ids of JSON, the text of CSV.
func rows(t *testing.T, pages []*pipeline.Page) []string {
	t.Helper()
	var out []string
	for _, p := range pages {
		text, err := p.Text()
		if err != nil {
			t.Fatal(err)
		}
		var page struct{ Value []struct{ ID string } }
		if err := json.Unmarshal(text, &page); err != nil {
			out = append(out, string(text))
			continue
		}
		for _, row := range page.Value {
			out = append(out, row.ID)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// TestSimulatedTenant reads a whole tenant through every fault that passes, and
// wants the rows of a quiet one.
func TestSimulatedTenant(t *testing.T) {
	quiet := map[string][]string{}
	client, _, clock := simulated(t, func(*graphsim.Options) {})
	window := month(clock)
	for _, source := range sources {
		pages, err := collect(client.Pages(t.Context(), source, window))
		if err != nil {
			t.Fatal(err)
		}
		quiet[source] = rows(t, pages)
	}
	if len(quiet[pipeline.Users]) != 60 || len(quiet[pipeline.SignIns]) != 400 || len(quiet[pipeline.SubscribedSkus]) == 0 {
		t.Fatalf("%d users, %d sign-ins, %d SKUs", len(quiet[pipeline.Users]), len(quiet[pipeline.SignIns]), len(quiet[pipeline.SubscribedSkus]))
	}

	faults := map[string][]graphsim.Fault{}
	for _, kind := range []graphsim.FaultKind{
		graphsim.TooManyRequests, graphsim.BadGateway, graphsim.Unavailable, graphsim.GatewayTimeout, graphsim.Reset,
		graphsim.CutShort, graphsim.TruncatedGzip, graphsim.HTML, graphsim.MalformedJSON, graphsim.RepeatedRow,
		graphsim.EmptyPage, graphsim.ExpiredLink, graphsim.ExpiredDownload, graphsim.ExpiredToken, graphsim.RefusedToken,
	} {
		times := 2
		if kind == graphsim.ExpiredToken {
			times = 1 // a new token that is refused too is an error
		}
		for page := 1; page <= 2; page++ {
			name := fmt.Sprintf("%s on page %d", kind, page)
			for _, source := range sources {
				faults[name] = append(faults[name], graphsim.Fault{Source: source, Page: page, Kind: kind, Times: times, RetryAfter: "2.5"})
			}
			faults[name] = append(faults[name], graphsim.Fault{Source: "token", Kind: kind, Times: times})
		}
	}
	for name, faults := range faults {
		t.Run("is read alike through "+name, func(t *testing.T) {
			client, _, _ := simulated(t, func(o *graphsim.Options) { o.Faults = faults })
			for _, source := range sources {
				pages, err := collect(client.Pages(t.Context(), source, window))
				if err != nil {
					t.Fatal(err)
				}
				for i, p := range pages {
					if p.Number != i+1 {
						t.Errorf("%s: page %d has number %d", source, i+1, p.Number)
					}
				}
				if diff := cmp.Diff(quiet[source], rows(t, pages)); diff != "" {
					t.Errorf("%s: %s", source, diff)
				}
			}
		})
	}

	t.Run("is read alike under the published limits, all sources at once", func(t *testing.T) {
		client, _, clock := simulated(t, func(o *graphsim.Options) { o.Throttle, o.PageSize = true, 5 })
		var group sync.WaitGroup
		for _, source := range sources {
			group.Go(func() {
				pages, err := collect(client.Pages(t.Context(), source, window))
				if err != nil {
					t.Error(err)
					return
				}
				if diff := cmp.Diff(quiet[source], rows(t, pages)); diff != "" {
					t.Errorf("%s: %s", source, diff)
				}
			})
		}
		group.Wait()
		if len(clock.slept) == 0 {
			t.Error("nothing was throttled")
		}
	})

	t.Run("ends in an error when a link leads back or away", func(t *testing.T) {
		for kind, says := range map[graphsim.FaultKind]string{
			graphsim.EndlessLink: "repeats itself", graphsim.ForeignLink: "the link to the next page leads to",
		} {
			client, _, _ := simulated(t, func(o *graphsim.Options) {
				o.Faults = []graphsim.Fault{{Source: pipeline.Users, Page: 2, Kind: kind, Times: -1}}
			})
			_, err := collect(client.Pages(t.Context(), pipeline.Users, pipeline.Window{}))
			want(t, err, "simulated", "users: page ", says)
		}
	})

	t.Run("without permissions is gaps", func(t *testing.T) {
		client, _, _ := simulated(t, func(o *graphsim.Options) {
			o.Deny = []string{"Reports.Read.All", "AuditLog.Read.All", "LicenseAssignment.Read.All"}
		})
		for _, source := range sources {
			_, err := collect(client.Pages(t.Context(), source, window))
			gap, ok := pipeline.AsGap(err)
			switch {
			case source == pipeline.Users:
				if err != nil || len(client.Notes(source)) != 1 {
					t.Errorf("users: %v, notes %q", err, client.Notes(source))
				}
			case !ok || gap.State != pipeline.Denied:
				t.Errorf("%s: %v", source, err)
			}
		}
	})

	t.Run("with a wrong secret says so", func(t *testing.T) {
		_, server, clock := simulated(t, func(*graphsim.Options) {})
		client, err := New(Config{
			Tenant: "simulated", Graph: server.GraphURL, Login: server.LoginURL, DirectoryID: graphsim.DefaultTenantID,
			ClientID: graphsim.DefaultClientID, Credential: ClientSecret("another secret"), Now: clock.Now, Sleep: clock.Sleep,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		_, err = collect(client.Pages(t.Context(), pipeline.Users, pipeline.Window{}))
		if e, ok := errors.AsType[*AuthError](err); !ok || e.AADSTS != 7000215 {
			t.Errorf("error: %v", err)
		}
	})
}
