package lake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"gocloud.dev/blob"
	"golang.org/x/sync/errgroup"
)

// bucket is the objects of a lake in an object store. Each act is tried until it
// succeeds, or fails for a reason that stays: the stores' own libraries give up too
// soon for a run of a hundred acts. An act that is tried again is one that may be
// done twice; creating is one as well, since what is there can be compared with what
// was to be written.
type bucket struct {
	blob *blob.Bucket // of the names below the lake's prefix
	url  string       // for people: without options
	full string       // with them

	// ctx is the command's that opened the lake. When it ends, acts that are under way
	// or yet to come, such as giving a lease back, have the grace to succeed once.
	ctx   context.Context
	tries tries
	lease leaseTimes
	page  int // names of a list in one answer
}

// tries says how often and how fast an act is tried again.
type tries struct {
	most  int           // in all
	first time.Duration // before the second; it doubles from there
	long  time.Duration // at most between two
	limit time.Duration // without an answer and without a byte moved
	grace time.Duration // for what is done after the command was told to end
}

// usualTries spends about half a minute on a store that is away.
var usualTries = tries{most: 9, first: 100 * time.Millisecond, long: 8 * time.Second, limit: time.Minute, grace: 10 * time.Second}

// at is an object's URL, for people.
func (b *bucket) at(name string) string { return strings.TrimSuffix(b.url+"/"+name, "/") }

// try does an act over and over. The act calls alive when it moves bytes.
func (b *bucket) try(act, name string, fn func(ctx context.Context, alive func()) error) error {
	wait := b.tries.first
	for n := 1; ; n++ {
		err := b.once(fn)
		if err == nil {
			return nil
		}
		e := diagnose(err)
		e.act, e.at, e.tries = act, b.at(name), n
		if !e.passing || n >= b.tries.most {
			return e
		}
		select {
		case <-b.ctx.Done():
			return e
		case <-time.After(wait):
		}
		wait = min(2*wait, b.tries.long)
	}
}

func (b *bucket) once(fn func(context.Context, func()) error) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.ctx))
	defer cancel()
	idle := time.AfterFunc(b.tries.limit, cancel)
	defer idle.Stop()
	stop := context.AfterFunc(b.ctx, func() { time.AfterFunc(b.tries.grace, cancel) })
	defer stop()
	return fn(ctx, func() { idle.Reset(b.tries.limit) })
}

// moving is a stream whose bytes say that a transfer is alive.
type moving struct {
	io.Reader
	io.Writer
	alive func()
}

func (m moving) Read(p []byte) (int, error) {
	m.alive()
	return m.Reader.Read(p)
}

func (m moving) Write(p []byte) (int, error) {
	m.alive()
	return m.Writer.Write(p)
}

func (b *bucket) read(name string) (body []byte, err error) {
	err = b.try("read", name, func(ctx context.Context, _ func()) error {
		body, err = b.blob.ReadAll(ctx, name)
		return err
	})
	return body, err
}

// fetch writes an object into a file, from its beginning, and says when the object
// was last changed.
func (b *bucket) fetch(name string, to *os.File) (changed time.Time, err error) {
	err = b.try("read", name, func(ctx context.Context, alive func()) error {
		if _, err := to.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if err := to.Truncate(0); err != nil {
			return err
		}
		r, err := b.blob.NewReader(ctx, name, nil)
		if err != nil {
			return err
		}
		changed = r.ModTime()
		n, err := io.Copy(moving{Writer: to, alive: alive}, r)
		if err == nil && n != r.Size() {
			err = io.ErrUnexpectedEOF
		}
		return errors.Join(err, r.Close())
	})
	return changed, err
}

func (b *bucket) stat(name string) (fs.FileInfo, error) {
	o := &object{name: path.Base(name)}
	err := b.try("stat", name, func(ctx context.Context, _ func()) error {
		a, err := b.blob.Attributes(ctx, name)
		if err == nil {
			o.size, o.changed = a.Size, a.ModTime
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return o, nil
}

// put writes an object in place of the one that is there.
func (b *bucket) put(name string, body []byte) error {
	return b.try("put", name, func(ctx context.Context, _ func()) error {
		return b.upload(ctx, name, bytes.NewReader(body), false)
	})
}

// create writes an object if its name is free; else the error is fs.ErrExist. An
// object with the very bytes is taken for the own one, whose answer was lost: callers
// whose bytes could be another's put something of themselves into them.
func (b *bucket) create(name string, body []byte) error {
	err := b.try("create", name, func(ctx context.Context, _ func()) error {
		return b.upload(ctx, name, bytes.NewReader(body), true)
	})
	if err == nil {
		return nil
	}
	e := (*bucketError)(nil)
	if !errors.As(err, &e) || !e.passing && !errors.Is(err, fs.ErrExist) {
		return err // it was refused, so it is not there
	}
	switch there, read := b.read(name); {
	case read != nil:
		return err
	case bytes.Equal(there, body):
		return nil
	}
	e.kind = fs.ErrExist
	return e
}

// putFile writes an object of a file in place of the one that is there.
func (b *bucket) putFile(name, from string) error { return b.file("put", name, from, false) }

// createFile writes an object of a file if its name is free; else the error is
// fs.ErrExist, be the bytes what they may.
func (b *bucket) createFile(name, from string) error { return b.file("create", name, from, true) }

func (b *bucket) file(act, name, from string, ifFree bool) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	return b.try(act, name, func(ctx context.Context, alive func()) error {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		return b.upload(ctx, name, moving{Reader: f, alive: alive}, ifFree)
	})
}

// upload writes an object with gocloud's Upload, which publishes nothing when the
// reader fails. A writer would publish what it got when it is closed.
func (b *bucket) upload(ctx context.Context, name string, r io.Reader, ifFree bool) error {
	return b.blob.Upload(ctx, name, r, &blob.WriterOptions{
		ContentType: contentType(name), IfNotExist: ifFree,
		BufferSize: 8 << 20, MaxConcurrency: 2, // what an upload takes of memory
	})
}

func contentType(name string) string {
	switch path.Ext(name) {
	case ".json":
		return "application/json"
	case ".parquet":
		return "application/vnd.apache.parquet"
	case ".txt", ".csv":
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}

// remove removes an object. What is absent is removed.
func (b *bucket) remove(name string) error {
	err := b.try("remove", name, func(ctx context.Context, _ func()) error { return b.blob.Delete(ctx, name) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// removeAll removes an object and all below its name.
func (b *bucket) removeAll(name string) error {
	names := []string{name}
	err := b.walk(name, func(below string, _ fs.DirEntry) error {
		names = append(names, below)
		return nil
	})
	if err != nil {
		return err
	}
	group := new(errgroup.Group)
	group.SetLimit(callsAtOnce)
	for _, n := range names {
		group.Go(func() error { return b.remove(n) })
	}
	return group.Wait()
}

// list gives what is directly below a name, sorted, with names that have more below
// them as directories. It takes a call for each page.
func (b *bucket) list(dir string) (entries []fs.DirEntry, err error) {
	err = b.pages(below(dir), "/", func(o *object) error {
		entries = append(entries, o)
		return nil
	})
	return entries, err
}

// walk calls fn with every object below a name, in the order of their keys.
func (b *bucket) walk(dir string, fn func(name string, info fs.DirEntry) error) error {
	prefix := below(dir)
	return b.pages(prefix, "", func(o *object) error {
		name := prefix + o.name
		o.name = path.Base(name)
		return fn(name, o)
	})
}

func below(dir string) string {
	if dir == "." {
		return ""
	}
	return dir + "/"
}

// pages calls fn with the objects whose keys begin with a prefix, named by what
// follows it.
func (b *bucket) pages(prefix, delimiter string, fn func(*object) error) error {
	token := blob.FirstPageToken
	for len(token) > 0 {
		var page []*blob.ListObject
		var next []byte
		err := b.try("list", prefix, func(ctx context.Context, _ func()) (err error) {
			page, next, err = b.blob.ListPage(ctx, token, b.page, &blob.ListOptions{Prefix: prefix, Delimiter: delimiter})
			return err
		})
		if err != nil {
			return err
		}
		for _, o := range page {
			name := strings.TrimSuffix(strings.TrimPrefix(o.Key, prefix), "/")
			if name == "" {
				continue // what some tools put for a directory
			}
			if err := fn(&object{name: name, size: o.Size, changed: o.ModTime, dir: o.IsDir}); err != nil {
				return err
			}
		}
		token = next
	}
	return nil
}

// object is what a list says of an object.
type object struct {
	name    string
	size    int64
	changed time.Time
	dir     bool
}

func (o *object) Name() string               { return o.name }
func (o *object) IsDir() bool                { return o.dir }
func (o *object) Size() int64                { return o.size }
func (o *object) ModTime() time.Time         { return o.changed }
func (o *object) Sys() any                   { return nil }
func (o *object) Type() fs.FileMode          { return o.Mode().Type() }
func (o *object) Info() (fs.FileInfo, error) { return o, nil }

func (o *object) Mode() fs.FileMode {
	if o.dir {
		return fs.ModeDir | 0o700
	}
	return 0o600
}

// bucketError is an act that a bucket failed.
type bucketError struct {
	act, at string
	tries   int
	kind    error  // fs.ErrNotExist, fs.ErrExist, fs.ErrPermission or nil
	unknown bool   // nobody knows the credentials, which is why nothing is allowed
	passing bool   // it may succeed when it is tried again
	said    string // by the store, in one line
	cure    string
	cause   error
}

func (e *bucketError) Error() string {
	text := e.act + " " + e.at + ": " + e.said
	if e.tries > 1 {
		text += fmt.Sprintf(", %d times", e.tries)
	}
	if e.cure != "" {
		text += " (" + e.cure + ")"
	}
	return text
}

func (e *bucketError) Unwrap() []error {
	if e.kind == nil {
		return []error{e.cause}
	}
	return []error{e.kind, e.cause}
}
