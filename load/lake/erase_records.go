package lake

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
)

// eraseFeeds makes new files of the rows of deliveries that tell of the person. Their
// records, which name nobody, are a chain and stay; the commit says which rows are
// theirs now.
func (x *erasing) eraseFeeds(ctx context.Context, gone map[string]rewritten) error {
	feeds, err := x.lake.Feeds()
	if err != nil {
		return err
	}
	for _, feed := range feeds {
		names, err := x.lake.store.list(feedsDir + "/" + feed)
		if err != nil {
			return err
		}
		for _, e := range names {
			if err := ctx.Err(); err != nil {
				return err
			}
			name := feedsDir + "/" + feed + "/" + e.Name()
			m := rowsForm.FindStringSubmatch(e.Name())
			if m == nil || x.clean[name] {
				continue
			}
			if _, was := gone[name]; was {
				continue // it is about to be removed
			}
			if err := x.eraseRows(name, m[1]); err != nil {
				return fmt.Errorf("%s: %w", x.lake.store.path(name), err)
			}
			x.clean[name] = true
		}
	}
	return nil
}

func (x *erasing) eraseRows(name, number string) error {
	kept, err := x.lake.store.read(name)
	if err != nil {
		return err
	}
	body, err := unzip(kept)
	if err != nil {
		return fmt.Errorf("%w; %s", err, cureRestore)
	}
	var out bytes.Buffer
	removed := int64(0)
	for lines := bufio.NewReader(bytes.NewReader(body)); ; {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			if x.who.inLine(line) {
				removed++
			} else {
				out.Write(line)
			}
		}
		if err != nil {
			break // the reader is of memory: it is the end
		}
	}
	if removed == 0 {
		return nil
	}
	x.done.Records = append(x.done.Records, ErasedFile{Path: name, Removed: removed})
	zipped, err := zipAgain(out.Bytes())
	if err != nil {
		return err
	}
	sum := hashOf(zipped)
	to := path.Dir(name) + "/" + number + "-" + sum[:12] + ".rows.gz"
	if x.DryRun {
		return nil
	}
	temp, err := x.scratch.write(zipped)
	if err != nil {
		return err
	}
	x.stage(rewritten{Path: name, To: to, Size: int64(len(zipped)), SHA256: sum}, temp)
	return nil
}

// inLine says whether a line of JSON has a text that names the person.
func (p *person) inLine(line []byte) bool {
	var content any
	if json.Unmarshal(line, &content) != nil {
		_, found := p.redact(string(line))
		return found
	}
	var look func(v any) bool
	look = func(v any) bool {
		switch v := v.(type) {
		case string:
			_, found := p.redact(v)
			return found
		case []any:
			return slices.ContainsFunc(v, look)
		case map[string]any:
			for _, m := range v {
				if look(m) {
					return true
				}
			}
		}
		return false
	}
	return look(content)
}

// Redactor takes a person out of the bodies of a tenant's ledger, which it is given in
// their order. It says whether a body named the person.
type Redactor func(body json.RawMessage) (redacted json.RawMessage, named bool, err error)

// eraseLedger makes new entries of those of the tenant's ledger that name the person. An
// entry keeps its number and its place in the chain: it carries the hash of the bytes
// that the next entry repeats, and the commit states what its own are now.
func (x *erasing) eraseLedger(ctx context.Context, said map[string]rewritten) error {
	if x.Redactor == nil {
		return nil
	}
	g, err := x.lake.Ledger(x.tenant)
	if err != nil {
		return err
	}
	entries, err := g.Entries(ctx)
	if err != nil {
		return err
	}
	redact := x.Redactor(func(id string) bool { return x.who.isID([]byte(id)) }, x.who.redact)
	for _, e := range entries {
		body, named, err := redact(e.Body)
		if err != nil {
			return fmt.Errorf("entry %d of the ledger: %w", e.Sequence, err)
		}
		if !named {
			continue
		}
		name := g.name(e.Sequence)
		e.Format, e.ErasedSHA256, e.Body = rewritingFormat, e.SHA256, body
		text, err := json.Marshal(e)
		if err != nil {
			return err
		}
		text = append(text, '\n')
		x.done.Records = append(x.done.Records, ErasedFile{Path: name, Changed: 1})
		if x.DryRun {
			continue
		}
		temp, err := x.scratch.write(text)
		if err != nil {
			return err
		}
		x.entries = append(x.entries, ledgerErasure{name, temp})
		r := rewritten{Path: name, To: name, Size: int64(len(text)), SHA256: hashOf(text)}
		if said[name] != r {
			x.rewrite = append(x.rewrite, r)
		}
	}
	return nil
}

// ledgerErasure is an entry that takes the place of the one there.
type ledgerErasure struct{ name, temp string }

// putLedger puts the entries in their places, the last first: what they say of a row is
// told by the entry that sealed it, so that one comes last.
func (x *erasing) putLedger() error {
	for _, e := range slices.Backward(x.entries) {
		if err := x.lake.store.rename(e.temp, e.name); err != nil {
			return err
		}
		if err := x.lake.store.syncDirs(path.Dir(e.name)); err != nil {
			return err
		}
	}
	x.entries = nil
	return nil
}

// rewrittenNow is the files that commits put in the place of others, the last of each,
// by the path of the old.
func rewrittenNow(entries []*entry) map[string]rewritten {
	out := map[string]rewritten{}
	for _, e := range entries {
		for _, r := range e.Rewrite {
			out[r.Path] = r
		}
	}
	return out
}

// rowsOfDelivery is where a delivery's rows are, and their hash: what was delivered, or
// what an erasure left of it.
func (l *Lake) rowsOfDelivery(ctx context.Context, d *Delivery) (name, sum string, err error) {
	name, sum = feedsDir+"/"+d.Feed+"/"+d.Rows.Name, d.Rows.SHA256
	if _, err := l.store.stat(name); !errors.Is(err, fs.ErrNotExist) {
		return name, sum, err
	}
	entries, err := l.entries(ctx)
	if err != nil {
		return name, sum, err
	}
	now := rewrittenNow(entries)
	for r, was := now[name]; was; r, was = now[name] {
		name, sum = r.To, r.SHA256
	}
	return name, sum, nil
}
