package lake

import (
	"io/fs"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seatlake/pipeline"
	"seatlake/pipeline/pipelinetest"
)

func TestDropDamagedGold(t *testing.T) {
	marts := built(t, map[string]int{"a": 1, "b": 2})
	published := func(t *testing.T) *Lake {
		l := newLake(t)
		sameDay(t, l, 3)
		for v := pipeline.Version(1); v <= 3; v++ {
			if _, err := l.PublishGold(t.Context(), v, snapshot(t, l, v).RunID, marts); err != nil {
				t.Fatal(err)
			}
		}
		return l
	}
	for name, test := range map[string]struct {
		harm string // "" harms nothing
		want []pipeline.Version
	}{
		"sound marts stay":                               {},
		"a damaged mart takes its version away":          {goldPath(2) + "/a.parquet", []pipeline.Version{2}},
		"so does a damaged list":                         {goldPath(1) + ".json", []pipeline.Version{1}},
		"a damaged current mart is built of its version": {currentDir + "/b.parquet", []pipeline.Version{3}},
		"a damaged list of the current is of the newest": {currentName, []pipeline.Version{3}},
	} {
		t.Run(name, func(t *testing.T) {
			l := published(t)
			if test.harm != "" {
				put(t, l.store.path(test.harm), "x")
			}
			got, err := l.DropDamagedGold(t.Context())
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("to build again: %v, %v, want %v", got, err, test.want)
			}
			for _, v := range got {
				if _, err := l.PublishGold(t.Context(), v, snapshot(t, l, v).RunID, marts); err != nil {
					t.Error(err)
				}
			}
			noFaults(t, l)
			noTemp(t, l)
		})
	}
	t.Run("marts of a version past its retention are gone for good", func(t *testing.T) {
		l := published(t)
		if _, err := l.Prune(t.Context(), retaining(1)); err != nil {
			t.Fatal(err)
		}
		put(t, l.store.path(goldPath(1)+"/a.parquet"), "x")
		if got, err := l.DropDamagedGold(t.Context()); err != nil || len(got) > 0 {
			t.Errorf("%v, %v", got, err)
		}
		noFaults(t, l)
	})
}

func TestStats(t *testing.T) {
	l := newLake(t)
	sameDay(t, l, 3)
	run := pipelinetest.NewRun(t, contoso, "2026-11-22T08:00", 1)
	k, err := l.Keeper(run)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := drain(k.Keep(t.Context(), pipeline.Users, pagesOf(nil, page(pipeline.Users, 1, "", "{}")))); err != nil {
		t.Fatal(err)
	}
	end(t, k)
	got, err := l.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var live, all, files int64
	for _, f := range snapshot(t, l, 0).Files["graph_service_plans"] {
		live += f.Size
	}
	err = filepath.WalkDir(l.Dir(), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(name) == identityName {
			return err
		}
		info, err := d.Info()
		files++
		all += info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Size{{Name: "graph_service_plans", Files: 2, Rows: 5, Bytes: live}}, got.Tables); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
	var sum Size
	counts := map[string]int64{}
	for _, s := range got.Layers {
		sum.Bytes, sum.Files = sum.Bytes+s.Bytes, sum.Files+s.Files
		counts[s.Name] = s.Files
	}
	if sum.Bytes != all || sum.Files != files {
		t.Errorf("the layers have %d bytes in %d files, the directory %d in %d", sum.Bytes, sum.Files, all, files)
	}
	if diff := cmp.Diff(map[string]int64{LayerLive: 2, LayerReplaced: 1, LayerLog: 3, LayerRaw: 3, LayerGold: 0, LayerOther: 0}, counts); diff != "" {
		t.Errorf("files by layer (-want +got):\n%s", diff)
	}
}
