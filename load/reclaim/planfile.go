package reclaim

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// planColumns are the columns of a plan's CSV. A person may remove rows and write into
// comment; all else is the plan's.
var planColumns = []struct {
	name  string
	value func(p *Plan, r *Row) string
}{
	{"plan_id", func(p *Plan, _ *Row) string { return p.ID }},
	{"row", func(_ *Plan, r *Row) string { return strconv.Itoa(r.Number) }},
	{"user_principal_name", func(_ *Plan, r *Row) string { return r.UserPrincipalName }},
	{"department", func(_ *Plan, r *Row) string { return r.Department }},
	{"country", func(_ *Plan, r *Row) string { return r.Country }},
	{"product_name", func(_ *Plan, r *Row) string { return r.Product }},
	{"sku_part_number", func(_ *Plan, r *Row) string { return r.PartNumber }},
	{"reason", func(_ *Plan, r *Row) string { return r.Reason }},
	{"reasons", func(_ *Plan, r *Row) string { return r.Reasons }},
	{"confidence", func(_ *Plan, r *Row) string { return r.Confidence }},
	{"evidence", func(_ *Plan, r *Row) string { return r.Evidence }},
	{"evidence_text", func(_ *Plan, r *Row) string { return r.EvidenceText }},
	{"last_activity_date", func(_ *Plan, r *Row) string { return r.LastActivityDate }},
	{"last_activity_service", func(_ *Plan, r *Row) string { return r.LastActivityService }},
	{"days_since_last_activity", func(_ *Plan, r *Row) string {
		if r.DaysSince == nil {
			return ""
		}
		return strconv.FormatInt(*r.DaysSince, 10)
	}},
	{"activity_status", func(_ *Plan, r *Row) string { return r.ActivityStatus }},
	{"last_sign_in_at", func(_ *Plan, r *Row) string { return r.LastSignIn }},
	{"observed_through", func(_ *Plan, r *Row) string { return r.ObservedThrough }},
	{"assigned_by", func(_ *Plan, r *Row) string { return r.AssignedBy }},
	{"assigned_by_groups", func(_ *Plan, r *Row) string { return strings.Join(r.Groups, ",") }},
	{"assigned_date", func(_ *Plan, r *Row) string { return r.AssignedDate }},
	{"annual_saving", func(_ *Plan, r *Row) string { return r.AnnualSaving }},
	{"cash_until_renewal", func(_ *Plan, r *Row) string { return r.CashUntilRenewal }},
	{"cash_at_renewal", func(_ *Plan, r *Row) string { return r.CashAtRenewal }},
	{"renewal_date", func(_ *Plan, r *Row) string { return r.RenewalDate }},
	{"currency", func(_ *Plan, r *Row) string { return r.Currency }},
	{"is_estimate", func(_ *Plan, r *Row) string { return strconv.FormatBool(r.IsEstimate) }},
	{"services_lost", func(_ *Plan, r *Row) string { return strings.Join(r.Lost, "; ") }},
	{"data_affected", func(_ *Plan, r *Row) string { return r.Data }},
	{"licenses_kept", func(_ *Plan, r *Row) string { return strings.Join(r.Kept, "; ") }},
	{"user_id", func(_ *Plan, r *Row) string { return r.UserID }},
	{"sku_id", func(_ *Plan, r *Row) string { return r.SKU }},
	{"comment", func(_ *Plan, r *Row) string { return r.Comment }},
}

// WriteCSV writes the plan for people.
func (p *Plan) WriteCSV(w io.Writer) error {
	var names []string
	for _, c := range planColumns {
		names = append(names, c.name)
	}
	out := csv.NewWriter(w)
	rows := [][]string{names}
	for i := range p.Rows {
		var cells []string
		for _, c := range planColumns {
			cells = append(cells, harmless(c.value(p, &p.Rows[i])))
		}
		rows = append(rows, cells)
	}
	return out.WriteAll(rows)
}

// harmless keeps a spreadsheet from taking a name for a formula.
func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// WriteJSON writes the plan for machines.
func (p *Plan) WriteJSON(w io.Writer) error { return writeJSON(w, p) }

func writeJSON(w io.Writer, v any) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(v)
}

// ReadPlan reads the JSON of a plan that is not sealed.
func ReadPlan(body []byte) (*Plan, error) {
	var p Plan
	if err := json.Unmarshal(body, &p); err != nil {
		return nil, fmt.Errorf("it is not a plan: %w", err)
	}
	switch {
	case p.ID == "" || p.Format == 0:
		return nil, errors.New("it is not a plan: it has no plan_id; `seatlake reclaim plan` writes one")
	case p.Format != PlanFormat:
		return nil, fmt.Errorf("it is a plan of format %d, and this program knows %d: use the seatlake that made it", p.Format, PlanFormat)
	}
	return &p, nil
}

// edited is what a person left of a plan's CSV.
type edited struct {
	rows  []Row    // of the plan, with comments
	notes []string // cells that were changed and are not taken over
}

// readEdited reads a plan's CSV after a person had it. Commas and semicolons separate,
// and a byte order mark is let pass, since spreadsheets write what they like. All
// faults are named at once. A row that the plan has not, twice, or for another user or
// SKU, is one.
func (p *Plan) readEdited(body []byte) (*edited, error) {
	table, err := readTable(body, "row", "user_id", "sku_id", "plan_id")
	if err != nil {
		return nil, err
	}
	var e edited
	var faults []error
	fault := func(line int, format string, args ...any) {
		faults = append(faults, fmt.Errorf("line %d: %s", line, fmt.Sprintf(format, args...)))
	}
	rows := map[int]*Row{}
	for n := range p.Rows {
		rows[p.Rows[n].Number] = &p.Rows[n]
	}
	seen := map[int]int{}
	changed := map[string]int{}
	for _, t := range table.rows {
		number, err := strconv.Atoi(t.get("row"))
		planned := rows[number]
		switch {
		case t.get("plan_id") != p.ID:
			fault(t.line, "it is of plan %q, and this is %s", t.get("plan_id"), p.ID)
			continue
		case err != nil || planned == nil:
			fault(t.line, "row %q is not in the plan; rows can be removed, not added", t.get("row"))
			continue
		case seen[number] > 0:
			fault(t.line, "row %d is there twice; line %d has it too", number, seen[number])
			continue
		case !strings.EqualFold(t.get("user_id"), planned.UserID) || !strings.EqualFold(t.get("sku_id"), planned.SKU):
			fault(t.line, "row %d is of user %s and SKU %s in the plan, and of %s and %s here: only the comment may be changed",
				number, planned.UserID, planned.SKU, t.get("user_id"), t.get("sku_id"))
			continue
		}
		seen[number] = t.line
		row := *planned
		row.Comment = t.get("comment")
		e.rows = append(e.rows, row)
		for _, c := range planColumns {
			if cell, there := t.cell(c.name); there && c.name != "comment" && cell != harmless(c.value(p, planned)) {
				changed[c.name]++
			}
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	slices.SortFunc(e.rows, func(a, b Row) int { return a.Number - b.Number })
	for _, c := range planColumns {
		if n := changed[c.name]; n > 0 {
			e.notes = append(e.notes, fmt.Sprintf("%s reads otherwise in %d rows than in the plan, whose own value is sealed", c.name, n))
		}
	}
	return &e, nil
}

// table is a CSV with a header.
type table struct{ rows []tableRow }

type tableRow struct {
	line  int
	at    map[string]int
	cells []string
}

func (r tableRow) cell(name string) (string, bool) {
	i, ok := r.at[name]
	if !ok || i >= len(r.cells) {
		return "", false
	}
	return strings.TrimSpace(r.cells[i]), true
}

func (r tableRow) get(name string) string {
	cell, _ := r.cell(name)
	return cell
}

func readTable(body []byte, needs ...string) (*table, error) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	for n, line := range bytes.Split(body, []byte("\n")) {
		if !utf8.Valid(line) {
			return nil, fmt.Errorf("line %d: it is not UTF-8: have the spreadsheet save the file as CSV UTF-8", n+1)
		}
	}
	first, _, _ := bytes.Cut(body, []byte("\n"))
	in := csv.NewReader(bytes.NewReader(body))
	in.FieldsPerRecord, in.LazyQuotes = -1, true
	if bytes.Count(first, []byte(";")) > bytes.Count(first, []byte(",")) {
		in.Comma = ';'
	}
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty; it needs its header")
	}
	if err != nil {
		return nil, err
	}
	at := map[string]int{}
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(name))
		if _, twice := at[name]; twice && name != "" {
			return nil, fmt.Errorf("line 1: column %s is there twice", name)
		}
		at[name] = i
	}
	var missing []string
	for _, name := range needs {
		if _, ok := at[name]; !ok {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("line 1: columns %s are missing", strings.Join(missing, ", "))
	}
	t := &table{}
	for {
		cells, err := in.Read()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, err
		}
		line, _ := in.FieldPos(0)
		if strings.Join(cells, "") != "" { // spreadsheets leave empty rows behind
			t.rows = append(t.rows, tableRow{line, at, cells})
		}
	}
}
