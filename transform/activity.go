package transform

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"seatlake/pipeline"
	"seatlake/schemas"
)

// Activity adds last_activity_date, last_activity_service and
// days_since_last_activity to the active user report: the latest of the six
// services' activity days, the service that gives it (of equals the first in the
// order of schemas.Services), and how many days the report's refresh date is
// after it, never less than 0. All three are null when no activity was ever
// seen, and for accounts that are deleted.
func Activity() pipeline.Transform {
	return func(in pipeline.Stream) (pipeline.Stream, error) {
		table := schemas.ReportOffice365ActiveUserDetail
		names := []string{"is_deleted", "report_refresh_date"}
		var services []string
		for _, s := range activityColumns() {
			names = append(names, s.column)
			services = append(services, string(s.service))
		}
		at, err := positions(in.Schema, table, names...)
		if err != nil {
			return pipeline.Stream{}, fmt.Errorf("activity: %w", err)
		}
		schema, err := appending(in.Schema, table, "last_activity_date", "last_activity_service", "days_since_last_activity")
		if err != nil {
			return pipeline.Stream{}, fmt.Errorf("activity: %w", err)
		}
		return extend(in, schema, func(batch arrow.RecordBatch) ([]arrow.Array, error) {
			var reported []dictColumn[arrow.Date32]
			for _, i := range at[2:] {
				reported = append(reported, readDays(batch.Column(i)))
			}
			deleted := batch.Column(at[0]).(*array.Boolean)
			return lastActivity(deleted, readDays(batch.Column(at[1])), reported, services), nil
		}), nil
	}
}

type activityColumn struct {
	service schemas.Service
	column  string
}

// activityColumns is the services of the report, in the order of
// schemas.Services.
func activityColumns() []activityColumn {
	return []activityColumn{
		{schemas.Exchange, "exchange_last_activity_date"},
		{schemas.OneDrive, "onedrive_last_activity_date"},
		{schemas.SharePoint, "sharepoint_last_activity_date"},
		{schemas.Skype, "skype_for_business_last_activity_date"},
		{schemas.Yammer, "yammer_last_activity_date"},
		{schemas.Teams, "teams_last_activity_date"},
	}
}

func lastActivity(deleted *array.Boolean, refreshed dictColumn[arrow.Date32], reported []dictColumn[arrow.Date32], services []string) []arrow.Array {
	rows := deleted.Len()
	var (
		seen    values[arrow.Date32]
		date    = makeColumn[int32](rows)
		service = makeColumn[int32](rows)
		since   = makeColumn[int32](rows)
	)
	for row := range rows {
		last, by := arrow.Date32(0), int32(-1)
		if deleted.IsNull(row) || !deleted.Value(row) {
			for i := range reported {
				if at := reported[i].at(row); at >= 0 && (by < 0 || reported[i].values[at] > last) {
					last, by = reported[i].values[at], int32(i)
				}
			}
		}
		if by < 0 {
			date.appendNull()
			service.appendNull()
			since.appendNull()
			continue
		}
		date.append(seen.index(last))
		service.append(by)
		if at := refreshed.at(row); at >= 0 {
			since.append(max(0, int32(refreshed.values[at]-last)))
		} else {
			since.appendNull()
		}
	}
	return []arrow.Array{
		dictionary(&date, days(seen.seen)),
		dictionary(&service, texts(services)),
		since.array(arrow.PrimitiveTypes.Int32),
	}
}
