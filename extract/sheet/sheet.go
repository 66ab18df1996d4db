// Package sheet reads the files that people keep in a spreadsheet and save as CSV,
// and makes pages of them, so that a run is a function of its pages alone.
//
// Columns are found by their names, in any order and case. Reading is strict and
// names every fault at once, with its line: a file that is half understood is worse
// than none. What the cells mean is the reader's.
package sheet

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Error is everything that is wrong with a file.
type Error struct {
	File   string
	Faults []Fault
}

// Fault is one thing wrong with a file.
type Fault struct {
	Line int // from 1
	Text string
}

// Error names one fault a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = fmt.Sprintf("%s:%d: %s", e.File, f.Line, f.Text)
	}
	return strings.Join(lines, "\n")
}

// Sheet is a file that is read row by row. It collects faults and goes on with
// empty cells, which nobody sees.
type Sheet struct {
	csv    *csv.Reader
	width  int
	at     map[string]int // column -> place in a row
	line   int            // of the row at hand, from 1
	row    []string
	faults []Fault
}

// Columns are the columns that a file may have.
type Columns struct {
	All      []string          // by the names that faults list
	Required []string          // of these
	Aliases  map[string]string // other spellings of names
}

// New reads a file's header. Where that has a fault, the sheet has no rows.
func New(body []byte, columns Columns) *Sheet {
	s := &Sheet{line: 1, at: map[string]int{}}
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if at := invalidUTF8(body); at >= 0 {
		s.line = 1 + bytes.Count(body[:at], []byte("\n"))
		s.Fault("is not UTF-8; save the file as \"CSV UTF-8\"")
		return s
	}
	r := csv.NewReader(bytes.NewReader(body))
	r.FieldsPerRecord = -1
	header, err := r.Read()
	switch {
	case errors.Is(err, io.EOF):
		s.Fault("the file is empty; its first line names the columns: %s", strings.Join(columns.All, ","))
	case err != nil:
		s.broken(err)
	default:
		if s.header(header, columns) {
			s.csv, s.width = r, len(header)
		}
	}
	return s
}

// Line is the line of the row at hand, from 1; of the header before the first row.
func (s *Sheet) Line() int { return s.line }

// Fault names a fault of the line at hand.
func (s *Sheet) Fault(format string, args ...any) {
	s.faults = append(s.faults, Fault{Line: s.line, Text: fmt.Sprintf(format, args...)})
}

// Err is an *Error with all faults so far, or nil. name stands in them.
func (s *Sheet) Err(name string) error {
	if len(s.faults) == 0 {
		return nil
	}
	return &Error{File: name, Faults: s.faults}
}

// Has says whether the file has a column.
func (s *Sheet) Has(column string) bool {
	_, ok := s.at[column]
	return ok
}

// Next goes to the next row and says whether there is one. Rows of empty cells are
// passed over, since spreadsheets leave them at the end; so are rows that are not as
// wide as the header, which is a fault.
func (s *Sheet) Next() bool {
	for s.csv != nil {
		row, err := s.csv.Read()
		if errors.Is(err, io.EOF) {
			return false
		}
		if err != nil {
			s.broken(err)
			return false
		}
		s.line, _ = s.csv.FieldPos(0)
		if !slices.ContainsFunc(row, func(cell string) bool { return strings.TrimSpace(cell) != "" }) {
			continue
		}
		if len(row) != s.width {
			s.Fault("has %d cells where the header has %d; quote text and numbers that hold a comma", len(row), s.width)
			continue
		}
		s.row = row
		return true
	}
	return false
}

// Cell is the trimmed text of a column; empty when the file lacks it.
func (s *Sheet) Cell(column string) string {
	i, ok := s.at[column]
	if !ok {
		return ""
	}
	return strings.TrimSpace(s.row[i])
}

// Date is the UTC day of a column; zero when it is empty and need not be given.
func (s *Sheet) Date(column string, required bool) time.Time {
	text := s.Cell(column)
	if text == "" && !required {
		return time.Time{}
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil || day.Year() < 1970 || day.Year() > 2199 {
		s.Fault("%s %q is not a day like 2026-07-01", column, text)
		return time.Time{}
	}
	return day
}

// header finds the columns, and says whether rows can be read by them.
func (s *Sheet) header(cells []string, columns Columns) bool {
	before := len(s.faults)
	if len(cells) == 1 && strings.Contains(cells[0], ";") {
		s.Fault("the columns are separated by ;, they must be by a comma")
		return false
	}
	for i, cell := range cells {
		name := strings.ToLower(strings.TrimSpace(cell))
		if known, ok := columns.Aliases[name]; ok {
			name = known
		}
		switch _, twice := s.at[name]; {
		case !slices.Contains(columns.All, name):
			s.Fault("column %q is not known; there are: %s", cell, strings.Join(columns.All, ", "))
		case twice:
			s.Fault("column %s is there twice", name)
		default:
			s.at[name] = i
		}
	}
	for _, name := range columns.Required {
		if !s.Has(name) {
			s.Fault("column %s is missing", name)
		}
	}
	return len(s.faults) == before
}

// broken is a file that is no CSV from some line on.
func (s *Sheet) broken(err error) {
	var at *csv.ParseError
	if errors.As(err, &at) {
		s.line, err = at.StartLine, at.Err
	}
	s.Fault("is not CSV: %v", err)
}

// invalidUTF8 is the place of the first byte that is not UTF-8, or -1.
func invalidUTF8(body []byte) int {
	for i := 0; i < len(body); {
		r, size := utf8.DecodeRune(body[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}
