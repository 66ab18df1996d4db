package graphsim

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// content is what a tenant holds: computed by Tenant, read from files by folder.
type content interface {
	// span is the rows [from, to) of a collection. Sign-ins are narrowed to those not
	// before ge and not after le, in nanoseconds since 1970. It is false when there is
	// no such collection.
	span(source string, ge, le int64) (from, to int, ok bool)
	// limit is where a page that begins with row i ends at the latest.
	limit(source string, i int) int
	// rows gives what writes rows of a collection with the asked properties, nil for
	// the default ones, and the managers of users where they are expanded; or the first
	// property that is unknown.
	rows(source string, beta bool, asked []string, managers *expansion) (write func(w *text, i int), unknown string)
	// concealed says whether usage reports hide names.
	concealed() bool
	// hasReport and report give a usage report.
	hasReport(function string) bool
	report(out io.Writer, function, period string) error

	// find, account, group and offer are what writes need: users by id or sign-in
	// name, groups by id, SKUs by GUID.
	find(user string) (i int, ok bool)
	account(i int) account
	group(id string) (g Group, ok bool)
	offer(sku string) (o offer, ok bool)
}

// endpoint is a collection that Graph lists.
type endpoint struct {
	path, source, entity string
	permission           string
	options              []string // query options it takes
	max                  int      // rows of a page
	def                  int      // rows of a page without $top
}

var endpoints = []endpoint{
	{"users", "users", "user", "User.Read.All", []string{"$select", "$top", "$skiptoken", "$count", "$filter", "$orderby", "$expand", "$search"}, 999, 100},
	{"subscribedSkus", "subscribed_skus", "subscribedSku", "LicenseAssignment.Read.All", []string{"$skiptoken"}, math.MaxInt, math.MaxInt},
	{"auditLogs/signIns", signInSource, "signIn", "AuditLog.Read.All", []string{"$select", "$top", "$skiptoken", "$filter", "$orderby"}, 1000, 1000},
	{"auditLogs/signIns", clientSignInSource, "signIn", "AuditLog.Read.All", []string{"$select", "$top", "$skiptoken", "$filter", "$orderby"}, 1000, 1000},
	{"directory/subscriptions", "subscriptions", "companySubscription", "Organization.Read.All", []string{"$select", "$skiptoken"}, math.MaxInt, math.MaxInt},
	{"reports/authenticationMethods/userRegistrationDetails", "user_registration_details", "userRegistrationDetails", "AuditLog.Read.All", []string{"$top", "$skiptoken", "$filter", "$orderby"}, 1000, 1000},
}

// pageWithSignInActivity is the most users of a page that has their sign-ins.
const pageWithSignInActivity = 500

var reportPath = regexp.MustCompile(`^reports/(get[A-Za-z0-9]+)(?:\((.*)\))?$`)

// serveGraph is Graph.
func (s *Server) serveGraph(w http.ResponseWriter, r *http.Request) {
	id := s.requestID(r)
	w.Header().Set("request-id", id)
	if c := r.Header.Get("client-request-id"); c != "" {
		w.Header().Set("client-request-id", c)
	}
	w.Header().Set("x-ms-ags-diagnostic", `{"ServerInfo":{"DataCenter":"West Europe","Slice":"E","Ring":"5","ScaleUnit":"003","RoleInstance":"AM1PEPF00000000"}}`)
	version, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if !s.authorised(r) {
		s.refuse(w, r, http.StatusUnauthorized, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")
		return
	}
	if version != "v1.0" && version != "beta" {
		s.refuse(w, r, http.StatusBadRequest, "BadRequest", "Invalid version: "+version)
		return
	}
	if s.serveObject(w, r, path, version == "beta") {
		return
	}
	if r.Method != http.MethodGet {
		s.refuse(w, r, http.StatusMethodNotAllowed, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
		return
	}
	beta := version == "beta"
	if path == "admin/reportSettings" {
		s.serveSettings(w, r)
		return
	}
	if m := reportPath.FindStringSubmatch(path); m != nil {
		s.serveReport(w, r, m[1], m[2])
		return
	}
	if m := copilotPath.FindStringSubmatch(path); m != nil {
		s.serveCopilot(w, r, m[1], m[2])
		return
	}
	i := slices.IndexFunc(endpoints, func(e endpoint) bool { return e.path == path })
	if types, _ := eventTypes(r.URL.Query().Get("$filter")); i >= 0 && beta && len(types) == 1 && types[0] == "nonInteractiveUser" {
		i = slices.IndexFunc(endpoints, func(e endpoint) bool { return e.path == path && e.source == clientSignInSource })
	}
	if i < 0 {
		s.refuse(w, r, http.StatusBadRequest, "BadRequest", fmt.Sprintf("Resource not found for the segment '%s'.", path))
		return
	}
	s.serveCollection(w, r, &endpoints[i], beta)
}

// requestID is the request-id of an answer: the same for the same request of the same
// turn.
func (s *Server) requestID(r *http.Request) string {
	address := r.Method + " " + r.URL.RequestURI()
	s.mu.Lock()
	defer s.mu.Unlock()
	turn := s.attempts[address]
	s.attempts[address]++
	h := s.o.Seed
	for i := range len(address) {
		h = mix(h ^ uint64(address[i]))
	}
	id := newRandom(h, forRequest, turn)
	return guidText(id.guid())
}

// before runs the faults that replace an answer, and the throttle. It returns what
// fault of those kinds the answer itself is to have; done says that it has been
// written already.
func (s *Server) before(w http.ResponseWriter, r *http.Request, source string, q query, kinds []FaultKind) (f Fault, done bool) {
	f, failing := s.fault(source, q.page, kinds)
	switch {
	case !failing:
	case f.Kind == ExpiredToken:
		s.mu.Lock()
		clear(s.tokens)
		s.mu.Unlock()
		s.refuse(w, r, http.StatusUnauthorized, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")
		return f, true
	case f.Kind == ExpiredLink && isSignIns(source):
		s.refuse(w, r, http.StatusBadRequest, "UnknownError", "Invalid Skip Token, skip token is null")
		return f, true
	case f.Kind == ExpiredLink:
		s.refuse(w, r, http.StatusBadRequest, "Directory_ExpiredPageToken", "The specified page token value has expired and can no longer be included in your request.")
		return f, true
	case s.fail(w, r, f):
		return f, true
	}
	wait, l, ok := s.take(source, q)
	if ok {
		return f, false
	}
	if l.silent {
		s.refuse(w, r, http.StatusTooManyRequests, "UnknownError", "This request is throttled. Please try again after some time.")
		return f, true
	}
	w.Header().Set("Retry-After", seconds(wait))
	w.Header().Set("x-ms-throttle-scope", "Tenant_Application/ReadWrite/"+s.o.ClientID+"/"+s.o.TenantID)
	w.Header().Set("x-ms-throttle-information", "ResourceUnitLimitExceeded")
	s.refuse(w, r, http.StatusTooManyRequests, "TooManyRequests", "Too many requests.")
	return f, true
}

// query is a request for a page of a collection.
type query struct {
	asked    []string   // nil for the default properties
	managers *expansion // nil when they are not expanded
	top      int        // 0 when not given
	count    bool
	ge, le   int64
	from     int // first row, from the skip token; -1 on the first page
	page     int // from 1
}

var timeFilter = regexp.MustCompile(`^createdDateTime\s+(ge|le)\s+(\S+)$`)

// parse reads the query options of a collection. When Graph refuses them, it says so
// with a code and a message.
func (s *Server) parse(r *http.Request, e *endpoint, beta bool) (q query, code, message string) {
	q = query{ge: math.MinInt64, le: math.MaxInt64, from: -1, page: 1}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return q, "BadRequest", "The query is malformed."
	}
	for name := range values {
		option := name
		if !strings.HasPrefix(option, "$") {
			option = "$" + option // Graph takes options without their dollar sign
		}
		if !slices.Contains(e.options, option) {
			return q, "Request_BadRequest", fmt.Sprintf("Query option '%s' is not allowed. To allow it, set the 'AllowedQueryOptions' property on EnableQueryAttribute or QueryValidationSettings.", strings.TrimPrefix(name, "$"))
		}
		v := values.Get(name)
		switch option {
		case "$select":
			for p := range strings.SplitSeq(v, ",") {
				q.asked = append(q.asked, strings.TrimSpace(p))
			}
		case "$top":
			if q.top, err = strconv.Atoi(v); err != nil || q.top < 1 {
				return q, "Request_BadRequest", "Invalid value '" + v + "' for $top query option found. The $top query option requires a positive integer value."
			}
		case "$count":
			q.count = v == "true"
		case "$orderby":
			if v != "createdDateTime desc" || !isSignIns(e.source) {
				return q, "Request_UnsupportedQuery", "Sorting by '" + v + "' is not supported."
			}
		case "$filter":
			if !isSignIns(e.source) {
				return q, "Request_UnsupportedQuery", "Unsupported or invalid query filter clause."
			}
			types, rest := eventTypes(v)
			if !beta && len(types) > 0 {
				return q, "BadRequest", "Could not find a property named 'signInEventTypes' on type 'microsoft.graph.signIn'."
			}
			if len(types) > 1 {
				return q, "BadRequest", "Sign-in event types cannot be mixed in one filter."
			}
			if rest == "" {
				continue
			}
			for clause := range strings.SplitSeq(rest, " and ") {
				m := timeFilter.FindStringSubmatch(strings.TrimSpace(clause))
				if m == nil {
					return q, "BadRequest", "Invalid filter clause: " + clause
				}
				at, err := time.Parse(time.RFC3339Nano, m[2])
				if err != nil {
					return q, "BadRequest", "Invalid filter clause: " + err.Error()
				}
				if m[1] == "ge" {
					q.ge = max(q.ge, at.UnixNano())
				} else {
					q.le = min(q.le, at.UnixNano())
				}
			}
		case "$expand":
			if q.managers, code, message = s.expand(v); code != "" {
				return q, code, message
			}
		case "$search":
			return q, "Request_UnsupportedQuery", "The query option " + option + " is not supported here."
		case "$skiptoken":
			var ok bool
			if q.from, q.page, ok = s.openToken(e.source, v); !ok {
				if isSignIns(e.source) {
					return q, "UnknownError", "Invalid Skip Token, skip token is null"
				}
				return q, "Directory_ExpiredPageToken", "The specified page token value has expired and can no longer be included in your request."
			}
		}
	}
	return q, "", ""
}

// A skip token is sealed, so that nobody is tempted to read it: the row to go on
// with and the page's number under a mask, and a checksum.

func (s *Server) seal(source string, from, page int) string {
	mask := mix(s.o.Seed + uint64(len(source)))
	var b [20]byte
	binary.BigEndian.PutUint64(b[:], uint64(from)^mask)
	binary.BigEndian.PutUint64(b[8:], uint64(page)^mix(mask))
	binary.BigEndian.PutUint32(b[16:], uint32(mix(mask^uint64(from)<<20^uint64(page))))
	return "RFNwdAIAAQ" + base64.RawURLEncoding.EncodeToString(b[:])
}

func (s *Server) openToken(source, token string) (from, page int, ok bool) {
	rest, ok := strings.CutPrefix(token, "RFNwdAIAAQ")
	b, err := base64.RawURLEncoding.DecodeString(rest)
	if !ok || err != nil || len(b) != 20 {
		return 0, 0, false
	}
	mask := mix(s.o.Seed + uint64(len(source)))
	from = int(binary.BigEndian.Uint64(b) ^ mask)
	page = int(binary.BigEndian.Uint64(b[8:]) ^ mix(mask))
	return from, page, binary.BigEndian.Uint32(b[16:]) == uint32(mix(mask^uint64(from)<<20^uint64(page)))
}

// serveCollection lists one page of users, SKUs or sign-ins.
func (s *Server) serveCollection(w http.ResponseWriter, r *http.Request, e *endpoint, beta bool) {
	q, code, message := s.parse(r, e, beta)
	f, done := s.before(w, r, e.source, q, slices.Concat(answers, damages, links))
	if done || s.forbids(w, r, e, q) {
		return
	}
	if code != "" {
		s.refuse(w, r, http.StatusBadRequest, code, message)
		return
	}
	write, unknown := s.content.rows(e.source, beta, q.asked, q.managers)
	if unknown != "" {
		s.refuse(w, r, http.StatusBadRequest, "BadRequest", fmt.Sprintf("Could not find a property named '%s' on type 'microsoft.graph.%s'.", unknown, e.entity))
		return
	}
	write = s.overlay(e.source, write)
	first, to, ok := s.content.span(e.source, q.ge, q.le)
	if !ok {
		s.refuse(w, r, http.StatusNotFound, "Request_ResourceNotFound", fmt.Sprintf("Resource '%s' does not exist or one of its queried reference-property objects are not present.", e.path))
		return
	}
	from := first
	if q.from >= 0 {
		from = min(q.from, to)
	}
	end := min(to, s.content.limit(e.source, from))
	if size := s.pageSize(e, q); size < end-from {
		end = from + size
	}
	if f.Kind == EmptyPage {
		end = from
	}

	page := pages.Get().(*text)
	defer pages.Put(page)
	page.b, page.ascii = page.b[:0], s.o.ValueFirst
	page.raw(`{"@odata.context":`)
	page.str(s.context(e, q, beta))
	if q.count && q.page == 1 {
		page.raw(`,"@odata.count":`)
		page.int(to - first)
	}
	link := s.nextLink(r, e, q, f, from, end, to)
	value := func() {
		page.raw(`,"value":[`)
		writeRows(page, write, e, q, f, from, end)
		page.byte(']')
	}
	if s.o.ValueFirst {
		value()
	}
	if link != "" {
		page.raw(`,"@odata.nextLink":`)
		page.str(link)
	}
	if !s.o.ValueFirst {
		value()
	}
	page.byte('}')
	if f.Kind == MalformedJSON {
		page.b = append(page.b[:len(page.b)*2/3], "\x00,,}"...)
	}
	w.Header().Set("Content-Type", "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8")
	w.Header().Set("OData-Version", "4.0")
	w.Header().Set("x-ms-resource-unit", strconv.Itoa(resourceUnits(e.source, q)))
	s.send(w, r, page.b, f.Kind)
}

// forbids refuses what the application was not granted or the tenant has not bought.
func (s *Server) forbids(w http.ResponseWriter, r *http.Request, e *endpoint, q query) bool {
	withSignIns := e.source == "users" && slices.Contains(q.asked, signInActivity)
	switch {
	case !s.mays(r, e.permission), withSignIns && !s.mays(r, "AuditLog.Read.All"):
		s.refuse(w, r, http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
	case s.o.NoPremium && (withSignIns || isSignIns(e.source) || e.source == "user_registration_details"):
		s.refuse(w, r, http.StatusForbidden, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", "Neither tenant is B2C or tenant doesn't have premium license")
	default:
		return false
	}
	return true
}

// pageSize is the most rows of a page. Every fourth page of sign-ins is a short one,
// which says nothing about what comes after it.
func (s *Server) pageSize(e *endpoint, q query) int {
	size := e.def
	if q.top > 0 {
		size = min(q.top, e.max)
	}
	if e.source == "users" && slices.Contains(q.asked, signInActivity) {
		size = min(size, pageWithSignInActivity)
	}
	if s.o.PageSize > 0 && e.max < math.MaxInt {
		size = min(size, s.o.PageSize)
	}
	if isSignIns(e.source) && q.page%4 == 3 {
		size = (size + 1) / 2
	}
	return size
}

// context is the @odata.context of a page.
func (s *Server) context(e *endpoint, q query, beta bool) string {
	version, asked := "v1.0", ""
	if beta {
		version = "beta"
	}
	names := slices.Clone(q.asked)
	if q.managers != nil {
		names = append(names, "manager()")
	}
	if names != nil {
		asked = "(" + strings.Join(names, ",") + ")"
	}
	return s.GraphURL + "/" + version + "/$metadata#" + e.path + asked
}

// writeRows writes the rows [from, end). Paging sign-ins repeats the last row of the
// page before now and then; a fault repeats the last of this one.
func writeRows(page *text, write func(*text, int), e *endpoint, q query, f Fault, from, end int) {
	if from == end {
		return
	}
	if isSignIns(e.source) && q.page%3 == 2 && from > 0 {
		write(page, from-1)
		page.byte(',')
	}
	for i := from; i < end; i++ {
		if i > from {
			page.byte(',')
		}
		write(page, i)
	}
	if f.Kind == RepeatedRow {
		page.byte(',')
		write(page, end-1)
	}
}

// pages are buffers for the text of a page.
var pages = sync.Pool{New: func() any { return new(text) }}

// nextLink is the address of the page after [from, end), or nothing.
func (s *Server) nextLink(r *http.Request, e *endpoint, q query, f Fault, from, end, to int) string {
	next, page, host := end, q.page+1, s.GraphURL
	switch f.Kind {
	case EndlessLink:
		next, page = from, q.page
	case ForeignLink:
		host = s.ReportsURL
	case EmptyPage:
	default:
		if end >= to {
			return ""
		}
	}
	var options []string
	for option := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if option != "" && !strings.Contains(strings.ToLower(option), "skiptoken=") {
			options = append(options, option)
		}
	}
	options = append(options, "$skiptoken="+s.seal(e.source, next, page))
	return host + r.URL.EscapedPath() + "?" + strings.Join(options, "&")
}

// serveSettings says whether reports hide names.
func (s *Server) serveSettings(w http.ResponseWriter, r *http.Request) {
	f, done := s.before(w, r, "report_settings", query{page: 1}, slices.Concat(answers, damages))
	if done {
		return
	}
	if !s.mays(r, "ReportSettings.Read.All") {
		s.refuseReports(w, r)
		return
	}
	body := fmt.Sprintf(`{"@odata.context":"%s/v1.0/$metadata#admin/reportSettings/$entity","displayConcealedNames":%t}`, s.GraphURL, s.content.concealed())
	w.Header().Set("Content-Type", "application/json")
	s.send(w, r, []byte(body), f.Kind)
}

var periods = map[string]string{"D7": "7", "D30": "30", "D90": "90", "D180": "180"}

// serveReport redirects to the download of a report.
func (s *Server) serveReport(w http.ResponseWriter, r *http.Request, function, argument string) {
	if _, done := s.before(w, r, function, query{page: 1}, answers); done {
		return
	}
	if !s.mays(r, "Reports.Read.All") {
		s.refuseReports(w, r)
		return
	}
	kind, ok := findReport(function)
	if !ok || kind.function == copilotReport.function {
		s.refuse(w, r, http.StatusBadRequest, "BadRequest", fmt.Sprintf("Resource not found for the segment '%s'.", function))
		return
	}
	days := ""
	if kind.period {
		name, quoted := strings.CutPrefix(argument, "period='")
		name, closed := strings.CutSuffix(name, "'")
		if days, ok = periods[name]; !ok || !quoted || !closed {
			s.refuse(w, r, http.StatusBadRequest, "BadRequest", "Invalid value specified for property 'period' of resource 'reports'.")
			return
		}
	} else if argument != "" {
		s.refuse(w, r, http.StatusBadRequest, "BadRequest", fmt.Sprintf("Function '%s' takes no parameters.", function))
		return
	}
	if !s.content.hasReport(function) {
		s.refuse(w, r, http.StatusNotFound, "Request_ResourceNotFound", fmt.Sprintf("Resource '%s' does not exist or one of its queried reference-property objects are not present.", function))
		return
	}
	s.mu.Lock()
	id := newRandom(s.o.Seed, forToken, uint64(len(s.downloads))+1<<40)
	token := base64.RawURLEncoding.EncodeToString([]byte(function)) + "." + guidText(id.guid())
	s.downloads[token] = download{function, days, s.o.Clock().Add(linkLife)}
	s.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Location", s.ReportsURL+"/data/v1.0/download?token="+token)
	w.WriteHeader(http.StatusFound)
}

// refuseReports is how the reports' service, behind Graph, refuses a permission.
func (s *Server) refuseReports(w http.ResponseWriter, r *http.Request) {
	s.refuse(w, r, http.StatusForbidden, "UnknownError", `{"error":{"code":"S2SUnauthorized","message":"Invalid permission."}}`)
}

// refuse writes an error of Graph.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	var t text
	t.raw(`{"error":{"code":`)
	t.str(code)
	t.raw(`,"message":`)
	t.str(message)
	t.raw(`,"innerError":{"date":`)
	t.str(s.o.Clock().UTC().Format("2006-01-02T15:04:05"))
	t.raw(`,"request-id":`)
	t.str(w.Header().Get("request-id"))
	if c := r.Header.Get("client-request-id"); c != "" {
		t.raw(`,"client-request-id":`)
		t.str(c)
	}
	t.raw("}}}")
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(t.b) // whoever asked has gone: there is nobody to tell
}

// send writes a body that is at hand.
func (s *Server) send(w http.ResponseWriter, r *http.Request, b []byte, fault FaultKind) {
	out, end := s.body(w, r, fault)
	_, err := out.Write(b)
	if err == nil {
		err = end()
	}
	if err != nil { // the client went away, or is to think the server did
		panic(http.ErrAbortHandler)
	}
}
