package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"seatlake/extract/graph"
	"seatlake/extract/graph/graphsim"
)

// TestErasedPeopleAreGoneFromTheLedger takes licences, delivers a feed, and erases a
// person whose licence was taken: the ledger is still whole, the money that was saved is
// still told, and nothing in ledger, feeds and marts names the person.
func TestErasedPeopleAreGoneFromTheLedger(t *testing.T) {
	tenant := serve(t, graphsim.Options{Seed: 9, Users: 10, Now: scriptNow, Grant: []string{graph.WriteLicenses}})
	l := newSimLake(t)
	l.configure(map[string]*simTenant{"contoso": tenant})
	sealed, _, rows := sealDirect(t, l, tenant)
	l.tell(t, "run", "--no-build")
	if out, err := l.reclaim("apply", "--immediate", sealed).CombinedOutput(); err != nil {
		t.Fatalf("apply: %v: %s", err, out)
	}
	const taken = "select plan_row, sku_id, state, taken_way, units_freed, annual_saving from reclaim_ledger order by plan_row"
	const feed = "servicenow-subscriptions"
	l.tell(t, "feed", feed, "-o", filepath.Join(l.dir, "out")+"/")
	before := l.tell(t, "query", taken, "--format", "csv")
	id := rows[0].UserID
	marks := append(l.marks(t, id), rows[0].UserPrincipalName)
	would := l.tell(t, "erase", "--user", id, "--dry-run")
	for _, layer := range []string{"_ledger/", "feeds/" + feed, "reclaim_ledger"} {
		if !strings.Contains(would, "rewrite "+layer) && !strings.Contains(would, "/"+layer+".parquet") {
			t.Errorf("nothing of %s names the person: the test shows nothing: %s", layer, would)
		}
	}

	l.tell(t, "erase", "--user", id, "--yes")
	l.doesNotHold(t, marks)
	l.ledgerIsWhole(t)
	if now := l.tell(t, "query", taken, "--format", "csv"); now != before {
		t.Errorf("the mart was\n%s\nand is\n%s", before, now)
	}

	// Marts that are built anew, entries that follow, and a feed that is compared with
	// what was delivered all go on from there.
	if out, err := l.reclaim("verify", sealed).CombinedOutput(); err != nil && !bytes.Contains(out, []byte("do not show")) {
		t.Errorf("verify: %v: %s", err, out)
	}
	l.tell(t, "feed", "diff", feed)
	if now := l.tell(t, "query", taken, "--format", "csv"); now != before {
		t.Errorf("built anew, the mart was\n%s\nand is\n%s", before, now)
	}
	l.ledgerIsWhole(t)
	if found, err := l.open().Check(t.Context()); err != nil || len(found) > 0 {
		t.Errorf("check: %v, %v", found, err)
	}
}

func (l simLake) ledgerIsWhole(t *testing.T) {
	t.Helper()
	out, err := l.reclaim("audit").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "is whole") {
		t.Errorf("audit: %v: %s", err, out)
	}
}
