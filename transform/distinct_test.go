package transform

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"seatlake/pipeline"
	"seatlake/schemas"
)

// signInsSchema has a nested column besides those of sign-ins, so that rows are
// chosen in columns of every kind.
func signInsSchema() *arrow.Schema {
	return arrow.NewSchema(append(
		tableSchema(schemas.GraphSignIns, "id", "created_date_time", "user_principal_name", "app_id", "is_interactive").Fields(),
		tableSchema(schemas.GraphUsers, "assigned_licenses").Fields()...), nil)
}

func signInDraw(days int) *rapid.Generator[row] {
	return rapid.Custom(func(t *rapid.T) row {
		return row{
			"id":                  id(rapid.IntRange(0, 12).Draw(t, "id")),
			"created_date_time":   date(rapid.IntRange(0, days).Draw(t, "day")).Add(time.Duration(rapid.IntRange(0, 1e9).Draw(t, "at")) * time.Microsecond),
			"user_principal_name": rapid.SampledFrom([]any{nil, "", "a", "bb"}).Draw(t, "name"),
			"app_id":              nullable(uuidDraw).Draw(t, "app"),
			"is_interactive":      boolDraw.Draw(t, "interactive"),
			"assigned_licenses": rapid.SampledFrom([]any{
				nil, []any{}, []any{row{"sku_id": id(1), "disabled_plans": []any{id(2), id(3)}}, row{"sku_id": nil, "disabled_plans": nil}},
			}).Draw(t, "licences"),
		}
	})
}

func TestDistinctKeepsTheFirstOfEachKey(t *testing.T) {
	for _, scope := range []string{"", "created_date_time"} {
		t.Run("scope "+scope, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				rows := rapid.SliceOfN(signInDraw(2), 0, 40).Draw(t, "rows")
				type key struct {
					id  any
					day time.Time
				}
				seen := map[key]bool{}
				want := []row{}
				for _, r := range rows {
					k := key{id: r["id"]}
					if scope != "" {
						k.day = r[scope].(time.Time).Truncate(24 * time.Hour)
					}
					if !seen[k] {
						want = append(want, r)
					}
					seen[k] = true
				}
				dropped := 0
				got, err := run(t, signInsSchema(), rows, sizesDraw.Draw(t, "sizes"),
					Distinct("id", DistinctOptions{Scope: scope, Dropped: func(n int) { dropped += n }}))
				if err != nil {
					t.Fatalf("%v", err)
				}
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("-want +got\n%s", d)
				}
				if dropped != len(rows)-len(want) {
					t.Errorf("%d rows were told dropped, %d were", dropped, len(rows)-len(want))
				}
			})
		})
	}
}

func TestDistinctHoldsAsManyKeysAsThereAre(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	keys := make([][16]byte, 100_000)
	for i := range keys[1:] { // the first is zero
		if i%2 == 0 {
			keys[i+1] = uuid(i + 1) // ids that count up
			continue
		}
		for j := range keys[i+1] {
			keys[i+1][j] = byte(rnd.Uint32())
		}
	}
	var s keySet
	for round, want := range []bool{true, false} {
		for i, k := range keys {
			if s.add(k) != want {
				t.Fatalf("round %d: key %d is new: %v", round, i, !want)
			}
		}
	}
	if s.len() != len(keys) {
		t.Errorf("%d keys, want %d", s.len(), len(keys))
	}
	slots, largest := 0, 0
	for _, sh := range s.shards {
		slots += len(sh.slots)
		largest = max(largest, len(sh.slots))
	}
	if perKey := 16 * slots / len(keys); perKey > 27 {
		t.Errorf("%d bytes a key", perKey)
	}
	if 64*largest > slots {
		t.Errorf("a shard has %d of %d slots: it is held twice when it grows", largest, slots)
	}
}

func TestDistinctSealsDaysThatTheStreamLeftBehind(t *testing.T) {
	var rows []row
	for d := 9; d >= 0; d-- { // newest first
		for i := range 10 {
			rows = append(rows, row{"id": id(100*d + i), "created_date_time": date(d)})
		}
	}
	options := DistinctOptions{Scope: "created_date_time", Budget: 25}
	t.Run("and goes on", func(t *testing.T) {
		got, err := run(t, signInsSchema(), rows, []int{7, 30, 1}, Distinct("id", options))
		if err != nil || len(got) != len(rows) {
			t.Errorf("%d rows, error %v", len(got), err)
		}
	})
	t.Run("and still knows the neighbours of the day at hand", func(t *testing.T) {
		again := append(append([]row{}, rows...), row{"id": id(105), "created_date_time": date(1)})
		got, err := run(t, signInsSchema(), again, nil, Distinct("id", options))
		if err != nil || len(got) != len(rows) {
			t.Errorf("%d rows, error %v", len(got), err)
		}
	})
	t.Run("and refuses to go back to them", func(t *testing.T) {
		again := append(append([]row{}, rows...), row{"id": id(905), "created_date_time": date(9)})
		_, err := run(t, signInsSchema(), again, []int{50}, Distinct("id", options))
		if err == nil || !strings.Contains(err.Error(), "2026-03-08") || !strings.Contains(err.Error(), "order is broken") {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("but none within its budget", func(t *testing.T) {
		again := append(append([]row{}, rows...), row{"id": id(905), "created_date_time": date(9)})
		got, err := run(t, signInsSchema(), again, []int{50}, Distinct("id", DistinctOptions{Scope: "created_date_time"}))
		if err != nil || len(got) != len(rows) {
			t.Errorf("%d rows, error %v", len(got), err)
		}
	})
}

func TestWithinKeepsRowsOfTheWindow(t *testing.T) {
	bounds := rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "unbounded") {
			return time.Time{}
		}
		return date(1).Add(time.Duration(rapid.IntRange(-3000, 3000).Draw(t, "ns")))
	})
	rapid.Check(t, func(t *rapid.T) {
		w := pipeline.Window{From: bounds.Draw(t, "from"), To: bounds.Draw(t, "to")}
		rows := rapid.SliceOfN(signInDraw(2), 0, 20).Draw(t, "rows")
		want := []row{}
		for _, r := range rows {
			at := date(1).Add(time.Duration(rapid.IntRange(-3, 3).Draw(t, "us")) * time.Microsecond)
			r["created_date_time"] = at
			if !at.Before(w.From) && (w.To.IsZero() || at.Before(w.To)) {
				want = append(want, r)
			}
		}
		got, err := run(t, signInsSchema(), rows, sizesDraw.Draw(t, "sizes"), Within("created_date_time", w))
		if err != nil {
			t.Fatalf("%v", err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("-want +got\n%s", d)
		}
	})
}

func TestRowsWithoutWhatTheyAreChosenByAreRefused(t *testing.T) {
	for name, f := range map[string]pipeline.Transform{
		"within":          Within("created_date_time", pipeline.Window{}),
		"distinct":        Distinct("id", DistinctOptions{}),
		"distinct by day": Distinct("id", DistinctOptions{Scope: "created_date_time"}),
	} {
		t.Run(name, func(t *testing.T) {
			rows := []row{{}}
			if name == "distinct by day" {
				rows[0]["id"] = id(1)
			}
			if _, err := run(t, signInsSchema(), rows, nil, f); err == nil {
				t.Error("the row was taken")
			}
		})
	}
}

// BenchmarkDistinct adds new keys to a set and, as it repeats the batch, finds
// them again.
func BenchmarkDistinct(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 2))
	rows := make([]row, 200_000)
	for i := range rows {
		rows[i] = row{"id": id(rnd.Int()), "created_date_time": date(1)}
	}
	batch := build(memory.NewGoAllocator(), tableSchema(schemas.GraphSignIns, "id", "created_date_time"), rows)
	benchmarkTransform(b, batch, Distinct("id", DistinctOptions{Scope: "created_date_time"}))
}
