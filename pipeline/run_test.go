package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"seatlake/schemas"
)

// memoryDataset is a dataset that holds what was committed.
type memoryDataset struct {
	dates     map[string][]string // table -> partitions it writes; default is one, the run's day
	broken    error               // of every Write
	committed *Commit
	aborted   bool
}

func (d *memoryDataset) Begin(context.Context, Run) (Transaction, error) { return d, nil }

func (d *memoryDataset) Write(_ context.Context, table *schemas.Table, in Stream) ([]File, error) {
	values, err := collect(in)
	if err != nil {
		return nil, err
	}
	if d.broken != nil {
		return nil, d.broken
	}
	dates, ok := d.dates[table.Name]
	if !ok {
		dates = []string{"2026-10-08"}
	}
	var files []File
	for _, date := range dates {
		files = append(files, File{Table: table.Name, Path: table.Name + "/" + date, Rows: int64(len(values)), Partition: date})
	}
	return files, nil
}

func (d *memoryDataset) Commit(_ context.Context, c Commit) (Version, error) {
	d.committed = &c
	return 1, nil
}

func (d *memoryDataset) Abort() error {
	d.aborted = true
	return nil
}

// scriptedSource answers each source with one page, or with an error.
type scriptedSource map[string]error

func (s scriptedSource) Pages(_ context.Context, source string, _ Window) Pages {
	return func(yield func(*Page, error) bool) {
		if err := s[source]; err != nil {
			yield(nil, err)
			return
		}
		yield(&Page{Source: source, Number: 1, Request: "/beta/" + source, Observed: started}, nil)
	}
}

// lengthDecoder makes one row of each page.
type lengthDecoder struct{}

func (lengthDecoder) Stream(pages Pages) Stream {
	return Stream{Schema: numbers, Batches: func(yield func(arrow.RecordBatch, error) bool) {
		for page, err := range pages {
			if err != nil {
				yield(nil, err)
				return
			}
			for batch := range stream(memory.DefaultAllocator, nil, []int64{int64(page.Number)}).Batches {
				if !yield(batch, nil) {
					return
				}
			}
		}
	}}
}

func (lengthDecoder) Drift() Drift { return Drift{Rows: 1, Unknown: map[string]int64{"novel": 1}} }

var started = time.Date(2026, 10, 8, 6, 0, 0, 0, time.UTC)

func testPipeline(source scriptedSource, d *memoryDataset) *Pipeline {
	job := func(name string, t *schemas.Table) Job {
		return Job{Source: name, Decoder: lengthDecoder{}, Outputs: []Output{{Table: t}}}
	}
	signIns := job(SignIns, schemas.GraphSignIns)
	signIns.Window = Window{From: started.Add(-24 * time.Hour).Truncate(24 * time.Hour), To: started}
	return &Pipeline{
		Source: source, Dataset: d, Now: func() time.Time { return started },
		Jobs: []Job{
			job(Users, schemas.GraphUsers),
			job(ReportEmail, schemas.ReportEmailActivityUserDetail),
			signIns,
		},
	}
}

func TestRun(t *testing.T) {
	run := Run{ID: "01", Tenant: "contoso", Started: started}

	t.Run("a whole run says what it read, replaces and where it stopped", func(t *testing.T) {
		d := &memoryDataset{dates: map[string][]string{"report_email_activity_user_detail": {"2026-10-06"}}}
		published, err := testPipeline(scriptedSource{}, d).Run(t.Context(), run)
		if err != nil {
			t.Fatal(err)
		}
		want := []Coverage{
			{Table: "graph_sign_ins", State: Complete, Observed: started, ObservedThrough: "2026-10-08", Rows: 1},
			{Table: "graph_users", State: Complete, Observed: started, ObservedThrough: "2026-10-08", LogicalDate: "2026-10-08", Rows: 1},
			{Table: "report_email_activity_user_detail", State: Complete, Observed: started, ObservedThrough: "2026-10-06", LogicalDate: "2026-10-06", Rows: 1},
		}
		if diff := cmp.Diff(want, published.Commit.Coverage); diff != "" {
			t.Error(diff)
		}
		replaces := []Replacement{
			{Table: "graph_sign_ins", From: "2026-10-07", To: "2026-10-08"},
			{Table: "graph_users", From: "2026-10-08", To: "2026-10-08"},
			{Table: "report_email_activity_user_detail", From: "2026-10-06", To: "2026-10-06"},
		}
		if diff := cmp.Diff(replaces, published.Commit.Replaces); diff != "" {
			t.Error(diff)
		}
		if got := string(published.Commit.State[SignIns]); got != `{"through":"2026-10-08T06:00:00Z"}` {
			t.Errorf("watermark is %s", got)
		}
		if got := strings.Join(published.Commit.Notices, "\n"); !strings.Contains(got, `unknown property "novel"`) {
			t.Errorf("notices do not name the unknown property: %s", got)
		}
	})

	t.Run("a refused source becomes coverage and the rest is published", func(t *testing.T) {
		d := &memoryDataset{}
		source := scriptedSource{ReportEmail: &Gap{State: Denied, Reason: "grant Reports.Read.All"}}
		published, err := testPipeline(source, d).Run(t.Context(), run)
		if err != nil {
			t.Fatal(err)
		}
		got := published.Commit.Coverage[2]
		if diff := cmp.Diff(Coverage{Table: "report_email_activity_user_detail", State: Denied, Reason: "grant Reports.Read.All"}, got); diff != "" {
			t.Error(diff)
		}
		for _, r := range published.Commit.Replaces {
			if r.Table == got.Table {
				t.Error("a refused source replaced what an earlier run wrote")
			}
		}
	})

	t.Run("a report without rows is missing, not empty", func(t *testing.T) {
		d := &memoryDataset{dates: map[string][]string{"report_email_activity_user_detail": {}}}
		published, err := testPipeline(scriptedSource{}, d).Run(t.Context(), run)
		if err != nil {
			t.Fatal(err)
		}
		if got := published.Commit.Coverage[2]; got.State != Missing || got.Reason == "" || got.LogicalDate != "" {
			t.Errorf("coverage is %+v", got)
		}
	})

	t.Run("a report of two days is refused", func(t *testing.T) {
		d := &memoryDataset{dates: map[string][]string{"report_email_activity_user_detail": {"2026-10-05", "2026-10-06"}}}
		if _, err := testPipeline(scriptedSource{}, d).Run(t.Context(), run); err == nil || !strings.Contains(err.Error(), "mixes refresh dates") {
			t.Errorf("got error %v", err)
		}
	})

	t.Run("any other error publishes nothing and says where", func(t *testing.T) {
		d := &memoryDataset{}
		_, err := testPipeline(scriptedSource{Users: errBroken}, d).Run(t.Context(), run)
		if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "tenant contoso: users") {
			t.Errorf("got error %v", err)
		}
		if d.committed != nil || !d.aborted {
			t.Error("the run was committed, or not aborted")
		}
	})

	t.Run("an error says whether the same pages would give it again", func(t *testing.T) {
		ended, end := context.WithCancel(t.Context())
		end()
		full := fmt.Errorf("write: %w", syscall.ENOSPC)
		for name, test := range map[string]struct {
			ctx    context.Context
			source error
			write  error
			dates  []string
			want   bool
		}{
			"rows that cannot be written": {t.Context(), nil, errBroken, nil, true},
			"a report of two days":        {t.Context(), nil, nil, []string{"2026-10-05", "2026-10-06"}, true},
			"a full disk":                 {t.Context(), nil, full, nil, false},
			"a source that breaks":        {t.Context(), errBroken, nil, nil, false},
			"a run that is to end":        {ended, nil, errBroken, nil, false},
		} {
			d := &memoryDataset{broken: test.write}
			if test.dates != nil {
				d.dates = map[string][]string{"report_email_activity_user_detail": test.dates}
			}
			source := scriptedSource{}
			if test.source != nil {
				source[Users] = test.source
			}
			_, err := testPipeline(source, d).Run(test.ctx, run)
			if err == nil || errors.Is(err, ErrOfPages) != test.want {
				t.Errorf("%s: %v is of pages: %v, want %v", name, err, !test.want, test.want)
			}
		}
	})

	t.Run("a run that is refused everything publishes nothing", func(t *testing.T) {
		d := &memoryDataset{}
		gap := &Gap{State: Denied, Reason: "grant something"}
		_, err := testPipeline(scriptedSource{Users: gap, ReportEmail: gap, SignIns: gap}, d).Run(t.Context(), run)
		if !errors.Is(err, ErrNothingRead) || d.committed != nil {
			t.Errorf("got error %v, committed %v", err, d.committed)
		}
	})
}
