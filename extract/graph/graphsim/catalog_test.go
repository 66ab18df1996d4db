package graphsim

import (
	"testing"

	"seatlake/extract/catalog"
)

// The SKUs are written down here a second time. This keeps them the real ones, and
// what they entitle the same.
func TestTheSKUsAreThoseOfTheCatalogue(t *testing.T) {
	c, err := catalog.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range products() {
		s, ok := c.SKU(p.guid)
		if ok == p.unlisted {
			t.Errorf("%s: in the catalogue %t", p.part, ok)
		}
		if ok && (s.PartNumber != p.part || s.Name != p.name) {
			t.Errorf("%s %q is %s %q in the catalogue", p.part, p.name, s.PartNumber, s.Name)
		}
		listed := map[[16]byte]string{}
		for _, pl := range c.Plans(p.guid) {
			listed[pl.ID] = pl.Name
		}
		for _, pl := range p.plans {
			id := parseGUID(pl.id)
			if listed[id] != pl.name && !p.unlisted {
				t.Errorf("%s: plan %s is %q in the catalogue", p.part, pl.name, listed[id])
			}
			var entitles service
			for _, s := range c.Services(id) {
				for i, label := range labels {
					if string(s) == label {
						entitles |= 1 << i
					}
				}
			}
			if entitles != pl.entitles {
				t.Errorf("%s: plan %s entitles %b here and %b by the catalogue", p.part, pl.name, pl.entitles, entitles)
			}
		}
	}
}
