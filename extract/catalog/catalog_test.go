package catalog

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	listFile = flag.String("csv", "", "Microsoft's CSV, to compare the embedded catalogue with")
	listDate = flag.String("date", "2025-12-30", "day of the list")
	write    = flag.Bool("write", false, "write the embedded catalogue anew")
)

// TestEmbedded keeps the embedded catalogue and Microsoft's list equal, where
// the list is at hand.
func TestEmbedded(t *testing.T) {
	if *listFile == "" {
		t.Skip("compares with Microsoft's list: go test -run TestEmbedded -csv FILE")
	}
	f, err := os.Open(*listFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want, err := ParseCSV(f)
	if err != nil {
		t.Fatal(err)
	}
	want.Source, want.Date = "Product names and service plan identifiers for licensing", *listDate
	for _, note := range want.Notes {
		t.Log(note)
	}
	want.Notes = nil
	t.Logf("%d SKUs, %d plans", len(want.skus), len(want.plans))
	if *write {
		var out bytes.Buffer
		if err := want.WriteCompact(&out); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("catalog.txt.gz", out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		embedded = out.Bytes()
	}
	got, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(Catalog{}, sku{})); d != "" {
		t.Errorf("embedded catalogue differs from the list (-list +embedded); run again with -write:\n%s", d)
	}
}
