package graphsim

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

var (
	copilotPath      = regexp.MustCompile(`^copilot/reports/(get[A-Za-z0-9]+)\((.*)\)$`)
	copilotArguments = regexp.MustCompile(`^period='(D7|D28|D90|D180|ALL)'(?:,version='v2')?$`)
	firstArguments   = regexp.MustCompile(`^period='(D7|D30|D90|D180|ALL)'$`)
)

// serveCopilot answers with the report itself.
func (s *Server) serveCopilot(w http.ResponseWriter, r *http.Request, function, arguments string) {
	page, _ := strconv.Atoi(r.URL.Query().Get("$skiptoken")) // none is the first
	f, done := s.before(w, r, function, query{page: page + 1}, slices.Concat(answers, damages))
	if done {
		return
	}
	takes := copilotArguments
	if s.o.CopilotFirst {
		takes = firstArguments
	}
	period := takes.FindStringSubmatch(arguments)
	switch {
	case !s.mays(r, "Reports.Read.All"):
		s.refuseReports(w, r)
	case function != copilotReport.function:
		s.refuse(w, r, http.StatusBadRequest, "BadRequest", "Resource not found for the segment '"+function+"'.")
	case period == nil:
		s.refuse(w, r, http.StatusBadRequest, "BadRequest", "Invalid value specified for property 'period' of resource 'reports'.")
	case !s.content.hasReport(function):
		s.refuse(w, r, http.StatusNotFound, "Request_ResourceNotFound", "Resource '"+function+"' does not exist or one of its queried reference-property objects are not present.")
	case s.o.CopilotJSON:
		body, err := s.copilotJSON(r, strings.TrimPrefix(period[1], "D"), page)
		if err != nil {
			s.refuse(w, r, http.StatusInternalServerError, "UnknownError", err.Error())
			return
		}
		w.Header().Set("Content-Type", "application/json")
		s.send(w, r, body, f.Kind)
	default:
		w.Header().Set("Content-Type", "application/octet-stream")
		out, end := s.body(w, r, f.Kind)
		err := s.content.report(out, function, strings.TrimPrefix(period[1], "D"))
		if err == nil {
			err = end()
		}
		if err != nil { // the client went away, or is to think the server did
			panic(http.ErrAbortHandler)
		}
	}
}

// copilotJSON is a page of the report as JSON: properties are named as the columns
// are, a day that is none is an empty string, and the period stands in a list.
func (s *Server) copilotJSON(r *http.Request, period string, page int) ([]byte, error) {
	var text bytes.Buffer
	if err := s.content.report(&text, copilotReport.function, period); err != nil {
		return nil, err
	}
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text.Bytes(), []byte("\ufeff")))).ReadAll()
	if err != nil {
		return nil, err
	}
	size := 200
	if s.o.PageSize > 0 {
		size = s.o.PageSize
	}
	body := struct {
		Value []map[string]any `json:"value"`
		Next  string           `json:"@odata.nextLink,omitempty"`
	}{Value: []map[string]any{}}
	header, rows := rows[0], rows[1:]
	end := min((page+1)*size, len(rows))
	for _, row := range rows[min(page*size, end):end] {
		value := map[string]any{}
		for i, name := range header {
			if name == "Report Period" {
				days, err := strconv.Atoi(row[i])
				if err != nil {
					return nil, err
				}
				value["copilotActivityUserDetailsByPeriod"] = []any{map[string]any{"reportPeriod": days}}
				continue
			}
			value[propertyOf(name)] = row[i]
		}
		body.Value = append(body.Value, value)
	}
	if end < len(rows) {
		body.Next = s.GraphURL + r.URL.EscapedPath() + "?$skiptoken=" + strconv.Itoa(page+1)
	}
	return json.Marshal(body)
}

// propertyOf is a column's name as JSON has it.
func propertyOf(header string) string {
	name := []rune(strings.ReplaceAll(header, " ", ""))
	name[0] = unicode.ToLower(name[0])
	return string(name)
}
