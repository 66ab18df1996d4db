package catalog

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

const (
	compactMagic   = "seatlake-catalog"
	compactVersion = 1
)

var gzipMagic = []byte{0x1f, 0x8b}

// WriteCompact writes the catalogue in its compact form. Equal catalogues give
// equal bytes.
//
// The compact form is gzipped text of UTF-8 lines, cells separated by tabs:
//
//	seatlake-catalog  1
//	source            <what it was made from>
//	date              <2006-01-02, or empty>
//	plans             <count>
//	<GUID>            <name>         <friendly name>          one line a plan, by GUID
//	skus              <count>
//	<GUID>            <part number>  <name>         <plans>   one line a SKU, by GUID
//	end
//
// GUIDs are lower case. The plans of a SKU are their positions in the list of
// plans, ascending, from 0, each but the first as the distance from the one
// before, separated by blanks. A reader refuses versions that it does not know.
func (c *Catalog) WriteCompact(out io.Writer) error {
	z, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(z)
	fmt.Fprintf(w, "%s\t%d\nsource\t%s\ndate\t%s\n", compactMagic, compactVersion, clean(c.Source), c.Date)
	fmt.Fprintf(w, "plans\t%d\n", len(c.plans))
	for _, p := range c.plans {
		fmt.Fprintf(w, "%s\t%s\t%s\n", FormatGUID(p.ID), p.Name, p.FriendlyName)
	}
	fmt.Fprintf(w, "skus\t%d\n", len(c.skus))
	for _, s := range c.skus {
		fmt.Fprintf(w, "%s\t%s\t%s\t", FormatGUID(s.ID), s.PartNumber, s.Name)
		last := 0
		for i, p := range s.plans {
			if i > 0 {
				w.WriteByte(' ')
			}
			w.WriteString(strconv.Itoa(p - last))
			last = p
		}
		w.WriteByte('\n')
	}
	w.WriteString("end\n")
	if err := w.Flush(); err != nil { // bufio keeps the first error of all the writes above
		return err
	}
	return z.Close()
}

// ReadCompact reads the compact form. A damaged or truncated text, or one of
// another version, is an error that names the line.
func ReadCompact(in io.Reader) (*Catalog, error) {
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, fmt.Errorf("not a catalogue in compact form: %w", err)
	}
	r := &compactReader{lines: bufio.NewScanner(z)}
	r.lines.Buffer(nil, 1<<20)
	c := r.catalog()
	if r.err == nil && r.lines.Scan() {
		r.fail(errors.New("text after the end"))
	}
	if err := r.lines.Err(); err != nil {
		r.fail(err)
	}
	if r.err != nil {
		return nil, fmt.Errorf("line %d: %w", r.line, r.err)
	}
	if len(c.skus) == 0 {
		return nil, errEmpty
	}
	return c, c.serve()
}

// compactReader reads line by line and keeps the first error.
type compactReader struct {
	lines *bufio.Scanner
	line  int
	err   error
}

func (r *compactReader) catalog() *Catalog {
	c := &Catalog{}
	if v := r.labelled(compactMagic); r.err == nil && v != strconv.Itoa(compactVersion) {
		r.fail(fmt.Errorf("catalogue version %q is not known, %d is; use a newer seatlake, or update the catalogue with this one", v, compactVersion))
	}
	c.Source = r.labelled("source")
	c.Date = r.labelled("date")
	for range r.count("plans") {
		cell := r.cells(3)
		if r.err != nil {
			return nil
		}
		c.plans = append(c.plans, Plan{ID: r.guid(cell[0]), Name: cell[1], FriendlyName: cell[2]})
		if n := len(c.plans); n > 1 && !less(c.plans[n-2].ID, c.plans[n-1].ID) {
			r.fail(errors.New("plans are not in order"))
		}
	}
	for range r.count("skus") {
		cell := r.cells(4)
		if r.err != nil {
			return nil
		}
		c.skus = append(c.skus, sku{
			SKU:   SKU{ID: r.guid(cell[0]), PartNumber: cell[1], Name: cell[2]},
			plans: r.positions(cell[3], len(c.plans)),
		})
		if n := len(c.skus); n > 1 && !less(c.skus[n-2].ID, c.skus[n-1].ID) {
			r.fail(errors.New("SKUs are not in order"))
		}
	}
	if cell := r.cells(1); r.err == nil && cell[0] != "end" {
		r.fail(errors.New("the end is missing"))
	}
	return c
}

// cells reads a line of n cells.
func (r *compactReader) cells(n int) []string {
	if r.err != nil {
		return nil
	}
	r.line++
	if !r.lines.Scan() {
		r.fail(io.ErrUnexpectedEOF)
		return nil
	}
	cells := strings.Split(r.lines.Text(), "\t")
	if len(cells) != n {
		r.fail(fmt.Errorf("%d cells, want %d", len(cells), n))
		return nil
	}
	return cells
}

// labelled reads a line of a label and a value.
func (r *compactReader) labelled(label string) string {
	cell := r.cells(2)
	if r.err == nil && cell[0] != label {
		r.fail(fmt.Errorf("%q where %q is expected", cell[0], label))
	}
	if r.err != nil {
		return ""
	}
	return cell[1]
}

func (r *compactReader) count(label string) int {
	text := r.labelled(label)
	if r.err != nil {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		r.fail(fmt.Errorf("%q is no count", text))
		return 0
	}
	return n
}

func (r *compactReader) guid(text string) [16]byte {
	id, err := ParseGUID(text)
	if err != nil {
		r.fail(err)
	}
	return id
}

// positions reads the distances between a SKU's plans.
func (r *compactReader) positions(text string, plans int) []int {
	var out []int
	last := 0
	for field := range strings.FieldsSeq(text) {
		n, err := strconv.Atoi(field)
		if err != nil || n < 0 || n >= plans-last || (n == 0 && len(out) > 0) {
			r.fail(fmt.Errorf("%q is no distance to a plan", field))
			return nil
		}
		last += n
		out = append(out, last)
	}
	return slices.Clip(out)
}

func (r *compactReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func less(a, b [16]byte) bool { return string(a[:]) < string(b[:]) }
