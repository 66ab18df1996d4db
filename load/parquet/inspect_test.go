package parquet_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seatlake/load/parquet"
	"seatlake/schemas"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestSchemaOfEveryTable(t *testing.T) {
	for _, table := range schemas.All() {
		t.Run(table.Name, func(t *testing.T) {
			var file bytes.Buffer
			w, err := parquet.NewWriter(&file, table, parquet.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			got, err := parquet.Print(bytes.NewReader(file.Bytes()), int64(file.Len()))
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", "schemas", fmt.Sprintf("%s.v%d.txt", table.Name, table.Version))
			if *update {
				if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatalf("%v; write it with go test ./load/parquet -run TestSchemaOfEveryTable -update", err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("the schema differs from %s; a released version is never changed (-want +got):\n%s", golden, diff)
			}
		})
	}
}
