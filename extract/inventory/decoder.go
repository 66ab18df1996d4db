package inventory

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"seatlake/pipeline"
	"seatlake/schemas"
)

// Decoder turns the pages of inventory files into batches: columns of
// schemas.InventoryInstallations but for those that Stamp adds. It serves one run
// and leaves the files' hashes in the commit.
type Decoder struct {
	mem     memory.Allocator
	mapping *Mapping // of the file that comes next
	text    []byte
	drift   pipeline.Drift
	lost    []string // for people: what keeps installations from being counted
	files   []fileState
}

// fileState is what the commit says of a file.
type fileState struct {
	File     string `json:"file"`
	SHA256   string `json:"sha256"`
	Mapping  string `json:"mapping"`
	MappedBy string `json:"mapping_sha256"`
	Rows     int64  `json:"rows"`
	Products int64  `json:"product_rows"`
	Other    int64  `json:"other_rows"`
	Skipped  int64  `json:"skipped_rows"`
	NoDevice int64  `json:"rows_without_device"`
}

// NewDecoder makes a decoder.
func NewDecoder(mem memory.Allocator) *Decoder {
	return &Decoder{mem: mem, drift: pipeline.Drift{Unknown: map[string]int64{}}}
}

// batchRows is how many installations a batch has at most.
const batchRows = 8192

// Stream decodes the pages. Its errors are *pipeline.Errors that unwrap to *Error.
func (d *Decoder) Stream(pages pipeline.Pages) pipeline.Stream {
	var fields []schemas.Field
	for _, f := range schemas.InventoryInstallations.Fields {
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
			found, name, err := d.page(page)
			number := page.Number
			page.Release()
			for some := range slices.Chunk(found, batchRows) {
				if err != nil {
					break
				}
				var batch arrow.RecordBatch
				if batch, err = d.batch(schema, name, some); err != nil {
					break
				}
				more := yield(batch, nil)
				batch.Release()
				if !more {
					return
				}
			}
			if err != nil {
				yield(nil, &pipeline.Error{Source: pipeline.Inventory, Page: number, Err: err})
				return
			}
		}
	}}
}

// page takes up a mapping, or gives the installations of a file and its name.
func (d *Decoder) page(page *pipeline.Page) ([]Installation, string, error) {
	if name, ok := strings.CutPrefix(page.Request, mappingPrefix); ok {
		text, err := page.Text()
		if err != nil {
			return nil, "", err
		}
		d.mapping, err = ParseMapping(name, text)
		d.text = bytes.Clone(text)
		return nil, "", err
	}
	name, ok := strings.CutPrefix(page.Request, filePrefix)
	if !ok || d.mapping == nil {
		return nil, "", fmt.Errorf("the page answers %q; a mapping and then its file are expected", page.Request)
	}
	body, err := page.Reader()
	if err != nil {
		return nil, "", err
	}
	hash := sha256.New()
	read := io.TeeReader(body, hash)
	found, report, err := Read(name, read, d.mapping)
	if err == nil {
		_, err = io.Copy(io.Discard, read) // what a workbook's reader left
	}
	if err = errors.Join(err, body.Close()); err != nil {
		return nil, "", err
	}
	sum := hex.EncodeToString(hash.Sum(nil))
	if page.Coding == "" && sum != page.SHA256() {
		return nil, "", fmt.Errorf("%s changed while it was being read; run again when its export has ended", name)
	}
	d.note(name, sum, report, len(found))
	d.mapping = nil
	return found, name, nil
}

// note keeps what is to be said of a file.
func (d *Decoder) note(name, sum string, r *Report, found int) {
	d.drift.Rows += int64(found)
	for _, column := range r.Unmapped {
		d.drift.Unknown[name+": "+column] = r.Rows
	}
	d.drift.SkippedRows += r.Skipped
	if r.NoDevice > 0 {
		d.lost = append(d.lost, fmt.Sprintf("%s: %d rows of licensed products name no device, so that they are not counted: export the device's name or serial number", name, r.NoDevice))
	}
	if !r.HasUser {
		d.lost = append(d.lost, name+": no column names the user, so that no installation joins one: export the user's sign-in name")
	}
	for _, fault := range r.Dates {
		d.lost = append(d.lost, name+": "+fault.String())
	}
	text := sha256.Sum256(d.text)
	d.files = append(d.files, fileState{
		File: name, SHA256: sum, Mapping: d.mapping.Name, MappedBy: hex.EncodeToString(text[:]),
		Rows: r.Rows, Products: r.Products, Other: r.Other, Skipped: r.Skipped, NoDevice: r.NoDevice,
	})
}

// Drift says which columns the mappings do not read. Fields that no column has are
// no drift: mappings name more than any export has.
func (d *Decoder) Drift() pipeline.Drift { return d.drift }

// Lost says for people, once the stream has ended, what of the files could not be
// used; nothing when all could.
func (d *Decoder) Lost() []string { return d.lost }

// State is the files' names, hashes and counts.
func (d *Decoder) State() json.RawMessage {
	if d.files == nil {
		return nil
	}
	state, err := json.Marshal(map[string]any{"files": d.files})
	if err != nil {
		return nil // texts and numbers always have JSON
	}
	return state
}

func (d *Decoder) batch(schema *arrow.Schema, name string, found []Installation) (arrow.RecordBatch, error) {
	b := &builder{RecordBuilder: array.NewRecordBuilder(d.mem, schema)}
	defer b.Release()
	for i := range found {
		b.at = 0
		b.append(name, d.files[len(d.files)-1].Mapping, &found[i])
	}
	if b.err != nil {
		return nil, b.err
	}
	return b.NewRecordBatch(), nil
}

// builder builds installations, column by column in the schema's order.
type builder struct {
	*array.RecordBuilder
	at  int // of the column that comes next
	err error
}

func (b *builder) append(name, mapping string, i *Installation) {
	b.text(name)
	b.next().(*array.Int64Builder).Append(i.Row)
	b.text(mapping)
	for _, text := range []string{i.DeviceKey, i.DeviceID, i.DeviceName, i.SerialNumber, i.OS, i.Platform} {
		b.text(text)
	}
	b.day(i.LastSeen)
	u := &i.User
	for _, text := range []string{u.Name, u.ObjectID, u.Address, u.Mail, u.Domain, u.Account, u.EmployeeID} {
		b.text(text)
	}
	for _, text := range []string{i.Family, i.Rule, i.Publisher, i.Product, i.Version, i.Edition, string(i.Kind)} {
		b.text(text)
	}
	b.day(i.Installed)
	b.day(i.LastUsed)
}

func (b *builder) next() array.Builder {
	b.at++
	return b.Field(b.at - 1)
}

// text appends to a column with or without a dictionary; an empty text is null.
func (b *builder) text(text string) {
	switch to := b.next().(type) {
	case *array.StringBuilder:
		if text == "" {
			to.AppendNull()
			return
		}
		to.Append(text)
	case *array.BinaryDictionaryBuilder:
		if text == "" {
			to.AppendNull()
			return
		}
		b.err = errors.Join(b.err, to.AppendString(text))
	}
}

// day appends to a column of days; the zero day is null.
func (b *builder) day(day time.Time) {
	to := b.next().(*array.Date32DictionaryBuilder)
	if day.IsZero() {
		to.AppendNull()
		return
	}
	b.err = errors.Join(b.err, to.Append(arrow.Date32FromTime(day)))
}
