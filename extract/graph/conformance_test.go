package graph

import (
	"context"
	"testing"
	"time"

	"seatlake/extract/graph/graphsim"
	"seatlake/pipeline"
	"seatlake/pipeline/pipelinetest"
)

// TestGraphIsASource puts the client over a simulated tenant through the suite that
// kept pages pass, too.
func TestGraphIsASource(t *testing.T) {
	now := time.Date(2026, 10, 8, 6, 0, 0, 0, time.UTC)
	pipelinetest.TestSource(t, func(t *testing.T) pipelinetest.Source {
		tenant, err := graphsim.New(graphsim.Options{
			Seed: 1, Users: 60, SignIns: 200, Now: now, PageSize: 25, Deny: []string{"Reports.Read.All"},
			Faults: []graphsim.Fault{{Source: pipeline.SubscribedSkus, Kind: graphsim.HTML, Times: -1}},
		})
		if err != nil {
			t.Fatal(err)
		}
		server, err := tenant.Serve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		client, err := New(Config{
			Tenant: "contoso", Graph: server.GraphURL, Login: server.LoginURL, DirectoryID: graphsim.DefaultTenantID,
			ClientID: graphsim.DefaultClientID, Credential: ClientSecret(graphsim.DefaultClientSecret),
			Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			client.Close()
			if err := server.Close(); err != nil {
				t.Error(err)
			}
		})
		return pipelinetest.Source{
			Source: client, Whole: pipeline.Users, Gap: pipeline.ReportMailboxes, None: pipeline.SubscribedSkus,
		}
	})
}
