package terms

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"seatlake/extract/sheet"
	"seatlake/pipeline"
	"seatlake/schemas"
	"seatlake/transform"
)

const header = "sku,quantity,amount,currency,payment_frequency,effective_date,ending_date\n"

func TestATermIsReadWhole(t *testing.T) {
	const file = "\xef\xbb\xbfVendor,SKU,quantity,unit_amount,fees,currency,payment_frequency,effective_date,ending_date,purchase_id,contract,cost_center,tenant\r\n" +
		"Reseller \"R\", 05E9A617-0261-4CEE-BB44-138D3EF5D965 ,120,36.25,10,usd,every 18 months,2026-01-01,2027-07-01,PO-1,EA-7,IT,contoso\r\n" +
		",,,,,,,,,,,,\r\n"
	got, err := Parse("terms.csv", []byte(strings.ReplaceAll(file, `"R"`, "R")))
	if err != nil {
		t.Fatal(err)
	}
	unit := Money(362_500)
	want := []Term{{
		Line: 2, Tenant: "contoso", PurchaseID: "PO-1", SKU: "05e9a617-0261-4cee-bb44-138d3ef5d965", Quantity: 120,
		Amount: 43_500_000, UnitAmount: &unit, Fees: 100_000, Currency: "USD", Frequency: Every18Months,
		Effective: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Ending: time.Date(2027, 7, 1, 0, 0, 0, 0, time.UTC),
		Vendor: "Reseller R", Contract: "EA-7", CostCentre: "IT",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("terms differ (-want +got):\n%s", diff)
	}
}

func TestEveryFaultIsNamedWithItsLine(t *testing.T) {
	const file = header +
		"SPE_E3,10,100,USD,Monthly,2026-01-01,\n" +
		",0,1.00001,XXQ,weekly,01/02/2026,2026-01-01\n" +
		"SPE_*,10,-5,USD,Once,2026-01-01,\n" +
		"\"a\nb\",1,1,EUR,Annually,2026-01-01,2026-01-01\n" +
		"SPE_E5,1,1,USD\n" +
		"SPE_E5,1,,USD,Monthly,2026-01-01,\n"
	_, err := Parse("terms.csv", []byte(file))
	const want = `terms.csv:3: sku is missing: a SKU id or a part number, such as SPE_E5
terms.csv:3: quantity "0" is not a whole number from 1 to 100000000
terms.csv:3: currency "XXQ" is not an ISO 4217 code, such as USD
terms.csv:3: payment_frequency "weekly" is not known; it is one of Once, Monthly, Quarterly, Semi-Annually, Annually, Every 18 Months, Biannually, Triennially
terms.csv:3: effective_date "01/02/2026" is not a day like 2026-07-01
terms.csv:3: amount "1.00001" is not a number like 1234.50: digits, a dot, up to four places, and no separators or signs
terms.csv:4: sku "SPE_*" is a pattern; name one SKU
terms.csv:4: amount "-5" is negative; a term is money paid
terms.csv:4: a term that is paid once needs an ending_date: its amount is spread over the term
terms.csv:5: ending_date 2026-01-01 is not after effective_date 2026-01-01; it is the first day after the term
terms.csv:7: has 4 cells where the header has 7; quote text and numbers that hold a comma
terms.csv:8: a term has either an amount (of one payment, for the whole quantity) or a unit_amount (for one unit)`
	if err == nil {
		t.Fatal("no error")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("error differs (-want +got):\n%s", diff)
	}
}

func TestAFileThatIsNoTermsSaysWhy(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"empty":         {"", "the file is empty"},
		"semicolons":    {"sku;quantity;amount\n", "separated by ;"},
		"latin-1":       {header + "SPE_E3,10,100,USD,Monthly,2026-01-01,\n\xfc", "terms.csv:3: is not UTF-8"},
		"unknown":       {"sku,quantity,amount,currency,payment_frequency,effective_date,price\n", `column "price" is not known`},
		"no column":     {"sku,quantity,currency,payment_frequency\n", "column effective_date is missing"},
		"no amount":     {"sku,quantity,currency,payment_frequency,effective_date\n", "column amount is missing"},
		"column twice":  {"sku,sku,quantity,amount,currency,payment_frequency,effective_date\n", "column sku is there twice"},
		"open quote":    {header + "SPE_E3,\"10,100,USD,Monthly,2026-01-01,\n", "terms.csv:2: is not CSV"},
		"too much":      {header + "SPE_E3,10,10000000000.01,USD,Monthly,2026-01-01,\n", "is more than"},
		"too much each": {"sku,quantity,unit_amount,currency,payment_frequency,effective_date\nSPE_E3,100000000,100.01,USD,Monthly,2026-01-01\n", "times quantity is more than"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("terms.csv", []byte(c.file))
			var faulty *Error
			if !errors.As(err, &faulty) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestMoneyIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := Money(rapid.Int64Range(0, int64(maxMoney)).Draw(t, "money"))
		got, err := parseMoney(m.String())
		if err != nil || got != m {
			t.Errorf("%s became %s, %v", m, got, err)
		}
	})
}

// decoded is the rows of a tenant's table license_terms, as text.
func decoded(t *testing.T, d *sheet.Decoder, page *pipeline.Page) ([]string, error) {
	t.Helper()
	in := d.Stream(func(yield func(*pipeline.Page, error) bool) { yield(page, nil) })
	out, err := transform.Stamp(schemas.LicenseTerms, [16]byte{1}, page.Observed)(in)
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for batch, err := range out.Batches {
		if err != nil {
			return nil, err
		}
		for i := range int(batch.NumRows()) {
			var cells []string
			for j, f := range batch.Schema().Fields() {
				if f.Name != "tenant_id" {
					cells = append(cells, batch.Column(j).ValueStr(i))
				}
			}
			rows = append(rows, strings.Join(cells, "|"))
		}
	}
	return rows, nil
}

func TestAPageBecomesTheTermsOfItsTenant(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	const file = "tenant,sku,quantity,amount,currency,payment_frequency,effective_date,ending_date\n" +
		"contoso,SPE_E3,2,10.5,USD,Monthly,2026-01-01,\n" +
		"fabrikam,SPE_E3,3,1,USD,Monthly,2026-01-01,\n" +
		",SPE_E5,4,7,EUR,Once,2026-01-01,2027-01-01\n"
	page := Page("terms.csv", []byte(file), time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC))
	d := NewDecoder("Contoso", "0a", mem)
	got, err := decoded(t, d, page)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"2026-11-20|2|(null)|SPE_E3|2|10.5000|(null)|0.0000|USD|Monthly|2026-01-01|(null)|(null)|(null)|(null)",
		"2026-11-20|4|(null)|SPE_E5|4|7.0000|(null)|0.0000|EUR|Once|2026-01-01|2027-01-01|(null)|(null)|(null)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows differ (-want +got):\n%s", diff)
	}
	if d.Drift().Rows != 2 {
		t.Errorf("drift counts %d rows, want 2", d.Drift().Rows)
	}
	state := fmt.Sprintf(`{"file":"terms.csv","sha256":"%x"}`, sha256.Sum256([]byte(file)))
	if string(d.State()) != state {
		t.Errorf("state is %s, want %s", d.State(), state)
	}
}

func TestAFaultyPageIsAnErrorOfItsPlace(t *testing.T) {
	_, err := decoded(t, NewDecoder("contoso", "0a", memory.DefaultAllocator), Page("terms.csv", []byte(header+"x\n"), time.Time{}))
	const want = "license_terms: page 1: terms.csv:2: has 1 cells where the header has 7"
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(header + "SPE_E3,10,100,USD,Monthly,2026-01-01,\n"))
	f.Add([]byte(header + "SPE_E3,10,9999999999.9999,USD,Once,2026-01-01,2026-01-02\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		terms, err := Parse("f.csv", body)
		if err != nil {
			var faulty *Error
			if !errors.As(err, &faulty) || len(faulty.Faults) == 0 || terms != nil {
				t.Fatalf("terms %v with error %v", terms, err)
			}
			return
		}
		for _, term := range terms {
			if term.Quantity < 1 || term.Amount < 0 || term.Amount > maxMoney || len(term.Currency) != 3 || term.SKU == "" {
				t.Fatal(fmt.Sprint("accepted ", term))
			}
		}
	})
}

// graphSource answers every source with a page of its name.
type graphSource struct{}

func (graphSource) Pages(_ context.Context, source string, _ pipeline.Window) pipeline.Pages {
	return func(yield func(*pipeline.Page, error) bool) {
		yield(&pipeline.Page{Source: source, Request: "graph"}, nil)
	}
}

func (g graphSource) Continue(ctx context.Context, source string, w pipeline.Window, _ pipeline.Pages) pipeline.Pages {
	return g.Pages(ctx, source, w)
}

func TestASourceAnswersForItsFileAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "terms.csv")
	if err := os.WriteFile(path, []byte(header+"SPE_E3,1,1,USD,Monthly,2026-01-01,\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	s := file.Source(graphSource{}, time.Time{})
	kept := func(yield func(*pipeline.Page, error) bool) { yield(&pipeline.Page{Request: "file kept.csv"}, nil) }
	none := func(func(*pipeline.Page, error) bool) {}
	for name, c := range map[string]struct {
		pages pipeline.Pages
		want  string
	}{
		"another source is asked of Graph":      {s.Pages(t.Context(), pipeline.Users, pipeline.Window{}), "graph"},
		"another source is continued by Graph":  {s.Continue(t.Context(), pipeline.Users, pipeline.Window{}, kept), "graph"},
		"the terms are the file":                {s.Pages(t.Context(), pipeline.LicenseTerms, pipeline.Window{}), "file terms.csv"},
		"a run that kept the terms has them":    {s.Continue(t.Context(), pipeline.LicenseTerms, pipeline.Window{}, kept), "file kept.csv"},
		"a run that kept nothing reads a file ": {s.Continue(t.Context(), pipeline.LicenseTerms, pipeline.Window{}, none), "file terms.csv"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for page, err := range c.pages {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, page.Request)
			}
			if diff := cmp.Diff([]string{c.want}, got); diff != "" {
				t.Errorf("pages differ (-want +got):\n%s", diff)
			}
		})
	}
}
