package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"seatlake/load/lake"
	"seatlake/load/reclaim"
	"seatlake/schemas"
)

// erasing is one call of the command erase.
type erasing struct {
	*app
	user, tenant string
	dryRun, yes  bool
}

func (a *app) eraseCommand() *cobra.Command {
	e := erasing{app: a}
	cmd := &cobra.Command{
		Use:   "erase",
		Short: "Remove a person from every layer of the lake, history included",
		Long: `Removes a person from data files of all versions that can be read, kept pages, marts,
rows of deliveries and the ledger of licences taken back. The files are written anew without
the person, and a commit says which stand in the place of which: older versions are read
with the new files, at once and for good.

The person is named by object id, sign-in name or e-mail address. A name that several
users bore over time is refused, and their object ids are listed. Figures that name
nobody, such as the positions of a version, stay as they were published.

Graph still knows the person until the account is deleted there, and files that you keep
beside the lake (employees, inventories, plans, deliveries) are not touched: the next run
would bring the rows back. An erasure that was cut off is ended by the next one; without
--user that is all it does.`,
		Example: "  seatlake erase --user ada@contoso.com --dry-run\n  seatlake erase --user 3f2504e0-4f89-11d3-9a0c-0305e82c3301 --tenant contoso --yes",
		Args:    cobra.NoArgs,
		RunE:    action(func(ctx context.Context, _ []string) error { return e.run(ctx) }),
	}
	flags := cmd.Flags()
	flags.StringVar(&e.user, "user", "", "object id, sign-in name or e-mail `address` of the person")
	flags.StringVar(&e.tenant, "tenant", "", "configured `name` of the tenant, when there are several")
	flags.BoolVar(&e.dryRun, "dry-run", false, "say what would be rewritten, and change nothing")
	flags.BoolVarP(&e.yes, "yes", "y", false, "erase without asking")
	return cmd
}

func (e *erasing) run(ctx context.Context) error {
	cfg, lk, err := e.openLake(ctx)
	if err != nil {
		return err
	}
	tenant, tenantID, err := planTenant(ctx, cfg, lk, e.tenant)
	if err != nil {
		return err
	}
	o := lake.EraseOptions{
		TenantID: tenantID, User: e.user, Now: e.now, Program: version(), Redactor: reclaim.Redactor,
		KeepRows: []string{"reclaim_ledger"}, DryRun: true,
		Holder: lake.Holder{Process: os.Getpid(), Since: e.now().UTC()},
	}
	if o.Holder.Host, err = os.Hostname(); err != nil {
		o.Holder.Host = "an unnamed host"
	}
	if o.User, err = e.sealed(cfg, lk); err != nil {
		return err
	}
	if e.dryRun || !e.yes {
		found, err := lk.Erase(ctx, o)
		if err != nil {
			return err
		}
		e.print(found, true)
		if e.dryRun || found.Nothing() {
			return nil
		}
		if err := e.confirm(tenant.Name); err != nil {
			return err
		}
	}
	o.DryRun = false
	done, err := lk.Erase(ctx, o)
	if done != nil && (err == nil || !done.Nothing()) {
		e.print(done, false)
	}
	return err
}

// sealed is the person's name as the lake holds it. Object ids are never sealed.
func (e *erasing) sealed(cfg *Config, lk *lake.Lake) (string, error) {
	if lk.SealedBy() == "" || isGUID(e.user) {
		return e.user, nil
	}
	key, err := cfg.sealing(lk)
	if err != nil {
		return "", err
	}
	return key.Seal(schemas.SignInName, e.user), nil
}

// confirm asks on a terminal.
func (e *erasing) confirm(tenant string) error {
	file, ok := e.in.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return usage("there is no terminal to ask on; --yes erases without asking, and --dry-run says what would be erased")
	}
	fmt.Fprintf(e.err, "Erase the person from the lake of %s? It cannot be undone. [y/N] ", tenant)
	answer, err := bufio.NewReader(e.in).ReadString('\n')
	if err != nil {
		return err
	}
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return fmt.Errorf("nothing was erased")
	}
	return nil
}

func (e *erasing) print(done *lake.Erased, dryRun bool) {
	if done.Resumed {
		fmt.Fprintln(e.out, "An earlier erasure had not come to its end; this is the rest of it. Erase again for anybody else.")
	}
	if len(done.Shared) > 0 {
		fmt.Fprintf(e.out, "%d names were borne by somebody else, too, and stay where they are that person's: %s\n", len(done.Shared), strings.Join(done.Shared, ", "))
	}
	if done.Nothing() {
		fmt.Fprintln(e.out, "Nothing in the lake tells of the person.")
		return
	}
	var removed, changed int64
	files := 0
	for _, layer := range [][]lake.ErasedFile{done.Data, done.Records, done.Pages, done.Marts} {
		for _, f := range layer {
			files++
			removed += f.Removed
			changed += f.Changed
			switch {
			case !dryRun:
			case f.Dropped:
				fmt.Fprintf(e.out, "remove %s\n", f.Path)
			default:
				fmt.Fprintf(e.out, "rewrite %s: %d rows go, %d change\n", f.Path, f.Removed, f.Changed)
			}
		}
	}
	for _, path := range done.Orphans {
		if dryRun {
			fmt.Fprintln(e.out, "remove", path)
		}
	}
	if dryRun {
		fmt.Fprintf(e.out, "Would rewrite %d files (%d of data, %d of records, %d pages, %d marts): %d rows go, %d change.\n",
			files, len(done.Data), len(done.Records), len(done.Pages), len(done.Marts), removed, changed)
		return
	}
	fmt.Fprintf(e.out, "Rewrote %d files (%d of data, %d of records, %d pages, %d marts): %d rows went, %d changed.\n",
		files, len(done.Data), len(done.Records), len(done.Pages), len(done.Marts), removed, changed)
	if done.Version > 0 {
		fmt.Fprintf(e.out, "Version %d says so. Delete the account in the tenant, too: the next run reads what Graph has.\n", done.Version)
	}
}
