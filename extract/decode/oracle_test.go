package decode_test

import (
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"seatlake/extract/decode"
	"seatlake/pipeline"
	"seatlake/schemas"
)

// pagesOf yields texts as the pages of a source, numbered from 1.
func pagesOf(texts ...string) pipeline.Pages {
	return func(yield func(*pipeline.Page, error) bool) {
		for i, text := range texts {
			if !yield(&pipeline.Page{Number: i + 1, Body: []byte(text)}, nil) {
				return
			}
		}
	}
}

// result is what a decoder made of some pages.
type result struct {
	rows    [][]any // by row and column, see cellOf
	batches []int64 // rows of each
	drift   decode.Drift
	err     error
}

// run decodes pages, checks every batch for consistency, and fails if memory is
// left behind.
func run(tb testing.TB, table *schemas.Table, o decode.Options, pages pipeline.Pages) (r result) {
	tb.Helper()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	o.Alloc = mem
	d := decode.For(table, o)
	in := d.Stream(pages)
	if want := schemas.ArrowSchema(table.Decoded()); !in.Schema.Equal(want) {
		tb.Fatalf("schema is %v, want %v", in.Schema, want)
	}
	for batch, err := range in.Batches {
		if err != nil {
			r.err = err
			continue
		}
		if r.err != nil {
			tb.Fatal("a batch follows an error")
		}
		if !batch.Schema().Equal(in.Schema) {
			tb.Fatalf("batch has schema %v, stream %v", batch.Schema(), in.Schema)
		}
		for _, c := range batch.Columns() {
			if err := array.ValidateFull(c); err != nil {
				tb.Fatal(err)
			}
		}
		r.batches = append(r.batches, batch.NumRows())
		r.rows = append(r.rows, rowsOf(batch)...)
	}
	if left := mem.CurrentAlloc(); left != 0 {
		tb.Fatalf("%d bytes are left behind", left)
	}
	r.drift = d.Drift()
	return r
}

// column gives a column's cells by name.
func (r result) column(tb testing.TB, table *schemas.Table, name string) []any {
	tb.Helper()
	for i, f := range table.Decoded() {
		if f.Name == name {
			out := make([]any, len(r.rows))
			for k := range r.rows {
				out[k] = r.rows[k][i]
			}
			return out
		}
	}
	tb.Fatalf("%s has no column %s", table.Name, name)
	return nil
}

func rowsOf(batch arrow.RecordBatch) [][]any {
	rows := make([][]any, batch.NumRows())
	for i := range rows {
		rows[i] = make([]any, batch.NumCols())
		for c := range rows[i] {
			rows[i][c] = cellOf(batch.Column(c), i)
		}
	}
	return rows
}

// cellOf gives a value in a form that can be compared: nil, string, bool, int64,
// float64; a GUID as lower-case text, a day as 2006-01-02, an instant in
// microseconds; []any for lists and structs.
func cellOf(a arrow.Array, i int) any {
	if a.IsNull(i) {
		return nil
	}
	switch a := a.(type) {
	case *array.Dictionary:
		return cellOf(a.Dictionary(), a.GetValueIndex(i))
	case *array.String:
		return strings.Clone(a.Value(i)) // the batch is only lent
	case *array.FixedSizeBinary:
		h := hex.EncodeToString(a.Value(i))
		return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
	case *array.Boolean:
		return a.Value(i)
	case *array.Int32:
		return int64(a.Value(i))
	case *array.Int64:
		return a.Value(i)
	case *array.Float64:
		return a.Value(i)
	case *array.Date32:
		return a.Value(i).ToTime().Format(time.DateOnly)
	case *array.Timestamp:
		return int64(a.Value(i))
	case *array.List:
		from, to := a.ValueOffsets(i)
		out := []any{}
		for k := from; k < to; k++ {
			out = append(out, cellOf(a.ListValues(), int(k)))
		}
		return out
	case *array.Struct:
		out := make([]any, a.NumField())
		for k := range out {
			out[k] = cellOf(a.Field(k), i)
		}
		return out
	default:
		panic(fmt.Sprintf("no rule for %T", a))
	}
}

// oracleJSON decodes a page with encoding/json.
func oracleJSON(table *schemas.Table, text string) ([][]any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var page map[string]any
	if err := d.Decode(&page); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("text after the page")
	}
	list, ok := page["value"].([]any)
	if !ok {
		return nil, fmt.Errorf("no value")
	}
	rows := [][]any{}
	for _, v := range list {
		row, ok := v.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("row is %T", v)
		}
		if _, ok := row["@removed"]; ok {
			return nil, fmt.Errorf("removed")
		}
		out, err := oracleFields(table.Decoded(), row)
		if err != nil {
			return nil, err
		}
		rows = append(rows, out)
	}
	return rows, nil
}

func oracleFields(fields []schemas.Field, from map[string]any) ([]any, error) {
	out := make([]any, len(fields))
	for i := range fields {
		f := &fields[i]
		path := strings.Split(f.From, ".")
		at, ok := any(from), true
		for _, name := range path {
			m, isMap := at.(map[string]any)
			if !isMap {
				if at != nil {
					return nil, fmt.Errorf("%s: %T is no object", f.Name, at)
				}
				ok = false
				break
			}
			at = m[name]
		}
		if !ok {
			at = nil
		}
		var err error
		if out[i], err = oracleValue(f, at); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		if f.Required && out[i] == nil {
			return nil, fmt.Errorf("%s is required", f.Name)
		}
	}
	return out, nil
}

func oracleValue(f *schemas.Field, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	switch v := v.(type) {
	case string:
		if f.Kind == schemas.String {
			return v, nil
		}
		return oracleText(f.Kind, v)
	case bool:
		if f.Kind == schemas.Bool {
			return v, nil
		}
	case json.Number:
		switch f.Kind {
		case schemas.Int32:
			n, err := strconv.ParseInt(v.String(), 10, 32)
			return n, err
		case schemas.Int64:
			n, err := strconv.ParseInt(v.String(), 10, 64)
			return n, err
		case schemas.Float64:
			return v.Float64()
		}
	case []any:
		if f.Kind == schemas.List {
			out := []any{}
			for _, e := range v {
				x, err := oracleValue(f.Elem, e)
				if err != nil {
					return nil, err
				}
				out = append(out, x)
			}
			return out, nil
		}
	case map[string]any:
		if f.Kind == schemas.Struct {
			return oracleAny(oracleFields(f.Fields, v))
		}
	}
	return nil, fmt.Errorf("%T for %v", v, f.Kind)
}

func oracleAny(v []any, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

// oracleText reads the text of a GUID, day or instant.
func oracleText(kind schemas.Kind, v string) (any, error) {
	if kind == schemas.UUID {
		v = strings.TrimSpace(v)
		if v == "" {
			return nil, nil
		}
		b, err := hex.DecodeString(strings.ReplaceAll(v, "-", ""))
		if err != nil || len(b) != 16 || len(v) != 36 || v[8] != '-' || v[13] != '-' || v[18] != '-' || v[23] != '-' {
			return nil, fmt.Errorf("%q is no GUID", v)
		}
		return strings.ToLower(v), nil
	}
	if v == "" {
		return nil, nil
	}
	layout := time.RFC3339Nano
	switch {
	case kind == schemas.Date && len(v) == 10:
		layout = time.DateOnly
	case kind == schemas.Date, kind == schemas.Timestamp:
	default:
		return nil, fmt.Errorf("text for %v", kind)
	}
	t, err := time.Parse(layout, v)
	if err != nil || strings.Contains(v, ",") || len(v) > 35 {
		return nil, fmt.Errorf("%q: %v", v, err)
	}
	if v[:4] == "0001" {
		return nil, nil
	}
	if kind == schemas.Date {
		return t.UTC().Format(time.DateOnly), nil
	}
	return t.UnixMicro(), nil
}

// oracleCSV decodes a report with encoding/csv. The second result counts the
// rows that were left out.
func oracleCSV(table *schemas.Table, text string) ([][]any, int64, error) {
	text = strings.TrimPrefix(text, "\ufeff")
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = -1
	header, err := r.Read()
	if err != nil {
		return nil, 0, err
	}
	fields := table.Decoded()
	at := make([]int, len(fields))
	for i, f := range fields {
		at[i] = -1
		for k, h := range header {
			if strings.EqualFold(strings.TrimSpace(h), f.From) {
				if at[i] >= 0 {
					return nil, 0, fmt.Errorf("%s twice", h)
				}
				at[i] = k
			}
		}
	}
	var skipped int64
	rows := [][]any{}
	for {
		cells, err := r.Read()
		if err == io.EOF {
			return rows, skipped, nil
		}
		if err != nil {
			return nil, 0, err
		}
		for k := len(header); k < len(cells); k++ {
			if cells[k] != "" {
				return nil, 0, fmt.Errorf("cell too many")
			}
		}
		cell := func(i int) string {
			if at[i] < 0 || at[i] >= len(cells) {
				return ""
			}
			return cells[at[i]]
		}
		row := make([]any, len(fields))
		for i := range fields {
			if row[i], err = oracleCell(&fields[i], cell(i)); err != nil {
				return nil, 0, err
			}
		}
		refresh, user := fields[0].From == "Report Refresh Date" && row[0] == nil, false
		for i, f := range fields {
			if f.From == "User Principal Name" || f.From == "Owner Principal Name" {
				user = row[i] == nil
			}
		}
		if refresh && user {
			skipped++
			continue
		}
		if refresh {
			return nil, 0, fmt.Errorf("no refresh date")
		}
		rows = append(rows, row)
	}
}

func oracleCell(f *schemas.Field, v string) (any, error) {
	if v == "" {
		return nil, nil
	}
	switch f.Kind {
	case schemas.String:
		return v, nil
	case schemas.List:
		// A '+' between two names has no blank on either side.
		var out []any
		out = []any{}
		name := ""
		for i := range len(v) {
			if v[i] == '+' && (i == 0 || v[i-1] != ' ') && (i+1 == len(v) || v[i+1] != ' ') {
				if name = strings.TrimSpace(name); name != "" {
					out = append(out, name)
				}
				name = ""
				continue
			}
			name += v[i : i+1]
		}
		if name = strings.TrimSpace(name); name != "" {
			out = append(out, name)
		}
		return out, nil
	}
	v = strings.TrimSpace(v)
	if v == "" {
		return nil, nil
	}
	switch f.Kind {
	case schemas.Bool:
		switch strings.ToLower(v) {
		case "true", "yes":
			return true, nil
		case "false", "no":
			return false, nil
		}
	case schemas.Int32:
		return oracleInt(v, 32)
	case schemas.Int64:
		return oracleInt(v, 64)
	case schemas.UUID, schemas.Date, schemas.Timestamp:
		return oracleText(f.Kind, v)
	}
	return nil, fmt.Errorf("%q for %v", v, f.Kind)
}

func oracleInt(v string, size int) (any, error) {
	n, err := strconv.ParseInt(v, 10, size)
	if err != nil || v[0] == '+' {
		return nil, fmt.Errorf("%q is no integer", v)
	}
	return n, nil
}

func textOf(tb testing.TB, p *pipeline.Page) string {
	tb.Helper()
	return string(bytes.Clone(p.Body))
}
