package lake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"seatlake/pipeline"
)

const (
	rawDir    = "raw"
	runName   = "run.json"
	indexName = "index.json"
)

var (
	sourceForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,62}$`)
	pageForm   = regexp.MustCompile(`^[0-9]{6}\.(json|csv|file)(\.gz)?$`)
)

// index is index.json: how a source's kept pages follow each other and end. Pages
// that no index lists are not there.
type index struct {
	Format int        `json:"format"`
	Source string     `json:"source"`
	Pages  []keptPage `json:"pages"`
	Gap    *keptGap   `json:"gap,omitempty"` // nil: the pages are all there was
}

type keptPage struct {
	Name      string    `json:"name"`
	Number    int       `json:"number"`
	Request   string    `json:"request"`
	RequestID string    `json:"request_id"`
	Coding    string    `json:"coding"`
	Observed  time.Time `json:"observed_at"`
	Size      int64     `json:"size"` // bytes, as they came
	SHA256    string    `json:"sha256"`
}

type keptGap struct {
	State  pipeline.State `json:"state"`
	Reason string         `json:"reason"`
	Answer string         `json:"answer,omitempty"` // of Graph, as an error's text
}

func rawPath(run pipeline.Run, below ...string) string {
	return path.Join(append([]string{rawDir, run.TenantID, run.ID}, below...)...)
}

// Raw reads the kept pages of a run, as the run read them from Graph: the same
// bytes, in the same order, with the same end. A page that is missing or changed
// is an error, as is a window that the run did not ask for.
func (l *Lake) Raw(run pipeline.Run) pipeline.Source {
	return &rawSource{store: l.store, run: run}
}

type rawSource struct {
	store *store
	run   pipeline.Run
}

func (r *rawSource) Pages(ctx context.Context, source string, w pipeline.Window) pipeline.Pages {
	return func(yield func(*pipeline.Page, error) bool) {
		at, err := r.index(source, w)
		if err != nil {
			yield(nil, fmt.Errorf("kept pages of run %s: %w", r.run.ID, err))
			return
		}
		for _, p := range at.Pages {
			page, err := r.page(ctx, source, p)
			if err != nil {
				yield(nil, fmt.Errorf("kept page %d of run %s: %w", p.Number, r.run.ID, err))
				return
			}
			if !yield(page, nil) {
				return
			}
		}
		if g := at.Gap; g != nil {
			gap := &pipeline.Gap{State: g.State, Reason: g.Reason}
			if g.Answer != "" {
				gap.Err = errors.New(g.Answer)
			}
			yield(nil, gap)
		}
	}
}

func (r *rawSource) index(source string, w pipeline.Window) (*index, error) {
	if err := checkRun(r.run.ID, r.run.TenantID); err != nil {
		return nil, err
	}
	if !sourceForm.MatchString(source) {
		return nil, fmt.Errorf("source %q is not a name of letters, digits and _", source)
	}
	for _, q := range r.run.Requests {
		if q.Source == source && !(q.Window.From.Equal(w.From) && q.Window.To.Equal(w.To)) {
			return nil, fmt.Errorf("%s was read from %v to %v, not from %v to %v", source, q.Window.From, q.Window.To, w.From, w.To)
		}
	}
	name := rawPath(r.run, source, indexName)
	at, err := r.store.readIndex(name, source)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: the run ended before this source did, or its pages were pruned: read Graph again with `seatlake run`: %w", source, err)
	}
	return at, err
}

// readIndex reads and checks an index.
func (s *store) readIndex(name, source string) (*index, error) {
	body, err := s.read(name)
	if err != nil {
		return nil, err
	}
	at := new(index)
	err = json.Unmarshal(body, at)
	if err == nil {
		err = at.check(source)
	}
	if err != nil {
		return nil, fmt.Errorf("%s is damaged: %w; restore it, or read Graph again with `seatlake run`", s.path(name), err)
	}
	return at, nil
}

func (at *index) check(source string) error {
	if err := checkFormat(at.Format); err != nil {
		return err
	}
	if at.Source != source {
		return fmt.Errorf("it is of source %q", at.Source)
	}
	for i, p := range at.Pages {
		if p.Number != i+1 || !pageForm.MatchString(p.Name) || !sumForm.MatchString(p.SHA256) || p.Size < 0 {
			return fmt.Errorf("its page %d is not one (number %d, name %q)", i+1, p.Number, p.Name)
		}
	}
	if g := at.Gap; g != nil && g.State != pipeline.Denied && g.State != pipeline.Missing {
		return fmt.Errorf("its gap has the state %q", g.State)
	}
	return nil
}

func (r *rawSource) page(ctx context.Context, source string, p keptPage) (*pipeline.Page, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	page := &pipeline.Page{
		Source: source, Number: p.Number, Request: p.Request, RequestID: p.RequestID,
		Coding: p.Coding, Observed: p.Observed,
	}
	name := rawPath(r.run, source, p.Name)
	var err error
	if p.Size > pipeline.MaxHeld && extension(source) == ".csv" {
		page.Spool, err = r.store.spooled(ctx, name, p)
	} else {
		page.Body, err = r.store.read(name)
	}
	if err != nil {
		return nil, fmt.Errorf("it is listed and cannot be read: %w; restore it, or read Graph again with `seatlake run`", err)
	}
	if page.Size() != p.Size || page.SHA256() != p.SHA256 {
		return nil, fmt.Errorf("%s is damaged: its %d bytes are not the %d that came from Graph (SHA-256 differs): restore it, or read Graph again with `seatlake run`",
			r.store.path(name), page.Size(), p.Size)
	}
	return page, nil
}

// RawRun is a run whose pages are kept.
type RawRun struct {
	pipeline.Run

	// Lacking is the sources of the run's requests that have no index: the run
	// was cut off before they ended.
	Lacking []string
}

// Complete says that every source of the run can be read again.
func (r RawRun) Complete() bool { return len(r.Lacking) == 0 }

// RawRuns is the runs whose pages are kept, oldest first.
func (l *Lake) RawRuns() ([]RawRun, error) {
	var runs []RawRun
	err := l.rawDirs(func(tenant, id string) error {
		run, err := l.rawRun(tenant, id)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // died before run.json, so nothing was kept
		}
		if err != nil {
			return err
		}
		runs = append(runs, *run)
		return nil
	})
	slices.SortStableFunc(runs, func(a, b RawRun) int {
		return strings.Compare(a.ID, b.ID)
	})
	return runs, err
}

// rawDirs calls fn with the directory of every run.
func (l *Lake) rawDirs(fn func(tenant, id string) error) error {
	tenants, err := l.store.list(rawDir)
	if err != nil {
		return err
	}
	for _, t := range tenants {
		ids, err := l.store.list(path.Join(rawDir, t.Name()))
		if err != nil {
			return err
		}
		for _, id := range ids {
			if checkRun(id.Name(), t.Name()) != nil {
				continue // not ours
			}
			if err := fn(t.Name(), id.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *Lake) rawRun(tenant, id string) (*RawRun, error) {
	name := path.Join(rawDir, tenant, id, runName)
	body, err := l.store.read(name)
	if err != nil {
		return nil, err
	}
	run := new(RawRun)
	err = json.Unmarshal(body, &run.Run)
	if err == nil && (run.ID != id || run.TenantID != tenant) {
		err = fmt.Errorf("it is of run %s of tenant %s", run.ID, run.TenantID)
	}
	if err != nil {
		return nil, fmt.Errorf("%s is damaged (%w): restore it, or remove the directory %s", l.store.path(name), err, l.store.path(path.Dir(name)))
	}
	for _, q := range run.Requests {
		if !sourceForm.MatchString(q.Source) {
			return nil, fmt.Errorf("%s is damaged: source %q is not a name", l.store.path(name), q.Source)
		}
	}
	lacks := make([]bool, len(run.Requests))
	err = l.store.each(l.store.context(), len(lacks), func(i int) error {
		_, err := l.store.stat(rawPath(run.Run, run.Requests[i].Source, indexName))
		lacks[i] = errors.Is(err, fs.ErrNotExist)
		if lacks[i] {
			return nil
		}
		return err
	})
	for i, q := range run.Requests {
		if lacks[i] {
			run.Lacking = append(run.Lacking, q.Source)
		}
	}
	return run, err
}

// startOf is when the run of an id was made, from the id itself.
func startOf(id string) time.Time { return ulid.MustParse(id).Timestamp() }
