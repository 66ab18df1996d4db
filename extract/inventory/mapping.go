package inventory

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed layouts
var layouts embed.FS

// Layouts are the names of the mappings in the program.
func Layouts() []string { return []string{"sccm", "intune", "jamf", "lansweeper", "glpi", "csv"} }

// Layout is the text of a mapping in the program.
func Layout(name string) ([]byte, bool) {
	if !slices.Contains(Layouts(), name) {
		return nil, false
	}
	text, err := layouts.ReadFile("layouts/" + name + ".yaml")
	return text, err == nil
}

// field is what a column can be.
type field int

// The fields, in the order in which reports name them.
const (
	deviceID field = iota
	deviceName
	serialNumber
	deviceModel
	osName
	lastSeenDate
	userName
	userMail
	userDomain
	userObjectID
	employeeID
	productName
	publisher
	version
	edition
	productFamily
	installKind
	installDate
	lastUsedDate
	fieldCount
)

func fieldNames() []string {
	return []string{
		"device_id", "device_name", "serial_number", "device_model", "os", "last_seen_date",
		"user_name", "user_mail", "user_domain", "user_object_id", "employee_id",
		"product_name", "publisher", "version", "edition", "product_family", "install_kind", "install_date", "last_used_date",
	}
}

func (f field) String() string { return fieldNames()[f] }

// users are the fields any of which names a user.
func users() []field { return []field{userName, userMail, userObjectID, employeeID} }

// Mapping is a checked mapping.
type Mapping struct {
	Name  string
	About string

	encoding  string
	delimiter rune // 0 finds it
	sheet     string
	laxQuotes bool
	empty     map[string]bool // lower-case texts that stand for nothing
	columns   [fieldCount][]string
	constants [fieldCount]string
	required  []field
	ignore    []pattern
	dates     []dateFormat
	domains   map[string]string
	skip      []condition
	products  []productRule
	kinds     []kindRule
	platforms []platformRule

	fillers        []pattern // serial numbers that number nothing
	localDomains   map[string]bool
	systemAccounts map[string]bool
}

// document is a mapping as it is written.
type document struct {
	Name      string             `yaml:"name"`
	About     string             `yaml:"about"`
	Encoding  string             `yaml:"encoding"`
	Delimiter string             `yaml:"delimiter"`
	Sheet     string             `yaml:"sheet"`
	LaxQuotes bool               `yaml:"lax_quotes"`
	Empty     texts              `yaml:"empty"`
	Columns   map[string]texts   `yaml:"columns"`
	Constants map[string]string  `yaml:"constants"`
	Required  texts              `yaml:"required"`
	Ignore    texts              `yaml:"ignore"`
	Dates     texts              `yaml:"dates"`
	Domains   map[string]string  `yaml:"domains"`
	Skip      []map[string]texts `yaml:"skip"`
	Products  []productText      `yaml:"products"`
	Kinds     []kindText         `yaml:"install_kinds"`
	Shipped   *bool              `yaml:"shipped_rules"`
	Common    `yaml:",inline"`
}

// Common is what only the program's own rules say.
type Common struct {
	Platforms      []platformText `yaml:"platforms"`
	SerialFillers  texts          `yaml:"serial_fillers"`
	LocalDomains   texts          `yaml:"local_domains"`
	SystemAccounts texts          `yaml:"system_accounts"`
}

type productText struct {
	Rule    string           `yaml:"rule"`
	Family  string           `yaml:"family"`
	Edition string           `yaml:"edition"`
	Skip    bool             `yaml:"skip"`
	When    map[string]texts `yaml:"when"`
	Unless  map[string]texts `yaml:"unless"`
}

type kindText struct {
	Kind string           `yaml:"kind"`
	When map[string]texts `yaml:"when"`
}

type platformText struct {
	Platform string `yaml:"platform"`
	OS       texts  `yaml:"os"`
}

// texts is one text or a list of them.
type texts []string

// UnmarshalYAML takes a scalar for a list of one.
func (t *texts) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*t = texts{n.Value}
		return nil
	}
	var list []string
	if err := n.Decode(&list); err != nil {
		return err
	}
	*t = list
	return nil
}

// ParseMapping reads a mapping and checks it. file stands in faults, and, without
// its ending, for a name that the mapping leaves out. An error is an *Error.
func ParseMapping(file string, text []byte) (*Mapping, error) {
	common, err := layouts.ReadFile("layouts/common.yaml")
	if err != nil {
		return nil, err
	}
	shipped, err := decode("common.yaml", common)
	if err != nil {
		return nil, err
	}
	d, err := decode(file, text)
	if err != nil {
		return nil, err
	}
	p := &mapper{file: file, doc: d, text: text}
	m := p.mapping(shipped)
	if len(p.faults) > 0 {
		return nil, &Error{File: file, Faults: p.faults}
	}
	return m, nil
}

// unknownKey is how the YAML library says that a struct lacks a key.
var unknownKey = regexp.MustCompile(`^line (\d+): (?s)(.*)$`)

// decode reads the YAML of a mapping. Its errors are *Errors.
func decode(file string, text []byte) (*document, error) {
	d := &document{}
	in := yaml.NewDecoder(bytes.NewReader(text))
	in.KnownFields(true)
	err := in.Decode(d)
	switch {
	case err == nil:
		return d, nil
	case errors.Is(err, io.EOF):
		return nil, faulty(file, 0, "is empty; a mapping names at least columns: with device_name and product_name")
	}
	out := &Error{File: file}
	reasons := []string{strings.TrimPrefix(err.Error(), "yaml: ")}
	if many, ok := errors.AsType[*yaml.TypeError](err); ok {
		reasons = many.Errors
	}
	for _, reason := range reasons {
		fault := Fault{Text: reason}
		if at := unknownKey.FindStringSubmatch(reason); at != nil {
			line, _ := strconv.ParseInt(at[1], 10, 64) // digits, by the pattern
			fault = Fault{Line: line, Text: at[2]}
		}
		if key, _, ok := strings.Cut(strings.TrimPrefix(fault.Text, "field "), " not found in type "); ok {
			fault.Text = "key " + key + " is not known"
		}
		out.Faults = append(out.Faults, fault)
	}
	return nil, out
}

// mapper checks a document and collects its faults.
type mapper struct {
	file   string
	doc    *document
	text   []byte
	faults []Fault
}

func (p *mapper) fault(format string, args ...any) {
	p.faults = append(p.faults, Fault{Text: fmt.Sprintf(format, args...)})
}

func (p *mapper) mapping(shipped *document) *Mapping {
	d := p.doc
	m := &Mapping{
		Name: d.Name, About: d.About, encoding: strings.ToLower(d.Encoding), sheet: d.Sheet, laxQuotes: d.LaxQuotes,
		empty: set(d.Empty), ignore: patterns(d.Ignore), domains: map[string]string{},
		fillers: patterns(shipped.SerialFillers), localDomains: set(shipped.LocalDomains), systemAccounts: set(shipped.SystemAccounts),
	}
	if m.Name == "" {
		m.Name = strings.TrimSuffix(path.Base(p.file), path.Ext(p.file))
	}
	m.empty[""] = true
	if _, err := decoderOf(m.encoding); err != nil {
		p.fault("encoding: %v", err)
	}
	m.delimiter = p.delimiter(d.Delimiter)
	for _, name := range slices.Sorted(maps.Keys(d.Columns)) {
		if f, ok := p.field("columns", name); ok {
			m.columns[f] = d.Columns[name]
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Constants)) {
		if f, ok := p.field("constants", name); ok {
			m.constants[f] = d.Constants[name]
		}
	}
	for _, name := range d.Required {
		if f, ok := p.field("required", name); ok {
			m.required = append(m.required, f)
		}
	}
	for from, to := range d.Domains {
		m.domains[strings.ToLower(from)] = strings.ToLower(to)
	}
	m.dates = p.dates()
	p.rules(m, d, "")
	if d.Shipped == nil || *d.Shipped {
		p.rules(m, shipped, "common: ")
	}
	for _, t := range shipped.Platforms {
		m.platforms = append(m.platforms, platformRule{t.Platform, patterns(t.OS)})
	}
	p.complete(m)
	return m
}

// rules appends the rules of a document, which stand in order of precedence.
func (p *mapper) rules(m *Mapping, d *document, whose string) {
	for i, when := range d.Skip {
		m.skip = append(m.skip, p.condition(fmt.Sprintf("%sskip[%d]", whose, i), when, nil))
	}
	for i, t := range d.Products {
		at := fmt.Sprintf("%sproducts[%d]", whose, i)
		if t.Rule == "" {
			p.fault("%s: rule is missing: a name, by which every installation says why it is one", at)
		}
		if (t.Family == "") != t.Skip {
			p.fault("%s: a rule either names a family or says skip: true", at)
		}
		if len(t.When) == 0 {
			p.fault("%s: when is missing, so that the rule would take every row; product_name: \"*\" says so on purpose", at)
		}
		on := []field{productName, publisher, version, edition, osName, productFamily}
		m.products = append(m.products, productRule{
			name: t.Rule, family: t.Family, edition: t.Edition, skip: t.Skip,
			when: p.condition(at+".when", t.When, on), unless: p.condition(at+".unless", t.Unless, on),
		})
	}
	for i, t := range d.Kinds {
		at := fmt.Sprintf("%sinstall_kinds[%d]", whose, i)
		if !slices.Contains(kinds(), Kind(t.Kind)) {
			p.fault("%s: kind %q is not one of per_user, shared_computer, vdi and unattended", at, t.Kind)
		}
		if len(t.When) == 0 {
			p.fault("%s: when is missing", at)
		}
		m.kinds = append(m.kinds, kindRule{Kind(t.Kind), p.condition(at+".when", t.When, nil)})
	}
}

// complete checks that rows can be read at all.
func (p *mapper) complete(m *Mapping) {
	known := func(f field) bool { return len(m.columns[f]) > 0 || m.constants[f] != "" }
	if !known(productName) {
		p.fault("columns: product_name is missing: the column with the name of the software")
	}
	if !known(deviceID) && !known(deviceName) && !known(serialNumber) {
		p.fault("columns: device_name, device_id and serial_number are all missing; one of them has to tell devices apart")
	}
	if len(m.products) == 0 {
		p.fault("products is empty and shipped_rules is false, so that no software would be a product")
	}
	headers := map[string]field{}
	for f := range fieldCount {
		for _, header := range m.columns[f] {
			other, twice := headers[headerKey(header)]
			if twice && other != f {
				p.fault("columns: %q is both %s and %s; a column is one field", header, other, f)
			}
			headers[headerKey(header)] = f
		}
	}
}

func (p *mapper) field(where, name string) (field, bool) {
	i := slices.Index(fieldNames(), name)
	if i < 0 {
		p.fault("%s: %q is not a field; there are %s", where, name, strings.Join(fieldNames(), ", "))
		return 0, false
	}
	return field(i), true
}

// condition is some fields' patterns; all fields are allowed when on is nil.
func (p *mapper) condition(where string, when map[string]texts, on []field) condition {
	var c condition
	for _, name := range slices.Sorted(maps.Keys(when)) {
		f, ok := p.field(where, name)
		if !ok {
			continue
		}
		if on != nil && !slices.Contains(on, f) {
			p.fault("%s: a product is told by product_name, publisher, version, edition, product_family and os, not by %s", where, name)
		}
		if len(when[name]) == 0 {
			p.fault("%s.%s has no pattern", where, name)
		}
		c = append(c, test{f, patterns(when[name])})
	}
	return c
}

func (p *mapper) delimiter(text string) rune {
	named := map[string]rune{"": 0, "auto": 0, "comma": ',', "semicolon": ';', "tab": '\t', "pipe": '|', ",": ',', ";": ';', "\t": '\t', "|": '|'}
	r, ok := named[text]
	if !ok {
		p.fault("delimiter: %q is not one of auto, comma, semicolon, tab and pipe", text)
	}
	return r
}

func set(words []string) map[string]bool {
	out := map[string]bool{}
	for _, w := range words {
		out[strings.ToLower(strings.TrimSpace(w))] = true
	}
	return out
}
