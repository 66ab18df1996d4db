package decode

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"seatlake/pipeline"
	"seatlake/schemas"
)

// Headers that the reader itself knows.
const (
	refreshHeader = "report refresh date"
	userHeader    = "user principal name"
	ownerHeader   = "owner principal name"
)

// csvReader reads pages that are usage reports. A page is a header row and the
// rows below it.
type csvReader struct {
	report
	out    *batch
	fields []schemas.Field

	cells  []*column // by position in the page's header; nil where the table has no column
	absent []*column // those the page's header does not have
	// runs says for each cell where the run of booleans or days that it stands in
	// ends, the row's last cell left out; 0 if it is neither.
	runs []int

	refresh, user *column // by which rows without both are left out

	texts [1 << 13]daySlot // days by their text
	day   dayText
	lists []listSlot // lists by their text

	total, skipped int64
	unknown        map[string]int64
	seen           map[string]bool // From of the columns that a header had
}

// daySlot remembers the ten characters of a day and its place in dayDict.near:
// day + 1. No characters at all are the null, at place 0.
type daySlot struct {
	head  uint64
	tail  uint16
	known bool
	place int32
}

// listSlot remembers a cell that is a list, and the dictionary indices of its
// elements.
type listSlot struct {
	column *column
	era    int // of the column's dictionary
	text   []byte
	values []int32
}

func openCSV(d *Decoder, out *batch) (reader, error) {
	r := &csvReader{
		report: report{size: d.opts.BlockBytes},
		out:    out, fields: d.table.Decoded(), lists: make([]listSlot, 1<<10),
		unknown: map[string]int64{}, seen: map[string]bool{},
	}
	for i, c := range out.columns {
		switch {
		case c.shape == shapeStruct || c.shape == shapeList && c.elem.shape != shapeText && c.elem.shape != shapeTextDict:
			return nil, fmt.Errorf("column %s: a report's cell cannot be %s of %v", c.path, article(c.field.Kind), c.field.Kind)
		case strings.EqualFold(r.fields[i].From, refreshHeader):
			r.refresh = c
		case strings.EqualFold(r.fields[i].From, userHeader):
			r.user = c
		case strings.EqualFold(r.fields[i].From, ownerHeader) && r.user == nil:
			r.user = c
		}
	}
	return r, nil
}

func (r *csvReader) read(page *pipeline.Page, full func(next int) bool) error {
	text, err := page.Reader()
	if err != nil {
		return err
	}
	defer text.Close()
	r.open(text)
	header, i, err := r.header()
	if err != nil {
		return err
	}
	unknown, err := r.layout(header)
	if err != nil {
		return err
	}
	before := r.total + r.skipped
	defer func() {
		for _, name := range unknown {
			r.unknown[name] += r.total + r.skipped - before
		}
	}()
	for {
		if !full(max(r.end-i, 0)) {
			return errStopped
		}
		if i, err = r.rows(i, full); err != nil {
			return err
		}
		if r.whole {
			return nil
		}
		if err := r.more(i); err != nil {
			return err
		}
		i = 0
	}
}

// rows reads the rows from i on, and returns where the rest of the page begins:
// the end of the block, or a row that the block ends within.
func (r *csvReader) rows(i int, full func(next int) bool) (int, error) {
	for i < r.end {
		at := r.out.rows
		next, err := r.row(i)
		if err != nil {
			if !errors.Is(err, errUnclosed) || !r.cutAt(i) {
				return 0, err
			}
			for _, c := range r.out.columns {
				c.truncate(at)
			}
			return i, nil
		}
		i = next
		if !full(0) {
			return 0, errStopped
		}
	}
	return i, nil
}

// layout finds the column of each header and returns the headers that have none.
func (r *csvReader) layout(header []string) (unknown []string, err error) {
	r.cells, r.absent = r.cells[:0], r.absent[:0]
	for _, h := range header {
		var cell *column
		for i, c := range r.out.columns {
			if strings.EqualFold(strings.TrimSpace(r.fields[i].From), h) {
				cell = c
				r.seen[r.fields[i].From] = true
			}
		}
		for at, c := range r.cells {
			if c != nil && c == cell {
				return nil, fmt.Errorf("header %q stands at positions %d and %d", h, at+1, len(r.cells)+1)
			}
		}
		if cell == nil && h != "" {
			unknown = append(unknown, h)
		}
		r.cells = append(r.cells, cell)
	}
	for _, c := range r.out.columns {
		if slices.Contains(r.cells, c) {
			continue
		}
		if c.field.Required {
			return nil, fmt.Errorf("the header has no %q, and every row must have it", c.field.From)
		}
		r.absent = append(r.absent, c)
	}
	r.layRuns()
	return unknown, nil
}

// layRuns finds the runs of cells that are read together.
func (r *csvReader) layRuns() {
	r.runs = append(r.runs[:0], make([]int, len(r.cells))...)
	last := len(r.cells) - 1
	for n := last - 1; n >= 0; n-- {
		c := r.cells[n]
		if c == nil || c.shape != shapeBool && c.shape != shapeDateDict {
			continue
		}
		r.runs[n] = n + 1
		if next := r.cells[n+1]; r.runs[n+1] > 0 && next.shape == c.shape {
			r.runs[n] = r.runs[n+1]
		}
	}
}

// row reads the row at i, or passes an empty line.
func (r *csvReader) row(i int) (int, error) {
	b, start, at := r.b, i, r.out.rows
	if r.atLineEnd(i) {
		return r.lineEnd(i), nil
	}
	last := len(r.cells) - 1
	for n := 0; n <= last; n++ {
		if r.runs[n] > 0 {
			if r.cells[n].shape == shapeBool {
				n, i = r.bools(n, i, at)
			} else {
				n, i = r.dates(n, i)
			}
		}
		c, begin := r.cells[n], i
		if c == nil {
			i = r.pass(i)
		} else {
			switch c.shape {
			case shapeText, shapeTextDict, shapeList:
				i = r.plain(c, i)
			case shapeInt32, shapeInt64:
				i = r.int(c, i)
			case shapeUUID:
				i = r.guid(c, i)
			case shapeBool:
				i = r.bool(c, i)
			default:
				i = begin - 1
			}
		}
		// Readers of one kind look at the bytes they expect. Whatever does not
		// end where a cell ends is read again with all the rules.
		if ch := b[max(i, 0)]; i < begin || ch != ',' && !r.atLineEnd(i) {
			var err error
			if i, err = r.any(c, begin, at); err != nil {
				return 0, err
			}
		}
		if n == last {
			break
		}
		if b[i] == ',' {
			i++
			continue
		}
		// The rest of the row is missing. It is taken for empty, unless the page
		// ends here.
		if i >= r.end {
			return 0, r.at(start, errors.New("the page ends within the row: it may be truncated"))
		}
		for _, c := range r.cells[n+1:] {
			if c != nil {
				c.addNull()
			}
		}
		break
	}
	for b[i] == ',' && i < r.end { // more cells than headers
		v, next, err := r.cell(i + 1)
		if err != nil {
			return 0, err
		}
		if len(v) > 0 {
			return 0, r.at(start, fmt.Errorf("more cells than the %d headers, and one of them is %q", len(r.cells), cut(v)))
		}
		i = next
	}
	if i-start > maxLine {
		return 0, r.at(start, fmt.Errorf("the line is longer than %d bytes", maxLine))
	}
	for _, c := range r.absent {
		c.addNull()
	}
	if r.refresh != nil && r.refresh.lastIsNull() && r.user != nil && r.user.lastIsNull() {
		for _, c := range r.out.columns {
			c.truncate(at)
		}
		r.skipped++
		return r.lineEnd(i), nil
	}
	for _, c := range r.out.required {
		if c.lastIsNull() {
			return 0, r.at(start, fmt.Errorf("column %s: %q is empty, and every row must have it", c.path, c.field.From))
		}
	}
	r.out.rows++
	r.total++
	return r.lineEnd(i), nil
}

// pass skips an unquoted cell of plain text.
func (r *csvReader) pass(i int) int {
	if r.b[i] == '"' {
		return -1
	}
	end, wide := cellEnd(r.b, i)
	if wide {
		return -1
	}
	return end
}

// plain reads a cell of a column of text that has no quote, or quotes around it
// alone, or returns -1.
func (r *csvReader) plain(c *column, i int) int {
	if r.b[i] == '"' {
		return r.between(c, i+1)
	}
	end, wide := cellEnd(r.b, i)
	if r.b[end] != ',' && !r.atLineEnd(end) || wide && !utf8.Valid(r.b[i:end]) {
		return -1
	}
	r.set(c, r.b[i:end])
	return end
}

// between reads a cell whose opening quote stands before i, if it is ASCII without
// quotes or line ends, or returns -1.
func (r *csvReader) between(c *column, i int) int {
	end, wide := stringEnd(r.b, i)
	if wide || r.b[end] != '"' || r.b[end+1] == '"' {
		return -1
	}
	r.set(c, r.b[i:end])
	return end + 1
}

// boolWord is what a cell that begins with a certain byte must be, as the lower
// case word in its first bytes.
type boolWord struct {
	mask, word         uint64
	width, null, value uint8
}

// boolWords has the words by their first byte. Its zero entries match no cell.
var boolWords = func() (t [256]boolWord) {
	for i := range t {
		t[i].word = 1 // outside the mask
	}
	set := func(s string, value uint8) {
		w := boolWord{width: uint8(len(s)), value: value}
		for i := range s {
			w.word |= uint64(s[i]) << (8 * i)
			w.mask |= 0xff << (8 * i)
		}
		t[s[0]], t[s[0]-'a'+'A'] = w, w
	}
	set("true", 1)
	set("false", 0)
	set("yes", 1)
	set("no", 0)
	for _, c := range ",\r\n" {
		t[c] = boolWord{null: 1}
	}
	return t
}()

// bools reads cells of boolean columns from position n of the row on, as far as
// the run goes and the cells are words that end in a comma. It returns the first
// cell it has not read. Which word it is decides no branch.
func (r *csvReader) bools(n, i, at int) (int, int) {
	b, end := r.b, r.runs[n]
	bit, byteAt := at&7, at>>3
	for ; n < end; n++ {
		t := &boolWords[b[i]]
		next := i + int(t.width)
		if (binary.LittleEndian.Uint64(b[i:])|controls)&t.mask != t.word || b[next] != ',' {
			break
		}
		c := r.cells[n]
		if bit == 0 {
			c.extend(1)[0] = 0
		}
		c.bytes[byteAt] |= t.value << bit
		if t.null != 0 {
			c.nulls = append(c.nulls, int32(at))
		}
		c.n++
		i = next + 1
	}
	return n, i
}

// bool reads the last cell of a row, if it is a word in lower or upper case without
// quotes or blanks, or returns -1.
func (r *csvReader) bool(c *column, i int) int {
	t := &boolWords[r.b[i]]
	if (binary.LittleEndian.Uint64(r.b[i:])|controls)&t.mask != t.word {
		return -1
	}
	if t.null != 0 {
		c.addNull()
	} else {
		c.addBool(t.value != 0)
	}
	return i + int(t.width)
}

// dates is bools for dictionaries of days. Whether a cell is empty decides no
// branch.
func (r *csvReader) dates(n, i int) (int, int) {
	b, end := r.b, r.runs[n]
	for ; n < end; n++ {
		null := 0
		if b[i] == ',' {
			null = 1
		}
		next := i + 10&(null-1)
		if b[next] != ',' {
			break
		}
		head := binary.LittleEndian.Uint64(b[i:]) & (uint64(null) - 1)
		tail := binary.LittleEndian.Uint16(b[i+8:]) & (uint16(null) - 1)
		s := &r.texts[daySlotOf(head, tail)]
		if s.head != head || s.tail != tail || !s.known {
			place := int32(0)
			if null == 0 {
				if !r.day.parse(b[i:i+10]) || r.day.year || r.day.day < 0 || r.day.day >= 1<<16 {
					break
				}
				place = r.day.day + 1
			}
			*s = daySlot{head, tail, true, place}
		}
		c := r.cells[n]
		d := c.days
		if int(s.place) >= len(d.near) || d.near[s.place] == 0 {
			d.add(s.place - 1)
		}
		c.addInt32(d.near[s.place] - 1)
		c.nulls = append(c.nulls, int32(c.n))[:len(c.nulls)+null]
		c.n++
		i = next + 1
	}
	return n, i
}

// daySlotOf is the slot for ten characters: the last digits of year, month and
// day. Only days sixteen years apart share one, and the null has its own.
func daySlotOf(head uint64, tail uint16) uint64 {
	y := head>>16&15*10 + head>>24&15
	m := head>>40&15*10 + head>>48&15
	d := uint64(tail)&15*10 + uint64(tail)>>8&15
	return y&15<<9 | m&15<<5 | d&31
}

// guid reads a cell that is a GUID in its usual form, or returns -1.
func (r *csvReader) guid(c *column, i int) int {
	u, ok := parseUUID(r.b[i : i+36])
	if !ok {
		return -1
	}
	copy(c.extend(16), u[:])
	c.n++
	return i + 36
}

// int reads a cell of an integer column, or returns -1 if it is not made of up
// to nine digits.
func (r *csvReader) int(c *column, i int) int {
	start := i
	var n int64
	for r.b[i]-'0' <= 9 {
		n = n*10 + int64(r.b[i]-'0')
		i++
		if i-start > 18 {
			return -1
		}
	}
	switch {
	case i == start:
		if r.b[i] != ',' && !r.atLineEnd(i) {
			return -1
		}
		c.addNull()
		return i
	case c.shape == shapeInt64:
		c.addInt64(n)
	case i-start > 9:
		return -1
	default:
		c.addInt32(int32(n))
	}
	c.n++
	return i
}

// any reads a cell of any column with all the rules, in place of what a faster
// reader has appended at position at.
func (r *csvReader) any(c *column, i, at int) (int, error) {
	v, next, err := r.cell(i)
	if err != nil || c == nil {
		return next, err
	}
	c.truncate(at)
	if !r.set(c, v) {
		return 0, r.at(i, fmt.Errorf("column %s: %q is not %s in %q", c.path, cut(v), article(c.field.Kind), c.field.From))
	}
	return next, nil
}

// set appends the value of a cell; an empty one is a null.
func (r *csvReader) set(c *column, v []byte) bool {
	if c.shape != shapeText && c.shape != shapeTextDict && c.shape != shapeList {
		v = bytes.TrimSpace(v)
	}
	if len(v) == 0 {
		c.addNull()
		return true
	}
	switch c.shape {
	case shapeText:
		c.addText(v)
	case shapeTextDict:
		c.addInt32(c.texts.add(v))
		c.n++
	case shapeUUID, shapeUUIDDict:
		return c.setUUID(v)
	case shapeDate, shapeDateDict:
		return c.setDay(v)
	case shapeTimestamp:
		return c.setTime(v)
	case shapeInt32, shapeInt64:
		return c.setInt(v)
	case shapeFloat64:
		return c.setFloat(v)
	case shapeBool:
		switch {
		case bytes.EqualFold(v, []byte("true")), bytes.EqualFold(v, []byte("yes")):
			c.addBool(true)
		case bytes.EqualFold(v, []byte("false")), bytes.EqualFold(v, []byte("no")):
			c.addBool(false)
		default:
			return false
		}
	case shapeList:
		r.setList(c, v)
	}
	return true
}

// setList appends the names in v. They are joined by '+' with no blank on either
// side, for a name may hold " + ".
func (r *csvReader) setList(c *column, v []byte) {
	e := c.elem
	if e.shape != shapeTextDict {
		for name := range names(v) {
			e.addText(name)
		}
	} else {
		s := &r.lists[hashText(v)>>54]
		if s.column != c || s.era != e.texts.era || !bytes.Equal(s.text, v) {
			s.column, s.era, s.text, s.values = c, e.texts.era, append(s.text[:0], v...), s.values[:0]
			for name := range names(v) {
				s.values = append(s.values, e.texts.add(name))
			}
		}
		for _, x := range s.values {
			e.addInt32(x)
		}
		e.n += len(s.values)
	}
	c.addInt32(int32(e.n))
	c.n++
}

// names divides a list of names.
func names(v []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		start := 0
		for i := 0; i <= len(v); i++ {
			if i < len(v) && (v[i] != '+' || i > 0 && v[i-1] == ' ' || i+1 < len(v) && v[i+1] == ' ') {
				continue
			}
			if name := bytes.TrimSpace(v[start:i]); len(name) > 0 && !yield(name) {
				return
			}
			start = i + 1
		}
	}
}

func (r *csvReader) drift() Drift {
	d := Drift{Rows: r.total, Unknown: r.unknown, SkippedRows: r.skipped}
	for i := range r.fields {
		if !r.seen[r.fields[i].From] && len(r.seen) > 0 {
			d.Missing = append(d.Missing, r.fields[i].From)
		}
	}
	return d
}
