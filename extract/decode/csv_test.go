package decode_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"seatlake/extract/decode"
	"seatlake/schemas"
)

// report is a table with every kind a report has.
var report = &schemas.Table{
	Name: "report", Format: schemas.CSV,
	Fields: []schemas.Field{
		{ID: 1, Name: "tenant_id", Kind: schemas.UUID},
		{ID: 2, Name: "report_refresh_date", Kind: schemas.Date, Dict: true, Required: true, From: "Report Refresh Date"},
		{ID: 3, Name: "user", Kind: schemas.String, From: "User Principal Name"},
		{ID: 4, Name: "kind", Kind: schemas.String, Dict: true, From: "Kind"},
		{ID: 5, Name: "on", Kind: schemas.Bool, From: "Is On"},
		{ID: 6, Name: "day", Kind: schemas.Date, From: "Day"},
		{ID: 7, Name: "last", Kind: schemas.Date, Dict: true, From: "Last Activity Date"},
		{ID: 8, Name: "period", Kind: schemas.Int32, From: "Report Period"},
		{ID: 9, Name: "bytes", Kind: schemas.Int64, From: "Storage Used (Byte)"},
		{ID: 10, Name: "site", Kind: schemas.UUID, From: "Site Id"},
		{ID: 11, Name: "products", Kind: schemas.List, From: "Assigned Products", Elem: &schemas.Field{ID: 12, Name: "element", Kind: schemas.String, Dict: true}},
		{ID: 13, Name: "tags", Kind: schemas.List, From: "Tags", Elem: &schemas.Field{ID: 14, Name: "element", Kind: schemas.String}},
		{ID: 15, Name: "ratio", Kind: schemas.Float64, From: "Ratio"},
		{ID: 16, Name: "at", Kind: schemas.Timestamp, From: "At"},
	},
}

// sheet is a report of one row: its day, its user, and one more cell.
func sheet(header, cell string) string {
	return "\ufeffReport Refresh Date,User Principal Name," + header + "\r\n2026-10-06,u@x," + cell + "\r\n"
}

func TestCSVValues(t *testing.T) {
	for _, c := range []struct {
		name, header, cell, column string
		want                       any
	}{
		{"text is kept", "Kind", "Anna", "kind", "Anna"},
		{"text keeps its blanks", "Kind", " Anna ", "kind", " Anna "},
		{"text keeps a tab", "Kind", "An\tna", "kind", "An\tna"},
		{"text may have a quote inside", "Kind", `An"na`, "kind", `An"na`},
		{"UTF-8 is kept", "Kind", "Zoë 𝒥", "kind", "Zoë 𝒥"},
		{"an empty cell is null", "Kind", "", "kind", nil},
		{"an empty quoted cell is null", "Kind", `""`, "kind", nil},
		{"quotes hold commas, quotes and lines", "Kind", "\"a, \"\"b\"\"\r\nc\"", "kind", "a, \"b\"\r\nc"},
		{"True is true", "Is On", "True", "on", true},
		{"false is false", "Is On", "false", "on", false},
		{"YES is true", "Is On", "YES", "on", true},
		{"No is false", "Is On", "No", "on", false},
		{"a boolean may be quoted", "Is On", `"Yes"`, "on", true},
		{"a boolean may have blanks", "Is On", " no ", "on", false},
		{"an empty boolean is null", "Is On", "", "on", nil},
		{"a day is a day", "Day", "2026-10-05", "day", "2026-10-05"},
		{"a dictionary day is a day", "Last Activity Date", "2026-10-05", "last", "2026-10-05"},
		{"a day before 1970 is a day", "Last Activity Date", "1960-02-29", "last", "1960-02-29"},
		{"a far day is a day", "Last Activity Date", "9999-12-31", "last", "9999-12-31"},
		{"a day may have a time", "Last Activity Date", "2026-10-05T13:00:00Z", "last", "2026-10-05"},
		{"a day may be quoted", "Last Activity Date", `"2026-10-05"`, "last", "2026-10-05"},
		{"a day of year 1 is null", "Last Activity Date", "0001-01-01", "last", nil},
		{"an empty day is null", "Last Activity Date", "", "last", nil},
		{"an integer is kept", "Report Period", "180", "period", int64(180)},
		{"a negative integer is kept", "Report Period", "-7", "period", int64(-7)},
		{"the largest 32-bit integer is kept", "Report Period", "2147483647", "period", int64(2147483647)},
		{"an empty integer is null", "Report Period", "", "period", nil},
		{"the largest integer is kept", "Storage Used (Byte)", "9223372036854775807", "bytes", int64(9223372036854775807)},
		{"an integer of 18 digits is kept", "Storage Used (Byte)", "123456789012345678", "bytes", int64(123456789012345678)},
		{"a GUID is kept", "Site Id", strings.ToUpper(id1), "site", id1},
		{"a float is kept", "Ratio", "1.25", "ratio", 1.25},
		{"an instant is kept", "At", "2026-07-17T14:10:02Z", "at", int64(1784297402000000)},
		{"names are divided at plus signs", "Assigned Products", "OFFICE 365 E3+POWER BI PRO", "products", []any{"OFFICE 365 E3", "POWER BI PRO"}},
		{"a name may hold a plus between blanks", "Assigned Products", "ENTERPRISE MOBILITY + SECURITY E5+VISIO", "products", []any{"ENTERPRISE MOBILITY + SECURITY E5", "VISIO"}},
		{"a plus with one blank divides nothing", "Tags", "a+ b+c", "tags", []any{"a+ b", "c"}},
		{"empty names are left out", "Tags", "a++b+", "tags", []any{"a", "b"}},
		{"no names are null", "Assigned Products", "", "products", nil},
		{"headers may have blanks and any case", "  kIND ", "x", "kind", "x"},
		{"headers may be quoted", `"Kind"`, "x", "kind", "x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			// The second row, of the same cell, finds what the first one left in
			// the caches.
			page := sheet(c.header, c.cell) + "2026-10-06,u@x," + c.cell + "\n"
			r := run(t, report, decode.Options{}, pagesOf(page))
			if r.err != nil {
				t.Fatal(r.err)
			}
			if diff := cmp.Diff([]any{c.want, c.want}, r.column(t, report, c.column)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCSVRefusals(t *testing.T) {
	for _, c := range []struct{ name, page, want string }{
		{"a word for a boolean", sheet("Is On", "Yesterday"), `report: page 1: line 2: column on: "Yesterday" is not true or false in "Is On"`},
		{"a number for a boolean", sheet("Is On", "1"), `"1" is not true or false`},
		{"half a word for a boolean", sheet("Is On", "Tru"), `"Tru" is not true or false`},
		{"a day that is none", sheet("Last Activity Date", "2023-02-29"), `"2023-02-29" is not a date`},
		{"text behind a day", sheet("Last Activity Date", "2026-10-05x"), `"2026-10-05x" is not a date`},
		{"text for a day", sheet("Day", "never"), `"never" is not a date`},
		{"a fraction for an integer", sheet("Report Period", "1.5"), `"1.5" is not an integer`},
		{"an integer beyond 32 bits", sheet("Report Period", "2147483648"), `"2147483648" is not an integer`},
		{"an integer beyond 64 bits", sheet("Storage Used (Byte)", "9223372036854775808"), `"9223372036854775808" is not an integer`},
		{"text for a GUID", sheet("Site Id", "x"), `"x" is not a GUID`},
		{"not a number", sheet("Ratio", "NaN"), `"NaN" is not a number`},
		{"invalid UTF-8", sheet("Kind", "a\xffb"), `line 2: invalid UTF-8`},
		{"invalid UTF-8 in quotes", sheet("Kind", "\"a\xffb\""), `line 2: invalid UTF-8`},
		{"invalid UTF-8 in an unknown column", sheet("Other", "a\xffb"), `line 2: invalid UTF-8`},
		{"a zero byte", sheet("Kind", "a\x00b"), `line 2: control byte 0x00`},
		{"a lone carriage return", sheet("Kind", "a\rb"), `line 2: control byte 0x0d`},
		{"a quote that is not closed", sheet("Kind", `"a`), `line 2: a quote is opened and not closed`},
		{"text behind a quote", sheet("Kind", `"a"b`), `line 2: text behind the closing quote`},
		{"a cell too many", sheet("Kind", `a,b`), `line 2: more cells than the 3 headers, and one of them is "b"`},
		{"a page that ends within a row", strings.TrimSuffix(sheet("Kind", "x"), ",x\r\n"), `line 2: the page ends within the row`},
		{"no refresh date beside a user", "Report Refresh Date,User Principal Name\n,u@x\n", `line 2: column report_refresh_date: "Report Refresh Date" is empty`},
		{"a column twice", "Report Refresh Date,Kind,KIND\n2026-10-06,a,b\n", `header "KIND" stands at positions 2 and 3`},
		{"a line without end", sheet("Kind", strings.Repeat("x", 1<<20)), `line 2: the line is longer than 1048576 bytes`},
		{"a quote without end", sheet("Kind", `"`+strings.Repeat("x", 2<<20)), `line 2: a quote is opened and not closed within 1048576 bytes`},
		{"a page without header", "2026-10-06,u@x,a\r\n", `no header row: the first line is "2026-10-06,u@x,a"`},
		{"nothing", "", `the page is empty`},
		{"a byte order mark alone", "\ufeff", `no header row`},
		{"JSON", `{"error":{}}`, `JSON instead of a CSV report`},
		{"HTML", "<html>", `HTML instead of a CSV report`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := run(t, report, decode.Options{}, pagesOf(c.page))
			if r.err == nil || !strings.Contains(r.err.Error(), c.want) {
				t.Fatalf("got error %v, want one with %q", r.err, c.want)
			}
		})
	}
}

func TestCSVLayouts(t *testing.T) {
	want := [][]any{
		{"2026-10-06", "a@x", "k", true, nil, "2026-10-01", int64(30), nil, nil, nil, nil, nil, nil},
		{"2026-10-06", "b@x", nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil},
	}
	for name, page := range map[string]string{
		"the usual":         "\ufeffReport Refresh Date,User Principal Name,Kind,Is On,Last Activity Date,Report Period\r\n2026-10-06,a@x,k,True,2026-10-01,30\r\n2026-10-06,b@x,,,,\r\n",
		"line feeds alone":  "Report Refresh Date,User Principal Name,Kind,Is On,Last Activity Date,Report Period\n2026-10-06,a@x,k,True,2026-10-01,30\n2026-10-06,b@x,,,,\n",
		"blank lines":       "\nReport Refresh Date,User Principal Name,Kind,Is On,Last Activity Date,Report Period\n\n2026-10-06,a@x,k,True,2026-10-01,30\r\n\r\n2026-10-06,b@x,,,,\n\r\n\n\n",
		"no line end":       "Report Refresh Date,User Principal Name,Kind,Is On,Last Activity Date,Report Period\n2026-10-06,a@x,k,True,2026-10-01,30\n2026-10-06,b@x,,,,",
		"a short row":       "Report Refresh Date,User Principal Name,Kind,Is On,Last Activity Date,Report Period\n2026-10-06,a@x,k,True,2026-10-01,30\n2026-10-06,b@x\n",
		"a long empty row":  "Report Refresh Date,User Principal Name,Kind,Is On,Last Activity Date,Report Period\n2026-10-06,a@x,k,True,2026-10-01,30,,\n2026-10-06,b@x,,,,,\"\"\n",
		"another order":     "Report Period,Last Activity Date,Is On,Kind,User Principal Name,Report Refresh Date\r\n30,2026-10-01,True,k,a@x,2026-10-06\r\n,,,,b@x,2026-10-06\r\n",
		"columns inserted":  "Report Refresh Date,New,User Principal Name,Kind,Is On,\"New, too\",Last Activity Date,Report Period\r\n2026-10-06,\"1,\n2\",a@x,k,True,é,2026-10-01,30\r\n2026-10-06,,b@x,,,,,\r\n",
		"all cells quoted":  "\"Report Refresh Date\",\"User Principal Name\",\"Kind\",\"Is On\",\"Last Activity Date\",\"Report Period\"\r\n\"2026-10-06\",\"a@x\",\"k\",\"True\",\"2026-10-01\",\"30\"\r\n\"2026-10-06\",\"b@x\",\"\",\"\",\"\",\"\"\r\n",
		"rows without both": "Report Refresh Date,User Principal Name,Kind,Is On,Last Activity Date,Report Period\n,,x,False,2026-01-01,7\n2026-10-06,a@x,k,True,2026-10-01,30\n,,,,,\n2026-10-06,b@x,,,,\n,,y,,,\n",
	} {
		for _, rows := range []int{1, 2, 16384} {
			t.Run(fmt.Sprintf("%s, %d rows a batch", name, rows), func(t *testing.T) {
				r := run(t, report, decode.Options{BatchRows: rows}, pagesOf(page))
				if r.err != nil {
					t.Fatal(r.err)
				}
				if diff := cmp.Diff(want, r.rows); diff != "" {
					t.Error(diff)
				}
				d := decode.Drift{Rows: 2, Unknown: map[string]int64{}, Missing: []string{"Day", "Storage Used (Byte)", "Site Id", "Assigned Products", "Tags", "Ratio", "At"}}
				switch name {
				case "columns inserted":
					d.Unknown = map[string]int64{"New": 2, "New, too": 2}
				case "rows without both":
					d.SkippedRows = 3
				}
				if diff := cmp.Diff(d, r.drift); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
	t.Run("every page has its own header", func(t *testing.T) {
		r := run(t, report, decode.Options{}, pagesOf(
			"Report Refresh Date,User Principal Name,Kind\n2026-10-06,a@x,k\n",
			"User Principal Name,Report Refresh Date\nb@x,2026-10-06\n"))
		if diff := cmp.Diff([]any{"a@x", "b@x"}, r.column(t, report, "user")); diff != "" || r.err != nil {
			t.Error(diff, r.err)
		}
		if diff := cmp.Diff([]any{"k", nil}, r.column(t, report, "kind")); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a header alone gives no rows", func(t *testing.T) {
		r := run(t, report, decode.Options{}, pagesOf("Report Refresh Date,User Principal Name,Kind\r\n"))
		if r.err != nil || r.batches != nil || len(r.drift.Missing) != 10 {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("a batch is cut at its rows", func(t *testing.T) {
		page := "Report Refresh Date,User Principal Name\n" + strings.Repeat("2026-10-06,a@x\n", 25)
		r := run(t, report, decode.Options{BatchRows: 10}, pagesOf(page))
		if diff := cmp.Diff([]int64{10, 10, 5}, r.batches); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a consumer may leave within a page", func(t *testing.T) {
		page := "Report Refresh Date,User Principal Name\n" + strings.Repeat("2026-10-06,a@x\n", 25)
		d := decode.CSV(report, decode.Options{BatchRows: 10})
		for _, err := range d.Stream(pagesOf(page)).Batches {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		if d.Drift().Rows != 10 {
			t.Errorf("decoded %d rows", d.Drift().Rows)
		}
	})
	t.Run("a table of structs is refused", func(t *testing.T) {
		if r := run(t, &schemas.Table{Name: "t", Format: schemas.CSV, Fields: []schemas.Field{{Name: "s", Kind: schemas.Struct, From: "S", Fields: []schemas.Field{{Name: "a", Kind: schemas.Bool, From: "A"}}}}}, decode.Options{}, pagesOf()); r.err == nil {
			t.Error("accepted")
		}
	})
}

func TestCheckCSV(t *testing.T) {
	if err := decode.CheckCSV(strings.NewReader(sheet("Kind", "x"))); err != nil {
		t.Error(err)
	}
	broken := io.MultiReader(strings.NewReader(sheet("Kind", strings.Repeat("x", 1<<18))), iotest.ErrReader(io.ErrUnexpectedEOF))
	if err := decode.CheckCSV(broken); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a report cut short: got %v", err)
	}
	for text, want := range map[string]string{
		"":                       "the page is empty",
		" \r\n":                  "the page is empty",
		"<!DOCTYPE html>":        "HTML instead of a CSV report: a proxy or sign-in page answered",
		`{"error":{"code":"x"}}`: "JSON instead of a CSV report",
		"User,Kind\na,b\n":       "no header row",
		"\"a":                    "a quote is opened and not closed",
	} {
		if err := decode.CheckCSV(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}
