package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"seatlake/pipeline"
)

// flushWithin is how long a run waits at its end for its telemetry to be taken.
const flushWithin = 5 * time.Second

// telemetry pushes a run's traces and metrics over OTLP. What it sends names
// tenants, sources, versions and counts; nothing of persons, and no error's text.
// A nil telemetry does nothing.
type telemetry struct {
	tracer trace.Tracer
	meter  metric.Meter
	stop   []func(context.Context) error
}

// newTelemetry is configured by the standard OTEL_* variables, and nil unless
// they name an endpoint. Traces and metrics that cannot be sent are warned of
// once each and never fail a run.
func newTelemetry(ctx context.Context, env func(string) (string, bool), warn func(text string, attrs ...any)) *telemetry {
	t := &telemetry{}
	res, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "seatlake"), attribute.String("service.version", version())),
		resource.WithFromEnv(), resource.WithTelemetrySDK())
	if err != nil {
		warn("telemetry", "part", "resource", "reason", err.Error())
	}
	if pushes(env, "TRACES", warn) {
		exporter, err := otlptracehttp.New(ctx)
		if err != nil {
			warn("telemetry", "part", "traces", "reason", err.Error())
		} else {
			p := sdktrace.NewTracerProvider(sdktrace.WithResource(res), sdktrace.WithBatcher(&spanExporter{SpanExporter: exporter, warn: warn}))
			t.tracer = p.Tracer("seatlake")
			t.stop = append(t.stop, p.Shutdown)
		}
	}
	if pushes(env, "METRICS", warn) {
		exporter, err := otlpmetrichttp.New(ctx)
		if err != nil {
			warn("telemetry", "part", "metrics", "reason", err.Error())
		} else {
			reader := sdkmetric.NewPeriodicReader(&metricExporter{Exporter: exporter, warn: warn})
			p := sdkmetric.NewMeterProvider(sdkmetric.WithResource(res), sdkmetric.WithReader(reader))
			t.meter = p.Meter("seatlake")
			t.stop = append(t.stop, p.Shutdown)
		}
	}
	if len(t.stop) == 0 {
		return nil
	}
	return t
}

// pushes says whether the environment wants a signal pushed, and in a protocol
// that this program speaks.
func pushes(env func(string) (string, bool), signal string, warn func(string, ...any)) bool {
	get := func(name string) string {
		if v, set := env(name); set {
			return v
		}
		return ""
	}
	if strings.EqualFold(get("OTEL_SDK_DISABLED"), "true") || strings.EqualFold(get("OTEL_"+signal+"_EXPORTER"), "none") {
		return false
	}
	if cmp.Or(get("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT"), get("OTEL_EXPORTER_OTLP_ENDPOINT")) == "" {
		return false
	}
	if protocol := cmp.Or(get("OTEL_EXPORTER_OTLP_"+signal+"_PROTOCOL"), get("OTEL_EXPORTER_OTLP_PROTOCOL"), "http/protobuf"); protocol != "http/protobuf" {
		warn("telemetry", "part", strings.ToLower(signal), "reason", "OTEL_EXPORTER_OTLP_PROTOCOL is "+protocol+"; only http/protobuf is spoken, so nothing is sent")
		return false
	}
	return true
}

// close sends what is left, and gives up after flushWithin.
func (t *telemetry) close(ctx context.Context) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushWithin)
	defer cancel()
	var stopping sync.WaitGroup
	for _, stop := range t.stop {
		stopping.Go(func() { _ = stop(ctx) }) // the exporter has warned
	}
	stopping.Wait()
}

// span begins a span. The caller ends it, with a word for how it went that is
// empty when it went well.
func (t *telemetry) span(ctx context.Context, name string, attrs ...attribute.KeyValue) (context.Context, func(fault string, attrs ...attribute.KeyValue)) {
	if t == nil || t.tracer == nil {
		return ctx, func(string, ...attribute.KeyValue) {}
	}
	ctx, span := t.tracer.Start(ctx, name, trace.WithAttributes(attrs...))
	return ctx, func(fault string, attrs ...attribute.KeyValue) {
		span.SetAttributes(attrs...)
		if fault != "" {
			span.SetStatus(codes.Error, fault)
		}
		span.End()
	}
}

// count adds a tenant's figures to the metrics.
func (t *telemetry) count(ctx context.Context, s *TenantSummary) {
	if t == nil || t.meter == nil {
		return
	}
	gaps := 0
	for _, c := range s.Coverage {
		if isGap(c) {
			gaps++
		}
	}
	of := metric.WithAttributes(attribute.String("tenant", s.Tenant), attribute.String("outcome", string(s.Outcome)))
	for _, m := range []struct {
		name, unit, what string
		value            float64
	}{
		{"seatlake.requests", "{request}", "requests sent to Graph", float64(s.Requests)},
		{"seatlake.retries", "{request}", "requests sent again", float64(s.Retries)},
		{"seatlake.throttled", "s", "waited because Graph asked to, summed over sources", s.Throttled},
		{"seatlake.received", "By", "bytes of answers, as they came over the wire", float64(s.Bytes)},
		{"seatlake.rows", "{row}", "rows committed", float64(s.Rows)},
		{"seatlake.files", "{file}", "files committed", float64(s.Files)},
		{"seatlake.gaps", "{table}", "tables that are not complete", float64(gaps)},
		{"seatlake.runs", "{run}", "runs of a tenant, by outcome", 1},
		{"seatlake.duration", "s", "from the first request to the commit", s.Ended.Sub(s.Started).Seconds()},
	} {
		// A name that is no metric's is the only error, and the next one tells.
		if counter, err := t.meter.Float64Counter(m.name, metric.WithUnit(m.unit), metric.WithDescription(m.what)); err == nil {
			counter.Add(ctx, m.value, of)
		}
	}
}

// source is a source whose reading is a span each.
func (t *telemetry) source(s pipeline.Source) pipeline.Source {
	if t == nil {
		return s
	}
	return &tracedSource{s, t}
}

type tracedSource struct {
	pipeline.Source
	telemetry *telemetry
}

// Pages is the source's own.
func (s *tracedSource) Pages(ctx context.Context, source string, w pipeline.Window) pipeline.Pages {
	return func(yield func(*pipeline.Page, error) bool) {
		ctx, end := s.telemetry.span(ctx, "source", attribute.String("source", source))
		pages, fault := 0, ""
		defer func() { end(fault, attribute.Int("pages", pages)) }()
		for page, err := range s.Source.Pages(ctx, source, w) {
			switch gap, refused := pipeline.AsGap(err); {
			case refused:
				fault = string(gap.State)
			case err != nil:
				fault = "failed"
			default:
				pages++
			}
			if !yield(page, err) {
				return
			}
		}
	}
}

// dataset is a dataset whose commits are spans.
func (t *telemetry) dataset(d pipeline.Dataset) pipeline.Dataset {
	if t == nil {
		return d
	}
	return tracedDataset{d, t}
}

type tracedDataset struct {
	pipeline.Dataset
	telemetry *telemetry
}

// Begin is the dataset's own.
func (d tracedDataset) Begin(ctx context.Context, run pipeline.Run) (pipeline.Transaction, error) {
	tx, err := d.Dataset.Begin(ctx, run)
	if err != nil {
		return nil, err
	}
	return tracedTransaction{tx, d.telemetry}, nil
}

type tracedTransaction struct {
	pipeline.Transaction
	telemetry *telemetry
}

// Commit is the transaction's own.
func (t tracedTransaction) Commit(ctx context.Context, c pipeline.Commit) (pipeline.Version, error) {
	ctx, end := t.telemetry.span(ctx, "commit", attribute.String("run", c.Run.ID), attribute.Int("files", len(c.Add)))
	version, err := t.Transaction.Commit(ctx, c)
	if err != nil {
		end("failed")
		return 0, err
	}
	end("", attribute.Int64("version", int64(version)))
	return version, nil
}

// spanExporter warns of the first batch of spans that is not taken.
type spanExporter struct {
	sdktrace.SpanExporter
	warn func(string, ...any)
	once sync.Once
}

// ExportSpans sends spans and never fails: a run does not depend on who watches it.
func (e *spanExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := e.SpanExporter.ExportSpans(ctx, spans); err != nil {
		e.once.Do(func() { e.warn("telemetry", "part", "traces", "reason", notSent(err)) })
	}
	return nil
}

// metricExporter warns of the first metrics that are not taken.
type metricExporter struct {
	sdkmetric.Exporter
	warn func(string, ...any)
	once sync.Once
}

// Export sends metrics and never fails.
func (e *metricExporter) Export(ctx context.Context, m *metricdata.ResourceMetrics) error {
	if err := e.Exporter.Export(ctx, m); err != nil {
		e.once.Do(func() { e.warn("telemetry", "part", "metrics", "reason", notSent(err)) })
	}
	return nil
}

func notSent(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("the collector took longer than %s; check OTEL_EXPORTER_OTLP_ENDPOINT", flushWithin)
	}
	return err.Error() + "; check OTEL_EXPORTER_OTLP_ENDPOINT"
}
