package decode

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"strings"
	"unicode/utf8"

	"seatlake/pipeline"
)

// CheckCSV reads a report's text to its end, holding little of it, and refuses what
// is not a usage report: an empty page, HTML, JSON, or one without the header row
// that every report has. It looks at no row, but an error of the text, such as that
// of a body cut short, is its error.
func CheckCSV(text io.Reader) error {
	r := report{size: 64 << 10}
	r.open(text)
	if _, _, err := r.header(); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, text); err != nil {
		return fmt.Errorf("read the report: %w", err)
	}
	return nil
}

// maxLine bounds a line of a report, in bytes.
const maxLine = 1 << 20

// errUnclosed is a line that has no end before that of the block: a quote that is
// not closed.
var errUnclosed = errors.New("a quote is opened and not closed")

// report is the text of a page, cell by cell. A block of it is held at a time, which
// ends behind a line end or with the page. A line end within quotes may be one, so
// that a row can turn out to be cut.
type report struct {
	text io.Reader
	size int // least bytes of a block

	b     []byte // the block, the part of a line behind it, and Pad bytes
	end   int    // length of the block
	held  int    // length of what was read
	whole bool   // the page ends where the block does
	lines int    // line ends before the block

	scratch []byte // the last quoted cell that had quotes within
}

// open starts on a page, of which nothing is held yet.
func (r *report) open(text io.Reader) {
	r.text, r.end, r.held, r.whole, r.lines = text, 0, 0, false, 0
}

// more makes i, which is at most the end of the block, the start of the next one,
// and reads on. The next block has at least one line end more, unless the page
// ends or a line is longer than any may be.
func (r *report) more(i int) error {
	if i > 0 {
		r.lines += bytes.Count(r.b[:i], []byte{'\n'})
		r.held = copy(r.b, r.b[i:r.held])
		r.end -= i
	}
	for was := r.end; r.end == was && !r.whole; {
		if err := r.fill(max(r.size, 2*r.held)); err != nil {
			return err
		}
		if n := bytes.LastIndexByte(r.b[was:r.held], '\n'); n >= 0 {
			r.end = was + n + 1
		}
		if r.whole || r.end == was && r.held > 2*maxLine {
			r.end = r.held
		}
	}
	return nil
}

// fill reads until that many bytes are held, or the page ends.
func (r *report) fill(want int) error {
	if len(r.b) < want+pipeline.Pad {
		next := make([]byte, want+pipeline.Pad)
		copy(next, r.b[:r.held])
		r.b = next
	}
	for r.held < want && !r.whole {
		n, err := r.text.Read(r.b[r.held:want])
		r.held += n
		if errors.Is(err, io.EOF) {
			r.whole = true
		} else if err != nil {
			return fmt.Errorf("read the report: %w", err)
		}
	}
	clear(r.b[r.held : r.held+pipeline.Pad])
	return nil
}

// cutAt says that the row at i can be cut by the end of the block: there is more of
// the page, and the row is not too long already.
func (r *report) cutAt(i int) bool { return !r.whole && r.end-i <= 2*maxLine }

// header reads the header row and returns the position of the first row.
func (r *report) header() (header []string, next int, err error) {
	for {
		if err := r.more(0); err != nil {
			return nil, 0, err
		}
		header, next, err = r.firstLine()
		if err == nil || !errors.Is(err, errUnclosed) || !r.cutAt(0) {
			return header, next, err
		}
	}
}

// firstLine reads the header row of the block. A byte order mark may precede it,
// and empty lines.
func (r *report) firstLine() (header []string, next int, err error) {
	text := r.b[:r.end]
	i := 0
	if bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) {
		i = 3
	}
	for i < r.end && (text[i] == '\r' || text[i] == '\n') {
		i++
	}
	if len(bytes.TrimSpace(text[i:])) == 0 && r.cutAt(0) {
		return nil, 0, errUnclosed // the page may begin behind this
	}
	if err := refuse(text, "a CSV report"); err != nil {
		return nil, 0, err
	}
	if i < r.end && (text[i] == '{' || text[i] == '[') {
		return nil, 0, errors.New("JSON instead of a CSV report")
	}
	start := i
	for {
		v, after, err := r.cell(i)
		if err != nil {
			return nil, 0, err
		}
		header = append(header, string(bytes.TrimSpace(v)))
		if len(header) > 1<<12 || after-start > maxLine {
			return nil, 0, fmt.Errorf("line 1 is longer than %d bytes: not a report", maxLine)
		}
		if i = after; r.b[i] == ',' && i < r.end {
			i++
			continue
		}
		break
	}
	for _, h := range header {
		if strings.EqualFold(h, refreshHeader) {
			return header, r.lineEnd(i), nil
		}
	}
	return nil, 0, fmt.Errorf("no header row: the first line is %q and has no \"Report Refresh Date\"", cut(text[start:i]))
}

// at puts the line of a position before an error.
func (r *report) at(i int, err error) error {
	return fmt.Errorf("line %d: %w", 1+r.lines+bytes.Count(r.b[:min(i, r.end)], []byte{'\n'}), err)
}

// atLineEnd says that the line or the page ends at i.
func (r *report) atLineEnd(i int) bool {
	switch r.b[i] {
	case '\n':
		return true
	case '\r':
		return r.b[i+1] == '\n' || i+1 >= r.end
	default:
		return i >= r.end
	}
}

// lineEnd passes the end of the line at i.
func (r *report) lineEnd(i int) int {
	if r.b[i] == '\r' {
		i++
	}
	return i + 1
}

// cellEnd finds the first comma or control byte at or after i, and says whether a
// byte of non-ASCII text may stand before it.
func cellEnd(b []byte, i int) (end int, wide bool) {
	var seen uint64
	for {
		x := binary.LittleEndian.Uint64(b[i : i+8])
		q := x ^ commas
		stop := ((q-ones)&^q | (x-controls)&^x) & highs
		seen |= x
		if stop != 0 {
			return i + bits.TrailingZeros64(stop)>>3, seen&highs != 0
		}
		i += 8
	}
}

// cell reads the cell at i and returns the position of the comma or line end
// behind it. The value lies in the page, or in the scratch buffer until the next
// call.
func (r *report) cell(i int) (v []byte, next int, err error) {
	if r.b[i] == '"' {
		return r.quoted(i)
	}
	start := i
	var wide bool
	for {
		end, w := cellEnd(r.b, i)
		wide = wide || w
		if r.b[end] == ',' || r.atLineEnd(end) {
			v = r.b[start:end]
			if wide && !utf8.Valid(v) {
				return nil, 0, r.at(start, fmt.Errorf("invalid UTF-8 in %q", cut(v)))
			}
			return v, end, nil
		}
		switch r.b[end] {
		case 0, '\r':
			return nil, 0, r.at(end, fmt.Errorf("control byte 0x%02x in a cell: the page is damaged", r.b[end]))
		}
		i = end + 1
	}
}

// quoted reads a cell in quotes. Two quotes within are one; commas and line ends
// are text.
func (r *report) quoted(open int) (v []byte, next int, err error) {
	r.scratch = r.scratch[:0]
	doubled := false
	limit := min(r.end, open+maxLine)
	for i := open + 1; ; {
		n := bytes.IndexByte(r.b[min(i, limit):limit], '"')
		if n < 0 {
			return nil, 0, r.at(open, fmt.Errorf("%w within %d bytes", errUnclosed, limit-open))
		}
		quote := i + n
		if r.b[quote+1] == '"' {
			r.scratch = append(r.scratch, r.b[i:quote+1]...)
			doubled = true
			i = quote + 2
			continue
		}
		if v = r.b[i:quote]; doubled {
			r.scratch = append(r.scratch, v...)
			v = r.scratch
		}
		if r.b[quote+1] != ',' && !r.atLineEnd(quote+1) {
			return nil, 0, r.at(open, fmt.Errorf("text behind the closing quote of %q", cut(v)))
		}
		if !utf8.Valid(v) {
			return nil, 0, r.at(open, fmt.Errorf("invalid UTF-8 in %q", cut(v)))
		}
		return v, quote + 1, nil
	}
}
