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
	meta, err := readFooter(r, size)
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
// rows: magic numbers, footer, schema, and that the chunks cover the file from
// the first page to the footer without gap or overlap.
func Verify(r io.ReaderAt, size int64) (rows int64, err error) {
	meta, err := readFooter(r, size)
	if err != nil {
		return 0, err
	}
	leaves := 0
	for i, e := range meta.Schema {
		if i > 0 && !e.NumChildren.Valid {
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
			if start != end || m.TotalCompressedSize <= 0 || m.TotalCompressedSize > size-end {
				return 0, fmt.Errorf("parquet: row group %d, column %s: %d bytes at %d, where %d is next of %d",
					i, strings.Join(m.PathInSchema, "."), m.TotalCompressedSize, start, end, size)
			}
			end += m.TotalCompressedSize
		}
	}
	if rows != meta.NumRows {
		return 0, fmt.Errorf("parquet: the footer says %d rows, its row groups %d", meta.NumRows, rows)
	}
	return rows, nil
}

const tailSize = 8 // the footer's length and the magic number

func readFooter(r io.ReaderAt, size int64) (*format.FileMetaData, error) {
	if size < int64(len(magic))+tailSize {
		return nil, fmt.Errorf("parquet: %d bytes are too few for a file", size)
	}
	var head [len(magic)]byte
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return nil, fmt.Errorf("parquet: read head: %w", err)
	}
	var tail [tailSize]byte
	if _, err := r.ReadAt(tail[:], size-tailSize); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("parquet: read tail: %w", err)
	}
	if string(head[:]) != magic || string(tail[4:]) != magic {
		return nil, fmt.Errorf("parquet: not a Parquet file, or cut short: starts with %q and ends with %q", head, tail[4:])
	}
	n := int64(binary.LittleEndian.Uint32(tail[:]))
	if n > size-tailSize-int64(len(magic)) {
		return nil, fmt.Errorf("parquet: footer of %d bytes in a file of %d", n, size)
	}
	footer := make([]byte, n)
	if _, err := r.ReadAt(footer, size-tailSize-n); err != nil {
		return nil, fmt.Errorf("parquet: read footer: %w", err)
	}
	meta := new(format.FileMetaData)
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), footer, meta); err != nil {
		return nil, fmt.Errorf("parquet: decode footer: %w", err)
	}
	return meta, nil
}

// printElement prints the first element and those below it, and returns the
// rest.
func printElement(b *strings.Builder, elements []format.SchemaElement, depth int) ([]format.SchemaElement, error) {
	if len(elements) == 0 {
		return nil, errors.New("parquet: the schema ends before its last element")
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
	if !e.NumChildren.Valid {
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
