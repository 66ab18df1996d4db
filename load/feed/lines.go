package feed

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// line is a part of what a tenant is entitled to: the units of a SKU that one term
// pays for, or those that none does. The lines of a SKU add up to its entitled
// units, so that a target that adds up purchases comes to the tenant's own count.
type line struct {
	*Position
	Term      *Term  // nil for units that no term pays for
	Quantity  *int64 // nil when it is not known how many units the SKU has
	Reference string // of the purchase
	Sequence  int64  // of the line within the reference, from 1
	Ordinal   int64  // of the line among those of its SKU within the reference, from 1
	Comments  string
}

// lines divides the entitled units of some SKUs among their terms, the oldest
// first. A term that pays for more units than are left gets those; the notices say
// so.
func (f *Facts) lines(include func(*Position) bool) ([]line, []string) {
	byKey := map[[2]string][]*Term{}
	for i := range f.Terms {
		t := &f.Terms[i]
		key := [2]string{t.TenantID, t.SKUID}
		byKey[key] = append(byKey[key], t)
	}
	var out []line
	var notices []string
	for i := range f.Positions {
		p := &f.Positions[i]
		if !include(p) {
			continue
		}
		terms := byKey[[2]string{p.TenantID, p.SKUID}]
		slices.SortFunc(terms, func(a, b *Term) int {
			return cmp.Or(a.Effective.Compare(b.Effective), cmp.Compare(a.Line, b.Line))
		})
		if p.Entitled == nil {
			out = append(out, line{Position: p})
			continue
		}
		left := *p.Entitled
		for _, t := range terms {
			n := min(t.Quantity, left)
			if n < t.Quantity {
				notices = append(notices, fmt.Sprintf("%s: %s: the term on line %d pays for %d units, and the tenant has %d of them; the feed has %d",
					p.Tenant, p.Product, t.Line, t.Quantity, n, n))
			}
			if n <= 0 {
				continue
			}
			left -= n
			out = append(out, line{Position: p, Term: t, Quantity: &n})
		}
		if left > 0 {
			if len(terms) > 0 {
				notices = append(notices, fmt.Sprintf("%s: %s: no term in force pays for %d of its %d units; they have no price",
					p.Tenant, p.Product, left, *p.Entitled))
			}
			out = append(out, line{Position: p, Quantity: &left})
		}
	}
	name(out)
	return out, notices
}

// name gives each line its reference and its place there. A line without a
// purchase id gets a reference of its SKU, which is the same in every delivery.
func name(lines []line) {
	for i := range lines {
		l := &lines[i]
		l.Reference = strings.Join([]string{"M365", l.Tenant, l.Part()}, "-")
		if l.Term != nil && l.Term.PurchaseID != "" {
			l.Reference = l.Term.PurchaseID
		}
		l.Comments = l.comments()
	}
	slices.SortStableFunc(lines, func(a, b line) int {
		return cmp.Or(cmp.Compare(a.Reference, b.Reference), cmp.Compare(a.TenantID, b.TenantID), cmp.Compare(a.SKUID, b.SKUID))
	})
	same := map[[2]string]int64{} // lines so far of a reference and a SKU
	for i := range lines {
		l := &lines[i]
		l.Sequence = 1
		if i > 0 && l.Reference == lines[i-1].Reference {
			l.Sequence = lines[i-1].Sequence + 1
		}
		of := [2]string{l.Reference, l.SKUID}
		same[of]++
		l.Ordinal = same[of]
	}
}

// tag is what the line is called where a name has to be its own and to stay. Lines
// that come and go beside it do not change it.
func (l *line) tag() string {
	tag := l.Reference
	if l.Term != nil && l.Term.PurchaseID != "" {
		tag += "-" + l.Part()
	}
	if l.Ordinal > 1 {
		tag += "-" + plain(l.Ordinal)
	}
	return tag
}

// grace says how many units are in their grace period; empty when none are.
func (p *Position) grace() string {
	if p.Warning == nil || *p.Warning == 0 || p.Entitled == nil {
		return ""
	}
	return fmt.Sprintf("%d of the %d units of this licence are in their grace period after expiry.", *p.Warning, *p.Entitled)
}

// comments is what a person in the target should know of the line.
func (l *line) comments() string {
	var out []string
	if grace := l.grace(); grace != "" {
		out = append(out, grace)
	}
	switch {
	case l.Term == nil:
		out = append(out, "No licence term pays for these units: the price is not known.")
	default:
		out = append(out, fmt.Sprintf("Prices are of one year; paid %s.", l.Term.Frequency))
		if l.Quantity != nil && l.Term.Quantity > *l.Quantity {
			out = append(out, fmt.Sprintf("The term pays for %d units; the tenant has %d of them.", l.Term.Quantity, *l.Quantity))
		}
	}
	return strings.Join(out, " ")
}

// purchased is the fields of a line, the same for every profile of purchases.
func (l *line) purchased() record {
	r := record{
		"tenant_id": l.TenantID, "tenant": l.Tenant, "sku_id": l.SKUID, "part_number": l.Part(), "product": l.Product,
		"reference": l.Reference, "sequence": l.Sequence, "ordinal": l.Ordinal, "asset_tag": l.tag(), "quantity": nil, "comments": l.Comments, "publisher": "Microsoft",
		"description": l.Product, "units_each": int64(1), "purchase_type": "Software subscription",
	}
	if l.Quantity != nil {
		r["quantity"] = *l.Quantity
	}
	t := l.Term
	if t == nil || l.Quantity == nil {
		return r
	}
	unit := t.Amount.per(t.Quantity)
	if t.UnitAmount != nil {
		unit = decimal(t.UnitAmount.rat(), unitPlaces)
	}
	r["effective_date"], r["currency"], r["frequency"] = t.Effective, t.Currency, t.Frequency
	r["vendor"], r["contract"], r["cost_centre"] = t.Vendor, t.Contract, t.CostCentre
	r["annual_unit"], r["annual_total"] = t.Annual.per(t.Quantity), t.Annual.share(*l.Quantity, t.Quantity)
	r["payment_unit"], r["payment_total"] = unit, t.Amount.share(*l.Quantity, t.Quantity)
	if t.Ending != nil {
		r["expiry_date"] = t.Ending.AddDate(0, 0, -1) // targets name the last day, terms the first one after
	}
	return r
}

// isBought says whether a SKU is what a purchase is about: paid for, and for users.
func isBought(p *Position) bool {
	return p.Class == "paid" && p.AppliesTo == "User" && (p.Entitled == nil || *p.Entitled > 0)
}

// leftOut says which SKUs with units are not in a feed, for people.
func (f *Facts) leftOut(m *filled, include func(*Position) bool) {
	classes := map[string][]string{}
	for i := range f.Positions {
		p := &f.Positions[i]
		if include(p) || p.Entitled != nil && *p.Entitled == 0 {
			continue
		}
		class := p.Class
		if class == "paid" {
			class = "paid, not for users"
		}
		classes[class] = append(classes[class], p.Part())
	}
	for _, class := range []string{"paid, not for users", "free", "trial", "capacity"} {
		if parts := classes[class]; len(parts) > 0 {
			slices.Sort(parts)
			m.notice("left out, as the target has no use for them (%s): %s", class, strings.Join(slices.Compact(parts), ", "))
		}
	}
}
