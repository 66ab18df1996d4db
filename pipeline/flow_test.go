package pipeline

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var numbers = arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil)

var errBroken = errors.New("broken")

// stream yields one batch for each slice of values, then err if it is not nil.
func stream(mem memory.Allocator, err error, batches ...[]int64) Stream {
	return Stream{Schema: numbers, Batches: func(yield func(arrow.RecordBatch, error) bool) {
		for _, values := range batches {
			b := array.NewInt64Builder(mem)
			b.AppendValues(values, nil)
			column := b.NewArray()
			b.Release()
			batch := array.NewRecordBatch(numbers, []arrow.Array{column}, int64(len(values)))
			column.Release()
			more := yield(batch, nil)
			batch.Release()
			if !more {
				return
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}}
}

// collect reads a whole stream.
func collect(s Stream) ([]int64, error) {
	var out []int64
	for batch, err := range s.Batches {
		if err != nil {
			return out, err
		}
		out = append(out, batch.Column(0).(*array.Int64).Int64Values()...)
	}
	return out, nil
}

func TestFanOut(t *testing.T) {
	consumer := func(into *[]int64) func(context.Context, Stream) error {
		return func(_ context.Context, s Stream) (err error) {
			*into, err = collect(s)
			return err
		}
	}

	t.Run("every consumer gets every batch", func(t *testing.T) {
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		defer mem.AssertSize(t, 0)
		got := make([][]int64, 3)
		err := fanOut(t.Context(), stream(mem, nil, []int64{1, 2}, []int64{3}), []func(context.Context, Stream) error{
			consumer(&got[0]), consumer(&got[1]), consumer(&got[2]),
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([][]int64{{1, 2, 3}, {1, 2, 3}, {1, 2, 3}}, got); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("the stream's error reaches every consumer", func(t *testing.T) {
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		defer mem.AssertSize(t, 0)
		var seen [2]error
		watch := func(i int) func(context.Context, Stream) error {
			return func(_ context.Context, s Stream) error {
				_, seen[i] = collect(s)
				return seen[i]
			}
		}
		err := fanOut(t.Context(), stream(mem, errBroken, []int64{1}), []func(context.Context, Stream) error{watch(0), watch(1)})
		for _, err := range []error{err, seen[0], seen[1]} {
			if !errors.Is(err, errBroken) {
				t.Errorf("got %v, want the stream's error", err)
			}
		}
	})

	t.Run("a consumer that fails ends the others", func(t *testing.T) {
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		defer mem.AssertSize(t, 0)
		batches := make([][]int64, 1000)
		for i := range batches {
			batches[i] = []int64{int64(i)}
		}
		var read []int64
		err := fanOut(t.Context(), stream(mem, nil, batches...), []func(context.Context, Stream) error{
			func(context.Context, Stream) error { return errBroken }, consumer(&read),
		})
		if !errors.Is(err, errBroken) {
			t.Errorf("got %v, want the consumer's error", err)
		}
		if len(read) == len(batches) {
			t.Error("the other consumer read to the end")
		}
	})

	t.Run("a consumer that stops early holds nobody up", func(t *testing.T) {
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		defer mem.AssertSize(t, 0)
		var read []int64
		err := fanOut(t.Context(), stream(mem, nil, []int64{1}, []int64{2}, []int64{3}), []func(context.Context, Stream) error{
			func(_ context.Context, s Stream) error {
				for range s.Batches {
					return nil
				}
				return nil
			},
			consumer(&read),
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]int64{1, 2, 3}, read); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAhead(t *testing.T) {
	answers := func(n int, err error) Pages {
		return func(yield func(*Page, error) bool) {
			for i := range n {
				if !yield(&Page{Number: i + 1}, nil) {
					return
				}
			}
			if err != nil {
				yield(nil, err)
			}
		}
	}
	read := func(pages iter.Seq2[*Page, error], stopAt int) (n int, err error) {
		for page, err := range pages {
			if err != nil {
				return n, err
			}
			if n++; page.Number != n {
				t.Errorf("page %d came as number %d", page.Number, n)
			}
			if n == stopAt {
				return n, nil
			}
		}
		return n, nil
	}

	t.Run("pages come in order and all", func(t *testing.T) {
		if n, err := read(ahead(t.Context(), answers(100, nil)), 0); n != 100 || err != nil {
			t.Errorf("read %d pages and error %v, want 100 and none", n, err)
		}
	})
	t.Run("an error comes after the pages before it", func(t *testing.T) {
		if n, err := read(ahead(t.Context(), answers(7, errBroken)), 0); n != 7 || !errors.Is(err, errBroken) {
			t.Errorf("read %d pages and error %v, want 7 and the source's", n, err)
		}
	})
	t.Run("a reader that stops leaves no goroutine", func(t *testing.T) {
		if n, err := read(ahead(t.Context(), answers(100, nil)), 3); n != 3 || err != nil {
			t.Errorf("read %d pages and error %v, want 3 and none", n, err)
		}
	})
	t.Run("a cancelled reader is told", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := read(ahead(ctx, answers(100, nil)), 0); !errors.Is(err, context.Canceled) {
			t.Errorf("got error %v, want the context's", err)
		}
	})
}
