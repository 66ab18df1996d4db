package lake

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"seatlake/pipeline"
)

// Severity says whether a finding harms readers.
type Severity string

// The severities of findings.
const (
	Fault Severity = "fault" // what is listed is not there as it was listed
	Info  Severity = "info"  // what is there is not listed; no reader sees it
)

// Finding is something about a lake that a person should know.
type Finding struct {
	Severity Severity
	Path     string // absolute
	Problem  string
	Cure     string
}

func (f Finding) String() string {
	return fmt.Sprintf("%s: %s: %s (%s)", f.Severity, f.Path, f.Problem, f.Cure)
}

const (
	cureRestore = "restore the file from a backup"
	cureReplay  = "restore the file from a backup, or remove it and repeat its run with `seatlake replay`"
	cureBuild   = "`seatlake check --repair` makes it again"
	cureRepair  = "`seatlake check --repair` makes it again"
	curePruned  = "remove it: `seatlake prune` makes it again"
	cureErase   = "`seatlake erase` with no one named ends what was begun"
	curePrune   = "`seatlake prune` removes it once it is two days old"
)

// Check reads the whole lake: its identity, the log, every live file and every
// gold file with their hashes and rows, and the deliveries of feeds. It returns what it found wrong, and an
// error only when it could not look. It changes nothing and reads the log anew.
func (l *Lake) Check(ctx context.Context) ([]Finding, error) {
	c := &checker{lake: &Lake{store: l.store, id: l.id}}
	if there, err := open(l.store); err != nil {
		c.fault(identityName, err.Error(), cureRestore)
	} else if there.id != l.id {
		c.fault(identityName, fmt.Sprintf("the lake is now %s, and was %s when it was opened", there.id, l.id), cureRestore)
	}
	entries, err := c.lake.entries(ctx)
	if err == nil {
		_, err = fold(entries)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		// Without the log nobody knows which files should be there.
		c.fault(logDir, err.Error(), cureRestore)
		return c.found, nil
	}
	for _, part := range []func(context.Context, []*entry) error{c.checkpoint, c.data, c.gold, c.feeds, c.ledgers, c.erasures, c.staging} {
		if err := part(ctx, entries); err != nil {
			return c.found, err
		}
	}
	return c.found, nil
}

type checker struct {
	lake  *Lake
	found []Finding
}

func (c *checker) fault(name, problem, cure string) {
	c.found = append(c.found, Finding{Fault, c.lake.store.path(name), problem, cure})
}

func (c *checker) info(name, problem, cure string) {
	c.found = append(c.found, Finding{Info, c.lake.store.path(name), problem, cure})
}

// data checks the files of every version that is kept: the live ones by their bytes,
// those that only older versions list by their size, and names those nobody lists.
func (c *checker) data(ctx context.Context, entries []*entry) error {
	s, err := fold(entries)
	if err != nil {
		return err
	}
	retired, err := c.lake.retired()
	if err != nil {
		c.fault(retiredName, err.Error(), curePruned)
		retired = &retirement{Oldest: 1}
	}
	kept, err := listedFrom(entries, retired.Oldest)
	if err != nil {
		return err
	}
	listed := everListed(entries)
	for _, name := range slices.Sorted(maps.Keys(listed)) {
		f := listed[name]
		_, isKept := kept[name]
		if _, isLive := s.files[name]; isLive {
			err = c.file(ctx, name, f.Size, f.Rows, f.SHA256, cureReplay)
		} else if isKept {
			err = c.size(name, f.Size, cureReplay)
		}
		if err != nil {
			return err
		}
	}
	erased := erasedFiles(entries)
	return c.lake.store.walk(dataDir, func(name string, _ fs.DirEntry) error {
		if _, gone := erased[name]; gone {
			c.fault(name, "a person was erased from the file, and it is still there", cureErase)
		} else if _, ever := listed[name]; !ever {
			c.info(name, "no commit lists the file; a run that died left it", curePrune)
		}
		return ctx.Err()
	})
}

// checkpoint compares the one that readers begin at with the log. One that is missing
// or damaged costs them time alone; one that readers believe and the log contradicts
// would change their answers.
func (c *checker) checkpoint(_ context.Context, entries []*entry) error {
	mark, want, err := statedCheckpoint(entries)
	if err != nil || mark == nil {
		return err
	}
	body, err := c.lake.store.read(mark.name())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.info(mark.name(), "the checkpoint is missing; readers read the log from its first object", cureRepair)
	case err != nil:
		return err
	case hashOf(body) != mark.SHA256:
		c.info(mark.name(), "the checkpoint is damaged; readers read the log from its first object", cureRepair)
	case !bytes.Equal(body, want):
		c.fault(mark.name(), "the checkpoint is not what the log adds up to", cureRepair)
	}
	return nil
}

// ledgers checks every tenant's ledger against the commits that state it.
func (c *checker) ledgers(ctx context.Context, _ []*entry) error {
	tenants, err := c.lake.Ledgers()
	if err != nil {
		return err
	}
	for _, tenant := range tenants {
		g, err := c.lake.Ledger(tenant)
		if err != nil {
			return err
		}
		if _, _, err = g.Verify(ctx); ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			c.fault(path.Join(ledgerDir, tenant), err.Error(), cureRestore)
		}
	}
	return nil
}

// file checks a file's size, hash and rows.
func (c *checker) file(ctx context.Context, name string, size, rows int64, sum, cure string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	before := len(c.found)
	if err := c.size(name, size, cure); err != nil || len(c.found) > before {
		return err
	}
	got, err := c.lake.store.hash(name)
	if err != nil {
		c.fault(name, err.Error(), cure)
		return nil
	}
	if got != sum {
		c.fault(name, fmt.Sprintf("its SHA-256 is %s, and %s was written", got, sum), cure)
		return nil
	}
	n, err := c.lake.store.rows(name, size)
	switch {
	case err != nil:
		c.fault(name, err.Error(), cure)
	case n != rows:
		c.fault(name, fmt.Sprintf("it has %d rows, and is listed with %d", n, rows), cure)
	}
	return nil
}

func (c *checker) size(name string, size int64, cure string) error {
	info, err := c.lake.store.stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.fault(name, "the file is missing", cure)
	case err != nil:
		return err
	case info.Size() != size:
		c.fault(name, fmt.Sprintf("it has %d bytes, and %d were written", info.Size(), size), cure)
	}
	return nil
}

// hash is a file's SHA-256, in hex.
func (s *store) hash(name string) (string, error) {
	f, err := s.open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", explain("read", s.path(name), err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// gold checks the marts of every version that has a list, and the current ones.
func (c *checker) gold(ctx context.Context, entries []*entry) error {
	versions, err := c.lake.goldVersions()
	if err != nil {
		return err
	}
	for _, v := range versions {
		g, err := c.lake.readGold(goldPath(v) + ".json")
		if errors.Is(err, fs.ErrNotExist) {
			c.info(goldPath(v), "the marts have no list; a build that died left them", cureBuild)
			continue
		}
		if err != nil {
			c.fault(goldPath(v)+".json", err.Error(), cureBuild)
			continue
		}
		if err := c.marts(ctx, g, func(f GoldFile) string { return f.Path }); err != nil {
			return err
		}
	}
	current, err := c.lake.readGold(currentName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		c.fault(currentName, err.Error(), cureBuild)
		return nil
	}
	if current.Version > pipeline.Version(len(entries)) || entries[current.Version-1].Run.ID != current.RunID {
		c.fault(currentName, fmt.Sprintf("it is of version %d of run %s, which the log does not have", current.Version, current.RunID), cureBuild)
	}
	return c.marts(ctx, current, func(f GoldFile) string { return currentDir + "/" + f.Mart + ".parquet" })
}

func (c *checker) marts(ctx context.Context, g *Gold, at func(GoldFile) string) error {
	for _, f := range g.Files {
		if err := c.file(ctx, at(f), f.Size, f.Rows, f.SHA256, cureBuild); err != nil {
			return err
		}
	}
	return nil
}

// staging names what is at work, or was when it died.
func (c *checker) staging(ctx context.Context, _ []*entry) error {
	entries, err := c.lake.store.list(stagingDir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), lockSuffix) {
			c.info(path.Join(stagingDir, e.Name()), "a run is at work, or died", "the next run sweeps it away if it died")
		}
	}
	return ctx.Err()
}
