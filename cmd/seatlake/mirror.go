package main

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"

	"github.com/schollz/progressbar/v3"

	"seatlake/load/lake"
	"seatlake/sql"
)

// openedOf is a version that can be asked, with published marts, if any. What a
// question reads is fetched when it is asked, and nothing else.
func openedOf(cfg *Config, lk *lake.Lake, s *lake.Snapshot, gold *lake.Gold) *opened {
	o := &opened{inputs: inputs(cfg, s), gold: map[string]string{}, files: newStored(lk)}
	o.inputs.Fetch = o.files.fetch
	for table, files := range s.Files {
		for i, w := range lake.Wanted(files) {
			o.files.wants[w.Path], o.files.days[w.Path] = w, files[i].Partition
			o.inputs.Files[table] = append(o.inputs.Files[table], w.Path)
		}
	}
	if gold != nil {
		o.erased = gold.Erased()
		for _, f := range gold.Files {
			o.files.wants[f.Path], o.gold[f.Mart] = f.Want(), f.Path
		}
	}
	return o
}

// stored is what is known of files of the lake by their paths in it.
type stored struct {
	lake  *lake.Lake
	wants map[string]lake.Want
	days  map[string]string // of the partitions that files are of
}

func newStored(lk *lake.Lake) *stored {
	return &stored{lake: lk, wants: map[string]lake.Want{}, days: map[string]string{}}
}

// add makes the files of another known, too.
func (s *stored) add(other *stored) {
	maps.Copy(s.wants, other.wants)
	maps.Copy(s.days, other.days)
}

// fetch brings the files of what is read to this machine, but for the partitions that
// are not read. A file with an absolute path is there already, and none of the lake's.
func (s *stored) fetch(ctx context.Context, reads []sql.Read) (*sql.Local, error) {
	var wanted []lake.Want
	read := make([][]string, len(reads))
	for i, r := range reads {
		for _, file := range r.Files {
			if day := s.days[file]; day != "" && !r.Has(day) {
				continue
			}
			read[i] = append(read[i], file)
			if !filepath.IsAbs(file) {
				wanted = append(wanted, s.wants[file])
			}
		}
	}
	copies, err := s.lake.Fetch(ctx, wanted)
	if err != nil {
		return nil, err
	}
	local := &sql.Local{Files: map[string][]string{}, Gold: map[string]string{}, Release: copies.Close}
	for i, r := range reads {
		paths := make([]string, len(read[i]))
		for n, file := range read[i] {
			paths[n] = file
			if !filepath.IsAbs(file) {
				paths[n] = copies.Path(file)
			}
		}
		local.Files[r.Name] = paths
		if r.Mart {
			delete(local.Files, r.Name)
			local.Gold[r.Name] = paths[0]
		}
	}
	return local, nil
}

// watch shows on a terminal how files come out of a bucket. Elsewhere nothing is said:
// who asks a question wants its answer alone.
func (a *app) watch(lk *lake.Lake) {
	if !a.errTTY || a.quiet {
		return
	}
	var bar *progressbar.ProgressBar // begun before anything arrives
	lk.Mirroring.Begin = func(files int, bytes int64) {
		bar = progressbar.NewOptions64(bytes, progressbar.OptionSetWriter(a.err), progressbar.OptionShowBytes(true),
			progressbar.OptionSetDescription(fmt.Sprintf("%d files of the lake", files)), progressbar.OptionClearOnFinish())
	}
	lk.Mirroring.Arrived = func(bytes int64) { _ = bar.Add64(bytes) } // an error stream that takes nothing more must not stop a query
}
