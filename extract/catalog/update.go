package catalog

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Diff is how a new catalogue differs from an old one. Its SKUs are by GUID.
type Diff struct {
	Added   []SKU
	Removed []SKU
	Renamed []Rename
	Changed []SKU // same SKU, other service plans
}

// Rename is a SKU whose part number or name changed.
type Rename struct {
	From, To SKU
}

// Empty says that nothing changed.
func (d Diff) Empty() bool {
	return len(d.Added)+len(d.Removed)+len(d.Renamed)+len(d.Changed) == 0
}

// String says for people what changed, a line for each SKU.
func (d Diff) String() string {
	if d.Empty() {
		return "no SKU changed"
	}
	var lines []string
	line := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for _, s := range d.Added {
		line("added    %s %s (%s)", FormatGUID(s.ID), s.PartNumber, s.Name)
	}
	for _, s := range d.Removed {
		line("removed  %s %s (%s)", FormatGUID(s.ID), s.PartNumber, s.Name)
	}
	for _, r := range d.Renamed {
		line("renamed  %s %s (%s), was %s (%s)", FormatGUID(r.To.ID), r.To.PartNumber, r.To.Name, r.From.PartNumber, r.From.Name)
	}
	for _, s := range d.Changed {
		line("plans    %s %s (%s) has other service plans", FormatGUID(s.ID), s.PartNumber, s.Name)
	}
	line("%d added, %d removed, %d renamed, %d with other plans", len(d.Added), len(d.Removed), len(d.Renamed), len(d.Changed))
	return strings.Join(lines, "\n")
}

// Update makes a catalogue of Microsoft's CSV at path and writes it, in compact
// form, to into. It says how the new catalogue differs from the one that was
// there, or from the embedded one. A failed update leaves the old file as it
// was.
func Update(path, into string) (Diff, error) {
	next, err := readList(path)
	if err != nil {
		return Diff{}, fmt.Errorf("catalogue update from %s: %w", path, err)
	}
	var last *Catalog
	if _, err := os.Stat(into); os.IsNotExist(err) {
		last, err = Embedded()
		if err != nil {
			return Diff{}, err
		}
	} else if last, err = Load(into); err != nil {
		return Diff{}, fmt.Errorf("catalogue update: %w; remove the file to start from the embedded catalogue", err)
	}
	if err := replaceFile(into, next); err != nil {
		return Diff{}, fmt.Errorf("catalogue update: write %s: %w", into, err)
	}
	return Compare(last, next), nil
}

// readList parses the CSV at path. The list carries no date of its own; the
// file's is taken.
func readList(path string) (*Catalog, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	c, err := ParseCSV(f)
	if err != nil {
		return nil, err
	}
	c.Source = filepath.Base(path)
	c.Date = info.ModTime().UTC().Format("2006-01-02")
	return c, nil
}

// replaceFile writes beside path, then renames, so that a reader sees the old
// catalogue or the new.
func replaceFile(path string, c *Catalog) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := c.WriteCompact(f); err != nil {
		return err
	}
	if err := f.Chmod(fs.FileMode(0o644)); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Compare says how next differs from last.
func Compare(last, next *Catalog) Diff {
	var d Diff
	for _, s := range next.skus {
		old, ok := last.SKU(s.ID)
		switch {
		case !ok:
			d.Added = append(d.Added, s.SKU)
			continue
		case old != s.SKU:
			d.Renamed = append(d.Renamed, Rename{From: old, To: s.SKU})
		}
		same := func(a, b Plan) bool { return a.ID == b.ID }
		if !slices.EqualFunc(last.Plans(s.ID), next.Plans(s.ID), same) {
			d.Changed = append(d.Changed, s.SKU)
		}
	}
	for _, s := range last.skus {
		if _, ok := next.SKU(s.ID); !ok {
			d.Removed = append(d.Removed, s.SKU)
		}
	}
	return d
}
