// Package feed makes the files that ITAM tools import: licence positions,
// purchases and users' subscriptions, in the columns, limits and forms of each
// tool.
//
// A *profile* is one kind of file of one tool. It is built of *facts*, which are
// rows of the marts, into *sheets*, each a file: columns, and rows sorted by a key
// that says which row of the last delivery a row replaces. Everything is checked
// over all rows before a byte is written, and all faults are named at once. The
// same facts are the same bytes: no clock and no random value enters a file.
//
// What is not known is an empty cell, never 0. A price is what the user's terms
// say; list prices are estimates and enter no feed but the generic one, marked.
// Nothing is cut to fit: a text that is too long is a fault.
//
// The package reads and writes no file system; whoever calls it names the files,
// keeps them, and records what was delivered.
package feed

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Profile is one kind of file that a tool imports.
type Profile struct {
	Name    string // on the command line
	Target  string // the tool and what of it
	Formats []Format
	Absent  Absence

	// Needs is the stored tables whose gaps make the feed's figures wrong.
	Needs []string

	// Facts it is built of, besides positions and terms.
	NeedsAssignments, NeedsInstallations, NeedsHybrids bool

	// Template says whether the customer's own template gives the columns.
	Template TemplateUse

	// Sheets is the files it consists of, with all their columns and no rows.
	Sheets []Sheet

	fill func(f *Facts, o Options) (*filled, error)
}

// Format is a file format.
type Format string

// The formats of feeds.
const (
	CSV     Format = "csv"     // RFC 4180, UTF-8, lines end in CR LF
	XLSX    Format = "xlsx"    // one worksheet, header in its first row
	Parquet Format = "parquet" // generic profile only
)

// Absence is what a tool makes of a row that a later delivery lacks.
type Absence string

// What absence means to a tool.
const (
	Deletes   Absence = "deletes"   // every file is a whole snapshot: the tool removes what it lacks
	Tombstone Absence = "tombstone" // the tool keeps the row, so it is delivered once more, marked as ended
	Keeps     Absence = "keeps"     // the tool keeps the row, and a person has to end it there
)

// TemplateUse says what a profile does with a template.
type TemplateUse int

// The uses of templates.
const (
	NoTemplate TemplateUse = iota
	MayUseTemplate
	MustUseTemplate
)

// Options of a feed.
type Options struct {
	Format    Format            // empty is the profile's first
	Templates []*Template       // columns and their order, for profiles that take them
	Mapping   Mapping           // what the template's columns are, where their labels do not tell
	Set       map[string]string // by column: what a cell that the lake has no value for says
	Today     time.Time         // UTC day of the delivery
	Last      *Snapshot         // what was delivered last; nil when nothing was
}

// Feed is what is delivered.
type Feed struct {
	Profile *Profile
	Format  Format
	Sheets  []Sheet
	Notices []string // for people: what was left out, and why
}

// Build makes a profile's feed. The error of data that the target would refuse, or
// misread, is *Faults.
func (p *Profile) Build(f *Facts, o Options) (*Feed, error) {
	for _, t := range o.Templates {
		if o.Format = cmp.Or(o.Format, t.Format); o.Format != t.Format {
			return nil, fmt.Errorf("template %s is %s, and the feed would be %s: take the templates of one format", t.Name, t.Format, o.Format)
		}
	}
	o.Format = cmp.Or(o.Format, p.Formats[0])
	if !slices.Contains(p.Formats, o.Format) {
		return nil, fmt.Errorf("profile %s has no format %q; it has %s", p.Name, o.Format, formatNames(p.Formats))
	}
	if err := p.checkTemplate(o); err != nil {
		return nil, err
	}
	made, err := p.fill(f, o)
	if err != nil {
		return nil, err
	}
	feed := &Feed{Profile: p, Format: o.Format, Notices: made.notices}
	for i := range p.Sheets {
		template, err := p.templateOf(&p.Sheets[i], o.Templates)
		if err != nil {
			return nil, err
		}
		sheets, err := made.sheets(&p.Sheets[i], template, o)
		if err != nil {
			return nil, err
		}
		feed.Sheets = append(feed.Sheets, sheets...)
	}
	feed.addEmptied(o.Last)
	faults := &Faults{Profile: p.Name}
	for i := range feed.Sheets {
		if err := feed.Sheets[i].addEnded(o.Last.sheet(feed.Sheets[i].id), o.Today); err != nil {
			return nil, err
		}
		feed.Sheets[i].sort()
		feed.Sheets[i].check(o.Format, faults)
	}
	if len(faults.All) > 0 {
		return nil, faults
	}
	return feed, nil
}

// checkTemplate says whether the options have the template that the profile takes.
func (p *Profile) checkTemplate(o Options) error {
	switch {
	case p.Template == MustUseTemplate && len(o.Templates) == 0:
		return fmt.Errorf("profile %s takes its columns from the customer's own template: download it from the target and give it with --template", p.Name)
	case p.Template == NoTemplate && len(o.Templates) > 0:
		return fmt.Errorf("profile %s has fixed columns and takes no template", p.Name)
	case len(o.Templates) == 0 && len(o.Mapping) > 0:
		return errors.New("a mapping goes with a template; give the template too")
	case len(o.Templates) > 0 && len(o.Templates) != len(p.Sheets):
		return fmt.Errorf("profile %s is %d files, and there are %d templates; give one for each", p.Name, len(p.Sheets), len(o.Templates))
	}
	return nil
}

// templateOf is the template of a sheet: the only one, or the one whose name says so,
// such as Computers.csv.
func (p *Profile) templateOf(s *Sheet, all []*Template) (*Template, error) {
	if len(p.Sheets) == 1 && len(all) == 1 {
		return all[0], nil
	}
	for _, t := range all {
		if strings.Contains(normal(t.Name), normal(s.Name)) {
			return t, nil
		}
	}
	if len(all) > 0 {
		return nil, fmt.Errorf("no template's name says that it is the one of %s", s.Name)
	}
	return nil, nil
}

// addEmptied keeps a file that the last delivery had and this one has no rows for:
// whoever imports all files of the folder must not import the old one again.
func (f *Feed) addEmptied(last *Snapshot) {
	if last == nil {
		return
	}
	for _, old := range last.Sheets {
		if slices.ContainsFunc(f.Sheets, func(s Sheet) bool { return s.id == old.Name }) {
			continue
		}
		base, _, _ := strings.Cut(old.Name, currencySeparator)
		i := slices.IndexFunc(f.Sheets, func(s Sheet) bool { return strings.HasPrefix(s.id, base) && s.byCurrency })
		if i < 0 {
			continue // a file that the profile no longer has
		}
		empty := f.Sheets[i]
		empty.Name, empty.id, empty.Rows = old.Name, old.Name, nil
		f.Sheets = append(f.Sheets, empty)
	}
}

// currencySeparator stands between a file's name and the currency of its prices.
const currencySeparator = "-"

// Profiles is every profile, sorted by name.
func Profiles() []*Profile {
	all := []*Profile{
		fnmsPurchases(), fnmsPurchaseOrder(), fnmsLicense(), fnmsInventory(),
		serviceNowEntitlements(), serviceNowSubscriptions(), serviceNowUsage(),
		snowLicenses(), sam360(), generic(),
	}
	slices.SortFunc(all, func(a, b *Profile) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Named is the profile of a name; nil when there is none.
func Named(name string) *Profile {
	for _, p := range Profiles() {
		if p.Name == name {
			return p
		}
	}
	return nil
}

func formatNames(formats []Format) string {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = string(f)
	}
	return strings.Join(names, ", ")
}

// filled is the rows of a profile before they have columns.
type filled struct {
	records map[string][]record // by the sheet's name
	notices []string
}

// record is a row by the names of its fields, which are the project's own and no
// tool's. Fields in keyFields that no column shows serve the key.
type record map[string]any

func (m *filled) notice(format string, args ...any) {
	m.notices = append(m.notices, fmt.Sprintf(format, args...))
}

// sheets gives a sheet its columns, by the template if there is one, and its rows. A
// sheet that holds one currency a file becomes as many as there are currencies.
func (m *filled) sheets(shape *Sheet, template *Template, o Options) ([]Sheet, error) {
	s := *shape
	s.id = s.Name
	if template != nil {
		columns, notices, err := template.bind(&s, o.Mapping)
		if err != nil {
			return nil, err
		}
		s.Columns, s.template = columns, template
		m.notices = append(m.notices, notices...)
		if len(o.Templates) > 1 { // names of files that belong together are fixed
			s.Name = template.Name
		}
	} else {
		s.Columns = slices.DeleteFunc(slices.Clone(s.Columns), func(c Column) bool { return c.TemplateOnly })
	}
	if err := s.set(o.Set); err != nil {
		return nil, err
	}
	if !s.byCurrency {
		s.Rows = s.rows(m.records[shape.Name])
		return []Sheet{s}, nil
	}
	byName := map[string][]record{}
	var names []string
	for _, r := range m.records[shape.Name] {
		name := shape.Name
		if currency, ok := r["currency"].(string); ok {
			name += currencySeparator + currency
		}
		if byName[name] == nil {
			names = append(names, name)
		}
		byName[name] = append(byName[name], r)
	}
	if len(names) == 0 {
		names = []string{shape.Name}
	}
	slices.Sort(names)
	out := make([]Sheet, len(names))
	for i, name := range names {
		out[i] = s
		out[i].Name, out[i].id, out[i].Rows = name, name, s.rows(byName[name])
	}
	return out, nil
}
