package transform

import (
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"seatlake/pipeline"
	"seatlake/schemas"
)

// Rule says that a sign-in to an application, or for a resource, is use of a
// service.
type Rule struct {
	Name    string   // stored with each sign-in that it decides
	Match   string   // "app": ID is an app_id; "resource": ID is a resource_id
	ID      [16]byte // its bytes in text order
	Service string   // one of schemas.Services
}

// SignInServices adds service and service_rule to sign-ins. Rules for
// applications come before rules for resources; among their kind the first that
// matches decides. Both columns are null when none does.
func SignInServices(rules []Rule) pipeline.Transform {
	return func(in pipeline.Stream) (pipeline.Stream, error) {
		s, err := newSignIns(rules)
		if err != nil {
			return pipeline.Stream{}, fmt.Errorf("sign-in services: %w", err)
		}
		at, err := positions(in.Schema, schemas.GraphSignIns, "app_id", "resource_id")
		if err != nil {
			return pipeline.Stream{}, fmt.Errorf("sign-in services: %w", err)
		}
		schema, err := appending(in.Schema, schemas.GraphSignIns, "service", "service_rule")
		if err != nil {
			return pipeline.Stream{}, fmt.Errorf("sign-in services: %w", err)
		}
		return extend(in, schema, func(batch arrow.RecordBatch) ([]arrow.Array, error) {
			return s.columns(readUUIDs(batch.Column(at[0])), readUUIDs(batch.Column(at[1]))), nil
		}), nil
	}
}

// signIns holds rules by what they match, as positions in names.
type signIns struct {
	apps, resources map[[16]byte]int32
	names           []string // of rules
	services        values[string]
	service         []int32 // of each rule, in services
}

func newSignIns(rules []Rule) (*signIns, error) {
	s := &signIns{apps: map[[16]byte]int32{}, resources: map[[16]byte]int32{}}
	var faults []error
	for i, r := range rules {
		if r.Name == "" {
			faults = append(faults, fmt.Errorf("rule %d has no name", i+1))
		}
		if !slices.Contains(schemas.Services(), schemas.Service(r.Service)) {
			faults = append(faults, fmt.Errorf("rule %d (%s): %q is not one of the services %q", i+1, r.Name, r.Service, schemas.Services()))
		}
		var into map[[16]byte]int32
		switch r.Match {
		case "app":
			into = s.apps
		case "resource":
			into = s.resources
		default:
			faults = append(faults, fmt.Errorf("rule %d (%s): match is %q, want app or resource", i+1, r.Name, r.Match))
			continue
		}
		if _, ok := into[r.ID]; !ok {
			into[r.ID] = int32(i)
		}
		s.names = append(s.names, r.Name)
		s.service = append(s.service, s.services.index(r.Service))
	}
	return s, errors.Join(faults...)
}

func (s *signIns) columns(app, resource dictColumn[[16]byte]) []arrow.Array {
	// Rules are looked up once per distinct id of the batch.
	byApp, byResource := decide(s.apps, app.values), decide(s.resources, resource.values)
	rows := len(app.indices)
	service, rule := makeColumn[int32](rows), makeColumn[int32](rows)
	for row := range rows {
		decided := int32(-1)
		if i := app.at(row); i >= 0 {
			decided = byApp[i]
		}
		if i := resource.at(row); decided < 0 && i >= 0 {
			decided = byResource[i]
		}
		if decided < 0 {
			service.appendNull()
			rule.appendNull()
			continue
		}
		service.append(s.service[decided])
		rule.append(decided)
	}
	return []arrow.Array{dictionary(&service, texts(s.services.seen)), dictionary(&rule, texts(s.names))}
}

// decide is the rule for each id, -1 for none.
func decide(rules map[[16]byte]int32, ids [][16]byte) []int32 {
	out := make([]int32, len(ids))
	for i, id := range ids {
		out[i] = -1
		if rule, ok := rules[id]; ok {
			out[i] = rule
		}
	}
	return out
}
