package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"seatlake/load/lake"
	"seatlake/sql"
)

// reading are the flags of the commands that read the lake.
type reading struct {
	moment
	format string
	output string
	limit  int
	reveal bool
}

func (r *reading) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.format, "format", "table", "table, csv, json, markdown, parquet or xlsx")
	cmd.Flags().StringVarP(&r.output, "output", "o", "", "write to this `file` in place of standard output")
	r.moment.flags(cmd)
	cmd.Flags().BoolVar(&r.reveal, "reveal", false, "print the names behind sealed values of a pseudonymised lake, with its key")
}

func (a *app) showCommand() *cobra.Command {
	var r reading
	var by activityFilter
	cmd := &cobra.Command{
		Use:   "show MART",
		Short: "Print a mart: license_positions, users, license_assignments, ...",
		Long: `Prints a mart as the newest published version has it. Without MART, names the
marts. For anything finer, use query.

With --as-of, as it was known at a version or on a date, and with --about, of which
earlier day. Marts that are not published of it are made of its files.

Two more words are known: summary, the ten findings that are worth the most, and
activity, who uses which licence, by service and threshold.`,
		Example: "  seatlake show license_positions\n  seatlake show summary\n  seatlake show users --format csv -o users.csv\n" +
			"  seatlake show activity --service Yammer --threshold 30",
		Args: cobra.MaximumNArgs(1),
		RunE: action(func(ctx context.Context, args []string) (err error) {
			cfg, lk, err := a.openLake(ctx)
			if err != nil {
				return err
			}
			s, err := a.openMoment(ctx, cfg, lk, r.moment)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.close()) }()
			marts := s.marts()
			if len(args) == 0 {
				fmt.Fprintln(a.out, strings.Join(marts, "\n"))
				return nil
			}
			if args[0] != "activity" && by.given() {
				return usage("--service, --threshold and --by-license go with `seatlake show activity`")
			}
			switch args[0] {
			case "summary":
				return a.showSummary(ctx, s, r)
			case "activity":
				return a.showActivity(ctx, s, by, r)
			}
			if !slices.Contains(marts, args[0]) {
				return usage("%q is not a mart; there are: summary, activity, %s. Stored tables are read with `seatlake query`", args[0], strings.Join(marts, ", "))
			}
			query := "select * exclude (_lake_version, _run_id) from " + args[0]
			if r.limit > 0 {
				query += " limit " + strconv.Itoa(r.limit)
			}
			return a.print(ctx, s.only(args[0]), query, r)
		}),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return append(martNames(), "activity", "summary"), cobra.ShellCompDirectiveNoFileComp
		},
	}
	r.flags(cmd)
	by.flags(cmd)
	cmd.Flags().IntVar(&r.limit, "limit", 0, "print at most this many `rows`; 0 prints all")
	return cmd
}

func (a *app) queryCommand() *cobra.Command {
	var r reading
	cmd := &cobra.Command{
		Use:   "query SQL",
		Short: "Answer a SELECT over every stored table and mart",
		Long: `Runs one SELECT on DuckDB over the committed tables and the published marts, by
their names. It can read nothing else and write nothing. ` + "`-`" + ` reads the query from standard input.`,
		Example: `  seatlake query "select product_name, available_units from license_positions order by 2 desc"`,
		Args:    cobra.ExactArgs(1),
		RunE: action(func(ctx context.Context, args []string) (err error) {
			cfg, lk, err := a.openLake(ctx)
			if err != nil {
				return err
			}
			s, err := a.openMoment(ctx, cfg, lk, r.moment)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.close()) }()
			query := args[0]
			if query == "-" {
				text, err := io.ReadAll(a.in)
				if err != nil {
					return err
				}
				query = string(text)
			}
			return a.print(ctx, s, query, r)
		}),
	}
	r.flags(cmd)
	return cmd
}

// martNames are the marts of the dbt project, for completion.
func martNames() []string {
	nodes, err := sql.Nodes()
	if err != nil {
		return nil
	}
	var names []string
	for _, n := range nodes {
		if n.Layer == "marts" {
			names = append(names, n.Name)
		}
	}
	return names
}

// opened is one version of the lake, ready to be asked.
type opened struct {
	inputs sql.Inputs
	gold   map[string]string // mart -> Parquet file
	files  *stored           // that inputs and gold name
	erased int64             // rows that these marts lost to erasures, and that their figures count
	made   string            // directory of marts made for this reading; empty when they are published ones
}

// openReading opens the newest version, with the marts that are published.
func openReading(ctx context.Context, cfg *Config, lk *lake.Lake) (*opened, error) {
	snapshot, err := lk.Snapshot(ctx, 0)
	if err != nil {
		return nil, err
	}
	gold, err := lk.Gold(0)
	if err != nil && !errors.Is(err, lake.ErrNoGold) {
		return nil, err
	}
	return openedOf(cfg, lk, snapshot, gold), nil
}

// only is a mart by itself, without the tables and marts that would have to be
// opened beside it.
func (o *opened) only(mart string) *opened {
	return &opened{
		inputs: sql.Inputs{Version: o.inputs.Version, RunID: o.inputs.RunID, Fetch: o.inputs.Fetch},
		gold:   map[string]string{mart: o.gold[mart]},
	}
}

func (o *opened) marts() []string {
	var names []string
	for name := range o.gold {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// print answers a query in the format that was asked for.
func (a *app) print(ctx context.Context, o *opened, query string, r reading) error {
	err := a.withPrinter(r, func(printer Printer) error {
		return sql.Query(ctx, o.inputs, o.gold, query, func(rows *sql.Rows) error { return printRows(printer, rows) })
	})
	if errors.Is(err, sql.ErrNotSelect) {
		return usage("%w", err)
	}
	return err
}

// printValues prints rows that no query gave.
func (a *app) printValues(columns []Column, rows [][]any, r reading) error {
	return a.withPrinter(r, func(printer Printer) error {
		if err := printer.Columns(columns); err != nil {
			return err
		}
		for _, row := range rows {
			if err := printer.Row(row); err != nil {
				return err
			}
		}
		return printer.Close()
	})
}

// withPrinter opens what the flags say to print to, and in which format.
func (a *app) withPrinter(r reading, fill func(Printer) error) (err error) {
	out, tty := a.out, a.outTTY
	if r.output != "" {
		f, err := os.OpenFile(r.output, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		out, tty = f, false
	}
	width := 0
	if tty {
		width = terminalWidth()
	}
	printer, err := NewPrinter(Format(r.format), out, tty, width)
	if err != nil {
		return usage("%w", err)
	}
	if r.reveal {
		key, err := a.revealKey()
		if err != nil {
			return err
		}
		printer = revealing{printer, key}
	}
	if err = fill(printer); IsClosedPipe(err) {
		return nil
	}
	return err
}

// printRows gives a whole result to a printer. Rows are read ahead in a goroutine
// of its own, since reading takes as long as printing.
func printRows(p Printer, rows *sql.Rows) error {
	columns := make([]Column, len(rows.Columns))
	for i, c := range rows.Columns {
		columns[i] = Column{Name: c.Name, Type: c.Type}
	}
	if err := p.Columns(columns); err != nil {
		return err
	}
	const atOnce = 512 // rows handed over together
	ready, stop := make(chan [][]any, 4), make(chan struct{})
	var reading error // set before ready is closed
	go func() {
		defer close(ready)
		some := make([][]any, 0, atOnce)
		for row, err := range rows.All() {
			if err != nil {
				reading = err
				return
			}
			if some = append(some, row); len(some) == atOnce {
				select {
				case ready <- some:
				case <-stop:
					return
				}
				some = make([][]any, 0, atOnce)
			}
		}
		select {
		case ready <- some:
		case <-stop:
		}
	}()
	var printing error
	for some := range ready {
		for _, row := range some {
			if printing = p.Row(row); printing != nil {
				break
			}
		}
		if printing != nil {
			close(stop)
			for range ready { // the reader has to end before the result does
			}
			return printing
		}
	}
	if reading != nil {
		return reading
	}
	return p.Close()
}

// terminalWidth is the width of standard output in cells, 0 when it cannot be
// told.
func terminalWidth() int {
	width, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		return 0
	}
	return width
}
