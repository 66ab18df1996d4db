package feed

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/xuri/excelize/v2"
)

// Template is an empty file of the target that the customer downloaded. What is
// delivered has its header byte for byte, its worksheet's name and its columns in
// their order; rows that stand below the header are not taken over.
type Template struct {
	Name   string // of its file, without extension
	Format Format
	Header []string // as it is written there

	head      []byte // CSV: all before the first row, with the byte order mark
	comma     rune   // CSV: , ; or tab
	newline   string // CSV: of the header's end
	file      []byte // XLSX: the whole file
	worksheet string // XLSX: the one with the header
}

const byteOrderMark = "\xef\xbb\xbf"

// ReadTemplate reads a template of either format. The name is of its file, without
// extension.
func ReadTemplate(name string, content []byte) (*Template, error) {
	t, err := readTemplate(content)
	if err != nil {
		return nil, err
	}
	t.Name = name
	return t, nil
}

func readTemplate(content []byte) (*Template, error) {
	if bytes.HasPrefix(content, []byte("PK")) {
		return readXLSXTemplate(content)
	}
	for _, mark := range []string{"\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(content, []byte(mark)) {
			return nil, errors.New("it is UTF-16; save it as CSV in UTF-8, or take the xlsx template")
		}
	}
	t := &Template{Format: CSV, newline: "\r\n"}
	text := string(content)
	mark := ""
	if strings.HasPrefix(text, byteOrderMark) {
		mark, text = byteOrderMark, text[len(byteOrderMark):]
	}
	end := headerEnd(text)
	head := text[:end]
	line := strings.TrimRight(head, "\r\n")
	switch {
	case strings.HasSuffix(head, "\r\n"), head == line:
	default:
		t.newline = head[len(line):]
	}
	if head == line { // a header without a line end gets one
		head += t.newline
	}
	t.head = []byte(mark + head)
	t.comma = ','
	for _, c := range ";\t" {
		if strings.Count(line, string(c)) > strings.Count(line, string(t.comma)) {
			t.comma = c
		}
	}
	if bad := unwritable(line); bad != "" {
		return nil, fmt.Errorf("its header holds %s; save it as CSV in UTF-8", bad)
	}
	reader := csv.NewReader(strings.NewReader(line))
	reader.Comma = t.comma
	header, err := reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("it has no header")
	}
	if err != nil {
		return nil, fmt.Errorf("its header: %w", err)
	}
	t.Header = header
	return t, t.check()
}

// headerEnd is where the first row ends, its line end included; a quoted name may
// hold line ends.
func headerEnd(text string) int {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			quoted = !quoted
		case '\n':
			if !quoted {
				return i + 1
			}
		case '\r':
			if !quoted {
				if i+1 < len(text) && text[i+1] == '\n' {
					return i + 2
				}
				return i + 1
			}
		}
	}
	return len(text)
}

func readXLSXTemplate(content []byte) (*Template, error) {
	f, err := excelize.OpenReader(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("it is no spreadsheet that can be read: %w", err)
	}
	defer f.Close()
	// The worksheet with the most columns is the one to fill; others hold instructions.
	t := &Template{Format: XLSX, file: content}
	for _, sheet := range f.GetSheetList() {
		rows, err := f.GetRows(sheet, excelize.Options{RawCellValue: true})
		if err != nil {
			return nil, fmt.Errorf("its worksheet %s: %w", sheet, err)
		}
		if len(rows) > 0 && len(rows[0]) > len(t.Header) {
			t.Header, t.worksheet = rows[0], sheet
		}
	}
	if len(t.Header) == 0 {
		return nil, errors.New("no worksheet of it has a header in its first row")
	}
	return t, t.check()
}

// check refuses a header whose columns cannot be told apart.
func (t *Template) check() error {
	seen := map[string]bool{}
	for i, name := range t.Header {
		switch {
		case strings.TrimSpace(name) == "":
			return fmt.Errorf("column %d has no name", i+1)
		case seen[name]:
			return fmt.Errorf("two columns are called %q", name)
		}
		seen[name] = true
	}
	return nil
}

// Mapping says what columns of a template are, by their names there.
type Mapping map[string]Mapped

// Mapped is what a template's column holds.
type Mapped struct {
	Column    string // of the profile; empty for a constant, or for a column that stays empty
	Const     string
	Mandatory bool // no cell may be empty
}

// ReadMapping reads a mapping file: CSV with the columns column and is, and
// optionally mandatory (yes or no). is names a column of the profile, or a text
// after =, or is - for a column that stays empty.
func ReadMapping(r io.Reader) (Mapping, error) {
	rows, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errors.New("it is empty; it begins with the line column,is,mandatory")
	}
	rows[0][0] = strings.TrimPrefix(rows[0][0], byteOrderMark)
	at := map[string]int{}
	for i, name := range rows[0] {
		at[strings.ToLower(strings.TrimSpace(name))] = i
	}
	column, ok := at["column"]
	is, ok2 := at["is"]
	mandatory, hasMandatory := at["mandatory"]
	if !ok || !ok2 {
		return nil, fmt.Errorf("its first line is %q; it begins with the line column,is,mandatory", strings.Join(rows[0], ","))
	}
	m := Mapping{}
	for i, row := range rows[1:] {
		name, what := row[column], strings.TrimSpace(row[is])
		if _, twice := m[name]; twice {
			return nil, fmt.Errorf("row %d: column %q is mapped twice", i+2, name)
		}
		mapped := Mapped{}
		switch {
		case strings.HasPrefix(what, "="):
			mapped.Const = what[1:]
		case what == "":
			return nil, fmt.Errorf("row %d: column %q is mapped to nothing; - leaves it empty", i+2, name)
		case what != "-":
			mapped.Column = what
		}
		if hasMandatory {
			switch strings.ToLower(strings.TrimSpace(row[mandatory])) {
			case "yes":
				mapped.Mandatory = true
			case "no", "":
			default:
				return nil, fmt.Errorf("row %d: mandatory is yes or no, not %q", i+2, row[mandatory])
			}
		}
		m[name] = mapped
	}
	return m, nil
}

// mandatoryMark is how templates mark a column that must be filled.
var mandatoryMark = regexp.MustCompile(`(?i)^\s*\*|\*\s*$|[(\[](mandatory|required)[)\]]`)

// currencyMark is the currency of a price column's name, as in Unit price (EUR).
var currencyMark = regexp.MustCompile(`\(([A-Z]{3})\)\s*\*?\s*$`)

// bind makes the template's columns those of the sheet. Every column has to be
// known: one that is not could be mandatory.
func (t *Template) bind(s *Sheet, m Mapping) ([]Column, []string, error) {
	var faults []string
	known := map[string]Column{}
	for _, c := range s.Columns {
		for _, name := range append([]string{c.Name}, c.Labels...) {
			known[normal(name)] = c
		}
	}
	mapped := map[string]bool{}
	var columns []Column
	var notices []string
	filled := map[string]bool{}
	hasCurrency := false
	for _, label := range t.Header {
		marked := mandatoryMark.MatchString(label)
		plainName := mandatoryMark.ReplaceAllString(label, "")
		c, ok := known[normal(currencyMark.ReplaceAllString(plainName, ""))]
		how, isMapped := m[label]
		if isMapped {
			mapped[label] = true
			marked = marked || how.Mandatory
			switch {
			case how.Column != "":
				if c, ok = known[normal(how.Column)]; !ok {
					faults = append(faults, fmt.Sprintf("the mapping says that column %q is %q, which is no column of the profile; there are: %s", label, how.Column, strings.Join(s.Header(), ", ")))
					continue
				}
			default:
				c, ok = Column{Kind: Text, Source: "the mapping"}, true
				if how.Const != "" {
					c.Else = how.Const
				}
			}
		}
		switch {
		case !ok && marked:
			faults = append(faults, fmt.Sprintf("mandatory column %q of the template is not known", label))
			continue
		case !ok && s.unknownEmpty:
			c = Column{Kind: Text, Source: "empty"}
		case !ok:
			faults = append(faults, fmt.Sprintf("column %q of the template is not known, so it may be mandatory", label))
			continue
		}
		if c.Field == "" && c.Else == nil && !marked {
			notices = append(notices, fmt.Sprintf("column %s of the template stays empty", label))
		}
		if c.Field != "" {
			filled[c.Field] = true
		}
		hasCurrency = hasCurrency || c.Field == "currency"
		if mark := currencyMark.FindStringSubmatch(plainName); mark != nil && c.Kind == Money && mark[1] != "CUR" {
			c.currency = mark[1]
		}
		c.Name, c.Labels, c.Required = label, nil, c.Required || marked
		columns = append(columns, c)
	}
	for name := range m {
		if !mapped[name] && !s.unknownEmpty {
			faults = append(faults, fmt.Sprintf("the mapping names column %q, which the template does not have", name))
		}
	}
	for _, c := range s.Columns {
		if c.Required && c.Field != "" && !filled[c.Field] {
			faults = append(faults, fmt.Sprintf("the template has no column for %s", c.Name))
		}
	}
	if len(faults) > 0 {
		slices.Sort(faults)
		return nil, nil, fmt.Errorf("the template does not fit, so nothing was written; say what its columns are in a mapping file (--mapping):\n  %s", strings.Join(faults, "\n  "))
	}
	for i := range columns {
		columns[i].needsOne = columns[i].Kind == Money && columns[i].currency == "" && !hasCurrency
	}
	return columns, notices, nil
}
