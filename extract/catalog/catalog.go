// Package catalog is the product catalogue: which SKUs Microsoft sells, what
// they are called, which service plans they hold, and which of the eleven
// services a plan entitles.
//
// A *SKU* is what a tenant buys and assigns, a *service plan* is a part of it
// that can be switched off for a user. Both are identified by GUID alone: part
// numbers and names repeat, change case and mislead. A *service* is one of
// schemas.Services; the *service map*, service_map.csv, says by name which
// plans entitle which.
//
// Microsoft publishes the catalogue as a CSV file, a row per SKU and plan.
// ParseCSV reads it as it comes. What the program carries is its compact form,
// catalog.txt.gz (see WriteCompact for its lines and version), which holds the
// facts of the list and nothing else. `seatlake catalog update` makes one for a
// user whose tenant has newer SKUs than the program. The program's own is
// compared with a list by
//
//	go test ./extract/catalog -run TestEmbedded -csv FILE
//
// and made anew with -date (the day of the list) and -write; go generate does so
// with a list that lies in the root of the repository.
package catalog

import (
	"bytes"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"

	"seatlake/schemas"
)

// Catalog is a product catalogue. It is read-only once made, and safe for use by
// several goroutines.
type Catalog struct {
	Source string // what it was made from
	Date   string // day of the list, "2006-01-02"; empty when not known

	// Notes tells people what the list said in two ways and which way was
	// taken. It is not part of the compact form.
	Notes []string

	skus  []sku  // by GUID
	plans []Plan // by GUID
	// services holds what each of plans entitles.
	services [][]schemas.Service
}

// sku is a SKU with the positions of its plans, ascending.
type sku struct {
	SKU
	plans []int
}

// SKU is a product as it is bought and assigned.
type SKU struct {
	ID         [16]byte // skuId, its bytes in text order
	PartNumber string   // String_Id, skuPartNumber
	Name       string   // Product_Display_Name
}

// Plan is a service plan.
type Plan struct {
	ID           [16]byte // servicePlanId, its bytes in text order
	Name         string   // Service_Plan_Name, servicePlanName
	FriendlyName string   // may be empty
}

//go:generate go test -run TestEmbedded -csv ../../product-names-and-service-plans.csv -write

//go:embed catalog.txt.gz
var embedded []byte

// Embedded is the catalogue that the program carries.
func Embedded() (*Catalog, error) {
	c, err := ReadCompact(bytes.NewReader(embedded))
	if err != nil {
		return nil, fmt.Errorf("embedded product catalogue: %w", err)
	}
	return c, nil
}

// Load reads a catalogue from a file: the compact form, or Microsoft's CSV.
func Load(path string) (*Catalog, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("product catalogue: %w", err)
	}
	read := ParseCSV
	if bytes.HasPrefix(text, gzipMagic) {
		read = ReadCompact
	}
	c, err := read(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("product catalogue %s: %w", path, err)
	}
	return c, nil
}

// SKU finds a SKU.
func (c *Catalog) SKU(id [16]byte) (SKU, bool) {
	i, ok := slices.BinarySearchFunc(c.skus, id, func(s sku, id [16]byte) int { return bytes.Compare(s.ID[:], id[:]) })
	if !ok {
		return SKU{}, false
	}
	return c.skus[i].SKU, true
}

// SKUs is all SKUs, by GUID.
func (c *Catalog) SKUs() iter.Seq[SKU] {
	return func(yield func(SKU) bool) {
		for _, s := range c.skus {
			if !yield(s.SKU) {
				return
			}
		}
	}
}

// Plan finds a service plan.
func (c *Catalog) Plan(id [16]byte) (Plan, bool) {
	i, ok := c.plan(id)
	if !ok {
		return Plan{}, false
	}
	return c.plans[i], true
}

// AllPlans is all service plans, by GUID.
func (c *Catalog) AllPlans() iter.Seq[Plan] { return slices.Values(c.plans) }

// Plans is the service plans of a SKU, by GUID; none for a SKU that is not in
// the catalogue.
func (c *Catalog) Plans(id [16]byte) []Plan {
	i, ok := slices.BinarySearchFunc(c.skus, id, func(s sku, id [16]byte) int { return bytes.Compare(s.ID[:], id[:]) })
	if !ok {
		return nil
	}
	out := make([]Plan, len(c.skus[i].plans))
	for j, p := range c.skus[i].plans {
		out[j] = c.plans[p]
	}
	return out
}

// Services is the services that a plan entitles, in the order of
// schemas.Services: none, one or two. A plan that is not in the catalogue
// entitles none; ServiceMap.Services asks by the name a tenant gives it.
func (c *Catalog) Services(planID [16]byte) []schemas.Service {
	i, ok := c.plan(planID)
	if !ok {
		return nil
	}
	return slices.Clip(c.services[i])
}

func (c *Catalog) plan(id [16]byte) (int, bool) {
	return slices.BinarySearchFunc(c.plans, id, func(p Plan, id [16]byte) int { return bytes.Compare(p.ID[:], id[:]) })
}

// serve fills in the services of the plans.
func (c *Catalog) serve() error {
	m, err := Map()
	if err != nil {
		return err
	}
	c.services = make([][]schemas.Service, len(c.plans))
	for i, p := range c.plans {
		c.services[i] = m.Services(p.Name)
	}
	return nil
}

// ParseGUID reads a GUID in its text form, whatever its case.
func ParseGUID(text string) ([16]byte, error) {
	var id [16]byte
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return id, fmt.Errorf("%q is no GUID", text)
	}
	digits := strings.ReplaceAll(text, "-", "")
	if len(digits) != 32 {
		return id, fmt.Errorf("%q is no GUID", text)
	}
	if _, err := hex.Decode(id[:], []byte(digits)); err != nil {
		return id, fmt.Errorf("%q is no GUID", text)
	}
	return id, nil
}

// FormatGUID is a GUID in lower-case text.
func FormatGUID(id [16]byte) string {
	h := hex.EncodeToString(id[:])
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

// errEmpty refuses a catalogue that would make every SKU unknown.
var errEmpty = errors.New("it holds no SKU; take Microsoft's list of product names and service plan identifiers as it is downloaded")
