package lake

import (
	"errors"
	"io/fs"
	"slices"
	"time"

	"seatlake/pipeline"
)

// KeptPage is a page that the lake still holds.
type KeptPage struct {
	Path      string // relative to the lake
	Number    int    // from 1, within the source
	Request   string // path and query, as sent
	RequestID string // Graph's, for support cases; empty for a file of the user
	Observed  time.Time
	Size      int64  // bytes, as kept
	SHA256    string // of those bytes
}

// KeptPages lists the pages of one source of a run, in their order. There are none
// when the run kept none, or they are past their retention.
func (l *Lake) KeptPages(run pipeline.Run, source string) ([]KeptPage, error) {
	i := slices.IndexFunc(run.Requests, func(q pipeline.Request) bool { return q.Source == source })
	if i < 0 {
		return nil, nil
	}
	at, err := (&rawSource{store: l.store, run: run}).index(source, run.Requests[i].Window)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	pages := make([]KeptPage, len(at.Pages))
	for i, p := range at.Pages {
		pages[i] = KeptPage{
			Path: rawPath(run, source, p.Name), Number: p.Number, Request: p.Request, RequestID: p.RequestID,
			Observed: p.Observed, Size: p.Size, SHA256: p.SHA256,
		}
	}
	return pages, nil
}
