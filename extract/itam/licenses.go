// Package itam reads what the ITAM tool already has: the list of licences that
// older, separate integrations (Office 365, Project, Visio, Dynamics 365, Power BI)
// made there. Beside the licences that seatlake feeds they would be counted twice.
//
//	license_id,name,integration,quantity
//	4711,Microsoft Office 365 E3,Office 365,120
//
// Columns are found by their names, in any order. license_id and name are needed;
// integration, publisher, sku, status, quantity, purchases and tenant are not.
package itam

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/uuid"

	"seatlake/extract/sheet"
	"seatlake/pipeline"
	"seatlake/schemas"
)

// License is one row of a list.
type License struct {
	Line   int    // of the file, from 1
	Tenant string // configured name or directory id; empty for all tenants

	ID          string // of the ITAM tool, once for each tenant of a list
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

// Parse reads a list's rows in order. name stands in faults. An error is a
// *sheet.Error that names every fault.
func Parse(name string, body []byte) ([]License, error) {
	s := sheet.New(body, sheet.Columns{
		All:      []string{"tenant", "license_id", "name", "integration", "publisher", "sku", "status", "quantity", "purchases"},
		Required: []string{"license_id", "name"},
	})
	lines := map[string]int{} // of each licence
	var licenses []License
	for s.Next() {
		l := license(s)
		key := strings.ToLower(l.Tenant + "\x00" + l.ID)
		if line, twice := lines[key]; twice && l.ID != "" {
			s.Fault("license_id %s is on line %d too", l.ID, line)
		}
		lines[key] = l.Line
		licenses = append(licenses, l)
	}
	if err := s.Err(name); err != nil {
		return nil, err
	}
	return licenses, nil
}

func license(s *sheet.Sheet) License {
	l := License{
		Line: s.Line(), Tenant: s.Cell("tenant"), ID: s.Cell("license_id"), Name: s.Cell("name"), Integration: s.Cell("integration"),
		Publisher: s.Cell("publisher"), SKU: s.Cell("sku"), Status: s.Cell("status"), Purchases: s.Cell("purchases"),
	}
	if l.ID == "" {
		s.Fault("license_id is missing: the licence's id in the ITAM tool")
	}
	if l.Name == "" {
		s.Fault("name is missing")
	}
	if id, err := uuid.Parse(l.SKU); err == nil {
		l.SKU = id.String()
	}
	if text := s.Cell("quantity"); text != "" {
		const most = 100_000_000
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 || n > most {
			s.Fault("quantity %q is not a whole number from 0 to %d", text, most)
		}
		l.Quantity = &n
	}
	return l
}

// File is a list whose every row was understood.
type File struct {
	Name     string // without its folder
	Body     []byte
	Licenses []License
}

// Read reads a list and checks it. Its error is a *sheet.Error that names every
// fault, or the file system's.
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

// Source answers for the source legacy_licenses with the file's bytes, and leaves
// all others to next. observed is when the file was read, UTC.
func (f *File) Source(next pipeline.Continuer, observed time.Time) pipeline.Continuer {
	return &sheet.Source{Next: next, Of: pipeline.LegacyLicenses, Name: f.Name, Body: f.Body, Observed: observed}
}

// NewDecoder turns the page of a list into the licences of the tenant with this
// configured name and directory id. Its error unwraps to *sheet.Error.
func NewDecoder(tenant, tenantID string, mem memory.Allocator) *sheet.Decoder {
	return &sheet.Decoder{
		Source: pipeline.LegacyLicenses, Table: schemas.LegacyLicenses, Memory: mem,
		Rows: func(b *sheet.Builder, name string, text []byte) (n int64, err error) {
			licenses, err := Parse(name, text)
			if err != nil {
				return 0, err
			}
			for i := range licenses {
				if !licenses[i].Of(tenant, tenantID) {
					continue
				}
				if err := write(b, &licenses[i]); err != nil {
					return 0, err
				}
				n++
			}
			return n, nil
		},
	}
}

// write appends a licence, column by column in the schema's order.
func write(b *sheet.Builder, l *License) error {
	b.Field(0).(*array.Int32Builder).Append(int32(l.Line))
	b.Text(1, l.ID)
	b.Text(2, l.Name)
	quantity := b.Field(7).(*array.Int64Builder)
	if l.Quantity == nil {
		quantity.AppendNull()
	} else {
		quantity.Append(*l.Quantity)
	}
	b.Text(8, l.Purchases)
	return errors.Join(b.Word(3, l.Integration), b.Word(4, l.Publisher), b.Word(5, l.SKU), b.Word(6, l.Status))
}
