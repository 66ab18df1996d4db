package lake

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"seatlake/pipeline"
	"seatlake/schemas"
)

// erasedName lists, while a source's pages are being replaced, the names of those that
// are, so that whoever ends an erasure that died renews what the index says of them.
const erasedName = "erase.json"

// eraseRaw erases the person from the kept pages of the tenant, from lists of runs that
// were cut off, too. Elements of collections and records of CSV are cut out, and the
// index's hashes renewed. A page of another kind, such as a spreadsheet, goes with its
// source, which can then not be replayed.
func (x *erasing) eraseRaw(ctx context.Context) error {
	return x.lake.rawDirs(func(tenant, id string) error {
		if tenant != x.tenant {
			return nil
		}
		dir := path.Join(rawDir, tenant, id)
		day := x.lake.rawStart(dir, id).UTC().Format(time.DateOnly)
		entries, err := x.lake.store.list(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			at := path.Join(dir, e.Name())
			switch {
			case e.IsDir():
				err = x.eraseSource(ctx, at, e.Name(), day)
			case e.Name() == failedName:
				err = x.eraseText(at)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// eraseText redacts a file of text.
func (x *erasing) eraseText(name string) error {
	body, err := x.lake.store.read(name)
	if err != nil {
		return err
	}
	text, found := x.who.redact(string(body))
	if !found {
		return nil
	}
	x.done.Pages = append(x.done.Pages, ErasedFile{Path: name, Changed: 1})
	if x.DryRun {
		return nil
	}
	return x.scratch.put(name, []byte(text))
}

// eraseSource erases the person from one source's pages.
func (x *erasing) eraseSource(ctx context.Context, dir, source, day string) error {
	names, err := x.lake.store.list(dir)
	if err != nil {
		return err
	}
	changed := map[string]string{} // page -> file that takes its place
	begun := false
	for _, e := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		if e.Name() == erasedName {
			begun = true
		}
		if !pageForm.MatchString(e.Name()) {
			continue
		}
		temp, removed, edited, err := x.erasePage(path.Join(dir, e.Name()), source, day)
		if errors.Is(err, errUncut) {
			x.done.Pages = append(x.done.Pages, ErasedFile{Path: dir, Dropped: true})
			if x.DryRun {
				return nil
			}
			return x.lake.store.remove(dir)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", x.lake.store.path(path.Join(dir, e.Name())), err)
		}
		if removed+edited > 0 {
			changed[e.Name()] = temp
			x.done.Pages = append(x.done.Pages, ErasedFile{Path: path.Join(dir, e.Name()), Removed: removed, Changed: edited})
		}
	}
	if x.DryRun {
		return nil
	}
	return x.replacePages(dir, source, changed, begun)
}

// errUncut is the error of a page that tells of the person and cannot be cut.
var errUncut = errors.New("the page cannot be cut")

// erasePage makes the file that takes a page's place. A page that is damaged is left to
// check, if what can be read of it does not tell of the person.
func (x *erasing) erasePage(name, source, day string) (temp string, removed, changed int64, err error) {
	kept, err := x.lake.store.read(name)
	if err != nil {
		return "", 0, 0, err
	}
	body, zipped := kept, strings.HasSuffix(name, ".gz")
	if zipped {
		if body, err = unzip(kept); err != nil {
			return "", 0, 0, errUncut // who knows what a damaged page tells
		}
	}
	if !x.told(body) {
		return "", 0, 0, nil
	}
	switch plain := strings.TrimSuffix(name, ".gz"); {
	case strings.HasSuffix(plain, ".json"):
		body, removed, changed, err = x.who.eraseJSON(body, day)
		if err != nil {
			return "", 0, 0, errUncut
		}
	case isBinary(body):
		if !spreadsheetTells(body, x.told) {
			return "", 0, 0, nil
		}
		return "", 0, 0, errUncut
	default:
		body, removed, changed = x.who.eraseCSV(body, day, csvOptions{blank: !strings.HasPrefix(source, "get"), device: source == pipeline.Inventory})
	}
	if removed+changed == 0 || x.DryRun {
		return "", removed, changed, nil
	}
	if zipped {
		if body, err = zipAgain(body); err != nil {
			return "", 0, 0, err
		}
	}
	temp, err = x.scratch.write(body)
	return temp, removed, changed, err
}

// told says whether a page may tell of the person. Pages with escapes are taken apart to
// see; so are those that are no text.
func (x *erasing) told(body []byte) bool {
	if bytes.Contains(body, []byte(`\u`)) || isBinary(body) {
		return true
	}
	lower := bytes.ToLower(body)
	for _, w := range x.who.words() {
		if bytes.Contains(lower, w) {
			return true
		}
	}
	return false
}

// isBinary says that a file is a spreadsheet or a text of two bytes a character.
func isBinary(body []byte) bool { return bytes.IndexByte(body, 0) >= 0 }

// spreadsheetTells says whether a part of a spreadsheet tells of somebody. What cannot
// be opened may.
func spreadsheetTells(body []byte, told func([]byte) bool) bool {
	in, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return true
	}
	for _, f := range in.File {
		part, err := readPart(f)
		if err != nil || !isBinary(part) && told(part) {
			return true
		}
	}
	return false
}

func readPart(f *zip.File) (body []byte, err error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return io.ReadAll(r)
}

func unzip(body []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func zipAgain(body []byte) ([]byte, error) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	err := w.Close()
	return out.Bytes(), err
}

// replacePages puts changed pages in their places, then what the index says of them.
func (x *erasing) replacePages(dir, source string, changed map[string]string, begun bool) error {
	if len(changed) == 0 && !begun {
		return nil
	}
	renew := map[string]bool{}
	if begun {
		body, err := x.lake.store.read(dir + "/" + erasedName)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(body, &renew); err != nil {
			return fmt.Errorf("%s is damaged: %w; remove it", x.lake.store.path(dir+"/"+erasedName), err)
		}
	}
	for name := range changed {
		renew[name] = true
	}
	body, err := json.Marshal(renew)
	if err != nil {
		return err
	}
	if err := x.scratch.put(dir+"/"+erasedName, body); err != nil {
		return err
	}
	for name, temp := range changed {
		if err := x.lake.store.rename(temp, dir+"/"+name); err != nil {
			return err
		}
	}
	if err := x.lake.store.syncDirs(dir); err != nil {
		return err
	}
	if err := x.renewIndex(dir, source, renew); err != nil {
		return err
	}
	return x.lake.store.remove(dir + "/" + erasedName)
}

// renewIndex writes sizes and hashes of pages anew, in the index or in the list of a
// source that was cut off.
func (x *erasing) renewIndex(dir, source string, renew map[string]bool) error {
	page := func(p *keptPage) error {
		if !renew[p.Name] {
			return nil
		}
		body, err := x.lake.store.read(dir + "/" + p.Name)
		if err != nil {
			return err
		}
		p.Size, p.SHA256 = int64(len(body)), hashOf(body)
		p.Request, _ = x.who.redact(p.Request)
		return nil
	}
	at, err := x.lake.store.readIndex(dir+"/"+indexName, source)
	if err == nil {
		for i := range at.Pages {
			if err := page(&at.Pages[i]); err != nil {
				return err
			}
		}
		if at.Gap != nil {
			at.Gap.Reason, _ = x.who.redact(at.Gap.Reason)
			at.Gap.Answer, _ = x.who.redact(at.Gap.Answer)
		}
		body, err := json.MarshalIndent(at, "", " ")
		if err != nil {
			return err
		}
		return x.scratch.put(dir+"/"+indexName, append(body, '\n'))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	list, err := x.lake.store.read(dir + "/" + listName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var out []byte
	for line := range bytes.Lines(list) {
		var p keptPage
		if json.Unmarshal(line, &p) != nil || !bytes.HasSuffix(line, []byte("\n")) {
			break // what is not whole is not there
		}
		if err := page(&p); err != nil {
			return err
		}
		body, err := json.Marshal(p)
		if err != nil {
			return err
		}
		out = append(append(out, body...), '\n')
	}
	return x.scratch.put(dir+"/"+listName, out)
}

// rawUser is a user of a kept page.
type rawUser struct {
	ID                string   `json:"id"`
	UserPrincipalName string   `json:"userPrincipalName"`
	Mail              string   `json:"mail"`
	OtherMails        []string `json:"otherMails"`
	ProxyAddresses    []string `json:"proxyAddresses"`
	EmployeeID        string   `json:"employeeId"`
	Account           string   `json:"onPremisesSamAccountName"`
}

func (u *rawUser) names(fn func(kind schemas.Personal, text, day string), day string) {
	fn(schemas.SignInName, u.UserPrincipalName, day)
	for _, mail := range append(append([]string{u.Mail}, u.OtherMails...), u.ProxyAddresses...) {
		fn(schemas.Address, mail, day)
	}
	fn(schemas.EmployeeNumber, u.EmployeeID, day)
	fn(schemas.AccountName, u.Account, day)
}

// rawUsers calls fn with every user of the kept pages: a run that was cut off may know
// somebody whom no commit does. A page that cannot be read is passed by; the erasure
// removes it.
func (l *Lake) rawUsers(ctx context.Context, tenant string, fn func(u *rawUser, day string)) error {
	return l.rawDirs(func(of, id string) error {
		if of != tenant {
			return nil
		}
		run := path.Join(rawDir, of, id)
		dir := path.Join(run, pipeline.Users)
		day := l.rawStart(run, id).UTC().Format(time.DateOnly)
		names, err := l.store.list(dir)
		if err != nil {
			return err
		}
		for _, e := range names {
			if err := ctx.Err(); err != nil {
				return err
			}
			if !pageForm.MatchString(e.Name()) {
				continue
			}
			body, err := l.store.read(path.Join(dir, e.Name()))
			if err != nil {
				return err
			}
			if strings.HasSuffix(e.Name(), ".gz") {
				if body, err = unzip(body); err != nil {
					continue
				}
			}
			var page struct {
				Value []rawUser `json:"value"`
			}
			if json.Unmarshal(body, &page) != nil {
				continue
			}
			for i := range page.Value {
				fn(&page.Value[i], day)
			}
		}
		return nil
	})
}

// rawNames adds the names that kept pages give to the person's object id.
func (l *Lake) rawNames(ctx context.Context, tenant string, p *person) error {
	return l.rawUsers(ctx, tenant, func(u *rawUser, day string) {
		if p.isID([]byte(u.ID)) {
			u.names(p.add, day)
		}
	})
}

// rawIDs adds the object ids of users of kept pages who bear a name of p.
func (l *Lake) rawIDs(ctx context.Context, tenant string, p *person, bySignIn, byAddress map[string]bool) error {
	return l.rawUsers(ctx, tenant, func(u *rawUser, day string) {
		if p.bears(schemas.Address, u.UserPrincipalName, day) {
			bySignIn[normal(u.ID)] = true
		}
		u.names(func(kind schemas.Personal, text, day string) {
			if p.bears(kind, text, day) {
				byAddress[normal(u.ID)] = true
			}
		}, day)
	})
}
