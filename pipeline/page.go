package pipeline

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
)

// Page is one answer of Graph, byte for byte.
type Page struct {
	Source    string    // the source it answers, such as "users"
	Number    int       // from 1, within the source
	Request   string    // path and query as sent, without host, token or pre-authenticated link
	RequestID string    // Graph's request-id, for support cases
	Coding    string    // content coding of the body: "gzip" or "" (identity)
	Body      []byte    // the answer's bytes as they came over the wire; belongs to the page
	Spool     *Spool    // holds those bytes in place of Body; else nil
	Observed  time.Time // UTC, when the answer began to arrive

	text []byte // the body without its coding, once Text was called
}

// Pad is how many zero bytes can be read behind a page's text, so that a scanner
// may load whole words at its end.
const Pad = 64

// maxText bounds a page's text: a gzip body that claims more is refused.
const maxText = 1 << 30

// Text is the page's body with its content coding removed. It is made once, kept
// until the page is released, and then overwritten; Pad zero bytes follow it within its capacity. A truncated or corrupt body
// is an error.
func (p *Page) Text() ([]byte, error) {
	if p.text != nil {
		return p.text, nil
	}
	body, err := p.body()
	if err != nil {
		return nil, err
	}
	switch p.Coding {
	case "":
		p.text = append(borrow(len(body)+Pad), body...)
	case "gzip":
		text, err := gunzip(body)
		if err != nil {
			return nil, fmt.Errorf("gunzip: %w", err)
		}
		p.text = text
	default:
		return nil, p.unknownCoding()
	}
	clear(p.text[len(p.text) : len(p.text)+Pad])
	return p.text, nil
}

// texts are the buffers of pages that were released, for those that come: pages are
// large, and much alike.
var texts sync.Pool

// borrow is an empty buffer with room for n bytes.
func borrow(n int) []byte {
	if b, ok := texts.Get().(*[]byte); ok && cap(*b) >= n {
		return (*b)[:0]
	}
	return make([]byte, 0, n)
}

// Reader is the page's text as a stream, for pages that are too long to be held
// without their coding. The page keeps nothing of it, so that it can be read again.
// A truncated or corrupt body is an error of Read, at the latest where the text
// ends. The caller closes the reader.
func (p *Page) Reader() (io.ReadCloser, error) {
	raw, err := p.Raw()
	if err != nil {
		return nil, err
	}
	switch p.Coding {
	case "":
		return raw, nil
	case "gzip":
		r, err := gzip.NewReader(bufio.NewReaderSize(raw, spoolBuffer))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("gunzip: %w", err), raw.Close())
		}
		return &inflated{Reader: r, raw: raw}, nil
	default:
		return nil, errors.Join(p.unknownCoding(), raw.Close())
	}
}

// inflated is a text being read from a body.
type inflated struct {
	*gzip.Reader
	raw io.Closer
}

func (r *inflated) Close() error { return errors.Join(r.Reader.Close(), r.raw.Close()) }

func (p *Page) unknownCoding() error {
	return fmt.Errorf("content coding %q is not known; gzip and identity are", p.Coding)
}

// inflater reads bodies that are compressed with gzip. Its tables are larger than
// many a page, so one serves many.
type inflater struct {
	gzip gzip.Reader
	body bytes.Reader
}

var inflaters = sync.Pool{New: func() any { return new(inflater) }}

// gunzip inflates a whole body into one buffer, sized by the length that stands
// at the end of a gzip member.
func gunzip(body []byte) ([]byte, error) {
	f := inflaters.Get().(*inflater)
	defer func() {
		f.body.Reset(nil)
		inflaters.Put(f)
	}()
	f.body.Reset(body)
	if err := f.gzip.Reset(&f.body); err != nil {
		return nil, err
	}
	size := int64(binary.LittleEndian.Uint32(body[len(body)-4:]))
	// Deflate expands at most 1,032 times: a larger claim is damage.
	size = min(size, int64(len(body))*1032, maxText)
	out := bytes.NewBuffer(borrow(int(size) + Pad + bytes.MinRead))
	n, err := io.Copy(out, io.LimitReader(&f.gzip, maxText+1))
	if err != nil {
		return nil, err
	}
	if n > maxText {
		return nil, fmt.Errorf("page is larger than %d bytes", maxText)
	}
	out.Grow(Pad)
	return out.Bytes(), nil
}

// Pages is a source's answers in order. It may be ranged over once; an error
// ends it. A page belongs to whoever it is yielded to, who releases it.
type Pages = iter.Seq2[*Page, error]

// Window is the half-open span [From, To) of event time that a source is asked
// for. The zero Window asks for all there is.
type Window struct {
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
}

// IsZero says that the window is not bounded.
func (w Window) IsZero() bool { return w.From.IsZero() && w.To.IsZero() }

// Source gives a tenant's pages. Live Graph and a run's kept pages are its two
// implementations.
type Source interface {
	// Pages reads one source. It yields an error that is a *Gap when Graph
	// refuses the source in a way that a run can record and go on without;
	// any other error fails the run.
	Pages(ctx context.Context, source string, w Window) Pages
}

// Continuer is a Source that can go on from pages it gave to an earlier process.
type Continuer interface {
	Source
	// Continue yields the kept pages of a source, which are its first, and then
	// those that follow. Kept pages that answer another request than Pages would
	// send are left out, and the source is read from its beginning.
	Continue(ctx context.Context, source string, w Window, kept Pages) Pages
}

// Keeper stores pages as they pass.
type Keeper interface {
	// Keep yields the pages it is given, each after it has been stored. When the
	// pages end, or end in a *Gap, it stores how they ended, so that a replay
	// ends alike.
	Keep(ctx context.Context, source string, pages Pages) Pages
}

// The sources of a tenant. A source is one Graph collection or one usage report;
// its pages may feed several tables.
const (
	Users          = "users"
	SubscribedSkus = "subscribed_skus"
	SignIns        = "sign_ins"

	ReportActiveUsers = "getOffice365ActiveUserDetail"
	ReportEmail       = "getEmailActivityUserDetail"
	ReportApps        = "getM365AppUserDetail"
	ReportActivations = "getOffice365ActivationsUserDetail"
	ReportMailboxes   = "getMailboxUsageDetail"
	ReportOneDrives   = "getOneDriveUsageAccountDetail"
)
