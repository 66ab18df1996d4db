package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"seatlake/load/reclaim"
)

func (a *app) reclaimNotifyCommand() *cobra.Command {
	var o reclaiming
	var output string
	cmd := &cobra.Command{
		Use:   "notify SEALED.json",
		Short: "Write a mail merge that asks the users; send nothing",
		Long: `Writes a CSV for a mail merge, a row for each licence, and from then on waits for the
users' answers: reclaim.wait (5 days). seatlake sends no mail.`,
		Example: "  seatlake reclaim notify november.sealed.json -o mails.csv",
		Args:    cobra.ExactArgs(1),
		RunE: action(func(ctx context.Context, args []string) error {
			return a.onSealed(ctx, args[0], "notify", o, true, func(c *counter, p *reclaim.Reclamation) error {
				if output == "" {
					output = strings.TrimSuffix(args[0], ".sealed.json") + ".mails.csv"
				}
				asked, err := c.book.Notify(p, c.cfg.Reclaim.Policy.Waiting)
				if err != nil {
					return err
				}
				if err := writeFile(output, func(f *os.File) error { return reclaim.WriteMerge(f, p, asked) }); err != nil {
					return err
				}
				fmt.Fprintf(a.out, "%d licences are asked about in %s. The answers: seatlake reclaim answers %s ANSWERS.csv\n", len(asked), output, args[0])
				return nil
			})
		}),
	}
	o.flags(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "write the mail merge into this `file`")
	return cmd
}

func (a *app) reclaimAnswersCommand() *cobra.Command {
	var o reclaiming
	cmd := &cobra.Command{
		Use:   "answers SEALED.json ANSWERS.csv",
		Short: "Enter the users' answers: keep or release, and approvals: approve or reject",
		Long: `Reads a CSV with the columns plan_id, row and answer, as notify wrote it, and perhaps
answered_by and comment. keep and reject end a row; release and approve let it be
taken. What no answer means is reclaim.no_answer: keep, or take.`,
		Example: "  seatlake reclaim answers november.sealed.json mails.csv",
		Args:    cobra.ExactArgs(2),
		RunE: action(func(ctx context.Context, args []string) error {
			body, err := os.ReadFile(args[1])
			if err != nil {
				return usage("%w", err)
			}
			return a.onSealed(ctx, args[0], "answers", o, true, func(c *counter, p *reclaim.Reclamation) error {
				notes, err := c.book.Answer(p, body, c.cfg.Reclaim.Policy.Waiting)
				if err != nil {
					return fmt.Errorf("%s: %w", args[1], err)
				}
				for _, note := range notes {
					fmt.Fprintln(a.err, "note: "+note)
				}
				if err := c.book.Expire(p, c.cfg.Reclaim.Policy.Waiting); err != nil {
					return err
				}
				a.tellStates(p)
				return nil
			})
		}),
	}
	o.flags(cmd)
	return cmd
}

// tellStates counts a plan's rows by state.
func (a *app) tellStates(p *reclaim.Reclamation) {
	counts := map[reclaim.State]int{}
	for _, i := range p.Items {
		counts[i.State]++
	}
	var parts []string
	for _, s := range []reclaim.State{
		reclaim.AttentionRequired, reclaim.Ready, reclaim.AwaitingUser, reclaim.AwaitingApproval, reclaim.AwaitingRevocation,
		reclaim.ClosedComplete, reclaim.ClosedSkipped, reclaim.ClosedCancelled,
	} {
		if counts[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[s], s))
		}
	}
	fmt.Fprintf(a.out, "Plan %s: %s.\n", p.ID, strings.Join(parts, ", "))
}
