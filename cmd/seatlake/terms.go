package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"seatlake/extract/inventory"
	"seatlake/extract/terms"
	"seatlake/pipeline"
	"seatlake/sql"
)

func (a *app) termsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "terms",
		Short: "Look after the file of licence terms",
	}
	cmd.AddCommand(a.termsCheckCommand())
	return cmd
}

func (a *app) termsCheckCommand() *cobra.Command {
	var r reading
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Compare the licence terms with what the tenants have",
		Long: `Reads the file that licenses.terms names, as it is now, and compares it with the
paid, managed SKUs of the newest published version: SKUs without a term, terms without
a SKU, terms of one purchase that overlap, terms that have ended or have not begun, and
quantities that differ from the units the tenant has.

Exit status: 0 when there is nothing to say, 4 when there is, 2 when the file cannot be
understood.`,
		Args: cobra.NoArgs,
		RunE: action(func(ctx context.Context, _ []string) error { return a.checkTerms(ctx, r) }),
	}
	cmd.Flags().StringVar(&r.format, "format", "table", "table, csv, json, markdown, parquet or xlsx")
	cmd.Flags().StringVarP(&r.output, "output", "o", "", "write to this `file` in place of standard output")
	return cmd
}

// checkTerms prints what is to be said of the licence terms.
func (a *app) checkTerms(ctx context.Context, r reading) error {
	cfg, lk, err := a.openLake(ctx)
	if err != nil {
		return err
	}
	file, err := readTerms(cfg)
	if err != nil {
		return err
	}
	if file == nil {
		return usage("%s names no licence terms: set licenses.terms to a CSV file with the columns sku,quantity,amount,currency,payment_frequency,effective_date", cfg.Path)
	}
	s, err := openReading(ctx, cfg, lk)
	if err != nil {
		return err
	}
	held, err := heldSKUs(ctx, s)
	if err != nil {
		return err
	}
	found := compareTerms(file.Terms, held, a.now().UTC().Truncate(24*time.Hour))
	if len(found) == 0 {
		fmt.Fprintf(a.out, "%d terms fit the SKUs of the tenants.\n", len(file.Terms))
		return nil
	}
	rows := make([][]any, len(found))
	for i, f := range found {
		var line any
		if f.line > 0 {
			line = int64(f.line)
		}
		rows[i] = []any{f.tenant, f.problem, line, f.sku, f.text}
	}
	columns := []Column{{"tenant", "VARCHAR"}, {"problem", "VARCHAR"}, {"line", "BIGINT"}, {"sku", "VARCHAR"}, {"what", "VARCHAR"}}
	if err := a.printValues(columns, rows, r); err != nil {
		return err
	}
	return &statusError{code: exitCheckFailed}
}

// readTerms reads the configured licence terms; nil when none are configured. Each
// term must say whose it is when there are several tenants, since money that is
// counted for all of them is wrong.
func readTerms(cfg *Config) (*terms.File, error) {
	path := cfg.Licenses.Terms
	if path == "" {
		return nil, nil
	}
	file, err := terms.Read(path)
	var faulty *terms.Error
	if errors.As(err, &faulty) {
		return nil, usage("%w", err)
	}
	if err != nil {
		var at *fs.PathError
		if errors.As(err, &at) {
			err = at.Err
		}
		return nil, usage("licenses.terms: %s: %w", path, err)
	}
	names := cfg.tenantNames()
	faulty = &terms.Error{File: path}
	for _, t := range file.Terms {
		switch {
		case t.Tenant == "" && len(names) > 1:
			faulty.Faults = append(faulty.Faults, terms.Fault{Line: t.Line, Text: "the column tenant must say whose the term is: " + strings.Join(names, ", ")})
		case t.Tenant != "" && !cfg.knowsTenant(t.Tenant):
			faulty.Faults = append(faulty.Faults, terms.Fault{Line: t.Line, Text: fmt.Sprintf("tenant %q is not in the configuration; it has: %s", t.Tenant, strings.Join(names, ", "))})
		}
	}
	if len(faulty.Faults) > 0 {
		return nil, usage("%w", faulty)
	}
	return file, nil
}

// tenantNames are the tenants that a user's file may name.
func (c *Config) tenantNames() []string {
	names := make([]string, len(c.Tenants))
	for i, t := range c.Tenants {
		names[i] = t.Name
	}
	return names
}

// knowsTenant says whether a user's file may name this tenant: a configured name, or
// a directory id, which only the tenant itself can confirm.
func (c *Config) knowsTenant(named string) bool {
	return isGUID(strings.ToLower(named)) || slices.ContainsFunc(c.Tenants, func(t Tenant) bool { return strings.EqualFold(t.Name, named) })
}

// source is Graph, and the user's files beside it.
func (b *batch) source(graph pipeline.Continuer, tenant string) pipeline.Continuer {
	source, now := graph, b.now().UTC()
	if b.terms != nil {
		source = b.terms.Source(source, now)
	}
	if b.hr != nil {
		source = b.hr.Source(source, now)
	}
	if b.legacy != nil {
		source = b.legacy.Source(source, now)
	}
	if files := b.inventories[strings.ToLower(tenant)]; len(files) > 0 {
		source = &inventory.Source{Next: source, Files: files, Observed: now}
	}
	return source
}

// heldSKU is a SKU of a tenant, as the newest marts have it.
type heldSKU struct {
	tenant, tenantID  string
	id, part, product string
	units             int64 // entitled
	known             bool  // whether the units are
	managed, paid     bool
}

const heldSKUsQuery = `
with tenants as (select tenant_id, max(tenant_name) as tenant_name from coverage group by 1),
skus as (
  select tenant_id, sku_id, sku_part_number, product_name, license_class, entitled_units, true as is_managed from license_positions
  union all
  select tenant_id, sku_id, sku_part_number, product_name, license_class, entitled_units, false from excluded_licenses
)
select t.tenant_name, s.tenant_id, s.sku_id, coalesce(s.sku_part_number, ''), s.product_name, s.entitled_units, s.is_managed, s.license_class = 'paid'
from skus as s join tenants as t using (tenant_id)
order by all`

func heldSKUs(ctx context.Context, s *opened) ([]heldSKU, error) {
	if len(s.gold) == 0 {
		return nil, errors.New("no marts are published yet, so there are no SKUs to compare with; `seatlake run` publishes them")
	}
	var out []heldSKU
	err := sql.Query(ctx, s.inputs, s.gold, heldSKUsQuery, func(rows *sql.Rows) error {
		for row, err := range rows.All() {
			if err != nil {
				return err
			}
			k := heldSKU{}
			k.tenant, _ = row[0].(string)
			k.tenantID, _ = row[1].(string)
			k.id, _ = row[2].(string)
			k.part, _ = row[3].(string)
			k.product, _ = row[4].(string)
			k.units, k.known = row[5].(int64)
			k.managed, _ = row[6].(bool)
			k.paid, _ = row[7].(bool)
			out = append(out, k)
		}
		return nil
	})
	return out, err
}

// problem is something to say of the terms.
type problem struct {
	tenant, problem string
	line            int // of the file; 0 when no line is at fault
	sku, text       string
}

// compareTerms holds terms to what tenants have on a UTC day.
func compareTerms(all []terms.Term, held []heldSKU, day time.Time) []problem {
	var out []problem
	matched := make([][]int, len(held)) // the terms of each SKU
	for i := range all {
		t := &all[i]
		found := false
		for j, k := range held {
			if t.Of(k.tenant, k.tenantID) && (t.SKU == k.id || strings.EqualFold(t.SKU, k.part)) {
				matched[j], found = append(matched[j], i), true
			}
		}
		if !found {
			out = append(out, problem{t.Tenant, "term without SKU", t.Line, t.SKU, "the tenant has no such SKU"})
		}
		switch {
		case !t.Ending.IsZero() && !day.Before(t.Ending):
			out = append(out, problem{t.Tenant, "expired", t.Line, t.SKU, "ended on " + t.Ending.Format(time.DateOnly)})
		case day.Before(t.Effective):
			out = append(out, problem{t.Tenant, "not begun", t.Line, t.SKU, "begins on " + t.Effective.Format(time.DateOnly)})
		}
	}
	out = append(out, overlaps(all)...)
	for j, k := range held {
		if !k.managed || !k.paid {
			continue
		}
		var quantity int64
		inForce := 0
		for _, i := range matched[j] {
			if t := all[i]; !day.Before(t.Effective) && (t.Ending.IsZero() || day.Before(t.Ending)) {
				quantity += t.Quantity
				inForce++
			}
		}
		name := k.part
		if name == "" {
			name = k.id
		}
		switch {
		case len(matched[j]) == 0 && (!k.known || k.units > 0):
			out = append(out, problem{k.tenant, "SKU without term", 0, name, "what " + k.product + " costs is not known, or estimated by list price"})
		case len(matched[j]) > 0 && inForce == 0:
			out = append(out, problem{k.tenant, "no term in force", 0, name, "what " + k.product + " costs now is not known"})
		case inForce > 0 && k.known && quantity != k.units:
			out = append(out, problem{k.tenant, "quantity", 0, name,
				"the terms in force pay for " + strconv.FormatInt(quantity, 10) + " units, the tenant has " + strconv.FormatInt(k.units, 10)})
		}
	}
	return out
}

// overlaps are the terms that pay for one SKU of one purchase twice on some day. The
// later line of each pair is named.
func overlaps(all []terms.Term) []problem {
	var out []problem
	for i, t := range all {
		for _, u := range all[:i] {
			same := t.PurchaseID != "" && t.PurchaseID == u.PurchaseID && strings.EqualFold(t.SKU, u.SKU) && strings.EqualFold(t.Tenant, u.Tenant)
			if same && (u.Ending.IsZero() || t.Effective.Before(u.Ending)) && (t.Ending.IsZero() || u.Effective.Before(t.Ending)) {
				out = append(out, problem{t.Tenant, "overlap", t.Line, t.SKU, fmt.Sprintf("purchase %s has the SKU on line %d too, for some of the same days", t.PurchaseID, u.Line)})
				break
			}
		}
	}
	return out
}
