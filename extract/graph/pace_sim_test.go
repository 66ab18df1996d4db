package graph

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"seatlake/pipeline"
)

// rule is a limit as the metered Graph keeps it, in every span of time and to the
// request. The numbers are those that Microsoft publishes, written down once more.
type rule struct {
	of    string // "users", "audit", "report"
	app   bool   // of all tenants together
	n     int
	per   time.Duration
	quiet bool // 429 without Retry-After
}

var publishedRules = []rule{
	{of: "users", n: 10, per: time.Minute},
	{of: "audit", n: 5, per: 10 * time.Second, quiet: true},
	{of: "audit", app: true, n: 122, per: 10 * time.Second, quiet: true},
	{of: "report", n: 14, per: 10 * time.Minute},
}

// metered is Graph and its login host for any number of tenants of one size. It is
// far away: a request or an answer takes from 30 to 110 ms, unless changed. Pages
// are empty.
type metered struct {
	users, signIns int // of each tenant
	rules          []rule
	mostTrip       time.Duration

	mu      sync.Mutex
	random  *rand.Rand
	counted map[string][]time.Time
	refused []time.Time // when 429 was answered
	served  map[string]int
}

const (
	leastTrip = 30 * time.Millisecond // one way
	mostTrip  = 110 * time.Millisecond
	meanTrip  = leastTrip + mostTrip // there and back
)

func newMetered(users, signIns int, rules []rule) *metered {
	return &metered{
		users: users, signIns: signIns, rules: rules, mostTrip: mostTrip, random: rand.New(rand.NewPCG(1, 2)),
		counted: map[string][]time.Time{}, served: map[string]int{},
	}
}

func (m *metered) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := m.travel(r.Context()); err != nil {
		return nil, err
	}
	resp := m.answer(r)
	return resp, m.travel(r.Context())
}

func (m *metered) travel(ctx context.Context) error {
	m.mu.Lock()
	d := leastTrip + time.Duration(m.random.Int64N(int64(m.mostTrip-leastTrip)))
	m.mu.Unlock()
	return sleep(ctx, d)
}

func (m *metered) answer(r *http.Request) *http.Response {
	if r.URL.Host == "login.microsoftonline.com" {
		tenant, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		return answerOf(r, strings.NewReader(`{"token_type":"Bearer","expires_in":3599,"access_token":"of `+tenant+`"}`))
	}
	tenant := r.Header.Get("Authorization")
	of, key, pages := "", r.URL.Path, 0
	switch {
	case strings.HasSuffix(r.URL.Path, "/users"):
		of, key, pages = "users", "users", (m.users+499)/500
	case strings.HasSuffix(r.URL.Path, "/signIns"):
		of, key, pages = "audit", "audit", (m.signIns+999)/1000
	case strings.HasSuffix(r.URL.Path, "/userRegistrationDetails"):
		of, key, pages = "audit", "audit", (m.users+499)/500
	case strings.Contains(r.URL.Path, "/reports/"):
		of = "report"
	}
	if wait, quiet, ok := m.count(of, key, tenant); !ok {
		resp := answerOf(r, strings.NewReader(`{"error":{"code":"TooManyRequests","message":"Too many requests."}}`))
		resp.StatusCode = http.StatusTooManyRequests
		if !quiet {
			resp.Header.Set("Retry-After", strconv.FormatFloat(wait.Seconds(), 'f', 3, 64))
		}
		return resp
	}
	if of == "report" {
		return answerOf(r, strings.NewReader(reportCSV))
	}
	return answerOf(r, emptyPage(r, pages))
}

// emptyPage has a link to the next of so many pages.
func emptyPage(r *http.Request, pages int) io.Reader {
	query := r.URL.Query()
	page, _ := strconv.Atoi(query.Get("$skiptoken"))
	if page+1 >= pages {
		return strings.NewReader(`{"value":[]}`)
	}
	query.Set("$skiptoken", strconv.Itoa(page+1))
	return strings.NewReader(fmt.Sprintf(`{"@odata.nextLink":"%s://%s%s?%s","value":[]}`, r.URL.Scheme, r.URL.Host, r.URL.Path, query.Encode()))
}

// count is strict: what is refused counts as well.
func (m *metered) count(of, key, tenant string) (wait time.Duration, quiet, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	ok = true
	for i, rule := range m.rules {
		if rule.of != of {
			continue
		}
		key := fmt.Sprint(i, key)
		if !rule.app {
			key += tenant
		}
		counted := m.counted[key]
		for len(counted) > 0 && now.Sub(counted[0]) >= rule.per {
			counted = counted[1:]
		}
		counted = append(counted, now)
		m.counted[key] = counted
		if len(counted) > rule.n {
			ok, quiet = false, rule.quiet
			wait = max(wait, counted[len(counted)-1-rule.n].Add(rule.per).Sub(now))
		}
	}
	if ok {
		m.served[key]++
	} else {
		m.refused = append(m.refused, now)
	}
	return wait, quiet, ok
}

// client is one for the i-th tenant.
func (m *metered) client(t *testing.T, i int, pacer *Pacer, change ...func(*Config)) *Client {
	t.Helper()
	config := Config{
		Tenant: fmt.Sprint("tenant ", i), Graph: "https://graph.microsoft.com", Login: "https://login.microsoftonline.com",
		DirectoryID: fmt.Sprintf("00000000-0000-0000-0000-%012d", i), ClientID: clientID, Credential: ClientSecret(canarySecret),
		Transport: m, Pacer: pacer,
	}
	for _, f := range change {
		f(&config)
	}
	client, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// run reads these sources of every client side by side and says how long it took.
func run(t *testing.T, sources []string, clients ...*Client) time.Duration {
	t.Helper()
	began := time.Now()
	window := pipeline.Window{From: began.Add(-24 * time.Hour), To: began}
	var group sync.WaitGroup
	for _, c := range clients {
		for _, source := range sources {
			group.Go(func() {
				for _, err := range c.Pages(t.Context(), source, window) {
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	group.Wait()
	return time.Since(began)
}

// bound is the least time in which requests one after the other, each answered
// after meanTrip, stay within n in any span.
func bound(requests, n int, per time.Duration) time.Duration {
	var sent []time.Duration
	at := time.Duration(0)
	for i := range requests {
		if i >= n {
			at = max(at, sent[i-n]+per)
		}
		sent = append(sent, at)
		at += meanTrip
	}
	return at
}

// within fails when a run took over 5 % more than its bound.
func within(t *testing.T, took, bound time.Duration) {
	t.Helper()
	ratio := took.Seconds() / bound.Seconds()
	t.Logf("took %v, bound %v: %.3f", took.Round(time.Millisecond), bound, ratio)
	if ratio > 1.05 {
		t.Errorf("took %v, which is %.3f of its bound", took, ratio)
	}
	if ratio < 0.99 {
		t.Errorf("took %v, which is less than its bound %v: the limits are not what they are said to be", took, bound)
	}
}

// unrefused fails when anything was answered with 429.
func (m *metered) unrefused(t *testing.T) {
	t.Helper()
	if len(m.refused) > 0 {
		t.Errorf("%d requests were answered with 429", len(m.refused))
	}
}

func TestPaceOfATenant(t *testing.T) {
	for _, size := range []struct{ users, signIns int }{
		{5_000, 50_000}, {50_000, 100_000}, {500_000, 1_000_000}, {5_000, 1_000_000},
	} {
		t.Run(fmt.Sprintf("%d users and %d sign-ins take no longer than the limits", size.users, size.signIns), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMetered(size.users, size.signIns, publishedRules)
				took := run(t, sources, m.client(t, 1, nil))
				m.unrefused(t)
				if m.served["users"] != size.users/500 || m.served["audit"] != size.signIns/1000 {
					t.Errorf("served: %v", m.served)
				}
				signIn := meanTrip
				within(t, took, signIn+max(bound(size.users/500, 10, time.Minute), bound(size.signIns/1000, 5, 10*time.Second)))
			})
		})
	}

	t.Run("a small one does not wait", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := newMetered(400, 5_000, publishedRules)
			client := m.client(t, 1, nil)
			if took := run(t, sources, client); took > 6*2*mostTrip { // the sign-in, and five pages
				t.Errorf("took %v", took)
			}
			if waited := client.Stats().Waited; len(waited) > 0 {
				t.Errorf("waited %v", waited)
			}
		})
	})

	t.Run("a bad road is learned from the first refusal", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := newMetered(0, 500_000, publishedRules)
			m.mostTrip = 700 * time.Millisecond
			took := run(t, sources, m.client(t, 1, nil))
			t.Logf("took %v, %d refused", took, len(m.refused))
			if n := len(m.refused); n == 0 || n > 4 {
				t.Errorf("%d requests were refused", n)
			}
			if limit := bound(500, 5, 10*time.Second) * 5 / 4; took > limit {
				t.Errorf("took %v, want at most %v", took, limit)
			}
		})
	})

	t.Run("a second run keeps the limits of the first", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := newMetered(3_000, 4_000, publishedRules)
			pacer := NewPacer(PublishedLimits())
			for range 4 {
				run(t, sources, m.client(t, 1, pacer))
			}
			m.unrefused(t)
		})
	})
}

func TestPaceOfManyTenants(t *testing.T) {
	clients := func(t *testing.T, m *metered, n int) (out []*Client) {
		pacer := NewPacer(nil)
		for i := range n {
			out = append(out, m.client(t, i, pacer))
		}
		return out
	}

	t.Run("200 of one application take no longer than its limits", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := newMetered(2_000, 20_000, publishedRules)
			took := run(t, sources, clients(t, m, 200)...)
			m.unrefused(t)
			if m.served["audit"] != 200*20 || m.served["users"] != 200*4 {
				t.Errorf("served: %v", m.served)
			}
			signIn := meanTrip
			within(t, took, signIn+200*20/122*10*time.Second)
		})
	})

	t.Run("a limit that is doubted is kept once it refused", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			rules := append([]rule{{of: "users", app: true, n: 10, per: time.Minute}}, publishedRules...)
			m := newMetered(500, 1_000, rules)
			took := run(t, []string{pipeline.Users}, clients(t, m, 60)...)
			if m.served["users"] != 60 {
				t.Errorf("served: %v", m.served)
			}
			began := time.Now().Add(-took)
			for _, at := range m.refused {
				if at.Sub(began) > time.Second {
					t.Errorf("a request was refused after %v", at.Sub(began))
				}
			}
			if len(m.refused) == 0 {
				t.Error("nothing was refused, so that nothing is tested")
			}
			// Of the first span, ten are served; 50 refused ones count against it.
			within(t, took, meanTrip+5*time.Minute)
		})
	})
}
