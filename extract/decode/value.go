package decode

import (
	"bytes"
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// parseUUID reads the 36 characters of a GUID in either case. An UUID's bytes are
// in the order of its text.
func parseUUID(v []byte) (u [16]byte, ok bool) {
	if len(v) != 36 || v[8] != '-' || v[13] != '-' || v[18] != '-' || v[23] != '-' {
		return u, false
	}
	a, bad0 := hex8(binary.LittleEndian.Uint64(v))
	b, bad1 := hex8(uint64(binary.LittleEndian.Uint32(v[9:])) | uint64(binary.LittleEndian.Uint32(v[14:]))<<32)
	c, bad2 := hex8(uint64(binary.LittleEndian.Uint32(v[19:])) | uint64(binary.LittleEndian.Uint32(v[24:]))<<32)
	d, bad3 := hex8(binary.LittleEndian.Uint64(v[28:]))
	binary.LittleEndian.PutUint32(u[0:], a)
	binary.LittleEndian.PutUint32(u[4:], b)
	binary.LittleEndian.PutUint32(u[8:], c)
	binary.LittleEndian.PutUint32(u[12:], d)
	return u, bad0|bad1|bad2|bad3 == 0
}

// hex8 turns eight hexadecimal digits, in the order they were loaded, into four
// bytes. bad is not 0 if one of them is no digit.
func hex8(x uint64) (v uint32, bad uint64) {
	// Bit 7 of a byte says: not 0-9, not a-f. Each sum stays within its byte,
	// because bytes above 0x7f, whose sums would not, are bad by themselves.
	y := x &^ highs
	digit := (y ^ 0x3030303030303030) + 0x7676767676767676
	lower := y | controls
	letter := (lower + 0x1919191919191919) | ^(lower + 0x1f1f1f1f1f1f1f1f)
	bad = (digit&letter | x) & highs
	n := (x & 0x0f0f0f0f0f0f0f0f) + 9*((x>>6)&ones)
	n = (n<<4 | n>>8) & 0x00ff00ff00ff00ff
	n = (n | n>>8) & 0x0000ffff0000ffff
	return uint32(n | n>>16), bad
}

// dayText remembers the ten characters of a day and what they mean.
type dayText struct {
	head uint64
	tail uint16
	ok   bool
	year bool // of year 1, which Graph writes for "never"
	day  int32
}

// parse reads "2006-01-02" at the start of v, which has ten bytes at least. It
// says whether it is a day of the calendar; years go from 1 to 9999.
func (t *dayText) parse(v []byte) bool {
	head, tail := binary.LittleEndian.Uint64(v), binary.LittleEndian.Uint16(v[8:])
	if t.ok && t.head == head && t.tail == tail {
		return true
	}
	y1, ok1 := two(v[0:])
	y2, ok2 := two(v[2:])
	m, ok3 := two(v[5:])
	d, ok4 := two(v[8:])
	y := y1*100 + y2
	if !ok1 || !ok2 || !ok3 || !ok4 || v[4] != '-' || v[7] != '-' || y < 1 || m < 1 || m > 12 || d < 1 || d > daysIn(y, m) {
		return false
	}
	*t = dayText{head: head, tail: tail, ok: true, year: y == 1, day: int32(epochDay(y, m, d))}
	return true
}

// two reads two decimal digits.
func two(v []byte) (int, bool) {
	a, b := v[0]-'0', v[1]-'0'
	return int(a)*10 + int(b), a <= 9 && b <= 9
}

func daysIn(y, m int) int {
	switch {
	case m == 2 && y%4 == 0 && (y%100 != 0 || y%400 == 0):
		return 29
	case m == 2:
		return 28
	case m == 4 || m == 6 || m == 9 || m == 11:
		return 30
	default:
		return 31
	}
}

// epochDay counts days from 1970-01-01. The year is taken to begin in March, so
// that the leap day is its last.
func epochDay(y, m, d int) int {
	if m <= 2 {
		y--
		m += 12
	}
	return 365*y + y/4 - y/100 + y/400 + (153*(m-3)+2)/5 + d - 1 - 719468
}

const (
	microsPerSecond = 1_000_000
	microsPerDay    = 86_400 * microsPerSecond
)

// parseTime reads an RFC 3339 instant with up to nine digits of a fraction, cut
// to microseconds, and any offset. null says that it is of year 1.
func (t *dayText) parseTime(v []byte) (micros int64, null, ok bool) {
	if len(v) < 20 || v[10] != 'T' || !t.parse(v) {
		return 0, false, false
	}
	second, ok := clock(v[11:])
	if !ok {
		return 0, false, false
	}
	micros = int64(t.day)*microsPerDay + second*microsPerSecond
	rest := v[19:]
	if rest[0] == '.' {
		n, unit := 1, int64(microsPerSecond)
		for ; n < len(rest) && rest[n]-'0' <= 9; n++ {
			unit /= 10
			micros += int64(rest[n]-'0') * unit
		}
		if n == 1 || n > 10 {
			return 0, false, false
		}
		rest = rest[n:]
	}
	switch {
	case len(rest) == 1 && rest[0] == 'Z':
	case len(rest) == 6 && (rest[0] == '+' || rest[0] == '-') && rest[3] == ':':
		h, ok1 := two(rest[1:])
		m, ok2 := two(rest[4:])
		if !ok1 || !ok2 || h > 23 || m > 59 {
			return 0, false, false
		}
		offset := int64(h*60+m) * 60 * microsPerSecond
		if rest[0] == '-' {
			offset = -offset
		}
		micros -= offset
	default:
		return 0, false, false
	}
	return micros, t.year, true
}

// clock reads "15:04:05" at the start of v as seconds of the day.
func clock(v []byte) (int64, bool) {
	h, ok1 := two(v[0:])
	m, ok2 := two(v[3:])
	s, ok3 := two(v[6:])
	ok := ok1 && ok2 && ok3 && v[2] == ':' && v[5] == ':' && h < 24 && m < 60 && s < 60
	return int64(h*3600 + m*60 + s), ok
}

// parseDay reads a day, or the UTC day of an instant.
func (t *dayText) parseDay(v []byte) (day int32, null, ok bool) {
	if len(v) == 10 {
		ok = t.parse(v)
		return t.day, t.year, ok
	}
	micros, null, ok := t.parseTime(v)
	day = int32(micros / microsPerDay)
	if micros%microsPerDay < 0 {
		day--
	}
	return day, null, ok
}

// parseInt reads a decimal integer of at most that many bits. It has no sign but
// a minus, and no leading zeros are asked for.
func parseInt(v []byte, size int) (int64, bool) {
	neg := len(v) > 0 && v[0] == '-'
	digits := v
	if neg {
		digits = v[1:]
	}
	if len(digits) == 0 {
		return 0, false
	}
	var n uint64
	for _, c := range digits {
		if c-'0' > 9 || n > math.MaxInt64/10 {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	limit := uint64(1)<<(size-1) - 1
	if neg {
		limit++
	}
	if n > limit {
		return 0, false
	}
	if neg {
		return -int64(n), true
	}
	return int64(n), true
}

// cut shortens a value for an error to 64 characters of valid text.
func cut(v []byte) string {
	const most = 64
	if len(v) <= most {
		return string(bytes.ToValidUTF8(v, []byte("\uFFFD")))
	}
	n := most
	for n > most-utf8.UTFMax && !utf8.RuneStart(v[n]) {
		n--
	}
	return string(bytes.ToValidUTF8(v[:n], []byte("\uFFFD"))) + "..."
}
