package parquet_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"seatlake/load/parquet"
	"seatlake/schemas"
)

// TestReadGivesBackWhatWasWritten writes what was read: the bytes of a file are a
// function of its rows, so the same bytes are the same cells.
func TestReadGivesBackWhatWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCase(t)
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		file := c.write(t, mem)
		again, _ := rewrite(t, file, c.table, parquet.ReadOptions{Allocator: mem}, c.options)
		mem.AssertSize(t, 0)
		if !bytes.Equal(file, again) {
			t.Fatalf("a file of %d rows read and written gives other bytes", c.n)
		}
	})
}

type fataler interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// rewrite reads a file and writes it as the table's, and gives the digest of its rows.
func rewrite(t fataler, file []byte, table *schemas.Table, o parquet.ReadOptions, w parquet.Options) ([]byte, string) {
	t.Helper()
	in, err := parquet.Read(bytes.NewReader(file), int64(len(file)), table, o)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	to, err := parquet.NewWriter(&out, table, w)
	if err != nil {
		t.Fatal(err)
	}
	var digest parquet.Digest
	for batch, err := range in.Batches {
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(digest.Add(batch), to.Write(batch)); err != nil {
			t.Fatal(err)
		}
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), digest.Sum()
}

// TestDigestIsOfRowsAlone finds one cell that differs, and no difference in batches.
func TestDigestIsOfRowsAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCase(t)
		if c.n == 0 {
			return
		}
		sum := c.digest(t)
		c.batchRows = rapid.IntRange(1, 400).Draw(t, "other batch rows")
		c.seed++
		if c.digest(t) != sum {
			t.Fatal("the same rows in other batches have another digest")
		}
		f := &c.table.Fields[0]
		row := rapid.IntRange(0, c.n-1).Draw(t, "row")
		g := &gen{Rand: rand.New(rand.NewPCG(c.seed, 3)), nulls: 0.3}
		other := g.value(f)
		if sameCell(other, c.columns[0][row]) {
			return
		}
		c.columns[0][row] = other
		if c.digest(t) == sum {
			t.Fatalf("another value in row %d has the same digest", row)
		}
	})
}

func sameCell(a, b any) bool {
	if x, ok := a.([]any); ok {
		y, _ := b.([]any)
		return len(x) == len(y)
	}
	switch a.(type) {
	case listValue, structValue, float64:
		return true // not told apart here
	}
	return a == b
}

func (c *testCase) digest(t *rapid.T) string {
	var d parquet.Digest
	g := &gen{Rand: rand.New(rand.NewPCG(c.seed, 2)), mem: memory.DefaultAllocator, nulls: 0.3, wild: true}
	for lo := 0; lo < c.n; {
		hi := min(c.n, lo+1+g.IntN(c.batchRows))
		part := make([][]any, len(c.columns))
		for i := range part {
			part[i] = c.columns[i][lo:hi]
		}
		batch := g.batch(c.table, part, hi-lo)
		if err := d.Add(batch); err != nil {
			t.Fatal(err)
		}
		batch.Release()
		lo = hi
	}
	return d.Sum()
}

// old and new are one table at two times.
func oldAndNew() (before, after *schemas.Table) {
	before = &schemas.Table{Name: "devices", Version: 1, Fields: []schemas.Field{
		{ID: 1, Name: "id", Kind: schemas.Int32, Required: true},
		{ID: 2, Name: "name", Kind: schemas.String},
		{ID: 3, Name: "gone", Kind: schemas.String, Dict: true},
		{ID: 4, Name: "plans", Kind: schemas.List, Elem: &schemas.Field{ID: 5, Name: "element", Kind: schemas.Struct, Fields: []schemas.Field{
			{ID: 6, Name: "count", Kind: schemas.Int32},
			{ID: 7, Name: "lost", Kind: schemas.String},
		}}},
	}}
	after = &schemas.Table{Name: "devices", Version: 1, Fields: []schemas.Field{
		{ID: 8, Name: "added", Kind: schemas.Date, Dict: true},
		{ID: 1, Name: "id", Kind: schemas.Int64, Required: true},
		{ID: 2, Name: "name", Kind: schemas.String, Dict: true},
		{ID: 4, Name: "plans", Kind: schemas.List, Elem: &schemas.Field{ID: 5, Name: "element", Kind: schemas.Struct, Fields: []schemas.Field{
			{ID: 9, Name: "note", Kind: schemas.String},
			{ID: 6, Name: "count", Kind: schemas.Int64},
		}}},
	}}
	return before, after
}

func TestOldFilesAreReadAsTheTableIsNow(t *testing.T) {
	before, after := oldAndNew()
	rapid.Check(t, func(t *rapid.T) {
		c := &testCase{table: before, n: rapid.IntRange(0, 200).Draw(t, "rows"), seed: rapid.Uint64().Draw(t, "seed"), batchRows: 50}
		g := &gen{Rand: rand.New(rand.NewPCG(c.seed, 1)), nulls: 0.3}
		for i := range before.Fields {
			c.columns = append(c.columns, g.rows(&before.Fields[i], c.n))
		}
		got, _ := rewrite(t, c.write(t, memory.DefaultAllocator), after, parquet.ReadOptions{}, parquet.Options{})

		want := &testCase{table: after, n: c.n, seed: c.seed, batchRows: 50}
		added, ids, plans := make([]any, c.n), make([]any, c.n), make([]any, c.n)
		for i := range c.n {
			ids[i] = int64(c.columns[0][i].(int32))
			list, ok := c.columns[3][i].(listValue)
			if !ok {
				continue
			}
			items := listValue{}
			for _, item := range list {
				s, ok := item.(structValue)
				if !ok {
					items = append(items, nil)
					continue
				}
				var count any
				if n, ok := s[0].(int32); ok {
					count = int64(n)
				}
				items = append(items, structValue{nil, count})
			}
			plans[i] = items
		}
		want.columns = [][]any{added, ids, c.columns[1], plans}
		if !bytes.Equal(got, want.write(t, memory.DefaultAllocator)) {
			t.Fatal("the rows are not those of the file with the columns of the table")
		}
	})
}

func TestReadRefusesWhatItCannotHold(t *testing.T) {
	before, after := oldAndNew()
	file := func(table *schemas.Table) []byte {
		var out bytes.Buffer
		w, err := parquet.NewWriter(&out, table, parquet.Options{})
		if err != nil {
			t.Fatal(err)
		}
		mustWrite(t, w.Close)
		return out.Bytes()
	}
	read := func(body []byte, table *schemas.Table) error {
		_, err := parquet.Read(bytes.NewReader(body), int64(len(body)), table, parquet.ReadOptions{})
		return err
	}
	t.Run("a column that came later", func(t *testing.T) {
		err := read(file(after), before)
		if !errors.Is(err, parquet.ErrNewer) || !strings.Contains(err.Error(), "added") {
			t.Fatal(err)
		}
	})
	t.Run("a type that is no wider", func(t *testing.T) {
		narrow := *after
		narrow.Fields = append([]schemas.Field{}, after.Fields...)
		narrow.Fields[1].Kind = schemas.Int32
		if err := read(file(after), &narrow); err == nil || !strings.Contains(err.Error(), "column id is of type") {
			t.Fatal(err)
		}
	})
	t.Run("a file without a column that is never null", func(t *testing.T) {
		strict := *before
		strict.Fields = append(append([]schemas.Field{}, before.Fields...), schemas.Field{ID: 8, Name: "must", Kind: schemas.Bool, Required: true})
		if err := read(file(before), &strict); err == nil || !strings.Contains(err.Error(), "column must is missing") {
			t.Fatal(err)
		}
	})
	t.Run("a damaged file", func(t *testing.T) {
		body := file(before)
		if err := read(body[:len(body)-1], before); err == nil {
			t.Fatal("no error")
		}
	})
}

func TestEditDropsRowsAndChangesTexts(t *testing.T) {
	table := &schemas.Table{Name: "people", Version: 1, Fields: []schemas.Field{
		{ID: 1, Name: "name", Kind: schemas.String},
		{ID: 2, Name: "mails", Kind: schemas.List, Elem: &schemas.Field{ID: 3, Name: "element", Kind: schemas.String}},
		{ID: 4, Name: "count", Kind: schemas.Int64},
	}}
	write := func(names, mails []any) []byte {
		c := &testCase{table: table, n: len(names), batchRows: 10}
		counts := make([]any, len(names))
		for i := range counts {
			counts[i] = int64(7)
		}
		c.columns = [][]any{names, mails, counts}
		var file []byte
		rapid.Check(t, func(t *rapid.T) { file = c.write(t, memory.DefaultAllocator) })
		return file
	}
	before := write([]any{"ann", "bob", nil, "cid"}, []any{listValue{"a@x", "b@x"}, nil, listValue{"b@x"}, listValue{}})
	after := write([]any{"ann", nil, "CID"}, []any{listValue{"a@x", nil}, listValue{nil}, listValue{}})
	edited := 0
	got, _ := rewrite(t, before, table, parquet.ReadOptions{Edit: func(r *parquet.Row) (bool, error) {
		keep := true
		err := r.Texts(func(f *schemas.Field, value []byte) parquet.Change {
			switch string(value) {
			case "bob":
				keep = false
			case "b@x":
				return parquet.Change{Drop: true}
			case "cid":
				return parquet.Change{To: []byte("CID")}
			}
			return parquet.Change{}
		})
		if r.Edited() {
			edited++
		}
		return keep, err
	}}, parquet.Options{})
	if !bytes.Equal(got, after) || edited != 3 {
		t.Fatalf("the edited rows are not the expected ones; %d were edited", edited)
	}
}
