package main

import (
	"slices"
	"strings"

	"seatlake/extract/graph"
)

// purpose is what a person signs in for. Each has a consent and a stored token of its
// own, so that what is stored for reading asks for nothing that writes.
type purpose struct {
	name   string   // as `login --for` takes it
	entry  string   // behind the name of the stored token
	writes []string // permissions beyond those for reading
	logIn  string   // the command that signs in
}

// The purposes. Rows of groups take a permission more, which is not asked for unless
// groups are to be edited; both share a token, since whoever edits groups takes
// licences, too.
var (
	forReading = purpose{name: "reading", logIn: "seatlake login"}
	forReclaim = purpose{name: "reclaim", entry: "/reclaim", writes: []string{graph.WriteLicenses}, logIn: "seatlake login --for reclaim"}
	forGroups  = purpose{
		name: "reclaim-groups", entry: "/reclaim", writes: []string{graph.WriteLicenses, graph.WriteMembers}, logIn: "seatlake login --for reclaim-groups",
	}
)

func purposes() []purpose { return []purpose{forReading, forReclaim, forGroups} }

func findPurpose(name string) (purpose, error) {
	var names []string
	for _, p := range purposes() {
		if p.name == name {
			return p, nil
		}
		names = append(names, p.name)
	}
	return purpose{}, usage("--for %q is not known; it is %s", name, strings.Join(names, ", "))
}

// person is the credential of who signed in to the tenant for a purpose.
func (t Tenant) person(p purpose) graph.Delegated {
	return graph.Delegated{Store: t.tokens(p), Permissions: slices.Concat(t.Auth.Permissions, p.writes), LogIn: p.logIn + " --tenant " + t.Name}
}

// credentialFor is the tenant's credential for a purpose. Only persons have several: an
// application's token carries whatever it was granted.
func (t Tenant) credentialFor(p purpose) graph.Credential {
	if m, _ := findMethod(t.Auth.Method); m.person {
		return t.person(p)
	}
	return t.credential()
}

// readGroups lets a dry run look at groups.
const readGroups = "GroupMember.Read.All"

// permissions are those that a person is asked to consent to, when not all are wanted
// that the sources take. None of them can write.
func (r *reader) permissions(p place) []string {
	if !p.given() {
		return nil
	}
	allowed := append(graph.ReadPermissions(allSources()...), readGroups)
	out := []string{}
	for _, item := range r.list(p) {
		name, ok := r.text(item)
		switch {
		case !ok:
		case !slices.Contains(allowed, name):
			r.fault(item, "is no permission that reading takes; those are %s", strings.Join(allowed, ", "))
		default:
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		r.fault(p, "is empty; leave it out to ask for all that reading takes")
	}
	return out
}

// setPermissions has persons asked for what the configured sources take, where the
// file does not say otherwise.
func (c *Config) setPermissions() {
	sources := slices.DeleteFunc(allSources(), func(s string) bool { return slices.Contains(c.Off, s) })
	for n := range c.Tenants {
		auth := &c.Tenants[n].Auth
		if m, _ := findMethod(auth.Method); m.person && auth.Permissions == nil {
			auth.Permissions = graph.ReadPermissions(sources...)
		}
	}
}

// allSources are the sources of all tasks.
func allSources() (out []string) {
	for _, r := range everySource() {
		out = append(out, r.Source)
	}
	return out
}
