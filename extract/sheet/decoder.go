package sheet

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

// Decoder turns the page of a file into rows of a table: its columns but for those
// that Stamp adds. It serves one run and leaves the file's name and SHA-256 in the
// commit.
type Decoder struct {
	Source string
	Table  *schemas.Table
	Memory memory.Allocator

	// Rows appends the rows of the file with this name and text, and counts them. Its
	// error may be an *Error.
	Rows func(b *Builder, name string, text []byte) (int64, error)

	rows      int64
	file, sum string
}

// Stream decodes the page. Its error is a *pipeline.Error that unwraps to that of
// Rows.
func (d *Decoder) Stream(pages pipeline.Pages) pipeline.Stream {
	var fields []schemas.Field
	for _, f := range d.Table.Fields {
		if f.Name != "tenant_id" && f.Name != d.Table.Partition {
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
				yield(nil, &pipeline.Error{Source: d.Source, Page: page.Number, Err: err})
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

// Drift says how many rows the tenant has. A file that differs from what is known
// is refused, so there is nothing else to say.
func (d *Decoder) Drift() pipeline.Drift { return pipeline.Drift{Rows: d.rows} }

// State is the file's name and the SHA-256 of its bytes; nil before a page came.
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
		return nil, errors.New("a second page: the source is one file")
	}
	name, ok := strings.CutPrefix(page.Request, requestPrefix)
	if !ok {
		return nil, fmt.Errorf("the page answers %q, not a file", page.Request)
	}
	text, err := page.Text()
	if err != nil {
		return nil, err
	}
	b := &Builder{array.NewRecordBuilder(d.Memory, schema)}
	defer b.Release()
	if d.rows, err = d.Rows(b, name, text); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	d.file, d.sum = name, hex.EncodeToString(sum[:])
	return b.NewRecordBatch(), nil
}

// Builder builds rows, column by column in the schema's order.
type Builder struct{ *array.RecordBuilder }

// Text appends to a column without a dictionary; an empty text is null.
func (b *Builder) Text(column int, text string) {
	to := b.Field(column).(*array.StringBuilder)
	if text == "" {
		to.AppendNull()
		return
	}
	to.Append(text)
}

// Word appends to a column with a dictionary; an empty text is null.
func (b *Builder) Word(column int, text string) error {
	to := b.Field(column).(*array.BinaryDictionaryBuilder)
	if text == "" {
		to.AppendNull()
		return nil
	}
	return to.AppendString(text)
}

// Day appends to a column of dates; a zero time is null.
func (b *Builder) Day(column int, day time.Time) {
	to := b.Field(column).(*array.Date32Builder)
	if day.IsZero() {
		to.AppendNull()
		return
	}
	to.Append(arrow.Date32FromTime(day))
}
