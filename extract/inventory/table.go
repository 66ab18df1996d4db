package inventory

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// table is the rows of a file, from its first.
type table struct {
	// next gives a row's cells and its line or number. The cells are valid until the
	// next call. It ends in io.EOF; any other error is an *Error or the reader's.
	next func() ([]string, int64, error)
	// since is the day before the first of a spreadsheet's dates; zero for text.
	since time.Time
	close func() error
}

// headerReach is how many rows a header is looked for in: reports begin with a
// title, parameters and empty rows.
const headerReach = 50

// openTable opens a file by its first bytes. The caller closes the table.
func openTable(file string, body io.Reader, m *Mapping) (*table, error) {
	r := bufio.NewReaderSize(body, headReach)
	head, err := r.Peek(headReach)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case err != nil && len(bytes.TrimSpace(head)) == 0:
		return nil, faulty(file, 0, "is empty")
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return openSheet(file, r, m)
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0")):
		return nil, faulty(file, 0, "is a workbook of the old XLS kind, or an encrypted one; save it as XLSX without a password, or as CSV")
	}
	return openText(file, r, head, m)
}

// headReach is how many bytes of a text are looked at to tell how it is written.
const headReach = 64 << 10

func openText(file string, r *bufio.Reader, head []byte, m *Mapping) (*table, error) {
	d, err := decoderOf(m.encoding)
	if err != nil {
		return nil, err
	}
	if d == nil {
		d = sniff(head)
	}
	if mark := []byte("\xef\xbb\xbf"); bytes.HasPrefix(head, mark) {
		if _, err := r.Discard(len(mark)); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	text := bufio.NewReaderSize(d.NewDecoder().Reader(r), headReach)
	head, err = text.Peek(headReach)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	delimiter, skipped := m.delimiter, int64(0)
	if line, _, _ := bytes.Cut(head, []byte("\n")); len(line) < 10 && bytes.HasPrefix(bytes.ToLower(line), []byte("sep=")) {
		// Excel's own word for the delimiter.
		if said := strings.TrimRight(string(line[4:]), "\r"); len(said) == 1 && delimiter == 0 {
			delimiter = rune(said[0])
		}
		if _, err := text.Discard(min(len(line)+1, len(head))); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		skipped = 1
		head = head[min(len(line)+1, len(head)):]
	}
	if delimiter == 0 {
		delimiter = m.findDelimiter(head)
	}
	in := m.csv(text, delimiter)
	in.ReuseRecord = true
	t := &table{close: func() error { return nil }}
	t.next = func() ([]string, int64, error) {
		row, err := in.Read()
		if at, ok := errors.AsType[*csv.ParseError](err); ok {
			return nil, 0, faulty(file, int64(at.StartLine)+skipped, "is not CSV: %v; where the export does not double the quotes inside a cell, say lax_quotes: true in the mapping", at.Err)
		}
		if err != nil {
			return nil, 0, err
		}
		line, _ := in.FieldPos(0)
		for _, cell := range row {
			if !utf8.ValidString(cell) {
				return nil, 0, faulty(file, int64(line)+skipped, "is not UTF-8; say what it is under encoding: in the mapping, such as windows-1252, or save the file as UTF-8")
			}
		}
		return row, int64(line) + skipped, nil
	}
	return t, nil
}

func (m *Mapping) csv(r io.Reader, delimiter rune) *csv.Reader {
	in := csv.NewReader(r)
	in.Comma, in.FieldsPerRecord, in.LazyQuotes = delimiter, -1, m.laxQuotes
	return in
}

// findDelimiter is the first delimiter by which some row of the head has the
// mapping's columns; else the one that cuts its first row into most cells.
func (m *Mapping) findDelimiter(head []byte) rune {
	best, most := ',', 0
	for _, delimiter := range []rune{',', ';', '\t', '|'} {
		in := m.csv(bytes.NewReader(head), delimiter)
		for i := range headerReach {
			row, err := in.Read()
			if err != nil {
				break
			}
			if h := m.header(row); h.complete() {
				return delimiter
			}
			if i == 0 && len(row) > most {
				best, most = delimiter, len(row)
			}
		}
	}
	return best
}

// decoderOf is a named encoding; nil for one that is to be found out.
func decoderOf(name string) (encoding.Encoding, error) {
	byName := map[string]encoding.Encoding{
		"utf-8": encoding.Nop, "utf-16": unicode.UTF16(unicode.LittleEndian, unicode.UseBOM),
		"utf-16le": unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), "utf-16be": unicode.UTF16(unicode.BigEndian, unicode.UseBOM),
		"windows-1250": charmap.Windows1250, "windows-1251": charmap.Windows1251, "windows-1252": charmap.Windows1252,
		"windows-1253": charmap.Windows1253, "windows-1254": charmap.Windows1254, "iso-8859-1": charmap.ISO8859_1, "iso-8859-2": charmap.ISO8859_2,
		"iso-8859-15": charmap.ISO8859_15, "macintosh": charmap.Macintosh,
	}
	if name == "" || name == "auto" {
		return nil, nil
	}
	e, ok := byName[name]
	if !ok {
		return nil, fmt.Errorf("%q is not known; auto, utf-8, utf-16, utf-16le, utf-16be, windows-1250 to windows-1254, iso-8859-1, -2 and -15 and macintosh are", name)
	}
	return e, nil
}

// sniff is UTF-16 for a text that begins with its mark, or whose first letter has
// a zero byte beside it; else UTF-8, which rows are then held to.
func sniff(head []byte) encoding.Encoding {
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	case len(head) > 1 && head[1] == 0:
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	case len(head) > 1 && head[0] == 0:
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	}
	return encoding.Nop
}

func openSheet(file string, r io.Reader, m *Mapping) (*table, error) {
	const largest = 4 << 30 // bytes of a workbook once unpacked
	book, err := excelize.OpenReader(r, excelize.Options{RawCellValue: true, UnzipSizeLimit: largest})
	if err != nil {
		return nil, faulty(file, 0, "is not a workbook that can be read (%v); save it as XLSX without a password, or as CSV", err)
	}
	t, err := sheetOf(file, book, m)
	if err != nil {
		return nil, errors.Join(err, book.Close())
	}
	return t, nil
}

func sheetOf(file string, book *excelize.File, m *Mapping) (*table, error) {
	name := m.sheet
	names := book.GetSheetList()
	if name == "" && len(names) > 0 {
		name = names[0]
	}
	if !slices.Contains(names, name) {
		return nil, faulty(file, 0, "has no sheet %q; it has %s: name one under sheet: in the mapping", name, strings.Join(names, ", "))
	}
	rows, err := book.Rows(name)
	if err != nil {
		return nil, faulty(file, 0, "sheet %s: %v", name, err)
	}
	t := &table{since: time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)}
	if props, err := book.GetWorkbookProps(); err == nil && props.Date1904 != nil && *props.Date1904 {
		t.since = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	t.close = func() error { return errors.Join(rows.Close(), book.Close()) }
	n := int64(0)
	t.next = func() ([]string, int64, error) {
		if !rows.Next() {
			if err := rows.Error(); err != nil {
				return nil, 0, faulty(file, n, "sheet %s: %v", name, err)
			}
			return nil, 0, io.EOF
		}
		n++
		row, err := rows.Columns()
		if err != nil {
			return nil, 0, faulty(file, n, "sheet %s: %v", name, err)
		}
		return row, n, nil
	}
	return t, nil
}
