package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"seatlake/load/lake"
	"seatlake/sql"
)

// shownDisagreements is how many sums are printed of a check; their number is told.
const shownDisagreements = 20

// checkSums compares sums across the current marts and the tables of their version. A
// lake without marts has none to compare.
func (a *app) checkSums(ctx context.Context, cfg *Config, lk *lake.Lake) error {
	newest, err := lk.Snapshot(ctx, 0)
	if errors.Is(err, lake.ErrEmpty) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := waitingDays(ctx, lk, newest, a.out); err != nil {
		return err
	}
	gold, err := lk.Gold(0)
	if errors.Is(err, lake.ErrNoGold) {
		return nil
	}
	if err != nil {
		return err
	}
	snapshot, err := lk.Snapshot(ctx, gold.Version)
	if err != nil {
		return err
	}
	o := openedOf(cfg, lk, snapshot, gold)
	found, compared, err := sql.Sums(ctx, o.inputs, o.gold, sql.Options{MemoryLimit: cfg.DuckDB.MemoryLimit, Threads: cfg.DuckDB.Threads})
	if err != nil {
		return &statusError{code: exitCheckFailed, err: fmt.Errorf("compare sums of version %d: %w", gold.Version, err)}
	}
	commits, err := lk.Commits(ctx)
	if err != nil {
		return err
	}
	found, erased := explained(found, gold, commits)
	for i, d := range found {
		if i == shownDisagreements {
			break
		}
		fmt.Fprintf(a.out, "fault: tenant %s, %s: %d and %d differ by %d: %s (`seatlake build --as-of %d` makes the marts again; `seatlake diff` says what it changed)\n",
			d.TenantID, d.Of, d.One, d.Other, d.One-d.Other, d.Rule, gold.Version)
	}
	if len(found) > 0 {
		return &statusError{code: exitCheckFailed, err: fmt.Errorf("%d of %d sums do not agree", len(found), compared)}
	}
	for _, tenantID := range slices.Sorted(maps.Keys(erased)) {
		e := erased[tenantID]
		fmt.Fprintf(a.out, "info: tenant %s: %d totals count people who were erased since they were published (%d at most), and stay; the licences of the others add up to the rest (`seatlake build` makes marts without them)\n", tenantID, e.sums, e.people)
		compared -= e.sums
	}
	fmt.Fprintf(a.out, "%d sums agree across tables and marts.\n", compared)
	return nil
}

// erasedSums are the sums of a tenant that differ by people who were erased.
type erasedSums struct{ sums, people int64 }

// explained takes out the disagreements that erasures explain, and counts them by
// tenant. A total that names nobody stays as it was published, and rows of people are
// gone: each such total is larger by no more than the people who were erased from the
// tenant behind the marts' version, and those of a rule together by no more than the
// rows that its mart lost. Else all of the rule's stay.
func explained(found []sql.Disagreement, gold *lake.Gold, commits []lake.Commit) ([]sql.Disagreement, map[string]erasedSums) {
	lost := map[string]int64{}
	for _, f := range gold.Files {
		lost[f.Mart] = f.Erased
	}
	people := map[string]int64{} // by tenant; each erasure is of one
	for _, c := range commits {
		if id := c.Run.TenantID; c.Erases && c.Version > gold.Version {
			people[id] = min(people[id]+1, lost["users"])
		}
	}
	more := map[string]int64{} // by rule
	for _, d := range found {
		if d.People != "" {
			more[d.Rule] += d.One - d.Other
		}
	}
	left, erased := []sql.Disagreement(nil), map[string]erasedSums{}
	for _, d := range found {
		rows, isMart := lost[d.People]
		n := people[d.TenantID]
		if by := d.One - d.Other; d.People == "" || by < 1 || by > n || isMart && more[d.Rule] > rows {
			left = append(left, d)
			continue
		}
		erased[d.TenantID] = erasedSums{sums: erased[d.TenantID].sums + 1, people: n}
	}
	return left, erased
}
