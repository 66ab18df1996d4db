package graphsim

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// manager is the property of a user that is there only when it is expanded.
const manager = "manager"

// expansion is an $expand of managers.
type expansion struct {
	selected []string // nil for the default properties
	named    user     // the manager that is being written
}

var expandOption = regexp.MustCompile(`^(\w+)(?:\(\$select=([\w,]+)\))?$`)

// expand reads $expand of users. When Graph refuses it, it says so with a code and a
// message.
func (s *Server) expand(v string) (x *expansion, code, message string) {
	m := expandOption.FindStringSubmatch(v)
	if m == nil {
		return nil, "BadRequest", "Parsing OData Select and Expand failed: Syntax error in '" + v + "'."
	}
	if m[1] != manager || s.o.NoExpand {
		return nil, "ExpandNotSupported", fmt.Sprintf("Expand is not allowed for property '%s' according to the entity schema.", strings.ToUpper(m[1][:1])+m[1][1:])
	}
	x = new(expansion)
	if m[2] != "" {
		x.selected = strings.Split(m[2], ",")
	}
	return x, "", ""
}

// boss is a user's manager; the zero value is none.
type boss struct {
	index   int
	id      [16]byte
	contact bool // an organisational contact, which is not among the users
}

// bossOf draws a tree. Ten users are a team, ten teams a department, and so on; the
// first employee of each leads it and answers to whom leads the next larger one. The
// first of all, guests, rooms and shared mailboxes answer to nobody, and some to a
// contact.
func (t *Tenant) bossOf(i int) boss {
	p := t.person(i)
	if p.guest || p.room {
		return boss{}
	}
	if t.every(i, 53, forManager) {
		r := newRandom(t.o.Seed, forManager, uint64(i)/200)
		return boss{index: -1, id: r.guid(), contact: true}
	}
	for size := 10; ; size *= 10 {
		head := t.headOf(i/size*size, size)
		if head != i {
			ids := newRandom(t.o.Seed, forID, uint64(head))
			return boss{index: head, id: ids.guid()}
		}
		if size >= t.o.Users {
			return boss{}
		}
	}
}

// headOf is the first employee of those from an index on. There is one whenever an
// employee is among them.
func (t *Tenant) headOf(from, size int) int {
	for i := from; i < min(from+size, t.o.Users); i++ {
		if p := t.person(i); !p.guest && !p.room {
			return i
		}
	}
	return from
}

// write writes the manager of a user. Of a contact, Graph knows no sign-in name.
func (x *expansion) write(t *Tenant, w *text, u *user) {
	wants := func(name string) bool { return x.selected == nil || slices.Contains(x.selected, name) }
	named, kind := &x.named, "user"
	if u.boss.contact {
		*named, kind = user{display: "Board of directors"}, "orgContact"
	} else {
		t.identity(named, u.boss.index)
	}
	w.raw(`{"@odata.type":"#microsoft.graph.` + kind + `"`)
	if wants("id") {
		w.raw(`,"id":`)
		w.guid(u.boss.id)
	}
	if wants("displayName") {
		w.raw(`,"displayName":`)
		w.strOrNull(named.display)
	}
	if wants("userPrincipalName") && !u.boss.contact {
		w.raw(`,"userPrincipalName":`)
		w.str(named.upn)
	}
	w.byte('}')
}
