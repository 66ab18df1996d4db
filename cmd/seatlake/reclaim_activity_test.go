package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"seatlake/extract/graph"
	"seatlake/extract/graph/graphsim"
	"seatlake/load/reclaim"
)

// TestActivityIsReadAgain reads what a tenant of files says of two people at the moment
// of an act.
func TestActivityIsReadAgain(t *testing.T) {
	const ann = "dddddddd-0000-4000-8000-0000000000a1"
	files := map[string]string{
		// Columns stand in another order than Graph's, and one is new.
		"getOffice365ActiveUserDetail.csv": "New,Report Refresh Date,Teams Last Activity Date,User Principal Name,Is Deleted,Yammer Last Activity Date,Exchange Last Activity Date\n" +
			"x,2026-10-06,2026-10-05,Ann@contoso.com,False,,2026-10-01\nx,2026-10-06,2026-10-06,Bob@contoso.com,True,2026-10-06,2026-10-06\nx,2026-10-06,,(Unknown),False,2026-10-06,\n",
		"getEmailActivityUserDetail.csv": "User Principal Name,Is Deleted,Last Activity Date,Report Refresh Date\nann@contoso.com,False,2026-10-04,2026-10-06\n",
		"signIns.1.json": `[
			{"id": "1", "createdDateTime": "2026-10-07T23:59:59Z", "userId": "` + strings.ToUpper(ann) + `", "appId": "871c010f-5e61-4fb1-83ac-98610a7e9110", "status": {"errorCode": 0}},
			{"id": "2", "createdDateTime": "2026-10-07T20:00:00Z", "userId": "` + ann + `", "appId": "f53895d3-095d-408f-8e93-8f94b391404e", "status": {"errorCode": 50126}}]`,
	}
	read := func(t *testing.T, o graphsim.Options, change map[string]string) *freshActivity {
		t.Helper()
		dir := t.TempDir()
		for name, text := range files {
			if other, ok := change[name]; ok {
				text = other
			}
			if text == "" {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		o.Now = scriptNow
		tenant, err := graphsim.Folder(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		server, err := tenant.Serve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { server.Close() })
		client, err := graph.New(graph.Config{
			Tenant: "contoso", Graph: server.GraphURL, Login: server.LoginURL, DirectoryID: graphsim.DefaultTenantID,
			ClientID: graphsim.DefaultClientID, Credential: graph.ClientSecret(graphsim.DefaultClientSecret), Sleep: impatient,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		rows := []reclaim.Row{{Judged: []string{"Microsoft Exchange Server", "Microsoft Teams", "Yammer", "Outlook", "Power BI", "Project"}, ObservedThrough: "2026-10-06"}}
		a, err := readActivity(t.Context(), client, rows, scriptNow)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for _, c := range []struct {
		name         string
		o            graphsim.Options
		change       map[string]string
		upn          string
		services     []string
		day, service string
		unread       string // what the error says
	}{
		{"the latest of the services counts", graphsim.Options{}, nil, "ann@contoso.com", []string{"Microsoft Exchange Server", "Microsoft Teams", "Outlook"}, "2026-10-05", "Microsoft Teams", ""},
		{"mail is in a report of its own", graphsim.Options{}, nil, "ann@contoso.com", []string{"Outlook"}, "2026-10-04", "Outlook", ""},
		{"a successful sign-in counts", graphsim.Options{}, nil, "ann@contoso.com", []string{"Outlook", "Power BI"}, "2026-10-07", "Power BI", ""},
		{"a failed one does not", graphsim.Options{}, nil, "ann@contoso.com", []string{"Project"}, "", "", ""},
		{"a deleted account's row does not", graphsim.Options{}, nil, "bob@contoso.com", []string{"Microsoft Teams"}, "", "", ""},
		{"a report that is refused is not silence", graphsim.Options{Deny: []string{"Reports.Read.All"}}, nil, "ann@contoso.com", []string{"Outlook"}, "", "", "Reports.Read.All"},
		{"a log that is refused is not silence", graphsim.Options{NoPremium: true}, nil, "ann@contoso.com", []string{"Project"}, "", "", "use of Project"},
		{"a report without the service's column is not silence", graphsim.Options{}, map[string]string{"getEmailActivityUserDetail.csv": "User Principal Name,Is Deleted,Report Refresh Date\nann@contoso.com,False,2026-10-06\n"},
			"ann@contoso.com", []string{"Outlook"}, "", "", "Last Activity Date"},
		{"a report that hides names is not silence", graphsim.Options{}, map[string]string{"getEmailActivityUserDetail.csv": "User Principal Name,Is Deleted,Last Activity Date,Report Refresh Date\nA1B2C3D4E5F60718293A4B5C6D7E8F90,False,2026-10-04,2026-10-06\n"},
			"ann@contoso.com", []string{"Outlook"}, "", "", "hide the names"},
		{"a report of nobody is not silence", graphsim.Options{}, map[string]string{"getEmailActivityUserDetail.csv": "User Principal Name,Is Deleted,Last Activity Date,Report Refresh Date\n"},
			"ann@contoso.com", []string{"Outlook"}, "", "", "names no user"},
	} {
		t.Run(c.name, func(t *testing.T) {
			id := ann
			if c.upn != "ann@contoso.com" {
				id = "dddddddd-0000-4000-8000-0000000000b2"
			}
			day, service, err := read(t, c.o, c.change).Since([]string{c.upn}, id, c.services)
			if (err != nil) != (c.unread != "") || err != nil && !strings.Contains(err.Error(), c.unread) {
				t.Fatalf("error %v, want one that says %q", err, c.unread)
			}
			if day != c.day || service != c.service {
				t.Errorf("%s on %q, want %s on %q", service, day, c.service, c.day)
			}
		})
	}
}
