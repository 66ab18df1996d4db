package lake

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"seatlake/pipeline"
)

// Spool is a directory for pages that are too long to be held. It is on the lake's
// file system, so that keeping such a page copies nothing. What a dead process
// leaves in it is swept away with its other unfinished files.
type Spool struct{ scratch *scratch }

// Spool makes a directory for a run's long pages. The caller closes it.
func (l *Lake) Spool() (*Spool, error) {
	s, err := l.store.scratch("spool")
	if err != nil {
		return nil, err
	}
	return &Spool{s}, nil
}

// Dir is where the directory is.
func (s *Spool) Dir() string { return s.scratch.store.file(s.scratch.dir) }

// Close removes the directory and all that is still in it.
func (s *Spool) Close() error { return s.scratch.remove() }

// spooled is a kept page's file as the page's body. Of an object it is the copy in the
// work directory, which was compared with the index when it was fetched.
func (s *store) spooled(ctx context.Context, name string, p keptPage) (*pipeline.Spool, error) {
	if s.inBucket(name) {
		at, err := s.local(ctx, name, p.Size, p.SHA256)
		return &pipeline.Spool{Path: at, Size: p.Size, SHA256: p.SHA256}, err
	}
	info, err := s.stat(name)
	if err != nil {
		return nil, err
	}
	sum, err := s.hash(name)
	if err != nil {
		return nil, err
	}
	return &pipeline.Spool{Path: s.file(name), Size: info.Size(), SHA256: sum}, nil
}

// place makes a new file of a page's body. A spooled one is not written again, but
// gets a second name if its file system allows that. The error of a name that is
// taken is fs.ErrExist.
func (s *store) place(name string, page *pipeline.Page) error {
	if page.Spool != nil {
		err := s.do("link", name, func() error { return os.Link(page.Spool.Path, s.file(name)) })
		if !cannotLink(err) {
			return err
		}
	}
	body, err := page.Raw()
	if err != nil {
		return err
	}
	defer body.Close()
	f, err := s.create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, body)
	return errors.Join(err, f.close())
}

// cannotLink says that a file is out of reach for another name.
func cannotLink(err error) bool {
	return errors.Is(err, syscall.EXDEV) || errors.Is(err, fs.ErrPermission) || errors.Is(err, errors.ErrUnsupported)
}
