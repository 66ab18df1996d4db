package decode

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"seatlake/pipeline"
)

// cursor reads JSON from a page. Positions never pass its end by more than the
// pad behind it, whose zeros stop every loop: methods take a position, return
// the next, and after an error the end, where nothing is found but more errors.
// The first error is kept. What a cursor accepts is valid JSON in valid UTF-8.
type cursor struct {
	b       []byte // the page and its pad
	end     int    // length of the page
	err     error
	scratch []byte // the last string that had escapes
}

// set starts on a page's text, behind which Pad zero bytes can be read.
func (c *cursor) set(text []byte) {
	c.b, c.end, c.err = text[:len(text)+pipeline.Pad], len(text), nil
}

// fail keeps an error about what stands at i, unless there is one already.
func (c *cursor) fail(i int, format string, args ...any) int {
	if c.err == nil {
		what := fmt.Sprintf(format, args...)
		if i >= c.end {
			c.err = fmt.Errorf("malformed JSON: the page ends at byte %d, where %s was expected: it may be truncated", c.end, what)
		} else {
			c.err = fmt.Errorf("malformed JSON at byte %d: %s expected, found %s", i, what, c.found(i))
		}
	}
	return c.end
}

// damage keeps an error that says itself what is wrong.
func (c *cursor) damage(format string, args ...any) int {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
	return c.end
}

// found describes the value or character at i.
func (c *cursor) found(i int) string {
	rest := c.b[i:c.end]
	if len(rest) == 0 {
		return "the end of the page"
	}
	switch ch := rest[0]; {
	case ch == '"':
		n := 1
		for n < len(rest) && rest[n] != '"' {
			n++
		}
		return `string "` + cut(rest[1:n]) + `"`
	case ch == '{':
		return "an object"
	case ch == '[':
		return "an array"
	case ch == '-' || ch-'0' <= 9 || ch|0x20 >= 'a' && ch|0x20 <= 'z':
		n := 1
		for n < len(rest) && rest[n] > ' ' && rest[n] != ',' && rest[n] != '}' && rest[n] != ']' {
			n++
		}
		if ch == '-' || ch-'0' <= 9 {
			return "number " + cut(rest[:n])
		}
		return cut(rest[:n])
	default:
		r, _ := utf8.DecodeRune(rest)
		return strconv.QuoteRune(r)
	}
}

// space skips white space.
func (c *cursor) space(i int) int {
	for {
		switch c.b[i] {
		case ' ', '\n', '\t', '\r':
			i++
		default:
			return i
		}
	}
}

// Bytes of a word, for looking at eight at a time.
const (
	ones        = 0x0101010101010101
	highs       = 0x8080808080808080
	quotes      = ones * '"'
	backslashes = ones * '\\'
	controls    = ones * 0x20
	commas      = ones * ','
)

// stringEnd finds the first quote, backslash or control byte at or after i, and
// says whether a byte of non-ASCII text may stand before it.
func stringEnd(b []byte, i int) (end int, wide bool) {
	var seen uint64
	for {
		x := binary.LittleEndian.Uint64(b[i : i+8])
		q, s := x^quotes, x^backslashes
		// A byte's high bit is set where it is a quote, a backslash or below
		// 0x20. Borrows reach only bytes above the first such one.
		stop := ((q-ones)&^q | (s-ones)&^s | (x-controls)&^x) & highs
		seen |= x
		if stop != 0 {
			return i + bits.TrailingZeros64(stop)>>3, seen&highs != 0
		}
		i += 8
	}
}

// text reads the string whose opening quote stands before i. It lies in the page
// or, where it had escapes, in the scratch buffer until the next call; plain says
// which.
func (c *cursor) text(i int) (v []byte, next int, plain bool) {
	end, wide := stringEnd(c.b, i)
	if c.b[end] != '"' {
		v, next = c.escaped(i)
		return v, next, false
	}
	v = c.b[i:end]
	if wide && !utf8.Valid(v) {
		return nil, c.damage("invalid UTF-8 in the string at byte %d", i), false
	}
	return v, end + 1, true
}

// escaped reads a string with escapes. A lone surrogate becomes U+FFFD, as JSON
// readers have it: directories hold names that were cut in half.
func (c *cursor) escaped(i int) ([]byte, int) {
	out, start := c.scratch[:0], i
	for {
		end, _ := stringEnd(c.b, i)
		out = append(out, c.b[i:end]...)
		switch {
		case c.b[end] == '"':
			if c.scratch = out; !utf8.Valid(out) {
				return nil, c.damage("invalid UTF-8 in the string at byte %d", start)
			}
			return out, end + 1
		case c.b[end] != '\\':
			return nil, c.control(end)
		}
		// The parts around an escape must be valid each by itself.
		if !utf8.Valid(c.b[i:end]) {
			return nil, c.damage("invalid UTF-8 in the string at byte %d", start)
		}
		if out, i = c.escape(out, end); c.err != nil {
			return nil, c.end
		}
	}
}

// control refuses a control byte within a string.
func (c *cursor) control(i int) int {
	if i >= c.end {
		return c.fail(i, "the end of a string")
	}
	return c.damage("malformed JSON at byte %d: control byte 0x%02x in a string", i, c.b[i])
}

// escape appends the meaning of the escape at i.
func (c *cursor) escape(out []byte, i int) ([]byte, int) {
	switch ch := c.b[i+1]; ch {
	case '"', '\\', '/':
		return append(out, ch), i + 2
	case 'b':
		return append(out, '\b'), i + 2
	case 'f':
		return append(out, '\f'), i + 2
	case 'n':
		return append(out, '\n'), i + 2
	case 'r':
		return append(out, '\r'), i + 2
	case 't':
		return append(out, '\t'), i + 2
	case 'u':
		r, ok := c.unit(i)
		if !ok {
			return out, c.fail(i, "four hexadecimal digits after \\u")
		}
		i += 6
		if utf16.IsSurrogate(r) {
			low, ok := c.unit(i)
			if r = utf16.DecodeRune(r, low); ok && r != utf8.RuneError {
				i += 6
			}
		}
		return utf8.AppendRune(out, r), i
	default:
		return out, c.fail(i, "an escape")
	}
}

// unit reads the UTF-16 unit written as \uXXXX at i.
func (c *cursor) unit(i int) (rune, bool) {
	if c.b[i] != '\\' || c.b[i+1] != 'u' {
		return 0, false
	}
	var r rune
	for _, ch := range c.b[i+2 : i+6] {
		switch {
		case ch-'0' <= 9:
			r = r<<4 | rune(ch-'0')
		case ch|0x20 >= 'a' && ch|0x20 <= 'f':
			r = r<<4 | rune(ch|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// skipText passes the string whose opening quote stands before i.
func (c *cursor) skipText(i int) int {
	end, wide := stringEnd(c.b, i)
	if c.b[end] == '"' && !wide {
		return end + 1
	}
	_, i, _ = c.text(i)
	return i
}

// maxDepth bounds the nesting of values that are passed over.
const maxDepth = 64

// skip passes one value of any type and checks that it is well formed. The kinds
// of the open brackets are bits of a word: 1 for an object.
func (c *cursor) skip(i int) int {
	var (
		b     = c.b
		kinds uint64
		depth int
	)
value:
	for b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t' {
		i++
	}
	switch ch := b[i]; {
	case ch == '"':
		i = c.skipText(i + 1)
	case ch == '{' || ch == '[':
		if depth == maxDepth {
			return c.damage("malformed JSON at byte %d: values are nested deeper than %d", i, maxDepth)
		}
		depth++
		kinds <<= 1
		i = c.space(i + 1)
		if ch == '{' {
			kinds |= 1
			if b[i] != '}' {
				goto key
			}
		} else if b[i] != ']' {
			goto value
		}
		i, depth, kinds = i+1, depth-1, kinds>>1
	case ch == 'n' && binary.LittleEndian.Uint32(b[i:]) == wordNull:
		i += 4
	case ch == 't' && binary.LittleEndian.Uint32(b[i:]) == wordTrue:
		i += 4
	case ch == 'f' && binary.LittleEndian.Uint32(b[i+1:]) == wordAlse:
		i += 5
	case ch == '-' || ch-'0' <= 9:
		n, _ := numberEnd(b, i)
		if n < 0 {
			return c.fail(i, "a value")
		}
		i = n
	default:
		return c.fail(i, "a value")
	}
	for depth > 0 {
		switch i = c.space(i); {
		case b[i] == ',' && kinds&1 == 0:
			i++
			goto value
		case b[i] == ',':
			i = c.space(i + 1)
			goto key
		case b[i] == ']' && kinds&1 == 0, b[i] == '}' && kinds&1 == 1:
			i, depth, kinds = i+1, depth-1, kinds>>1
		case kinds&1 == 1:
			return c.fail(i, "',' or '}'")
		default:
			return c.fail(i, "',' or ']'")
		}
	}
	return i
key:
	if b[i] != '"' {
		return c.fail(i, "a property name")
	}
	i = c.space(c.skipText(i + 1))
	if b[i] != ':' {
		return c.fail(i, "':'")
	}
	i++
	goto value
}

// Literals as little-endian words.
const (
	wordNull = 0x6c6c756e // "null"
	wordTrue = 0x65757274 // "true"
	wordAlse = 0x65736c61 // what follows the f of "false"
)

// numberEnd passes a number in JSON's grammar; end is -1 if it is none.
func numberEnd(b []byte, i int) (end int, integer bool) {
	digits := func() bool {
		start := i
		for b[i]-'0' <= 9 {
			i++
		}
		return i > start
	}
	if b[i] == '-' {
		i++
	}
	if b[i] == '0' {
		i++
	} else if !digits() {
		return -1, false
	}
	integer = true
	if b[i] == '.' {
		i++
		if integer = false; !digits() {
			return -1, false
		}
	}
	if b[i]|0x20 == 'e' {
		i++
		if b[i] == '+' || b[i] == '-' {
			i++
		}
		if integer = false; !digits() {
			return -1, false
		}
	}
	return i, integer
}

// members calls fn with each property of the page's outer object: its name, which
// is lent, and the position of its value. fn returns the position behind it.
func (c *cursor) members(fn func(name []byte, i int) int) {
	i := c.space(0)
	if c.b[i] != '{' {
		c.fail(i, "an object")
		return
	}
	if i = c.space(i + 1); c.b[i] == '}' {
		i++
	} else {
		for {
			if c.b[i] != '"' {
				c.fail(i, "a property name")
				return
			}
			name, next, _ := c.text(i + 1)
			if next = c.space(next); c.b[next] != ':' {
				c.fail(next, "':'")
				return
			}
			i = c.space(fn(name, c.space(next+1)))
			if c.b[i] == ',' {
				i = c.space(i + 1)
				continue
			}
			if c.b[i] != '}' {
				c.fail(i, "',' or '}'")
				return
			}
			i++
			break
		}
	}
	if i = c.space(i); i < c.end && c.err == nil {
		c.damage("malformed JSON at byte %d: %s after the end of the answer", i, c.found(i))
	}
}
