package decode

import (
	"bytes"
	"errors"
	"fmt"
)

// Envelope is the outer shape of one JSON page.
type Envelope struct {
	NextLink  string // @odata.nextLink, empty on the last page
	DeltaLink string // @odata.deltaLink
	HasValue  bool   // there is an array "value"
	Empty     bool   // and it has no elements
}

// ReadEnvelope reads the outer shape of a JSON page and checks that all of it is
// well formed, without decoding rows. Pad zero bytes should follow the text, as
// they do in Page.Text. Its errors say what a person would see in the page: HTML
// instead of JSON, a page that ends too early, or the place of the damage.
func ReadEnvelope(text []byte) (Envelope, error) {
	var e Envelope
	if err := refuse(text, "JSON"); err != nil {
		return e, err
	}
	var c cursor
	c.set(padded(text))
	link := func(to *string, i int) int {
		if c.b[i] == 'n' {
			return c.skip(i)
		}
		if c.b[i] != '"' {
			return c.fail(i, "a link")
		}
		v, next, _ := c.text(i + 1)
		*to = string(v)
		return next
	}
	c.members(func(name []byte, i int) int {
		switch string(name) {
		case "value":
			if c.b[i] == '[' {
				e.HasValue = true
				e.Empty = c.b[c.space(i+1)] == ']'
			}
		case "@odata.nextLink":
			return link(&e.NextLink, i)
		case "@odata.deltaLink":
			return link(&e.DeltaLink, i)
		}
		return c.skip(i)
	})
	if c.err != nil {
		return Envelope{}, c.err
	}
	return e, nil
}

// refuse names what is not a page at all.
func refuse(text []byte, want string) error {
	start := bytes.TrimSpace(text[:min(len(text), 512)])
	switch {
	case len(bytes.TrimSpace(text)) == 0:
		return fmt.Errorf("the page is empty; %s was expected", want)
	case len(start) > 0 && start[0] == '<':
		return fmt.Errorf("HTML instead of %s: a proxy or sign-in page answered", want)
	case bytes.HasPrefix(start, []byte{0x1f, 0x8b}):
		return errors.New("the page is still compressed with gzip")
	}
	return nil
}
