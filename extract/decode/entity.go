package decode

import (
	"seatlake/pipeline"
	"seatlake/schemas"
)

// Entity is a decoder of answers that are one object, which is the row.
func Entity(table *schemas.Table, o Options) pipeline.Decoder { return entity{JSON(table, o)} }

// entity decodes each object as a collection of one.
type entity struct{ *Decoder }

func (d entity) Stream(pages pipeline.Pages) pipeline.Stream {
	return d.Decoder.Stream(func(yield func(*pipeline.Page, error) bool) {
		for page, err := range pages {
			if err == nil {
				page, err = collectionOf(page)
			}
			if !yield(page, err) || err != nil {
				return
			}
		}
	})
}

// collectionOf is the page with its object in a collection.
func collectionOf(page *pipeline.Page) (*pipeline.Page, error) {
	text, err := page.Text()
	if err == nil {
		err = refuse(text, "JSON")
	}
	if err != nil {
		return nil, &pipeline.Error{Source: page.Source, Page: page.Number, Err: err}
	}
	const before, after = `{"value":[`, `]}`
	body := make([]byte, 0, len(before)+len(text)+len(after))
	body = append(append(append(body, before...), text...), after...)
	return &pipeline.Page{
		Source: page.Source, Number: page.Number, Request: page.Request, RequestID: page.RequestID,
		Body: body, Observed: page.Observed,
	}, nil
}
