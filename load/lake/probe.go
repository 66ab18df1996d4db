package lake

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Probe is what a bucket lets this machine do.
type Probe struct {
	Where  string // the lake's URL, for people
	Scheme string // s3, azblob or gs
	Work   string // directory in which lakes in buckets are worked on
	Rights []Right

	// Unfinished is how many multipart uploads below the lake were begun and neither
	// finished nor given up, and Oldest when the first of them was begun. Only S3 can
	// list them; UnfinishedErr says why it did not.
	Unfinished    int
	Oldest        time.Time
	UnfinishedErr error
}

// Right is one act that a lake needs.
type Right struct {
	Name  string // as in "the right to list objects"
	Costs string // what does not work without it
	Err   error  // nil when it is there
}

// Probe tries everything that a lake does in a bucket on an object of its own, which it
// removes. It makes no lake. The error is that of a bucket that cannot be asked at all.
func (p Place) Probe(ctx context.Context) (*Probe, error) {
	_, u, err := p.parse()
	if err != nil {
		return nil, err
	}
	s, err := p.store(ctx)
	if err != nil {
		return nil, err
	}
	if s.bucket == nil {
		return nil, fmt.Errorf("lake %s is in a directory", s.root)
	}
	out := &Probe{Where: s.where(), Scheme: u.Scheme, Work: s.root}
	name := leaseDir + "/probe-" + strings.ToLower(rand.Text())
	if err := out.try(s.bucket, name); err != nil {
		return nil, err
	}
	if u.Scheme == "s3" {
		out.Unfinished, out.Oldest, out.UnfinishedErr = s.bucket.unfinished(u)
	}
	return out, nil
}

// try makes each act once. What the acts cannot tell apart, a bucket that is not there
// or credentials that nobody knows, is an error.
func (p *Probe) try(b *bucket, name string) error {
	body := []byte("seatlake doctor\n")
	changed := func(got []byte) error {
		return fmt.Errorf("%s holds %q, and %q was put: it is no store for a lake", b.at(name), got, body)
	}
	acts := []struct {
		right, costs string
		do           func() error
	}{
		{"create an object if its name is free", "no commit can be published", func() error { return b.create(name, body) }},
		{"refuse an object whose name is taken", "two runs at once would overwrite each other's commits", func() error {
			err := b.create(name, []byte("another\n"))
			switch {
			case err == nil:
				return fmt.Errorf("%s was created twice: the store knows no conditional writes, and is none for a lake", b.at(name))
			case errors.Is(err, fs.ErrExist):
				return nil
			}
			return err
		}},
		{"replace an object", "marts and checkpoints cannot be brought up to date", func() error { return b.put(name, body) }},
		{"read an object", "nothing can be read", func() error {
			got, err := b.read(name)
			if err == nil && !bytes.Equal(got, body) {
				err = changed(got)
			}
			return err
		}},
		{"list objects", "no version can be found", func() error {
			found := false
			err := b.walk(leaseDir, func(there string, _ fs.DirEntry) error {
				found = found || there == name
				return nil
			})
			if err == nil && !found {
				err = fmt.Errorf("%s was put and is not in the list", b.at(name))
			}
			return err
		}},
		{"remove an object", "old pages and versions cannot be pruned, and leases stay until they are taken for dead", func() error { return b.remove(name) }},
	}
	for i, act := range acts {
		err := act.do()
		if e := (*bucketError)(nil); i == 0 && err != nil && (!errors.As(err, &e) || !errors.Is(err, fs.ErrPermission) || e.unknown) {
			return err
		}
		p.Rights = append(p.Rights, Right{Name: act.right, Costs: act.costs, Err: err})
		if i == 0 && err != nil {
			// Without an object the next acts show little: reading and listing are
			// tried as far as they go.
			for _, act := range acts[3:5] {
				err := act.do()
				if errors.Is(err, fs.ErrPermission) {
					p.Rights = append(p.Rights, Right{Name: act.right, Costs: act.costs, Err: err})
				}
			}
			return nil
		}
	}
	return nil
}

// unfinished counts the multipart uploads that were left below the lake.
func (b *bucket) unfinished(u *url.URL) (count int, oldest time.Time, err error) {
	var client *s3.Client
	if !b.blob.As(&client) {
		return 0, oldest, errors.New("the store's library does not say")
	}
	host, prefix := u.Host, prefixOf(u)
	err = b.try("list uploads", "", func(ctx context.Context, _ func()) error {
		count, oldest = 0, time.Time{}
		answer, err := client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &host, Prefix: &prefix})
		if a, _ := answerOf(err); a.code == "NoSuchUpload" {
			return nil // how some stores say that there is none
		}
		if err != nil {
			return err
		}
		for _, one := range answer.Uploads {
			count++
			if one.Initiated != nil && (oldest.IsZero() || one.Initiated.Before(oldest)) {
				oldest = *one.Initiated
			}
		}
		return nil
	})
	return count, oldest, err
}
