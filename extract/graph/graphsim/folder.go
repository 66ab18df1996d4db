package graphsim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// FolderTenant is a tenant whose answers stand in a folder as text.
type FolderTenant struct {
	o        Options
	lists    map[string]*list
	csv      map[string][]byte // by report function
	conceals bool
}

// list is a collection of a folder.
type list struct {
	rows  [][]member
	at    []int64 // createdDateTime of sign-ins, nanoseconds since 1970
	ends  []int   // row after each file's last
	known map[string]bool
}

// member is one property of a row.
type member struct {
	name  string
	value json.RawMessage
}

// Folder reads a tenant from files:
//
//	users.1.json, users.2.json, ...      pages of users
//	signIns.1.json, ...                  pages of sign-ins, newest first
//	nonInteractiveSignIns.1.json, ...    pages of sign-ins by clients, newest first
//	subscribedSkus.json                  SKUs
//	subscriptions.json                   directory subscriptions
//	userRegistrationDetails.json         what users have registered to prove themselves
//	groups.json                          groups with the licences they give
//	reportSettings.json                  {"displayConcealedNames": true}
//	getMailboxUsageDetail.csv, ...       reports, by function
//
// A JSON file is an array of rows or a whole page with "value". A report needs
// neither byte order mark nor CRLF: the server adds both. What has no file is not
// found (404). The server is the one of a drawn tenant; the numbers of Options that
// draw one are not used.
func Folder(dir string, o Options) (*FolderTenant, error) {
	o.Users, o.SignIns, o.NonInteractiveSignIns = 0, 0, 0
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("graphsim: %w", err)
	}
	t := &FolderTenant{o: o, lists: map[string]*list{}, csv: map[string][]byte{}, conceals: o.Concealed}
	for _, c := range []struct{ source, base string }{
		{"users", "users"}, {signInSource, "signIns"}, {clientSignInSource, "nonInteractiveSignIns"}, {"subscribed_skus", "subscribedSkus"},
		{"subscriptions", "subscriptions"}, {"user_registration_details", "userRegistrationDetails"}, {"groups", "groups"},
	} {
		l, err := readList(dir, c.base)
		if err != nil {
			return nil, fmt.Errorf("graphsim: folder %s: %w", dir, err)
		}
		if l != nil {
			t.lists[c.source] = l
		}
	}
	for _, source := range []string{signInSource, clientSignInSource} {
		if l := t.lists[source]; l != nil {
			if err := l.timed(); err != nil {
				return nil, fmt.Errorf("graphsim: folder %s: %s: %w", dir, source, err)
			}
		}
	}
	for _, k := range append(slices.Clone(reportKinds), copilotReport) {
		b, err := os.ReadFile(filepath.Join(dir, k.function+".csv"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("graphsim: %w", err)
		}
		b = bytes.TrimPrefix(b, []byte("\ufeff"))
		b = bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
		t.csv[k.function] = append([]byte("\ufeff"), b...)
	}
	b, err := os.ReadFile(filepath.Join(dir, "reportSettings.json"))
	if err == nil {
		var settings struct{ DisplayConcealedNames bool }
		if err := json.Unmarshal(b, &settings); err != nil {
			return nil, fmt.Errorf("graphsim: folder %s: reportSettings.json: %w", dir, err)
		}
		t.conceals = settings.DisplayConcealedNames
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("graphsim: %w", err)
	}
	return t, nil
}

// Serve starts the servers. They run until Close is called or the context ends.
func (t *FolderTenant) Serve(ctx context.Context) (*Server, error) { return serve(ctx, t.o, t) }

// readList reads base.json or base.1.json, base.2.json, ...; nil when there is none.
func readList(dir, base string) (*list, error) {
	var l *list
	for n := 0; ; n++ {
		name := base + ".json"
		if n > 0 {
			name = base + "." + strconv.Itoa(n) + ".json"
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			if n == 0 {
				continue
			}
			return l, nil
		}
		if err != nil {
			return nil, err
		}
		if l == nil {
			l = &list{known: map[string]bool{}}
		}
		if err := l.add(b); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
}

// add appends a file's rows as one page.
func (l *list) add(b []byte) error {
	var page struct{ Value []json.RawMessage }
	var err error
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("[")) {
		err = json.Unmarshal(b, &page.Value)
	} else {
		err = json.Unmarshal(b, &page)
	}
	if err != nil {
		return err
	}
	for i, row := range page.Value {
		members, err := readMembers(row)
		if err != nil {
			return fmt.Errorf("row %d: %w", i+1, err)
		}
		for _, m := range members {
			l.known[m.name] = true
		}
		l.rows = append(l.rows, members)
	}
	l.ends = append(l.ends, len(l.rows))
	return nil
}

// readMembers reads an object's properties in their order.
func readMembers(row []byte) ([]member, error) {
	dec := json.NewDecoder(bytes.NewReader(row))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, fmt.Errorf("want an object, have %.40s", row)
	}
	var ms []member
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		m := member{name: key.(string)}
		if err := dec.Decode(&m.value); err != nil {
			return nil, err
		}
		ms = append(ms, m)
	}
	return ms, nil
}

// timed reads when each sign-in happened.
func (l *list) timed() error {
	for i, row := range l.rows {
		var s string
		for _, m := range row {
			if m.name == "createdDateTime" {
				if err := json.Unmarshal(m.value, &s); err != nil {
					return fmt.Errorf("row %d: createdDateTime: %w", i+1, err)
				}
			}
		}
		at, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			return fmt.Errorf("row %d: createdDateTime: %w", i+1, err)
		}
		l.at = append(l.at, at.UnixNano())
	}
	if !slices.IsSortedFunc(l.at, func(a, b int64) int { return int(min(max(b-a, -1), 1)) }) {
		return errors.New("the rows are not ordered newest first")
	}
	return nil
}

func (t *FolderTenant) span(source string, ge, le int64) (from, to int, ok bool) {
	l := t.lists[source]
	if l == nil {
		return 0, 0, false
	}
	if !isSignIns(source) {
		return 0, len(l.rows), true
	}
	from = sort.Search(len(l.at), func(k int) bool { return l.at[k] <= le })
	to = sort.Search(len(l.at), func(k int) bool { return l.at[k] < ge })
	return from, max(from, to), true
}

func (t *FolderTenant) limit(source string, i int) int {
	for _, end := range t.lists[source].ends {
		if end > i {
			return end
		}
	}
	return math.MaxInt
}

// rows writes rows as they stand in the files, without properties that were not
// asked for, and without managers that were not expanded. A property is unknown when
// neither Graph nor any file has it.
func (t *FolderTenant) rows(source string, _ bool, asked []string, managers *expansion) (write func(w *text, i int), unknown string) {
	l := t.lists[source]
	if l == nil {
		l = &list{}
	}
	for _, a := range asked {
		graphs := source == "users" && slices.ContainsFunc(properties, func(p property) bool { return p.name == a }) ||
			isSignIns(source) && slices.ContainsFunc(betaSignInProperties, func(p signInProperty) bool { return p.name == a })
		if !graphs && !l.known[a] {
			return nil, a
		}
	}
	return func(w *text, i int) {
		w.byte('{')
		first := true
		for _, m := range l.rows[i] {
			wanted := asked == nil || slices.Contains(asked, m.name) || strings.Contains(m.name, "@")
			if source == "users" && m.name == manager {
				wanted = managers != nil
			}
			if !wanted {
				continue
			}
			if !first {
				w.byte(',')
			}
			first = false
			w.str(m.name)
			w.byte(':')
			w.b = append(w.b, m.value...)
		}
		w.byte('}')
	}, ""
}

func (t *FolderTenant) concealed() bool { return t.conceals }

func (t *FolderTenant) hasReport(function string) bool { return t.csv[function] != nil }

func (t *FolderTenant) report(out io.Writer, function, _ string) error {
	_, err := out.Write(t.csv[function])
	return err
}
