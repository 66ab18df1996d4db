package lake

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"seatlake/pipeline"
)

// A checkpoint is what the log adds up to at one version, as one object, so that a
// reader need not read what came before:
//
//	_log/checkpoint/000000000040-<sha12>.txt
//
// It is a hint. The log objects behind its version state its SHA-256, so only those
// bytes are believed that a committer found by adding up the log, and what they
// follow is bound by the hash of the version's own log object. Whatever else stands
// there is as if it were missing, and the log is read in its place.

const (
	checkpointDir  = logDir + "/checkpoint"
	checkpointForm = "seatlake checkpoint 1"

	// checkpointEvery is how many versions a reader reads at most behind a checkpoint.
	checkpointEvery = 20

	// checkpointsKept is how many stay: the newest, and one for a reader that has just
	// read an older head.
	checkpointsKept = 2
)

// checkpointMark is how a log object states a checkpoint.
type checkpointMark struct {
	Version pipeline.Version `json:"version"`
	SHA256  string           `json:"sha256"` // of its bytes
}

func (m checkpointMark) name() string {
	return fmt.Sprintf("%s/%012d-%.12s.txt", checkpointDir, m.Version, m.SHA256)
}

func (m *checkpointMark) check(v pipeline.Version) error {
	if m != nil && (m.Version < 1 || m.Version >= v || !sumForm.MatchString(m.SHA256)) {
		return fmt.Errorf("it states a checkpoint of version %d with the SHA-256 %q", m.Version, m.SHA256)
	}
	return nil
}

// checkpointFor is the checkpoint that the entry behind a state vouches for: the
// newest that is good, or a new one when that has become old. The hash is that of
// the state's own log object.
func (l *Lake) checkpointFor(t *scratch, s *state, sum string) (*checkpointMark, error) {
	l.log.mu.Lock()
	good := l.log.checkpoint
	l.log.mu.Unlock()
	since := s.version
	if good != nil {
		since -= good.Version
	}
	if since < checkpointEvery {
		return good, nil
	}
	fresh, err := l.putCheckpoint(t, s, sum)
	if err != nil {
		return nil, err
	}
	return fresh, l.forgetCheckpoints(good, fresh)
}

func (l *Lake) putCheckpoint(t *scratch, s *state, sum string) (*checkpointMark, error) {
	body, err := s.checkpoint(sum)
	if err != nil {
		return nil, err
	}
	mark := &checkpointMark{Version: s.version, SHA256: hashOf(body)}
	return mark, t.put(mark.name(), body)
}

var checkpointName = regexp.MustCompile(`^[0-9]{12}-[0-9a-f]{12}\.txt$`)

// forgetCheckpoints removes all but the newest, and never one that it is told of.
func (l *Lake) forgetCheckpoints(spared ...*checkpointMark) error {
	there, err := l.store.list(checkpointDir)
	if err != nil {
		return err
	}
	var names []string
	for _, e := range there {
		if checkpointName.MatchString(e.Name()) {
			names = append(names, checkpointDir+"/"+e.Name())
		}
	}
	for _, name := range names[:max(0, len(names)-checkpointsKept)] {
		if slices.ContainsFunc(spared, func(m *checkpointMark) bool { return m != nil && m.name() == name }) {
			continue
		}
		if err := l.store.remove(name); err != nil {
			return err
		}
	}
	return nil
}

// readCheckpoint reads the checkpoint of a mark. One that is not what the mark says
// is an error, which readers answer by reading the log.
func (l *Lake) readCheckpoint(m checkpointMark) (*state, error) {
	if !sumForm.MatchString(m.SHA256) || m.Version < 1 {
		return nil, fmt.Errorf("checkpoint of version %d: %q is not a SHA-256", m.Version, m.SHA256)
	}
	body, err := l.store.read(m.name())
	if err != nil {
		return nil, err
	}
	if got := hashOf(body); got != m.SHA256 {
		return nil, fmt.Errorf("%s: its SHA-256 is %s, and the log states %s", l.store.path(m.name()), got, m.SHA256)
	}
	s, err := parseCheckpoint(body)
	if err == nil && s.version != m.Version {
		err = fmt.Errorf("it is of version %d", s.version)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.store.path(m.name()), err)
	}
	return s, nil
}

// statedCheckpoint is the checkpoint that the newest entries vouch for, and the bytes it
// has to have; nil when there is none.
func statedCheckpoint(entries []*entry) (*checkpointMark, []byte, error) {
	for _, e := range slices.Backward(entries) {
		if e.Checkpoint == nil {
			continue
		}
		s, err := fold(entries[:e.Checkpoint.Version])
		if err != nil {
			return nil, nil, err
		}
		body, err := s.checkpoint(entries[e.Checkpoint.Version].ParentSHA256)
		return e.Checkpoint, body, err
	}
	return nil, nil, nil
}

// checkpoint is the state as an object. Lines are sorted, so one state is one object
// whoever writes it.
func (s *state) checkpoint(sum string) ([]byte, error) {
	var b bytes.Buffer
	line := func(fields ...string) {
		b.WriteString(strings.Join(fields, "\t"))
		b.WriteByte('\n')
	}
	line(checkpointForm)
	line("version", number(s.version))
	line("log", sum)
	for _, c := range s.commits {
		line("commit", c.kind, c.run, c.tenant, stamp(c.started), stamp(c.ended))
	}
	if err := s.fileLines(line); err != nil {
		return nil, err
	}
	for _, at := range slices.SortedFunc(maps.Keys(s.coverage), func(a, b tenantTable) int {
		return cmp.Or(cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.table, b.table))
	}) {
		c := s.coverage[at]
		body, err := json.Marshal(c.TenantCoverage)
		if err != nil {
			return nil, err
		}
		line("coverage", stamp(c.started), string(body))
	}
	for _, at := range slices.SortedFunc(maps.Keys(s.cursors), func(a, b tenantSource) int {
		return cmp.Or(cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.source, b.source))
	}) {
		c := s.cursors[at]
		source, err := json.Marshal(at.source) // a name from outside; quoted, it has no tab
		if err != nil {
			return nil, err
		}
		line("cursor", at.tenant, string(source), stamp(c.started), string(c.cursor))
	}
	line("end")
	return b.Bytes(), nil
}

// fileLines writes the live files below a line for their directory. Runs are named by
// the number of a commit of theirs, since every file has one that put it there.
func (s *state) fileLines(line func(...string)) error {
	type start struct {
		run string
		at  time.Time
	}
	commits := map[start]string{}
	for i, c := range s.commits {
		commits[start{c.run, c.started}] = strconv.Itoa(i + 1)
	}
	dir := ""
	for _, p := range slices.Sorted(maps.Keys(s.files)) {
		f := s.files[p]
		at, err := ParsePath(p)
		if err != nil {
			return err
		}
		if d := strings.Join([]string{at.Table, strconv.Itoa(at.SchemaVersion), at.Tenant, at.Column}, "\t"); d != dir {
			dir = d
			line("dir", dir)
		}
		line("file", at.Partition, number(s.runs[at.Run]), strconv.Itoa(at.Part), f.SHA256, number(f.Size), number(f.Rows), commits[start{f.run, f.started.UTC()}])
	}
	return nil
}

func number[N int64 | pipeline.Version](n N) string { return strconv.FormatInt(int64(n), 10) }

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// parseCheckpoint reads an object whose hash was found right.
func parseCheckpoint(body []byte) (*state, error) {
	p := &checkpointParser{state: newState(), times: map[string]time.Time{}}
	text, whole := strings.CutSuffix(string(body), "\nend\n")
	text, ours := strings.CutPrefix(text, checkpointForm+"\n")
	if !whole || !ours {
		return nil, errors.New("it is not a whole checkpoint of a form that this program knows")
	}
	for line := range strings.SplitSeq(text, "\n") {
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("line %q: %w", line, err)
		}
	}
	s := p.state
	if s.version != pipeline.Version(len(s.commits)) || !sumForm.MatchString(s.sum) {
		return nil, fmt.Errorf("it has %d commits at version %d", len(s.commits), s.version)
	}
	return s, nil
}

type checkpointParser struct {
	*state
	in    Location             // table, schema version, tenant and column of the last dir
	times map[string]time.Time // that were parsed: most lines repeat one
	err   error
}

func (p *checkpointParser) line(line string) error {
	kind, rest, _ := strings.Cut(line, "\t")
	f := strings.Split(rest, "\t")
	want := map[string]int{"version": 1, "log": 1, "commit": 5, "dir": 4, "file": 7, "coverage": 2, "cursor": 4}[kind]
	if want == 0 || len(f) != want {
		return errors.New("it is not one that this program knows")
	}
	switch kind {
	case "version":
		p.version = pipeline.Version(p.number(f[0]))
	case "log":
		p.sum = f[0]
	case "commit":
		p.commits = append(p.commits, committed{f[0], f[1], f[2], p.time(f[3]), p.time(f[4])})
		p.runs[f[1]] = pipeline.Version(len(p.commits))
	case "dir":
		p.in = Location{Table: f[0], SchemaVersion: int(p.number(f[1])), Tenant: f[2], Column: f[3]}
	case "file":
		return cmp.Or(p.file(f), p.err)
	case "coverage":
		c := startedCoverage{started: p.time(f[0])}
		if err := json.Unmarshal([]byte(f[1]), &c.TenantCoverage); err != nil {
			return err
		}
		p.coverage[tenantTable{c.TenantID, c.Table}] = c
	case "cursor":
		var source string
		if err := json.Unmarshal([]byte(f[1]), &source); err != nil {
			return err
		}
		p.cursors[tenantSource{f[0], source}] = startedCursor{p.time(f[2]), json.RawMessage(f[3])}
	}
	return p.err
}

func (p *checkpointParser) file(f []string) error {
	wrote, holds := p.number(f[1]), p.number(f[6])
	if min(wrote, holds) < 1 || max(wrote, holds) > int64(len(p.commits)) || !sumForm.MatchString(f[3]) {
		return errors.New("it is of no commit, or has no SHA-256")
	}
	at := p.in
	at.Partition, at.Run, at.Part, at.Sum = f[0], p.commits[wrote-1].run, int(p.number(f[2])), f[3][:12]
	file := pipeline.File{
		Table: at.Table, Path: at.path(), SHA256: f[3], Size: p.number(f[4]), Rows: p.number(f[5]),
		SchemaVersion: at.SchemaVersion, Tenant: at.Tenant, Partition: at.Partition,
	}
	p.files[file.Path] = live{File: file, run: p.commits[holds-1].run, started: p.commits[holds-1].started}
	return nil
}

func (p *checkpointParser) number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	p.err = cmp.Or(p.err, err)
	return n
}

func (p *checkpointParser) time(s string) time.Time {
	if t, known := p.times[s]; known {
		return t
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	p.err = cmp.Or(p.err, err)
	p.times[s] = t
	return t
}
