package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
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
