package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"seatlake/load/lake"
	"seatlake/load/reclaim"
)

// verifyEvery is how often verify reads a user whose licences do not show yet what was
// written.
const verifyEvery = 15 * time.Second

func (a *app) reclaimVerifyCommand() *cobra.Command {
	var o reclaiming
	var timeout time.Duration
	var noBuild bool
	cmd := &cobra.Command{
		Use:   "verify SEALED.json",
		Short: "Read until what was written shows; say what does not",
		Long: `Reads the users of all licences that were taken, or given back, until Graph shows it:
its services follow writes after minutes. What does not show within --timeout, or what
came back, is a finding. A saving counts as realised once it is verified.

The units that the tenant itself counts as assigned are compared with those before the
first act, less those that were freed: a difference may be others' doing and is told,
and a count that has not fallen at all is a finding.

Exit status: 0 all shows; 4 there are findings.`,
		Example: "  seatlake reclaim verify november.sealed.json --timeout 30m",
		Args:    cobra.ExactArgs(1),
		RunE: action(func(ctx context.Context, args []string) error {
			if timeout < 0 {
				return usage("--timeout %s is negative", timeout)
			}
			return a.onSealed(ctx, args[0], "verify", o, false, func(c *counter, p *reclaim.Reclamation) error {
				reporter := c.reporter()
				defer reporter.Close()
				t, err := c.reads(ctx, reporter)
				if err != nil {
					return err
				}
				defer t.Close()
				s, err := c.book.Verify(ctx, p, t, reclaim.VerifyOptions{
					Rounds: 1 + int(timeout/verifyEvery), Every: verifyEvery, Sleep: a.wait,
					Tell: func(r reclaim.Result) {
						if r.Reason != "" {
							a.tellRow(r, false)
						}
					},
				})
				if err != nil {
					return err
				}
				fmt.Fprintf(a.out, "%d rows were looked at; %d do not show what was written.\n", len(s.Results), s.Failed)
				contradicted := 0
				for _, tally := range s.Tallies {
					fmt.Fprintln(a.out, tally)
					if tally.Contradicts() {
						contradicted++
					}
				}
				if !noBuild && len(s.Results) > 0 {
					if err := c.rebuild(ctx); err != nil {
						return err
					}
				}
				if s.Failed > 0 || contradicted > 0 {
					return &statusError{code: exitCheckFailed, err: errors.New("the tenant differs from the ledger; see above")}
				}
				return nil
			})
		}),
	}
	o.flags(cmd)
	cmd.Flags().DurationVar(&timeout, "timeout", 10*time.Minute, "how `long` writes may take to show")
	cmd.Flags().BoolVar(&noBuild, "no-build", false, "leave the marts as they are")
	return cmd
}

func (a *app) reclaimRollbackCommand() *cobra.Command {
	var o reclaiming
	var back reclaim.RollbackOptions
	var noBuild bool
	cmd := &cobra.Command{
		Use:   "rollback SEALED.json",
		Short: "Give back exactly what a plan took",
		Long: `Gives back the direct assignments that a plan took, with the service plans that were
switched off, and the memberships of groups: of all rows, or of those that --row names.
Whoever was assigned the licence anew, otherwise than before, keeps it so.

Seats are counted first. When they do not suffice, nothing is written, unless --partial
says to give back as many as there are seats for.`,
		Example: "  seatlake reclaim rollback november.sealed.json --row 3,17\n  seatlake reclaim rollback november.sealed.json --dry-run",
		Args:    cobra.ExactArgs(1),
		RunE: action(func(ctx context.Context, args []string) error {
			return a.onSealed(ctx, args[0], "rollback", o, false, func(c *counter, p *reclaim.Reclamation) error {
				return c.rollback(ctx, p, back, noBuild)
			})
		}),
	}
	o.flags(cmd)
	flags := cmd.Flags()
	flags.IntSliceVar(&back.Rows, "row", nil, "only these `rows` of the plan")
	flags.BoolVar(&back.Partial, "partial", false, "give back as many as there are seats for")
	flags.BoolVar(&back.DryRun, "dry-run", false, "print the exact requests, and write nothing")
	flags.BoolVar(&noBuild, "no-build", false, "leave the marts as they are")
	return cmd
}

func (c *counter) rollback(ctx context.Context, p *reclaim.Reclamation, o reclaim.RollbackOptions, noBuild bool) error {
	reporter := c.reporter()
	defer reporter.Close()
	t, err := c.connect(ctx, reporter, o.DryRun, p.TookFromGroups(o.Rows))
	if err != nil {
		return err
	}
	defer t.Close()
	o.Tell = func(r reclaim.Result) { c.tellRow(r, o.DryRun) }
	s, err := c.book.Rollback(ctx, p, t, o)
	if err != nil {
		return err
	}
	if len(s.Results) == 0 {
		fmt.Fprintln(c.out, "Nothing was taken that is not back.")
		return nil
	}
	if o.DryRun {
		fmt.Fprintf(c.out, "Nothing was written: %d rows would be given back.\n", len(s.Results))
		return nil
	}
	c.tellStates(p)
	if !noBuild {
		if err := c.rebuild(ctx); err != nil {
			return err
		}
	}
	if s.Failed > 0 {
		return &statusError{code: exitGaps, err: fmt.Errorf("%d of %d rows were not given back; see above", s.Failed, len(s.Results))}
	}
	return nil
}

func (a *app) reclaimAuditCommand() *cobra.Command {
	var tenant string
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Verify the chain of the ledger, and say where every plan stands",
		Long: `Reads every entry of a tenant's ledger, and checks that each follows the bytes of the
one before, that every commit of the lake which states the ledger states it so, and that
all of it is committed. Prints every sealed plan with who sealed it and where its rows
stand. Nothing is asked of Graph.

Exit status: 0 the ledger is whole; 4 it is not.`,
		Example: "  seatlake reclaim audit",
		Args:    cobra.NoArgs,
		RunE: action(func(ctx context.Context, _ []string) error {
			cfg, lk, err := a.openLake(ctx)
			if err != nil {
				return err
			}
			t, tenantID, err := planTenant(ctx, cfg, lk, tenant)
			if err != nil {
				return err
			}
			return a.audit(ctx, lk, t, tenantID)
		}),
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "of the tenant of this `name`")
	return cmd
}

func (a *app) audit(ctx context.Context, lk *lake.Lake, t Tenant, tenantID string) error {
	broken := func(err error) error { return &statusError{code: exitCheckFailed, err: err} }
	ledger, err := lk.Ledger(tenantID)
	if err != nil {
		return err
	}
	defer ledger.Close()
	entries, vouched, err := ledger.Verify(ctx)
	if err != nil {
		return broken(err)
	}
	book, err := reclaim.OpenBook(ctx, lk, tenantID, reclaim.Clerk{Command: "audit", Tenant: t.Name, Now: a.now})
	if err != nil {
		return broken(err)
	}
	defer book.Close()
	open := 0
	for _, p := range book.Plans() {
		fmt.Fprintf(a.out, "Sealed by %s at %s, SHA-256 %.12s. ", p.Seal.By, p.Seal.At.Format(time.RFC3339), p.Seal.SHA256)
		a.tellStates(p)
		for _, i := range p.Items {
			if i.Pending != nil {
				open++
				fmt.Fprintf(a.out, "  row %d: a write begun at %s has no outcome: apply, rollback or verify finds out\n", i.Number, i.Pending.At.Format(time.RFC3339))
			}
		}
	}
	_, mark, err := ledger.Published(ctx)
	if err != nil {
		return broken(err)
	}
	if n := int64(len(entries)) - mark.Sequence; n > 0 {
		fmt.Fprintf(a.out, "%d entries are not yet committed to the lake; the next reclaim command commits them.\n", n)
	}
	fmt.Fprintf(a.out, "The ledger of %s is whole: %d entries, vouched for by %d commits; %d writes without an outcome.\n", t.Name, len(entries), vouched, open)
	return nil
}
