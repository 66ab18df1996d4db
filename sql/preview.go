package sql

import (
	"context"
	"fmt"
)

// Preview builds one model, with the seeds and models it is made of, from inputs
// that need not be of any commit, and gives the result of a query over them to fn. No
// test runs and nothing is kept. The query is the program's own: it is not looked at.
func Preview(ctx context.Context, in Inputs, model, query string, o Options, fn func(*Rows) error) (err error) {
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
	needed := map[string]bool{model: true}
	for i := len(p.order) - 1; i >= 0; i-- { // what a node reads stands before it
		if n := p.order[i]; needed[n.Name] {
			for _, name := range n.DependsOn {
				needed[name] = true
			}
		}
	}
	e, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := e.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("close DuckDB: %w", cerr)
		}
	}()
	if err := e.createSources(ctx, in); err != nil {
		return err
	}
	for _, hook := range p.hooks {
		if err := e.exec(ctx, hook); err != nil {
			return fmt.Errorf("dbt_project.yml: on-run-start: %w", err)
		}
	}
	b := &build{engine: e, options: o}
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
