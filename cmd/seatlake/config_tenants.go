package main

import (
	"errors"
	"io/fs"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

func (r *reader) tenants(p place) []Tenant {
	list := r.list(p)
	if len(list) == 0 {
		if !p.given() || p.Kind == yaml.SequenceNode {
			r.fault(p, "is missing: at least one tenant with name, id and auth")
		}
		return nil
	}
	tenants := make([]Tenant, len(list))
	names, ids := map[string]string{}, map[string]string{}
	for i, at := range list {
		keys := r.mapping(at, "name", "id", "cloud", "auth", "report_hosts")
		t := Tenant{
			Name:  r.tenantName(keys["name"]),
			ID:    r.directory(keys["id"]),
			Cloud: r.cloud(keys["cloud"]),
			Auth:  r.auth(keys["auth"]),

			ReportHosts: r.hosts(keys["report_hosts"]),
		}
		tenants[i] = t
		if first, ok := names[strings.ToLower(t.Name)]; ok && t.Name != "" {
			r.fault(keys["name"], "%s names two tenants; %s has it too", keys["name"].quote(), first)
		}
		names[strings.ToLower(t.Name)] = at.key
		if first, ok := ids[t.ID]; ok && t.ID != "" {
			r.fault(keys["id"], "is the directory of two tenants; %s has it too, and they would overwrite each other", first)
		}
		ids[t.ID] = at.key
	}
	return tenants
}

// hosts gives host names, each of which stands for those below it as well.
func (r *reader) hosts(p place) []string {
	var out []string
	for _, at := range r.list(p) {
		s, ok := r.required(at, "a host, such as reports.example.com")
		if !ok {
			continue
		}
		s = strings.ToLower(s)
		if !isDomain(s) {
			r.fault(at, "%s is not a host name; give it without scheme, port and path", at.quote())
		}
		out = append(out, s)
	}
	return out
}

func (r *reader) tenantName(p place) string {
	s, ok := r.required(p, "a short name of your choice, such as contoso")
	if ok && !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`).MatchString(s) {
		r.fault(p, "%s is not a name; up to 64 letters, digits, dots, dashes and underscores make one", p.quote())
	}
	return s
}

// directory gives a tenant's id: a GUID or a domain, in lower case.
func (r *reader) directory(p place) string {
	s, ok := r.required(p, "the directory (tenant) id, or a verified domain")
	if !ok {
		return ""
	}
	s = strings.ToLower(s)
	switch {
	case s == zeroGUID:
		r.fault(p, "is the placeholder of the sample; put the directory (tenant) id here")
	case isGUID(s), isDomain(s):
	case slices.Contains([]string{"common", "organizations", "consumers"}, s):
		r.fault(p, "%s stands for any directory; name the one to read, by id or verified domain", p.quote())
	default:
		r.fault(p, "%s is neither a GUID nor a domain", p.quote())
	}
	return s
}

const zeroGUID = "00000000-0000-0000-0000-000000000000"

// isGUID takes the lower-case text form alone.
func isGUID(s string) bool {
	return regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(s)
}

func isDomain(s string) bool {
	return len(s) <= 253 && !isAddress(s) &&
		regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`).MatchString(s)
}

func isAddress(s string) bool { return net.ParseIP(s) != nil }

// clouds are Microsoft's, with their roots.
func clouds() []Cloud {
	return []Cloud{
		{Name: "global", Graph: "https://graph.microsoft.com", Login: "https://login.microsoftonline.com"},
		{Name: "usgov", Graph: "https://graph.microsoft.us", Login: "https://login.microsoftonline.us"},
		{Name: "usgov-dod", Graph: "https://dod-graph.microsoft.us", Login: "https://login.microsoftonline.us"},
		{Name: "china", Graph: "https://microsoftgraph.chinacloudapi.cn", Login: "https://login.chinacloudapi.cn"},
	}
}

// cloud gives a cloud by its name or by its two roots; global when absent.
func (r *reader) cloud(p place) Cloud {
	if !p.given() {
		return clouds()[0]
	}
	if p.Kind == yaml.MappingNode {
		keys := r.mapping(p, "graph", "login", "limits")
		return Cloud{Graph: r.root(keys["graph"]), Login: r.root(keys["login"]), Limits: r.limits(keys["limits"])}
	}
	s, ok := r.text(p)
	if !ok {
		return Cloud{}
	}
	var names []string
	for _, c := range clouds() {
		if c.Name == s {
			return c
		}
		names = append(names, c.Name)
	}
	if guess, ok := closest(s, names); ok && s == p.Value {
		r.fault(p, "%s is not a cloud; did you mean %s?", p.quote(), guess)
	} else {
		r.fault(p, "%s is not a cloud; %s are, or {graph: URL, login: URL}", p.quote(), strings.Join(names, ", "))
	}
	return Cloud{}
}

// limits says whether Microsoft's limits are kept from the first request on at roots
// of one's own, or are found out.
func (r *reader) limits(p place) bool {
	switch s, ok := r.text(p); {
	case !ok, s == "learned":
		return false
	case s == "published":
		return true
	default:
		r.fault(p, "%s is neither published (Microsoft's limits are kept from the first request on) nor learned (from the first 429 on)", p.quote())
		return false
	}
}

// root gives the root URL of a server: https, or http on this machine.
func (r *reader) root(p place) string {
	s, ok := r.required(p, "the root URL; a cloud of your own needs both graph and login")
	if !ok {
		return ""
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http"):
		r.fault(p, "is not a URL; https://host is one")
	case u.User != nil:
		r.fault(p, "holds a user name or password; they have no place in a URL")
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery || (u.Path != "" && u.Path != "/"):
		r.fault(p, "has more than scheme and host; versions and paths are added to it")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		r.fault(p, "would send tokens unencrypted; http:// is for this machine's loopback address alone")
	default:
		return u.Scheme + "://" + strings.ToLower(u.Host)
	}
	return ""
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// reasonOf gives the reason of a file system's error without the path.
func reasonOf(err error) string {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	return err.Error()
}
