package sql

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"seatlake/schemas"
)

// Inputs is what models are built from: one committed snapshot of the lake, and
// the user's rules.
type Inputs struct {
	Version int64  // of the lake; becomes _lake_version of every mart
	RunID   string // of the newest run; becomes _run_id of every mart

	// Files are the snapshot's Parquet files by stored table, as absolute paths, or as
	// names that Fetch knows. A table without files is empty, with its columns.
	Files map[string][]string

	// Fetch, when set, brings the files of what is read to this machine. It is called
	// once, before anything is read.
	Fetch func(ctx context.Context, reads []Read) (*Local, error)

	// Coverage is the newest coverage of each tenant's tables.
	Coverage []CoverageRow

	// Seeds replaces the content of seeds by name: CSV with the header of the one
	// it replaces. Seeds that are not named keep the project's rows.
	Seeds map[string][]byte

	// Vars replaces variables of dbt_project.yml by name.
	Vars map[string]string
}

// CoverageRow is a stored table's completeness and freshness for one tenant.
type CoverageRow struct {
	TenantID   string // directory id
	TenantName string // configured name
	Table      string
	State      string // complete, partial, concealed, denied, missing or stale
	Reason     string // for people, empty when complete

	Observed        time.Time // UTC, when Graph answered first; zero when it did not
	ObservedThrough string    // UTC day "2006-01-02" up to which the source saw activity, or empty
	LogicalDate     string    // partition the tenant's newest run wrote, or empty
	Rows            int64

	RunID        string
	SnapshotDate string // UTC day of that run
}

// check names the first fault of the inputs.
func (in *Inputs) check() error {
	for name, files := range in.Files {
		t, ok := schemas.ByName(name)
		if !ok {
			return fmt.Errorf("files of table %q: no such stored table: %w", name, ErrNewer)
		}
		for _, path := range files {
			if v := schemaVersion(path, name); v > t.Version {
				return fmt.Errorf("%s has version %d of the schema, and %d is known: %w", path, v, t.Version, ErrNewer)
			}
		}
	}
	for i, c := range in.Coverage {
		if _, err := uuid.Parse(c.TenantID); err != nil {
			return fmt.Errorf("coverage row %d: tenant id %q is not a GUID", i+1, c.TenantID)
		}
		for _, day := range []string{c.ObservedThrough, c.LogicalDate, c.SnapshotDate} {
			if day == "" {
				continue
			}
			if _, err := time.Parse(time.DateOnly, day); err != nil {
				return fmt.Errorf("coverage of %s: %q is not a day like 2006-01-02", c.Table, day)
			}
		}
		if c.SnapshotDate == "" {
			return fmt.Errorf("coverage of %s: the day of its run is missing", c.Table)
		}
	}
	return nil
}

// schemaVersion is the version in a data file's path, data/<table>/v<n>/; 0 when there
// is none.
func schemaVersion(path, table string) int {
	_, rest, _ := strings.Cut("/"+filepath.ToSlash(path), "/data/"+table+"/v")
	number, _, _ := strings.Cut(rest, "/")
	n, err := strconv.Atoi(number)
	if err != nil {
		return 0
	}
	return n
}
