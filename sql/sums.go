package sql

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Disagreement is two sums over tables and marts that must be the same and are not.
type Disagreement struct {
	Rule     string // what must agree, a sentence
	TenantID string
	Of       string // what was summed, such as a SKU
	One      int64
	Other    int64

	// People is the mart or table whose rows of people the other sum counts, while the
	// one names nobody: once somebody is erased, the one is larger. It is empty where
	// both sums lose the same by that, or none does.
	People string
}

// Sums compares sums that must agree across the stored tables of a version and its
// marts, which gold names. The rules are the analyses of the dbt project: a SELECT of
// tenant_id, of_what, one_sum, other_sum and people each. It also says how many sums were
// compared. Marts that are not there, because an older program built them, leave their
// rules out.
func Sums(ctx context.Context, in Inputs, gold map[string]string, o Options) (found []Disagreement, compared int64, err error) {
	rules, err := sumRules(gold)
	if err != nil || len(rules) == 0 {
		return nil, 0, err
	}
	var all []string
	for _, r := range rules {
		all = append(all, fmt.Sprintf("select %s as rule, tenant_id, of_what, one_sum, other_sum, people from (\n%s\n)", literal(r.rule), r.query))
	}
	query := "with sums as (\n" + strings.Join(all, "\nunion all\n") + `
)
select rule, tenant_id, of_what, one_sum, other_sum, people, count(*) over () as compared
from sums
qualify one_sum is distinct from other_sum or row_number() over (order by rule, tenant_id, of_what) = 1
order by 1, 2, 3`
	err = QueryWith(ctx, in, gold, query, o, func(rows *Rows) error {
		for row, err := range rows.All() {
			if err != nil {
				return err
			}
			d := Disagreement{}
			d.Rule, _ = row[0].(string)
			d.TenantID, _ = row[1].(string)
			d.Of, _ = row[2].(string)
			d.One, _ = row[3].(int64)
			d.Other, _ = row[4].(int64)
			d.People, _ = row[5].(string)
			compared, _ = row[6].(int64)
			if row[3] != row[4] {
				found = append(found, d)
			}
		}
		return nil
	})
	return found, compared, err
}

// sumRule is an analysis and the sentence it begins with.
type sumRule struct{ rule, query string }

func sumRules(gold map[string]string) ([]sumRule, error) {
	paths, err := fs.Glob(files, "analyses/*.sql")
	if err != nil {
		return nil, err
	}
	var out []sumRule
	for _, file := range paths {
		text, err := fs.ReadFile(files, file)
		if err != nil {
			return nil, fmt.Errorf("read analysis: %w", err)
		}
		r, err := render(file, string(text), scope{
			ref:    func(name string) (string, error) { return "main." + quote(name), nil },
			source: func(_, table string) (string, error) { return "main." + quote(table), nil },
		})
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(r.refs, func(name string) bool { return gold[name] == "" }) {
			continue
		}
		first, query, _ := strings.Cut(strings.TrimSpace(r.text), "\n")
		rule, ok := strings.CutPrefix(first, "-- ")
		if !ok {
			return nil, fmt.Errorf("%s: the first line says what must agree", path.Base(file))
		}
		out = append(out, sumRule{strings.TrimSuffix(rule, "."), query})
	}
	return out, nil
}
