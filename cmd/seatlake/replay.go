package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"seatlake/load/lake"
	"seatlake/pipeline"
)

func (a *app) replayCommand() *cobra.Command {
	var noBuild bool
	cmd := &cobra.Command{
		Use:   "replay [RUN]...",
		Short: "Decode kept pages again, without asking Graph",
		Long: `Puts the kept pages of runs where live ones were and does the rest of the run
again: the same pages give the same files, byte for byte. Without RUN, every run
whose pages are still kept is replayed, oldest first. A run that gives what the lake
already holds changes nothing; one that gives other files (after a change of
seatlake) is committed as a new version.`,
		Args: cobra.ArbitraryArgs,
		RunE: action(func(ctx context.Context, ids []string) error {
			cfg, err := LoadConfigWithoutSecrets(a.configPath, a.env)
			if err != nil {
				return err
			}
			lk, key, err := a.createLake(ctx, cfg)
			if err != nil {
				return err
			}
			runs, err := keptRuns(lk, ids)
			if err != nil {
				return err
			}
			parts, err := newParts(cfg.Catalog)
			if err != nil {
				return err
			}
			parts.key = key
			reporter := a.reporter()
			defer reporter.Close()
			var last pipeline.Version
			for _, run := range runs {
				if last, err = a.replayRun(ctx, lk, parts, run, reporter); err != nil {
					return err
				}
			}
			if noBuild {
				return nil
			}
			return a.buildVersion(ctx, cfg, lk, last, reporter)
		}),
	}
	cmd.Flags().BoolVar(&noBuild, "no-build", false, "leave the models as they are")
	return cmd
}

// keptRuns are the runs to replay: those named, or all whose pages are whole.
func keptRuns(lk *lake.Lake, ids []string) ([]pipeline.Run, error) {
	kept, err := lk.RawRuns()
	if err != nil {
		return nil, err
	}
	var out []pipeline.Run
	for _, k := range kept {
		if len(ids) == 0 && k.Complete() {
			out = append(out, k.Run)
		}
	}
	for _, id := range ids {
		found := false
		for _, k := range kept {
			if k.Run.ID != id {
				continue
			}
			if !k.Complete() {
				return nil, fmt.Errorf("run %s did not end, so its pages are not whole; replay another run, or run again", id)
			}
			out, found = append(out, k.Run), true
		}
		if !found {
			return nil, usage("run %s has no kept pages in this lake; `ls raw/*` names those that have", id)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("no run's pages are kept, so there is nothing to replay; set raw.retain and run first")
	}
	return out, nil
}

func (a *app) replayRun(ctx context.Context, lk *lake.Lake, parts *parts, run pipeline.Run, reporter *Reporter) (pipeline.Version, error) {
	jobs, err := parts.jobs(run)
	if err != nil {
		return 0, err
	}
	show := &batch{app: a, reporter: reporter}
	source := lk.Raw(run)
	if parts.key != nil {
		source = parts.key.Kept(source)
	}
	p := &pipeline.Pipeline{
		Source: source, Dataset: lk.Replay(), Jobs: jobs, Fixed: parts.fixed(), Now: a.now, Progress: show.progress(run.Tenant),
	}
	published, err := p.Run(ctx, run)
	if err != nil {
		return 0, fmt.Errorf("replay of run %s: %w", run.ID, err)
	}
	reporter.Step("run replayed", "tenant", run.Tenant, "run", run.ID, "version", int64(published.Version), "files", len(published.Commit.Add))
	return published.Version, nil
}
