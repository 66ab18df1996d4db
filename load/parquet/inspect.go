package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Print is the schema of a file as text, one column a line: repetition,
// physical type, name, field id, logical and converted type.
func Print(r io.ReaderAt, size int64) (string, error) {
	meta, _, err := readFooter(r, size)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	rest, err := printElement(&b, meta.Schema, 0)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("parquet: schema has %d elements outside its root", len(rest))
	}
	return b.String(), err
}

// Verify checks a file's structure without reading its pages, and returns its
// rows: magic numbers, footer, and that the column chunks which the footer lists
// stand in order between them. It finds a file cut short or overwritten; that
// the pages are whole is for a hash of the file to say.
func Verify(r io.ReaderAt, size int64) (rows int64, err error) {
	meta, footer, err := readFooter(r, size)
	if err != nil {
		return 0, err
	}
	leaves := 0
	for i, e := range meta.Schema {
		if i > 0 && e.NumChildren.V == 0 {
			leaves++
		}
	}
	end := int64(len(magic))
	for i, g := range meta.RowGroups {
		if len(g.Columns) != leaves {
			return 0, fmt.Errorf("parquet: row group %d has %d columns, the schema %d", i, len(g.Columns), leaves)
		}
		if g.NumRows < 0 {
			return 0, fmt.Errorf("parquet: row group %d has %d rows", i, g.NumRows)
		}
		rows += g.NumRows
		for _, c := range g.Columns {
			m := &c.MetaData
			start := m.DataPageOffset
			if m.DictionaryPageOffset != 0 {
				start = m.DictionaryPageOffset
			}
			if start < end || m.TotalCompressedSize <= 0 || m.TotalCompressedSize > footer-start {
				return 0, fmt.Errorf("parquet: row group %d, column %s: %d bytes at %d do not fit between %d and %d",
					i, strings.Join(m.PathInSchema, "."), m.TotalCompressedSize, start, end, footer)
			}
			if m.NumValues < g.NumRows {
				return 0, fmt.Errorf("parquet: row group %d, column %s: %d values for %d rows",
					i, strings.Join(m.PathInSchema, "."), m.NumValues, g.NumRows)
			}
			end = start + m.TotalCompressedSize
		}
	}
	if rows != meta.NumRows {
		return 0, fmt.Errorf("parquet: the footer says %d rows, its row groups %d", meta.NumRows, rows)
	}
	return rows, nil
}

const tailSize = 8 // the footer's length and the magic number

// readFooter returns the footer and where it starts.
func readFooter(r io.ReaderAt, size int64) (*format.FileMetaData, int64, error) {
	if size < int64(len(magic))+tailSize {
		return nil, 0, fmt.Errorf("parquet: %d bytes are too few for a file", size)
	}
	var head [len(magic)]byte
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return nil, 0, fmt.Errorf("parquet: read head: %w", err)
	}
	var tail [tailSize]byte
	if _, err := r.ReadAt(tail[:], size-tailSize); err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, fmt.Errorf("parquet: read tail: %w", err)
	}
	if string(head[:]) != magic || string(tail[4:]) != magic {
		return nil, 0, fmt.Errorf("parquet: not a Parquet file, or cut short: starts with %q and ends with %q", head, tail[4:])
	}
	n := int64(binary.LittleEndian.Uint32(tail[:]))
	if n > size-tailSize-int64(len(magic)) {
		return nil, 0, fmt.Errorf("parquet: footer of %d bytes in a file of %d", n, size)
	}
	footer := make([]byte, n)
	if _, err := r.ReadAt(footer, size-tailSize-n); err != nil {
		return nil, 0, fmt.Errorf("parquet: read footer: %w", err)
	}
	if _, err := skipStruct(footer, 0); err != nil {
		return nil, 0, fmt.Errorf("parquet: decode footer: %w", err)
	}
	meta := new(format.FileMetaData)
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), footer, meta); err != nil {
		return nil, 0, fmt.Errorf("parquet: decode footer: %w", err)
	}
	return meta, size - tailSize - n, nil
}

// maxDepth bounds the recursion into a file's schema and footer.
const maxDepth = 64

var errFooter = errors.New("damaged: its parts do not add up to its length")

// The types of Thrift's compact protocol.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI64    = 6 // 4 to 6 are integers, all written alike
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftStruct = 12
)

// skipStruct returns what follows the struct at the start of b. The decoder
// makes room for as many elements as a list announces, so a damaged footer must
// be turned away before: no element takes less than a byte.
func skipStruct(b []byte, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, errFooter
	}
	for len(b) > 0 {
		head := b[0]
		b = b[1:]
		if head == 0 {
			return b, nil
		}
		var err error
		if head>>4 == 0 { // the field's id does not fit beside its type
			if _, b, err = readUvarint(b); err != nil {
				return nil, err
			}
		}
		if kind := head & 15; kind != thriftTrue && kind != thriftFalse {
			if b, err = skipValue(b, kind, depth); err != nil {
				return nil, err
			}
		}
	}
	return nil, errFooter
}

func skipValue(b []byte, kind byte, depth int) ([]byte, error) {
	n := uint64(0) // bytes to skip
	var err error
	switch {
	case kind <= thriftByte:
		n = 1
	case kind <= thriftI64:
		_, b, err = readUvarint(b)
	case kind == thriftDouble:
		n = 8
	case kind == thriftBinary:
		n, b, err = readUvarint(b)
	case kind == thriftList || kind == thriftSet:
		return skipList(b, depth)
	case kind == thriftStruct:
		return skipStruct(b, depth+1)
	default:
		return nil, errFooter
	}
	if err != nil || n > uint64(len(b)) {
		return nil, errFooter
	}
	return b[n:], nil
}

func skipList(b []byte, depth int) ([]byte, error) {
	if len(b) == 0 || depth > maxDepth {
		return nil, errFooter
	}
	n, kind := uint64(b[0]>>4), b[0]&15
	b = b[1:]
	var err error
	if n == 15 {
		if n, b, err = readUvarint(b); err != nil {
			return nil, err
		}
	}
	if n > uint64(len(b)) {
		return nil, errFooter
	}
	for range n {
		if b, err = skipValue(b, kind, depth+1); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func readUvarint(b []byte) (uint64, []byte, error) {
	x, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, errFooter
	}
	return x, b[n:], nil
}

// printElement prints the first element and those below it, and returns the
// rest.
func printElement(b *strings.Builder, elements []format.SchemaElement, depth int) ([]format.SchemaElement, error) {
	if len(elements) == 0 {
		return nil, errors.New("parquet: the schema ends before its last element")
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("parquet: the schema is nested more than %d deep", maxDepth)
	}
	e, rest := &elements[0], elements[1:]
	b.WriteString(strings.Repeat("  ", depth))
	if depth == 0 {
		b.WriteString("message")
	} else {
		b.WriteString(strings.ToLower(e.RepetitionType.V.String()))
		b.WriteByte(' ')
		switch {
		case e.NumChildren.Valid:
			b.WriteString("group")
		case e.TypeLength.Valid:
			fmt.Fprintf(b, "%s(%d)", strings.ToLower(e.Type.V.String()), e.TypeLength.V)
		default:
			b.WriteString(strings.ToLower(e.Type.V.String()))
		}
	}
	b.WriteByte(' ')
	b.WriteString(e.Name)
	if e.FieldID != 0 {
		fmt.Fprintf(b, " = %d", e.FieldID)
	}
	if t := e.LogicalType.String(); t != "" {
		fmt.Fprintf(b, " (%s", t)
		if e.ConvertedType.Valid {
			fmt.Fprintf(b, ", converted %s", convertedName(e.ConvertedType.V))
		}
		b.WriteByte(')')
	}
	if !e.NumChildren.Valid && depth > 0 {
		b.WriteString(";\n")
		return rest, nil
	}
	b.WriteString(" {\n")
	var err error
	for range e.NumChildren.V {
		if rest, err = printElement(b, rest, depth+1); err != nil {
			return nil, err
		}
	}
	b.WriteString(strings.Repeat("  ", depth))
	b.WriteString("}\n")
	return rest, nil
}

// convertedName is the format's name of a converted type that this package
// writes, and the number of any other.
func convertedName(t deprecated.ConvertedType) string {
	switch t {
	case deprecated.UTF8:
		return "UTF8"
	case deprecated.List:
		return "LIST"
	case deprecated.Date:
		return "DATE"
	case deprecated.TimestampMicros:
		return "TIMESTAMP_MICROS"
	default:
		return strconv.Itoa(int(t))
	}
}
