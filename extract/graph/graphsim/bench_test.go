package graphsim

import (
	"io"
	"testing"

	"github.com/klauspost/compress/gzip"
)

// The server must write pages faster than a client eats them.

func BenchmarkUsersPage(b *testing.B)   { benchmarkPage(b, "users", 500) }
func BenchmarkSignInsPage(b *testing.B) { benchmarkPage(b, "sign_ins", 1000) }

func benchmarkPage(b *testing.B, source string, size int) {
	tenant, err := New(Options{Seed: 1, Users: 20_000, SignIns: 100_000})
	if err != nil {
		b.Fatal(err)
	}
	var asked []string
	if source == "users" {
		for _, p := range properties {
			asked = append(asked, p.name)
		}
	}
	write, unknown := tenant.rows(source, true, asked, nil)
	if unknown != "" {
		b.Fatal(unknown)
	}
	tenant.signIns.newest()
	zip, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	if err != nil {
		b.Fatal(err)
	}
	w := new(text)
	rows := 0
	b.ReportAllocs()
	for b.Loop() {
		w.b = w.b[:0]
		for i := range size {
			write(w, i)
		}
		zip.Reset(io.Discard)
		zip.Write(w.b)
		zip.Close()
		rows += size
	}
	b.SetBytes(int64(len(w.b)))
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(len(w.b)/size), "bytes/row")
}

func BenchmarkReport(b *testing.B) {
	tenant, err := New(Options{Seed: 1, Users: 10_000})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := tenant.report(io.Discard, "getOffice365ActiveUserDetail", "180"); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(10_000*b.N)/b.Elapsed().Seconds(), "users/s")
}

func BenchmarkSummarise(b *testing.B) {
	tenant, err := New(Options{Seed: 1, Users: 10_000, SignIns: 200_000})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		tenant.signIns.summarise()
	}
	b.ReportMetric(float64(200_000*b.N)/b.Elapsed().Seconds(), "sign-ins/s")
}
