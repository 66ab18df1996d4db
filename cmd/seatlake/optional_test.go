package main

import (
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seatlake/sql"
)

func TestTheModelsKnowWhichSourcesAreOptional(t *testing.T) {
	parts, err := newParts("")
	if err != nil {
		t.Fatal(err)
	}
	fed, err := parts.tables()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for source, tables := range fed {
		for _, name := range tables {
			_, switched := switchOf(source)
			want[name] = strconv.FormatBool(switched)
		}
	}
	seed, err := sql.Seed("coverage_sources", nil)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, row := range seed {
		if _, ok := want[row["table_name"]]; ok {
			got[row["table_name"]] = row["is_optional"]
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("coverage_sources (-jobs +seed):\n%s", diff)
	}
}
