package lake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"seatlake/pipeline"
)

// Gold is the marts of one version, for tools that know no log. It is published
// three times over, each the promise of another kind of reader:
//
//	gold/v=<version>/<mart>.parquet   whole, never changed but by a rebuild
//	gold/v=<version>.json             its list, written when all of it stands
//	gold/current/<mart>.parquet       each mart whole, by its own rename
//	gold/current.json                 the list of the newest version, last
type Gold struct {
	Format  int              `json:"format"`
	Version pipeline.Version `json:"version"`
	RunID   string           `json:"run_id"`
	Files   []GoldFile       `json:"files"` // sorted by mart
}

// GoldFile is one mart of one version.
type GoldFile struct {
	Mart   string `json:"mart"`
	Path   string `json:"path"` // relative to the lake, below gold/v=<version>/
	Rows   int64  `json:"rows"`
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`

	// Erased is how many rows it had when it was published, and lost since because they
	// were of a person who was erased. Sums over it are less than those of other marts.
	Erased int64 `json:"erased,omitempty"`
}

// Erased is how many rows the marts lost to erasures since they were published. Figures
// counted with them stay.
func (g *Gold) Erased() int64 {
	var n int64
	for _, f := range g.Files {
		n += f.Erased
	}
	return n
}

const (
	goldDir     = "gold"
	currentDir  = "gold/current"
	currentName = "gold/current.json"

	// goldKept is how many versions stay below gold/.
	goldKept = 30
)

var goldForm = regexp.MustCompile(`^v=([0-9]{12})$`)

func goldPath(v pipeline.Version) string { return fmt.Sprintf("%s/v=%012d", goldDir, v) }

// ErrNoGold is the error of a version whose marts were not built, or are pruned.
var ErrNoGold = errors.New("no marts: run `seatlake build`")

// PublishGold publishes the finished <mart>.parquet files of a directory as the
// marts of a version. They become the current ones unless a newer version's are.
// It waits for another process that publishes. The directory stays the caller's.
func (l *Lake) PublishGold(ctx context.Context, v pipeline.Version, runID, from string) (*Gold, error) {
	g := &Gold{Format: Format, Version: v, RunID: runID}
	if v < 1 || !runForm.MatchString(runID) {
		return nil, fmt.Errorf("publish gold: version %d of run %q is not one", v, runID)
	}
	s, err := l.store.scratchAlone(ctx, "gold") // one publisher at a time
	if err != nil {
		return nil, fmt.Errorf("publish gold: %w", err)
	}
	err = g.publish(ctx, l, s, from)
	if err = errors.Join(err, s.remove()); err != nil {
		return nil, fmt.Errorf("publish gold of version %d: %w", v, err)
	}
	return g, nil
}

func (g *Gold) publish(ctx context.Context, l *Lake, s *scratch, from string) error {
	dir, err := g.gather(ctx, s, from)
	if err != nil {
		return err
	}
	list, err := json.MarshalIndent(g, "", " ")
	if err != nil {
		return err
	}
	list = append(list, '\n')
	if err := g.stand(l, s, dir, list); err != nil {
		return err
	}
	current, err := l.readGold(currentName)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if current != nil && current.Version > g.Version {
		return nil
	}
	if err := g.spread(ctx, l, s, from); err != nil {
		return err
	}
	if err := s.put(currentName, list); err != nil {
		return err
	}
	return l.pruneGold(s)
}

// gather copies the marts into a scratch directory, checks and lists them.
func (g *Gold) gather(ctx context.Context, s *scratch, from string) (string, error) {
	marts, err := martsIn(from)
	if err != nil {
		return "", err
	}
	dir := s.temp()
	if err := s.store.mkdir(dir); err != nil {
		return "", err
	}
	for _, mart := range marts {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		file := mart + ".parquet"
		f, err := s.copyIn(filepath.Join(from, file), dir+"/"+file)
		if err != nil {
			return "", fmt.Errorf("mart %s: %w", mart, err)
		}
		rows, err := s.store.rows(f.name, f.size)
		if err != nil {
			return "", fmt.Errorf("mart %s: %w", mart, err)
		}
		g.Files = append(g.Files, GoldFile{
			Mart: mart, Path: goldPath(g.Version) + "/" + file, Rows: rows, Size: f.size, SHA256: f.sha256(),
		})
	}
	return dir, s.store.syncDirs(dir)
}

// martsIn is the names of the marts in a directory, sorted. Other files are an
// error: they were meant to be published, or the directory is the wrong one.
func martsIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var marts []string
	for _, e := range entries {
		mart, ok := strings.CutSuffix(e.Name(), ".parquet")
		if !ok || !nameForm.MatchString(mart) || !e.Type().IsRegular() {
			return nil, fmt.Errorf("%s is not the file of a mart", filepath.Join(dir, e.Name()))
		}
		marts = append(marts, mart)
	}
	if len(marts) == 0 {
		return nil, fmt.Errorf("no marts in %s", dir)
	}
	return marts, nil
}

// stand puts the version's directory in its place, and its list. A rebuild with
// other bytes replaces both; its list is away as long as its files are.
func (g *Gold) stand(l *Lake, s *scratch, dir string, list []byte) error {
	at := goldPath(g.Version)
	there, err := l.store.read(at + ".json")
	switch {
	case err == nil && bytes.Equal(there, list) && l.goldStands(g):
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err == nil {
		if err := l.store.remove(at + ".json"); err != nil {
			return err
		}
	}
	if err := s.discard(at, ""); err != nil {
		return err
	}
	if err := l.store.rename(dir, at); err != nil {
		return err
	}
	if err := l.store.syncDirs(goldDir); err != nil {
		return err
	}
	return s.put(at+".json", list)
}

// goldStands says that the listed files are there with their sizes.
func (l *Lake) goldStands(g *Gold) bool {
	sizes := map[string]int64{}
	err := l.store.walk(goldPath(g.Version), func(name string, e fs.DirEntry) error {
		info, err := e.Info()
		if err == nil {
			sizes[name] = info.Size()
		}
		return err
	})
	return err == nil && !slices.ContainsFunc(g.Files, func(f GoldFile) bool {
		size, there := sizes[f.Path]
		return !there || size != f.Size
	})
}

// spread replaces the current marts one by one, in the order of their names, and
// removes those that the version does not have. It takes them from where they were
// built, as they were listed.
func (g *Gold) spread(ctx context.Context, l *Lake, s *scratch, from string) error {
	fresh := map[string]bool{}
	for _, f := range g.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		fresh[f.Mart+".parquet"] = true
		temp := s.temp()
		copied, err := s.copyIn(filepath.Join(from, f.Mart+".parquet"), temp)
		if err != nil {
			return err
		}
		if copied.sha256() != f.SHA256 {
			return fmt.Errorf("mart %s was changed while it was published: build again", f.Mart)
		}
		if err := l.store.rename(temp, currentDir+"/"+f.Mart+".parquet"); err != nil {
			return err
		}
	}
	entries, err := l.store.list(currentDir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".parquet") && !fresh[e.Name()] {
			if err := l.store.remove(currentDir + "/" + e.Name()); err != nil {
				return err
			}
		}
	}
	return l.store.syncDirs(currentDir)
}

// Gold is the marts of a version; 0 is the current one. The error of a version
// without marts is ErrNoGold.
func (l *Lake) Gold(v pipeline.Version) (*Gold, error) {
	name := currentName
	if v != 0 {
		name = goldPath(v) + ".json"
	}
	g, err := l.readGold(name)
	if errors.Is(err, fs.ErrNotExist) {
		if v == 0 {
			return nil, fmt.Errorf("the lake has %w", ErrNoGold)
		}
		return nil, fmt.Errorf("version %d has %w", v, ErrNoGold)
	}
	return g, err
}

func (l *Lake) readGold(name string) (*Gold, error) {
	body, err := l.store.read(name)
	if err != nil {
		return nil, err
	}
	g := new(Gold)
	err = json.Unmarshal(body, g)
	if err == nil {
		err = g.check()
	}
	if err != nil {
		return nil, fmt.Errorf("%s is damaged: %w; make it again with `seatlake build`", l.store.path(name), err)
	}
	return g, nil
}

func (g *Gold) check() error {
	if err := checkFormat(g.Format); err != nil {
		return err
	}
	if g.Version < 1 || !runForm.MatchString(g.RunID) {
		return fmt.Errorf("version %d of run %q is not one", g.Version, g.RunID)
	}
	for _, f := range g.Files {
		if !nameForm.MatchString(f.Mart) || f.Path != goldPath(g.Version)+"/"+f.Mart+".parquet" || !sumForm.MatchString(f.SHA256) {
			return fmt.Errorf("its file %q of mart %q is not one", f.Path, f.Mart)
		}
	}
	return nil
}

// goldVersions is the versions below gold/, newest first, whole or not.
func (l *Lake) goldVersions() ([]pipeline.Version, error) {
	entries, err := l.store.list(goldDir)
	if err != nil {
		return nil, err
	}
	var all []pipeline.Version
	for _, e := range entries {
		m := goldForm.FindStringSubmatch(strings.TrimSuffix(e.Name(), ".json"))
		if m == nil {
			continue
		}
		n, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil {
			return nil, err
		}
		all = append(all, pipeline.Version(n))
	}
	slices.Sort(all)
	all = slices.Compact(all)
	slices.Reverse(all)
	return all, nil
}

// pruneGold removes all but the newest versions. A version's directory is gone at
// once for readers, its list before it.
func (l *Lake) pruneGold(s *scratch) error {
	all, err := l.goldVersions()
	if err != nil || len(all) <= goldKept {
		return err
	}
	for _, v := range all[goldKept:] {
		if err := l.store.remove(goldPath(v) + ".json"); err != nil {
			return err
		}
		if err := s.discard(goldPath(v), ""); err != nil {
			return err
		}
	}
	return nil
}
