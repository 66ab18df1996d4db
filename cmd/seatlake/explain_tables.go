package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/uuid"

	"seatlake/load/lake"
	"seatlake/pipeline"
	"seatlake/schemas"
	"seatlake/transform/seal"
)

// explainedTable is a stored table behind a figure.
type explainedTable struct {
	Table  string          `json:"table"`
	Day    string          `json:"day,omitempty"` // partition that the figure is of; empty when it is of several
	Run    string          `json:"run_id,omitempty"`
	Source string          `json:"source,omitempty"`
	Rows   int64           `json:"rows"` // that are about the figure's users or SKUs
	Files  []pipeline.File `json:"files"`
	Pages  []explainedPage `json:"pages"`
	Note   string          `json:"note,omitempty"` // why pages are not named

	subjects map[string]map[string]bool // values of the rows by the column that identifies them
}

// explainedPage is a kept page that holds rows of a table.
type explainedPage struct {
	Path      string    `json:"path"`
	SHA256    string    `json:"sha256"`
	Request   string    `json:"request"`
	RequestID string    `json:"request_id"`
	Observed  time.Time `json:"observed_at"`
	Rows      int64     `json:"rows"`
}

// tables finds rows, files and pages of every stored table behind the figure.
func (x *explainer) tables(ctx context.Context) error {
	if x.row["tenant_id"] == nil {
		return nil // a figure of no tenant is of no page
	}
	tenant := *x.row["tenant_id"]
	users, skus := x.subjects()
	for _, name := range x.figure.StoredFrom {
		table, ok := schemas.ByName(name)
		if !ok || table.Partition == "" {
			continue // coverage and the catalogue are of no page of the tenant's
		}
		i := slices.IndexFunc(x.snapshot.Coverage, func(c lake.TenantCoverage) bool { return c.TenantID == tenant && c.Table == name })
		if i < 0 {
			continue // no run asked for it
		}
		found, err := x.table(ctx, table, x.snapshot.Coverage[i], users, skus)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if found != nil {
			x.found.Tables = append(x.found.Tables, found)
		}
	}
	return nil
}

// subjects are queries that give the users and the SKUs that the figure is about; empty
// when it is not about any in particular.
func (x *explainer) subjects() (users, skus string) {
	for _, p := range x.found.Parts {
		if slices.Contains(p.Columns, "user_id") {
			users = "select cast(user_id as varchar) from (" + p.query + ")"
		}
		if slices.Contains(p.Columns, "sku_id") {
			skus = "select cast(sku_id as varchar) from (" + p.query + ")"
		}
	}
	if id := x.row["user_id"]; id != nil {
		users = "select " + sqlText(*id)
	}
	if id := x.row["sku_id"]; id != nil {
		skus = "select " + sqlText(*id)
	}
	return users, skus
}

// identity is the columns of a table that say of which user and SKU a row is.
func identity(t *schemas.Table) (user, name, sku string) {
	for i := range t.Fields {
		switch f := &t.Fields[i]; {
		case f.Whose != schemas.Subject:
		case f.Personal == schemas.ObjectID && f.Kind == schemas.UUID && user == "":
			user = f.Name
		case f.Personal == schemas.SignInName && f.Kind == schemas.String && name == "":
			name = f.Name
		case f.Name == "sku_id" && f.Kind == schemas.UUID:
			sku = f.Name
		}
	}
	return user, name, sku
}

// table finds the rows of one table, nil when none is about the figure.
func (x *explainer) table(ctx context.Context, t *schemas.Table, c lake.TenantCoverage, users, skus string) (*explainedTable, error) {
	found := &explainedTable{Table: t.Name, Day: c.LogicalDate, Run: c.RunID, Pages: []explainedPage{}, subjects: map[string]map[string]bool{}}
	for _, f := range x.snapshot.Files[t.Name] {
		if f.Tenant == c.TenantID && (c.LogicalDate == "" || f.Partition == c.LogicalDate) {
			found.Files = append(found.Files, f)
		}
	}
	if len(found.Files) == 0 {
		return nil, nil
	}
	conditions := []string{"cast(tenant_id as varchar) = " + sqlText(c.TenantID)}
	if c.LogicalDate != "" {
		conditions = append(conditions, "cast("+t.Partition+" as varchar) = "+sqlText(c.LogicalDate))
	}
	user, name, sku := identity(t)
	var keys []string
	if users != "" && user != "" {
		conditions, keys = append(conditions, `cast("`+user+`" as varchar) in (`+users+`)`), append(keys, user)
	} else if users != "" && name != "" {
		conditions = append(conditions, `lower("`+name+`") in (select lower(user_principal_name) from graph_users where cast(tenant_id as varchar) = `+
			sqlText(c.TenantID)+` and cast(id as varchar) in (`+users+`))`)
		keys = append(keys, name)
	}
	if skus != "" && sku != "" {
		conditions, keys = append(conditions, `cast("`+sku+`" as varchar) in (`+skus+`)`), append(keys, sku)
	}
	from := " from " + t.Name + " where " + strings.Join(conditions, " and ")
	asked := "select count(*)"
	for _, key := range keys {
		asked += `, list(distinct lower(cast("` + key + `" as varchar)))`
	}
	counts, err := x.opened.values(ctx, asked+from)
	if err != nil {
		return nil, err
	}
	if found.Rows, _ = whole(counts[0][0]); found.Rows == 0 {
		return nil, nil
	}
	for i, key := range keys {
		found.subjects[key] = map[string]bool{}
		values, _ := counts[0][i+1].([]any) // rows there are, so that there is a list
		for _, v := range values {
			found.subjects[key][cell(v)] = true
		}
	}
	return found, x.pages(ctx, t, found)
}

// pages decodes the kept pages of the table's source again, and names those that hold
// its rows.
func (x *explainer) pages(ctx context.Context, t *schemas.Table, found *explainedTable) error {
	runs, err := x.lake.RawRuns()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(runs, func(r lake.RawRun) bool { return r.ID == found.Run })
	if i < 0 {
		found.Note = "the pages of run " + found.Run + " are not kept: raw.retain says for how long they are"
		return nil
	}
	run := runs[i].Run
	parts, err := newParts(x.cfg.Catalog)
	if err != nil {
		return err
	}
	job, err := jobOf(parts, run, t)
	if err != nil || job == nil {
		return err
	}
	found.Source = job.Source
	kept, err := x.lake.KeptPages(run, job.Source)
	if err != nil {
		return err
	}
	if len(kept) == 0 {
		found.Note = "the pages of run " + run.ID + " are not kept: raw.retain says for how long they are"
		return nil
	}
	pages := x.lake.Raw(run)
	key, err := x.keptKey()
	if err != nil {
		found.Note = "the pages are sealed, and the key is not there; all pages of the source are named"
		for _, p := range kept {
			found.Pages = append(found.Pages, explainedPage{Path: p.Path, SHA256: p.SHA256, Request: p.Request, RequestID: p.RequestID, Observed: p.Observed})
		}
		return nil
	}
	if key != nil {
		pages = key.Kept(pages)
	}
	for page, err := range pages.Pages(ctx, job.Source, job.Window) {
		if _, gap := pipeline.AsGap(err); gap {
			break
		}
		if err != nil {
			return err
		}
		job, err := jobOf(parts, run, t) // a decoder is of one run
		if err != nil {
			return err
		}
		p := kept[page.Number-1]
		rows, err := x.held(job, page, found, key)
		if err != nil {
			return fmt.Errorf("%s: %w", p.Path, err)
		}
		if rows > 0 {
			found.Pages = append(found.Pages, explainedPage{Path: p.Path, SHA256: p.SHA256, Request: p.Request, RequestID: p.RequestID, Observed: p.Observed, Rows: rows})
		}
	}
	return nil
}

// keptKey is the key of the pages; nil when they are clear.
func (x *explainer) keptKey() (*seal.Key, error) {
	if x.lake.SealedBy() == "" {
		return nil, nil
	}
	return x.cfg.sealing(x.lake)
}

// jobOf is the job of a run that writes a table; nil when none does.
func jobOf(p *parts, run pipeline.Run, t *schemas.Table) (*pipeline.Job, error) {
	jobs, err := p.jobs(run)
	if err != nil {
		return nil, err
	}
	for _, j := range jobs {
		for _, out := range j.Outputs {
			if out.Table.Name == t.Name {
				return &j, nil
			}
		}
	}
	return nil, nil
}

// held counts the records of a page that the table's rows came from. A record is the
// source's: of a user who holds three licences there is one.
func (x *explainer) held(job *pipeline.Job, page *pipeline.Page, found *explainedTable, key *seal.Key) (n int64, err error) {
	one := func(yield func(*pipeline.Page, error) bool) { yield(page, nil) }
	for batch, err := range job.Decoder.Stream(one).Batches {
		if err != nil {
			return 0, err
		}
		columns := subjectsIn(batch, found)
		for row := range int(batch.NumRows()) {
			all := true
			for column, of := range columns {
				all = all && of[subject(batch.Column(column), row, key)]
			}
			if all {
				n++
			}
		}
	}
	return n, nil
}

// subjectsIn is the columns of decoded records that identify the table's rows. Records
// of users have no SKU of their own: their licences are within.
func subjectsIn(batch arrow.RecordBatch, found *explainedTable) map[int]map[string]bool {
	columns := map[int]map[string]bool{}
	for name, of := range found.subjects {
		at := batch.Schema().FieldIndices(name)
		if len(at) == 0 && name == "user_id" {
			at = batch.Schema().FieldIndices("id")
		}
		if len(at) == 1 {
			columns[at[0]] = of
		}
	}
	return columns
}

// subject is a value by which rows are told apart, as a query gives it in lower case.
func subject(column arrow.Array, row int, key *seal.Key) string {
	if column.IsNull(row) {
		return ""
	}
	switch c := column.(type) {
	case *array.FixedSizeBinary:
		id, err := uuid.FromBytes(c.Value(row))
		if err != nil {
			return ""
		}
		return id.String()
	case *array.Dictionary:
		return subject(c.Dictionary(), c.GetValueIndex(row), key)
	case *array.String:
		if key != nil {
			return key.Seal(schemas.SignInName, c.Value(row))
		}
		return strings.ToLower(c.Value(row))
	}
	return ""
}

// output is where an explanation goes.
type output struct{ io.Writer }

// write opens the output that the flags name.
func (r *reading) write(a *app, fill func(*output) error) (err error) {
	if r.output == "" {
		return fill(&output{a.out})
	}
	f, err := os.OpenFile(r.output, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return fill(&output{f})
}

// text prints an explanation for people.
func (x *explainer) text(w *output) error {
	f := &x.found
	value := "unknown: a source was not read, see `seatlake show coverage`"
	if f.Value != nil {
		value = *f.Value
	}
	fmt.Fprintf(w, "%s is %s\n\n", f.Figure, value)
	fmt.Fprintf(w, "  %s\n", strings.ReplaceAll(f.Definition, "\n", "\n  "))
	for _, k := range sortedKeysOf(f.Row) {
		fmt.Fprintf(w, "  %s: %s\n", k, cell(f.Row[k]))
	}
	fmt.Fprintf(w, "  lake version: %d, newest run %s\n", f.Version, f.RunID)
	for _, p := range f.Parts {
		fmt.Fprintf(w, "\n%d rows of %s, of each %s, together %s\n  where %s\n\n", p.Count, p.From, p.Counts, p.Sum, p.Where)
		if err := x.table10(w, p); err != nil {
			return err
		}
		if rest := p.Count - int64(len(p.Shown)); rest > 0 {
			fmt.Fprintf(w, "and %d more; --rows prints all, --limit more\n", rest)
		}
	}
	switch {
	case f.Adds != nil && *f.Adds:
		fmt.Fprintf(w, "\nThe rows add up to %s, which is the figure.\n", *f.Sum)
	case f.Adds != nil:
		fmt.Fprintf(w, "\nTHE ROWS ADD UP TO %s, WHICH IS NOT THE FIGURE.\n", *f.Sum)
	case f.Erased > 0 && f.Sum != nil:
		fmt.Fprintf(w, "\nThe rows add up to %s. The figure counts people who were erased since (%d rows of the marts), until they are built again.\n", *f.Sum, f.Erased)
	case len(f.Parts) == 0:
		fmt.Fprintf(w, "\nThe figure is not declared as a sum of rows; these are the stored rows about its users and SKUs.\n")
	}
	for _, t := range f.Tables {
		fmt.Fprintf(w, "\n%s: %d rows", t.Table, t.Rows)
		if t.Day != "" {
			fmt.Fprintf(w, " of %s", t.Day)
		}
		fmt.Fprintf(w, ", run %s\n", t.Run)
		for _, file := range t.Files {
			fmt.Fprintf(w, "  file %s  %d rows  sha256 %s\n", file.Path, file.Rows, file.SHA256)
		}
		for _, p := range t.Pages {
			id := p.RequestID
			if id == "" {
				id = "none"
			}
			request, _, _ := strings.Cut(p.Request, "?") // JSON has it whole
			fmt.Fprintf(w, "  page %s  %d records of %s  fetched %s  request-id %s  sha256 %s\n", p.Path, p.Rows, request, p.Observed.UTC().Format(time.RFC3339), id, p.SHA256)
		}
		if t.Note != "" {
			fmt.Fprintf(w, "  %s\n", t.Note)
		}
	}
	return nil
}

// table10 prints the rows of a part that are shown.
func (x *explainer) table10(w *output, p explainedPart) error {
	printer, err := NewPrinter(Table, w, false, 0)
	if err != nil {
		return err
	}
	columns := make([]Column, len(p.Columns))
	for i, c := range p.Columns {
		columns[i] = Column{Name: c}
	}
	if err := printer.Columns(columns); err != nil {
		return err
	}
	for _, row := range p.Shown {
		if err := printer.Row(row); err != nil {
			return err
		}
	}
	return printer.Close()
}

func sortedKeysOf(m map[string]any) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
