package sql

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Figure is a numeric column of a mart, and the rows it is counted from.
type Figure struct {
	Mart       Node
	Column     Column
	Parts      []Part   // whose sum it is; none when the column is not a sum of rows
	StoredFrom []string // stored tables that the mart or its parts are made of, sorted

	// Columns are those of the mart and of the parts' relations, by relation.
	Columns map[string][]string
}

// Part is the rows of one relation, a mart or a stored table, that count for a figure.
// It stands in the column's meta:
//
//	config:
//	  meta:
//	    rows:
//	      - {from: license_assignments, sum: "1", where: "is_guest"}
type Part struct {
	From  string            `yaml:"from"`
	Sum   string            `yaml:"sum"`   // expression over a row, an integer or a decimal, never null
	Where string            `yaml:"where"` // condition over a row; empty for all
	By    map[string]string `yaml:"by"`    // columns of From that equal columns of the mart, besides those of the mart's key
}

// FigureOf finds a column of a mart.
func FigureOf(mart, column string) (*Figure, error) {
	p, err := load(files, nil)
	if err != nil {
		return nil, err
	}
	n, ok := p.nodes[mart]
	if !ok || n.Layer != "marts" {
		var names []string
		for _, m := range p.marts() {
			names = append(names, m.Name)
		}
		return nil, fmt.Errorf("%q is not a mart; there are %s", mart, strings.Join(names, ", "))
	}
	i := slices.IndexFunc(n.Columns, func(c Column) bool { return c.Name == column })
	if i < 0 {
		return nil, fmt.Errorf("%s has no column %q; it has %s", mart, column, strings.Join(names(n.Columns), ", "))
	}
	f := &Figure{Mart: *n, Column: n.Columns[i], Parts: n.Columns[i].Rows}
	f.Columns = map[string][]string{mart: names(n.Columns)}
	for _, part := range f.Parts {
		f.Columns[part.From] = p.columnsOf(part.From)
	}
	from := []string{mart}
	if len(f.Parts) > 0 {
		from = nil
		for _, part := range f.Parts {
			from = append(from, part.From)
		}
	}
	f.StoredFrom = p.stored(from)
	return f, nil
}

// DeclaredFigures are the figures whose rows are declared, as mart and column.
func DeclaredFigures() ([][2]string, error) {
	p, err := load(files, nil)
	if err != nil {
		return nil, err
	}
	var out [][2]string
	for _, n := range p.marts() {
		for _, c := range n.Columns {
			if len(c.Rows) > 0 {
				out = append(out, [2]string{n.Name, c.Name})
			}
		}
	}
	return out, nil
}

// columnsOf are the columns of a mart or a stored table.
func (p *project) columnsOf(relation string) []string {
	if n, ok := p.nodes[relation]; ok {
		return names(n.Columns)
	}
	i := slices.IndexFunc(p.sources, func(n Node) bool { return n.Name == relation })
	return names(p.sources[i].Columns) // checkParts has found it
}

func names(columns []Column) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = c.Name
	}
	return out
}

// stored are the stored tables that relations are made of, sorted.
func (p *project) stored(names []string) []string {
	seen := map[string]bool{}
	var tables []string
	var visit func(name string)
	visit = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		n, ok := p.nodes[name]
		if !ok {
			tables = append(tables, name) // a source, or load would have refused it
			return
		}
		for _, s := range n.Sources {
			visit(s)
		}
		for _, r := range n.DependsOn {
			visit(r)
		}
	}
	for _, n := range names {
		visit(n)
	}
	slices.Sort(tables)
	return slices.Compact(tables)
}

// Keys are pairs of columns, of a part's relation and of the mart, that are equal for
// the rows of a figure.
func (f *Figure) Keys(part Part) [][2]string {
	var keys [][2]string
	for _, key := range f.Mart.Key {
		if _, said := part.By[key]; !said && slices.Contains(f.Columns[part.From], key) {
			keys = append(keys, [2]string{key, key})
		}
	}
	for _, column := range slices.Sorted(maps.Keys(part.By)) {
		keys = append(keys, [2]string{column, part.By[column]})
	}
	return keys
}

// Where is the condition that picks a part's rows for a row of the mart, which is given
// as text by column, nil for a null.
func (f *Figure) Where(part Part, row map[string]*string) string {
	var all []string
	for _, key := range f.Keys(part) {
		if value := row[key[1]]; value == nil {
			all = append(all, quote(key[0])+" is null")
		} else {
			all = append(all, "cast("+quote(key[0])+" as varchar) = "+literal(*value))
		}
	}
	if part.Where != "" {
		all = append(all, "("+part.Where+")")
	}
	return strings.Join(all, " and ")
}

// checkParts names the first part that cannot be what it says.
func (p *project) checkParts() error {
	for _, n := range p.marts() {
		for _, c := range n.Columns {
			for _, part := range c.Rows {
				from, ok := p.nodes[part.From]
				isSource := slices.ContainsFunc(p.sources, func(s Node) bool { return s.Name == part.From })
				if part.Sum == "" || !isSource && (!ok || from.Layer != "marts") {
					return fmt.Errorf("%s.%s: its rows are of %q, which has to be a mart or a stored table, with a sum", n.Name, c.Name, part.From)
				}
			}
		}
	}
	return nil
}
