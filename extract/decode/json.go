package decode

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"seatlake/pipeline"
	"seatlake/schemas"
)

// jsonReader reads pages that are OData collections.
type jsonReader struct {
	cursor
	out    *batch
	root   *object
	fields []schemas.Field

	row   int   // within the page, from 1, while its rows are read
	total int64 // rows read
	mark  int64 // number of the row being read over all pages, from 1
}

// object is a JSON object whose properties the table knows: a row, an element of
// a list of structs, or a property that only holds others.
type object struct {
	path    string // relative to the row, with a dot behind; empty for the row
	keys    map[string]*key
	members []*key    // those that fill columns
	columns []*column // all that the object fills, those of objects within included
	start   key       // its next is the key that came first last time
	ignored []string
	extra   int // keys that the table does not know
}

// key is a property's name and what to do with its value. next is the key that
// came behind it last time: the prediction for the object that is read now.
type key struct {
	name      string
	literal   string // "name": as it stands in a page
	head      uint64 // first eight bytes of literal
	tail      uint64 // last eight
	next      *key
	column    *column // the value goes there
	object    *object // or its properties do
	counted   bool    // the table does not know it
	refused   bool    // a row that has it is not a row
	seen      bool
	rows      int64 // counted: rows it was seen in
	mark      int64 // counted: the row it was seen in last
	predicted bool  // short enough to be compared within the pad
}

// maxKeys bounds the unknown keys that are remembered for an object. A page that
// has more is counted under the path "*".
const maxKeys = 1024

func openJSON(d *Decoder, out *batch) (reader, error) {
	r := &jsonReader{out: out, root: newObject("", d.table.Ignored), fields: d.table.Decoded()}
	for i, c := range out.columns {
		if err := r.root.add(strings.Split(r.fields[i].From, "."), c); err != nil {
			return nil, err
		}
	}
	r.root.keys["@removed"] = newKey("@removed")
	r.root.keys["@removed"].refused = true
	return r, nil
}

func newObject(path string, ignored []string) *object {
	return &object{path: path, keys: map[string]*key{}, ignored: ignored}
}

func newKey(name string) *key {
	k := &key{name: name, literal: `"` + name + `":`}
	if n := len(k.literal); n >= 8 {
		k.head = binary.LittleEndian.Uint64([]byte(k.literal))
		k.tail = binary.LittleEndian.Uint64([]byte(k.literal[n-8:]))
	}
	k.predicted = len(k.literal) <= 56
	return k
}

// add lays a column at a path of property names.
func (o *object) add(path []string, c *column) error {
	k := o.keys[path[0]]
	if k == nil {
		k = newKey(path[0])
		o.keys[k.name] = k
		o.members = append(o.members, k)
	} else if k.column != nil || len(path) == 1 {
		return fmt.Errorf("column %s: another column is read from the same property", c.path)
	}
	o.columns = append(o.columns, c)
	if len(path) > 1 {
		if k.object == nil {
			k.object = newObject(o.path+k.name+".", o.ignored)
		}
		return k.object.add(path[1:], c)
	}
	k.column = c
	// A struct's members, also those of a list's elements, are an object.
	for c.shape == shapeList {
		c = c.elem
	}
	if c.shape == shapeStruct {
		c.object = newObject(o.path+k.name+".", o.ignored)
		for _, m := range c.members {
			if err := c.object.add(strings.Split(m.field.From, "."), m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *jsonReader) read(page *pipeline.Page, full func(next int) bool) error {
	text, err := page.Text()
	if err != nil {
		return err
	}
	if len(text) > maxText {
		return fmt.Errorf("the page has %d bytes; at most %d can be decoded", len(text), maxText)
	}
	if err := refuse(text, "JSON"); err != nil {
		return err
	}
	if !full(len(text)) {
		return errStopped
	}
	r.set(padded(text))
	found := false
	before := r.out.rows
	r.members(func(name []byte, i int) int {
		if string(name) != "value" {
			return r.skip(i)
		}
		if found {
			return r.damage(`"value" stands in the page twice`)
		}
		found = true
		return r.rows(i)
	})
	if r.err != nil {
		return r.err
	}
	if !found {
		return fmt.Errorf(`no array "value" in the page: it is not a collection`)
	}
	r.total += int64(r.out.rows - before)
	if !full(0) {
		return errStopped
	}
	return nil
}

// rows reads the array of rows at i.
func (r *jsonReader) rows(i int) int {
	if r.b[i] != '[' {
		return r.fail(i, `an array for "value"`)
	}
	r.row = 0
	if i = r.space(i + 1); r.b[i] == ']' {
		return i + 1
	}
	for {
		r.row++
		r.mark++
		i = r.object(r.root, r.space(i), r.out.rows)
		r.require(r.out.required)
		if r.err != nil {
			r.err = fmt.Errorf("row %d: %w", r.row, r.err)
			return r.end
		}
		r.out.rows++
		if r.b[i] != ',' {
			if i = r.space(i); r.b[i] != ',' {
				break
			}
		}
		i++
	}
	if r.b[i] != ']' {
		return r.fail(i, "',' or ']' after row %d", r.row)
	}
	return i + 1
}

// require refuses a null where a column must have a value.
func (r *jsonReader) require(columns []*column) {
	for _, c := range columns {
		if c.lastIsNull() {
			r.damage("column %s: %s is missing, null or empty, and every row must have it", c.path, c.field.From)
			return
		}
	}
}

// object reads the object at i into position at of its columns.
func (r *jsonReader) object(o *object, i, at int) int {
	b := r.b
	if b[i] != '{' {
		if i = r.space(i); b[i] != '{' {
			return r.wrong(o, i)
		}
	}
	filled := 0
	i++
	if b[i] != '}' {
		if i = r.space(i); b[i] == '}' {
			goto done
		}
		k := &o.start
		for {
			if n := k.next; n != nil && n.match(b, i) {
				k = n
				i += len(k.literal)
			} else if k, i = r.key(o, k, i); k == nil {
				return i
			}
			switch {
			case k.column != nil:
				c := k.column
				if c.n > at { // the last of repeated keys wins
					c.truncate(at)
					filled--
				}
				i = r.value(c, i)
				filled++
			case k.object != nil:
				if c := k.object.columns[0]; c.n > at {
					for _, c := range k.object.columns {
						c.truncate(at)
					}
					filled--
				}
				i = r.within(k.object, i, at)
				filled++
			default:
				if k.counted && k.mark != r.mark {
					k.mark = r.mark
					k.rows++
				}
				if k.refused {
					return r.damage("the object was removed (@removed): answers of a delta query cannot be decoded")
				}
				i = r.skip(i)
			}
			if b[i] != ',' {
				if i = r.space(i); b[i] != ',' {
					break
				}
			}
			i++
		}
		if b[i] != '}' {
			return r.fail(i, "',' or '}'")
		}
	}
done:
	if filled < len(o.members) {
		for _, c := range o.columns {
			if c.n <= at {
				c.addNull()
			}
		}
	}
	return i + 1
}

// within reads an object that has no column of its own, or null.
func (r *jsonReader) within(o *object, i, at int) int {
	if i = r.space(i); r.b[i] == 'n' && binary.LittleEndian.Uint32(r.b[i:]) == wordNull {
		for _, c := range o.columns {
			c.addNull()
		}
		return i + 4
	}
	return r.object(o, i, at)
}

// wrong refuses what stands where an object should.
func (r *jsonReader) wrong(o *object, i int) int {
	if i >= r.end {
		return r.fail(i, "an object")
	}
	if o.path == "" {
		return r.damage("want an object, found %s", r.found(i))
	}
	return r.damage("%s: want an object, found %s", strings.TrimSuffix(o.path, "."), r.found(i))
}

// match says that the key stands at i, with no white space around it.
func (k *key) match(b []byte, i int) bool {
	n := len(k.literal)
	if n < 8 {
		return string(b[i:i+n]) == k.literal
	}
	if binary.LittleEndian.Uint64(b[i:i+8]) != k.head || binary.LittleEndian.Uint64(b[i+n-8:i+n]) != k.tail {
		return false
	}
	return n <= 16 || string(b[i+8:i+n-8]) == k.literal[8:n-8]
}

// key reads the key at i when it is not the one that was predicted, or stands
// with white space, and lets before predict it. The position returned is that of
// the value; the key is nil after an error.
func (r *jsonReader) key(o *object, before *key, i int) (*key, int) {
	i = r.space(i)
	if n := before.next; n != nil {
		if n.match(r.b, i) {
			return n, i + len(n.literal)
		}
		// A key that is now and then absent costs no more than this look.
		if n = n.next; n != nil && n.match(r.b, i) {
			return n, i + len(n.literal)
		}
	}
	if r.b[i] != '"' {
		return nil, r.fail(i, "a property name")
	}
	name, next, _ := r.text(i + 1)
	if next = r.space(next); r.b[next] != ':' {
		return nil, r.fail(next, "':'")
	}
	k, ok := o.keys[string(name)]
	if !ok {
		k = o.learn(string(name))
	}
	k.seen = true
	if k.predicted {
		before.next = k
	}
	return k, r.space(next + 1)
}

// learn remembers a key that the table does not know. Annotations and what the
// table ignores on purpose are not counted.
func (o *object) learn(name string) *key {
	known := strings.Contains(name, "@") || slices.Contains(o.ignored, o.path+name)
	if o.extra >= maxKeys && !known {
		name = "*"
		if k, ok := o.keys[name]; ok {
			return k
		}
	}
	k := newKey(name)
	k.counted = !known
	if o.extra++; o.extra > maxKeys {
		k.predicted = false
		if known {
			return k
		}
	}
	o.keys[name] = k
	return k
}

func (r *jsonReader) drift() Drift {
	d := Drift{Rows: r.total, Unknown: map[string]int64{}}
	var walk func(o *object)
	walk = func(o *object) {
		for name, k := range o.keys {
			switch {
			case k.counted:
				if k.rows > 0 {
					d.Unknown[o.path+name] = k.rows
				}
			case k.object != nil:
				walk(k.object)
			case k.column != nil:
				if inner := k.column.struc(); inner != nil {
					walk(inner)
				}
			}
		}
	}
	walk(r.root)
	if r.total == 0 {
		return d
	}
	for i := range r.fields {
		d.Missing = append(d.Missing, r.root.missing("", strings.Split(r.fields[i].From, "."))...)
	}
	return d
}

// missing lists the From at the path, or of the members below it, that no page
// had.
func (o *object) missing(prefix string, path []string) []string {
	k := o.keys[path[0]]
	if !k.seen {
		return []string{prefix + strings.Join(path, ".")}
	}
	if k.object != nil {
		return k.object.missing(prefix+k.name+".", path[1:])
	}
	inner := k.column.struc()
	if inner == nil || len(inner.columns) == 0 || !inner.any() {
		return nil
	}
	var out []string
	for _, c := range inner.columns {
		out = append(out, inner.missing(prefix+k.name+".", strings.Split(c.field.From, "."))...)
	}
	return out
}

// any says that an object of this kind was seen with a property.
func (o *object) any() bool {
	for _, k := range o.keys {
		if k.seen {
			return true
		}
	}
	return false
}

// struc is the object of a struct column or of a list of structs; nil for others.
func (c *column) struc() *object {
	for c.shape == shapeList {
		c = c.elem
	}
	return c.object
}
