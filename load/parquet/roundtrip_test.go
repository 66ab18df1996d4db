package parquet_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	_ "github.com/duckdb/duckdb-go/v2"
	"github.com/google/go-cmp/cmp"
	reader "github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"seatlake/load/parquet"
	"seatlake/schemas"
)

// sameValues holds NaN equal to itself, and tells the zeros apart.
var sameValues = cmp.Options{
	cmp.AllowUnexported(slot{}),
	cmp.Comparer(func(a, b float64) bool {
		return math.IsNaN(a) && math.IsNaN(b) || math.Float64bits(a) == math.Float64bits(b)
	}),
}

func TestEveryCellIsReadBack(t *testing.T) {
	duck := openDuck(t)
	dir := t.TempDir()
	files := 0
	rapid.Check(t, func(t *rapid.T) {
		c := drawCase(t)
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		file := c.write(t, mem)
		mem.AssertSize(t, 0)

		rows, err := parquet.Verify(bytes.NewReader(file), int64(len(file)))
		if err != nil || rows != int64(c.n) {
			t.Fatalf("Verify: %d rows, %v; want %d", rows, err, c.n)
		}
		c.compareParquetGo(t, file)
		// DuckDB knows a file it has read by its name and time, and two may be
		// written within one tick: each has a name of its own.
		files++
		path := filepath.Join(dir, fmt.Sprintf("%d.parquet", files))
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(path)
		c.compareDuckDB(t, duck, path)
	})
}

func TestBatchesLeaveNoTrace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCase(t)
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		first := c.write(t, mem)
		c.batchRows = rapid.IntRange(1, 400).Draw(t, "other batch rows")
		c.seed++ // other dictionaries, offsets and junk
		second := c.write(t, mem)
		mem.AssertSize(t, 0)
		if !bytes.Equal(first, second) {
			t.Fatal("the same rows in other batches give other bytes")
		}
	})
}

// testCase is rows of a made-up table and how they are written.
type testCase struct {
	table     *schemas.Table
	n         int
	columns   [][]any
	seed      uint64
	batchRows int
	options   parquet.Options
}

func drawCase(t *rapid.T) *testCase {
	c := &testCase{
		n:         rapid.IntRange(0, 300).Draw(t, "rows"),
		seed:      rapid.Uint64().Draw(t, "seed"),
		batchRows: rapid.IntRange(1, 200).Draw(t, "batch rows"),
		options: parquet.Options{
			RowGroupRows:  rapid.SampledFrom([]int{0, 1, 7, 8, 100, 256}).Draw(t, "row group rows"),
			RowGroupBytes: rapid.SampledFrom([]int{0, 1}).Draw(t, "row group bytes"),
		},
	}
	if rapid.IntRange(0, 9).Draw(t, "long") == 0 {
		c.n *= 12
	}
	id := int32(0)
	c.table = &schemas.Table{Name: "drawn", Version: 1}
	for i := range rapid.IntRange(1, 4).Draw(t, "columns") {
		c.table.Fields = append(c.table.Fields, drawField(t, fmt.Sprintf("c%d", i), &id, 0))
	}
	g := &gen{
		Rand:  rand.New(rand.NewPCG(c.seed, 1)),
		nulls: rapid.SampledFrom([]float64{0, 0.02, 0.5, 1}).Draw(t, "nulls"),
		few:   rapid.Bool().Draw(t, "few distinct values"),
	}
	for i := range c.table.Fields {
		c.columns = append(c.columns, g.rows(&c.table.Fields[i], c.n))
	}
	return c
}

func drawField(t *rapid.T, name string, id *int32, depth int) schemas.Field {
	*id++
	f := schemas.Field{ID: *id, Name: name, Required: rapid.IntRange(0, 3).Draw(t, "required") == 0}
	last := schemas.Struct
	if depth >= 4 {
		last = schemas.Timestamp
	}
	f.Kind = schemas.Kind(rapid.IntRange(int(schemas.String), int(last)).Draw(t, "kind"))
	switch f.Kind {
	case schemas.String, schemas.UUID, schemas.Date:
		f.Dict = rapid.Bool().Draw(t, "dict")
	case schemas.List:
		elem := drawField(t, "element", id, depth+1)
		f.Elem = &elem
	case schemas.Struct:
		for i := range rapid.IntRange(1, 3).Draw(t, "members") {
			f.Fields = append(f.Fields, drawField(t, fmt.Sprintf("m%d", i), id, depth+1))
		}
	}
	return f
}

func (c *testCase) write(t *rapid.T, mem memory.Allocator) []byte {
	var file bytes.Buffer
	w, err := parquet.NewWriter(&file, c.table, c.options)
	if err != nil {
		t.Fatal(err)
	}
	g := &gen{Rand: rand.New(rand.NewPCG(c.seed, 2)), mem: mem, nulls: 0.3, wild: true}
	for lo := 0; lo < c.n; {
		hi := min(c.n, lo+g.IntN(c.batchRows+1)) // now and then an empty batch
		part := make([][]any, len(c.columns))
		for i := range part {
			part[i] = c.columns[i][lo:hi]
		}
		batch := g.batch(c.table, part, hi-lo)
		err := w.Write(batch)
		batch.Release()
		if err != nil {
			t.Fatal(err)
		}
		lo = hi
	}
	if w.Rows() != int64(c.n) {
		t.Fatalf("Rows is %d, want %d", w.Rows(), c.n)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// compareParquetGo compares every slot of every leaf, and each chunk's
// statistics with its values.
func (c *testCase) compareParquetGo(t *rapid.T, file []byte) {
	f, err := reader.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	if f.NumRows() != int64(c.n) {
		t.Fatalf("parquet-go sees %d rows, want %d", f.NumRows(), c.n)
	}
	from := 0
	for g, group := range f.RowGroups() {
		chunks := group.ColumnChunks()
		next := 0
		for i := range c.table.Fields {
			field := &c.table.Fields[i]
			for k, want := range shred(field, c.columns[i][from:from+int(group.NumRows())]) {
				kind := leafKinds(field)[k]
				got := readChunk(t, chunks[next], kind)
				if diff := cmp.Diff(want, got, sameValues); diff != "" {
					t.Fatalf("row group %d, leaf %d of column %s (-want +got):\n%s", g, k, field.Name, diff)
				}
				stats := f.Metadata().RowGroups[g].Columns[next].MetaData.Statistics
				checkStatistics(t, chunks[next].Type(), kind, want, stats.NullCount, stats.MinValue, stats.MaxValue)
				next++
			}
		}
		from += int(group.NumRows())
	}
}

func readChunk(t *rapid.T, chunk reader.ColumnChunk, kind schemas.Kind) []slot {
	var got []slot
	pages := chunk.Pages()
	defer pages.Close()
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		vs := make([]reader.Value, page.NumValues())
		n, err := page.Values().ReadValues(vs)
		if n != len(vs) || err != nil && !errors.Is(err, io.EOF) {
			t.Fatalf("%d of %d values: %v", n, len(vs), err)
		}
		for _, v := range vs {
			got = append(got, slot{v.RepetitionLevel(), v.DefinitionLevel(), plainValue(v, kind)})
		}
		reader.Release(page)
	}
}

func plainValue(v reader.Value, kind schemas.Kind) any {
	if v.IsNull() {
		return nil
	}
	switch kind {
	case schemas.String:
		return string(v.ByteArray())
	case schemas.UUID:
		return uuid(v.ByteArray())
	case schemas.Bool:
		return v.Boolean()
	case schemas.Int32, schemas.Date:
		return v.Int32()
	case schemas.Float64:
		return v.Double()
	default:
		return v.Int64()
	}
}

// checkStatistics holds the bounds exact, or absent where none can be given.
func checkStatistics(t *rapid.T, typ reader.Type, kind schemas.Kind, slots []slot, nulls int64, least, greatest []byte) {
	var wantNulls int64
	var lo, hi reader.Value
	bounded := true
	for _, s := range slots {
		if s.value == nil {
			wantNulls++
			continue
		}
		if x, ok := s.value.(float64); ok && math.IsNaN(x) {
			bounded = false
		}
		v := readerValue(s.value)
		if lo.IsNull() || typ.Compare(v, lo) < 0 {
			lo = v
		}
		if hi.IsNull() || typ.Compare(v, hi) > 0 {
			hi = v
		}
	}
	if nulls != wantNulls {
		t.Fatalf("null count %d, want %d", nulls, wantNulls)
	}
	if kind == schemas.String && max(len(lo.ByteArray()), len(hi.ByteArray())) > 1024 {
		bounded = false
	}
	if lo.IsNull() || !bounded {
		if least != nil || greatest != nil {
			t.Fatalf("bounds %q to %q, want none", least, greatest)
		}
		return
	}
	if kind == schemas.Float64 {
		// The zeros are equal; a bound of zero includes both.
		if lo.Double() == 0 {
			lo = reader.DoubleValue(math.Copysign(0, -1))
		}
		if hi.Double() == 0 {
			hi = reader.DoubleValue(0)
		}
	}
	if !bytes.Equal(least, lo.Bytes()) || !bytes.Equal(greatest, hi.Bytes()) {
		t.Fatalf("bounds %q to %q, want %q to %q", least, greatest, lo.Bytes(), hi.Bytes())
	}
}

func readerValue(v any) reader.Value {
	switch v := v.(type) {
	case string:
		return reader.ByteArrayValue([]byte(v))
	case uuid:
		return reader.FixedLenByteArrayValue(v[:])
	case bool:
		return reader.BooleanValue(v)
	case int32:
		return reader.Int32Value(v)
	case int64:
		return reader.Int64Value(v)
	default:
		return reader.DoubleValue(v.(float64))
	}
}

func leafKinds(f *schemas.Field) []schemas.Kind {
	switch f.Kind {
	case schemas.List:
		return leafKinds(f.Elem)
	case schemas.Struct:
		var kinds []schemas.Kind
		for i := range f.Fields {
			kinds = append(kinds, leafKinds(&f.Fields[i])...)
		}
		return kinds
	default:
		return []schemas.Kind{f.Kind}
	}
}

func openDuck(t testing.TB) *sql.Conn {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	conn, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	for _, s := range []string{"set threads = 1", "set timezone = 'UTC'", "set preserve_insertion_order = true"} {
		if _, err := conn.ExecContext(context.Background(), s); err != nil {
			t.Fatal(err)
		}
	}
	return conn
}

// compareDuckDB compares every row as DuckDB reads it, and finds each scalar
// value again by a filter, which DuckDB answers with the help of statistics.
func (c *testCase) compareDuckDB(t *rapid.T, duck *sql.Conn, path string) {
	ctx := context.Background()
	rows, err := duck.QueryContext(ctx, fmt.Sprintf("select * from read_parquet('%s')", path))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	cells := make([]any, len(c.columns))
	into := make([]any, len(c.columns))
	for i := range cells {
		into[i] = &cells[i]
	}
	n := 0
	for ; rows.Next(); n++ {
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		for i := range c.table.Fields {
			f := &c.table.Fields[i]
			if diff := cmp.Diff(duckValue(f, c.columns[i][n]), cells[i], sameValues); diff != "" {
				t.Fatalf("DuckDB: row %d, column %s (-want +got):\n%s", n, f.Name, diff)
			}
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if n != c.n {
		t.Fatalf("DuckDB: %d rows, want %d", n, c.n)
	}
	for i := range c.table.Fields {
		if n > 0 {
			c.filterDuckDB(t, duck, path, &c.table.Fields[i], c.columns[i])
		}
	}
}

func (c *testCase) filterDuckDB(t *rapid.T, duck *sql.Conn, path string, f *schemas.Field, column []any) {
	wanted := column[len(column)/2]
	cast := map[schemas.Kind]string{
		schemas.String: "?", schemas.UUID: "?::uuid", schemas.Int32: "?::integer", schemas.Int64: "?::bigint",
		schemas.Bool: "?::boolean", schemas.Date: "?::date", schemas.Timestamp: "?::timestamptz",
	}[f.Kind]
	if cast == "" || wanted == nil {
		return
	}
	want := 0
	for _, v := range column {
		if v == wanted {
			want++
		}
	}
	arg := duckValue(f, wanted)
	if u, ok := wanted.(uuid); ok {
		arg = fmt.Sprintf("%x", u)
	}
	var got int
	query := fmt.Sprintf("select count(*) from read_parquet('%s') where %s = %s", path, f.Name, cast)
	if err := duck.QueryRowContext(context.Background(), query, arg).Scan(&got); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	if got != want {
		t.Fatalf("DuckDB finds %v in %d rows of column %s (%s), want %d", wanted, got, f.Name, f.Kind, want)
	}
}

// duckValue is a value as the driver scans it.
func duckValue(f *schemas.Field, v any) any {
	if v == nil {
		return nil
	}
	switch f.Kind {
	case schemas.UUID:
		u := v.(uuid)
		return u[:]
	case schemas.Date:
		return arrow.Date32(v.(int32)).ToTime()
	case schemas.Timestamp:
		return time.UnixMicro(v.(int64)).UTC()
	case schemas.List:
		l := make([]any, len(v.(listValue)))
		for i, e := range v.(listValue) {
			l[i] = duckValue(f.Elem, e)
		}
		return l
	case schemas.Struct:
		m := make(map[string]any, len(f.Fields))
		for i := range f.Fields {
			m[f.Fields[i].Name] = duckValue(&f.Fields[i], v.(structValue)[i])
		}
		return m
	default:
		return v
	}
}
