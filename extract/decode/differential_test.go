package decode_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"seatlake/extract/decode"
	"seatlake/schemas"
)

// tables are those that pages are generated for.
var jsonTables = []struct {
	table *schemas.Table
	page  func(g *gen, rows int) string
}{
	{schemas.GraphUsers, func(g *gen, rows int) string { return string(g.usersPage(rows, g.IntN(2) == 0).Body) }},
	{schemas.GraphSignIns, func(g *gen, rows int) string { return string(g.signInsPage(rows).Body) }},
	{things, func(g *gen, rows int) string { return string(g.page("things", rows, g.thing).Body) }},
}

// thing writes a row of the table of all kinds, rightly typed for the most part.
func (g *gen) thing() {
	fs := things.Decoded()
	g.Shuffle(len(fs), func(i, j int) { fs[i], fs[j] = fs[j], fs[i] })
	for i := range fs {
		if name, _, nested := strings.Cut(fs[i].From, "."); nested {
			if fs[i].Name == "small" {
				g.key(name)
				g.raw(g.pick(`{"small":7}`, `{"large":-1,"deep":{"ratio":2.5}}`, `{"deep":{}}`, `null`, `{"deep":null,"small":null}`, `{}`))
			}
			continue
		}
		if fs[i].Required || g.IntN(4) > 0 {
			g.key(fs[i].From)
			g.value(&fs[i])
		}
		if g.IntN(10) == 0 {
			g.key(g.pick("boring", "unknown", "x@y"))
			g.raw(g.pick(`{"a":[1,{"b":[]}]}`, `"\\"`, `[]`, `-1.5E+2`, `null`))
		}
	}
}

func (g *gen) value(f *schemas.Field) {
	if !f.Required && g.IntN(6) == 0 {
		g.raw("null")
		return
	}
	switch f.Kind {
	case schemas.String:
		g.str(g.pick("a", "Zoë", `"`, "\n", "", "𝒥", "exactly8", "a text of some length", "\\u0041", "tab\there"))
	case schemas.UUID:
		id := g.pick(g.skus...)
		g.str(g.pick(id, strings.ToUpper(id), g.guid()))
	case schemas.Bool:
		g.raw(g.pick("true", "false"))
	case schemas.Date:
		g.str(g.pick(g.day(3000), g.time(3000), "1969-12-31", "", "0001-01-01"))
	case schemas.Timestamp:
		g.str(g.pick(g.time(3000), strings.Replace(g.time(90), "Z", ".1234567Z", 1), strings.Replace(g.time(90), "Z", "-03:30", 1), "1969-12-31T23:59:59.999999999Z", "0001-01-01T00:00:00Z", ""))
	case schemas.List:
		g.arr(func() {
			for range g.skewed(4) {
				g.value(f.Elem)
			}
		})
	case schemas.Struct:
		g.obj(func() {
			for i := range f.Fields {
				if g.IntN(3) > 0 {
					g.key(f.Fields[i].From)
					g.value(&f.Fields[i])
				}
			}
		})
	}
}

// mutations of a page's text that keep it valid more often than not.
func mutate(r *rand.Rand, text string) string {
	b := []byte(text + " ")
	at := func(of string) int { // a place of one of these bytes
		var places []int
		for i := range b {
			if strings.IndexByte(of, b[i]) >= 0 {
				places = append(places, i)
			}
		}
		if len(places) == 0 {
			return 0
		}
		return places[r.IntN(len(places))]
	}
	insert := func(i int, s string) { b = slices.Insert(b, i, []byte(s)...) }
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	switch r.IntN(9) {
	case 0:
		insert(at(",:{}[]"), pick(" ", "\n", "\r\n\t "))
	case 1: // a repeated or unknown key
		insert(at("{")+1, pick(`"id":null,`, `"name":"dup",`, `"unknown":{"a":[1]},`, `"n":{"small":1},`, `"signInActivity":null,`, `"@odata.type":"#x",`))
	case 2:
		insert(at(`}`), pick(`,"name":"late"`, `,"skuId":"`+id1+`"`, `,"error":null`, `,"status":{"errorCode":5}`))
	case 3:
		b[r.IntN(len(b))] = byte(r.IntN(256))
	case 4:
		i := r.IntN(len(b))
		b = slices.Delete(b, i, min(len(b), i+1+r.IntN(3)))
	case 5:
		b = b[:r.IntN(len(b)+1)]
	case 6:
		insert(at(`"`), pick(`\u0041`, `\ud800`, `\`, `"`, "é"))
	case 7:
		s := strings.Replace(string(b), pick(`true`, `false`, `"20`, `:null`, `:"`, `0`), pick(`null`, `"x"`, `1`, `:0`, `:{}`, `:[]`), 1+r.IntN(2))
		b = []byte(s)
	case 8:
		insert(at("0123456789"), pick("0", ".", "e1", "-", "99999999999999999999"))
	}
	return string(b)
}

func TestJSONAgreesWithTheStandardLibrary(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		which := rapid.IntRange(0, len(jsonTables)-1).Draw(rt, "table")
		g := newGen(rapid.Uint64().Draw(rt, "seed"))
		table := jsonTables[which].table
		text := jsonTables[which].page(g, rapid.IntRange(0, 6).Draw(rt, "rows"))
		mutations := rapid.IntRange(0, 3).Draw(rt, "mutations")
		for range mutations {
			text = mutate(g.Rand, text)
		}
		if got := sameJSON(t, rt, table, text); got.err != nil && mutations == 0 {
			rt.Fatalf("refused a whole page: %v", got.err)
		}
	})
}

// sameJSON compares a page's rows with the oracle's. One that only the decoder
// refuses must have a reason to be refused.
func sameJSON(t *testing.T, tb rapid.TB, table *schemas.Table, text string) result {
	want, wantErr := oracleJSON(table, text)
	got := run(t, table, decode.Options{}, pagesOf(text))
	switch {
	case got.err == nil && wantErr != nil:
		tb.Fatalf("accepted, where the oracle says %v:\n%s", wantErr, text)
	case got.err == nil:
		if diff := cmp.Diff(want, append([][]any{}, got.rows...)); diff != "" {
			tb.Fatalf("%s\n%s", diff, text)
		}
	case wantErr == nil && !stricter(got.err):
		tb.Fatalf("refused: %v\n%s", got.err, text)
	}
	return got
}

// stricter names the refusals of what encoding/json lets pass: it replaces bytes
// that are not UTF-8, keeps the last of repeated properties however wrong the
// others are, and nests deeper.
func stricter(err error) bool {
	for _, s := range []string{"invalid UTF-8", "stands in the page twice", "nested deeper", "want ", "is not a", "out of range", "is missing, null"} {
		if strings.Contains(err.Error(), s) {
			return true
		}
	}
	return false
}

func TestPagesAndBatchesOfAnySizeGiveTheSameRows(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		var rows []json.RawMessage
		var page struct{ Value []json.RawMessage }
		if err := json.Unmarshal(newGen(seed).usersPage(23, true).Body, &page); err != nil {
			rt.Fatal(err)
		}
		rows = page.Value
		cut := func(size int) (pages []string) {
			for chunk := range slices.Chunk(rows, size) {
				b, err := json.Marshal(map[string]any{"value": chunk})
				if err != nil {
					rt.Fatal(err)
				}
				pages = append(pages, string(b))
			}
			return pages
		}
		one := run(t, schemas.GraphUsers, decode.Options{}, pagesOf(cut(23)...))
		other := run(t, schemas.GraphUsers,
			decode.Options{BatchRows: rapid.IntRange(1, 30).Draw(rt, "batch")},
			pagesOf(cut(rapid.IntRange(1, 23).Draw(rt, "page"))...))
		if one.err != nil || other.err != nil {
			rt.Fatal(one.err, other.err)
		}
		if !reflect.DeepEqual(one.rows, other.rows) {
			rt.Fatal(cmp.Diff(one.rows, other.rows))
		}
		if diff := cmp.Diff(one.drift, other.drift); diff != "" {
			rt.Fatal(diff)
		}
	})
}

func TestCSVAgreesWithTheStandardLibrary(t *testing.T) {
	tables := []struct {
		table *schemas.Table
		page  func(g *gen, rows int) string
	}{
		{schemas.ReportOffice365ActiveUserDetail, func(g *gen, rows int) string { return string(g.activeUsersReport(rows).Body) }},
		{schemas.ReportM365AppUserDetail, func(g *gen, rows int) string { return string(g.appsReport(rows).Body) }},
		{report, func(g *gen, rows int) string {
			return string(g.report("Report Refresh Date,User Principal Name,Kind,Is On,Day,Last Activity Date,Report Period,Storage Used (Byte),Site Id,Assigned Products,Tags,New", rows, func() []string {
				return []string{
					g.pick("2026-10-06", "2026-10-06", ""), g.pick("a@x", "b@x", ""), g.pick("", "k", "é", `"q"`, "a,b", "two\nlines"),
					g.pick("True", "no", "", " YES ", "false"), g.or(.5, g.day(9000)), g.pick("", g.day(30), "1969-01-01", "2026-01-01T10:00:00Z", "0001-01-01"),
					g.pick("30", "", "-1", "2147483647"), g.pick("0", "9223372036854775807", "007", ""), g.or(.5, g.guid()),
					g.pick("", "A+B", "A + B+C", "+", "A+ B"), g.pick("", "x", "x+y"), g.or(.3, "new"),
				}
			}).Body)
		}},
	}
	rapid.Check(t, func(rt *rapid.T) {
		c := tables[rapid.IntRange(0, len(tables)-1).Draw(rt, "table")]
		g := newGen(rapid.Uint64().Draw(rt, "seed"))
		text := c.page(g, rapid.IntRange(0, 6).Draw(rt, "rows"))
		mutations := rapid.IntRange(0, 3).Draw(rt, "mutations")
		for range mutations {
			b := []byte(text + " ")
			i := g.IntN(len(b))
			switch g.IntN(4) {
			case 0:
				b = slices.Insert(b, i, []byte(g.pick(",", "\"", "\r\n", "\n", " ", "+", "é", "1"))...)
			case 1:
				b = slices.Delete(b, i, min(len(b), i+1+g.IntN(3)))
			case 2:
				b = b[:i]
			case 3:
				b[i] = byte(g.IntN(256))
			}
			text = string(b)
		}
		if got := sameCSV(t, rt, c.table, text, 1+g.IntN(4), 1+g.IntN(300)); got.err != nil && mutations == 0 && !strings.Contains(got.err.Error(), "is empty, and") {
			rt.Fatalf("refused a whole report: %v\n%q", got.err, text)
		}
	})
}

// sameCSV compares a report's rows with the oracle's, where both accept it, and
// with those of the same report in blocks of another size.
func sameCSV(t *testing.T, tb rapid.TB, table *schemas.Table, text string, batch, block int) result {
	got := run(t, table, decode.Options{BatchRows: batch}, pagesOf(text))
	other := run(t, table, decode.Options{BatchRows: batch, BlockBytes: block}, pagesOf(text))
	if diff := cmp.Diff(fmt.Sprint(got.err), fmt.Sprint(other.err)); diff != "" {
		tb.Fatalf("in blocks of %d bytes: %s\n%q", block, diff, text)
	}
	if diff := cmp.Diff([]any{got.rows, got.batches, got.drift}, []any{other.rows, other.batches, other.drift}); diff != "" {
		tb.Fatalf("in blocks of %d bytes: %s\n%q", block, diff, text)
	}
	if got.err != nil {
		return got
	}
	// encoding/csv makes CRLF within quotes LF, and refuses quotes within a cell.
	want, skipped, err := oracleCSV(table, text)
	if err != nil {
		if !strings.Contains(err.Error(), "bare \"") {
			tb.Fatalf("accepted, where the oracle says %v:\n%q", err, text)
		}
		return got
	}
	rows := [][]any{}
	for _, row := range got.rows {
		rows = append(rows, unix(row).([]any))
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		tb.Fatalf("%s\n%q", diff, text)
	}
	if got.drift.SkippedRows != skipped {
		tb.Fatalf("skipped %d rows, want %d", got.drift.SkippedRows, skipped)
	}
	return got
}

// unix is a value with LF for CRLF.
func unix(v any) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "\r\n", "\n")
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = unix(v[i])
		}
		return out
	}
	return v
}

func FuzzJSONPage(f *testing.F) {
	g := newGen(9)
	f.Add(string(g.page("things", 2, g.thing).Body))
	f.Add(thing(`"name":"\ud83d\ude00","kind":"a\"b","tags":["x",null]`))
	f.Add(thing(`"parts":[{"plans":["` + id1 + `"]},null],"n":{"deep":{"ratio":1e5}}`))
	f.Add(`{"value":[]}`)
	f.Fuzz(func(t *testing.T, text string) {
		sameJSON(t, t, things, text)
	})
}

func FuzzCSVPage(f *testing.F) {
	f.Add(sheet("Kind,Is On,Last Activity Date", "a,True,2026-10-06"))
	f.Add(sheet("Assigned Products,Tags", "\"A + B+C\",x+y"))
	f.Add(" \n00000")
	f.Add("Report Refresh Date,New\n\n2026-10-06,\"1\"\"\r\n2\",\n")
	f.Fuzz(func(t *testing.T, text string) {
		sameCSV(t, t, report, text, 2, 7)
	})
}
