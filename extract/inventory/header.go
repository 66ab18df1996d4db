package inventory

import (
	"fmt"
	"slices"
	"strings"
)

// header is how a row of names fits a mapping.
type header struct {
	m     *Mapping
	names []string
	at    [fieldCount][]int // columns of each field, in the mapping's order
	twice []string          // mapped names that stand in two columns
}

// headerKey is a column's name as mappings and files are compared: without case,
// outer blanks, and the differences between kinds and numbers of blanks.
func headerKey(name string) string {
	name = strings.TrimPrefix(name, "\ufeff")
	name = strings.NewReplacer("\u00a0", " ", "\u200b", "").Replace(name)
	return strings.ToLower(strings.Join(strings.Fields(name), " "))
}

func (m *Mapping) header(row []string) header {
	h := header{m: m, names: slices.Clone(row)}
	at := map[string][]int{}
	for i, name := range row {
		key := headerKey(name)
		at[key] = append(at[key], i)
	}
	for f := range fieldCount {
		for _, name := range m.columns[f] {
			columns := at[headerKey(name)]
			if len(columns) > 1 {
				h.twice = append(h.twice, name)
			}
			if len(columns) > 0 && !slices.Contains(h.at[f], columns[0]) {
				h.at[f] = append(h.at[f], columns[0])
			}
		}
	}
	return h
}

func (h *header) has(f field) bool { return len(h.at[f]) > 0 || h.m.constants[f] != "" }

// complete says that rows below the header can be read.
func (h *header) complete() bool { return len(h.missing()) == 0 }

// missing says which mandatory columns are not there.
func (h *header) missing() []string {
	var out []string
	names := func(fields ...field) string {
		var all []string
		for _, f := range fields {
			all = append(all, h.m.columns[f]...)
		}
		return strings.Join(all, ", ")
	}
	if !h.has(productName) {
		out = append(out, fmt.Sprintf("product_name (%s)", names(productName)))
	}
	if !h.has(deviceID) && !h.has(deviceName) && !h.has(serialNumber) {
		out = append(out, fmt.Sprintf("a column for the device (%s)", names(deviceName, deviceID, serialNumber)))
	}
	for _, f := range h.m.required {
		if !h.has(f) {
			out = append(out, fmt.Sprintf("%s (%s)", f, names(f)))
		}
	}
	return out
}

// report tells the columns.
func (h *header) report(r *Report) {
	used := map[int]bool{}
	for f := range fieldCount {
		if len(h.at[f]) == 0 {
			if len(h.m.columns[f]) > 0 && h.m.constants[f] == "" {
				r.Absent = append(r.Absent, f.String())
			}
			continue
		}
		mapped := Mapped{Field: f.String()}
		for _, i := range h.at[f] {
			used[i] = true
			mapped.Headers = append(mapped.Headers, strings.TrimSpace(h.names[i]))
		}
		r.Mapped = append(r.Mapped, mapped)
	}
	r.HasUser = slices.ContainsFunc(users(), h.has)
	for i, name := range h.names {
		if name = strings.TrimSpace(name); name != "" && !used[i] && !anyMatches(h.m.ignore, headerKey(name)) {
			r.Unmapped = append(r.Unmapped, name)
		}
	}
}

// record is a row's fields: of several columns the first that is not empty, then
// the mapping's constant.
func (h *header) record(row []string, r *record) {
	for f := range fieldCount {
		r[f] = ""
		for _, i := range h.at[f] {
			if i >= len(row) {
				continue
			}
			if text := strings.TrimSpace(row[i]); !h.m.empty[strings.ToLower(text)] {
				r[f] = text
				break
			}
		}
		if r[f] == "" {
			r[f] = h.m.constants[f]
		}
	}
}
