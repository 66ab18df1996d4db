package lake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"seatlake/pipeline"
)

// Delivery is the record of a feed that was written for another tool: what, of
// which version, when, and with which rows. It is kept like a commit:
//
//	feeds/<feed>/000000000001.json             one delivery each, never changed
//	feeds/<feed>/000000000001-<sha12>.rows.gz  its rows, of the newest two deliveries
//
// Records are numbered without gaps, put under a name that must be free, and each
// carries the hash of the one before it. A file of rows that no record lists does not
// exist. Deliveries change nothing that a snapshot shows.
type Delivery struct {
	Format       int              `json:"format"`
	Number       int64            `json:"number"` // from 1, within the feed
	ParentSHA256 string           `json:"parent_sha256,omitempty"`
	Feed         string           `json:"feed"`
	Version      pipeline.Version `json:"version"` // of the lake it was made of
	RunID        string           `json:"run_id"`
	At           time.Time        `json:"at"` // UTC
	Gaps         []string         `json:"gaps,omitempty"`
	Added        int              `json:"added"`   // rows, since the delivery before
	Changed      int              `json:"changed"` // rows
	Removed      int              `json:"removed"` // rows
	Files        []DeliveredFile  `json:"files"`
	Rows         DeliveredFile    `json:"rows_file"`
}

// DeliveredFile is a file of a delivery.
type DeliveredFile struct {
	Name   string `json:"name"` // without directory
	Rows   int64  `json:"rows"`
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
}

const (
	feedsDir = "feeds"

	// rowsKept is how many deliveries keep their rows: the newest, to compare with,
	// and the one before, while the newest is looked at. Rows name people.
	rowsKept = 2
)

var (
	feedForm     = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,120}$`)
	deliveryForm = regexp.MustCompile(`^([0-9]{12})\.json$`)
	rowsForm     = regexp.MustCompile(`^([0-9]{12})-([0-9a-f]{12})\.rows\.gz$`)
)

func deliveryName(feed string, n int64) string {
	return fmt.Sprintf("%s/%s/%012d.json", feedsDir, feed, n)
}

// Deliveries is the records of a feed, oldest first. A number that is missing
// between others is an error, never a shorter list.
func (l *Lake) Deliveries(feed string) ([]Delivery, error) {
	all, _, err := l.deliveries(feed)
	return all, err
}

// deliveries is the records, and the hash of the last one's bytes.
func (l *Lake) deliveries(feed string) (all []Delivery, sum string, err error) {
	if !feedForm.MatchString(feed) {
		return nil, "", fmt.Errorf("feed %q is not a name of lower-case letters, digits, dots and hyphens", feed)
	}
	entries, err := l.store.list(feedsDir + "/" + feed)
	if err != nil {
		return nil, "", err
	}
	for _, e := range entries {
		if !deliveryForm.MatchString(e.Name()) {
			continue
		}
		n := int64(len(all)) + 1
		name := deliveryName(feed, n)
		if !strings.HasSuffix(name, "/"+e.Name()) {
			return nil, "", fmt.Errorf("%s is missing, and %s is there: restore it from a backup", l.store.path(name), e.Name())
		}
		body, err := l.store.read(name)
		if err != nil {
			return nil, "", err
		}
		var d Delivery
		err = json.Unmarshal(body, &d)
		if err == nil {
			err = d.check(feed, n, sum)
		}
		if err != nil {
			return nil, "", fmt.Errorf("%s is damaged: %w; restore it from a backup", l.store.path(name), err)
		}
		all, sum = append(all, d), hashOf(body)
	}
	return all, sum, nil
}

func (d *Delivery) check(feed string, n int64, parent string) error {
	if err := checkFormat(d.Format); err != nil {
		return err
	}
	switch {
	case d.Feed != feed || d.Number != n:
		return fmt.Errorf("it is delivery %d of %q", d.Number, d.Feed)
	case d.ParentSHA256 != parent:
		return fmt.Errorf("it follows a delivery %d with other bytes", n-1)
	case d.Version < 1 || d.At.IsZero():
		return errors.New("it has no version or no time")
	case !sumForm.MatchString(d.Rows.SHA256) || d.Rows.Name != rowsName(n, d.Rows.SHA256):
		return fmt.Errorf("its rows %q are not those of delivery %d", d.Rows.Name, n)
	}
	return nil
}

func rowsName(n int64, sum string) string { return fmt.Sprintf("%012d-%.12s.rows.gz", n, sum) }

// DeliveredRows is the rows of a delivery, as they were recorded. Those of older
// deliveries than the newest two are gone: the error is fs.ErrNotExist.
//
// Of people who were erased since there are none.
func (l *Lake) DeliveredRows(ctx context.Context, d *Delivery) ([]byte, error) {
	name, want, err := l.rowsOfDelivery(ctx, d)
	if err != nil {
		return nil, err
	}
	body, err := l.store.read(name)
	if err != nil {
		return nil, err
	}
	if got := hashOf(body); got != want {
		return nil, fmt.Errorf("%s is damaged: its SHA-256 is %s, and %s was written; restore it from a backup", l.store.path(name), got, want)
	}
	return body, nil
}

// Delivering is the right to deliver a feed. One process has it at a time.
type Delivering struct {
	lake    *Lake
	feed    string
	scratch *scratch
}

// Deliver waits for the right to deliver a feed. The caller closes it.
func (l *Lake) Deliver(ctx context.Context, feed string) (*Delivering, error) {
	if !feedForm.MatchString(feed) {
		return nil, fmt.Errorf("feed %q is not a name of lower-case letters, digits, dots and hyphens", feed)
	}
	s, err := l.store.scratchAlone(ctx, "feed-"+feed)
	if err != nil {
		return nil, fmt.Errorf("deliver %s: %w", feed, err)
	}
	return &Delivering{lake: l, feed: feed, scratch: s}, nil
}

// Record puts the record of a delivery behind the last one, and removes rows that
// are no longer kept. It sets what the caller cannot know: format, number, parent,
// feed and rows file.
func (t *Delivering) Record(d Delivery, rows []byte, count int64) (*Delivery, error) {
	all, sum, err := t.lake.deliveries(t.feed)
	if err != nil {
		return nil, err
	}
	d.Format, d.Number, d.ParentSHA256, d.Feed = Format, int64(len(all))+1, sum, t.feed
	d.At = d.At.UTC()
	rowsSum := hashOf(rows)
	d.Rows = DeliveredFile{Name: rowsName(d.Number, rowsSum), Rows: count, Size: int64(len(rows)), SHA256: rowsSum}
	body, err := json.MarshalIndent(d, "", " ")
	if err != nil {
		return nil, err
	}
	if err := t.scratch.put(feedsDir+"/"+t.feed+"/"+d.Rows.Name, rows); err != nil {
		return nil, err
	}
	if err := t.scratch.putNew(deliveryName(t.feed, d.Number), append(body, '\n')); err != nil {
		return nil, err
	}
	return &d, t.forget(&d)
}

// forget removes the rows of all but the newest deliveries, and those that a dead
// process left.
func (t *Delivering) forget(newest *Delivery) error {
	entries, err := t.lake.store.list(feedsDir + "/" + t.feed)
	if err != nil {
		return err
	}
	for _, e := range entries {
		m := rowsForm.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		n, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil {
			return err
		}
		if n <= newest.Number-rowsKept || n >= newest.Number && e.Name() != newest.Rows.Name {
			if err := t.lake.store.remove(feedsDir + "/" + t.feed + "/" + e.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close gives the right back.
func (t *Delivering) Close() error { return t.scratch.remove() }

// Feeds is the feeds that were ever delivered, sorted by name.
func (l *Lake) Feeds() ([]string, error) {
	entries, err := l.store.list(feedsDir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && feedForm.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// feeds checks the records of all deliveries and the rows that are kept.
func (c *checker) feeds(ctx context.Context, _ []*entry) error {
	names, err := c.lake.Feeds()
	if err != nil {
		return err
	}
	for _, feed := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		all, err := c.lake.Deliveries(feed)
		if err != nil {
			c.fault(feedsDir+"/"+feed, err.Error(), cureRestore)
			continue
		}
		for i := max(0, len(all)-rowsKept); i < len(all); i++ {
			name, want, err := c.lake.rowsOfDelivery(ctx, &all[i])
			if err != nil {
				return err
			}
			body, err := c.lake.store.read(name)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				c.fault(name, "the rows of the delivery are missing", cureRestore)
			case err != nil:
				return err
			case hashOf(body) != want:
				c.fault(name, fmt.Sprintf("its SHA-256 is %s, and %s was written", hashOf(body), want), cureRestore)
			}
		}
	}
	return nil
}
