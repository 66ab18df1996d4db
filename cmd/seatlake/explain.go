package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"seatlake/load/lake"
	"seatlake/sql"
)

// explaining are the flags of explain.
type explaining struct {
	reading
	tenant string
	where  []string
	rows   bool
}

func (a *app) explainCommand() *cobra.Command {
	var e explaining
	cmd := &cobra.Command{
		Use:   "explain MART.COLUMN",
		Short: "Follow a figure back to its rows, files, pages and requests",
		Long: `Prints one figure, what it means, the rows that it is counted from and their sum, the
data files that hold them, and the kept pages of Graph that they came in, with their
request ids.

--where picks the row of the mart; it may be repeated, and has to leave one row. Where
the rows of a figure are declared, as for all of license_positions, they are added up:
exit status 4 says that they do not give the figure. Of other columns, the rows of the
stored tables behind the mart are found by user and SKU.

Pages are decoded again to tell which hold the rows; those past raw.retain are gone.
--rows prints the rows alone, all of them, in any format.`,
		Example: "  seatlake explain license_positions.assigned_users --where sku_part_number=ENTERPRISEPACK\n" +
			"  seatlake explain license_positions.inactive_users --where sku_part_number=SPE_E5 --rows --format csv -o idle.csv",
		Args: cobra.ExactArgs(1),
		RunE: action(func(ctx context.Context, args []string) error {
			return a.explain(ctx, args[0], e)
		}),
	}
	e.flags(cmd)
	cmd.Flags().Lookup("format").Usage = "of the whole, table or json; of --rows table, csv, json, markdown, parquet or xlsx"
	cmd.Flags().StringVar(&e.tenant, "tenant", "", "of the tenant of this `name` or directory id")
	cmd.Flags().StringArrayVar(&e.where, "where", nil, "`column=value` of the mart's row; may be repeated")
	cmd.Flags().IntVar(&e.limit, "limit", 10, "print at most this many `rows` of each part; 0 prints all")
	cmd.Flags().BoolVar(&e.rows, "rows", false, "print the rows alone, all of them")
	return cmd
}

// explanation is a figure and all that it comes from.
type explanation struct {
	Figure     string            `json:"figure"`
	Value      *string           `json:"value"` // null when the figure is unknown
	Definition string            `json:"definition"`
	Grain      string            `json:"mart"`
	Row        map[string]any    `json:"row"` // the key of the mart's row
	Version    int64             `json:"lake_version"`
	RunID      string            `json:"run_id"`
	Parts      []explainedPart   `json:"parts"`
	Sum        *string           `json:"sum"`              // of the parts; null when rows are not declared
	Adds       *bool             `json:"adds"`             // whether sum and value are equal; null when they differ and people were erased
	Erased     int64             `json:"erased,omitempty"` // rows that the marts lost to erasures since they were published
	Tables     []*explainedTable `json:"tables"`
}

// explainedPart is rows of one relation that count.
type explainedPart struct {
	From    string   `json:"from"`
	Counts  string   `json:"counts"` // what is added up of a row
	Where   string   `json:"where"`
	Count   int64    `json:"rows"`
	Sum     string   `json:"sum"`
	Columns []string `json:"columns"`
	Shown   [][]any  `json:"shown"` // some of the rows
	query   string
}

func (a *app) explain(ctx context.Context, figure string, e explaining) (err error) {
	mart, column, ok := strings.Cut(figure, ".")
	if !ok {
		return usage("%q is not MART.COLUMN, such as license_positions.assigned_users", figure)
	}
	f, err := sql.FigureOf(mart, column)
	if err != nil {
		return usage("%w", err)
	}
	cfg, lk, err := a.openLake(ctx)
	if err != nil {
		return err
	}
	o, err := a.openMoment(ctx, cfg, lk, e.moment)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	snapshot, err := e.snapshot(ctx, lk)
	if err != nil {
		return err
	}
	x := &explainer{app: a, cfg: cfg, lake: lk, opened: o, snapshot: snapshot, figure: f, limit: e.limit}
	x.found = explanation{Figure: figure, Definition: f.Column.Description, Grain: f.Mart.Description, Version: o.inputs.Version, RunID: o.inputs.RunID}
	if err := x.pick(ctx, e); err != nil {
		return err
	}
	if err := x.parts(ctx); err != nil {
		return err
	}
	if e.rows {
		return x.printRows(ctx, e)
	}
	if err := x.tables(ctx); err != nil {
		return err
	}
	if err := x.print(e); err != nil {
		return err
	}
	if x.found.Adds != nil && !*x.found.Adds {
		return &statusError{code: exitCheckFailed, err: fmt.Errorf("%s is %s, and its rows add up to %s: the mart is not of these tables; `seatlake build` makes it again", figure, *x.found.Value, *x.found.Sum)}
	}
	return nil
}

// explainer follows one figure.
type explainer struct {
	*app
	cfg      *Config
	lake     *lake.Lake
	opened   *opened
	snapshot *lake.Snapshot
	figure   *sql.Figure
	limit    int

	row   map[string]*string // of the mart, as text by column; nil for a null
	found explanation
}

// pick finds the row of the mart.
func (x *explainer) pick(ctx context.Context, e explaining) error {
	mart := x.figure.Mart.Name
	if x.opened.gold[mart] == "" {
		return fmt.Errorf("no %s is published: `seatlake build` publishes it", mart)
	}
	var conditions []string
	if e.tenant != "" {
		id, err := x.tenantID(e.tenant)
		if err != nil {
			return err
		}
		conditions = append(conditions, "cast(tenant_id as varchar) = "+sqlText(id))
	}
	columns := x.figure.Columns[mart]
	for _, w := range e.where {
		column, value, ok := strings.Cut(w, "=")
		if !ok || !slices.Contains(columns, column) {
			return usage("--where %q is not column=value of %s, which has %s", w, mart, strings.Join(columns, ", "))
		}
		conditions = append(conditions, `cast("`+column+`" as varchar) = `+sqlText(value))
	}
	var casts []string
	for _, c := range columns {
		casts = append(casts, `cast("`+c+`" as varchar)`)
	}
	query := "select " + strings.Join(casts, ", ") + " from " + mart
	if len(conditions) > 0 {
		query += " where " + strings.Join(conditions, " and ")
	}
	rows, err := x.opened.values(ctx, query)
	if err != nil {
		return err
	}
	if len(rows) != 1 {
		return x.ambiguous(columns, rows)
	}
	x.row, x.found.Row = map[string]*string{}, map[string]any{}
	for i, c := range columns {
		if rows[0][i] != nil {
			text := cell(rows[0][i])
			x.row[c] = &text
		}
		if slices.Contains(x.figure.Mart.Key, c) || c == "as_of_date" || c == "sku_part_number" {
			x.found.Row[c] = rows[0][i]
		}
	}
	x.found.Value = x.row[x.figure.Column.Name]
	return nil
}

// ambiguous says which rows there are when --where does not leave one.
func (x *explainer) ambiguous(columns []string, rows [][]any) error {
	if len(rows) == 0 {
		return usage("%s has no such row; `seatlake show %[1]s` prints all", x.figure.Mart.Name)
	}
	var some []string
	for _, row := range rows[:min(len(rows), 10)] {
		var key []string
		for i, c := range columns {
			if slices.Contains(x.figure.Mart.Key, c) || c == "sku_part_number" {
				key = append(key, c+"="+cell(row[i]))
			}
		}
		some = append(some, strings.Join(key, " "))
	}
	return usage("%d rows of %s are so; --where has to leave one:\n%s", len(rows), x.figure.Mart.Name, strings.Join(some, "\n"))
}

// tenantID is the directory id of a tenant of the lake.
func (x *explainer) tenantID(name string) (string, error) {
	for _, c := range x.snapshot.Coverage {
		if strings.EqualFold(c.Tenant, name) || strings.EqualFold(c.TenantID, name) {
			return c.TenantID, nil
		}
	}
	return "", usage("the lake has no tenant %q", name)
}

// parts adds up the rows of the figure.
func (x *explainer) parts(ctx context.Context) error {
	total := new(big.Rat)
	for _, p := range x.figure.Parts {
		where := x.figure.Where(p, x.row)
		from := " from " + p.From
		if where != "" {
			from += " where " + where
		}
		sums, err := x.opened.values(ctx, "select count(*), cast(coalesce(sum("+p.Sum+"), 0) as varchar)"+from)
		if err != nil {
			return err
		}
		part := explainedPart{From: p.From, Counts: p.Sum, Where: where, Sum: cell(sums[0][1]), Columns: x.figure.Columns[p.From], query: "select *" + from}
		if x.opened.gold[p.From] != "" {
			part.query = "select * exclude (_lake_version, _run_id)" + from
		}
		part.Count, _ = whole(sums[0][0])
		limited := part.query + " order by all"
		if x.limit > 0 {
			limited += fmt.Sprintf(" limit %d", x.limit)
		}
		if part.Shown, err = x.opened.values(ctx, limited); err != nil {
			return err
		}
		sum, ok := new(big.Rat).SetString(part.Sum)
		if !ok {
			return fmt.Errorf("the sum of %s is %q, which is no number", p.From, part.Sum)
		}
		total.Add(total, sum)
		x.found.Parts = append(x.found.Parts, part)
	}
	if len(x.figure.Parts) == 0 || x.found.Value == nil {
		return nil
	}
	value, ok := new(big.Rat).SetString(*x.found.Value)
	if !ok {
		return fmt.Errorf("%s is %q, which is no number", x.found.Figure, *x.found.Value)
	}
	sum, adds := total.RatString(), total.Cmp(value) == 0
	x.found.Sum, x.found.Erased = &sum, x.opened.erased
	if adds || x.opened.erased == 0 {
		x.found.Adds = &adds
	}
	return nil
}

// printRows prints the rows of a figure and nothing else.
func (x *explainer) printRows(ctx context.Context, e explaining) error {
	if len(x.found.Parts) != 1 {
		var queries []string
		for _, p := range x.found.Parts {
			queries = append(queries, "  seatlake query \""+p.query+"\"")
		}
		if len(queries) == 0 {
			return usage("the rows of %s are not declared; without --rows, the tables behind it are named", x.found.Figure)
		}
		return usage("%s is the sum of rows of %d relations; ask for each:\n%s", x.found.Figure, len(queries), strings.Join(queries, "\n"))
	}
	return x.app.print(ctx, x.opened, x.found.Parts[0].query+" order by all", e.reading)
}

// print prints what was found, for people or for machines.
func (x *explainer) print(e explaining) error {
	if e.reveal {
		key, err := x.revealKey()
		if err != nil {
			return err
		}
		for _, p := range x.found.Parts {
			for i, row := range p.Shown {
				for j := range row {
					if p.Shown[i][j], err = revealed(key, row[j]); err != nil {
						return err
					}
				}
			}
		}
	}
	switch e.format {
	case "json":
		return e.write(x.app, func(w *output) error {
			out := json.NewEncoder(w)
			out.SetEscapeHTML(false)
			out.SetIndent("", "  ")
			return out.Encode(x.found)
		})
	case "table":
		return e.write(x.app, x.text)
	}
	return usage("--format %s goes with --rows; the whole is printed as table or json", e.format)
}

// sqlText is text as an SQL string.
func sqlText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
