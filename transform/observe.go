package transform

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"seatlake/pipeline"
	"seatlake/schemas"
)

// Probe looks at the batches of one stream as they pass.
type Probe interface {
	// Bind finds the probe's columns in the stream's schema.
	Bind(*arrow.Schema) error
	// See looks at a batch.
	See(arrow.RecordBatch)
}

// Observe shows a stream's batches to probes and changes nothing. What they saw
// is read once the stream has ended.
func Observe(probes ...Probe) pipeline.Transform {
	return func(in pipeline.Stream) (pipeline.Stream, error) {
		for _, p := range probes {
			if err := p.Bind(in.Schema); err != nil {
				return pipeline.Stream{}, fmt.Errorf("observe: %w", err)
			}
		}
		return pipeline.Map(in, in.Schema, func(batch arrow.RecordBatch) (arrow.RecordBatch, error) {
			for _, p := range probes {
				p.See(batch)
			}
			batch.Retain()
			return batch, nil
		}), nil
	}
}

// Rows counts rows.
type Rows struct {
	N int64
}

// Bind needs no column.
func (r *Rows) Bind(*arrow.Schema) error { return nil }

// See counts.
func (r *Rows) See(batch arrow.RecordBatch) { r.N += batch.NumRows() }

// Flag tells whether any row has a column that is true.
type Flag struct {
	Column string
	Set    bool

	at int
}

// Bind finds the column, a boolean.
func (f *Flag) Bind(in *arrow.Schema) (err error) {
	f.at, err = position(in, f.Column, arrow.FixedWidthTypes.Boolean)
	return err
}

// See looks for a true value.
func (f *Flag) See(batch arrow.RecordBatch) {
	column := batch.Column(f.at).(*array.Boolean)
	for row := range column.Len() {
		f.Set = f.Set || column.IsValid(row) && column.Value(row)
	}
}

// Dates gathers the distinct days of a date column, such as a table's partition.
type Dates struct {
	Column string

	at   int
	days map[arrow.Date32]bool
}

// Bind finds the column, a dictionary of dates.
func (d *Dates) Bind(in *arrow.Schema) (err error) {
	d.days = map[arrow.Date32]bool{}
	d.at, err = position(in, d.Column, dictType(arrow.FixedWidthTypes.Date32))
	return err
}

// See gathers the days that rows point at; a dictionary may hold others.
func (d *Dates) See(batch arrow.RecordBatch) {
	c := readDays(batch.Column(d.at))
	pointed := make([]bool, len(c.values))
	for row := range c.indices {
		if i := c.at(row); i >= 0 {
			pointed[i] = true
		}
	}
	for i, ok := range pointed {
		if ok {
			d.days[c.values[i]] = true
		}
	}
}

// Days is the days seen, ascending, as "2006-01-02".
func (d *Dates) Days() []string {
	var out []string
	for day := range d.days {
		out = append(out, day.FormattedString())
	}
	slices.Sort(out)
	return out
}

// Concealment tells whether a usage report hides the names of users, as a tenant
// may have it: names are then hashes and join nobody, sites are all zero.
type Concealment struct {
	Column  string // of names: user_principal_name, owner_principal_name
	SiteIDs string // of site ids; empty when the report has none

	Names  int64 // cells that hold a name, "(Unknown)" and blanks left out
	Hashes int64 // of them, those that hold a hash
	Sites  int64 // site ids
	Zeroes int64 // of them, those all zero

	at, sitesAt int
}

// Bind finds the columns.
func (c *Concealment) Bind(in *arrow.Schema) (err error) {
	if c.at, err = position(in, c.Column, arrow.BinaryTypes.String); err != nil || c.SiteIDs == "" {
		return err
	}
	c.sitesAt, err = position(in, c.SiteIDs, uuidType())
	return err
}

// See counts.
func (c *Concealment) See(batch arrow.RecordBatch) {
	names := batch.Column(c.at).(*array.String)
	for row := range names.Len() {
		if names.IsNull(row) {
			continue
		}
		// Graph writes (Unknown) for accounts it cannot name, concealed or not.
		name := strings.TrimSpace(names.Value(row))
		if name == "" || name == "(Unknown)" {
			continue
		}
		c.Names++
		if isHash(name) {
			c.Hashes++
		}
	}
	if c.SiteIDs == "" {
		return
	}
	sites := batch.Column(c.sitesAt).(*array.FixedSizeBinary)
	for row := range sites.Len() {
		if sites.IsNull(row) {
			continue
		}
		c.Sites++
		if uuidAt(sites, row) == ([16]byte{}) {
			c.Zeroes++
		}
	}
}

// Concealed says that more than nine of ten names are hashes, or that all site
// ids are zero.
func (c *Concealment) Concealed() bool {
	return 10*c.Hashes > 9*c.Names || c.Sites > 0 && c.Zeroes == c.Sites
}

// isHash knows the two ways in which names were hidden: 32 upper-case
// hexadecimal digits, and "<PII:H105(...)>@domain" until 2021.
func isHash(name string) bool {
	if strings.HasPrefix(name, "<PII:") {
		return true
	}
	if len(name) != 32 {
		return false
	}
	for _, c := range []byte(name) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// The probes.
var (
	_ Probe = (*Rows)(nil)
	_ Probe = (*Flag)(nil)
	_ Probe = (*Dates)(nil)
	_ Probe = (*Concealment)(nil)
)

// ConcealmentOf is the probe for a report's table, nil for a table whose names
// cannot be concealed.
func ConcealmentOf(table *schemas.Table) *Concealment {
	for _, name := range []string{"user_principal_name", "owner_principal_name"} {
		if f, ok := table.Field(name); ok && table.Format == schemas.CSV && f.Kind == schemas.String {
			c := &Concealment{Column: name}
			if _, ok := table.Field("site_id"); ok {
				c.SiteIDs = "site_id"
			}
			return c
		}
	}
	return nil
}
