package sql

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Docs writes a Markdown reference of the seeds and models with their columns:
// marts first, then what they are made of.
func Docs(w io.Writer) error {
	p, err := load(files, nil)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	section := func(title string, nodes []*Node) {
		fmt.Fprintf(out, "## %s\n", title)
		for _, n := range nodes {
			fmt.Fprintf(out, "\n### %s\n\n%s\n", n.Name, n.Description)
			if grain, ok := grainOf(n.SQL); ok {
				fmt.Fprintf(out, "\nGrain: %s\n", grain)
			}
			if len(n.Key) > 0 {
				fmt.Fprintf(out, "\nKey: %s. Exported to gold, with `_lake_version` (lake version) and `_run_id` (newest run) behind its columns.\n", strings.Join(n.Key, ", "))
			}
			if reads := append(append([]string{}, n.Sources...), n.DependsOn...); len(reads) > 0 {
				fmt.Fprintf(out, "\nReads: %s.\n", strings.Join(reads, ", "))
			}
			fmt.Fprint(out, "\n| Column | Meaning |\n|---|---|\n")
			for _, c := range n.Columns {
				fmt.Fprintf(out, "| `%s` | %s |\n", c.Name, strings.ReplaceAll(c.Description, "|", `\|`))
			}
		}
		fmt.Fprintln(out)
	}
	layer := func(name string) (nodes []*Node) {
		for _, n := range p.byName(KindModel) {
			if n.Layer == name {
				nodes = append(nodes, n)
			}
		}
		return nodes
	}
	section("Marts", layer("marts"))
	section("Intermediate models", layer("intermediate"))
	section("Staging models", layer("staging"))
	section("Seeds", p.byName(KindSeed))
	return out.Flush()
}

// grainOf is what a model's first comment says of its grain.
func grainOf(query string) (string, bool) {
	rest, ok := strings.CutPrefix(query, "-- Grain: ")
	if !ok {
		return "", false
	}
	var grain []string
	for i, line := range strings.Split(rest, "\n") {
		if i > 0 {
			if line, ok = strings.CutPrefix(line, "-- "); !ok {
				break
			}
		}
		grain = append(grain, strings.TrimSpace(line))
	}
	return strings.Join(grain, " "), true
}
