package sql

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"seatlake/schemas"
)

// Read is a stored table or a mart that a query or the models read.
type Read struct {
	Name string
	Mart bool

	// Days are the spans of days whose partitions are read, each from its first to
	// its last day, "2006-01-02"; an empty end is open. Nil is all of the table.
	Days [][2]string

	// Files are what the inputs name for the table, or the one file of the mart.
	Files []string
}

// Has says whether the files of a partition are among what is read.
func (r *Read) Has(day string) bool {
	if r.Days == nil {
		return true
	}
	return slices.ContainsFunc(r.Days, func(d [2]string) bool {
		return d[0] <= day && (d[1] == "" || day <= d[1])
	})
}

// Local is where the files are that are read, as absolute paths on this machine.
type Local struct {
	Files map[string][]string // by stored table
	Gold  map[string]string   // by mart

	// Release lets go of the files, when nothing is open any more; nil for nothing to do.
	Release func() error
}

// local finds the files of what is read, or has them fetched.
func (in *Inputs) local(ctx context.Context, gold map[string]string, reads []Read) (*Local, error) {
	l := &Local{Files: map[string][]string{}, Gold: map[string]string{}}
	for i := range reads {
		name := reads[i].Name
		if path, ok := gold[name]; ok {
			reads[i].Mart, reads[i].Files, l.Gold[name] = true, []string{path}, path
		} else {
			reads[i].Files, l.Files[name] = in.Files[name], in.Files[name]
		}
	}
	if in.Fetch == nil {
		return l, nil
	}
	return in.Fetch(ctx, reads)
}

func (l *Local) release() error {
	if l == nil || l.Release == nil {
		return nil
	}
	return l.Release()
}

// reads finds what a parsed query reads of the stored tables and marts. It may name
// more than is read, never less. A query about the catalogue of DuckDB itself reads
// all marts, since their columns are only in their files.
func reads(tree any, gold map[string]string) []Read {
	f := finder{known: map[string]string{}, found: map[string]*Read{}}
	for _, t := range schemas.All() {
		f.known[t.Name] = t.Partition
	}
	for mart := range gold {
		f.known[mart] = ""
	}
	f.walk(tree, nil)
	if f.catalogue {
		for mart := range gold {
			f.add(mart, nil)
		}
	}
	var out []Read
	for _, name := range slices.Sorted(maps.Keys(f.found)) {
		r := *f.found[name]
		// The tree is walked in no order.
		slices.SortFunc(r.Days, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
		out = append(out, r)
	}
	return out
}

// finder walks a query's tree as DuckDB's json_serialize_sql gives it.
type finder struct {
	known     map[string]string // tables and marts, each with the column that divides it
	found     map[string]*Read
	catalogue bool
}

// walk looks at a node and all below. where are the conditions on every row of the
// tables that the node joins; nil where there are none.
func (f *finder) walk(tree any, where []comparison) {
	switch n := tree.(type) {
	case []any:
		for _, child := range n {
			f.walk(child, nil)
		}
	case map[string]any:
		f.node(n, where)
	}
}

func (f *finder) node(n map[string]any, where []comparison) {
	// What a select joins stands under the select's own conditions, and nothing else does.
	conditions := map[string][]comparison{}
	switch text(n["type"]) {
	case "SELECT_NODE":
		if n["sample"] == nil { // which is taken before the conditions are met
			conditions["from_table"] = conjuncts(n["where_clause"])
		}
		if from, ok := n["from_table"].(map[string]any); ok && text(from["type"]) == "BASE_TABLE" {
			for i, c := range conditions["from_table"] { // a column of the only table there is
				conditions["from_table"][i].table = cmp.Or(c.table, calledOf(from))
			}
		}
	case "JOIN":
		if kind := text(n["ref_type"]); kind == "REGULAR" || kind == "CROSS" {
			conditions["left"], conditions["right"] = where, where
		}
	case "BASE_TABLE":
		f.table(n, where)
	case "SHOW_REF":
		f.catalogue = f.catalogue || n["query"] == nil
		f.add(strings.Trim(strings.ToLower(text(n["table_name"])), `"`), nil)
	case "TABLE_FUNCTION":
		call, _ := n["function"].(map[string]any)
		f.catalogue = f.catalogue || strings.HasPrefix(strings.ToLower(text(call["function_name"])), "duckdb_")
	}
	for key, child := range n {
		f.walk(child, conditions[key])
	}
}

// table is a name that a query reads: of a table or mart, of a part of the query
// itself, or of the catalogue.
func (f *finder) table(n map[string]any, where []comparison) {
	name, schema := strings.ToLower(text(n["table_name"])), strings.ToLower(text(n["schema_name"]))
	if schema != "" && schema != "main" || strings.HasPrefix(name, "duckdb_") || strings.HasPrefix(name, "pg_") || strings.HasPrefix(name, "sqlite_") {
		f.catalogue = true
	}
	column := f.known[name]
	renamed, _ := n["column_name_alias"].([]any)
	if column == "" || len(renamed) > 0 || n["sample"] != nil {
		f.add(name, nil)
		return
	}
	f.add(name, daysOf(where, calledOf(n), column))
}

// calledOf is what a query calls a table that it joins.
func calledOf(table map[string]any) string {
	return strings.ToLower(cmp.Or(text(table["alias"]), text(table["table_name"])))
}

// add notes that a table is read, in some days or, with nil, in all.
func (f *finder) add(name string, days [][2]string) {
	if _, ok := f.known[name]; !ok {
		return
	}
	r, again := f.found[name]
	switch {
	case !again:
		f.found[name] = &Read{Name: name, Days: days}
	case r.Days == nil || days == nil:
		r.Days = nil
	default:
		r.Days = append(r.Days, days...)
	}
}

// comparison is a column compared with a day.
type comparison struct {
	table, column string // lower case; the table is empty when it is not said
	days          [][2]string
}

// conjuncts are the comparisons with days that all rows of a select meet.
func conjuncts(tree any) []comparison {
	n, _ := tree.(map[string]any)
	children, _ := n["children"].([]any)
	switch kind := text(n["type"]); kind {
	case "CONJUNCTION_AND":
		var all []comparison
		for _, child := range children {
			all = append(all, conjuncts(child)...)
		}
		return all
	case "COMPARE_IN":
		if len(children) == 0 {
			return nil
		}
		c := comparison{days: [][2]string{}}
		for _, child := range children[1:] {
			day, ok := dayOf(child)
			if !ok {
				return nil
			}
			c.days = append(c.days, [2]string{day, day})
		}
		return c.of(children[0])
	case "COMPARE_BETWEEN":
		lower, ok1 := dayOf(n["lower"])
		upper, ok2 := dayOf(n["upper"])
		if !ok1 || !ok2 {
			return nil
		}
		return comparison{days: [][2]string{{lower, upper}}}.of(n["input"])
	default:
		if day, ok := dayOf(n["right"]); ok {
			return comparison{days: span(kind, day)}.of(n["left"])
		}
		if day, ok := dayOf(n["left"]); ok {
			return comparison{days: span(mirrored[kind], day)}.of(n["right"])
		}
		return nil
	}
}

// mirrored are comparisons with their sides changed.
var mirrored = map[string]string{
	"COMPARE_EQUAL":                "COMPARE_EQUAL",
	"COMPARE_LESSTHAN":             "COMPARE_GREATERTHAN",
	"COMPARE_LESSTHANOREQUALTO":    "COMPARE_GREATERTHANOREQUALTO",
	"COMPARE_GREATERTHAN":          "COMPARE_LESSTHAN",
	"COMPARE_GREATERTHANOREQUALTO": "COMPARE_LESSTHANOREQUALTO",
}

// span is the days that stand in a relation to a day, or nil. The day itself is
// among them also where the relation leaves it out.
func span(relation, day string) [][2]string {
	switch relation {
	case "COMPARE_EQUAL":
		return [][2]string{{day, day}}
	case "COMPARE_LESSTHAN", "COMPARE_LESSTHANOREQUALTO":
		return [][2]string{{"", day}}
	case "COMPARE_GREATERTHAN", "COMPARE_GREATERTHANOREQUALTO":
		return [][2]string{{day, ""}}
	}
	return nil
}

// of names the column that is compared.
func (c comparison) of(column any) []comparison {
	n, _ := column.(map[string]any)
	names, _ := n["column_names"].([]any)
	if c.days == nil || text(n["type"]) != "COLUMN_REF" || len(names) == 0 || len(names) > 2 {
		return nil
	}
	if len(names) == 2 {
		c.table = strings.ToLower(text(names[0]))
	}
	c.column = strings.ToLower(text(names[len(names)-1]))
	return []comparison{c}
}

// dayOf is a constant that DuckDB takes for a day: '2006-01-02', also as a date.
func dayOf(tree any) (string, bool) {
	n, _ := tree.(map[string]any)
	if text(n["type"]) == "OPERATOR_CAST" {
		to, _ := n["cast_type"].(map[string]any)
		if try, _ := n["try_cast"].(bool); try || text(to["id"]) != "DATE" {
			return "", false
		}
		n, _ = n["child"].(map[string]any)
	}
	value, _ := n["value"].(map[string]any)
	if text(n["type"]) != "VALUE_CONSTANT" {
		return "", false
	}
	day := text(value["value"])
	t, err := time.Parse(time.DateOnly, day)
	return day, err == nil && t.Format(time.DateOnly) == day
}

// daysOf is the days of a table's rows under some conditions, nil for all. One
// condition is enough to leave files out; two spans are taken together.
func daysOf(where []comparison, table, column string) [][2]string {
	var days [][2]string
	for _, c := range where {
		if c.column != column || c.table != table {
			continue
		}
		switch {
		case days == nil:
			days = c.days
		case len(days) == 1 && len(c.days) == 1:
			days = [][2]string{{max(days[0][0], c.days[0][0]), earlier(days[0][1], c.days[0][1])}}
		}
	}
	return days
}

// earlier is the earlier of two last days, of which an empty one is open.
func earlier(a, b string) string {
	if a == "" || b != "" && b < a {
		return b
	}
	return a
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// parse asks DuckDB's parser for a query's tree. Anything but one SELECT is
// ErrNotSelect.
func (e *engine) parse(ctx context.Context, query string) (any, error) {
	var answer string
	if err := e.conn.QueryRowContext(ctx, "select cast(json_serialize_sql(cast(? as varchar)) as varchar)", query).Scan(&answer); err != nil {
		return nil, fmt.Errorf("parse query: %w", err)
	}
	var parsed struct {
		Error      bool   `json:"error"`
		Type       string `json:"error_type"`
		Message    string `json:"error_message"`
		Statements []any  `json:"statements"`
	}
	if err := json.Unmarshal([]byte(answer), &parsed); err != nil {
		return nil, fmt.Errorf("parse query: %w", err)
	}
	switch {
	case parsed.Error && parsed.Type == "parser":
		return nil, fmt.Errorf("parse query: %s", parsed.Message)
	case parsed.Error || len(parsed.Statements) != 1:
		return nil, ErrNotSelect
	}
	return parsed.Statements[0], nil
}
