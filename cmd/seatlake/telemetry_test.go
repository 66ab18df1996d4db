package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"seatlake/extract/graph/graphsim"
)

// collector takes OTLP and keeps it as it came.
type collector struct {
	*httptest.Server
	mu   sync.Mutex
	sent map[string][]byte // by path
}

func newCollector(t *testing.T, status int) *collector {
	c := &collector{sent: map[string][]byte{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.sent[r.URL.Path] = append(c.sent[r.URL.Path], body...)
		w.WriteHeader(status)
	}))
	t.Cleanup(c.Close)
	return c
}

// watched is an estate whose environment has the variables, as the exporters and
// the program see it.
func watched(t *testing.T, variables map[string]string) *estate {
	e := newEstate(t, 1, graphsim.Options{Users: 30, SignIns: 30})
	for name, value := range variables {
		t.Setenv(name, value)
		e.secret[name] = value
	}
	return e
}

func TestTelemetry(t *testing.T) {
	t.Run("says where a run's time went, and nothing of persons", func(t *testing.T) {
		c := newCollector(t, http.StatusOK)
		e := watched(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": c.URL, "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=night"})
		if status, _, stderr := e.run(); status != exitComplete || strings.Contains(stderr, "msg=telemetry") {
			t.Fatalf("status %d: %s", status, stderr)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for path, words := range map[string][]string{
			"/v1/traces":  {"seatlake", "night", "run", "tenant", "t01", "source", "subscribed_skus", "getMailboxUsageDetail", "commit", "build", "published"},
			"/v1/metrics": {"seatlake.requests", "seatlake.rows", "seatlake.gaps", "t01"},
		} {
			for _, word := range words {
				if !bytes.Contains(c.sent[path], []byte(word)) {
					t.Errorf("%s was not sent %q", path, word)
				}
			}
			for _, word := range []string{"@contoso", "onmicrosoft", "Bearer", graphsim.DefaultClientSecret, "eyJ", "token="} {
				if bytes.Contains(c.sent[path], []byte(word)) {
					t.Errorf("%s was sent %q", path, word)
				}
			}
		}
	})

	t.Run("a collector that refuses fails no run, and is told of once", func(t *testing.T) {
		c := newCollector(t, http.StatusForbidden)
		e := watched(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": c.URL})
		status, _, stderr := e.run("--no-build")
		if status != exitComplete || strings.Count(stderr, "msg=telemetry part=traces") != 1 || strings.Count(stderr, "msg=telemetry part=metrics") != 1 {
			t.Errorf("status %d: %s", status, stderr)
		}
	})

	t.Run("nothing is sent unless the environment says where to", func(t *testing.T) {
		for name, variables := range map[string]map[string]string{
			"nothing":            {},
			"it is switched off": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
			"each is none":       {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
		} {
			env := func(name string) (string, bool) { v, ok := variables[name]; return v, ok }
			got := newTelemetry(t.Context(), env, func(text string, attrs ...any) { t.Errorf("%s: %s %v", name, text, attrs) })
			if got != nil {
				t.Errorf("%s, and it sends", name)
				got.close(t.Context())
			}
		}
	})

	t.Run("a protocol that is not spoken is said", func(t *testing.T) {
		warned := 0
		env := func(name string) (string, bool) {
			v, ok := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}[name]
			return v, ok
		}
		if got := newTelemetry(t.Context(), env, func(string, ...any) { warned++ }); got != nil || warned != 2 {
			t.Errorf("%v, warned %d times", got, warned)
		}
	})

	t.Run("without any, spans and counts cost nothing", func(t *testing.T) {
		var none *telemetry
		ctx, end := none.span(t.Context(), "run")
		end("failed")
		none.count(ctx, &TenantSummary{})
		none.close(context.Background())
	})
}
