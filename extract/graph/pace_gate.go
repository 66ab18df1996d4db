package graph

import (
	"time"

	"golang.org/x/time/rate"
)

// A gate lets through what one limit allows. Whoever wants to pass takes a slot,
// waits until it is due, and uses it. Gates are guarded by their Pacer.
type gate interface {
	// reserve takes the next slot. It is for the caller to use or to give back.
	reserve(now time.Time, units int) *slot
}

// newGate is exact for limits that a run comes near, and small for those that are
// far away or count units of different requests. The latter are not there at all
// where they are not known to hold.
func newGate(l Limit, kept bool) gate {
	switch {
	case l.Units <= 1000 && l.Of != Directory:
		return newWindow(l, kept)
	case kept:
		return newBucket(l)
	default:
		return open{}
	}
}

// margin is how long a request is taken to be under way before Graph counts it, as a
// fraction of the limit's span: 0.3 s in the shortest. An answer that comes sooner
// says more, but Graph counts a request when it arrives, and not when it is done.
const margin = 0.03

// maxMargin is how far the margin grows when Graph refuses what should go through,
// for then requests may be under way for longer.
const maxMargin = 4 * margin

// window is a limit on requests that holds in every span of time, wherever it
// begins. It is as many permits as the limit has units; a permit that was used is
// free again one span later. So a burst up to the limit passes at once, and what
// follows passes at the limit's rate; a token bucket of that size would let twice
// the limit through in a span.
//
// When Graph refuses what it publishes, others use part of the limit. Then spans are
// stretched, and requests spread evenly over them, until refusals end.
type window struct {
	limit Limit
	kept  bool // slots are waited for, and not only noted

	permits []*slot // the last to hold each permit, nil when it is new
	next    int     // the permit to be taken next
	last    *slot   // the last that was taken

	margin  float64   // fraction of the span
	stretch float64   // of the span; 1 while nothing is refused
	slowed  time.Time // when a refusal last made them larger
}

func newWindow(l Limit, kept bool) *window {
	return &window{limit: l, kept: kept, permits: make([]*slot, l.Units), margin: margin, stretch: 1}
}

// reserve takes one permit: a request is one unit.
func (w *window) reserve(now time.Time, _ int) *slot {
	s := &slot{gate: w, window: w, before: w.permits[w.next], previous: w.last}
	w.permits[w.next], w.last = s, s
	w.next = (w.next + 1) % len(w.permits)
	s.at = s.due(now)
	return s
}

func (w *window) span() time.Duration {
	return time.Duration(w.stretch * float64(w.limit.Per))
}

// gap is the least time between two requests.
func (w *window) gap() time.Duration {
	if w.stretch == 1 {
		return 0
	}
	return w.span() / time.Duration(len(w.permits))
}

// How a window adapts. A burst of refusals counts once. In balance with others that
// use part of a limit, about one request in twenty is refused.
const (
	slower     = 1.3  // times the stretch, when a request was refused
	faster     = 0.02 // less of the stretch, when one was answered
	maxStretch = 6
)

func (w *window) refused(now time.Time) {
	if w.kept && now.Sub(w.slowed) >= w.limit.Per {
		w.stretch, w.margin, w.slowed = min(w.stretch*slower, maxStretch), min(w.margin*2, maxMargin), now
	}
}

func (w *window) answered() { w.stretch = max(w.stretch-faster, 1) }

// slot is the use of a permit: expected, used, or given back.
type slot struct {
	gate     gate
	window   *window   // the gate, nil when it is a bucket
	at       time.Time // when the request leaves or left
	answered time.Time // zero until then
	state    slotState
	before   *slot // from whom the permit comes; nil when it is new, and once the slot is used
	previous *slot // who was taken last before this one; nil likewise
	early    bool  // used before it was due, because the window is not kept
}

type slotState int

const (
	slotExpected slotState = iota
	slotUsed
	slotGivenBack
)

// due is when the slot may be used, as far as is known now: who comes before it may
// be late.
func (s *slot) due(now time.Time) time.Time {
	switch {
	case s.window == nil:
		return s.at
	case !s.window.kept:
		return now
	default:
		return later(now, s.free(now))
	}
}

// free is when the window would let the slot's request through.
func (s *slot) free(now time.Time) time.Time {
	return later(s.before.permitFree(now), s.previous.gapOver(now))
}

// permitFree is when the slot's permit may be used again.
func (s *slot) permitFree(now time.Time) time.Time {
	if s == nil {
		return time.Time{}
	}
	if s.state == slotGivenBack {
		return s.before.permitFree(now)
	}
	return s.counted(now).Add(s.window.span())
}

// gapOver is when the slot is far enough in the past for the next.
func (s *slot) gapOver(now time.Time) time.Time {
	if s == nil {
		return time.Time{}
	}
	if s.state == slotGivenBack {
		return s.previous.gapOver(now)
	}
	return s.leaves(now).Add(s.window.gap())
}

// leaves is when the slot's request left, or will at the earliest.
func (s *slot) leaves(now time.Time) time.Time {
	if s.state == slotUsed {
		return s.at
	}
	return later(s.at, now)
}

// counted is when Graph has counted the slot's request at the latest.
func (s *slot) counted(now time.Time) time.Time {
	latest := s.leaves(now).Add(time.Duration(s.window.margin * float64(s.window.limit.Per)))
	if !s.answered.IsZero() && s.answered.Before(latest) {
		return s.answered
	}
	return latest
}

// use says that the request leaves now. It may be said again when it leaves later.
func (s *slot) use(now time.Time) {
	if s.window != nil && s.state == slotExpected {
		s.early = s.free(now).After(now)
	}
	s.at, s.state, s.before, s.previous = now, slotUsed, nil, nil
}

// giveBack says that the request does not leave.
func (s *slot) giveBack() { s.state = slotGivenBack }

// bucket is a limit for which no list of slots is kept. A burst of b units and a rate
// of (limit - b) per span stay within the limit in every span.
type bucket struct {
	limiter *rate.Limiter
}

func newBucket(l Limit) *bucket {
	burst := max(l.Units/64, 8) // no read that is published costs more
	perSecond := float64(max(l.Units-burst, 1)) / ((1 + margin) * l.Per.Seconds())
	return &bucket{rate.NewLimiter(rate.Limit(perSecond), burst)}
}

func (b *bucket) reserve(now time.Time, units int) *slot {
	r := b.limiter.ReserveN(now, min(units, b.limiter.Burst()))
	return &slot{gate: b, at: now.Add(r.DelayFrom(now))}
}

// open lets everything through.
type open struct{}

func (g open) reserve(now time.Time, _ int) *slot { return &slot{gate: g, at: now} }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
