package reclaim

import (
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// stepTenant has a licence in every way: directly, by a group of one licence, by one of
// several, by a rule, and directly and by a group besides; each direct one with other
// plans off.
func stepTenant() *fake {
	f := newFake()
	f.people = map[string][]Assignment{
		userID(1): {{SKU: skuA, Disabled: []string{planX}}, {SKU: skuB, Disabled: []string{}}},
		userID(2): {{SKU: skuA, Group: single, Disabled: []string{}}},
		userID(3): {{SKU: skuA, Group: several, Disabled: []string{}}, {SKU: skuB, Group: several, Disabled: []string{}}},
		userID(4): {{SKU: skuA, Disabled: []string{planX, planY}}, {SKU: skuA, Group: single, Disabled: []string{}}},
		userID(5): {{SKU: skuA, Disabled: []string{planY}}, {SKU: skuA, Group: ruled, Disabled: []string{}}},
	}
	for id := range f.people {
		f.signIns[id] = start.Add(-25 * time.Hour)
	}
	return f
}

// TestKilledAtEachStep kills apply, and then rollback, before and after each request
// that they make, one after the other, with reads that trail writes and answers that
// are lost. What an uninterrupted run would have done is done, once, and undone.
func TestKilledAtEachStep(t *testing.T) {
	for _, c := range []struct {
		name        string
		delay, lost int // reads until a write shows; each so many-th answer
	}{
		{"with a tenant that answers and shows at once", 0, 0},
		{"with answers that are lost, and writes that show late", 2, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			steps := 0
			for step := 1; step == 1 || step <= steps; step++ {
				steps = killedAt(t, step, c.delay, c.lost)
			}
			if steps < 20 {
				t.Errorf("only %d steps were taken", steps)
			}
		})
	}
}

// killedAt kills the first apply and the first rollback at a step, and gives the number
// of steps of the longer of the two when nothing is killed.
func killedAt(t *testing.T, step, delay, lost int) (steps int) {
	t.Helper()
	f := stepTenant()
	f.delay = delay
	before := f.state()
	people := maps.Clone(f.people)
	dir, err := os.MkdirTemp(shm(), "seatlake-reclaim-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	d := newDesk(t, dir)
	var rows []Row
	for _, id := range slices.Sorted(maps.Keys(people)) {
		rows = append(rows, row(id, skuA))
	}
	sealed := d.seal(d.plan(rows...))
	if lost > 0 {
		f.loseAt = func(write int) bool { return write%lost == 0 && write < 12 } // the line gets better
	}
	process := func(command string, act func(*Book, *Reclamation) (*Summary, error)) {
		f.calls = 0
		f.killAt = func(call int) bool { return call == step }
		for range 20 {
			ended := survives(func() bool {
				b := d.open(command)
				defer b.Close()
				d.now = d.now.Add(time.Second)
				p, err := b.Check(sealed)
				if err != nil {
					t.Fatal(err)
				}
				s, err := act(b, p)
				if err != nil {
					t.Fatal(err)
				}
				return s.Failed == 0
			})
			steps = max(steps, f.calls)
			if ended {
				return
			}
		}
		t.Fatalf("step %d: %s does not end", step, command)
	}
	process("apply", func(b *Book, p *Reclamation) (*Summary, error) {
		return b.Apply(t.Context(), p, f, f, ApplyOptions{Immediate: true, RemoveFromGroups: true, Settle: time.Hour})
	})
	want := newFake()
	for id, all := range people {
		want.people[id] = slices.DeleteFunc(slices.Clone(all), func(x Assignment) bool { return x.SKU == skuA && (x.Group == "" || x.Group == single) })
	}
	if diff := cmp.Diff(want.state(), f.state()); diff != "" {
		t.Fatalf("step %d: licences (-planned +there):\n%s", step, diff)
	}
	for what, n := range f.removed {
		if n != 1 {
			t.Fatalf("step %d: %s was taken %d times", step, what, n)
		}
	}
	d.agrees(t, f, sealed, people)
	f.loseAt = nil
	process("rollback", func(b *Book, p *Reclamation) (*Summary, error) {
		return b.Rollback(t.Context(), p, f, RollbackOptions{})
	})
	if diff := cmp.Diff(before, f.state()); diff != "" {
		t.Fatalf("step %d: after the rollback (-before +there):\n%s", step, diff)
	}
	d.publishes(t)
	return steps
}
