package main

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// errByHand is the error of a configuration that is written in a way that no edit
// can keep.
var errByHand = errors.New("the lists below licenses are written in a way that cannot be edited without losing something; edit them by hand")

// setPatterns writes a list below licenses (include or exclude) into the text of a
// configuration. All else, comments too, stays byte for byte.
func setPatterns(text []byte, key string, patterns []string) ([]byte, error) {
	root, err := yamlRoot(text)
	if err != nil {
		return nil, err
	}
	edit := &yamlEdit{text: text, newline: "\n"}
	if bytes.Contains(text, []byte("\r\n")) {
		edit.newline = "\r\n"
	}
	edit.set(root, key, patterns)
	out := edit.apply()
	if err := checkEdit(text, out, key, patterns); err != nil {
		return nil, err
	}
	return out, nil
}

// yamlRoot is the mapping of a document, or nil when it is empty.
func yamlRoot(text []byte) (*yaml.Node, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, nil
	}
	return doc.Content[0], nil
}

// checkEdit reads both texts and says whether they differ in the list alone.
func checkEdit(before, after []byte, key string, patterns []string) error {
	var was, is map[string]any
	if yaml.Unmarshal(before, &was) != nil || yaml.Unmarshal(after, &is) != nil {
		return errByHand
	}
	list := func(m map[string]any) (map[string]any, []string) {
		licenses, _ := m["licenses"].(map[string]any)
		values, _ := licenses[key].([]any)
		var out []string
		for _, v := range values {
			out = append(out, fmt.Sprint(v))
		}
		delete(licenses, key)
		return licenses, out
	}
	old, _ := list(was)
	rest, got := list(is)
	delete(was, "licenses")
	delete(is, "licenses")
	same := len(old) == 0 && len(rest) == 0 || reflect.DeepEqual(old, rest)
	if !same || !slices.Equal(got, patterns) || len(was)+len(is) > 0 && !reflect.DeepEqual(was, is) {
		return errByHand
	}
	return nil
}

// yamlEdit collects replacements of stretches of a text.
type yamlEdit struct {
	text    []byte
	newline string
	changes []stretch
}

type stretch struct {
	from, to int // bytes
	with     string
}

// set plans the edit. What it cannot plan it leaves undone, which checkEdit finds.
func (e *yamlEdit) set(root *yaml.Node, key string, patterns []string) {
	name, licenses := yamlMember(root, "licenses")
	flow := flowList(patterns)
	switch {
	case name == nil:
		before := ""
		if len(e.text) > 0 && !bytes.HasSuffix(e.text, []byte("\n")) {
			before = e.newline
		}
		e.change(len(e.text), len(e.text), before+"licenses:"+e.newline+"  "+key+": "+flow+e.newline)
		return
	case licenses.Kind == yaml.ScalarNode: // nothing stands there
		e.change(e.behind(name), e.behind(name), e.newline+"  "+key+": "+flow)
		return
	case licenses.Kind != yaml.MappingNode:
		return
	}
	at, list := yamlMember(licenses, key)
	switch {
	case at == nil && licenses.Style&yaml.FlowStyle != 0:
		open := e.offset(licenses) + 1
		separator := ""
		if len(licenses.Content) > 0 {
			separator = ", "
		}
		e.change(open, open, key+": "+flow+separator)
	case at == nil:
		first := e.offset(licenses.Content[0])
		e.change(first, first, key+": "+flow+e.newline+strings.Repeat(" ", licenses.Content[0].Column-1))
	case list.Kind == yaml.ScalarNode: // nothing stands there
		e.change(e.behind(at), e.behind(at), " "+flow)
	case list.Kind != yaml.SequenceNode:
	case list.Style&yaml.FlowStyle != 0:
		from := e.offset(list)
		if to := e.closing(from); to > from {
			e.change(from, to, flow)
		}
	default:
		e.block(list, patterns)
	}
}

// block edits a list that has an item on each line: the lines of items that go are
// taken out, new ones follow the last.
func (e *yamlEdit) block(list *yaml.Node, patterns []string) {
	missing := slices.Clone(patterns)
	for _, item := range list.Content {
		if i := slices.IndexFunc(missing, func(p string) bool { return strings.EqualFold(p, strings.TrimSpace(item.Value)) }); i >= 0 {
			missing = slices.Delete(missing, i, i+1)
			continue
		}
		from := e.lineStart(item.Line)
		e.change(from, e.lineStart(item.Line+1), "")
	}
	last := list.Content[len(list.Content)-1]
	at := e.lineStart(last.Line + 1)
	added := ""
	if at > 0 && e.text[at-1] != '\n' && len(missing) > 0 {
		added = e.newline
	}
	for _, p := range missing {
		added += strings.Repeat(" ", list.Column-1) + "- " + strconv.Quote(p) + e.newline
	}
	e.change(at, at, added)
}

func (e *yamlEdit) change(from, to int, with string) {
	e.changes = append(e.changes, stretch{from, to, with})
}

// apply makes the changes, which do not overlap, in order.
func (e *yamlEdit) apply() []byte {
	slices.SortStableFunc(e.changes, func(a, b stretch) int { return a.from - b.from })
	var out []byte
	done := 0
	for _, c := range e.changes {
		if c.from < done || c.to < c.from {
			continue
		}
		out = append(out, e.text[done:c.from]...)
		out = append(out, c.with...)
		done = c.to
	}
	return append(out, e.text[done:]...)
}

// lineStart is the offset of a line, from 1; the text's end when it has no such
// line.
func (e *yamlEdit) lineStart(line int) int {
	at := 0
	for range line - 1 {
		i := bytes.IndexByte(e.text[at:], '\n')
		if i < 0 {
			return len(e.text)
		}
		at += i + 1
	}
	return at
}

// offset is where a node begins. Its column counts characters.
func (e *yamlEdit) offset(n *yaml.Node) int {
	at := e.lineStart(n.Line)
	if n.Line == 1 {
		at += len(e.text) - len(bytes.TrimPrefix(e.text, []byte("\xef\xbb\xbf")))
	}
	for range n.Column - 1 {
		_, size := utf8.DecodeRune(e.text[at:])
		at += size
	}
	return at
}

// behind is the offset behind a plain key and its colon.
func (e *yamlEdit) behind(key *yaml.Node) int {
	return min(e.offset(key)+len(key.Value)+1, len(e.text))
}

// closing is the offset behind the bracket that closes the list that begins at from;
// 0 when none is found.
func (e *yamlEdit) closing(from int) int {
	quote := byte(0)
	for i := from + 1; i < len(e.text); i++ {
		switch c := e.text[i]; {
		case quote == '"' && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '#' || c == '[' || c == '{':
			return 0 // a comment within, or no list of texts
		case c == ']':
			return i + 1
		}
	}
	return 0
}

// yamlMember is a key of a mapping and its value; nil when it has none.
func yamlMember(mapping *yaml.Node, key string) (name, value *yaml.Node) {
	if mapping == nil {
		return nil, nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i], mapping.Content[i+1]
		}
	}
	return nil, nil
}

// flowList is texts as a YAML list on one line.
func flowList(patterns []string) string {
	quoted := make([]string, len(patterns))
	for i, p := range patterns {
		quoted[i] = strconv.Quote(p)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
