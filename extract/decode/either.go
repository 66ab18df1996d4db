package decode

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"

	"seatlake/pipeline"
	"seatlake/schemas"
)

// Either is a decoder of a usage report that comes as CSV or, page by page, as JSON:
// a property is the column whose header has the same letters and digits, whatever
// their case ("wordCopilotLastActivityDate" is "Word Copilot Last Activity Date").
func Either(table *schemas.Table, o Options) pipeline.Decoder { return either{CSV(table, o)} }

// either decodes JSON as the CSV that says the same. Such reports are short: they
// have a row for each holder of one licence.
type either struct{ *Decoder }

func (d either) Stream(pages pipeline.Pages) pipeline.Stream {
	return d.Decoder.Stream(func(yield func(*pipeline.Page, error) bool) {
		for page, err := range pages {
			if err == nil {
				page, err = d.csv(page)
			}
			if !yield(page, err) || err != nil {
				return
			}
		}
	})
}

// csv is the page itself unless it is JSON.
func (d either) csv(page *pipeline.Page) (*pipeline.Page, error) {
	fail := func(err error) (*pipeline.Page, error) {
		return nil, &pipeline.Error{Source: page.Source, Page: page.Number, Err: err}
	}
	is, err := IsJSON(page)
	if err != nil {
		return fail(err)
	}
	if !is {
		return page, nil
	}
	text, err := page.Text()
	if err != nil {
		return fail(err)
	}
	body, err := csvOf(d.table, text)
	if err != nil {
		return fail(err)
	}
	return &pipeline.Page{
		Source: page.Source, Number: page.Number, Request: page.Request, RequestID: page.RequestID,
		Body: body, Observed: page.Observed,
	}, nil
}

// IsJSON says that a page begins as a JSON object does.
func IsJSON(page *pipeline.Page) (bool, error) {
	text, err := page.Reader()
	if err != nil {
		return false, err
	}
	defer text.Close()
	start := make([]byte, 64)
	n, err := io.ReadFull(text, start)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, err
	}
	start = bytes.TrimSpace(start[:n])
	return len(start) > 0 && start[0] == '{', nil
}

// csvOf is a page of JSON as CSV, with the table's headers and those of properties
// that the table has not.
func csvOf(table *schemas.Table, text []byte) ([]byte, error) {
	if _, err := ReadEnvelope(text); err != nil { // which says where a page is damaged
		return nil, err
	}
	var page struct{ Value []map[string]json.RawMessage }
	if err := json.Unmarshal(text, &page); err != nil {
		return nil, err
	}
	var headers []string
	column := map[string]int{} // by letters and digits
	known := func(header string) int {
		at, ok := column[letters(header)]
		if !ok {
			at = len(headers)
			headers, column[letters(header)] = append(headers, header), at
		}
		return at
	}
	for _, f := range table.Decoded() {
		known(f.From)
	}
	rows := make([][]string, len(page.Value))
	for i, properties := range page.Value {
		if err := flatten(properties); err != nil {
			return nil, fmt.Errorf("row %d: %w", i+1, err)
		}
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			at := known(name)
			cell, err := cellOf(properties[name])
			if err != nil {
				return nil, fmt.Errorf("row %d: %s: %w", i+1, name, err)
			}
			for len(rows[i]) <= at {
				rows[i] = append(rows[i], "")
			}
			rows[i][at] = cell
		}
	}
	for i, row := range rows {
		rows[i] = append(row, make([]string, len(headers)-len(row))...)
	}
	var out bytes.Buffer
	err := csv.NewWriter(&out).WriteAll(append([][]string{headers}, rows...))
	return out.Bytes(), err
}

// flatten gives a row the members of its only detail: a report lists the numbers of
// a period below a name of their own. Annotations are left out.
func flatten(row map[string]json.RawMessage) error {
	for name, value := range row {
		if strings.Contains(name, "@") {
			delete(row, name)
			continue
		}
		if value[0] != '[' {
			continue
		}
		delete(row, name)
		var details []map[string]json.RawMessage
		if err := json.Unmarshal(value, &details); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if len(details) > 1 {
			return fmt.Errorf("%s: the row is of %d periods, one was asked for", name, len(details))
		}
		for _, detail := range details {
			for member, value := range detail {
				if _, twice := row[member]; twice {
					return fmt.Errorf("%s: %s is in the row, too", name, member)
				}
				row[member] = value
			}
		}
	}
	return nil
}

// cellOf is a value as a report's cell.
func cellOf(value json.RawMessage) (string, error) {
	switch value[0] {
	case 'n':
		return "", nil
	case '"':
		var s string
		err := json.Unmarshal(value, &s)
		return s, err
	case '{', '[':
		return "", errors.New("a value was expected, which is no object or list")
	default: // a number, true or false
		return string(value), nil
	}
}

// letters is what names a column, however it is written.
func letters(name string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			return unicode.ToLower(c)
		}
		return -1
	}, name)
}
