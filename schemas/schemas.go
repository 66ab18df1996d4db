// Package schemas holds the contracts of the lake: one stored table per file.
//
// A table's declaration is the only place that names its columns, their types,
// their Parquet field ids and where in Graph's answer each value stands. The
// decoder, the transforms, the Parquet writer, the models' sources and the data
// dictionary are all directed by it. Field ids are never reused or renumbered:
// a column that goes leaves its id behind, a new one takes the next free id.
package schemas

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
)

// Kind is the logical type of a column.
type Kind uint8

// The kinds a column can have.
const (
	String    Kind = iota + 1 // UTF-8 text
	UUID                      // a GUID, stored as its 16 bytes in text order
	Bool                      // true, false
	Int32                     // 32-bit signed integer
	Int64                     // 64-bit signed integer
	Float64                   // IEEE 754 double
	Date                      // a UTC day
	Timestamp                 // a UTC instant in microseconds
	List                      // a list of Elem
	Struct                    // a group of Fields
)

var kindNames = map[Kind]string{
	String: "string", UUID: "uuid", Bool: "bool", Int32: "int32", Int64: "int64", Float64: "double",
	Date: "date", Timestamp: "timestamp", List: "list", Struct: "struct",
}

// String is the kind's name as the data dictionary prints it.
func (k Kind) String() string { return kindNames[k] }

// Field is one column, or one member of a nested one.
type Field struct {
	ID   int32  // Parquet field id, unique within the table, never reused
	Name string // snake_case of Graph's word
	Kind Kind

	// From is where the value stands in Graph's answer: a property path such as
	// "signInActivity.lastSignInDateTime", relative to the row (or to the list's
	// element), or a CSV header such as "Report Refresh Date". Empty for columns
	// that seatlake computes.
	From string
	Doc  string // unit, meaning, source; one sentence or two

	Required bool // never null; a row without it is refused
	Dict     bool // few distinct values (String, UUID, Date): an Arrow dictionary, a Parquet dictionary page

	Personal Personal // what it tells of a person; 0 for nothing
	Whose    Whose    // of which person

	Elem   *Field  // the element of a List
	Fields []Field // the members of a Struct
}

// Computed says that the column is not in Graph's answer.
func (f *Field) Computed() bool { return f.From == "" }

// Table is a stored table.
type Table struct {
	Name    string
	Version int // the v<n> in the data path; grows when old files cannot be read as new ones
	Doc     string
	Grain   string
	Key     []string // the columns that identify a row within a partition

	// Partition is the date column that, after tenant_id, divides the table
	// into partitions: snapshot_date, report_refresh_date or event_date. Empty
	// for the catalogue's tables, which belong to no tenant.
	Partition string

	// Erasure says what becomes of the rows of a person who is erased.
	Erasure Erasure

	// Since the file format is CSV or JSON per source, so is the reading.
	Format Format

	Fields []Field

	// Ignored names the properties of Graph's answer that are known and left
	// out on purpose, so that they are not reported as unknown.
	Ignored []string
}

// Format is how the pages behind a table are written.
type Format string

// The formats of pages.
const (
	JSON Format = "json" // an OData collection: {"value":[...], "@odata.nextLink"?}
	CSV  Format = "csv"  // a usage report: BOM, CRLF, a header row
	None Format = ""     // the table is not decoded from pages
)

// Field returns the top-level column of that name.
func (t *Table) Field(name string) (*Field, bool) {
	i := slices.IndexFunc(t.Fields, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return nil, false
	}
	return &t.Fields[i], true
}

// Decoded is the part of the table that stands in Graph's answer: what the
// decoder builds, before the transforms add the computed columns.
func (t *Table) Decoded() []Field {
	var fs []Field
	for _, f := range t.Fields {
		if !f.Computed() {
			fs = append(fs, f)
		}
	}
	return fs
}

// Arrow is the schema of the table's batches as they are stored.
func (t *Table) Arrow() *arrow.Schema { return ArrowSchema(t.Fields) }

// ArrowSchema is the Arrow schema of some columns. Field ids travel in the
// metadata key "PARQUET:field_id".
func ArrowSchema(fields []Field) *arrow.Schema {
	out := make([]arrow.Field, len(fields))
	for i := range fields {
		out[i] = fields[i].Arrow()
	}
	return arrow.NewSchema(out, nil)
}

// FieldIDKey is the Arrow field metadata key under which the Parquet field id
// travels.
const FieldIDKey = "PARQUET:field_id"

// Arrow is the Arrow field of a column. UUIDs are fixed_size_binary(16); Dict
// columns are dictionary<int32, T>; dates are date32; timestamps are
// timestamp[us, UTC].
func (f *Field) Arrow() arrow.Field {
	return arrow.Field{
		Name:     f.Name,
		Type:     f.ArrowType(),
		Nullable: !f.Required,
		Metadata: arrow.MetadataFrom(map[string]string{FieldIDKey: strconv.Itoa(int(f.ID))}),
	}
}

// ArrowType is the Arrow type of the column.
func (f *Field) ArrowType() arrow.DataType {
	t := f.plainType()
	if f.Dict {
		return &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: t}
	}
	return t
}

func (f *Field) plainType() arrow.DataType {
	switch f.Kind {
	case String:
		return arrow.BinaryTypes.String
	case UUID:
		return &arrow.FixedSizeBinaryType{ByteWidth: 16}
	case Bool:
		return arrow.FixedWidthTypes.Boolean
	case Int32:
		return arrow.PrimitiveTypes.Int32
	case Int64:
		return arrow.PrimitiveTypes.Int64
	case Float64:
		return arrow.PrimitiveTypes.Float64
	case Date:
		return arrow.FixedWidthTypes.Date32
	case Timestamp:
		return &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	case List:
		return arrow.ListOfField(f.Elem.Arrow())
	case Struct:
		fs := make([]arrow.Field, len(f.Fields))
		for i := range f.Fields {
			fs[i] = f.Fields[i].Arrow()
		}
		return arrow.StructOf(fs...)
	default:
		panic(fmt.Sprintf("schemas: column %s has no kind", f.Name))
	}
}

// All is every stored table, in the order of the data dictionary.
func All() []*Table {
	return []*Table{
		GraphUsers, GraphUserLicenses, GraphSubscribedSkus, GraphServicePlans, GraphSignIns,
		ReportOffice365ActiveUserDetail, ReportEmailActivityUserDetail, ReportM365AppUserDetail,
		ReportOffice365ActivationsUserDetail, ReportMailboxUsageDetail, ReportOneDriveUsageAccountDetail,
		GraphSubscriptions, GraphUserRegistrationDetails, GraphReportSettings, ReportMicrosoft365CopilotUsageUserDetail,
		GraphNonInteractiveSignIns,
		LicenseTerms, InventoryInstallations, LegacyLicenses, HrEmployees, ReclaimEvents,
		HistoryDays, HistoryUsers, HistoryUserLicenses, HistoryPositions, HistoryLicenseActivity,
		CatalogSkus, CatalogServicePlans,
	}
}

// ByName returns the stored table of that name.
func ByName(name string) (*Table, bool) {
	for _, t := range All() {
		if t.Name == name {
			return t, true
		}
	}
	return nil, false
}

// tenantID is the first column of every table that belongs to a tenant.
func tenantID() Field {
	return Field{
		ID: 1, Name: "tenant_id", Kind: UUID, Dict: true, Required: true,
		Doc: "Directory id of the tenant the row was read from. Computed: from the configuration, or from the token's tid claim.",
	}
}

// snapshotDate is the partition column of tables that state how the tenant was
// at one moment.
func snapshotDate() Field {
	return Field{
		ID: 2, Name: "snapshot_date", Kind: Date, Dict: true, Required: true,
		Doc: "UTC day of the run that read the row. Computed.",
	}
}

// reportRefreshDate is the partition column of the usage reports.
func reportRefreshDate() Field {
	return Field{
		ID: 2, Name: "report_refresh_date", Kind: Date, Dict: true, Required: true, From: "Report Refresh Date",
		Doc: "UTC day through which the report observed activity: its observed_through. Trails the run by about two days.",
	}
}
