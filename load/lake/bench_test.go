package lake

import (
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"seatlake/pipeline/pipelinetest"
	"seatlake/schemas"
)

// BenchmarkWrite stages 100,000 rows of 10 days in batches of 5,000.
func BenchmarkWrite(b *testing.B) {
	l := newLake(b)
	var batches [][]pipelinetest.Plan
	for i := range 20 {
		day := time.Date(2026, 11, 1+i/2, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
		batches = append(batches, pipelinetest.Plans(contoso, day, 5000*i, 5000))
	}
	rows := 0
	for b.Loop() {
		tx, err := l.Begin(b.Context(), pipelinetest.NewRun(b, contoso, "2026-11-20T08:00", 1))
		if err != nil {
			b.Fatal(err)
		}
		files, err := tx.Write(b.Context(), schemas.GraphServicePlans, pipelinetest.PlanStream(b, memory.DefaultAllocator, batches...))
		if err != nil {
			b.Fatal(err)
		}
		for _, f := range files {
			rows += int(f.Rows)
		}
		if err := tx.Abort(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkSnapshot opens a lake of 400 versions of 15 files each, a year of
// daily runs, and reads its newest snapshot.
func BenchmarkSnapshot(b *testing.B) {
	l := newLake(b)
	age(b, l, 400, 15, false)
	for b.Loop() {
		if files := snapshot(b, reopen(b, l), 0).Files; len(files) != 15 {
			b.Fatalf("%d tables", len(files))
		}
	}
}
