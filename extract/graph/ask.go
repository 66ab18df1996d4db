package graph

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"seatlake/pipeline"
	"seatlake/schemas"
)

// ask is how a source is asked for.
type ask struct {
	path string // behind the root, with its query
	csv  bool   // a usage report: a redirect to a CSV file

	// restarts bounds how often paging may start over. It is 0 for sources whose
	// rows are not made unique downstream.
	restarts int

	// window is what a source that is read by time is asked for.
	window pipeline.Window

	// permission is the application permission that Graph wants.
	permission string

	// optional is a source that not every tenant has: whatever Graph lacks of it is a
	// gap.
	optional bool

	// lesser is what to ask for instead when Graph denies this, and note says
	// what is then left out. May be nil.
	lesser *ask
	note   string

	// older is what to ask for instead when Graph does not know this request. May be
	// nil.
	older *ask

	// plain is what to ask for instead when Graph lists nothing else within this
	// source's rows. May be nil.
	plain *ask

	// properties are the properties of users that are asked for.
	properties []string
}

// signInActivity is the property of a user that takes a permission and a licence
// of its own.
const signInActivity = "signInActivity"

// manager is the one property of a user that stands in another object and is
// expanded, not selected.
const manager = "manager"

// withoutManagers says what is left out when nothing is expanded.
const withoutManagers = "this Graph does not list users with their managers; manager_id is null, and charge-back knows managers from an HR file alone"

// auditLog is the permission for everything that is about signing in.
const auditLog = "AuditLog.Read.All"

// Permission is the application permission that a source takes; empty for what is
// no source of Graph. Users take User.Read.All, and AuditLog.Read.All besides for
// their sign-in activity, without which they are read all the same.
func Permission(source string) string {
	a, err := newAsk(source, pipeline.Window{})
	if err != nil {
		return ""
	}
	return a.permission
}

// newAsk knows the request of every source.
func newAsk(source string, w pipeline.Window) (*ask, error) {
	switch source {
	case pipeline.Users:
		return askUsers(userProperties()), nil
	case pipeline.SubscribedSkus: // takes no query options
		return &ask{path: "/v1.0/subscribedSkus", permission: "LicenseAssignment.Read.All"}, nil
	case pipeline.SignIns:
		return &ask{
			path:     "/v1.0/auditLogs/signIns?" + filter(during(w)) + "$top=1000",
			restarts: 6, window: w, permission: auditLog,
		}, nil
	case pipeline.NonInteractiveSignIns: // which v1.0 has not, and which come alone
		return &ask{
			path:     "/beta/auditLogs/signIns?" + filter(append(during(w), "signInEventTypes/any(t: t eq 'nonInteractiveUser')")) + "$top=1000",
			restarts: 6, window: w, permission: auditLog, optional: true,
		}, nil
	case pipeline.ReportActiveUsers, pipeline.ReportEmail:
		return askReport(source, "(period='D180')"), nil
	case pipeline.ReportApps, pipeline.ReportMailboxes, pipeline.ReportOneDrives:
		return askReport(source, "(period='D30')"), nil
	case pipeline.ReportActivations:
		return askReport(source, ""), nil
	case pipeline.Subscriptions:
		return &ask{path: "/v1.0/directory/subscriptions", restarts: 2, permission: "Organization.Read.All", optional: true}, nil
	case pipeline.UserRegistrationDetails:
		return &ask{path: "/v1.0/reports/authenticationMethods/userRegistrationDetails", restarts: 2, permission: auditLog, optional: true}, nil
	case pipeline.ReportSettings:
		return &ask{path: "/v1.0/admin/reportSettings", permission: "ReportSettings.Read.All", optional: true}, nil
	case pipeline.ReportCopilot:
		return askCopilot(source), nil
	default:
		return nil, fmt.Errorf("%q is not a source of Graph", source)
	}
}

// askUsers asks for properties of users. A page holds at most 500 users when their
// sign-ins are selected, and 999 otherwise.
func askUsers(properties []string) *ask {
	a := &ask{restarts: 2, permission: "User.Read.All", properties: properties}
	selected := less(properties, manager)
	a.path = "/beta/users?$select=" + strings.Join(selected, ",")
	if a.plain = a.without(manager); a.plain != nil {
		a.path += "&$expand=manager($select=id)"
	}
	if a.lesser = a.without(signInActivity); a.lesser == nil {
		a.path += "&$top=999"
		return a
	}
	a.path += "&$top=500"
	a.note = "signInActivity is denied: AuditLog.Read.All or Entra ID P1/P2 is missing; sign-in columns are null"
	return a
}

// without is the same request less one property, or nil when that property is not
// asked for or rows cannot do without it.
func (a *ask) without(property string) *ask {
	if property == "id" || !slices.Contains(a.properties, property) {
		return nil
	}
	return askUsers(less(a.properties, property))
}

// less are the properties but one.
func less(properties []string, but string) []string {
	return slices.DeleteFunc(slices.Clone(properties), func(p string) bool { return p == but })
}

// instead is what to ask for when Graph refuses this request, and what is then left
// out, "" when nothing is. It is nil when there is nothing less to ask for.
//
// Microsoft names no one code for what cannot be expanded (ExpandNotSupported,
// Request_UnsupportedQuery and BadRequest are seen), so that every refusal of the
// request's form is taken for that: what is refused for another reason is refused
// again.
func (a *ask) instead(err error) (rest *ask, note string) {
	e, ok := refused(err)
	if !ok {
		return nil, ""
	}
	malformed := e.Status == http.StatusBadRequest && !pageTokenExpired(e)
	property := unknownProperty(err)
	switch {
	case property == manager && a.plain != nil:
		return a.plain, withoutManagers
	case property != "" && a.without(property) != nil:
		return a.without(property), "this Graph knows no property " + property + "; its column is null"
	case e.Status == http.StatusForbidden && a.lesser != nil:
		return a.lesser, a.note
	case (malformed && property == "" || e.Status == http.StatusNotImplemented) && a.plain != nil:
		return a.plain, withoutManagers
	case e.Status == http.StatusBadRequest && a.older != nil:
		return a.older, ""
	default:
		return nil, ""
	}
}

// forms are this request and those that stand for it, each with what it leaves out.
// The function returns false to end the walk; forms is false when it did.
func (a *ask) forms(notes []string, fn func(a *ask, notes []string) bool) bool {
	with := func(note string) []string { return append(slices.Clone(notes), note) }
	return fn(a, notes) &&
		(a.lesser == nil || a.lesser.forms(with(a.note), fn)) &&
		(a.plain == nil || a.plain.forms(with(withoutManagers), fn)) &&
		(a.older == nil || a.older.forms(notes, fn))
}

// userProperties are the properties of a user that the table stores, in the
// table's order.
func userProperties() []string {
	var properties []string
	seen := map[string]bool{}
	for _, f := range schemas.GraphUsers.Decoded() {
		property, _, _ := strings.Cut(f.From, ".")
		if !seen[property] {
			seen[property] = true
			properties = append(properties, property)
		}
	}
	return properties
}

// halves are the window's two halves, the newer first as Graph lists sign-ins, or nil
// when it is not bounded or as short as is worth asking for.
func (a *ask) halves() []pipeline.Window {
	w := a.window
	span := w.To.Sub(w.From)
	if w.From.IsZero() || w.To.IsZero() || span < 2*time.Hour {
		return nil
	}
	middle := w.From.Add(span / 2).Truncate(time.Second)
	return []pipeline.Window{{From: middle, To: w.To}, {From: w.From, To: middle}}
}

// during is the window as Graph knows it. Graph has ge and le and no lt, and its own
// links speak of whole seconds: the window is widened to whole seconds and holds both
// its ends. What lies outside, or comes twice where windows meet, is dropped
// downstream.
func during(w pipeline.Window) (terms []string) {
	if !w.From.IsZero() {
		terms = append(terms, "createdDateTime ge "+second(w.From))
	}
	if !w.To.IsZero() {
		terms = append(terms, "createdDateTime le "+second(w.To.Add(time.Second-time.Nanosecond)))
	}
	return terms
}

// filter is the query option that asks for rows of which all terms are true, with what
// joins it to the next option; "" for no terms.
func filter(terms []string) string {
	if len(terms) == 0 {
		return ""
	}
	// Not every OData parser takes a plus for a space.
	return "$filter=" + strings.ReplaceAll(url.QueryEscape(strings.Join(terms, " and ")), "+", "%20") + "&"
}

func second(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

func askReport(function, parameters string) *ask {
	return &ask{path: "/v1.0/reports/" + function + parameters, csv: true, permission: "Reports.Read.All"}
}

// askCopilot asks for the report that stands apart from the others: it comes in the
// answer itself, as CSV or as JSON. Its second version knows D28 where the first, and
// the other reports, know D30.
func askCopilot(function string) *ask {
	of := func(parameters string) *ask {
		return &ask{path: "/v1.0/copilot/reports/" + function + parameters, csv: true, permission: "Reports.Read.All", optional: true}
	}
	a := of("(period='D28',version='v2')")
	a.older = of("(period='D30')")
	return a
}
