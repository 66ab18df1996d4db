package main

import (
	"bytes"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
)

// render prints rows in a format.
func render(t testing.TB, f Format, tty bool, width int, columns []Column, rows ...[]any) string {
	t.Helper()
	var out bytes.Buffer
	p, err := NewPrinter(f, &out, tty, width)
	if err != nil {
		t.Fatal(err)
	}
	printAll(t, p, columns, rows...)
	return out.String()
}

func printAll(t testing.TB, p Printer, columns []Column, rows ...[]any) {
	t.Helper()
	if err := p.Columns(columns); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := p.Row(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

// positions is a result with every difficulty that people's words have.
func positions() ([]Column, [][]any) {
	columns := []Column{
		{"product_name", "VARCHAR"}, {"entitled", "BIGINT"}, {"cost", "DECIMAL(18,2)"}, {"as_of", "DATE"}, {"paid", "BOOLEAN"},
	}
	day := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	return columns, [][]any{
		{"Office 365 E3", int64(1234567), duckdb.Decimal{Width: 18, Scale: 2, Value: big.NewInt(123450)}, day, true},
		{"=1+1 | \"quoted\", <b>\nsecond line", int64(-7), duckdb.Decimal{Width: 18, Scale: 2, Value: big.NewInt(-5)}, day, false},
		{"", nil, nil, nil, nil},
		{nil, int64(0), duckdb.Decimal{Width: 18, Scale: 2, Value: big.NewInt(0)}, day, nil},
	}
}

func TestFormats(t *testing.T) {
	columns, rows := positions()
	tests := []struct {
		name   string
		format Format
		tty    bool
		width  int
		want   string
	}{
		{"csv quotes what it must, and tells empty text from NULL", CSV, false, 0, `product_name,entitled,cost,as_of,paid
Office 365 E3,1234567,1234.50,2026-11-24,true
"=1+1 | ""quoted"", <b>
second line",-7,-0.05,2026-11-24,false
"",,,,
,0,0.00,2026-11-24,
`},
		{"json is an array with an object a line", JSON, false, 0, `[
{"product_name":"Office 365 E3","entitled":1234567,"cost":1234.50,"as_of":"2026-11-24","paid":true},
{"product_name":"=1+1 | \"quoted\", <b>\nsecond line","entitled":-7,"cost":-0.05,"as_of":"2026-11-24","paid":false},
{"product_name":"","entitled":null,"cost":null,"as_of":null,"paid":null},
{"product_name":null,"entitled":0,"cost":0.00,"as_of":"2026-11-24","paid":null}
]
`},
		{"markdown keeps text within its cell", Markdown, false, 0, `| product_name | entitled | cost | as_of | paid |
| --- | ---: | ---: | --- | --- |
| Office 365 E3 | 1234567 | 1234.50 | 2026-11-24 | true |
| =1+1 \| "quoted", &lt;b><br>second line | -7 | -0.05 | 2026-11-24 | false |
|  |  |  |  |  |
|  | 0 | 0.00 | 2026-11-24 |  |
`},
		{"a table is plain where nobody looks", Table, false, 40, `product_name                       entitled     cost  as_of       paid
─────────────────────────────────  ────────  ───────  ──────────  ─────
Office 365 E3                       1234567  1234.50  2026-11-24  true
=1+1 | "quoted", <b>\nsecond line        -7    -0.05  2026-11-24  false
                                          -        -  -           -
-                                         0     0.00  2026-11-24  -
`},
		{"a table fits its terminal, and no number is cut", Table, true, 60, `product_name           entitled      cost  as_of       paid
────────────────────  ─────────  ────────  ──────────  ─────
Office 365 E3         1,234,567  1,234.50  2026-11-24  true
=1+1 | "quoted", <b…         -7     -0.05  2026-11-24  false
                              -         -  -           -
-                             0      0.00  2026-11-24  -
`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := render(t, test.format, test.tty, test.width, columns, rows...)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEmptyResults(t *testing.T) {
	columns := []Column{{"sku", "VARCHAR"}, {"n", "BIGINT"}}
	for format, want := range map[Format]string{
		CSV: "sku,n\n", JSON: "[]\n", Markdown: "| sku | n |\n| --- | ---: |\n", Table: "sku  n\n───  ─\n",
	} {
		t.Run("a result without rows still has its columns in "+string(format), func(t *testing.T) {
			if got := render(t, format, false, 0, columns); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestCSV(t *testing.T) {
	t.Run("a column of NULLs keeps its rows", func(t *testing.T) {
		got := render(t, CSV, false, 0, []Column{{"a", "VARCHAR"}}, []any{nil}, []any{""}, []any{" x "})
		if want := "a\n\"\"\n\"\"\n\" x \"\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
	t.Run("other readers find the same text", func(t *testing.T) {
		texts := []any{"a,b", `"`, "line\nbreak", "cr\rlf\r\nend", "", "=x", "ünï", "tab\t", `\.`}
		columns := make([]Column, len(texts))
		for i := range columns {
			columns[i] = Column{fmt.Sprintf("c,%d", i), "VARCHAR"}
		}
		records, err := csv.NewReader(strings.NewReader(render(t, CSV, false, 0, columns, texts))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range texts {
			want := strings.ReplaceAll(text.(string), "\r\n", "\n") // encoding/csv makes one of the other
			if records[1][i] != want || records[0][i] != columns[i].Name {
				t.Errorf("%q became %q, %q became %q", text, records[1][i], columns[i].Name, records[0][i])
			}
		}
	})
	t.Run("what a spreadsheet would run is disarmed when asked for", func(t *testing.T) {
		var out bytes.Buffer
		p, err := NewPrinter(CSV, &out, false, 0)
		if err != nil {
			t.Fatal(err)
		}
		row := []any{"=HYPERLINK(1)", "+1", "-1", "@x", "\tx", "a=b", int64(-1), nil}
		var columns []Column
		for i := range row {
			columns = append(columns, Column{fmt.Sprintf("=%d", i), "VARCHAR"})
		}
		columns[6].Type = "BIGINT"
		printAll(t, FormulaSafe(p), columns, row)
		want := "'=0,'=1,'=2,'=3,'=4,'=5,'=6,'=7\n'=HYPERLINK(1),'+1,'-1,'@x,'\tx,a=b,-1,\n"
		if got := out.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if row[0] != "=HYPERLINK(1)" {
			t.Error("the caller's row was changed")
		}
	})
}

func TestTable(t *testing.T) {
	t.Run("names from the directory cannot steer the terminal", func(t *testing.T) {
		got := render(t, Table, true, 80, []Column{{"na\x1b[2Jme", "VARCHAR"}}, []any{"\x1b]0;x\x07\u202egpj\u0085"})
		if strings.ContainsAny(got, "\x1b\x07\u202e\u0085") {
			t.Errorf("control characters got through: %q", got)
		}
		if !strings.Contains(got, `\x1b]0;x\a\u202egpj\u0085`) {
			t.Errorf("they are not shown: %q", got)
		}
	})
	t.Run("wide characters take two cells", func(t *testing.T) {
		got := render(t, Table, true, 12, []Column{{"a", "VARCHAR"}, {"n", "BIGINT"}}, []any{"株式会社東京本社", int64(1)})
		if want := "a          n\n─────────  ─\n株式会社…  1\n"; got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
	t.Run("a terminal that is too narrow gets whole numbers", func(t *testing.T) {
		got := render(t, Table, true, 10, []Column{{"a", "VARCHAR"}, {"n", "BIGINT"}}, []any{"a long product name", int64(123456789)})
		if want := "a                   n\n────────  ───────────\na long …  123,456,789\n"; got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
	t.Run("only numbers get separators", func(t *testing.T) {
		columns := []Column{{"text", "VARCHAR"}, {"f", "DOUBLE"}, {"n", "BIGINT"}, {"h", "HUGEINT"}, {"d", "DECIMAL(9,4)"}}
		got := render(t, Table, true, 0, columns,
			[]any{"1234567", -1234.5678, int64(-100), "170141183460469231731687303715884105727", "12345.6700"},
			[]any{"x", 1e21, int64(math.MinInt64), nil, nil}, []any{"y", math.Inf(-1), int64(1000), nil, nil})
		for _, want := range []string{"1234567 ", " -1,234.5678 ", " -100 ", "170,141,183,460,469,231,731,687,303,715,884,105,727",
			"12,345.6700\n", " 1e+21 ", " -9,223,372,036,854,775,808 ", " -Inf ", " 1,000 "} {
			if !strings.Contains(got, want) {
				t.Errorf("%q is not in\n%s", want, got)
			}
		}
	})
}

// duckDB runs a query and gives its columns and rows as the driver does.
func duckDB(t testing.TB, query string) ([]Column, [][]any) {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		t.Fatal(err)
	}
	var columns []Column
	for _, c := range types {
		columns = append(columns, Column{c.Name(), c.DatabaseTypeName()})
	}
	var out [][]any
	for rows.Next() {
		row, targets := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			targets[i] = &row[i]
		}
		if err := rows.Scan(targets...); err != nil {
			t.Fatal(err)
		}
		out = append(out, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return columns, out
}

func TestEveryTypeOfDuckDB(t *testing.T) {
	tests := []struct{ expression, csv, json string }{
		{`true`, `true`, `true`},
		{`(-128)::tinyint`, `-128`, `-128`},
		{`32767::smallint`, `32767`, `32767`},
		{`(-2147483648)::integer`, `-2147483648`, `-2147483648`},
		{`9223372036854775807::bigint`, `9223372036854775807`, `9223372036854775807`},
		{`255::utinyint`, `255`, `255`},
		{`65535::usmallint`, `65535`, `65535`},
		{`4294967295::uinteger`, `4294967295`, `4294967295`},
		{`18446744073709551615::ubigint`, `18446744073709551615`, `18446744073709551615`},
		{`(-170141183460469231731687303715884105727)::hugeint`, `-170141183460469231731687303715884105727`, `-170141183460469231731687303715884105727`},
		{`340282366920938463463374607431768211455::uhugeint`, `340282366920938463463374607431768211455`, `340282366920938463463374607431768211455`},
		{`0.1::double`, `0.1`, `0.1`},
		{`0.1::float`, `0.1`, `0.1`},
		{`1e300::double`, `1e+300`, `1e+300`},
		{`1234567890123::double`, `1234567890123`, `1234567890123`},
		{`'NaN'::double`, `NaN`, `null`},
		{`'-Infinity'::double`, `-Inf`, `null`},
		{`12.50::decimal(18,2)`, `12.50`, `12.50`},
		{`-0.000001::decimal(38,6)`, `-0.000001`, `-0.000001`},
		{`12345678901234567890123456789012345678::decimal(38,0)`, `12345678901234567890123456789012345678`, `12345678901234567890123456789012345678`},
		{`date '2026-02-28'`, `2026-02-28`, `"2026-02-28"`},
		{`date '1969-12-31'`, `1969-12-31`, `"1969-12-31"`},
		{`timestamp '2026-02-28 01:02:03'`, `2026-02-28T01:02:03Z`, `"2026-02-28T01:02:03Z"`},
		{`timestamp '2026-02-28 01:02:03.000456'`, `2026-02-28T01:02:03.000456Z`, `"2026-02-28T01:02:03.000456Z"`},
		{`timestamp_ns '2026-02-28 01:02:03.123456789'`, `2026-02-28T01:02:03.123456789Z`, `"2026-02-28T01:02:03.123456789Z"`},
		{`timestamptz '2026-02-28 01:02:03+02'`, `2026-02-27T23:02:03Z`, `"2026-02-27T23:02:03Z"`},
		{`time '01:02:03.5'`, `01:02:03.5`, `"01:02:03.5"`},
		{`interval '14 months -2 days 1500 milliseconds'`, `P14M-2DT1.5S`, `"P14M-2DT1.5S"`},
		{`interval '0 days'`, `PT0S`, `"PT0S"`},
		{`uuid '05e9a617-0261-4cee-bb44-138d3ef5d965'`, `05e9a617-0261-4cee-bb44-138d3ef5d965`, `"05e9a617-0261-4cee-bb44-138d3ef5d965"`},
		{`'\xde\xad'::blob`, `\xdead`, `"\\xdead"`},
		{`'101'::bit`, `101`, `"101"`},
		{`'a<b>&"'`, `"a<b>&"""`, `"a<b>&\""`},
		{`'paid'::enum('paid','free')`, `paid`, `"paid"`},
		{`null::integer`, `""`, `null`},
		{`[date '2026-01-01', null]`, `"[""2026-01-01"",null]"`, `["2026-01-01",null]`},
		{`[]::uuid[]`, `[]`, `[]`},
		{`[1,2]::integer[2]`, `"[1,2]"`, `[1,2]`},
		{`{'b': 1.50::decimal(9,2), 'a "q"': uuid '05e9a617-0261-4cee-bb44-138d3ef5d965'}`,
			`"{""b"":1.50,""a \""q\"""":""05e9a617-0261-4cee-bb44-138d3ef5d965""}"`, `{"b":1.50,"a \"q\"":"05e9a617-0261-4cee-bb44-138d3ef5d965"}`},
		{`[{'sku': uuid '05e9a617-0261-4cee-bb44-138d3ef5d965', 'plans': [uuid '05e9a617-0261-4cee-bb44-138d3ef5d965'], 'at': date '2026-01-01'}]`,
			`"[{""sku"":""05e9a617-0261-4cee-bb44-138d3ef5d965"",""plans"":[""05e9a617-0261-4cee-bb44-138d3ef5d965""],""at"":""2026-01-01""}]"`,
			`[{"sku":"05e9a617-0261-4cee-bb44-138d3ef5d965","plans":["05e9a617-0261-4cee-bb44-138d3ef5d965"],"at":"2026-01-01"}]`},
		{`map {date '2026-01-01': 1, date '2025-01-01': 2}`, `"{""2026-01-01"":1,""2025-01-01"":2}"`, `{"2026-01-01":1,"2025-01-01":2}`},
		{`union_value(d := date '2026-01-01')`, `"""2026-01-01"""`, `"2026-01-01"`},
	}
	for _, test := range tests {
		t.Run(test.expression, func(t *testing.T) {
			columns, rows := duckDB(t, "select "+test.expression+" as x")
			if got := render(t, CSV, false, 0, columns, rows...); got != "x\n"+test.csv+"\n" {
				t.Errorf("csv is %s, want %s (%s)", got, test.csv, columns[0].Type)
			}
			got := render(t, JSON, false, 0, columns, rows...)
			if got != "[\n{\"x\":"+test.json+"}\n]\n" || !json.Valid([]byte(got)) {
				t.Errorf("json is %s, want %s", got, test.json)
			}
		})
	}
}

func TestValuesThatCameAsText(t *testing.T) {
	id := [16]byte{0x05, 0xe9, 0xa6, 0x17, 0x02, 0x61, 0x4c, 0xee, 0xbb, 0x44, 0x13, 0x8d, 0x3e, 0xf5, 0xd9, 0x65}
	columns := []Column{{"d", "DECIMAL(18,2)"}, {"e", "DECIMAL(18,2)"}, {"h", "HUGEINT"}, {"u", `STRUCT("id" UUID)`}, {"b", "BLOB"}, {"n", "VARCHAR"}}
	got := render(t, JSON, false, 0, columns,
		[]any{"-12.5", "0", "340282366920938463463374607431768211455", map[string]any{"id": string(id[:])}, "\xde\xad", "12"})
	want := `[
{"d":-12.50,"e":0.00,"h":340282366920938463463374607431768211455,"u":{"id":"05e9a617-0261-4cee-bb44-138d3ef5d965"},"b":"\\xdead","n":"12"}
]
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParquet(t *testing.T) {
	const query = `select * from (values
		(true, (-128)::tinyint, 65535::usmallint, (-2147483648)::integer, 4294967295::uinteger, 9223372036854775807::bigint,
		 18446744073709551615::ubigint, 0.1::double, 0.1::float, -12.50::decimal(18,2), date '1969-12-31', timestamp '1969-12-31 23:59:59.999999',
		 uuid '05e9a617-0261-4cee-bb44-138d3ef5d965', '\xde\xad'::blob, 'text', [1,2], timestamp_ns '2026-02-28 01:02:03.123456789'),
		(null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null))
		as r(z, y, x, w, v, u, t, s, r, q, p, o, n, m, l, k, j)`

	t.Run("DuckDB reads back what it gave, in its order", func(t *testing.T) {
		columns, rows := duckDB(t, query)
		file := filepath.Join(t.TempDir(), "x.parquet")
		if err := os.WriteFile(file, []byte(render(t, Parquet, false, 0, columns, rows...)), 0o600); err != nil {
			t.Fatal(err)
		}
		gotColumns, gotRows := duckDB(t, "select * from '"+file+"'")
		for i := range columns {
			if gotColumns[i].Name != columns[i].Name {
				t.Errorf("column %d is %s, want %s", i, gotColumns[i].Name, columns[i].Name)
			}
		}
		// What differs is that lists became JSON text, and a float a double.
		want := render(t, JSON, false, 0, columns, rows...)
		want = strings.Replace(want, `"k":[1,2]`, `"k":"[1,2]"`, 1)
		want = strings.Replace(want, `"r":0.1`, `"r":0.10000000149011612`, 1)
		if diff := cmp.Diff(want, render(t, JSON, false, 0, gotColumns, gotRows...)); diff != "" {
			t.Error(diff)
		}
		for i, want := range map[int]string{0: "BOOLEAN", 5: "BIGINT", 9: "DECIMAL(18,2)", 10: "DATE", 11: "TIMESTAMP", 12: "UUID", 13: "BLOB", 14: "VARCHAR"} {
			if gotColumns[i].Type != want {
				t.Errorf("column %s is %s, want %s", columns[i].Name, gotColumns[i].Type, want)
			}
		}
	})
	t.Run("a sum of integers keeps every digit", func(t *testing.T) {
		columns, rows := duckDB(t, "select sum(n) as n from (values (9223372036854775807), (9223372036854775807)) as t(n)")
		file := filepath.Join(t.TempDir(), "x.parquet")
		if err := os.WriteFile(file, []byte(render(t, Parquet, false, 0, columns, rows...)), 0o600); err != nil {
			t.Fatal(err)
		}
		columns, rows = duckDB(t, "select n from '"+file+"'")
		if got := render(t, CSV, false, 0, columns, rows...); got != "n\n18446744073709551614\n" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("many rows are all there", func(t *testing.T) {
		columns, rows := duckDB(t, "select range as n, 'r' || range as s from range(5000)")
		file := filepath.Join(t.TempDir(), "x.parquet")
		if err := os.WriteFile(file, []byte(render(t, Parquet, false, 0, columns, rows...)), 0o600); err != nil {
			t.Fatal(err)
		}
		columns, rows = duckDB(t, "select count(*) as rows, sum(n) as n, count(distinct s) as s from '"+file+"'")
		if got := render(t, CSV, false, 0, columns, rows...); got != "rows,n,s\n5000,12497500,5000\n" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("digits that came as text are numbers still", func(t *testing.T) {
		columns := []Column{{"d", "DECIMAL(18,2)"}, {"h", "HUGEINT"}, {"i", "INTEGER"}, {"u", "UUID"}}
		id := [16]byte{0x05, 0xe9, 0xa6, 0x17, 0x02, 0x61, 0x4c, 0xee, 0xbb, 0x44, 0x13, 0x8d, 0x3e, 0xf5, 0xd9, 0x65}
		file := filepath.Join(t.TempDir(), "x.parquet")
		text := render(t, Parquet, false, 0, columns, []any{"-12.5", "170141183460469231731687303715884105727"[:38], int64(7), string(id[:])})
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		columns, rows := duckDB(t, "select * from '"+file+"'")
		want := "d,h,i,u\n-12.50,17014118346046923173168730371588410572,7,05e9a617-0261-4cee-bb44-138d3ef5d965\n"
		if got := render(t, CSV, false, 0, columns, rows...); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("what does not fit is an error, never another number", func(t *testing.T) {
		for kind, v := range map[string]any{
			"INTEGER": int64(1 << 31), "TINYINT": "x", "UINTEGER": int64(-1), "UBIGINT": int64(-1), "HUGEINT": strings.Repeat("9", 39),
			"DECIMAL(9,2)": "1.234", "DATE": "2026-01-01", "BOOLEAN": int64(1), "DOUBLE": "1", "UUID": "x", "VARCHAR": struct{}{},
		} {
			p, err := NewPrinter(Parquet, io.Discard, false, 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Columns([]Column{{"x", kind}}); err != nil {
				t.Fatal(err)
			}
			if err := p.Row([]any{v}); err == nil || !strings.HasPrefix(err.Error(), "print row 1: ") {
				t.Errorf("%v in %s gives %v", v, kind, err)
			}
		}
	})
}

func TestXLSX(t *testing.T) {
	open := func(t *testing.T, columns []Column, rows ...[]any) *excelize.File {
		t.Helper()
		f, err := excelize.OpenReader(strings.NewReader(render(t, XLSX, false, 0, columns, rows...)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	t.Run("cells have types, the header is bold and stays", func(t *testing.T) {
		columns := []Column{{"text", "VARCHAR"}, {"n", "BIGINT"}, {"d", "DECIMAL(18,2)"}, {"day", "DATE"}, {"at", "TIMESTAMP"}, {"b", "BOOLEAN"},
			{"big", "BIGINT"}, {"old", "DATE"}, {"nan", "DOUBLE"}, {"null", "VARCHAR"}}
		at := time.Date(2026, 11, 24, 6, 7, 8, 0, time.UTC)
		f := open(t, columns, []any{"=1+1", int64(-7), "12.50", at.Truncate(24 * time.Hour), at, true,
			int64(9007199254740993), time.Date(1899, 1, 2, 0, 0, 0, 0, time.UTC), math.NaN(), nil})
		want := []struct {
			cell, value string
			kind        excelize.CellType
		}{
			{"A1", "text", excelize.CellTypeInlineString},
			{"A2", "=1+1", excelize.CellTypeInlineString},
			{"B2", "-7", excelize.CellTypeUnset},
			{"C2", "12.5", excelize.CellTypeUnset},
			{"D2", "2026-11-24", excelize.CellTypeUnset},
			{"E2", "2026-11-24 06:07:08", excelize.CellTypeUnset},
			{"F2", "TRUE", excelize.CellTypeBool},
			{"G2", "9007199254740993", excelize.CellTypeInlineString},
			{"H2", "1899-01-02", excelize.CellTypeInlineString},
			{"I2", "NaN", excelize.CellTypeInlineString},
			{"J2", "", excelize.CellTypeUnset},
		}
		for _, w := range want {
			value, err := f.GetCellValue("Sheet1", w.cell)
			if err != nil {
				t.Fatal(err)
			}
			kind, err := f.GetCellType("Sheet1", w.cell)
			if err != nil {
				t.Fatal(err)
			}
			if value != w.value || kind != w.kind {
				t.Errorf("%s is %q of type %d, want %q of type %d", w.cell, value, kind, w.value, w.kind)
			}
			if formula, _ := f.GetCellFormula("Sheet1", w.cell); formula != "" {
				t.Errorf("%s holds the formula %s", w.cell, formula)
			}
		}
		panes, err := f.GetPanes("Sheet1")
		if err != nil || !panes.Freeze || panes.YSplit != 1 {
			t.Errorf("the header moves: %+v (%v)", panes, err)
		}
		style, _ := f.GetCellStyle("Sheet1", "A1")
		if bold, err := f.GetStyle(style); err != nil || bold.Font == nil || !bold.Font.Bold {
			t.Errorf("the header is not bold: %+v (%v)", bold, err)
		}
	})
	t.Run("a text that is too long is an error, not another text", func(t *testing.T) {
		p, err := NewPrinter(XLSX, io.Discard, false, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Columns([]Column{{"x", "VARCHAR"}}); err != nil {
			t.Fatal(err)
		}
		if err := p.Row([]any{strings.Repeat("x", 32767)}); err != nil {
			t.Error(err)
		}
		err = p.Row([]any{strings.Repeat("x", 32768)})
		if want := "print row 2: column x: a text of 32768 characters; a spreadsheet's cell holds 32767: choose csv or parquet"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestPrinterRefuses(t *testing.T) {
	t.Run("a format that is none", func(t *testing.T) {
		_, err := NewPrinter("yaml", io.Discard, false, 0)
		if want := `format "yaml" is not known; [table csv json markdown parquet xlsx] are`; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	})
	t.Run("binary formats on a terminal", func(t *testing.T) {
		for _, f := range []Format{Parquet, XLSX} {
			if _, err := NewPrinter(f, io.Discard, true, 80); err == nil {
				t.Errorf("%s goes to a terminal", f)
			}
		}
	})
	t.Run("two columns of one name where names are keys", func(t *testing.T) {
		for _, f := range Formats() {
			p, err := NewPrinter(f, io.Discard, false, 0)
			if err != nil {
				t.Fatal(err)
			}
			err = p.Columns([]Column{{"a", "BIGINT"}, {"a", "BIGINT"}})
			if refused := f == JSON || f == Parquet; refused != (err != nil) {
				t.Errorf("%s: %v", f, err)
			}
		}
	})
	t.Run("a row of another width", func(t *testing.T) {
		for _, f := range Formats() {
			p, err := NewPrinter(f, io.Discard, false, 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Columns([]Column{{"a", "BIGINT"}}); err != nil {
				t.Fatal(err)
			}
			if err := p.Row([]any{int64(1), int64(2)}); err == nil || err.Error() != "row 1 has 2 values for 1 columns" {
				t.Errorf("%s: %v", f, err)
			}
		}
	})
	t.Run("a value that cannot be printed", func(t *testing.T) {
		for _, f := range Formats() {
			p, err := NewPrinter(f, io.Discard, false, 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Columns([]Column{{"a", "VARCHAR"}}); err != nil {
				t.Fatal(err)
			}
			if err := p.Row([]any{make(chan int)}); err == nil || !strings.Contains(err.Error(), "a value of type VARCHAR (chan int) cannot be printed") {
				t.Errorf("%s: %v", f, err)
			}
		}
	})
}

// broken takes some bytes and then fails.
type broken struct {
	left int
	err  error
}

func (b *broken) Write(p []byte) (int, error) {
	if len(p) > b.left {
		return 0, b.err
	}
	b.left -= len(p)
	return len(p), nil
}

func TestFailingOutput(t *testing.T) {
	for _, f := range Formats() {
		for _, cause := range []error{&os.PathError{Op: "write", Path: "|1", Err: syscall.EPIPE}, syscall.ENOSPC} {
			t.Run(fmt.Sprintf("%s gives the error of its output: %v", f, cause), func(t *testing.T) {
				p, err := NewPrinter(f, &broken{left: 100, err: cause}, false, 0)
				if err != nil {
					t.Fatal(err)
				}
				err = p.Columns([]Column{{"a", "VARCHAR"}})
				for i := 0; i < 5000 && err == nil; i++ {
					err = p.Row([]any{strings.Repeat("some text ", 10)})
				}
				err = errors.Join(err, p.Close())
				if !errors.Is(err, cause) {
					t.Errorf("got %v, want %v", err, cause)
				}
				if IsClosedPipe(err) != errors.Is(cause, syscall.EPIPE) {
					t.Errorf("IsClosedPipe(%v) is %v", err, IsClosedPipe(err))
				}
			})
		}
	}
}

func FuzzParseType(f *testing.F) {
	for _, s := range []string{"BIGINT", "DECIMAL(18,2)", `STRUCT("a ""q""" BIGINT, b DATE[])[3][]`, "MAP(VARCHAR, UNION(x UUID))", "STRUCT(", "[", `STRUCT("`, "STRUCT(a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		columns := []Column{{"x", s}}
		for _, v := range []any{nil, "x", int64(1), []any{"x", nil}, map[string]any{"a": 1.5}, []byte("0123456789abcdef"), time.Unix(0, 0)} {
			if got := render(t, JSON, false, 0, columns, []any{v}); !json.Valid([]byte(got)) {
				t.Errorf("%v of type %q gives %s", v, s, got)
			}
		}
	})
}

func BenchmarkPrint(b *testing.B) {
	columns, rows := positions()
	const many = 1000
	for _, f := range Formats() {
		b.Run(string(f), func(b *testing.B) {
			n := 0
			for b.Loop() {
				p, err := NewPrinter(f, io.Discard, false, 0)
				if err != nil {
					b.Fatal(err)
				}
				err = p.Columns(columns)
				for i := range many {
					err = errors.Join(err, p.Row(rows[i%len(rows)]))
				}
				if err = errors.Join(err, p.Close()); err != nil {
					b.Fatal(err)
				}
				n += many
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func TestTableOfManyRows(t *testing.T) {
	var out bytes.Buffer
	p, err := NewPrinter(Table, &out, false, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Columns([]Column{{"name", "VARCHAR"}, {"n", "BIGINT"}}); err != nil {
		t.Fatal(err)
	}
	const rows = 2500
	for i := range rows {
		name := "short"
		if i == rows-1 {
			name = "longer than any before it"
		}
		if err := p.Row([]any{name, int64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != rows+2 {
		t.Fatalf("%d lines, want the header, a rule and %d rows", len(lines), rows)
	}
	if last := lines[len(lines)-1]; !strings.Contains(last, "longer than any before it") || !strings.HasSuffix(last, "2499") {
		t.Errorf("a late row that is wider lost something: %q", last)
	}
	if got, want := lines[2], "short    0"; got != want {
		t.Errorf("first row is %q, want %q", got, want)
	}
}
