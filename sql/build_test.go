package sql

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEveryRelationIsDescribed(t *testing.T) {
	ctx := t.Context()
	p, err := load(files, nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := open(ctx, Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.createSources(ctx, Inputs{}); err != nil {
		t.Fatal(err)
	}
	for _, hook := range p.hooks {
		if err := e.exec(ctx, hook); err != nil {
			t.Fatal(err)
		}
	}
	b := &build{engine: e}
	for _, n := range p.order {
		if err := b.node(ctx, n); err != nil {
			t.Fatal(err)
		}
		if n.Description == "" {
			t.Errorf("%s has no description", n.File)
		}
		built, _, err := e.columns(ctx, "select * from main."+quote(n.Name))
		if err != nil {
			t.Fatal(err)
		}
		var described []string
		for _, c := range n.Columns {
			described = append(described, c.Name)
			if c.Description == "" {
				t.Errorf("%s: column %s has no description", n.File, c.Name)
			}
		}
		if diff := cmp.Diff(built, described); diff != "" {
			t.Errorf("%s: columns built and described differ (-built +described):\n%s", n.File, diff)
		}
		for _, k := range n.Key {
			if !slices.Contains(built, k) {
				t.Errorf("%s: key column %s is not there", n.File, k)
			}
		}
		if n.Layer == "marts" && len(n.Key) == 0 {
			t.Errorf("%s: a mart needs a key", n.File)
		}
	}
}

func TestAnEmptyLakeBuilds(t *testing.T) {
	dir := t.TempDir()
	r, err := Build(t.Context(), Inputs{Version: 1, RunID: "r"}, dir, Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range r.Nodes {
		if n.Status != OK {
			t.Errorf("%s: %s %v", n.Name, n.Status, n.Faults)
		}
	}
	if r.Failed() {
		t.Error("an empty lake fails its tests")
	}
}
