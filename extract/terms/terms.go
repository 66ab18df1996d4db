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
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/text/currency"

	"seatlake/extract/sheet"
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
type Error = sheet.Error

// Fault is one thing wrong with a file.
type Fault = sheet.Fault

// columns are all a file may have.
func columns() sheet.Columns {
	return sheet.Columns{
		All: []string{
			"tenant", "purchase_id", "sku", "quantity", "amount", "unit_amount", "fees", "currency", "payment_frequency",
			"effective_date", "ending_date", "vendor", "contract", "cost_centre",
		},
		Required: []string{"sku", "quantity", "currency", "payment_frequency", "effective_date"},
		Aliases:  map[string]string{"cost_center": "cost_centre"},
	}
}

// Parse reads a file's rows in order. name stands in faults. An error is an *Error.
func Parse(name string, body []byte) ([]Term, error) {
	p := &parser{sheet.New(body, columns())}
	var terms []Term
	if p.priced() {
		for p.Next() {
			terms = append(terms, p.term())
		}
	}
	if err := p.Err(name); err != nil {
		return nil, err
	}
	return terms, nil
}

// parser reads terms of a sheet.
type parser struct{ *sheet.Sheet }

// priced says whether the file has a column of money.
func (p *parser) priced() bool {
	if p.Err("") == nil && !p.Has("amount") && !p.Has("unit_amount") {
		p.Fault("column amount is missing: the money of one payment, for the whole quantity; or unit_amount, for one unit")
	}
	return p.Err("") == nil
}

func (p *parser) term() Term {
	t := Term{
		Line: p.Line(), Tenant: p.Cell("tenant"), PurchaseID: p.Cell("purchase_id"), SKU: p.sku(), Quantity: p.quantity(),
		Currency: p.currency(), Frequency: p.frequency(), Effective: p.Date("effective_date", true), Ending: p.Date("ending_date", false),
		Vendor: p.Cell("vendor"), Contract: p.Cell("contract"), CostCentre: p.Cell("cost_centre"),
	}
	p.money(&t)
	if !t.Ending.IsZero() && !t.Ending.After(t.Effective) {
		p.Fault("ending_date %s is not after effective_date %s; it is the first day after the term", t.Ending.Format(time.DateOnly), t.Effective.Format(time.DateOnly))
	}
	if t.Frequency == Once && p.Cell("ending_date") == "" {
		p.Fault("a term that is paid once needs an ending_date: its amount is spread over the term")
	}
	return t
}

func (p *parser) sku() string {
	text := p.Cell("sku")
	if id, err := uuid.Parse(text); err == nil {
		return id.String()
	}
	switch {
	case text == "":
		p.Fault("sku is missing: a SKU id or a part number, such as SPE_E5")
	case strings.Contains(text, "*"):
		p.Fault("sku %q is a pattern; name one SKU", text)
	}
	return text
}

func (p *parser) quantity() int64 {
	const most = 100_000_000
	text := p.Cell("quantity")
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 || n > most {
		p.Fault("quantity %q is not a whole number from 1 to %d", text, most)
		return 0
	}
	return n
}

func (p *parser) currency() string {
	text := strings.ToUpper(p.Cell("currency"))
	if _, err := currency.ParseISO(text); err != nil {
		p.Fault("currency %q is not an ISO 4217 code, such as USD", p.Cell("currency"))
	}
	return text
}

func (p *parser) frequency() Frequency {
	text := p.Cell("payment_frequency")
	var names []string
	for _, f := range Frequencies() {
		if strings.EqualFold(text, string(f)) {
			return f
		}
		names = append(names, string(f))
	}
	p.Fault("payment_frequency %q is not known; it is one of %s", text, strings.Join(names, ", "))
	return ""
}

// money fills in the term's money: of the amount and the unit amount, a row gives
// one.
func (p *parser) money(t *Term) {
	amount, unit := p.Cell("amount"), p.Cell("unit_amount")
	switch {
	case (amount == "") == (unit == ""):
		p.Fault("a term has either an amount (of one payment, for the whole quantity) or a unit_amount (for one unit)")
	case amount != "":
		t.Amount = p.decimal("amount", amount)
	default:
		each := p.decimal("unit_amount", unit)
		t.UnitAmount = &each
		if each > maxMoney/Money(max(t.Quantity, 1)) {
			p.Fault("unit_amount %s times quantity is more than %s", unit, maxMoney)
			return
		}
		t.Amount = each * Money(t.Quantity)
	}
	if fees := p.Cell("fees"); fees != "" {
		t.Fees = p.decimal("fees", fees)
	}
}

func (p *parser) decimal(column, text string) Money {
	m, err := parseMoney(text)
	if err != nil {
		p.Fault("%s %q %v", column, text, err)
	}
	return m
}
