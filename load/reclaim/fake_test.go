package reclaim

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"seatlake/load/lake"
	"seatlake/pipeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	tenantID = "48a80680-7326-48cd-9935-b556b81d3a4e"
	skuA     = "06ebc4ee-1bb5-47dd-8120-11324bc54e06"
	skuB     = "c5928f49-12ba-48f7-ada3-0d743a3601d5"
	skuC     = "f8a1db68-be16-40ed-86d5-cb42ce701560"
	single   = "aaaaaaaa-0000-4000-8000-000000000001" // gives skuA
	several  = "aaaaaaaa-0000-4000-8000-000000000002" // gives skuA and skuB
	ruled    = "aaaaaaaa-0000-4000-8000-000000000003" // gives skuA, by a rule
	planX    = "57ff2da0-773e-42df-b2af-ffb7a2317929"
	planY    = "7547a3fe-08ee-4ccb-b430-5077c5041653"
)

var start = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// fake is a tenant in memory. It keeps the rules of Graph that matter here, shows
// writes late, loses answers, and kills whoever asks.
type fake struct {
	people map[string][]Assignment // what users have
	shown  map[string]*late
	groups map[string]*Group
	free   map[string]int

	enabled map[string]bool
	signIns map[string]time.Time
	used    map[string]string // "user/service" -> day

	name     string    // what everybody is called; "" for what upn gives
	assigned time.Time // when everything was assigned
	unsaid   bool      // whether accounts are enabled is not said

	delay  int // reads of a user that show what was before a write
	calls  int
	killAt func(call int) bool // before the call is done, and after it
	loseAt func(write int) bool
	refuse map[string]pipeline.Cause // by user

	stuck bool // whether the count of units stays as it was

	writes  int
	removed map[string]int // how often each assignment was really taken, by "user/sku/group"
}

type late struct {
	before []Assignment
	reads  int
}

// killed is what a call panics with that ends the process.
type killed struct{}

func newFake() *fake {
	return &fake{
		people: map[string][]Assignment{}, shown: map[string]*late{}, free: map[string]int{skuA: 100, skuB: 100, skuC: 100},
		groups: map[string]*Group{
			single:  {ID: single, Name: "A for all", SKUs: []string{skuA}},
			several: {ID: several, Name: "A and B", SKUs: []string{skuA, skuB}},
			ruled:   {ID: ruled, Name: "Sales", SKUs: []string{skuA}, Dynamic: true},
		},
		enabled: map[string]bool{}, signIns: map[string]time.Time{}, used: map[string]string{},
		refuse: map[string]pipeline.Cause{}, removed: map[string]int{},
	}
}

func (f *fake) step() {
	if f.calls++; f.killAt != nil && f.killAt(f.calls) {
		panic(killed{})
	}
}

func upn(id string) string { return "user" + id[len(id)-2:] + "@contoso.com" }

func (f *fake) User(_ context.Context, id string) (*User, error) {
	f.step()
	all, ok := f.people[id]
	if !ok {
		return nil, ErrNoUser
	}
	if l := f.shown[id]; l != nil {
		if l.reads--; l.reads < 0 {
			delete(f.shown, id)
		} else {
			all = l.before
		}
	}
	enabled := f.enabled[id]
	u := &User{ID: id, UserPrincipalName: upn(id), Enabled: &enabled, SignInsKnown: true, LastSignIn: f.signIns[id], LastAttempt: f.signIns[id]}
	if f.name != "" {
		u.UserPrincipalName = f.name
	}
	if f.unsaid {
		u.Enabled = nil
	}
	for _, x := range all {
		x.State, x.Updated = "Active", f.assigned
		u.Assignments = append(u.Assignments, x)
		if !slices.ContainsFunc(u.Held, func(h Assignment) bool { return h.SKU == x.SKU }) {
			u.Held = append(u.Held, Assignment{SKU: x.SKU})
		}
	}
	return u, nil
}

func (f *fake) Group(_ context.Context, id string) (*Group, error) {
	f.step()
	g, ok := f.groups[id]
	if !ok {
		return nil, errors.New("403: group cannot be read")
	}
	return g, nil
}

func (f *fake) Units(context.Context) (map[string]Units, error) {
	f.step()
	units := map[string]Units{}
	for sku, free := range f.free {
		units[sku] = Units{Entitled: 500, Consumed: 500 - free}
		if f.stuck {
			units[sku] = Units{Entitled: 500, Consumed: 400}
		}
	}
	return units, nil
}

func (f *fake) Preview(r Request) string { return fmt.Sprintf("%+v", r) }

func (f *fake) Write(_ context.Context, r Request) error {
	f.step()
	f.writes++
	if err := f.change(r); err != nil {
		return err
	}
	f.step()
	if f.loseAt != nil && f.loseAt(f.writes) {
		return fmt.Errorf("write: %w", ErrUnanswered)
	}
	return nil
}

func refusal(c pipeline.Cause) error { return &Refusal{c, errors.New("graph: 400: " + string(c))} }

func (f *fake) change(r Request) error {
	before, ok := f.people[r.User]
	if !ok {
		return refusal(pipeline.CauseUnknownUser)
	}
	if c := f.refuse[r.User]; c != "" {
		return refusal(c)
	}
	all := slices.Clone(before)
	of := func(sku, group string) func(Assignment) bool {
		return func(x Assignment) bool { return x.SKU == sku && x.Group == group }
	}
	switch {
	case r.Remove != "":
		if !slices.ContainsFunc(all, of(r.Remove, "")) {
			if slices.ContainsFunc(all, func(x Assignment) bool { return x.SKU == r.Remove }) {
				return refusal(pipeline.CauseInherited)
			}
			return refusal(pipeline.CauseNotHeld)
		}
		all = slices.DeleteFunc(all, of(r.Remove, ""))
		f.removed[r.User+"/"+r.Remove+"/"]++
	case r.Leave != "":
		if !slices.ContainsFunc(all, func(x Assignment) bool { return x.Group == r.Leave }) {
			return refusal(pipeline.CauseUnknownUser)
		}
		for _, x := range all {
			if x.Group == r.Leave {
				f.removed[r.User+"/"+x.SKU+"/"+r.Leave]++
			}
		}
		all = slices.DeleteFunc(all, func(x Assignment) bool { return x.Group == r.Leave })
	case r.Add != nil:
		if len(f.has(r.User, r.Add.SKU)) == 0 && f.free[r.Add.SKU] <= 0 {
			return refusal(pipeline.CauseNoSeats)
		}
		all = append(slices.DeleteFunc(all, of(r.Add.SKU, "")), *r.Add)
	case r.Join != "":
		if slices.ContainsFunc(all, func(x Assignment) bool { return x.Group == r.Join }) {
			return refusal(pipeline.CauseAlreadyMember)
		}
		for _, sku := range f.groups[r.Join].SKUs {
			all = append(all, Assignment{SKU: sku, Group: r.Join, Disabled: []string{}})
		}
	}
	for _, sku := range []string{skuA, skuB, skuC} {
		f.free[sku] += count(before, sku) - count(all, sku)
	}
	if f.shown[r.User] == nil && f.delay > 0 {
		f.shown[r.User] = &late{before, f.delay}
	}
	f.people[r.User] = all
	return nil
}

// count is how many seats of a SKU some assignments take: one or none.
func count(all []Assignment, sku string) int {
	if slices.ContainsFunc(all, func(x Assignment) bool { return x.SKU == sku }) {
		return 1
	}
	return 0
}

func (f *fake) has(id, sku string) []Assignment {
	return slices.DeleteFunc(slices.Clone(f.people[id]), func(x Assignment) bool { return x.SKU != sku })
}

// Since makes the fake the activity, too.
func (f *fake) Since(names []string, id string, services []string) (day, service string, err error) {
	for _, s := range services {
		for _, who := range append([]string{id}, names...) {
			if d := f.used[who+"/"+s]; d > day {
				day, service = d, s
			}
		}
	}
	return day, service, nil
}

// state is every assignment of everybody, as sorted lines.
func (f *fake) state() string {
	var lines []string
	for id, all := range f.people {
		lines = append(lines, id)
		for _, x := range all {
			lines = append(lines, fmt.Sprintf("%s %s %s %v", id, x.SKU, x.Group, slices.Sorted(slices.Values(x.Disabled))))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// desk is a lake with a tenant's ledger, and the time.
type desk struct {
	t    testing.TB
	lake *lake.Lake
	now  time.Time
}

func newDesk(t testing.TB, dir string) *desk {
	t.Helper()
	d := &desk{t: t, now: start}
	var err error
	if d.lake, err = lake.Create(dir, func() time.Time { return start }); err != nil {
		t.Fatal(err)
	}
	return d
}

// open reads the ledger as a new process does.
func (d *desk) open(command string) *Book {
	b, err := OpenBook(context.Background(), d.lake, tenantID, Clerk{
		Command: command, Actor: "rita@contoso.com", Program: "test", Tenant: "contoso", Now: func() time.Time { return d.now },
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return b
}

// plan is a plan of rows, not sealed.
func (d *desk) plan(rows ...Row) *Plan {
	p := &Plan{
		Format: PlanFormat, ID: fmt.Sprintf("01KAV000000000000000000%03d", len(rows)), Created: d.now, Program: "test",
		LakeID: d.lake.ID(), LakeVersion: 1, AsOf: d.now.Format(time.DateOnly), Tenant: "contoso", TenantID: tenantID,
		Limits: Limits{Share: 10_000, Licenses: 1000}, Filter: Filter{MinConfidence: "low"},
	}
	var candidates []Candidate
	assigned := map[string]int{}
	for _, r := range rows {
		candidates = append(candidates, Candidate{Row: r})
		assigned[r.SKU]++
	}
	if err := p.Draw(sorted(candidates), assigned); err != nil {
		d.t.Fatal(err)
	}
	return p
}

// sorted gives candidates as Draw wants them.
func sorted(candidates []Candidate) iter.Seq2[*Candidate, error] {
	slices.SortFunc(candidates, func(a, b Candidate) int { return Compare(&a, &b) })
	return func(yield func(*Candidate, error) bool) {
		for n := range candidates {
			if !yield(&candidates[n], nil) {
				return
			}
		}
	}
}

// seal seals all rows of a plan, or some.
func (d *desk) seal(p *Plan, rows ...int) *SealedPlan {
	d.t.Helper()
	b := d.open("approve")
	defer b.Close()
	s, _, err := b.Approve(p, csvOf(d.t, p, rows...), 14*24*time.Hour)
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

// csvOf is a plan's CSV with some of its rows; all when none is named.
func csvOf(t testing.TB, p *Plan, rows ...int) []byte {
	t.Helper()
	var b strings.Builder
	if err := p.WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(b.String(), "\n")
	out := lines[0]
	for n, line := range lines[1:] {
		if len(rows) == 0 || slices.Contains(rows, n+1) {
			out += line
		}
	}
	return []byte(out)
}

// row is a licence that was never used, held since long ago.
func row(user, sku string) Row {
	return Row{
		UserID: user, UserPrincipalName: upn(user), SKU: sku, PartNumber: "SKU_" + sku[:4], Product: "Product " + sku[:4],
		Reason: "inactive", Reasons: "inactive", Confidence: "high", Evidence: "complete", EvidenceText: "no use seen",
		ActivityStatus: "never_active", ObservedThrough: "2026-11-22", AssignedBy: "direct", AssignedDate: "2025-01-01",
		AnnualSaving: "120.00", Currency: "EUR", Judged: []string{"Visio"}, LastSignIn: "2026-11-23T08:00:00Z",
	}
}

func userID(n int) string { return fmt.Sprintf("bbbbbbbb-0000-4000-8000-0000000000%02d", n) }
