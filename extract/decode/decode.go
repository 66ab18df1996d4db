// Package decode turns pages into Arrow batches in one pass, directed by a
// table's schema: the answers of Graph in JSON, and usage reports in CSV.
//
// It promises that a value which enters a batch is the value that stands in the
// page. A property of the wrong type, a malformed GUID or a damaged page is an
// error that names table, page, row and column. What a page has and the table
// does not is counted, what the table has and no page had is NULL and listed:
// see Drift. Batches depend on the bytes of the pages and on Options alone.
//
// There are no intermediate values: bytes go from the page into the buffers that
// become Arrow arrays. A scanner predicts the next key from the object before,
// reads strings eight bytes at a time, and looks up dictionary values by their
// raw bytes before it reads them. In steady state no row allocates.
//
// The package knows nothing of requests or links but their place in a page,
// which ReadEnvelope reads.
package decode

import (
	"errors"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"seatlake/pipeline"
	"seatlake/schemas"
)

// Options are the knobs of a decoder. The zero value is right.
type Options struct {
	// BatchRows is the number of rows at which a batch is yielded; 0 means
	// 4,096. A JSON page is never divided, so its batch may be longer by one
	// page; a report, which is one page of any length, is cut at exactly that
	// many rows.
	BatchRows int
	// BlockBytes is how much of a report's text is held at a time, for reports are
	// read as streams; 0 means 256 KiB. More is held where a line is longer.
	BlockBytes int
	// Alloc gives the memory of the batches; nil means Go's heap. Buffers are
	// used again once their last holder has released them, and all are freed
	// when the stream has ended and no batch is held.
	Alloc memory.Allocator
}

// Decoder reads the pages of one table. It serves one stream at a time.
type Decoder struct {
	table  *schemas.Table
	opts   Options
	schema *arrow.Schema
	open   func(*Decoder, *batch) (reader, error)
	drift  Drift
}

// Drift is how the pages differed from the table.
type Drift = pipeline.Drift

// JSON is a decoder of OData collections: {"value":[...]}.
func JSON(table *schemas.Table, o Options) *Decoder { return newDecoder(table, o, openJSON) }

// CSV is a decoder of usage reports.
func CSV(table *schemas.Table, o Options) *Decoder { return newDecoder(table, o, openCSV) }

// For is the decoder of the table's format. A table that is not decoded from
// pages gives a stream of one error.
func For(table *schemas.Table, o Options) *Decoder {
	switch table.Format {
	case schemas.JSON:
		return JSON(table, o)
	case schemas.CSV:
		return CSV(table, o)
	default:
		return newDecoder(table, o, func(*Decoder, *batch) (reader, error) {
			return nil, errors.New("the table is not decoded from pages")
		})
	}
}

func newDecoder(table *schemas.Table, o Options, open func(*Decoder, *batch) (reader, error)) *Decoder {
	if o.BatchRows <= 0 {
		o.BatchRows = 4096
	}
	if o.BlockBytes <= 0 {
		o.BlockBytes = 256 << 10
	}
	if o.Alloc == nil {
		o.Alloc = memory.DefaultAllocator
	}
	return &Decoder{table: table, opts: o, schema: schemas.ArrowSchema(table.Decoded()), open: open}
}

// reader fills a batch from pages of one format.
type reader interface {
	// read appends the rows of one page. It calls full whenever the batch may be
	// handed over, with the length of the text it is about to read, and ends with
	// errStopped when full says that nobody wants more.
	read(page *pipeline.Page, full func(next int) bool) error
	// drift is what was seen so far.
	drift() Drift
}

// errStopped ends a page whose consumer has left the stream.
var errStopped = errors.New("the consumer stopped")

// maxText bounds the text of a batch, so that 32-bit offsets can address it.
const maxText = 1 << 30

// Stream decodes pages into batches of the table's decoded columns, in the
// table's order. Errors of the pages pass through; the decoder's own are
// *pipeline.Error with the table as source and the page's number. Rows of a page
// that fails, and rows waiting for their batch to fill, are not yielded.
//
// Strings taken out of a batch lie in its buffers, which serve the next batch:
// whoever wants them longer retains the batch or clones them.
func (d *Decoder) Stream(pages pipeline.Pages) pipeline.Stream {
	return pipeline.Stream{Schema: d.schema, Batches: func(yield func(arrow.RecordBatch, error) bool) {
		d.drift = Drift{}
		fail := func(page int, err error) {
			yield(nil, &pipeline.Error{Source: d.table.Name, Page: page, Err: err})
		}
		out, err := newBatch(d.table, d.schema, d.opts.Alloc)
		if err != nil {
			fail(0, err)
			return
		}
		defer out.close()
		in, err := d.open(d, out)
		if err != nil {
			fail(0, err)
			return
		}
		defer func() { d.drift = in.drift() }()

		lend := func() bool {
			rec := out.flush()
			defer rec.Release()
			return yield(rec, nil)
		}
		size := 0 // bytes of text in the open batch, at most
		full := func(next int) bool {
			if out.rows >= d.opts.BatchRows || out.rows > 0 && size+next > maxText {
				if size = 0; !lend() {
					return false
				}
			}
			size += next
			return true
		}
		for page, err := range pages {
			if err != nil {
				yield(nil, err)
				return
			}
			err = in.read(page, full)
			switch {
			case errors.Is(err, errStopped):
				return
			case err != nil:
				fail(page.Number, err)
				return
			}
		}
		if out.rows > 0 {
			lend()
		}
	}}
}

// Drift is how the pages of the last stream differed from the table. It is valid
// once that stream has ended.
func (d *Decoder) Drift() Drift { return d.drift }

// padded is text with at least Pad zero bytes behind it. A page's text has them
// already; anything else is copied.
func padded(text []byte) []byte {
	if cap(text)-len(text) >= pipeline.Pad {
		pad := text[len(text) : len(text)+pipeline.Pad]
		if [pipeline.Pad]byte(pad) == [pipeline.Pad]byte{} {
			return text
		}
	}
	return append(make([]byte, 0, len(text)+pipeline.Pad), text...)
}
