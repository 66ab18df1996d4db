package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"seatlake/sql"
)

// comparison are the flags of diff.
type comparison struct {
	reading
	from, to string // versions or days, as --as-of
	only     []string
	columns  []string
	ignore   []string
	where    string
	was, is  string // text of a value before and after; empty compares nothing
	values   bool
}

// The changes of a row.
const (
	rowAdded   = "added"
	rowRemoved = "removed"
	rowChanged = "changed"
)

// dayColumns say on which day a row was made. They differ between any two days, so
// that they are compared only when they are named.
var dayColumns = []string{"as_of_date"}

func (a *app) diffCommand() *cobra.Command {
	var c comparison
	cmd := &cobra.Command{
		Use:   "diff MART",
		Short: "Compare a mart at two dates or versions: who lost a licence, what became idle",
		Long: `Compares the rows of a mart by their key, and prints the rows that were added, removed
and changed; a changed row once for each column that changed, with the value before
and after. NULL and a value differ, NULL and NULL do not.

--from and --to are versions or dates, as --as-of of show is. Without --to the newest
published marts are meant. as_of_date is compared only when --column names it.

--where is a condition on the mart's columns. A row is compared when it holds before
or after.`,
		Example: "  seatlake diff license_assignments --from 2026-10-08 --to 2026-11-08 --only removed\n" +
			"  seatlake diff license_assignments --from 2026-10-08 --column activity_status --is inactive\n" +
			"  seatlake diff license_positions --from 41 --to 42 --where \"license_class = 'paid'\" --format csv",
		Args: cobra.ExactArgs(1),
		RunE: action(func(ctx context.Context, args []string) error {
			return a.diff(ctx, args[0], c)
		}),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return martNames(), cobra.ShellCompDirectiveNoFileComp
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.from, "from", "", "`version or date` before")
	f.StringVar(&c.to, "to", "", "`version or date` after; the newest published marts when left out")
	f.StringSliceVar(&c.only, "only", nil, "print only these `changes`: added, removed, changed")
	f.StringSliceVar(&c.columns, "column", nil, "compare only these `columns`")
	f.StringSliceVar(&c.ignore, "ignore", nil, "do not compare these `columns`")
	f.StringVar(&c.where, "where", "", "compare only rows for which this `condition` holds before or after")
	f.StringVar(&c.was, "was", "", "print only changes from this `value`")
	f.StringVar(&c.is, "is", "", "print only changes to this `value`")
	f.BoolVar(&c.values, "values", false, "print added and removed rows with all their values, a column a line")
	f.StringVar(&c.format, "format", "table", "table, csv, json, markdown, parquet or xlsx")
	f.StringVarP(&c.output, "output", "o", "", "write to this `file` in place of standard output")
	f.IntVar(&c.limit, "limit", 0, "print at most this many `rows`; 0 prints all")
	f.BoolVar(&c.reveal, "reveal", false, "print the names behind sealed values of a pseudonymised lake, with its key")
	return cmd
}

func (a *app) diff(ctx context.Context, mart string, c comparison) (err error) {
	key, err := martKey(mart)
	if err != nil {
		return err
	}
	if c.from == "" {
		return usage("--from is missing: it says what to compare with, a version or a date")
	}
	cfg, lk, err := a.openLake(ctx)
	if err != nil {
		return err
	}
	both := &opened{gold: map[string]string{}, files: newStored(lk)}
	both.inputs.Fetch = both.files.fetch
	var versions []int64
	for side, at := range map[string]string{"before": c.from, "after": c.to} {
		s, err := a.openMoment(ctx, cfg, lk, moment{asOf: at})
		if err != nil {
			return fmt.Errorf("the marts %s: %w", side, err)
		}
		defer func() { err = errors.Join(err, s.close()) }()
		for _, name := range []string{mart, "users", "license_positions"} {
			if path, ok := s.gold[name]; ok {
				both.gold[side+"_"+name] = path
			}
		}
		both.files.add(s.files)
		if both.gold[side+"_"+mart] == "" {
			return fmt.Errorf("version %d has no mart %s: an older program published it; `seatlake build --as-of %[1]d` makes it again", s.inputs.Version, mart)
		}
		versions = append(versions, s.inputs.Version)
	}
	if versions[0] == versions[1] {
		fmt.Fprintf(a.err, "both are version %d\n", versions[0])
	}
	query, err := c.query(ctx, mart, key, both)
	if err != nil {
		return err
	}
	return a.print(ctx, both, query, c.reading)
}

// martKey is the columns that identify a row of a mart.
func martKey(mart string) ([]string, error) {
	nodes, err := sql.Nodes()
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		if n.Name == mart && n.Layer == "marts" {
			return n.Key, nil
		}
	}
	return nil, usage("%q is not a mart; there are: %s", mart, strings.Join(martNames(), ", "))
}

// query is the SELECT that compares the two files of the mart.
func (c *comparison) query(ctx context.Context, mart string, key []string, both *opened) (string, error) {
	columns, err := c.compared(ctx, mart, key, both)
	if err != nil {
		return "", err
	}
	for _, only := range c.only {
		if only != rowAdded && only != rowRemoved && only != rowChanged {
			return "", usage("--only %s is not a change; there are added, removed, changed", only)
		}
	}
	var keys, joined, values []string
	for _, k := range key {
		keys = append(keys, fmt.Sprintf("coalesce(b.%s, a.%[1]s) as %[1]s", quoted(k)))
		joined = append(joined, fmt.Sprintf("b.%s is not distinct from a.%[1]s", quoted(k)))
	}
	for _, name := range columns {
		values = append(values, fmt.Sprintf("{'name': %s, 'was': cast(b.%s as varchar), 'now': cast(a.%[2]s as varchar)}", quotedText(name), quoted(name)))
	}
	where := c.where
	if where == "" {
		where = "true"
	}
	side := func(name string) string {
		return fmt.Sprintf("(select *, true as _is_there, coalesce((%s), false) as _is_wanted from %s)", where, quoted(name+"_"+mart))
	}
	names, labels := c.labels(key, both.gold)
	unchanged := "list_value({'name': cast(null as varchar), 'was': cast(null as varchar), 'now': cast(null as varchar)})"
	if c.values {
		unchanged = "_all"
	}
	query := fmt.Sprintf(`
with pairs as (
  select %s, b._is_there is null as _is_added, a._is_there is null as _is_removed, [%s] as _all
  from %s as b full join %s as a on %s
  where coalesce(b._is_wanted, false) or coalesce(a._is_wanted, false)
), told as (
  select *, case when _is_added then 'added' when _is_removed then 'removed' else 'changed' end as change,
    unnest(case when _is_added or _is_removed then %s else _all end) as _value
  from pairs
)
select t.change, %s, t._value.name as column_name, t._value.was as old_value, t._value.now as new_value
from told as t %s
where (t._value.name is null or t._value.was is distinct from t._value.now)`,
		strings.Join(keys, ", "), strings.Join(values, ", "), side("before"), side("after"), strings.Join(joined, " and "), unchanged,
		strings.Join(names, ", "), labels)
	if len(c.only) > 0 {
		query += " and t.change in ('" + strings.Join(c.only, "', '") + "')"
	}
	if c.was != "" {
		query += " and t._value.was = " + quotedText(c.was)
	}
	if c.is != "" {
		query += " and t._value.now = " + quotedText(c.is)
	}
	query += " order by case t.change when 'removed' then 1 when 'changed' then 2 else 3 end, t." + strings.Join(quotedAll(key), ", t.") + ", column_name"
	if c.limit > 0 {
		query += fmt.Sprintf(" limit %d", c.limit)
	}
	return query, nil
}

// labels are the columns that name a row to a person, its key before them, and the
// joins that they take: the sign-in name of a user, the product of a SKU.
func (c *comparison) labels(key []string, gold map[string]string) (columns []string, joins string) {
	for _, k := range key {
		columns = append(columns, "t."+quoted(k))
	}
	if !slices.Contains(key, "tenant_id") {
		return columns, ""
	}
	for _, of := range []struct{ key, mart, name string }{
		{"user_id", "users", "user_principal_name"}, {"sku_id", "license_positions", "product_name"},
	} {
		if !slices.Contains(key, of.key) || gold["before_"+of.mart] == "" || gold["after_"+of.mart] == "" {
			continue
		}
		before, after := "b_"+of.mart, "a_"+of.mart
		columns = append(columns, fmt.Sprintf("coalesce(%s.%s, %s.%[2]s) as %[2]s", after, of.name, before))
		for _, side := range [][2]string{{before, "before_" + of.mart}, {after, "after_" + of.mart}} {
			joins += fmt.Sprintf(" left join %s as %s on %[2]s.tenant_id = t.tenant_id and %[2]s.%s = t.%[3]s", quoted(side[1]), side[0], of.key)
		}
	}
	return columns, joins
}

// compared are the columns that both files have and the flags ask for, in the mart's
// order.
func (c *comparison) compared(ctx context.Context, mart string, key []string, both *opened) ([]string, error) {
	has := map[string][]string{}
	for _, side := range []string{"before", "after"} {
		err := sql.Query(ctx, both.inputs, both.gold, "select * from "+quoted(side+"_"+mart)+" limit 0", func(r *sql.Rows) error {
			for _, column := range r.Columns {
				has[side] = append(has[side], column.Name)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for _, k := range key {
		if !slices.Contains(has["before"], k) || !slices.Contains(has["after"], k) {
			return nil, fmt.Errorf("the key of %s has changed between the two: %s is not in both; build both with `seatlake build --as-of`", mart, k)
		}
	}
	for _, name := range slices.Concat(c.columns, c.ignore) {
		if !slices.Contains(has["after"], name) {
			return nil, usage("%s has no column %s; it has %s", mart, name, strings.Join(has["after"], ", "))
		}
	}
	left := map[string]bool{"_lake_version": true, "_run_id": true}
	for _, name := range slices.Concat(key, c.ignore) {
		left[name] = true
	}
	if len(c.columns) == 0 {
		for _, name := range dayColumns {
			left[name] = true
		}
	}
	out := slices.DeleteFunc(slices.Clone(has["after"]), func(name string) bool {
		return left[name] || !slices.Contains(has["before"], name) || len(c.columns) > 0 && !slices.Contains(c.columns, name)
	})
	if len(out) == 0 {
		return nil, usage("no column is left to compare; the key of %s is %s", mart, strings.Join(key, ", "))
	}
	return out, nil
}

// quoted is a name in SQL.
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// quotedText is text in SQL.
func quotedText(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

func quotedAll(names []string) []string {
	var out []string
	for _, n := range names {
		out = append(out, quoted(n))
	}
	return out
}
