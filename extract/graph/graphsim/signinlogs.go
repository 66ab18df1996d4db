package graphsim

import (
	"regexp"
	"strings"
	"sync"
	"time"
)

// signInLog is one of the two logs of sign-ins: of those that users take part in, or
// of those that clients make on behalf of users.
type signInLog struct {
	spans
	t       *Tenant
	draws   purpose
	ids     uint64          // first index of its ids
	clients bool            // of clients
	newest  func() []newest // by user; gathered when first asked for
}

func newSignInLog(t *Tenant, clients bool) *signInLog {
	l := &signInLog{t: t, clients: clients, draws: forSignIn, spans: newSpans(t.o, forPeriod, t.o.SignIns)}
	if clients {
		l.draws, l.ids, l.spans = forClientSignIn, 1<<42, newSpans(t.o, forClientPeriod, t.o.NonInteractiveSignIns)
	}
	l.newest = sync.OnceValue(l.summarise)
	return l
}

// Flags of a user as sign-ins need them.
const (
	mayUse  = 0b1111 // the four services, dynamics first
	signsIn = 1 << 4
	isHire  = 1 << 5
)

// flagUsers gives the flags of all users.
func (t *Tenant) flagUsers() []uint8 {
	flags := make([]uint8, t.o.Users)
	var held []holding
	for i := range flags {
		p := t.person(i)
		held = t.holdings(i, held[:0])
		f := uint8(t.entitled(held)>>7) & mayUse
		if p.use == active || p.use == waning {
			f |= signsIn
		}
		if p.hire {
			f |= isHire
		}
		flags[i] = f
	}
	return flags
}

// newest are a user's newest sign-ins of a log, as k+1; 0 is none.
type newest struct {
	attempt, success uint32
	shows            [4]uint32 // successes that show use of a service, dynamics first
}

// summarise walks all sign-ins once.
func (l *signInLog) summarise() []newest {
	last := make([]newest, l.t.o.Users)
	for k := range l.n {
		e := l.event(k)
		n := &last[e.user]
		mark := func(at *uint32) {
			if *at == 0 {
				*at = uint32(k) + 1
			}
		}
		mark(&n.attempt)
		if e.outcome != 0 {
			continue
		}
		mark(&n.success)
		for i := range n.shows {
			if e.app.shows == dynamics<<i {
				mark(&n.shows[i])
			}
		}
	}
	return last
}

// event draws sign-in k: a user who signs in, an application, an outcome.
func (l *signInLog) event(k int) event {
	flags := l.t.flags()
	r := newRandom(l.t.o.Seed, l.draws, uint64(k))
	u := r.below(len(flags))
	if r.chance(40) { // one user in eight makes four sign-ins in ten
		u = u / 8 * 8
	}
	for range 64 {
		if flags[u]&signsIn != 0 && (flags[u]&isHire == 0 || l.at(k) > int64(l.t.day-3)*secondsPerDay*int64(time.Second)) {
			break
		}
		if u++; u == len(flags) {
			u = 0
		}
	}
	e := event{user: u, app: &everyday[r.skewed(len(everyday))]}
	draw := r.next()
	for i := range 4 {
		percent := uint64(1) // people also use what no licence of theirs covers
		if flags[u]>>i&1 != 0 {
			percent = 12
		}
		if draw%100 < percent {
			of := tellingFor[i]
			e.app = &telling[of[draw>>32%uint64(len(of))]]
			break
		}
		draw = mix(draw)
	}
	if r.chance(9) {
		e.outcome = 1 + r.below(len(outcomes)-1)
	}
	e.r = r
	return e
}

// The sources of the two logs, which share an address.
const (
	signInSource       = "sign_ins"
	clientSignInSource = "non_interactive_sign_ins"
)

// isSignIns says that a source is one of the logs.
func isSignIns(source string) bool { return source == signInSource || source == clientSignInSource }

// eventType is a term of a filter that names a log.
var eventType = regexp.MustCompile(`^signInEventTypes/any\(\s*(\w+)\s*:\s*(\w+)\s+eq\s+'(\w+)'\s*\)$`)

// eventTypes takes the terms that name logs out of a filter. Beta alone knows them.
func eventTypes(filter string) (types []string, rest string) {
	var others []string
	for term := range strings.SplitSeq(filter, " and ") {
		if m := eventType.FindStringSubmatch(strings.TrimSpace(term)); m != nil && m[1] == m[2] {
			types = append(types, m[3])
		} else if term != "" {
			others = append(others, term)
		}
	}
	return types, strings.Join(others, " and ")
}
