package pipeline_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"seatlake/pipeline"
)

func TestPageReader(t *testing.T) {
	text := []byte(strings.Repeat("Report Refresh Date,User Principal Name\r\n", 10_000))
	zipped := zip(t, text)
	damaged := bytes.Clone(zipped)
	damaged[len(damaged)-8] ^= 1 // of the checksum
	for _, c := range []struct {
		name string
		page pipeline.Page
	}{
		{"a plain body", pipeline.Page{Body: text}},
		{"a body with gzip", pipeline.Page{Body: zipped, Coding: "gzip"}},
		{"a body of two gzip members", pipeline.Page{Body: append(zip(t, text[:99]), zip(t, text[99:])...), Coding: "gzip"}},
	} {
		t.Run(c.name+" is read again and again", func(t *testing.T) {
			for range 2 {
				if got, err := readPage(&c.page); err != nil || !bytes.Equal(got, text) {
					t.Fatalf("%d bytes, error %v; want %d bytes", len(got), err, len(text))
				}
			}
			if got, err := c.page.Text(); err != nil || !bytes.Equal(got, text) {
				t.Fatalf("Text: %d bytes, error %v; want %d bytes", len(got), err, len(text))
			}
		})
	}
	for _, c := range []struct {
		name, want string
		page       pipeline.Page
	}{
		{"a body cut short", "unexpected EOF", pipeline.Page{Body: zipped[:len(zipped)/2], Coding: "gzip"}},
		{"a body without its last byte", "unexpected EOF", pipeline.Page{Body: zipped[:len(zipped)-1], Coding: "gzip"}},
		{"a wrong checksum", "invalid checksum", pipeline.Page{Body: damaged, Coding: "gzip"}},
		{"a body that is not compressed", "gunzip", pipeline.Page{Body: text, Coding: "gzip"}},
		{"an unknown coding", `content coding "br" is not known`, pipeline.Page{Body: text, Coding: "br"}},
	} {
		t.Run(c.name+" is an error", func(t *testing.T) {
			if _, err := readPage(&c.page); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Reader: error %v, want %q", err, c.want)
			}
			if _, err := c.page.Text(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Text: error %v, want %q", err, c.want)
			}
		})
	}
}

func readPage(p *pipeline.Page) ([]byte, error) {
	r, err := p.Reader()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func zip(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReleasedTextServesOtherPages(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var held []*pipeline.Page
		var texts []string
		for i := range rapid.IntRange(1, 20).Draw(rt, "pages") {
			text := strings.Repeat(string(rune('a'+i)), rapid.IntRange(0, 5000).Draw(rt, "length"))
			page := &pipeline.Page{Coding: "gzip", Body: zip(t, []byte(text))}
			if rapid.Bool().Draw(rt, "plain") {
				page = &pipeline.Page{Body: []byte(text)}
			}
			held, texts = append(held, page), append(texts, text)
			if rapid.Bool().Draw(rt, "release") {
				held[0].Release()
				held, texts = held[1:], texts[1:]
			}
			for k, page := range held {
				got, err := page.Text()
				if err != nil {
					rt.Fatal(err)
				}
				if string(got) != texts[k] {
					rt.Fatalf("page %d of %d reads %q, not %q", k, len(held), got, texts[k])
				}
				if pad := got[len(got) : len(got)+pipeline.Pad]; !bytes.Equal(pad, make([]byte, pipeline.Pad)) {
					rt.Fatalf("behind page %d stands %q", k, pad)
				}
			}
		}
	})
}
