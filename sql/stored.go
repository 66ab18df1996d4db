package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"seatlake/schemas"
)

// ErrNewer is the kind of a file of a stored table that a newer program wrote. Its
// values would be read in part.
var ErrNewer = errors.New("written by a newer seatlake: install it")

// storedView makes a view of a stored table over its files. Every column of the
// schema is there with its type: a file from before a column was added gives NULL,
// instants are UTC TIMESTAMPs, and a column that the table no longer has is passed over.
// With guids "VARCHAR" instead of "UUID", GUIDs are text. Files of a newer program are
// ErrNewer.
func (e *engine) storedView(ctx context.Context, name string, t *schemas.Table, paths []string, guids string) error {
	have := map[string]string{}
	from := ""
	if len(paths) > 0 {
		from = "read_parquet(" + list(paths) + ", union_by_name = true, hive_partitioning = false)"
		names, types, err := e.columns(ctx, "select * from "+from)
		if err != nil {
			return fmt.Errorf("read files of %s: %w", t.Name, err)
		}
		for i, n := range names {
			have[n] = types[i]
		}
		if err := e.refuseNewer(ctx, t, paths, have); err != nil {
			return fmt.Errorf("read files of %s: %w", t.Name, err)
		}
	}
	exprs := make([]string, len(t.Fields))
	for i := range t.Fields {
		f := &t.Fields[i]
		want := duckType(f, guids)
		switch got, ok := have[f.Name]; {
		case !ok && from != "" && f.Required:
			return fmt.Errorf("read files of %s: column %s is missing", t.Name, f.Name)
		case !ok:
			exprs[i] = fmt.Sprintf("cast(null as %s) as %s", want, quote(f.Name))
		case got == want:
			exprs[i] = quote(f.Name)
		default:
			exprs[i] = fmt.Sprintf("cast(%s as %s) as %[1]s", quote(f.Name), want)
		}
	}
	query := "create view " + name + " as select " + strings.Join(exprs, ", ")
	if from == "" {
		query += " where false"
	} else {
		query += " from " + from
	}
	if err := e.exec(ctx, query); err != nil {
		return fmt.Errorf("read files of %s: %w", t.Name, err)
	}
	return nil
}

// refuseNewer is ErrNewer when a file has a column that the table does not have yet, or
// a wider one. A column without a field id was not written by seatlake, so it is
// unknown under any name but the table's own. The files' ids are only looked at where
// the names and types in have, by top column, are not all the table's.
func (e *engine) refuseNewer(ctx context.Context, t *schemas.Table, paths []string, have map[string]string) error {
	strange := map[string]bool{}
	for n, got := range have {
		i := slices.IndexFunc(t.Fields, func(f schemas.Field) bool { return f.Name == n })
		if i < 0 {
			strange[n] = true
			continue
		}
		f := &t.Fields[i]
		if f.Kind == schemas.Int32 && got == "BIGINT" {
			return fmt.Errorf("column %s is a %s, and was an int32: %w", n, strings.ToLower(got), ErrNewer)
		}
		if (f.Kind == schemas.List || f.Kind == schemas.Struct) && plainType(got) != plainType(duckType(f, "UUID")) {
			strange[n] = true
		}
	}
	if len(strange) == 0 {
		return nil
	}
	newest := newestID(t.Fields)
	rows, err := e.conn.QueryContext(ctx, "select distinct name, field_id from parquet_schema("+list(paths)+") order by all")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var id stdsql.NullInt64
		if err := rows.Scan(&name, &id); err != nil {
			return err
		}
		switch {
		case id.Valid && id.Int64 > int64(newest):
			return fmt.Errorf("column %s has the field id %d: %w", name, id.Int64, ErrNewer)
		case id.Valid:
			delete(strange, name)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, f := range t.Fields {
		delete(strange, f.Name)
	}
	for _, n := range slices.Sorted(maps.Keys(strange)) {
		return fmt.Errorf("column %s is not one of the table: %w", n, ErrNewer)
	}
	return nil
}

// plainType is a type without quotes, and with instants as the table has them.
func plainType(kind string) string {
	return strings.NewReplacer(`"`, "", "TIMESTAMP WITH TIME ZONE", "TIMESTAMP").Replace(kind)
}

// newestID is the highest field id of the fields and what is in them.
func newestID(fields []schemas.Field) int32 {
	newest := int32(0)
	for i := range fields {
		f := &fields[i]
		newest = max(newest, f.ID, newestID(f.Fields))
		if f.Elem != nil {
			newest = max(newest, newestID([]schemas.Field{*f.Elem}))
		}
	}
	return newest
}
