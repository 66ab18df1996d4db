package seal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"seatlake/pipeline"
)

// pageMagic begins a sealed page. Its zero says that the page is no text, however short
// it is. What follows is the page's coding and a line break, then its bytes as they
// came, both sealed.
const pageMagic = "seatlake sealed page 1\x00"

// errClearPage is the error of a kept page that ought to be sealed.
var errClearPage = errors.New("the page is not sealed, and the lake's pages are: it was written by something else than seatlake; remove its run's directory below raw/")

// SealPage is a page as it is kept: the same page, its body sealed. Equal bodies are
// sealed alike, so that a run that is taken up finds its own pages again. The whole
// body is held in memory, as it came over the wire.
func (k *Key) SealPage(p *pipeline.Page) (*pipeline.Page, error) {
	body, err := bodyOf(p)
	if err != nil {
		return nil, err
	}
	text := append(append(make([]byte, 0, len(p.Coding)+1+len(body)), p.Coding+"\n"...), body...)
	out := &pipeline.Page{Source: p.Source, Number: p.Number, Request: p.Request, RequestID: p.RequestID, Observed: p.Observed}
	out.Body = k.pages.seal(append(make([]byte, 0, len(pageMagic)+ivBytes+len(text)), pageMagic...), text)
	return out, nil
}

// OpenPage is the page that was sealed. The error of a page that is not sealed, or not
// with this key, says so.
func (k *Key) OpenPage(p *pipeline.Page) (*pipeline.Page, error) {
	body, err := bodyOf(p)
	if err != nil {
		return nil, err
	}
	sealed, ok := bytes.CutPrefix(body, []byte(pageMagic))
	if !ok {
		return nil, errClearPage
	}
	text, err := k.pages.open(sealed)
	if err != nil {
		return nil, err
	}
	coding, body, _ := bytes.Cut(text, []byte("\n"))
	return &pipeline.Page{
		Source: p.Source, Number: p.Number, Request: p.Request, RequestID: p.RequestID, Observed: p.Observed,
		Coding: string(coding), Body: body,
	}, nil
}

func bodyOf(p *pipeline.Page) ([]byte, error) {
	if p.Spool == nil {
		return p.Body, nil
	}
	raw, err := p.Raw()
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	return io.ReadAll(raw)
}

// Kept opens the pages of a source that keeps them sealed.
func (k *Key) Kept(s pipeline.Source) pipeline.Source { return source{k, s} }

type source struct {
	key  *Key
	kept pipeline.Source
}

func (s source) Pages(ctx context.Context, name string, w pipeline.Window) pipeline.Pages {
	return s.key.opened(s.kept.Pages(ctx, name, w))
}

// opened is sealed pages, opened. Each is released when it has been opened.
func (k *Key) opened(pages pipeline.Pages) pipeline.Pages {
	return func(yield func(*pipeline.Page, error) bool) {
		for page, err := range pages {
			if err != nil {
				yield(nil, err)
				return
			}
			clear, err := k.OpenPage(page)
			page.Release()
			if err != nil {
				yield(nil, fmt.Errorf("kept page %d of %s: %w", page.Number, page.Source, err))
				return
			}
			if !yield(clear, nil) {
				return
			}
		}
	}
}

// Keeper seals pages on the way into a keeper, and passes on the clear ones.
func (k *Key) Keeper(inner pipeline.Keeper) pipeline.Keeper { return keeper{k, inner} }

type keeper struct {
	key   *Key
	inner pipeline.Keeper
}

func (s keeper) Keep(ctx context.Context, name string, pages pipeline.Pages) pipeline.Pages {
	return func(yield func(*pipeline.Page, error) bool) {
		var clear *pipeline.Page // whose sealed form the inner keeper has in hand
		hidden := func(yield func(*pipeline.Page, error) bool) {
			for page, err := range pages {
				if err != nil {
					yield(page, err)
					return
				}
				sealed, err := s.key.SealPage(page)
				if err != nil {
					page.Release()
					yield(nil, fmt.Errorf("seal page %d: %w", page.Number, err))
					return
				}
				if clear = page; !yield(sealed, nil) {
					return
				}
			}
		}
		for sealed, err := range s.inner.Keep(ctx, name, hidden) {
			if err != nil {
				clear.Release() // what was not passed on
				yield(nil, err)
				return
			}
			sealed.Release()
			page := clear
			if clear = nil; !yield(page, nil) {
				return
			}
		}
	}
}

// Resumed is what a run that was taken up reads: sealed pages that a keeper has, which
// resume gives the living source to go on from, opened before either sees them.
func (k *Key) Resumed(live pipeline.Continuer, resume func(pipeline.Continuer) pipeline.Source) pipeline.Source {
	return resumed{k, resume(continuer{k, live})}
}

// continuer is a living source that is given sealed pages to go on from.
type continuer struct {
	key  *Key
	live pipeline.Continuer
}

func (c continuer) Pages(ctx context.Context, name string, w pipeline.Window) pipeline.Pages {
	return c.live.Pages(ctx, name, w)
}

func (c continuer) Continue(ctx context.Context, name string, w pipeline.Window, kept pipeline.Pages) pipeline.Pages {
	return c.live.Continue(ctx, name, w, c.key.opened(kept))
}

// resumed gives clear pages: living ones as they come, kept ones opened.
type resumed struct {
	key   *Key
	pages pipeline.Source
}

func (r resumed) Pages(ctx context.Context, name string, w pipeline.Window) pipeline.Pages {
	return func(yield func(*pipeline.Page, error) bool) {
		for page, err := range r.pages.Pages(ctx, name, w) {
			if err == nil && page.Spool == nil && bytes.HasPrefix(page.Body, []byte(pageMagic)) {
				sealed := page
				page, err = r.key.OpenPage(sealed)
				sealed.Release()
			}
			if !yield(page, err) || err != nil {
				return
			}
		}
	}
}
