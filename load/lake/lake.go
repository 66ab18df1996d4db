// Package lake keeps a lake in a local directory or in a bucket of an object store:
// the pages as they came, the data files made of them, the log of commits, and gold.
//
//	lake.json                      the format and the lake's id
//	_log/000000000001.json         one commit each, never changed
//	_log/checkpoint/               what the log adds up to, now and then
//	_log/retired.json              which versions are past their retention
//	raw/<tenant>/<run>/<source>/   pages, byte for byte, and an index
//	data/<table>/v<n>/...          Parquet, named by run and content
//	gold/                          marts for tools that know no log
//	feeds/<feed>/                  what was delivered to other tools
//	.staging/                      what is not finished yet
//
// A bucket has the same objects under the same names, but for .staging/, which is in
// the lake's work directory on each machine (Place).
//
// A *commit* is one log object, put under a name that must be free. It lists every
// file a run adds and removes, over all tables, with size, SHA-256 and row count;
// a data file that no commit lists does not exist. A *snapshot* is the sum of the
// commits up to one version. Readers take files from a snapshot, never from a
// directory listing, so they see whole runs or nothing.
//
// What is visible is complete and on the disk: every file is written in .staging,
// synced, moved to its name, and its directory synced before anything points at
// it. A process that dies leaves at most its staging directory, which the next
// one sweeps away, and data files that no commit lists, which Prune removes.
//
// Of two runs that write one partition the one that started later stands,
// whatever the order of their commits; of two that started together, the later
// commit. So the replay of an old run cannot bring old rows back.
//
// The files hold personal data: directories are 0700, files 0600. The package
// holds no lock while it works; processes may share a lake, and machines one in a
// bucket.
package lake

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/oklog/ulid/v2"
)

// Format is the version of the lake's layout that this package reads and writes.
const Format = 1

// Lake is a lake in a directory or in a bucket. It may be used by several goroutines.
type Lake struct {
	// Mirroring is for lakes in buckets. It is set before the lake is used.
	Mirroring Mirroring

	store    *store
	id       string
	sealedBy string
	log      log
}

// identity is lake.json.
type identity struct {
	Format   int    `json:"format"`
	LakeID   string `json:"lake_id"`
	SealedBy string `json:"sealed_by,omitempty"` // id of a key; empty when names are clear
}

const identityName = "lake.json"

// Create makes a lake in dir, or opens the one that is there. The clock dates the
// lake's id, nothing else.
func Create(dir string, now func() time.Time) (*Lake, error) {
	s, err := directory(dir)
	if err != nil {
		return nil, err
	}
	return create(s, "", now)
}

func create(s *store, keyID string, now func() time.Time) (*Lake, error) {
	if err := s.mkdir("."); err != nil {
		return nil, err
	}
	l, err := open(s)
	if !errors.Is(err, fs.ErrNotExist) {
		return l, err
	}
	names, err := s.list(logDir)
	if err != nil {
		return nil, err
	}
	if len(names) > 0 {
		return nil, fmt.Errorf("lake %s has commits but no %s: restore that file from a backup", s.where(), identityName)
	}
	id, err := ulid.New(ulid.Timestamp(now()), ulid.DefaultEntropy())
	if err != nil {
		return nil, fmt.Errorf("id of a new lake: %w", err)
	}
	body, err := json.Marshal(newIdentity(id.String(), keyID))
	if err != nil {
		return nil, err
	}
	// Another process may have made the lake meanwhile; then it is theirs.
	if err := s.putFirst(identityName, append(body, '\n')); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return open(s)
}

// putFirst puts the object that makes a place a lake. A bucket has no work directory
// before.
func (s *store) putFirst(name string, body []byte) error {
	if s.bucket != nil {
		return s.do("link", name, func() error { return s.bucket.create(name, body) })
	}
	scratch, err := s.scratch("lake")
	if err != nil {
		return err
	}
	defer func() { _ = scratch.remove() }() // what stays is swept by the next run
	return scratch.putNew(name, body)
}

// Open opens an existing lake.
func Open(dir string) (*Lake, error) {
	s, err := directory(dir)
	if err != nil {
		return nil, err
	}
	return openExisting(s)
}

func openExisting(s *store) (*Lake, error) {
	l, err := open(s)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no lake at %s: check the path, or make one with `seatlake run`: %w", s.where(), err)
	}
	return l, err
}

func open(s *store) (*Lake, error) {
	body, err := s.read(identityName)
	if err != nil {
		return nil, err
	}
	var id identity
	if err := json.Unmarshal(body, &id); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w; restore it from a backup", s.path(identityName), err)
	}
	if err := checkFormat(id.layout()); err != nil {
		return nil, fmt.Errorf("%s: %w", s.path(identityName), err)
	}
	if _, err := ulid.ParseStrict(id.LakeID); err != nil {
		return nil, fmt.Errorf("%s is damaged: lake_id %q: %w; restore it from a backup", s.path(identityName), id.LakeID, err)
	}
	if s.bucket != nil {
		s.settleDown(id.LakeID)
	}
	return &Lake{store: s, id: id.LakeID, sealedBy: id.SealedBy}, nil
}

func checkFormat(format int) error {
	switch {
	case format > Format:
		return fmt.Errorf("format %d is newer than this program, which knows %d: install a newer seatlake", format, Format)
	case format < 1:
		return fmt.Errorf("format %d is not one: the file is damaged, restore it from a backup", format)
	}
	return nil
}

// ID is the lake's ULID.
func (l *Lake) ID() string { return l.id }

// Dir is the directory on this machine: the lake's own, or the work directory of a
// lake in a bucket. It is absolute.
func (l *Lake) Dir() string { return l.store.root }

// Where is where the lake is, for people: its directory, or its bucket's URL.
func (l *Lake) Where() string { return l.store.where() }
