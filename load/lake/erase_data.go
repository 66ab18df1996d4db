package lake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"

	"seatlake/load/parquet"
	"seatlake/pipeline"
	"seatlake/schemas"
)

// rowOf is what a row tells of whose it is.
type rowOf struct {
	id    []byte // object id of the row's person; nil when the table or the row has none
	named bool   // whether a name of the row's person is the erased one's
}

// isRow says whether a row is the person's. The object id decides where there is one: a
// name may be somebody else's by then.
func (p *person) isRow(row *parquet.Row, day string) (bool, error) {
	var at rowOf
	err := row.Texts(func(f *schemas.Field, value []byte) parquet.Change {
		switch {
		case f.Whose != schemas.Subject:
		case f.Personal == schemas.ObjectID:
			at.id = slices.Clone(value)
		case f.Personal.Identifies():
			at.named = at.named || p.isID(value) || p.bears(f.Personal, string(value), day)
		}
		return parquet.Change{}
	})
	if at.id != nil {
		return p.isID(at.id), err
	}
	return at.named, err
}

// edit erases the person from a row; false when nothing of it stays.
func (p *person) edit(table *schemas.Table, row *parquet.Row, day string) (keep bool, err error) {
	mine, err := p.isRow(row, day)
	if err != nil || mine && table.Erasure == schemas.EraseRows {
		return false, err
	}
	return true, row.Texts(func(f *schemas.Field, value []byte) parquet.Change {
		blank := func() parquet.Change {
			switch {
			case !f.Required:
				return parquet.Change{Drop: true}
			case f.Kind == schemas.UUID:
				return parquet.Change{To: make([]byte, 16)}
			}
			return parquet.Change{To: []byte(schemas.ErasedText)}
		}
		switch {
		case f.Personal != 0 && f.Whose == schemas.Subject && mine:
			return blank()
		case f.Personal == schemas.ObjectID && f.Whose != schemas.Subject && p.isID(value),
			f.Personal.Identifies() && f.Personal != schemas.ObjectID && f.Whose != schemas.Subject && p.bears(f.Personal, string(value), day):
			return blank()
		case f.Kind == schemas.UUID:
			return parquet.Change{}
		}
		if text, found := p.redact(string(value)); found {
			return parquet.Change{To: []byte(text)}
		}
		return parquet.Change{}
	})
}

// mentions says whether a Parquet file may tell of the person.
func (l *Lake) mentions(name string, p *person) (found bool, err error) {
	info, err := l.store.stat(name)
	if err != nil {
		return false, err
	}
	in, err := l.store.open(name)
	if err != nil {
		return false, err
	}
	defer in.Close()
	if found, err = parquet.Mentions(in, info.Size(), p.words(), p.guids()); err != nil {
		return false, fmt.Errorf("%s: %w; %s", l.store.path(name), err, cureRestore)
	}
	return found, nil
}

// dataFiles calls fn with every data file on the disk that can tell of a tenant's
// people, listed or not.
func (l *Lake) dataFiles(ctx context.Context, tenant string, fn func(name string, at Location) error) error {
	return l.store.walk(dataDir, func(name string, _ fs.DirEntry) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		at, err := ParsePath(name)
		if err != nil || at.Tenant != tenant {
			return nil // not ours, or of products
		}
		return fn(name, at)
	})
}

// eraseData makes new files of those that a kept version lists and that tell of the
// person. Files that no kept version lists are named to be removed. Those in clean
// were looked at before.
func (x *erasing) eraseData(ctx context.Context, entries []*entry, oldest pipeline.Version) error {
	kept, err := listedFrom(entries, oldest)
	if err != nil {
		return err
	}
	listed := everListed(entries)
	return x.lake.dataFiles(ctx, x.tenant, func(name string, at Location) error {
		if x.clean[name] {
			return nil
		}
		if _, is := kept[name]; !is {
			told, err := x.lake.mentions(name, x.who)
			if err != nil || told {
				// What cannot be read tells nobody, and no version needs it.
				x.gone = append(x.gone, name)
			}
			return nil
		}
		told, err := x.lake.mentions(name, x.who)
		if err != nil {
			return err
		}
		if told {
			f := listed[name]
			if err := x.rewriteData(ctx, f); err != nil {
				return fmt.Errorf("%s: %w", x.lake.store.path(name), err)
			}
		}
		x.clean[name] = true
		return nil
	})
}

// rewriteData stages a data file without the person; nothing when it tells of somebody
// else.
func (x *erasing) rewriteData(ctx context.Context, f pipeline.File) (err error) {
	table, err := tableOf(f)
	if err != nil {
		return err
	}
	removed, changed := int64(0), int64(0)
	edit := func(row *parquet.Row) (bool, error) {
		keep, err := x.who.edit(table, row, f.Partition)
		switch {
		case !keep:
			removed++
		case row.Edited():
			changed++
		}
		return keep, err
	}
	out, err := x.lake.store.create(x.scratch.temp())
	if err != nil {
		return err
	}
	closed := false
	defer func() {
		if !closed {
			err = errors.Join(err, out.close())
		}
	}()
	rows, err := parquet.NewWriter(out, table, parquet.Options{Metadata: map[string]string{
		"seatlake.table":          table.Name,
		"seatlake.schema_version": strconv.Itoa(f.SchemaVersion),
	}})
	if err != nil {
		return err
	}
	for batch, err := range x.lake.rowsOf(f, f.Path, table, parquet.ReadOptions{Edit: edit}) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = rows.Write(batch)
		}
		if err != nil {
			return err
		}
	}
	if removed+changed == 0 {
		return nil
	}
	if err := rows.Close(); err != nil {
		return err
	}
	closed = true
	if err := out.finish(); err != nil {
		return err
	}
	if err := x.lake.verify(out.name, out.size, rows.Rows()); err != nil {
		return err
	}
	if rows.Rows() != f.Rows-removed {
		return fmt.Errorf("%d of %d rows were removed, and %d are left", removed, f.Rows, rows.Rows())
	}
	r := rewritten{Path: f.Path}
	if rows.Rows() > 0 {
		at, err := ParsePath(f.Path)
		if err != nil {
			return err
		}
		at.Sum = out.sha256()[:12]
		r.To, r.Size, r.SHA256, r.Rows = at.path(), out.size, out.sha256(), rows.Rows()
	}
	x.done.Data = append(x.done.Data, ErasedFile{Path: f.Path, Removed: removed, Changed: changed})
	x.stage(r, out.name)
	return nil
}

// findPerson reads who somebody is: by object id, or by a sign-in name or an address,
// which has to lead to one object id.
func (l *Lake) findPerson(ctx context.Context, tenant, user string) (*person, error) {
	p := &person{Names: []personName{}}
	if guidForm.MatchString(normal(user)) {
		p.ID = normal(user)
	} else {
		p.add(schemas.Address, user, "")
		ids, err := l.idsOf(ctx, tenant, p)
		if err != nil {
			return nil, err
		}
		if len(ids) > 1 {
			return nil, &AmbiguousError{User: user, IDs: ids}
		}
		if len(ids) == 1 {
			p.ID = ids[0]
		}
	}
	if p.ID != "" {
		if err := l.people(ctx, tenant, p, func(table *schemas.Table, row rowTexts, day string) {
			if row.isOf(p) {
				row.names(p.add, day)
			}
		}, fromGraph); err != nil {
			return nil, err
		}
		if err := l.rawNames(ctx, tenant, p); err != nil {
			return nil, err
		}
	}
	// The HR file knows the employee number of somebody who has none in the directory.
	if err := l.people(ctx, tenant, p, func(table *schemas.Table, row rowTexts, day string) {
		if row.named(p, day) {
			row.names(p.add, day)
		}
	}, func(t *schemas.Table) bool { return t == schemas.HrEmployees }); err != nil {
		return nil, err
	}
	// And who else bore the names.
	return p, l.people(ctx, tenant, p, func(table *schemas.Table, row rowTexts, day string) {
		if p.ID != "" && row.id != nil && !row.isOf(p) {
			row.names(p.other, day)
		}
	}, fromGraph)
}

// fromGraph says that the rows of a table are what Graph says of users.
func fromGraph(t *schemas.Table) bool { return t.Format == schemas.JSON && t.NamesPersons() }

// AmbiguousError is the error of a name that several people bore.
type AmbiguousError struct {
	User string
	IDs  []string // object ids, sorted
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%s is the name of %d users over time, %v: name the object id of the one to erase", e.User, len(e.IDs), e.IDs)
}

// idsOf is the object ids of those who bear a name of p, by their sign-in name, else by
// an address.
func (l *Lake) idsOf(ctx context.Context, tenant string, p *person) ([]string, error) {
	bySignIn, byAddress := map[string]bool{}, map[string]bool{}
	err := l.people(ctx, tenant, p, func(table *schemas.Table, row rowTexts, day string) {
		if row.id == nil {
			return
		}
		for _, c := range row.cells {
			if c.kind.Identifies() && p.bears(c.kind, c.text, day) {
				byAddress[row.guid()] = true
				if c.kind == schemas.SignInName {
					bySignIn[row.guid()] = true
				}
			}
		}
	}, fromGraph)
	if err != nil {
		return nil, err
	}
	if err := l.rawIDs(ctx, tenant, p, bySignIn, byAddress); err != nil {
		return nil, err
	}
	ids := bySignIn
	if len(ids) == 0 {
		ids = byAddress
	}
	var out []string
	for id := range ids {
		out = append(out, id)
	}
	slices.Sort(out)
	return out, nil
}

// rowTexts is what a row tells of its person.
type rowTexts struct {
	id    []byte
	cells []rowText
}

type rowText struct {
	kind schemas.Personal
	text string
}

func (r rowTexts) isOf(p *person) bool { return r.id != nil && p.isID(r.id) }

func (r rowTexts) named(p *person, day string) bool {
	return slices.ContainsFunc(r.cells, func(c rowText) bool { return c.kind.Identifies() && p.bears(c.kind, c.text, day) })
}

func (r rowTexts) names(fn func(kind schemas.Personal, text, day string), day string) {
	for _, c := range r.cells {
		fn(c.kind, c.text, day)
	}
}

func (r rowTexts) guid() string {
	if len(r.id) != 16 {
		return normal(string(r.id))
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", r.id[:4], r.id[4:6], r.id[6:8], r.id[8:10], r.id[10:])
}

// people calls fn with every row of the files that may tell of the person, in the
// tables that of names.
func (l *Lake) people(ctx context.Context, tenant string, p *person, fn func(*schemas.Table, rowTexts, string), of func(*schemas.Table) bool) error {
	return l.dataFiles(ctx, tenant, func(name string, at Location) error {
		table, known := schemas.ByName(at.Table)
		if !known || !of(table) {
			return nil
		}
		told, err := l.mentions(name, p)
		if err != nil || !told {
			return err
		}
		return l.eachPerson(name, table, func(row rowTexts) { fn(table, row, at.Partition) })
	})
}

func (l *Lake) eachPerson(name string, table *schemas.Table, fn func(rowTexts)) error {
	info, err := l.store.stat(name)
	if err != nil {
		return err
	}
	in, err := l.store.open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	rows, err := parquet.Read(in, info.Size(), table, parquet.ReadOptions{Edit: func(row *parquet.Row) (bool, error) {
		var r rowTexts
		err := row.Texts(func(f *schemas.Field, value []byte) parquet.Change {
			switch {
			case f.Whose != schemas.Subject || f.Personal == 0:
			case f.Personal == schemas.ObjectID:
				r.id = slices.Clone(value)
			default:
				r.cells = append(r.cells, rowText{f.Personal, string(value)})
			}
			return parquet.Change{}
		})
		fn(r)
		return false, err
	}})
	if err != nil {
		return fmt.Errorf("%s: %w", l.store.path(name), err)
	}
	for _, err := range rows.Batches {
		if err != nil {
			return fmt.Errorf("%s: %w", l.store.path(name), err)
		}
	}
	return nil
}
