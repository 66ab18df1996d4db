package main

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"seatlake/load/lake"
	"seatlake/schemas"
	"seatlake/sql"
	"seatlake/transform/seal"
)

// completeRules completes what models of a lake are built from, which has to be as the
// configuration says: sealed with its key, or clear.
func (c *Config) completeRules(ctx context.Context, lk *lake.Lake, in *sql.Inputs) error {
	key, err := c.sealing(lk)
	if err != nil || key == nil {
		return err
	}
	rules, err := sealedRules(ctx, c.Reclaim, *in, key)
	if err != nil {
		return err
	}
	maps.Copy(in.Seeds, rules)
	return nil
}

// sealedRules are the rules that name users, for models that read sealed names: each
// pattern is matched here, against the clear names of the newest users, and becomes the
// ids of those it names.
func sealedRules(ctx context.Context, rules Reclaim, in sql.Inputs, key *seal.Key) (map[string][]byte, error) {
	var users []person
	if len(rules.Protect.Users)+len(rules.SharedMailboxes) > 0 {
		var err error
		if users, err = newestUsers(ctx, in, key); err != nil {
			return nil, fmt.Errorf("users that reclaim.protect and reclaim.shared_mailboxes name: %w", err)
		}
	}
	rules.Protect.Users = named(users, rules.Protect.Users)
	rules.SharedMailboxes = named(users, rules.SharedMailboxes)
	return rules.seeds(), nil
}

// person is a user by id and lower-case sign-in name.
type person struct{ id, name string }

// newestUsers are the users of each tenant's newest roster, with their clear names.
func newestUsers(ctx context.Context, in sql.Inputs, key *seal.Key) ([]person, error) {
	var days []string
	for _, c := range in.Coverage {
		if c.Table == schemas.GraphUsers.Name && c.LogicalDate != "" {
			days = append(days, "'"+c.TenantID+" "+c.LogicalDate+"'") // both were checked to be what they are
		}
	}
	if len(days) == 0 {
		return nil, nil
	}
	only := &opened{inputs: sql.Inputs{Version: in.Version, RunID: in.RunID, Fetch: in.Fetch, Files: map[string][]string{schemas.GraphUsers.Name: in.Files[schemas.GraphUsers.Name]}}}
	rows, err := only.values(ctx, `select cast(id as varchar), user_principal_name from graph_users
		where cast(tenant_id as varchar) || ' ' || cast(snapshot_date as varchar) in (`+strings.Join(days, ", ")+`)`)
	if err != nil {
		return nil, err
	}
	users := make([]person, len(rows))
	for i, row := range rows {
		name, err := key.Reveal(cell(row[1]))
		if err != nil {
			return nil, fmt.Errorf("user %s: %w", cell(row[0]), err)
		}
		users[i] = person{cell(row[0]), name}
	}
	return users, nil
}

// named are the ids of the users that patterns name, by sign-in name or id, where *
// stands for any characters.
func named(users []person, patterns []string) []string {
	form := nameForm(patterns)
	var ids []string
	for _, u := range users {
		if matches(form, u.name, u.id) {
			ids = append(ids, u.id)
		}
	}
	return ids
}

// revealing is a printer that prints the clear text of sealed values.
type revealing struct {
	Printer
	key *seal.Key
}

func (r revealing) Row(values []any) error {
	shown := make([]any, len(values))
	for i, v := range values {
		clear, err := revealed(r.key, v)
		if err != nil {
			return err
		}
		shown[i] = clear
	}
	return r.Printer.Row(shown)
}

// revealed is a cell with the sealed values in it revealed, at any depth.
func revealed(key *seal.Key, v any) (any, error) {
	switch v := v.(type) {
	case string:
		if !seal.Holds(v) {
			return v, nil
		}
		return key.Reveal(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			var err error
			if out[i], err = revealed(key, v[i]); err != nil {
				return nil, err
			}
		}
		return out, nil
	default:
		return v, nil
	}
}
