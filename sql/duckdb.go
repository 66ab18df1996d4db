package sql

import (
	"context"
	stdsql "database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"iter"
	"os"
	"strconv"
	"strings"

	"github.com/duckdb/duckdb-go/v2"

	"seatlake/schemas"
)

// engine is an embedded DuckDB with one connection, on files of its own that are
// removed when it closes.
type engine struct {
	db   *stdsql.DB
	conn *stdsql.Conn
	dir  string // database and spill files
}

// open starts an engine. The session's time zone is UTC, so that a moment in UTC
// is the same text everywhere.
func open(ctx context.Context, o Options) (*engine, error) {
	dir, err := os.MkdirTemp(o.TempDir, "seatlake-sql-")
	if err != nil {
		return nil, fmt.Errorf("make folder for DuckDB: %w", err)
	}
	e := &engine{dir: dir}
	connector, err := duckdb.NewConnector(dir+"/build.duckdb", nil)
	if err != nil {
		e.Close()
		return nil, fmt.Errorf("start DuckDB: %w", err)
	}
	e.db = stdsql.OpenDB(connector)
	if e.conn, err = e.db.Conn(ctx); err != nil {
		e.Close()
		return nil, fmt.Errorf("start DuckDB: %w", err)
	}
	settings := []string{
		"set TimeZone = 'UTC'",
		"pragma disable_checkpoint_on_shutdown", // the database is removed then
		"set memory_limit = " + literal(o.memoryLimit()),
		"set temp_directory = " + literal(dir+"/spill"),
		"set autoinstall_known_extensions = false",
		"set autoload_known_extensions = false",
	}
	if o.Threads > 0 {
		settings = append(settings, "set threads = "+strconv.Itoa(o.Threads))
	}
	for _, s := range settings {
		if err := e.exec(ctx, s); err != nil {
			e.Close()
			return nil, fmt.Errorf("start DuckDB: %w", err)
		}
	}
	return e, nil
}

// withEngine lets fn work with an engine. The files that fn read are let go of when
// the engine has closed them.
func withEngine(ctx context.Context, o Options, fn func(*engine) (*Local, error)) error {
	e, err := open(ctx, o)
	if err != nil {
		return err
	}
	local, err := fn(e)
	if closed := e.Close(); closed != nil {
		err = errors.Join(err, fmt.Errorf("close DuckDB: %w", closed))
	}
	return errors.Join(err, local.release())
}

// Close stops the engine and removes its files.
func (e *engine) Close() error {
	var first error
	if e.conn != nil {
		first = e.conn.Close()
	}
	if e.db != nil {
		if err := e.db.Close(); first == nil {
			first = err
		}
	}
	if err := os.RemoveAll(e.dir); first == nil {
		first = err
	}
	return first
}

func (e *engine) exec(ctx context.Context, query string, args ...any) error {
	_, err := e.conn.ExecContext(ctx, query, args...)
	return err
}

// append puts rows into a table that lives as long as the statement that reads them:
// texts, and then columns of other types. Many rows cost less so than as arguments.
func (e *engine) append(ctx context.Context, table, texts, others string, rows iter.Seq[[]driver.Value], then string) error {
	columns := strings.ReplaceAll(texts, ",", " varchar,") + " varchar, " + others
	if err := e.exec(ctx, "create temp table "+table+" ("+columns+")"); err != nil {
		return err
	}
	err := e.conn.Raw(func(c any) error {
		appender, err := duckdb.NewAppender(c.(driver.Conn), "temp", "main", table)
		if err != nil {
			return err
		}
		for row := range rows {
			if err = appender.AppendRow(row...); err != nil {
				break
			}
		}
		return errors.Join(err, appender.Close())
	})
	if err == nil {
		err = e.exec(ctx, then)
	}
	return errors.Join(err, e.exec(ctx, "drop table "+table))
}

// count is the single integer that a query gives.
func (e *engine) count(ctx context.Context, query string) (int64, error) {
	var n int64
	err := e.conn.QueryRowContext(ctx, query).Scan(&n)
	return n, err
}

// columns are the names and types of a query's result.
func (e *engine) columns(ctx context.Context, query string) (names, types []string, err error) {
	rows, err := e.conn.QueryContext(ctx, "describe "+query)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name, kind string
		var rest [4]any
		if err := rows.Scan(&name, &kind, &rest[0], &rest[1], &rest[2], &rest[3]); err != nil {
			return nil, nil, err
		}
		names, types = append(names, name), append(types, kind)
	}
	return names, types, rows.Err()
}

// duckType is the DuckDB type of a stored column.
func duckType(f *schemas.Field, guids string) string {
	switch f.Kind {
	case schemas.UUID:
		return guids
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
		return duckType(f.Elem, guids) + "[]"
	case schemas.Struct:
		members := make([]string, len(f.Fields))
		for i := range f.Fields {
			members[i] = quote(f.Fields[i].Name) + " " + duckType(&f.Fields[i], guids)
		}
		return "STRUCT(" + strings.Join(members, ", ") + ")"
	default:
		return "VARCHAR"
	}
}

// list is texts as an SQL list.
func list(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = literal(t)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
