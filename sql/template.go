package sql

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nikolalohinski/gonja/v2/builtins"
	controlStructures "github.com/nikolalohinski/gonja/v2/builtins/control_structures"
	"github.com/nikolalohinski/gonja/v2/config"
	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/loaders"
	"github.com/nikolalohinski/gonja/v2/nodes"
	"github.com/nikolalohinski/gonja/v2/parser"
	"github.com/nikolalohinski/gonja/v2/tokens"
)

// rendered is a template's text and what it asked for on the way.
type rendered struct {
	text    string
	refs    []string          // names given to ref, in order, each once
	sources []string          // tables given to source, in order, each once
	config  map[string]string // arguments of config
}

// scope is what a template may name.
type scope struct {
	ref    func(name string) (string, error)          // SQL name of a seed or model
	source func(source, table string) (string, error) // SQL name of a stored table
	vars   map[string]any
}

// render fills in a template. The words ref, source, config, var and if are all
// it may use; anything else is an error that names file and line.
func render(file, text string, s scope) (*rendered, error) {
	cfg := config.New()
	cfg.StrictUndefined = true
	cfg.KeepTrailingNewline = true
	onlyIf := exec.NewControlStructureSet(map[string]parser.ControlStructureParser{})
	if p, ok := builtins.ControlStructures.Get("if"); ok {
		if err := onlyIf.Register("if", p); err != nil {
			return nil, err
		}
	}
	loader, err := loaders.NewMemoryLoader(map[string]string{"/" + file: text})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	tree, err := parser.NewParser("/"+file, tokens.LexAll(text, cfg), cfg, loader, onlyIf).Parse()
	if err != nil {
		return nil, placed(file, err)
	}
	if err := checkNodes(file, tree.Nodes); err != nil {
		return nil, err
	}

	out := &rendered{config: map[string]string{}}
	template, err := exec.NewTemplate("/"+file, cfg, loader, &exec.Environment{
		Context:           exec.NewContext(out.words(s)),
		Filters:           exec.NewFilterSet(map[string]exec.FilterFunction{}),
		Tests:             exec.NewTestSet(map[string]exec.TestFunction{}),
		ControlStructures: onlyIf,
		Methods:           builtins.Methods,
	})
	if err != nil {
		return nil, placed(file, err)
	}
	if out.text, err = template.ExecuteToString(exec.EmptyContext()); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return out, nil
}

// placed puts the file and line of a syntax error first.
func placed(file string, err error) error {
	var syntax *parser.SyntaxError
	if errors.As(err, &syntax) && syntax.Line > 0 {
		return fmt.Errorf("%s:%d: %s near %q; models may use ref, source, config, var and if", file, syntax.Line, syntax.Message, syntax.Raw)
	}
	return fmt.Errorf("%s: %w", file, err)
}

// words are the functions of a template; they note what they are asked for.
func (r *rendered) words(s scope) map[string]any {
	return map[string]any{
		"ref": func(va *exec.VarArgs) (string, error) {
			args, err := texts("ref", va, 1, 1)
			if err != nil {
				return "", err
			}
			if !slices.Contains(r.refs, args[0]) {
				r.refs = append(r.refs, args[0])
			}
			return s.ref(args[0])
		},
		"source": func(va *exec.VarArgs) (string, error) {
			args, err := texts("source", va, 2, 2)
			if err != nil {
				return "", err
			}
			if !slices.Contains(r.sources, args[1]) {
				r.sources = append(r.sources, args[1])
			}
			return s.source(args[0], args[1])
		},
		"config": func(va *exec.VarArgs) (string, error) {
			if len(va.Args) > 0 {
				return "", errors.New("config takes named arguments only")
			}
			for name, value := range va.KwArgs {
				if name != "materialized" && name != "severity" {
					return "", fmt.Errorf("config(%s) is not supported; materialized and severity are", name)
				}
				r.config[name] = value.String()
			}
			return "", nil
		},
		"var": func(va *exec.VarArgs) (any, error) {
			args, err := texts("var", va, 1, 2)
			if err != nil {
				return nil, err
			}
			if v, ok := s.vars[args[0]]; ok {
				return v, nil
			}
			if len(args) == 2 {
				return args[1], nil
			}
			return nil, fmt.Errorf("var %q is not set; dbt_project.yml declares %s", args[0], strings.Join(slices.Sorted(maps.Keys(s.vars)), ", "))
		},
	}
}

// texts are a function's positional arguments as text.
func texts(name string, va *exec.VarArgs, least, most int) ([]string, error) {
	if n := len(va.Args); n < least || n > most || len(va.KwArgs) > 0 {
		return nil, fmt.Errorf("%s takes %d to %d plain arguments, got %d", name, least, most, n+len(va.KwArgs))
	}
	out := make([]string, len(va.Args))
	for i, a := range va.Args {
		out[i] = a.String()
	}
	return out, nil
}

// checkNodes refuses everything but text, comments, if, and expressions of the
// four functions.
func checkNodes(file string, ns []nodes.Node) error {
	for _, n := range ns {
		if err := checkNode(file, n); err != nil {
			return err
		}
	}
	return nil
}

func checkNode(file string, n nodes.Node) error {
	switch n := n.(type) {
	case nil, *nodes.Data, *nodes.Comment, *nodes.String, *nodes.Integer, *nodes.Float, *nodes.Bool, *nodes.None:
		return nil
	case *nodes.Output:
		for _, e := range []nodes.Expression{n.Expression, n.Condition, n.Alternative} {
			if e == nil {
				continue
			}
			if err := checkNode(file, e); err != nil {
				return err
			}
		}
		return nil
	case *nodes.ControlStructureBlock:
		branch, ok := n.ControlStructure.(*controlStructures.IfControlStructure)
		if !ok {
			return refuse(file, n, "this block")
		}
		for _, c := range branch.Conditions {
			if err := checkNode(file, c); err != nil {
				return err
			}
		}
		for _, w := range branch.Wrappers {
			if err := checkNodes(file, w.Nodes); err != nil {
				return err
			}
		}
		return nil
	case *nodes.FilteredExpression:
		if len(n.Filters) > 0 {
			return refuse(file, n, "the filter "+n.Filters[0].Name)
		}
		return checkNode(file, n.Expression)
	case *nodes.BinaryExpression:
		if err := checkNode(file, n.Left); err != nil {
			return err
		}
		return checkNode(file, n.Right)
	case *nodes.Negation:
		return checkNode(file, n.Term)
	case *nodes.Call:
		name, ok := n.Func.(*nodes.Name)
		if !ok || !slices.Contains([]string{"ref", "source", "config", "var"}, name.Name.Val) {
			return refuse(file, n.Func, fmt.Sprintf("the call of %v", n.Func))
		}
		for _, a := range n.Args {
			if err := checkNode(file, a); err != nil {
				return err
			}
		}
		for _, a := range n.Kwargs {
			if err := checkNode(file, a); err != nil {
				return err
			}
		}
		return nil
	case *nodes.Name:
		return refuse(file, n, "the name "+n.Name.Val)
	default:
		return refuse(file, n, fmt.Sprintf("%v", n))
	}
}

func refuse(file string, n nodes.Node, what string) error {
	return fmt.Errorf("%s:%d: %s is not supported; models may use ref, source, config, var and if", file, n.Position().Line, what)
}
