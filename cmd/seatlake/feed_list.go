package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"seatlake/load/feed"
	"seatlake/load/lake"
)

func (a *app) feedListCommand() *cobra.Command {
	var r reading
	cmd := &cobra.Command{
		Use:     "list [PROFILE]",
		Short:   "Name the profiles, or the columns of one",
		Example: "  seatlake feed list\n  seatlake feed list servicenow-entitlements",
		Args:    cobra.MaximumNArgs(1),
		RunE: action(func(_ context.Context, args []string) error {
			if len(args) == 0 {
				return a.listProfiles(r)
			}
			p, err := profileNamed(args[0])
			if err != nil {
				return err
			}
			return a.listColumns(p, r)
		}),
		ValidArgsFunction: completeProfiles,
	}
	cmd.Flags().StringVar(&r.format, "format", "table", "table, csv, json, markdown, parquet or xlsx")
	return cmd
}

func (a *app) listProfiles(r reading) error {
	templates := map[feed.TemplateUse]string{feed.NoTemplate: "no", feed.MayUseTemplate: "optional", feed.MustUseTemplate: "needed"}
	absent := map[feed.Absence]string{
		feed.Deletes: "removes it", feed.Tombstone: "is told that it ended", feed.Keeps: "keeps it",
	}
	var rows [][]any
	for _, p := range feed.Profiles() {
		formats := make([]string, len(p.Formats))
		for i, f := range p.Formats {
			formats[i] = string(f)
		}
		rows = append(rows, []any{p.Name, p.Target, strings.Join(formats, ", "), templates[p.Template], absent[p.Absent]})
	}
	columns := []Column{{"profile", "VARCHAR"}, {"target", "VARCHAR"}, {"formats", "VARCHAR"}, {"template", "VARCHAR"}, {"a_row_that_is_gone", "VARCHAR"}}
	return a.printValues(columns, rows, r)
}

func (a *app) listColumns(p *feed.Profile, r reading) error {
	var rows [][]any
	for _, s := range p.Sheets {
		for _, c := range s.Columns {
			var limit any
			if c.Max > 0 {
				limit = int64(c.Max)
			}
			rows = append(rows, []any{s.Name, c.Name, string(c.Kind), c.Required, limit, strings.Join(c.Values, ", "), c.Source})
		}
	}
	columns := []Column{
		{"file", "VARCHAR"}, {"column", "VARCHAR"}, {"holds", "VARCHAR"}, {"mandatory", "BOOLEAN"}, {"characters", "BIGINT"},
		{"choices", "VARCHAR"}, {"source", "VARCHAR"},
	}
	return a.printValues(columns, rows, r)
}

func (a *app) feedDiffCommand() *cobra.Command {
	var o feeding
	var r reading
	cmd := &cobra.Command{
		Use:   "diff PROFILE",
		Short: "Show what a feed would add, change and remove since its last delivery",
		Long: `Makes the feed as ` + "`seatlake feed`" + ` would, compares it with the rows delivered last, and
prints the rows that are gone, changed and new, in this order. Nothing is written.`,
		Example: "  seatlake feed diff servicenow-subscriptions --tenant contoso",
		Args:    cobra.ExactArgs(1),
		RunE: action(func(ctx context.Context, args []string) error {
			d, err := a.openDelivery(ctx, args[0], o)
			if err != nil {
				return err
			}
			return d.diff(ctx, r)
		}),
		ValidArgsFunction: completeProfiles,
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&r.format, "format", "table", "table, csv, json, markdown, parquet or xlsx")
	cmd.Flags().StringVarP(&r.output, "output", "o", "", "write to this `file` in place of standard output")
	return cmd
}

// diff prints what a delivery would change.
func (d *delivery) diff(ctx context.Context, r reading) error {
	facts, err := d.facts(ctx)
	if err != nil {
		return err
	}
	d.findAge(facts)
	made, last, record, err := d.build(ctx, facts)
	if err != nil {
		return err
	}
	d.tell(made)
	changes := feed.Compare(last, made.Snapshot())
	if len(changes) == 0 {
		fmt.Fprintf(d.err, "nothing changed%s\n", since(record))
	}
	rows := make([][]any, len(changes))
	for i, c := range changes {
		rows[i] = []any{c.What, c.Sheet, c.Label, strings.Join(c.Details, "; ")}
	}
	return d.printValues([]Column{{"change", "VARCHAR"}, {"file", "VARCHAR"}, {"row", "VARCHAR"}, {"what", "VARCHAR"}}, rows, r)
}

func (a *app) feedHistoryCommand() *cobra.Command {
	var r reading
	cmd := &cobra.Command{
		Use:     "history [PROFILE]",
		Short:   "List what was delivered: when, of which version, which files with which hashes",
		Example: "  seatlake feed history sam360",
		Args:    cobra.MaximumNArgs(1),
		RunE: action(func(ctx context.Context, args []string) error {
			_, lk, err := a.openLake(ctx)
			if err != nil {
				return err
			}
			feeds, err := lk.Feeds()
			if err != nil {
				return err
			}
			if len(args) > 0 {
				p, err := profileNamed(args[0])
				if err != nil {
					return err
				}
				feeds = slices.DeleteFunc(feeds, func(name string) bool { return name != p.Name && !strings.HasPrefix(name, p.Name+".") })
			}
			return a.printHistory(lk, feeds, r)
		}),
		ValidArgsFunction: completeProfiles,
	}
	cmd.Flags().StringVar(&r.format, "format", "table", "table, csv, json, markdown, parquet or xlsx")
	return cmd
}

func (a *app) printHistory(lk *lake.Lake, feeds []string, r reading) error {
	var rows [][]any
	for _, name := range feeds {
		all, err := lk.Deliveries(name)
		if err != nil {
			return err
		}
		profile, tenant, _ := strings.Cut(name, ".")
		for _, d := range all {
			for _, f := range d.Files {
				rows = append(rows, []any{
					profile, textOrNil(tenant), d.Number, d.At, int64(d.Version), f.Name, f.Rows, f.SHA256,
					int64(d.Added), int64(d.Changed), int64(d.Removed), textOrNil(strings.Join(d.Gaps, "; ")),
				})
			}
		}
	}
	columns := []Column{
		{"profile", "VARCHAR"}, {"tenant_id", "VARCHAR"}, {"delivery", "BIGINT"}, {"at", "TIMESTAMP"}, {"version", "BIGINT"}, {"file", "VARCHAR"},
		{"rows", "BIGINT"}, {"sha256", "VARCHAR"}, {"added", "BIGINT"}, {"changed", "BIGINT"}, {"removed", "BIGINT"}, {"gaps", "VARCHAR"},
	}
	return a.printValues(columns, rows, r)
}

func textOrNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}
