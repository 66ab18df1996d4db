package lake

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"seatlake/schemas"
)

// person is who is to be erased, as far as the lake tells. It is kept in the erasure's
// journal until the erasure is done.
type person struct {
	// ID is the object id, a lower-case GUID; empty for somebody whom only names tell.
	ID string `json:"id,omitempty"`

	// Names are all by which rows without an object id tell the person, over all days.
	Names []personName `json:"names"`
}

// personName is a sign-in name, an address, an employee number or an account name, in
// lower case.
type personName struct {
	Kind schemas.Personal `json:"kind"`
	Text string           `json:"text"`

	// Own is the days on which the person bore the name, the first and the last. Others
	// are those on which somebody else did: names are given again.
	Own    span   `json:"own"`
	Others []span `json:"others,omitempty"`
}

// span is a span of days, "2006-01-02", both inclusive; empty when none is known.
type span struct {
	First string `json:"first"`
	Last  string `json:"last"`
}

func (d *span) add(day string) {
	if day == "" {
		return
	}
	if d.First == "" || day < d.First {
		d.First = day
	}
	d.Last = max(d.Last, day)
}

// distance is how many days a day is away from the span; many when one is not known.
func (d span) distance(day string) int {
	const far = 1 << 30
	at, err := time.Parse(time.DateOnly, day)
	if err != nil || d.First == "" {
		return far
	}
	first, _ := time.Parse(time.DateOnly, d.First)
	last, _ := time.Parse(time.DateOnly, d.Last)
	switch {
	case at.Before(first):
		return int(first.Sub(at).Hours() / 24)
	case at.After(last):
		return int(at.Sub(last).Hours() / 24)
	}
	return 0
}

// strong says that a name is unlike any other text: it can be looked for everywhere.
func (n *personName) strong() bool { return unlike(n.Text) }

// unlike says that a text is an address, or a name that a pseudonymised lake holds
// sealed.
func unlike(text string) bool { return strings.Contains(text, "@") || strings.HasPrefix(text, "seal1") }

// ofDay says whether the person bore the name on a day. A name that somebody else bore,
// too, is the person's on the days that are nearer to the person's own; a weak one,
// such as an employee number, that two bear is nobody's.
func (n *personName) ofDay(day string) bool {
	if len(n.Others) == 0 {
		return true
	}
	if !n.strong() {
		return false
	}
	return !slices.ContainsFunc(n.Others, func(o span) bool { return o.distance(day) < n.Own.distance(day) })
}

// addressKind is what stands before an address in proxyAddresses.
var addressKind = regexp.MustCompile(`^[A-Za-z0-9]{1,8}:`)

// normal is a name as it is compared: lower case, without its kind and spaces around.
func normal(text string) string {
	return strings.ToLower(strings.TrimSpace(addressKind.ReplaceAllString(strings.TrimSpace(text), "")))
}

// account is a name without its domain.
func account(text string) string {
	if _, bare, found := strings.Cut(text, `\`); found {
		return bare
	}
	return text
}

// add takes up a name that the person bore on a day. Hashes in the place of names, and
// what names nobody, are left out.
func (p *person) add(kind schemas.Personal, text, day string) {
	text = normal(text)
	switch {
	case kind == schemas.SignInName || kind == schemas.Address || kind == schemas.AnyName:
		kind = schemas.Address
		if !unlike(text) {
			return
		}
	case kind == schemas.AccountName:
		text = account(text)
	case kind != schemas.EmployeeNumber:
		return
	}
	if text == "" {
		return
	}
	if n := p.name(kind, text); n != nil {
		n.Own.add(day)
		return
	}
	n := personName{Kind: kind, Text: text}
	n.Own.add(day)
	p.Names = append(p.Names, n)
	slices.SortFunc(p.Names, func(a, b personName) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Text, b.Text)) })
}

// other takes up that somebody else bore a name of the person on a day.
func (p *person) other(kind schemas.Personal, text, day string) {
	text = normal(text)
	switch kind {
	case schemas.SignInName, schemas.AnyName:
		kind = schemas.Address
	case schemas.AccountName:
		text = account(text)
	}
	if n := p.name(kind, text); n != nil {
		if len(n.Others) == 0 {
			n.Others = []span{{}}
		}
		n.Others[0].add(day)
	}
}

func (p *person) name(kind schemas.Personal, text string) *personName {
	for i := range p.Names {
		if p.Names[i].Kind == kind && p.Names[i].Text == text {
			return &p.Names[i]
		}
	}
	return nil
}

// isID says whether a GUID, as text or as 16 bytes, is the person's.
func (p *person) isID(value []byte) bool {
	if p.ID == "" {
		return false
	}
	if len(value) == 16 {
		id, err := uuid.FromBytes(value)
		return err == nil && id.String() == p.ID
	}
	return strings.EqualFold(strings.TrimSpace(string(value)), p.ID)
}

// bears says whether a text of a kind names the person on a day.
func (p *person) bears(kind schemas.Personal, text, day string) bool {
	text = normal(text)
	switch kind {
	case schemas.SignInName, schemas.Address:
		kind = schemas.Address
	case schemas.AnyName:
		if !unlike(text) {
			kind, text = schemas.AccountName, account(text)
		} else {
			kind = schemas.Address
		}
	case schemas.AccountName:
		text = account(text)
	}
	n := p.name(kind, text)
	return n != nil && n.ofDay(day)
}

// marks are what a search looks for: the object id and the strong names that only this
// person ever bore, in lower case.
func (p *person) marks() []string {
	var out []string
	if p.ID != "" {
		out = append(out, p.ID)
	}
	for _, n := range p.Names {
		if n.strong() && len(n.Others) == 0 {
			out = append(out, n.Text)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) }) // the longest first
	return out
}

// words are all texts that can stand in a file with a row of the person, in lower case.
func (p *person) words() [][]byte {
	var out [][]byte
	if p.ID != "" {
		out = append(out, []byte(p.ID))
	}
	for _, n := range p.Names {
		out = append(out, []byte(n.Text))
	}
	return out
}

// guids is the object id as its 16 bytes.
func (p *person) guids() [][]byte {
	raw, err := hex.DecodeString(strings.ReplaceAll(p.ID, "-", ""))
	if err != nil || len(raw) == 0 {
		return nil
	}
	return [][]byte{raw}
}

// edge says that a mark that stands at a place in a text is a word of its own, not the
// end of a longer name or the beginning of one.
func edge(text string, from, to int) bool {
	part := func(b byte) bool {
		return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_' || b == '-' || b >= 0x80
	}
	before := from > 0 && (part(text[from-1]) || text[from-1] == '.' || text[from-1] == '+')
	after := to < len(text) && (part(text[to]) || text[to] == '.' && to+1 < len(text) && part(text[to+1]))
	return !before && !after
}

// redact puts a word in the place of every mark in a text; false when there is none.
func (p *person) redact(text string) (string, bool) {
	found := false
	for _, mark := range p.marks() {
		for from := 0; ; {
			lower := lowerASCII(text)
			i := strings.Index(lower[from:], mark)
			if i < 0 {
				break
			}
			i += from
			if !edge(text, i, i+len(mark)) {
				from = i + 1
				continue
			}
			text = text[:i] + schemas.ErasedText + text[i+len(mark):]
			found, from = true, i+len(schemas.ErasedText)
		}
	}
	return text, found
}

// lowerASCII keeps every byte at its place, which strings.ToLower does not.
func lowerASCII(s string) string {
	return string(bytes.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, []byte(s)))
}
