package sql

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seatlake/schemas"
)

var update = flag.Bool("update", false, "rewrite generated and golden files")

func TestSourcesAreTheStoredTables(t *testing.T) {
	const file = "models/staging/_sources.yml"
	want := sourcesYAML()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s differs from the schemas; go test -run Sources -update ./sql rewrites it (-want +got):\n%s", file, diff)
	}
}

// sourcesYAML is the declaration of the stored tables as sources.
func sourcesYAML() string {
	var b strings.Builder
	b.WriteString("# Made from the schemas of the stored tables; a test keeps it so.\nversion: 2\n\nsources:\n  - name: lake\n")
	b.WriteString("    description: Stored tables of one committed snapshot.\n    tables:\n")
	for _, t := range schemas.All() {
		fmt.Fprintf(&b, "      - name: %s\n        description: %q\n        columns:\n", t.Name, t.Doc+" Grain: "+t.Grain+".")
		for _, f := range t.Fields {
			fmt.Fprintf(&b, "          - name: %s\n            description: %q\n", f.Name, f.Doc)
		}
	}
	b.WriteString("      - name: table_coverage\n        description: \"Completeness and freshness of each tenant's stored tables, from the newest commit. Grain: tenant x table.\"\n        columns:\n")
	for _, c := range [][2]string{
		{"tenant_id", "Directory id of the tenant."},
		{"tenant_name", "Name of the tenant in the configuration."},
		{"table_name", "Stored table."},
		{"state", "complete, partial, concealed, denied, missing or stale."},
		{"reason", "Why the state is not complete, and what to do about it."},
		{"observed_at", "UTC moment at which Graph answered first."},
		{"observed_through", "UTC day up to which the source saw activity."},
		{"logical_date", "UTC day of the partition that the tenant's newest run wrote."},
		{"row_count", "Rows the newest run wrote."},
		{"run_id", "Id of that run."},
		{"snapshot_date", "UTC day of that run."},
	} {
		fmt.Fprintf(&b, "          - name: %s\n            description: %q\n", c[0], c[1])
	}
	return b.String()
}
