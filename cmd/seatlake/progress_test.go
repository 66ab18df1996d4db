package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// reporter gives a reporter whose clock advances by the step at every look.
func reporter(tty bool, logFormat string, quiet bool, step time.Duration) (*Reporter, *bytes.Buffer) {
	var out bytes.Buffer
	r := NewReporter(&out, tty, logFormat, quiet)
	now := time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)
	r.now = func() time.Time { now = now.Add(step); return now }
	return r, &out
}

// story is a run as a command tells it.
func story(r *Reporter) {
	r.Step("run begins", "tenant", "contoso")
	users, report := r.Source("contoso", "users"), r.Source("contoso", "getMailboxUsageDetail")
	users.Page(1 << 20)
	users.Rows(1000)
	report.Page(100)
	r.Source("contoso", "users").Page(1 << 20)
	r.Source("contoso", "users").Rows(234)
	r.Warn("retry", "source", "users", "wait", "2s")
	users.Done("complete")
	users.Done("complete")
	users.Page(1)
	r.Close()
}

func TestReporterLines(t *testing.T) {
	tests := []struct {
		name   string
		tty    bool
		format string
		quiet  bool
		want   string
	}{
		{"elsewhere than on a terminal a step is a line of text", false, "text", false, `time=2026-11-24T06:00:00.000Z level=INFO msg="run begins" tenant=contoso
time=2026-11-24T06:00:00.000Z level=WARN msg=retry source=users wait=2s
time=2026-11-24T06:00:00.000Z level=INFO msg="source read" tenant=contoso source=users state=complete rows=1234 pages=2 bytes=2097152 seconds=0
time=2026-11-24T06:00:00.000Z level=INFO msg="source read" tenant=contoso source=getMailboxUsageDetail state=unfinished rows=0 pages=1 bytes=100 seconds=0
`},
		{"a line is JSON when asked for, also on a terminal", true, "json", false, `{"time":"2026-11-24T06:00:00Z","level":"INFO","msg":"run begins","tenant":"contoso"}
{"time":"2026-11-24T06:00:00Z","level":"WARN","msg":"retry","source":"users","wait":"2s"}
{"time":"2026-11-24T06:00:00Z","level":"INFO","msg":"source read","tenant":"contoso","source":"users","state":"complete","rows":1234,"pages":2,"bytes":2097152,"seconds":0}
{"time":"2026-11-24T06:00:00Z","level":"INFO","msg":"source read","tenant":"contoso","source":"getMailboxUsageDetail","state":"unfinished","rows":0,"pages":1,"bytes":100,"seconds":0}
`},
		{"a quiet one only warns", false, "text", true, "time=2026-11-24T06:00:00.000Z level=WARN msg=retry source=users wait=2s\n"},
		{"a quiet one only warns on a terminal", true, "text", true, "06:00:00 WRN retry source=users wait=2s\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, out := reporter(test.tty, test.format, test.quiet, 0)
			story(r)
			if diff := cmp.Diff(test.want, colours.ReplaceAllString(out.String(), "")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

var (
	colours = regexp.MustCompile("\x1b\\[[0-9;]*m")
	spinner = regexp.MustCompile(`[⠁-⣿] `)
	elapsed = regexp.MustCompile(` *\[\d+s\]$`)
)

// screen plays what was written on a terminal and gives its lines.
func screen(written string) string {
	var lines []string
	for written = colours.ReplaceAllString(written, ""); written != ""; {
		var up int
		if n, _ := fmt.Sscanf(written, "\x1b[%dA\x1b[J", &up); n == 1 {
			lines = lines[:len(lines)-up]
			written = written[strings.Index(written, "J")+1:]
			continue
		}
		line, rest, _ := strings.Cut(written, "\n")
		lines, written = append(lines, elapsed.ReplaceAllString(spinner.ReplaceAllString(line, "* "), "")), rest
	}
	return strings.Join(lines, "\n") + "\n"
}

func TestReporterOnATerminal(t *testing.T) {
	t.Run("bars stand below the lines until their source is read", func(t *testing.T) {
		r, out := reporter(true, "text", false, time.Second)
		r.width = 100
		r.Step("run begins", "tenant", "contoso")
		r.Source("contoso", "users").Page(3 << 20)
		r.Source("contoso", "getOffice365ActivationsUserDetail").Page(100)
		r.Source("contoso", "users").Rows(1234567)
		r.Warn("retry", "wait", "2s")
		want := `06:00:01 INF run begins tenant=contoso
06:00:11 WRN retry wait=2s
* users                              1,234,567 rows     3.0 MB    1 pages contoso
* getOffice365ActivationsUserDetail          0 rows     0.0 MB    1 pages contoso
`
		if diff := cmp.Diff(want, screen(out.String())); diff != "" {
			t.Error(diff)
		}
		r.Source("contoso", "users").Done("complete")
		r.Source("contoso", "getOffice365ActivationsUserDetail").Done("partial")
		r.Step("run committed")
		r.Close()
		want = `06:00:01 INF run begins tenant=contoso
06:00:11 WRN retry wait=2s
06:00:14 INF source read tenant=contoso source=users state=complete rows=1234567 pages=1 bytes=3145728 seconds=10
06:00:17 INF source read tenant=contoso source=getOffice365ActivationsUserDetail state=partial rows=0 pages=1 bytes=100 seconds=10
06:00:19 INF run committed
`
		if diff := cmp.Diff(want, screen(out.String())); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("no line is wider than the terminal", func(t *testing.T) {
		r, out := reporter(true, "text", false, time.Second)
		r.width = 40
		r.Source("contoso", "users").Page(1)
		r.Source("contoso", "users").Rows(1)
		if got := strings.TrimSuffix(screen(out.String()), "\n"); len([]rune(got)) != 39 || !strings.HasSuffix(got, "…") {
			t.Errorf("got %q", got)
		}
	})

	t.Run("bars are not drawn more often than eyes can follow", func(t *testing.T) {
		r, out := reporter(true, "text", false, time.Millisecond)
		for range 1000 {
			r.Source("contoso", "users").Rows(1)
		}
		if n := strings.Count(out.String(), "users"); n < 5 || n > 20 {
			t.Errorf("drawn %d times in a second", n)
		}
	})
}

func TestReporterRedacts(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		for _, tty := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s on a terminal %v hides what keys call secret", format, tty), func(t *testing.T) {
				r, out := reporter(tty, format, false, 0)
				r.Step("x", "client_secret", canary, "access_token", canary, "Authorization", "Bearer "+canary, "password", canary,
					slog.Group("token", "type", canary), slog.Group("request", "authorization", canary), "auth", NewSecret(canary),
					"config", Auth{ClientSecret: NewSecret(canary)})
				r.Warn("x", "token", errors.New(canary))
				if strings.Contains(out.String(), canary) {
					t.Errorf("the secret is in the log: %s", out)
				}
				if n := strings.Count(out.String(), redacted); n != 11 {
					t.Errorf("%d values are redacted, want 11: %s", n, out)
				}
			})
		}
	}
}

func TestReporterOfTwoTenants(t *testing.T) {
	r, out := reporter(false, "text", false, 0)
	r.Source("contoso", "users").Rows(1)
	r.Source("fabrikam", "users").Rows(2)
	r.Source("contoso", "users").Rows(3)
	r.Close()
	for _, want := range []string{"tenant=contoso source=users state=unfinished rows=4 ", "tenant=fabrikam source=users state=unfinished rows=2 "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}

func TestReporterConcurrently(t *testing.T) {
	defer goleak.VerifyNone(t)
	var out bytes.Buffer
	r := NewReporter(&out, true, "text", false)
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			name := fmt.Sprintf("source %d", i)
			for range 500 {
				r.Source("contoso", name).Page(10)
				r.Source("contoso", name).Rows(2)
			}
			r.Step("half", "source", name)
			r.Source("contoso", name).Done("complete")
		})
	}
	wait.Wait()
	r.Close()
	for i := range 8 {
		want := fmt.Sprintf(`source read tenant=contoso source="source %d" state=complete rows=1000 pages=500 bytes=5000 `, i)
		if !strings.Contains(screen(out.String()), want) {
			t.Errorf("%q is not in\n%s", want, screen(out.String()))
		}
	}
}

func TestReporterWhoseStreamFails(t *testing.T) {
	t.Run("it goes on", func(t *testing.T) {
		r := NewReporter(&broken{err: errors.New("gone")}, true, "text", false)
		story(r)
	})
	t.Run("odd attributes still make a line", func(t *testing.T) {
		r, out := reporter(false, "json", false, 0)
		r.Step("x", "lonely")
		if !json.Valid(out.Bytes()) {
			t.Errorf("got %s", out)
		}
	})
}
