package sql

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Severity says what the fault that a test finds means.
type Severity string

// The severities of a test.
const (
	Warn  Severity = "warn"  // people should know
	Error Severity = "error" // the numbers cannot be trusted: nothing may be published
)

// check is one test: a SELECT whose rows are faults.
type check struct {
	name     string
	file     string
	severity Severity
	sql      string
	sources  []string // stored tables it reads, if any
}

// refCall is the argument of a relationships test.
var refCall = regexp.MustCompile(`^ref\('([^']+)'\)$`)

// collectTests makes the tests of the property files and of tests/*.sql.
func (p *project) collectTests(fsys fs.FS, all []properties, s scope) error {
	for _, props := range all {
		for _, t := range slices.Concat(props.Models, props.Seeds) {
			for _, c := range t.Columns {
				for i := range c.DataTests {
					if err := p.addTest(props.file, t.Name, c.Name, &c.DataTests[i]); err != nil {
						return err
					}
				}
			}
			for i := range t.DataTests {
				if err := p.addTest(props.file, t.Name, "", &t.DataTests[i]); err != nil {
					return err
				}
			}
		}
	}
	singular, err := fs.Glob(fsys, "tests/*.sql")
	if err != nil {
		return err
	}
	for _, file := range singular {
		text, err := fs.ReadFile(fsys, file)
		if err != nil {
			return fmt.Errorf("read test: %w", err)
		}
		r, err := render(file, string(text), s)
		if err != nil {
			return err
		}
		severity, err := severityOf(r.config["severity"])
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		p.tests = append(p.tests, check{
			name: strings.TrimSuffix(path.Base(file), ".sql"), file: file, severity: severity, sql: strings.TrimSpace(r.text), sources: r.sources,
		})
	}
	return nil
}

// addTest makes one of dbt's four built-in tests.
func (p *project) addTest(file, model, column string, n *yaml.Node) error {
	kind := n.Value
	var body struct {
		Arguments struct {
			ColumnName string   `yaml:"column_name"`
			Values     []string `yaml:"values"`
			To         string   `yaml:"to"`
			Field      string   `yaml:"field"`
		} `yaml:"arguments"`
		Config struct {
			Severity string `yaml:"severity"`
			Where    string `yaml:"where"`
		} `yaml:"config"`
	}
	if n.Kind == yaml.MappingNode {
		if len(n.Content) != 2 {
			return fmt.Errorf("%s:%d: a test has one name", file, n.Line)
		}
		kind = n.Content[0].Value
		if err := n.Content[1].Decode(&body); err != nil {
			return fmt.Errorf("%s:%d: test %s: %w", file, n.Line, kind, err)
		}
	}
	severity, err := severityOf(body.Config.Severity)
	if err != nil {
		return fmt.Errorf("%s:%d: %w", file, n.Line, err)
	}
	args := body.Arguments
	if args.ColumnName != "" {
		column = args.ColumnName
	}
	if column == "" {
		return fmt.Errorf("%s:%d: test %s of %s has no column", file, n.Line, kind, model)
	}
	from := "main." + quote(model)
	if body.Config.Where != "" {
		from = fmt.Sprintf("(select * from %s where %s)", from, body.Config.Where)
	}

	name := model + "." + column + " is "
	var query string
	switch kind {
	case "unique":
		name += "unique"
		query = fmt.Sprintf("select %s as value, count(*) as occurrences from %s where %[1]s is not null group by 1 having count(*) > 1", column, from)
	case "not_null":
		name += "not null"
		query = fmt.Sprintf("select * from %s where %s is null", from, column)
	case "accepted_values":
		name += "an accepted value"
		values := make([]string, len(args.Values))
		for i, v := range args.Values {
			values[i] = literal(v)
		}
		query = fmt.Sprintf("select %s as value, count(*) as occurrences from %s where %[1]s not in (%[3]s) group by 1", column, from, strings.Join(values, ", "))
	case "relationships":
		ref := refCall.FindStringSubmatch(args.To)
		if ref == nil || p.nodes[ref[1]] == nil {
			return fmt.Errorf("%s:%d: relationships to %q: no such seed or model", file, n.Line, args.To)
		}
		name += "in " + ref[1] + "." + args.Field
		query = fmt.Sprintf("select c.* from %s as c where c.%s is not null and c.%[2]s not in (select %s from main.%s where %[3]s is not null)",
			from, column, args.Field, quote(ref[1]))
	default:
		return fmt.Errorf("%s:%d: test %q is not supported; unique, not_null, accepted_values and relationships are", file, n.Line, kind)
	}
	p.tests = append(p.tests, check{name: name, file: file, severity: severity, sql: query})
	return nil
}

func severityOf(text string) (Severity, error) {
	switch s := Severity(strings.ToLower(text)); s {
	case "":
		return Error, nil
	case Warn, Error:
		return s, nil
	default:
		return "", fmt.Errorf("severity %q is not supported; warn and error are", text)
	}
}
