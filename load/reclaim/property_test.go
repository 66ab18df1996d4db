package reclaim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestAnyPlanEndsAsPlanned takes random plans away from random tenants, with processes
// that are killed at any request, answers that are lost and reads that trail writes.
// Then the licences are those that were planned, each was taken once, the ledger says
// what the tenant is, and a rollback, under the same blows, gives the tenant from
// before, exactly.
func TestAnyPlanEndsAsPlanned(t *testing.T) {
	kills, lost := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(shm(), "seatlake-reclaim-")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		f := drawTenant(rt)
		before := f.state()
		people := map[string][]Assignment{}
		for id, all := range f.people {
			people[id] = slices.Clone(all)
		}
		d := newDesk(t, dir)
		var rows []Row
		for _, id := range slices.Sorted(maps.Keys(people)) {
			for _, sku := range []string{skuA, skuB, skuC} {
				if count(people[id], sku) > 0 && rapid.Bool().Draw(rt, "candidate") {
					rows = append(rows, row(id, sku))
				}
			}
		}
		if len(rows) == 0 {
			return
		}
		p := d.plan(rows...)
		var kept []int
		for _, r := range p.Rows {
			if rapid.IntRange(0, 3).Draw(rt, "row stays") > 0 {
				kept = append(kept, r.Number)
			}
		}
		if len(kept) == 0 {
			return
		}
		sealed := d.seal(p, kept...)

		f.delay = rapid.IntRange(0, 3).Draw(rt, "reads until a write shows")
		f.killAt = func(int) bool {
			hit := rapid.IntRange(0, 9).Draw(rt, "kill") == 0
			if hit {
				kills++
			}
			return hit
		}
		f.loseAt = func(int) bool {
			hit := rapid.IntRange(0, 3).Draw(rt, "lose") == 0
			if hit {
				lost++
			}
			return hit
		}
		o := ApplyOptions{Immediate: true, RemoveFromGroups: rapid.Bool().Draw(rt, "remove from groups"), Settle: time.Hour}
		until(rt, f, func() bool {
			b := d.open("apply")
			defer b.Close()
			d.now = d.now.Add(time.Second)
			state, err := b.Check(sealed)
			if err != nil {
				rt.Fatal(err)
			}
			s, err := b.Apply(t.Context(), state, f, f, o)
			if err != nil {
				rt.Fatal(err)
			}
			return s.Failed == 0
		})

		want := newFake()
		for id, all := range people {
			want.people[id] = slices.DeleteFunc(slices.Clone(all), func(x Assignment) bool {
				planned := slices.ContainsFunc(sealed.Rows, func(r Row) bool { return r.UserID == id && r.SKU == x.SKU })
				return planned && (x.Group == "" || o.RemoveFromGroups && x.Group == single)
			})
		}
		if diff := cmp.Diff(want.state(), f.state()); diff != "" {
			rt.Fatalf("licences (-planned +there):\n%s", diff)
		}
		for what, n := range f.removed {
			if n != 1 {
				rt.Fatalf("%s was taken %d times", what, n)
			}
		}
		d.agrees(rt, f, sealed, people)

		until(rt, f, func() bool {
			b := d.open("verify")
			defer b.Close()
			state, _ := b.Plan(sealed.ID)
			s, err := b.Verify(t.Context(), state, f, VerifyOptions{Rounds: 6, Sleep: func(context.Context, time.Duration) error { return nil }})
			if err != nil {
				rt.Fatal(err)
			}
			for _, r := range s.Results {
				if r.Reason != "" && !strings.Contains(r.Reason, "in another way") {
					rt.Fatalf("verify: %s", r.Reason)
				}
			}
			return true
		})
		d.publishes(rt)

		until(rt, f, func() bool {
			b := d.open("rollback")
			defer b.Close()
			d.now = d.now.Add(time.Second)
			state, _ := b.Plan(sealed.ID)
			s, err := b.Rollback(t.Context(), state, f, RollbackOptions{})
			if err != nil {
				rt.Fatal(err)
			}
			return s.Failed == 0
		})
		if diff := cmp.Diff(before, f.state()); diff != "" {
			rt.Fatalf("after the rollback (-before +there):\n%s", diff)
		}
		d.publishes(rt)
	})
	t.Logf("%d kills, %d lost answers", kills, lost)
	if kills == 0 || lost == 0 {
		t.Error("nothing was killed or lost: the test shows nothing")
	}
}

// shm is a directory in memory where there is one: the test is about what is in the
// ledger, not about what is durable.
func shm() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return ""
}

// until runs processes until one ends by itself and is content; the last of many is
// spared.
func until(rt *rapid.T, f *fake, process func() bool) {
	kill, lose := f.killAt, f.loseAt
	defer func() { f.killAt, f.loseAt = kill, lose }()
	for n := range 12 {
		if n == 10 {
			f.killAt, f.loseAt = nil, nil
		}
		if survives(process) {
			return
		}
	}
	rt.Fatal("the work does not end")
}

// survives runs a process, and is false when it was killed or is not content.
func survives(process func() bool) (ok bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, dead := r.(killed); !dead {
				panic(r)
			}
			ok = false
		}
	}()
	return process()
}

// fataler is a test, or a draw of one.
type fataler interface {
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// agrees compares the ledger with the tenant: what it says was taken is what is gone.
func (d *desk) agrees(rt fataler, f *fake, sealed *SealedPlan, before map[string][]Assignment) {
	b := d.open("audit")
	defer b.Close()
	state, _ := b.Plan(sealed.ID)
	var says, gone []string
	for _, i := range state.Items {
		if i.Pending != nil {
			rt.Fatalf("row %d: a write has no outcome", i.Number)
		}
		for _, x := range i.open() {
			says = append(says, fmt.Sprint(i.UserID, x.Assignment.SKU, x.Assignment.Group, x.Assignment.Disabled))
		}
		left := len(f.has(i.UserID, i.SKU))
		if i.Freed != (left == 0) || (i.State == ClosedComplete) != (left == 0) {
			rt.Fatalf("row %d is %s, freed %v, and the user has %d assignments", i.Number, i.State, i.Freed, left)
		}
	}
	for id, all := range before {
		for _, x := range all {
			if !slices.ContainsFunc(f.people[id], func(y Assignment) bool { return x.SKU == y.SKU && x.Group == y.Group }) {
				gone = append(gone, fmt.Sprint(id, x.SKU, x.Group, x.Disabled))
			}
		}
	}
	slices.Sort(says)
	slices.Sort(gone)
	if diff := cmp.Diff(gone, says); diff != "" {
		rt.Fatalf("taken (-gone from the tenant +by the ledger):\n%s", diff)
	}
}

// publishes commits the ledger and verifies it against the lake.
func (d *desk) publishes(rt fataler) {
	b := d.open("publish")
	defer b.Close()
	if _, err := b.Publish(d.t.Context()); err != nil {
		rt.Fatal(err)
	}
	if _, _, err := b.ledger.Verify(d.t.Context()); err != nil {
		rt.Fatal(err)
	}
	found, err := d.lake.Check(d.t.Context())
	if err != nil || len(found) > 0 {
		rt.Fatal(errors.Join(err, fmt.Errorf("findings %v", found)))
	}
}

// drawTenant draws up to eight users with up to three SKUs each, in every way.
func drawTenant(rt *rapid.T) *fake {
	f := newFake()
	plans := rapid.SampledFrom([][]string{{}, {planX}, {planX, planY}})
	for n := range rapid.IntRange(1, 8).Draw(rt, "users") {
		id := userID(n + 1)
		f.people[id] = []Assignment{}
		f.signIns[id] = start.Add(-25 * time.Hour)
		add := func(sku, group string, disabled []string) {
			f.people[id] = append(f.people[id], Assignment{SKU: sku, Group: group, Disabled: disabled})
		}
		ways := rapid.SampledFrom([][]string{{}, {""}, {single}, {several}, {ruled}, {"", single}, {"", several}, {single, ruled}, {"", single, several}})
		for _, group := range ways.Draw(rt, "A by") {
			add(skuA, group, []string{})
			if group == several {
				add(skuB, several, []string{})
			}
			if group == "" {
				f.people[id][len(f.people[id])-1].Disabled = plans.Draw(rt, "off")
			}
		}
		for _, sku := range []string{skuB, skuC} {
			if rapid.Bool().Draw(rt, "has") {
				add(sku, "", plans.Draw(rt, "off"))
			}
		}
	}
	return f
}
