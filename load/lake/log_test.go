package lake

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seatlake/pipeline"
	"seatlake/pipeline/pipelinetest"
)

// someLog is a lake of three versions: an add, a replacement, and the same rows
// again.
func someLog(t testing.TB) *Lake {
	l := newLake(t)
	for i, n := range []int{3, 4, 4} {
		run := pipelinetest.NewRun(t, contoso, "2026-11-20T08:00", byte(i))
		commitPlans(t, l, run, pipelinetest.Plans(contoso, "2026-11-20", 0, n), "2026-11-20")
	}
	return l
}

func TestLog(t *testing.T) {
	t.Run("an entry says what was added, removed and kept", func(t *testing.T) {
		entries, err := someLog(t).entries(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got [][3]int
		for _, e := range entries {
			got = append(got, [3]int{len(e.Add), len(e.Remove), len(e.Keep)})
		}
		if diff := cmp.Diff([][3]int{{1, 0, 0}, {1, 1, 0}, {0, 0, 1}}, got); diff != "" {
			t.Errorf("adds, removes, keeps (-want +got):\n%s", diff)
		}
	})
	t.Run("a missing version is an error, not a shorter log", func(t *testing.T) {
		l := someLog(t)
		remove(t, l.store.path(entryName(2)))
		_, err := reopen(t, l).Snapshot(t.Context(), 0)
		wantError(t, err, "gap", l.store.path(entryName(2)), "restore")
	})
	t.Run("a lost head is seen by who has read it", func(t *testing.T) {
		l := someLog(t)
		snapshot(t, l, 0)
		remove(t, l.store.path(entryName(3)))
		_, err := l.Snapshot(t.Context(), 0)
		wantError(t, err, "ends at version 2", "restore")
	})
	t.Run("files that are no entries are let be", func(t *testing.T) {
		l := someLog(t)
		put(t, l.store.path("_log/notes.txt"), "mine")
		put(t, l.store.path("_log/000000000009.json.bak"), "{}")
		if s := snapshot(t, reopen(t, l), 0); s.Version != 3 {
			t.Errorf("newest version is %d", s.Version)
		}
	})
	t.Run("properties of a later program of the same format are let pass", func(t *testing.T) {
		l := someLog(t)
		rewrite(t, l, 3, func(s string) string { return strings.Replace(s, `"kind"`, `"mood": "good", "kind"`, 1) })
		snapshot(t, reopen(t, l), 0)
	})
	for name, test := range map[string]struct {
		old, new string
		want     string
	}{
		"a newer format is refused":                  {`"format": 1`, `"format": 2`, "install a newer seatlake"},
		"a torn object is damage":                    {`"add"`, `"add`, "damaged"},
		"another version's number is damage":         {`"version": 2`, `"version": 3`, "version 3"},
		"an unknown kind is damage":                  {`"kind": "run"`, `"kind": "x"`, "kind"},
		"a path that leads out is damage":            {`"path": "data/`, `"path": "data/../`, "not the path"},
		"a file of another table is damage":          {`"table": "graph_service_plans",`, `"table": "graph_users",`, "another partition"},
		"a changed hash is damage":                   {`"sha256": "`, `"sha256": "0`, "SHA-256"},
		"a file without rows is damage":              {`"rows": 4`, `"rows": 0`, "0 rows"},
		"a run id that is none is damage":            {`"run_id": "`, `"run_id": "x`, "run id"},
		"removing what is not there is damage":       {`"remove": [` + "\n  \"data/graph_service_plans", `"remove": [` + "\n  \"data/graph_users", "not live"},
		"a changed number of rows shows in the next": {`"rows": 4`, `"rows": 5`, "other bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			l := someLog(t)
			rewrite(t, l, 2, func(s string) string {
				changed := strings.Replace(s, test.old, test.new, 1)
				if changed == s {
					t.Fatalf("%q is not in %s", test.old, s)
				}
				return changed
			})
			if name == "removing what is not there is damage" { // the next would tell first
				remove(t, l.store.path(entryName(3)))
			}
			_, err := reopen(t, l).Snapshot(t.Context(), 0)
			wantError(t, err, test.want, "_log", "00000000000")
		})
	}
	t.Run("the hash of the one before is of its bytes", func(t *testing.T) {
		l := someLog(t)
		first, err := l.store.read(entryName(1))
		if err != nil {
			t.Fatal(err)
		}
		entries, err := l.entries(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if entries[0].ParentSHA256 != "" || entries[1].ParentSHA256 != hashOf(first) {
			t.Errorf("parents are %q and %q", entries[0].ParentSHA256, entries[1].ParentSHA256)
		}
	})
}

// FuzzLogObject finds bytes that are taken for a log object and cannot be folded,
// encoded and read again to the same.
func FuzzLogObject(f *testing.F) {
	l := someLog(f)
	body, err := l.store.read(entryName(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add(body[:len(body)/2])
	f.Add([]byte(`{"format":1,"version":1,"kind":"run","add":[null]}`))
	f.Add([]byte(`{"format":99}`))
	f.Add([]byte(strings.ReplaceAll(string(body), "data/", "data/../")))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := decodeEntry(body, 1, "")
		if err != nil {
			return
		}
		for _, file := range e.Add {
			if _, err := ParsePath(file.Path); err != nil || file.Rows <= 0 {
				t.Errorf("took %+v", file)
			}
		}
		again, err := e.encode()
		if err != nil {
			t.Fatalf("took what cannot be written: %v", err)
		}
		back, err := decodeEntry(again, 1, "")
		if err != nil {
			t.Fatalf("took what cannot be read again: %v", err)
		}
		compare := func(e *entry) string {
			b, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		if diff := cmp.Diff(compare(e), compare(back)); diff != "" {
			t.Errorf("changed on the way (-first +again):\n%s", diff)
		}
		_, _ = fold([]*entry{e}) // may refuse, must not panic
	})
}

func reopen(t testing.TB, l *Lake) *Lake {
	t.Helper()
	again, err := Open(l.Dir())
	if err != nil {
		t.Fatal(err)
	}
	return again
}

func rewrite(t testing.TB, l *Lake, v pipeline.Version, fn func(string) string) {
	t.Helper()
	name := l.store.path(entryName(v))
	body, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	put(t, name, fn(string(body)))
}

func remove(t testing.TB, name string) {
	t.Helper()
	if err := os.RemoveAll(name); err != nil {
		t.Fatal(err)
	}
}
