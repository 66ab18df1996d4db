package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"seatlake/load/lake"
	"seatlake/pipeline"
	"seatlake/schemas"
)

// thinnedTables are those whose rows say of every user how things were on a day. Models
// read their newest day alone; what changed before is in the history.
var thinnedTables = []*schemas.Table{
	schemas.GraphUsers, schemas.GraphUserLicenses, schemas.GraphUserRegistrationDetails,
	schemas.ReportOffice365ActiveUserDetail, schemas.ReportEmailActivityUserDetail, schemas.ReportM365AppUserDetail,
	schemas.ReportOffice365ActivationsUserDetail, schemas.ReportMailboxUsageDetail, schemas.ReportOneDriveUsageAccountDetail,
	schemas.ReportMicrosoft365CopilotUsageUserDetail,
}

// thin takes the snapshots of days out of the newest version that are older than the
// configuration keeps them and whose changes the history has. A commit of each tenant
// says so. Versions before it still have them, until those are past their own
// retention.
func (a *app) thin(ctx context.Context, cfg *Config, lk *lake.Lake, dryRun bool) error {
	if cfg.KeepSnapshots <= 0 {
		return nil
	}
	snapshot, err := lk.Snapshot(ctx, 0)
	if errors.Is(err, lake.ErrEmpty) {
		return nil
	}
	if err != nil {
		return err
	}
	before := a.now().UTC().Add(-cfg.KeepSnapshots).Format(time.DateOnly)
	tenants := map[string]string{}
	for _, c := range snapshot.Coverage {
		tenants[c.TenantID] = c.Tenant
	}
	for _, tenantID := range slices.Sorted(maps.Keys(tenants)) {
		old, err := thinned(ctx, lk, snapshot, tenantID, before)
		if err != nil {
			return err
		}
		if len(old) == 0 {
			continue
		}
		if dryRun {
			for _, r := range old {
				fmt.Fprintln(a.out, "thin", tenants[tenantID], r.Table, r.From)
			}
			continue
		}
		version, err := a.commitThinned(ctx, lk, tenants[tenantID], tenantID, old)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.out, "%s: %d partitions of before %s are in the history and no longer in version %d.\n", tenants[tenantID], len(old), before, version)
	}
	return nil
}

// thinned is the partitions of a tenant that are old, in the history, and not the newest
// of their table.
func thinned(ctx context.Context, lk *lake.Lake, s *lake.Snapshot, tenantID, before string) ([]pipeline.Replacement, error) {
	known, err := recordedDays(ctx, lk, s, tenantID)
	if err != nil {
		return nil, err
	}
	files := daysOf(s, tenantID)
	recorded := func(day string) bool { // or nobody read the users on it
		at, stored := files[day]
		return !stored || known[day].sources == sourcesOf(at)
	}
	last := ""
	for day := range known {
		last = max(last, day)
	}
	newest := map[string]string{}
	for _, c := range s.Coverage {
		if c.TenantID == tenantID {
			newest[c.Table] = c.LogicalDate
		}
	}
	var out []pipeline.Replacement
	for _, table := range thinnedTables {
		for _, f := range s.Files[table.Name] {
			day := f.Partition
			r := pipeline.Replacement{Table: table.Name, From: day, To: day}
			if f.Tenant != tenantID || slices.Contains(out, r) || day >= before || day >= last || day >= newest[table.Name] || !recorded(day) {
				continue
			}
			out = append(out, r)
		}
	}
	return out, nil
}

// commitThinned takes partitions out of the newest version. The commit covers no
// source, so that no source looks older by it.
func (a *app) commitThinned(ctx context.Context, lk *lake.Lake, tenant, tenantID string, old []pipeline.Replacement) (pipeline.Version, error) {
	started := a.now().UTC()
	id, err := ulid.New(ulid.Timestamp(started), ulid.DefaultEntropy())
	if err != nil {
		return 0, fmt.Errorf("id of the commit: %w", err)
	}
	run := pipeline.Run{ID: id.String(), Tenant: tenant, TenantID: tenantID, Started: started, Program: "seatlake/" + version(), Requests: []pipeline.Request{}}
	tx, err := lk.Begin(ctx, run)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Abort() }() // which does nothing after Commit
	return tx.Commit(ctx, pipeline.Commit{Run: run, Ended: started, Add: []pipeline.File{}, Coverage: []pipeline.Coverage{}, Replaces: old})
}

// waitingDays names the days that the history lacks although their snapshots are there.
func waitingDays(ctx context.Context, lk *lake.Lake, s *lake.Snapshot, out io.Writer) error {
	tenants := map[string]string{}
	newest := map[string]string{}
	for _, c := range s.Coverage {
		tenants[c.TenantID] = c.Tenant
		newest[c.TenantID] = max(newest[c.TenantID], c.SnapshotDate)
	}
	for _, tenantID := range slices.Sorted(maps.Keys(tenants)) {
		known, err := recordedDays(ctx, lk, s, tenantID)
		if err != nil {
			return err
		}
		r := &recording{tenantID: tenantID, files: daysOf(s, tenantID), known: known}
		if days := r.waiting(newest[tenantID]); len(days) > 0 {
			fmt.Fprintf(out, "info: %s: %d days from %s on wait for the history: the next run puts them in\n", tenants[tenantID], len(days), days[0])
		}
	}
	return nil
}
