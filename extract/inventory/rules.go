package inventory

import "strings"

// record is the fields of one row, trimmed; empty texts are unknown.
type record [fieldCount]string

// condition holds of a row when each of its tests does.
type condition []test

type test struct {
	field    field
	patterns []pattern
}

func (c condition) holds(r *record) bool {
	for _, t := range c {
		if !anyMatches(t.patterns, r[t.field]) {
			return false
		}
	}
	return true
}

// productRule says which software is a product, or none (skip).
type productRule struct {
	name, family, edition string
	skip                  bool
	when, unless          condition
}

func (p *productRule) fits(r *record) bool {
	return p.when.holds(r) && (len(p.unless) == 0 || !p.unless.holds(r))
}

// kindRule says how a product is installed.
type kindRule struct {
	kind Kind
	when condition
}

// platformRule says what an operating system is.
type platformRule struct {
	platform string
	os       []pattern
}

// product is the first rule that fits a row; nil when none does.
func (m *Mapping) product(r *record) *productRule {
	for i := range m.products {
		if m.products[i].fits(r) {
			return &m.products[i]
		}
	}
	return nil
}

// kind is how the row's product is installed. A kind that the row itself names
// goes before rules.
func (m *Mapping) kind(r *record) Kind {
	for _, k := range kinds() {
		if strings.EqualFold(r[installKind], string(k)) {
			return k
		}
	}
	for _, rule := range m.kinds {
		if rule.when.holds(r) {
			return rule.kind
		}
	}
	return PerUser
}

func (m *Mapping) platform(os string) string {
	for _, rule := range m.platforms {
		if anyMatches(rule.os, os) {
			return rule.platform
		}
	}
	return "unknown"
}

// user is what a row says of the user. device is the name of the row's device,
// whose own accounts are nobody's in the directory.
func (m *Mapping) user(r *record, device string) User {
	u := User{
		Name: r[userName], ObjectID: strings.ToLower(strings.Trim(r[userObjectID], "{}")), Mail: strings.ToLower(r[userMail]),
		EmployeeID: strings.ToLower(r[employeeID]),
	}
	name, domain := r[userName], r[userDomain]
	if before, after, ok := strings.Cut(name, `\`); ok {
		domain, name = before, after
	} else if at := strings.LastIndexByte(name, '@'); at > 0 {
		if strings.Contains(name[at:], ".") {
			u.Address = strings.ToLower(name)
			return u
		}
		name, domain = name[:at], name[at+1:] // jane@CORP
	}
	name, domain = strings.ToLower(strings.TrimSpace(name)), strings.ToLower(strings.TrimSpace(domain))
	if name == "" || m.systemAccounts[name] || strings.HasSuffix(name, "$") {
		return u
	}
	host, _, _ := strings.Cut(strings.ToLower(device), ".")
	if domain != "" && (m.localDomains[domain] || domain == host) {
		return u
	}
	if dns := m.domains[domain]; dns != "" {
		domain = dns
	}
	u.Account, u.Domain = name, domain
	return u
}

// pattern is a text in lower case, cut at its stars.
type pattern []string

func patterns(all []string) []pattern {
	out := make([]pattern, len(all))
	for i, text := range all {
		out[i] = strings.Split(strings.ToLower(text), "*")
	}
	return out
}

func anyMatches(all []pattern, text string) bool {
	text = strings.ToLower(text)
	for _, p := range all {
		if p.matches(text) {
			return true
		}
	}
	return false
}

// matches takes a text in lower case. A star stands for any text, also none.
func (p pattern) matches(text string) bool {
	first, last := p[0], p[len(p)-1]
	if len(p) == 1 {
		return text == first
	}
	if !strings.HasPrefix(text, first) || !strings.HasSuffix(text[len(first):], last) {
		return false
	}
	text = text[len(first) : len(text)-len(last)]
	for _, part := range p[1 : len(p)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return true
}
