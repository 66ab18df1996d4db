package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"seatlake/extract/graph"
	"seatlake/extract/graph/tokenstore"
	"seatlake/load/lake"
)

// Config is a checked configuration: every value is present, in range and, where
// it is a path, independent of the working directory.
type Config struct {
	Path      string // the file it was read from
	Lake      string // directory of the lake, or URL of a bucket
	Mirror    int64  // bytes that copies of a bucket's files may take on this machine
	WorkDir   string // where this machine works on a lake in a bucket; empty for the usual place
	Tenants   []Tenant
	Activity  Activity
	Licenses  Licenses
	Inventory []InventoryFile // files of installed products
	ITAM      ITAM
	Off       []string // optional sources that are not read, as a run names them
	HR        string   // file of employees; empty for none
	Reclaim   Reclaim
	Raw       Raw
	Retain    lake.Retention // of old versions

	// KeepSnapshots is how long the newest version keeps the snapshots of days whose
	// changes the history has; 0 keeps them all.
	KeepSnapshots time.Duration

	Catalog  string // file of a newer product catalogue; empty for the built-in one
	DuckDB   DuckDB
	Parallel Parallel
	Privacy  Privacy

	// Notes are for people: what the file says that has no effect, and what it
	// should not say. They are not faults.
	Notes []string
}

// Tenant is one Microsoft 365 directory.
type Tenant struct {
	Name  string // unique among tenants, whatever the case
	ID    string // lower-case GUID or verified domain of the directory
	Cloud Cloud
	Auth  Auth

	// ReportHosts are lower-case suffixes of hosts that usage reports may be
	// downloaded from, besides Microsoft's and Graph's own.
	ReportHosts []string
}

// reportHosts are all suffixes of hosts that reports may be downloaded from.
func (t Tenant) reportHosts() []string { return append(graph.MicrosoftReportHosts(), t.ReportHosts...) }

// Cloud is where a tenant lives. Both are roots without a trailing slash.
type Cloud struct {
	Name  string // global, usgov, usgov-dod, china; empty for roots of one's own
	Graph string
	Login string

	// Limits keeps Microsoft's published limits from the first request on. At its own
	// hosts they are kept anyway.
	Limits bool
}

// Auth says how seatlake signs in. Fields of other methods than Method are zero.
type Auth struct {
	Method   string // client_secret, certificate, federated, managed_identity, authorization_code or device_code
	ClientID string // lower-case GUID of the app registration; empty for a machine's own identity

	ClientSecret     Secret // also when it came from ClientSecretFile
	ClientSecretFile string // empty when the secret came another way

	Certificate     *graph.Certificate
	CertificateFile string

	FederatedTokenFile string

	IdentityEndpoint string // empty for that of a virtual machine
	IdentityHeader   Secret

	// Permissions are asked for on a person's behalf by every command that reads.
	Permissions []string

	TokenStore      tokenstore.Place // of a person's refresh token
	TokenDir        string
	TokenPassphrase Secret
}

// Activity says when a licence counts as used.
type Activity struct {
	ThresholdDays int // the last activity is at most this old
	GraceDays     int // a licence assigned later than this is too new to judge

	// CountNonInteractive counts sign-ins by clients on a user's behalf as use.
	CountNonInteractive bool

	// Overrides is keyed by a SKU's lower-case GUID, its part number, or one of
	// the 11 services by its label.
	Overrides map[string]Override
}

// Override replaces numbers of Activity; nil leaves one to the next rule: a SKU's
// override comes before a service's, and that before Activity itself.
type Override struct {
	ThresholdDays *int
	GraceDays     *int
}

// Licenses says which SKUs are managed. A pattern is a GUID, a part number in
// which * stands for any characters, or class: followed by a licence class.
type Licenses struct {
	Include []string
	Exclude []string
	Terms   string // file of prices and terms
}

// Raw is about the pages kept as they came.
type Raw struct {
	Retain       time.Duration // 0 keeps nothing
	ResumeWithin time.Duration // how old a run that was cut off may be to be taken up; 0: none is
}

// DuckDB bounds the engine that runs the models.
type DuckDB struct {
	MemoryLimit string // as DuckDB writes it: 1GB
	Threads     int    // 0 leaves it to DuckDB: one per core
}

// Parallel bounds what is done side by side.
type Parallel struct {
	Tenants int // read at a time
}

// LoadConfig reads and checks a file. env looks up a ${NAME}; os.LookupEnv is
// one. The error is a *ConfigError that names every fault at once, and wraps
// fs.ErrNotExist when there is no such file. No fault quotes a value of the
// environment or anything below auth, since secrets are mistyped there.
func LoadConfig(path string, env func(string) (string, bool)) (*Config, error) {
	return load(path, env, true)
}

// LoadConfigWithoutSecrets is LoadConfig for the commands that only read the
// lake: nothing below auth is read but its keys, every Auth is zero, and it is no
// fault that a variable or file named there is out of reach.
func LoadConfigWithoutSecrets(path string, env func(string) (string, bool)) (*Config, error) {
	return load(path, env, false)
}

// WriteSample writes the file that `seatlake init` leaves for people to fill in.
// Loading it names exactly the values that only they know.
func WriteSample(w io.Writer) error {
	_, err := io.WriteString(w, sample)
	return err
}

const sample = `# seatlake reads this file on every command; -c names another one.
# Any value may hold ${NAME}, which is taken from the environment.

# Directory of the lake. Relative paths here are relative to this file. A bucket's URL will
# do as well: s3://bucket/prefix, azblob://container/prefix, gs://bucket/prefix; docs/buckets.md.
lake: ./lake
# work_dir: /var/cache/seatlake   # where this machine works on a lake in a bucket

tenants:
  - name: contoso            # yours to choose: --tenant contoso
    id: 00000000-0000-0000-0000-000000000000   # directory id, or a verified domain
    cloud: global            # global, usgov, usgov-dod, china, or {graph: URL, login: URL}
    auth:
      method: client_secret  # certificate, federated, managed_identity, authorization_code, device_code
      client_id: 00000000-0000-0000-0000-000000000000   # application id of the app registration
      client_secret: ${SEATLAKE_CLIENT_SECRET}          # or client_secret_file: a path

# A licence is active when one of its services was used within threshold_days.
# One that was assigned within grace_days, and not used yet, is too new to judge.
activity:
  threshold_days: 60
  grace_days: 14
  overrides: {}              # by SKU id, part number or service: {Visio: {threshold_days: 90}}

# Which SKUs are managed: SKU ids, part numbers with *, or class:free and the like.
licenses:
  include: ["*"]
  exclude: []
  # terms: license_terms.csv # what is paid for them; see docs/figures.md

# Exports of device inventories, for what is installed; see docs/inventory.md. Mappings:
# sccm, intune, jamf, lansweeper, glpi, csv, or a file of your own.
# inventory:
#   - {file: installed.csv, mapping: sccm}

# Licences that older integrations made in the ITAM tool, so that nothing counts twice.
# itam: {legacy_licenses: legacy_licenses.csv}

# Sources that a run can do without are read when the tenant has them; false leaves
# one out: subscriptions, user_registration_details, report_settings, copilot_usage.
# non_interactive_sign_ins, the sign-ins of clients on behalf of users, are many and
# are read only when this says true; activity.count_non_interactive_sign_ins: true
# counts them as use.
# sources: {copilot_usage: false, non_interactive_sign_ins: true}

# Who works here, as HR knows it, and what is never proposed to be taken back; see
# docs/figures.md.
# hr: {file: employees.csv}
# reclaim:
#   protect: {users: ["breakglass*@contoso.com"], groups: [], skus: []}
#   shared_mailboxes: ["shared-*@contoso.com"]
#   max_share: 5%            # of a SKU's users, and max_licenses: 500 in all, a plan
#   expires: 14d             # how old a plan may be that is acted on
#   wait: 5d                 # for a user's answer; no_answer: keep, or take
#   stop_after_failures: 3   # when they are more than max_failure_share: 20% of the rows

# How long the answers of Graph are kept as they came, for replay. 0 keeps nothing.
raw:
  retain: 30d
  resume_within: 6h          # a run that was cut off goes on from its pages; 0 reads anew

# How long old versions can be read (--as-of): the newest so many, and those of so many
# days. Files that no kept version lists go two prunes later, a grace apart.
# retain: {versions: 30, age: 400d, grace: 2d, snapshots: 35d}

# Who uses the lake need not know who people are: names are sealed with a key that is not
# in it, and figures stay as they are; see docs/privacy.md. Only a new lake can begin so.
# privacy: {pseudonymise: true, key: "${SEATLAKE_PRIVACY_KEY}"} # or key_file: a path

# duckdb:
#   memory_limit: 1GB
#   threads: 2               # default: one per core

# How many tenants are read side by side. Each takes its share of memory.
# parallel:
#   tenants: 4

# A newer product catalogue than the one in the program.
# catalog: catalog.seatlake  # written by: seatlake catalog update FILE
`

// Seeds gives the CSV of the model seeds that the configuration decides, by the
// seed's name.
//
// In activity_thresholds a row of scope sku that was configured by part number
// carries the part number in sku_id, because only the lake knows its GUID.
func (c *Config) Seeds() map[string][]byte {
	rules := [][]string{{"kind", "pattern"}}
	for _, p := range c.Licenses.Include {
		rules = append(rules, []string{"include", p})
	}
	for _, p := range c.Licenses.Exclude {
		rules = append(rules, []string{"exclude", p})
	}

	thresholds := [][]string{
		{"scope", "sku_id", "service", "threshold_days", "grace_days"},
		{"default", "", "", days(&c.Activity.ThresholdDays), days(&c.Activity.GraceDays)},
	}
	for _, key := range slices.Sorted(maps.Keys(c.Activity.Overrides)) {
		o := c.Activity.Overrides[key]
		row := []string{"sku", key, "", days(o.ThresholdDays), days(o.GraceDays)}
		if slices.Contains(services(), key) {
			row = []string{"service", "", key, days(o.ThresholdDays), days(o.GraceDays)}
		}
		thresholds = append(thresholds, row)
	}
	seeds := map[string][]byte{
		"managed_sku_rules":   csvBytes(rules),
		"activity_thresholds": csvBytes(thresholds),
	}
	maps.Copy(seeds, c.Reclaim.seeds())
	return seeds
}

// Vars gives the variables of the models that the configuration decides, by name.
func (c *Config) Vars() map[string]string {
	return map[string]string{"count_non_interactive_sign_ins": strconv.FormatBool(c.Activity.CountNonInteractive)}
}

// days is a cell of a seed; nil is NULL there.
func days(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}

func csvBytes(rows [][]string) []byte {
	var b bytes.Buffer
	csv.NewWriter(&b).WriteAll(rows) // a bytes.Buffer takes all it is given
	return b.Bytes()
}

// Secret is a value that prints as [redacted] wherever it goes. It is a pointer,
// so that a printer that looks past its methods sees an address.
type Secret struct{ value *string }

const redacted = "[redacted]"

// NewSecret hides a value.
func NewSecret(value string) Secret { return Secret{&value} }

// Reveal gives the value itself.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// Equal says whether both hide the same value.
func (s Secret) Equal(other Secret) bool { return s.Reveal() == other.Reveal() }

func (s Secret) String() string { return redacted }

// Format covers every verb of fmt.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// MarshalText covers text encoders; JSON and YAML are among them.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON is MarshalText as a JSON string.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// LogValue covers log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// ConfigError is everything that is wrong with a configuration.
type ConfigError struct {
	Faults []Fault
	Err    error // the error of the file system, if that is what went wrong
}

// Fault is one thing wrong with a configuration, and what to write instead.
type Fault struct {
	File string
	Line int    // from 1; 0 when no line is at fault
	Key  string // such as tenants[0].auth.client_id; empty for the whole file
	Text string
}

func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
	}
	if f.Key != "" {
		b.WriteString(": " + f.Key)
	}
	return b.String() + ": " + f.Text
}

// Error names one fault a line.
func (e *ConfigError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the error of the file system, if there is one.
func (e *ConfigError) Unwrap() error { return e.Err }
