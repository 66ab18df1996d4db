package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"seatlake/extract/decode"
	"seatlake/extract/graph"
	"seatlake/load/lake"
	"seatlake/pipeline"
	"seatlake/schemas"
	"seatlake/sql"
	"seatlake/transform"
)

// journey is the whole way of one collection: from a server over HTTP into Parquet.
type journey struct {
	set    string
	source string
	path   string // the collection's, at the server
	table  *schemas.Table
	root   string // of the server
	dir    string // for what is written
	rules  []transform.Rule
	runs   int
}

func (j *journey) window() pipeline.Window {
	if j.source != pipeline.SignIns {
		return pipeline.Window{}
	}
	return pipeline.Window{From: base.AddDate(0, 0, -30).Truncate(24 * time.Hour), To: base}
}

func (j *journey) client() (*graph.Client, error) {
	return graph.New(graph.Config{
		Tenant: "bench", Graph: j.root, Login: j.root, DirectoryID: tenantID,
		ClientID: clientID, Credential: graph.ClientSecret(secret), Now: now,
	})
}

// now is the clock of all that is measured: data must not depend on the day.
func now() time.Time { return base }

// ours runs the pipeline as `seatlake run` does, without keeping pages: client,
// decoder, transforms, and a lake with its hashes, syncs and commit.
func (j *journey) ours() error {
	client, err := j.client()
	if err != nil {
		return err
	}
	defer client.Close()
	return j.pipeline(client, decode.For(j.table, decode.Options{}))
}

func (j *journey) pipeline(source pipeline.Source, decoder pipeline.Decoder) error {
	j.runs++
	dir := filepath.Join(j.dir, fmt.Sprint("lake", j.runs))
	defer os.RemoveAll(dir)
	lk, err := lake.Create(dir, now)
	if err != nil {
		return err
	}
	id, err := uuidOf(tenantID)
	if err != nil {
		return err
	}
	job := pipeline.Job{
		Source: j.source, Window: j.window(), Decoder: decoder,
		Shared: []pipeline.Transform{transform.Distinct("id", transform.DistinctOptions{})},
	}
	stamp := transform.Stamp(j.table, id, base)
	through := []pipeline.Transform{stamp}
	if j.source == pipeline.SignIns {
		job.Shared = []pipeline.Transform{
			transform.Within("created_date_time", job.Window),
			transform.Distinct("id", transform.DistinctOptions{Scope: "created_date_time"}),
		}
		through = []pipeline.Transform{transform.SignInServices(j.rules), stamp}
	}
	job.Outputs = []pipeline.Output{{Table: j.table, Through: through}}
	p := &pipeline.Pipeline{Source: source, Dataset: lk, Jobs: []pipeline.Job{job}, Now: now}
	published, err := p.Run(context.Background(), pipeline.Run{
		ID: "01JWP8M3Z0000000000000000A", Tenant: "bench", TenantID: tenantID, Started: base,
		Requests: []pipeline.Request{{Source: j.source, Window: job.Window}},
	})
	if err != nil {
		return err
	}
	if len(published.Commit.Add) == 0 {
		return fmt.Errorf("the run of %s wrote nothing", j.set)
	}
	return nil
}

func signInRules() ([]transform.Rule, error) {
	seed, err := sql.SignInRules(nil)
	if err != nil {
		return nil, err
	}
	var rules []transform.Rule
	for _, r := range seed {
		rules = append(rules, transform.Rule{Name: r.Name, Match: r.Match, ID: r.ID, Service: r.Service})
	}
	return rules, nil
}

// theirs is the usual way: net/http with its own gunzip, encoding/json, builders,
// parquet-go.
func (j *journey) theirs() error {
	url := j.root + j.path
	rb := builder(j.table)
	defer rb.Release()
	var batches []arrow.RecordBatch
	defer func() {
		for _, b := range batches {
			b.Release()
		}
	}()
	for url != "" {
		resp, err := http.Get(url)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return err
		}
		if url, err = stdDecode(j.table, text, rb); err != nil {
			return err
		}
		batches = append(batches, rb.NewRecordBatch())
	}
	f, err := os.Create(filepath.Join(j.dir, "theirs.parquet"))
	if err != nil {
		return err
	}
	defer f.Close()
	return writeColumnWriters(f, j.table.Name, textual(j.table.Decoded()), batches)
}

// pages are the journey's pages as the client hands them over.
func (j *journey) pages() ([]*pipeline.Page, error) {
	client, err := j.client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var out []*pipeline.Page
	for page, err := range client.Pages(context.Background(), j.source, j.window()) {
		if err != nil {
			return nil, err
		}
		out = append(out, page)
	}
	return out, nil
}

// fetch is the first stage alone: asking, unpacking, checking.
func (j *journey) fetch() error {
	client, err := j.client()
	if err != nil {
		return err
	}
	defer client.Close()
	for _, err := range client.Pages(context.Background(), j.source, j.window()) {
		if err != nil {
			return err
		}
	}
	return nil
}

// write is all behind the decoder: transforms, Parquet, lake, commit.
func (j *journey) write(batches []arrow.RecordBatch) error {
	return j.pipeline(noPages{}, readyBatches{schema: schemas.ArrowSchema(j.table.Decoded()), batches: batches})
}

type noPages struct{}

func (noPages) Pages(context.Context, string, pipeline.Window) pipeline.Pages {
	return func(yield func(*pipeline.Page, error) bool) { yield(&pipeline.Page{Observed: base}, nil) }
}

type readyBatches struct {
	schema  *arrow.Schema
	batches []arrow.RecordBatch
}

func (d readyBatches) Stream(pages pipeline.Pages) pipeline.Stream {
	return pipeline.Stream{Schema: d.schema, Batches: func(yield func(arrow.RecordBatch, error) bool) {
		for _, err := range pages {
			if err != nil {
				yield(nil, err)
				return
			}
		}
		for _, b := range d.batches {
			if !yield(b, nil) {
				return
			}
		}
	}}
}

func (d readyBatches) Drift() pipeline.Drift { return pipeline.Drift{} }

// decodeAll decodes pages, and keeps the batches if it is told to.
func decodeAll(table *schemas.Table, pages []*pipeline.Page, keep bool) (batches []arrow.RecordBatch, err error) {
	stream := decode.For(table, decode.Options{}).Stream(func(yield func(*pipeline.Page, error) bool) {
		for _, p := range pages {
			if !yield(p, nil) {
				return
			}
		}
	})
	for batch, err := range stream.Batches {
		if err != nil {
			return nil, err
		}
		if keep {
			batch.Retain()
			batches = append(batches, batch)
		}
	}
	return batches, nil
}

// readSet reads the pages of a set, with their text ready, and says how much text
// that is.
func readSet(dir, set string, most int) (pages []*pipeline.Page, files []string, size int64, err error) {
	files, err = filepath.Glob(filepath.Join(dir, set, "*.json"))
	if err != nil {
		return nil, nil, 0, err
	}
	files = files[:min(len(files), most)]
	for i, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, 0, err
		}
		page := &pipeline.Page{Number: i + 1, Body: body}
		if _, err := page.Text(); err != nil {
			return nil, nil, 0, err
		}
		pages = append(pages, page)
		size += int64(len(body))
	}
	return pages, files, size, nil
}

// writeLines writes the rows of pages as one JSON object a line.
func writeLines(file string, pages []*pipeline.Page) error {
	var out bytes.Buffer
	for _, p := range pages {
		var page struct{ Value []json.RawMessage }
		if err := json.Unmarshal(p.Body, &page); err != nil {
			return err
		}
		for _, row := range page.Value {
			out.Write(row)
			out.WriteByte('\n')
		}
	}
	return os.WriteFile(file, out.Bytes(), 0o644)
}
