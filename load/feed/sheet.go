package feed

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Sheet is one file.
type Sheet struct {
	Name      string // of the file, without its extension
	Worksheet string // in a spreadsheet; the template's own where there is one
	Columns   []Column
	Key       []string // fields that tell rows apart and find them again in the next delivery
	Label     []string // fields that name a row to people
	Rows      []Row    // sorted by key

	// Ended is the field that a row marks as ended when it is gone, and what it says
	// then; empty where the target knows no such mark.
	Ended      string
	EndedValue any

	byCurrency   bool   // one file for each currency
	unknownEmpty bool   // columns that only the template knows stay empty
	id           string // by which deliveries know the file, whatever a template calls it
	template     *Template
}

// Column is a column of a sheet.
type Column struct {
	Name     string
	Kind     Kind
	Required bool     // no cell may be empty
	Max      int      // of a text, in UTF-16 units; 0 is no limit known
	Level    int      // of each part between slashes; 0 is no limit
	Values   []string // that the target takes; nil for any
	Source   string   // where the value comes from, for people: mart.column, or what it says

	Field  string   // of the record; empty for a column that stays empty
	Labels []string // what templates call it, besides Name
	Else   any      // what a cell says that has no value; nil for nothing

	// TemplateOnly is set for a column that is there only if a template has it.
	TemplateOnly bool

	currency string // in which a price has to be, as the template's name of it says
	needsOne bool   // no column says the currency, so all prices have to be in one
}

// Row is a row of a sheet.
type Row struct {
	Key   string
	Label string // for people
	Cells []any  // as Columns
	Ended string // day since when the row is gone and delivered as ended, 2006-01-02; empty for a row that is there

	currency string // of its prices
}

// keySeparator stands between the parts of a key. No field holds it.
const keySeparator = "\x1f"

// rows makes rows of records.
func (s *Sheet) rows(records []record) []Row {
	rows := make([]Row, len(records))
	for i, r := range records {
		rows[i] = Row{Key: s.key(r), Label: s.label(r), Cells: make([]any, len(s.Columns))}
		rows[i].currency, _ = r["currency"].(string)
		for j, c := range s.Columns {
			v := r[c.Field]
			if v == "" {
				v = nil
			}
			if v == nil {
				v = c.Else
			}
			rows[i].Cells[j] = v
		}
	}
	return rows
}

func (s *Sheet) key(r record) string {
	parts := make([]string, len(s.Key))
	for i, f := range s.Key {
		parts[i] = plain(r[f])
	}
	return strings.Join(parts, keySeparator)
}

// label names a row to people: what is known of its fields.
func (s *Sheet) label(r record) string {
	var parts []string
	for _, f := range s.Label {
		if text := plain(r[f]); text != "" {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, " / ")
}

// set puts what the caller gives where columns are empty.
func (s *Sheet) set(values map[string]string) error {
	if len(values) == 0 {
		return nil
	}
	s.Columns = slices.Clone(s.Columns)
	for name, text := range values {
		i := slices.IndexFunc(s.Columns, func(c Column) bool { return strings.EqualFold(c.Name, name) })
		if i < 0 {
			return fmt.Errorf("%s is no column of file %s; it has %s", name, s.Name, strings.Join(s.Header(), ", "))
		}
		c := &s.Columns[i]
		if c.Kind != Text && c.Kind != Day {
			return fmt.Errorf("column %s holds figures, which come from the lake or stay empty", c.Name)
		}
		v, err := parse(text, c.Kind)
		if err != nil {
			return fmt.Errorf("column %s: %q is not a day such as 2026-11-24", c.Name, text)
		}
		c.Else = v
	}
	return nil
}

// Header is the names of the columns.
func (s *Sheet) Header() []string {
	names := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		names[i] = c.Name
	}
	return names
}

func (s *Sheet) sort() {
	slices.SortFunc(s.Rows, func(a, b Row) int { return cmp.Compare(a.Key, b.Key) })
}

// Fault is a cell that the target would refuse or misread.
type Fault struct {
	Sheet  string
	Row    int    // of the file, the header being row 1
	Label  string // of the row
	Column string
	Text   string // what is wrong, and how to mend it
}

// Faults is every fault of a feed.
type Faults struct {
	Profile string
	All     []Fault
}

// shownRows is how many rows with the same fault the message names; All has all.
const shownRows = 5

// Error names each fault once, with the rows that have it.
func (e *Faults) Error() string {
	type same struct{ sheet, column, text string }
	rows := map[same][]string{}
	var order []same
	for _, f := range e.All {
		kind := same{f.Sheet, f.Column, f.Text}
		if rows[kind] == nil {
			order = append(order, kind)
		}
		rows[kind] = append(rows[kind], fmt.Sprintf("row %d (%s)", f.Row, f.Label))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "profile %s: %d cells would be refused or misread, so nothing was written:", e.Profile, len(e.All))
	for _, kind := range order {
		at := rows[kind]
		more := ""
		if len(at) > shownRows {
			more = fmt.Sprintf(" and %d more", len(at)-shownRows)
			at = at[:shownRows]
		}
		fmt.Fprintf(&b, "\n  %s, column %s: %s: %s%s", kind.sheet, kind.column, kind.text, strings.Join(at, ", "), more)
	}
	return b.String()
}

// check finds all faults of a sheet.
func (s *Sheet) check(format Format, faults *Faults) {
	one := "" // currency of the first price
	for i, row := range s.Rows {
		fault := func(column, text string) {
			faults.All = append(faults.All, Fault{s.Name, i + 2, row.Label, column, text})
		}
		if i > 0 && row.Key == s.Rows[i-1].Key {
			fault(strings.Join(s.Key, ", "), "another row has the same key")
		}
		for j, c := range s.Columns {
			if text := c.check(row.Cells[j], format); text != "" {
				fault(c.Name, text)
			}
			if c.Kind != Money || row.Cells[j] == nil {
				continue
			}
			one = cmp.Or(one, row.currency)
			switch {
			case c.currency != "" && row.currency != c.currency:
				fault(c.Name, fmt.Sprintf("the price is in %s, and the column holds %s; leave the column empty in the mapping, or map one for that currency", row.currency, c.currency))
			case c.needsOne && row.currency != one:
				fault(c.Name, fmt.Sprintf("the price is in %s, another one in %s, and no column says so; take a template with a currency column", row.currency, one))
			}
		}
	}
}

// maxCell is how many UTF-16 units a spreadsheet's cell holds.
const maxCell = 32767

// check says what is wrong with a cell; empty when nothing is.
func (c *Column) check(v any, format Format) string {
	if v == nil {
		if c.Required {
			return "the target needs a value, and the lake has none (" + c.Source + "); " + c.cure()
		}
		return ""
	}
	if !isKind(v, c.Kind) {
		return fmt.Sprintf("%v is not a %s", v, c.Kind)
	}
	text, ok := v.(string)
	if !ok {
		return ""
	}
	if bad := unwritable(text); bad != "" {
		return "it holds " + bad + "; mend it where it comes from (" + c.Source + ")"
	}
	written := text
	if format == CSV {
		written = Guard(text)
	}
	n := length(written)
	switch {
	case c.Max > 0 && n > c.Max:
		return fmt.Sprintf("it has %d characters, and the target takes %d; shorten it where it comes from (%s)", n, c.Max, c.Source)
	case format == XLSX && n > maxCell:
		return fmt.Sprintf("it has %d characters, and a spreadsheet's cell holds %d; choose another format", n, maxCell)
	case c.Values != nil && !slices.Contains(c.Values, text):
		return fmt.Sprintf("%q is not one of %s", text, strings.Join(c.Values, ", "))
	}
	if c.Level > 0 {
		for _, level := range strings.Split(written, "/") {
			if n := length(level); n > c.Level {
				return fmt.Sprintf("a level between slashes has %d characters, and the target takes %d; shorten it where it comes from (%s)", n, c.Level, c.Source)
			}
		}
	}
	return ""
}

// cure says how an empty cell gets a value.
func (c *Column) cure() string {
	if c.Kind == Text || c.Kind == Day {
		return fmt.Sprintf("give it there, or with --set %q", c.Name+"=...")
	}
	return "give it there"
}
