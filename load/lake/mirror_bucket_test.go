package lake

import (
	"errors"
	"os"
	"testing"

	"seatlake/pipeline/pipelinetest"
)

func TestReadingABucket(t *testing.T) {
	quiet(t)
	at := fakeS3(t)
	l := lakeAt(t, at.Place)
	run := pipelinetest.NewRun(t, contoso, "2026-11-20T08:00", 1)
	commitPlans(t, l, run, pipelinetest.Plans(contoso, "2026-11-20", 1, 5), "2026-11-20")
	wants := Wanted(snapshot(t, l, 0).Files["graph_service_plans"])
	fetch := func() error {
		c, err := l.Fetch(t.Context(), wants)
		if err != nil {
			return err
		}
		body, err := os.ReadFile(c.Path(wants[0].Path))
		if err == nil && hashOf(body) != wants[0].SHA256 {
			err = errors.New("other bytes")
		}
		return errors.Join(err, c.Close())
	}
	if err := fetch(); err != nil {
		t.Fatal(err)
	}
	t.Run("asks for nothing that is here", func(t *testing.T) {
		if calls := at.count(func() {
			if err := fetch(); err != nil {
				t.Error(err)
			}
		}); len(calls) != 0 {
			t.Errorf("calls %v", calls)
		}
	})
	t.Run("drops a damaged copy when it is repaired", func(t *testing.T) {
		copied := l.store.work().path(mirrorName(wants[0].SHA256))
		body, err := os.ReadFile(copied)
		if err != nil {
			t.Fatal(err)
		}
		body[0] ^= 1
		if err := os.WriteFile(copied, body, 0o600); err != nil {
			t.Fatal(err)
		}
		if gone, err := l.Repair(t.Context()); err != nil || len(gone) != 1 || gone[0] != mirrorName(wants[0].SHA256) {
			t.Errorf("Repair = %v, %v", gone, err)
		}
		if err := fetch(); err != nil {
			t.Error(err)
		}
	})
	t.Run("names a file that is damaged in the store", func(t *testing.T) {
		if err := l.store.bucket.put(wants[0].Path, []byte("other bytes")); err != nil {
			t.Fatal(err)
		}
		if err := l.store.work().remove(mirrorDir); err != nil {
			t.Fatal(err)
		}
		damage := (*DamagedError)(nil)
		if err := fetch(); !errors.As(err, &damage) || damage.Path != wants[0].Path {
			t.Errorf("error %v", err)
		}
		found, err := l.Check(t.Context())
		if err != nil || len(found) == 0 {
			t.Errorf("Check = %v, %v", found, err)
		}
	})
}
