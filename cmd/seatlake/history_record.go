package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"seatlake/load/lake"
	"seatlake/pipeline"
	"seatlake/schemas"
	"seatlake/sql"
)

// recording is the history of a tenant being brought up to the day before a run: which
// days are put in, and where the rows come from. The run commits them with its own.
type recording struct {
	tenantID string
	files    map[string][]pipeline.File // of graph_users and graph_user_licenses, by day
	known    map[string]recordedDay     // days that are in the history
	days     []string                   // days of snapshots to be put in, in their order
	pastMarts
	recorder *sql.Recorder
}

// recordedDay is a row of history_days.
type recordedDay struct {
	users, licenses int64
	sources         string // SHA-256 over those of its files
	marts           int64  // version of the marts its positions are of; 0 for none
}

// pastMarts are figures of published marts to be put in; day is empty when there are none.
type pastMarts struct {
	day  string
	gold *lake.Gold
}

// recordHistory prepares what a run that begins on a day puts into the history: the
// tenant's days before. It gives nil when nothing has to be put in.
//
// The days stay readable as snapshots until they are in the history, so that models
// say the same before and after. An error keeps no run from its own work: the next one
// tries again, and `seatlake check` names the days that wait.
func recordHistory(ctx context.Context, cfg *Config, lk *lake.Lake, tenantID string, started time.Time) (*recording, error) {
	snapshot, err := lk.Snapshot(ctx, 0)
	if errors.Is(err, lake.ErrEmpty) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s := &recording{tenantID: tenantID, files: daysOf(snapshot, tenantID)}
	if s.known, err = recordedDays(ctx, lk, snapshot, tenantID); err != nil {
		return nil, err
	}
	today := started.UTC().Format(time.DateOnly)
	s.days = s.waiting(today)
	if err := s.findPositions(ctx, lk, today); err != nil {
		return nil, err
	}
	if len(s.days) == 0 && s.day == "" {
		return nil, nil
	}
	return s, s.open(ctx, cfg, lk, snapshot)
}

// daysOf is a tenant's files of users and their licences, by day. A day without users
// is none: nobody read them.
func daysOf(s *lake.Snapshot, tenantID string) map[string][]pipeline.File {
	days := map[string][]pipeline.File{}
	for _, f := range s.Files[schemas.GraphUsers.Name] {
		if f.Tenant == tenantID {
			days[f.Partition] = append(days[f.Partition], f)
		}
	}
	for _, f := range s.Files[schemas.GraphUserLicenses.Name] {
		if _, ok := days[f.Partition]; ok && f.Tenant == tenantID {
			days[f.Partition] = append(days[f.Partition], f)
		}
	}
	return days
}

// sourcesOf is one hash over those of files, in the order of their paths.
func sourcesOf(files []pipeline.File) string {
	var sums []string
	for _, f := range files {
		sums = append(sums, f.Table+" "+f.SHA256)
	}
	slices.Sort(sums)
	sum := sha256.Sum256([]byte(strings.Join(sums, "\n")))
	return hex.EncodeToString(sum[:])
}

// recordedDays is what the history says of its days.
func recordedDays(ctx context.Context, lk *lake.Lake, snapshot *lake.Snapshot, tenantID string) (map[string]recordedDay, error) {
	known := map[string]recordedDay{}
	in := only(lk, snapshot, nil, func(f pipeline.File) bool { return f.Tenant == tenantID && f.Table == schemas.HistoryDays.Name })
	if len(in.Files) == 0 {
		return known, nil
	}
	query := "select cast(snapshot_date as varchar), users, licenses, sources_sha256, coalesce(marts_version, 0) from history_days"
	err := sql.Query(ctx, in, nil, query, func(rows *sql.Rows) error {
		for row, err := range rows.All() {
			if err != nil {
				return err
			}
			r := factRow(row)
			known[r.text(0)] = recordedDay{users: r.count(1), licenses: r.count(2), sources: r.text(3), marts: r.count(4)}
		}
		return nil
	})
	return known, err
}

// only is some files of a snapshot and marts as inputs, without its coverage.
func only(lk *lake.Lake, s *lake.Snapshot, marts *lake.Gold, wanted func(pipeline.File) bool) sql.Inputs {
	part := *s
	part.Files, part.Coverage = map[string][]pipeline.File{}, nil
	for table, files := range s.Files {
		for _, f := range files {
			if wanted(f) {
				part.Files[table] = append(part.Files[table], f)
			}
		}
	}
	return openedOf(new(Config), lk, &part, marts).inputs
}

// waiting is the days before today that are to be put in: those that are not in, and
// those whose files are no longer the ones that were read. A day changes what happened
// on the next one, too, so that all days from the first on are put in again. What
// comes before a day whose snapshot is no longer kept stays as it was. However many days
// wait, none is left out: models read no snapshot of before the history's last day.
func (s *recording) waiting(today string) []string {
	stored := slices.DeleteFunc(slices.Sorted(maps.Keys(s.files)), func(day string) bool { return day >= today })
	thinned := ""
	for day := range s.known {
		if _, ok := s.files[day]; !ok && day < today {
			thinned = max(thinned, day)
		}
	}
	first := slices.IndexFunc(stored, func(day string) bool {
		known, ok := s.known[day]
		return day > thinned && (!ok || known.sources != sourcesOf(s.files[day]))
	})
	if first < 0 {
		return nil
	}
	return stored[first:]
}

// dailyMarts are the marts whose newest day is put into the history.
var dailyMarts = []string{"license_positions_daily", "license_activity_trend"}

// findPositions finds the day of the published marts, if it is over and the history
// does not have its figures.
func (s *recording) findPositions(ctx context.Context, lk *lake.Lake, today string) error {
	gold, err := lk.Gold(0)
	if errors.Is(err, lake.ErrNoGold) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, mart := range dailyMarts {
		if !slices.ContainsFunc(gold.Files, func(f lake.GoldFile) bool { return f.Mart == mart }) {
			return nil // an older program built them
		}
	}
	at, err := lk.Snapshot(ctx, gold.Version)
	if err != nil {
		return err
	}
	day := ""
	for _, c := range at.Coverage {
		if c.TenantID == s.tenantID {
			day = max(day, c.SnapshotDate)
		}
	}
	if day == "" || day >= today || s.known[day].marts == int64(gold.Version) {
		return nil
	}
	s.pastMarts = pastMarts{day: day, gold: gold}
	return nil
}

// open reads all that the rows are made of.
func (s *recording) open(ctx context.Context, cfg *Config, lk *lake.Lake, snapshot *lake.Snapshot) (err error) {
	last := s.day
	if n := len(s.days); n > 0 {
		last = s.days[n-1]
	}
	in := only(lk, snapshot, s.gold, func(f pipeline.File) bool {
		if f.Tenant != s.tenantID || len(s.days) == 0 {
			return false
		}
		switch f.Table {
		case schemas.HistoryDays.Name, schemas.HistoryUsers.Name, schemas.HistoryUserLicenses.Name:
			return f.Partition < s.days[0]
		case schemas.GraphUsers.Name, schemas.GraphUserLicenses.Name:
			return slices.Contains(s.days, f.Partition)
		}
		return false
	})
	in.Coverage = []sql.CoverageRow{{TenantID: s.tenantID, Table: schemas.GraphUsers.Name, State: string(pipeline.Complete), LogicalDate: last, SnapshotDate: last}}
	keep, marts := map[string]string{}, map[string]string{}
	if s.day != "" {
		where := fmt.Sprintf(" where tenant_id = '%s' and %%s = date '%s'", s.tenantID, s.day)
		for _, f := range s.gold.Files {
			if slices.Contains(dailyMarts, f.Mart) {
				marts[f.Mart] = f.Path
			}
		}
		keep["recorded_positions"] = "select * from license_positions_daily" + fmt.Sprintf(where, "position_date")
		keep["recorded_activity"] = "select * from license_activity_trend" + fmt.Sprintf(where, "activity_date")
	}
	s.recorder, err = sql.OpenRecorder(ctx, in, marts, keep, sql.Options{MemoryLimit: cfg.DuckDB.MemoryLimit, Threads: cfg.DuckDB.Threads})
	return err
}

// fixed is the rows as tables of a run. A day without changes replaces what the history
// had of it by nothing.
func (s *recording) fixed(ctx context.Context) ([]pipeline.Fixed, error) {
	if s == nil {
		return nil, nil
	}
	var out []pipeline.Fixed
	recorder := s.recorder
	table := func(t *schemas.Table, days []string, query string) {
		if len(days) > 0 {
			out = append(out, pipeline.Fixed{Table: t, Days: days, Stream: func() pipeline.Stream { return recorder.Stream(ctx, t, query) }})
		}
	}
	days, query, err := s.dayRows(ctx)
	if err != nil {
		return nil, err
	}
	table(schemas.HistoryDays, days, query)
	table(schemas.HistoryUsers, s.days, `select tenant_id, snapshot_date, user_id, is_present, account_enabled
		from int_user_changes where not is_recorded order by 2, 3`)
	table(schemas.HistoryUserLicenses, s.days, `select tenant_id, snapshot_date, user_id, sku_id, is_held, assigned_by
		from int_license_changes where not is_recorded order by 2, 3, 4`)
	if s.day != "" {
		var columns []string
		for _, f := range schemas.HistoryPositions.Fields[3:] {
			columns = append(columns, f.Name)
		}
		table(schemas.HistoryPositions, []string{s.day}, "select tenant_id, position_date, sku_id, "+strings.Join(columns, ", ")+" from recorded_positions order by 3")
		table(schemas.HistoryLicenseActivity, []string{s.day}, `select tenant_id, activity_date, sku_id, service, entitled_users, active_users, inactive_users,
			never_active_users, too_new_users, not_measurable_users from recorded_activity order by 3, 4`)
	}
	last := out[len(out)-1].Stream
	out[len(out)-1].Stream = func() pipeline.Stream { return s.closing(last()) }
	return out, nil
}

// closing is the last stream of the recorder, which is closed behind it, so that it
// takes no memory from the rest of the run.
func (s *recording) closing(in pipeline.Stream) pipeline.Stream {
	return pipeline.Stream{Schema: in.Schema, Batches: func(yield func(arrow.RecordBatch, error) bool) {
		for batch, err := range in.Batches {
			if !yield(batch, err) {
				return
			}
		}
		if err := s.close(); err != nil {
			yield(nil, err)
		}
	}}
}

// dayRows is the rows of history_days as a query, and their days.
func (s *recording) dayRows(ctx context.Context) ([]string, string, error) {
	rows := map[string]recordedDay{}
	for _, day := range s.days {
		rows[day] = recordedDay{sources: sourcesOf(s.files[day]), marts: s.known[day].marts}
	}
	err := s.recorder.Rows(ctx, `select cast(u.snapshot_date as varchar), u.users, coalesce(l.licenses, 0)
		from (select snapshot_date, count(*) as users from stg_users group by 1) as u
		left join (select snapshot_date, count(distinct user_id || sku_id) as licenses from stg_user_licenses where holds_seat group by 1) as l
		  on l.snapshot_date = u.snapshot_date`, func(row []any) error {
		r := factRow(row)
		day := rows[r.text(0)]
		day.users, day.licenses = r.count(1), r.count(2)
		rows[r.text(0)] = day
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	if known, ok := s.known[s.day]; ok && rows[s.day].sources == "" {
		rows[s.day] = known // only its positions are new
	}
	if day, ok := rows[s.day]; ok {
		day.marts = int64(s.gold.Version)
		rows[s.day] = day
	}
	days := slices.Sorted(maps.Keys(rows))
	var values []string
	for _, day := range days {
		r := rows[day]
		values = append(values, fmt.Sprintf("('%s', date '%s', cast(%d as bigint), cast(%d as bigint), '%s', nullif(cast(%d as bigint), 0))", s.tenantID, day, r.users, r.licenses, r.sources, r.marts))
	}
	return days, "select * from (values " + strings.Join(values, ", ") + ") order by 2", nil
}

// close lets go of what the rows are made of.
func (s *recording) close() error {
	if s == nil || s.recorder == nil {
		return nil
	}
	r := s.recorder
	s.recorder = nil
	return r.Close()
}
