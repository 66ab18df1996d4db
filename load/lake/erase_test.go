package lake

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"seatlake/pipeline"
	"seatlake/pipeline/pipelinetest"
	"seatlake/schemas"
)

const adaID, bobID = "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "3f2504e0-4f89-11d3-9a0c-0305e82c3302"

func ada() *person {
	p := &person{ID: adaID}
	p.add(schemas.SignInName, "Ada.O'Neil@contoso.com", "2026-11-20")
	p.add(schemas.Address, "smtp:ada@contoso.com", "2026-11-20")
	p.add(schemas.EmployeeNumber, "1007", "2026-11-20")
	p.add(schemas.AccountName, `CONTOSO\aoneil`, "2026-11-20")
	return p
}

func TestEraseJSON(t *testing.T) {
	for name, c := range map[string]struct{ in, out string }{
		"an element and the comma behind it": {
			`{"value": [ {"id":"` + adaID + `"} , {"id":"` + bobID + `","n":1e5}], "x":1}`,
			`{"value": [ {"id":"` + bobID + `","n":1e5}], "x":1}`,
		},
		"an element and the comma before it": {
			`{"value":[{"id":"b"},{"id":"` + strings.ToUpper(adaID) + `"}]}`, `{"value":[{"id":"b"}]}`,
		},
		"the only element":              {`{"value":[{"userId":"` + adaID + `"}]}`, `{"value":[]}`},
		"all elements but the middle":   {`{"value":[{"id":"` + adaID + `"},{"id":"b"},{"id":"` + adaID + `"}]}`, `{"value":[{"id":"b"}]}`},
		"a name with escapes":           {`{"value":[{"userPrincipalName":"ADA.O\u0027Neil@contoso.com"},2]}`, `{"value":[2]}`},
		"a manager, with all of it":     {`{"value":[{"id":"b","manager":{"displayName":"Ada O'Neil","id":"` + adaID + `"},"z":[]}]}`, `{"value":[{"id":"b","manager":null,"z":[]}]}`},
		"an address in a list":          {`{"value":[{"id":"b","otherMails":["ada@contoso.com","b@x"]}]}`, `{"value":[{"id":"b","otherMails":[null,"b@x"]}]}`},
		"a name within a text":          {`{"value":[{"id":"b","note":"of ada@contoso.com."}]}`, `{"value":[{"id":"b","note":"of (erased)."}]}`},
		"a link":                        {`{"value":[],"@odata.nextLink":"https://g/users?u=ada@contoso.com"}`, `{"value":[],"@odata.nextLink":"https://g/users?u=(erased)"}`},
		"no longer name of somebody":    {`{"value":[{"id":"b","mail":"nada@contoso.com"},{"id":"c","mail":"ada@contoso.com.au"}]}`, ``},
		"another with the name, by id":  {`{"value":[{"id":"` + bobID + `","x":[[{"y":null}]]}]}`, ``},
		"a document that is no object":  {`[true, "x"]`, ``},
		"white space and order as came": {"{\r\n \"b\" : [ ] ,\t\"value\" : [ 1 , 2 ]\n}\n", ``},
	} {
		t.Run(name, func(t *testing.T) {
			want := c.out
			if want == "" {
				want = c.in
			}
			got, removed, changed, err := ada().eraseJSON([]byte(c.in), "2026-11-20")
			if err != nil || string(got) != want || (removed+changed > 0) != (c.out != "") {
				t.Errorf("got %s, %d, %d, %v\nwant %s", got, removed, changed, err, want)
			}
		})
	}
	if _, _, _, err := ada().eraseJSON([]byte(`{"value":[`), ""); err == nil {
		t.Error("half a document has no error")
	}
}

func TestEraseJSONLeavesOthersAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var in, want []string
		for range rapid.IntRange(0, 6).Draw(t, "elements") {
			mine := rapid.Bool().Draw(t, "mine")
			id := bobID
			if mine {
				id = adaID
			}
			text, err := json.Marshal(map[string]any{"id": id, "s": rapid.String().Draw(t, "text"), "n": rapid.Float64().Draw(t, "number"), "l": []any{nil, true, map[string]any{}}})
			if err != nil {
				t.Fatal(err)
			}
			in = append(in, string(text))
			if !mine {
				want = append(want, string(text))
			}
		}
		got, removed, _, err := ada().eraseJSON([]byte(`{"value":[`+strings.Join(in, ",")+`]}`), "2026-11-20")
		if err != nil || string(got) != `{"value":[`+strings.Join(want, ",")+`]}` || int(removed) != len(in)-len(want) {
			t.Fatalf("got %s, %d, %v", got, removed, err)
		}
	})
}

func TestEraseCSV(t *testing.T) {
	for name, c := range map[string]struct {
		o       csvOptions
		in, out string
	}{
		"a row of a report":                       {csvOptions{}, "\ufeffA,User Principal Name\r\n1,ada.o'neil@CONTOSO.com\r\n2,bob@contoso.com\r\n", "\ufeffA,User Principal Name\r\n2,bob@contoso.com\r\n"},
		"a row of a file whose lines are counted": {csvOptions{blank: true}, "id;mail\r\n1;ada@contoso.com\r\n2;bob@contoso.com", "id;mail\r\n\r\n2;bob@contoso.com"},
		"a row of several lines":                  {csvOptions{blank: true}, "a,b\n\"x\ny\",ada@contoso.com\nz,w\n", "a,b\n\n\nz,w\n"},
		"a manager's cell":                        {csvOptions{blank: true}, "employee_id,manager_user_principal_name,x\n2,ada@contoso.com,y\n", "employee_id,manager_user_principal_name,x\n2,,y\n"},
		"an employee number in its column":        {csvOptions{}, "employee_id,n\n1007,1\n1,1007\n", "employee_id,n\n1,1007\n"},
		"an account of a device":                  {csvOptions{device: true}, "Host,Person\npc1,CORP\\AOneil\npc2,aoneil\npc3,bob\n", "Host,Person\npc3,bob\n"},
		"a text that mentions the person":         {csvOptions{}, "a,b\n\"note, of ada@contoso.com\",1\n", "a,b\n\"note, of (erased)\",1\n"},
		"no row of anybody else":                  {csvOptions{}, "a,b\n\"q\"\"uoted\",nada@contoso.com\n\n,,\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			want := c.out
			if want == "" {
				want = c.in
			}
			got, removed, changed := ada().eraseCSV([]byte(c.in), "2026-11-20", c.o)
			if string(got) != want || (removed+changed > 0) != (c.out != "") {
				t.Errorf("got %q, %d, %d\nwant %q", got, removed, changed, want)
			}
		})
	}
}

func TestNamesThatWereGivenAgain(t *testing.T) {
	p := ada()
	p.other(schemas.SignInName, "ada@contoso.com", "2026-12-20")
	p.other(schemas.EmployeeNumber, "1007", "2026-12-20")
	for _, c := range []struct {
		kind schemas.Personal
		text string
		day  string
		want bool
	}{
		{schemas.Address, "ada@contoso.com", "2026-11-21", true},
		{schemas.SignInName, "ADA@contoso.com", "2026-12-19", false},
		{schemas.SignInName, "ada.o'neil@contoso.com", "2026-12-19", true},
		{schemas.EmployeeNumber, "1007", "2026-11-20", false}, // two bear it: nobody's
		{schemas.AnyName, `X\AONEIL`, "2020-01-01", true},
		{schemas.AnyName, "somebody", "2026-11-20", false},
	} {
		if got := p.bears(c.kind, c.text, c.day); got != c.want {
			t.Errorf("%s on %s: %v, want %v", c.text, c.day, got, c.want)
		}
	}
	if text, found := p.redact("ada@contoso.com"); found {
		t.Errorf("a name that somebody else bore became %s", text)
	}
}

// licenses is rows of graph_user_licenses of some users.
func licenses(t testing.TB, day string, users ...string) pipeline.Stream {
	t.Helper()
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		t.Fatal(err)
	}
	table := schemas.GraphUserLicenses
	b := array.NewRecordBuilder(memory.DefaultAllocator, table.Arrow())
	defer b.Release()
	guid := func(to array.Builder, text string) {
		id := uuid.MustParse(text)
		switch to := to.(type) {
		case *array.FixedSizeBinaryBuilder:
			to.Append(id[:])
		case *array.FixedSizeBinaryDictionaryBuilder:
			if err := to.Append(id[:]); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, user := range users {
		for i, f := range table.Fields {
			switch to := b.Field(i); f.Name {
			case "tenant_id":
				guid(to, contoso)
			case "user_id":
				guid(to, user)
			case "sku_id":
				guid(to, fabrikam)
			case "snapshot_date":
				if err := to.(*array.Date32DictionaryBuilder).Append(arrow.Date32FromTime(at)); err != nil {
					t.Fatal(err)
				}
			case "holds_seat":
				to.(*array.BooleanBuilder).Append(true)
			case "enabled_plans", "disabled_plans":
				to.(*array.Int32Builder).Append(1)
			default:
				to.AppendNull()
			}
		}
	}
	batch := b.NewRecordBatch()
	return pipeline.Stream{Schema: batch.Schema(), Batches: func(yield func(arrow.RecordBatch, error) bool) {
		defer batch.Release()
		yield(batch, nil)
	}}
}

// commitLicenses commits a day of licences, and keeps a page of them.
func commitLicenses(t testing.TB, l *Lake, run pipeline.Run, day string, users ...string) {
	t.Helper()
	tx, err := l.Begin(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	table := schemas.GraphUserLicenses
	files, err := tx.Write(t.Context(), table, licenses(t, day, users...))
	if err != nil {
		t.Fatal(err)
	}
	rows := int64(len(users))
	if _, err := tx.Commit(t.Context(), pipeline.Commit{
		Run: run, Ended: run.Started, Add: files, Replaces: []pipeline.Replacement{{Table: table.Name, From: day, To: day}},
		Coverage: []pipeline.Coverage{{Table: table.Name, State: pipeline.Complete, Rows: rows, Observed: run.Started}},
	}); err != nil {
		t.Fatal(err)
	}
	run.Requests = []pipeline.Request{{Source: pipeline.Users}}
	k, err := l.Keeper(run)
	if err != nil {
		t.Fatal(err)
	}
	var elements []string
	for _, u := range users {
		elements = append(elements, fmt.Sprintf(`{"id":%q,"userPrincipalName":"%s@contoso.com"}`, u, u[len(u)-3:]))
	}
	if _, err := drain(k.Keep(t.Context(), pipeline.Users, pagesOf(nil, page(pipeline.Users, 1, "gzip", `{"value":[`+strings.Join(elements, ",")+`]}`)))); err != nil {
		t.Fatal(err)
	}
	end(t, k)
}

func erase(t testing.TB, l *Lake, user string) *Erased {
	t.Helper()
	done, err := l.Erase(t.Context(), EraseOptions{TenantID: contoso, User: user, Now: clock, Program: "test", Holder: holder(1)})
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func TestErase(t *testing.T) {
	people := func(t *testing.T) *Lake {
		l := newLake(t)
		commitLicenses(t, l, pipelinetest.NewRun(t, contoso, "2026-11-19T08:00", 1), "2026-11-19", adaID, bobID)
		commitLicenses(t, l, pipelinetest.NewRun(t, contoso, "2026-11-20T08:00", 2), "2026-11-20", bobID, adaID, bobID)
		return l
	}
	rows := func(l *Lake, v pipeline.Version) (n int64) {
		for _, f := range snapshot(t, l, v).Files[schemas.GraphUserLicenses.Name] {
			n += f.Rows
		}
		return n
	}
	t.Run("all versions are read without the person, and coverage counts who is left", func(t *testing.T) {
		l := people(t)
		done := erase(t, l, "301@contoso.com") // whom kept pages alone know by name
		if done.Version != 3 || len(done.Data) != 2 || len(done.Pages) != 2 {
			t.Fatalf("%+v", done)
		}
		for _, l := range []*Lake{l, reopen(t, l)} {
			for v, want := range map[pipeline.Version]int64{1: 1, 2: 3, 3: 3} {
				if got := rows(l, v); got != want {
					t.Errorf("version %d has %d rows, want %d", v, got, want)
				}
			}
			if c := snapshot(t, l, 0).Coverage; len(c) != 1 || c[0].Rows != 2 {
				t.Errorf("coverage %+v", c)
			}
		}
		noFaults(t, l)
		noTemp(t, l)
		if !erase(t, l, adaID).Nothing() || snapshot(t, l, 0).Version != 3 {
			t.Error("erased again, something is done")
		}
	})
	t.Run("a file of the person alone goes", func(t *testing.T) {
		l := newLake(t)
		commitLicenses(t, l, pipelinetest.NewRun(t, contoso, "2026-11-19T08:00", 1), "2026-11-19", adaID)
		erase(t, l, adaID)
		if rows(l, 1) != 0 || rows(l, 2) != 0 {
			t.Error("rows are left")
		}
		noFaults(t, l)
	})
	t.Run("a run behind it replaces the day as ever", func(t *testing.T) {
		l := people(t)
		erase(t, l, adaID)
		commitLicenses(t, l, pipelinetest.NewRun(t, contoso, "2026-11-20T09:00", 3), "2026-11-20", bobID)
		if rows(l, 4) != 2 || rows(l, 2) != 3 {
			t.Errorf("%d and %d rows", rows(l, 4), rows(l, 2))
		}
		compact(t, l)
		noFaults(t, l)
	})
	t.Run("a checkpoint behind it is what the log adds up to", func(t *testing.T) {
		l := people(t)
		erase(t, l, adaID)
		for n := range checkpointEvery + 2 {
			commitLicenses(t, l, pipelinetest.NewRun(t, contoso, fmt.Sprintf("2026-11-21T08:%02d", n), byte(n+9)), "2026-11-21", bobID)
		}
		anew := reopen(t, l)
		if rows(anew, 0) != 4 || rows(anew, 1) != 1 {
			t.Errorf("%d and %d rows", rows(anew, 0), rows(anew, 1))
		}
		noFaults(t, l)
	})
	t.Run("a tenant in use is left alone", func(t *testing.T) {
		l := people(t)
		lease, err := l.Lease(contoso, holder(2))
		if err != nil {
			t.Fatal(err)
		}
		_, err = l.Erase(t.Context(), EraseOptions{TenantID: contoso, User: adaID, Now: clock, Holder: holder(1)})
		if held := new(HeldError); !errors.As(err, &held) {
			t.Error(err)
		}
		if err := lease.Release(); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("a name of two people is refused", func(t *testing.T) {
		l := people(t)
		run := pipelinetest.NewRun(t, contoso, "2026-11-21T08:00", 5)
		run.Requests = []pipeline.Request{{Source: pipeline.Users}}
		k, err := l.Keeper(run)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := drain(k.Keep(t.Context(), pipeline.Users, pagesOf(nil, page(pipeline.Users, 1, "", `{"value":[{"id":"`+bobID+`","userPrincipalName":"301@contoso.com"}]}`)))); err != nil {
			t.Fatal(err)
		}
		end(t, k)
		_, err = l.Erase(t.Context(), EraseOptions{TenantID: contoso, User: "301@contoso.com", Now: clock, Holder: holder(1)})
		wantError(t, err, adaID, bobID, "object id")
	})
}

// TestFaultsOfErasing fails an act of an erasure, on a disk that lives on or stays dead,
// and lets the next erasure end it. Every third act is enough: they come in turns.
func TestFaultsOfErasing(t *testing.T) {
	for n := 1; ; n += 3 {
		sound, err := Create(filepath.Join(memoryDir(t), "lake"), clock)
		if err != nil {
			t.Fatal(err)
		}
		run := pipelinetest.NewRun(t, contoso, "2026-11-20T08:00", 1)
		commitLicenses(t, sound, run, "2026-11-20", adaID, bobID)
		f := &faults{at: n, stay: n%2 == 0, err: &fs.PathError{Op: "act", Path: "p", Err: syscall.ENOSPC}}
		faulty := &Lake{store: &store{root: sound.store.root, fault: f.fail}, id: sound.id}
		_, failed := faulty.Erase(t.Context(), EraseOptions{TenantID: contoso, User: adaID, Now: clock, Holder: holder(1)})
		if f.hit == "" {
			if failed != nil || n < 50 {
				t.Fatalf("without a fault, after %d acts: %v", n, failed)
			}
			return
		}
		erase(t, sound, "") // which ends what was begun
		if done := erase(t, sound, adaID); failed == nil && !done.Nothing() {
			t.Errorf("after an erasure without an error, %+v was left", done)
		}
		if err := sound.dataFiles(t.Context(), contoso, func(name string, _ Location) error {
			told, err := sound.mentions(name, &person{ID: adaID})
			if told {
				t.Errorf("%s tells of the person", name)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
		pages, err := drain(sound.Raw(pipeline.Run{ID: run.ID, TenantID: contoso}).Pages(t.Context(), pipeline.Users, pipeline.Window{}))
		if err != nil || len(pages) != 1 {
			t.Errorf("kept pages: %d, %v", len(pages), err)
		}
		if s := snapshot(t, sound, 1); len(s.Files[schemas.GraphUserLicenses.Name]) != 1 || s.Files[schemas.GraphUserLicenses.Name][0].Rows != 1 {
			t.Errorf("version 1 has %+v", s.Files)
		}
		noFaults(t, sound)
		noTemp(t, sound)
		if t.Failed() {
			t.Fatalf("after fault %d, %s: %v", n, f.hit, failed)
		}
	}
}
