package graph

import (
	"bytes"
	"encoding/json"
	"errors"
)

// envelope is what stands around a page's rows.
type envelope struct {
	NextLink string
	HasValue bool
}

func readEnvelope(text []byte) (envelope, error) {
	var e struct {
		NextLink string          `json:"@odata.nextLink"`
		Value    json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return envelope{}, err
	}
	return envelope{NextLink: e.NextLink, HasValue: len(e.Value) > 0 && e.Value[0] == '['}, nil
}

func checkCSV(text []byte) error {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if !bytes.HasPrefix(text, []byte("Report Refresh Date")) {
		return errors.New("it does not begin with a report's header")
	}
	return nil
}
