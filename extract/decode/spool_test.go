package decode_test

import (
	"compress/gzip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"seatlake/extract/decode"
	"seatlake/pipeline"
	"seatlake/schemas"
)

func TestSpooledReportsGiveTheRowsOfHeldOnes(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		text := newGen(rapid.Uint64().Draw(rt, "seed")).activeUsersReport(rapid.IntRange(0, 60).Draw(rt, "rows")).Body
		text = text[:len(text)-rapid.SampledFrom([]int{0, 0, 0, 7}).Draw(rt, "cut")] // perhaps within a row
		o := decode.Options{BatchRows: rapid.IntRange(1, 70).Draw(rt, "batch"), BlockBytes: rapid.SampledFrom([]int{0, 999, 4096}).Draw(rt, "block")}
		coding := rapid.SampledFrom([]string{"", "gzip"}).Draw(rt, "coding")

		at := filepath.Join(dir, "report")
		f, err := os.Create(at)
		if err != nil {
			t.Fatal(err)
		}
		if coding == "" {
			_, err = f.Write(text)
		} else {
			w := gzip.NewWriter(f)
			if _, err = w.Write(text); err == nil {
				err = w.Close()
			}
		}
		if err != nil || f.Close() != nil {
			t.Fatal(err)
		}
		body, err := os.ReadFile(at)
		if err != nil {
			t.Fatal(err)
		}

		of := func(page pipeline.Page) result {
			page.Number, page.Coding = 1, coding
			return run(t, schemas.ReportOffice365ActiveUserDetail, o, func(yield func(*pipeline.Page, error) bool) { yield(&page, nil) })
		}
		held := of(pipeline.Page{Body: body})
		spooled := of(pipeline.Page{Spool: &pipeline.Spool{Path: at, Size: int64(len(body)), Temporary: true}})
		if (held.err == nil) != (spooled.err == nil) || held.err != nil && held.err.Error() != spooled.err.Error() {
			t.Errorf("errors %v, %v", held.err, spooled.err)
		}
		held.err, spooled.err = nil, nil
		if d := cmp.Diff(held, spooled, cmp.AllowUnexported(result{})); d != "" {
			t.Errorf("-held +spooled\n%.1000s", d)
		}
	})
}
