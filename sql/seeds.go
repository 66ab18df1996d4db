package sql

import (
	"bytes"
	"context"
	"database/sql/driver"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Seed is a seed's rows by column, as the models see them: the project's own, or
// those of replaced when it names the seed. An empty cell is an empty text.
func Seed(name string, replaced map[string][]byte) ([]map[string]string, error) {
	p, err := load(files, nil)
	if err != nil {
		return nil, err
	}
	if err := p.replaceSeeds(replaced); err != nil {
		return nil, err
	}
	n, ok := p.nodes[name]
	if !ok || n.Kind != KindSeed {
		return nil, fmt.Errorf("seed %q: no such seed", name)
	}
	header, rows, err := readSeed(n)
	if err != nil {
		return nil, err
	}
	out := make([]map[string]string, len(rows))
	for i, row := range rows {
		out[i] = map[string]string{}
		for j, column := range header {
			out[i][column] = row[j]
		}
	}
	return out, nil
}

// SignInRule says which sign-ins belong to a service: those to an application, or
// to a resource.
type SignInRule struct {
	Name    string
	Match   string // "app" or "resource"
	ID      [16]byte
	Service string
}

// SignInRules are the rows of the seed sign_in_rules, in order.
func SignInRules(replaced map[string][]byte) ([]SignInRule, error) {
	rows, err := Seed("sign_in_rules", replaced)
	if err != nil {
		return nil, err
	}
	out := make([]SignInRule, len(rows))
	for i, row := range rows {
		id, err := hex.DecodeString(strings.ReplaceAll(row["id"], "-", ""))
		if err != nil || len(id) != 16 {
			return nil, fmt.Errorf("seed sign_in_rules: rule %s: id %q is not a GUID", row["rule"], row["id"])
		}
		if row["match"] != "app" && row["match"] != "resource" {
			return nil, fmt.Errorf("seed sign_in_rules: rule %s: match %q is not app or resource", row["rule"], row["match"])
		}
		out[i] = SignInRule{Name: row["rule"], Match: row["match"], ID: [16]byte(id), Service: row["service"]}
	}
	return out, nil
}

// ManagedSKUs is the seed managed_sku_rules of a user's lists. Patterns are GUIDs,
// part numbers or class:<name>, in any case, with * for any text. No include
// pattern stands for all.
func ManagedSKUs(include, exclude []string) []byte {
	if len(include) == 0 {
		include = []string{"*"}
	}
	rows := [][]string{{"kind", "pattern"}}
	for _, pattern := range include {
		rows = append(rows, []string{"include", pattern})
	}
	for _, pattern := range exclude {
		rows = append(rows, []string{"exclude", pattern})
	}
	return writeCSV(rows)
}

// Threshold is a row of the seed activity_thresholds. A threshold of a SKU goes
// before that of a service, and that before the default; a zero is not set.
type Threshold struct {
	SKU           string // GUID, or empty
	Service       string // one of the eleven, or empty
	ThresholdDays int    // whole days a service may be unused and the licence still be active
	GraceDays     int    // whole days after the assignment in which silence says nothing
}

// Thresholds is the seed activity_thresholds with these defaults and overrides.
func Thresholds(thresholdDays, graceDays int, overrides []Threshold) []byte {
	days := func(n int) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	rows := [][]string{
		{"scope", "sku_id", "service", "threshold_days", "grace_days"},
		{"default", "", "", strconv.Itoa(thresholdDays), strconv.Itoa(graceDays)},
	}
	for _, o := range overrides {
		scope := "service"
		if o.SKU != "" {
			scope = "sku"
		}
		rows = append(rows, []string{scope, o.SKU, o.Service, days(o.ThresholdDays), days(o.GraceDays)})
	}
	return writeCSV(rows)
}

// writeCSV is rows as CSV; writing to memory cannot fail.
func writeCSV(rows [][]string) []byte {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	_ = w.WriteAll(rows)
	return out.Bytes()
}

// replaceSeeds gives seeds the user's content, which must have the same header.
func (p *project) replaceSeeds(replaced map[string][]byte) error {
	for _, name := range slices.Sorted(maps.Keys(replaced)) {
		n, ok := p.nodes[name]
		if !ok || n.Kind != KindSeed {
			return fmt.Errorf("seed %q: no such seed", name)
		}
		want, _, err := readSeed(n)
		if err != nil {
			return err
		}
		n.csv = replaced[name]
		got, _, err := readSeed(n)
		if err != nil {
			return err
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("seed %s: its columns are %s, not %s", name, strings.Join(want, ","), strings.Join(got, ","))
		}
	}
	return nil
}

// readSeed parses a seed's CSV.
func readSeed(n *Node) (header []string, rows [][]string, err error) {
	r := csv.NewReader(bytes.NewReader(n.csv))
	if header, err = r.Read(); err != nil {
		return nil, nil, fmt.Errorf("seed %s: %w", n.Name, err)
	}
	for {
		row, err := r.Read()
		if err == io.EOF {
			return header, rows, nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("seed %s: %w", n.Name, err)
		}
		rows = append(rows, row)
	}
}

// createSeed makes a seed's table. An empty cell is NULL, as dbt has it.
func (b *build) createSeed(ctx context.Context, n *Node) error {
	header, rows, err := readSeed(n)
	if err != nil {
		return err
	}
	names, columns, casts := make([]string, len(header)), make([]string, len(header)), make([]string, len(header))
	for i, name := range header {
		kind := "varchar"
		if j := slices.IndexFunc(n.Columns, func(c Column) bool { return c.Name == name }); j >= 0 && n.Columns[j].Type != "" {
			kind = n.Columns[j].Type
		}
		names[i] = quote(name)
		columns[i] = names[i] + " " + kind
		casts[i] = fmt.Sprintf("cast(nullif(%s, '') as %s)", names[i], kind)
	}
	table := "main." + quote(n.Name)
	if err := b.exec(ctx, fmt.Sprintf("create table %s (%s)", table, strings.Join(columns, ", "))); err != nil {
		return err
	}
	insert := func(from int, rows [][]string) error {
		return b.append(ctx, "seed_rows", strings.Join(names, ", "), "seed_row bigint", func(yield func([]driver.Value) bool) {
			for i, row := range rows {
				values := make([]driver.Value, 0, len(row)+1)
				for _, cell := range row {
					values = append(values, strings.TrimSpace(cell))
				}
				if !yield(append(values, int64(from+i))) {
					return
				}
			}
		}, fmt.Sprintf("insert into %s select %s from seed_rows order by seed_row", table, strings.Join(casts, ", ")))
	}
	err = insert(0, rows)
	if err == nil {
		return nil
	}
	for i := range rows { // which row it is
		if err := insert(i, rows[i:i+1]); err != nil {
			return fmt.Errorf("row %d: %w", i+1, err)
		}
	}
	return err
}
