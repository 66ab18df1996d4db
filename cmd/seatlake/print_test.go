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
	feed(t, p, columns, rows...)
	return out.String()
}

func feed(t testing.TB, p Printer, columns []Column, rows ...[]any) {
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
		{"a table is plain where nobody looks", Table, false, 40, `product_name                            entitled     cost  as_of       paid
──────────────────────────────────────  ────────  ───────  ──────────  ─────
Office 365 E3                            1234567  1234.50  2026-11-24  true
=1+1 | "quoted", <b>\nsecond line             -7    -0.05  2026-11-24  false
                                               -        -  -           -
-                                              0     0.00  2026-11-24  -
`},
		{"a table fits its terminal, and no number is cut", Table, true, 60, `product_name          entitled      cost  as_of       paid
────────────────────  ─────────  ────────  ──────────  ─────
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
