package reclaim

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"seatlake/pipeline"
)

// TestWhatChangedEndsARow applies a plan of one licence after something changed.
func TestWhatChangedEndsARow(t *testing.T) {
	id := userID(1)
	direct := []Assignment{{SKU: skuA, Disabled: []string{planX}}, {SKU: skuB, Disabled: []string{}}}
	for _, c := range []struct {
		name   string
		row    func(*Row)
		change func(*fake)
		state  State
		cause  pipeline.Cause
		says   string
	}{
		{"nothing changed", nil, nil, ClosedComplete, "", "taken"},
		{"the user is gone", nil, func(f *fake) { delete(f.people, id) }, ClosedSkipped, pipeline.CauseUnknownUser, "no longer exists"},
		{"the licence is gone", nil, func(f *fake) { f.people[id] = nil }, ClosedSkipped, "", "does not have"},
		{"the service was used", nil, func(f *fake) { f.used[id+"/Visio"] = "2026-11-23" }, ClosedCancelled, "", "Visio was used on 2026-11-23"},
		{"another service was used", nil, func(f *fake) { f.used[id+"/Power BI"] = "2026-11-23" }, ClosedComplete, "", "taken"},
		{"it was used before it was assigned", nil, func(f *fake) { f.used[id+"/Visio"] = "2024-12-31" }, ClosedComplete, "", "taken"},
		{"its last use is the one of the plan", func(r *Row) { r.LastActivityDate = "2026-03-01" }, func(f *fake) { f.used[id+"/Visio"] = "2026-03-01" }, ClosedComplete, "", "taken"},
		{"who signs in every day signs in", nil, func(f *fake) { f.signIns[id] = start }, ClosedComplete, "", "taken"},
		{"who had long not signed in does", func(r *Row) { r.LastSignIn = "2026-05-01T00:00:00Z" }, func(f *fake) { f.signIns[id] = start }, ClosedCancelled, "", "signed in on 2026-11-24"},
		{"who had never signed in does", func(r *Row) { r.Reason, r.LastSignIn = "never_signed_in", "" }, func(f *fake) { f.signIns[id] = start }, ClosedCancelled, "", "signed in on 2026-11-24"},
		{"a licence that is judged by sign-ins is used", func(r *Row) { r.Judged = nil }, func(f *fake) { f.signIns[id] = start }, ClosedCancelled, "", "signed in on 2026-11-24"},
		{"the blocked account is enabled", func(r *Row) { r.Reason = "blocked_sign_in" }, func(f *fake) { f.enabled[id] = true }, ClosedCancelled, "", "enabled again"},
		{"it was assigned anew after the plan was made", nil, func(f *fake) { f.assigned = start.Add(time.Minute) }, ClosedCancelled, "", "assigned anew on 2026-11-24"},
		{"it was assigned before", nil, func(f *fake) { f.assigned = start.Add(-time.Hour) }, ClosedComplete, "", "taken"},
		{"the user is called otherwise, and was used to work as before", nil, func(f *fake) {
			f.name = "married@contoso.com"
			f.used[upn(id)+"/Visio"] = "2026-11-23"
		}, ClosedCancelled, "", "Visio was used on 2026-11-23"},
		{"the user is called otherwise, and works as such", nil, func(f *fake) {
			f.name = "Married@contoso.com"
			f.used["married@contoso.com/Visio"] = "2026-11-23"
		}, ClosedCancelled, "", "Visio was used on 2026-11-23"},
		{"nobody says whether the account is blocked", func(r *Row) { r.Reason = "blocked_sign_in" }, func(f *fake) { f.unsaid = true }, AwaitingRevocation, pipeline.CauseUnreadable, "accountEnabled"},
		{"the blocked account stays so", func(r *Row) { r.Reason = "blocked_sign_in" }, nil, ClosedComplete, "", "taken"},
		{"what made it superfluous is gone", func(r *Row) { r.Reason, r.Kept, r.KeptSKUs = "duplicate_entitlement", []string{"C"}, []string{skuC} }, nil, ClosedCancelled, "", "no longer has C"},
		{"nobody says what makes it superfluous", func(r *Row) { r.Reason = "duplicate_entitlement" }, nil, AwaitingRevocation, pipeline.CauseUnreadable, "superfluous"},
		{"what makes it superfluous is there", func(r *Row) { r.Reason, r.Kept, r.KeptSKUs = "duplicate_entitlement", []string{"B"}, []string{skuB} },
			func(f *fake) { f.used[id+"/Visio"] = "2026-11-23" }, ClosedComplete, "", "taken"},
		{"a group assigns it now", nil, func(f *fake) { f.people[id] = []Assignment{{SKU: skuA, Group: several}, {SKU: skuB, Group: several}} }, AttentionRequired, pipeline.CauseInherited, "group " + several},
		{"Graph says that a plan depends on it", nil, func(f *fake) { f.refuse[id] = pipeline.CauseDependency }, AttentionRequired, pipeline.CauseDependency, "dependency"},
		{"Graph says that plans exclude one another", nil, func(f *fake) { f.refuse[id] = pipeline.CauseExclusive }, AttentionRequired, pipeline.CauseExclusive, "mutually_exclusive"},
		{"the application has no rights", nil, func(f *fake) { f.refuse[id] = pipeline.CauseNoRights }, AwaitingRevocation, pipeline.CauseNoRights, "no_rights"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake()
			f.people[id] = direct
			f.signIns[id] = start.Add(-25 * time.Hour)
			r := row(id, skuA)
			if c.row != nil {
				c.row(&r)
			}
			d := newDesk(t, t.TempDir())
			sealed := d.seal(d.plan(r))
			if c.change != nil {
				c.change(f)
			}
			before := len(f.has(id, skuB))
			b := d.open("apply")
			defer b.Close()
			p, _ := b.Plan(sealed.ID)
			s, err := b.Apply(t.Context(), p, f, f, ApplyOptions{Immediate: true, Settle: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			got := s.Results[0]
			if got.State != c.state || got.Cause != c.cause || !strings.Contains(got.Reason, c.says) || p.Items[0].State != c.state {
				t.Errorf("%s (%s): %s; want %s (%s): %s", got.State, got.Cause, got.Reason, c.state, c.cause, c.says)
			}
			if (s.Stopped != "") != (c.cause == pipeline.CauseNoRights) {
				t.Errorf("stopped: %q", s.Stopped)
			}
			if len(f.has(id, skuB)) != before {
				t.Error("another licence was touched")
			}
			if taken := len(p.Items[0].open()) > 0; taken != (c.state == ClosedComplete) {
				t.Errorf("taken: %v", taken)
			}
		})
	}
}

// TestEvidenceIsOfTheAssignmentThereWas makes a plan two days after its candidates, and
// assigns the licence in between.
func TestEvidenceIsOfTheAssignmentThereWas(t *testing.T) {
	p := &Reclamation{SealedPlan: &SealedPlan{Plan: Plan{AsOf: "2026-11-22", Created: start}}}
	for at, anew := range map[time.Time]bool{
		start.AddDate(0, 0, -2): false, start.AddDate(0, 0, -1): true, start: true, {}: false,
	} {
		u := &User{Assignments: []Assignment{{SKU: skuA, Updated: at}}}
		if why := assignedAnew(p, &Item{Row: row(userID(1), skuA)}, u); (why != "") != anew {
			t.Errorf("assigned at %s: %q", at, why)
		}
	}
}

// TestUseThatIsNotKnownIsNotAbsent leaves a row as it is when its activity cannot be
// read, and takes it when it can.
func TestUseThatIsNotKnownIsNotAbsent(t *testing.T) {
	f := newFake()
	id := userID(1)
	f.people[id] = []Assignment{{SKU: skuA}}
	d := newDesk(t, t.TempDir())
	sealed := d.seal(d.plan(row(id, skuA)))
	b := d.open("apply")
	defer b.Close()
	p, _ := b.Plan(sealed.ID)
	s, err := b.Apply(t.Context(), p, f, blind{}, ApplyOptions{Immediate: true})
	if err != nil || s.Failed != 1 || s.Results[0].Cause != pipeline.CauseUnreadable || f.writes != 0 {
		t.Fatalf("%+v, %d writes, error %v", s, f.writes, err)
	}
	if s, err = b.Apply(t.Context(), p, f, f, ApplyOptions{}); err != nil || s.Results[0].State != ClosedComplete {
		t.Errorf("%+v, error %v", s, err)
	}
}

type blind struct{}

func (blind) Since([]string, string, []string) (day, service string, err error) {
	return "", "", errors.New("names are hidden")
}

// TestARunOfFailuresStops refuses some users and looks how far the run goes.
func TestARunOfFailuresStops(t *testing.T) {
	for _, c := range []struct {
		name    string
		refused func(n int) bool
		tried   int
	}{
		{"three failures of three stop it", func(n int) bool { return n < 3 }, 3},
		{"one failure of six does not stop it", func(n int) bool { return n == 0 }, 20},
		{"every other row stops it at the third failure", func(n int) bool { return n%2 == 0 }, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake()
			var rows []Row
			for n := range 20 {
				id := userID(n)
				f.people[id] = []Assignment{{SKU: skuA}}
				rows = append(rows, row(id, skuA))
				if c.refused(n) {
					f.refuse[id] = pipeline.CauseRefused
				}
			}
			d := newDesk(t, t.TempDir())
			sealed := d.seal(d.plan(rows...))
			b := d.open("apply")
			defer b.Close()
			p, _ := b.Plan(sealed.ID)
			s, err := b.Apply(t.Context(), p, f, f, ApplyOptions{Immediate: true, StopAfter: 3, FailureShare: 2000})
			if err != nil || len(s.Results) != c.tried || (s.Stopped != "") != (c.tried < 20) {
				t.Errorf("%d rows were tried, want %d; stopped %q, error %v", len(s.Results), c.tried, s.Stopped, err)
			}
		})
	}
}

// TestRowsPassThroughTheStates asks users, hears answers, and lets time pass.
func TestRowsPassThroughTheStates(t *testing.T) {
	policy := Policy{Wait: 5 * 24 * time.Hour}
	take, second := policy, policy
	take.TakeUnanswered = true
	second.SecondApproval = true
	for _, c := range []struct {
		name    string
		policy  Policy
		answers string // of row 1, one file each, separated by blanks
		after   time.Duration
		state   State
	}{
		{"release lets it be taken", policy, "release", 0, AwaitingRevocation},
		{"keep ends it", policy, "keep", 0, ClosedCancelled},
		{"keep is heard after release", policy, "release keep", 0, ClosedCancelled},
		{"release is not heard after keep", policy, "keep release", 0, ClosedCancelled},
		{"no answer within the time waits", policy, "", 5*24*time.Hour - time.Second, AwaitingUser},
		{"no answer means keep", policy, "", 5 * 24 * time.Hour, ClosedCancelled},
		{"no answer means take, where it does", take, "", 5 * 24 * time.Hour, AwaitingRevocation},
		{"release wants a second approval, where it does", second, "release", 0, AwaitingApproval},
		{"the second approval lets it be taken", second, "release approve", 0, AwaitingRevocation},
		{"the second approval can be refused", second, "release reject", 0, ClosedCancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t, t.TempDir())
			sealed := d.seal(d.plan(row(userID(1), skuA)))
			b := d.open("notify")
			defer b.Close()
			p, _ := b.Plan(sealed.ID)
			if asked, err := b.Notify(p, c.policy); err != nil || len(asked) != 1 {
				t.Fatalf("%d users are asked, error %v", len(asked), err)
			}
			for _, answer := range strings.Fields(c.answers) {
				if _, err := b.Answer(p, fmt.Appendf(nil, "row,answer,plan_id\n1,%s,%s\n", answer, sealed.ID), c.policy); err != nil {
					t.Fatal(err)
				}
			}
			d.now = d.now.Add(c.after)
			if err := b.Expire(p, c.policy); err != nil {
				t.Fatal(err)
			}
			again := d.open("apply") // another process reads the same
			defer again.Close()
			same, _ := again.Plan(sealed.ID)
			if p.Items[0].State != c.state || same.Items[0].State != c.state {
				t.Errorf("%s, and by another process %s, want %s", p.Items[0].State, same.Items[0].State, c.state)
			}
			f := newFake()
			f.people[userID(1)] = []Assignment{{SKU: skuA}}
			s, err := again.Apply(context.Background(), same, f, f, ApplyOptions{})
			if err != nil || len(s.Results) > 0 != (c.state == AwaitingRevocation) {
				t.Errorf("apply looked at %d rows, error %v", len(s.Results), err)
			}
		})
	}
}

func TestSeatsAreCountedBeforeAnythingIsGivenBack(t *testing.T) {
	f := newFake()
	var rows []Row
	for n := range 4 {
		f.people[userID(n)] = []Assignment{{SKU: skuA, Disabled: []string{planX}}}
		rows = append(rows, row(userID(n), skuA))
	}
	d := newDesk(t, t.TempDir())
	sealed := d.seal(d.plan(rows...))
	b := d.open("apply")
	defer b.Close()
	p, _ := b.Plan(sealed.ID)
	if _, err := b.Apply(t.Context(), p, f, f, ApplyOptions{Immediate: true, Settle: time.Hour}); err != nil {
		t.Fatal(err)
	}
	f.free[skuA] = 2
	writes := f.writes
	var short *ShortError
	if _, err := b.Rollback(t.Context(), p, f, RollbackOptions{}); !errors.As(err, &short) || short.Missing[0].Wanted != 4 || short.Missing[0].There != 2 || f.writes != writes {
		t.Fatalf("error %v, %d writes", err, f.writes-writes)
	}
	if s, err := b.Rollback(t.Context(), p, f, RollbackOptions{Rows: []int{3}}); err != nil || len(s.Results) != 1 || len(f.has(userID(2), skuA)) != 1 {
		t.Errorf("row 3: %+v, error %v", s, err)
	}
	if s, err := b.Rollback(t.Context(), p, f, RollbackOptions{Partial: true}); err != nil || s.Failed != 2 || f.free[skuA] != 0 {
		t.Errorf("as many as there are: %+v, error %v", s, err)
	}
	if _, err := b.Rollback(t.Context(), p, f, RollbackOptions{Rows: []int{9}}); err == nil {
		t.Error("a row that there is not")
	}
}
