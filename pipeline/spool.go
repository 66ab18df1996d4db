package pipeline

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
)

// MaxHeld is the longest body of a usage report, in bytes, that a page holds in
// memory. Longer ones are spooled: a report is one answer for all users, so that
// it alone would make memory grow with the tenant.
const MaxHeld = 1 << 20

// spoolBuffer is how much of a spooled body is read at a time.
const spoolBuffer = 64 << 10

// Spool is a body as a file, which nobody writes any more.
type Spool struct {
	Path   string
	Size   int64  // bytes
	SHA256 string // of the file, lower-case hex

	// Temporary says that the file is the page's own: releasing the page removes it.
	Temporary bool
}

// Raw is the page's body, byte for byte. The caller closes it.
func (p *Page) Raw() (io.ReadCloser, error) {
	if p.Spool == nil {
		return io.NopCloser(bytes.NewReader(p.Body)), nil
	}
	f, err := os.Open(p.Spool.Path)
	if err != nil {
		return nil, fmt.Errorf("spooled body: %w", err)
	}
	return f, nil
}

// Size is the length of the body in bytes.
func (p *Page) Size() int64 {
	if p.Spool == nil {
		return int64(len(p.Body))
	}
	return p.Spool.Size
}

// SHA256 is the hash of the body, in lower-case hex.
func (p *Page) SHA256() string {
	if p.Spool == nil {
		sum := sha256.Sum256(p.Body)
		return hex.EncodeToString(sum[:])
	}
	return p.Spool.SHA256
}

// Release ends the page's use of its body and text: nothing of them is read
// afterwards. A temporary file that cannot be removed is left to its directory's
// owner. Nil and released pages may be released.
func (p *Page) Release() {
	if p == nil {
		return
	}
	if text := p.text; text != nil {
		p.text = nil
		texts.Put(&text)
	}
	if p.Spool != nil && p.Spool.Temporary {
		os.Remove(p.Spool.Path)
	}
}

// body is the whole body in memory.
func (p *Page) body() ([]byte, error) {
	if p.Spool == nil {
		return p.Body, nil
	}
	body, err := os.ReadFile(p.Spool.Path)
	if err != nil {
		return nil, fmt.Errorf("spooled body: %w", err)
	}
	return body, nil
}
