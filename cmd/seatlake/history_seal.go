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

// historyWindow is how many days a run puts into the history at most. More are waiting
// only in a lake of before there was a history; `seatlake history rebuild` takes them.
const historyWindow = 31

// sealing is the history of a tenant being brought up to the day before a run: which
// days are put in, and where the rows come from. The run commits them with its own.
type sealing struct {
	tenantID string
	files    map[string][]pipeline.File // of graph_users and graph_user_licenses, by day
	known    map[string]sealedDay       // days that are in the history
	days     []string                   // days of snapshots to be put in, in their order
	pastMarts
	recorder *sql.Recorder
}

// sealedDay is a row of history_days.
type sealedDay struct {
	users, licenses int64
	sources         string // SHA-256 over those of its files
	marts           int64  // version of the marts its positions are of; 0 for none
}

// pastMarts are figures of published marts to be put in; day is empty when there are none.
type pastMarts struct {
	day     string
	version int64
	marts   map[string]string // mart -> Parquet file
}

// sealHistory prepares what a run that begins on a day puts into the history: the
// tenant's days before. It gives nil when nothing has to be put in.
//
// The days stay readable as snapshots until they are in the history, so that models
// say the same before and after. An error keeps no run from its own work: the next one
// tries again, and `seatlake check` names the days that wait.
func sealHistory(ctx context.Context, cfg *Config, lk *lake.Lake, tenantID string, started time.Time) (*sealing, error) {
	snapshot, err := lk.Snapshot(ctx, 0)
	if errors.Is(err, lake.ErrEmpty) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s := &sealing{tenantID: tenantID, files: daysOf(snapshot, tenantID)}
	if s.known, err = sealedDays(ctx, snapshot, tenantID); err != nil {
		return nil, err
	}
	today := started.UTC().Format(time.DateOnly)
	if s.days, err = s.waiting(today); err != nil {
		return nil, err
	}
	if err := s.findPositions(ctx, lk, today); err != nil {
		return nil, err
	}
	if len(s.days) == 0 && s.day == "" {
		return nil, nil
	}
	return s, s.open(ctx, cfg, snapshot)
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

// sealedDays is what the history says of its days.
func sealedDays(ctx context.Context, snapshot *lake.Snapshot, tenantID string) (map[string]sealedDay, error) {
	known := map[string]sealedDay{}
	days, err := localFiles(ctx, snapshot, schemas.HistoryDays.Name, func(f pipeline.File) bool { return f.Tenant == tenantID })
	if err != nil || len(days) == 0 {
		return known, err
	}
	in := sql.Inputs{Files: map[string][]string{schemas.HistoryDays.Name: days}}
	query := "select cast(snapshot_date as varchar), users, licenses, sources_sha256, coalesce(marts_version, 0) from history_days"
	err = sql.Query(ctx, in, nil, query, func(rows *sql.Rows) error {
		for row, err := range rows.All() {
			if err != nil {
				return err
			}
			r := factRow(row)
			known[r.text(0)] = sealedDay{users: r.count(1), licenses: r.count(2), sources: r.text(3), marts: r.count(4)}
		}
		return nil
	})
	return known, err
}

// localFiles is where some of a table's files are on this machine.
func localFiles(ctx context.Context, snapshot *lake.Snapshot, table string, wanted func(pipeline.File) bool) ([]string, error) {
	part := *snapshot
	part.Files = map[string][]pipeline.File{}
	for _, f := range snapshot.Files[table] {
		if wanted(f) {
			part.Files[table] = append(part.Files[table], f)
		}
	}
	return part.Local(ctx, table)
}

// waiting is the days before today that are to be put in: those that are not in, and
// those whose files are no longer the ones that were read. A day changes what happened
// on the next one, too, so that all days from the first on are put in again.
func (s *sealing) waiting(today string) ([]string, error) {
	first := ""
	stored := slices.DeleteFunc(slices.Sorted(maps.Keys(s.files)), func(day string) bool { return day >= today })
	for _, day := range stored {
		if known, ok := s.known[day]; !ok || known.sources != sourcesOf(s.files[day]) {
			first = day
			break
		}
	}
	if first == "" {
		return nil, nil
	}
	for day := range s.known {
		if _, ok := s.files[day]; !ok && day > first && day < today {
			return nil, fmt.Errorf("the snapshot of %s came late or was changed, and that of %s, which follows it, is no longer kept: its history stays as it was", first, day)
		}
	}
	stored = stored[slices.Index(stored, first):]
	if len(s.known) == 0 {
		stored = stored[max(0, len(stored)-historyWindow):]
	}
	return stored, nil
}

// findPositions finds the day of the published marts, if it is over and the history
// does not have its figures.
func (s *sealing) findPositions(ctx context.Context, lk *lake.Lake, today string) error {
	gold, err := lk.Gold(0)
	if errors.Is(err, lake.ErrNoGold) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, mart := range []string{"license_positions_daily", "license_activity_trend"} {
		if !slices.Contains(gold.Marts(), mart) {
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
	marts, err := martFiles(ctx, gold)
	if err != nil {
		return err
	}
	s.pastMarts = pastMarts{day: day, version: int64(gold.Version), marts: map[string]string{
		"license_positions_daily": marts["license_positions_daily"], "license_activity_trend": marts["license_activity_trend"],
	}}
	return nil
}

// open reads all that the rows are made of.
func (s *sealing) open(ctx context.Context, cfg *Config, snapshot *lake.Snapshot) (err error) {
	in := sql.Inputs{Files: map[string][]string{}}
	last := s.day
	if n := len(s.days); n > 0 {
		last = s.days[n-1]
		for table, wanted := range map[string]func(string) bool{
			schemas.HistoryDays.Name:         func(day string) bool { return day < s.days[0] },
			schemas.HistoryUsers.Name:        func(day string) bool { return day < s.days[0] },
			schemas.HistoryUserLicenses.Name: func(day string) bool { return day < s.days[0] },
			schemas.GraphUsers.Name:          func(day string) bool { return slices.Contains(s.days, day) },
			schemas.GraphUserLicenses.Name:   func(day string) bool { return slices.Contains(s.days, day) },
		} {
			in.Files[table], err = localFiles(ctx, snapshot, table, func(f pipeline.File) bool { return f.Tenant == s.tenantID && wanted(f.Partition) })
			if err != nil {
				return err
			}
		}
	}
	in.Coverage = []sql.CoverageRow{{TenantID: s.tenantID, Table: schemas.GraphUsers.Name, State: string(pipeline.Complete), LogicalDate: last, SnapshotDate: last}}
	keep := map[string]string{}
	if s.day != "" {
		where := fmt.Sprintf(" where tenant_id = '%s' and %%s = date '%s'", s.tenantID, s.day)
		keep["sealed_positions"] = "select * from license_positions_daily" + fmt.Sprintf(where, "position_date")
		keep["sealed_activity"] = "select * from license_activity_trend" + fmt.Sprintf(where, "activity_date")
	}
	s.recorder, err = sql.OpenRecorder(ctx, in, s.marts, keep, sql.Options{MemoryLimit: cfg.DuckDB.MemoryLimit, Threads: cfg.DuckDB.Threads})
	return err
}

// fixed is the rows as tables of a run. A day without changes replaces what the history
// had of it by nothing.
func (s *sealing) fixed(ctx context.Context) ([]pipeline.Fixed, error) {
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
		from int_user_changes where not is_sealed order by 2, 3`)
	table(schemas.HistoryUserLicenses, s.days, `select tenant_id, snapshot_date, user_id, sku_id, is_held, assigned_by
		from int_license_changes where not is_sealed order by 2, 3, 4`)
	if s.day != "" {
		var columns []string
		for _, f := range schemas.HistoryPositions.Fields[3:] {
			columns = append(columns, f.Name)
		}
		table(schemas.HistoryPositions, []string{s.day}, "select tenant_id, position_date, sku_id, "+strings.Join(columns, ", ")+" from sealed_positions order by 3")
		table(schemas.HistoryLicenseActivity, []string{s.day}, `select tenant_id, activity_date, sku_id, service, entitled_users, active_users, inactive_users,
			never_active_users, too_new_users, not_measurable_users from sealed_activity order by 3, 4`)
	}
	last := out[len(out)-1].Stream
	out[len(out)-1].Stream = func() pipeline.Stream { return s.closing(last()) }
	return out, nil
}

// closing is the last stream of the recorder, which is closed behind it, so that it
// takes no memory from the rest of the run.
func (s *sealing) closing(in pipeline.Stream) pipeline.Stream {
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
func (s *sealing) dayRows(ctx context.Context) ([]string, string, error) {
	rows := map[string]sealedDay{}
	for _, day := range s.days {
		rows[day] = sealedDay{sources: sourcesOf(s.files[day]), marts: s.known[day].marts}
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
		day.marts = s.version
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
func (s *sealing) close() error {
	if s == nil || s.recorder == nil {
		return nil
	}
	r := s.recorder
	s.recorder = nil
	return r.Close()
}
