package lake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"seatlake/schemas"
)

// jsonEraser copies JSON byte by byte and leaves the person out. Elements of the
// collection that are the person's are cut out with their comma; objects within others
// that are the person, such as a manager, become null; names within texts are
// redacted. All other bytes stay as they came.
type jsonEraser struct {
	who     *person
	day     string
	in      []byte
	out     []byte
	at      int
	removed int64
	changed int64
}

// eraseJSON gives a document without the person, and how many elements went and
// changed.
func (p *person) eraseJSON(body []byte, day string) (out []byte, removed, changed int64, err error) {
	if !json.Valid(body) {
		return nil, 0, 0, errors.New("it is not JSON")
	}
	j := &jsonEraser{who: p, day: day, in: body, out: make([]byte, 0, len(body))}
	j.space()
	if j.at < len(body) && body[j.at] == '{' {
		j.collection()
	} else {
		j.value(0)
	}
	j.out = append(j.out, body[j.at:]...)
	return j.out, j.removed, j.changed, nil
}

// copy copies n bytes.
func (j *jsonEraser) copy(n int) {
	j.out = append(j.out, j.in[j.at:j.at+n]...)
	j.at += n
}

func (j *jsonEraser) space() {
	for j.at < len(j.in) && strings.IndexByte(" \t\r\n", j.in[j.at]) >= 0 {
		j.copy(1)
	}
}

// text reads the string that is next, and where it ends.
func (j *jsonEraser) text() (s string, end int) {
	end = j.at + 1
	for j.in[end] != '"' {
		if j.in[end] == '\\' {
			end++
		}
		end++
	}
	end++
	_ = json.Unmarshal(j.in[j.at:end], &s) // the document is valid
	return s, end
}

// collection copies the outer object. Of the list that it wraps, elements are cut out.
func (j *jsonEraser) collection() {
	j.members(func(key string) {
		if key == "value" && j.in[j.at] == '[' {
			j.elements()
			return
		}
		j.value(1)
	})
}

// members copies an object, whose values fn copies.
func (j *jsonEraser) members(fn func(key string)) {
	j.copy(1)
	for {
		j.space()
		switch j.in[j.at] {
		case '}':
			j.copy(1)
			return
		case ',':
			j.copy(1)
			continue
		}
		key, end := j.text()
		j.copy(end - j.at)
		j.space()
		j.copy(1) // the colon
		j.space()
		fn(key)
	}
}

// elements copies a list without the elements that are the person's. A comma goes with
// each: that before it, or that behind the first.
func (j *jsonEraser) elements() {
	j.copy(1)
	kept := 0
	for {
		mark := len(j.out)
		j.space()
		if j.in[j.at] == ']' {
			j.copy(1)
			return
		}
		if j.in[j.at] == ',' {
			if kept == 0 { // the elements before it are gone
				j.out = j.out[:mark]
				j.at++
				continue
			}
			j.copy(1)
			j.space()
		}
		before := j.changed
		if j.value(0) {
			j.out = j.out[:mark]
			j.removed++
			j.changed = before
			continue
		}
		kept++
	}
}

// value copies a value and says whether it is an object that is the person. One below
// the elements then becomes null.
func (j *jsonEraser) value(depth int) (mine bool) {
	from, before := len(j.out), j.changed
	switch j.in[j.at] {
	case '{':
		var ids []string
		named := false
		j.members(func(key string) {
			if j.in[j.at] == '"' {
				s, _ := j.text()
				switch {
				case key == "id" || key == "userId":
					ids = append(ids, s)
				case key == "userPrincipalName" || key == "mail" || key == "ownerPrincipalName":
					named = named || j.who.bears(schemas.Address, s, j.day)
				}
			}
			j.value(depth + 1)
		})
		for _, id := range ids {
			mine = mine || j.who.isID([]byte(id))
		}
		mine = mine || named && len(ids) == 0
		if mine && depth > 0 {
			j.out = append(j.out[:from], "null"...)
			j.changed = before + 1
		}
	case '[':
		j.copy(1)
		for {
			j.space()
			switch j.in[j.at] {
			case ']':
				j.copy(1)
				return false
			case ',':
				j.copy(1)
			default:
				j.value(depth + 1)
			}
		}
	case '"':
		j.string()
	default:
		n := bytes.IndexAny(j.in[j.at:], ",]} \t\r\n")
		if n < 0 {
			n = len(j.in) - j.at
		}
		j.copy(n)
	}
	return mine
}

// string copies a text. One that is the object id or a name of the person becomes null.
func (j *jsonEraser) string() {
	s, end := j.text()
	redacted, found := j.who.redact(s)
	switch {
	case !found:
		j.copy(end - j.at)
		return
	case redacted == schemas.ErasedText:
		j.out = append(j.out, "null"...)
	default:
		quoted, err := json.Marshal(redacted)
		if err != nil { // a string always can be
			quoted = []byte(fmt.Sprintf("%q", schemas.ErasedText))
		}
		j.out = append(j.out, quoted...)
	}
	j.changed++
	j.at = end
}
