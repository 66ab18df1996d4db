package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"seatlake/load/lake"
	"seatlake/sql"
)

func (a *app) licensesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "licenses",
		Short: "Say which licences are managed, and change it",
		Long: `A licence (SKU) is managed when a pattern of licenses.include in the configuration
matches it and none of licenses.exclude does. What is not managed is in no mart but
excluded_licenses; the stored tables have it all the same.

A pattern is a SKU id, a part number in which * stands for any characters, or class:
followed by paid, free, trial or capacity.`,
	}
	cmd.AddCommand(a.licensesListCommand(), a.licensesEditCommand("manage"), a.licensesEditCommand("unmanage"))
	return cmd
}

const licensesQuery = `
with spend as (
  select tenant_id, sku_id, currency, sum(annual_spend) as annual_spend from license_spend where annual_spend is not null group by all
),
skus as (
  select tenant_id, sku_id, sku_part_number, product_name, license_class, entitled_units, assigned_users, cast(null as varchar) as reason from license_positions
  union all
  select tenant_id, sku_id, sku_part_number, product_name, license_class, entitled_units, assigned_users, reason from excluded_licenses
)
select c.tenant, s.product_name as product, s.sku_part_number, s.sku_id, s.license_class as class, s.reason is null as managed, s.reason,
  s.entitled_units as units, s.assigned_users as users, m.annual_spend, m.currency
from skus as s
join (select tenant_id, max(tenant_name) as tenant from coverage group by 1) as c using (tenant_id)
left join spend as m using (tenant_id, sku_id)
order by managed desc, class <> 'paid', product, tenant, currency`

func (a *app) licensesListCommand() *cobra.Command {
	var r reading
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Print every licence of the tenants, managed or not",
		Args:  cobra.NoArgs,
		RunE: action(func(ctx context.Context, _ []string) (err error) {
			cfg, lk, err := a.openLake(ctx)
			if err != nil {
				return err
			}
			s, err := a.openMoment(ctx, cfg, lk, r.moment)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.close()) }()
			if len(s.gold) == 0 {
				return usage("no marts are published yet; `seatlake run` publishes them")
			}
			return a.print(ctx, s, licensesQuery, r)
		}),
	}
	r.flags(cmd)
	return cmd
}

// licensesEditCommand is manage or unmanage.
func (a *app) licensesEditCommand(verb string) *cobra.Command {
	var yes bool
	short := map[string]string{
		"manage":   "Manage licences that were left out",
		"unmanage": "Leave licences out of every mart, total and feed",
	}
	cmd := &cobra.Command{
		Use:   verb + " PATTERN...",
		Short: short[verb],
		Long: short[verb] + `.

Builds the models of the newest version with and without the change, shows what it
does to units, users and spend, and asks before it writes the configuration, whose
comments it keeps. The marts follow with the next run or build.`,
		Example: "  seatlake licenses " + verb + " FLOW_FREE 'POWER_BI_*' class:trial",
		Args:    cobra.MinimumNArgs(1),
		RunE: action(func(ctx context.Context, patterns []string) error {
			e := licensesEdit{app: a, verb: verb, patterns: patterns, yes: yes}
			return e.run(ctx)
		}),
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "write without asking")
	return cmd
}

// licensesEdit is one change of the managed licences.
type licensesEdit struct {
	*app
	verb     string // manage or unmanage
	patterns []string
	yes      bool
}

func (e licensesEdit) run(ctx context.Context) error {
	file, ok := e.in.(*os.File)
	asks := ok && term.IsTerminal(int(file.Fd()))
	if !e.yes && !asks {
		return usage("there is no terminal to ask on; --yes writes without asking")
	}
	cfg, lk, err := e.openLake(ctx)
	if err != nil {
		return err
	}
	include, exclude, err := e.lists(cfg)
	if err != nil {
		return err
	}
	if slices.Equal(include, cfg.Licenses.Include) && slices.Equal(exclude, cfg.Licenses.Exclude) {
		fmt.Fprintf(e.out, "%s says so already.\n", cfg.Path)
		return nil
	}
	path, err := filepath.EvalSymlinks(cfg.Path)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	edited := text
	if !slices.Equal(include, cfg.Licenses.Include) {
		if edited, err = setPatterns(edited, "include", include); err != nil {
			return usage("%s: %w", path, err)
		}
	}
	if !slices.Equal(exclude, cfg.Licenses.Exclude) {
		if edited, err = setPatterns(edited, "exclude", exclude); err != nil {
			return usage("%s: %w", path, err)
		}
	}
	after := *cfg
	after.Licenses.Include, after.Licenses.Exclude = include, exclude
	if err := e.compare(ctx, lk, cfg, &after); err != nil {
		return err
	}
	if !e.yes && !e.agreed(path) {
		fmt.Fprintln(e.out, "Nothing was written.")
		return nil
	}
	if err := replaceFile(path, edited); err != nil {
		return err
	}
	fmt.Fprintf(e.out, "Written to %s. `seatlake build` brings the marts up to it.\n", path)
	return nil
}

// lists are the patterns as they are to be.
func (e licensesEdit) lists(cfg *Config) (include, exclude []string, err error) {
	include, exclude = slices.Clone(cfg.Licenses.Include), slices.Clone(cfg.Licenses.Exclude)
	for _, p := range e.patterns {
		p = strings.TrimSpace(p)
		if class, ok := strings.CutPrefix(strings.ToLower(p), "class:"); ok {
			p = "class:" + class
			if !slices.Contains([]string{"paid", "free", "trial", "capacity"}, class) {
				return nil, nil, usage("%q is not a licence class; class: goes with paid, free, trial, capacity", class)
			}
		}
		if p == "" {
			return nil, nil, usage("a pattern is empty")
		}
		same := func(other string) bool { return strings.EqualFold(other, p) }
		if e.verb == "unmanage" {
			if slices.ContainsFunc(include, same) && len(include) > 1 {
				include = slices.DeleteFunc(include, same)
			}
			if !slices.ContainsFunc(exclude, same) {
				exclude = append(exclude, p)
			}
			continue
		}
		exclude = slices.DeleteFunc(exclude, same)
		if !slices.Contains(include, "*") && !slices.ContainsFunc(include, same) {
			include = append(include, p)
		}
	}
	return include, exclude, nil
}

// compare builds the newest version both ways, and prints the SKUs that change and
// what that does to the totals.
func (e licensesEdit) compare(ctx context.Context, lk *lake.Lake, before, after *Config) error {
	snapshot, err := lk.Snapshot(ctx, 0)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "seatlake-licenses-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	was, err := e.build(ctx, lk, snapshot, before, dir, "before")
	if err != nil {
		return err
	}
	is, err := e.build(ctx, lk, snapshot, after, dir, "after")
	if err != nil {
		return err
	}
	changed, err := e.changes(ctx, was, is)
	if err != nil {
		return err
	}
	if len(changed) == 0 {
		return e.noChange(ctx, is)
	}
	fmt.Fprintf(e.out, "These licences would be %sd:\n", e.verb)
	columns := []Column{{"licence", "VARCHAR"}, {"class", "VARCHAR"}, {"units", "BIGINT"}, {"users", "BIGINT"}, {"annual_spend", "DECIMAL(18,2)"}, {"currency", "VARCHAR"}}
	if err := e.printValues(columns, changed, reading{format: string(Table)}); err != nil {
		return err
	}
	totals, err := e.totals(ctx, was, is)
	if err != nil {
		return err
	}
	fmt.Fprintln(e.out, "\nTotals of managed, paid licences:")
	return e.printValues([]Column{{"total", "VARCHAR"}, {"before", "VARCHAR"}, {"after", "VARCHAR"}}, totals, reading{format: string(Table)})
}

// build builds the marts of a snapshot as a configuration has them.
func (e licensesEdit) build(ctx context.Context, lk *lake.Lake, snapshot *lake.Snapshot, cfg *Config, dir, name string) (*opened, error) {
	marts := filepath.Join(dir, name)
	if err := os.Mkdir(marts, 0o700); err != nil {
		return nil, err
	}
	o := openedOf(cfg, lk, snapshot, nil)
	result, err := sql.Build(ctx, o.inputs, marts, sql.Options{MemoryLimit: cfg.DuckDB.MemoryLimit, Threads: cfg.DuckDB.Threads, TempDir: dir})
	if err != nil {
		return nil, fmt.Errorf("build of version %d: %w", snapshot.Version, err)
	}
	for _, m := range result.Marts {
		o.gold[m.Name] = m.Path
	}
	return o, nil
}

// values are the rows of a query.
func (o *opened) values(ctx context.Context, query string) ([][]any, error) {
	var out [][]any
	err := sql.Query(ctx, o.inputs, o.gold, query, func(rows *sql.Rows) error {
		for row, err := range rows.All() {
			if err != nil {
				return err
			}
			out = append(out, row)
		}
		return nil
	})
	return out, err
}

// changes are the licences that one build manages and the other does not.
func (e licensesEdit) changes(ctx context.Context, was, is *opened) ([][]any, error) {
	with, without := was, is
	if e.verb == "manage" {
		with, without = is, was
	}
	const query = `select p.tenant_id || p.sku_id, product_name, license_class, entitled_units, assigned_users, m.annual_spend, m.currency
		from license_positions as p
		left join (select tenant_id, sku_id, currency, sum(annual_spend) as annual_spend from license_spend where annual_spend is not null group by all) as m using (tenant_id, sku_id)
		order by product_name, p.tenant_id, p.sku_id, currency`
	rows, err := with.values(ctx, query)
	if err != nil {
		return nil, err
	}
	others, err := without.values(ctx, query)
	if err != nil {
		return nil, err
	}
	keep := map[any]bool{}
	for _, row := range others {
		keep[row[0]] = true
	}
	var out [][]any
	for _, row := range rows {
		if !keep[row[0]] {
			out = append(out, row[1:])
		}
	}
	return out, nil
}

// noChange says why a change changes nothing: no licence matches, or a rule goes
// before it.
func (e licensesEdit) noChange(ctx context.Context, is *opened) error {
	rows, err := is.values(ctx, "select product_name, sku_part_number, sku_id, license_class, reason from excluded_licenses order by product_name")
	if err != nil {
		return err
	}
	for _, p := range e.patterns {
		for _, row := range rows {
			part, _ := row[1].(string)
			id, _ := row[2].(string)
			if e.verb == "manage" && (strings.EqualFold(p, part) || strings.EqualFold(p, id)) {
				return usage("%v stays unmanaged by the rule %q; manage that pattern first", row[0], row[4])
			}
		}
	}
	fmt.Fprintln(e.out, "No licence of the tenants is touched by this now; licences to come may be.")
	return nil
}

// totals are units, users and spend of both builds.
func (e licensesEdit) totals(ctx context.Context, was, is *opened) ([][]any, error) {
	const query = `
		select 'licences' as total, cast(count(*) as varchar) as n, 1 as place from license_positions where license_class = 'paid'
		union all
		select 'units', cast(sum(entitled_units) as varchar), 2 from license_positions where license_class = 'paid'
		union all
		select 'users', cast(count(distinct (a.tenant_id, a.user_id)) as varchar), 3
		from license_assignments as a join license_positions as p using (tenant_id, sku_id) where p.license_class = 'paid'
		union all
		select 'annual spend, ' || currency, cast(sum(annual_spend) as varchar), 4 from license_spend where annual_spend is not null group by currency
		order by 3, 1`
	before, err := was.values(ctx, query)
	if err != nil {
		return nil, err
	}
	after, err := is.values(ctx, query)
	if err != nil {
		return nil, err
	}
	var names []any
	lines := map[any]*[2]any{}
	for side, rows := range [][][]any{before, after} {
		for _, row := range rows {
			if lines[row[0]] == nil {
				names, lines[row[0]] = append(names, row[0]), &[2]any{}
			}
			lines[row[0]][side] = row[1]
		}
	}
	out := make([][]any, len(names))
	for i, name := range names {
		out[i] = []any{name, lines[name][0], lines[name][1]}
	}
	return out, nil
}

// agreed asks on the terminal.
func (e licensesEdit) agreed(path string) bool {
	fmt.Fprintf(e.err, "\nWrite this to %s? [y/N] ", path)
	answer, err := bufio.NewReader(e.in).ReadString('\n')
	return err == nil && slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer)))
}

// replaceFile puts new content in a file's place at once; its mode stays.
func replaceFile(path string, content []byte) (err error) {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(content)
	if err := errors.Join(err, f.Chmod(info.Mode().Perm()), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
