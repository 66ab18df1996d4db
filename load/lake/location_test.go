package lake

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const somePath = "data/graph_users/v1/tenant_id=11111111-1111-4111-8111-111111111111/snapshot_date=2026-11-20/01JD3Z5YQ0000000000000000A-001-0123456789ab.parquet"

func TestLocation(t *testing.T) {
	t.Run("a path is the parts of a file, and gives them back", func(t *testing.T) {
		got, err := ParsePath(somePath)
		if err != nil {
			t.Fatal(err)
		}
		want := Location{
			Table: "graph_users", SchemaVersion: 1, Tenant: contoso, Column: "snapshot_date", Partition: "2026-11-20",
			Run: "01JD3Z5YQ0000000000000000A", Part: 1, Sum: "0123456789ab",
		}
		if got != want {
			t.Errorf("ParsePath = %+v, want %+v", got, want)
		}
	})
	t.Run("whatever has a path comes back from it", rapid.MakeCheck(func(t *rapid.T) {
		l := Location{
			Table:         rapid.StringMatching(`[a-z][a-z0-9_]{0,20}`).Draw(t, "table"),
			SchemaVersion: rapid.IntRange(1, 9999).Draw(t, "version"),
			Run:           rapid.StringMatching(`[0-7][0-9A-HJKMNP-TV-Z]{25}`).Draw(t, "run"),
			Part:          rapid.IntRange(1, 999_999).Draw(t, "part"),
			Sum:           rapid.StringMatching(`[0-9a-f]{12}`).Draw(t, "sum"),
		}
		if rapid.Bool().Draw(t, "of a tenant") {
			l.Tenant = rapid.StringMatching(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`).Draw(t, "tenant")
			l.Column = rapid.StringMatching(`[a-z][a-z0-9_]{0,20}`).Draw(t, "column")
			l.Partition = rapid.StringMatching(`20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])`).Draw(t, "day")
		}
		name, err := l.Path()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParsePath(name); err != nil || got != l {
			t.Errorf("ParsePath(%q) = %+v, %v, want %+v", name, got, err, l)
		}
	}))
	for name, change := range map[string][2]string{
		"a step up":                  {"graph_users", ".."},
		"an escaped step up":         {"graph_users", "%2e%2e"},
		"an escaped slash":           {"graph_users", "graph%2fusers"},
		"a backslash":                {"graph_users", `graph\users`},
		"letters of another script":  {"graph_users", "graph_üsers"},
		"a long name":                {"graph_users", strings.Repeat("a", 64)},
		"a null byte":                {"graph_users", "graph_users\x00"},
		"an upper-case tenant":       {"tenant_id=1", "tenant_id=A"},
		"a tenant under another key": {"tenant_id=", "tenant="},
		"a day that is none":         {"11-20", "02-30"},
		"no version":                 {"/v1/", "/1/"},
		"version 0":                  {"/v1/", "/v0/"},
		"a padded version":           {"/v1/", "/v01/"},
		"part 0":                     {"-001-", "-000-"},
		"a padded part":              {"-001-", "-0001-"},
		"an absolute path":           {"data/", "/data/"},
		"another directory":          {"data/", "gold/"},
		"a doubled slash":            {"/v1/", "/v1//"},
		"a run with a letter U":      {"00A-001", "00U-001"},
		"another extension":          {".parquet", ".csv"},
		"a line's end":               {".parquet", ".parquet\n"},
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			bad := strings.Replace(somePath, change[0], change[1], 1)
			if got, err := ParsePath(bad); err == nil {
				t.Errorf("ParsePath(%q) = %+v", bad, got)
			}
		})
	}
}

// FuzzPartitionPath finds texts that ParsePath takes and Path would not have
// given, or that lead out of data/.
func FuzzPartitionPath(f *testing.F) {
	f.Add(somePath)
	f.Add("data/catalog_skus/v1/01JD3Z5YQ0000000000000000A-001-0123456789ab.parquet")
	f.Add("data/../v1/01JD3Z5YQ0000000000000000A-001-0123456789ab.parquet")
	f.Add("data/a%2fb/v1/01JD3Z5YQ0000000000000000A-001-0123456789ab.parquet")
	f.Fuzz(func(t *testing.T, name string) {
		l, err := ParsePath(name)
		if err != nil {
			return
		}
		again, err := l.Path()
		if err != nil || again != name {
			t.Errorf("ParsePath took %q, and Path gives %q, %v", name, again, err)
		}
		if strings.ContainsAny(name, "%\\\x00") || strings.Contains(name, "..") {
			t.Errorf("ParsePath took %q", name)
		}
	})
}
