package graph

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"seatlake/pipeline"
)

func TestCallOf(t *testing.T) {
	for request, want := range map[string]call{
		"/beta/users?$select=id,signInActivity&$top=500": {
			"directory", "users", map[Family]int{Everything: 1, Directory: 1, SignInActivity: 1}},
		"/beta/users?%24select=id%2CsignInActivity&%24skiptoken=x": {
			"directory", "users", map[Family]int{Everything: 1, Directory: 1, SignInActivity: 1}},
		"/beta/users?$skiptoken=x": { // which may go on with either
			"directory", "users", map[Family]int{Everything: 1, Directory: 2, SignInActivity: 1}},
		"/beta/users?$select=id,signInActivity&$expand=manager($select=id)&$top=500": {
			"directory", "users", map[Family]int{Everything: 1, Directory: 2, SignInActivity: 1}},
		"/beta/users?$expand=manager($select=id)&$skiptoken=x": { // which selects nothing of the users
			"directory", "users", map[Family]int{Everything: 1, Directory: 3, SignInActivity: 1}},
		"/beta/users?$select=id&$top=999":         {"directory", "users", map[Family]int{Everything: 1, Directory: 1}},
		"/v1.0/users?$top=5&$expand=manager":      {"directory", "users", map[Family]int{Everything: 1, Directory: 2}},
		"/v1.0/subscribedSkus":                    {"directory", "subscribedskus", map[Family]int{Everything: 1, Directory: 3}},
		"/v1.0/directory/subscriptions":           {"directory", "directory", map[Family]int{Everything: 1, Directory: 1}},
		"/v1.0/auditLogs/signIns?$top=1000":       {"audit log", "", map[Family]int{Everything: 1, AuditLog: 1}},
		"/v1.0/reports/getMailboxUsageDetail":     {"report getmailboxusagedetail", "", map[Family]int{Everything: 1, Report: 1}},
		"/v1.0/reports/getX(period='D30')":        {"report getx", "", map[Family]int{Everything: 1, Report: 1}},
		"/v1.0/copilot/reports/getY(period='D7')": {"report gety", "", map[Family]int{Everything: 1, Report: 1}},
		"/v1.0/reports/authenticationMethods/userRegistrationDetails": {
			"audit log", "", map[Family]int{Everything: 1, AuditLog: 1}},
	} {
		t.Run(request, func(t *testing.T) {
			u, err := url.Parse("https://graph.microsoft.com" + request)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, callOf("GET", u), cmp.AllowUnexported(call{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWindow(t *testing.T) {
	start := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

	t.Run("lets no span have more than its limit, whoever is late or gives up", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			limit := Limit{Units: rapid.IntRange(1, 7).Draw(t, "limit"), Per: 10 * time.Second}
			w := newWindow(limit, true)
			now := start
			var waiting []*slot
			var used []time.Time
			for range rapid.IntRange(1, 80).Draw(t, "steps") {
				switch rapid.SampledFrom([]string{"come", "come", "go", "go", "give up", "pass"}).Draw(t, "what") {
				case "come":
					waiting = append(waiting, w.reserve(now, 1))
				case "go":
					due := slices.DeleteFunc(slices.Clone(waiting), func(s *slot) bool { return s.due(now).After(now) })
					if len(due) > 0 { // whoever wakes first
						s := rapid.SampledFrom(due).Draw(t, "who")
						s.use(now)
						used = append(used, now)
						waiting = slices.DeleteFunc(waiting, func(other *slot) bool { return other == s })
					}
				case "give up":
					if len(waiting) > 0 {
						i := rapid.IntRange(0, len(waiting)-1).Draw(t, "who")
						waiting[i].giveBack()
						waiting = slices.Delete(waiting, i, i+1)
					}
				case "pass":
					now = now.Add(time.Duration(rapid.IntRange(0, 6000).Draw(t, "ms")) * time.Millisecond)
				}
			}
			for i := limit.Units; i < len(used); i++ {
				if span := used[i].Sub(used[i-limit.Units]); span < limit.Per {
					t.Fatalf("%d requests within %v", limit.Units+1, span)
				}
			}
		})
	})

	t.Run("holds nobody longer than a widened span", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			limit := Limit{Units: rapid.IntRange(1, 7).Draw(t, "limit"), Per: 10 * time.Second}
			w := newWindow(limit, true)
			now := start
			var used []time.Time
			for i := range rapid.IntRange(1, 40).Draw(t, "requests") {
				now = now.Add(time.Duration(rapid.IntRange(0, 4000).Draw(t, "ms")) * time.Millisecond)
				s := w.reserve(now, 1)
				due := s.due(now)
				want := now
				if i >= limit.Units {
					want = later(now, used[i-limit.Units].Add(10300*time.Millisecond))
				}
				if !due.Equal(want) {
					t.Fatalf("request %d is due at %v, want %v", i, due, want)
				}
				now = due
				s.use(now)
				used = append(used, now)
			}
		})
	})

	t.Run("expects who comes before to leave now, until it has left", func(t *testing.T) {
		w := newWindow(Limit{Units: 1, Per: 10 * time.Second}, true)
		first, second := w.reserve(start, 1), w.reserve(start, 1)
		late := start.Add(time.Minute)
		if got := second.due(late).Sub(late); got != 10300*time.Millisecond {
			t.Errorf("due after %v", got)
		}
		first.use(late)
		if got := second.due(late.Add(time.Minute)).Sub(late); got != time.Minute {
			t.Errorf("due after %v", got)
		}
	})

	t.Run("takes an answer for the latest moment that its request was counted", func(t *testing.T) {
		w := newWindow(Limit{Units: 1, Per: 10 * time.Second}, true)
		first, second := w.reserve(start, 1), w.reserve(start, 1)
		first.use(start)
		for after, want := range map[time.Duration]time.Duration{
			100 * time.Millisecond: 10100 * time.Millisecond, 5 * time.Second: 10300 * time.Millisecond,
		} {
			first.answered = start.Add(after)
			if got := second.due(start).Sub(start); got != want {
				t.Errorf("answered after %v: due after %v", after, got)
			}
		}
	})

	t.Run("counts a request that leaves late from then on", func(t *testing.T) {
		w := newWindow(Limit{Units: 1, Per: 10 * time.Second}, true)
		first, second := w.reserve(start, 1), w.reserve(start, 1)
		first.use(start)
		first.use(start.Add(3 * time.Second))
		if got := second.due(start).Sub(start); got != 13300*time.Millisecond {
			t.Errorf("due after %v", got)
		}
	})
}

func TestBucket(t *testing.T) {
	start := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

	t.Run("lets no span have more than its limit", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			limit := Limit{Of: Directory, Units: rapid.SampledFrom([]int{20, 200, 3500}).Draw(t, "limit"), Per: 10 * time.Second}
			b := newGate(limit, true)
			now := start
			type use struct {
				at    time.Time
				units int
			}
			var uses []use
			for range 400 {
				now = now.Add(time.Duration(rapid.SampledFrom([]int{0, 0, 0, 1, 30, 500}).Draw(t, "ms")) * time.Millisecond)
				units := rapid.IntRange(1, max(8, limit.Units/64)).Draw(t, "units")
				now = later(now, b.reserve(now, units).due(now))
				uses = append(uses, use{now, units})
			}
			sum, from := 0, 0
			for _, u := range uses {
				sum += u.units
				for u.at.Sub(uses[from].at) >= limit.Per {
					sum -= uses[from].units
					from++
				}
				if sum > limit.Units {
					t.Fatalf("%d units in a span", sum)
				}
			}
		})
	})

	t.Run("loses less than 5 % of its limit", func(t *testing.T) {
		for _, limit := range []Limit{{Units: 3_500, Per: 10 * time.Second}, {Units: 130_000, Per: 10 * time.Second}} {
			b := newBucket(limit)
			now, units := start, 0
			for now.Before(start.Add(20 * limit.Per)) {
				now = b.reserve(now, 10).due(now)
				units += 10
			}
			if rate := float64(units) / float64(20*limit.Units); rate < 0.95 || rate > 1 {
				t.Errorf("%v: %.3f of the limit", limit, rate)
			}
		}
	})
}

// arrivals is Graph that answers as told, and notes when which path was asked for.
type arrivals struct {
	answer func(r *http.Request, n int) *http.Response // n counts requests, from 0

	mu sync.Mutex
	at map[string][]time.Duration
	n  int
}

func (a *arrivals) client(t *testing.T, pacer *Pacer, change ...func(*Config)) *Client {
	began := time.Now()
	a.at = map[string][]time.Duration{}
	transport := roundTrip(func(r *http.Request) (*http.Response, error) {
		if strings.HasPrefix(r.URL.Host, "login.") {
			return answerOf(r, strings.NewReader(`{"token_type":"Bearer","expires_in":3599,"access_token":"token"}`)), nil
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		a.n++
		a.at[r.URL.Path] = append(a.at[r.URL.Path], time.Since(began))
		if resp := a.answer(r, a.n-1); resp != nil {
			return resp, nil
		}
		return answerOf(r, strings.NewReader(`{"value":[]}`)), nil
	})
	return newMetered(0, 0, nil).client(t, 1, pacer, append([]func(*Config){func(c *Config) { c.Transport = transport }}, change...)...)
}

func refusal(r *http.Request, header ...string) *http.Response {
	resp := answerOf(r, strings.NewReader(`{"error":{"code":"TooManyRequests"}}`))
	resp.StatusCode = http.StatusTooManyRequests
	for i := 0; i+1 < len(header); i += 2 {
		resp.Header.Set(header[i], header[i+1])
	}
	return resp
}

// read reads a source to its end, and says how long it took.
func read(t *testing.T, c *Client, source string) time.Duration {
	t.Helper()
	began := time.Now()
	if _, err := collect(c.Pages(t.Context(), source, pipeline.Window{})); err != nil {
		t.Error(err)
	}
	return time.Since(began)
}

func TestPaceAdapts(t *testing.T) {
	const skus = "/v1.0/subscribedSkus"

	for asked, least := range map[string]time.Duration{
		"2": 2 * time.Second, "2.128": 2128 * time.Millisecond, "": firstWait / 2,
	} {
		t.Run("a family waits when one of its requests is refused with Retry-After "+asked, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				graph := &arrivals{answer: func(r *http.Request, n int) *http.Response {
					if n > 0 {
						return nil
					}
					if asked == "" {
						return refusal(r)
					}
					return refusal(r, "Retry-After", asked)
				}}
				client := graph.client(t, nil, func(c *Config) { c.Attempts = 1 })
				_, err := collect(client.Pages(t.Context(), pipeline.SubscribedSkus, pipeline.Window{}))
				want(t, err, "429")
				if took := read(t, client, pipeline.SubscribedSkus); took != least {
					t.Errorf("the next request waited %v, want %v", took, least)
				}
				if waited := client.Stats().Waited; waited["directory"] != least || len(waited) != 1 {
					t.Errorf("waited: %v", waited)
				}
			})
		})
	}

	t.Run("refusals without Retry-After make the family wait longer and longer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			graph := &arrivals{answer: func(r *http.Request, n int) *http.Response { return refusal(r) }}
			client := graph.client(t, nil, func(c *Config) { c.Attempts = 1 })
			last := time.Duration(0)
			for range 12 {
				began := time.Now()
				_, err := collect(client.Pages(t.Context(), pipeline.SubscribedSkus, pipeline.Window{}))
				want(t, err, "429")
				took := time.Since(began)
				if took < last || took > maxWait/2 {
					t.Errorf("waited %v after %v", took, last)
				}
				last = took
			}
			if last != maxWait/2 {
				t.Errorf("waited %v at last", last)
			}
		})
	})

	for share, gap := range map[string]time.Duration{
		"": 0, "0.79": 0, "0.8": time.Second, "1.0": 3 * time.Second, "1.8": 11 * time.Second, "1e9": 13 * time.Second, "NaN": 0,
	} {
		t.Run("requests slow down when Graph says that its limit is in use by "+share, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				graph := &arrivals{answer: func(r *http.Request, n int) *http.Response {
					resp := answerOf(r, strings.NewReader(`{"value":[]}`))
					resp.Header.Set("x-ms-throttle-limit-percentage", share)
					return resp
				}}
				client := graph.client(t, nil)
				for range 3 {
					read(t, client, pipeline.SubscribedSkus)
				}
				for i, at := range graph.at[skus] {
					if want := time.Duration(i) * gap; (at - want).Abs() > time.Microsecond {
						t.Errorf("request %d came after %v, want %v", i, at, want)
					}
				}
			})
		})
	}

	t.Run("what a read costs is learned from its answer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			graph := &arrivals{answer: func(r *http.Request, n int) *http.Response {
				resp := answerOf(r, strings.NewReader(`{"value":[]}`))
				resp.Header.Set("x-ms-resource-unit", "50")
				return resp
			}}
			client := graph.client(t, nil)
			for range 200 {
				read(t, client, pipeline.SubscribedSkus)
			}
			at := graph.at[skus]
			const most = 3500 / 50
			for i := most; i < len(at); i++ {
				if span := at[i] - at[i-most]; span < 10*time.Second {
					t.Fatalf("%d requests of 50 units within %v", most+1, span)
				}
			}
		})
	})

	t.Run("an application that is refused waits in all tenants, a tenant's does not", func(t *testing.T) {
		for scope, waits := range map[string]time.Duration{
			"Application/ReadWrite/app/": 40 * time.Second, "Tenant_Application/ReadWrite/app/tenant": 0, "": 0,
		} {
			synctest.Test(t, func(t *testing.T) {
				graph := &arrivals{answer: func(r *http.Request, n int) *http.Response {
					if n > 0 {
						return nil
					}
					return refusal(r, "Retry-After", "40", "x-ms-throttle-scope", scope)
				}}
				pacer := NewPacer(nil)
				client := graph.client(t, pacer, func(c *Config) { c.Attempts = 1 })
				other := graph.client(t, pacer, func(c *Config) { c.DirectoryID = directoryID })
				another := graph.client(t, pacer, func(c *Config) { c.DirectoryID, c.ClientID = directoryID, "another application" })
				_, err := collect(client.Pages(t.Context(), pipeline.SubscribedSkus, pipeline.Window{}))
				want(t, err, "429")
				if took := read(t, another, pipeline.SubscribedSkus); took != 0 {
					t.Errorf("scope %q: another application waited %v", scope, took)
				}
				if took := read(t, other, pipeline.SubscribedSkus); took != waits {
					t.Errorf("scope %q: the other tenant waited %v, want %v", scope, took, waits)
				}
				if took := read(t, client, pipeline.SubscribedSkus); took != 40*time.Second-waits {
					t.Errorf("scope %q: the tenant waited %v after the other", scope, took)
				}
			})
		}
	})

	t.Run("another program that uses part of a limit is made room for", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := newMetered(0, 300_000, publishedRules)
			ctx, stop := context.WithCancel(t.Context())
			var other sync.WaitGroup
			other.Go(func() { // 2 of 5 in 10 s
				for sleep(ctx, 5*time.Second) == nil {
					m.count("audit", "audit", "Bearer of 00000000-0000-0000-0000-000000000001")
				}
			})
			took := run(t, []string{pipeline.SignIns}, m.client(t, 1, nil))
			stop()
			other.Wait()
			t.Logf("took %v, %d refused", took, len(m.refused))
			if len(m.refused) > 100 {
				t.Errorf("%d requests were refused for 300 that were served", len(m.refused))
			}
			if limit := 2 * bound(300, 3, 10*time.Second); took > limit {
				t.Errorf("took %v, want at most %v", took, limit)
			}
		})
	})
}

func TestPaceRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMetered(0, 1_000_000, publishedRules)
		for range 5 { // of another run, a moment ago
			m.count("audit", "audit", "Bearer of 00000000-0000-0000-0000-000000000001")
		}
		took := run(t, []string{pipeline.SignIns}, m.client(t, 1, nil))
		if n := len(m.refused); n == 0 || n > 5 {
			t.Errorf("%d requests were refused", n)
		}
		within(t, took, bound(1_005, 5, 10*time.Second))
	})
}

func TestPaceShares(t *testing.T) {
	t.Run("a report's limits are of each application, and of all in a tenant", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			graph := &arrivals{answer: func(r *http.Request, _ int) *http.Response { return answerOf(r, strings.NewReader(reportCSV)) }}
			pacer := NewPacer(nil)
			const wait = 10 * time.Minute
			for app, requests := range map[string]int{"one": 14, "two": 14} {
				client := graph.client(t, pacer, func(c *Config) { c.ClientID = app })
				for i := range requests {
					if took := read(t, client, pipeline.ReportMailboxes); took != 0 {
						t.Errorf("%s: request %d waited %v", app, i, took)
					}
				}
				if took := read(t, client, pipeline.ReportEmail); took != 0 {
					t.Errorf("%s: another report waited %v", app, took)
				}
			}
			third := graph.client(t, pacer, func(c *Config) { c.ClientID = "three" })
			for i := range 12 { // 40 in all
				if took := read(t, third, pipeline.ReportMailboxes); took != 0 {
					t.Errorf("three: request %d waited %v", i, took)
				}
			}
			if took := read(t, third, pipeline.ReportMailboxes); took != wait {
				t.Errorf("the tenant's 41st request waited %v", took)
			}
			one := graph.client(t, NewPacer(nil))
			for range 14 {
				read(t, one, pipeline.ReportMailboxes)
			}
			if took := read(t, one, pipeline.ReportMailboxes); took != wait {
				t.Errorf("the application's 15th request waited %v", took)
			}
		})
	})

	t.Run("who waits at its own limit takes nothing from others", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			graph := &arrivals{answer: func(*http.Request, int) *http.Response { return nil }}
			pacer := NewPacer([]Limit{
				{Of: AuditLog, Scope: PerApp, Units: 6, Per: 10 * time.Second},
				{Of: AuditLog, Scope: PerAppAndTenant, Units: 5, Per: 10 * time.Second},
			})
			client := graph.client(t, pacer)
			other := graph.client(t, pacer, func(c *Config) { c.DirectoryID = directoryID })
			var group sync.WaitGroup
			for range 8 {
				group.Go(func() { read(t, client, pipeline.SignIns) })
			}
			synctest.Wait()
			if took := read(t, other, pipeline.SignIns); took != 0 {
				t.Errorf("the other tenant waited %v", took)
			}
			group.Wait()
		})
	})

	t.Run("the time to sign in does not count", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			graph := &arrivals{answer: func(*http.Request, int) *http.Response { return nil }}
			client := graph.client(t, nil, func(c *Config) { c.Transport = slowLogin(c.Transport, 8*time.Second, nil) })
			for range 6 {
				read(t, client, pipeline.SignIns)
			}
			at := graph.at["/v1.0/auditLogs/signIns"]
			if span := at[5] - at[0]; span < 10*time.Second {
				t.Errorf("six requests within %v", span)
			}
		})
	})

	t.Run("a token that grows old while its request waits is renewed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var issued []time.Time
			graph := &arrivals{answer: func(r *http.Request, _ int) *http.Response {
				if age := time.Since(issued[len(issued)-1]); age > 4*time.Second {
					t.Errorf("a token of %v was sent", age)
				}
				return nil
			}}
			client := graph.client(t, nil, func(c *Config) {
				c.Transport = slowLogin(c.Transport, 0, func(r *http.Request) *http.Response {
					issued = append(issued, time.Now())
					return answerOf(r, strings.NewReader(`{"token_type":"Bearer","expires_in":4,"access_token":"token"}`))
				})
			})
			for range 11 {
				read(t, client, pipeline.SignIns)
			}
			if len(issued) < 3 {
				t.Errorf("%d tokens", len(issued))
			}
		})
	})

	t.Run("sources of one family share its limit", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := newMetered(20_000, 100_000, publishedRules)
			took := run(t, []string{pipeline.SignIns, pipeline.UserRegistrationDetails}, m.client(t, 1, nil))
			m.unrefused(t)
			within(t, took, meanTrip+bound(100+40, 5, 10*time.Second))
		})
	})

	t.Run("who gives up leaves no gap", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			graph := &arrivals{answer: func(*http.Request, int) *http.Response { return nil }}
			client := graph.client(t, nil)
			for range 5 {
				read(t, client, pipeline.SignIns)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			defer cancel()
			var group sync.WaitGroup
			for range 5 { // they would be next
				group.Go(func() {
					if _, err := collect(client.Pages(ctx, pipeline.SignIns, pipeline.Window{})); !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("error: %v", err)
					}
				})
			}
			synctest.Wait()
			for range 5 {
				group.Go(func() { read(t, client, pipeline.SignIns) })
			}
			group.Wait()
			at := graph.at["/v1.0/auditLogs/signIns"]
			if len(at) != 10 {
				t.Fatalf("%d requests", len(at))
			}
			if last := at[9]; last < 10*time.Second || last > 21*time.Second {
				t.Errorf("the last request came after %v", last)
			}
		})
	})

	t.Run("the time to connect does not count", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			connected := false
			graph := &arrivals{answer: func(*http.Request, int) *http.Response { return nil }}
			client := graph.client(t, nil, func(c *Config) {
				next := c.Transport
				c.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
					if !connected && strings.HasPrefix(r.URL.Host, "graph.") {
						connected = true
						if err := sleep(r.Context(), 4*time.Second); err != nil {
							return nil, err
						}
						httptrace.ContextClientTrace(r.Context()).GotConn(httptrace.GotConnInfo{})
					}
					return next.RoundTrip(r)
				})
			})
			for range 6 {
				read(t, client, pipeline.SignIns)
			}
			at := graph.at["/v1.0/auditLogs/signIns"]
			if span := at[5] - at[0]; span < 10*time.Second || span > 10500*time.Millisecond {
				t.Errorf("six requests within %v", span)
			}
		})
	})
}

// slowLogin is a login host that takes its time, and answers as told; nil for as it
// would.
func slowLogin(next http.RoundTripper, d time.Duration, answer func(*http.Request) *http.Response) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		if !strings.HasPrefix(r.URL.Host, "login.") {
			return next.RoundTrip(r)
		}
		if err := sleep(r.Context(), d); err != nil {
			return nil, err
		}
		if answer != nil {
			return answer(r), nil
		}
		return next.RoundTrip(r)
	})
}

func TestPaceTells(t *testing.T) {
	t.Run("long waits for published limits are events, short ones are not", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var events []Event
			graph := &arrivals{answer: func(*http.Request, int) *http.Response { return nil }}
			client := graph.client(t, nil, func(c *Config) {
				c.Progress = func(e Event) {
					if e.Kind == Throttled {
						events = append(events, e)
					}
				}
			})
			for range 5 {
				read(t, client, pipeline.SignIns)
			}
			time.Sleep(6 * time.Second)
			for range 6 { // the first waits 4 s, the last 10 s
				read(t, client, pipeline.SignIns)
			}
			if diff := cmp.Diff([]Event{{
				Kind: Throttled, Source: "audit log", Wait: 10 * time.Second, Reason: "published limit: 5 audit log requests in 10s",
			}}, events); diff != "" {
				t.Error(diff)
			}
			stats := client.Stats()
			if diff := cmp.Diff(map[string]time.Duration{"audit log": 14 * time.Second}, stats.Waited); diff != "" {
				t.Error(diff)
			}
			if stats.Throttled != 0 {
				t.Errorf("throttled for %v, though Graph asked for nothing", stats.Throttled)
			}
		})
	})

	t.Run("only where Microsoft is asked are its limits kept unasked", func(t *testing.T) {
		for root, kept := range map[string]bool{
			"https://graph.microsoft.com": true, "https://dod-graph.microsoft.us": true, "https://graph.microsoft.us:443": true,
			"https://microsoftgraph.chinacloudapi.cn": true,
			"http://127.0.0.1:8080":                   false, "https://graph.example.com": false, "https://microsoft.com.example.com": false,
		} {
			synctest.Test(t, func(t *testing.T) {
				graph := &arrivals{answer: func(*http.Request, int) *http.Response { return nil }}
				client := graph.client(t, nil, func(c *Config) { c.Graph = root })
				took := time.Duration(0)
				for range 6 {
					took += read(t, client, pipeline.SignIns)
				}
				if kept != (took >= 10*time.Second) || !kept && took > 0 {
					t.Errorf("%s: took %v", root, took)
				}
				took = 0
				for range 100 { // 300 resource units
					took += read(t, client, pipeline.SubscribedSkus)
				}
				if kept != (took > 0) {
					t.Errorf("%s: the directory took %v", root, took)
				}
			})
		}
	})

	t.Run("elsewhere they are kept from the first refusal that they explain", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := newMetered(0, 100_000, publishedRules)
			client := m.client(t, 1, nil, func(c *Config) { c.Graph = "https://graph.example.com" })
			took := run(t, []string{pipeline.SignIns}, client)
			if n := len(m.refused); n == 0 || n > 4 {
				t.Errorf("%d requests were refused", n)
			}
			if limit := bound(100+4, 5, 10*time.Second) * 21 / 20; took > limit {
				t.Errorf("took %v, want at most %v", took, limit)
			}
		})
	})
}

// BenchmarkPacer is what a request of one of 200 tenants pays to be counted, beside
// its network.
func BenchmarkPacer(b *testing.B) {
	pacer := NewPacer(nil)
	u := &url.URL{Scheme: "https", Host: "graph.microsoft.com", Path: "/beta/users", RawQuery: "$select=id,signInActivity&$top=500"}
	var transports []*pace
	now := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	for i := range 200 {
		transports = append(transports, &pace{
			next:  roundTrip(func(r *http.Request) (*http.Response, error) { return answerOf(r, http.NoBody), nil }),
			pacer: pacer, who: newParty(u, clientID, strings.Repeat("x", i), false), now: func() time.Time { return now },
			ready: func(context.Context) error { return nil },
		})
	}
	req := &http.Request{URL: u, Method: http.MethodGet}
	b.ReportAllocs()
	for b.Loop() {
		for _, t := range transports {
			if _, err := t.RoundTrip(req); err != nil {
				b.Fatal(err)
			}
			now = now.Add(time.Second)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(200*b.N), "ns/request")
}
