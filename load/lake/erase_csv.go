package lake

import (
	"bytes"
	"strings"

	"seatlake/schemas"
)

// csvOptions say of what kind a file is.
type csvOptions struct {
	// blank leaves an empty line for each line of a record that goes, so that the lines
	// behind it keep their numbers.
	blank bool
	// device says that rows are of devices, by columns of any names: a cell that is the
	// person's account name is the person.
	device bool
}

// eraseCSV gives a file without the records that are the person's, and how many went and
// changed. A manager's cell is emptied; names within other
// cells are redacted. All other bytes stay as they came.
func (p *person) eraseCSV(body []byte, day string, o csvOptions) (out []byte, removed, changed int64) {
	comma := delimiter(body)
	out = make([]byte, 0, len(body))
	var header []string
	for at := 0; at < len(body); {
		cells, end := record(body[at:], comma)
		raw := body[at : at+end]
		at += end
		if header == nil {
			for _, c := range cells {
				header = append(header, strings.ToLower(strings.TrimSpace(strings.TrimPrefix(c.text, "\ufeff"))))
			}
		} else if p.isRecord(header, cells, day, o.device) {
			removed++
			if o.blank {
				out = append(out, lineEnds(raw)...)
			}
			continue
		}
		edited := p.editRecord(header, cells, raw, day)
		if !bytes.Equal(edited, raw) {
			changed++
		}
		out = append(out, edited...)
	}
	return out, removed, changed
}

// cell is a cell of a record, and where its bytes stand.
type cell struct {
	text     string
	from, to int
}

// delimiter is what divides the cells, by the first line.
func delimiter(body []byte) byte {
	first, _, _ := bytes.Cut(body, []byte("\n"))
	best := byte(',')
	for _, c := range []byte(";\t") {
		if bytes.Count(first, []byte{c}) > bytes.Count(first, []byte{best}) {
			best = c
		}
	}
	return best
}

// record takes the first record apart; end is behind its line's end.
func record(body []byte, comma byte) (cells []cell, end int) {
	from, quoted := 0, false
	add := func(to int) {
		text := string(body[from:to])
		trimmed := strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
		if len(trimmed) >= 2 && trimmed[0] == '"' && trimmed[len(trimmed)-1] == '"' {
			text = strings.ReplaceAll(trimmed[1:len(trimmed)-1], `""`, `"`)
		}
		cells = append(cells, cell{text, from, to})
	}
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '"' && (quoted || len(bytes.TrimLeft(body[from:i], " \ufeff\"")) == 0):
			quoted = !quoted
		case quoted:
		case c == comma:
			add(i)
			from = i + 1
		case c == '\n':
			to := i
			if to > from && body[to-1] == '\r' {
				to--
			}
			add(to)
			return cells, i + 1
		}
	}
	add(len(body))
	return cells, len(body)
}

// lineEnds is a record's line ends alone.
func lineEnds(raw []byte) []byte {
	var out []byte
	for i, b := range raw {
		if b == '\n' || b == '\r' && i+1 < len(raw) && raw[i+1] == '\n' {
			out = append(out, b)
		}
	}
	return out
}

// ofSomebodyElse says that a column names another person than the record's.
func ofSomebodyElse(header string) bool {
	return strings.Contains(header, "manager") || strings.Contains(header, "supervisor")
}

// isRecord says whether a record is the person's: a cell is the object id or a name of
// the person, or, in a column of account names or employee numbers, one of those.
func (p *person) isRecord(header []string, cells []cell, day string, device bool) bool {
	for i, c := range cells {
		title := ""
		if i < len(header) {
			title = header[i]
		}
		text := strings.TrimSpace(c.text)
		if text == "" || ofSomebodyElse(title) {
			continue
		}
		switch {
		case p.isID([]byte(text)), unlike(normal(text)) && p.bears(schemas.Address, text, day),
			strings.Contains(text, `\`) && p.bears(schemas.AccountName, text, day),
			(device || strings.Contains(title, "user") || strings.Contains(title, "account")) && p.bears(schemas.AccountName, text, day),
			(strings.Contains(title, "employee") || strings.Contains(title, "personnel")) && p.bears(schemas.EmployeeNumber, text, day):
			return true
		}
	}
	return false
}

func (p *person) editRecord(header []string, cells []cell, raw []byte, day string) []byte {
	out, last := []byte(nil), 0
	for i, c := range cells {
		var to string
		switch {
		case i < len(header) && ofSomebodyElse(header[i]) && (p.isID([]byte(c.text)) || p.bears(schemas.Address, c.text, day)):
		default:
			redacted, found := p.redact(string(raw[c.from:c.to]))
			if !found {
				continue
			}
			to = redacted
		}
		out = append(append(out, raw[last:c.from]...), to...)
		last = c.to
	}
	if last == 0 {
		return raw
	}
	return append(out, raw[last:]...)
}
