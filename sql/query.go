package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"seatlake/schemas"
)

// ErrNotSelect refuses a query that is not a single SELECT.
var ErrNotSelect = errors.New("only a single SELECT can be run: the lake is read-only here")

// Query runs one SELECT over the stored tables and marts by their bare names and
// gives its result to fn. gold names the marts' files by mart. GUIDs are text;
// table_coverage is there too. Only the tables and marts that the query names are
// opened.
//
// The query can write nothing and read no other file: anything but a single
// SELECT is ErrNotSelect, and DuckDB's own access to files and settings is locked.
func Query(ctx context.Context, in Inputs, gold map[string]string, query string, fn func(*Rows) error) error {
	return QueryWith(ctx, in, gold, query, Options{}, fn)
}

// QueryWith is Query within the bounds of o.
func QueryWith(ctx context.Context, in Inputs, gold map[string]string, query string, o Options, fn func(*Rows) error) error {
	if err := in.check(); err != nil {
		return err
	}
	return withEngine(ctx, o, func(e *engine) (*Local, error) {
		tree, err := e.parse(ctx, query)
		if err != nil {
			return nil, err
		}
		if err := checkTableFunctions(tree); err != nil {
			return nil, err
		}
		local, err := in.local(ctx, gold, reads(tree, gold))
		if err != nil {
			return nil, err
		}
		return local, e.answer(ctx, in, local, gold, query, fn)
	})
}

// answer runs a query that was looked at.
func (e *engine) answer(ctx context.Context, in Inputs, local *Local, gold map[string]string, query string, fn func(*Rows) error) error {
	if err := e.createRelations(ctx, in, local, gold); err != nil {
		return err
	}
	if err := e.lock(ctx, local); err != nil {
		return err
	}
	rows, err := e.conn.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("query: %w", err)
	}
	defer rows.Close()
	out, err := newRows(rows)
	if err != nil {
		return fmt.Errorf("query: %w", err)
	}
	return fn(out)
}

// createRelations makes a view of every stored table and mart. Those whose files
// are not at hand have no rows to give: to read them is an error, never an empty
// result.
func (e *engine) createRelations(ctx context.Context, in Inputs, local *Local, gold map[string]string) error {
	for _, t := range schemas.All() {
		name := "main." + quote(t.Name)
		if paths, ok := local.Files[t.Name]; ok {
			if err := e.storedView(ctx, name, t, paths, "VARCHAR"); err != nil {
				return err
			}
			continue
		}
		columns := make([]string, len(t.Fields))
		for i := range t.Fields {
			columns[i] = "cast(null as " + duckType(&t.Fields[i], "VARCHAR") + ") as " + quote(t.Fields[i].Name)
		}
		if err := e.unread(ctx, name, strings.Join(columns, ", "), t.Name); err != nil {
			return err
		}
	}
	if err := e.createCoverage(ctx, "main.table_coverage", "varchar", in.Coverage); err != nil {
		return err
	}
	for _, mart := range slices.Sorted(maps.Keys(gold)) {
		name := "main." + quote(mart)
		path, ok := local.Gold[mart]
		if !ok {
			if err := e.unread(ctx, name, "null as not_read", mart); err != nil {
				return err
			}
			continue
		}
		err := e.exec(ctx, fmt.Sprintf("create view %s as select * from read_parquet(%s, hive_partitioning = false)", name, list([]string{path})))
		if err != nil {
			return fmt.Errorf("read mart %s: %w", mart, err)
		}
	}
	return nil
}

// unread makes a view that cannot be read.
func (e *engine) unread(ctx context.Context, name, columns, what string) error {
	message := "the query does not name " + what + " where it could be found: write it as it is, without tricks"
	err := e.exec(ctx, fmt.Sprintf("create view %s as select %s where error(%s) is null", name, columns, literal(message)))
	if err != nil {
		return fmt.Errorf("create view of %s: %w", what, err)
	}
	return nil
}

// tableFunctions are those that a query may use; all others read files, change
// settings, or run another query.
var tableFunctions = []string{
	"unnest", "range", "generate_series", "json_each", "json_tree", "duckdb_columns", "duckdb_views", "duckdb_functions",
}

// checkTableFunctions refuses a query's tree that calls any other table function.
func checkTableFunctions(tree any) error {
	switch n := tree.(type) {
	case []any:
		for _, child := range n {
			if err := checkTableFunctions(child); err != nil {
				return err
			}
		}
	case map[string]any:
		if call, ok := n["function"].(map[string]any); ok && n["type"] == "TABLE_FUNCTION" {
			if name, _ := call["function_name"].(string); !slices.Contains(tableFunctions, strings.ToLower(name)) {
				return fmt.Errorf("query: the table function %s is not allowed: name a stored table or a mart instead", name)
			}
		}
		for _, child := range n {
			if err := checkTableFunctions(child); err != nil {
				return err
			}
		}
	}
	return nil
}

// lock leaves the engine access to the files that are read and nothing else.
func (e *engine) lock(ctx context.Context, local *Local) error {
	var allowed []string
	for _, paths := range local.Files {
		allowed = append(allowed, paths...)
	}
	allowed = append(allowed, slices.Collect(maps.Values(local.Gold))...)
	slices.Sort(allowed)
	for _, s := range []string{
		"set allowed_paths = " + list(allowed),
		"set enable_external_access = false",
		"set lock_configuration = true",
	} {
		if err := e.exec(ctx, s); err != nil {
			return fmt.Errorf("lock DuckDB: %w", err)
		}
	}
	return nil
}

// Rows is the result of a query. It is valid until the function it was given to
// returns.
type Rows struct {
	Columns []ResultColumn

	rows *stdsql.Rows
}

// ResultColumn is a column of a result.
type ResultColumn struct {
	Name string
	Type string // DuckDB's name of the type, such as VARCHAR, INTEGER, DATE, TIMESTAMP, VARCHAR[]
}

func newRows(rows *stdsql.Rows) (*Rows, error) {
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	out := &Rows{rows: rows}
	for _, t := range types {
		out.Columns = append(out.Columns, ResultColumn{Name: t.Name(), Type: t.DatabaseTypeName()})
	}
	return out, nil
}

// All yields the rows in order, once. A value is nil, bool, int64, float64,
// string, time.Time (UTC), []any, or map[string]any; integers over 64 bits and
// decimals are string. The slice belongs to the caller.
func (r *Rows) All() iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		targets := make([]any, len(r.Columns))
		for r.rows.Next() {
			row := make([]any, len(r.Columns))
			for i := range row {
				targets[i] = &row[i]
			}
			if err := r.rows.Scan(targets...); err != nil {
				yield(nil, err)
				return
			}
			for i := range row {
				row[i] = plain(row[i], r.Columns[i].Type)
			}
			if !yield(row, nil) {
				return
			}
		}
		if err := r.rows.Err(); err != nil {
			yield(nil, err)
		}
	}
}

// plain is the driver's value as one of the types that All promises.
func plain(v any, kind string) any {
	switch v := v.(type) {
	case nil, bool, int64, float64, string, time.Time:
		return v
	case int8:
		return int64(v)
	case int16:
		return int64(v)
	case int32:
		return int64(v)
	case uint8:
		return int64(v)
	case uint16:
		return int64(v)
	case uint32:
		return int64(v)
	case float32:
		return float64(v)
	case []byte:
		if kind == "UUID" && len(v) == 16 {
			id := duckdb.UUID(v)
			return id.String()
		}
		return string(v)
	case duckdb.UUID:
		return v.String()
	case duckdb.Decimal:
		return decimal(v)
	case *big.Int:
		if v.IsInt64() {
			return v.Int64()
		}
		return v.String()
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plain(v[i], strings.TrimSuffix(kind, "[]"))
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for name := range v {
			out[name] = plain(v[name], "")
		}
		return out
	case fmt.Stringer:
		return v.String()
	default:
		return fmt.Sprint(v)
	}
}

// decimal is a decimal with all the places of its type.
func decimal(d duckdb.Decimal) string {
	if d.Scale == 0 {
		return d.Value.String()
	}
	digits := new(big.Int).Abs(d.Value).String()
	if missing := int(d.Scale) + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - int(d.Scale)
	text := digits[:point] + "." + digits[point:]
	if d.Value.Sign() < 0 {
		text = "-" + text
	}
	return text
}
