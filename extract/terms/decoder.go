package terms

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"seatlake/pipeline"
	"seatlake/schemas"
)

// Page is a file as the only page of the source license_terms. name is the file's,
// without its folder.
func Page(name string, body []byte, observed time.Time) *pipeline.Page {
	return &pipeline.Page{Source: pipeline.LicenseTerms, Number: 1, Request: requestPrefix + name, Body: body, Observed: observed}
}

const requestPrefix = "file "

// Decoder turns the page of a file into the terms of one tenant: columns of
// schemas.LicenseTerms but for those that Stamp adds. It serves one run and leaves
// the file's name and SHA-256 in the commit.
type Decoder struct {
	tenant, tenantID string
	mem              memory.Allocator

	rows int64
	file string
	sum  string
}

// NewDecoder decodes the terms of the tenant with this configured name and
// directory id.
func NewDecoder(tenant, tenantID string, mem memory.Allocator) *Decoder {
	return &Decoder{tenant: tenant, tenantID: tenantID, mem: mem}
}

// Stream decodes the page. Its error is a *pipeline.Error that unwraps to *Error.
func (d *Decoder) Stream(pages pipeline.Pages) pipeline.Stream {
	var fields []schemas.Field
	for _, f := range schemas.LicenseTerms.Fields {
		if f.Name != "tenant_id" && f.Name != "snapshot_date" {
			fields = append(fields, f)
		}
	}
	schema := schemas.ArrowSchema(fields)
	return pipeline.Stream{Schema: schema, Batches: func(yield func(arrow.RecordBatch, error) bool) {
		for page, err := range pages {
			if err != nil {
				yield(nil, err)
				return
			}
			batch, err := d.page(schema, page)
			if err != nil {
				yield(nil, &pipeline.Error{Source: pipeline.LicenseTerms, Page: page.Number, Err: err})
				return
			}
			more := yield(batch, nil)
			batch.Release()
			if !more {
				return
			}
		}
	}}
}

// Drift says how many terms the tenant has. A file that differs from the schema is
// refused, so there is nothing else to say.
func (d *Decoder) Drift() pipeline.Drift { return pipeline.Drift{Rows: d.rows} }

// State is the file's name and the SHA-256 of its bytes.
func (d *Decoder) State() json.RawMessage {
	if d.sum == "" {
		return nil
	}
	state, err := json.Marshal(map[string]string{"file": d.file, "sha256": d.sum})
	if err != nil {
		return nil // a map of texts always has JSON
	}
	return state
}

func (d *Decoder) page(schema *arrow.Schema, page *pipeline.Page) (arrow.RecordBatch, error) {
	if d.sum != "" {
		return nil, errors.New("a second page: the terms are one file")
	}
	name, ok := strings.CutPrefix(page.Request, requestPrefix)
	if !ok {
		return nil, fmt.Errorf("the page answers %q, not a file", page.Request)
	}
	text, err := page.Text()
	if err != nil {
		return nil, err
	}
	terms, err := Parse(name, text)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	d.file, d.sum = name, hex.EncodeToString(sum[:])

	b := &builder{array.NewRecordBuilder(d.mem, schema)}
	defer b.Release()
	for i := range terms {
		if !terms[i].Of(d.tenant, d.tenantID) {
			continue
		}
		if err := b.append(&terms[i]); err != nil {
			return nil, fmt.Errorf("line %d: %w", terms[i].Line, err)
		}
		d.rows++
	}
	return b.NewRecordBatch(), nil
}

// builder builds terms, column by column in the schema's order.
type builder struct{ *array.RecordBuilder }

func (b *builder) append(t *Term) error {
	b.Field(0).(*array.Int32Builder).Append(int32(t.Line))
	b.text(1, t.PurchaseID)
	b.Field(3).(*array.Int64Builder).Append(t.Quantity)
	b.Field(4).(*array.StringBuilder).Append(t.Amount.String())
	unit := ""
	if t.UnitAmount != nil {
		unit = t.UnitAmount.String()
	}
	b.text(5, unit)
	b.Field(6).(*array.StringBuilder).Append(t.Fees.String())
	b.Field(9).(*array.Date32Builder).Append(arrow.Date32FromTime(t.Effective))
	ending := b.Field(10).(*array.Date32Builder)
	if t.Ending.IsZero() {
		ending.AppendNull()
	} else {
		ending.Append(arrow.Date32FromTime(t.Ending))
	}
	return errors.Join(
		b.word(2, t.SKU), b.word(7, t.Currency), b.word(8, string(t.Frequency)),
		b.word(11, t.Vendor), b.word(12, t.Contract), b.word(13, t.CostCentre),
	)
}

// text appends to a column without a dictionary; an empty text is null.
func (b *builder) text(column int, text string) {
	to := b.Field(column).(*array.StringBuilder)
	if text == "" {
		to.AppendNull()
		return
	}
	to.Append(text)
}

// word appends to a column with a dictionary; an empty text is null.
func (b *builder) word(column int, text string) error {
	to := b.Field(column).(*array.BinaryDictionaryBuilder)
	if text == "" {
		to.AppendNull()
		return nil
	}
	return to.AppendString(text)
}
