package inventory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"seatlake/pipeline"
)

// File is a file of an inventory with the mapping that reads it.
type File struct {
	Path    string
	Mapping *Mapping
	Text    []byte // of the mapping

	size int64
	sum  string // SHA-256 of the file, lower-case hex
}

// Open reads a file once to know its hash, and checks its mapping: the name of one
// in the program, or the path of a file. It does not look at rows. An error is an
// *Error or the file system's.
func Open(file, mapping string) (*File, error) {
	text, ok := Layout(mapping)
	if !ok {
		var err error
		if text, err = os.ReadFile(mapping); err != nil {
			return nil, fmt.Errorf("mapping %s is neither a file nor one of %s: %w", mapping, strings.Join(Layouts(), ", "), err)
		}
	}
	m, err := ParseMapping(mapping, text)
	if err != nil {
		return nil, err
	}
	f := &File{Path: file, Mapping: m, Text: text}
	body, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	hash := sha256.New()
	if f.size, err = io.Copy(hash, body); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	f.sum = hex.EncodeToString(hash.Sum(nil))
	return f, nil
}

// Name is the file's, without its folder.
func (f *File) Name() string { return filepath.Base(f.Path) }

// Read reads the rows; see the function Read.
func (f *File) Read() (_ []Installation, _ *Report, err error) {
	body, err := os.Open(f.Path)
	if err != nil {
		return nil, nil, err
	}
	defer body.Close()
	return Read(f.Path, body, f.Mapping)
}

// A file is two pages: its mapping, then its bytes. So a replay reads it as it was
// read, whatever became of the mapping since.
const (
	mappingPrefix = "mapping "
	filePrefix    = "file "
)

// Pages are the pages of the files, from the given number.
func (f *File) pages(number int, observed time.Time) []*pipeline.Page {
	text := &pipeline.Page{Source: pipeline.Inventory, Number: number, Request: mappingPrefix + f.Mapping.Name, Body: f.Text, Observed: observed}
	body := &pipeline.Page{
		Source: pipeline.Inventory, Number: number + 1, Request: filePrefix + f.Name(), Observed: observed,
		Spool: &pipeline.Spool{Path: f.Path, Size: f.size, SHA256: f.sum},
	}
	return []*pipeline.Page{text, body}
}

// Source answers for the source inventory with the files, and leaves all others to
// Next.
type Source struct {
	Next     pipeline.Continuer
	Files    []*File
	Observed time.Time // UTC, when the files were opened
}

// Pages implements pipeline.Source.
func (s *Source) Pages(ctx context.Context, source string, w pipeline.Window) pipeline.Pages {
	if source != pipeline.Inventory {
		return s.Next.Pages(ctx, source, w)
	}
	return s.after(0)
}

// after gives the pages behind the first so many.
func (s *Source) after(kept int) pipeline.Pages {
	return func(yield func(*pipeline.Page, error) bool) {
		for i, f := range s.Files {
			for _, page := range f.pages(2*i+1, s.Observed) {
				if page.Number > kept && !yield(page, nil) {
					return
				}
			}
		}
	}
}

// Continue implements pipeline.Continuer. Files that the run has kept stay as they
// were then.
func (s *Source) Continue(ctx context.Context, source string, w pipeline.Window, kept pipeline.Pages) pipeline.Pages {
	if source != pipeline.Inventory {
		return s.Next.Continue(ctx, source, w, kept)
	}
	return func(yield func(*pipeline.Page, error) bool) {
		n := 0
		for page, err := range kept {
			if n++; !yield(page, err) || err != nil {
				return
			}
		}
		s.after(n)(yield)
	}
}
