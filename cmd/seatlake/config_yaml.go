package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// reader walks the YAML nodes of one file, so that each fault knows its line.
// After a fault it goes on with a zero value: nobody sees the result.
type reader struct {
	file    string
	dir     string // absolute, where relative paths begin
	env     func(string) (string, bool)
	secrets bool
	faults  []Fault
	notes   []string
}

// place is a node and its name. The node is nil when the file leaves the value
// out; line is then that of what should have held it.
type place struct {
	*yaml.Node
	key  string
	line int
	// private places never have their text quoted.
	private bool
}

func (p place) given() bool { return p.Node != nil }

func (r *reader) fault(p place, format string, args ...any) {
	r.faults = append(r.faults, Fault{File: r.file, Line: p.line, Key: p.key, Text: fmt.Sprintf(format, args...)})
}

func (r *reader) note(p place, text string) {
	r.notes = append(r.notes, Fault{File: r.file, Line: p.line, Key: p.key, Text: text}.String())
}

// parse gives the only document of a file; an empty file is an empty mapping.
func (r *reader) parse(text []byte) (place, bool) {
	var doc, second yaml.Node
	in := yaml.NewDecoder(bytes.NewReader(text))
	err := in.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return place{line: 1, Node: &yaml.Node{Kind: yaml.MappingNode, Line: 1}}, true
	}
	if err == nil && len(doc.Content) == 1 {
		if err = in.Decode(&second); errors.Is(err, io.EOF) {
			root := resolve(doc.Content[0])
			if root.Kind == yaml.ScalarNode && root.Tag == "!!null" { // nothing but comments
				root = &yaml.Node{Kind: yaml.MappingNode, Line: 1}
			}
			return place{line: root.Line, Node: root}, true
		}
		if err == nil {
			r.fault(place{line: second.Line}, "a second YAML document begins here; write one only")
			return place{}, false
		}
	}
	line, reason := 0, "is not a YAML document"
	if err != nil {
		line, reason = syntaxError(text, err)
	}
	r.fault(place{line: line}, "%s", reason)
	return place{}, false
}

// syntaxError gives the line of a YAML error, and its text without the pieces of
// the file that some of them quote.
func syntaxError(text []byte, err error) (line int, reason string) {
	reason = strings.TrimPrefix(err.Error(), "yaml: ")
	if m := regexp.MustCompile(`^line (\d+): (?s)(.*)`).FindStringSubmatch(reason); m != nil {
		line, _ = strconv.Atoi(m[1])
		reason = m[2]
	}
	if m := regexp.MustCompile(`^unknown anchor '(.*)'`).FindStringSubmatch(reason); m != nil {
		before, _, _ := bytes.Cut(text, []byte("*"+m[1]))
		line = 1 + bytes.Count(before, []byte("\n"))
	}
	switch {
	case strings.Contains(reason, "anchor"), strings.Contains(reason, "alphabetic or numeric"):
		reason = "a value that begins with * or & is an alias or anchor, and this one is not known; quote it if it is text"
	case strings.Contains(reason, "decode"):
		reason = "a value does not fit the !!type written before it; quote it if it is text"
	}
	return line, "YAML: " + reason
}

// resolve follows an alias to what it stands for.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias // an anchor never stands on an alias
	}
	return n
}

// mapping splits p into its keys and names those that are not allowed or written
// twice. A key that is absent or null is in the result without a node.
func (r *reader) mapping(p place, allowed ...string) map[string]place {
	keys := make(map[string]place, len(allowed))
	for _, key := range allowed {
		keys[key] = place{key: join(p.key, key), line: p.line, private: p.private}
	}
	for _, e := range r.entries(p) {
		known, ok := keys[e.name]
		if !ok {
			r.unknown(e, allowed)
			continue
		}
		known.Node, known.line = e.Node, e.line
		keys[e.name] = known
	}
	return keys
}

// entry is one key of a mapping with its value.
type entry struct {
	place
	name string
}

// entries gives the keys of a mapping in the file's order, each once.
func (r *reader) entries(p place) []entry {
	if !p.given() {
		return nil
	}
	if p.Kind != yaml.MappingNode {
		r.fault(p, "must be a mapping of keys to values, not %s", kind(p.Node))
		return nil
	}
	var out []entry
	lines := map[string]int{}
	for i := 0; i+1 < len(p.Content); i += 2 {
		name, value := p.Content[i], resolve(p.Content[i+1])
		at := place{key: p.key, line: name.Line, private: p.private}
		if name.Kind != yaml.ScalarNode {
			r.fault(at, "a key must be text, not %s", kind(name))
			continue
		}
		if name.Tag == "!!merge" {
			r.fault(at, "merge keys (<<) are not supported; write the values out")
			continue
		}
		at.key = join(p.key, strings.SplitN(name.Value, ":", 2)[0])
		if line, ok := lines[name.Value]; ok {
			r.fault(at, "is written twice; line %d has it too", line)
			continue
		}
		lines[name.Value] = name.Line
		if value.Kind == yaml.ScalarNode && value.Tag == "!!null" {
			value = nil
		}
		at.Node = value
		out = append(out, entry{at, name.Value})
	}
	return out
}

// unknown names a key that is not allowed. What follows a colon in it is a value
// that lacks its space, and is not repeated.
func (r *reader) unknown(e entry, allowed []string) {
	name, _, colon := strings.Cut(e.name, ":")
	switch guess, ok := closest(name, allowed); {
	case colon && ok:
		r.fault(e.place, "is not a key; a space is missing after the colon of %s", guess)
	case ok:
		r.fault(e.place, "is not a key; did you mean %s?", guess)
	default:
		r.fault(e.place, "is not a key; here are %s", strings.Join(allowed, ", "))
	}
}

// list gives the elements of a sequence.
func (r *reader) list(p place) []place {
	if !p.given() {
		return nil
	}
	if p.Kind != yaml.SequenceNode {
		r.fault(p, "must be a list, not %s", kind(p.Node))
		return nil
	}
	out := make([]place, len(p.Content))
	for i, n := range p.Content {
		n := resolve(n)
		out[i] = place{Node: n, key: fmt.Sprintf("%s[%d]", p.key, i), line: p.Content[i].Line, private: p.private}
	}
	return out
}

// text gives a scalar with its variables expanded, and false when there is none:
// it is absent, or a fault was named.
func (r *reader) text(p place) (string, bool) {
	if !p.given() {
		return "", false
	}
	if p.Kind != yaml.ScalarNode || p.Tag == "!!null" {
		r.fault(p, "must be a single value, not %s", kind(p.Node))
		return "", false
	}
	return r.expand(p)
}

// required is text that must be there and not be empty.
func (r *reader) required(p place, what string) (string, bool) {
	if !p.given() {
		r.fault(p, "is missing: %s", what)
		return "", false
	}
	s, ok := r.text(p)
	if ok && strings.TrimSpace(s) == "" {
		r.fault(p, "is empty: %s", what)
		return "", false
	}
	return s, ok
}

// expand replaces each ${NAME} by its value; $${ stands for ${ itself. Whatever
// the values hold is taken as it is.
func (r *reader) expand(p place) (string, bool) {
	var out strings.Builder
	ok := true
	for rest := p.Value; ; {
		before, after, found := strings.Cut(rest, "${")
		if !found {
			out.WriteString(rest)
			return out.String(), ok
		}
		if strings.HasSuffix(before, "$") {
			out.WriteString(before + "{")
			rest = after
			continue
		}
		out.WriteString(before)
		name, tail, closed := strings.Cut(after, "}")
		if !closed || !isVariable(name) {
			r.fault(p, "holds a ${ that no NAME and } follow; write $${ for the characters themselves")
			return "", false
		}
		value, set := r.env(name)
		if !set {
			r.fault(p, "the environment variable %s is not set", name)
			ok = false
		}
		out.WriteString(value)
		rest = tail
	}
}

func isVariable(s string) bool {
	for i, c := range []byte(s) {
		letter := c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// quote gives a value as the file has it, which is not what a variable in it
// stands for.
func (p place) quote() string {
	if p.private {
		return "the value"
	}
	const most = 80
	if len(p.Value) > most {
		return strconv.Quote(p.Value[:most]) + "..."
	}
	return strconv.Quote(p.Value)
}

// number gives an integer within bounds, or fallback when it is absent.
func (r *reader) number(p place, fallback, low, high int) int {
	s, ok := r.text(p)
	if !ok {
		return fallback
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		r.fault(p, "%s is not a whole number", p.quote())
		return fallback
	}
	if n < low || n > high {
		r.fault(p, "%s is out of range; from %d to %d is possible", p.quote(), low, high)
		return fallback
	}
	return n
}

// truth gives true or false.
func (r *reader) truth(p place, fallback bool) bool {
	switch s, ok := r.text(p); {
	case !ok:
		return fallback
	case s == "true", s == "false":
		return s == "true"
	default:
		r.fault(p, "%s is neither true nor false", p.quote())
		return fallback
	}
}

// path gives a path made absolute, empty when it is absent.
func (r *reader) path(p place) string {
	s, ok := r.text(p)
	if !ok {
		return ""
	}
	if s == "" || strings.ContainsRune(s, 0) {
		r.fault(p, "is not a path; leave the key out to have none")
		return ""
	}
	if !filepath.IsAbs(s) {
		s = filepath.Join(r.dir, s)
	}
	return filepath.Clean(s)
}

// kind names a node for people.
func kind(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "nothing"
	}
	return "a single value"
}

func join(parent, key string) string {
	if parent == "" {
		return key
	}
	return parent + "." + key
}

// closest gives the word that a misspelt one most likely meant: at most a third
// of its letters differ.
func closest(word string, among []string) (string, bool) {
	best, found := max(1, len(word)/3)+1, ""
	for _, candidate := range among {
		if d := distance(strings.ToLower(word), candidate); d < best {
			best, found = d, candidate
		}
	}
	return found, found != ""
}

// distance counts the insertions, deletions and replacements between two words.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			row[j+1] = min(replaced, above+1, row[j]+1)
			diagonal = above
		}
	}
	return row[len(b)]
}
