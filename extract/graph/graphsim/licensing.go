package graphsim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Assignment is one way in which a user has a SKU: an entry of
// licenseAssignmentStates.
type Assignment struct {
	SKU      string   // GUID, lower-case
	Group    string   // the group that assigns it, "" for a direct assignment
	Disabled []string // plans that this assignment leaves out
	State    string   // Active, ActiveWithError, Disabled or Error
	Error    string   // None, or a name such as CountViolation
	Updated  time.Time
}

// seat says that the assignment works, so that the user holds the SKU.
func (a Assignment) seat() bool { return a.State != "Error" }

// Group is a group that assigns licences to its members.
type Group struct {
	ID, Name string
	Licenses []Assignment // SKU and Disabled of each
	Dynamic  bool         // a rule says who is a member
	Synced   bool         // it belongs to an on-premises directory
}

// account is what a write needs to know of a user.
type account struct {
	id, upn       string
	usageLocation string
	held          []Assignment
}

// offer is what a write needs to know of a SKU.
type offer struct {
	plans    []string
	units    int // that may be assigned: enabled and warning
	consumed int
}

// licensing is how the tenant's licences differ from what its content says, since
// somebody wrote to it. The server's mutex guards it.
type licensing struct {
	people map[int]*changed
	seats  map[string]int // licences held by SKU, more than the content says
}

// changed is a user somebody wrote to.
type changed struct {
	held   []Assignment
	shown  []Assignment // what reads give while hidden
	hidden int          // reads until they show what is held
	left   map[string][]Assignment
	signIn time.Time // newest sign-in, zero to leave it as the content says
}

// Licenses are the assignments a user has, whatever reads show of them, sorted by
// SKU and group; nil for nobody.
func (s *Server) Licenses(user string) []Assignment {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.content.find(user)
	if !ok {
		return nil
	}
	held := slices.Clone(s.held(i))
	slices.SortFunc(held, func(a, b Assignment) int {
		return cmp.Or(strings.Compare(a.SKU, b.SKU), strings.Compare(a.Group, b.Group))
	})
	return held
}

// Consumed is how many units of a SKU are taken.
func (s *Server) Consumed(sku string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, _ := s.content.offer(sku)
	return o.consumed + s.licensing.seats[sku]
}

// SignIn makes a user have signed in at this time, successfully and interactively.
// It is false for nobody.
func (s *Server) SignIn(user string, at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.content.find(user)
	if ok {
		s.change(i).signIn = at
	}
	return ok
}

// Assign adds a SKU to a user and removes others as an administrator would in
// between, without a request. Its error is Graph's message.
func (s *Server) Assign(user string, add []Assignment, remove []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.content.find(user)
	if !ok {
		return fmt.Errorf("graphsim: %s is nobody", user)
	}
	if message := s.assign(i, add, remove); message != "" {
		return fmt.Errorf("graphsim: %s", message)
	}
	return nil
}

// held is what user i really has.
func (s *Server) held(i int) []Assignment {
	if c := s.licensing.people[i]; c != nil {
		return c.held
	}
	return s.content.account(i).held
}

// change is user i, ready to be changed.
func (s *Server) change(i int) *changed {
	c := s.licensing.people[i]
	if c == nil {
		held := s.content.account(i).held
		c = &changed{held: held, shown: held, left: map[string][]Assignment{}}
		s.licensing.people[i] = c
	}
	return c
}

// set gives user i other assignments, which reads show after a while.
func (s *Server) set(i int, held []Assignment) {
	c := s.change(i)
	before, after := seats(c.held), seats(held)
	for sku := range before {
		if !after[sku] {
			s.licensing.seats[sku]--
		}
	}
	for sku := range after {
		if !before[sku] {
			s.licensing.seats[sku]++
		}
	}
	if c.hidden <= 0 {
		c.shown = c.held
	}
	c.held, c.hidden = held, s.o.ReadsUntilVisible
}

// seats are the SKUs that some assignment gives.
func seats(held []Assignment) map[string]bool {
	out := map[string]bool{}
	for _, a := range held {
		if a.seat() {
			out[a.SKU] = true
		}
	}
	return out
}

// The messages of assignLicense. Its code is Request_BadRequest for all of them, so
// that nothing but the text tells one from another.
const (
	noSeats      = "Subscription with SKU %s does not have any available licenses."
	exclusive    = "License assignment failed because service plans %s, %s are mutually exclusive."
	dependency   = "License assignment failed because service plan %s depends on the service plan(s) %s"
	noLocation   = "License assignment cannot be done for user with invalid usage location."
	inherited    = "User license is inherited from a group membership and it cannot be removed directly from the user."
	notHeld      = "User does not have a corresponding license."
	notCompany   = "License %s does not correspond to a valid company License."
	notGUID      = "Cannot convert a primitive value to the expected type 'Edm.Guid'. See the inner exception for more details."
	missingParam = "One or more parameters of the operation 'assignLicense' are missing from the request payload. The missing parameters are: %s."
)

// assign does all of it, or nothing and gives the message of what is wrong.
func (s *Server) assign(i int, add []Assignment, remove []string) (message string) {
	held := slices.Clone(s.held(i))
	before := enabled(s.content, held)
	for _, sku := range remove {
		if _, ok := s.content.offer(sku); !ok {
			return fmt.Sprintf(notCompany, sku)
		}
		of := func(a Assignment) bool { return a.SKU == sku }
		direct := func(a Assignment) bool { return a.SKU == sku && a.Group == "" }
		switch {
		case !slices.ContainsFunc(held, of):
			return notHeld
		case !slices.ContainsFunc(held, direct):
			return inherited
		}
		held = slices.DeleteFunc(held, direct)
	}
	for _, a := range add {
		o, ok := s.content.offer(a.SKU)
		if !ok {
			return fmt.Sprintf(notCompany, a.SKU)
		}
		if s.content.account(i).usageLocation == "" {
			return noLocation
		}
		if !seats(s.held(i))[a.SKU] && o.consumed+s.licensing.seats[a.SKU] >= o.units {
			return fmt.Sprintf(noSeats, a.SKU)
		}
		held = slices.DeleteFunc(held, func(h Assignment) bool { return h.SKU == a.SKU && h.Group == "" })
		a.Group, a.State, a.Error, a.Updated = "", "Active", "None", s.o.Clock().UTC()
		held = append(held, a)
	}
	if message = conflict(before, enabled(s.content, held)); message == "" {
		s.set(i, held)
	}
	return message
}

// dependencies are plans that do nothing without another, and exclusions pairs of
// which a user has one at the most.
var (
	dependencies = [][2]string{{"fe71d6c3-a2ea-4499-9778-da042bf08063", "5dbe027f-2339-4123-9542-606e4d348a72"}}
	exclusions   = [][2]string{{"4fa4026d-ce74-4962-a151-8e96d57ea8e4", "57ff2da0-773e-42df-b2af-ffb7a2317929"}}
)

// conflict is what a change would break that was not broken before.
func conflict(before, after map[string]bool) string {
	for _, d := range dependencies {
		broken := func(plans map[string]bool) bool { return plans[d[0]] && !plans[d[1]] }
		if broken(after) && !broken(before) {
			return fmt.Sprintf(dependency, d[0], d[1])
		}
	}
	for _, e := range exclusions {
		if after[e[0]] && after[e[1]] && !(before[e[0]] && before[e[1]]) {
			return fmt.Sprintf(exclusive, e[0], e[1])
		}
	}
	return ""
}

// enabled are the plans that some assignment leaves on.
func enabled(c content, held []Assignment) map[string]bool {
	plans := map[string]bool{}
	for _, a := range held {
		o, ok := c.offer(a.SKU)
		if !ok || !a.seat() {
			continue
		}
		for _, p := range o.plans {
			if !slices.Contains(a.Disabled, p) {
				plans[p] = true
			}
		}
	}
	return plans
}

// leave takes user i out of a group. It is false for who is no member: groups are
// known by the licences they give.
func (s *Server) leave(i int, group string) bool {
	by := func(a Assignment) bool { return a.Group == group }
	held := s.held(i)
	if !slices.ContainsFunc(held, by) {
		return false
	}
	var stay, gone []Assignment
	for _, a := range held {
		if by(a) {
			gone = append(gone, a)
		} else {
			stay = append(stay, a)
		}
	}
	s.set(i, stay)
	s.licensing.people[i].left[group] = gone
	return true
}

// join puts user i into a group: what it gave before it gives again. It is false for
// a member.
func (s *Server) join(i int, g Group) bool {
	held := s.held(i)
	if slices.ContainsFunc(held, func(a Assignment) bool { return a.Group == g.ID }) {
		return false
	}
	again := s.change(i).left[g.ID]
	if again == nil {
		again = g.Licenses
	}
	held = slices.Clone(held)
	for _, a := range again {
		a.Group, a.Updated = g.ID, s.o.Clock().UTC()
		a.State, a.Error = cmp.Or(a.State, "Active"), cmp.Or(a.Error, "None")
		if o, _ := s.content.offer(a.SKU); a.seat() && !seats(held)[a.SKU] && o.consumed+s.licensing.seats[a.SKU] >= o.units {
			a.State, a.Error = "Error", "CountViolation"
		}
		held = append(held, a)
	}
	s.set(i, held)
	delete(s.licensing.people[i].left, g.ID)
	return true
}
