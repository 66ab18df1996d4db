package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"seatlake/load/feed"
	"seatlake/load/lake"
	"seatlake/pipeline"
)

// feeding are the flags of a feed.
type feeding struct {
	moment
	tenant   string
	format   string
	template []string
	mapping  string
	set      []string

	maxAge      time.Duration
	output      string
	allowGaps   bool
	onlyChanges bool
	yes         bool
}

func (o *feeding) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.tenant, "tenant", "", "of the tenant of this `name` only")
	cmd.Flags().StringArrayVar(&o.template, "template", nil, "the target's own empty `file`, whose header, worksheet and column order are kept; one for each file of the feed")
	cmd.Flags().StringVar(&o.mapping, "mapping", "", "a CSV `file` (column,is,mandatory) that says what the template's columns are")
	cmd.Flags().DurationVar(&o.maxAge, "max-age", 7*24*time.Hour, "how old a position may be, to the day")
	cmd.Flags().StringArrayVar(&o.set, "set", nil, "what a column says where the lake has no value, as `COLUMN=TEXT`; may be repeated")
}

// removalShare is the share of the rows delivered last, in percent, of which no more
// may be gone without --yes.
const removalShare = 10

func (a *app) feedCommand() *cobra.Command {
	var o feeding
	cmd := &cobra.Command{
		Use:   "feed PROFILE",
		Short: "Write licence positions as the files that ITAM tools import",
		Long: `Writes the newest published positions in the form of another tool, and records what
was delivered. ` + "`seatlake feed list`" + ` names the profiles and their columns; docs/feeds.md
says how each is imported.

Everything is checked before a file is written: what the target needs, its lengths and
choices. All faults are named at once, and then nothing is written.

Rows that were delivered last time and are gone are listed first. When they are more
than 10 percent of all, nothing is written without --yes.

When sources that the feed's figures need were not read whole, or positions are older
than --max-age, nothing is written without --allow-gaps, and with it the exit status
is 3.

With --as-of or --about the feed says what was known then. It is written and not
recorded as delivered, so that the next delivery still compares with the last.`,
		Example: `  seatlake feed sam360 -o feeds/
  seatlake feed fnms-purchases --template template.xlsx -o purchases.xlsx
  seatlake feed snow-licenses --set "Legal organisation=ROOT,IT"
  seatlake feed diff sam360`,
		Args: cobra.ExactArgs(1),
		RunE: action(func(ctx context.Context, args []string) (err error) {
			d, err := a.openDelivery(ctx, args[0], o)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, d.opened.close()) }()
			return d.deliver(ctx)
		}),
		ValidArgsFunction: completeProfiles,
	}
	o.flags(cmd)
	o.moment.flags(cmd)
	cmd.Flags().StringVar(&o.format, "format", "", "csv, xlsx or parquet; the template's, else the profile's first")
	cmd.Flags().StringVarP(&o.output, "output", "o", "", "write into this `directory`, or to this file when the feed is one")
	cmd.Flags().BoolVar(&o.allowGaps, "allow-gaps", false, "write although sources were not read whole or positions are old")
	cmd.Flags().BoolVar(&o.onlyChanges, "only-changes", false, "write only the rows that are new or changed since the last delivery")
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "write although many rows are gone")
	cmd.AddCommand(a.feedListCommand(), a.feedDiffCommand(), a.feedHistoryCommand())
	return cmd
}

func completeProfiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, p := range feed.Profiles() {
		names = append(names, p.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func profileNamed(name string) (*feed.Profile, error) {
	p := feed.Named(name)
	if p == nil {
		var names []string
		for _, p := range feed.Profiles() {
			names = append(names, p.Name)
		}
		return nil, usage("%q is not a profile; there are: %s", name, strings.Join(names, ", "))
	}
	return p, nil
}

// delivery is a feed on its way.
type delivery struct {
	*app
	feeding
	profile *feed.Profile
	lake    *lake.Lake
	name    string // of the feed in the lake: the profile, and the tenant it is of
	marts   goldOf
	opened  *opened
	of      string // directory id of the tenant; empty for all
	gaps    []string
	asOf    time.Time // UTC day of the oldest position
}

// openDelivery opens the newest marts and says what is wrong with them.
func (a *app) openDelivery(ctx context.Context, profile string, o feeding) (*delivery, error) {
	p, err := profileNamed(profile)
	if err != nil {
		return nil, err
	}
	cfg, lk, err := a.openLake(ctx)
	if err != nil {
		return nil, err
	}
	d := &delivery{app: a, feeding: o, profile: p, lake: lk, name: p.Name}
	if err := d.openMarts(ctx, cfg); err != nil {
		return nil, err
	}
	err = d.findTenants(ctx, cfg)
	if err == nil {
		err = d.findGaps(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, d.opened.close())
	}
	return d, nil
}

// goldOf says which version the marts of a feed are of.
type goldOf struct {
	Version pipeline.Version
	RunID   string
}

// openMarts opens the newest marts, which may be behind the lake, or those of the
// moment that was asked for.
func (d *delivery) openMarts(ctx context.Context, cfg *Config) (err error) {
	if d.isPast() {
		if d.opened, err = d.openMoment(ctx, cfg, d.lake, d.moment); err != nil {
			return err
		}
		d.marts = goldOf{pipeline.Version(d.opened.inputs.Version), d.opened.inputs.RunID}
		return nil
	}
	gold, err := d.lake.Gold(0)
	if err != nil {
		return err
	}
	snapshot, err := d.lake.Snapshot(ctx, gold.Version)
	if err != nil {
		return err
	}
	newest, err := d.lake.Snapshot(ctx, 0)
	if err != nil {
		return err
	}
	if !sameRuns(newest.Coverage, snapshot.Coverage) {
		d.gaps = append(d.gaps, fmt.Sprintf("the marts are of version %d, and the lake is at version %d: bring them up to it with `seatlake build`", snapshot.Version, newest.Version))
	}
	d.marts, d.opened = goldOf{gold.Version, gold.RunID}, openedOf(cfg, d.lake, snapshot, gold)
	return nil
}

// sameRuns says that two versions have the same of every source: the later one came of
// a commit that read none, such as one of prune.
func sameRuns(a, b []lake.TenantCoverage) bool {
	return slices.EqualFunc(a, b, func(a, b lake.TenantCoverage) bool {
		return a.TenantID == b.TenantID && a.Table == b.Table && a.Version == b.Version
	})
}

// findTenants finds the chosen tenant in the marts, or makes it a gap that a
// configured one is not there.
func (d *delivery) findTenants(ctx context.Context, cfg *Config) error {
	rows, err := d.opened.only("coverage").values(ctx, "select tenant_id, max(tenant_name) from coverage group by 1 order by 2, 1")
	if err != nil {
		return err
	}
	var names []string
	for _, row := range rows {
		r := factRow(row)
		names = append(names, r.text(1))
		if d.tenant == r.text(1) || d.tenant == r.text(0) {
			d.of = r.text(0)
		}
	}
	switch {
	case d.of != "":
		d.name += "." + d.of
	case d.tenant != "":
		return usage("--tenant %s is not in the marts; they have: %s", d.tenant, strings.Join(names, ", "))
	default:
		for _, t := range cfg.Tenants {
			if !slices.Contains(names, t.Name) {
				d.gaps = append(d.gaps, fmt.Sprintf("%s: the marts have nothing of it: read it with `seatlake run --tenant %s`, or feed the others one by one with --tenant", t.Name, t.Name))
			}
		}
	}
	return nil
}

// findGaps names the sources of the feed's figures that were not read whole.
func (d *delivery) findGaps(ctx context.Context) error {
	rows, err := d.opened.only("coverage").values(ctx, `select tenant_id, tenant_name, table_name, state, reason from coverage
		where state <> 'complete' and not is_optional order by tenant_name, tenant_id, table_name`)
	if err != nil {
		return err
	}
	for _, row := range rows {
		table, _ := row[2].(string)
		if d.of != "" && row[0] != d.of || !slices.Contains(d.profile.Needs, table) {
			continue
		}
		gap := fmt.Sprintf("%v: %s is %v", row[1], table, row[3])
		if row[4] != nil {
			gap += fmt.Sprintf(": %v", row[4])
		}
		d.gaps = append(d.gaps, gap)
	}
	return nil
}

// findAge makes old positions a gap, and says of which day they are.
func (d *delivery) findAge(facts *feed.Facts) {
	for _, p := range facts.Positions {
		if d.asOf.IsZero() || p.AsOf.Before(d.asOf) {
			d.asOf = p.AsOf
		}
	}
	if d.isPast() {
		return
	}
	today := d.today()
	old := map[string]bool{}
	for _, p := range facts.Positions {
		if days := int(today.Sub(p.AsOf) / (24 * time.Hour)); today.Sub(p.AsOf) > d.maxAge && !old[p.TenantID] {
			old[p.TenantID] = true
			d.gaps = append(d.gaps, fmt.Sprintf("%s: the position is of %s, %d days ago: read the tenant again with `seatlake run`, or allow it with --max-age", p.Tenant, p.AsOf.Format(time.DateOnly), days))
		}
	}
}

// today is the day on which the feed is made: the day that it is of, when it says what
// was known then.
func (d *delivery) today() time.Time {
	if d.isPast() && !d.asOf.IsZero() {
		return d.asOf
	}
	return d.now().UTC().Truncate(24 * time.Hour)
}

// build makes the feed, with the rows delivered last at hand.
func (d *delivery) build(ctx context.Context, facts *feed.Facts) (made *feed.Feed, last *feed.Snapshot, record *lake.Delivery, err error) {
	options := feed.Options{Format: d.guessFormat(), Set: map[string]string{}, Today: d.today()}
	for _, set := range d.set {
		column, text, ok := strings.Cut(set, "=")
		if !ok {
			return nil, nil, nil, usage("--set %q is not COLUMN=TEXT", set)
		}
		options.Set[column] = text
	}
	if options.Templates, options.Mapping, err = d.readTemplates(); err != nil {
		return nil, nil, nil, err
	}
	if !d.isPast() {
		if last, record, err = d.last(ctx); err != nil {
			return nil, nil, nil, err
		}
	}
	options.Last = last
	made, err = d.profile.Build(facts, options)
	var faults *feed.Faults
	if err != nil && !errors.As(err, &faults) {
		return nil, nil, nil, usage("%w", err)
	}
	return made, last, record, err
}

// guessFormat is the format that was asked for, else that of the output's name.
func (d *delivery) guessFormat() feed.Format {
	if d.format == "" {
		if f := feed.Format(strings.TrimPrefix(filepath.Ext(d.output), ".")); slices.Contains(d.profile.Formats, f) {
			return f
		}
	}
	return feed.Format(d.format)
}

func (d *delivery) readTemplates() ([]*feed.Template, feed.Mapping, error) {
	var all []*feed.Template
	var m feed.Mapping
	for _, path := range d.template {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, nil, usage("--template: %w", err)
		}
		name := filepath.Base(path)
		t, err := feed.ReadTemplate(strings.TrimSuffix(name, filepath.Ext(name)), content)
		if err != nil {
			return nil, nil, usage("--template %s: %w", path, err)
		}
		all = append(all, t)
	}
	if d.mapping != "" {
		content, err := os.ReadFile(d.mapping)
		if err != nil {
			return nil, nil, usage("--mapping: %w", err)
		}
		if m, err = feed.ReadMapping(bytes.NewReader(content)); err != nil {
			return nil, nil, usage("--mapping %s: %w", d.mapping, err)
		}
	}
	return all, m, nil
}

// last is the rows delivered last, and their record; nil when nothing was.
func (d *delivery) last(ctx context.Context) (*feed.Snapshot, *lake.Delivery, error) {
	all, err := d.lake.Deliveries(d.name)
	if err != nil || len(all) == 0 {
		return nil, nil, err
	}
	record := &all[len(all)-1]
	body, err := d.lake.DeliveredRows(ctx, record)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("the rows of delivery %d of %s are missing, so what is gone since cannot be told: %w; restore them from a backup", record.Number, d.name, err)
	}
	if err != nil {
		return nil, nil, err
	}
	rows, err := feed.ReadSnapshot(bytes.NewReader(body))
	if err != nil {
		return nil, nil, fmt.Errorf("the rows of delivery %d of %s: %w", record.Number, d.name, err)
	}
	return rows, record, nil
}

// deliver writes the feed and records it.
func (d *delivery) deliver(ctx context.Context) (err error) {
	if d.onlyChanges && d.profile.Absent == feed.Deletes {
		return usage("%s takes every file for the whole, and would remove what --only-changes leaves out", d.profile.Target)
	}
	facts, err := d.facts(ctx)
	if err != nil {
		return err
	}
	d.findAge(facts)
	if len(d.gaps) > 0 && !d.allowGaps {
		return fmt.Errorf("nothing was written, because figures of the feed would be wrong or missing:\n  %s\nMend that and run again, or write it as it is with --allow-gaps", strings.Join(d.gaps, "\n  "))
	}
	if d.isPast() {
		return d.writePast(ctx, facts)
	}
	right, err := d.lake.Deliver(ctx, d.name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, right.Close()) }()
	made, last, record, err := d.build(ctx, facts)
	if err != nil {
		return err
	}
	d.tell(made)
	snapshot := made.Snapshot()
	changes := feed.Compare(last, snapshot)
	if err := d.confirm(changes, last, record); err != nil {
		return err
	}
	if d.onlyChanges {
		made.Only(changes)
	}
	files, err := d.write(made)
	if err != nil {
		return err
	}
	if err := d.record(right, snapshot, changes, files); err != nil {
		return fmt.Errorf("the files are written, and their delivery could not be recorded, so that the next one compares with the one before: %w", err)
	}
	fmt.Fprintf(d.out, "%d rows added, %d changed, %d removed%s.\n",
		feed.Count(changes, "added"), feed.Count(changes, "changed"), feed.Count(changes, "removed"), since(record))
	if len(d.gaps) > 0 {
		return &statusError{code: exitGaps}
	}
	return nil
}

// writePast writes the feed of a moment that is over.
func (d *delivery) writePast(ctx context.Context, facts *feed.Facts) error {
	if d.onlyChanges {
		return usage("--only-changes compares with the last delivery, and a feed of the past is none: leave out one of them")
	}
	made, _, _, err := d.build(ctx, facts)
	if err != nil {
		return err
	}
	d.tell(made)
	if _, err := d.write(made); err != nil {
		return err
	}
	fmt.Fprintln(d.out, "It is not recorded as delivered, for it says what was known then.")
	if len(d.gaps) > 0 {
		return &statusError{code: exitGaps}
	}
	return nil
}

func since(last *lake.Delivery) string {
	if last == nil {
		return "; it is the first delivery"
	}
	return fmt.Sprintf(" since delivery %d of %s", last.Number, last.At.Format(time.RFC3339))
}

// tell says what a person should know before the feed is used.
func (d *delivery) tell(made *feed.Feed) {
	for _, gap := range d.gaps {
		fmt.Fprintln(d.err, "gap: "+gap)
	}
	if d.quiet {
		return
	}
	for _, n := range made.Notices {
		fmt.Fprintln(d.err, "note: "+n)
	}
}

// shownRemovals is how many rows are listed before a delivery; diff lists all.
const shownRemovals = 20

// confirm lists the rows that are gone, and refuses when they are many.
func (d *delivery) confirm(changes []feed.Change, last *feed.Snapshot, record *lake.Delivery) error {
	removed := feed.Count(changes, "removed")
	if removed == 0 {
		return nil
	}
	what := map[feed.Absence]string{
		feed.Deletes:   "the target removes them",
		feed.Tombstone: "they are delivered as ended",
		feed.Keeps:     "the target keeps them: end them there by hand",
	}[d.profile.Absent]
	fmt.Fprintf(d.err, "%d rows of delivery %d are gone; %s:\n", removed, record.Number, what)
	for i, c := range changes[:removed] {
		if i == shownRemovals {
			fmt.Fprintf(d.err, "  and %d more; `seatlake feed diff %s` lists all\n", removed-i, d.profile.Name)
			break
		}
		fmt.Fprintln(d.err, "  "+c.Sheet+": "+c.Label)
	}
	if removed*100 > last.Live()*removalShare && !d.yes {
		return fmt.Errorf("nothing was written: %d of %d rows are gone, more than %d percent; look at `seatlake feed diff %s`, and write with --yes if they are", removed, last.Live(), removalShare, d.profile.Name)
	}
	return nil
}

// write writes all files beside their places, and puts them there when all are
// whole.
func (d *delivery) write(made *feed.Feed) (files []lake.DeliveredFile, err error) {
	dir, single, err := d.place(made)
	if err != nil {
		return nil, err
	}
	temps := map[string]string{} // place -> file
	defer func() {
		for _, temp := range temps {
			err = errors.Join(err, os.Remove(temp))
		}
	}()
	for i := range made.Sheets {
		s := &made.Sheets[i]
		name := s.FileName(made.Format)
		if single != "" {
			name = single
		}
		var body bytes.Buffer
		if err := s.Write(&body, made.Format); err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
		temp, err := writeBeside(dir, name, body.Bytes())
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
		temps[filepath.Join(dir, name)] = temp
		files = append(files, lake.DeliveredFile{Name: name, Rows: int64(len(s.Rows)), Size: int64(body.Len()), SHA256: sha256Hex(body.Bytes())})
	}
	for _, at := range slices.Sorted(maps.Keys(temps)) {
		if err := os.Rename(temps[at], at); err != nil {
			return nil, err
		}
		delete(temps, at)
	}
	for _, f := range files {
		fmt.Fprintf(d.out, "%s: %d rows, of version %d as of %s\n", filepath.Join(dir, f.Name), f.Rows, d.marts.Version, d.asOf.Format(time.DateOnly))
	}
	return files, nil
}

// place is the directory to write to, and the file's name when one was given.
func (d *delivery) place(made *feed.Feed) (dir, single string, err error) {
	if d.output == "" {
		return ".", "", nil
	}
	info, err := os.Stat(d.output)
	isDir := err == nil && info.IsDir() || strings.HasSuffix(d.output, "/") || strings.HasSuffix(d.output, string(os.PathSeparator))
	if !isDir && len(made.Sheets) == 1 {
		return filepath.Dir(d.output), filepath.Base(d.output), nil
	}
	if !isDir && filepath.Ext(d.output) != "" {
		return "", "", usage("the feed is %d files, so -o names a directory; %s looks like a file", len(made.Sheets), d.output)
	}
	return d.output, "", os.MkdirAll(d.output, 0o700)
}

// record keeps what was delivered in the lake.
func (d *delivery) record(right *lake.Delivering, snapshot *feed.Snapshot, changes []feed.Change, files []lake.DeliveredFile) error {
	var rows bytes.Buffer
	if err := snapshot.Write(&rows); err != nil {
		return err
	}
	var count int64
	for _, s := range snapshot.Sheets {
		count += int64(len(s.Rows))
	}
	_, err := right.Record(lake.Delivery{
		Version: d.marts.Version, RunID: d.marts.RunID, At: d.now(), Gaps: d.gaps, Files: files,
		Added: feed.Count(changes, "added"), Changed: feed.Count(changes, "changed"), Removed: feed.Count(changes, "removed"),
	}, rows.Bytes(), count)
	return err
}
