package lake

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seatlake/pipeline"
	"seatlake/pipeline/pipelinetest"
)

// grow commits some versions of random runs: days that are added, replaced, given
// again and emptied, by runs of two tenants whose starts are not in order, each with
// coverage and a cursor. The files themselves are not there.
func grow(t testing.TB, l *Lake, random *rand.Rand, versions, tables int) {
	t.Helper()
	s, err := l.store.scratch("grow")
	if err != nil {
		t.Fatal(err)
	}
	for range versions {
		before, err := l.head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n := int(before.version)
		day := clock().AddDate(0, 0, n/2+random.IntN(2))
		run := pipelinetest.NewRun(t, []string{contoso, fabrikam}[random.IntN(2)], day.Format("2006-01-02T15:04"), byte(n))
		run.ID = run.ID[:20] + fmt.Sprintf("%06d", n) // days come twice
		c := pipeline.Commit{Run: run, Ended: clock().AddDate(0, 0, n/2).Add(time.Duration(n) * time.Second)}
		if random.IntN(2) == 0 {
			c.State = map[string]json.RawMessage{"sign_ins": fmt.Appendf(nil, `{"watermark": %d}`, n), "tab\there": json.RawMessage(`"x\ty"`)}
		}
		for i := range tables {
			f := pipeline.File{
				Table: fmt.Sprint("table_", i), Size: int64(n + 1), Rows: 1, SHA256: hashOf(fmt.Append(nil, random.IntN(3), i, day)),
				SchemaVersion: 1, Tenant: run.TenantID, Partition: day.Format(time.DateOnly),
			}
			at := Location{f.Table, 1, f.Tenant, "snapshot_date", f.Partition, run.ID, 1, f.SHA256[:12]}
			if f.Path, err = at.Path(); err != nil {
				t.Fatal(err)
			}
			if random.IntN(10) > 0 {
				c.Add = append(c.Add, f)
			}
			c.Replaces = append(c.Replaces, pipeline.Replacement{Table: f.Table, From: f.Partition, To: f.Partition})
			c.Coverage = append(c.Coverage, pipeline.Coverage{Table: f.Table, State: pipeline.Complete, Reason: "tab\tand\nline", Observed: day, Rows: int64(n)})
		}
		e, err := plan(before, c)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.append(s, before, e); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.remove(); err != nil {
		t.Fatal(err)
	}
}

// answers is everything that readers are told at a version.
func answers(t testing.TB, l *Lake, v pipeline.Version) string {
	t.Helper()
	s := snapshot(t, l, v)
	asOf, err := l.AsOf(t.Context(), s.Ended)
	if err != nil {
		t.Fatal(err)
	}
	last, err := l.lastRun(t.Context(), contoso)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal([]any{s, asOf, last})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func checkpoints(t testing.TB, l *Lake) []string {
	t.Helper()
	there, err := filepath.Glob(l.store.path(checkpointDir + "/*"))
	if err != nil {
		t.Fatal(err)
	}
	return there
}

func checkpointedLake(t testing.TB, seed uint64, versions int) *Lake {
	t.Helper()
	l, err := Create(filepath.Join(memoryDir(t), "lake"), clock)
	if err != nil {
		t.Fatal(err)
	}
	grow(t, l, rand.New(rand.NewPCG(seed, 7)), versions, 3)
	return l
}

func TestCheckpoints(t *testing.T) {
	t.Run("every version says the same with checkpoints and without", func(t *testing.T) {
		for seed := range uint64(2) {
			l := checkpointedLake(t, seed, 2*checkpointEvery+5+int(seed)*7)
			with := reopen(t, l)
			if s, err := with.head(t.Context()); err != nil || s.version < 2*checkpointEvery || with.log.base == nil {
				t.Fatalf("seed %d: the head is not read from a checkpoint: %v", seed, err)
			}
			head := with.log.version()
			var first []string // each version by a reader of its own
			for v := pipeline.Version(1); v <= head; v++ {
				first = append(first, answers(t, reopen(t, l), v))
			}
			remove(t, l.store.path(checkpointDir))
			without := reopen(t, l)
			for v := pipeline.Version(1); v <= head; v++ {
				want := answers(t, without, v)
				if diff := cmp.Diff(want, first[v-1]); diff != "" {
					t.Fatalf("seed %d, version %d (-without +with):\n%s", seed, v, diff)
				}
				if got := answers(t, with, v); got != want {
					t.Fatalf("seed %d, version %d: a reader that has gone back to older versions says otherwise", seed, v)
				}
			}
		}
	})
	t.Run("one state is one object, and reading gives the state back", func(t *testing.T) {
		l := checkpointedLake(t, 1, 30)
		s, err := l.head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sum := strings.Repeat("a", 64)
		body, err := s.checkpoint(sum)
		if err != nil {
			t.Fatal(err)
		}
		back, err := parseCheckpoint(body)
		if err != nil {
			t.Fatal(err)
		}
		again, err := back.checkpoint(sum)
		if err != nil || string(again) != string(body) {
			t.Errorf("%v, and the object differs (-first +again):\n%s", err, cmp.Diff(string(body), string(again)))
		}
	})
	t.Run("only the newest two stay", func(t *testing.T) {
		if there := checkpoints(t, checkpointedLake(t, 2, 5*checkpointEvery+1)); len(there) != checkpointsKept {
			t.Errorf("there are %v", there)
		}
	})
	for name, harm := range map[string]func(body []byte) []byte{
		"one that is missing":        func([]byte) []byte { return nil },
		"one that is empty":          func([]byte) []byte { return []byte{} },
		"one that is cut short":      func(b []byte) []byte { return b[:len(b)/2] },
		"one with another digit":     func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"one that is whole and lies": func(b []byte) []byte { return []byte(strings.Replace(string(b), "\t1\t", "\t7\t", 1)) },
		"one that is whole and leaves out a file": func(b []byte) []byte {
			lines := strings.SplitAfter(string(b), "\n")
			i := slices.IndexFunc(lines, func(s string) bool { return strings.HasPrefix(s, "file\t") })
			return []byte(strings.Join(slices.Delete(lines, i, i+1), ""))
		},
	} {
		t.Run(name+" changes no answer, and is made again", func(t *testing.T) {
			l := checkpointedLake(t, 3, 2*checkpointEvery+5)
			want := answers(t, l, 0)
			for _, at := range checkpoints(t, l) {
				body, err := os.ReadFile(at)
				if err != nil {
					t.Fatal(err)
				}
				remove(t, at)
				if changed := harm(slices.Clone(body)); changed != nil {
					if string(changed) == string(body) {
						t.Fatal("nothing was harmed")
					}
					put(t, at, string(changed))
				}
			}
			harmed := reopen(t, l)
			if diff := cmp.Diff(want, answers(t, harmed, 0)); diff != "" {
				t.Errorf("(-sound +harmed):\n%s", diff)
			}
			if harmed.log.base != nil {
				t.Error("the harmed checkpoint was believed")
			}
			grow(t, harmed, rand.New(rand.NewPCG(9, 9)), 1, 3)
			healed := reopen(t, l)
			if _, err := healed.head(t.Context()); err != nil || healed.log.base == nil {
				t.Errorf("the next commit made none: %v", err)
			}
		})
	}
	for name, harm := range map[string]func(t *testing.T, l *Lake, at string){
		"missing": func(t *testing.T, _ *Lake, at string) { remove(t, at) },
		"damaged": func(t *testing.T, _ *Lake, at string) { put(t, at, "x") },
		"not what the log adds up to": func(t *testing.T, l *Lake, at string) {
			// Its maker erred: log and hash agree, and a file is not there.
			body := strings.Replace(readFile(t, at), "\t1\t", "\t7\t", 1)
			remove(t, at)
			for v := pipeline.Version(checkpointEvery + 1); v < checkpointEvery+3; v++ {
				rewrite(t, l, v, func(s string) string {
					i := strings.Index(s, `"checkpoint"`)
					return s[:i] + regexp.MustCompile(`"sha256": "[0-9a-f]{64}"`).ReplaceAllString(s[i:], `"sha256": "`+hashOf([]byte(body))+`"`)
				})
			}
			mend(t, l)
			put(t, l.store.path(checkpointMark{checkpointEvery, hashOf([]byte(body))}.name()), body)
		},
	} {
		t.Run("check names a checkpoint that is "+name+", and repair mends it", func(t *testing.T) {
			l := checkpointedLake(t, 8, checkpointEvery+2)
			named := func() string {
				entries, err := reopen(t, l).entries(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				c := &checker{lake: l}
				if err := c.checkpoint(t.Context(), entries); err != nil {
					t.Fatal(err)
				}
				return fmt.Sprint(c.found)
			}
			if got := named(); got != "[]" {
				t.Errorf("a sound one is named: %s", got)
			}
			harm(t, l, checkpoints(t, l)[0])
			if got := named(); !strings.Contains(got, name) || !strings.Contains(got, "--repair") {
				t.Errorf("found %s", got)
			}
			if made, err := reopen(t, l).Repair(t.Context()); err != nil || len(made) != 1 {
				t.Errorf("repaired %v, %v", made, err)
			}
			if got := named(); strings.Contains(got, "fault") || name != "not what the log adds up to" && got != "[]" {
				t.Errorf("after the repair: %s", got)
			}
			if made, err := reopen(t, l).Repair(t.Context()); err != nil || len(made) != 0 && name != "not what the log adds up to" {
				t.Errorf("repaired again %v, %v", made, err)
			}
		})
	}
	t.Run("a checkpoint that no log object states is not looked at", func(t *testing.T) {
		l := checkpointedLake(t, 4, checkpointEvery-2)
		want := answers(t, l, 0)
		other := checkpointedLake(t, 5, 2*checkpointEvery)
		for _, at := range checkpoints(t, other) {
			body, err := os.ReadFile(at)
			if err != nil {
				t.Fatal(err)
			}
			put(t, l.store.path(checkpointDir+"/"+filepath.Base(at)), string(body))
		}
		if diff := cmp.Diff(want, answers(t, reopen(t, l), 0)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a log object behind a checkpoint that was changed is still seen", func(t *testing.T) {
		l := checkpointedLake(t, 6, checkpointEvery+5)
		rewrite(t, l, checkpointEvery+3, func(s string) string { return strings.Replace(s, `"rows": 1`, `"rows": 2`, 1) })
		_, err := reopen(t, l).Snapshot(t.Context(), 0)
		wantError(t, err, "other bytes", "restore")
	})
	t.Run("going back before a checkpoint finds a log that was changed there", func(t *testing.T) {
		l := checkpointedLake(t, 7, checkpointEvery+5)
		rewrite(t, l, checkpointEvery, func(s string) string { return strings.Replace(s, `"rows": 1`, `"rows": 2`, 1) })
		reader := reopen(t, l)
		snapshot(t, reader, 0)
		_, err := reader.Snapshot(t.Context(), 3)
		wantError(t, err, "was changed", entryName(checkpointEvery))
	})
}

// mend gives the log objects the hashes of those before them, as if they had been
// written so.
func mend(t *testing.T, l *Lake) {
	t.Helper()
	sum := ""
	for v := pipeline.Version(1); ; v++ {
		at := l.store.path(entryName(v))
		if _, err := os.Stat(at); err != nil {
			return
		}
		rewrite(t, l, v, func(s string) string {
			return regexp.MustCompile(`"parent_sha256": "[0-9a-f]{64}"`).ReplaceAllString(s, `"parent_sha256": "`+sum+`"`)
		})
		sum = hashOf([]byte(readFile(t, at)))
	}
}

func readFile(t testing.TB, at string) string {
	t.Helper()
	body, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// BenchmarkOpen opens a lake of 5,000 versions of 15 files, whose newest checkpoint is
// as old as they get, and reads its newest snapshot.
func BenchmarkOpen(b *testing.B) {
	for _, with := range []bool{true, false} {
		b.Run(fmt.Sprintf("checkpoints=%v", with), func(b *testing.B) {
			l, err := Create(filepath.Join(memoryDir(b), "lake"), clock)
			if err != nil {
				b.Fatal(err)
			}
			age(b, l, 5000, 15, with)
			for b.Loop() {
				if s := snapshot(b, reopen(b, l), 0); len(s.Files) != 15 {
					b.Fatalf("%d tables", len(s.Files))
				}
			}
			var size int64
			for _, at := range checkpoints(b, l) {
				if info, err := os.Stat(at); err == nil {
					size = max(size, info.Size())
				}
			}
			b.ReportMetric(float64(size), "checkpoint-bytes")
		})
	}
}

// age writes the log of a lake of daily runs, and lets its last object state a
// checkpoint that is as old as they get.
func age(b *testing.B, l *Lake, versions, tables int, checkpointed bool) {
	t, err := l.store.scratch("age")
	if err != nil {
		b.Fatal(err)
	}
	s, sum := newState(), ""
	var mark *checkpointMark
	for v := range pipeline.Version(versions) {
		if checkpointed && int(v) == versions-checkpointEvery {
			if mark, err = l.putCheckpoint(t, s, sum); err != nil {
				b.Fatal(err)
			}
		}
		started := clock().AddDate(0, 0, int(v))
		run := pipelinetest.NewRun(b, contoso, started.Format("2006-01-02T15:04"), 1)
		e := &entry{Format: Format, Version: v + 1, Parent: v, ParentSHA256: sum, Kind: kindRun, Checkpoint: mark, Commit: pipeline.Commit{Run: run, Ended: started}}
		for i := range tables {
			f := pipeline.File{
				Table: fmt.Sprint("table_", i), Size: 1, Rows: 1, SHA256: hashOf(fmt.Append(nil, v, i)),
				SchemaVersion: 1, Tenant: contoso, Partition: started.Format(time.DateOnly),
			}
			at := Location{f.Table, 1, contoso, "snapshot_date", f.Partition, run.ID, 1, f.SHA256[:12]}
			if f.Path, err = at.Path(); err != nil {
				b.Fatal(err)
			}
			e.Add = append(e.Add, f)
		}
		body, err := e.encode()
		if err != nil {
			b.Fatal(err)
		}
		sum = hashOf(body)
		if err := s.apply(e); err != nil {
			b.Fatal(err)
		}
		if err := t.putNew(entryName(e.Version), body); err != nil {
			b.Fatal(err)
		}
	}
}
