// Package itam reads what the ITAM tool already has: the list of licences that
// older, separate integrations (Office 365, Project, Visio, Dynamics 365, Power BI)
// made there. Beside the licences that seatlake feeds they would be counted twice.
//
//	license_id,name,integration,quantity
//	4711,Microsoft Office 365 E3,Office 365,120
//
// Columns are found by their names, in any order. license_id and name are needed;
// integration, publisher, sku, status, quantity, purchases and tenant are not.
//
// Reading is strict and names every fault at once, with its line.
package itam

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
)

// License is one row of a list.
type License struct {
	Line   int    // of the file, from 1
	Tenant string // configured name or directory id; empty for all tenants

	ID          string // of the ITAM tool, once in a list
	Name        string
	Integration string
	Publisher   string
	SKU         string // a lower-case GUID, or a part number as it was written
	Status      string
	Quantity    *int64 // entitlements; nil when the list does not say
	Purchases   string
}

// Of says whether the licence is one of a tenant with this configured name and
// directory id.
func (l *License) Of(name, id string) bool {
	return l.Tenant == "" || strings.EqualFold(l.Tenant, name) || strings.EqualFold(l.Tenant, id)
}

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

// File is a list whose every row was understood.
type File struct {
	Name     string // without its folder
	Body     []byte
	Licenses []License
}

// Read reads a list and checks it. Its error is an *Error that names every fault,
// or the file system's.
func Read(path string) (*File, error) {
	body, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	licenses, err := Parse(path, body)
	if err != nil {
		return nil, err
	}
	return &File{Name: filepath.Base(path), Body: body, Licenses: licenses}, nil
}

// columns are all a file may have.
func columns() []string {
	return []string{"tenant", "license_id", "name", "integration", "publisher", "sku", "status", "quantity", "purchases"}
}

// Parse reads a list's rows in order. name stands in faults. An error is an *Error.
func Parse(name string, body []byte) ([]License, error) {
	p := &parser{line: 1, ids: map[string]int{}}
	licenses := p.file(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	if len(p.faults) > 0 {
		return nil, &Error{File: name, Faults: p.faults}
	}
	return licenses, nil
}

// parser collects faults and goes on with zero values, which nobody sees.
type parser struct {
	line   int // of the row at hand
	faults []Fault
	at     map[string]int // column -> place in a row
	row    []string
	ids    map[string]int // license_id, and its tenant -> line
}

func (p *parser) fault(format string, args ...any) {
	p.faults = append(p.faults, Fault{Line: p.line, Text: fmt.Sprintf(format, args...)})
}

func (p *parser) file(body []byte) []License {
	r := csv.NewReader(bytes.NewReader(body))
	r.FieldsPerRecord = -1
	header, err := r.Read()
	switch {
	case errors.Is(err, io.EOF):
		p.fault("the file is empty; its first line names the columns: %s", strings.Join(columns(), ","))
		return nil
	case err != nil:
		p.broken(err)
		return nil
	case !p.header(header):
		return nil
	}
	var licenses []License
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return licenses
		}
		if err != nil {
			p.broken(err)
			return nil
		}
		p.line, _ = r.FieldPos(0)
		switch {
		case !slices.ContainsFunc(row, func(cell string) bool { return strings.TrimSpace(cell) != "" }): // spreadsheets leave them at the end
		case len(row) != len(header):
			p.fault("has %d cells where the header has %d; quote text that holds a comma", len(row), len(header))
		case slices.ContainsFunc(row, func(cell string) bool { return !utf8.ValidString(cell) }):
			p.fault("is not UTF-8; save the file as \"CSV UTF-8\"")
		default:
			p.row = row
			licenses = append(licenses, p.license())
		}
	}
}

// broken is a file that is no CSV from some line on.
func (p *parser) broken(err error) {
	if at, ok := errors.AsType[*csv.ParseError](err); ok {
		p.line, err = at.StartLine, at.Err
	}
	p.fault("is not CSV: %v", err)
}

// header finds the columns, and says whether rows can be read by them.
func (p *parser) header(cells []string) bool {
	before := len(p.faults)
	if len(cells) == 1 && strings.Contains(cells[0], ";") {
		p.fault("the columns are separated by ;, they must be by a comma")
		return false
	}
	p.at = map[string]int{}
	for i, cell := range cells {
		name := strings.ToLower(strings.TrimSpace(cell))
		switch _, twice := p.at[name]; {
		case !slices.Contains(columns(), name):
			p.fault("column %q is not known; there are: %s", cell, strings.Join(columns(), ", "))
		case twice:
			p.fault("column %s is there twice", name)
		default:
			p.at[name] = i
		}
	}
	for _, name := range []string{"license_id", "name"} {
		if _, ok := p.at[name]; !ok {
			p.fault("column %s is missing", name)
		}
	}
	return len(p.faults) == before
}

// cell is the trimmed text of a column; empty when the file lacks it.
func (p *parser) cell(column string) string {
	i, ok := p.at[column]
	if !ok {
		return ""
	}
	return strings.TrimSpace(p.row[i])
}

func (p *parser) license() License {
	l := License{
		Line: p.line, Tenant: p.cell("tenant"), ID: p.cell("license_id"), Name: p.cell("name"), Integration: p.cell("integration"),
		Publisher: p.cell("publisher"), SKU: p.cell("sku"), Status: p.cell("status"), Purchases: p.cell("purchases"),
	}
	if l.ID == "" {
		p.fault("license_id is missing: the licence's id in the ITAM tool")
	}
	if l.Name == "" {
		p.fault("name is missing")
	}
	key := strings.ToLower(l.Tenant + "\x00" + l.ID)
	if line, twice := p.ids[key]; twice && l.ID != "" {
		p.fault("license_id %s is on line %d too", l.ID, line)
	}
	p.ids[key] = p.line
	if id, err := uuid.Parse(l.SKU); err == nil {
		l.SKU = id.String()
	}
	if text := p.cell("quantity"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 || n > 100_000_000 {
			p.fault("quantity %q is not a whole number from 0 to 100000000", text)
		}
		l.Quantity = &n
	}
	return l
}
