package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"seatlake/load/lake"
	"seatlake/pipeline"
	"seatlake/sql"
)

// TestDifferencesThatErasuresExplain has marts of version 4 from which somebody who held
// two licences was erased, in version 5, and says which sums are faults all the same.
func TestDifferencesThatErasuresExplain(t *testing.T) {
	gold := &lake.Gold{Version: 4, Files: []lake.GoldFile{{Mart: "users", Erased: 1}, {Mart: "license_assignments", Erased: 2}}}
	erasure := func(v pipeline.Version, tenant string) lake.Commit {
		return lake.Commit{Version: v, Erases: true, Commit: pipeline.Commit{Run: pipeline.Run{TenantID: tenant}}}
	}
	sum := func(of string, one, other int64, people string) sql.Disagreement {
		return sql.Disagreement{Rule: "Assigned users are licences", TenantID: "a", Of: of, One: one, Other: other, People: people}
	}
	assigned := func(of string, one, other int64) sql.Disagreement { return sum(of, one, other, "license_assignments") }
	both := []sql.Disagreement{assigned("E3", 17, 16), assigned("E5", 3, 2)}
	ofAnother := assigned("E3", 17, 16)
	ofAnother.TenantID = "b"
	for _, c := range []struct {
		name         string
		gold         *lake.Gold
		commits      []lake.Commit
		found, stays []sql.Disagreement
		erased       map[string]erasedSums
	}{
		{"totals that are larger by the one who was erased", gold, []lake.Commit{erasure(5, "a")}, both, nil, map[string]erasedSums{"a": {2, 1}}},
		{"a stored table has no rows to compare with", gold, []lake.Commit{erasure(5, "a")}, []sql.Disagreement{sum("E3", 17, 16, "graph_user_licenses")}, nil, map[string]erasedSums{"a": {1, 1}}},
		{"nobody was erased", gold, []lake.Commit{{Version: 5}}, both, both, nil},
		{"marts that were built since lost nobody", &lake.Gold{Version: 4, Files: []lake.GoldFile{{Mart: "users"}}}, []lake.Commit{erasure(5, "a")}, both, both, nil},
		{"the erasure was before the marts' version", gold, []lake.Commit{erasure(4, "a")}, both, both, nil},
		{"another tenant's erasure", gold, []lake.Commit{erasure(5, "a")}, []sql.Disagreement{ofAnother}, []sql.Disagreement{ofAnother}, nil},
		{"a total that is the smaller", gold, []lake.Commit{erasure(5, "a")}, []sql.Disagreement{assigned("E3", 16, 17)}, []sql.Disagreement{assigned("E3", 16, 17)}, nil},
		{"a total that is larger by two", gold, []lake.Commit{erasure(5, "a")}, []sql.Disagreement{assigned("E3", 18, 16)}, []sql.Disagreement{assigned("E3", 18, 16)}, nil},
		{"one total more than the licences that went", gold, []lake.Commit{erasure(5, "a")}, append(both[:2:2], assigned("Visio", 2, 1)), append(both[:2:2], assigned("Visio", 2, 1)), nil},
		{"sums that erasures do not touch", gold, []lake.Commit{erasure(5, "a")}, append(both[:2:2], sum("spend", 17, 16, "")), []sql.Disagreement{sum("spend", 17, 16, "")}, map[string]erasedSums{"a": {2, 1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			stays, erased := explained(c.found, c.gold, c.commits)
			if diff := cmp.Diff(c.stays, stays); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			if len(c.erased)+len(erased) > 0 && !cmp.Equal(c.erased, erased, cmp.AllowUnexported(erasedSums{})) {
				t.Errorf("%v differ by erasures, want %v", erased, c.erased)
			}
		})
	}
}
