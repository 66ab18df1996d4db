package lake

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"slices"

	"seatlake/pipeline"
)

// Repair makes again what can be made of the log alone, the checkpoint, and drops copies
// of a bucket's files on this machine that are damaged. It returns the paths, relative to
// the lake or its work directory, of what it made or took away. Marts are made by a build
// of the versions that DropDamagedGold names; pages, data files and log objects by nobody.
func (l *Lake) Repair(ctx context.Context) ([]string, error) {
	var dropped []string
	if l.store.bucket != nil {
		var err error
		if dropped, err = l.store.mirror().repair(ctx); err != nil {
			return dropped, err
		}
	}
	made, err := l.repairCheckpoint(ctx)
	return append(dropped, made...), err
}

func (l *Lake) repairCheckpoint(ctx context.Context) ([]string, error) {
	anew := &Lake{store: l.store, id: l.id}
	entries, err := anew.entries(ctx)
	if err != nil {
		return nil, err
	}
	mark, want, err := statedCheckpoint(entries)
	if err != nil || mark == nil {
		return nil, err
	}
	body, err := l.store.read(mark.name())
	if err != nil && !errors.Is(err, fs.ErrNotExist) || bytes.Equal(body, want) {
		return nil, err
	}
	if hashOf(want) != mark.SHA256 {
		// Nobody can make what was stated; without it, readers read the log.
		return []string{mark.name()}, l.store.remove(mark.name())
	}
	s, err := l.store.scratch("repair")
	if err != nil {
		return nil, err
	}
	return []string{mark.name()}, errors.Join(s.put(mark.name(), want), s.remove())
}

// DropDamagedGold takes away marts that are not as they were published, and names the
// versions to build again, oldest first. Those of a version past its retention, which
// nobody can build, are gone for good and not named. It waits for another process that
// publishes.
func (l *Lake) DropDamagedGold(ctx context.Context) ([]pipeline.Version, error) {
	entries, err := l.entries(ctx)
	if err != nil {
		return nil, err
	}
	retired, err := l.retired()
	if err != nil {
		return nil, err
	}
	s, err := l.store.scratchAlone(ctx, "gold")
	if err != nil {
		return nil, err
	}
	again, err := l.dropGold(ctx, s, entries)
	again = slices.DeleteFunc(again, func(v pipeline.Version) bool { return v < retired.Oldest || v > pipeline.Version(len(entries)) })
	return again, errors.Join(err, s.remove())
}

func (l *Lake) dropGold(ctx context.Context, s *scratch, entries []*entry) ([]pipeline.Version, error) {
	versions, err := l.goldVersions()
	if err != nil {
		return nil, err
	}
	again := map[pipeline.Version]bool{}
	for _, v := range versions {
		list := goldPath(v) + ".json"
		g, err := l.readGold(list)
		if err == nil {
			sound, err := l.goldSound(ctx, g, func(f GoldFile) string { return f.Path })
			if err != nil {
				return nil, err
			}
			if sound {
				continue
			}
		}
		again[v] = true
		if err := l.store.remove(list); err != nil {
			return nil, err
		}
		if err := s.discard(goldPath(v), ""); err != nil {
			return nil, err
		}
	}
	current, err := l.readGold(currentName)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil || current.Version > pipeline.Version(len(entries)):
		if len(versions) > 0 {
			again[versions[0]] = true
		}
		if err := l.store.remove(currentName); err != nil {
			return nil, err
		}
	default:
		sound, err := l.goldSound(ctx, current, func(f GoldFile) string { return currentDir + "/" + f.Mart + ".parquet" })
		if err != nil {
			return nil, err
		}
		if !sound {
			again[current.Version] = true
		}
	}
	var sorted []pipeline.Version
	for v := range again {
		sorted = append(sorted, v)
	}
	slices.Sort(sorted)
	return sorted, nil
}

// goldSound says whether marts have the bytes that their list says.
func (l *Lake) goldSound(ctx context.Context, g *Gold, at func(GoldFile) string) (bool, error) {
	c := &checker{lake: l}
	err := c.marts(ctx, g, at)
	return len(c.found) == 0, err
}
