// Package parquet writes Arrow batches to Parquet files, column by column and
// straight from the Arrow buffers.
//
// Rows are gathered per leaf column until a row group is full, so that batches
// of any size become row groups of one size. A leaf's definition and repetition
// levels, values and dictionary are then encoded into one chunk of at most two
// pages. The bytes of a file are a function of its rows alone: how the rows were
// cut into batches, and how each batch ordered its dictionaries, leaves no trace.
//
// Words: a *slot* is an entry of a column at some depth of nesting, present or
// cut off by a null or an empty list above it; a *leaf* is a column that holds
// values; a *chunk* is a leaf's part of a row group.
package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"seatlake/schemas"
)

// Options of a Writer. The zero value is right for the lake.
type Options struct {
	// Metadata is written into the footer as key-value metadata, sorted by key.
	Metadata map[string]string

	// RowGroupRows is the number of rows of a row group; 0 means 65,536.
	RowGroupRows int

	// RowGroupBytes ends a row group early when this many bytes are gathered,
	// checked every 1,024 rows; 0 means 32 MiB. It bounds the Writer's memory.
	RowGroupBytes int
}

const (
	magic = "PAR1"

	// createdBy has the form that parquet-mr parses; it ignores the statistics
	// of text columns in files whose writer it cannot name.
	createdBy = "seatlake version 1.0.0"

	// checkRows is how many rows of a row group pass between two looks at its
	// size. The looks stand at multiples of it within the row group, wherever
	// batches end.
	checkRows = 1024
)

// Writer writes one Parquet file of a table. It is not safe for concurrent use.
// An error of Write or Close is final: the file is not to be used.
type Writer struct {
	out      io.Writer
	offset   int64
	table    *schemas.Table
	schema   *arrow.Schema
	accepted *arrow.Schema // the last batch's schema, when found equal
	options  Options

	elements []format.SchemaElement
	columns  []column // the top-level columns
	leaves   []*leaf
	lists    []*list

	rows     int64 // rows taken, those of the open row group included
	buffered int   // rows of the open row group
	groups   []format.RowGroup
	encoder  chunkEncoder

	closed bool
	err    error
}

// NewWriter starts a file of the table's rows. The caller keeps w and closes it
// after the Writer.
func NewWriter(w io.Writer, table *schemas.Table, o Options) (*Writer, error) {
	if o.RowGroupRows == 0 {
		o.RowGroupRows = 65_536
	}
	if o.RowGroupBytes == 0 {
		o.RowGroupBytes = 32 << 20
	}
	if o.RowGroupRows < 0 || o.RowGroupBytes < 0 {
		return nil, fmt.Errorf("parquet: %s: row group of %d rows, %d bytes: must not be negative", table.Name, o.RowGroupRows, o.RowGroupBytes)
	}
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false),
		zstd.WithWindowSize(1<<20),
		zstd.WithAllLitEntropyCompression(true)) // packed indices have no matches, yet shrink
	if err != nil {
		return nil, fmt.Errorf("parquet: %s: zstd: %w", table.Name, err)
	}
	pw := &Writer{out: w, table: table, options: o, schema: table.Arrow(), encoder: newChunkEncoder(z)}
	if err := pw.layOut(); err != nil {
		return nil, fmt.Errorf("parquet: %s: %w", table.Name, err)
	}
	if err := pw.write([]byte(magic)); err != nil {
		return nil, fmt.Errorf("parquet: %s: %w", table.Name, err)
	}
	return pw, nil
}

// Write takes a batch. Its schema must be the table's. The batch's buffers are
// copied, so the caller may release or reuse them afterwards.
func (w *Writer) Write(batch arrow.RecordBatch) error {
	if w.err != nil {
		return w.err
	}
	if w.closed {
		return fmt.Errorf("parquet: %s: write after close", w.table.Name)
	}
	if err := w.take(batch); err != nil {
		w.err = fmt.Errorf("parquet: %s: %w", w.table.Name, err)
	}
	return w.err
}

// Rows is the number of rows taken so far.
func (w *Writer) Rows() int64 { return w.rows }

// Close writes the rows still held and the footer. After a failed Write it
// writes nothing and returns that error. Close again does nothing.
func (w *Writer) Close() error {
	if w.closed || w.err != nil {
		return w.err
	}
	w.closed = true
	if err := w.finish(); err != nil {
		w.err = fmt.Errorf("parquet: %s: %w", w.table.Name, err)
	}
	return w.err
}

func (w *Writer) take(batch arrow.RecordBatch) error {
	if s := batch.Schema(); s != w.accepted {
		if err := sameSchema(w.schema, s); err != nil {
			return err
		}
		w.accepted = s
	}
	for _, l := range w.leaves {
		l.forgetBatch()
	}
	n := int(batch.NumRows())
	for lo := 0; lo < n; {
		take := min(n-lo, checkRows-w.buffered%checkRows, w.options.RowGroupRows-w.buffered)
		rows := slots{n: take, spans: []span{{lo, lo + take}}}
		for i, c := range w.columns {
			if err := c.append(batch.Column(i), rows); err != nil {
				return fmt.Errorf("rows %d to %d: %w", w.rows, w.rows+int64(take)-1, err)
			}
		}
		lo += take
		w.rows += int64(take)
		w.buffered += take
		if w.buffered == w.options.RowGroupRows || w.buffered%checkRows == 0 && w.size() >= w.options.RowGroupBytes {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// sameSchema compares names, types and nullability, at every depth.
func sameSchema(want, got *arrow.Schema) error {
	if want.NumFields() != got.NumFields() {
		return fmt.Errorf("batch has %d columns, the table %d", got.NumFields(), want.NumFields())
	}
	for i, f := range want.Fields() {
		g := got.Field(i)
		if f.Name != g.Name || f.Nullable != g.Nullable || !arrow.TypeEqual(f.Type, g.Type) {
			return fmt.Errorf("column %d of the batch is %s %s (nullable %t), of the table %s %s (nullable %t)",
				i, g.Name, g.Type, g.Nullable, f.Name, f.Type, f.Nullable)
		}
	}
	return nil
}

// size is the bytes gathered for the open row group.
func (w *Writer) size() int {
	n := 0
	for _, l := range w.leaves {
		n += l.size()
	}
	for _, l := range w.lists {
		n += len(l.rep)
	}
	return n
}

// flush writes the open row group.
func (w *Writer) flush() error {
	if w.buffered == 0 {
		return nil
	}
	if len(w.groups) > math.MaxInt16 {
		return fmt.Errorf("more than %d row groups: start a new file", math.MaxInt16+1)
	}
	g := format.RowGroup{
		Columns:    make([]format.ColumnChunk, 0, len(w.leaves)),
		NumRows:    int64(w.buffered),
		FileOffset: w.offset,
		Ordinal:    int16(len(w.groups)),
	}
	for _, l := range w.lists {
		l.encode()
	}
	for _, l := range w.leaves {
		pages, meta, err := w.encoder.encode(l, w.offset)
		if err != nil {
			return fmt.Errorf("column %s: %w", l.name(), err)
		}
		if err := w.write(pages); err != nil {
			return err
		}
		g.Columns = append(g.Columns, format.ColumnChunk{MetaData: meta})
		g.TotalByteSize += meta.TotalUncompressedSize
		g.TotalCompressedSize += meta.TotalCompressedSize
		l.reset()
	}
	for _, l := range w.lists {
		l.reset()
	}
	w.groups = append(w.groups, g)
	w.buffered = 0
	return nil
}

func (w *Writer) finish() error {
	if err := w.flush(); err != nil {
		return err
	}
	meta := format.FileMetaData{
		Version:      1,
		Schema:       w.elements,
		NumRows:      w.rows,
		RowGroups:    w.groups,
		CreatedBy:    createdBy,
		ColumnOrders: make([]format.ColumnOrder, len(w.leaves)),
	}
	if meta.RowGroups == nil {
		meta.RowGroups = []format.RowGroup{}
	}
	for i := range meta.ColumnOrders {
		meta.ColumnOrders[i].Value = &format.TypeDefinedOrder{}
	}
	for _, k := range slices.Sorted(maps.Keys(w.options.Metadata)) {
		meta.KeyValueMetadata = append(meta.KeyValueMetadata, format.KeyValue{Key: k, Value: w.options.Metadata[k]})
	}
	footer, err := thrift.Marshal(new(thrift.CompactProtocol), &meta)
	if err != nil {
		return fmt.Errorf("footer: %w", err)
	}
	if len(footer) > math.MaxInt32 {
		return errors.New("footer exceeds 2 GiB: start a new file earlier")
	}
	footer = binary.LittleEndian.AppendUint32(footer, uint32(len(footer)))
	return w.write(append(footer, magic...))
}

func (w *Writer) write(b []byte) error {
	n, err := w.out.Write(b)
	w.offset += int64(n)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}
