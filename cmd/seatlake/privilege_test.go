package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seatlake/extract/graph"
	"seatlake/extract/graph/graphsim"
	"seatlake/pipeline"
)

// TestLeastPrivilege takes each permission away in turn: the tables of its sources
// are not read, and every other one is what the unrestricted run made of it, row by
// row.
func TestLeastPrivilege(t *testing.T) {
	parts, err := newParts("")
	if err != nil {
		t.Fatal(err)
	}
	fed, err := parts.tables()
	if err != nil {
		t.Fatal(err)
	}
	options := graphsim.Options{Seed: 21, Users: 60, SignIns: 400, NonInteractiveSignIns: 300, Now: scriptNow}
	whole := readTables(t, fed, options)

	for _, needs := range permissions {
		t.Run(needs.name, func(t *testing.T) {
			t.Parallel()
			o := options
			o.Deny = []string{needs.name}
			have := readTables(t, fed, o)
			denied := map[string]bool{}
			for source, tables := range fed {
				for _, name := range tables {
					denied[name] = graph.Permission(source) == needs.name
				}
			}
			if !slices.Contains(slices.Collect(maps.Values(denied)), true) {
				t.Fatal("the permission is for nothing")
			}
			for name, rows := range whole {
				switch {
				case len(rows) < 2:
					t.Errorf("%s has no rows in the unrestricted run, so comparing proves nothing", name)
				case denied[name] && len(have[name]) > 1:
					t.Errorf("%s has %d rows without the permission", name, len(have[name])-1)
				case !denied[name]:
					want, got := rows, have[name]
					switch {
					case name == "graph_users" && needs.name == auditLog:
						want = emptied(rows, "sign_in_")
					case name == "graph_user_licenses" && needs.name == graph.Permission(pipeline.SubscribedSkus):
						// The catalogue tells licences apart, and knows plans that this tenant was not given.
						want, got = held(rows), held(got)
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("%s (-with the permission +without):\n%.2000s", name, diff)
					}
				}
			}
		})
	}
}

// readTables reads a tenant once, and gives every stored table as text, its header
// first.
func readTables(t *testing.T, fed map[string][]string, o graphsim.Options) map[string][][]string {
	t.Helper()
	tenant, err := graphsim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	lake := runAgainst(t, tenant, readClients)
	out := map[string][][]string{}
	for _, name := range slices.Concat(slices.Collect(maps.Values(fed))...) {
		out[name] = lake.query("select * from " + name + " order by all")
	}
	return out
}

// held is who holds which SKU, of the table of licences.
func held(rows [][]string) [][]string {
	user, sku := slices.Index(rows[0], "user_id"), slices.Index(rows[0], "sku_id")
	var out [][]string
	for _, row := range rows {
		out = append(out, []string{row[user], row[sku]})
	}
	slices.SortFunc(out, slices.Compare[[]string])
	return slices.CompactFunc(out, slices.Equal[[]string])
}

// emptied is a table with the columns empty whose names hold a word.
func emptied(rows [][]string, word string) [][]string {
	out := [][]string{rows[0]}
	for _, row := range rows[1:] {
		row = slices.Clone(row)
		for i, column := range rows[0] {
			if strings.Contains(column, word) {
				row[i] = ""
			}
		}
		out = append(out, row)
	}
	return out
}
