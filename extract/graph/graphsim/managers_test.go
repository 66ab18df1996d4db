package graphsim

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestManagers(t *testing.T) {
	type row struct {
		ID      string
		Manager *struct {
			Type                               string `json:"@odata.type"`
			ID, UserPrincipalName, DisplayName string
		}
	}
	_, c := open(t, Options{Seed: 3, Users: 1200, PageSize: 200})
	list := func(query string) map[string]row {
		rows, _ := all[row](c, "/beta/users?"+query)
		out := map[string]row{}
		for _, r := range rows {
			out[r.ID] = r
		}
		return out
	}
	expanded := list("$select=id,userType&$expand=manager($select=id,displayName,userPrincipalName)&$top=999")

	t.Run("most users have one, and one is above all others", func(t *testing.T) {
		kinds := map[string]int{}
		for id, r := range expanded {
			top := id
			for n := 0; expanded[top].Manager != nil; n++ {
				if n > 5 {
					t.Fatalf("%s answers to no end of people", id)
				}
				top = expanded[top].Manager.ID
			}
			switch {
			case r.Manager == nil:
				kinds["none"]++
			case r.Manager.Type == "#microsoft.graph.orgContact":
				if _, listed := expanded[r.Manager.ID]; listed || r.Manager.UserPrincipalName != "" {
					t.Errorf("%s answers to a contact that is a user: %+v", id, *r.Manager)
				}
				kinds["contact"]++
			default:
				kinds[top]++
			}
		}
		if len(kinds) < 3 || kinds["none"] == 0 || kinds["none"] > 200 || kinds["contact"] == 0 || kinds["contact"] > 40 {
			t.Errorf("users by who is above them: %v", kinds)
		}
	})
	t.Run("they are listed only where they are expanded, and with what is selected of them", func(t *testing.T) {
		for query, want := range map[string][]string{
			"$select=id":                             nil,
			"":                                       nil,
			"$select=id&$expand=manager($select=id)": {`"id":`},
			"$select=id&$expand=manager":             {`"id":`, `"displayName":`, `"userPrincipalName":`},
			"$expand=manager":                        {`"id":`, `"displayName":`, `"userPrincipalName":`},
		} {
			_, body := c.get("/v1.0/users?$top=5&" + query)
			_, of, found := strings.Cut(string(body), `"manager":{`)
			of, _, _ = strings.Cut(of, "}")
			if found != (want != nil) {
				t.Errorf("%q lists %s", query, body)
			}
			for _, name := range []string{`"id":`, `"displayName":`, `"userPrincipalName":`} {
				if strings.Contains(of, name) != strings.Contains(fmt.Sprint(want), name) {
					t.Errorf("%q lists managers as %s", query, of)
				}
			}
			if context := strings.Contains(string(body), `manager())`); context != (want != nil) {
				t.Errorf("%q has a context of other properties: %.200s", query, body)
			}
		}
	})
	t.Run("a tenant without them refuses as Graph does", func(t *testing.T) {
		_, c := open(t, Options{Users: 10, NoExpand: true})
		status, body := c.get("/beta/users?$select=id&$expand=manager($select=id)")
		if status != http.StatusBadRequest || !bytes.Contains(body, []byte("ExpandNotSupported")) || !bytes.Contains(body, []byte("'Manager'")) {
			t.Errorf("%d %s", status, body)
		}
	})
}
