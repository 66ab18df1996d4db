package main

import (
	"context"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"seatlake/extract/graph"
	"seatlake/load/reclaim"
	"seatlake/pipeline"
	"seatlake/schemas"
	"seatlake/sql"
)

// freshActivity is what users did, read anew at the start of an act: by the usage
// reports, and by the sign-ins since the plan's evidence.
type freshActivity struct {
	reports map[schemas.Service]map[string]string // service -> lower-case name -> day
	signIns map[schemas.Service]map[string]string // service -> object id -> day
	unread  map[schemas.Service]error             // why a service's activity is not known
}

var _ reclaim.Activity = (*freshActivity)(nil)

// reportColumns are the columns by which reports measure services.
var reportColumns = []struct {
	service schemas.Service
	source  string
	table   *schemas.Table
	column  string
}{
	{schemas.Exchange, pipeline.ReportActiveUsers, schemas.ReportOffice365ActiveUserDetail, "exchange_last_activity_date"},
	{schemas.OneDrive, pipeline.ReportActiveUsers, schemas.ReportOffice365ActiveUserDetail, "onedrive_last_activity_date"},
	{schemas.SharePoint, pipeline.ReportActiveUsers, schemas.ReportOffice365ActiveUserDetail, "sharepoint_last_activity_date"},
	{schemas.Skype, pipeline.ReportActiveUsers, schemas.ReportOffice365ActiveUserDetail, "skype_for_business_last_activity_date"},
	{schemas.Yammer, pipeline.ReportActiveUsers, schemas.ReportOffice365ActiveUserDetail, "yammer_last_activity_date"},
	{schemas.Teams, pipeline.ReportActiveUsers, schemas.ReportOffice365ActiveUserDetail, "teams_last_activity_date"},
	{schemas.Outlook, pipeline.ReportEmail, schemas.ReportEmailActivityUserDetail, "last_activity_date"},
}

// readActivity reads what the services of some rows need, once for all of them. A
// source that Graph refuses leaves its services unread; any other error is one.
func readActivity(ctx context.Context, client *graph.Client, rows []reclaim.Row, now time.Time) (*freshActivity, error) {
	f := &freshActivity{
		reports: map[schemas.Service]map[string]string{}, signIns: map[schemas.Service]map[string]string{}, unread: map[schemas.Service]error{},
	}
	needed := map[schemas.Service]bool{}
	since := now
	for _, r := range rows {
		for _, s := range r.Judged {
			needed[schemas.Service(s)] = true
		}
		if day, err := time.Parse(time.DateOnly, r.ObservedThrough); err == nil && day.Before(since) {
			since = day
		}
	}
	for _, source := range []string{pipeline.ReportActiveUsers, pipeline.ReportEmail} {
		if err := f.report(ctx, client, source, needed); err != nil {
			return nil, err
		}
	}
	return f, f.log(ctx, client, needed, pipeline.Window{From: since, To: now.Add(time.Second)})
}

// Since is the latest use of any of the services, under any of the names.
func (f *freshActivity) Since(names []string, id string, services []string) (day, service string, err error) {
	for _, s := range services {
		s := schemas.Service(s)
		if why := f.unread[s]; why != nil {
			return "", "", fmt.Errorf("use of %s: %w", s, why)
		}
		days := []string{f.signIns[s][strings.ToLower(id)]}
		for _, name := range names {
			days = append(days, f.reports[s][name])
		}
		for _, seen := range days {
			if seen > day {
				day, service = seen, string(s)
			}
		}
	}
	return day, service, nil
}

// report reads one usage report, if a needed service is measured by it.
func (f *freshActivity) report(ctx context.Context, client *graph.Client, source string, needed map[schemas.Service]bool) error {
	columns := map[string]schemas.Service{} // by header
	var table *schemas.Table
	for _, c := range reportColumns {
		if c.source == source && needed[c.service] {
			table = c.table
			field, _ := table.Field(c.column) // which the schema has
			columns[field.From] = c.service
			f.reports[c.service] = map[string]string{}
		}
	}
	if table == nil {
		return nil
	}
	var why error
	for page, err := range client.Pages(ctx, source, pipeline.Window{}) {
		if gap, refused := pipeline.AsGap(err); refused {
			why = errors.New(gap.Reason)
			break
		}
		if err != nil {
			return err
		}
		err = f.readReport(page, columns)
		page.Release()
		if err != nil {
			why = err
			break
		}
	}
	for _, s := range columns {
		if why != nil {
			f.unread[s] = why
		}
	}
	return nil
}

// readReport reads a report's rows. Rows of deleted accounts never count.
func (f *freshActivity) readReport(page *pipeline.Page, columns map[string]schemas.Service) error {
	text, err := page.Reader()
	if err != nil {
		return err
	}
	defer text.Close()
	in := csv.NewReader(text)
	in.FieldsPerRecord, in.LazyQuotes, in.ReuseRecord = -1, true, true
	header, err := in.Read()
	if err != nil {
		return fmt.Errorf("header of %s: %w", page.Source, err)
	}
	at := map[string]int{}
	for i, name := range header {
		at[strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))] = i
	}
	for _, name := range append(headersOf(columns), "User Principal Name") {
		if _, ok := at[name]; !ok {
			return fmt.Errorf("%s has no column %q", page.Source, name)
		}
	}
	names, hidden := 0, 0
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("%s: %w", page.Source, err)
		}
		get := func(name string) string {
			if i, ok := at[name]; ok && i < len(row) {
				return strings.TrimSpace(row[i])
			}
			return ""
		}
		name := strings.ToLower(get("User Principal Name"))
		if name == "" || name == "(unknown)" || strings.EqualFold(get("Is Deleted"), "true") {
			continue
		}
		if names++; !strings.Contains(name, "@") || strings.HasPrefix(name, "<pii:") {
			hidden++
		}
		for column, service := range columns {
			if day := get(column); day > f.reports[service][name] {
				f.reports[service][strings.Clone(name)] = strings.Clone(day)
			}
		}
	}
	switch {
	case names == 0:
		return fmt.Errorf("%s names no user: reports are not ready, or are switched off", page.Source)
	case 10*hidden > 9*names:
		return errors.New("usage reports hide the names of users")
	}
	return nil
}

func headersOf(columns map[string]schemas.Service) []string {
	var out []string
	for name := range columns {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// log reads the sign-ins of a window, if a needed service is measured by them.
func (f *freshActivity) log(ctx context.Context, client *graph.Client, needed map[schemas.Service]bool, w pipeline.Window) error {
	rules, err := sql.SignInRules(nil)
	if err != nil {
		return err
	}
	byID := map[string]schemas.Service{} // "app/guid" or "resource/guid"
	for _, r := range rules {
		if s := schemas.Service(r.Service); needed[s] {
			byID[r.Match+"/"+guidOf(r.ID)] = s
			f.signIns[s] = map[string]string{}
		}
	}
	if len(byID) == 0 {
		return nil
	}
	for page, err := range client.Pages(ctx, pipeline.SignIns, w) {
		if gap, refused := pipeline.AsGap(err); refused {
			for _, s := range byID {
				f.unread[s] = errors.New(gap.Reason)
			}
			return nil
		}
		if err != nil {
			return err
		}
		err = f.readSignIns(page, byID)
		page.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

func guidOf(id [16]byte) string {
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// readSignIns notes who signed in to which service, successfully.
func (f *freshActivity) readSignIns(page *pipeline.Page, byID map[string]schemas.Service) error {
	text, err := page.Text()
	if err != nil {
		return err
	}
	var wire struct {
		Value []struct {
			CreatedDateTime time.Time
			UserID          string
			AppID           string
			ResourceID      string
			Status          struct{ ErrorCode int }
		}
	}
	if err := json.Unmarshal(text, &wire); err != nil {
		return fmt.Errorf("sign-ins, page %d: %w", page.Number, err)
	}
	for _, s := range wire.Value {
		if s.Status.ErrorCode != 0 {
			continue
		}
		day := s.CreatedDateTime.UTC().Format(time.DateOnly)
		for _, key := range []string{"app/" + strings.ToLower(s.AppID), "resource/" + strings.ToLower(s.ResourceID)} {
			if service, ok := byID[key]; ok {
				id := strings.ToLower(s.UserID)
				f.signIns[service][id] = max(f.signIns[service][id], day)
			}
		}
	}
	return nil
}
