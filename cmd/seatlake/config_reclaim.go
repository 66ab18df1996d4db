package main

import (
	"iter"
	"strings"
)

// Reclaim says which licences may be taken back.
type Reclaim struct {
	Protect Protect

	// SharedMailboxes are user principal names, with *, of mailboxes that no one
	// person owns. Nothing that is read from Graph says so of a mailbox.
	SharedMailboxes []string

	Policy ReclaimPolicy
}

// Protect lists what is never taken back. Protected licences stay candidates that
// say so.
type Protect struct {
	Users  []string // user principal names with *, or lower-case object ids
	Groups []string // lower-case object ids: what they assign is protected
	SKUs   []string // patterns, as those of Licenses
}

// reclaim reads the section of that name.
func (r *reader) reclaim(p place) Reclaim {
	keys := r.mapping(p, append([]string{"protect", "shared_mailboxes"}, policyKeys...)...)
	return Reclaim{Protect: r.protect(keys["protect"]), SharedMailboxes: r.names(keys["shared_mailboxes"]), Policy: r.reclaimPolicy(keys)}
}

func (r *reader) protect(p place) Protect {
	keys := r.mapping(p, "users", "groups", "skus")
	protect := Protect{Users: r.names(keys["users"]), SKUs: r.patterns(keys["skus"])}
	for _, at := range r.list(keys["groups"]) {
		id, ok := r.required(at, "the object id of a group that assigns licences")
		if !ok {
			continue
		}
		if id = strings.ToLower(id); !isGUID(id) {
			r.fault(at, "%s is not an object id; the group's page in the Entra admin center has it", at.quote())
		}
		protect.Groups = append(protect.Groups, id)
	}
	return protect
}

// names are user principal names, with * for any characters, or object ids.
func (r *reader) names(p place) []string {
	var out []string
	for _, at := range r.list(p) {
		name, ok := r.required(at, "a user principal name, with * for any characters, or an object id")
		if !ok {
			continue
		}
		name = strings.ToLower(name)
		if !isGUID(name) && !strings.ContainsAny(name, "@*") {
			r.fault(at, "%s is neither a user principal name nor an object id", at.quote())
		}
		out = append(out, name)
	}
	return out
}

// hr gives the HR file's path; empty when there is none.
func (r *reader) hr(p place) string {
	return r.path(r.mapping(p, "file")["file"])
}

// seeds gives the rules of candidates as seeds.
func (c *Reclaim) seeds() map[string][]byte {
	protected := [][]string{{"kind", "pattern"}}
	for kind, patterns := range c.Protect.kinds() {
		for _, pattern := range patterns {
			protected = append(protected, []string{kind, pattern})
		}
	}
	mailboxes := [][]string{{"pattern"}}
	for _, pattern := range c.SharedMailboxes {
		mailboxes = append(mailboxes, []string{pattern})
	}
	return map[string][]byte{"protected_rules": csvBytes(protected), "shared_mailbox_rules": csvBytes(mailboxes)}
}

// kinds yields the lists by the words that the seed has for them.
func (p *Protect) kinds() iter.Seq2[string, []string] {
	return func(yield func(string, []string) bool) {
		_ = yield("user", p.Users) && yield("group", p.Groups) && yield("sku", p.SKUs)
	}
}
