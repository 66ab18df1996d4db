package decode

import (
	"errors"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"

	"seatlake/pipeline"
	"seatlake/schemas"
)

func TestEntity(t *testing.T) {
	read := func(body string) ([]bool, pipeline.Drift, error) {
		d := Entity(schemas.GraphReportSettings, Options{})
		pages := func(yield func(*pipeline.Page, error) bool) {
			yield(&pipeline.Page{Source: pipeline.ReportSettings, Number: 1, Body: []byte(body)}, nil)
		}
		var rows []bool
		for batch, err := range d.Stream(pages).Batches {
			if err != nil {
				return rows, d.Drift(), err
			}
			column := batch.Column(0).(*array.Boolean)
			for i := range column.Len() {
				rows = append(rows, column.Value(i))
			}
		}
		return rows, d.Drift(), nil
	}

	t.Run("an object is one row", func(t *testing.T) {
		rows, drift, err := read(`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#admin/reportSettings/$entity","displayConcealedNames":true,"new":1}`)
		if err != nil || len(rows) != 1 || !rows[0] {
			t.Errorf("rows %v, %v", rows, err)
		}
		if drift.Rows != 1 || len(drift.Unknown) != 1 || drift.Unknown["new"] != 1 {
			t.Errorf("drift %+v", drift)
		}
	})

	for name, body := range map[string]string{
		"nothing": "", "HTML": "<html></html>", "half an object": `{"displayConcealedNames":`, "a wrong type": `{"displayConcealedNames":"yes"}`,
		"a list": `[{"displayConcealedNames":true}]`,
	} {
		t.Run(name+" is an error that names the page", func(t *testing.T) {
			rows, _, err := read(body)
			placed, ok := errors.AsType[*pipeline.Error](err)
			if !ok || placed.Page != 1 || strings.Contains(err.Error(), "panic") {
				t.Errorf("rows %v, %v", rows, err)
			}
		})
	}
}
