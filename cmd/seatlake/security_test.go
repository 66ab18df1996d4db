package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"seatlake/extract/graph/graphsim"
	"seatlake/pipeline"
)

const canarySecret = "canary~secret/of+the=application"

// flow is a run against a tenant with faults, and what a person might do after
// it. It ends in whichever status; what it leaves must hold no secret.
type flow struct {
	faults []graphsim.Fault
	deny   []string
	secret string // in place of the right one
	status int    // of the run
}

// TestNothingSecretIsLeft runs whole flows with marked secrets, and looks for them
// in every byte that the program wrote: lake, summary, standard output and error.
func TestNothingSecretIsLeft(t *testing.T) {
	every := func(kind graphsim.FaultKind, times int) (out []graphsim.Fault) {
		for _, source := range []string{
			pipeline.Users, pipeline.SubscribedSkus, pipeline.SignIns, pipeline.ReportEmail, pipeline.ReportActiveUsers, "token",
		} {
			out = append(out, graphsim.Fault{Source: source, Page: 1, Kind: kind, Times: times, RetryAfter: "1"})
			out = append(out, graphsim.Fault{Source: source, Page: 2, Kind: kind, Times: times, RetryAfter: "1"})
		}
		return out
	}
	flows := map[string]flow{
		"a run to its end":                       {status: exitComplete},
		"a run without permissions":              {deny: []string{"Reports.Read.All", "AuditLog.Read.All"}, status: exitGaps},
		"a run with a secret that is wrong":      {secret: canarySecret + "2", status: exitNothing},
		"a run whose downloads expire for good":  {faults: every(graphsim.ExpiredDownload, -1), status: exitNothing},
		"a run whose downloads expire once":      {faults: every(graphsim.ExpiredDownload, 1), status: exitComplete},
		"a run whose tokens are revoked":         {faults: []graphsim.Fault{{Source: pipeline.Users, Page: 2, Kind: graphsim.ExpiredToken, Times: 1}}, status: exitComplete},
		"a run whose sign-in is refused":         {faults: every(graphsim.RefusedToken, -1), status: exitNothing},
		"a run of throttled requests":            {faults: every(graphsim.TooManyRequests, 2), status: exitComplete},
		"a run whose connections break":          {faults: every(graphsim.Reset, 1), status: exitComplete},
		"a run whose connections break for good": {faults: every(graphsim.Reset, -1), status: exitNothing},
		"a run behind a proxy's sign-in page":    {faults: every(graphsim.HTML, -1), status: exitNothing},
		"a run whose pages are damaged":          {faults: every(graphsim.MalformedJSON, -1), status: exitNothing},
		"a run whose links lead to another host": {faults: every(graphsim.ForeignLink, -1), status: exitNothing},
	}
	for _, name := range slices.Sorted(maps.Keys(flows)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := flows[name]
			f.check(t)
		})
	}
}

func (f flow) check(t *testing.T) {
	tenant, err := graphsim.New(graphsim.Options{
		Seed: 3, Users: 30, SignIns: 60, PageSize: 25, Now: scriptNow, ClientSecret: canarySecret, Faults: f.faults, Deny: f.deny,
	})
	if err != nil {
		t.Fatal(err)
	}
	server, err := tenant.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}()
	dir := memoryDir(t)
	config, err := os.OpenFile(filepath.Join(dir, "seatlake.yaml"), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeDemoConfig(config, server); err != nil {
		t.Fatal(err)
	}
	if err := config.Close(); err != nil {
		t.Fatal(err)
	}
	secret := canarySecret
	if f.secret != "" {
		secret = f.secret
	}
	var said bytes.Buffer
	command := func(args ...string) int {
		a := &app{
			in: strings.NewReader(""), out: &said, err: &said, now: func() time.Time { return scriptNow }, sleep: impatient,
			env: func(name string) (string, bool) { return secret, name == "SEATLAKE_CLIENT_SECRET" },
		}
		return a.execute(t.Context(), append(args, "-c", config.Name()))
	}
	if status := command("run", "--log-format", "json", "--no-build", "--summary", filepath.Join(dir, "summary.json")); status != f.status {
		t.Errorf("status %d, want %d: %s", status, f.status, said.String())
	}
	command("replay", "--no-build")
	command("check")
	command("query", "select count(*) from graph_users")
	command("prune")

	secrets := append(server.Secrets(), secret, url.QueryEscape(secret))
	if f.secret == "" && f.status != exitNothing && len(secrets) < 3 {
		t.Errorf("the tenant gave out %d secrets: the test looks for nothing", len(secrets)-2)
	}
	scan(t, "what was printed", said.Bytes(), secrets)
	scanFolder(t, dir, secrets)
}

// scan looks for secrets in bytes, and for the parts of those that have some: a
// token's signature is as good as the token.
func scan(t *testing.T, where string, data []byte, secrets []string) {
	t.Helper()
	for _, secret := range secrets {
		parts := []string{secret}
		if dots := strings.Split(secret, "."); len(dots) == 3 {
			parts = append(parts, dots[1], dots[2])
		}
		for _, part := range parts {
			if bytes.Contains(data, []byte(part)) {
				t.Errorf("%s holds %q", where, part)
			}
		}
	}
}

// scanFolder looks for secrets in the names and bytes of every file, and in what
// compressed ones hold.
func scanFolder(t *testing.T, dir string, secrets []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		scan(t, "a name", []byte(path), secrets)
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		scan(t, path, data, secrets)
		if strings.HasSuffix(path, ".gz") {
			// Pages may be damaged on purpose; what can be read is looked at.
			if r, err := gzip.NewReader(bytes.NewReader(data)); err == nil {
				text, _ := io.ReadAll(r)
				scan(t, path, text, secrets)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestScanFindsSecrets(t *testing.T) {
	found := func(fn func(t *testing.T)) bool {
		probe := &testing.T{}
		done := make(chan struct{})
		go func() { // a failed test may end its goroutine
			defer close(done)
			fn(probe)
		}()
		<-done
		return probe.Failed()
	}
	if !found(func(t *testing.T) { scan(t, "text", []byte("x-signature-y"), []string{"head.claims.signature"}) }) {
		t.Error("a token's signature was overlooked")
	}
	if found(func(t *testing.T) { scan(t, "text", []byte("nothing"), []string{"head.claims.signature"}) }) {
		t.Error("something was found in nothing")
	}
}

// TestFilesAreTheOwners walks what a run leaves: it is personal data, and for the
// user that runs seatlake alone.
func TestFilesAreTheOwners(t *testing.T) {
	e := newEstate(t, 1, graphsim.Options{Users: 10, SignIns: 20})
	summary := filepath.Join(filepath.Dir(e.config), "summary.json")
	if status, _, stderr := e.command(t.Context(), "run", "-q", "--summary", summary); status != exitComplete {
		t.Fatalf("status %d: %s", status, stderr)
	}
	info, err := os.Stat(summary)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v, %v", summary, info.Mode(), err)
	}
	files := 0
	err = filepath.WalkDir(e.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := os.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		} else {
			files++
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", path, info.Mode().Perm(), want)
		}
		return nil
	})
	if err != nil || files < 50 {
		t.Errorf("%d files, %v", files, err)
	}
}

// TestRunSendsReadsOnly looks at all that a run sent, as the servers saw it.
func TestRunSendsReadsOnly(t *testing.T) {
	tenant, err := graphsim.New(graphsim.Options{Seed: 3, Users: 30, SignIns: 60, PageSize: 10, Now: scriptNow})
	if err != nil {
		t.Fatal(err)
	}
	server, err := tenant.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	var config bytes.Buffer
	if err := writeDemoConfig(&config, server); err != nil {
		t.Fatal(err)
	}
	e := &estate{
		t: t, now: scriptNow, config: filepath.Join(memoryDir(t), "seatlake.yaml"),
		secret: map[string]string{"SEATLAKE_CLIENT_SECRET": graphsim.DefaultClientSecret},
	}
	if err := os.WriteFile(e.config, config.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, stderr := e.command(context.WithoutCancel(t.Context()), "run", "-q", "--no-build"); status != exitComplete {
		t.Fatalf("status %d: %s", status, stderr)
	}
	sent := map[string]int{}
	for _, r := range server.Log() {
		sent[fmt.Sprintf("%s %s authorized=%t", r.Server, r.Method, r.Authorized)]++
		if r.Method == http.MethodPost && (r.Server != "login" || !strings.HasSuffix(r.Path, "/oauth2/v2.0/token")) {
			t.Errorf("POST %s %s", r.Server, r.Path)
		}
	}
	for kind := range sent {
		if kind != "graph GET authorized=true" && kind != "login POST authorized=false" && kind != "reports GET authorized=false" {
			t.Errorf("%d requests of kind %s", sent[kind], kind)
		}
	}
	if len(sent) != 3 {
		t.Errorf("sent %v", sent)
	}
}
