package main

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"seatlake/load/reclaim"
)

// protected says of a row and its user at this moment whether the configuration
// protects the licence, and how: the list may have grown since the marts were built of
// which the plan was made. Of a SKU's class the marts know.
func (c *counter) protected(ctx context.Context) (func(*reclaim.Row, *reclaim.User) string, error) {
	p := &c.cfg.Reclaim.Protect
	users, skus := nameForm(p.Users), nameForm(p.SKUs)
	classes := map[string]string{} // by SKU
	if slices.ContainsFunc(p.SKUs, func(s string) bool { return strings.HasPrefix(strings.ToLower(s), "class:") }) {
		var err error
		if classes, err = c.classes(ctx); err != nil {
			return nil, err
		}
	}
	return func(r *reclaim.Row, u *reclaim.User) string {
		switch {
		case matches(users, u.ID, u.UserPrincipalName, r.UserPrincipalName):
			return "the user is protected (reclaim.protect.users)"
		case matches(skus, r.SKU, r.PartNumber, "class:"+classes[r.SKU]):
			return "the SKU is protected (reclaim.protect.skus)"
		}
		for _, a := range u.Assignments {
			if a.SKU == r.SKU && slices.Contains(p.Groups, a.Group) {
				return "group " + a.Group + ", which assigns it, is protected (reclaim.protect.groups)"
			}
		}
		return ""
	}, nil
}

// classes are the licence classes of the tenant's SKUs, by the published marts.
func (c *counter) classes(ctx context.Context) (map[string]string, error) {
	o, err := openReading(ctx, c.cfg, c.lake)
	if err != nil {
		return nil, err
	}
	rows, err := o.values(ctx, "select distinct sku_id, license_class from reclaim_candidates where tenant_id = '"+c.tenantID+"'")
	if err != nil {
		return nil, err
	}
	classes := map[string]string{}
	for _, row := range rows {
		classes[cell(row[0])] = cell(row[1])
	}
	return classes, nil
}

// nameForm is the form of names that patterns match, in which * stands for any text;
// nil when there are none.
func nameForm(patterns []string) *regexp.Regexp {
	if len(patterns) == 0 {
		return nil
	}
	var any []string
	for _, p := range patterns {
		p = regexp.QuoteMeta(strings.ToLower(strings.TrimSpace(p)))
		any = append(any, strings.ReplaceAll(p, `\*`, `.*`))
	}
	return regexp.MustCompile(`(?s)^(?:` + strings.Join(any, "|") + `)$`) // of quoted text
}

// matches says that a form matches one of some names, in any case.
func matches(form *regexp.Regexp, names ...string) bool {
	return form != nil && slices.ContainsFunc(names, func(n string) bool { return form.MatchString(strings.ToLower(n)) })
}
