package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/parquet-go/parquet-go"
	"github.com/rivo/uniseg"
	"github.com/xuri/excelize/v2"
)

// Format is how rows are printed.
type Format string

// The formats there are.
const (
	Table    Format = "table"    // for people; as wide as the first rows need
	CSV      Format = "csv"      // RFC 4180 with a header, lines end in LF; NULL is empty, empty text is ""
	JSON     Format = "json"     // an array, one object a line
	Markdown Format = "markdown" // a GitHub table
	Parquet  Format = "parquet"  // nested values as JSON text
	XLSX     Format = "xlsx"     // a spreadsheet; no cell is ever a formula
)

// Formats lists the formats for a flag's help.
func Formats() []Format { return []Format{Table, CSV, JSON, Markdown, Parquet, XLSX} }

// Column is a column of a result. Type is what DuckDB calls it, such as BIGINT,
// DECIMAL(18,2), UUID, DATE or STRUCT("a" BIGINT)[]; it tells a day from an instant
// and a GUID from bytes.
type Column struct {
	Name string
	Type string
}

// Printer prints one result: Columns once, Row for each row, Close once. Row takes
// the values that database/sql gives for DuckDB's types and keeps none of them.
// Numbers keep every digit, instants are UTC, and a value a format cannot hold is
// an error. Without Close the output is incomplete.
type Printer interface {
	Columns(columns []Column) error
	Row(values []any) error
	Close() error
}

// NewPrinter prints to w. On a terminal, width cells wide (0: as wide as need be),
// a table is made to fit and its numbers get thousands separators; binary formats
// are refused there.
func NewPrinter(f Format, w io.Writer, isTTY bool, width int) (Printer, error) {
	// The writer keeps its first error and gives it again at the end, so what the
	// printers write on the way need not be checked.
	out := bufio.NewWriterSize(w, 64<<10)
	var p Printer
	switch f {
	case Table:
		p = &tablePrinter{w: out, tty: isTTY, width: width}
	case CSV:
		p = &csvPrinter{w: out}
	case JSON:
		p = &jsonPrinter{w: out}
	case Markdown:
		p = &markdownPrinter{w: out}
	case Parquet, XLSX:
		if isTTY {
			return nil, fmt.Errorf("format %s is not for a terminal; redirect it to a file", f)
		}
		if p = (&xlsxPrinter{w: out}); f == Parquet {
			p = &parquetPrinter{w: out}
		}
	default:
		return nil, fmt.Errorf("format %q is not known; %v are", string(f), Formats())
	}
	return &checkedPrinter{Printer: p}, nil
}

// FormulaSafe is p with an apostrophe before every text that a spreadsheet would
// take for a formula. It is for CSV that people open in one.
func FormulaSafe(p Printer) Printer { return &formulaSafe{p} }

// IsClosedPipe says that nobody reads the output any more, as when it goes to
// head. It is no failure: there is nothing left to do.
func IsClosedPipe(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}

// checkedPrinter keeps the promises of the interface for all formats: as many
// values as columns, and an error that says in which row it is.
type checkedPrinter struct {
	Printer
	columns int
	rows    int64
}

func (p *checkedPrinter) Columns(columns []Column) error {
	p.columns = len(columns)
	if p.columns == 0 {
		return errors.New("a result without columns cannot be printed")
	}
	return p.Printer.Columns(columns)
}

func (p *checkedPrinter) Row(values []any) error {
	p.rows++
	if len(values) != p.columns {
		return fmt.Errorf("row %d has %d values for %d columns", p.rows, len(values), p.columns)
	}
	if err := p.Printer.Row(values); err != nil {
		return fmt.Errorf("print row %d: %w", p.rows, err)
	}
	return nil
}

type formulaSafe struct{ Printer }

func (p *formulaSafe) Columns(columns []Column) error {
	safe := slices.Clone(columns)
	for i, c := range safe {
		safe[i].Name = disarm(c.Name)
	}
	return p.Printer.Columns(safe)
}

func (p *formulaSafe) Row(values []any) error {
	safe := slices.Clone(values)
	for i, v := range safe {
		if s, ok := v.(string); ok {
			safe[i] = disarm(s)
		}
	}
	return p.Printer.Row(safe)
}

func disarm(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) {
		return "'" + s
	}
	return s
}

// csvPrinter writes its own quotes: encoding/csv cannot tell NULL from empty text,
// and its empty line for a single NULL is one that readers skip.
type csvPrinter struct {
	w     *bufio.Writer
	types []sqlType
}

func (p *csvPrinter) Columns(columns []Column) error {
	p.types = typesOf(columns)
	for i, c := range columns {
		p.field(i, c.Name, false)
	}
	return p.w.WriteByte('\n')
}

func (p *csvPrinter) Row(values []any) error {
	for i, v := range values {
		s, err := display(v, p.types[i])
		if err != nil {
			return err
		}
		p.field(i, s, v == nil && len(values) > 1)
	}
	return p.w.WriteByte('\n')
}

func (p *csvPrinter) field(i int, s string, null bool) {
	if i > 0 {
		p.w.WriteByte(',')
	}
	if null || s != "" && !strings.ContainsAny(s, "\",\r\n") && s[0] != ' ' && s[len(s)-1] != ' ' {
		p.w.WriteString(s)
		return
	}
	p.w.WriteString(`"` + strings.ReplaceAll(s, `"`, `""`) + `"`)
}

func (p *csvPrinter) Close() error { return p.w.Flush() }

type jsonPrinter struct {
	w     *bufio.Writer
	names [][]byte // as JSON, with the colon
	types []sqlType
	rows  int64
	line  []byte
}

func (p *jsonPrinter) Columns(columns []Column) error {
	if err := unique(columns); err != nil {
		return err
	}
	p.types = typesOf(columns)
	for _, c := range columns {
		p.names = append(p.names, append(appendString(nil, c.Name), ':'))
	}
	return p.w.WriteByte('[')
}

func (p *jsonPrinter) Row(values []any) error {
	p.line = p.line[:0]
	if p.rows > 0 {
		p.line = append(p.line, ',')
	}
	p.line = append(p.line, "\n{"...)
	for i, v := range values {
		if i > 0 {
			p.line = append(p.line, ',')
		}
		p.line = append(p.line, p.names[i]...)
		var err error
		if p.line, err = appendJSON(p.line, v, p.types[i]); err != nil {
			return err
		}
	}
	p.rows++
	_, err := p.w.Write(append(p.line, '}'))
	return err
}

func (p *jsonPrinter) Close() error {
	if p.rows > 0 {
		p.w.WriteByte('\n')
	}
	p.w.WriteString("]\n")
	return p.w.Flush()
}

// unique refuses columns of one name where a format knows a column by its name.
func unique(columns []Column) error {
	seen := map[string]bool{}
	for _, c := range columns {
		if seen[c.Name] {
			return fmt.Errorf("two columns are called %q; give one another name with AS", c.Name)
		}
		seen[c.Name] = true
	}
	return nil
}

type markdownPrinter struct {
	w     *bufio.Writer
	types []sqlType
	// escape keeps text from becoming cells, links, HTML or emphasis.
	escape *strings.Replacer
}

func (p *markdownPrinter) Columns(columns []Column) error {
	p.types = typesOf(columns)
	p.escape = strings.NewReplacer(`\`, `\\`, "|", `\|`, "<", "&lt;", "&", "&amp;", "*", `\*`, "`", "\\`", "[", `\[`,
		"\r\n", "<br>", "\n", "<br>", "\r", "<br>")
	for _, c := range columns {
		p.w.WriteString("| " + p.escape.Replace(c.Name) + " ")
	}
	p.w.WriteString("|\n")
	for _, t := range p.types {
		if t.isNumber() {
			p.w.WriteString("| ---: ")
		} else {
			p.w.WriteString("| --- ")
		}
	}
	_, err := p.w.WriteString("|\n")
	return err
}

func (p *markdownPrinter) Row(values []any) error {
	for i, v := range values {
		s, err := display(v, p.types[i])
		if err != nil {
			return err
		}
		p.w.WriteString("| " + p.escape.Replace(s) + " ")
	}
	_, err := p.w.WriteString("|\n")
	return err
}

func (p *markdownPrinter) Close() error { return p.w.Flush() }

// tablePrinter aligns columns, so it must see all rows before it prints one.
type tablePrinter struct {
	w      *bufio.Writer
	tty    bool
	width  int
	types  []sqlType
	rows   [][]string // the header first; nil once the columns' widths are settled
	widths []int      // of the columns, in cells of a terminal
	text   []byte     // of a line, used again
}

// settleAfter is how many rows decide how wide a table's columns are. Rows behind
// them are printed as they come, so that a long table is not held.
const settleAfter = 1000

func (p *tablePrinter) Columns(columns []Column) error {
	p.types = typesOf(columns)
	p.widths = make([]int, len(columns))
	header := make([]string, len(columns))
	for i, c := range columns {
		header[i] = visible(c.Name)
	}
	p.rows = [][]string{}
	p.add(header)
	return nil
}

func (p *tablePrinter) Row(values []any) error {
	row := make([]string, len(values))
	for i, v := range values {
		s, err := display(v, p.types[i])
		if err != nil {
			return err
		}
		switch {
		case v == nil:
			s = "-"
		case p.tty && p.types[i].isNumber():
			s = thousands(s)
		}
		row[i] = visible(s)
	}
	p.add(row)
	return nil
}

func (p *tablePrinter) add(row []string) {
	if p.rows == nil {
		p.line(row)
		return
	}
	for i, s := range row {
		p.widths[i] = max(p.widths[i], textWidth(s))
	}
	if p.rows = append(p.rows, row); len(p.rows) > settleAfter {
		p.settle()
	}
}

func (p *tablePrinter) Close() error {
	if p.rows != nil {
		p.settle()
	}
	return p.w.Flush()
}

// settle fixes the columns' widths and prints what was held.
func (p *tablePrinter) settle() {
	if p.tty && p.width > 0 {
		p.fit()
	}
	for i, row := range p.rows {
		p.line(row)
		if i == 0 {
			rule := make([]string, len(p.widths))
			for j, width := range p.widths {
				rule[j] = strings.Repeat("─", width)
			}
			p.line(rule)
		}
	}
	p.rows = nil
}

const columnGap = 2 // cells between two columns

func (p *tablePrinter) line(row []string) {
	text := p.text[:0]
	for i, s := range row {
		if p.tty {
			s = cut(s, p.widths[i])
		}
		if i > 0 {
			text = appendSpaces(text, columnGap)
		}
		padding := p.widths[i] - textWidth(s) // negative where a late row is wider
		if p.types[i].isNumber() {
			text = append(appendSpaces(text, padding), s...)
		} else {
			text = appendSpaces(append(text, s...), padding)
		}
	}
	text = append(bytes.TrimRight(text, " "), '\n')
	p.w.Write(text)
	p.text = text
}

func appendSpaces(text []byte, n int) []byte {
	for ; n > 0; n-- {
		text = append(text, ' ')
	}
	return text
}

// fit narrows the widest texts until the table fits, or until they are narrow
// themselves. Numbers stay whole: a number that was cut is another number.
func (p *tablePrinter) fit() {
	const narrow = 8
	total := columnGap * (len(p.widths) - 1)
	for _, width := range p.widths {
		total += width
	}
	for ; total > p.width; total-- {
		widest := -1
		for i, width := range p.widths {
			if !p.types[i].isNumber() && width > narrow && (widest < 0 || width > p.widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		p.widths[widest]--
	}
}

// textWidth is how many cells of a terminal a text takes that holds no control
// characters. Plain ASCII takes one a byte.
func textWidth(s string) int {
	if isPlain(s) {
		return len(s)
	}
	return uniseg.StringWidth(s)
}

// isPlain says that a text is printable ASCII, as most cells are.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// cut shortens text to a width in cells, with an ellipsis for what is gone.
func cut(s string, width int) string {
	if textWidth(s) <= width {
		return s
	}
	var b strings.Builder
	left := width - 1
	for g := uniseg.NewGraphemes(s); g.Next() && g.Width() <= left; left -= g.Width() {
		b.WriteString(g.Str())
	}
	return b.String() + "…"
}

// visible shows control characters instead of sending them: a name from the
// directory must not move the cursor or break a line.
func visible(s string) string {
	if isPlain(s) || strings.IndexFunc(s, isControl) < 0 {
		return s
	}
	var b strings.Builder
	for _, c := range s {
		if isControl(c) {
			quoted := strconv.QuoteRuneToASCII(c)
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}

func isControl(c rune) bool {
	return unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) || c == '\u2028' || c == '\u2029'
}

// thousands puts separators into the whole part of a number.
func thousands(s string) string {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	if strings.ContainsFunc(whole, func(c rune) bool { return c < '0' || c > '9' }) {
		return sign + s // NaN, Inf, exponents
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		whole += "." + fraction
	}
	return sign + whole
}

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
