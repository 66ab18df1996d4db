package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seatlake/extract/graph/graphsim"
	"seatlake/pipeline"
	"seatlake/schemas"
)

// What configurations say to read the sign-ins of clients, and to count them.
const (
	readClients  = "sources: {non_interactive_sign_ins: true}\n"
	countClients = "activity: {count_non_interactive_sign_ins: true}\n"
)

// withNonInteractive appends what reads the sign-ins of clients to a configuration.
func withNonInteractive(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(readClients); err != nil {
		t.Fatal(err)
	}
}

// watermark is where a source was read to, as the newest commit has it; "" for never.
func (l simLake) watermark(source string) string {
	l.t.Helper()
	s, err := l.open().Snapshot(l.t.Context(), 0)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, states := range s.State {
		if raw, ok := states[source]; ok {
			var mark pipeline.Watermark
			if err := json.Unmarshal(raw, &mark); err != nil {
				l.t.Fatal(err)
			}
			return mark.Through.Format(time.RFC3339)
		}
	}
	return ""
}

// TestEachLogOfSignInsHasItsWatermark lets one log be refused for a day: the other's
// watermark moves, and the day after both are whole, with each sign-in once.
func TestEachLogOfSignInsHasItsWatermark(t *testing.T) {
	tenant := func(day int, faults ...graphsim.Fault) *simTenant {
		return serve(t, graphsim.Options{
			Seed: 5, Users: 40, SignIns: 90, NonInteractiveSignIns: 900, PageSize: 16, Now: scriptNow.AddDate(0, 0, day), Faults: faults,
		})
	}
	tables := map[string]string{
		pipeline.SignIns:               schemas.GraphSignIns.Name,
		pipeline.NonInteractiveSignIns: schemas.GraphNonInteractiveSignIns.Name,
	}
	for name, c := range map[string]struct {
		refused string // source
		fault   graphsim.Fault
		state   pipeline.State
	}{
		"the log of clients is denied":                      {pipeline.NonInteractiveSignIns, graphsim.Fault{Kind: graphsim.Forbidden, Page: 1}, pipeline.Denied},
		"the log of clients does not answer":                {pipeline.NonInteractiveSignIns, graphsim.Fault{Kind: graphsim.Unavailable, Page: 1, Times: -1}, pipeline.Missing},
		"the log of clients breaks off behind its 2nd page": {pipeline.NonInteractiveSignIns, graphsim.Fault{Kind: graphsim.Forbidden, Page: 3}, pipeline.Missing},
		"the log of users is denied":                        {pipeline.SignIns, graphsim.Fault{Kind: graphsim.Forbidden, Page: 1}, pipeline.Denied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newSimLake(t)
			run := func(day int, tenant *simTenant, want int) {
				t.Helper()
				l.configure(map[string]*simTenant{"contoso": tenant})
				withNonInteractive(t, filepath.Join(l.dir, "seatlake.yaml"))
				now := scriptNow.AddDate(0, 0, day)
				if status, stderr := l.run(t.Context(), func() time.Time { return now }); status != want {
					t.Fatalf("day %d: status %d, want %d: %s", day, status, want, stderr)
				}
				l.whole(t.Context())
			}
			marks := func() map[string]string {
				return map[string]string{pipeline.SignIns: l.watermark(pipeline.SignIns), pipeline.NonInteractiveSignIns: l.watermark(pipeline.NonInteractiveSignIns)}
			}
			day := func(n int) string { return scriptNow.AddDate(0, 0, n).Format(time.RFC3339) }

			run(0, tenant(0), exitComplete)
			if diff := cmp.Diff(map[string]string{pipeline.SignIns: day(0), pipeline.NonInteractiveSignIns: day(0)}, marks()); diff != "" {
				t.Errorf("day 0 (-want +got):\n%s", diff)
			}
			before := l.sums(t.Context())

			c.fault.Source = c.refused
			run(1, tenant(1, c.fault), exitGaps)
			want := map[string]string{pipeline.SignIns: day(1), pipeline.NonInteractiveSignIns: day(1)}
			want[c.refused] = day(0)
			if diff := cmp.Diff(want, marks()); diff != "" {
				t.Errorf("day 1 (-want +got):\n%s", diff)
			}
			s, err := l.open().Snapshot(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range s.Coverage {
				state := pipeline.Complete
				if row.Table == tables[c.refused] {
					state = c.state
				}
				if row.State != state {
					t.Errorf("day 1: %s is %s, want %s: %s", row.Table, row.State, state, row.Reason)
				}
			}
			after := l.sums(t.Context())
			for key, sums := range before {
				if strings.Contains(key, tables[c.refused]) && !cmp.Equal(sums, after[key]) {
					t.Errorf("%s changed though its log was refused", key)
				}
			}

			run(2, tenant(2), exitComplete)
			if diff := cmp.Diff(map[string]string{pipeline.SignIns: day(2), pipeline.NonInteractiveSignIns: day(2)}, marks()); diff != "" {
				t.Errorf("day 2 (-want +got):\n%s", diff)
			}
			whole := newSimLake(t)
			whole.configure(map[string]*simTenant{"contoso": tenant(2)})
			withNonInteractive(t, filepath.Join(whole.dir, "seatlake.yaml"))
			at := scriptNow.AddDate(0, 0, 2)
			if status, stderr := whole.run(t.Context(), func() time.Time { return at }); status != exitComplete {
				t.Fatalf("status %d: %s", status, stderr)
			}
			// The newer tenant is drawn anew, so only what was read of it can be compared.
			again := newestDays(l.rows(t.Context()), at.AddDate(0, 0, -2))
			if diff := cmp.Diff(newestDays(whole.rows(t.Context()), at.AddDate(0, 0, -2)), again); diff != "" {
				t.Errorf("sign-ins of the last days (-whole +got):\n%s", diff)
			}
			for _, table := range tables {
				if !slices.ContainsFunc(slices.Collect(maps.Keys(again)), func(key string) bool { return strings.Contains(key, table+" ") }) {
					t.Errorf("%s has no rows to compare", table)
				}
			}
		})
	}
}

// newestDays are the rows of the logs of sign-ins from a day on.
func newestDays(rows map[string][]string, from time.Time) map[string][]string {
	out := map[string][]string{}
	for key, values := range rows {
		if _, day, ok := strings.Cut(key, "sign_ins "); ok && day >= from.Format(time.DateOnly) {
			out[key] = values
		}
	}
	return out
}

// TestSignInsOfClientsLeaveTheRestAlone compares lakes with and without them.
func TestSignInsOfClientsLeaveTheRestAlone(t *testing.T) {
	s := serve(t, graphsim.Options{Seed: 5, Users: 40, SignIns: 90, NonInteractiveSignIns: 150, PageSize: 16, Now: scriptNow})
	without, with := newSimLake(t), newSimLake(t)
	for _, l := range []simLake{without, with} {
		l.configure(map[string]*simTenant{"contoso": s})
	}
	run := func(l simLake) (asked int) {
		t.Helper()
		before := len(s.log(t))
		if status, stderr := l.run(t.Context(), func() time.Time { return scriptNow }); status != exitComplete {
			t.Fatalf("status %d: %s", status, stderr)
		}
		l.whole(t.Context())
		for _, r := range s.log(t)[before:] {
			if strings.Contains(r.Query, "nonInteractiveUser") {
				asked++
			}
		}
		return asked
	}
	if n := run(without); n > 0 {
		t.Errorf("%d requests were sent for what is not asked for", n)
	}
	withNonInteractive(t, filepath.Join(with.dir, "seatlake.yaml"))
	if n := run(with); n < 150/16 {
		t.Errorf("%d requests were sent", n)
	}
	got, rows := with.sums(t.Context()), 0
	ids := map[string]bool{}
	for key, lines := range with.rows(t.Context()) {
		if !strings.Contains(key, schemas.GraphNonInteractiveSignIns.Name) {
			continue
		}
		delete(got, key)
		for _, line := range lines {
			rows++
			ids[line] = true
		}
	}
	if rows != 150 || len(ids) != rows {
		t.Errorf("%d rows of %d sign-ins, want 150", rows, len(ids))
	}
	if diff := cmp.Diff(without.sums(t.Context()), got); diff != "" {
		t.Errorf("other files (-without +with):\n%s", diff)
	}
}

// TestMartsCountSignInsOfClients compares marts with the tenant's truth: sign-ins of
// clients are use where they are counted, and change nothing where they are only read.
func TestMartsCountSignInsOfClients(t *testing.T) {
	o := graphsim.Options{Seed: 16, Users: 200, SignIns: 600, NonInteractiveSignIns: 2500, Now: scriptNow}
	tenant, err := graphsim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	differ := 0
	counted := truthServices(tenant.Truth().CountingClients())
	for i, row := range truthServices(tenant.Truth()) {
		if !cmp.Equal(row, counted[i]) {
			differ++
		}
	}
	if differ == 0 {
		t.Fatal("no service's last activity is a sign-in of a client, so comparing proves nothing")
	}
	for name, c := range map[string]struct {
		config []string
		truth  *graphsim.Truth
	}{
		"counted":   {[]string{readClients, countClients}, tenant.Truth().CountingClients()},
		"only read": {[]string{readClients}, tenant.Truth()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lake := runAgainst(t, tenant, c.config...)
			compareMart(t, lake, "users", []string{"user_id"}, truthUsers(c.truth))
			compareMart(t, lake, "service_activity", []string{"user_id", "service"}, truthServices(c.truth))
			compareMart(t, lake, "license_assignments", []string{"user_id", "sku_id"}, truthAssignments(c.truth))
			compareMart(t, lake, "license_positions", []string{"sku_id"}, truthPositions(c.truth))
		})
	}
}
