package graph

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// pacedBy sends requests of one client and says how long they were held back. Its
// clock is advanced by waiting, and may be set.
type pacedBy struct {
	*pace
	now    time.Time
	answer func(*http.Request) *http.Response
	waited []time.Duration
}

func newPacedBy(t *testing.T, root string, published bool) *pacedBy {
	t.Helper()
	u, err := url.Parse(root)
	if err != nil {
		t.Fatal(err)
	}
	p := &pacedBy{now: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)}
	p.answer = func(r *http.Request) *http.Response { return answerOf(r, http.NoBody) }
	wait := func(_ context.Context, _ string, d time.Duration, _ string) error {
		p.waited = append(p.waited, d)
		p.now = p.now.Add(d)
		return nil
	}
	p.pace = &pace{
		next:  roundTrip(func(r *http.Request) (*http.Response, error) { return p.answer(r), nil }),
		pacer: NewPacer(nil), who: newParty(u, clientID, directoryID, published), now: func() time.Time { return p.now },
		ready: func(context.Context) error { return nil }, hold: wait, queue: wait,
	}
	return p
}

// send sends requests to the audit log, of which five pass in ten seconds.
func (p *pacedBy) send(t *testing.T, n int) (waited time.Duration) {
	t.Helper()
	p.waited = nil
	for range n {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+p.who.host+"/v1.0/auditLogs/signIns", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := p.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	for _, d := range p.waited {
		waited += d
	}
	return waited
}

func TestWherePublishedLimitsAreKept(t *testing.T) {
	for _, c := range []struct {
		root      string
		published bool
		kept      bool
	}{
		{"https://graph.microsoft.com", false, true},
		{"https://graph.microsoft.us", false, true},
		{"https://dod-graph.microsoft.us:443", false, true},
		{"https://microsoftgraph.chinacloudapi.cn", false, true},
		{"https://graph.microsoft.com.example.org", false, false},
		{"http://127.0.0.1:8080", false, false},
		{"http://127.0.0.1:8080", true, true},
	} {
		waited := newPacedBy(t, c.root, c.published).send(t, 6)
		if kept := waited >= 10*time.Second; kept != c.kept {
			t.Errorf("%s, published %t: waited %v", c.root, c.published, waited)
		}
		if waited > 11*time.Second {
			t.Errorf("%s, published %t: waited %v, which is more than the limit asks for", c.root, c.published, waited)
		}
	}
}

func TestAClockThatIsSetBackMakesNoWaitLonger(t *testing.T) {
	t.Run("for a published limit", func(t *testing.T) {
		p := newPacedBy(t, "https://graph.microsoft.com", false)
		p.send(t, 5)
		p.now = p.now.Add(-5 * time.Hour)
		if waited := p.send(t, 1); waited > 11*time.Second {
			t.Errorf("waited %v", waited)
		}
		if waited := p.send(t, 5); waited > 11*time.Second {
			t.Errorf("then waited %v", waited)
		}
	})

	t.Run("for what an answer asks for", func(t *testing.T) {
		p := newPacedBy(t, "https://graph.microsoft.com", false)
		good := p.answer
		p.answer = func(r *http.Request) *http.Response {
			resp := answerOf(r, http.NoBody)
			resp.StatusCode = http.StatusTooManyRequests
			resp.Header.Set("Retry-After", "7")
			return resp
		}
		p.send(t, 1)
		p.answer, p.now = good, p.now.Add(-5*time.Hour)
		if waited := p.send(t, 1); waited > 7*time.Second {
			t.Errorf("waited %v", waited)
		}
	})

	t.Run("for a date: it is one of the server's clock", func(t *testing.T) {
		now := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
		for _, ours := range []time.Duration{0, -5 * time.Hour, 9 * time.Hour} {
			resp := &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{
				"Date": {now.Format(http.TimeFormat)}, "Retry-After": {now.Add(7 * time.Second).Format(http.TimeFormat)},
			}}
			if wait := retryAfter(resp, now.Add(ours)); wait != 7*time.Second {
				t.Errorf("our clock is %v off: %v", ours, wait)
			}
		}
	})
}
