package graph

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	firstWait = time.Second
	maxWait   = time.Minute

	// longestWait is the most that Graph may ask for. The longest published
	// window, that of the usage reports, is ten minutes.
	longestWait = 30 * time.Minute

	// serverErrors bounds the attempts at a request that Graph answers with 500:
	// some of those requests never succeed.
	serverErrors = 3
)

// fault is a failed attempt after which another may succeed: a broken connection,
// a damaged page, a download that expired.
type fault struct {
	err  error
	text string        // err's, clean
	wait time.Duration // asked for by the server; 0 when it did not say
	hint string        // what a person can do should it last

	refused *AuthError // the login host's, when it was that which is busy; else nil
}

func (f *fault) Error() string { return f.text }

// Unwrap gives what failed.
func (f *fault) Unwrap() error { return f.err }

// errPatience is the kind of a wait that is too long for a run.
var errPatience = errors.New("too long to wait")

// networkFault is the error of a request that got no answer. Refusals of ours, of
// the sign-in and of the peer's certificate stay as they are: they last.
func (c *Client) networkFault(err error) error {
	_, auth := errors.AsType[*AuthError](err)
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	if auth || certificate || errors.Is(err, errRefused) || errors.Is(err, errPatience) {
		return err
	}
	return &fault{
		err: err, text: "no answer: " + c.clean(err.Error()),
		hint: "check that the host can be reached from here (name resolution, proxy, firewall), and run again",
	}
}

// try makes attempts until one succeeds, until one fails for good, or until their
// number is used up. e says whose attempts they are.
func (c *Client) try(ctx context.Context, e Event, attempt func(context.Context) error) error {
	for e.Attempt = 1; ; e.Attempt++ {
		err := attempt(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		verdict := judge(err)
		if verdict.attempts <= 1 {
			return err
		}
		if e.Attempt >= min(verdict.attempts, c.config.Attempts) {
			return fmt.Errorf("%w (gave up after %d attempts)%s", err, e.Attempt, verdict.hint)
		}
		if verdict.wait > longestWait {
			return fmt.Errorf("%w: %w: the server asks for %s; run again after that", err, errPatience, verdict.wait)
		}
		e.Kind, e.Wait, e.Reason = Retrying, verdict.wait, err.Error()
		if verdict.throttled {
			e.Kind = Throttled
		}
		if e.Wait <= 0 {
			e.Wait = c.backoff(e.Attempt)
		}
		c.config.Progress(e)
		c.stats.retries.Add(1)
		if verdict.throttled {
			c.stats.throttled.Add(int64(e.Wait))
		}
		if err := c.config.Sleep(ctx, e.Wait); err != nil {
			return err
		}
	}
}

// verdict is what to do about a failed attempt.
type verdict struct {
	attempts  int           // how many are worth making; 1: none after this one
	wait      time.Duration // asked for by the server; 0 when it did not say
	throttled bool          // the wait is Graph's wish
	hint      string        // what a person can do should it last, with its separator
}

const unbounded = 1 << 30

// judge knows which failures pass. It is the one place that does.
func judge(err error) verdict {
	if _, ok := errors.AsType[*AuthError](err); ok {
		return verdict{attempts: 1} // signing in has made its own attempts
	}
	if f, ok := errors.AsType[*fault](err); ok {
		v := verdict{attempts: unbounded, wait: f.wait, throttled: f.wait > 0}
		if f.hint != "" {
			v.hint = "; " + f.hint
		}
		return v
	}
	refusal, ok := errors.AsType[*Error](err)
	if !ok {
		return verdict{attempts: 1}
	}
	switch refusal.Status {
	case http.StatusTooManyRequests:
		return verdict{attempts: unbounded, wait: refusal.retryAfter, throttled: true}
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusRequestTimeout:
		return verdict{attempts: unbounded, wait: refusal.retryAfter, throttled: refusal.retryAfter > 0}
	case http.StatusInternalServerError:
		return verdict{attempts: serverErrors, wait: refusal.retryAfter}
	default:
		return verdict{attempts: 1}
	}
}

// backoff is how long to wait after the n-th failed attempt when the server does
// not say: twice as long each time, shortened by up to half so that sources that
// failed together do not return together.
func (c *Client) backoff(n int) time.Duration {
	d := min(firstWait<<min(n-1, 10), maxWait)
	return d - time.Duration(c.config.Jitter()*float64(d)/2)
}

// hold waits because an answer of Graph asks for it.
func (c *Client) hold(ctx context.Context, family string, d time.Duration, why string) error {
	if d > longestWait {
		return fmt.Errorf("%w: Graph asks for %s before the next request to the %s; run again after that", errPatience, d, family)
	}
	c.config.Progress(Event{Kind: Throttled, Source: family, Wait: d, Reason: why})
	c.stats.throttled.Add(int64(d))
	return c.wait(ctx, family, d)
}

// unremarkable is the longest wait for a published limit that no event tells of.
const unremarkable = 5 * time.Second

// queue waits because of a published limit, for as long as it takes.
func (c *Client) queue(ctx context.Context, family string, d time.Duration, why string) error {
	if d > unremarkable {
		c.config.Progress(Event{Kind: Throttled, Source: family, Wait: d, Reason: why})
	}
	return c.wait(ctx, family, d)
}

func (c *Client) wait(ctx context.Context, family string, d time.Duration) error {
	c.stats.wait(family, d)
	return c.config.Sleep(ctx, d)
}

// retryAfter is how long the answer asks to wait: whole or fractional seconds, or
// a date, which is one of the server's clock. It is 0 when a good answer, or one that
// says nothing sensible.
func retryAfter(resp *http.Response, now time.Time) time.Duration {
	text := strings.TrimSpace(resp.Header.Get("Retry-After"))
	if resp.StatusCode < 400 || text == "" {
		return 0
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if !(seconds > 0) { // NaN is not, either
			return 0
		}
		return time.Duration(min(seconds, 1e9) * float64(time.Second))
	}
	until, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	// Our clock may be another than the server's, and may be set meanwhile. That of a
	// gateway on the way may be, too.
	if said, err := http.ParseTime(resp.Header.Get("Date")); err == nil && until.After(said) {
		return until.Sub(said)
	}
	return max(until.Sub(now), 0)
}

// sleep waits, and ends early with ctx.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
