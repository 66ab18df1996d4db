package parquet_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"
	reader "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"seatlake/load/parquet"
	"seatlake/schemas"
)

// people is a small table with a dictionary, a list and a required column.
var people = &schemas.Table{Name: "people", Version: 1, Fields: []schemas.Field{
	{ID: 1, Name: "id", Kind: schemas.Int64, Required: true},
	{ID: 2, Name: "name", Kind: schemas.String},
	{ID: 3, Name: "team", Kind: schemas.String, Dict: true},
	{ID: 4, Name: "mails", Kind: schemas.List, Elem: &schemas.Field{ID: 5, Name: "element", Kind: schemas.String}},
}}

func newGen(mem memory.Allocator) *gen {
	return &gen{Rand: rand.New(rand.NewPCG(7, 7)), mem: mem}
}

// peopleBatch is rows of people, their ids from first on.
func peopleBatch(mem memory.Allocator, first, n int) arrow.RecordBatch {
	g := newGen(mem)
	g.nulls = 0.2
	columns := make([][]any, len(people.Fields))
	for i := range columns {
		columns[i] = g.rows(&people.Fields[i], n)
	}
	for i := range columns[0] {
		columns[0][i] = int64(first + i)
	}
	return g.batch(people, columns, n)
}

func TestWriteRefuses(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	one := func(f schemas.Field, a arrow.Array) (*schemas.Table, arrow.RecordBatch) {
		table := &schemas.Table{Name: "t", Fields: []schemas.Field{f}}
		defer a.Release()
		return table, array.NewRecordBatch(table.Arrow(), []arrow.Array{a}, int64(a.Len()))
	}
	required := schemas.Field{ID: 1, Name: "at", Kind: schemas.Int64, Required: true}
	listed := schemas.Field{ID: 1, Name: "plans", Kind: schemas.List, Elem: &required}
	dict := schemas.Field{ID: 1, Name: "sku", Kind: schemas.String, Dict: true}
	g := newGen(mem)

	for _, tc := range []struct {
		name string
		make func() (*schemas.Table, arrow.RecordBatch)
		want string
	}{
		{"a batch with other columns", func() (*schemas.Table, arrow.RecordBatch) {
			_, b := one(dict, g.array(&dict, []any{"a"}))
			return people, b
		}, "batch has 1 columns, the table 4"},
		{"a batch with a column of another type", func() (*schemas.Table, arrow.RecordBatch) {
			other := schemas.Field{ID: 1, Name: "at", Kind: schemas.Int32, Required: true}
			_, b := one(other, g.array(&other, []any{int32(1)}))
			return &schemas.Table{Name: "t", Fields: []schemas.Field{required}}, b
		}, "column 0 of the batch is at int32 (nullable false), of the table at int64 (nullable false)"},
		{"null in a required column", func() (*schemas.Table, arrow.RecordBatch) {
			return one(required, g.array(&required, []any{int64(1), nil}))
		}, "rows 0 to 1: column at is required, but 1 values are null"},
		{"null in a required element", func() (*schemas.Table, arrow.RecordBatch) {
			return one(listed, g.array(&listed, []any{listValue{int64(1), nil}}))
		}, "column plans.list.at is required, but 1 values are null"},
		{"an index outside its dictionary", func() (*schemas.Table, arrow.RecordBatch) {
			a := g.array(&dict, []any{"a", "b"}).(*array.Dictionary)
			a.Indices().(*array.Int32).Int32Values()[1] = 9
			return one(dict, a)
		}, "column sku: dictionary index 9, of 2 values"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			table, batch := tc.make()
			defer batch.Release()
			var file bytes.Buffer
			w, err := parquet.NewWriter(&file, table, parquet.Options{})
			if err != nil {
				t.Fatal(err)
			}
			err = w.Write(batch)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("Write: %v, want %q in it", err, tc.want)
			}
			if again := w.Close(); !errors.Is(again, err) {
				t.Errorf("Close after a failed Write: %v", again)
			}
			if _, err := parquet.Verify(bytes.NewReader(file.Bytes()), int64(file.Len())); err == nil {
				t.Error("the file of a failed Write passes Verify")
			}
		})
	}
}

// failingWriter fails the call when it counts down to zero.
type failingWriter struct {
	io.Writer
	calls int
}

var errDisk = errors.New("disk full")

func (f *failingWriter) Write(p []byte) (int, error) {
	if f.calls--; f.calls < 0 {
		return 0, errDisk
	}
	return f.Writer.Write(p)
}

func TestEveryFailureOfTheFileIsReturned(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	batch := peopleBatch(mem, 0, 20)
	defer batch.Release()
	write := func(out io.Writer) error {
		w, err := parquet.NewWriter(out, people, parquet.Options{RowGroupRows: 8})
		if err != nil {
			return err
		}
		return errors.Join(w.Write(batch), w.Close())
	}
	failures := 0
	for n := 0; ; n++ {
		var file bytes.Buffer
		err := write(&failingWriter{&file, n})
		if err == nil {
			break
		}
		failures++
		if !errors.Is(err, errDisk) {
			t.Fatalf("call %d: %v", n, err)
		}
		if _, err := parquet.Verify(bytes.NewReader(file.Bytes()), int64(file.Len())); err == nil {
			t.Fatalf("call %d: the file passes Verify", n)
		}
	}
	if want := 1 + 3*4 + 1; failures != want { // head, three row groups, footer
		t.Errorf("%d calls can fail, want %d", failures, want)
	}
}

func TestCloseEndsTheFile(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	var file bytes.Buffer
	w, err := parquet.NewWriter(&file, people, parquet.Options{Metadata: map[string]string{"table": "people", "run": "r1", "version": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	batch := peopleBatch(mem, 0, 5)
	defer batch.Release()
	mustWrite(t, func() error { return w.Write(batch) })
	mustWrite(t, w.Close)
	size := file.Len()
	mustWrite(t, w.Close)
	if err := w.Write(batch); err == nil {
		t.Error("Write after Close succeeds")
	}
	if file.Len() != size {
		t.Errorf("the file grew from %d to %d bytes after Close", size, file.Len())
	}
	f, err := reader.OpenFile(bytes.NewReader(file.Bytes()), int64(size))
	if err != nil {
		t.Fatal(err)
	}
	want := []format.KeyValue{{Key: "run", Value: "r1"}, {Key: "table", Value: "people"}, {Key: "version", Value: "1"}}
	if diff := cmp.Diff(want, []format.KeyValue(f.Metadata().KeyValueMetadata)); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
}

func TestRowGroupsAreOfOneSize(t *testing.T) {
	for _, tc := range []struct {
		name    string
		options parquet.Options
		want    []int64
	}{
		{"by rows, over the borders of batches", parquet.Options{RowGroupRows: 2500}, []int64{2500, 2500, 1300}},
		{"by bytes, at the first look past the limit", parquet.Options{RowGroupBytes: 100_000}, []int64{3072, 3072, 156}},
		{"all in one by default", parquet.Options{}, []int64{6300}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
			defer mem.AssertSize(t, 0)
			table := &schemas.Table{Name: "t", Fields: []schemas.Field{{ID: 1, Name: "name", Kind: schemas.String, Required: true}}}
			var file bytes.Buffer
			w, err := parquet.NewWriter(&file, table, tc.options)
			if err != nil {
				t.Fatal(err)
			}
			rows := make([]any, 700)
			for i := range rows {
				rows[i] = strings.Repeat("x", 30) // and four bytes for its offset
			}
			batch := newGen(mem).batch(table, [][]any{rows}, len(rows))
			defer batch.Release()
			for range 9 {
				mustWrite(t, func() error { return w.Write(batch) })
			}
			mustWrite(t, w.Close)
			f, err := reader.OpenFile(bytes.NewReader(file.Bytes()), int64(file.Len()))
			if err != nil {
				t.Fatal(err)
			}
			var got []int64
			for _, g := range f.RowGroups() {
				got = append(got, g.NumRows())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("rows of the groups (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRowsAreWrittenWithoutAllocations(t *testing.T) {
	const groupRows = 8192
	for _, table := range []*schemas.Table{schemas.GraphSignIns, schemas.GraphUserLicenses} {
		batches := realisticBatches(table, groupRows, groupRows/4, memory.DefaultAllocator)
		w, err := parquet.NewWriter(io.Discard, table, parquet.Options{RowGroupRows: groupRows})
		if err != nil {
			t.Fatal(err)
		}
		// A run is a row group: it allocates what the footer keeps of it.
		allocs := testing.AllocsPerRun(5, func() {
			for _, b := range batches {
				if err := w.Write(b); err != nil {
					t.Fatal(err)
				}
			}
		})
		if allocs > groupRows/10 {
			t.Errorf("%s: %.0f allocations for %d rows", table.Name, allocs, groupRows)
		}
	}
}

func TestVerifyFindsDamage(t *testing.T) {
	file := smallFile(t)
	rows, err := parquet.Verify(bytes.NewReader(file), int64(len(file)))
	if err != nil || rows != 30 {
		t.Fatalf("whole file: %d rows, %v", rows, err)
	}
	t.Run("a file cut short anywhere", func(t *testing.T) {
		for n := range file {
			if _, err := parquet.Verify(bytes.NewReader(file[:n]), int64(n)); err == nil {
				t.Fatalf("cut to %d of %d bytes: no error", n, len(file))
			}
		}
	})
	t.Run("a file that lost bytes before its footer", func(t *testing.T) {
		for n := 1; n < 60; n++ {
			cut := append(bytes.Clone(file[:4]), file[4+n:]...)
			if _, err := parquet.Verify(bytes.NewReader(cut), int64(len(cut))); err == nil {
				t.Fatalf("%d bytes lost: no error", n)
			}
		}
	})
	t.Run("a size that is not the file's", func(t *testing.T) {
		if _, err := parquet.Verify(bytes.NewReader(file), int64(len(file)+10)); err == nil {
			t.Error("no error")
		}
	})
}

// smallFile is thirty people in four row groups.
func smallFile(t testing.TB) []byte {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	var file bytes.Buffer
	w, err := parquet.NewWriter(&file, people, parquet.Options{RowGroupRows: 8, Metadata: map[string]string{"table": "people"}})
	if err != nil {
		t.Fatal(err)
	}
	batch := peopleBatch(mem, 0, 30)
	defer batch.Release()
	mustWrite(t, func() error { return w.Write(batch) })
	mustWrite(t, w.Close)
	return file.Bytes()
}

// FuzzFooter looks for a file that ends in a panic, or in more memory than the
// file's size allows, instead of an error.
func FuzzFooter(f *testing.F) {
	file := smallFile(f)
	f.Add(file)
	f.Add(file[len(file)-200:])
	f.Add([]byte("PAR1\x00\x01\x00\x00\x00PAR1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		rows, err := parquet.Verify(bytes.NewReader(b), int64(len(b)))
		if err == nil && rows < 0 {
			t.Errorf("%d rows", rows)
		}
		_, _ = parquet.Print(bytes.NewReader(b), int64(len(b)))
	})
}
