package parquet

import (
	"errors"
	"fmt"
	"io"

	pq "github.com/parquet-go/parquet-go"
)

// Verdict is what becomes of a row of a mart.
type Verdict struct {
	Drop bool
	Set  map[int][]byte // by column: its new text; nil becomes null
}

// MartRow is a row of a mart by its columns. Texts are those of columns that hold one
// text a row and are not null.
type MartRow struct {
	Columns []string
	Texts   map[int]string
}

// EditMart copies a file of any schema, whatever wrote it, row by row, and leaves out or
// changes rows as fn says. It returns how many were. The copy has the columns, types
// and order of rows of the file, and other pages.
func EditMart(r io.ReaderAt, size int64, w io.Writer, fn func(MartRow) Verdict) (dropped, changed int64, err error) {
	file, err := openFile(r, size)
	if err != nil {
		return 0, 0, err
	}
	schema := file.Schema()
	columns := make([]string, len(schema.Columns()))
	texts := make([]bool, len(columns))
	for _, c := range file.Root().Columns() {
		if c.Leaf() && !c.Repeated() {
			columns[c.Index()], texts[c.Index()] = c.Name(), c.Type().Kind() == pq.ByteArray
		}
	}
	out := pq.NewWriter(w, schema, pq.Compression(&pq.Zstd), pq.CreatedBy("seatlake", "1.0.0", ""))
	buffer := make([]pq.Row, 256)
	for _, group := range file.RowGroups() {
		rows := group.Rows()
		for err == nil {
			var n int
			n, err = rows.ReadRows(buffer)
			kept := buffer[:0]
			for _, row := range buffer[:n] {
				v := judge(row, columns, texts, fn)
				switch {
				case v.Drop:
					dropped++
					continue
				case len(v.Set) > 0:
					changed++
				}
				kept = append(kept, row)
			}
			if _, werr := out.WriteRows(kept); werr != nil {
				err = werr
			}
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
		if err = errors.Join(err, rows.Close()); err != nil {
			return 0, 0, fmt.Errorf("parquet: copy rows: %w", err)
		}
	}
	return dropped, changed, out.Close()
}

// judge asks fn about a row, and changes its texts.
func judge(row pq.Row, columns []string, texts []bool, fn func(MartRow) Verdict) Verdict {
	r := MartRow{Columns: columns, Texts: map[int]string{}}
	for _, v := range row {
		if c := v.Column(); texts[c] && !v.IsNull() {
			r.Texts[c] = string(v.ByteArray())
		}
	}
	verdict := fn(r)
	for i, v := range row {
		to, change := verdict.Set[v.Column()]
		switch {
		case !change:
		case to == nil && v.DefinitionLevel() > 0:
			row[i] = pq.NullValue().Level(v.RepetitionLevel(), v.DefinitionLevel()-1, v.Column())
		default:
			row[i] = pq.ByteArrayValue(to).Level(v.RepetitionLevel(), v.DefinitionLevel(), v.Column())
		}
	}
	return verdict
}
