package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/bytedance/sonic/ast"
	"github.com/go-json-experiment/json/jsontext"

	"seatlake/schemas"
)

// node is a property and the builder its values go to. The streaming peers share
// it, so that they differ in their parsers alone: names are looked up by the order
// of the object before, values go straight into typed builders.
type node struct {
	builder array.Builder
	text    *array.BinaryBuilder
	bools   *array.BooleanBuilder
	times   *array.TimestampBuilder
	ints    *array.Int32Builder
	lists   *array.ListBuilder
	elem    *node // of a list

	structs *array.StructBuilder // of an element that is an object; nil for rows
	object  bool
	kids    []*child // in the order of the last object
	byName  map[string]*child
	leaves  []array.Builder // all that an object fills, for nulls
}

type child struct {
	name string
	node *node // nil: not stored
}

// plan is the tree of a table's properties over the builders of its columns.
func plan(fields []schemas.Field, rb *array.RecordBuilder) *node {
	root := &node{object: true, byName: map[string]*child{}}
	for i := range fields {
		root.add(strings.Split(fields[i].From, "."), &fields[i], rb.Field(i))
		root.leaves = append(root.leaves, rb.Field(i))
	}
	return root
}

func (n *node) add(path []string, f *schemas.Field, b array.Builder) {
	c := n.byName[path[0]]
	if c == nil {
		c = &child{name: path[0]}
		n.byName[path[0]] = c
	}
	if len(path) > 1 {
		if c.node == nil {
			c.node = &node{object: true, byName: map[string]*child{}}
		}
		c.node.add(path[1:], f, b)
		return
	}
	c.node = leaf(f, b)
}

func leaf(f *schemas.Field, b array.Builder) *node {
	n := &node{builder: b}
	switch b := b.(type) {
	case *array.StringBuilder:
		n.text = b.BinaryBuilder
	case *array.BooleanBuilder:
		n.bools = b
	case *array.TimestampBuilder:
		n.times = b
	case *array.Int32Builder:
		n.ints = b
	case *array.ListBuilder:
		n.lists = b
		n.elem = leaf(f.Elem, b.ValueBuilder())
	case *array.StructBuilder:
		n.structs, n.object, n.byName = b, true, map[string]*child{}
		for i := range f.Fields {
			n.add([]string{f.Fields[i].From}, &f.Fields[i], b.FieldBuilder(i))
			n.leaves = append(n.leaves, b.FieldBuilder(i))
		}
	}
	return n
}

// key is the child of that name, guessed to stand where it stood last time.
func (n *node) key(name string, at int) *child {
	if at < len(n.kids) && n.kids[at].name == name {
		return n.kids[at]
	}
	c := n.byName[name]
	if c == nil {
		c = &child{name: strings.Clone(name)}
		n.byName[c.name] = c
	}
	if at < len(n.kids) {
		n.kids[at] = c
	} else {
		n.kids = append(n.kids, c)
	}
	return c
}

// end completes an object: columns it did not have are null.
func (n *node) end(length int) {
	for _, b := range n.leaves {
		if b.Len() < length {
			b.AppendNull()
		}
	}
}

func (n *node) putText(v []byte) error {
	switch {
	case n.text != nil:
		n.text.Append(v)
	case n.times != nil:
		t, err := instant(v)
		if err != nil {
			return err
		}
		n.times.Append(t)
	default:
		return fmt.Errorf("a string for a %s", n.builder.Type())
	}
	return nil
}

// instant reads "2006-01-02T15:04:05Z" by its digits, and anything else with the
// standard library.
func instant(v []byte) (arrow.Timestamp, error) {
	two := func(i int) int { return int(v[i]-'0')*10 + int(v[i+1]-'0') }
	if len(v) == 20 && v[19] == 'Z' && v[10] == 'T' {
		t := time.Date(two(0)*100+two(2), time.Month(two(5)), two(8), two(11), two(14), two(17), 0, time.UTC)
		return arrow.Timestamp(t.UnixMicro()), nil
	}
	t, err := time.Parse(time.RFC3339Nano, string(v))
	return arrow.Timestamp(t.UnixMicro()), err
}

// visitor feeds builders from sonic's ast.Preorder.
type visitor struct {
	root  *node
	rows  int
	stack []frame
	now   *node // where the next value goes; nil: nowhere
	skip  int   // depth within what is not stored
	value bool  // the page's array of rows has begun
}

type frame struct {
	node *node
	at   int // keys seen
}

var _ ast.Visitor = (*visitor)(nil)

func (v *visitor) decode(text []byte) error {
	v.stack, v.skip, v.value, v.now = v.stack[:0], 0, false, nil
	return ast.Preorder(unsafe.String(unsafe.SliceData(text), len(text)), v, nil)
}

func (v *visitor) OnNull() error {
	if v.now != nil && v.now.builder != nil {
		v.now.builder.AppendNull()
	}
	return nil
}

func (v *visitor) OnBool(b bool) error {
	if v.now != nil && v.now.bools != nil {
		v.now.bools.Append(b)
	}
	return nil
}

func (v *visitor) OnString(s string) error {
	if v.now == nil || v.skip > 0 {
		return nil
	}
	return v.now.putText(unsafe.Slice(unsafe.StringData(s), len(s)))
}

func (v *visitor) OnInt64(n int64, _ json.Number) error {
	if v.now != nil && v.now.ints != nil {
		v.now.ints.Append(int32(n))
	}
	return nil
}

func (v *visitor) OnFloat64(float64, json.Number) error { return nil }

func (v *visitor) OnObjectBegin(int) error {
	switch {
	case !v.value: // the page itself
		v.stack = append(v.stack, frame{})
	case v.skip > 0 || v.now == nil:
		v.skip++
	default:
		if v.now.structs != nil {
			v.now.structs.Append(true)
		}
		v.stack = append(v.stack, frame{node: v.now})
	}
	return nil
}

func (v *visitor) OnObjectKey(key string) error {
	if v.skip > 0 {
		return nil
	}
	top := &v.stack[len(v.stack)-1]
	if top.node == nil {
		if v.now = nil; key == "value" {
			v.now = &node{elem: v.root}
		}
		return nil
	}
	v.now = top.node.key(key, top.at).node
	top.at++
	return nil
}

func (v *visitor) OnObjectEnd() error {
	if v.skip > 0 {
		v.skip--
		return nil
	}
	top := v.stack[len(v.stack)-1]
	v.stack = v.stack[:len(v.stack)-1]
	switch {
	case top.node == nil:
	case top.node == v.root:
		v.rows++
		v.root.end(v.rows)
		v.now = v.root
	case top.node.structs != nil:
		top.node.end(top.node.structs.Len())
		v.now = top.node
	}
	return nil
}

func (v *visitor) OnArrayBegin(int) error {
	if v.skip > 0 || v.now == nil {
		v.skip++
		return nil
	}
	if v.now.lists != nil {
		v.now.lists.Append(true)
	}
	v.value = true
	v.stack = append(v.stack, frame{node: v.now})
	v.now = v.now.elem
	return nil
}

func (v *visitor) OnArrayEnd() error {
	if v.skip > 0 {
		v.skip--
		return nil
	}
	v.stack = v.stack[:len(v.stack)-1]
	if len(v.stack) == 1 {
		v.value = false
	}
	v.now = nil
	return nil
}

// tokens feeds builders from jsontext's decoder, which skips what is not stored.
type tokens struct {
	root *node
	rows int
	dec  *jsontext.Decoder
	in   bytes.Reader
	buf  []byte
}

func newTokens(root *node) *tokens {
	t := &tokens{root: root}
	t.dec = jsontext.NewDecoder(&t.in)
	return t
}

func (t *tokens) decode(text []byte) error {
	t.dec.Reset(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(false))
	if _, err := t.dec.ReadToken(); err != nil {
		return err
	}
	for t.dec.PeekKind() == '"' {
		name, err := t.string()
		if err != nil {
			return err
		}
		if string(name) != "value" {
			if err := t.dec.SkipValue(); err != nil {
				return err
			}
			continue
		}
		if _, err := t.dec.ReadToken(); err != nil {
			return err
		}
		for t.dec.PeekKind() == '{' {
			if err := t.object(t.root); err != nil {
				return err
			}
			t.rows++
			t.root.end(t.rows)
		}
		if _, err := t.dec.ReadToken(); err != nil {
			return err
		}
	}
	_, err := t.dec.ReadToken()
	return err
}

// string reads a string without its quotes. It is good until the next one.
func (t *tokens) string() ([]byte, error) {
	raw, err := t.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], nil
	}
	t.buf, err = jsontext.AppendUnquote(t.buf[:0], raw)
	return t.buf, err
}

func (t *tokens) object(n *node) error {
	if _, err := t.dec.ReadToken(); err != nil {
		return err
	}
	for at := 0; t.dec.PeekKind() != '}'; at++ {
		name, err := t.string()
		if err != nil {
			return err
		}
		c := n.key(unsafe.String(unsafe.SliceData(name), len(name)), at)
		if c.node == nil {
			err = t.dec.SkipValue()
		} else {
			err = t.value(c.node)
		}
		if err != nil {
			return err
		}
	}
	_, err := t.dec.ReadToken()
	return err
}

func (t *tokens) value(n *node) error {
	switch t.dec.PeekKind() {
	case 'n':
		if n.builder != nil {
			n.builder.AppendNull()
		}
		return t.dec.SkipValue()
	case 't', 'f':
		tok, err := t.dec.ReadToken()
		if err == nil && n.bools != nil {
			n.bools.Append(tok.Bool())
		}
		return err
	case '"':
		v, err := t.string()
		if err != nil {
			return err
		}
		return n.putText(v)
	case '0':
		raw, err := t.dec.ReadValue()
		if err != nil || n.ints == nil {
			return err
		}
		i, err := strconv.ParseInt(string(raw), 10, 32)
		n.ints.Append(int32(i))
		return err
	case '{':
		if n.structs != nil {
			n.structs.Append(true)
		}
		if err := t.object(n); err != nil {
			return err
		}
		if n.structs != nil {
			n.end(n.structs.Len())
		}
		return nil
	case '[':
		if n.lists == nil {
			return errors.New("an array for a scalar")
		}
		n.lists.Append(true)
		if _, err := t.dec.ReadToken(); err != nil {
			return err
		}
		for t.dec.PeekKind() != ']' {
			if err := t.value(n.elem); err != nil {
				return err
			}
		}
		_, err := t.dec.ReadToken()
		return err
	default:
		_, err := t.dec.ReadToken()
		return err
	}
}
