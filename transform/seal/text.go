package seal

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"seatlake/schemas"
)

// domain is a kind of names that are compared with each other.
type domain byte

// The domains, by the letter that their sealed values bear.
const (
	addresses domain = 'a' // sign-in names, e-mail addresses, and names that may be either
	numbers   domain = 'n' // employee numbers
	accounts  domain = 'u' // SAM account names
	devices   domain = 'd' // names, ids and serial numbers of devices
	persons   domain = 'p' // display, first and family names
	places    domain = 'w' // network and web addresses
)

func domains() []domain { return []domain{addresses, numbers, accounts, devices, persons, places} }

// domainOf is where a personal column belongs; false when it stays clear.
func domainOf(p schemas.Personal) (domain, bool) {
	switch p {
	case schemas.SignInName, schemas.Address, schemas.AnyName:
		return addresses, true
	case schemas.EmployeeNumber:
		return numbers, true
	case schemas.AccountName:
		return accounts, true
	case schemas.Device:
		return devices, true
	case schemas.PersonName:
		return persons, true
	case schemas.Place:
		return places, true
	default: // object ids, and what names nobody
		return 0, false
	}
}

// folds says that the domain's names are compared without regard to case.
func (d domain) folds() bool { return d != persons && d != places }

const (
	prefix   = "seal1"
	external = "#ext#" // what sign-in names of guests hold, and behind a sealed one
	step     = 32      // texts are padded to a multiple of so many bytes
)

// alphabet is that of base32 in lower case, without padding.
const alphabet = "abcdefghijklmnopqrstuvwxyz234567"

// form finds sealed values in any text. The shortest has 48 bytes.
var form = regexp.MustCompile(prefix + "[anudpw][a-z2-7]{77,}(" + external + ")?")

// Seal is the sealed form of a value of a column. Empty and blank texts, and values of
// columns that stay clear, are given back as they are.
func (k *Key) Seal(as schemas.Personal, text string) string {
	d, ok := domainOf(as)
	core := strings.Trim(text, " ")
	if !ok || core == "" {
		return text
	}
	kind, core := cutKind(d, core)
	if core == "" {
		return text
	}
	lead := text[:len(text)-len(strings.TrimLeft(text, " "))]
	trail := text[len(strings.TrimRight(text, " ")):]
	return lead + kind + k.token(d, core) + trail
}

// cutKind cuts off what says of which kind a name is, where models look at it.
func cutKind(d domain, text string) (kind, name string) {
	kind, name, found := strings.Cut(text, ":")
	switch {
	case !found:
	case d == addresses && strings.EqualFold(kind, "smtp"):
		return kind + ":", name
	case d == devices && (kind == "serial" || kind == "name" || kind == "id"):
		return kind + ":", name
	}
	return "", text
}

// token is one sealed value.
func (k *Key) token(d domain, text string) string {
	if d.folds() {
		text = fold(text)
	}
	c := k.domains[d]
	w := c.workers.Get().(*worker)
	defer c.workers.Put(w)
	w.text = append(append(w.text[:0], text...), 0x80)
	for len(w.text)%step != 0 {
		w.text = append(w.text, 0)
	}
	w.sealed = c.sealWith(w, w.sealed[:0], w.text)
	out := make([]byte, 0, len(prefix)+1+k.code.EncodedLen(len(w.sealed))+len(external))
	out = append(append(out, prefix...), byte(d))
	out = k.code.AppendEncode(out, w.sealed)
	if d == addresses && strings.Contains(text, external) {
		out = append(out, external...)
	}
	return string(out)
}

// fold is a text as lower() of the models gives it: rune by rune.
func fold(text string) string {
	ascii := true
	for i := range len(text) {
		ascii = ascii && text[i] < utf8.RuneSelf
	}
	if ascii {
		return strings.ToLower(text)
	}
	return strings.Map(unicode.ToLower, text)
}

// Reveal puts the clear text in the place of each sealed value that a text holds. A
// value that does not open stays, and the error counts them.
func (k *Key) Reveal(text string) (string, error) {
	return k.RevealWith(text, func(clear string) string { return clear })
}

// RevealWith is Reveal for a text that needs clear names written in a way of its own.
func (k *Key) RevealWith(text string, write func(clear string) string) (string, error) {
	closed := 0
	out := form.ReplaceAllStringFunc(text, func(token string) string {
		clear, err := k.open(token)
		if err != nil {
			closed++
			return token
		}
		return write(clear)
	})
	if closed > 0 {
		return out, fmt.Errorf("%d sealed values do not open with key %s: %w", closed, k.id, errNotSealed)
	}
	return out, nil
}

// Holds says whether a text holds a sealed value.
func Holds(text string) bool { return strings.Contains(text, prefix) && form.MatchString(text) }

// open gives the text of one sealed value.
func (k *Key) open(token string) (string, error) {
	d := domain(token[len(prefix)])
	code := strings.TrimSuffix(token[len(prefix)+1:], external)
	sealed, err := k.code.DecodeString(code)
	if err != nil || k.code.EncodeToString(sealed) != code { // bits that stand for nothing are zero
		return "", errNotSealed
	}
	padded, err := k.domains[d].open(sealed)
	if err != nil {
		return "", err
	}
	text := strings.TrimRight(string(padded), "\x00")
	text, ok := strings.CutSuffix(text, "\x80")
	if !ok || strings.HasSuffix(token, external) != (d == addresses && strings.Contains(text, external)) {
		return "", errNotSealed
	}
	return text, nil
}
