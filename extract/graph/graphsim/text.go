package graphsim

import (
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// text writes JSON by appending.
type text struct {
	b     []byte
	ascii bool // everything beyond ASCII as \u escapes
}

func (t *text) raw(s string) { t.b = append(t.b, s...) }

const hexDigits = "0123456789abcdef"

// str writes a JSON string.
func (t *text) str(s string) {
	t.b = append(t.b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && (c < utf8.RuneSelf || !t.ascii) {
			i++
			continue
		}
		t.b = append(t.b, s[start:i]...)
		if c < utf8.RuneSelf {
			if c == '"' || c == '\\' {
				t.b = append(t.b, '\\', c)
			} else {
				t.unit(rune(c))
			}
			i++
		} else {
			r, size := utf8.DecodeRuneInString(s[i:])
			if hi, lo := utf16.EncodeRune(r); hi != utf8.RuneError {
				t.unit(hi)
				t.unit(lo)
			} else {
				t.unit(r)
			}
			i += size
		}
		start = i
	}
	t.b = append(t.b, s[start:]...)
	t.b = append(t.b, '"')
}

func (t *text) unit(r rune) {
	t.b = append(t.b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// null or a string, when empty.
func (t *text) strOrNull(s string) {
	if s == "" {
		t.raw("null")
		return
	}
	t.str(s)
}

func (t *text) bool(v bool) { t.b = strconv.AppendBool(t.b, v) }
func (t *text) int(v int)   { t.b = strconv.AppendInt(t.b, int64(v), 10) }
func (t *text) byte(c byte) { t.b = append(t.b, c) }

// key writes `"name":`.
func (t *text) key(name string) {
	t.b = append(t.b, '"')
	t.b = append(t.b, name...)
	t.b = append(t.b, '"', ':')
}

func (t *text) guid(g [16]byte) {
	t.b = append(t.b, '"')
	t.b = appendGUID(t.b, g)
	t.b = append(t.b, '"')
}

// instant writes seconds since 1970 as Graph does.
func (t *text) instant(at int64) {
	t.b = append(t.b, '"')
	t.b = appendInstant(t.b, at*int64(time.Second))
	t.b = append(t.b, '"')
}

// appendInstant writes nanoseconds since 1970, with seven digits of fraction where
// there is one.
func appendInstant(b []byte, at int64) []byte {
	tm := time.Unix(0, at).UTC()
	b = appendDate(b, tm)
	h, m, s := tm.Clock()
	b = append(b, 'T', byte('0'+h/10), byte('0'+h%10), ':', byte('0'+m/10), byte('0'+m%10), ':', byte('0'+s/10), byte('0'+s%10))
	if f := tm.Nanosecond() / 100; f != 0 {
		b = append(b, '.')
		for d := 1000000; d > 0; d /= 10 {
			b = append(b, byte('0'+f/d%10))
		}
	}
	return append(b, 'Z')
}

func appendDate(b []byte, tm time.Time) []byte {
	y, m, d := tm.Date()
	return append(b, byte('0'+y/1000), byte('0'+y/100%10), byte('0'+y/10%10), byte('0'+y%10), '-',
		byte('0'+m/10), byte('0'+m%10), '-', byte('0'+d/10), byte('0'+d%10))
}

// appendDay writes a day since 1970; 0 writes nothing.
func appendDay(b []byte, day int) []byte {
	if day == 0 {
		return b
	}
	return appendDate(b, dateOf(day))
}
