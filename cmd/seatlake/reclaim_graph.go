package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"seatlake/extract/graph"
	"seatlake/load/reclaim"
)

// graphTenant is a tenant at Graph, as taking licences back sees it. Without a writer
// it cannot write.
type graphTenant struct {
	*graph.Client
	writer *graph.Writer
	root   string // of Graph, for previews
}

var _ reclaim.Tenant = (*graphTenant)(nil)

// graphConfig is how Graph is reached for a purpose. Requests wait as in a run.
func (c *counter) graphConfig(ctx context.Context, reporter *Reporter, p purpose) graph.Config {
	t := c.tenant
	return graph.Config{
		Tenant: t.Name, Graph: t.Cloud.Graph, Login: t.Cloud.Login, DirectoryID: t.ID,
		ClientID: t.Auth.ClientID, Credential: t.credentialFor(p),
		Now: c.now, Sleep: hasten(ctx, c.sleep), UserAgent: "seatlake/" + version(),
		Progress: func(e graph.Event) {
			if e.Wait > 0 {
				reporter.Step("waiting", "tenant", t.Name, "source", e.Source, "wait", e.Wait.String(), "reason", e.Reason)
			}
		},
	}
}

// connect is the tenant for reading, and unless it is a dry run, for writing: licences,
// and the members of groups besides.
func (c *counter) connect(ctx context.Context, reporter *Reporter, dryRun, groups bool) (*graphTenant, error) {
	switch {
	case dryRun:
		return c.reads(ctx, reporter)
	case groups:
		return c.writes(ctx, reporter, forGroups)
	default:
		return c.writes(ctx, reporter, forReclaim)
	}
}

// reads is the tenant for reading.
func (c *counter) reads(ctx context.Context, reporter *Reporter) (*graphTenant, error) {
	client, err := graph.New(c.graphConfig(ctx, reporter, forReading))
	if err != nil {
		return nil, err
	}
	if err := c.isOurs(ctx, client); err != nil {
		client.Close()
		return nil, err
	}
	return &graphTenant{Client: client, root: c.tenant.Cloud.Graph}, nil
}

// writes is the tenant for reading and writing. Without the permissions of the purpose
// it is refused before anything is asked. A token that says nothing of itself is left
// for Graph to judge.
func (c *counter) writes(ctx context.Context, reporter *Reporter, p purpose) (*graphTenant, error) {
	writer, err := graph.NewWriter(c.graphConfig(ctx, reporter, p))
	if err != nil {
		return nil, err
	}
	roles, err := writer.Roles(ctx)
	if err == nil {
		err = c.isOurs(ctx, writer.Client)
	}
	if err == nil && len(roles) > 0 {
		err = c.lacks(p, roles)
	}
	if err != nil {
		writer.Close()
		return nil, err
	}
	return &graphTenant{Client: writer.Client, writer: writer, root: c.tenant.Cloud.Graph}, nil
}

// isOurs refuses a tenant that is not the ledger's. One that is configured by a domain
// may have become another than the lake's runs have read.
func (c *counter) isOurs(ctx context.Context, client *graph.Client) error {
	id, err := client.TenantID(ctx)
	if err == nil && id != strings.ToLower(c.tenantID) {
		err = fmt.Errorf("tenant %s: %s is tenant %s, and the plan is of %s", c.tenant.Name, c.tenant.ID, id, c.tenantID)
	}
	return err
}

// lacks says which permission of a purpose a token does not carry.
func (c *counter) lacks(p purpose, roles []string) error {
	what, missing := "", ""
	switch {
	case !graph.MayWriteLicenses(roles):
		what, missing = "licences", graph.WriteLicenses
	case slices.Contains(p.writes, graph.WriteMembers) && !graph.MayWriteMembers(roles):
		what, missing = "the members of groups", graph.WriteMembers
	default:
		return nil
	}
	if m, _ := findMethod(c.tenant.Auth.Method); m.person {
		return fmt.Errorf("tenant %s: who signed in may not change %s: sign in again with %s", c.tenant.Name, what, c.tenant.person(p).LogIn)
	}
	return fmt.Errorf("tenant %s: the application may not change %s: add %s to its Microsoft Graph permissions, have an administrator grant consent, and take it away again when nobody uses it",
		c.tenant.Name, what, missing)
}

func (g *graphTenant) User(ctx context.Context, id string) (*reclaim.User, error) {
	u, err := g.Client.User(ctx, id)
	if e, ok := errors.AsType[*graph.Error](err); ok && e.Status == http.StatusNotFound {
		return nil, reclaim.ErrNoUser
	}
	if err != nil {
		return nil, err
	}
	out := &reclaim.User{
		ID: u.ID, UserPrincipalName: u.UserPrincipalName, Enabled: u.Enabled,
		LastSignIn: u.LastSignIn, LastAttempt: u.LastAttempt, SignInsKnown: u.SignInsKnown,
	}
	for _, l := range u.Licenses {
		out.Held = append(out.Held, reclaim.Assignment{SKU: l.SKU, Disabled: l.Disabled})
	}
	for _, s := range u.Assignments {
		out.Assignments = append(out.Assignments, reclaim.Assignment{SKU: s.SKU, Group: s.Group, Disabled: s.Disabled, State: s.State, Updated: s.Updated})
	}
	return out, nil
}

func (g *graphTenant) Group(ctx context.Context, id string) (*reclaim.Group, error) {
	group, err := g.Client.Group(ctx, id)
	if err != nil {
		return nil, err
	}
	out := &reclaim.Group{ID: group.ID, Name: group.Name, Dynamic: group.Dynamic, Synced: group.Synced}
	for _, l := range group.Licenses {
		out.SKUs = append(out.SKUs, l.SKU)
	}
	return out, nil
}

func (g *graphTenant) Units(ctx context.Context) (map[string]reclaim.Units, error) {
	units, err := g.Client.Units(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]reclaim.Units{}
	for _, u := range units {
		out[u.SKU] = reclaim.Units{Entitled: u.Entitled, Consumed: u.Consumed}
	}
	return out, nil
}

// request is a write as Graph takes it.
func (g *graphTenant) request(r reclaim.Request) graph.Write {
	switch {
	case r.Remove != "":
		return graph.AssignLicense(r.User, nil, []string{r.Remove})
	case r.Add != nil:
		return graph.AssignLicense(r.User, []graph.License{{SKU: r.Add.SKU, Disabled: r.Add.Disabled}}, nil)
	case r.Leave != "":
		return graph.RemoveMember(r.Leave, r.User)
	default:
		return g.AddMember(r.Join, r.User)
	}
}

func (g *graphTenant) Write(ctx context.Context, r reclaim.Request) error {
	if g.writer == nil {
		return errors.New("a tenant that is read is written to")
	}
	err := g.writer.Send(ctx, g.request(r))
	if _, lost := errors.AsType[*graph.UnansweredError](err); lost {
		return fmt.Errorf("%w: %w", reclaim.ErrUnanswered, err)
	}
	if cause, refused := graph.CauseOf(err); refused {
		return &reclaim.Refusal{Cause: cause, Err: err}
	}
	return err
}

// Preview is the request line and the body.
func (g *graphTenant) Preview(r reclaim.Request) string {
	w := g.request(r)
	text := w.Method + " " + strings.TrimSuffix(g.root, "/") + w.Path
	if w.Body == nil {
		return text
	}
	body, err := json.Marshal(w.Body)
	if err != nil {
		return text
	}
	return text + "\n" + string(body)
}
