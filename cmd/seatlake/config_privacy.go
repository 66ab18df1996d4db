package main

import (
	"context"
	"strings"

	"seatlake/load/lake"
	"seatlake/transform/seal"
)

// Privacy says whether the lake names persons.
type Privacy struct {
	Pseudonymise bool
	key          *seal.Key
	missing      string // why there is no key; of commands that can do without
}

// privacy reads the section of that name. Commands that only read the lake do without
// the key, so that for them it is no fault that it is out of reach.
func (r *reader) privacy(p place) Privacy {
	keys := r.mapping(p, "pseudonymise", "key", "key_file")
	privacy := Privacy{Pseudonymise: r.truth(keys["pseudonymise"], false)}
	if !privacy.Pseudonymise {
		return privacy
	}
	if r.secrets {
		privacy.key = r.sealKey(keys)
		return privacy
	}
	aside := &reader{file: r.file, dir: r.dir, env: r.env, secrets: true}
	privacy.key = aside.sealKey(keys)
	var faults []string
	for _, f := range aside.faults {
		faults = append(faults, f.String())
	}
	privacy.missing = strings.Join(faults, "\n")
	return privacy
}

// sealKey reads the key that seals names.
func (r *reader) sealKey(keys map[string]place) *seal.Key {
	key, file := keys["key"], keys["key_file"]
	key.private = true
	var text Secret
	at := key
	switch {
	case key.given() && file.given():
		r.fault(file, "stands beside key on line %d; keep one of them", key.line)
		return nil
	case file.given():
		at = file
		text = r.secretFile(file, r.path(file))
	default:
		text = r.secret(key, "${NAME} of an environment variable that holds 64 hexadecimal digits, or key_file with a path; `openssl rand -hex 32` makes a key",
			"the key itself is in the file; ${NAME} or key_file keeps it out")
	}
	if text.Reveal() == "" {
		return nil // which is a fault already
	}
	k, err := seal.ParseKey(text.Reveal())
	if err != nil {
		r.fault(at, "is no key: %s", err)
	}
	return k
}

// sealKey is the key of a pseudonymised lake, for who writes into it or reveals what
// is in it; nil when the configuration wants names in clear.
func (c *Config) sealKey() (*seal.Key, error) {
	if c.Privacy.Pseudonymise && c.Privacy.key == nil {
		return nil, usage("the names in the lake are sealed, and the key is not there:\n%s", c.Privacy.missing)
	}
	return c.Privacy.key, nil
}

// sealing is the key with which to write into a lake; nil for one whose names are clear.
// A lake that is otherwise than the configuration has it is refused: sealed names would
// stand beside clear ones, and join none of them.
func (c *Config) sealing(lk *lake.Lake) (*seal.Key, error) {
	key, err := c.sealKey()
	if err != nil {
		return nil, err
	}
	switch by := lk.SealedBy(); {
	case by == "" && key == nil:
	case by == "":
		return nil, usage("the names in the lake %s are clear, and privacy.pseudonymise is true: name another lake, and run into that", lk.Where())
	case key == nil:
		return nil, usage("the names in the lake %s are sealed with key %s, and privacy.pseudonymise is not set: set it and the key, or name another lake", lk.Where(), by)
	case by != key.ID():
		return nil, usage("the names in the lake %s are sealed with key %s, and the configuration has key %s: set that key, or name another lake", lk.Where(), by, key.ID())
	}
	return key, nil
}

// createLake makes the configured lake, or opens the one that is there, with the key
// to write into it.
func (a *app) createLake(ctx context.Context, cfg *Config) (*lake.Lake, *seal.Key, error) {
	key, err := cfg.sealKey()
	if err != nil {
		return nil, nil, err
	}
	id := ""
	if key != nil {
		id = key.ID()
	}
	lk, err := cfg.place().CreateSealed(lasting(ctx), id, a.now)
	if err != nil {
		return nil, nil, err
	}
	lk.Mirroring.MaxSize = cfg.Mirror
	key, err = cfg.sealing(lk)
	return lk, key, err
}
