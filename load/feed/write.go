package feed

import (
	"archive/zip"
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/big"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/xuri/excelize/v2"
)

// FileName is the file's name.
func (s *Sheet) FileName(f Format) string { return s.Name + "." + string(f) }

// Write writes the sheet. The same rows are the same bytes.
func (s *Sheet) Write(w io.Writer, f Format) error {
	switch f {
	case CSV:
		return s.writeCSV(w)
	case XLSX:
		return s.writeXLSX(w)
	case Parquet:
		return s.writeParquet(w)
	}
	return fmt.Errorf("format %q is not known", f)
}

func (s *Sheet) writeCSV(w io.Writer) error {
	out := bufio.NewWriter(w)
	comma, newline := ',', "\r\n"
	if t := s.template; t != nil && t.Format == CSV {
		comma, newline = t.comma, t.newline
		out.Write(t.head)
	} else {
		header := make([]any, len(s.Columns))
		for i, c := range s.Columns {
			header[i] = c.Name
		}
		writeCSVRow(out, header, comma, newline)
	}
	for _, row := range s.Rows {
		writeCSVRow(out, row.Cells, comma, newline)
	}
	return out.Flush()
}

func writeCSVRow(out *bufio.Writer, cells []any, comma rune, newline string) {
	for i, v := range cells {
		if i > 0 {
			out.WriteString(string(comma))
		}
		text := plain(v)
		if s, ok := v.(string); ok {
			text = Guard(s)
		}
		if quotes(text, comma) || len(cells) == 1 && text == "" {
			out.WriteString(`"` + strings.ReplaceAll(text, `"`, `""`) + `"`)
		} else {
			out.WriteString(text)
		}
	}
	out.WriteString(newline)
}

// quotes says whether a field is written in quotes. Whatever could be a separator
// to some reader is.
func quotes(s string, comma rune) bool {
	return strings.ContainsAny(s, "\",;\t\r\n") || strings.ContainsRune(s, comma) ||
		s != "" && (s[0] == ' ' || s[len(s)-1] == ' ')
}

// writeXLSX writes a spreadsheet of its own, or the template with rows.
func (s *Sheet) writeXLSX(w io.Writer) error {
	if len(s.Rows)+1 > excelize.TotalRows {
		return fmt.Errorf("%s: %d rows; a spreadsheet holds %d: choose csv", s.Name, len(s.Rows), excelize.TotalRows-1)
	}
	var f *excelize.File
	var err error
	if t := s.template; t != nil && t.Format == XLSX {
		f, err = s.fillTemplate(t)
	} else {
		f, err = s.newXLSX()
	}
	if err != nil {
		return err
	}
	defer f.Close()
	var made bytes.Buffer
	if err := f.Write(&made); err != nil {
		return err
	}
	return rezip(w, made.Bytes())
}

const dayFormat = "yyyy-mm-dd"

func (s *Sheet) newXLSX() (*excelize.File, error) {
	f := excelize.NewFile()
	name := cmp.Or(s.Worksheet, "Sheet1")
	if err := f.SetSheetName("Sheet1", name); err != nil {
		return f, err
	}
	format := dayFormat
	day, err := f.NewStyle(&excelize.Style{CustomNumFmt: &format})
	if err != nil {
		return f, err
	}
	out, err := f.NewStreamWriter(name)
	if err != nil {
		return f, err
	}
	header := make([]any, len(s.Columns))
	for i, c := range s.Columns {
		header[i] = c.Name
	}
	if err := out.SetRow("A1", header); err != nil {
		return f, err
	}
	for i, row := range s.Rows {
		cells := make([]any, len(row.Cells))
		for j, v := range row.Cells {
			cells[j] = spreadsheetValue(v)
			if t, ok := cells[j].(time.Time); ok {
				cells[j] = excelize.Cell{StyleID: day, Value: t}
			}
		}
		if err := out.SetRow("A"+strconv.Itoa(i+2), cells); err != nil {
			return f, err
		}
	}
	return f, out.Flush()
}

// fillTemplate opens the template and puts the rows below its header, in place of
// what stood there.
func (s *Sheet) fillTemplate(t *Template) (*excelize.File, error) {
	f, err := excelize.OpenReader(bytes.NewReader(t.file))
	if err != nil {
		return nil, err
	}
	format := dayFormat
	day, err := f.NewStyle(&excelize.Style{CustomNumFmt: &format})
	if err != nil {
		return f, err
	}
	there, err := f.GetRows(t.worksheet)
	if err != nil {
		return f, err
	}
	for n := len(there); n > 1; n-- {
		if err := f.RemoveRow(t.worksheet, n); err != nil {
			return f, err
		}
	}
	for i, row := range s.Rows {
		for j, v := range row.Cells {
			v = spreadsheetValue(v)
			if v == nil {
				continue
			}
			cell, err := excelize.CoordinatesToCellName(j+1, i+2)
			if err != nil {
				return f, err
			}
			if text, is := v.(string); is {
				v = escapeCodes(text)
			}
			if err := f.SetCellValue(t.worksheet, cell, v); err != nil {
				return f, err
			}
			if _, is := v.(time.Time); is {
				if err := f.SetCellStyle(t.worksheet, cell, cell, day); err != nil {
					return f, err
				}
			}
		}
	}
	return f, nil
}

// cellCode is how spreadsheets write a character by its number.
var cellCode = regexp.MustCompile(`^_x[0-9A-Fa-f]{4}_`)

// escapeCodes keeps a text that looks like such a character from becoming it. The
// library does so in new sheets, and not in those it has opened.
func escapeCodes(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if cellCode.MatchString(s[i:min(len(s), i+7)]) {
			b.WriteString("_x005F")
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// spreadsheetDigits is how many significant digits a spreadsheet's number keeps.
const spreadsheetDigits = 15

// spreadsheetValue is what a cell is given: texts are texts, whatever they begin
// with; a number with more digits than a spreadsheet keeps is a text too.
func spreadsheetValue(v any) any {
	switch v := v.(type) {
	case Decimal:
		digits := strings.TrimLeft(strings.NewReplacer("-", "", ".", "").Replace(string(v)), "0")
		if n, err := strconv.ParseFloat(string(v), 64); err == nil && len(digits) <= spreadsheetDigits {
			return n
		}
		return string(v)
	case int64:
		if v > 1e15 || v < -1e15 {
			return strconv.FormatInt(v, 10)
		}
	case time.Time:
		// A spreadsheet's days begin in 1900, a year that it holds to be a leap year.
		if v.Before(time.Date(1900, 3, 1, 0, 0, 0, 0, time.UTC)) || v.Year() > 9999 {
			return plain(v)
		}
	}
	return v
}

// rezip gives an archive one order and no times, so that it depends on its content
// alone.
func rezip(w io.Writer, archive []byte) error {
	in, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return err
	}
	// In this order the list of content types comes first, as some readers want it.
	slices.SortStableFunc(in.File, func(a, b *zip.File) int { return cmp.Compare(a.Name, b.Name) })
	out := zip.NewWriter(w)
	for _, f := range in.File {
		from, err := f.Open()
		if err != nil {
			return err
		}
		to, err := out.CreateHeader(&zip.FileHeader{Name: f.Name, Method: zip.Deflate})
		if err != nil {
			return err
		}
		_, err = io.Copy(to, from)
		if err := errors.Join(err, from.Close()); err != nil {
			return err
		}
	}
	return out.Close()
}

// moneyDigits and moneyPlaces are of the Parquet decimals.
const (
	moneyDigits = 18
	moneyPlaces = unitPlaces
)

func (s *Sheet) writeParquet(w io.Writer) error {
	root := group{Group: parquet.Group{}}
	for _, c := range s.Columns {
		node := parquet.Optional(map[Kind]parquet.Node{
			Text: parquet.String(), Whole: parquet.Int(64), Money: parquet.Decimal(moneyPlaces, moneyDigits, parquet.Int64Type),
			Day: parquet.Date(), Flag: parquet.Leaf(parquet.BooleanType),
		}[c.Kind])
		root.Group[c.Name] = node
		root.fields = append(root.fields, field{node, c.Name})
	}
	out := parquet.NewGenericWriter[any](w, parquet.NewSchema(s.Name, root), parquet.Compression(&parquet.Zstd))
	for i, row := range s.Rows {
		values := make(parquet.Row, len(row.Cells))
		for j, v := range row.Cells {
			value, err := parquetValue(v)
			if err != nil {
				return fmt.Errorf("row %d, column %s: %w", i+1, s.Columns[j].Name, err)
			}
			level := 1
			if value.IsNull() {
				level = 0
			}
			values[j] = value.Level(0, level, j)
		}
		if _, err := out.WriteRows([]parquet.Row{values}); err != nil {
			return err
		}
	}
	return out.Close()
}

func parquetValue(v any) (parquet.Value, error) {
	switch v := v.(type) {
	case string:
		return parquet.ByteArrayValue([]byte(v)), nil
	case int64:
		return parquet.Int64Value(v), nil
	case bool:
		return parquet.BooleanValue(v), nil
	case time.Time:
		return parquet.Int32Value(int32(v.Unix() / (24 * 60 * 60))), nil
	case Decimal:
		n := new(big.Rat).Mul(v.rat(), big.NewRat(1_000_000, 1))
		if !n.IsInt() || !n.Num().IsInt64() || len(new(big.Int).Abs(n.Num()).String()) > moneyDigits {
			return parquet.Value{}, fmt.Errorf("%s does not fit a decimal of %d digits, %d of them behind the point", v, moneyDigits, moneyPlaces)
		}
		return parquet.Int64Value(n.Num().Int64()), nil
	}
	return parquet.NullValue(), nil
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
