// Package terms reads licence terms: what a customer pays for which licences, for
// how long and to whom. Graph knows none of it, so it is a file that people keep
// in a spreadsheet and save as CSV:
//
//	sku,quantity,amount,currency,payment_frequency,effective_date
//	SPE_E3,120,4320.00,USD,Monthly,2026-01-01
//
// Columns are found by their names, in any order. sku, quantity, currency,
// payment_frequency, effective_date, and one of amount (of one payment, for the
// whole quantity) and unit_amount (of one payment, for one unit) are needed;
// purchase_id, fees, ending_date, vendor, contract, cost_centre and tenant are not.
// The ending date is the first day after the term; without one, the term does not
// end.
//
// Reading is strict and names every fault at once, with its line: money that is
// half understood is worse than none. Money is exact: no number of a file passes
// through a float.
package terms

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/currency"
)

// Term is one row of a file.
type Term struct {
	Line       int    // of the file, from 1
	Tenant     string // configured name or directory id; empty for all tenants
	PurchaseID string
	SKU        string // a lower-case GUID, or a part number as it was written
	Quantity   int64  // units, 1 or more

	Amount     Money  // of one payment, for the whole quantity
	UnitAmount *Money // of one payment, for one unit; nil when the file gives the amount
	Fees       Money  // of one payment, beside the amount
	Currency   string // ISO 4217

	Frequency Frequency
	Effective time.Time // UTC day, the first of the term
	Ending    time.Time // UTC day, the first after the term; zero for no end

	Vendor, Contract, CostCentre string
}

// Of says whether the term is one of a tenant with this configured name and
// directory id.
func (t *Term) Of(name, id string) bool {
	return t.Tenant == "" || strings.EqualFold(t.Tenant, name) || strings.EqualFold(t.Tenant, id)
}

// Frequency says how often a term is paid.
type Frequency string

// The frequencies, as files write them in any case.
const (
	Once          Frequency = "Once"
	Monthly       Frequency = "Monthly"
	Quarterly     Frequency = "Quarterly"
	SemiAnnually  Frequency = "Semi-Annually"
	Annually      Frequency = "Annually"
	Every18Months Frequency = "Every 18 Months"
	Biannually    Frequency = "Biannually" // every two years
	Triennially   Frequency = "Triennially"
)

// Frequencies are all there are.
func Frequencies() []Frequency {
	return []Frequency{Once, Monthly, Quarterly, SemiAnnually, Annually, Every18Months, Biannually, Triennially}
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

// columns are all a file may have.
func columns() []string {
	return []string{
		"tenant", "purchase_id", "sku", "quantity", "amount", "unit_amount", "fees", "currency", "payment_frequency",
		"effective_date", "ending_date", "vendor", "contract", "cost_centre",
	}
}

// Parse reads a file's rows in order. name stands in faults. An error is an *Error.
func Parse(name string, body []byte) ([]Term, error) {
	p := &parser{}
	terms := p.file(body)
	if len(p.faults) > 0 {
		return nil, &Error{File: name, Faults: p.faults}
	}
	return terms, nil
}

// parser collects faults and goes on with zero values, which nobody sees.
type parser struct {
	line   int // of the row at hand
	faults []Fault
	at     map[string]int // column -> place in a row
	row    []string
}

func (p *parser) fault(format string, args ...any) {
	p.faults = append(p.faults, Fault{Line: p.line, Text: fmt.Sprintf(format, args...)})
}

func (p *parser) file(body []byte) []Term {
	p.line = 1
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if at := invalidUTF8(body); at >= 0 {
		p.line = 1 + bytes.Count(body[:at], []byte("\n"))
		p.fault("is not UTF-8; save the file as \"CSV UTF-8\"")
		return nil
	}
	r := csv.NewReader(bytes.NewReader(body))
	r.FieldsPerRecord = -1
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		p.fault("the file is empty; its first line names the columns: %s", strings.Join(columns(), ","))
		return nil
	}
	if err != nil {
		p.broken(err)
		return nil
	}
	if !p.header(header) {
		return nil
	}
	var terms []Term
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return terms
		}
		if err != nil {
			p.broken(err)
			return nil
		}
		p.line, _ = r.FieldPos(0)
		if !slices.ContainsFunc(row, func(cell string) bool { return strings.TrimSpace(cell) != "" }) {
			continue // spreadsheets leave rows of empty cells at the end
		}
		if len(row) != len(header) {
			p.fault("has %d cells where the header has %d; quote text and numbers that hold a comma", len(row), len(header))
			continue
		}
		p.row = row
		terms = append(terms, p.term())
	}
}

// broken is a file that is no CSV from some line on.
func (p *parser) broken(err error) {
	var at *csv.ParseError
	if errors.As(err, &at) {
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
		if name == "cost_center" {
			name = "cost_centre"
		}
		switch _, twice := p.at[name]; {
		case !slices.Contains(columns(), name):
			p.fault("column %q is not known; there are: %s", cell, strings.Join(columns(), ", "))
		case twice:
			p.fault("column %s is there twice", name)
		default:
			p.at[name] = i
		}
	}
	for _, name := range []string{"sku", "quantity", "currency", "payment_frequency", "effective_date"} {
		if _, ok := p.at[name]; !ok {
			p.fault("column %s is missing", name)
		}
	}
	_, amount := p.at["amount"]
	_, unit := p.at["unit_amount"]
	if !amount && !unit {
		p.fault("column amount is missing: the money of one payment, for the whole quantity; or unit_amount, for one unit")
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

func (p *parser) term() Term {
	t := Term{
		Line: p.line, Tenant: p.cell("tenant"), PurchaseID: p.cell("purchase_id"), SKU: p.sku(), Quantity: p.quantity(),
		Currency: p.currency(), Frequency: p.frequency(), Effective: p.date("effective_date", true), Ending: p.date("ending_date", false),
		Vendor: p.cell("vendor"), Contract: p.cell("contract"), CostCentre: p.cell("cost_centre"),
	}
	p.money(&t)
	if !t.Ending.IsZero() && !t.Ending.After(t.Effective) {
		p.fault("ending_date %s is not after effective_date %s; it is the first day after the term", t.Ending.Format(time.DateOnly), t.Effective.Format(time.DateOnly))
	}
	if t.Frequency == Once && p.cell("ending_date") == "" {
		p.fault("a term that is paid once needs an ending_date: its amount is spread over the term")
	}
	return t
}

func (p *parser) sku() string {
	text := p.cell("sku")
	if id, err := uuid.Parse(text); err == nil {
		return id.String()
	}
	switch {
	case text == "":
		p.fault("sku is missing: a SKU id or a part number, such as SPE_E5")
	case strings.Contains(text, "*"):
		p.fault("sku %q is a pattern; name one SKU", text)
	}
	return text
}

func (p *parser) quantity() int64 {
	const most = 100_000_000
	text := p.cell("quantity")
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 || n > most {
		p.fault("quantity %q is not a whole number from 1 to %d", text, most)
		return 0
	}
	return n
}

func (p *parser) currency() string {
	text := strings.ToUpper(p.cell("currency"))
	if _, err := currency.ParseISO(text); err != nil {
		p.fault("currency %q is not an ISO 4217 code, such as USD", p.cell("currency"))
	}
	return text
}

func (p *parser) frequency() Frequency {
	text := p.cell("payment_frequency")
	var names []string
	for _, f := range Frequencies() {
		if strings.EqualFold(text, string(f)) {
			return f
		}
		names = append(names, string(f))
	}
	p.fault("payment_frequency %q is not known; it is one of %s", text, strings.Join(names, ", "))
	return ""
}

func (p *parser) date(column string, required bool) time.Time {
	text := p.cell(column)
	if text == "" && !required {
		return time.Time{}
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil || day.Year() < 1970 || day.Year() > 2199 {
		p.fault("%s %q is not a day like 2026-07-01", column, text)
		return time.Time{}
	}
	return day
}

// money fills in the term's money: of the amount and the unit amount, a row gives
// one.
func (p *parser) money(t *Term) {
	amount, unit := p.cell("amount"), p.cell("unit_amount")
	switch {
	case (amount == "") == (unit == ""):
		p.fault("a term has either an amount (of one payment, for the whole quantity) or a unit_amount (for one unit)")
	case amount != "":
		t.Amount = p.decimal("amount", amount)
	default:
		each := p.decimal("unit_amount", unit)
		t.UnitAmount = &each
		if each > maxMoney/Money(max(t.Quantity, 1)) {
			p.fault("unit_amount %s times quantity is more than %s", unit, maxMoney)
			return
		}
		t.Amount = each * Money(t.Quantity)
	}
	if fees := p.cell("fees"); fees != "" {
		t.Fees = p.decimal("fees", fees)
	}
}

func (p *parser) decimal(column, text string) Money {
	m, err := parseMoney(text)
	if err != nil {
		p.fault("%s %q %v", column, text, err)
	}
	return m
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
