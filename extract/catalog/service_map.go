package catalog

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"seatlake/schemas"
)

//go:embed service_map.csv
var serviceMap []byte

// ServiceMap says which services a service plan entitles, by the plan's name.
// Its rules are patterns of names in upper case, which may end in * for any
// further characters; the first that matches decides. A plan that none matches entitles
// none of the eleven services.
type ServiceMap struct {
	rules []rule
}

type rule struct {
	pattern  string
	services []schemas.Service
}

// Map is the service map that the program carries, service_map.csv.
func Map() (*ServiceMap, error) {
	m, err := ReadServiceMap(bytes.NewReader(serviceMap))
	if err != nil {
		return nil, fmt.Errorf("service map: %w", err)
	}
	return m, nil
}

// ReadServiceMap reads rules from a CSV file with the columns pattern, services
// (separated by semicolons, empty for none) and note.
func ReadServiceMap(in io.Reader) (*ServiceMap, error) {
	r := csv.NewReader(in)
	r.FieldsPerRecord = 3
	header, err := r.Read()
	if err != nil {
		return nil, err
	}
	if want := []string{"pattern", "services", "note"}; !slices.Equal(header, want) {
		return nil, fmt.Errorf("header is %q, want %q", header, want)
	}
	m := &ServiceMap{}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return m, nil
		}
		if err != nil {
			return nil, err
		}
		ru, err := parseRule(row)
		if err != nil {
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		m.rules = append(m.rules, ru)
	}
}

func parseRule(row []string) (rule, error) {
	r := rule{pattern: row[0]}
	if name := strings.TrimSuffix(r.pattern, "*"); name == "" || name != strings.ToUpper(name) || strings.ContainsAny(name, "*?") {
		return rule{}, fmt.Errorf("pattern %q must be a name in upper case, or the start of one and *", r.pattern)
	}
	if row[1] == "" {
		return r, nil
	}
	all := schemas.Services()
	for name := range strings.SplitSeq(row[1], ";") {
		s := schemas.Service(name)
		if !slices.Contains(all, s) {
			return rule{}, fmt.Errorf("%q is not one of the services %q", name, all)
		}
		r.services = append(r.services, s)
	}
	slices.SortFunc(r.services, func(a, b schemas.Service) int { return slices.Index(all, a) - slices.Index(all, b) })
	r.services = slices.Compact(r.services)
	return r, nil
}

// Services is the services that a plan of this name entitles, in the order of
// schemas.Services. Case and blanks around the name do not matter.
func (m *ServiceMap) Services(plan string) []schemas.Service {
	plan = strings.ToUpper(clean(plan))
	for i := range m.rules {
		if m.rules[i].matches(plan) {
			return slices.Clip(m.rules[i].services)
		}
	}
	return nil
}

// matches says that a name in upper case fits the pattern.
func (r *rule) matches(plan string) bool {
	if start, ok := strings.CutSuffix(r.pattern, "*"); ok {
		return strings.HasPrefix(plan, start)
	}
	return plan == r.pattern
}
