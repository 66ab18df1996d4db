package graphsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Permissions for writes and for groups. They are granted by Options.Grant only.
const (
	mayWriteLicenses = "LicenseAssignment.ReadWrite.All"
	mayReadGroups    = "GroupMember.Read.All"
	mayWriteGroups   = "GroupMember.ReadWrite.All"
)

// grantable are the permissions of Options.Grant.
var grantable = []string{mayWriteLicenses, mayReadGroups, mayWriteGroups}

var (
	userPath   = regexp.MustCompile(`^users/([^/]+)(/assignLicense|/microsoft\.graph\.assignLicense)?$`)
	groupPath  = regexp.MustCompile(`^groups/([^/]+)$`)
	memberPath = regexp.MustCompile(`^groups/([^/]+)/members/([^/]+)/\$ref$`)
	joinPath   = regexp.MustCompile(`^groups/([^/]+)/members/\$ref$`)
	guidForm   = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
)

// serveObject answers for one user or one group, and the writes. It is false for
// other paths.
func (s *Server) serveObject(w http.ResponseWriter, r *http.Request, path string, beta bool) bool {
	var serve func()
	source, method := "", http.MethodGet
	if m := userPath.FindStringSubmatch(path); m != nil {
		source, serve = "user", func() { s.serveUser(w, r, m[1], beta) }
		if m[2] != "" {
			source, method, serve = "assign_license", http.MethodPost, func() { s.serveAssign(w, r, m[1]) }
		}
	} else if m := groupPath.FindStringSubmatch(path); m != nil {
		source, serve = "group", func() { s.serveGroup(w, r, m[1]) }
	} else if m := memberPath.FindStringSubmatch(path); m != nil {
		source, method, serve = "group_members", http.MethodDelete, func() { s.serveLeave(w, r, m[1], m[2]) }
	} else if m := joinPath.FindStringSubmatch(path); m != nil {
		source, method, serve = "group_members", http.MethodPost, func() { s.serveJoin(w, r, m[1]) }
	} else {
		return false
	}
	if r.Method != method {
		s.refuse(w, r, http.StatusMethodNotAllowed, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
		return true
	}
	if _, done := s.before(w, r, source, query{page: 1, asked: selected(r)}, answers); done {
		return true
	}
	if _, lost := s.fault(source, 1, []FaultKind{LostAnswer}); lost {
		w = &dropped{ResponseWriter: w, header: http.Header{}}
		defer s.fail(w.(*dropped).ResponseWriter, r, Fault{Kind: Reset}) // which ends the connection
	}
	serve()
	return true
}

// dropped takes an answer that nobody gets.
type dropped struct {
	http.ResponseWriter
	header http.Header
}

func (d *dropped) Header() http.Header         { return d.header }
func (d *dropped) WriteHeader(int)             {}
func (d *dropped) Write(b []byte) (int, error) { return len(b), nil }

func selected(r *http.Request) []string {
	list := r.URL.Query().Get("$select")
	if list == "" {
		return nil
	}
	var out []string
	for p := range strings.SplitSeq(list, ",") {
		out = append(out, strings.TrimSpace(p))
	}
	return out
}

// unknownObject is how Graph says that there is no such user or group.
func (s *Server) unknownObject(w http.ResponseWriter, r *http.Request, id string) {
	s.refuse(w, r, http.StatusNotFound, "Request_ResourceNotFound",
		fmt.Sprintf("Resource '%s' does not exist or one of its queried reference-property objects are not present.", id))
}

func (s *Server) denied(w http.ResponseWriter, r *http.Request) {
	s.refuse(w, r, http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
}

// serveUser is one user.
func (s *Server) serveUser(w http.ResponseWriter, r *http.Request, key string, beta bool) {
	q := query{asked: selected(r)}
	if s.forbids(w, r, &endpoints[0], q) {
		return
	}
	if slices.Contains(q.asked, signInActivity) && !guidForm.MatchString(key) {
		s.refuse(w, r, http.StatusBadRequest, "BadRequest", "Get By Key only supports UserId and the key has to be a valid Guid")
		return
	}
	write, unknown := s.content.rows("users", beta, q.asked, nil)
	if unknown != "" {
		s.refuse(w, r, http.StatusBadRequest, "BadRequest", fmt.Sprintf("Could not find a property named '%s' on type 'microsoft.graph.user'.", unknown))
		return
	}
	i, ok := s.find(key)
	if !ok {
		s.unknownObject(w, r, key)
		return
	}
	var object, t text
	s.overlay("users", write)(&object, i)
	version := "v1.0"
	if beta {
		version = "beta"
	}
	t.raw(`{"@odata.context":`)
	t.str(s.GraphURL + "/" + version + "/$metadata#users/$entity")
	if len(object.b) > len("{}") {
		t.byte(',')
	}
	t.b = append(t.b, object.b[1:]...)
	w.Header().Set("Content-Type", "application/json")
	s.send(w, r, t.b, "")
}

func (s *Server) find(key string) (i int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.content.find(key)
}

// serveAssign changes a user's direct licences, all of the request or nothing.
func (s *Server) serveAssign(w http.ResponseWriter, r *http.Request, key string) {
	if !s.mays(r, mayWriteLicenses) {
		s.denied(w, r)
		return
	}
	var body struct {
		AddLicenses *[]struct {
			SkuID         string   `json:"skuId"`
			DisabledPlans []string `json:"disabledPlans"`
		} `json:"addLicenses"`
		RemoveLicenses *[]string `json:"removeLicenses"`
	}
	bad := func(message string) { s.refuse(w, r, http.StatusBadRequest, "Request_BadRequest", message) }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		bad("Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.")
		return
	}
	var missing []string
	if body.AddLicenses == nil {
		missing = append(missing, "addLicenses")
	}
	if body.RemoveLicenses == nil {
		missing = append(missing, "removeLicenses")
	}
	if len(missing) > 0 {
		bad(fmt.Sprintf(missingParam, strings.Join(missing, ",")))
		return
	}
	var add []Assignment
	guids := slices.Clone(*body.RemoveLicenses)
	for _, l := range *body.AddLicenses {
		guids = append(append(guids, l.SkuID), l.DisabledPlans...)
		add = append(add, Assignment{SKU: strings.ToLower(l.SkuID), Disabled: l.DisabledPlans})
	}
	if slices.ContainsFunc(guids, func(g string) bool { return !guidForm.MatchString(g) }) {
		bad(notGUID)
		return
	}
	var remove []string
	for _, sku := range *body.RemoveLicenses {
		remove = append(remove, strings.ToLower(sku))
	}
	s.mu.Lock()
	i, ok := s.content.find(key)
	message := ""
	if ok {
		message = s.assign(i, add, remove)
	}
	s.mu.Unlock()
	switch {
	case !ok:
		s.unknownObject(w, r, key)
	case message != "":
		bad(message)
	default:
		s.serveChanged(w, r, i)
	}
}

// serveChanged is the answer of v1.0 to assignLicense: the user's default
// properties, which say nothing of licences.
func (s *Server) serveChanged(w http.ResponseWriter, r *http.Request, i int) {
	write, _ := s.content.rows("users", false, nil, nil) // the default properties are known
	var object, t text
	write(&object, i)
	t.raw(`{"@odata.context":`)
	t.str(s.GraphURL + "/v1.0/$metadata#users/$entity")
	if len(object.b) > len("{}") {
		t.byte(',')
	}
	t.b = append(t.b, object.b[1:]...)
	w.Header().Set("Content-Type", "application/json")
	s.send(w, r, t.b, "")
}

// serveGroup is one group with the licences it gives.
func (s *Server) serveGroup(w http.ResponseWriter, r *http.Request, id string) {
	if !s.mays(r, mayReadGroups) && !s.mays(r, mayWriteGroups) {
		s.denied(w, r)
		return
	}
	g, ok := s.content.group(strings.ToLower(id))
	if !ok {
		s.unknownObject(w, r, id)
		return
	}
	all := map[string]any{
		"id": g.ID, "displayName": g.Name, "groupTypes": []string{}, "onPremisesSyncEnabled": nil, "membershipRule": nil,
	}
	if g.Dynamic {
		all["groupTypes"], all["membershipRule"] = []string{"DynamicMembership"}, `user.department -eq "Sales"`
	}
	if g.Synced {
		all["onPremisesSyncEnabled"] = true
	}
	licenses := []any{}
	for _, l := range g.Licenses {
		licenses = append(licenses, map[string]any{"skuId": l.SKU, "disabledPlans": orEmpty(l.Disabled)})
	}
	all["assignedLicenses"] = licenses
	out := map[string]any{"@odata.context": s.GraphURL + "/v1.0/$metadata#groups/$entity"}
	asked := selected(r)
	for name, value := range all {
		if asked == nil && name != "assignedLicenses" || slices.Contains(asked, name) {
			out[name] = value
		}
	}
	b, err := json.Marshal(out)
	if err != nil {
		s.refuse(w, r, http.StatusInternalServerError, "InternalServerError", err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	s.send(w, r, b, "")
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// serveLeave takes a member out of a group.
func (s *Server) serveLeave(w http.ResponseWriter, r *http.Request, group, user string) {
	g, ok := s.editable(w, r, group)
	if !ok {
		return
	}
	s.mu.Lock()
	i, ok := s.content.find(user)
	ok = ok && s.leave(i, g.ID)
	s.mu.Unlock()
	if !ok {
		s.unknownObject(w, r, user)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// serveJoin puts a member into a group.
func (s *Server) serveJoin(w http.ResponseWriter, r *http.Request, group string) {
	g, ok := s.editable(w, r, group)
	if !ok {
		return
	}
	var body struct {
		ID string `json:"@odata.id"`
	}
	err := json.NewDecoder(r.Body).Decode(&body)
	u, wrong := url.Parse(body.ID)
	if err != nil || wrong != nil || body.ID == "" {
		s.refuse(w, r, http.StatusBadRequest, "Request_BadRequest", "Invalid URL format specified in @odata.id for POST request.")
		return
	}
	id := u.Path[strings.LastIndex(u.Path, "/")+1:]
	s.mu.Lock()
	i, ok := s.content.find(id)
	joined := ok && s.join(i, g)
	s.mu.Unlock()
	switch {
	case !ok:
		s.unknownObject(w, r, id)
	case !joined:
		s.refuse(w, r, http.StatusBadRequest, "Request_BadRequest", "One or more added object references already exist for the following modified properties: 'members'.")
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// editable is a group whose members may be changed here.
func (s *Server) editable(w http.ResponseWriter, r *http.Request, id string) (g Group, ok bool) {
	if !s.mays(r, mayWriteGroups) {
		s.denied(w, r)
		return g, false
	}
	if g, ok = s.content.group(strings.ToLower(id)); !ok {
		s.unknownObject(w, r, id)
		return g, false
	}
	if g.Dynamic || g.Synced {
		s.refuse(w, r, http.StatusBadRequest, "Request_BadRequest", "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently undergoing migration.")
		return g, false
	}
	return g, true
}

// overlay writes rows as they are since somebody wrote to the tenant.
func (s *Server) overlay(source string, write func(w *text, i int)) func(w *text, i int) {
	switch source {
	case "users":
		return func(w *text, i int) {
			s.mu.Lock()
			c := s.licensing.people[i]
			var held []Assignment
			var signIn time.Time
			if c != nil {
				held, signIn = c.shown, c.signIn
				if c.hidden--; c.hidden < 0 {
					held = c.held
				}
			}
			s.mu.Unlock()
			if c == nil {
				write(w, i)
				return
			}
			s.rewrite(w, i, write, func(name string, value json.RawMessage) json.RawMessage {
				return s.userProperty(name, value, held, signIn)
			})
		}
	case "subscribed_skus":
		return func(w *text, i int) {
			s.rewrite(w, i, write, nil)
		}
	default:
		return write
	}
}

// rewrite writes a row with other values of some properties; replace nil is that of
// SKUs.
func (s *Server) rewrite(w *text, i int, write func(w *text, i int), replace func(string, json.RawMessage) json.RawMessage) {
	var row text
	row.ascii = w.ascii
	write(&row, i)
	members, err := readMembers(row.b)
	if err != nil { // the row is as its file has it
		w.b = append(w.b, row.b...)
		return
	}
	if replace == nil {
		replace = s.skuProperty(members)
	}
	w.byte('{')
	for n, m := range members {
		if n > 0 {
			w.byte(',')
		}
		w.str(m.name)
		w.byte(':')
		w.b = append(w.b, replace(m.name, m.value)...)
	}
	w.byte('}')
}

// skuProperty counts the licences that were given and taken.
func (s *Server) skuProperty(members []member) func(string, json.RawMessage) json.RawMessage {
	var sku string
	for _, m := range members {
		if m.name == "skuId" {
			_ = json.Unmarshal(m.value, &sku) // what is no text has no licences
		}
	}
	s.mu.Lock()
	more := s.licensing.seats[strings.ToLower(sku)]
	s.mu.Unlock()
	return func(name string, value json.RawMessage) json.RawMessage {
		var n int
		if name != "consumedUnits" || more == 0 || json.Unmarshal(value, &n) != nil {
			return value
		}
		return fmt.Appendf(nil, "%d", n+more)
	}
}

// userProperty is a property of a user with these assignments.
func (s *Server) userProperty(name string, value json.RawMessage, held []Assignment, signIn time.Time) json.RawMessage {
	var out any
	switch name {
	case "assignedLicenses":
		out = assignedLicenses(held)
	case "licenseAssignmentStates":
		out = assignmentStates(held)
	case "assignedPlans":
		out = s.assignedPlans(value, held)
	case signInActivity:
		if signIn.IsZero() {
			return value
		}
		at := signIn.UTC().Format(time.RFC3339)
		out = map[string]string{
			"lastSignInDateTime": at, "lastSignInRequestId": "a1b2c3d4-0000-4000-8000-000000000001",
			"lastNonInteractiveSignInDateTime": "0001-01-01T00:00:00Z", "lastNonInteractiveSignInRequestId": "",
			"lastSuccessfulSignInDateTime": at, "lastSuccessfulSignInRequestId": "a1b2c3d4-0000-4000-8000-000000000001",
		}
	default:
		return value
	}
	b, err := json.Marshal(out)
	if err != nil {
		return value
	}
	return b
}

// assignedLicenses are the SKUs held. A plan is off when every assignment leaves it
// out.
func assignedLicenses(held []Assignment) any {
	out := []any{}
	var done []string
	for _, a := range held {
		if !a.seat() || slices.Contains(done, a.SKU) {
			continue
		}
		done = append(done, a.SKU)
		off := []string{}
		for _, p := range a.Disabled {
			on := slices.ContainsFunc(held, func(b Assignment) bool {
				return b.seat() && b.SKU == a.SKU && !slices.Contains(b.Disabled, p)
			})
			if !on {
				off = append(off, p)
			}
		}
		out = append(out, map[string]any{"disabledPlans": off, "skuId": a.SKU})
	}
	return out
}

func assignmentStates(held []Assignment) any {
	out := []any{}
	for _, a := range held {
		var group any
		if a.Group != "" {
			group = a.Group
		}
		out = append(out, map[string]any{
			"skuId": a.SKU, "disabledPlans": orEmpty(a.Disabled), "assignedByGroup": group,
			"state": a.State, "error": a.Error, "lastUpdatedDateTime": a.Updated.UTC().Format(time.RFC3339),
		})
	}
	return out
}

// assignedPlans are those there were, Deleted where no licence has them any more, and
// those that are new.
func (s *Server) assignedPlans(value json.RawMessage, held []Assignment) any {
	var plans []map[string]any
	if json.Unmarshal(value, &plans) != nil {
		plans = nil
	}
	s.mu.Lock()
	on := enabled(s.content, held)
	s.mu.Unlock()
	out := []any{}
	for _, p := range plans {
		id, _ := p["servicePlanId"].(string)
		switch {
		case !on[id]:
			p["capabilityStatus"] = "Deleted"
		case p["capabilityStatus"] == "Deleted":
			p["capabilityStatus"] = "Enabled"
		}
		out = append(out, p)
		delete(on, id)
	}
	var rest []string
	for id := range on {
		rest = append(rest, id)
	}
	slices.Sort(rest)
	for _, id := range rest {
		out = append(out, map[string]any{
			"assignedDateTime": s.o.Clock().UTC().Format(time.RFC3339), "capabilityStatus": "Enabled", "service": "exchange", "servicePlanId": id,
		})
	}
	return out
}
