package decode_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"seatlake/extract/decode"
	"seatlake/pipeline"
	"seatlake/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// things is a table with every kind and nesting.
var things = &schemas.Table{
	Name: "things", Format: schemas.JSON,
	Fields: []schemas.Field{
		{ID: 1, Name: "tenant_id", Kind: schemas.UUID},
		{ID: 2, Name: "id", Kind: schemas.UUID, Required: true, From: "id"},
		{ID: 3, Name: "name", Kind: schemas.String, From: "name"},
		{ID: 4, Name: "kind", Kind: schemas.String, Dict: true, From: "kind"},
		{ID: 5, Name: "on", Kind: schemas.Bool, From: "on"},
		{ID: 6, Name: "small", Kind: schemas.Int32, From: "n.small"},
		{ID: 7, Name: "large", Kind: schemas.Int64, From: "n.large"},
		{ID: 8, Name: "ratio", Kind: schemas.Float64, From: "n.deep.ratio"},
		{ID: 9, Name: "day", Kind: schemas.Date, From: "day"},
		{ID: 10, Name: "day_dict", Kind: schemas.Date, Dict: true, From: "dayDict"},
		{ID: 11, Name: "at", Kind: schemas.Timestamp, From: "at"},
		{ID: 12, Name: "group", Kind: schemas.UUID, Dict: true, From: "group"},
		{ID: 13, Name: "tags", Kind: schemas.List, From: "tags", Elem: &schemas.Field{ID: 14, Name: "element", Kind: schemas.String}},
		{ID: 15, Name: "parts", Kind: schemas.List, From: "parts", Elem: &schemas.Field{ID: 16, Name: "element", Kind: schemas.Struct, Fields: []schemas.Field{
			{ID: 17, Name: "id", Kind: schemas.UUID, Dict: true, From: "partId"},
			{ID: 18, Name: "on", Kind: schemas.Bool, From: "on"},
			{ID: 19, Name: "plans", Kind: schemas.List, From: "plans", Elem: &schemas.Field{ID: 20, Name: "element", Kind: schemas.UUID, Dict: true}},
		}}},
	},
	Ignored: []string{"boring", "n.boring", "parts.boring"},
}

const (
	id1 = "6ea91a8d-e32e-41a1-b7bd-d2d185eed0e0"
	id2 = "4562bcc8-c436-4f95-b7c0-4f8ce89dca5e"
)

// thing is a page of one row with an id and the given properties.
func thing(properties string) string {
	if properties != "" {
		properties = "," + properties
	}
	return `{"value":[{"id":"` + id1 + `"` + properties + `}]}`
}

func TestJSONValues(t *testing.T) {
	for _, c := range []struct {
		name, properties, column string
		want                     any
	}{
		{"text is kept", `"name":"Anna"`, "name", "Anna"},
		{"empty text is text", `"name":""`, "name", ""},
		{"null is null", `"name":null`, "name", nil},
		{"an absent property is null", ``, "name", nil},
		{"an absent list is null", ``, "tags", nil},
		{"escapes are read", `"name":"\"\\\/\b\f\n\r\t\u00e9\u20AC"`, "name", "\"\\/\b\f\n\r\té€"},
		{"surrogate pairs are one character", `"name":"\ud83d\ude00!"`, "name", "😀!"},
		{"a lone surrogate is replaced", `"name":"a\ud83dz"`, "name", "a\ufffdz"},
		{"two high surrogates are replaced one by one", `"name":"\ud83d\ud83d\ude00"`, "name", "\ufffd😀"},
		{"UTF-8 is kept", `"name":"Zoë 𝒥"`, "name", "Zoë 𝒥"},
		{"the last of repeated keys wins", `"name":"a","name":"b"`, "name", "b"},
		{"the last of repeated keys wins, even null", `"name":"a","name":null`, "name", nil},
		{"the last of repeated lists wins", `"tags":["a","b"],"tags":["c"]`, "tags", []any{"c"}},
		{"the last of repeated objects wins as a whole", `"n":{"small":1},"n":{"large":2}`, "small", nil},
		{"the last of repeated booleans wins", `"on":true,"on":false`, "on", false},
		{"an escaped key is the key", `"na\u006de":"x"`, "name", "x"},
		{"white space is everywhere", " \"name\" \t:\r\n \"x\" ", "name", "x"},
		{"dictionary text is kept", `"kind":"long enough text"`, "kind", "long enough text"},
		{"dictionary text may be empty", `"kind":""`, "kind", ""},
		{"true is true", `"on":true`, "on", true},
		{"false is false", `"on":false`, "on", false},
		{"a nested integer is found", `"n":{"small":-2147483648}`, "small", int64(-2147483648)},
		{"minus zero is zero", `"n":{"small":-0}`, "small", int64(0)},
		{"a large integer is kept", `"n":{"large":-9223372036854775808}`, "large", int64(-9223372036854775808)},
		{"a null object makes its properties null", `"n":null`, "small", nil},
		{"objects nest", `"n":{"deep":{"ratio":-1.5e3}}`, "ratio", -1500.0},
		{"a null object nests", `"n":{"deep":null,"small":7}`, "small", int64(7)},
		{"a day is a day", `"day":"2024-02-29"`, "day", "2024-02-29"},
		{"a day before 1970 is a day", `"day":"1969-12-31"`, "day", "1969-12-31"},
		{"a dictionary day before 1970 is a day", `"dayDict":"1900-03-01"`, "day_dict", "1900-03-01"},
		{"the day of an instant is its UTC day", `"day":"2026-07-17T23:30:00-01:00"`, "day", "2026-07-18"},
		{"the day of an instant before 1970 is its UTC day", `"day":"1969-12-31T23:30:00Z"`, "day", "1969-12-31"},
		{"an empty day is null", `"day":""`, "day", nil},
		{"an instant is microseconds", `"at":"2026-07-17T14:10:02Z"`, "at", int64(1784297402000000)},
		{"seven digits of a fraction are cut", `"at":"2026-07-17T14:10:02.1234567Z"`, "at", int64(1784297402123456)},
		{"nine digits of a fraction are cut", `"at":"2026-07-17T14:10:02.999999999Z"`, "at", int64(1784297402999999)},
		{"one digit of a fraction is tenths", `"at":"2026-07-17T14:10:02.5Z"`, "at", int64(1784297402500000)},
		{"an offset is taken off", `"at":"2026-07-17T16:10:02+02:00"`, "at", int64(1784297402000000)},
		{"a negative offset is added", `"at":"2026-07-17T08:40:02.5-05:30"`, "at", int64(1784297402500000)},
		{"year 1 is null", `"at":"0001-01-01T00:00:00Z"`, "at", nil},
		{"any instant of year 1 is null", `"at":"0001-12-31T23:59:59.5+00:00"`, "at", nil},
		{"a day of year 1 is null", `"dayDict":"0001-01-01"`, "day_dict", nil},
		{"an empty instant is null", `"at":""`, "at", nil},
		{"a GUID in upper case is the same", `"group":"` + strings.ToUpper(id2) + `"`, "group", id2},
		{"a GUID may have white space around it", `"group":"  ` + id2 + ` \u00a0"`, "group", id2},
		{"a GUID may have escapes", `"group":"\u0034562bcc8-c436-4f95-b7c0-4f8ce89dca5e"`, "group", id2},
		{"an empty GUID is null", `"group":""`, "group", nil},
		{"a blank GUID is null", `"group":" "`, "group", nil},
		{"an empty list is a list", `"tags":[ ]`, "tags", []any{}},
		{"a list holds nulls", `"tags":["a",null,"" , "b"]`, "tags", []any{"a", nil, "", "b"}},
		{"a null list is null", `"tags":null`, "tags", nil},
		{"structs nest in lists and lists in structs", `"parts":[{"plans":["` + id1 + `","` + id2 + `"],"partId":"` + id2 + `","on":true},{},null,{"plans":[]}]`, "parts", []any{
			[]any{id2, true, []any{id1, id2}}, []any{nil, nil, nil}, nil, []any{nil, nil, []any{}},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := run(t, things, decode.Options{}, pagesOf(thing(c.properties)))
			if r.err != nil {
				t.Fatal(r.err)
			}
			if diff := cmp.Diff([]any{c.want}, r.column(t, things, c.column)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestJSONRefusals(t *testing.T) {
	for _, c := range []struct{ name, page, want string }{
		{"text for a GUID", thing(`"group":"not-a-guid"`), `things: page 1: row 1: column group: "not-a-guid" is not a GUID`},
		{"a GUID with a wrong digit", thing(`"group":"6ea91a8d-e32e-41a1-b7bd-d2d185eed0eg"`), `is not a GUID`},
		{"a GUID with a wide character", thing(`"group":"6ea91a8d-e32e-41a1-b7bd-d2d185eed0é"`), `is not a GUID`},
		{"a long value is cut", thing(`"group":"` + strings.Repeat("x", 100) + `"`), `"` + strings.Repeat("x", 64) + `..." is not a GUID`},
		{"a number for text", thing(`"name":12`), `column name: want a string, found number 12`},
		{"an object for text", thing(`"name":{}`), `column name: want a string, found an object`},
		{"true for text", thing(`"kind":true`), `column kind: want a string, found true`},
		{"text for an integer", thing(`"n":{"small":"7"}`), `column small: want an integer, found string "7"`},
		{"a fraction for an integer", thing(`"n":{"small":1.0}`), `column small: want an integer, found number 1.0`},
		{"an exponent for an integer", thing(`"n":{"large":1e3}`), `column large: want an integer, found number 1e3`},
		{"an integer beyond 32 bits", thing(`"n":{"small":2147483648}`), `column small: 2147483648 is out of range`},
		{"an integer beyond 64 bits", thing(`"n":{"large":9223372036854775808}`), `column large: 9223372036854775808 is out of range`},
		{"a float beyond its range", thing(`"n":{"deep":{"ratio":1e999}}`), `column ratio: 1e999 is out of range`},
		{"a leading zero", thing(`"n":{"small":07}`), `malformed JSON`},
		{"text for a boolean", thing(`"on":"true"`), `column on: want true or false, found string "true"`},
		{"a number for a boolean", thing(`"on":1`), `column on: want true or false, found number 1`},
		{"text for a list", thing(`"tags":"a"`), `column tags: want an array, found string "a"`},
		{"a number within a list", thing(`"tags":["a",1]`), `column tags.element: want a string, found number 1`},
		{"text for a struct", thing(`"parts":["a"]`), `column parts.element: want an object, found string "a"`},
		{"a wrong type within a struct", thing(`"parts":[{"on":0}]`), `column parts.element.on: want true or false, found number 0`},
		{"text for an object", thing(`"n":"x"`), `n: want an object, found string "x"`},
		{"a day that is none", thing(`"day":"2023-02-29"`), `column day: "2023-02-29" is not a date`},
		{"an instant without a zone", thing(`"at":"2026-07-17T14:10:02"`), `is not a timestamp`},
		{"an instant of hour 24", thing(`"at":"2026-07-17T24:00:00Z"`), `is not a timestamp`},
		{"an instant with ten digits", thing(`"at":"2026-07-17T14:10:02.1234567890Z"`), `is not a timestamp`},
		{"an instant with a bare point", thing(`"at":"2026-07-17T14:10:02.Z"`), `is not a timestamp`},
		{"a day for an instant", thing(`"at":"2026-07-17"`), `is not a timestamp`},
		{"no key", `{"value":[{"id":"` + id1 + `"},{"name":"x"}]}`, `page 1: row 2: column id: id is missing, null or empty, and every row must have it`},
		{"a null key", `{"value":[{"id":null}]}`, `row 1: column id: id is missing`},
		{"an empty key", `{"value":[{"id":""}]}`, `row 1: column id: id is missing`},
		{"a row that is null", `{"value":[null]}`, `row 1: want an object, found null`},
		{"a removed row", `{"value":[{"id":"` + id1 + `","@removed":{"reason":"changed"}}]}`, `answers of a delta query cannot be decoded`},
		{"invalid UTF-8", thing("\"name\":\"a\xffb\""), `invalid UTF-8`},
		{"invalid UTF-8 beside an escape", thing("\"name\":\"a\xc3\\n\xa9\""), `invalid UTF-8`},
		{"invalid UTF-8 in what is passed over", thing("\"boring\":\"a\xffb\""), `invalid UTF-8`},
		{"invalid UTF-8 in a dictionary", thing("\"kind\":\"a\xe2\x28\xa1b\""), `invalid UTF-8`},
		{"a line feed in text", thing("\"name\":\"a\nb\""), `control byte 0x0a`},
		{"a zero byte in text", thing("\"name\":\"a\x00b\""), `control byte 0x00`},
		{"an unknown escape", thing(`"name":"\x41"`), `an escape expected`},
		{"a short escape", thing(`"name":"\u12g4"`), `four hexadecimal digits`},
		{"a comma at the end", thing(`"name":"x",`), `a property name expected, found '}'`},
		{"no collection", `{"id":"x"}`, `no array "value"`},
		{"an error instead of rows", `{"error":{"code":"x"}}`, `no array "value"`},
		{"value that is an object", `{"value":{}}`, `an array for "value" expected, found an object`},
		{"value twice", `{"value":[],"value":[]}`, `"value" stands in the page twice`},
		{"nothing", ``, `the page is empty`},
		{"HTML", "\r\n<!DOCTYPE html><html>", `HTML instead of JSON: a proxy or sign-in page answered`},
		{"an array", `[]`, `malformed JSON at byte 0: an object expected, found an array`},
		{"text behind the page", thing(``) + `x`, `after the end of the answer`},
		{"a truncated page", `{"value":[{"id":"` + id1, `it may be truncated`},
		{"nesting without end", thing(`"boring":` + strings.Repeat(`[`, 100) + strings.Repeat(`]`, 100)), `nested deeper than 64`},
		{"brackets that do not match", thing(`"boring":[1}`), `malformed JSON`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := run(t, things, decode.Options{}, pagesOf(c.page))
			var e *pipeline.Error
			if r.err == nil || !strings.Contains(r.err.Error(), c.want) {
				t.Fatalf("got error %v, want one with %q", r.err, c.want)
			}
			if !errors.As(r.err, &e) || e.Source != "things" || e.Page != 1 {
				t.Errorf("%#v does not name things, page 1", r.err)
			}
		})
	}
}

func TestJSONStreams(t *testing.T) {
	row := func(name string) string { return `{"id":"` + id1 + `","name":"` + name + `"}` }
	page := func(names ...string) string {
		rows := make([]string, len(names))
		for i := range names {
			rows[i] = row(names[i])
		}
		return `{"value":[` + strings.Join(rows, ",") + `]}`
	}
	t.Run("a batch ends with the page that fills it", func(t *testing.T) {
		r := run(t, things, decode.Options{BatchRows: 3}, pagesOf(page("a", "b"), page("c", "d"), page(), page("e")))
		if diff := cmp.Diff([]int64{4, 1}, r.batches); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]any{"a", "b", "c", "d", "e"}, r.column(t, things, "name")); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("no rows give no batch and no drift", func(t *testing.T) {
		r := run(t, things, decode.Options{}, pagesOf(page(), page()))
		if r.err != nil || r.batches != nil || r.drift.Missing != nil || r.drift.Rows != 0 {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("the next link may stand before or after the rows", func(t *testing.T) {
		r := run(t, things, decode.Options{}, pagesOf(
			`{"@odata.context":"c","@odata.nextLink":"n","value":[`+row("a")+`]}`,
			` { "value" : [ `+row("b")+` , `+row("c")+" ] ,\n\"@odata.nextLink\":\"n\" } \n"))
		if diff := cmp.Diff([]any{"a", "b", "c"}, r.column(t, things, "name")); diff != "" || r.err != nil {
			t.Error(diff, r.err)
		}
	})
	t.Run("an error names its page and row and yields no rows", func(t *testing.T) {
		r := run(t, things, decode.Options{}, pagesOf(page("a"), page("b", `c\q`)))
		if r.err == nil || !strings.HasPrefix(r.err.Error(), "things: page 2: row 2: ") || r.rows != nil {
			t.Errorf("got %v", r)
		}
	})
	t.Run("a gap of the pages passes through", func(t *testing.T) {
		gap := &pipeline.Gap{State: pipeline.Denied, Reason: "no licence"}
		r := run(t, things, decode.Options{}, func(yield func(*pipeline.Page, error) bool) { yield(nil, gap) })
		if got, ok := pipeline.AsGap(r.err); !ok || got != gap {
			t.Errorf("got %v", r.err)
		}
	})
	t.Run("a body that cannot be inflated names its page", func(t *testing.T) {
		r := run(t, things, decode.Options{}, func(yield func(*pipeline.Page, error) bool) {
			yield(&pipeline.Page{Number: 7, Coding: "gzip", Body: []byte("no gzip at all")}, nil)
		})
		if r.err == nil || !strings.HasPrefix(r.err.Error(), "things: page 7: gunzip") {
			t.Errorf("got %v", r.err)
		}
	})
	t.Run("a consumer may leave", func(t *testing.T) {
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		defer mem.AssertSize(t, 0)
		d := decode.JSON(things, decode.Options{BatchRows: 1, Alloc: mem})
		n := 0
		for _, err := range d.Stream(pagesOf(page("a"), page("b"))).Batches {
			if n++; err != nil {
				t.Fatal(err)
			}
			break
		}
		if n != 1 || d.Drift().Rows != 1 {
			t.Errorf("%d batches, drift %+v", n, d.Drift())
		}
	})
	t.Run("a table that is not decoded says so", func(t *testing.T) {
		r := run(t, schemas.CatalogSkus, decode.Options{}, pagesOf(page()))
		if r.err == nil || !strings.Contains(r.err.Error(), "catalog_skus: the table is not decoded from pages") {
			t.Errorf("got %v", r.err)
		}
	})
	t.Run("two columns from one property are refused", func(t *testing.T) {
		table := &schemas.Table{Name: "t", Format: schemas.JSON, Fields: []schemas.Field{
			{Name: "a", Kind: schemas.String, From: "x"}, {Name: "b", Kind: schemas.String, From: "x.y"},
		}}
		if r := run(t, table, decode.Options{}, pagesOf()); r.err == nil {
			t.Error("accepted")
		}
	})
}

func TestJSONDrift(t *testing.T) {
	r := run(t, things, decode.Options{}, pagesOf(
		`{"new":1,"value":[{"id":"`+id1+`","extra":{"a":1},"boring":1,"x@odata.type":"#t","@odata.etag":"e","n":{"extra":1,"boring":2}}]}`,
		`{"value":[{"id":"`+id1+`","extra":null,"parts":[{"extra":1,"boring":1},{"extra":2},{"extra":3,"on":true}]},{"id":"`+id2+`","n":{"small":1}}]}`))
	want := decode.Drift{
		Rows:    3,
		Unknown: map[string]int64{"extra": 2, "n.extra": 1, "parts.extra": 1},
		Missing: []string{"name", "kind", "on", "n.large", "n.deep.ratio", "day", "dayDict", "at", "group", "tags", "parts.partId", "parts.plans"},
	}
	if diff := cmp.Diff(want, r.drift); diff != "" || r.err != nil {
		t.Error(diff, r.err)
	}
	t.Run("endless new keys are counted together", func(t *testing.T) {
		var b strings.Builder
		for i := range 3000 {
			fmt.Fprintf(&b, `,"key%d":1`, i)
		}
		r := run(t, things, decode.Options{}, pagesOf(thing(b.String()[1:])))
		if len(r.drift.Unknown) > 1100 || r.drift.Unknown["*"] != 1 || r.drift.Unknown["key0"] != 1 {
			t.Errorf("%d unknown keys, %d under *", len(r.drift.Unknown), r.drift.Unknown["*"])
		}
	})
}

func TestDictionaries(t *testing.T) {
	t.Run("values are found again by their raw bytes", func(t *testing.T) {
		kinds := []string{"a", "Member", "exactly8", "seven77", "a longer text than sixteen bytes", "a longer text than sixteen byteZ", `q\"uoted`, "b", `esc\u0061pe`, "escape", ""}
		var rows, want []string
		for range 3 {
			for _, k := range kinds {
				rows = append(rows, `{"id":"`+id1+`","kind":"`+k+`","name":"`+k+`"}`)
				want = append(want, k)
			}
		}
		r := run(t, things, decode.Options{}, pagesOf(`{"value":[`+strings.Join(rows, ",")+`]}`))
		if diff := cmp.Diff(r.column(t, things, "name"), r.column(t, things, "kind")); diff != "" || len(r.rows) != len(want) {
			t.Error(diff)
		}
	})
	t.Run("a batch's values begin with those of the batch before", func(t *testing.T) {
		d := decode.JSON(things, decode.Options{BatchRows: 1})
		var before []string
		for batch, err := range d.Stream(pagesOf(thing(`"kind":"x"`), thing(`"kind":"y"`), thing(`"kind":"x"`))).Batches {
			if err != nil {
				t.Fatal(err)
			}
			values := batch.Column(2).(*array.Dictionary).Dictionary().(*array.String)
			var now []string
			for i := range values.Len() {
				now = append(now, strings.Clone(values.Value(i)))
			}
			if len(now) < len(before) || !slices.Equal(before, now[:len(before)]) {
				t.Errorf("%q does not begin with %q", now, before)
			}
			before = now
		}
	})
	t.Run("one that has grown too large starts anew", func(t *testing.T) {
		var pages []string
		var want []any
		filler := strings.Repeat("x", 60000)
		for p := range 6 {
			var rows []string
			for i := range 80 {
				kind := fmt.Sprintf("%s %d", filler, p/2*1000+i*2+p%2)
				rows = append(rows, fmt.Sprintf(`{"id":"%s","kind":"%s"}`, id1, kind))
				want = append(want, kind)
			}
			pages = append(pages, `{"value":[`+strings.Join(rows, ",")+`]}`)
		}
		r := run(t, things, decode.Options{BatchRows: 1}, pagesOf(pages...))
		if diff := cmp.Diff(want, r.column(t, things, "kind")); diff != "" {
			t.Error("values differ")
		}
	})
	t.Run("GUIDs that have grown too many start anew", func(t *testing.T) {
		table := &schemas.Table{Name: "t", Format: schemas.JSON, Fields: []schemas.Field{{Name: "g", Kind: schemas.UUID, Dict: true, From: "g"}}}
		var pages []string
		for p := range 4 {
			b := []byte(`{"value":[`)
			for i := range 70000 {
				b = fmt.Appendf(b, `{"g":"%08x-0000-4000-8000-000000000000"},`, (p/2)<<24|i*2+p%2)
			}
			pages = append(pages, string(b[:len(b)-1])+"]}")
		}
		at, last := 0, 0
		for batch, err := range decode.JSON(table, decode.Options{}).Stream(pagesOf(pages...)).Batches {
			if err != nil {
				t.Fatal(err)
			}
			for i := range int(batch.NumRows()) {
				p, k := at/70000, at%70000
				if got, want := cellOf(batch.Column(0), i), fmt.Sprintf("%08x-0000-4000-8000-000000000000", (p/2)<<24|k*2+p%2); got != want {
					t.Fatalf("row %d is %v, want %s", at, got, want)
				}
				at++
			}
			last = batch.Column(0).(*array.Dictionary).Dictionary().Len()
		}
		if at != 280000 || last > 200000 {
			t.Errorf("%d rows, the last of %d values", at, last)
		}
	})
}

func TestRetainedBatches(t *testing.T) {
	g := newGen(3)
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	var pages []string
	for range 6 {
		pages = append(pages, textOf(t, g.usersPage(40, true)))
	}
	d := decode.JSON(schemas.GraphUsers, decode.Options{BatchRows: 40, Alloc: mem})
	var kept []arrow.RecordBatch
	var seen [][][]any
	for batch, err := range d.Stream(pagesOf(pages...)).Batches {
		if err != nil {
			t.Fatal(err)
		}
		if len(kept)%2 == 0 || len(seen) > 3 {
			batch.Retain()
			kept = append(kept, batch)
			seen = append(seen, rowsOf(batch))
		}
	}
	for i, batch := range kept {
		if diff := cmp.Diff(seen[i], rowsOf(batch)); diff != "" {
			t.Errorf("retained batch %d has changed", i)
		}
		batch.Release()
	}
}

func TestBatchesMayBeReleasedElsewhere(t *testing.T) {
	g := newGen(4)
	var pages []string
	var want [][]any
	for range 20 {
		pages = append(pages, textOf(t, g.usersPage(5, false)))
		rows, err := oracleJSON(schemas.GraphUsers, pages[len(pages)-1])
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, rows...)
	}
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	batches := make(chan arrow.RecordBatch, 4)
	got := make(chan [][]any)
	go func() {
		var rows [][]any
		for batch := range batches {
			rows = append(rows, rowsOf(batch)...)
			batch.Release()
		}
		got <- rows
	}()
	for batch, err := range decode.JSON(schemas.GraphUsers, decode.Options{BatchRows: 5, Alloc: mem}).Stream(pagesOf(pages...)).Batches {
		if err != nil {
			t.Error(err)
			break
		}
		batch.Retain()
		batches <- batch
	}
	close(batches)
	if !reflect.DeepEqual(want, <-got) {
		t.Error("rows differ")
	}
}

func TestSteadyStateAllocatesNothingPerRow(t *testing.T) {
	for _, c := range []struct {
		name  string
		table *schemas.Table
		page  func(g *gen, rows int) *pipeline.Page
	}{
		{"users", schemas.GraphUsers, func(g *gen, rows int) *pipeline.Page { return g.usersPage(rows, true) }},
		{"sign-ins", schemas.GraphSignIns, (*gen).signInsPage},
		{"active users", schemas.ReportOffice365ActiveUserDetail, (*gen).activeUsersReport},
		{"apps", schemas.ReportM365AppUserDetail, (*gen).appsReport},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Allocations of a page of many rows less those of one of few are what
			// the rows cost. One stream decodes all pages, one batch a page.
			cost := func(rows int) float64 {
				p := c.page(newGen(5), rows)
				if _, err := p.Text(); err != nil {
					t.Fatal(err)
				}
				var allocs float64
				d := decode.For(c.table, decode.Options{BatchRows: rows})
				for _, err := range d.Stream(func(yield func(*pipeline.Page, error) bool) {
					for range 3 { // the first pages size the buffers and fill the dictionaries
						yield(p, nil)
					}
					allocs = testing.AllocsPerRun(5, func() { yield(p, nil) })
				}).Batches {
					if err != nil {
						t.Fatal(err)
					}
				}
				return allocs
			}
			few, many := cost(100), cost(1000)
			if many > few+20 {
				t.Errorf("100 rows cost %v allocations, 1000 rows %v", few, many)
			}
		})
	}
}

func TestSamples(t *testing.T) {
	for file, table := range map[string]*schemas.Table{
		"users-beta-page1.json":                      schemas.GraphUsers,
		"signins-v1-page1.json":                      schemas.GraphSignIns,
		"signins-v1-page2-empty-with-nextlink.json":  schemas.GraphSignIns,
		"subscribedSkus.json":                        schemas.GraphSubscribedSkus,
		"getOffice365ActiveUserDetail.csv":           schemas.ReportOffice365ActiveUserDetail,
		"getOffice365ActiveUserDetail.concealed.csv": schemas.ReportOffice365ActiveUserDetail,
		"getEmailActivityUserDetail.csv":             schemas.ReportEmailActivityUserDetail,
		"getMailboxUsageDetail.csv":                  schemas.ReportMailboxUsageDetail,
		"getM365AppUserDetail.csv":                   schemas.ReportM365AppUserDetail,
		"getOneDriveUsageAccountDetail.csv":          schemas.ReportOneDriveUsageAccountDetail,
		"getOffice365ActivationsUserDetail.csv":      schemas.ReportOffice365ActivationsUserDetail,
	} {
		t.Run(file, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", file))
			if err != nil {
				t.Fatal(err)
			}
			var want [][]any
			if table.Format == schemas.JSON {
				want, err = oracleJSON(table, string(text))
			} else {
				want, _, err = oracleCSV(table, string(text))
			}
			if err != nil {
				t.Fatal(err)
			}
			r := run(t, table, decode.Options{}, pagesOf(string(text)))
			if r.err != nil {
				t.Fatal(r.err)
			}
			if diff := cmp.Diff(want, append([][]any{}, r.rows...)); diff != "" {
				t.Error(diff)
			}
			if len(r.drift.Unknown) > 0 || table.Format == schemas.CSV && r.drift.Missing != nil {
				t.Errorf("drift %+v", r.drift)
			}
		})
	}
	t.Run("the delta sample is refused", func(t *testing.T) {
		text, err := os.ReadFile("testdata/users-delta-last.json")
		if err != nil {
			t.Fatal(err)
		}
		if r := run(t, schemas.GraphUsers, decode.Options{}, pagesOf(string(text))); r.err == nil || !strings.Contains(r.err.Error(), "@removed") {
			t.Errorf("got %v", r.err)
		}
	})
}
