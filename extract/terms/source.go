package terms

import (
	"os"
	"path/filepath"
	"time"

	"seatlake/extract/sheet"
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

// Source answers for the source license_terms with the file's bytes, and leaves all
// others to next. observed is when the file was read, UTC.
func (f *File) Source(next pipeline.Continuer, observed time.Time) pipeline.Continuer {
	return &sheet.Source{Next: next, Of: pipeline.LicenseTerms, Name: f.Name, Body: f.Body, Observed: observed}
}
