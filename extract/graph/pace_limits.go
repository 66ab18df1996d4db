package graph

import (
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Family is what a limit counts.
type Family string

// The families of requests that Graph publishes limits for, as far as this client
// sends them. One request may belong to several.
const (
	Everything     Family = "requests"
	Directory      Family = "directory resource units" // each request costs some
	SignInActivity Family = "requests with signInActivity"
	AuditLog       Family = "audit log requests"
	Writes         Family = "writes"
	Report         Family = "requests of a report function" // each function for itself
)

// Scope is whose requests a limit counts together.
type Scope int

// The scopes, the narrowest first.
const (
	PerAppAndTenant Scope = iota // of one application in one tenant
	PerTenant                    // of all applications in one tenant
	PerApp                       // of one application in all tenants
)

// Limit is how much of a family Graph lets through in any span of time.
type Limit struct {
	Of    Family
	Scope Scope
	Units int           // requests, or resource units
	Per   time.Duration // the length of the span

	// Doubtful limits are published, but would slow a run down far below what has
	// been seen to go through. They are kept from the first 429 that they explain.
	Doubtful bool
}

func (l Limit) String() string { return fmt.Sprintf("%d %s in %s", l.Units, l.Of, l.Per) }

// published is https://learn.microsoft.com/graph/throttling-limits, and for reports the
// notes on the pages of their functions, which count CSV downloads. Limits of services
// that are not asked are left out.
var published = []Limit{
	// Identity and access. The quota is that of tenants below 50 users; up to 500 it
	// is 5,000, above 8,000. How large a tenant is shows only when it has been read,
	// and one tenant's run stays far below the least of them.
	{Of: Directory, Scope: PerAppAndTenant, Units: 3_500, Per: 10 * time.Second},
	{Of: Directory, Scope: PerApp, Units: 150_000, Per: 20 * time.Second},

	{Of: Writes, Scope: PerAppAndTenant, Units: 3_000, Per: 150 * time.Second},
	{Of: Writes, Scope: PerTenant, Units: 18_000, Per: 5 * time.Minute},
	{Of: Writes, Scope: PerApp, Units: 35_000, Per: 5 * time.Minute},

	// Identity and access reports. For signInActivity the page gives the same number
	// for one tenant and for all of them together.
	{Of: SignInActivity, Scope: PerAppAndTenant, Units: 10, Per: time.Minute},
	{Of: SignInActivity, Scope: PerApp, Units: 10, Per: time.Minute, Doubtful: true},
	{Of: AuditLog, Scope: PerAppAndTenant, Units: 5, Per: 10 * time.Second},
	{Of: AuditLog, Scope: PerApp, Units: 122, Per: 10 * time.Second},

	// Microsoft 365 usage reports.
	{Of: Report, Scope: PerAppAndTenant, Units: 14, Per: 10 * time.Minute},
	{Of: Report, Scope: PerTenant, Units: 40, Per: 10 * time.Minute},

	// Microsoft Graph as a whole.
	{Of: Everything, Scope: PerApp, Units: 130_000, Per: 10 * time.Second},
}

// PublishedLimits are the limits that Microsoft publishes for what this client
// reads.
func PublishedLimits() []Limit { return slices.Clone(published) }

// call is a request as Graph counts it.
type call struct {
	family   string // of what is held back together: "directory", "audit log", or a report
	endpoint string // what resource units are learned for
	costs    map[Family]int
}

// callOf knows how Graph counts a request.
func callOf(method string, u *url.URL) call {
	if method != http.MethodGet && method != http.MethodHead {
		return call{family: "writes", endpoint: "writes", costs: map[Family]int{Everything: 1, Directory: 1, Writes: 1}}
	}
	path, query := strings.ToLower(u.Path), strings.ToLower(u.RawQuery)
	_, report, isReport := strings.Cut(path, "/reports/")
	if strings.Contains(path, "/auditlogs/") || strings.HasPrefix(report, "authenticationmethods/") {
		return call{family: "audit log", costs: map[Family]int{Everything: 1, AuditLog: 1}}
	}
	if isReport {
		name, _, _ := strings.Cut(report, "(")
		return call{family: "report " + name, costs: map[Family]int{Everything: 1, Report: 1}}
	}
	c := call{family: "directory", endpoint: endpoint(path)}
	c.costs = map[Family]int{Everything: 1, Directory: resourceUnits(c.endpoint, query)}
	// A link to a next page need not repeat what it selects.
	silent := hasOption(query, "skiptoken") && !hasOption(query, "select")
	if strings.Contains(query, "signinactivity") || c.endpoint == "users" && silent {
		c.costs[SignInActivity] = 1
	}
	return c
}

// options are the query options of a request, without their dollar signs. What is
// asked for within an expansion is part of its value.
func options(query string) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for option := range strings.SplitSeq(query, "&") {
			name, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(option, "%24"), "$"), "=")
			if !yield(name, value) {
				return
			}
		}
	}
}

func hasOption(query, name string) bool {
	for have := range options(query) {
		if have == name {
			return true
		}
	}
	return false
}

// endpoint is the first name of a path behind Graph's version.
func endpoint(path string) string {
	for _, version := range []string{"/v1.0/", "/beta/"} {
		if _, rest, ok := strings.Cut(path, version); ok {
			name, _, _ := strings.Cut(rest, "/")
			return name
		}
	}
	return ""
}

// resourceUnits is what a read of the directory costs, as published. The answer says
// what it did cost.
func resourceUnits(endpoint, query string) int {
	units := 1
	switch endpoint {
	case "users":
		units = 2
	case "subscribedskus", "groups":
		units = 3
	}
	for name, value := range options(query) {
		switch name {
		case "select":
			units--
		case "expand":
			units++
		case "top":
			if n, err := strconv.Atoi(value); err == nil && n < 20 {
				units--
			}
		}
	}
	return max(units, 1)
}
