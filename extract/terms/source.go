package terms

import (
	"context"
	"time"

	"seatlake/pipeline"
)

// Source answers for the source license_terms with a file's bytes, and leaves all
// others to Next.
type Source struct {
	Next     pipeline.Source
	Name     string // of the file, without its folder
	Body     []byte
	Observed time.Time // UTC, when the file was read
}

// Pages implements pipeline.Source.
func (s *Source) Pages(ctx context.Context, source string, w pipeline.Window) pipeline.Pages {
	if source != pipeline.LicenseTerms {
		return s.Next.Pages(ctx, source, w)
	}
	return func(yield func(*pipeline.Page, error) bool) {
		yield(Page(s.Name, s.Body, s.Observed), nil)
	}
}
