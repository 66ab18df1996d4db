package sql

import (
	"fmt"
	"testing"
)

func TestAFindingsQueryListsWhatItCounts(t *testing.T) {
	in, _ := manyTenants(t, t.TempDir(), 20)
	gold := built(t, in)
	seen := map[string]int{}
	for _, row := range answer(t, gold, "select rule, units, query from findings order by tenant_id, rank") {
		rule, units := row[0], row[1]
		rows := answer(t, gold, row[2])
		want := "1" // the position of the SKU, or the term
		switch rule {
		case "reclaim_candidates", "group_candidates", "unproven_candidates":
			want = units
		case "no_current_term":
			want = fmt.Sprint(max(len(rows), 1))
		}
		if fmt.Sprint(len(rows)) != want {
			t.Errorf("%s: %s units, and %d rows of %s", rule, units, len(rows), row[2])
		}
		seen[rule]++
	}
	for _, rule := range []string{"reclaim_candidates", "unassigned_units", "over_assigned", "no_current_term"} {
		if seen[rule] == 0 {
			t.Errorf("no finding of rule %s", rule)
		}
	}
}
