package reclaim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestAPlanTakesUpOnlyWhatNothingSpeaksAgainst(t *testing.T) {
	sound := Candidate{Row: row(userID(1), skuA)}
	for _, c := range []struct {
		name   string
		change func(*Candidate)
		why    string // "" when it is taken up
	}{
		{"a sound candidate is taken up", func(*Candidate) {}, ""},
		{"one that is assigned by a group is taken up, to be listed", func(c *Candidate) { c.AssignedBy, c.BlockedBy = "group", "group_assigned" }, ""},
		{"a protected one is not", func(c *Candidate) { c.BlockedBy = "protected" }, "blocked by protected"},
		{"a protected one of a group is not", func(c *Candidate) { c.BlockedBy = "group_assigned, protected" }, "blocked by protected"},
		{"one without evidence is not", func(c *Candidate) { c.Evidence = "none" }, "the evidence is none"},
		{"one with partial evidence is not", func(c *Candidate) { c.Evidence = "partial" }, "the evidence is partial"},
		{"one whose evidence is not known is not", func(c *Candidate) { c.Evidence = "" }, "the evidence is unknown"},
		{"one that is too new is not", func(c *Candidate) { c.ActivityStatus = "too_new" }, "too new"},
		{"one of low confidence is not", func(c *Candidate) { c.Confidence = "low" }, "the confidence is low"},
		{"one of unknown confidence is not", func(c *Candidate) { c.Confidence = "sure" }, "the confidence is sure"},
	} {
		t.Run(c.name, func(t *testing.T) {
			candidate := sound
			c.change(&candidate)
			p := &Plan{Filter: Filter{MinConfidence: "medium"}, Limits: Limits{Share: 10_000, Licenses: 10}}
			if err := p.Draw(sorted([]Candidate{candidate}), map[string]int{skuA: 1}); err != nil {
				t.Fatal(err)
			}
			if (len(p.Rows) == 1) != (c.why == "") {
				t.Fatalf("%d rows", len(p.Rows))
			}
			if c.why != "" && (len(p.LeftOut) != 1 || p.LeftOut[0].Why != c.why) {
				t.Errorf("left out: %v, want %q", p.LeftOut, c.why)
			}
		})
	}
}

// TestAPlanKeepsItsLimits draws plans from random candidates: no SKU loses more than its
// share, nobody more than the filter names, every candidate is in the plan or counted,
// and what is left for a limit's sake is worth no more than what is taken.
func TestAPlanKeepsItsLimits(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var candidates []Candidate
		assigned := map[string]int{}
		for n := range rapid.IntRange(0, 60).Draw(rt, "candidates") {
			c := Candidate{Row: row(userID(n), rapid.SampledFrom([]string{skuA, skuB}).Draw(rt, "SKU"))}
			c.AnnualSaving = rapid.SampledFrom([]string{"", "9.50", "120.00", "1000.00"}).Draw(rt, "saving")
			c.Department = rapid.SampledFrom([]string{"Sales", "IT"}).Draw(rt, "department")
			c.Confidence = rapid.SampledFrom(confidences).Draw(rt, "confidence")
			candidates = append(candidates, c)
			assigned[c.SKU] += 1 + rapid.IntRange(0, 5).Draw(rt, "others")
		}
		p := &Plan{
			Filter: Filter{MinConfidence: "medium", Departments: []string{"sales"}},
			Limits: Limits{Share: rapid.IntRange(0, 10_000).Draw(rt, "share"), Licenses: rapid.IntRange(1, 40).Draw(rt, "licences")},
		}
		if err := p.Draw(sorted(candidates), assigned); err != nil {
			rt.Fatal(err)
		}
		if len(p.Rows) > p.Limits.Licenses {
			rt.Fatalf("%d rows of %d", len(p.Rows), p.Limits.Licenses)
		}
		taken := map[string]int{}
		for n, r := range p.Rows {
			if r.Number != n+1 || r.Department != "Sales" || r.Confidence == "low" {
				rt.Fatalf("row %d: %+v", n, r)
			}
			taken[r.SKU]++
		}
		for sku, n := range taken {
			if n*10_000 > assigned[sku]*p.Limits.Share {
				rt.Fatalf("%d of %d users, more than %d basis points", n, assigned[sku], p.Limits.Share)
			}
		}
		left, wanted := 0, 0
		for _, l := range p.LeftOut {
			left += l.Rows
		}
		for _, c := range candidates {
			if c.Department == "Sales" {
				wanted++
			}
		}
		if left+len(p.Rows) != wanted {
			rt.Fatalf("%d rows and %d left out of %d", len(p.Rows), left, wanted)
		}
	})
}

func TestApproveTakesRemovalsAndCommentsAlone(t *testing.T) {
	for _, c := range []struct {
		name  string
		edit  func(string) string
		fault string // "" when it is sealed
		rows  int
	}{
		{"all rows", func(s string) string { return s }, "", 3},
		{"a row less, and a comment", func(s string) string {
			lines := strings.SplitAfter(s, "\n")
			return lines[0] + strings.Replace(lines[2], ",\n", ",\"leaves, in May\"\n", 1)
		}, "", 1},
		{"semicolons and a byte order mark", func(s string) string { return "\ufeff" + strings.ReplaceAll(s, ",", ";") }, "", 3},
		{"a price that a spreadsheet wrote otherwise", func(s string) string { return strings.ReplaceAll(s, "120.00", "120") }, "", 3},
		{"no rows", func(s string) string { return s[:strings.Index(s, "\n")+1] }, "no row is left", 0},
		{"a row twice", func(s string) string { return s + s[strings.Index(s, "\n")+1:] }, "is there twice", 0},
		{"a row of another user", func(s string) string { return strings.Replace(s, userID(2), userID(7), 1) }, "only the comment may be changed", 0},
		{"a row of another SKU", func(s string) string { return strings.Replace(s, skuB, skuC, 1) }, "only the comment may be changed", 0},
		{"a row that is new", func(s string) string { return strings.Replace(s, ",3,", ",9,", 1) }, "not added", 0},
		{"another plan's rows", func(s string) string { return strings.ReplaceAll(s, "01KAV", "01KAW") }, "it is of plan", 0},
		{"a header without the SKU", func(s string) string { return strings.Replace(s, "sku_id", "sku", 1) }, "columns sku_id are missing", 0},
		{"nothing at all", func(string) string { return "" }, "empty", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t, t.TempDir())
			p := d.plan(row(userID(1), skuA), row(userID(2), skuA), row(userID(1), skuB))
			b := d.open("approve")
			defer b.Close()
			s, _, err := b.Approve(p, []byte(c.edit(string(csvOf(t, p)))), time.Hour)
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Fatalf("error %v, want %q", err, c.fault)
				}
				if len(b.Plans()) > 0 {
					t.Error("it is in the ledger all the same")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(s.Rows) != c.rows || s.Rows[0].AnnualSaving != "120.00" {
				t.Errorf("%d rows, the first saves %s", len(s.Rows), s.Rows[0].AnnualSaving)
			}
		})
	}
}

func TestASealedPlanIsRefusedWhenItIsNotWhatWasSealed(t *testing.T) {
	d := newDesk(t, t.TempDir())
	sealed := d.seal(d.plan(row(userID(1), skuA), row(userID(2), skuA)))
	var text strings.Builder
	if err := sealed.WriteJSON(&text); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadSealed([]byte(text.String())); err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{userID(2), skuA, "rita@contoso.com", "2026-12-08", "inactive", "contoso\"", sealed.LakeID} {
		if !strings.Contains(text.String(), word) {
			t.Errorf("the plan does not say %q", word)
		}
		changed := strings.Replace(text.String(), word, word[:len(word)-1]+"9", 1)
		if _, err := ReadSealed([]byte(changed)); err == nil {
			t.Errorf("%q was changed, and nobody sees it", word)
		}
	}
	// Who knows how can make another hash; the ledger knows the one that was sealed.
	forged := *sealed
	forged.Rows = slices.Clone(sealed.Rows)
	forged.Rows[0].UserID = userID(9)
	sum, err := forged.hash()
	if err != nil {
		t.Fatal(err)
	}
	forged.Seal.SHA256 = sum
	b := d.open("apply")
	defer b.Close()
	if _, err := b.Check(&forged); !errors.Is(err, ErrChanged) {
		t.Errorf("a forged plan: %v", err)
	}
	other := forged
	other.ID = "01KAV0000000000000000009ZZ"
	if _, err := b.Check(&other); !errors.Is(err, ErrNotSealed) {
		t.Errorf("a plan that nobody sealed: %v", err)
	}
	p, err := b.Check(sealed)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Expired(start.Add(14*24*time.Hour - time.Second)); err != nil {
		t.Error(err)
	}
	if err := p.Expired(start.Add(14 * 24 * time.Hour)); !errors.Is(err, ErrExpired) {
		t.Errorf("after two weeks: %v", err)
	}
	// A clock that was set back must not make an expired plan young again.
	if err := p.Expired(p.Seal.At.Add(-time.Second)); !errors.Is(err, ErrClock) {
		t.Errorf("before it was sealed: %v", err)
	}
}

func TestNoCellIsAFormula(t *testing.T) {
	r := row(userID(1), skuA)
	r.Department = `=HYPERLINK("https://example.com")`
	p := &Plan{ID: "01KAV", Filter: Filter{MinConfidence: "low"}, Limits: Limits{Share: 10_000, Licenses: 1}}
	if err := p.Draw(sorted([]Candidate{{Row: r}}), map[string]int{skuA: 1}); err != nil {
		t.Fatal(err)
	}
	if text := string(csvOf(t, p)); !strings.Contains(text, `"'=HYPERLINK(`) {
		t.Error(text)
	}
}

func TestPercentIsExact(t *testing.T) {
	for points, want := range map[int]string{500: "5 %", 250: "2.5 %", 25: "0.25 %", 10_000: "100 %", 0: "0 %", 5: "0.05 %"} {
		if got := percent(points); got != want {
			t.Errorf("%d basis points are %q, want %q", points, got, want)
		}
	}
	if fmt.Sprint(compareMoney("9.50", "120.00"), compareMoney("", "0.00"), compareMoney("1.10", "1.1")) != "-1 -1 0" {
		t.Error("money is compared as text")
	}
}

func TestCandidatesOutOfOrderAreRefused(t *testing.T) {
	cheap, dear := Candidate{Row: row(userID(1), skuA)}, Candidate{Row: row(userID(2), skuA)}
	cheap.AnnualSaving, dear.AnnualSaving = "9.50", "120.00"
	p := &Plan{Filter: Filter{MinConfidence: "low"}, Limits: Limits{Share: 10_000, Licenses: 10}}
	err := p.Draw(func(yield func(*Candidate, error) bool) { _ = yield(&cheap, nil) && yield(&dear, nil) }, map[string]int{skuA: 2})
	if err == nil || !strings.Contains(err.Error(), "out of order") {
		t.Errorf("drawn: %v", err)
	}
	broken := errors.New("broken")
	if err := p.Draw(func(yield func(*Candidate, error) bool) { yield(nil, broken) }, nil); !errors.Is(err, broken) {
		t.Errorf("of an error: %v", err)
	}
}
