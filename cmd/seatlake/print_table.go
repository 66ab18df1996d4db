package main

import (
	"bufio"
	"bytes"
	"strconv"
	"strings"
	"unicode"

	"github.com/rivo/uniseg"
)

// tablePrinter aligns columns, so it must see all rows before it prints one.
type tablePrinter struct {
	w      *bufio.Writer
	tty    bool
	width  int
	types  []sqlType
	rows   [][]string // the header first; nil once the columns' widths are settled
	widths []int      // of the columns, in cells of a terminal
	text   []byte     // of a line, used again
}

// settleAfter is how many rows decide how wide a table's columns are. Rows behind
// them are printed as they come, so that a long table is not held.
const settleAfter = 1000

func (p *tablePrinter) Columns(columns []Column) error {
	p.types = typesOf(columns)
	p.widths = make([]int, len(columns))
	header := make([]string, len(columns))
	for i, c := range columns {
		header[i] = visible(c.Name)
	}
	p.rows = [][]string{}
	p.add(header)
	return nil
}

func (p *tablePrinter) Row(values []any) error {
	row := make([]string, len(values))
	for i, v := range values {
		s, err := display(v, p.types[i])
		if err != nil {
			return err
		}
		switch {
		case v == nil:
			s = "-"
		case p.tty && p.types[i].isNumber():
			s = thousands(s)
		}
		row[i] = visible(s)
	}
	p.add(row)
	return nil
}

func (p *tablePrinter) add(row []string) {
	if p.rows == nil {
		p.line(row)
		return
	}
	for i, s := range row {
		p.widths[i] = max(p.widths[i], textWidth(s))
	}
	if p.rows = append(p.rows, row); len(p.rows) > settleAfter {
		p.settle()
	}
}

func (p *tablePrinter) Close() error {
	if p.rows != nil {
		p.settle()
	}
	return p.w.Flush()
}

// settle fixes the columns' widths and prints what was held.
func (p *tablePrinter) settle() {
	if p.tty && p.width > 0 {
		p.fit()
	}
	for i, row := range p.rows {
		p.line(row)
		if i == 0 {
			rule := make([]string, len(p.widths))
			for j, width := range p.widths {
				rule[j] = strings.Repeat("─", width)
			}
			p.line(rule)
		}
	}
	p.rows = nil
}

const columnGap = 2 // cells between two columns

func (p *tablePrinter) line(row []string) {
	text := p.text[:0]
	for i, s := range row {
		if p.tty {
			s = cut(s, p.widths[i])
		}
		if i > 0 {
			text = appendSpaces(text, columnGap)
		}
		padding := p.widths[i] - textWidth(s) // negative where a late row is wider
		if p.types[i].isNumber() {
			text = append(appendSpaces(text, padding), s...)
		} else {
			text = appendSpaces(append(text, s...), padding)
		}
	}
	text = append(bytes.TrimRight(text, " "), '\n')
	p.w.Write(text)
	p.text = text
}

func appendSpaces(text []byte, n int) []byte {
	for ; n > 0; n-- {
		text = append(text, ' ')
	}
	return text
}

// fit narrows the widest texts until the table fits, or until they are narrow
// themselves. Numbers stay whole: a number that was cut is another number.
func (p *tablePrinter) fit() {
	const narrow = 8
	total := columnGap * (len(p.widths) - 1)
	for _, width := range p.widths {
		total += width
	}
	for ; total > p.width; total-- {
		widest := -1
		for i, width := range p.widths {
			if !p.types[i].isNumber() && width > narrow && (widest < 0 || width > p.widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		p.widths[widest]--
	}
}

// textWidth is how many cells of a terminal a text takes that holds no control
// characters. Plain ASCII takes one a byte.
func textWidth(s string) int {
	if isPlain(s) {
		return len(s)
	}
	return uniseg.StringWidth(s)
}

// isPlain says that a text is printable ASCII, as most cells are.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// cut shortens text to a width in cells, with an ellipsis for what is gone.
func cut(s string, width int) string {
	if textWidth(s) <= width {
		return s
	}
	var b strings.Builder
	left := width - 1
	for g := uniseg.NewGraphemes(s); g.Next() && g.Width() <= left; left -= g.Width() {
		b.WriteString(g.Str())
	}
	return b.String() + "…"
}

// visible shows control characters instead of sending them: a name from the
// directory must not move the cursor or break a line.
func visible(s string) string {
	if isPlain(s) || strings.IndexFunc(s, isControl) < 0 {
		return s
	}
	var b strings.Builder
	for _, c := range s {
		if isControl(c) {
			quoted := strconv.QuoteRuneToASCII(c)
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}

func isControl(c rune) bool {
	return unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) || c == '\u2028' || c == '\u2029'
}

// thousands puts separators into the whole part of a number.
func thousands(s string) string {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	if strings.ContainsFunc(whole, func(c rune) bool { return c < '0' || c > '9' }) {
		return sign + s // NaN, Inf, exponents
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		whole += "." + fraction
	}
	return sign + whole
}
