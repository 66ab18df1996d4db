package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"seatlake/pipeline"

	"seatlake/load/lake"
)

func load(path string, env func(string) (string, bool), secrets bool) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		reason := reasonOf(err)
		if errors.Is(err, fs.ErrNotExist) {
			reason = "no such file; `seatlake init` writes one, -c names another"
		}
		return nil, &ConfigError{Err: err, Faults: []Fault{{File: path, Text: reason}}}
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, &ConfigError{Err: err, Faults: []Fault{{File: path, Text: err.Error()}}}
	}
	r := &reader{file: path, dir: dir, env: env, secrets: secrets}
	c := r.config(text)
	if len(r.faults) > 0 {
		slices.SortStableFunc(r.faults, func(a, b Fault) int { return cmp.Compare(a.Line, b.Line) })
		return nil, &ConfigError{Faults: r.faults}
	}
	if c.Catalog == "" {
		// What `catalog update` wrote beside a file that does not name it.
		if beside := filepath.Join(dir, defaultCatalog); isFile(beside) {
			c.Catalog = beside
		}
	}
	return c, nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// reader walks the YAML nodes of one file, so that each fault knows its line.
// After a fault it goes on with a zero value: nobody sees the result.
type reader struct {
	file    string
	dir     string // absolute, where relative paths begin
	env     func(string) (string, bool)
	secrets bool
	faults  []Fault
	notes   []string
}

// place is a node and its name. The node is nil when the file leaves the value
// out; line is then that of what should have held it.
type place struct {
	*yaml.Node
	key  string
	line int
	// private places never have their text quoted.
	private bool
}

func (p place) given() bool { return p.Node != nil }

func (r *reader) fault(p place, format string, args ...any) {
	r.faults = append(r.faults, Fault{File: r.file, Line: p.line, Key: p.key, Text: fmt.Sprintf(format, args...)})
}

func (r *reader) note(p place, text string) {
	r.notes = append(r.notes, Fault{File: r.file, Line: p.line, Key: p.key, Text: text}.String())
}

func (r *reader) config(text []byte) *Config {
	root, ok := r.parse(text)
	if !ok {
		return nil
	}
	keys := r.mapping(root, "lake", "tenants", "activity", "licenses", "inventory", "itam", "sources", "hr", "reclaim", "raw", "retain", "catalog", "duckdb", "parallel")
	c := &Config{
		Path:      r.file,
		Lake:      r.lake(keys["lake"]),
		Tenants:   r.tenants(keys["tenants"]),
		Activity:  r.activity(keys["activity"]),
		Licenses:  r.licenses(keys["licenses"]),
		Inventory: r.inventory(keys["inventory"]),
		ITAM:      r.itam(keys["itam"]),
		Off:       r.sources(keys["sources"]),
		HR:        r.hr(keys["hr"]),
		Reclaim:   r.reclaim(keys["reclaim"]),
		Raw:       r.raw(keys["raw"]),
		Retain:    r.versions(keys["retain"]),
		Catalog:   r.catalog(keys["catalog"]),
		DuckDB:    r.duckdb(keys["duckdb"]),
		Parallel:  r.parallel(keys["parallel"]),
	}
	if c.Activity.CountNonInteractive && slices.Contains(c.Off, pipeline.NonInteractiveSignIns) {
		r.fault(keys["activity"], "count_non_interactive_sign_ins counts what is not read; set sources.non_interactive_sign_ins to true as well")
	}
	c.setPermissions()
	c.Notes = r.notes
	return c
}

// parse gives the only document of a file; an empty file is an empty mapping.
func (r *reader) parse(text []byte) (place, bool) {
	var doc, second yaml.Node
	in := yaml.NewDecoder(bytes.NewReader(text))
	err := in.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return place{line: 1, Node: &yaml.Node{Kind: yaml.MappingNode, Line: 1}}, true
	}
	if err == nil && len(doc.Content) == 1 {
		if err = in.Decode(&second); errors.Is(err, io.EOF) {
			root := resolve(doc.Content[0])
			if root.Kind == yaml.ScalarNode && root.Tag == "!!null" { // nothing but comments
				root = &yaml.Node{Kind: yaml.MappingNode, Line: 1}
			}
			return place{line: root.Line, Node: root}, true
		}
		if err == nil {
			r.fault(place{line: second.Line}, "a second YAML document begins here; write one only")
			return place{}, false
		}
	}
	line, reason := 0, "is not a YAML document"
	if err != nil {
		line, reason = syntaxError(text, err)
	}
	r.fault(place{line: line}, "%s", reason)
	return place{}, false
}

// syntaxError gives the line of a YAML error, and its text without the pieces of
// the file that some of them quote.
func syntaxError(text []byte, err error) (line int, reason string) {
	reason = strings.TrimPrefix(err.Error(), "yaml: ")
	if m := regexp.MustCompile(`^line (\d+): (?s)(.*)`).FindStringSubmatch(reason); m != nil {
		line, _ = strconv.Atoi(m[1])
		reason = m[2]
	}
	if m := regexp.MustCompile(`^unknown anchor '(.*)'`).FindStringSubmatch(reason); m != nil {
		before, _, _ := bytes.Cut(text, []byte("*"+m[1]))
		line = 1 + bytes.Count(before, []byte("\n"))
	}
	switch {
	case strings.Contains(reason, "anchor"), strings.Contains(reason, "alphabetic or numeric"):
		reason = "a value that begins with * or & is an alias or anchor, and this one is not known; quote it if it is text"
	case strings.Contains(reason, "decode"):
		reason = "a value does not fit the !!type written before it; quote it if it is text"
	}
	return line, "YAML: " + reason
}

// resolve follows an alias to what it stands for.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias // an anchor never stands on an alias
	}
	return n
}

// mapping splits p into its keys and names those that are not allowed or written
// twice. A key that is absent or null is in the result without a node.
func (r *reader) mapping(p place, allowed ...string) map[string]place {
	keys := make(map[string]place, len(allowed))
	for _, key := range allowed {
		keys[key] = place{key: join(p.key, key), line: p.line, private: p.private}
	}
	for _, e := range r.entries(p) {
		known, ok := keys[e.name]
		if !ok {
			r.unknown(e, allowed)
			continue
		}
		known.Node, known.line = e.Node, e.line
		keys[e.name] = known
	}
	return keys
}

// entry is one key of a mapping with its value.
type entry struct {
	place
	name string
}

// entries gives the keys of a mapping in the file's order, each once.
func (r *reader) entries(p place) []entry {
	if !p.given() {
		return nil
	}
	if p.Kind != yaml.MappingNode {
		r.fault(p, "must be a mapping of keys to values, not %s", kind(p.Node))
		return nil
	}
	var out []entry
	lines := map[string]int{}
	for i := 0; i+1 < len(p.Content); i += 2 {
		name, value := p.Content[i], resolve(p.Content[i+1])
		at := place{key: p.key, line: name.Line, private: p.private}
		if name.Kind != yaml.ScalarNode {
			r.fault(at, "a key must be text, not %s", kind(name))
			continue
		}
		if name.Tag == "!!merge" {
			r.fault(at, "merge keys (<<) are not supported; write the values out")
			continue
		}
		at.key = join(p.key, strings.SplitN(name.Value, ":", 2)[0])
		if line, ok := lines[name.Value]; ok {
			r.fault(at, "is written twice; line %d has it too", line)
			continue
		}
		lines[name.Value] = name.Line
		if value.Kind == yaml.ScalarNode && value.Tag == "!!null" {
			value = nil
		}
		at.Node = value
		out = append(out, entry{at, name.Value})
	}
	return out
}

// unknown names a key that is not allowed. What follows a colon in it is a value
// that lacks its space, and is not repeated.
func (r *reader) unknown(e entry, allowed []string) {
	name, _, colon := strings.Cut(e.name, ":")
	switch guess, ok := closest(name, allowed); {
	case colon && ok:
		r.fault(e.place, "is not a key; a space is missing after the colon of %s", guess)
	case ok:
		r.fault(e.place, "is not a key; did you mean %s?", guess)
	default:
		r.fault(e.place, "is not a key; here are %s", strings.Join(allowed, ", "))
	}
}

// list gives the elements of a sequence.
func (r *reader) list(p place) []place {
	if !p.given() {
		return nil
	}
	if p.Kind != yaml.SequenceNode {
		r.fault(p, "must be a list, not %s", kind(p.Node))
		return nil
	}
	out := make([]place, len(p.Content))
	for i, n := range p.Content {
		n := resolve(n)
		out[i] = place{Node: n, key: fmt.Sprintf("%s[%d]", p.key, i), line: p.Content[i].Line, private: p.private}
	}
	return out
}

// text gives a scalar with its variables expanded, and false when there is none:
// it is absent, or a fault was named.
func (r *reader) text(p place) (string, bool) {
	if !p.given() {
		return "", false
	}
	if p.Kind != yaml.ScalarNode || p.Tag == "!!null" {
		r.fault(p, "must be a single value, not %s", kind(p.Node))
		return "", false
	}
	return r.expand(p)
}

// required is text that must be there and not be empty.
func (r *reader) required(p place, what string) (string, bool) {
	if !p.given() {
		r.fault(p, "is missing: %s", what)
		return "", false
	}
	s, ok := r.text(p)
	if ok && strings.TrimSpace(s) == "" {
		r.fault(p, "is empty: %s", what)
		return "", false
	}
	return s, ok
}

// expand replaces each ${NAME} by its value; $${ stands for ${ itself. Whatever
// the values hold is taken as it is.
func (r *reader) expand(p place) (string, bool) {
	var out strings.Builder
	ok := true
	for rest := p.Value; ; {
		before, after, found := strings.Cut(rest, "${")
		if !found {
			out.WriteString(rest)
			return out.String(), ok
		}
		if strings.HasSuffix(before, "$") {
			out.WriteString(before + "{")
			rest = after
			continue
		}
		out.WriteString(before)
		name, tail, closed := strings.Cut(after, "}")
		if !closed || !isVariable(name) {
			r.fault(p, "holds a ${ that no NAME and } follow; write $${ for the characters themselves")
			return "", false
		}
		value, set := r.env(name)
		if !set {
			r.fault(p, "the environment variable %s is not set", name)
			ok = false
		}
		out.WriteString(value)
		rest = tail
	}
}

func isVariable(s string) bool {
	for i, c := range []byte(s) {
		letter := c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// quote gives a value as the file has it, which is not what a variable in it
// stands for.
func (p place) quote() string {
	if p.private {
		return "the value"
	}
	const most = 80
	if len(p.Value) > most {
		return strconv.Quote(p.Value[:most]) + "..."
	}
	return strconv.Quote(p.Value)
}

// number gives an integer within bounds, or fallback when it is absent.
func (r *reader) number(p place, fallback, low, high int) int {
	s, ok := r.text(p)
	if !ok {
		return fallback
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		r.fault(p, "%s is not a whole number", p.quote())
		return fallback
	}
	if n < low || n > high {
		r.fault(p, "%s is out of range; from %d to %d is possible", p.quote(), low, high)
		return fallback
	}
	return n
}

// path gives a path made absolute, empty when it is absent.
func (r *reader) path(p place) string {
	s, ok := r.text(p)
	if !ok {
		return ""
	}
	if s == "" || strings.ContainsRune(s, 0) {
		r.fault(p, "is not a path; leave the key out to have none")
		return ""
	}
	if !filepath.IsAbs(s) {
		s = filepath.Join(r.dir, s)
	}
	return filepath.Clean(s)
}

// lake gives the lake's directory from a path or a file URL.
func (r *reader) lake(p place) string {
	if !p.given() {
		return filepath.Join(r.dir, "lake")
	}
	s, ok := r.text(p)
	if !ok {
		return ""
	}
	scheme, _, isURL := strings.Cut(s, "://")
	if !isURL {
		return r.path(p)
	}
	switch strings.ToLower(scheme) {
	case "file":
	case "s3", "azblob", "gs":
		r.fault(p, "a lake in a bucket (%s://) is not supported by this version; name a directory", strings.ToLower(scheme))
		return ""
	default:
		r.fault(p, "is a URL of an unknown kind; name a directory, or file:///path")
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Path == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || (u.Host != "" && u.Host != "localhost") {
		r.fault(p, "%s is not a file URL; write file:///path with an absolute path", p.quote())
		return ""
	}
	path := u.Path
	if filepath.VolumeName(path[1:]) != "" { // file:///C:/lake
		path = path[1:]
	}
	return filepath.Clean(filepath.FromSlash(path))
}

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

const maxDays = 3650 // ten years; beyond it a day count is a mistake

func (r *reader) activity(p place) Activity {
	keys := r.mapping(p, "threshold_days", "grace_days", "overrides", "count_non_interactive_sign_ins")
	a := Activity{
		ThresholdDays:       r.number(keys["threshold_days"], 60, 1, maxDays),
		GraceDays:           r.number(keys["grace_days"], 14, 0, maxDays),
		CountNonInteractive: r.truth(keys["count_non_interactive_sign_ins"], false),
		Overrides:           map[string]Override{},
	}
	for _, e := range r.entries(keys["overrides"]) {
		name := r.overrideKey(e)
		if _, ok := a.Overrides[name]; ok {
			r.fault(e.place, "is written twice in different words")
		}
		keys := r.mapping(e.place, "threshold_days", "grace_days")
		if !keys["threshold_days"].given() && !keys["grace_days"].given() {
			r.fault(e.place, "overrides nothing; give threshold_days, grace_days or both")
		}
		var o Override
		if p := keys["threshold_days"]; p.given() {
			o.ThresholdDays = new(r.number(p, 0, 1, maxDays))
		}
		if p := keys["grace_days"]; p.given() {
			o.GraceDays = new(r.number(p, 0, 0, maxDays))
		}
		a.Overrides[name] = o
	}
	return a
}

// services are the labels of the 11 services whose activity is measured.
func services() []string {
	return []string{
		"Microsoft Exchange Server", "OneDrive", "SharePoint", "Skype for Business", "Yammer", "Microsoft Teams",
		"Outlook", "Dynamics 365", "Power BI", "Project", "Visio",
	}
}

// overrideKey gives a service by its label and a SKU by its lower-case GUID or
// its part number. What looks like a service and is none is a fault: taken for a
// part number it would never match.
func (r *reader) overrideKey(e entry) string {
	key := strings.TrimSpace(e.name)
	if guid := strings.ToLower(key); isGUID(guid) {
		return guid
	}
	if strings.Contains(key, "*") || key == "" {
		r.fault(e.place, "must be one SKU id, part number or service; patterns are for licenses")
	}
	for _, label := range services() {
		if strings.EqualFold(key, label) {
			return label
		}
	}
	for _, label := range services() {
		words := strings.Fields(strings.ToLower(label))
		if bare(key) == bare(label) || slices.Contains(words, strings.ToLower(key)) {
			r.fault(e.place, "is not a service; did you mean %s?", label)
			break
		}
	}
	return key
}

// bare is a name without case, spaces and punctuation.
func bare(s string) string {
	return strings.Map(func(c rune) rune {
		if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' {
			return c
		}
		return -1
	}, strings.ToLower(s))
}

func (r *reader) licenses(p place) Licenses {
	keys := r.mapping(p, "include", "exclude", "terms")
	l := Licenses{Include: []string{"*"}, Exclude: r.patterns(keys["exclude"])}
	if include := keys["include"]; include.given() {
		l.Include = r.patterns(include)
		if len(include.Content) == 0 && include.Kind == yaml.SequenceNode {
			r.fault(include, `is empty, so that no licence would be managed; leave it out, or write ["*"]`)
		}
	}
	l.Terms = r.path(keys["terms"])
	return l
}

func (r *reader) patterns(p place) []string {
	var out []string
	for _, at := range r.list(p) {
		s, ok := r.required(at, "a SKU id, a part number with *, or class:free and the like")
		if !ok {
			continue
		}
		classes := []string{"paid", "free", "trial", "capacity"}
		if class, ok := strings.CutPrefix(strings.ToLower(s), "class:"); ok {
			s = "class:" + class
			if !slices.Contains(classes, class) {
				r.fault(at, "%s is not a licence class; class: goes with %s", at.quote(), strings.Join(classes, ", "))
			}
		}
		if guid := strings.ToLower(s); isGUID(guid) {
			s = guid
		}
		out = append(out, s)
	}
	return out
}

// sources gives the optional sources that are not read.
func (r *reader) sources(p place) []string {
	known := slices.Sorted(maps.Keys(optionalSources))
	values := r.mapping(p, known...)
	var off []string
	for _, key := range known {
		if o := optionalSources[key]; !r.truth(values[key], o.wanted) {
			off = append(off, o.source)
		}
	}
	return off
}

// truth gives true or false.
func (r *reader) truth(p place, fallback bool) bool {
	switch s, ok := r.text(p); {
	case !ok:
		return fallback
	case s == "true", s == "false":
		return s == "true"
	default:
		r.fault(p, "%s is neither true nor false", p.quote())
		return fallback
	}
}

func (r *reader) raw(p place) Raw {
	keys := r.mapping(p, "retain", "resume_within")
	return Raw{
		Retain:       r.retention(keys["retain"], 30*24*time.Hour, "keeps nothing"),
		ResumeWithin: r.retention(keys["resume_within"], 6*time.Hour, "takes up no run"),
	}
}

// versions reads how long old versions stay. The defaults are those of somebody who
// has not thought about it: more than a year, and a month of daily runs in any case.
func (r *reader) versions(p place) lake.Retention {
	const day = 24 * time.Hour
	keys := r.mapping(p, "versions", "age", "grace")
	return lake.Retention{
		Versions: r.number(keys["versions"], 30, 1, 1_000_000),
		Age:      r.retention(keys["age"], 400*day, "keeps by their number alone"),
		Grace:    r.retention(keys["grace"], 2*day, "lets the next prune remove what this one marks"),
	}
}

func (r *reader) retention(p place, otherwise time.Duration, zero string) time.Duration {
	s, ok := r.text(p)
	if !ok {
		return otherwise
	}
	d, err := parseRetention(s)
	if err != nil {
		r.fault(p, "%s %v; 30d and 12h are durations, 0 %s", p.quote(), err, zero)
	}
	return d
}

// parseRetention takes whole weeks and days before Go's own units: 2w, 30d, 1d12h.
func parseRetention(s string) (time.Duration, error) {
	const most = 100 * 365 * 24 * time.Hour
	if s == "0" {
		return 0, nil
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return 0, errors.New("has no unit")
	}
	m := regexp.MustCompile(`^(?:(\d{1,5})w)?(?:(\d{1,5})d)?(\d.*)?$`).FindStringSubmatch(s)
	if m == nil || s == "" {
		return 0, errors.New("is not a duration")
	}
	weeks, _ := strconv.Atoi(m[1]) // no digits are zero
	days, _ := strconv.Atoi(m[2])
	var rest time.Duration
	if m[3] != "" {
		var err error
		if rest, err = time.ParseDuration(m[3]); err != nil {
			return 0, errors.New("is not a duration")
		}
	}
	const day = 24 * time.Hour
	if whole := time.Duration(7*weeks + days); whole > most/day || rest > most-whole*day {
		return 0, errors.New("is longer than a hundred years")
	}
	return time.Duration(7*weeks+days)*day + rest, nil
}

// catalog gives the catalogue's path. The file may be missing: the command that
// writes it asks here where.
func (r *reader) catalog(p place) string {
	path := r.path(p)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		r.fault(p, "is a directory; name a file in it")
	}
	return path
}

func (r *reader) parallel(p place) Parallel {
	return Parallel{Tenants: r.number(r.mapping(p, "tenants")["tenants"], 4, 1, 64)}
}

func (r *reader) duckdb(p place) DuckDB {
	keys := r.mapping(p, "memory_limit", "threads")
	d := DuckDB{MemoryLimit: "1GB", Threads: r.number(keys["threads"], 0, 1, 1024)}
	if s, ok := r.text(keys["memory_limit"]); ok {
		d.MemoryLimit = s
		if !regexp.MustCompile(`^[1-9]\d{0,8}(\.\d+)? ?[KMGT]i?B$`).MatchString(s) {
			r.fault(keys["memory_limit"], "%s is not an amount of memory; 512MB, 1GB and 2GiB are", keys["memory_limit"].quote())
		}
	}
	return d
}

// kind names a node for people.
func kind(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "nothing"
	}
	return "a single value"
}

func join(parent, key string) string {
	if parent == "" {
		return key
	}
	return parent + "." + key
}

// closest gives the word that a misspelt one most likely meant: at most a third
// of its letters differ.
func closest(word string, among []string) (string, bool) {
	best, found := max(1, len(word)/3)+1, ""
	for _, candidate := range among {
		if d := distance(strings.ToLower(word), candidate); d < best {
			best, found = d, candidate
		}
	}
	return found, found != ""
}

// distance counts the insertions, deletions and replacements between two words.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			row[j+1] = min(replaced, above+1, row[j]+1)
			diagonal = above
		}
	}
	return row[len(b)]
}
