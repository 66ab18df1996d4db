package terms

import (
	"errors"
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"seatlake/extract/sheet"
	"seatlake/pipeline"
	"seatlake/schemas"
)

// Page is a file as the only page of the source license_terms. name is the file's,
// without its folder.
func Page(name string, body []byte, observed time.Time) *pipeline.Page {
	return sheet.Page(pipeline.LicenseTerms, name, body, observed)
}

// NewDecoder turns the page of a file into the terms of the tenant with this
// configured name and directory id. Its error unwraps to *Error.
func NewDecoder(tenant, tenantID string, mem memory.Allocator) *sheet.Decoder {
	return &sheet.Decoder{
		Source: pipeline.LicenseTerms, Table: schemas.LicenseTerms, Memory: mem,
		Rows: func(b *sheet.Builder, name string, text []byte) (n int64, err error) {
			terms, err := Parse(name, text)
			if err != nil {
				return 0, err
			}
			for i := range terms {
				if !terms[i].Of(tenant, tenantID) {
					continue
				}
				if err := write(b, &terms[i]); err != nil {
					return 0, fmt.Errorf("line %d: %w", terms[i].Line, err)
				}
				n++
			}
			return n, nil
		},
	}
}

// write appends a term, column by column in the schema's order.
func write(b *sheet.Builder, t *Term) error {
	b.Field(0).(*array.Int32Builder).Append(int32(t.Line))
	b.Text(1, t.PurchaseID)
	b.Field(3).(*array.Int64Builder).Append(t.Quantity)
	b.Field(4).(*array.StringBuilder).Append(t.Amount.String())
	unit := ""
	if t.UnitAmount != nil {
		unit = t.UnitAmount.String()
	}
	b.Text(5, unit)
	b.Field(6).(*array.StringBuilder).Append(t.Fees.String())
	b.Day(9, t.Effective)
	b.Day(10, t.Ending)
	return errors.Join(
		b.Word(2, t.SKU), b.Word(7, t.Currency), b.Word(8, string(t.Frequency)),
		b.Word(11, t.Vendor), b.Word(12, t.Contract), b.Word(13, t.CostCentre),
	)
}
