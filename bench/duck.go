package main

import (
	"database/sql"
	"fmt"
	"strings"

	_ "github.com/duckdb/duckdb-go/v2"

	"seatlake/schemas"
)

// duck is a DuckDB in this process.
type duck struct{ db *sql.DB }

func openDuck(threads int) (*duck, error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	d := &duck{db}
	return d, d.exec("SET threads=%d; SET preserve_insertion_order=false", threads)
}

func (d *duck) exec(format string, args ...any) error {
	query := fmt.Sprintf(format, args...)
	if _, err := d.db.Exec(query); err != nil {
		return fmt.Errorf("duckdb: %w (%.200s)", err, query)
	}
	return nil
}

// property is a JSON object's member as DuckDB is told of it.
type property struct {
	name string
	kind string // of a value; empty for an object
	kids []*property
}

// properties are the members of a table's rows that its columns are read from.
func properties(fields []schemas.Field) []*property {
	var root property
	for i := range fields {
		at := &root
		path := strings.Split(fields[i].From, ".")
		for _, name := range path {
			at = at.member(name)
		}
		at.kind = duckType(&fields[i])
	}
	return root.kids
}

func (p *property) member(name string) *property {
	for _, k := range p.kids {
		if k.name == name {
			return k
		}
	}
	p.kids = append(p.kids, &property{name: name})
	return p.kids[len(p.kids)-1]
}

func (p *property) sql() string {
	if p.kind != "" {
		return p.kind
	}
	return structOf(p.kids)
}

func structOf(members []*property) string {
	var all []string
	for _, m := range members {
		all = append(all, `"`+m.name+`" `+m.sql())
	}
	return "STRUCT(" + strings.Join(all, ", ") + ")"
}

func duckType(f *schemas.Field) string {
	switch f.Kind {
	case schemas.Bool:
		return "BOOLEAN"
	case schemas.Int32:
		return "INTEGER"
	case schemas.Int64:
		return "BIGINT"
	case schemas.Float64:
		return "DOUBLE"
	case schemas.Date:
		return "DATE"
	case schemas.Timestamp:
		return "TIMESTAMP"
	case schemas.List:
		return duckType(f.Elem) + "[]"
	case schemas.Struct:
		return structOf(properties(f.Fields))
	default:
		return "VARCHAR"
	}
}

// readPages selects the table's columns from pages that are files of JSON.
func readPages(table *schemas.Table, files []string) string {
	fields := table.Decoded()
	row := structOf(properties(fields))
	return fmt.Sprintf("SELECT %s FROM (SELECT unnest(value) AS r FROM read_json(['%s'], columns={'value': '%s[]'}, maximum_object_size=67108864))",
		columns(fields, "r."), strings.Join(files, "','"), row)
}

// readLines selects the same from a file with one row a line.
func readLines(table *schemas.Table, file string) string {
	fields := table.Decoded()
	var types []string
	for _, p := range properties(fields) {
		types = append(types, fmt.Sprintf("'%s': '%s'", p.name, p.sql()))
	}
	return fmt.Sprintf("SELECT %s FROM read_json('%s', format='newline_delimited', columns={%s})", columns(fields, ""), file, strings.Join(types, ", "))
}

// readReport selects the table's columns from a report.
func readReport(table *schemas.Table, file string) string {
	var types, names []string
	for _, f := range table.Decoded() {
		kind, value := duckType(&f), `"`+f.From+`"`
		if f.Kind == schemas.List {
			kind, value = "VARCHAR", fmt.Sprintf(`string_split("%s", '+')`, f.From)
		}
		types = append(types, fmt.Sprintf("'%s': '%s'", f.From, kind))
		names = append(names, value+" AS "+f.Name)
	}
	return fmt.Sprintf("SELECT %s FROM read_csv('%s', header=true, delim=',', quote='\"', columns={%s})", strings.Join(names, ", "), file, strings.Join(types, ", "))
}

func columns(fields []schemas.Field, from string) string {
	var names []string
	for _, f := range fields {
		names = append(names, fmt.Sprintf(`%s"%s" AS %s`, from, strings.ReplaceAll(f.From, ".", `"."`), f.Name))
	}
	return strings.Join(names, ", ")
}

// copyTo writes a query's rows, or a table's, as Parquet with zstd.
func (d *duck) copyTo(query, file string) error {
	return d.exec("COPY (%s) TO '%s' (FORMAT parquet, COMPRESSION zstd)", query, file)
}
