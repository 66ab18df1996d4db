package decode

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"

	"seatlake/pipeline"
	"seatlake/schemas"
)

const copilotRow = `{"reportRefreshDate":"2026-10-06","userPrincipalName":"Ann@contoso.com","displayName":"Ann, \"A\" ☃",` +
	`"lastActivityDate":"2026-10-05","wordCopilotLastActivityDate":"","loopCopilotLastActivityDate":null,"oneNoteCopilotLastActivityDate":"2026-10-05",` +
	`"copilotActivityUserDetailsByPeriod":[{"reportPeriod":28}]}`

// either decodes pages of the Copilot report to rows of text.
func decodeEither(t *testing.T, pages ...string) (rows []string, drift Drift, err error) {
	t.Helper()
	d := Either(schemas.ReportMicrosoft365CopilotUsageUserDetail, Options{})
	stream := d.Stream(func(yield func(*pipeline.Page, error) bool) {
		for i, text := range pages {
			if !yield(&pipeline.Page{Source: pipeline.ReportCopilot, Number: i + 1, Body: []byte(text)}, nil) {
				return
			}
		}
	})
	for batch, batchErr := range stream.Batches {
		if batchErr != nil {
			return rows, d.Drift(), batchErr
		}
		for i := range int(batch.NumRows()) {
			var cells []string
			for c, column := range batch.Columns() {
				if column.IsNull(i) {
					continue
				}
				value := column.ValueStr(i)
				if dict, ok := column.(*array.Dictionary); ok {
					value = dict.Dictionary().ValueStr(dict.GetValueIndex(i))
				}
				cells = append(cells, batch.ColumnName(c)+"="+value)
			}
			rows = append(rows, strings.Join(cells, " "))
		}
	}
	return rows, d.Drift(), nil
}

func TestEither(t *testing.T) {
	want := `report_refresh_date=2026-10-06 user_principal_name=Ann@contoso.com display_name=Ann, "A" ☃ last_activity_date=2026-10-05 ` +
		`onenote_copilot_last_activity_date=2026-10-05 report_period=28`
	t.Run("JSON and CSV that say the same give the same rows", func(t *testing.T) {
		csv := "\ufeffReport Refresh Date,User Principal Name,Display Name,Last Activity Date,OneNote Copilot Last Activity Date,Report Period\r\n" +
			"2026-10-06,Ann@contoso.com,\"Ann, \"\"A\"\" ☃\",2026-10-05,2026-10-05,28\r\n"
		for _, page := range []string{csv, `{"value":[` + copilotRow + `]}`, ` {"@odata.context":"x","value":[` + copilotRow + `]}`} {
			rows, _, err := decodeEither(t, page)
			if err != nil || len(rows) != 1 || rows[0] != want {
				t.Errorf("%v %v", rows, err)
			}
		}
	})
	t.Run("rows of all pages are there", func(t *testing.T) {
		page := `{"value":[` + copilotRow + `,` + copilotRow + `]}`
		rows, _, err := decodeEither(t, page, `{"value":[]}`, page)
		if err != nil || len(rows) != 4 {
			t.Errorf("%d rows, %v", len(rows), err)
		}
	})
	t.Run("properties that the table has not are counted", func(t *testing.T) {
		_, drift, err := decodeEither(t, `{"value":[{"reportRefreshDate":"2026-10-06","userPrincipalName":"a@b.c","sparkleDate":""}]}`)
		if err != nil || drift.Unknown["sparkleDate"] != 1 {
			t.Errorf("%v, %v", drift, err)
		}
	})
	for name, page := range map[string]string{
		"a day that is none":          `{"value":[{"reportRefreshDate":"yesterday"}]}`,
		"two periods in a row":        `{"value":[{"details":[{"reportPeriod":7},{"reportPeriod":28}]}]}`,
		"a property twice":            `{"value":[{"reportPeriod":7,"details":[{"reportPeriod":28}]}]}`,
		"an object in a cell":         `{"value":[{"displayName":{"a":1}}]}`,
		"a page that ends too early":  `{"value":[{"displayName":"a"`,
		"rows that are no objects":    `{"value":[1]}`,
		"HTML in place of the report": `<html>`,
	} {
		t.Run(name+" is an error that says where", func(t *testing.T) {
			rows, _, err := decodeEither(t, page)
			if err == nil || !strings.Contains(err.Error(), "page 1") {
				t.Errorf("%v, %v", rows, err)
			}
		})
	}
}
