package main

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seatlake/extract/graph/graphsim"
	"seatlake/pipeline"
)

// faultTenant is a tenant of every source, most of them on several pages.
var faultTenant = graphsim.Options{Seed: 5, Users: 50, SignIns: 120, PageSize: 16, Now: scriptNow}

// paged are how many pages the sources of faultTenant have that are read page by
// page.
var paged = map[string]int{pipeline.Users: 4, pipeline.SignIns: 9, pipeline.SubscribedSkus: 1}

// everyPage is a fault at each page of each source, one or some times.
func everyPage(kind graphsim.FaultKind, retryAfter string, times int) (out []graphsim.Fault) {
	for source, n := range paged {
		for page := range n {
			out = append(out, graphsim.Fault{Kind: kind, Source: source, Page: page + 1, RetryAfter: retryAfter, Times: times})
		}
	}
	for _, source := range append(taskReports(), pipeline.Subscriptions, pipeline.ReportSettings, pipeline.UserRegistrationDetails) {
		for page := 1; page <= 4; page++ { // those it has not are never asked for
			out = append(out, graphsim.Fault{Kind: kind, Source: source, Page: page, RetryAfter: retryAfter, Times: times})
		}
	}
	return out
}

// taskReports are the usage reports of a run.
func taskReports() (out []string) {
	for _, r := range requests(nil, nil, scriptNow, nil) {
		if strings.HasPrefix(r.Source, "get") {
			out = append(out, r.Source)
		}
	}
	return out
}

// read runs against a tenant with faults.
func read(t *testing.T, faults ...graphsim.Fault) (l simLake, s *simTenant, status int, stderr string) {
	t.Helper()
	o := faultTenant
	o.Faults = faults
	s = serve(t, o)
	l = newSimLake(t)
	l.configure(map[string]*simTenant{"contoso": s})
	status, stderr = l.run(t.Context(), func() time.Time { return scriptNow })
	return l, s, status, stderr
}

func sound(t *testing.T) (simLake, *simTenant) {
	t.Helper()
	l, s, status, stderr := read(t)
	if status != exitComplete {
		t.Fatalf("the sound run ended in status %d: %s", status, stderr)
	}
	l.whole(t.Context())
	return l, s
}

// TestFaultsThatPass meets every page of every source with every fault that passes:
// the lake is the one of a tenant without faults, byte for byte. Rows that come twice
// are dropped where they come again, and what is asked for anew comes in the order of
// the first time, so that neither leaves a trace.
func TestFaultsThatPass(t *testing.T) {
	want, calm := sound(t)
	check := func(t *testing.T, got simLake, s *simTenant, status int, stderr string) {
		t.Helper()
		if status != exitComplete {
			t.Fatalf("status %d: %s", status, stderr)
		}
		if len(s.log(t)) == len(calm.log(t)) && s.o.Faults[0].Kind != graphsim.RepeatedRow {
			t.Error("no fault was met")
		}
		got.whole(t.Context())
		if diff := cmp.Diff(want.sums(t.Context()), got.sums(t.Context())); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(want.log(), got.log()); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
	}

	// Pages that come again come the same.
	for name, faults := range map[string][]graphsim.Fault{
		"429, whole seconds":        everyPage(graphsim.TooManyRequests, "3", 2),
		"429, fractions of seconds": everyPage(graphsim.TooManyRequests, "2.128", 2),
		"429, without a time":       everyPage(graphsim.TooManyRequests, "", 2),
		"502":                       everyPage(graphsim.BadGateway, "", 2),
		"503":                       everyPage(graphsim.Unavailable, "", 2),
		"503, with a time":          everyPage(graphsim.Unavailable, "20", 2),
		"504":                       everyPage(graphsim.GatewayTimeout, "", 2),
		"a reset":                   everyPage(graphsim.Reset, "", 2),
		"a body cut short":          everyPage(graphsim.CutShort, "", 2),
		"truncated gzip":            everyPage(graphsim.TruncatedGzip, "", 2),
		"HTML":                      everyPage(graphsim.HTML, "", 2),
		"malformed pages":           everyPage(graphsim.MalformedJSON, "", 2),
		"downloads that expire":     everyPage(graphsim.ExpiredDownload, "", 2),
		"a login host that is busy": {{Kind: graphsim.RefusedToken, Source: "token", Times: 3}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, s, status, stderr := read(t, faults...)
			check(t, got, s, status, stderr)
		})
	}
	for source, n := range paged {
		for page := 1; page <= n; page++ {
			t.Run(fmt.Sprintf("a token that expires before %s page %d", source, page), func(t *testing.T) {
				t.Parallel()
				got, s, status, stderr := read(t, graphsim.Fault{Kind: graphsim.ExpiredToken, Source: source, Page: page})
				check(t, got, s, status, stderr)
			})
		}
	}

	// Pages that come otherwise hold the same rows, in the same order.
	for name, faults := range map[string][]graphsim.Fault{
		"rows that are repeated": everyPage(graphsim.RepeatedRow, "", 1),
		"pages without rows":     everyPage(graphsim.EmptyPage, "", 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, s, status, stderr := read(t, faults...)
			check(t, got, s, status, stderr)
		})
	}
	for source, n := range paged {
		for page := 2; page <= n; page++ {
			t.Run(fmt.Sprintf("a link that expires before %s page %d", source, page), func(t *testing.T) {
				t.Parallel()
				got, s, status, stderr := read(t, graphsim.Fault{Kind: graphsim.ExpiredLink, Source: source, Page: page})
				check(t, got, s, status, stderr)
			})
		}
	}
	for page := 1; page <= paged[pipeline.SignIns]; page++ {
		t.Run(fmt.Sprintf("sign-ins that time out from page %d on, until they are asked for by halves", page), func(t *testing.T) {
			t.Parallel()
			got, s, status, stderr := read(t, graphsim.Fault{Kind: graphsim.GatewayTimeout, Source: pipeline.SignIns, Page: page, Times: 6})
			check(t, got, s, status, stderr)
		})
	}

	// The machine's clock is set while the run reads.
	for name, jump := range map[string]func(call int64) time.Duration{
		"a clock that is set back":           func(int64) time.Duration { return -5 * time.Hour },
		"a clock that is set forward":        func(int64) time.Duration { return 9 * time.Hour },
		"a clock that is set back and forth": func(n int64) time.Duration { return time.Duration(n%3-1) * 5 * time.Hour },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := faultTenant
			// Without a time to wait: a time would be of the clock that moves, which the
			// system's own clock, being monotonic as well, is not.
			o.Faults = everyPage(graphsim.Unavailable, "", 1)
			s := serve(t, o)
			got := newSimLake(t)
			got.configure(map[string]*simTenant{"contoso": s})
			var calls atomic.Int64
			status, stderr := got.run(t.Context(), func() time.Time {
				if s.requests.Load() == 0 { // the run has its moment before it asks
					return scriptNow
				}
				return scriptNow.Add(jump(calls.Add(1)))
			})
			if status != exitComplete {
				t.Fatalf("status %d: %s", status, stderr)
			}
			got.whole(t.Context())
			if diff := cmp.Diff(want.sums(t.Context()), got.sums(t.Context())); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFaultsThatStay meets sources with faults that never pass: the run ends in one
// error that says where, after a bounded number of requests, and publishes nothing.
// Once the fault is gone, a run makes the lake of a tenant without faults.
func TestFaultsThatStay(t *testing.T) {
	want, calm := sound(t)
	kinds := map[graphsim.FaultKind][]string{
		graphsim.TooManyRequests: {pipeline.Users, pipeline.SubscribedSkus, pipeline.SignIns, pipeline.ReportEmail},
		graphsim.BadGateway:      {pipeline.Users, pipeline.SignIns},
		graphsim.Unavailable:     {pipeline.Users, pipeline.ReportMailboxes},
		graphsim.GatewayTimeout:  {pipeline.Users, pipeline.SignIns},
		graphsim.Reset:           {pipeline.Users, pipeline.SubscribedSkus, pipeline.ReportApps},
		graphsim.CutShort:        {pipeline.Users, pipeline.ReportApps},
		graphsim.TruncatedGzip:   {pipeline.SignIns, pipeline.ReportApps},
		graphsim.HTML:            {pipeline.Users, pipeline.ReportApps},
		graphsim.MalformedJSON:   {pipeline.Users, pipeline.SignIns},
		graphsim.EndlessLink:     {pipeline.Users, pipeline.SignIns},
		graphsim.ForeignLink:     {pipeline.Users, pipeline.SignIns},
		graphsim.ExpiredLink:     {pipeline.Users, pipeline.SignIns},
		graphsim.ExpiredDownload: {pipeline.ReportOneDrives},
		graphsim.ExpiredToken:    {pipeline.Users},
	}
	for kind, sources := range kinds {
		for _, source := range sources {
			t.Run(fmt.Sprintf("%s at %s", kind, source), func(t *testing.T) {
				t.Parallel()
				fault := graphsim.Fault{Kind: kind, Source: source, Times: -1}
				if kind != graphsim.ExpiredDownload && paged[source] > 1 {
					fault.Page = 2
				}
				got, s, status, stderr := read(t, fault)
				if status != exitNothing || got.committed() != 0 {
					t.Fatalf("status %d, %d commits: %s", status, got.committed(), stderr)
				}
				_, last, _ := strings.Cut(stderr, "\nseatlake: ")
				where := "tenant contoso: " + source + ": page "
				if kind == graphsim.ExpiredToken {
					where = "tenant contoso: " // all sources share the token: any may meet it first
				}
				if strings.Count(stderr, "\nseatlake: ")+strings.Count(stderr[:9], "seatlake:") != 1 ||
					!strings.Contains(stderr, "seatlake: "+where) || strings.Count(strings.TrimSpace(last), "\n") > 0 {
					t.Errorf("the error is not one line that says %q: %s", where, stderr)
				}
				if n, most := len(s.log(t)), len(calm.log(t))+7*8*paged[pipeline.SignIns]; n > most {
					t.Errorf("%d requests were sent, which is more than %d", n, most)
				}

				mended := serve(t, faultTenant)
				got.configure(map[string]*simTenant{"contoso": mended})
				if status, stderr := got.run(t.Context(), func() time.Time { return scriptNow }); status != exitComplete {
					t.Fatalf("once mended, status %d: %s", status, stderr)
				}
				got.whole(t.Context())
				same(t, want, got)
			})
		}
	}
}
