package sql

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed dbt_project.yml all:models all:seeds all:tests all:analyses
var files embed.FS

// Project is the dbt project as files: dbt_project.yml, models, seeds, tests.
func Project() fs.FS { return files }

// Nodes are the project's sources, seeds and models: sources first, then in the
// order they are built.
func Nodes() ([]Node, error) {
	p, err := load(files, nil)
	if err != nil {
		return nil, err
	}
	out := slices.Clone(p.sources)
	for _, n := range p.order {
		out = append(out, *n)
	}
	return out, nil
}

// Kind is what a node of the project is.
type Kind string

// The kinds of nodes.
const (
	KindSource Kind = "source" // a stored table
	KindSeed   Kind = "seed"   // a rule table
	KindModel  Kind = "model"  // a SELECT over other nodes
	KindTest   Kind = "test"   // a SELECT whose rows are faults
)

// Node is a relation of the project.
type Node struct {
	Name         string
	Kind         Kind
	Layer        string // folder of a model: staging, intermediate, marts
	File         string // path within the project
	Materialized string // view, table, ephemeral, or seed
	Description  string
	Columns      []Column
	Key          []string // columns that identify a row of a mart, and order its file
	DependsOn    []string // seeds and models it reads
	Sources      []string // stored tables it reads
	SQL          string   // rendered

	csv []byte // content of a seed
}

// Column is a documented column.
type Column struct {
	Name        string
	Type        string // declared type of a seed's column
	Description string
	Rows        []Part // of a mart's column that is a sum of rows
}

// project is the parsed dbt project.
type project struct {
	hooks   []string
	sources []Node
	nodes   map[string]*Node
	order   []*Node // seeds, then models after all they read
	tests   []check
}

// load parses a project and renders its models with the declared variables, some
// of them replaced by vars.
func load(fsys fs.FS, vars map[string]string) (*project, error) {
	var settings struct {
		OnRunStart []string       `yaml:"on-run-start"`
		Vars       map[string]any `yaml:"vars"`
		Models     map[string]map[string]struct {
			Materialized string `yaml:"+materialized"`
		} `yaml:"models"`
	}
	text, err := fs.ReadFile(fsys, "dbt_project.yml")
	if err != nil {
		return nil, fmt.Errorf("read project: %w", err)
	}
	if err := yaml.Unmarshal(text, &settings); err != nil {
		return nil, fmt.Errorf("dbt_project.yml: %w", err)
	}
	all := map[string]any{}
	maps.Copy(all, settings.Vars)
	for name, value := range vars {
		if _, ok := all[name]; !ok {
			return nil, fmt.Errorf("variable %q is not declared; dbt_project.yml declares %s", name, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
		}
		all[name] = value
	}

	p := &project{nodes: map[string]*Node{}}
	properties, err := p.readProperties(fsys)
	if err != nil {
		return nil, err
	}
	materialized := map[string]string{}
	for _, layers := range settings.Models {
		for layer, l := range layers {
			materialized[layer] = l.Materialized
		}
	}
	if err := p.findNodes(fsys, materialized); err != nil {
		return nil, err
	}
	s := p.scope(all)
	for i, hook := range settings.OnRunStart {
		r, err := render(fmt.Sprintf("dbt_project.yml (on-run-start %d)", i+1), hook, s)
		if err != nil {
			return nil, err
		}
		if strings.TrimSpace(r.text) != "" {
			p.hooks = append(p.hooks, r.text)
		}
	}
	if err := p.renderModels(fsys, s); err != nil {
		return nil, err
	}
	if err := p.describe(properties); err != nil {
		return nil, err
	}
	if err := p.checkParts(); err != nil {
		return nil, err
	}
	if err := p.sort(); err != nil {
		return nil, err
	}
	return p, p.collectTests(fsys, properties, s)
}

// scope names relations as the runner builds them: stored tables in the schema
// lake, all else in main, so that no name of a WITH clause can hide them.
func (p *project) scope(vars map[string]any) scope {
	return scope{
		ref: func(name string) (string, error) {
			n, ok := p.nodes[name]
			if !ok {
				return "", fmt.Errorf("ref(%q): no such seed or model", name)
			}
			if n.Materialized == "ephemeral" {
				return "(" + n.SQL + ")", nil
			}
			return "main." + quote(name), nil
		},
		source: func(source, table string) (string, error) {
			i := slices.IndexFunc(p.sources, func(n Node) bool { return n.Name == table })
			if source != "lake" || i < 0 {
				return "", fmt.Errorf("source(%q, %q): no such source", source, table)
			}
			return "lake." + quote(table), nil
		},
		vars: vars,
	}
}

// findNodes finds seeds and models by their files.
func (p *project) findNodes(fsys fs.FS, materialized map[string]string) error {
	return fs.WalkDir(fsys, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n := &Node{Name: strings.TrimSuffix(path.Base(file), path.Ext(file)), File: file}
		parts := strings.Split(file, "/")
		switch {
		case parts[0] == "seeds" && path.Ext(file) == ".csv":
			n.Kind, n.Materialized = KindSeed, "seed"
			if n.csv, err = fs.ReadFile(fsys, file); err != nil {
				return fmt.Errorf("read seed: %w", err)
			}
		case parts[0] == "models" && path.Ext(file) == ".sql":
			n.Kind = KindModel
			if len(parts) > 2 {
				n.Layer = parts[1]
			}
			n.Materialized = materialized[n.Layer]
			if n.Materialized == "" {
				n.Materialized = "view"
			}
		default:
			return nil
		}
		if other, ok := p.nodes[n.Name]; ok {
			return fmt.Errorf("%s and %s have the same name", other.File, file)
		}
		p.nodes[n.Name] = n
		return nil
	})
}

// renderModels renders every model. A model that refers to an ephemeral one holds
// its text, so ephemeral models are rendered first and may only read others
// that are not.
func (p *project) renderModels(fsys fs.FS, s scope) error {
	models := p.byName(KindModel)
	texts := map[string]string{}
	for _, n := range models {
		text, err := fs.ReadFile(fsys, n.File)
		if err != nil {
			return fmt.Errorf("read model: %w", err)
		}
		texts[n.Name] = string(text)
		// A first pass finds out how the model wants to be built.
		r, err := render(n.File, string(text), s)
		if err != nil {
			return err
		}
		if m, ok := r.config["materialized"]; ok {
			n.Materialized = m
		}
		switch n.Materialized {
		case "view", "table", "ephemeral":
		default:
			return fmt.Errorf("%s: materialized=%q is not supported; view, table and ephemeral are", n.File, n.Materialized)
		}
	}
	slices.SortStableFunc(models, func(a, b *Node) int {
		return strings.Compare(ephemeralFirst(a), ephemeralFirst(b))
	})
	for _, n := range models {
		r, err := render(n.File, texts[n.Name], s)
		if err != nil {
			return err
		}
		n.SQL, n.DependsOn, n.Sources = strings.TrimSpace(r.text), r.refs, r.sources
		if n.Materialized != "ephemeral" {
			continue
		}
		for _, ref := range r.refs {
			if p.nodes[ref].Materialized == "ephemeral" {
				return fmt.Errorf("%s: an ephemeral model that reads the ephemeral model %s is not supported; make one a view", n.File, ref)
			}
		}
	}
	return nil
}

func ephemeralFirst(n *Node) string {
	if n.Materialized == "ephemeral" {
		return "0" + n.Name
	}
	return "1" + n.Name
}

// sort puts seeds first and every model after all it reads. A cycle is an error
// that names its models.
func (p *project) sort() error {
	p.order = p.byName(KindSeed)
	done := map[string]bool{}
	var path []string
	var visit func(n *Node) error
	visit = func(n *Node) error {
		if n.Kind == KindSeed || done[n.Name] {
			return nil
		}
		if i := slices.Index(path, n.Name); i >= 0 {
			return fmt.Errorf("models form a cycle: %s", strings.Join(append(path[i:], n.Name), " -> "))
		}
		path = append(path, n.Name)
		for _, ref := range n.DependsOn {
			if err := visit(p.nodes[ref]); err != nil {
				return err
			}
		}
		path = path[:len(path)-1]
		done[n.Name] = true
		p.order = append(p.order, n)
		return nil
	}
	for _, n := range p.byName(KindModel) {
		if err := visit(n); err != nil {
			return err
		}
	}
	return nil
}

// byName are the nodes of a kind, sorted by name.
func (p *project) byName(kind Kind) []*Node {
	var out []*Node
	for _, name := range slices.Sorted(maps.Keys(p.nodes)) {
		if n := p.nodes[name]; n.Kind == kind {
			out = append(out, n)
		}
	}
	return out
}

// marts are the models that people rely on, sorted by name.
func (p *project) marts() []*Node {
	return slices.DeleteFunc(p.byName(KindModel), func(n *Node) bool { return n.Layer != "marts" })
}

// properties is what a YAML file of the project may say.
type properties struct {
	Version int        `yaml:"version"`
	Models  []relation `yaml:"models"`
	Seeds   []relation `yaml:"seeds"`
	Sources []struct {
		Name        string     `yaml:"name"`
		Description string     `yaml:"description"`
		Tables      []relation `yaml:"tables"`
	} `yaml:"sources"`

	file string
}

// relation describes one relation.
type relation struct {
	Name        string `yaml:"name"`
	Description string `yaml:"description"`
	Config      struct {
		Meta struct {
			Key []string `yaml:"key"`
		} `yaml:"meta"`
		ColumnTypes map[string]string `yaml:"column_types"`
	} `yaml:"config"`
	Columns []struct {
		Name        string      `yaml:"name"`
		Description string      `yaml:"description"`
		DataTests   []yaml.Node `yaml:"data_tests"`
		Config      struct {
			Meta struct {
				Rows []Part `yaml:"rows"`
			} `yaml:"meta"`
		} `yaml:"config"`
	} `yaml:"columns"`
	DataTests []yaml.Node `yaml:"data_tests"`
}

// readProperties reads the YAML files beside models and seeds, and the sources
// they declare.
func (p *project) readProperties(fsys fs.FS) ([]properties, error) {
	var all []properties
	err := fs.WalkDir(fsys, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(file) != ".yml" || file == "dbt_project.yml" {
			return err
		}
		text, err := fs.ReadFile(fsys, file)
		if err != nil {
			return fmt.Errorf("read properties: %w", err)
		}
		decoder := yaml.NewDecoder(bytes.NewReader(text))
		decoder.KnownFields(true)
		props := properties{file: file}
		if err := decoder.Decode(&props); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, props)
		for _, source := range props.Sources {
			if source.Name != "lake" {
				return fmt.Errorf("%s: source %q: the lake is the only source", file, source.Name)
			}
			for _, t := range source.Tables {
				p.sources = append(p.sources, Node{
					Name: t.Name, Kind: KindSource, File: file, Description: strings.TrimSpace(t.Description), Columns: t.columns(),
				})
			}
		}
		return nil
	})
	return all, err
}

// columns are the documented columns.
func (t *relation) columns() []Column {
	out := make([]Column, len(t.Columns))
	for i, c := range t.Columns {
		out[i] = Column{Name: c.Name, Type: t.Config.ColumnTypes[c.Name], Description: strings.TrimSpace(c.Description), Rows: c.Config.Meta.Rows}
	}
	return out
}

// describe gives nodes their descriptions. A description of nothing is an error:
// its model was renamed or is gone.
func (p *project) describe(all []properties) error {
	var faults []error
	for _, props := range all {
		for _, t := range slices.Concat(props.Models, props.Seeds) {
			n, ok := p.nodes[t.Name]
			if !ok {
				faults = append(faults, fmt.Errorf("%s: %s is described, but there is no such seed or model", props.file, t.Name))
				continue
			}
			n.Description, n.Columns, n.Key = strings.TrimSpace(t.Description), t.columns(), t.Config.Meta.Key
		}
	}
	return errors.Join(faults...)
}

// quote is a name as an SQL identifier.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// literal is text as an SQL string.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
