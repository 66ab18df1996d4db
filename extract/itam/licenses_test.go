package itam

import (
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"seatlake/extract/sheet"
	"seatlake/pipeline"
)

const list = "\ufeffName,License_ID,integration,sku,status,quantity,purchases,tenant\r\n" +
	"Office 365 E3,L1,Office 365,05E9A617-0261-4CEE-BB44-138D3EF5D965,Active,120,\"PO-1, PO-2\",contoso\r\n" +
	"Visio,L2,,VISIOCLIENT,,,,fabrikam\r\n" +
	",,,,,,,\r\n"

func TestAListIsReadWhole(t *testing.T) {
	got, err := Parse("old.csv", []byte(list))
	if err != nil {
		t.Fatal(err)
	}
	units := int64(120)
	want := []License{
		{Line: 2, Tenant: "contoso", ID: "L1", Name: "Office 365 E3", Integration: "Office 365", SKU: "05e9a617-0261-4cee-bb44-138d3ef5d965", Status: "Active", Quantity: &units, Purchases: "PO-1, PO-2"},
		{Line: 3, Tenant: "fabrikam", ID: "L2", Name: "Visio", SKU: "VISIOCLIENT"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEveryFaultIsNamedWithItsLine(t *testing.T) {
	_, err := Parse("old.csv", []byte("license_id,name,quantity,tenant\n,x,,\n1,,-1,\n1,y,1.5,a\n1,z,,A\n"))
	const want = `old.csv:2: license_id is missing: the licence's id in the ITAM tool
old.csv:3: name is missing
old.csv:3: quantity "-1" is not a whole number from 0 to 100000000
old.csv:4: quantity "1.5" is not a whole number from 0 to 100000000
old.csv:5: license_id 1 is on line 4 too`
	if err == nil || err.Error() != want {
		t.Errorf("error %v", err)
	}
}

func TestATenantGetsItsOwnLicences(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	d := NewDecoder("Contoso", "11111111-2222-3333-4444-555555555555", mem)
	page := sheet.Page(pipeline.LegacyLicenses, "old.csv", []byte(list), time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC))
	var got []string
	for batch, err := range d.Stream(func(yield func(*pipeline.Page, error) bool) { yield(page, nil) }).Batches {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, cells(batch)...)
	}
	want := []string{"2", "L1", "Office 365 E3", "Office 365", "(null)", "05e9a617-0261-4cee-bb44-138d3ef5d965", "Active", "120", "PO-1, PO-2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func cells(batch arrow.RecordBatch) (out []string) {
	for i := range int(batch.NumRows()) {
		for _, column := range batch.Columns() {
			out = append(out, column.ValueStr(i))
		}
	}
	return out
}
