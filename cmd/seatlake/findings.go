package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/dustin/go-humanize"

	"seatlake/sql"
)

// topFindings is how many findings a summary has.
const topFindings = 10

// summaryQuery is what is worth the most: money first, then units. Amounts of
// different currencies are compared as numbers, since no exchange rate is known.
const summaryQuery = `
with tenants as (select tenant_id, max(tenant_name) as tenant, count(*) over () as tenants from coverage group by 1)
select case when tenants > 1 then tenant end as tenant, finding, annual_amount, currency, is_estimate, units, rule, query
from findings join tenants using (tenant_id)
order by annual_amount is null, annual_amount desc, units desc, finding, tenant_id`

// showSummary prints the findings that are worth the most.
func (a *app) showSummary(ctx context.Context, s *opened, r reading) error {
	if r.format != string(Table) || r.output != "" {
		limit := r.limit
		if limit == 0 {
			limit = topFindings
		}
		return a.print(ctx, s, fmt.Sprintf("%s limit %d", summaryQuery, limit), r)
	}
	return a.summarizeFindings(ctx, a.out, s, a.configPath)
}

// summarizeFindings tells people what is worth the most, each with the command that
// lists what it counts.
func (a *app) summarizeFindings(ctx context.Context, w io.Writer, s *opened, configFile string) error {
	if _, ok := s.gold["findings"]; !ok {
		return usage("no findings are published yet; `seatlake build` publishes them")
	}
	fmt.Fprintln(w, "Worth a look first")
	query := fmt.Sprintf("%s limit %d", summaryQuery, topFindings)
	return sql.Query(ctx, s.inputs, s.gold, query, func(rows *sql.Rows) error {
		n := 0
		for row, err := range rows.All() {
			if err != nil {
				return err
			}
			n++
			fmt.Fprintf(w, "%4d. %s\n", n, sentence(row))
			fmt.Fprintf(w, "      %s\n", queryCommand(row[7], configFile))
		}
		if n == 0 {
			fmt.Fprintln(w, "      No paid licence can be taken back, is unassigned, or has expired.")
		}
		return nil
	})
}

// sentence is a row of summaryQuery for people.
func sentence(row []any) string {
	text, _ := row[1].(string)
	if tenant, ok := row[0].(string); ok {
		text = tenant + ": " + text
	}
	amount, ok := row[2].(string)
	if !ok {
		return text
	}
	text += fmt.Sprintf("; %s %v a year", separated(amount), row[3])
	if estimate, _ := row[4].(bool); estimate {
		text += " by list price"
	}
	return text
}

// separated is a decimal with separators of thousands.
func separated(decimal string) string {
	whole, places, _ := strings.Cut(decimal, ".")
	var n int64
	if _, err := fmt.Sscan(whole, &n); err != nil {
		return decimal
	}
	return humanize.Comma(n) + "." + places
}

// queryCommand is the command that answers a finding's query.
func queryCommand(query any, configFile string) string {
	command := "seatlake query "
	if configFile != "seatlake.yaml" {
		command += "-c " + configFile + " "
	}
	return command + fmt.Sprintf(`"%v"`, query)
}

// tellFindings ends a run for people: what it found that is worth the most. It is
// silent when the run published nothing, or the standard output is another's.
func (b *batch) tellFindings(ctx context.Context, summary string) error {
	if b.summary.Built == 0 || b.quiet || summary == "-" || b.logFormat != "text" {
		return nil
	}
	_, lk, err := b.openLake(ctx)
	if err != nil {
		return err
	}
	s, err := openReading(ctx, b.cfg, lk)
	if err != nil {
		return err
	}
	return b.summarizeFindings(ctx, b.out, s, b.configPath)
}
