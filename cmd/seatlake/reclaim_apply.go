package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"seatlake/load/lake"
	"seatlake/load/reclaim"
)

// settleTime is how long a write may take to show in reads. Graph promises nothing;
// minutes are usual.
const settleTime = time.Hour

func (a *app) reclaimApplyCommand() *cobra.Command {
	var o reclaiming
	var act reclaim.ApplyOptions
	var noBuild bool
	cmd := &cobra.Command{
		Use:   "apply SEALED.json",
		Short: "Take the licences of a sealed plan, each looked at again",
		Long: `Takes licences whose users have been asked, or, with --immediate, all of the plan.
Each user is read again at the moment of the act. What is gone already is skipped, and
a licence that was used meanwhile is left, with the reason.

Direct assignments are removed. What a group assigns is listed, and left, unless
--remove-from-groups says to take the user out of a group that gives this one licence; a
group that gives several is never edited.

Whatever is written stands in the ledger before it is sent, so that a run which is
killed at any point can be run again. The run stops when reclaim.stop_after_failures
rows failed, and more than reclaim.max_failure_share of all.

Exit status: 0 every licence that was due is settled; 3 some failed, or need attention;
1 nothing could be done.`,
		Example: "  seatlake reclaim apply november.sealed.json --dry-run\n  seatlake reclaim apply november.sealed.json",
		Args:    cobra.ExactArgs(1),
		RunE: action(func(ctx context.Context, args []string) error {
			return a.onSealed(ctx, args[0], "apply", o, false, func(c *counter, p *reclaim.Reclamation) error {
				return c.apply(ctx, p, act, noBuild)
			})
		}),
	}
	o.flags(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&act.Immediate, "immediate", false, "also take what no user was asked about")
	flags.BoolVar(&act.RemoveFromGroups, "remove-from-groups", false, "take users out of groups that give the one licence")
	flags.BoolVar(&act.DryRun, "dry-run", false, "print the exact requests, and write nothing")
	flags.BoolVar(&noBuild, "no-build", false, "leave the marts as they are")
	return cmd
}

func (c *counter) apply(ctx context.Context, p *reclaim.Reclamation, o reclaim.ApplyOptions, noBuild bool) error {
	policy := c.cfg.Reclaim.Policy
	if err := p.Expired(c.now()); err != nil {
		return err
	}
	if !o.DryRun {
		if err := c.book.Expire(p, policy.Waiting); err != nil {
			return err
		}
	}
	reporter := c.reporter()
	defer reporter.Close()
	t, err := c.connect(ctx, reporter, o.DryRun, o.RemoveFromGroups)
	if err != nil {
		return err
	}
	defer t.Close()
	activity, err := readActivity(ctx, t.Client, p.Rows, c.now().UTC())
	if err != nil {
		return fmt.Errorf("activity since the plan: %w", err)
	}
	if o.Current, err = c.current(ctx, p); err != nil {
		return err
	}
	o.StopAfter, o.FailureShare, o.Settle = policy.StopAfter, policy.FailureShare, settleTime
	attention := 0
	o.Tell = func(r reclaim.Result) {
		if r.State == reclaim.AttentionRequired {
			attention++
		}
		c.tellRow(r, o.DryRun)
	}
	s, err := c.book.Apply(ctx, p, t, activity, o)
	if err != nil {
		return fmt.Errorf("%w; run the same command again: it goes on from the ledger", err)
	}
	c.tellWaiting(s.Waiting, o.Immediate)
	if o.DryRun {
		fmt.Fprintf(c.out, "Nothing was written: %d rows were looked at.\n", len(s.Results))
		return nil
	}
	c.tellStates(p)
	if len(s.Results) > 0 && !noBuild {
		if err := c.rebuild(ctx); err != nil {
			return err
		}
	}
	switch {
	case s.Stopped != "":
		return &statusError{code: exitGaps, err: fmt.Errorf("stopped: %s", s.Stopped)}
	case s.Failed > 0 || attention > 0:
		return &statusError{code: exitGaps, err: fmt.Errorf("%d rows failed and %d need attention; see above", s.Failed, attention)}
	}
	return nil
}

// tellWaiting says which rows were not due.
func (c *counter) tellWaiting(waiting map[reclaim.State]int, immediate bool) {
	for _, s := range []reclaim.State{reclaim.Ready, reclaim.AwaitingUser, reclaim.AwaitingApproval, reclaim.AttentionRequired} {
		n := waiting[s]
		if n == 0 {
			continue
		}
		hint := ""
		switch {
		case s == reclaim.Ready && !immediate:
			hint = ": their users were not asked (`seatlake reclaim notify`), and --immediate was not given"
		case s == reclaim.AttentionRequired:
			hint = ": see `seatlake show reclaim_ledger`"
		}
		fmt.Fprintf(c.out, "%d rows are %s%s\n", n, s, hint)
	}
}

// current says why a row is not to be taken any more: it is protected, or the
// marts do not name it.
func (c *counter) current(ctx context.Context, p *reclaim.Reclamation) (func(*reclaim.Row, *reclaim.User) string, error) {
	protected, err := c.protected(ctx)
	if err != nil {
		return nil, err
	}
	candidate, err := c.stillCandidates(ctx, p)
	if err != nil {
		return nil, err
	}
	return func(r *reclaim.Row, u *reclaim.User) string {
		why := protected(r, u)
		if why == "" && candidate != nil {
			why = candidate(r)
		}
		return why
	}, nil
}

// stillCandidates says of a row whether the published marts name it; nil when there are
// none. They are the plan's or newer ones. Also the plan's may have been built anew with
// other rules, and know what was written into the plan before it was sealed.
func (c *counter) stillCandidates(ctx context.Context, p *reclaim.Reclamation) (func(*reclaim.Row) string, error) {
	gold, err := c.lake.Gold(0)
	if errors.Is(err, lake.ErrNoGold) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	o, err := openReading(ctx, c.cfg, c.lake)
	if err != nil {
		return nil, err
	}
	now, err := openCandidates(ctx, o, c.tenantID)
	if err != nil {
		return nil, err
	}
	planned := map[holding]bool{}
	for _, r := range p.Rows {
		planned[holding{r.UserID, r.SKU}] = true
	}
	blocked := map[holding]string{}
	err = now.read(ctx, func(all iter.Seq2[*reclaim.Candidate, error]) error {
		for candidate, err := range all {
			if err != nil {
				return err
			}
			if h := (holding{candidate.UserID, candidate.SKU}); planned[h] {
				blocked[h] = candidate.BlockedBy
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return func(r *reclaim.Row) string {
		by, there := blocked[holding{r.UserID, r.SKU}]
		if !there {
			return fmt.Sprintf("it is no candidate by version %d of the lake", gold.Version)
		}
		blocks := slices.DeleteFunc(strings.Split(by, ","), func(b string) bool { return b == "" || b == "group_assigned" })
		if len(blocks) > 0 {
			return fmt.Sprintf("by version %d of the lake it is blocked by %s", gold.Version, strings.Join(blocks, ", "))
		}
		return ""
	}, nil
}
