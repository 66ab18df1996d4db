package main

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAListIsEditedAndAllElseStays(t *testing.T) {
	const a, b = "FLOW_FREE", "class:trial"
	for name, c := range map[string]struct{ text, want string }{
		"a list on one line": {
			"lake: ./lake # here\n\nlicenses:\n  include: [\"*\"]\n  exclude: []   # none yet\n\nraw: {retain: 30d}\n",
			"lake: ./lake # here\n\nlicenses:\n  include: [\"*\"]\n  exclude: [\"FLOW_FREE\", \"class:trial\"]   # none yet\n\nraw: {retain: 30d}\n",
		},
		"a list in a mapping on one line": {
			"licenses: {include: [\"*\"], exclude: ['X, [Y]', \"Z\"], terms: t.csv} # ä\n",
			"licenses: {include: [\"*\"], exclude: [\"FLOW_FREE\", \"class:trial\"], terms: t.csv} # ä\n",
		},
		"a mapping on one line without the list": {
			"licenses: {terms: t.csv}\n",
			"licenses: {exclude: [\"FLOW_FREE\", \"class:trial\"], terms: t.csv}\n",
		},
		"an item on each line": {
			"licenses:\n    exclude:\n      # what nobody buys\n      - flow_free # free\n      - POWER_BI_STANDARD # free too\n    # the end\n    terms: t.csv\n",
			"licenses:\n    exclude:\n      # what nobody buys\n      - flow_free # free\n      - \"class:trial\"\n    # the end\n    terms: t.csv\n",
		},
		"a file without the section": {
			"lake: ./lake",
			"lake: ./lake\nlicenses:\n  exclude: [\"FLOW_FREE\", \"class:trial\"]\n",
		},
		"a section without anything": {
			"licenses:\nlake: ./lake\n",
			"licenses:\n  exclude: [\"FLOW_FREE\", \"class:trial\"]\nlake: ./lake\n",
		},
		"a section without the list": {
			"licenses:\n   # of money\n   terms: t.csv\nlake: ./lake\n",
			"licenses:\n   # of money\n   exclude: [\"FLOW_FREE\", \"class:trial\"]\n   terms: t.csv\nlake: ./lake\n",
		},
		"a list without a value": {
			"licenses:\n  exclude: # later\n  terms: t.csv\n",
			"licenses:\n  exclude: [\"FLOW_FREE\", \"class:trial\"] # later\n  terms: t.csv\n",
		},
		"lines that end as on Windows": {
			"licenses:\r\n  exclude:\r\n  - FLOW_FREE\r\nlake: x\r\n",
			"licenses:\r\n  exclude:\r\n  - FLOW_FREE\r\n  - \"class:trial\"\r\nlake: x\r\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := []string{a, b}
			if name == "an item on each line" {
				want[0] = "flow_free"
			}
			got, err := setPatterns([]byte(c.text), "exclude", want)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Errorf("text differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAListThatCannotBeEditedSafelyIsLeftAlone(t *testing.T) {
	for name, text := range map[string]string{
		"an alias":         "x: &x [A]\nlicenses:\n  exclude: *x\n",
		"comments within":  "licenses:\n  exclude: [A, # why\n    B]\n",
		"a quoted key":     "licenses:\n  \"exclude\":\n",
		"no list at all":   "licenses:\n  exclude: {A: 1}\n",
		"an item on lines": "licenses:\n  exclude:\n  - \"A\n    B\"\n  - C\n",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := setPatterns([]byte(text), "exclude", []string{"C"}); !errors.Is(err, errByHand) {
				t.Errorf("error %v, text %q", err, got)
			}
		})
	}
}
