package graph

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// EventKind is what an Event tells.
type EventKind string

// The kinds of events.
const (
	Answered  EventKind = "answered"  // a request has its whole answer
	Retrying  EventKind = "retrying"  // a request failed and is sent again after Wait
	Throttled EventKind = "throttled" // Graph asks for patience, or publishes a limit: the request is held back for Wait
)

// Event is one step of the client, for progress and logs. It holds no secret.
type Event struct {
	Kind    EventKind
	Source  string        // the source; "sign-in" for the token; a throttled family when a request is held back
	Page    int           // page asked for, from 1; 0 when there is none
	Request string        // path and query, as in Page.Request
	Attempt int           // number of the attempt that ended, from 1
	Wait    time.Duration // before the next attempt
	Reason  string        // for people, why it is retried or held back
	Bytes   int           // of the answer, as it came over the wire
}

// Stats counts what a client did, over all sources and the sign-in.
type Stats struct {
	Requests  int64         // sent
	Retries   int64         // of them, sent because an earlier attempt failed
	Throttled time.Duration // waited because Graph asked to, summed over sources
	Bytes     int64         // of answers, as they came over the wire

	// Waited is how long requests were held back before they were sent, because of
	// published limits or of what an answer to another request asked for, by family:
	// "directory", "audit log" and each report. Requests side by side count each.
	Waited map[string]time.Duration
}

// counters is Stats while it grows.
type counters struct {
	requests, retries, throttled, bytes atomic.Int64

	mu     sync.Mutex
	waited map[string]time.Duration
}

func (c *counters) wait(family string, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waited == nil {
		c.waited = map[string]time.Duration{}
	}
	c.waited[family] += d
}

// Stats gives the counts so far.
func (c *Client) Stats() Stats {
	c.stats.mu.Lock()
	defer c.stats.mu.Unlock()
	return Stats{
		Waited:    maps.Clone(c.stats.waited),
		Requests:  c.stats.requests.Load(),
		Retries:   c.stats.retries.Load(),
		Throttled: time.Duration(c.stats.throttled.Load()),
		Bytes:     c.stats.bytes.Load(),
	}
}
