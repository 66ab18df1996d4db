package sql

import (
	"context"
	"fmt"
)

// Preview builds one model, with the seeds and models it is made of, from inputs
// that need not be of any commit, and gives the result of a query over them to fn. No
// test runs and nothing is kept. The query is the program's own: it is not looked at.
func Preview(ctx context.Context, in Inputs, model, query string, o Options, fn func(*Rows) error) error {
	if err := in.check(); err != nil {
		return err
	}
	p, err := load(files, in.Vars)
	if err != nil {
		return err
	}
	if err := p.replaceSeeds(in.Seeds); err != nil {
		return err
	}
	needed := p.needed(model)
	return withEngine(ctx, o, func(e *engine) (*Local, error) {
		local, err := in.local(ctx, nil, p.reads(needed))
		if err != nil {
			return nil, err
		}
		return local, preview(ctx, e, p, needed, in, local, o, model, query, fn)
	})
}

func preview(ctx context.Context, e *engine, p *project, needed map[string]bool, in Inputs, local *Local, o Options, model, query string, fn func(*Rows) error) error {
	b := &build{engine: e, options: o}
	if err := b.begin(ctx, p, in, local); err != nil {
		return err
	}
	for _, n := range p.order {
		if !needed[n.Name] {
			continue
		}
		if err := b.node(ctx, n); err != nil {
			return err
		}
	}
	rows, err := e.conn.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("preview of %s: %w", model, err)
	}
	defer rows.Close()
	out, err := newRows(rows)
	if err != nil {
		return fmt.Errorf("preview of %s: %w", model, err)
	}
	return fn(out)
}
