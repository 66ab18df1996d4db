package main

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"seatlake/load/reclaim"
)

// ReclaimPolicy is how licences are taken back. Every default is the careful one.
type ReclaimPolicy struct {
	Limits        reclaim.Limits
	MinConfidence string        // low, medium or high
	Expires       time.Duration // how old a plan may be that is acted on

	Waiting reclaim.Policy

	StopAfter    int // failed rows after which a run may stop
	FailureShare int // basis points of the rows that have to have failed for it
}

var policyKeys = []string{
	"max_share", "max_licenses", "min_confidence", "expires", "wait", "no_answer", "second_approval", "stop_after_failures", "max_failure_share",
}

// reclaimPolicy reads the keys of the section reclaim that are about acting.
func (r *reader) reclaimPolicy(keys map[string]place) ReclaimPolicy {
	p := ReclaimPolicy{
		Limits:        reclaim.Limits{Share: r.share(keys["max_share"], 500), Licenses: r.number(keys["max_licenses"], 500, 1, 1_000_000)},
		MinConfidence: r.word(keys["min_confidence"], "medium", reclaim.Confidences()...),
		Expires:       r.retention(keys["expires"], 14*24*time.Hour, "lets no plan be acted on"),
		StopAfter:     r.number(keys["stop_after_failures"], 3, 1, 1_000_000),
		FailureShare:  r.share(keys["max_failure_share"], 2000),
	}
	p.Waiting = reclaim.Policy{
		Wait:           r.retention(keys["wait"], 5*24*time.Hour, "waits for no answer"),
		TakeUnanswered: r.word(keys["no_answer"], "keep", "keep", "take") == "take",
		SecondApproval: r.word(keys["second_approval"], "false", "true", "false") == "true",
	}
	return p
}

// word is one of some words.
func (r *reader) word(p place, otherwise string, words ...string) string {
	s, ok := r.text(p)
	switch {
	case !ok:
		return otherwise
	case !slices.Contains(words, s):
		r.fault(p, "%s is not known; it is %s", p.quote(), strings.Join(words, " or "))
	}
	return s
}

// share is a share in basis points.
func (r *reader) share(p place, otherwise int) int {
	s, ok := r.text(p)
	if !ok {
		return otherwise
	}
	points, ok := parseShare(s)
	if !ok {
		r.fault(p, "%s is not a share; 5%% and 0.05 are", p.quote())
	}
	return points
}

var shareForm = regexp.MustCompile(`^(\d{1,3})(?:\.(\d{1,4}))? ?(%)?$`)

// parseShare takes 5%, 2.5% or 0.05, exactly, and gives basis points. What is finer,
// or more than all, is none.
func parseShare(s string) (points int, ok bool) {
	m := shareForm.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return 0, false
	}
	digits := 4
	if m[3] != "" {
		digits = 2
	}
	fraction := strings.TrimRight(m[2], "0")
	if len(fraction) > digits {
		return 0, false
	}
	points, err := strconv.Atoi(m[1] + fraction + strings.Repeat("0", digits-len(fraction)))
	return points, err == nil && points <= 10_000
}
