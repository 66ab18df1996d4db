package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"seatlake/extract/graph/graphsim"
)

var update = flag.Bool("update", false, "rewrite the expectations in the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"seatlake": func() {
			a := newApp()
			a.sleep = impatient
			os.Exit(a.main())
		},
		"xdg-open": browse, // stand in for a browser
		"open":     browse,
	})
}

// impatient waits for nothing, so that tests of retries take no time.
func impatient(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// TestScript runs the real command against simulated tenants over HTTP. A script
// starts one with the command graph; see cmdGraph.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"bucket": cmdBucket,
			"graph":  cmdGraph,
			"same":   cmdSame,
			"count":  cmdCount,
			"tenant": cmdTenant,

			"spreadsheet": cmdSpreadsheet,
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("SEATLAKE_CLIENT_SECRET", "")
			samples, err := filepath.Abs("testdata/samples")
			env.Setenv("SAMPLES", samples)
			env.Values[served{}] = new(*graphsim.Server)
			return err
		},
	})
}

// scriptNow is the moment at which every script's tenant lives.
var scriptNow = time.Date(2026, 10, 8, 6, 0, 0, 0, time.UTC)

// cmdGraph starts a simulated tenant that lives until the script ends, and writes
// seatlake.yaml, which reads it.
//
//	graph [-users N] [-sign-ins N] [-non-interactive-sign-ins N] [-seed S] [-folder DIR] [-concealed] [-no-premium]
//	      [-deny PERMISSION,...] [-grant PERMISSION,...] [-reads-until-visible N] [-page-size N] [-value-first] [-fault KIND:SOURCE:PAGE[:TIMES]]...
//	      and how people and machines sign in; see loginFlags
func cmdGraph(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("graph cannot be negated")
	}
	var folder, deny, grant string
	var faults []string
	o := graphsim.Options{Now: scriptNow, Users: 100, Seed: 1}
	flags := flag.NewFlagSet("graph", flag.ContinueOnError)
	flags.StringVar(&folder, "folder", "", "")
	flags.IntVar(&o.Users, "users", 100, "")
	flags.IntVar(&o.SignIns, "sign-ins", 1000, "")
	flags.IntVar(&o.NonInteractiveSignIns, "non-interactive-sign-ins", 0, "")
	flags.Uint64Var(&o.Seed, "seed", 1, "")
	flags.BoolVar(&o.Concealed, "concealed", false, "")
	flags.BoolVar(&o.NoPremium, "no-premium", false, "")
	flags.BoolVar(&o.ValueFirst, "value-first", false, "")
	flags.BoolVar(&o.ShuffleColumns, "shuffle-columns", false, "")
	flags.BoolVar(&o.InsertColumns, "insert-columns", false, "")
	flags.StringVar(&deny, "deny", "", "")
	flags.StringVar(&grant, "grant", "", "")
	flags.IntVar(&o.ReadsUntilVisible, "reads-until-visible", 0, "")
	flags.IntVar(&o.PageSize, "page-size", 0, "")
	flags.Func("fault", "", func(s string) error { faults = append(faults, s); return nil })
	logins := newLoginFlags(flags)
	ts.Check(flags.Parse(args))
	if deny != "" {
		o.Deny = strings.Split(deny, ",")
	}
	if grant != "" {
		o.Grant = strings.Split(grant, ",")
	}
	for _, f := range faults {
		fault, err := parseFault(f)
		ts.Check(err)
		o.Faults = append(o.Faults, fault)
	}

	var tenant simulated
	var err error
	if folder != "" {
		tenant, err = graphsim.Folder(ts.MkAbs(folder), o)
	} else {
		tenant, err = graphsim.New(o)
	}
	ts.Check(err)
	server, err := tenant.Serve(context.Background())
	ts.Check(err)
	ts.Defer(func() { server.Close() })
	*ts.Value(served{}).(**graphsim.Server) = server
	ts.Check(logins.apply(ts, server))

	ts.Setenv("SEATLAKE_CLIENT_SECRET", graphsim.DefaultClientSecret)
	ts.Setenv("GRAPH", server.GraphURL)
	ts.Setenv("LOGIN", server.LoginURL)
	ts.Setenv("TENANT", graphsim.DefaultTenantID)
	f, err := os.OpenFile(ts.MkAbs("seatlake.yaml"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	ts.Check(err)
	defer f.Close()
	ts.Check(writeDemoConfig(f, server))
}

// parseFault reads KIND:SOURCE:PAGE[:TIMES], such as "html:users:2" or
// "429:users:1:-1"; TIMES -1 is always.
func parseFault(s string) (graphsim.Fault, error) {
	parts := strings.Split(s, ":")
	if len(parts) < 3 {
		return graphsim.Fault{}, fmt.Errorf("fault %q is not KIND:SOURCE:PAGE[:TIMES]", s)
	}
	f := graphsim.Fault{Kind: graphsim.FaultKind(parts[0]), Source: parts[1]}
	var err error
	if f.Page, err = strconv.Atoi(parts[2]); err != nil {
		return f, err
	}
	if len(parts) > 3 {
		f.Times, err = strconv.Atoi(parts[3])
	}
	return f, err
}

// cmdSame compares two folders file by file: the same names and the same bytes.
func cmdSame(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: same DIR DIR")
	}
	diff := compareFolders(ts.MkAbs(args[0]), ts.MkAbs(args[1]))
	if (diff == "") == neg {
		ts.Fatalf("same %s %s: %s", args[0], args[1], diff)
	}
}

func compareFolders(a, b string) string {
	left, right := readFolder(a), readFolder(b)
	if len(left) == 0 {
		return a + " holds no files"
	}
	for name, data := range left {
		other, ok := right[name]
		if !ok {
			return name + " is only in " + a
		}
		if data != other {
			return name + " differs"
		}
	}
	for name := range right {
		if _, ok := left[name]; !ok {
			return name + " is only in " + b
		}
	}
	return ""
}

func readFolder(dir string) map[string]string {
	files := map[string]string{}
	filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			data, _ := os.ReadFile(path)
			name, _ := filepath.Rel(dir, path)
			files[name] = string(data)
		}
		return nil
	})
	return files
}

// cmdCount counts the files that match a pattern: count 3 'lake/_log/*.json'.
func cmdCount(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: count N PATTERN")
	}
	got, err := filepath.Glob(ts.MkAbs(args[1]))
	ts.Check(err)
	if fmt.Sprint(len(got)) != args[0] {
		ts.Fatalf("%s matches %d files, want %s: %v", args[1], len(got), args[0], got)
	}
}
