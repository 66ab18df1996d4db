package lake

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"slices"
)

// Size is what a part of a lake takes on the disk.
type Size struct {
	Name  string
	Files int64
	Rows  int64 // 0 where files have no rows
	Bytes int64
}

// Stats is what a lake takes, and what for.
type Stats struct {
	Layers []Size // the parts of the directory; data is divided into what is live and what is not
	Tables []Size // live data files, by table, sorted by name
}

// Layers of a lake that Stats tells apart.
const (
	LayerLive     = "data, newest version"
	LayerReplaced = "data, older versions"
	LayerLog      = "log"
	LayerRaw      = "raw pages"
	LayerGold     = "gold"
	LayerOther    = "deliveries, ledgers, work in hand"
)

// Stats measures the lake's files. Those that come or go meanwhile may be left out.
func (l *Lake) Stats(ctx context.Context) (*Stats, error) {
	s, err := l.head(ctx)
	if err != nil {
		return nil, err
	}
	tables := map[string]*Size{}
	for _, f := range s.files {
		t := tables[f.Table]
		if t == nil {
			t = &Size{Name: f.Table}
			tables[f.Table] = t
		}
		t.Files, t.Rows, t.Bytes = t.Files+1, t.Rows+f.Rows, t.Bytes+f.Size
	}
	out := new(Stats)
	for _, t := range tables {
		out.Tables = append(out.Tables, *t)
	}
	slices.SortFunc(out.Tables, func(a, b Size) int { return cmp.Compare(a.Name, b.Name) })

	layers := []Size{{Name: LayerLive}, {Name: LayerReplaced}, {Name: LayerLog}, {Name: LayerRaw}, {Name: LayerGold}, {Name: LayerOther}}
	for dir, layer := range map[string]int{dataDir: 1, logDir: 2, rawDir: 3, goldDir: 4, feedsDir: 5, ledgerDir: 5, stagingDir: 5} {
		err := l.store.walk(dir, func(name string, e fs.DirEntry) error {
			info, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return ctx.Err()
			}
			if err != nil {
				return err
			}
			at := &layers[layer]
			if f, live := s.files[name]; live {
				at = &layers[0]
				at.Rows += f.Rows
			}
			at.Files++
			at.Bytes += info.Size()
			return ctx.Err()
		})
		if err != nil {
			return nil, err
		}
	}
	out.Layers = layers
	return out, nil
}
