package graphsim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// access is what an access token is good for.
type access struct {
	expires time.Time
	person  bool
	scopes  []string // of a person's token
}

// signingIn are the scopes that are about signing in, and no permission of Graph's.
var signingIn = []string{"offline_access", "openid", "profile", "email"}

const everyPermission = ".default"

// asks reads the parameter scope: the permissions it names in Graph, or
// everyPermission alone for all that were consented to. A person may ask by name, with
// Graph's address or without; an application for everyPermission only.
func (s *Server) asks(scope string, person bool) (names []string, refused *loginRefusal) {
	for _, name := range strings.Fields(scope) {
		short := name
		for _, root := range []string{s.GraphURL + "/", "https://graph.microsoft.com/"} {
			short = strings.TrimPrefix(short, root)
		}
		bare := short == name
		switch {
		case person && slices.Contains(signingIn, name):
		case strings.Contains(short, "/"), bare && (!person || short == everyPermission):
			return nil, &loginRefusal{http.StatusBadRequest, 70011, "invalid_scope", "",
				fmt.Sprintf("The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope %s is not valid.", scope)}
		case !person && short != everyPermission:
			return nil, &loginRefusal{http.StatusBadRequest, 1002012, "invalid_scope", "",
				fmt.Sprintf("The provided value for scope %s is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).", scope)}
		case short != everyPermission && !slices.Contains(permissions, short) && !slices.Contains(grantable, short):
			return nil, &loginRefusal{http.StatusBadRequest, 650053, "invalid_client", "",
				fmt.Sprintf("The application 'seatlake' asked for scope '%s' that doesn't exist on the resource '00000003-0000-0000-c000-000000000000'. Contact the app vendor.", short)}
		default:
			names = append(names, short)
		}
	}
	if len(names) == 0 || len(names) > 1 && slices.Contains(names, everyPermission) {
		return nil, &loginRefusal{http.StatusBadRequest, 70011, "invalid_scope", "",
			fmt.Sprintf("The provided value for the input parameter 'scope' is not valid. The scope %s is not valid: .default scope can't be combined with resource-specific scopes.", scope)}
	}
	return names, nil
}

// consented are the permissions that an administrator, or who signed in, has consented
// to.
func (s *Server) consented() []string {
	s.mu.Lock()
	own := slices.Clone(s.persons.consents)
	s.mu.Unlock()
	out := append(s.granted(), own...)
	slices.Sort(out)
	return slices.Compact(out)
}

// unconsented are those of some permissions that nobody has consented to. At the page of
// the login host the person is asked about them first, and consents to those of
// Logins.Consents for good.
func (s *Server) unconsented(names []string, asked bool) (missing []string) {
	consents := s.logins().Consents
	for _, name := range names {
		switch {
		case name == everyPermission || slices.Contains(s.consented(), name):
		case asked && slices.Contains(consents, name):
			s.mu.Lock()
			s.persons.consents = append(s.persons.consents, name)
			s.mu.Unlock()
		default:
			missing = append(missing, name)
		}
	}
	return missing
}

// scopesOf are the scopes of an access token that was asked for so.
func (s *Server) scopesOf(names []string) []string {
	if slices.Contains(names, everyPermission) || s.logins().WideTokens {
		return s.consented()
	}
	return names
}

// mays says that the token of a request is good for a permission.
func (s *Server) mays(r *http.Request, permission string) bool {
	s.mu.Lock()
	a := s.tokens[bearer(r)]
	s.mu.Unlock()
	if a.person {
		return slices.Contains(a.scopes, permission)
	}
	return s.allows(permission)
}

func bearer(r *http.Request) string {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return token
}
