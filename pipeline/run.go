package pipeline

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"golang.org/x/sync/errgroup"

	"seatlake/schemas"
)

// Pipeline is one run of one tenant, as a parts list.
type Pipeline struct {
	Source  Source
	Keeper  Keeper // nil keeps no pages
	Dataset Dataset

	// Jobs are read in two waves: those marked First alone and in order,
	// because transforms of the others need what they yield, then the rest side
	// by side, of which usage reports follow one another.
	Jobs []Job

	// Fixed are streams that come from no page, such as the product catalogue.
	Fixed []Fixed

	Parallel int // jobs side by side; 0 means 4
	Now      func() time.Time
	Progress Progress
}

// Job is one source and the tables that its pages feed. Its decoder and
// transforms may hold state, so a job serves one run.
type Job struct {
	Source string
	Window Window
	First  bool
	// Optional is a source without which a run is whole: its coverage says so,
	// and having read nothing else is having read nothing.
	Optional bool
	Decoder  Decoder
	Shared   []Transform // between the decoder and all outputs, in order
	Outputs  []Output
}

// Decoder turns the pages of one source into batches.
type Decoder interface {
	// Stream decodes pages. Its errors name the page.
	Stream(Pages) Stream
	// Drift says, once the stream has ended, how the pages differed from the
	// schema.
	Drift() Drift
}

// Drift is how a source's pages differ from its schema.
type Drift struct {
	Rows int64 // rows decoded, without the skipped ones
	// Unknown counts, for each property path ("signInActivity.newThing", relative
	// to the row) or header that the table neither has nor ignores, the rows it
	// was seen in.
	Unknown map[string]int64
	// Missing lists the From of columns that no page had, in the table's order.
	// Members of a nested column are listed only if the pages had one to hold
	// them. It is empty when there were no rows to judge by, save for reports,
	// whose headers tell.
	Missing []string
	// SkippedRows counts report rows that had neither a refresh date nor a user.
	SkippedRows int64
}

// Output is one table that a job writes.
type Output struct {
	Table   *schemas.Table
	Through []Transform // what of the shared stream becomes rows of the table, in order
	// Judge completes the table's coverage once all rows are written. May be nil.
	Judge func(*Coverage, Seen)
}

// Seen is what a job saw of its source, for the judgement of its coverage.
type Seen struct {
	Request string // first request, path and query
	Pages   int
	Drift   Drift
}

// Fixed is a table whose rows come from no page.
type Fixed struct {
	Table  *schemas.Table
	Stream func() Stream
	Days   []string // UTC days, "2006-01-02", whose rows it replaces; none for the whole table
}

// Progress is told what a run does. Any func may be nil. They are called from
// several goroutines.
type Progress struct {
	Page  func(source string, p *Page)
	Rows  func(source string, rows int64)
	Ended func(source string, c []Coverage)
}

// Published is the result of a run.
type Published struct {
	Version Version
	Commit  Commit
}

// ErrNothingRead is the error of a run all of whose sources, but for optional
// ones, were refused.
var ErrNothingRead = errors.New("every source was refused; nothing is published")

// ErrOfPages is the kind of an error that the pages themselves give: the same
// pages would give it again.
var ErrOfPages = errors.New("the pages are at fault")

// ofPages makes an error one of that kind.
type ofPages struct{ error }

func (e ofPages) Unwrap() error { return e.error }

func (e ofPages) Is(target error) bool { return target == ErrOfPages }

// Run publishes one snapshot of every table, or none. A source that Graph
// refuses with a *Gap becomes coverage; any other error ends the run, and
// nothing of it is published.
func (p *Pipeline) Run(ctx context.Context, run Run) (*Published, error) {
	tx, err := p.Dataset.Begin(ctx, run)
	if err != nil {
		return nil, fmt.Errorf("begin run %s: %w", run.ID, err)
	}
	r := &runner{Pipeline: p, run: run, tx: tx}
	if err := r.jobs(ctx); err != nil {
		return nil, errors.Join(err, tx.Abort())
	}
	commit, err := r.commit()
	if err != nil {
		return nil, errors.Join(err, tx.Abort())
	}
	version, err := tx.Commit(ctx, commit)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("commit run %s: %w", run.ID, err), tx.Abort())
	}
	return &Published{Version: version, Commit: commit}, nil
}

// runner is the state of one run.
type runner struct {
	*Pipeline
	run Run
	tx  Transaction

	mu       sync.Mutex
	files    []File
	replaces []Replacement
	coverage []Coverage
	notices  []string
	state    map[string]json.RawMessage
}

func (r *runner) jobs(ctx context.Context) error {
	for _, f := range r.Fixed {
		if err := r.fixed(ctx, f); err != nil {
			return err
		}
	}
	for _, job := range r.Jobs {
		if !job.First {
			continue
		}
		if err := r.job(ctx, job); err != nil {
			return err
		}
	}
	var reports, others []Job
	for _, job := range r.Jobs {
		switch {
		case job.First:
		case job.isReport():
			reports = append(reports, job)
		default:
			others = append(others, job)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cmp.Or(r.Parallel, 4))
	group.Go(func() error {
		for _, job := range reports {
			if err := r.job(ctx, job); err != nil {
				return err
			}
		}
		return nil
	})
	for _, job := range others {
		group.Go(func() error { return r.job(ctx, job) })
	}
	return group.Wait()
}

// isReport says that the job's source is a usage report. It has one page however
// many users there are, so that no two are held at a time.
func (j Job) isReport() bool {
	return len(j.Outputs) > 0 && j.Outputs[0].Table.Format == schemas.CSV
}

// job follows one source from its pages to staged data files.
func (r *runner) job(ctx context.Context, job Job) error {
	watched := &watcher{source: job.Source, progress: r.Progress}
	pages := r.Source.Pages(ctx, job.Source, job.Window)
	if r.Keeper != nil {
		pages = r.Keeper.Keep(ctx, job.Source, pages)
	}
	pages = ahead(ctx, watched.pages(pages))
	written, err := r.write(ctx, job, watched.rows(job.Decoder.Stream(pages)))
	gap, refused := AsGap(err)
	if err != nil && !refused {
		return r.place(job.Source, watched.blame(ctx, err))
	}

	seen := Seen{Request: watched.request, Pages: watched.count, Drift: job.Decoder.Drift()}
	coverage := make([]Coverage, len(job.Outputs))
	for i, out := range job.Outputs {
		if refused {
			coverage[i] = Coverage{Table: out.Table.Name, State: gap.State, Reason: gap.Reason}
			continue
		}
		coverage[i], err = r.covered(job, out, written[i], watched.observed)
		if err != nil {
			return r.place(job.Source, ofPages{err})
		}
		if out.Judge != nil {
			out.Judge(&coverage[i], seen)
		}
	}
	for i := range coverage {
		coverage[i].Optional = job.Optional
	}

	if r.Progress.Ended != nil {
		r.Progress.Ended(job.Source, coverage)
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	r.coverage = append(r.coverage, coverage...)
	if refused {
		return nil
	}
	for i, out := range job.Outputs {
		r.files = append(r.files, written[i]...)
		r.replaces = append(r.replaces, r.replaced(job, out.Table, written[i])...)
	}
	r.notices = append(r.notices, driftNotices(job.Source, seen.Drift)...)
	if !job.Window.IsZero() {
		mark, err := json.Marshal(Watermark{Through: job.Window.To})
		if err != nil {
			return err
		}
		r.note(job.Source, mark)
	}
	if stated, ok := job.Decoder.(Stated); ok {
		r.note(job.Source, stated.State())
	}
	return nil
}

// note puts a source's state into the commit; nil is no state.
func (r *runner) note(source string, state json.RawMessage) {
	if state == nil {
		return
	}
	if r.state == nil {
		r.state = map[string]json.RawMessage{}
	}
	r.state[source] = state
}

// Watermark is the cursor of a source that is read by time: all events before
// Through were asked for.
type Watermark struct {
	Through time.Time `json:"through"`
}

// place names tenant and source of an error that does not yet say where it
// happened.
func (r *runner) place(source string, err error) error {
	var placed *Error
	if errors.As(err, &placed) {
		if placed.Tenant == "" {
			placed.Tenant = r.run.Tenant
		}
		return err
	}
	return &Error{Tenant: r.run.Tenant, Source: source, Err: err}
}

// write stages every output of a job from one pass over the decoded stream.
func (r *runner) write(ctx context.Context, job Job, decoded Stream) ([][]File, error) {
	shared, err := chain(decoded, job.Shared)
	if err != nil {
		return nil, err
	}
	written := make([][]File, len(job.Outputs))
	consumers := make([]func(context.Context, Stream) error, len(job.Outputs))
	for i, out := range job.Outputs {
		consumers[i] = func(ctx context.Context, in Stream) error {
			rows, err := chain(in, out.Through)
			if err != nil {
				return fmt.Errorf("table %s: %w", out.Table.Name, err)
			}
			written[i], err = r.tx.Write(ctx, out.Table, rows)
			return err
		}
	}
	return written, fanOut(ctx, shared, consumers)
}

// chain puts a stream through transforms, in order.
func chain(s Stream, transforms []Transform) (Stream, error) {
	for _, t := range transforms {
		var err error
		if s, err = t(s); err != nil {
			return Stream{}, err
		}
	}
	return s, nil
}

// covered is the coverage of a table that was read to its end.
func (r *runner) covered(job Job, out Output, files []File, observed time.Time) (Coverage, error) {
	c := Coverage{Table: out.Table.Name, State: Complete, Observed: observed}
	for _, f := range files {
		c.Rows += f.Rows
	}
	switch out.Table.Partition {
	case "snapshot_date":
		c.LogicalDate = day(r.run.Started)
		c.ObservedThrough = day(r.run.Started)
	case "report_refresh_date":
		if len(files) == 0 {
			c.State, c.Reason = Missing, "the report has no rows: Graph has no usage data for the period yet; it usually appears within 72 hours"
			return c, nil
		}
		dates := partitions(files)
		if len(dates) > 1 {
			return c, fmt.Errorf("table %s: the report mixes refresh dates (%v), so its rows cannot be one snapshot; run again when Graph has finished refreshing it", out.Table.Name, dates)
		}
		c.LogicalDate, c.ObservedThrough = dates[0], dates[0]
	default:
		c.ObservedThrough = day(observed)
		if !job.Window.IsZero() {
			c.ObservedThrough = day(job.Window.To)
		}
	}
	return c, nil
}

// replaced is what a run's own logical date of a table was.
func (r *runner) replaced(job Job, table *schemas.Table, files []File) []Replacement {
	switch table.Partition {
	case "snapshot_date":
		d := day(r.run.Started)
		return []Replacement{{Table: table.Name, From: d, To: d}}
	case "event_date":
		return []Replacement{{Table: table.Name, From: day(job.Window.From), To: day(job.Window.To)}}
	default:
		var out []Replacement
		for _, d := range partitions(files) {
			out = append(out, Replacement{Table: table.Name, From: d, To: d})
		}
		return out
	}
}

func (r *runner) fixed(ctx context.Context, f Fixed) error {
	files, err := r.tx.Write(ctx, f.Table, f.Stream())
	if err != nil {
		return r.place(f.Table.Name, err)
	}
	r.files = append(r.files, files...)
	if len(f.Days) == 0 {
		r.replaces = append(r.replaces, Replacement{Table: f.Table.Name})
	}
	for _, d := range f.Days {
		r.replaces = append(r.replaces, Replacement{Table: f.Table.Name, From: d, To: d})
	}
	return nil
}

// commit puts together what the run says, in an order that does not depend on
// which job ended first.
func (r *runner) commit() (Commit, error) {
	if !slices.ContainsFunc(r.coverage, func(c Coverage) bool { return !c.Optional && c.State != Denied && c.State != Missing }) {
		var reasons []error
		for _, c := range r.coverage {
			if c.Optional {
				continue
			}
			reasons = append(reasons, fmt.Errorf("%s: %s: %s", c.Table, c.State, c.Reason))
		}
		return Commit{}, fmt.Errorf("tenant %s: %w: %w", r.run.Tenant, ErrNothingRead, errors.Join(reasons...))
	}
	slices.SortFunc(r.files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	slices.SortFunc(r.coverage, func(a, b Coverage) int { return strings.Compare(a.Table, b.Table) })
	slices.SortFunc(r.replaces, func(a, b Replacement) int { return strings.Compare(a.Table+a.From, b.Table+b.From) })
	slices.Sort(r.notices)
	return Commit{
		Run: r.run, Ended: r.Now().UTC(), Add: r.files, Replaces: r.replaces,
		Coverage: r.coverage, Notices: r.notices, State: r.state,
	}, nil
}

// watcher notes what passes on the way from a source to its decoder.
type watcher struct {
	source   string
	progress Progress

	count    int
	request  string
	observed time.Time
	broken   bool // the source itself ended in an error
}

// blame tells an error that the pages give from those of the source, of the
// machine, and of a run that is to end.
func (w *watcher) blame(ctx context.Context, err error) error {
	_, machine := errors.AsType[syscall.Errno](err)
	if w.broken || machine || ctx.Err() != nil {
		return err
	}
	return ofPages{err}
}

func (w *watcher) pages(in Pages) Pages {
	return func(yield func(*Page, error) bool) {
		for page, err := range in {
			if err == nil {
				if w.count++; w.count == 1 {
					w.request, w.observed = page.Request, page.Observed
				}
				if w.progress.Page != nil {
					w.progress.Page(w.source, page)
				}
			}
			w.broken = err != nil
			if !yield(page, err) {
				return
			}
		}
	}
}

func (w *watcher) rows(in Stream) Stream {
	if w.progress.Rows == nil {
		return in
	}
	batches := in.Batches
	in.Batches = func(yield func(arrow.RecordBatch, error) bool) {
		for batch, err := range batches {
			if err == nil {
				w.progress.Rows(w.source, batch.NumRows())
			}
			if !yield(batch, err) {
				return
			}
		}
	}
	return in
}

// driftNotices says in words how pages differed from the schema.
func driftNotices(source string, d Drift) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(d.Unknown)) {
		out = append(out, fmt.Sprintf("%s: unknown property %q in %d rows is not stored", source, name, d.Unknown[name]))
	}
	if d.Rows > 0 && len(d.Missing) > 0 {
		out = append(out, fmt.Sprintf("%s: no row has %s; their columns are null", source, strings.Join(d.Missing, ", ")))
	}
	return out
}

func partitions(files []File) []string {
	var out []string
	for _, f := range files {
		if !slices.Contains(out, f.Partition) {
			out = append(out, f.Partition)
		}
	}
	slices.Sort(out)
	return out
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
