package inventory

import (
	"errors"
	"io"
	"strings"
	"time"
)

// Read reads a file by a mapping. file stands in faults. An error is an *Error
// that names what is wrong with the file, or the reader's.
//
// It holds the installations it finds, not the rows of other software.
func Read(file string, body io.Reader, m *Mapping) (_ []Installation, _ *Report, err error) {
	t, err := openTable(file, body, m)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	r := &reading{
		m: m, file: file, table: t, places: map[string]int{}, rules: map[ruleKey]*productRule{},
		report: &Report{Families: map[string]int64{}}, dates: map[field]*DateFault{},
	}
	if err := r.findHeader(); err != nil {
		return nil, nil, err
	}
	if err := r.rows(); err != nil {
		return nil, nil, err
	}
	r.finish()
	return r.found, r.report, nil
}

// reading is a file being read.
type reading struct {
	m     *Mapping
	file  string
	table *table
	head  header
	at    record // of the row at hand

	found  []Installation
	places map[string]int // device, product and user -> place in found
	rules  map[ruleKey]*productRule
	report *Report
	dates  map[field]*DateFault
	faults []Fault
}

// findHeader reads up to the first row that has all mandatory columns.
func (r *reading) findHeader() error {
	var best header
	var bestLine int64
	for range headerReach {
		row, line, err := r.table.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		h := r.m.header(row)
		if h.complete() {
			for _, name := range h.twice {
				r.faults = append(r.faults, Fault{line, "column " + name + " is there twice, so that it is not known which one is meant; rename one"})
			}
			if len(r.faults) > 0 {
				return &Error{File: r.file, Faults: r.faults}
			}
			r.head = h
			h.report(r.report)
			return nil
		}
		if bestLine == 0 || len(h.missing()) < len(best.missing()) || len(h.missing()) == len(best.missing()) && len(h.names) > len(best.names) {
			best, bestLine = h, line
		}
	}
	if bestLine == 0 {
		return faulty(r.file, 0, "has no rows")
	}
	var names []string
	for _, name := range best.names {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return faulty(r.file, bestLine, "the mapping %s does not find %s in the columns %s; export them too, or name the columns in a mapping of your own",
		r.m.Name, strings.Join(best.missing(), " and "), strings.Join(names, ", "))
}

func (r *reading) rows() error {
	for {
		row, line, err := r.table.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if isEmpty(row) {
			continue
		}
		if len(row) > len(r.head.names) && !isEmpty(row[len(r.head.names):]) {
			r.faults = append(r.faults, Fault{line, "has more cells than the header has columns; quote cells that hold the delimiter"})
			continue
		}
		r.report.Rows++
		r.row(row, line)
	}
	if len(r.faults) > 0 {
		return &Error{File: r.file, Faults: r.faults}
	}
	return nil
}

func isEmpty(row []string) bool {
	for _, cell := range row {
		if strings.TrimSpace(cell) != "" {
			return false
		}
	}
	return true
}

// row adds what a row says.
func (r *reading) row(row []string, line int64) {
	rec := &r.at
	r.head.record(row, rec)
	for _, skip := range r.m.skip {
		if skip.holds(rec) {
			r.report.Skipped++
			return
		}
	}
	rule := r.rule(rec)
	if rule == nil || rule.skip {
		r.report.Other++
		return
	}
	r.report.Products++
	if anyMatches(r.m.fillers, rec[serialNumber]) {
		rec[serialNumber] = ""
	}
	key := r.m.deviceKey(rec)
	if key == "" {
		r.report.NoDevice++
		return
	}
	found := Installation{
		Row: line, DeviceKey: key, DeviceID: rec[deviceID], DeviceName: rec[deviceName], SerialNumber: rec[serialNumber], OS: rec[osName],
		Platform: r.m.platform(rec[osName]), LastSeen: r.day(lastSeenDate, line), User: r.m.user(rec, rec[deviceName]),
		Family: rule.family, Rule: rule.name, Publisher: rec[publisher], Product: rec[productName], Version: rec[version], Edition: rec[edition],
		Kind: r.m.kind(rec), Installed: r.day(installDate, line), LastUsed: r.day(lastUsedDate, line),
	}
	if found.Product == "" {
		found.Product = found.Family // a row that names no software but its product
	}
	if found.Edition == "" {
		found.Edition = rule.edition
	}
	u := found.User
	place := strings.Join([]string{key, found.Family, strings.ToLower(u.Name), u.ObjectID, u.Mail, u.Domain, u.EmployeeID}, "\x00")
	if i, ok := r.places[place]; ok {
		r.found[i].add(&found)
		return
	}
	r.places[place] = len(r.found)
	r.found = append(r.found, found)
	r.report.Families[found.Family]++
}

// add puts a further row of the same installation to it.
func (i *Installation) add(other *Installation) {
	if !other.Installed.IsZero() && (i.Installed.IsZero() || other.Installed.Before(i.Installed)) {
		i.Installed = other.Installed
	}
	if other.LastUsed.After(i.LastUsed) {
		i.LastUsed = other.LastUsed
	}
	if other.LastSeen.After(i.LastSeen) {
		i.LastSeen = other.LastSeen
	}
	if i.Kind == PerUser {
		i.Kind = other.Kind
	}
}

// ruleKey is all that product rules look at.
type ruleKey struct{ name, publisher, version, edition, os, family string }

// mostRules is how many decisions of rules are remembered.
const mostRules = 50_000

func (r *reading) rule(rec *record) *productRule {
	key := ruleKey{rec[productName], rec[publisher], rec[version], rec[edition], rec[osName], rec[productFamily]}
	rule, ok := r.rules[key]
	if !ok {
		if len(r.rules) == mostRules {
			clear(r.rules)
		}
		rule = r.m.product(rec)
		r.rules[key] = rule
	}
	return rule
}

// deviceKey tells devices apart over files; empty when nothing names the device.
func (m *Mapping) deviceKey(rec *record) string {
	switch {
	case rec[serialNumber] != "":
		return "serial:" + strings.ToLower(rec[serialNumber])
	case rec[deviceName] != "":
		return "name:" + strings.ToLower(rec[deviceName])
	case rec[deviceID] != "":
		return "id:" + strings.ToLower(m.Name+":"+rec[deviceID])
	}
	return ""
}

// day is a date of the row at hand; zero, and counted, when it cannot be read.
func (r *reading) day(f field, line int64) time.Time {
	text := r.at[f]
	if text == "" {
		return time.Time{}
	}
	day, ok, swapped := r.m.day(text, r.table.since)
	if ok {
		return day
	}
	fault := r.dates[f]
	if fault == nil {
		fault = &DateFault{Field: f.String(), Row: line, Example: text}
		r.dates[f] = fault
	}
	fault.Count++
	if swapped && !fault.Swapped {
		fault.Swapped, fault.Row, fault.Example = true, line, text
	}
	return time.Time{}
}

// finish tells the dates that could not be read, and takes those back that were
// read the wrong way round.
func (r *reading) finish() {
	for f := range fieldCount {
		fault := r.dates[f]
		if fault == nil {
			continue
		}
		r.report.Dates = append(r.report.Dates, *fault)
		if !fault.Swapped {
			continue
		}
		for i := range r.found {
			switch f {
			case lastSeenDate:
				r.found[i].LastSeen = time.Time{}
			case installDate:
				r.found[i].Installed = time.Time{}
			case lastUsedDate:
				r.found[i].LastUsed = time.Time{}
			}
		}
	}
}
