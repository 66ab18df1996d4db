package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// clock says how long something took.
type clock func() time.Duration

// processor is the time that this process has had on a processor, in all its
// threads. What others do on a shared machine is not in it, and neither is waiting.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // RUSAGE_SELF is always there
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// wall is the time on the wall.
func wall() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}

// contender is one way to do a piece of work.
type contender struct {
	name string
	run  func() error
}

// contest lets contenders take turns for some rounds, after one that does not
// count, and gives the median time of each. Garbage is collected between turns, so
// that nobody pays for the one before; the collector's own work within a turn counts.
func contest(now clock, rounds int, contenders ...contender) (map[string]time.Duration, error) {
	times := map[string][]time.Duration{}
	for round := range rounds + 1 {
		for _, c := range contenders {
			runtime.GC()
			start := now()
			if err := c.run(); err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			if round > 0 {
				times[c.name] = append(times[c.name], now()-start)
			}
		}
	}
	medians := map[string]time.Duration{}
	for name, ts := range times {
		slices.Sort(ts)
		medians[name] = ts[len(ts)/2]
	}
	return medians, nil
}

// line is one row of the table.
type line struct {
	work  string
	ours  string
	peer  string // what it is compared with, and its figure
	value float64
	unit  string // of value: "x" for ratios
	goal  float64
	most  bool // the goal is an upper bound
	note  string
}

func (l line) held() string {
	switch {
	case l.note != "":
		return l.note
	case l.most == (l.value <= l.goal):
		return "held"
	default:
		return "MISSED"
	}
}

// table prints lines as they come, in Markdown.
type table struct{ missed int }

func (t *table) head() {
	fmt.Println("| Work | Ours | Against | Figure | Goal | |")
	fmt.Println("| --- | --- | --- | ---: | ---: | --- |")
}

func (t *table) add(l line) {
	bound := ">="
	if l.most {
		bound = "<="
	}
	if l.note != "" {
		fmt.Printf("| %s | %s | %s | | | %s |\n", l.work, l.ours, l.peer, l.note)
		return
	}
	if l.held() != "held" {
		t.missed++
	}
	fmt.Printf("| %s | %s | %s | %.2f %s | %s %.2f | %s |\n", l.work, l.ours, l.peer, l.value, l.unit, bound, l.goal, l.held())
	os.Stdout.Sync()
}

// ratio adds a line that compares two medians of a contest over so many bytes.
func (t *table) ratio(work string, bytes int64, times map[string]time.Duration, ours, peer string, goal float64) {
	t.add(line{
		work: work, ours: rate(bytes, times[ours]), peer: peer + ", " + rate(bytes, times[peer]),
		value: times[peer].Seconds() / times[ours].Seconds(), unit: "x", goal: goal,
	})
}

// rate is megabytes of uncompressed text a second.
func rate(bytes int64, d time.Duration) string {
	return fmt.Sprintf("%.0f MB/s", float64(bytes)/1e6/d.Seconds())
}
