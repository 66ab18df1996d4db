package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"seatlake/schemas"
	"seatlake/sql"
)

// docsCommand generates what docs/ says of tables and marts, for `make golden`.
func (a *app) docsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:    "docs",
		Short:  "Generate documents from the schemas and the models",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "data-dictionary",
		Short: "Print docs/data-dictionary.md",
		Args:  cobra.NoArgs,
		RunE:  action(func(context.Context, []string) error { return dataDictionary(a.out) }),
	})
	return cmd
}

func dataDictionary(w io.Writer) error {
	fmt.Fprint(w, `# Data dictionary

Generated from the schemas and the models by `+"`make golden`"+`; do not edit.

Stored tables keep Graph's words in snake_case. GUIDs are 16-byte UUIDs in the
Parquet files under `+"`data/`"+` and text in marts, gold and query output. Times are UTC.

## Stored tables
`)
	for _, t := range schemas.All() {
		fmt.Fprintf(w, "\n### %s\n\n%s Grain: %s.", t.Name, t.Doc, t.Grain)
		if t.Partition != "" {
			fmt.Fprintf(w, " Partitioned by tenant_id, %s.", t.Partition)
		}
		fmt.Fprint(w, "\n\n| id | column | type | from | meaning |\n|---|---|---|---|---|\n")
		for i := range t.Fields {
			dictionaryRow(w, "", &t.Fields[i])
		}
	}
	fmt.Fprint(w, "\n## Models\n\n")
	return sql.Docs(w)
}

// dictionaryRow prints a column and, below it, its members.
func dictionaryRow(w io.Writer, above string, f *schemas.Field) {
	kind := f.Kind.String()
	if f.Required {
		kind += ", not null"
	}
	name := above + f.Name
	fmt.Fprintf(w, "| %d | %s | %s | %s | %s |\n", f.ID, name, kind, f.From, strings.ReplaceAll(f.Doc, "|", `\|`))
	if f.Elem != nil {
		dictionaryRow(w, name+".", f.Elem)
	}
	for i := range f.Fields {
		dictionaryRow(w, name+".", &f.Fields[i])
	}
}
