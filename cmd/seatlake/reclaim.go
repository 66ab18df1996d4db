package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"seatlake/load/lake"
	"seatlake/load/reclaim"
	"seatlake/schemas"
)

func (a *app) reclaimCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reclaim",
		Short: "Take licences back: plan, approve, notify, apply, verify, rollback, audit",
		Long: `Takes licences back that the mart reclaim_candidates names, in steps that an auditor
can follow:

  plan      writes a plan as CSV and JSON; asks nobody, and works offline
  approve   seals what a person left of the plan
  notify    writes a mail merge for the users; sends nothing
  answers   reads their answers
  apply     looks at each licence again, and takes it
  verify    reads until what was written shows
  rollback  gives back exactly what was taken
  audit     verifies the ledger of all this

apply and rollback are the only commands of seatlake that write to Graph. They need
the permission LicenseAssignment.ReadWrite.All, which no other command asks for.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.reclaimPlanCommand(), a.reclaimApproveCommand(), a.reclaimNotifyCommand(), a.reclaimAnswersCommand(),
		a.reclaimApplyCommand(), a.reclaimVerifyCommand(), a.reclaimRollbackCommand(), a.reclaimAuditCommand())
	return cmd
}

// reclaiming are the flags that the commands on a sealed plan share.
type reclaiming struct {
	tenant string
	by     string
	wait   bool
}

func (o *reclaiming) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.tenant, "tenant", "", "of the tenant of this `name`, when the plan does not say it")
	cmd.Flags().StringVar(&o.by, "by", "", "who does this, for the ledger; the user of this machine when left out")
	cmd.Flags().BoolVar(&o.wait, "wait", false, "wait for another process to leave the tenant")
}

// counter is where a command on a plan works: a tenant's ledger, which is this
// process's alone.
type counter struct {
	*app
	cfg      *Config
	lake     *lake.Lake
	tenant   Tenant
	tenantID string
	book     *reclaim.Book
	lease    *lake.Lease
}

// openCounter takes the tenant's lease and reads its ledger. The caller closes it.
func (a *app) openCounter(ctx context.Context, cfg *Config, lk *lake.Lake, t Tenant, tenantID, command string, o reclaiming) (*counter, error) {
	key, err := cfg.sealing(lk)
	if err != nil {
		return nil, err
	}
	actor := cmp.Or(o.by, a.whoami())
	if key != nil {
		actor = key.Seal(schemas.AnyName, actor)
	}
	due := &batch{app: a, due: due{wait: o.wait}, reporter: a.reporter()}
	lease, err := due.lease(ctx, lk, t, tenantID)
	if err != nil {
		return nil, fmt.Errorf("tenant %s: %w", t.Name, err)
	}
	c := &counter{app: a, cfg: cfg, lake: lk, tenant: t, tenantID: tenantID, lease: lease}
	c.book, err = reclaim.OpenBook(ctx, lk, tenantID, reclaim.Clerk{
		Command: command, Actor: actor, Program: version(), Tenant: t.Name, Now: a.now,
	})
	if err != nil {
		return nil, errors.Join(err, lease.Release())
	}
	return c, nil
}

// close publishes what was entered in the ledger, and gives the tenant back.
func (c *counter) close(ctx context.Context) error {
	_, err := c.book.Publish(context.WithoutCancel(ctx))
	if err != nil {
		err = fmt.Errorf("the ledger has it all, and is not yet committed to the lake: %w; the next reclaim command commits it", err)
	}
	return errors.Join(err, c.book.Close(), c.lease.Release())
}

// rebuild commits the ledger to the lake and brings the marts up to it.
func (c *counter) rebuild(ctx context.Context) error {
	if _, err := c.book.Publish(ctx); err != nil {
		return err
	}
	reporter := c.reporter()
	defer reporter.Close()
	return c.buildVersion(ctx, c.cfg, c.lake, 0, reporter)
}

// whoami is the user of this machine.
func (a *app) whoami() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

// planTenant finds the configured tenant of a plan, and its directory id as the lake has
// it.
func planTenant(ctx context.Context, cfg *Config, lk *lake.Lake, name string) (Tenant, string, error) {
	if name == "" && len(cfg.Tenants) > 1 {
		var names []string
		for _, t := range cfg.Tenants {
			names = append(names, t.Name)
		}
		return Tenant{}, "", usage("which tenant? --tenant names one of %s", strings.Join(names, ", "))
	}
	tenants := cfg.Tenants
	if name != "" {
		var err error
		if tenants, err = selectTenants(cfg, []string{name}); err != nil {
			return Tenant{}, "", err
		}
	}
	t := tenants[0]
	if isGUID(t.ID) {
		return t, t.ID, nil
	}
	snapshot, err := lk.Snapshot(ctx, 0)
	if err != nil {
		return t, "", err
	}
	for _, c := range snapshot.Coverage {
		if c.Tenant == t.Name {
			return t, c.TenantID, nil
		}
	}
	return t, "", fmt.Errorf("the lake has no run of tenant %s: run `seatlake run` first", t.Name)
}

// readSealed reads a sealed plan, by the file that approve wrote.
func readSealed(path string) (*reclaim.SealedPlan, error) {
	body, err := os.ReadFile(path)
	if err != nil {
		return nil, usage("%w", err)
	}
	s, err := reclaim.ReadSealed(body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// onSealed opens the counter of a sealed plan, runs do, and closes it again. An offline
// command needs no secret of the configuration.
func (a *app) onSealed(ctx context.Context, path, command string, o reclaiming, offline bool, do func(*counter, *reclaim.Reclamation) error) error {
	load := LoadConfig
	if offline {
		load = LoadConfigWithoutSecrets
	}
	cfg, err := load(a.configPath, a.env)
	if err != nil {
		return err
	}
	lk, err := cfg.openLake(lasting(ctx))
	if err != nil {
		return err
	}
	sealed, err := readSealed(path)
	if err != nil {
		return err
	}
	name := cmp.Or(o.tenant, sealed.Tenant)
	if !slices.ContainsFunc(cfg.Tenants, func(t Tenant) bool { return t.Name == name }) {
		name = o.tenant
	}
	t, tenantID, err := planTenant(ctx, cfg, lk, name)
	if err != nil {
		return err
	}
	c, err := a.openCounter(ctx, cfg, lk, t, tenantID, command, o)
	if err != nil {
		return err
	}
	plan, err := c.book.Check(sealed)
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", path, err), c.close(ctx))
	}
	err = do(c, plan)
	return errors.Join(err, c.close(ctx))
}

// writeFile writes a file of a plan, which holds personal data, beside its name first.
func writeFile(path string, write func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// tell prints what became of a row.
func (a *app) tellRow(r reclaim.Result, would bool) {
	state := string(r.State)
	if would {
		state = "would be " + state
	}
	if r.Cause != "" {
		state += " (" + string(r.Cause) + ")"
	}
	fmt.Fprintf(a.out, "row %d  %s  %s  %s", r.Row.Number, r.Row.UserPrincipalName, r.Row.PartNumber, state)
	if r.Reason != "" && !(would && r.State == reclaim.ClosedComplete) {
		fmt.Fprintf(a.out, ": %s", r.Reason)
	}
	fmt.Fprintln(a.out)
	for _, text := range r.Radius {
		fmt.Fprintln(a.out, "    "+text)
	}
	if would {
		for _, request := range r.Requests {
			fmt.Fprintln(a.out, "    "+strings.ReplaceAll(request, "\n", "\n    "))
		}
	}
}
