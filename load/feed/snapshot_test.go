package feed_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"seatlake/load/feed"
)

func changes(last, now *feed.Snapshot) []string {
	var out []string
	for _, c := range feed.Compare(last, now) {
		out = append(out, c.String())
	}
	return out
}

func TestSnapshotsAreReadBack(t *testing.T) {
	made := build(t, "servicenow-subscriptions", sample(), feed.Options{}).Snapshot()
	var b, again bytes.Buffer
	if err := made.Write(&b); err != nil {
		t.Fatal(err)
	}
	if err := made.Write(&again); err != nil || !bytes.Equal(b.Bytes(), again.Bytes()) {
		t.Errorf("the same snapshot is other bytes: %v", err)
	}
	body := b.Bytes()
	got, err := feed.ReadSnapshot(&b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(made, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for name, damaged := range map[string][]byte{"cut": body[:len(body)/2], "nothing": {}, "text": []byte("rows")} {
		if _, err := feed.ReadSnapshot(bytes.NewReader(damaged)); err == nil {
			t.Errorf("%s is taken for a snapshot", name)
		}
	}
}

func TestCompare(t *testing.T) {
	before := build(t, "sam360", sample(), feed.Options{}).Snapshot()
	if got := changes(before, before); got != nil {
		t.Errorf("a snapshot differs from itself: %v", got)
	}
	facts := sample()
	facts.Positions[0].Enabled = ptr(int64(81))                           // E3 of contoso
	facts.Positions = append(facts.Positions[:2], facts.Positions[3:]...) // Visio is gone
	facts.Positions = append(facts.Positions, position(fabrikam, "fabrikam", e5, "SPE_E5", "Microsoft 365 E5", "paid", "User", 1, 0, 0))
	after := build(t, "sam360", facts, feed.Options{Last: before})
	want := []string{
		"removed Office365LicenseDetails: contoso / VISIOCLIENT",
		"changed Office365LicenseDetails: contoso / SPE_E3 (ActiveUnits: 80 -> 81)",
		"added Office365LicenseDetails: fabrikam / SPE_E5",
	}
	if diff := cmp.Diff(want, changes(before, after.Snapshot())); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if text := string(write(t, &after.Sheets[0], feed.CSV)); strings.Contains(text, visio) {
		t.Error("a whole snapshot still has the row that is gone")
	}
	all := build(t, "sam360", facts, feed.Options{Last: before})
	all.Only(feed.Compare(before, all.Snapshot()))
	if n := len(all.Sheets[0].Rows); n != 2 {
		t.Errorf("%d rows are new or changed, want 2", n)
	}
}

// Who no longer has a licence is delivered as not active for 35 days, then no more;
// who has it again is added.
func TestEndedSubscriptions(t *testing.T) {
	facts := sample()
	last := build(t, "servicenow-subscriptions", facts, feed.Options{}).Snapshot()
	gone := sample()
	gone.Assignments = gone.Assignments[1:]
	made := func(f *feed.Facts, last *feed.Snapshot, days int) *feed.Feed {
		t.Helper()
		out, err := feed.Named("servicenow-subscriptions").Build(f, feed.Options{Format: feed.CSV, Today: today.AddDate(0, 0, days), Last: last})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	const ended = "Microsoft 365 E3,Microsoft,Microsoft 365 E3,miriam@contoso.com,SPE_E3,2026-01-02,2026-10-06,false,false\r\n"
	first := made(gone, last, 1)
	if text := string(write(t, &first.Sheets[0], feed.CSV)); strings.Count(text, ended) != 1 {
		t.Errorf("the row is not delivered as ended:\n%s", text)
	}
	const key = "miriam@contoso.com / SPE_E3"
	if diff := cmp.Diff([]string{"removed subscriptions: " + key}, changes(last, first.Snapshot())); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	second := made(gone, first.Snapshot(), 35)
	if text := string(write(t, &second.Sheets[0], feed.CSV)); !strings.Contains(text, ended) {
		t.Error("34 days later it is gone")
	}
	if got := changes(first.Snapshot(), second.Snapshot()); got != nil {
		t.Errorf("it is removed twice: %v", got)
	}
	third := made(gone, second.Snapshot(), 36)
	if text := string(write(t, &third.Sheets[0], feed.CSV)); strings.Contains(text, "miriam") {
		t.Error("35 days later it is still there")
	}
	if got := changes(second.Snapshot(), third.Snapshot()); got != nil {
		t.Errorf("forgetting it is a change: %v", got)
	}
	back := made(facts, second.Snapshot(), 35)
	if diff := cmp.Diff([]string{"added subscriptions: " + key}, changes(second.Snapshot(), back.Snapshot())); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if text := string(write(t, &back.Sheets[0], feed.CSV)); strings.Contains(text, ",false,false") {
		t.Errorf("the row is still marked as ended:\n%s", text)
	}
}

// A file that has no rows any more is delivered empty, so that nobody imports the old
// one again.
func TestAFileThatIsNoLongerNeededIsEmptied(t *testing.T) {
	last := build(t, "fnms-purchase-order", sample(), feed.Options{}).Snapshot()
	facts := sample()
	facts.Terms[1].Currency = "EUR"
	made := build(t, "fnms-purchase-order", facts, feed.Options{Last: last})
	files := map[string]int{}
	for _, s := range made.Sheets {
		files[s.Name] = len(s.Rows)
	}
	if diff := cmp.Diff(map[string]int{"PurchaseOrder": 1, "PurchaseOrder-EUR": 4, "PurchaseOrder-USD": 0}, files); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// What changes says, done to the rows delivered before, gives the rows of now.
func TestChangesAreAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := func(name string) *feed.Snapshot {
			s := feed.SheetSnapshot{Name: "s", Columns: []string{"a"}}
			for i := range 6 {
				if rapid.Bool().Draw(t, name) {
					s.Rows = append(s.Rows, feed.RowSnapshot{Key: fmt.Sprint("k", i), Label: fmt.Sprint("k", i), Cells: []string{rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "cell")}})
				}
			}
			return &feed.Snapshot{Sheets: []feed.SheetSnapshot{s}}
		}
		before, now := rows("before"), rows("now")
		state := map[string]string{}
		for _, r := range before.Sheets[0].Rows {
			state[r.Key] = r.Cells[0]
		}
		want := map[string]string{}
		for _, r := range now.Sheets[0].Rows {
			want[r.Key] = r.Cells[0]
		}
		for _, c := range feed.Compare(before, now) {
			switch c.What {
			case "removed":
				delete(state, c.Label)
			default:
				state[c.Label] = want[c.Label]
			}
		}
		if diff := cmp.Diff(want, state); diff != "" {
			t.Fatalf("-want +got: %s", diff)
		}
	})
}
