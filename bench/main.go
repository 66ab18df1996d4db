// Command bench puts seatlake beside the usual ways to do its work, on the same
// data and in turns, and prints one table: what was done, how fast, against whom,
// and whether the goal is held. It informs, and fails only when the contenders do
// not agree on what the data say.
//
//	go run . [-rounds N] [-only decode,csv,parquet,sizes,journey,run]
//	go run . -memory
//
// The official SDK is a module of its own in kiota/, because it takes minutes and
// 4.5 GB of memory to compile; BENCH_KIOTA=1 includes it.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"

	"github.com/google/uuid"
)

func main() {
	log.SetFlags(0)
	var b bench
	var n sizes
	var tenant tenantSize
	served := flag.String("serve", "", "be the page server of this `folder`")
	only := flag.String("only", "", "measure only these `sections`")
	memory := flag.Bool("memory", false, "measure the memory of a run over -users and -sign-ins instead; takes minutes")
	flag.IntVar(&tenant.users, "users", 0, "users of the endless server")
	flag.IntVar(&tenant.signIns, "sign-ins", 0, "sign-ins of the endless server")
	flag.IntVar(&b.rounds, "rounds", 5, "rounds that count")
	flag.IntVar(&n.fullPages, "full-pages", 8, "pages of 999 full users")
	flag.IntVar(&n.selectedPages, "selected-pages", 60, "pages of 999 selected users")
	flag.IntVar(&n.signInPages, "sign-in-pages", 24, "pages of 1000 sign-ins")
	flag.IntVar(&n.reportRows, "report-rows", 100_000, "rows of each report")
	flag.BoolVar(&b.onWall, "wall", false, "time one core by the clock on the wall, not by processor time: for machines that do nothing else")
	profile := flag.String("cpuprofile", "", "write a profile of all contenders to this `file`")
	flag.StringVar(&b.module, "module", "..", "`folder` of seatlake's module")
	flag.Parse()
	b.clock = processor
	if b.onWall {
		b.clock = wall()
	}
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			log.Fatal("bench: ", err)
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			log.Fatal("bench: ", err)
		}
		defer pprof.StopCPUProfile()
	}
	if err := b.main(*served, *only, *memory, tenant, n); err != nil {
		log.Fatal("bench: ", err)
	}
}

func (b *bench) main(served, only string, memory bool, tenant tenantSize, n sizes) error {
	if served != "" {
		return serve(served, tenant)
	}
	dir, err := os.MkdirTemp("", "seatlake-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b.dir = dir
	if memory {
		return b.memory(tenant)
	}
	runtime.GOMAXPROCS(1)
	if err := generate(dir, n); err != nil {
		return err
	}
	b.table.head()
	for _, section := range []struct {
		name string
		run  func() error
	}{
		{"decode", b.decode}, {"csv", b.reports}, {"parquet", b.parquet},
		{"journey", b.journeys}, {"run", b.runs}, {"kiota", b.kiota},
	} {
		if only != "" && !slices.Contains(strings.Split(only, ","), section.name) {
			continue
		}
		if err := section.run(); err != nil {
			return fmt.Errorf("%s: %w", section.name, err)
		}
	}
	fmt.Printf("\n%d goals missed.\n", b.table.missed)
	return nil
}

// bench is one run of the whole.
type bench struct {
	dir    string // for data and everything that is written
	module string
	clock  clock // of what one core does
	onWall bool
	rounds int
	table  table
}

func uuidOf(text string) ([16]byte, error) {
	id, err := uuid.Parse(text)
	return id, err
}
