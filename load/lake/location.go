package lake

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// Location is where a data file stands: the parts of its path.
//
//	data/<table>/v<n>/tenant_id=<guid>/<column>=<day>/<run>-<part>-<sha12>.parquet
//	data/<table>/v<n>/<run>-<part>-<sha12>.parquet
//
// The second form is for the catalogue's tables, which belong to no tenant.
type Location struct {
	Table         string
	SchemaVersion int
	Tenant        string // lower-case GUID, or empty
	Column        string // the partition column, empty when Tenant is
	Partition     string // a day, "2006-01-02", empty when Tenant is
	Run           string // ULID of the run that wrote the file
	Part          int    // from 1, within run and partition
	Sum           string // first 12 hex digits of the file's SHA-256
}

const dataDir = "data"

var (
	nameForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
	guidForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	runForm  = regexp.MustCompile(`^[0-7][0-9A-HJKMNP-TV-Z]{25}$`)
	fileForm = regexp.MustCompile(`^([0-9A-Z]{26})-([0-9]{3}|[1-9][0-9]{3,5})-([0-9a-f]{12})\.parquet$`)
	sumForm  = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// Path is the file's path, relative to the lake and slash-separated. A part that
// could lead elsewhere, or that ParsePath would not give back, is an error.
func (l Location) Path() (string, error) {
	if err := l.check(); err != nil {
		return "", err
	}
	return l.path(), nil
}

// path is the path of parts that were checked.
func (l Location) path() string {
	part := strconv.Itoa(l.Part)
	part = strings.Repeat("0", max(0, 3-len(part))) + part
	dir := dataDir + "/" + l.Table + "/v" + strconv.Itoa(l.SchemaVersion) + "/"
	if l.Tenant != "" {
		dir += "tenant_id=" + l.Tenant + "/" + l.Column + "=" + l.Partition + "/"
	}
	return dir + l.Run + "-" + part + "-" + l.Sum + ".parquet"
}

func (l Location) check() error {
	switch {
	case !nameForm.MatchString(l.Table):
		return fmt.Errorf("table %q is not a name of lower-case letters, digits and _", l.Table)
	case l.SchemaVersion < 1 || l.SchemaVersion > 9999:
		return fmt.Errorf("schema version %d is not one", l.SchemaVersion)
	case !runForm.MatchString(l.Run):
		return fmt.Errorf("run id %q is not a ULID", l.Run)
	case l.Part < 1 || l.Part > 999_999:
		return fmt.Errorf("part %d is not one", l.Part)
	case len(l.Sum) != 12 || !sumForm.MatchString(strings.Repeat("0", 52)+l.Sum):
		return fmt.Errorf("sum %q is not 12 hex digits", l.Sum)
	case l.Tenant == "" && (l.Column != "" || l.Partition != ""):
		return fmt.Errorf("partition %s=%s has no tenant", l.Column, l.Partition)
	case l.Tenant == "":
		return nil
	case !guidForm.MatchString(l.Tenant):
		return fmt.Errorf("tenant %q is not a lower-case GUID", l.Tenant)
	case !nameForm.MatchString(l.Column):
		return fmt.Errorf("partition column %q is not a name of lower-case letters, digits and _", l.Column)
	case !isDay(l.Partition):
		return fmt.Errorf("partition %q is not a day such as 2006-01-02", l.Partition)
	}
	return nil
}

// ParsePath takes a data file's path apart. Only what Path gives is a path.
func ParsePath(name string) (Location, error) {
	var l Location
	parts := strings.Split(name, "/")
	if len(parts) != 4 && len(parts) != 6 || parts[0] != dataDir {
		return l, fmt.Errorf("%q is not the path of a data file", name)
	}
	file := fileForm.FindStringSubmatch(parts[len(parts)-1])
	version, found := strings.CutPrefix(parts[2], "v")
	if file == nil || !found {
		return l, fmt.Errorf("%q is not the path of a data file", name)
	}
	l.Table, l.Run, l.Sum = parts[1], file[1], file[3]
	l.SchemaVersion, _ = strconv.Atoi(version) // what is no number comes back differently below
	l.Part, _ = strconv.Atoi(file[2])
	if len(parts) == 6 {
		l.Tenant, _ = strings.CutPrefix(parts[3], "tenant_id=")
		l.Column, l.Partition, _ = strings.Cut(parts[4], "=")
	}
	again, err := l.Path()
	if err != nil {
		return Location{}, fmt.Errorf("%q is not the path of a data file: %w", name, err)
	}
	if again != name {
		return Location{}, fmt.Errorf("%q is not the path of a data file; %q would be", name, again)
	}
	return l, nil
}

func isDay(s string) bool {
	t, err := time.Parse(time.DateOnly, s)
	return err == nil && t.Format(time.DateOnly) == s
}

// checkRun says whether a run can have files in the lake.
func checkRun(id, tenant string) error {
	if _, err := ulid.ParseStrict(id); err != nil || !runForm.MatchString(id) {
		return fmt.Errorf("run id %q is not a ULID", id)
	}
	if !guidForm.MatchString(tenant) {
		return fmt.Errorf("tenant id %q is not a lower-case GUID", tenant)
	}
	return nil
}
