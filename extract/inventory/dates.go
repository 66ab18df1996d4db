package inventory

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// dateFormat is a way of writing days, as mappings name it and as Go does.
type dateFormat struct {
	text, layout string
	swapped      string // the layout with day and month exchanged; empty when they cannot be confused
}

// dates are the formats of a mapping. Two formats that read one text as two days
// are a fault.
func (p *mapper) dates() []dateFormat {
	var out []dateFormat
	for _, text := range p.doc.Dates {
		layout, err := layoutOf(text)
		if err != nil {
			p.fault("dates: %q %v", text, err)
			continue
		}
		f := dateFormat{text: text, layout: layout}
		if strings.Contains(layout, "/") || strings.Contains(layout, "-") && !strings.HasPrefix(layout, "2006") {
			f.swapped = swap(layout)
		}
		for _, other := range out {
			if ambiguous(other.layout, layout) {
				p.fault("dates: %q and %q read the same text as two days; name one of them", other.text, text)
			}
		}
		out = append(out, f)
	}
	return out
}

// swap is a layout with day and month exchanged.
func swap(layout string) string {
	kept := []string{"2006", "15", "03", "3", "04", "05", "4", "5"} // year and time of day, which hold digits of their own
	var hide, show []string
	for i, digits := range kept {
		hide, show = append(hide, digits, string(rune(i+1))), append(show, string(rune(i+1)), digits)
	}
	hidden := strings.NewReplacer(hide...).Replace(layout)
	return strings.NewReplacer(show...).Replace(strings.NewReplacer("01", "02", "02", "01", "1", "2", "2", "1").Replace(hidden))
}

// ambiguous says whether two layouts read the third of April of one as another
// day.
func ambiguous(a, b string) bool {
	text := time.Date(2026, 4, 3, 10, 11, 12, 0, time.UTC).Format(a)
	other, err := time.Parse(b, text)
	return err == nil && (other.Month() != 4 || other.Day() != 3)
}

// layoutOf is a format such as M/d/yyyy h:mm:ss tt as Go writes it.
func layoutOf(format string) (string, error) {
	tokens := []struct{ token, layout string }{
		{"yyyy", "2006"}, {"MMM", "Jan"}, {"MM", "01"}, {"dd", "02"}, {"HH", "15"}, {"hh", "03"}, {"mm", "04"}, {"ss", "05"}, {"tt", "PM"}, {"zzz", "Z07:00"},
		{"M", "1"}, {"d", "2"}, {"H", "15"}, {"h", "3"}, {"m", "4"}, {"s", "5"},
	}
	var out strings.Builder
	seen := map[string]bool{}
	for rest := format; rest != ""; {
		found := false
		for _, t := range tokens {
			if strings.HasPrefix(rest, t.token) {
				out.WriteString(t.layout)
				seen[t.token[:1]] = true
				rest, found = rest[len(t.token):], true
				break
			}
		}
		if found {
			continue
		}
		if c := rest[0]; c >= 'a' && c <= 'z' && c != 'T' || c >= 'A' && c <= 'Z' && c != 'T' || c >= '0' && c <= '9' {
			return "", fmt.Errorf("has %q, which is none of yyyy MM M MMM dd d HH H hh h mm ss tt zzz", string(c))
		}
		out.WriteByte(rest[0])
		rest = rest[1:]
	}
	if !seen["y"] || !seen["M"] || !seen["d"] {
		return "", errors.New("lacks a year (yyyy), month (MM or M) or day (dd or d)")
	}
	return out.String(), nil
}

// The days that a spreadsheet's number can stand for: 1954 to 2119.
const (
	firstSerial = 20_000
	lastSerial  = 80_000
)

// day reads a date. Numbers are days of a spreadsheet when the file is one; since
// is the day before its first.
func (m *Mapping) day(text string, since time.Time) (day time.Time, ok, swapped bool) {
	if !since.IsZero() {
		if n, err := strconv.ParseFloat(text, 64); err == nil && n >= firstSerial && n < lastSerial {
			return since.AddDate(0, 0, int(n)), true, false
		}
	}
	for _, f := range m.dates {
		if t, err := time.Parse(f.layout, text); err == nil {
			t = t.UTC()
			return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC), t.Year() >= 1970 && t.Year() < 2200, false
		}
		if f.swapped != "" {
			if _, err := time.Parse(f.swapped, text); err == nil {
				swapped = true
			}
		}
	}
	return time.Time{}, false, swapped
}
