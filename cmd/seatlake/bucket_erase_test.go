package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"seatlake/extract/graph/graphsim"
)

// TestErasureInABucket erases a person from a lake in a bucket, and looks for the person
// in all bytes of all objects and of this machine's work directory. The lake is as good
// as before.
func TestErasureInABucket(t *testing.T) {
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	for name, value := range bucketEnv() {
		t.Setenv(name, value)
	}
	var calls, puts atomic.Int64
	server, backend, err := newBucket(false, func(r *http.Request) {
		calls.Add(1)
		if r.Method == http.MethodPut {
			puts.Add(1)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	l := newSimLake(t)
	l.configure(map[string]*simTenant{"contoso": serve(t, graphsim.Options{Now: scriptNow, Users: 40, SignIns: 150, Seed: 200})})
	work := filepath.Join(l.dir, "work")
	at := filepath.Join(l.dir, "seatlake.yaml")
	text, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.Replace(string(text), "./lake\n", bucketURL(server)+"\nwork_dir: "+work+"\n", 1))
	if err := os.WriteFile(at, text, 0o600); err != nil {
		t.Fatal(err)
	}

	l.tell(t, "run")
	t.Logf("the run made %d calls, %d of them puts", calls.Load(), puts.Load())
	show := []string{"show", "license_positions", "--format", "csv"}
	explain := []string{"explain", "license_positions.assigned_users", "--where", "sku_part_number=SPE_E3"}
	positions := l.tell(t, show...)
	if said := l.tell(t, explain...); !strings.Contains(said, "  page raw/") {
		t.Errorf("explain names no page:\n%s", said)
	}
	id := cell(l.answer(t, "select cast(user_id as varchar) from graph_user_licenses order by 1 limit 1")[0][0])
	marks := l.marks(t, id)
	if len(holders(t, objects(t, backend), marks)) == 0 || len(holders(t, work, marks)) == 0 {
		t.Fatal("the person is not in the bucket, or not on this machine: the test shows nothing")
	}

	l.tell(t, "erase", "--user", id, "--yes")
	l.tell(t, "compact")
	l.tell(t, "prune")
	if said := l.tell(t, "check"); !strings.Contains(said, "The lake is whole") {
		t.Errorf("check: %s", said)
	}
	if now := l.tell(t, show...); now != positions {
		t.Errorf("the positions were\n%s\nand are\n%s", positions, now)
	}
	if said := l.tell(t, explain...); !strings.Contains(said, "  page raw/") || !strings.Contains(said, "The figure counts people who were erased since") {
		t.Errorf("explain names no page, or no erasure:\n%s", said)
	}
	for _, dir := range []string{objects(t, backend), work} {
		for _, held := range holders(t, dir, marks) {
			t.Error(held)
		}
	}
}

// objects gives a directory with the objects of a bucket.
func objects(t *testing.T, backend *s3mem.Backend) string {
	t.Helper()
	dir := t.TempDir()
	list, err := backend.ListBucket("lake", nil, gofakes3.ListBucketPage{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list.Contents {
		o, err := backend.GetObject("lake", c.Key, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(o.Contents)
		if err != nil {
			t.Fatal(err)
		}
		at := filepath.Join(dir, filepath.FromSlash(c.Key))
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
