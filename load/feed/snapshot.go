package feed

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Snapshot is the rows of a feed as text, as they are recorded and compared.
type Snapshot struct {
	Sheets []SheetSnapshot
}

// SheetSnapshot is the rows of a file.
type SheetSnapshot struct {
	Name    string        `json:"name"`
	Columns []string      `json:"columns"`
	Rows    []RowSnapshot `json:"-"` // sorted by key
}

// RowSnapshot is a row as text.
type RowSnapshot struct {
	Key   string   `json:"key"`
	Label string   `json:"label"`
	Cells []string `json:"cells"`           // as Columns; empty for what is not known
	Ended string   `json:"ended,omitempty"` // day since when the row is only marked as ended, 2006-01-02
}

// endedDays is how long a row that is gone is delivered as ended, so that an import
// once a month sees it.
const endedDays = 35

// Snapshot is the feed's rows as text.
func (f *Feed) Snapshot() *Snapshot {
	out := &Snapshot{}
	for i := range f.Sheets {
		s := &f.Sheets[i]
		sheet := SheetSnapshot{Name: s.id, Columns: s.Header()}
		for _, row := range s.Rows {
			cells := make([]string, len(row.Cells))
			for j, v := range row.Cells {
				cells[j] = plain(v)
			}
			sheet.Rows = append(sheet.Rows, RowSnapshot{Key: row.Key, Label: row.Label, Cells: cells, Ended: row.Ended})
		}
		out.Sheets = append(out.Sheets, sheet)
	}
	return out
}

// Write writes the snapshot as gzipped lines of JSON: a sheet, then its rows, then
// the next sheet. The same snapshot is the same bytes.
func (s *Snapshot) Write(w io.Writer) error {
	zipped := gzip.NewWriter(w)
	lines := json.NewEncoder(zipped)
	for _, sheet := range s.Sheets {
		if err := lines.Encode(snapshotLine{Sheet: &sheet}); err != nil {
			return err
		}
		for i := range sheet.Rows {
			if err := lines.Encode(snapshotLine{Row: &sheet.Rows[i]}); err != nil {
				return err
			}
		}
	}
	return zipped.Close()
}

// snapshotLine is a line of a snapshot: one of the two.
type snapshotLine struct {
	Sheet *SheetSnapshot `json:"sheet,omitempty"`
	Row   *RowSnapshot   `json:"row,omitempty"`
}

// ReadSnapshot reads what Write wrote.
func ReadSnapshot(r io.Reader) (*Snapshot, error) {
	zipped, err := gzip.NewReader(bufio.NewReader(r))
	if err != nil {
		return nil, err
	}
	out := &Snapshot{}
	lines := json.NewDecoder(zipped)
	for n := 1; ; n++ {
		var line snapshotLine
		if err := lines.Decode(&line); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		last := len(out.Sheets) - 1
		switch {
		case line.Sheet != nil:
			out.Sheets = append(out.Sheets, *line.Sheet)
		case line.Row == nil || last < 0 || len(line.Row.Cells) != len(out.Sheets[last].Columns):
			return nil, fmt.Errorf("line %d is not a row of the sheet before it", n)
		default:
			out.Sheets[last].Rows = append(out.Sheets[last].Rows, *line.Row)
		}
	}
}

// sheet is the sheet of a name; nil when there is none.
func (s *Snapshot) sheet(name string) *SheetSnapshot {
	if s == nil {
		return nil
	}
	i := slices.IndexFunc(s.Sheets, func(sheet SheetSnapshot) bool { return sheet.Name == name })
	if i < 0 {
		return nil
	}
	return &s.Sheets[i]
}

// Live is how many rows are not marked as ended.
func (s *Snapshot) Live() int {
	n := 0
	if s != nil {
		for _, sheet := range s.Sheets {
			for _, row := range sheet.Rows {
				if row.Ended == "" {
					n++
				}
			}
		}
	}
	return n
}

// addEnded brings back the rows that the last delivery had and this one lacks,
// marked as ended.
func (s *Sheet) addEnded(last *SheetSnapshot, today time.Time) error {
	if s.Ended == "" || last == nil {
		return nil
	}
	mark := slices.IndexFunc(s.Columns, func(c Column) bool { return c.Field == s.Ended })
	have := map[string]bool{}
	for _, row := range s.Rows {
		have[row.Key] = true
	}
	for _, old := range last.Rows {
		if have[old.Key] {
			continue
		}
		ended := today.Format(time.DateOnly)
		if old.Ended != "" {
			since, err := time.Parse(time.DateOnly, old.Ended)
			if err != nil {
				return fmt.Errorf("the last delivery's row %s: %w", old.Label, err)
			}
			if ended = old.Ended; !today.Before(since.AddDate(0, 0, endedDays)) {
				continue
			}
		}
		row := Row{Key: old.Key, Label: old.Label, Ended: ended, Cells: make([]any, len(s.Columns))}
		for i, c := range s.Columns {
			if j := slices.Index(last.Columns, c.Name); j >= 0 {
				v, err := parse(old.Cells[j], c.Kind)
				if err != nil {
					return fmt.Errorf("the last delivery's row %s, column %s: %w", old.Label, c.Name, err)
				}
				row.Cells[i] = v
			}
		}
		if mark >= 0 {
			row.Cells[mark] = s.EndedValue
		}
		s.Rows = append(s.Rows, row)
	}
	return nil
}

// parse is the inverse of plain.
func parse(s string, k Kind) (any, error) {
	if s == "" {
		return nil, nil
	}
	switch k {
	case Whole:
		return strconv.ParseInt(s, 10, 64)
	case Money:
		return ParseDecimal(s)
	case Day:
		return time.Parse(time.DateOnly, s)
	case Flag:
		return strconv.ParseBool(s)
	}
	return s, nil
}

// Change is a row that differs from the last delivery.
type Change struct {
	Sheet   string
	What    string   // added, changed, removed
	Label   string   // of the row, for people
	Details []string // of a changed row: "column: before -> after"

	key string
}

// Compare is what changes from the last delivery to this one, removals first. A row
// that is marked as ended for the first time is removed.
func Compare(last, now *Snapshot) []Change {
	var removed, changed, added []Change
	names := map[string]bool{}
	var order []string
	for _, s := range []*Snapshot{last, now} {
		if s == nil {
			continue
		}
		for _, sheet := range s.Sheets {
			if !names[sheet.Name] {
				names[sheet.Name] = true
				order = append(order, sheet.Name)
			}
		}
	}
	for _, name := range order {
		before, after := live(last.sheet(name)), live(now.sheet(name))
		if old := last.sheet(name); old != nil {
			for _, row := range old.Rows {
				if _, is := after[row.Key]; !is && row.Ended == "" {
					removed = append(removed, Change{Sheet: name, What: "removed", Label: row.Label, key: row.Key})
				}
			}
		}
		if is := now.sheet(name); is != nil {
			for _, row := range is.Rows {
				old, was := before[row.Key]
				switch {
				case row.Ended != "":
				case !was:
					added = append(added, Change{Sheet: name, What: "added", Label: row.Label, key: row.Key})
				default:
					if details := differences(last.sheet(name).Columns, old, is.Columns, row.Cells); len(details) > 0 {
						changed = append(changed, Change{Sheet: name, What: "changed", Label: row.Label, Details: details, key: row.Key})
					}
				}
			}
		}
	}
	return slices.Concat(removed, changed, added)
}

// live is the cells of the rows that are not marked as ended, by key.
func live(s *SheetSnapshot) map[string][]string {
	m := map[string][]string{}
	if s != nil {
		for _, row := range s.Rows {
			if row.Ended == "" {
				m[row.Key] = row.Cells
			}
		}
	}
	return m
}

// differences are the columns in which two rows differ.
func differences(columnsBefore, before, columns, after []string) []string {
	var out []string
	show := func(s string) string {
		if s == "" {
			return "(empty)"
		}
		return s
	}
	for i, name := range columns {
		was := ""
		if j := slices.Index(columnsBefore, name); j >= 0 {
			was = before[j]
		}
		if was != after[i] {
			out = append(out, name+": "+show(was)+" -> "+show(after[i]))
		}
	}
	for j, name := range columnsBefore {
		if !slices.Contains(columns, name) && before[j] != "" {
			out = append(out, name+": "+show(before[j])+" -> (no such column)")
		}
	}
	return out
}

// Only leaves the feed the rows that changes name: for a tool that would take a row
// it has already for another one.
func (f *Feed) Only(changes []Change) {
	type place struct{ sheet, key string }
	keep := map[place]bool{}
	for _, c := range changes {
		keep[place{c.Sheet, c.key}] = true
	}
	for i := range f.Sheets {
		s := &f.Sheets[i]
		s.Rows = slices.DeleteFunc(slices.Clone(s.Rows), func(r Row) bool { return !keep[place{s.id, r.Key}] })
	}
}

// Count counts the changes of a kind: added, changed or removed.
func Count(changes []Change, what string) int {
	n := 0
	for _, c := range changes {
		if c.What == what {
			n++
		}
	}
	return n
}

func (c Change) String() string {
	s := c.What + " " + c.Sheet + ": " + c.Label
	if len(c.Details) > 0 {
		s += " (" + strings.Join(c.Details, "; ") + ")"
	}
	return s
}
