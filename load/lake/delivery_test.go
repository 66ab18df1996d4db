package lake

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// delivered records a delivery of a feed with some rows.
func delivered(t testing.TB, l *Lake, feed, rows string) *Delivery {
	t.Helper()
	right, err := l.Deliver(t.Context(), feed)
	if err != nil {
		t.Fatal(err)
	}
	d, err := right.Record(Delivery{Version: 1, At: clock(), Files: []DeliveredFile{{Name: "a.csv", Rows: 1}}}, []byte(rows), 1)
	if err := errors.Join(err, right.Close()); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDeliveries(t *testing.T) {
	t.Run("they are numbered, follow each other, and give their rows back", func(t *testing.T) {
		l := newLake(t)
		delivered(t, l, "sam360", "first")
		delivered(t, l, "sam360", "second")
		delivered(t, l, "generic", "other")
		all, err := reopen(t, l).Deliveries("sam360")
		if err != nil || len(all) != 2 {
			t.Fatalf("Deliveries = %v, %v", all, err)
		}
		if all[0].Number != 1 || all[1].Number != 2 || all[0].ParentSHA256 != "" || all[1].ParentSHA256 == "" || all[1].Files[0].Name != "a.csv" {
			t.Errorf("Deliveries = %+v", all)
		}
		rows, err := l.DeliveredRows(t.Context(), &all[1])
		if err != nil || string(rows) != "second" {
			t.Errorf("rows = %q, %v", rows, err)
		}
		feeds, err := l.Feeds()
		if err != nil || strings.Join(feeds, " ") != "generic sam360" {
			t.Errorf("Feeds = %v, %v", feeds, err)
		}
		found, err := l.Check(t.Context())
		if err != nil || len(found) > 0 {
			t.Errorf("Check = %v, %v", found, err)
		}
	})
	t.Run("a feed that was never delivered has none", func(t *testing.T) {
		if all, err := newLake(t).Deliveries("sam360"); err != nil || len(all) > 0 {
			t.Errorf("Deliveries = %v, %v", all, err)
		}
	})
	t.Run("rows name people, so only the newest two are kept", func(t *testing.T) {
		l := newLake(t)
		for _, rows := range []string{"1", "2", "3"} {
			delivered(t, l, "sam360", rows)
		}
		all, err := l.Deliveries("sam360")
		if err != nil || len(all) != 3 {
			t.Fatalf("Deliveries = %v, %v", all, err)
		}
		for i, want := range []error{fs.ErrNotExist, nil, nil} {
			if _, err := l.DeliveredRows(t.Context(), &all[i]); !errors.Is(err, want) {
				t.Errorf("rows of delivery %d: %v, want %v", i+1, err, want)
			}
		}
	})
	t.Run("a name that leads elsewhere is refused", func(t *testing.T) {
		l := newLake(t)
		for _, feed := range []string{"", "..", "a/b", "../x", "A"} {
			if _, err := l.Deliver(t.Context(), feed); err == nil {
				t.Errorf("%q is taken", feed)
			}
			if _, err := l.Deliveries(feed); err == nil {
				t.Errorf("%q is read", feed)
			}
		}
	})
	t.Run("one process delivers a feed at a time", func(t *testing.T) {
		l := newLake(t)
		right, err := l.Deliver(t.Context(), "sam360")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := l.Deliver(ctx, "sam360"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a second right: %v", err)
		}
		if err := right.Close(); err != nil {
			t.Fatal(err)
		}
		delivered(t, l, "sam360", "now")
	})
	t.Run("rows that a dead process left are neither read nor kept", func(t *testing.T) {
		l := newLake(t)
		delivered(t, l, "sam360", "first")
		orphan := filepath.Join(l.Dir(), "feeds", "sam360", "000000000002-aaaaaaaaaaaa.rows.gz")
		if err := os.WriteFile(orphan, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if all, err := l.Deliveries("sam360"); err != nil || len(all) != 1 {
			t.Errorf("Deliveries = %v, %v", all, err)
		}
		delivered(t, l, "sam360", "second")
		if _, err := os.Stat(orphan); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the orphan is still there: %v", err)
		}
	})
}

func TestDamagedDeliveries(t *testing.T) {
	name := func(l *Lake, n string) string { return filepath.Join(l.Dir(), "feeds", "sam360", n) }
	rows := func(t *testing.T, l *Lake) string {
		all, err := filepath.Glob(name(l, "000000000002-*.rows.gz"))
		if err != nil || len(all) != 1 {
			t.Fatalf("%v, %v", all, err)
		}
		return all[0]
	}
	for title, harm := range map[string]func(t *testing.T, l *Lake) error{
		"a record that is missing": func(_ *testing.T, l *Lake) error { return os.Remove(name(l, "000000000001.json")) },
		"a record that was changed": func(_ *testing.T, l *Lake) error {
			return os.WriteFile(name(l, "000000000001.json"), []byte("{}"), 0o600)
		},
		"rows that are missing":  func(t *testing.T, l *Lake) error { return os.Remove(rows(t, l)) },
		"rows that were changed": func(t *testing.T, l *Lake) error { return os.WriteFile(rows(t, l), []byte("other"), 0o600) },
	} {
		t.Run(title, func(t *testing.T) {
			l := newLake(t)
			delivered(t, l, "sam360", "first")
			delivered(t, l, "sam360", "second")
			if err := harm(t, l); err != nil {
				t.Fatal(err)
			}
			all, err := l.Deliveries("sam360")
			if err == nil {
				_, err = l.DeliveredRows(t.Context(), &all[len(all)-1])
			}
			if err == nil {
				t.Error("it is read as if nothing had happened")
			}
			found, err := l.Check(t.Context())
			if err != nil || len(found) == 0 || found[0].Severity != Fault {
				t.Errorf("Check = %v, %v", found, err)
			}
		})
	}
}
