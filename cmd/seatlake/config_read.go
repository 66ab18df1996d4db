package main

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"seatlake/load/lake"
	"seatlake/pipeline"
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

func (r *reader) config(text []byte) *Config {
	root, ok := r.parse(text)
	if !ok {
		return nil
	}
	keys := r.mapping(root, "lake", "work_dir", "mirror", "tenants", "activity", "licenses", "inventory", "itam", "sources", "hr", "reclaim", "raw", "retain", "catalog", "duckdb", "parallel", "privacy")
	c := &Config{
		Path:      r.file,
		Lake:      r.lake(keys["lake"]),
		WorkDir:   r.workDir(keys["work_dir"], keys["lake"]),
		Mirror:    r.mirror(keys["mirror"]),
		Tenants:   r.tenants(keys["tenants"]),
		Activity:  r.activity(keys["activity"]),
		Licenses:  r.licenses(keys["licenses"]),
		Inventory: r.inventory(keys["inventory"]),
		ITAM:      r.itam(keys["itam"]),
		Off:       r.sources(keys["sources"]),
		HR:        r.hr(keys["hr"]),
		Reclaim:   r.reclaim(keys["reclaim"]),
		Raw:       r.raw(keys["raw"]),
		Catalog:   r.catalog(keys["catalog"]),
		DuckDB:    r.duckdb(keys["duckdb"]),
		Parallel:  r.parallel(keys["parallel"]),
		Privacy:   r.privacy(keys["privacy"]),
	}
	c.Retain, c.KeepSnapshots = r.versions(keys["retain"])
	if c.Activity.CountNonInteractive && slices.Contains(c.Off, pipeline.NonInteractiveSignIns) {
		r.fault(keys["activity"], "count_non_interactive_sign_ins counts what is not read; set sources.non_interactive_sign_ins to true as well")
	}
	c.setPermissions()
	c.Notes = r.notes
	return c
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

func (r *reader) raw(p place) Raw {
	keys := r.mapping(p, "retain", "resume_within")
	return Raw{
		Retain:       r.retention(keys["retain"], 30*24*time.Hour, "keeps nothing"),
		ResumeWithin: r.retention(keys["resume_within"], 6*time.Hour, "takes up no run"),
	}
}

// versions reads how long old versions stay. The defaults are those of somebody who
// has not thought about it: more than a year, and a month of daily runs in any case.
func (r *reader) versions(p place) (versions lake.Retention, snapshots time.Duration) {
	const day = 24 * time.Hour
	keys := r.mapping(p, "versions", "age", "grace", "snapshots")
	return lake.Retention{
		Versions: r.number(keys["versions"], 30, 1, 1_000_000),
		Age:      r.retention(keys["age"], 400*day, "keeps by their number alone"),
		Grace:    r.retention(keys["grace"], 2*day, "lets the next prune remove what this one marks"),
	}, r.retention(keys["snapshots"], 35*day, "keeps all")
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
