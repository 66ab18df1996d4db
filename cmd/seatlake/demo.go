package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"seatlake/extract/graph/graphsim"
)

func (a *app) demoCommand() *cobra.Command {
	d := demo{app: a}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run everything against a simulated tenant, over real HTTP",
		Long: `Starts a simulated Microsoft 365 tenant in this process, reads it over HTTP like a
real one, commits the lake, builds the models and prints the licence positions. It
needs no account and no network.`,
		Args: cobra.NoArgs,
		RunE: action(func(ctx context.Context, _ []string) error { return d.run(ctx) }),
	}
	cmd.Flags().IntVar(&d.users, "users", 1000, "how many `users` the tenant has, up to 1,000,000")
	cmd.Flags().Uint64Var(&d.seed, "seed", 1, "the tenant is a function of this `number`")
	cmd.Flags().StringVar(&d.dir, "dir", "seatlake-demo", "`folder` of the demo's configuration and lake")
	return cmd
}

// demo is one demonstration.
type demo struct {
	*app
	users int
	seed  uint64
	dir   string
}

func (d demo) run(ctx context.Context) error {
	if d.users < 1 || d.users > 1_000_000 {
		return usage("--users %d is out of range; it is 1 to 1,000,000", d.users)
	}
	began := d.now()
	tenant, err := graphsim.New(graphsim.Options{Seed: d.seed, Users: d.users, SignIns: 10 * d.users, Now: d.now().UTC()})
	if err != nil {
		return err
	}
	server, err := tenant.Serve(ctx)
	if err != nil {
		return err
	}
	defer server.Close()

	configFile, err := d.configure(server)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "A simulated tenant of %s users answers at %s. Reading it like a real one.\n\n", humanize.Comma(int64(d.users)), server.GraphURL)
	cfg, err := LoadConfig(configFile, func(name string) (string, bool) {
		return graphsim.DefaultClientSecret, name == "SEATLAKE_CLIENT_SECRET"
	})
	if err != nil {
		return err
	}
	batch := &batch{app: d.app, cfg: cfg, build: true, reporter: d.reporter()}
	err = batch.run(ctx, cfg.Tenants)
	batch.reporter.Close()
	if err != nil {
		return err
	}
	return d.report(ctx, cfg, configFile, batch, d.now().Sub(began))
}

var demoConfig = template.Must(template.New("config").Parse(`# The configuration of ` + "`seatlake demo`" + `. The simulated tenant ends with the demo;
# show, query, check, build and replay work on what it left in the lake.
lake: ./lake
tenants:
  - name: contoso
    id: {{.TenantID}}
    cloud: {graph: "{{.Graph}}", login: "{{.Login}}"{{if .Throttles}}, limits: published{{end}}}
    auth:
      method: client_secret
      client_id: {{.ClientID}}
      client_secret: ${SEATLAKE_CLIENT_SECRET}
`))

// configure writes the configuration of the simulated tenant and returns its
// path.
func (d demo) configure(server *graphsim.Server) (string, error) {
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return "", err
	}
	path := filepath.Join(d.dir, "seatlake.yaml")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return path, writeDemoConfig(f, server)
}

// writeDemoConfig writes a configuration that reads a simulated tenant.
func writeDemoConfig(w io.Writer, server *graphsim.Server) error {
	return demoConfig.Execute(w, map[string]any{
		"Throttles": server.Throttles(), "TenantID": graphsim.DefaultTenantID, "ClientID": graphsim.DefaultClientID, "Graph": server.GraphURL, "Login": server.LoginURL,
	})
}

// report prints what was read, what it cost, what is worth a look, the positions,
// and what to try next.
func (d demo) report(ctx context.Context, cfg *Config, configFile string, b *batch, took time.Duration) error {
	lk, err := cfg.openLake(ctx)
	if err != nil {
		return err
	}
	snapshot, err := lk.Snapshot(ctx, 0)
	if err != nil {
		return err
	}
	s, err := openReading(ctx, cfg, lk)
	if err != nil {
		return err
	}
	rows := map[string]int64{}
	var files, size int64
	for table, fs := range snapshot.Files {
		for _, f := range fs {
			rows[table] += f.Rows
			size += f.Size
			files++
		}
	}
	comma, stats := humanize.Comma, b.stats()
	fmt.Fprintf(d.out, "Read    %s users, %s licence entitlements, %s sign-ins, 7 usage reports, %s SKUs\n",
		comma(rows["graph_users"]), comma(rows["graph_user_licenses"]), comma(rows["graph_sign_ins"]), comma(rows["graph_subscribed_skus"]))
	fmt.Fprintf(d.out, "Cost    %s requests, %d retries, %s over the wire, %s from first request to published marts\n",
		comma(int64(stats.Requests)), stats.Retries, humanize.Bytes(uint64(stats.Bytes)), took.Round(10*time.Millisecond))
	fmt.Fprintf(d.out, "Lake    %s: version %d, %s Parquet files, %s\n\n", cfg.Lake, snapshot.Version, comma(files), humanize.Bytes(uint64(size)))

	if err := d.summarizeFindings(ctx, d.out, s, configFile); err != nil {
		return err
	}
	fmt.Fprintln(d.out, "\nLicence positions")
	if err := d.print(ctx, s, positionsQuery, reading{format: "table"}); err != nil {
		return err
	}
	me := d.invocation()
	fmt.Fprintf(d.out, `
Try next
  %[1]s show users -c %[2]s --limit 20
  %[1]s show license_spend -c %[2]s
  %[1]s show activity -c %[2]s --service Yammer --threshold 30 --by-license
  %[1]s query -c %[2]s "select department, count(*) as idle from license_assignments join users using (tenant_id, user_id) where activity_status in ('inactive', 'never_active') group by 1 order by 2 desc"
  %[1]s check -c %[2]s
`, me, configFile)
	return nil
}

// invocation is how the program was called, so that the commands to try can be
// pasted.
func (d demo) invocation() string {
	exe, err := os.Executable()
	if err == nil && strings.Contains(exe, "go-build") {
		return "go run ./cmd/seatlake"
	}
	return "seatlake"
}

// positionsQuery is the positions as the demo and the end of a run show them:
// what is paid first, most units at stake first.
const positionsQuery = `
select product_name as product, license_class as class, entitled_units as bought, consumed_units as consumed, available_units as available,
  active_users as active, inactive_users as inactive, never_active_users as never, too_new_users as too_new,
  not_measurable_users as unmeasured, disabled_users as disabled, guest_users as guests
from license_positions
order by license_class <> 'paid', inactive_users + never_active_users + greatest(available_units, 0) desc, product_name`
