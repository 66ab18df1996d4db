package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/lmittmann/tint"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Reporter tells how a command gets on, on the error stream alone. On a terminal
// it shows a bar for each source that is being read, and log lines above them;
// elsewhere one structured line a step. What a key calls a secret, token or
// authorization is never printed. Its methods may be called from several
// goroutines.
type Reporter struct {
	handler slog.Handler
	now     func() time.Time
	bars    bool
	width   int // of the terminal, in cells

	mu      sync.Mutex // guards what follows, and the stream
	out     io.Writer
	sources []*SourceProgress // being read, in the order they began
	drawn   int               // bars on the screen, above the cursor
	drawnAt time.Time
}

// NewReporter makes a reporter for a stream. logFormat is text or json; lines of
// JSON go without bars, also on a terminal. A quiet reporter only warns.
func NewReporter(stderr io.Writer, tty bool, logFormat string, quiet bool) *Reporter {
	r := &Reporter{now: func() time.Time { return time.Now().UTC() }, out: stderr, width: 80}
	level := slog.LevelInfo
	if quiet {
		level = slog.LevelWarn
	}
	switch {
	case logFormat == "json":
		r.handler = slog.NewJSONHandler(lines{r}, &slog.HandlerOptions{Level: level, ReplaceAttr: redact})
	case tty:
		r.handler = tint.NewTextHandler(lines{r}, &tint.Options{Level: level, ReplaceAttr: redact, TimeFormat: time.TimeOnly})
		r.now = time.Now // people look at their own clock
		r.bars = !quiet
	default:
		r.handler = slog.NewTextHandler(lines{r}, &slog.HandlerOptions{Level: level, ReplaceAttr: redact})
	}
	if f, ok := stderr.(*os.File); ok && tty {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			r.width = width
		}
	}
	return r
}

// Step says that something was done. attrs are keys and values as log/slog takes
// them.
func (r *Reporter) Step(name string, attrs ...any) { r.log(slog.LevelInfo, name, attrs) }

// Warn says what a person should look at, though the command goes on.
func (r *Reporter) Warn(text string, attrs ...any) { r.log(slog.LevelWarn, text, attrs) }

// Source gives the progress of the tenant's source of that name that is being
// read, and begins one if there is none.
func (r *Reporter) Source(tenant, name string) *SourceProgress {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.sources {
		if s.tenant == tenant && s.name == name {
			return s
		}
	}
	s := &SourceProgress{reporter: r, tenant: tenant, name: name, began: r.now()}
	if r.bars {
		// It draws into the air: the reporter puts the bars on the screen, since
		// several are there at a time. Without an interval it starts no goroutine.
		s.bar = progressbar.NewOptions64(-1, progressbar.OptionSetWriter(io.Discard),
			progressbar.OptionSpinnerType(14), progressbar.OptionSetSpinnerChangeInterval(0))
	}
	r.sources = append(r.sources, s)
	return s
}

// Close takes the bars away, and says which sources were left unfinished.
func (r *Reporter) Close() {
	for {
		r.mu.Lock()
		if len(r.sources) == 0 {
			r.clear()
			r.mu.Unlock()
			return
		}
		s := r.sources[0]
		r.mu.Unlock()
		s.Done("unfinished")
	}
}

// SourceProgress counts what one source has given. After Done it counts no more.
type SourceProgress struct {
	reporter *Reporter
	tenant   string
	name     string
	began    time.Time
	bar      *progressbar.ProgressBar // nil when there are no bars

	// The reporter's mutex guards these.
	pages int
	bytes int64
	rows  int64
	done  bool
}

// Page counts a page by the bytes that came over the wire.
func (s *SourceProgress) Page(bytes int) {
	s.count(func() { s.pages++; s.bytes += int64(bytes) })
}

// Rows counts n more rows.
func (s *SourceProgress) Rows(n int64) {
	s.count(func() { s.rows += n })
}

// Done ends the source with its coverage state, and puts a line in place of its
// bar.
func (s *SourceProgress) Done(state string) {
	r := s.reporter
	r.mu.Lock()
	if s.done {
		r.mu.Unlock()
		return
	}
	s.done = true
	for i, other := range r.sources {
		if other == s {
			r.sources = append(r.sources[:i:i], r.sources[i+1:]...)
			break
		}
	}
	attrs := []any{"tenant", s.tenant, "source", s.name, "state", state, "rows", s.rows, "pages", s.pages, "bytes", s.bytes,
		"seconds", r.now().Sub(s.began).Round(time.Millisecond).Seconds()}
	r.mu.Unlock()
	r.Step("source read", attrs...)
}

func (s *SourceProgress) count(add func()) {
	r := s.reporter
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.done {
		return
	}
	add()
	const often = 100 * time.Millisecond
	if now := r.now(); r.bars && now.Sub(r.drawnAt) >= often {
		r.clear()
		r.draw()
	}
}

func (r *Reporter) log(level slog.Level, message string, attrs []any) {
	ctx := context.Background()
	if !r.handler.Enabled(ctx, level) {
		return
	}
	record := slog.NewRecord(r.now(), level, message, 0)
	record.Add(attrs...)
	// An error stream that takes nothing more must not stop a run.
	_ = r.handler.Handle(ctx, record)
}

// lines is the stream as a log handler sees it: a line goes above the bars.
type lines struct{ *Reporter }

func (l lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clear()
	n, err := l.out.Write(line)
	l.draw()
	return n, err
}

// clear takes the bars off the screen.
func (r *Reporter) clear() {
	if r.drawn > 0 {
		fmt.Fprintf(r.out, "\x1b[%dA\x1b[J", r.drawn) // up to the first bar, erase to the end
		r.drawn = 0
	}
}

// draw puts the bars below all else, each cut to one line of the screen.
func (r *Reporter) draw() {
	if !r.bars {
		return
	}
	for _, s := range r.sources {
		fmt.Fprintln(r.out, cut(s.line(), r.width-1))
	}
	r.drawn = len(r.sources)
	r.drawnAt = r.now()
}

// line is the bar of a source. How much there is to come is not known: Graph does
// not tell before the last page.
func (s *SourceProgress) line() string {
	s.bar.Describe(fmt.Sprintf("%-33s %10s rows %7.1f MB %4d pages %s",
		s.name, humanize.Comma(s.rows), float64(s.bytes)/(1<<20), s.pages, s.tenant))
	_ = s.bar.RenderBlank() // it writes to a buffer
	return strings.TrimSpace(strings.Trim(s.bar.String(), "\r"))
}

// redact hides the values of keys that say they hold something secret.
func redact(groups []string, a slog.Attr) slog.Attr {
	for _, name := range append(groups[:len(groups):len(groups)], a.Key) {
		name = strings.ToLower(name)
		for _, secret := range []string{"secret", "token", "authorization", "password"} {
			if strings.Contains(name, secret) {
				return slog.String(a.Key, redacted)
			}
		}
	}
	return a
}
