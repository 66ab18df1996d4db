package terms

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"seatlake/pipeline"
)

// File is a file of licence terms whose every row was understood.
type File struct {
	Name  string // without its folder
	Body  []byte
	Terms []Term
}

// Read reads a file and checks it. Its error is an *Error that names every fault,
// or the file system's.
func Read(path string) (*File, error) {
	body, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	terms, err := Parse(path, body)
	if err != nil {
		return nil, err
	}
	return &File{Name: filepath.Base(path), Body: body, Terms: terms}, nil
}

// Source answers for the source license_terms with a file's bytes, and leaves all
// others to Next.
type Source struct {
	Next     pipeline.Continuer
	File     *File
	Observed time.Time // UTC, when the file was read
}

// Pages implements pipeline.Source.
func (s *Source) Pages(ctx context.Context, source string, w pipeline.Window) pipeline.Pages {
	if source != pipeline.LicenseTerms {
		return s.Next.Pages(ctx, source, w)
	}
	return func(yield func(*pipeline.Page, error) bool) {
		yield(Page(s.File.Name, s.File.Body, s.Observed), nil)
	}
}

// Continue implements pipeline.Continuer. A run that has kept the file keeps to it,
// whatever became of the file since.
func (s *Source) Continue(ctx context.Context, source string, w pipeline.Window, kept pipeline.Pages) pipeline.Pages {
	if source != pipeline.LicenseTerms {
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
