package main

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/parquet-go/parquet-go"
	"github.com/rivo/uniseg"
	"github.com/xuri/excelize/v2"
)

// xlsxPrinter streams into one sheet. A number with more digits than a
// spreadsheet keeps is written as text.
type xlsxPrinter struct {
	w       *bufio.Writer
	columns []Column
	types   []sqlType
	file    *excelize.File
	sheet   *excelize.StreamWriter
	rows    int

	dateStyle, timeStyle int
}

func (p *xlsxPrinter) Columns(columns []Column) error {
	p.columns, p.types = columns, typesOf(columns)
	if len(columns) > excelize.MaxColumns {
		return fmt.Errorf("a spreadsheet has %d columns at most, and this result %d", excelize.MaxColumns, len(columns))
	}
	p.file = excelize.NewFile()
	bold, err := p.file.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}})
	if err != nil {
		return err
	}
	if p.dateStyle, err = p.formatStyle("yyyy-mm-dd"); err != nil {
		return err
	}
	if p.timeStyle, err = p.formatStyle("yyyy-mm-dd hh:mm:ss"); err != nil {
		return err
	}
	if p.sheet, err = p.file.NewStreamWriter("Sheet1"); err != nil {
		return err
	}
	header := make([]any, len(columns))
	for i, c := range columns {
		header[i] = excelize.Cell{StyleID: bold, Value: c.Name}
		width := float64(min(max(12, uniseg.StringWidth(c.Name)+2), 60))
		if err := p.sheet.SetColWidth(i+1, i+1, width); err != nil {
			return err
		}
	}
	panes := &excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}
	if err := p.sheet.SetPanes(panes); err != nil {
		return err
	}
	return p.write(header)
}

func (p *xlsxPrinter) formatStyle(format string) (int, error) {
	return p.file.NewStyle(&excelize.Style{CustomNumFmt: &format})
}

func (p *xlsxPrinter) Row(values []any) error {
	cells := make([]any, len(values))
	for i, v := range values {
		var err error
		if cells[i], err = p.cell(v, p.types[i]); err != nil {
			return fmt.Errorf("column %s: %w", p.columns[i].Name, err)
		}
	}
	return p.write(cells)
}

func (p *xlsxPrinter) write(cells []any) error {
	if p.rows == excelize.TotalRows {
		return fmt.Errorf("a spreadsheet has %d rows at most; choose csv or parquet", excelize.TotalRows)
	}
	p.rows++
	return p.sheet.SetRow("A"+strconv.Itoa(p.rows), cells)
}

func (p *xlsxPrinter) cell(v any, t sqlType) (any, error) {
	// A spreadsheet's days begin in 1900, a year that it holds to be a leap year.
	first := time.Date(1900, 3, 1, 0, 0, 0, 0, time.UTC)
	switch v := v.(type) {
	case nil:
		return nil, nil
	case bool:
		return v, nil
	case time.Time:
		v = v.UTC()
		if v.Before(first) || v.Year() > 9999 {
			break
		}
		if t.name == "DATE" {
			return excelize.Cell{StyleID: p.dateStyle, Value: v}, nil
		}
		if t.isInstant() {
			return excelize.Cell{StyleID: p.timeStyle, Value: v}, nil
		}
	}
	s, err := display(v, t)
	if err != nil {
		return nil, err
	}
	if t.isNumber() && digits(s) <= 15 {
		if n, err := strconv.ParseFloat(s, 64); err == nil && !math.IsInf(n, 0) && !math.IsNaN(n) {
			return n, nil
		}
	}
	if n := len(utf16.Encode([]rune(s))); n > excelize.TotalCellChars {
		return nil, fmt.Errorf("a text of %d characters; a spreadsheet's cell holds %d: choose csv or parquet", n, excelize.TotalCellChars)
	}
	return s, nil
}

// digits counts the significant digits of a number's text.
func digits(s string) int {
	mantissa, _, _ := strings.Cut(strings.ToLower(s), "e")
	mantissa = strings.TrimLeft(strings.NewReplacer("-", "", ".", "").Replace(mantissa), "0")
	return len(mantissa)
}

func (p *xlsxPrinter) Close() error {
	if p.file == nil {
		return p.w.Flush()
	}
	err := p.sheet.Flush()
	if err == nil {
		err = p.file.Write(p.w)
	}
	return errors.Join(err, p.file.Close(), p.w.Flush())
}

// parquetPrinter writes optional columns in the result's order.
type parquetPrinter struct {
	w     *bufio.Writer
	types []sqlType
	file  *parquet.GenericWriter[any]
	rows  []parquet.Row
}

const parquetBatch = 1024 // rows

func (p *parquetPrinter) Columns(columns []Column) error {
	if err := unique(columns); err != nil {
		return err
	}
	p.types = typesOf(columns)
	root := group{Group: parquet.Group{}}
	for i, c := range columns {
		if c.Name == "" {
			return errors.New("a column without a name cannot be written to Parquet; name it with AS")
		}
		node := parquet.Optional(p.types[i].parquetNode())
		root.Group[c.Name] = node
		root.fields = append(root.fields, field{node, c.Name})
	}
	p.file = parquet.NewGenericWriter[any](p.w, parquet.NewSchema("result", root), parquet.Compression(&parquet.Zstd))
	return nil
}

func (p *parquetPrinter) Row(values []any) error {
	row := make(parquet.Row, len(values))
	for i, v := range values {
		value, err := p.types[i].parquetValue(v)
		if err != nil {
			return err
		}
		level := 1
		if value.IsNull() {
			level = 0
		}
		row[i] = value.Level(0, level, i)
	}
	if p.rows = append(p.rows, row); len(p.rows) == parquetBatch {
		return p.flush()
	}
	return nil
}

func (p *parquetPrinter) flush() error {
	_, err := p.file.WriteRows(p.rows)
	p.rows = p.rows[:0]
	return err
}

func (p *parquetPrinter) Close() error {
	if p.file == nil {
		return p.w.Flush()
	}
	return errors.Join(p.flush(), p.file.Close(), p.w.Flush())
}

// group is a Parquet group whose fields keep their order; parquet.Group sorts
// them.
type group struct {
	parquet.Group
	fields []parquet.Field
}

func (g group) Fields() []parquet.Field { return g.fields }

type field struct {
	parquet.Node
	name string
}

func (f field) Name() string { return f.name }

// Value is for rows that are Go structs, which these are not.
func (f field) Value(base reflect.Value) reflect.Value { return base.FieldByName(f.name) }
