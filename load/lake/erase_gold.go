package lake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"seatlake/load/parquet"
	"seatlake/schemas"
)

// eraseGold erases the person from the marts of all versions and from the current ones.
// Rows that are the person's go; figures that were counted with them stay as they were
// published. The list of a version is renewed behind its files, and away meanwhile.
func (x *erasing) eraseGold(ctx context.Context) error {
	versions, err := x.lake.goldVersions()
	if err != nil {
		return err
	}
	for _, v := range versions {
		if err := x.eraseMarts(ctx, goldPath(v)+".json", goldPath(v)); err != nil {
			return err
		}
	}
	return x.eraseMarts(ctx, currentName, currentDir)
}

// eraseMarts erases the person from the marts in a directory. A mart that cannot be read,
// or that no list names, tells nobody anything, and goes.
func (x *erasing) eraseMarts(ctx context.Context, list, dir string) error {
	there, err := x.lake.store.list(dir)
	if err != nil {
		return err
	}
	g, err := x.lake.readGold(list)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && x.DryRun {
		return err
	}
	renew := false
	for _, e := range there {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := path.Join(dir, e.Name())
		f := g.file(strings.TrimSuffix(e.Name(), ".parquet"))
		told, err := x.lake.mentions(name, x.who)
		if err == nil && !told {
			renew = renew || f.differs(x.lake, name)
			continue
		}
		if err != nil || f == nil {
			x.done.Marts = append(x.done.Marts, ErasedFile{Path: name, Dropped: true})
			if !x.DryRun {
				if err := x.lake.store.remove(name); err != nil {
					return err
				}
			}
			continue
		}
		changed, err := x.eraseMart(name, f)
		if err != nil {
			return fmt.Errorf("%s: %w; `seatlake build` makes it again", x.lake.store.path(name), err)
		}
		renew = renew || changed
	}
	if x.DryRun || !renew || g == nil {
		return nil
	}
	return x.renewGold(g, list, dir)
}

// file is the entry of a mart; nil when there is none.
func (g *Gold) file(mart string) *GoldFile {
	if g == nil {
		return nil
	}
	i := slices.IndexFunc(g.Files, func(f GoldFile) bool { return f.Mart == mart })
	if i < 0 {
		return nil
	}
	return &g.Files[i]
}

// differs says that a file was replaced by an erasure that died before it renewed the
// list.
func (f *GoldFile) differs(l *Lake, name string) bool {
	if f == nil {
		return false
	}
	info, err := l.store.stat(name)
	return err == nil && info.Size() != f.Size
}

// eraseMart puts a mart without the person in the place of the one that is there.
func (x *erasing) eraseMart(name string, f *GoldFile) (changed bool, err error) {
	info, err := x.lake.store.stat(name)
	if err != nil {
		return false, err
	}
	in, err := x.lake.store.open(name)
	if err != nil {
		return false, err
	}
	defer in.Close()
	out, err := x.lake.store.create(x.scratch.temp())
	if err != nil {
		return false, err
	}
	keep := slices.Contains(x.KeepRows, f.Mart)
	dropped, edited, err := parquet.EditMart(in, info.Size(), out, func(r parquet.MartRow) parquet.Verdict { return x.who.judge(r, keep) })
	if err = errors.Join(err, out.finish()); err != nil {
		return false, err
	}
	if dropped+edited == 0 {
		return false, x.lake.store.remove(out.name)
	}
	x.done.Marts = append(x.done.Marts, ErasedFile{Path: name, Removed: dropped, Changed: edited})
	if x.DryRun {
		return true, nil
	}
	if err := x.lake.verify(out.name, out.size, f.Rows-dropped); err != nil {
		return false, err
	}
	if err := x.lake.store.rename(out.name, name); err != nil {
		return false, err
	}
	return true, x.lake.store.syncDirs(path.Dir(name))
}

// rowsOfPerson are the columns of marts that say whose a row is. A row that names a person
// elsewhere, such as the total of a manager's people, stays and loses the name.
var rowsOfPerson = []string{"user_id", "user_principal_name", "mail", "subject_id"}

// judge says what becomes of a row of a mart. With keep set it is of a book of what was
// done: the row stays, and does not name the person.
func (p *person) judge(r parquet.MartRow, keep bool) parquet.Verdict {
	v := parquet.Verdict{Set: map[int][]byte{}}
	mine, other := false, false
	for c, text := range r.Texts {
		switch name := r.Columns[c]; {
		case name == "user_id":
			mine = mine || p.isID([]byte(text))
			other = other || !p.isID([]byte(text))
		case slices.Contains(rowsOfPerson, name):
			n := p.name(schemas.Address, normal(text))
			mine = mine || p.isID([]byte(text)) || n != nil && len(n.Others) == 0
		}
	}
	mine = mine && !other
	if mine && !keep {
		return parquet.Verdict{Drop: true}
	}
	for c, text := range r.Texts {
		name := r.Columns[c]
		switch {
		case mine && name == "user_id":
			v.Set[c] = []byte(schemas.ErasedGUID)
		case mine && name == "user_principal_name":
			v.Set[c] = []byte(schemas.ErasedText)
		case mine && (name == "state_reason" || name == "comment"):
			v.Set[c] = nil
		case name == "manager_id" && p.isID([]byte(text)):
			v.Set[c] = nil
		default:
			if redacted, found := p.redact(text); found {
				v.Set[c] = []byte(redacted)
			}
		}
	}
	return v
}

// renewGold writes the list of a version by what its files are now. Lists and files are
// not in the log; a version's rows that went are remembered for who adds them up.
func (x *erasing) renewGold(g *Gold, list, dir string) error {
	for i := range g.Files {
		f := &g.Files[i]
		name := dir + "/" + f.Mart + ".parquet"
		info, err := x.lake.store.stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		rows, err := x.lake.store.rows(name, info.Size())
		if err != nil {
			return err
		}
		sum, err := x.lake.store.hash(name)
		if err != nil {
			return err
		}
		f.Erased += f.Rows - rows
		f.Rows, f.Size, f.SHA256 = rows, info.Size(), sum
	}
	body, err := json.MarshalIndent(g, "", " ")
	if err != nil {
		return err
	}
	return x.scratch.put(list, append(body, '\n'))
}
