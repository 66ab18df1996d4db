package sheet

import (
	"context"
	"time"

	"seatlake/pipeline"
)

const requestPrefix = "file "

// Page is a file as the only page of a source. name is the file's, without its
// folder.
func Page(source, name string, body []byte, observed time.Time) *pipeline.Page {
	return &pipeline.Page{Source: source, Number: 1, Request: requestPrefix + name, Body: body, Observed: observed}
}

// Source answers for one source with a file's bytes, and leaves all others to Next.
type Source struct {
	Next     pipeline.Continuer
	Of       string // the source
	Name     string // of the file, without its folder
	Body     []byte
	Observed time.Time // UTC, when the file was read
}

// Pages implements pipeline.Source.
func (s *Source) Pages(ctx context.Context, source string, w pipeline.Window) pipeline.Pages {
	if source != s.Of {
		return s.Next.Pages(ctx, source, w)
	}
	return func(yield func(*pipeline.Page, error) bool) {
		yield(Page(s.Of, s.Name, s.Body, s.Observed), nil)
	}
}

// Continue implements pipeline.Continuer. A run that has kept the file keeps to it,
// whatever became of the file since.
func (s *Source) Continue(ctx context.Context, source string, w pipeline.Window, kept pipeline.Pages) pipeline.Pages {
	if source != s.Of {
		return s.Next.Continue(ctx, source, w, kept)
	}
	return func(yield func(*pipeline.Page, error) bool) {
		whole := false
		for page, err := range kept {
			if whole = true; !yield(page, err) {
				return
			}
		}
		if !whole {
			s.Pages(ctx, source, w)(yield)
		}
	}
}
