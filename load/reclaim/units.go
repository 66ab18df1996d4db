package reclaim

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// Units is what a tenant has of a SKU.
type Units struct {
	Entitled int `json:"entitled"` // may be assigned
	Consumed int `json:"consumed"` // are assigned
}

// Free is how many units may still be assigned; less than none when too many are.
func (u Units) Free() int { return u.Entitled - u.Consumed }

// counted are the units of a SKU before a plan's first act on it.
type counted struct {
	Units
	At time.Time
}

// Tally compares a SKU's units with the ledger. The tenant counts by itself, late, and
// others assign and remove licences meanwhile; so a difference is told, and only a
// count that has not fallen at all, though units were freed, contradicts.
type Tally struct {
	PartNumber string
	Since      time.Time // of the count before
	Before     int       // units assigned before the plan's first act
	Freed      int       // units freed since, and not given back, by all plans of the ledger
	Now        int       // units assigned now
}

// Expected is how many units would be assigned now if nobody else had done anything.
func (t Tally) Expected() int { return t.Before - t.Freed }

// Contradicts says that units were freed and the tenant's count has not fallen.
func (t Tally) Contradicts() bool { return t.Freed > 0 && t.Now >= t.Before }

// String says for people how the count compares.
func (t Tally) String() string {
	text := fmt.Sprintf("%s: %d units were assigned at %s, %d were freed since, %d are assigned now",
		t.PartNumber, t.Before, t.Since.Format(time.RFC3339), t.Freed, t.Now)
	switch more := t.Now - t.Expected(); {
	case t.Contradicts():
		return text + ": none has come free by the tenant's own count. Others may have assigned as many meanwhile, or Graph counts late: verify again, and look at the audit log of the tenant"
	case more > 0:
		return text + fmt.Sprintf(", %d more than by the ledger alone: others assigned them meanwhile, or Graph counts late", more)
	case more < 0:
		return text + fmt.Sprintf(", %d less than by the ledger alone: others removed them meanwhile", -more)
	default:
		return text + ", as the ledger says"
	}
}

// count enters the units of the SKUs of some rows, of those that were not counted
// before. A tenant whose units cannot be read is acted on all the same: the rows are
// what is sealed, and verify says that there is no count to compare with.
func (b *Book) count(ctx context.Context, p *Reclamation, items []*Item, t Tenant) error {
	var first []*Item // of each SKU
	for _, i := range items {
		_, known := p.counted[i.SKU]
		if !known && !slices.ContainsFunc(first, func(f *Item) bool { return f.SKU == i.SKU }) {
			first = append(first, i)
		}
	}
	if len(first) == 0 {
		return nil
	}
	units, err := t.Units(ctx)
	if err != nil {
		return ctx.Err()
	}
	var events []Event
	for _, i := range first {
		if u, known := units[i.SKU]; known {
			events = append(events, Event{
				Row: i.Number, Action: Counted, Units: &u,
				Reason: fmt.Sprintf("before the first act on %s, %d of %d units are assigned", i.PartNumber, u.Consumed, u.Entitled),
			})
		}
	}
	return b.write(p.ID, nil, events...)
}

// tallies compare the units of every SKU of which a plan has taken licences.
func (b *Book) tallies(ctx context.Context, p *Reclamation, t Tenant) ([]Tally, error) {
	if len(p.counted) == 0 {
		return nil, nil
	}
	units, err := t.Units(ctx)
	if err != nil {
		return nil, fmt.Errorf("the tenant's units cannot be read: %w", err)
	}
	var out []Tally
	for sku, before := range p.counted {
		at := slices.IndexFunc(p.Items, func(i *Item) bool { return i.SKU == sku && len(i.Taken) > 0 })
		if at < 0 {
			continue
		}
		out = append(out, Tally{
			PartNumber: p.Items[at].PartNumber, Since: before.At, Before: before.Consumed, Freed: b.freed(sku, before.At), Now: units[sku].Consumed,
		})
	}
	slices.SortFunc(out, func(a, b Tally) int { return cmp.Compare(a.PartNumber, b.PartNumber) })
	return out, nil
}

// freed is how many units of a SKU the ledger's plans have freed since an instant, and
// not given back.
func (b *Book) freed(sku string, since time.Time) (n int) {
	for _, p := range b.plans {
		for _, i := range p.Items {
			if i.SKU == sku && i.Freed && !i.FreedAt.Before(since) {
				n++
			}
		}
	}
	return n
}
