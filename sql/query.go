package sql

import (
	"context"
	stdsql "database/sql"
	"encoding/json"
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
// table_coverage is there too.
//
// The query can write nothing and read no other file: anything but a single
// SELECT is ErrNotSelect, and DuckDB's own access to files and settings is locked.
func Query(ctx context.Context, in Inputs, gold map[string]string, query string, fn func(*Rows) error) error {
	return QueryWith(ctx, in, gold, query, Options{}, fn)
}

// QueryWith is Query within the bounds of o.
func QueryWith(ctx context.Context, in Inputs, gold map[string]string, query string, o Options, fn func(*Rows) error) (err error) {
	if err := in.check(); err != nil {
		return err
	}
	e, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := e.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("close DuckDB: %w", cerr)
		}
	}()
	if err := e.createRelations(ctx, in, gold); err != nil {
		return err
	}
	if err := e.onlySelect(ctx, query); err != nil {
		return err
	}
	if err := e.lock(ctx, in, gold); err != nil {
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

// createRelations makes a view of every stored table and mart.
func (e *engine) createRelations(ctx context.Context, in Inputs, gold map[string]string) error {
	for _, t := range schemas.All() {
		if err := e.storedView(ctx, "main."+quote(t.Name), t, in.Files[t.Name], "VARCHAR"); err != nil {
			return err
		}
	}
	if err := e.createCoverage(ctx, "main.table_coverage", "varchar", in.Coverage); err != nil {
		return err
	}
	for _, mart := range slices.Sorted(maps.Keys(gold)) {
		err := e.exec(ctx, fmt.Sprintf("create view main.%s as select * from read_parquet(%s, hive_partitioning = false)", quote(mart), list([]string{gold[mart]})))
		if err != nil {
			return fmt.Errorf("read mart %s: %w", mart, err)
		}
	}
	return nil
}

// onlySelect asks DuckDB's parser what the query is.
func (e *engine) onlySelect(ctx context.Context, query string) error {
	var text string
	if err := e.conn.QueryRowContext(ctx, "select cast(json_serialize_sql(cast(? as varchar)) as varchar)", query).Scan(&text); err != nil {
		return fmt.Errorf("parse query: %w", err)
	}
	var parsed struct {
		Error      bool              `json:"error"`
		Type       string            `json:"error_type"`
		Message    string            `json:"error_message"`
		Statements []json.RawMessage `json:"statements"`
	}
	if err := json.Unmarshal([]byte(text), &parsed); err != nil {
		return fmt.Errorf("parse query: %w", err)
	}
	switch {
	case parsed.Error && parsed.Type == "parser":
		return fmt.Errorf("parse query: %s", parsed.Message)
	case parsed.Error || len(parsed.Statements) != 1:
		return ErrNotSelect
	}
	var tree any
	if err := json.Unmarshal(parsed.Statements[0], &tree); err != nil {
		return fmt.Errorf("parse query: %w", err)
	}
	return checkTableFunctions(tree)
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

// lock leaves the engine access to the listed files and nothing else.
func (e *engine) lock(ctx context.Context, in Inputs, gold map[string]string) error {
	var allowed []string
	for _, paths := range in.Files {
		allowed = append(allowed, paths...)
	}
	allowed = append(allowed, slices.Collect(maps.Values(gold))...)
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
