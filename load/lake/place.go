package lake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/storage"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/azureblob" // azblob://
	"gocloud.dev/blob/gcsblob"
	_ "gocloud.dev/blob/s3blob" // s3://
	"gocloud.dev/gcp"
)

// Place says where a lake is, and where this machine works on one that is in a bucket.
type Place struct {
	// URL is a directory's path, or one of
	//
	//	file:///var/lib/seatlake
	//	s3://bucket/prefix?region=eu-central-1
	//	azblob://container/prefix?storage_account=contoso
	//	gs://bucket/prefix
	//
	// Options behind the "?" are gocloud.dev's, such as endpoint and use_path_style
	// for a store that speaks S3. Credentials come from where each store's own tools
	// look for them, never from the URL.
	URL string

	// Work is the directory for what a bucket cannot hold: unfinished files, pages of
	// the run at work, copies for readers. Each lake gets a directory of its own in
	// it. Empty means seatlake in the user's cache directory. A run that was cut off
	// can be taken up where its work directory is, and nowhere else.
	Work string
}

// Open opens an existing lake. The context is that of the command: when it ends, so
// do the acts on a bucket.
func (p Place) Open(ctx context.Context) (*Lake, error) {
	s, err := p.store(ctx)
	if err != nil {
		return nil, err
	}
	return openExisting(s)
}

// Create makes a lake, or opens the one that is there. The clock dates the lake's id,
// nothing else.
func (p Place) Create(ctx context.Context, now func() time.Time) (*Lake, error) {
	return p.CreateSealed(ctx, "", now)
}

// CreateSealed is Create for a lake whose names of persons are sealed with the key of
// an id, as the function of that name says.
func (p Place) CreateSealed(ctx context.Context, keyID string, now func() time.Time) (*Lake, error) {
	s, err := p.store(ctx)
	if err != nil {
		return nil, err
	}
	return create(s, keyID, now)
}

// Check says whether the URL is one of a lake. It asks no store.
func (p Place) Check() error {
	_, _, err := p.parse()
	return err
}

// Dir is the lake's directory, and empty when the lake is in a bucket.
func (p Place) Dir() string {
	dir, _, err := p.parse()
	if err != nil {
		return ""
	}
	return dir
}

func (p Place) store(ctx context.Context) (*store, error) {
	dir, u, err := p.parse()
	switch {
	case err != nil:
		return nil, err
	case u == nil:
		return directory(dir)
	}
	opened, err := openBucket(ctx, bare(u))
	if err != nil {
		e := diagnose(err)
		e.act, e.at = "open", shown(u)
		return nil, e
	}
	return p.inBucket(ctx, opened, u)
}

// inBucket is the store of a bucket that was opened without a prefix.
func (p Place) inBucket(ctx context.Context, opened *blob.Bucket, u *url.URL) (*store, error) {
	work := p.Work
	if work == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("lake %s: no place to work in: %w; name one as work_dir in the configuration", shown(u), err)
		}
		work = filepath.Join(cache, "seatlake")
	}
	work, err := filepath.Abs(work)
	if err != nil {
		return nil, fmt.Errorf("lake %s: work directory: %w", shown(u), err)
	}
	if prefix := prefixOf(u); prefix != "" {
		opened = blob.PrefixedBucket(opened, prefix)
	}
	b := &bucket{blob: opened, url: shown(u), full: u.String(), ctx: ctx, tries: usualTries, lease: usualLease, page: 1000}
	return &store{root: work, bucket: b}, nil
}

// settleDown gives a lake in a bucket its own work directory, which no other lake has,
// be it one of the same name that was made anew or a copy with the same id.
func (s *store) settleDown(lakeID string) {
	sum := sha256.Sum256([]byte(s.bucket.full))
	own := lakeID + "-" + hex.EncodeToString(sum[:6])
	if filepath.Base(s.root) != own {
		s.root = filepath.Join(s.root, own)
	}
}

// directory is the store of a lake in a directory.
func directory(dir string) (*store, error) {
	if dir == "" {
		return nil, errors.New("the lake's directory is not named")
	}
	if strings.Contains(dir, "://") {
		return nil, fmt.Errorf("lake %s is not a directory", dir)
	}
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("lake %s: %w", dir, err)
	}
	return &store{root: root}, nil
}

// stores are the schemes of buckets, with what a URL's host is there.
var stores = map[string]string{"s3": "bucket", "azblob": "container", "gs": "bucket"}

// parse gives the directory, or the URL of a bucket.
func (p Place) parse() (dir string, u *url.URL, err error) {
	if !strings.Contains(p.URL, "://") {
		return p.URL, nil, nil
	}
	u, err = url.Parse(p.URL)
	if err != nil {
		// The error repeats the URL, which may hold a secret after all.
		return "", nil, fmt.Errorf("lake: %q is not a URL", strings.SplitN(p.URL, "?", 2)[0])
	}
	host, known := stores[u.Scheme]
	switch {
	case u.User != nil:
		return "", nil, fmt.Errorf("lake %s: credentials do not belong into the URL: give them in the environment", shown(u))
	case u.Scheme == "file" && u.Host != "" && u.Host != "localhost":
		return "", nil, fmt.Errorf("lake %s: write file:///%s/... with three slashes for a path", shown(u), u.Host)
	case u.Scheme == "file" && u.RawQuery != "":
		return "", nil, fmt.Errorf("lake %s: a directory has no options, and %q was given", shown(u), u.RawQuery)
	case u.Scheme == "file":
		return filepath.FromSlash(u.Path), nil, nil
	case !known:
		return "", nil, fmt.Errorf("lake %s: %s:// is not known; a lake is a path or a URL of file://, s3://, azblob:// or gs://", shown(u), u.Scheme)
	case u.Host == "":
		return "", nil, fmt.Errorf("lake %s: the %s is not named", shown(u), host)
	case u.Fragment != "" || u.Query().Has("prefix"):
		return "", nil, fmt.Errorf("lake %s: write the prefix as a path: %s://%s/prefix", shown(u), u.Scheme, u.Host)
	case badPrefix(u.Path):
		return "", nil, fmt.Errorf("lake %s: the prefix %q has empty parts, dots or signs that are none of a name", shown(u), u.Path)
	}
	return "", u, nil
}

// badPrefix says that parts of a prefix could mean something else to a store or to a
// tool that lists it.
func badPrefix(at string) bool {
	at = strings.Trim(at, "/")
	return at != "" && slices.ContainsFunc(strings.Split(at, "/"), func(part string) bool {
		return strings.Trim(part, ".") == "" || strings.ContainsFunc(part, func(r rune) bool {
			return r < ' ' || r == 0x7f || strings.ContainsRune(`\?#*"<>|`, r)
		})
	})
}

// prefixOf is what the lake's keys begin with.
func prefixOf(u *url.URL) string {
	if at := strings.Trim(u.Path, "/"); at != "" {
		return at + "/"
	}
	return ""
}

// bare is the bucket's URL without the prefix, with all options.
func bare(u *url.URL) *url.URL {
	return &url.URL{Scheme: u.Scheme, Host: u.Host, RawQuery: u.RawQuery}
}

// openBucket opens a bucket with the credentials that are found where the store's own
// tools look for them. It asks no store.
func openBucket(ctx context.Context, u *url.URL) (*blob.Bucket, error) {
	if u.Scheme != gcsblob.Scheme {
		return blob.DefaultURLMux().OpenBucketURL(ctx, u)
	}
	// gocloud's own opener for Google prints to the standard output when it finds no
	// credentials, and looks for keys to sign URLs with, which a lake never does.
	opener := &gcsblob.URLOpener{Client: gcp.NewAnonymousHTTPClient(gcp.DefaultTransport())}
	if os.Getenv("STORAGE_EMULATOR_HOST") == "" && u.Query().Get("anonymous") == "" {
		credentials, err := gcp.DefaultCredentials(ctx)
		if err != nil {
			return nil, err
		}
		if opener.Client, err = gcp.NewHTTPClient(gcp.DefaultTransport(), credentials.TokenSource); err != nil {
			return nil, err
		}
	}
	opened, err := opener.OpenBucketURL(ctx, u)
	if err != nil {
		return nil, err
	}
	// Left alone, its library tries again for as long as it is let.
	if client := (*storage.Client)(nil); opened.As(&client) {
		client.SetRetry(storage.WithMaxAttempts(2))
	}
	return opened, nil
}

// shown is a URL for people: without credentials and options.
func shown(u *url.URL) string {
	return u.Scheme + "://" + path.Join(u.Host, u.Path)
}
