package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"seatlake/load/lake"
	"seatlake/pipeline"
	"seatlake/sql"
)

// moment says which state of the lake is asked for: what was known at a time, and of
// which day. Both empty is the newest.
type moment struct {
	asOf  string // a version, or a UTC day whose newest version is meant
	about string // a UTC day; empty is the newest that was known
}

func (m *moment) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&m.asOf, "as-of", "", "read what was known at this `version or date` (42, 2026-11-24) in place of the newest")
	cmd.Flags().StringVar(&m.about, "about", "", "read it about this earlier `date`: with --as-of D, what was known on D about that day")
}

// isPast says that something else than the newest published marts is asked for.
func (m moment) isPast() bool { return m.asOf != "" || m.about != "" }

// snapshot is the lake at the moment.
func (m moment) snapshot(ctx context.Context, lk *lake.Lake) (*lake.Snapshot, error) {
	version, err := resolveVersion(ctx, lk, m.asOf)
	if err != nil {
		return nil, err
	}
	if m.about == "" {
		return lk.Snapshot(ctx, version)
	}
	day, err := time.Parse(time.DateOnly, m.about)
	if err != nil {
		return nil, usage("--about %q is not a day, such as 2026-11-24", m.about)
	}
	return lk.About(ctx, version, day)
}

// resolveVersion reads --as-of: a version, or the newest one of a UTC day.
// Empty is the newest of all, 0.
func resolveVersion(ctx context.Context, lk *lake.Lake, asOf string) (pipeline.Version, error) {
	if asOf == "" {
		return 0, nil
	}
	if n, err := strconv.ParseInt(asOf, 10, 64); err == nil && n > 0 {
		return pipeline.Version(n), nil
	}
	day, err := time.Parse(time.DateOnly, asOf)
	if err != nil {
		return 0, usage("--as-of %q is neither a version, such as 42, nor a day, such as 2026-11-24", asOf)
	}
	return lk.AsOf(ctx, day.Add(24*time.Hour-time.Nanosecond))
}

// openMoment opens the lake at a moment. Marts that are published of it are read;
// where none are, they are made of the version's files by today's rules, and removed
// by close. The error of a lake without a commit is lake.ErrEmpty.
func (a *app) openMoment(ctx context.Context, cfg *Config, lk *lake.Lake, m moment) (*opened, error) {
	if !m.isPast() {
		return openReading(ctx, cfg, lk)
	}
	snapshot, err := m.snapshot(ctx, lk)
	if err != nil {
		return nil, err
	}
	if m.about == "" {
		gold, err := lk.Gold(snapshot.Version)
		if err == nil {
			return openedOf(cfg, lk, snapshot, gold), nil
		}
		if !errors.Is(err, lake.ErrNoGold) {
			return nil, err
		}
	}
	o := openedOf(cfg, lk, snapshot, nil)
	return o, o.make(ctx, cfg, lk, a.now, "")
}

// make builds the marts into a directory of its own below another, or below the
// system's for such files. A failed check makes none: what was not fit to be published
// is not shown either.
func (o *opened) make(ctx context.Context, cfg *Config, lk *lake.Lake, now func() time.Time, below string) (err error) {
	if o.made, err = os.MkdirTemp(below, ".seatlake-as-of-"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.close())
		}
	}()
	if err := cfg.completeRules(ctx, lk, &o.inputs); err != nil {
		return err
	}
	marts := filepath.Join(o.made, "marts")
	if err := os.Mkdir(marts, 0o700); err != nil {
		return err
	}
	result, err := sql.Build(ctx, o.inputs, marts, sql.Options{
		MemoryLimit: cfg.DuckDB.MemoryLimit, Threads: cfg.DuckDB.Threads, TempDir: o.made, Now: now,
	})
	if err != nil {
		return fmt.Errorf("make the marts of version %d: %w", o.inputs.Version, err)
	}
	for _, n := range result.Nodes {
		if n.Status == sql.Failed {
			return &statusError{code: exitCheckFailed, err: fmt.Errorf("make the marts of version %d: the check %s found faults: %s", o.inputs.Version, n.Name, firstFault(n))}
		}
	}
	for _, m := range result.Marts {
		o.gold[m.Name] = m.Path
	}
	return nil
}

// close removes what was made to be read.
func (o *opened) close() error {
	if o.made == "" {
		return nil
	}
	return os.RemoveAll(o.made)
}
