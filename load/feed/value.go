package feed

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// A cell's value is nil for what is not known, string, int64, Decimal, bool, or
// time.Time for a UTC day.

// Kind is what a column holds.
type Kind string

// The kinds of columns.
const (
	Text  Kind = "text"
	Whole Kind = "number"        // int64
	Money Kind = "money"         // Decimal
	Day   Kind = "day"           // time.Time
	Flag  Kind = "true or false" // bool
)

// Decimal is an exact decimal number as text, such as 12.50.
type Decimal string

// ParseDecimal checks the text of a decimal.
func ParseDecimal(s string) (Decimal, error) {
	if _, ok := new(big.Rat).SetString(s); !ok || strings.ContainsAny(s, "/eEpPxX_ ") {
		return "", fmt.Errorf("%q is not a decimal number", s)
	}
	return Decimal(s), nil
}

func (d Decimal) rat() *big.Rat {
	r, ok := new(big.Rat).SetString(string(d))
	if !ok {
		return new(big.Rat)
	}
	return r
}

// unitPlaces is how many decimals a price of one unit has at most. Half of its last
// one, times 10,000 units, is half a cent.
const unitPlaces = 6

// per is d divided by n units: exact where six decimals hold it, else rounded half
// up.
func (d Decimal) per(n int64) Decimal {
	return decimal(new(big.Rat).Quo(d.rat(), new(big.Rat).SetInt64(n)), unitPlaces)
}

// share is d times n of whole units, to the cent, halves up.
func (d Decimal) share(n, whole int64) Decimal {
	if n == whole {
		return decimal(d.rat(), unitPlaces)
	}
	r := new(big.Rat).Mul(d.rat(), big.NewRat(n, whole))
	return decimal(r, 2)
}

// decimal is a number with at most places decimals, halves up, at least two.
func decimal(r *big.Rat, places int) Decimal {
	s := r.FloatString(places) // rounds halves away from zero
	if places <= 2 {
		return Decimal(s)
	}
	whole, fraction, _ := strings.Cut(s, ".")
	fraction = strings.TrimRight(fraction, "0")
	for len(fraction) < 2 {
		fraction += "0"
	}
	return Decimal(whole + "." + fraction)
}

// short is the decimal without zeros at its end: 200.00 is 200.
func (d Decimal) short() string {
	s := string(d)
	if strings.Contains(s, ".") {
		s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// plain is a value's text, the same in every format and in records: days as
// 2006-01-02, flags as true and false, nil as nothing.
func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case Decimal:
		return string(v)
	case bool:
		return strconv.FormatBool(v)
	case time.Time:
		return v.Format(time.DateOnly)
	}
	return fmt.Sprint(v)
}

// isKind says whether a value may stand in a column.
func isKind(v any, k Kind) bool {
	switch v.(type) {
	case nil:
		return true
	case string:
		return k == Text
	case int64:
		return k == Whole
	case Decimal:
		return k == Money
	case bool:
		return k == Flag
	case time.Time:
		return k == Day
	}
	return false
}

// length counts a text as the targets do, whose databases keep UTF-16: a character
// outside the basic plane, such as most emoji, counts two.
func length(s string) int {
	n := 0
	for _, c := range s {
		n += max(1, utf16.RuneLen(c))
	}
	return n
}

// formulaStarts are the characters with which spreadsheets begin a formula, and
// those they skip before one; the wide forms are taken for the plain ones in some
// languages.
const formulaStarts = "=+-@\t\r\n＝＋－＠"

// Guard is a text cell of a CSV file as it is written: one that a spreadsheet could
// take for a formula gets an apostrophe before it, and so does one that already
// looks like such a text, so that Unguard can undo it.
func Guard(s string) string {
	if isFormula(strings.TrimLeft(s, "'")) {
		return "'" + s
	}
	return s
}

// Unguard is the text that Guard was given.
func Unguard(s string) string {
	if strings.HasPrefix(s, "'") && isFormula(strings.TrimLeft(s, "'")) {
		return s[1:]
	}
	return s
}

func isFormula(s string) bool {
	c, _ := utf8.DecodeRuneInString(s)
	return s != "" && strings.ContainsRune(formulaStarts, c)
}

// unwritable names the first character of a text that a spreadsheet or a CSV reader
// cannot hold; empty when all is well.
func unwritable(s string) string {
	if !utf8.ValidString(s) {
		return "bytes that are not UTF-8"
	}
	for _, c := range s {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0x7f || c == 0xfffe || c == 0xffff {
			return fmt.Sprintf("the control character U+%04X", c)
		}
	}
	return ""
}
