package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"seatlake/extract/decode"
	"seatlake/load/parquet"
	"seatlake/pipeline"
	"seatlake/schemas"
)

// sets are the sets of pages and the tables they feed.
var sets = []struct {
	name   string
	table  *schemas.Table
	allocs float64 // a row may cost at most
}{
	{usersFull, schemas.GraphUsers, 1.5},
	{usersSelected, schemas.GraphUsers, 1},
	{signIns, schemas.GraphSignIns, 1},
}

// bare is the table without its computed columns.
func bare(table *schemas.Table) *schemas.Table {
	t := *table
	t.Fields = table.Decoded()
	return &t
}

// textual are columns with text where they had GUIDs, as the usual ways store them.
func textual(fields []schemas.Field) []schemas.Field {
	var out []schemas.Field
	for _, f := range fields {
		if f.Kind == schemas.UUID {
			f.Kind = schemas.String
		}
		if f.Elem != nil {
			e := textual([]schemas.Field{*f.Elem})[0]
			f.Elem = &e
		}
		f.Fields = textual(f.Fields)
		out = append(out, f)
	}
	return out
}

// decode is page bytes to Arrow.
func (b *bench) decode() error {
	for _, set := range sets {
		pages, _, size, err := readSet(b.dir, set.name, 1000)
		if err != nil {
			return err
		}
		if err := agree(set.table, pages[0]); err != nil {
			return fmt.Errorf("%s: %w", set.name, err)
		}
		each := func(decode func(text []byte) error) func() error {
			return func() error {
				for _, p := range pages {
					if err := decode(p.Body); err != nil {
						return err
					}
				}
				return nil
			}
		}
		std := builder(set.table)
		ofVisitor, ofTokens := builder(set.table), builder(set.table)
		v := &visitor{root: plan(set.table.Decoded(), ofVisitor)}
		t := newTokens(plan(set.table.Decoded(), ofTokens))
		times, err := contest(b.clock, b.rounds,
			contender{"ours", func() error { _, err := decodeAll(set.table, pages, false); return err }},
			contender{"encoding/json structs + builders", each(func(text []byte) error {
				_, err := stdDecode(set.table, text, std)
				std.NewRecordBatch().Release()
				return err
			})},
			contender{"sonic visitor + builders", each(func(text []byte) error {
				err := v.decode(text)
				ofVisitor.NewRecordBatch().Release()
				v.rows = 0
				return err
			})},
			contender{"jsontext + builders", each(func(text []byte) error {
				err := t.decode(text)
				ofTokens.NewRecordBatch().Release()
				t.rows = 0
				return err
			})})
		if err != nil {
			return err
		}
		work := "page bytes to Arrow, " + set.name
		b.table.ratio(work, size, times, "ours", "encoding/json structs + builders", 12)
		b.table.ratio(work, size, times, "ours", "sonic visitor + builders", 2.2)
		b.table.ratio(work, size, times, "ours", "jsontext + builders", 2.2)
		perRow, err := allocations(set.table, pages)
		if err != nil {
			return err
		}
		b.table.add(line{work: "allocations of decoding, " + set.name, value: perRow, unit: "per row", goal: set.allocs, most: true})
	}
	return nil
}

// agree fails when a decoder reads something else from a page than encoding/json.
func agree(table *schemas.Table, page *pipeline.Page) error {
	rb := builder(table)
	defer rb.Release()
	if _, err := stdDecode(table, page.Body, rb); err != nil {
		return err
	}
	std := []arrow.RecordBatch{rb.NewRecordBatch()}
	ours, err := decodeAll(table, []*pipeline.Page{page}, true)
	if err != nil {
		return err
	}
	v := &visitor{root: plan(table.Decoded(), rb)}
	if err := v.decode(page.Body); err != nil {
		return err
	}
	sonic := []arrow.RecordBatch{rb.NewRecordBatch()}
	t := newTokens(plan(table.Decoded(), rb))
	if err := t.decode(page.Body); err != nil {
		return err
	}
	tokens := []arrow.RecordBatch{rb.NewRecordBatch()}
	for name, got := range map[string][]arrow.RecordBatch{"seatlake": ours, "sonic's visitor": sonic, "jsontext": tokens} {
		if d := differ(std, got); d != "" {
			return fmt.Errorf("encoding/json and %s differ: %s", name, d)
		}
	}
	return nil
}

// allocations are how many a row costs once the decoder has seen all pages twice.
func allocations(table *schemas.Table, pages []*pipeline.Page) (float64, error) {
	const warm, counted = 2, 4
	var before, after runtime.MemStats
	rows := int64(0)
	d := decode.For(table, decode.Options{})
	stream := d.Stream(func(yield func(*pipeline.Page, error) bool) {
		for pass := range warm + counted {
			if pass == warm {
				runtime.ReadMemStats(&before)
				rows = 0
			}
			for _, p := range pages {
				if !yield(p, nil) {
					return
				}
			}
		}
		runtime.ReadMemStats(&after)
	})
	for batch, err := range stream.Batches {
		if err != nil {
			return 0, err
		}
		rows += batch.NumRows()
	}
	return float64(after.Mallocs-before.Mallocs) / float64(rows), nil
}

// reports is CSV to Parquet.
func (b *bench) reports() error {
	d, err := openDuck(1)
	if err != nil {
		return err
	}
	for _, name := range []string{"getOffice365ActiveUserDetail", "getM365AppUserDetail"} {
		table := bare(reports[name])
		file := filepath.Join(b.dir, name+".csv")
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		page := &pipeline.Page{Number: 1, Body: text}
		if _, err := page.Text(); err != nil {
			return err
		}
		rb := builder(table)
		if err := stdReport(text, rb); err != nil {
			return err
		}
		std := rb.NewRecordBatch()
		batches, err := decodeAll(table, []*pipeline.Page{page}, true)
		if err != nil {
			return err
		}
		if d := differ([]arrow.RecordBatch{std}, batches); d != "" {
			return fmt.Errorf("%s: encoding/csv and seatlake differ: %s", name, d)
		}
		std.Release()
		out := filepath.Join(b.dir, "out.parquet")
		ours := filepath.Join(b.dir, name+".parquet")
		times, err := contest(b.clock, b.rounds,
			contender{"ours", func() error {
				return toFile(ours, func(w io.Writer) error {
					pw, err := parquet.NewWriter(w, table, parquet.Options{})
					if err != nil {
						return err
					}
					for batch, err := range decode.For(table, decode.Options{}).Stream(one(page)).Batches {
						if err != nil {
							return err
						}
						if err := pw.Write(batch); err != nil {
							return err
						}
					}
					return pw.Close()
				})
			}},
			contender{"DuckDB read_csv, COPY, 1 thread", func() error { return d.copyTo(readReport(table, file), out) }},
			contender{"encoding/csv + builders + parquet-go", func() error {
				return toFile(out, func(w io.Writer) error {
					if err := stdReport(text, rb); err != nil {
						return err
					}
					batch := rb.NewRecordBatch()
					defer batch.Release()
					return writeColumnWriters(w, table.Name, textual(table.Fields), []arrow.RecordBatch{batch})
				})
			}})
		if err != nil {
			return err
		}
		work := "CSV to Parquet, " + name
		b.table.ratio(work, int64(len(text)), times, "ours", "DuckDB read_csv, COPY, 1 thread", 2)
		b.table.ratio(work, int64(len(text)), times, "ours", "encoding/csv + builders + parquet-go", 3)
		if err := b.size(d, name, []string{ours}); err != nil {
			return err
		}
	}
	return nil
}

// one is a source of one page.
func one(page *pipeline.Page) pipeline.Pages {
	return func(yield func(*pipeline.Page, error) bool) { yield(page, nil) }
}

func toFile(name string, fill func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(fill(f), f.Close())
}

// size compares files with what DuckDB makes of the same rows.
func (b *bench) size(d *duck, what string, files []string) error {
	ours, theirs, rows, err := b.sizeOf(d, files)
	if err != nil {
		return err
	}
	b.table.add(line{
		work: "file size, " + what, ours: fmt.Sprintf("%.1f B/row", float64(ours)/float64(rows)),
		peer:  fmt.Sprintf("DuckDB zstd, %.1f B/row", float64(theirs)/float64(rows)),
		value: float64(ours) / float64(theirs), unit: "x", goal: 1.05, most: true,
	})
	return nil
}

func (b *bench) sizeOf(d *duck, files []string) (ours, theirs, rows int64, err error) {
	out := filepath.Join(b.dir, "size.parquet")
	for _, file := range files {
		if err := d.copyTo(fmt.Sprintf("SELECT * FROM read_parquet('%s', hive_partitioning=false)", file), out); err != nil {
			return 0, 0, 0, err
		}
		for name, to := range map[string]*int64{file: &ours, out: &theirs} {
			info, err := os.Stat(name)
			if err != nil {
				return 0, 0, 0, err
			}
			*to += info.Size()
		}
		var n int64
		if err := d.db.QueryRow(fmt.Sprintf("SELECT count(*) FROM read_parquet('%s')", file)).Scan(&n); err != nil {
			return 0, 0, 0, err
		}
		rows += n
	}
	return ours, theirs, rows, nil
}

// parquet is Arrow batches to Parquet with zstd.
func (b *bench) parquet() error {
	d, err := openDuck(1)
	if err != nil {
		return err
	}
	for _, set := range sets {
		table := bare(set.table)
		pages, _, size, err := readSet(b.dir, set.name, 1000)
		if err != nil {
			return err
		}
		batches, err := decodeAll(set.table, pages, true)
		if err != nil {
			return err
		}
		write := func(w io.Writer) error {
			pw, err := parquet.NewWriter(w, table, parquet.Options{})
			if err != nil {
				return err
			}
			for _, batch := range batches {
				if err := pw.Write(batch); err != nil {
					return err
				}
			}
			return pw.Close()
		}
		file, out := filepath.Join(b.dir, set.name+".parquet"), filepath.Join(b.dir, "out.parquet")
		if err := toFile(file, write); err != nil {
			return err
		}
		if err := d.exec("CREATE OR REPLACE TABLE t AS SELECT * FROM read_parquet('%s')", file); err != nil {
			return err
		}
		times, err := contest(b.clock, b.rounds,
			contender{"ours", func() error { return toFile(out, write) }},
			contender{"parquet-go ColumnWriters", func() error {
				return toFile(out, func(w io.Writer) error { return writeColumnWriters(w, table.Name, table.Fields, batches) })
			}},
			contender{"pqarrow v18", func() error {
				return toFile(out, func(w io.Writer) error { return writePqarrow(w, batches) })
			}},
			contender{"DuckDB COPY of a table, 1 thread", func() error { return d.copyTo("FROM t", out) }})
		if err != nil {
			return err
		}
		work := "Arrow to zstd Parquet, " + set.name
		b.table.ratio(work, size, times, "ours", "parquet-go ColumnWriters", 3)
		b.table.ratio(work, size, times, "ours", "pqarrow v18", 2)
		b.table.ratio(work, size, times, "ours", "DuckDB COPY of a table, 1 thread", 2.5)
		if err := b.size(d, set.name, []string{file}); err != nil {
			return err
		}
		for _, batch := range batches {
			batch.Release()
		}
	}
	return nil
}

// journeys are the whole ways from a server to Parquet.
func (b *bench) journeys() error {
	server, err := startServer(b.dir)
	if err != nil {
		return err
	}
	defer server.Close()
	d, err := openDuck(1)
	if err != nil {
		return err
	}
	rules, err := signInRules()
	if err != nil {
		return err
	}
	for _, set := range sets {
		j := &journey{rules: rules, set: set.name, source: pipeline.Users, path: "/beta/users", table: set.table, root: server.full, dir: b.dir}
		switch set.name {
		case usersSelected:
			j.root = server.sel
		case signIns:
			j.source, j.path = pipeline.SignIns, "/v1.0/auditLogs/signIns"
		}
		pages, files, size, err := readSet(b.dir, set.name, 1000)
		if err != nil {
			return err
		}
		lines, out := filepath.Join(b.dir, "rows.ndjson"), filepath.Join(b.dir, "out.parquet")
		if err := writeLines(lines, pages); err != nil {
			return err
		}
		fetched, err := j.pages()
		if err != nil {
			return err
		}
		batches, err := decodeAll(set.table, pages, true)
		if err != nil {
			return err
		}
		times, err := contest(b.clock, b.rounds,
			contender{"ours", j.ours},
			contender{"client alone", j.fetch},
			contender{"decoder alone", func() error { _, err := decodeAll(set.table, fetched, false); return err }},
			contender{"transforms, Parquet and lake alone", func() error { return j.write(batches) }},
			contender{"net/http, encoding/json, builders, parquet-go", j.theirs},
			contender{"DuckDB read_json of pages, no HTTP, no gunzip", func() error { return d.copyTo(readPages(set.table, files), out) }},
			contender{"DuckDB read_json of NDJSON, no HTTP, no gunzip", func() error { return d.copyTo(readLines(set.table, lines), out) }})
		if err != nil {
			return err
		}
		work := "gzip over HTTP to a committed lake, " + set.name
		b.table.ratio(work, size, times, "ours", "net/http, encoding/json, builders, parquet-go", 6)
		b.table.ratio(work, size, times, "ours", "DuckDB read_json of pages, no HTTP, no gunzip", 8)
		b.table.ratio(work, size, times, "ours", "DuckDB read_json of NDJSON, no HTTP, no gunzip", 1.3)
		fetch, read, write := times["client alone"], times["decoder alone"], times["transforms, Parquet and lake alone"]
		b.table.add(line{
			work: work, ours: rate(size, times["ours"]),
			peer:  fmt.Sprintf("the sum of its stages: client %s, decoder %s, transforms to commit %s", rate(size, fetch), rate(size, read), rate(size, write)),
			value: (fetch + read + write).Seconds() / times["ours"].Seconds(), unit: "x", goal: .85,
		})
		for _, batch := range batches {
			batch.Release()
		}
	}
	return nil
}

// runs are whole invocations of the program: run and replay with raw pages kept, no
// models.
func (b *bench) runs() error {
	server, err := startServer(b.dir)
	if err != nil {
		return err
	}
	defer server.Close()
	c, err := buildCommand(b.dir, b.module)
	if err != nil {
		return err
	}
	kept, err := newWorkplace(filepath.Join(b.dir, "kept"), server.full)
	if err != nil {
		return err
	}
	if _, err := c.run(kept, 2, "run", "--no-build"); err != nil {
		return err
	}
	fresh, err := newWorkplace(filepath.Join(b.dir, "fresh"), server.full)
	if err != nil {
		return err
	}
	var spent time.Duration // by the processes measured so far
	count := func(m measured, err error) error {
		spent += m.processor
		return err
	}
	run := func(cores int) func() error {
		return func() error {
			if err := fresh.empty(); err != nil {
				return err
			}
			return count(c.run(fresh, cores, "run", "--no-build"))
		}
	}
	replay := func(cores int) func() error {
		return func() error { return count(c.run(kept, cores, "replay", "--no-build")) }
	}
	compare := func(work string, times map[string]time.Duration, ours, peer string, goal float64) {
		seconds := func(name string) string { return fmt.Sprintf("%.2f s", times[name].Seconds()) }
		b.table.add(line{
			work: work, ours: seconds(ours), peer: peer + ", " + seconds(peer),
			value: times[peer].Seconds() / times[ours].Seconds(), unit: "x", goal: goal,
		})
	}
	work := func() time.Duration { return spent }
	if b.onWall {
		work = wall()
	}
	times, err := contest(work, b.rounds, contender{"run", run(1)}, contender{"replay", replay(1)})
	if err != nil {
		return err
	}
	compare("seatlake replay, 1 core", times, "replay", "run", 1)
	times, err = contest(wall(), b.rounds, contender{"2 cores", run(2)}, contender{"1 core", run(1)})
	if err != nil {
		return err
	}
	compare("seatlake run, pages kept, 2 cores, on the wall", times, "2 cores", "1 core", 1.4)
	return b.tableSizes(filepath.Join(kept.dir, "lake"))
}

// tableSizes compares every table of a lake with what DuckDB makes of its files.
// Tables of a few rows are left out: their files are all footer.
func (b *bench) tableSizes(lake string) error {
	d, err := openDuck(1)
	if err != nil {
		return err
	}
	smaller, all := 0, 0
	for _, table := range schemas.All() {
		files, err := filepath.Glob(filepath.Join(lake, "data", table.Name, "*", "*", "*", "*.parquet"))
		if err != nil || len(files) == 0 {
			continue
		}
		ours, theirs, rows, err := b.sizeOf(d, files)
		if err != nil {
			return err
		}
		if rows < 1000 {
			continue
		}
		if all++; ours < theirs {
			smaller++
		}
		b.table.add(line{
			work: "table size, " + table.Name, ours: fmt.Sprintf("%.1f B/row", float64(ours)/float64(rows)),
			peer:  fmt.Sprintf("DuckDB zstd, %.1f B/row", float64(theirs)/float64(rows)),
			value: float64(ours) / float64(theirs), unit: "x", goal: 1.05, most: true,
		})
	}
	b.table.add(line{work: "tables that are smaller", ours: fmt.Sprintf("%d of %d", smaller, all), peer: "DuckDB zstd", value: float64(smaller) / float64(all), unit: "of all", goal: .5})
	return nil
}

// kiota is the official SDK, if it may be built.
func (b *bench) kiota() error {
	work := "page bytes to objects, msgraph-sdk-go"
	if os.Getenv("BENCH_KIOTA") != "1" {
		b.table.add(line{work: work, peer: "only its models, no Arrow", note: "BENCH_KIOTA=1 builds it, with 4.5 GB of memory"})
		return nil
	}
	binary := filepath.Join(b.dir, "kiota")
	build := exec.Command("go", "build", "-p", "1", "-o", binary, ".")
	build.Dir, build.Stderr = filepath.Join(b.module, "bench", "kiota"), os.Stderr
	if err := build.Run(); err != nil {
		return err
	}
	for _, set := range sets {
		pages, files, size, err := readSet(b.dir, set.name, 2)
		if err != nil {
			return err
		}
		kind := "users"
		if set.name == signIns {
			kind = "sign_ins"
		}
		var theirs []time.Duration
		times, err := contest(b.clock, b.rounds,
			contender{"ours", func() error { _, err := decodeAll(set.table, pages, false); return err }},
			contender{"SDK", func() error {
				out, err := exec.Command(binary, append([]string{kind}, files...)...).Output()
				if err != nil {
					return err
				}
				ns, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
				theirs = append(theirs, time.Duration(ns))
				return err
			}})
		if err != nil {
			return err
		}
		slices.Sort(theirs)
		times["msgraph-sdk-go, only its models, no Arrow"] = theirs[len(theirs)/2]
		b.table.ratio("page bytes to Arrow, "+set.name, size, times, "ours", "msgraph-sdk-go, only its models, no Arrow", 40)
	}
	return nil
}

// memory runs the program against a tenant that is made as it is read, on one core
// and on two, and says what it held at most.
func (b *bench) memory(tenant tenantSize) error {
	if tenant.users == 0 {
		tenant = tenantSize{users: 1_000_000, signIns: 10_000_000}
	}
	server, err := startServer(b.dir, "-users", strconv.Itoa(tenant.users), "-sign-ins", strconv.Itoa(tenant.signIns))
	if err != nil {
		return err
	}
	defer server.Close()
	c, err := buildCommand(b.dir, b.module)
	if err != nil {
		return err
	}
	w, err := newWorkplace(filepath.Join(b.dir, "large"), server.sel)
	if err != nil {
		return err
	}
	b.table.head()
	for i, most := range []float64{256, 384} {
		cores := i + 1
		if err := w.empty(); err != nil {
			return err
		}
		m, err := c.run(w, cores, "run", "--no-build")
		if err != nil {
			return err
		}
		b.table.add(line{
			work:  fmt.Sprintf("peak memory of run, %d users, %d sign-ins, GOMAXPROCS=%d", tenant.users, tenant.signIns, cores),
			ours:  m.wall.Round(time.Second).String(),
			value: float64(m.peak) / (1 << 20), unit: "MiB", goal: most, most: true,
		})
	}
	return nil
}
