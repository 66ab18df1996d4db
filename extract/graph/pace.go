package graph

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Pacer keeps the limits of Graph: those it publishes, so that a run is not refused,
// and what its answers ask for. Clients that share a Pacer keep together the limits
// that an application has over all its tenants. It is safe for concurrent use, has
// no clock and starts nothing.
//
// Published limits are kept from the start where Microsoft is asked, and where
// Config.PublishedLimits says so. Elsewhere, as at a simulated tenant, they are kept
// from the first 429 that they explain.
type Pacer struct {
	limits []Limit

	mu    sync.Mutex
	last  time.Time // of the moments it was told of
	gates map[gateKey]gate
	lanes map[laneKey]*lane
	units map[string]int // resource units that a read cost last, by endpoint
}

// NewPacer keeps these limits; nil stands for PublishedLimits.
func NewPacer(limits []Limit) *Pacer {
	if limits == nil {
		limits = published
	}
	// A request waits at the narrowest limit first, so that what many share is given
	// out in the order in which it can be used.
	limits = slices.SortedStableFunc(slices.Values(limits), func(a, b Limit) int { return cmp.Compare(a.Scope, b.Scope) })
	return &Pacer{limits: limits, gates: map[gateKey]gate{}, lanes: map[laneKey]*lane{}, units: map[string]int{}}
}

// tick is the moment as the Pacer counts: a clock that is set back stands still, so
// that no wait is longer than what it is for.
func (p *Pacer) tick(now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = later(p.last, now)
	return p.last
}

// party is who asks whom.
type party struct {
	host, app, tenant string
	published         bool // what Microsoft publishes holds there
}

func newParty(root *url.URL, app, tenant string, published bool) party {
	return party{strings.ToLower(root.Host), strings.ToLower(app), strings.ToLower(tenant), published || isMicrosoft(root)}
}

// at is the party as a scope sees it.
func (p party) at(s Scope) party {
	switch s {
	case PerApp:
		p.tenant = ""
	case PerTenant:
		p.app = ""
	}
	return p
}

// isMicrosoft says that a root is Graph's own.
func isMicrosoft(root *url.URL) bool {
	host := strings.ToLower(root.Hostname())
	return slices.ContainsFunc([]string{".microsoft.com", ".microsoft.us", ".chinacloudapi.cn"}, func(suffix string) bool {
		return strings.HasSuffix(host, suffix)
	})
}

type gateKey struct {
	party
	limit  int    // its index
	report string // for the limits of report functions
}

type laneKey struct {
	party
	family string
}

// lane is a family of one party's requests, which Graph asks to wait together.
type lane struct {
	until   time.Time // no request before then
	why     string    // for people
	refused int       // 429s since the last good answer
}

// pass is what one request needs before it may leave.
type pass struct {
	pacer *Pacer
	call  call
	lanes []*lane // the party's, and that of its application in all tenants
	slots []taken
}

// taken is a slot at the gate of a limit.
type taken struct {
	*slot
	limit Limit
}

// newPass is a pass without slots.
func (p *Pacer) newPass(who party, c call) *pass {
	p.mu.Lock()
	defer p.mu.Unlock()
	if units := p.units[c.endpoint]; units > 0 && c.costs[Directory] > 0 {
		c.costs[Directory] = units
	}
	return &pass{pacer: p, call: c, lanes: []*lane{p.lane(who, c.family), p.lane(who.at(PerApp), c.family)}}
}

func (p *Pacer) lane(who party, family string) *lane {
	key := laneKey{who, family}
	if p.lanes[key] == nil {
		p.lanes[key] = &lane{}
	}
	return p.lanes[key]
}

// gate is where the i-th limit counts the call.
func (p *Pacer) gate(i int, who party, c call) gate {
	l := p.limits[i]
	key := gateKey{party: who.at(l.Scope), limit: i}
	if l.Of == Report {
		key.report = c.family
	}
	if p.gates[key] == nil {
		p.gates[key] = newGate(l, who.published && !l.Doubtful)
	}
	return p.gates[key]
}

// held is until when the request is held back, and why; zero when it is not.
func (p *pass) held() (time.Time, string) {
	p.pacer.mu.Lock()
	defer p.pacer.mu.Unlock()
	own, app := p.lanes[0], p.lanes[1]
	if app.until.After(own.until) {
		return app.until, app.why
	}
	return own.until, own.why
}

// waited forgets an instant that was waited for. It has passed, whatever the clock
// says.
func (p *pass) waited(until time.Time) {
	p.pacer.mu.Lock()
	defer p.pacer.mu.Unlock()
	for _, l := range p.lanes {
		if l.until.Equal(until) {
			l.until = time.Time{}
		}
	}
}

// reserve takes a slot at the i-th limit's gate and gives its number, or false when
// the limit does not count the call.
func (p *pass) reserve(i int, who party, now time.Time) (n int, counts bool) {
	p.pacer.mu.Lock()
	defer p.pacer.mu.Unlock()
	l := p.pacer.limits[i]
	cost := p.call.costs[l.Of]
	if cost == 0 {
		return 0, false
	}
	p.slots = append(p.slots, taken{p.pacer.gate(i, who, p.call).reserve(now, cost), l})
	return len(p.slots) - 1, true
}

// due is when the n-th slot may be used.
func (p *pass) due(n int, now time.Time) time.Time {
	p.pacer.mu.Lock()
	defer p.pacer.mu.Unlock()
	s := p.slots[n]
	s.at = s.slot.due(now)
	return s.at
}

// leave says that the request leaves now.
func (p *pass) leave(now time.Time) {
	p.pacer.mu.Lock()
	defer p.pacer.mu.Unlock()
	for _, s := range p.slots {
		s.use(now)
	}
}

// giveBack says that the request does not leave.
func (p *pass) giveBack() {
	p.pacer.mu.Lock()
	defer p.pacer.mu.Unlock()
	for _, s := range p.slots {
		s.giveBack()
	}
	p.slots = nil
}

// learn takes from an answer what it says of limits.
func (p *pass) learn(resp *http.Response, now time.Time) {
	p.pacer.mu.Lock()
	defer p.pacer.mu.Unlock()
	for _, s := range p.slots {
		s.answered = now
	}
	own, app := p.lanes[0], p.lanes[1]
	scope, said := throttleScope(resp.Header)
	narrowed := own
	if scope == PerApp {
		narrowed = app
	}
	hold, why := retryAfter(resp, now), "another request of this family was told to wait"
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
		own.refused++
		if hold == 0 {
			// Who was refused waits twice as long at the most, and then finds the way open.
			hold = min(firstWait<<min(own.refused-1, 10), maxWait) / 2
		}
		if !p.explained(scope, said) {
			for _, s := range p.slots {
				if s.window != nil && s.limit.Scope == scope {
					s.window.refused(now)
				}
			}
		}
	case resp.StatusCode < 400:
		own.refused = 0
		for _, s := range p.slots {
			if s.window != nil {
				s.window.answered()
			}
		}
		if share := throttleShare(resp.Header); share >= 0.8 {
			hold = time.Duration((share - 0.7) * float64(10*time.Second))
			why = fmt.Sprintf("Graph says that %.0f %% of its limit are in use", 100*share)
		}
		p.charge(resp.Header, now)
	}
	if until := now.Add(hold); hold > 0 && until.After(narrowed.until) {
		narrowed.until, narrowed.why = until, why
	}
}

// explained says that a limit that is not kept explains a 429, because the request
// was one too many for it. The narrowest such limit is kept from then on.
func (p *pass) explained(scope Scope, said bool) bool {
	for _, s := range p.slots {
		if s.early && (s.limit.Scope == scope || !said) {
			s.window.kept = true
			return true
		}
	}
	return false
}

// charge counts what a read of the directory did cost, now and in future.
func (p *pass) charge(h http.Header, now time.Time) {
	units, err := strconv.Atoi(h.Get("x-ms-resource-unit"))
	if err != nil || units < 1 || p.call.costs[Directory] == 0 {
		return
	}
	p.pacer.units[p.call.endpoint] = units
	if more := units - p.call.costs[Directory]; more > 0 {
		for _, s := range p.slots {
			if s.limit.Of == Directory {
				s.gate.reserve(now, more)
			}
		}
	}
}

// throttleScope is whose limit Graph says was reached, and whether it said so. If it
// did not, it is most likely the narrowest.
func throttleScope(h http.Header) (scope Scope, said bool) {
	name, _, _ := strings.Cut(h.Get("x-ms-throttle-scope"), "/")
	switch name {
	case "Application":
		return PerApp, true
	case "Tenant":
		return PerTenant, true
	default:
		return PerAppAndTenant, name != ""
	}
}

// throttleShare is how much of a limit Graph says is in use, 1 for all of it; 0 when
// it does not say.
func throttleShare(h http.Header) float64 {
	share, err := strconv.ParseFloat(h.Get("x-ms-throttle-limit-percentage"), 64)
	if err != nil || math.IsNaN(share) {
		return 0
	}
	return min(share, 2)
}

// pace holds each request back until Graph will take it.
type pace struct {
	next  http.RoundTripper
	pacer *Pacer
	who   party
	now   func() time.Time

	// ready signs in, which is not to take time between waiting and sending.
	ready func(context.Context) error

	// hold waits because an answer asks for it, queue because a limit is published.
	hold, queue func(ctx context.Context, family string, d time.Duration, why string) error
}

// clock is the time as the Pacer counts.
func (t *pace) clock() time.Time { return t.pacer.tick(t.now()) }

func (t *pace) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := t.ready(req.Context()); err != nil {
		return nil, err
	}
	p := t.pacer.newPass(t.who, callOf(req.Method, req.URL))
	if err := t.enter(req.Context(), p); err != nil {
		p.giveBack()
		return nil, err
	}
	// The request leaves when there is a connection, which may take a while.
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { p.leave(t.clock()) },
	})
	resp, err := t.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	p.learn(resp, t.clock())
	return resp, nil
}

// enter returns when the request may leave.
func (t *pace) enter(ctx context.Context, p *pass) error {
	for {
		now, err := t.heldBack(ctx, p)
		if err != nil {
			return err
		}
		for i, limit := range t.pacer.limits {
			n, counts := p.reserve(i, t.who, now)
			if !counts {
				continue
			}
			for due := p.due(n, now); due.After(now); due = p.due(n, now) {
				if err := t.queue(ctx, p.call.family, due.Sub(now), "published limit: "+limit.String()); err != nil {
					return err
				}
				now = t.pacer.tick(later(t.now(), due)) // due has passed, whatever the clock says
			}
		}
		if until, _ := p.held(); !until.After(now) {
			p.leave(now)
			return nil
		}
		p.giveBack() // what many share is not to wait with one
	}
}

// heldBack waits until no answer asks the request's family to wait, and gives the
// time.
func (t *pace) heldBack(ctx context.Context, p *pass) (time.Time, error) {
	now := t.clock()
	for until, why := p.held(); !until.IsZero(); until, why = p.held() {
		if until.After(now) {
			if err := t.hold(ctx, p.call.family, until.Sub(now), why); err != nil {
				return now, err
			}
			now = t.pacer.tick(later(t.now(), until))
		}
		p.waited(until)
	}
	return now, nil
}

// signedIn makes sure that there is a token.
func (c *Client) signedIn(ctx context.Context) error {
	_, err := c.token.get(ctx)
	return err
}
