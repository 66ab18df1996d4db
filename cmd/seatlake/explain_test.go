package main

import (
	"fmt"
	"strings"
	"testing"

	"seatlake/sql"
)

// figuresAddUp adds up the rows of every declared figure, for every row of its mart, and
// compares them with what the mart says.
func (l simLake) figuresAddUp(t *testing.T) {
	t.Helper()
	declared, err := sql.DeclaredFigures()
	if err != nil {
		t.Fatal(err)
	}
	var queries []string
	for _, d := range declared {
		f, err := sql.FigureOf(d[0], d[1])
		if err != nil {
			t.Fatal(err)
		}
		sum, joins := "0", ""
		for i, p := range f.Parts {
			var keys, on []string
			for n, key := range f.Keys(p) {
				keys = append(keys, fmt.Sprintf("cast(%s as varchar) as k%d", key[0], n))
				on = append(on, fmt.Sprintf("p%d.k%d is not distinct from cast(m.%s as varchar)", i, n, key[1]))
			}
			where := ""
			if p.Where != "" {
				where = " where " + p.Where
			}
			joins += fmt.Sprintf(" left join (select %s, sum(%s) as s from %s%s group by all) as p%d on %s", strings.Join(keys, ", "), p.Sum, p.From, where, i, strings.Join(on, " and "))
			sum += fmt.Sprintf(" + coalesce(p%d.s, 0)", i)
		}
		queries = append(queries, fmt.Sprintf("select '%s.%s', count(m.%[2]s), count_if(m.%[2]s <> %[3]s), sum(abs(m.%[2]s)) from %[1]s as m%[4]s", d[0], d[1], sum, joins))
	}
	counted := 0
	for _, row := range l.answer(t, strings.Join(queries, " union all ")) {
		if cell(row[2]) != "0" {
			t.Errorf("%s: the rows of %s cells of %s add up to something else", cell(row[0]), cell(row[2]), cell(row[1]))
		}
		if cell(row[1]) != "0" && cell(row[3]) != "0" {
			counted++
		}
	}
	if counted < 10 {
		t.Errorf("only %d figures of %d have anything to add up", counted, len(declared))
	}
}

// TestEveryPositionIsDeclared keeps the numbers of licence positions explainable.
func TestEveryPositionIsDeclared(t *testing.T) {
	nodes, err := sql.Nodes()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if n.Name != "license_positions" {
			continue
		}
		for _, c := range n.Columns {
			if number := strings.HasSuffix(c.Name, "_units") || strings.HasSuffix(c.Name, "_users"); number && len(c.Rows) == 0 {
				t.Errorf("license_positions.%s does not say which rows it is the sum of", c.Name)
			}
		}
	}
}
