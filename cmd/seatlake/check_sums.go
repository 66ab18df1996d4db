package main

import (
	"context"
	"errors"
	"fmt"

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
	if erased := gold.Erased(); erased > 0 {
		fmt.Fprintf(a.out, "Sums were not compared: the marts of version %d count people who were erased since (%d rows), until they are built again.\n", gold.Version, erased)
		return nil
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
	fmt.Fprintf(a.out, "%d sums agree across tables and marts.\n", compared)
	return nil
}
