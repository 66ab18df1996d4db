package main

import (
	"context"
	"path/filepath"
	"strings"

	"seatlake/load/lake"
)

// lake gives the lake's directory, from a path or a file URL, or a bucket's URL as it
// is written.
func (r *reader) lake(p place) string {
	if !p.given() {
		return filepath.Join(r.dir, "lake")
	}
	s, ok := r.text(p)
	if !ok {
		return ""
	}
	if !strings.Contains(s, "://") {
		return r.path(p)
	}
	at := lake.Place{URL: s}
	if err := at.Check(); err != nil {
		r.fault(p, "%s", strings.TrimPrefix(err.Error(), "lake "))
		return ""
	}
	if dir := at.Dir(); dir != "" {
		return filepath.Clean(dir)
	}
	return s
}

// workDir gives the directory in which this machine works on a lake in a bucket.
func (r *reader) workDir(p, of place) string {
	if !p.given() {
		return ""
	}
	if s, ok := r.text(of); of.given() && ok && (lake.Place{URL: s}).Dir() != "" || !of.given() {
		r.note(p, "has no effect: the lake is in a directory, and is worked on there")
	}
	return r.path(p)
}

// place is where the configured lake is.
func (c *Config) place() lake.Place { return lake.Place{URL: c.Lake, Work: c.WorkDir} }

// lasting is the context of a lake that is written to: it ends at the second signal, so
// that what is in hand at the first one can be finished. Who only reads ends at once.
func lasting(ctx context.Context) context.Context {
	if second, ok := ctx.Value(patientKey{}).(context.Context); ok {
		return second
	}
	return ctx
}

// openLake opens the configured lake, which has to exist.
func (c *Config) openLake(ctx context.Context) (*lake.Lake, error) {
	lk, err := c.place().Open(ctx)
	if err != nil {
		return nil, err
	}
	lk.Mirroring.MaxSize = c.Mirror
	return lk, nil
}
