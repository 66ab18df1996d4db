package catalog

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// The columns of Microsoft's list.
const (
	colProduct      = "Product_Display_Name"
	colPartNumber   = "String_Id"
	colSKU          = "GUID"
	colPlan         = "Service_Plan_Name"
	colPlanID       = "Service_Plan_Id"
	colFriendlyName = "Service_Plans_Included_Friendly_Names"
)

// maxFaults bounds how many faulty rows an error names.
const maxFaults = 20

// ParseCSV reads Microsoft's list of product names and service plan identifiers
// as it is downloaded. It bears the byte-order mark, CRLF, blanks and tabs and
// non-breaking spaces around and within names, GUIDs in any case, rows given
// twice, semicolons in place of commas, and bytes of Windows-1252 among UTF-8.
//
// Where the list gives one id several names, the most frequent is taken, of
// equals the first in byte order, and Notes says so. Rows that cannot be
// understood are an error that names their lines: a catalogue with holes would
// misjudge licences in silence.
func ParseCSV(in io.Reader) (*Catalog, error) {
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	r := csv.NewReader(strings.NewReader(decodeText(text)))
	r.ReuseRecord = true
	r.FieldsPerRecord = -1 // counted by row, so that all faulty ones are named
	if line, _, _ := bytes.Cut(text, []byte("\n")); !bytes.ContainsRune(line, ',') {
		r.Comma = ';'
	}
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, errEmpty
	}
	if err != nil {
		return nil, err
	}
	cols, err := columns(header)
	if err != nil {
		return nil, err
	}
	l := list{skus: map[[16]byte]*listSKU{}, plans: map[[16]byte]*listPlan{}}
	var faults []error
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = l.add(cols, row)
		}
		if err == nil {
			continue
		}
		if p := (*csv.ParseError)(nil); !errors.As(err, &p) {
			line, _ := r.FieldPos(0)
			err = fmt.Errorf("line %d: %w", line, err)
		}
		if faults = append(faults, err); len(faults) == maxFaults {
			faults = append(faults, errors.New("and maybe more"))
			break
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return l.catalog()
}

// columns finds the list's columns by name, in the order of the row that add
// takes.
func columns(header []string) ([6]int, error) {
	var at [6]int
	var missing []string
	for i, name := range []string{colProduct, colPartNumber, colSKU, colPlan, colPlanID, colFriendlyName} {
		at[i] = slices.IndexFunc(header, func(h string) bool { return strings.EqualFold(clean(h), name) })
		if at[i] < 0 {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		return at, fmt.Errorf("line 1: columns %s are missing; take Microsoft's list of product names and service plan identifiers as it is downloaded",
			strings.Join(missing, ", "))
	}
	return at, nil
}

// list gathers the rows of the CSV by id.
type list struct {
	skus  map[[16]byte]*listSKU
	plans map[[16]byte]*listPlan
}

type listSKU struct {
	partNumbers, names votes
	plans              map[[16]byte]bool
}

type listPlan struct {
	names, friendlyNames votes
}

// votes counts how often a name is given.
type votes map[string]int

func (l *list) add(cols [6]int, row []string) error {
	var cell [6]string
	for i, at := range cols {
		if at >= len(row) {
			return fmt.Errorf("%d cells, want at least %d", len(row), slices.Max(cols[:])+1)
		}
		cell[i] = clean(row[at])
	}
	if cell == [6]string{} {
		return nil // a blank row, as spreadsheets leave behind
	}
	skuID, err := ParseGUID(cell[2])
	if err != nil {
		return fmt.Errorf("%s: %w", colSKU, err)
	}
	planID, err := ParseGUID(cell[4])
	if err != nil {
		return fmt.Errorf("%s: %w", colPlanID, err)
	}
	for i, name := range map[int]string{0: colProduct, 1: colPartNumber, 3: colPlan} {
		if cell[i] == "" {
			return fmt.Errorf("%s is empty", name)
		}
	}
	s := l.skus[skuID]
	if s == nil {
		s = &listSKU{partNumbers: votes{}, names: votes{}, plans: map[[16]byte]bool{}}
		l.skus[skuID] = s
	}
	s.partNumbers[cell[1]]++
	s.names[cell[0]]++
	s.plans[planID] = true
	p := l.plans[planID]
	if p == nil {
		p = &listPlan{names: votes{}, friendlyNames: votes{}}
		l.plans[planID] = p
	}
	p.names[cell[3]]++
	if cell[5] != "" {
		p.friendlyNames[cell[5]]++
	}
	return nil
}

// catalog sorts the list and settles its names.
func (l *list) catalog() (*Catalog, error) {
	if len(l.skus) == 0 {
		return nil, errEmpty
	}
	c := &Catalog{}
	at := make(map[[16]byte]int, len(l.plans))
	for _, id := range sortedIDs(l.plans) {
		p := l.plans[id]
		at[id] = len(c.plans)
		c.plans = append(c.plans, Plan{
			ID:           id,
			Name:         c.settle(p.names, "service plan", id),
			FriendlyName: p.friendlyNames.winner(), // spelt in many ways, shown to people only
		})
	}
	for _, id := range sortedIDs(l.skus) {
		s := l.skus[id]
		out := sku{SKU: SKU{
			ID:         id,
			PartNumber: c.settle(s.partNumbers, "part number of SKU", id),
			Name:       c.settle(s.names, "name of SKU", id),
		}}
		for p := range s.plans {
			out.plans = append(out.plans, at[p])
		}
		slices.Sort(out.plans)
		c.skus = append(c.skus, out)
	}
	return c, c.serve()
}

// settle takes one of an id's names and notes the others.
func (c *Catalog) settle(names votes, what string, id [16]byte) string {
	name := names.winner()
	for _, other := range slices.Sorted(maps.Keys(names)) {
		if other != name {
			c.Notes = append(c.Notes, fmt.Sprintf("%s %s is %q in most rows, and %q in %d", what, FormatGUID(id), name, other, names[other]))
		}
	}
	return name
}

func (v votes) winner() string {
	var best string
	for name, n := range v {
		if c := cmp.Compare(n, v[best]); c > 0 || c == 0 && name < best {
			best = name
		}
	}
	return best
}

func sortedIDs[V any](m map[[16]byte]V) [][16]byte {
	return slices.SortedFunc(maps.Keys(m), func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
}

// clean makes one blank of each run of white space and control characters, and
// drops those around the text. Non-breaking and zero-width spaces are blanks
// like any other.
func clean(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == '\u200b' || r == '\ufeff'
	}), " ")
}

// decodeText is the text as UTF-8. Bytes that are none are taken for
// Windows-1252, in which older editions of the list were saved.
func decodeText(text []byte) string {
	if utf8.Valid(text) {
		return string(text)
	}
	var b strings.Builder
	b.Grow(len(text) + len(text)/8)
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		if r == utf8.RuneError && n == 1 {
			r = charmap.Windows1252.DecodeByte(text[0])
		}
		b.WriteRune(r)
		text = text[n:]
	}
	return b.String()
}
