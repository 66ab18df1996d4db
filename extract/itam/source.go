package itam

import (
	"context"
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

// requestPrefix stands before the file's name in a page's request.
const requestPrefix = "file "

// Source answers for the source legacy_licenses with a file's bytes, and leaves all
// others to Next.
type Source struct {
	Next     pipeline.Continuer
	File     *File
	Observed time.Time // UTC, when the file was read
}

// Pages implements pipeline.Source.
func (s *Source) Pages(ctx context.Context, source string, w pipeline.Window) pipeline.Pages {
	if source != pipeline.LegacyLicenses {
		return s.Next.Pages(ctx, source, w)
	}
	return func(yield func(*pipeline.Page, error) bool) {
		yield(&pipeline.Page{Source: source, Number: 1, Request: requestPrefix + s.File.Name, Body: s.File.Body, Observed: s.Observed}, nil)
	}
}

// Continue implements pipeline.Continuer. A run that has kept the file keeps to it,
// whatever became of the file since.
func (s *Source) Continue(ctx context.Context, source string, w pipeline.Window, kept pipeline.Pages) pipeline.Pages {
	if source != pipeline.LegacyLicenses {
		return s.Next.Continue(ctx, source, w, kept)
	}
	return func(yield func(*pipeline.Page, error) bool) {
		whole := false
		for page, err := range kept {
			if whole = true; !yield(page, err) {
				return
			}
		}
		if !whole {
			s.Pages(ctx, source, w)(yield)
		}
	}
}

// Decoder turns the page of a list into the licences of one tenant: columns of
// schemas.LegacyLicenses but for those that Stamp adds. It serves one run and
// leaves the file's name and SHA-256 in the commit.
type Decoder struct {
	tenant, tenantID string
	mem              memory.Allocator

	rows      int64
	file, sum string
}

// NewDecoder decodes the licences of the tenant with this configured name and
// directory id.
func NewDecoder(tenant, tenantID string, mem memory.Allocator) *Decoder {
	return &Decoder{tenant: tenant, tenantID: tenantID, mem: mem}
}

// Stream decodes the page. Its error is a *pipeline.Error that unwraps to *Error.
func (d *Decoder) Stream(pages pipeline.Pages) pipeline.Stream {
	var fields []schemas.Field
	for _, f := range schemas.LegacyLicenses.Fields {
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
				yield(nil, &pipeline.Error{Source: pipeline.LegacyLicenses, Page: page.Number, Err: err})
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

// Drift says how many licences the tenant has.
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
	name, ok := strings.CutPrefix(page.Request, requestPrefix)
	if !ok || d.sum != "" {
		return nil, fmt.Errorf("the page answers %q; one file is expected", page.Request)
	}
	text, err := page.Text()
	if err != nil {
		return nil, err
	}
	licenses, err := Parse(name, text)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	d.file, d.sum = name, hex.EncodeToString(sum[:])
	b := array.NewRecordBuilder(d.mem, schema)
	defer b.Release()
	for i := range licenses {
		if l := &licenses[i]; l.Of(d.tenant, d.tenantID) {
			if err := appendTo(b, l); err != nil {
				return nil, fmt.Errorf("line %d: %w", l.Line, err)
			}
			d.rows++
		}
	}
	return b.NewRecordBatch(), nil
}

// appendTo appends a licence, column by column in the schema's order.
func appendTo(b *array.RecordBuilder, l *License) error {
	b.Field(0).(*array.Int32Builder).Append(int32(l.Line))
	b.Field(1).(*array.StringBuilder).Append(l.ID)
	b.Field(2).(*array.StringBuilder).Append(l.Name)
	var faults []error
	for i, text := range []string{l.Integration, l.Publisher, l.SKU, l.Status} {
		to := b.Field(3 + i).(*array.BinaryDictionaryBuilder)
		if text == "" {
			to.AppendNull()
			continue
		}
		faults = append(faults, to.AppendString(text))
	}
	quantity := b.Field(7).(*array.Int64Builder)
	if l.Quantity == nil {
		quantity.AppendNull()
	} else {
		quantity.Append(*l.Quantity)
	}
	purchases := b.Field(8).(*array.StringBuilder)
	if l.Purchases == "" {
		purchases.AppendNull()
	} else {
		purchases.Append(l.Purchases)
	}
	return errors.Join(faults...)
}
