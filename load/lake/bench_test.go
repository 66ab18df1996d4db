package lake

import (
	"fmt"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"seatlake/pipeline"
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
	s, err := l.store.scratch("bench")
	if err != nil {
		b.Fatal(err)
	}
	sum := ""
	for v := range pipeline.Version(400) {
		started := clock().AddDate(0, 0, int(v))
		run := pipelinetest.NewRun(b, contoso, started.Format("2006-01-02T15:04"), 1)
		e := &entry{Format: Format, Version: v + 1, Parent: v, ParentSHA256: sum, Kind: kindRun, Commit: pipeline.Commit{Run: run, Ended: started}}
		for i := range 15 {
			f := pipeline.File{
				Table: fmt.Sprint("table_", i), Size: 1, Rows: 1, SHA256: hashOf(fmt.Append(nil, v, i)),
				SchemaVersion: 1, Tenant: contoso, Partition: started.Format(time.DateOnly),
			}
			at := Location{f.Table, 1, contoso, "snapshot_date", f.Partition, run.ID, 1, f.SHA256[:12]}
			if f.Path, err = at.Path(); err != nil {
				b.Fatal(err)
			}
			e.Add = append(e.Add, f)
		}
		body, err := e.encode()
		if err != nil {
			b.Fatal(err)
		}
		sum = hashOf(body)
		if err := s.putNew(entryName(e.Version), body); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if files := snapshot(b, reopen(b, l), 0).Files; len(files) != 15 {
			b.Fatalf("%d tables", len(files))
		}
	}
}
