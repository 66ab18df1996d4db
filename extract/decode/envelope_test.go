package decode_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"seatlake/extract/decode"
)

func TestReadEnvelope(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want decode.Envelope
	}{
		"a last page":              {`{"value":[{"id":1}]}`, decode.Envelope{HasValue: true}},
		"an empty page":            {`{"@odata.nextLink":"n","value":[ ]}`, decode.Envelope{NextLink: "n", HasValue: true, Empty: true}},
		"a link behind the rows":   {`{"value":[{"a":"]}\"\\"},[[]],-1.5e-3,true,false,null],"@odata.nextLink":"https:\/\/x\u003fa"}`, decode.Envelope{NextLink: "https://x?a", HasValue: true}},
		"a delta link":             {` { "@odata.deltaLink" : "d" , "value" : [ ] } `, decode.Envelope{DeltaLink: "d", HasValue: true, Empty: true}},
		"a null link":              {`{"@odata.nextLink":null,"value":[]}`, decode.Envelope{HasValue: true, Empty: true}},
		"an object, no collection": {`{"error":{"code":"x"},"value":{}}`, decode.Envelope{}},
		"an empty object":          {`{}`, decode.Envelope{}},
		"links within rows":        {`{"value":[{"@odata.nextLink":"no"}]}`, decode.Envelope{HasValue: true}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := decode.ReadEnvelope([]byte(c.text))
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
	for text, want := range map[string]string{
		"":                                "the page is empty",
		"\r\n \t":                         "the page is empty",
		"  <html><body>Sign in":           "HTML instead of JSON: a proxy or sign-in page answered",
		"\x1f\x8b\x08":                    "still compressed",
		"[]":                              "an object expected, found an array",
		"null":                            "an object expected, found null",
		`{"value":[{"id":"a`:              "it may be truncated",
		`{"value":[`:                      "it may be truncated",
		`{"value":[]`:                     "it may be truncated",
		`{"value":[]}}`:                   "'}' after the end of the answer",
		`{"value":[]}<!-- -->`:            "'<' after the end of the answer",
		`{"value":[{]}]}`:                 "a property name expected",
		`{"value":[}`:                     "a value expected",
		`{"value":[1,]}`:                  "a value expected",
		`{"value":[1 2]}`:                 "',' or ']' expected",
		`{"value":[{"a":1 "b":2}]}`:       "',' or '}' expected",
		`{"value":[{"a" 1}]}`:             "':' expected",
		`{"value":[01]}`:                  "',' or ']' expected",
		`{"value":[nul]}`:                 "a value expected, found nul",
		`{"value":[-]}`:                   "a value expected",
		`{"value":[1.]}`:                  "a value expected",
		`{"value":["\q"]}`:                "an escape expected",
		"{\"value\":[\"a\tb\"]}":          "control byte 0x09",
		"{\"value\":[\"\xc3\x28\"]}":      "invalid UTF-8",
		`{"@odata.nextLink":7}`:           "a link expected, found number 7",
		strings.Repeat(`{"a":`, 70) + "1": "nested deeper than 64",
	} {
		if _, err := decode.ReadEnvelope([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	t.Run("every truncation of a page is refused", func(t *testing.T) {
		text := newGen(2).usersPage(3, true).Body
		for n := range text {
			if _, err := decode.ReadEnvelope(text[:n]); err == nil {
				t.Fatalf("accepted %d of %d bytes", n, len(text))
			}
		}
		if _, err := decode.ReadEnvelope(text); err != nil {
			t.Error(err)
		}
	})
}

func FuzzEnvelope(f *testing.F) {
	f.Add(`{"@odata.nextLink":"n","value":[{"a":[1.5e3,true,null,"\u00e9\ud83d\ude00"]}]}`)
	f.Add(`{"value":[]} `)
	f.Add(`<html>`)
	f.Add("{\"value\":[\"\xff\"]}")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := decode.ReadEnvelope([]byte(text))
		var want struct {
			Next  any             `json:"@odata.nextLink"`
			Delta any             `json:"@odata.deltaLink"`
			Value json.RawMessage `json:"value"`
		}
		if err == nil {
			if !json.Valid([]byte(text)) || !utf8.ValidString(text) {
				t.Fatalf("accepted %q", text)
			}
			return
		}
		// What is refused is no valid object of moderate depth.
		if json.Unmarshal([]byte(text), &want) != nil || !utf8.ValidString(text) || strings.Count(text, "{")+strings.Count(text, "[") > 64 {
			return
		}
		object := strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{")
		link := func(v any) bool { _, ok := v.(string); return ok || v == nil }
		if object && link(want.Next) && link(want.Delta) && !strings.Contains(text, "Link") {
			t.Fatalf("refused %q: %v (%+v)", text, err, got)
		}
	})
}
