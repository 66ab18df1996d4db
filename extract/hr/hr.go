// Package hr reads who works for the customer: a file that the HR department
// exports as CSV, because the directory does not know who has left.
//
//	employee_id,user_principal_name,status,end_date
//	1007,ada@contoso.com,inactive,2026-09-30
//
// Columns are found by their names, in any order. employee_id, status, and one of
// user_principal_name and mail are needed; department, cost_centre,
// manager_user_principal_name, end_date and tenant are not. A row may lack the names
// that join it to a user, as employees without an account do.
package hr

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"seatlake/extract/sheet"
	"seatlake/pipeline"
	"seatlake/schemas"
)

// Employee is one row of a file.
type Employee struct {
	Line   int    // of the file, from 1
	Tenant string // configured name or directory id; empty for all tenants
	ID     string // employee number

	UserPrincipalName, Mail string // as written; either may be empty

	Status     Status
	Department string
	CostCentre string
	Manager    string    // user principal name
	End        time.Time // UTC day, the last of the employment; zero while none is known
}

// Of says whether the employee is one of a tenant with this configured name and
// directory id.
func (e *Employee) Of(name, id string) bool {
	return e.Tenant == "" || strings.EqualFold(e.Tenant, name) || strings.EqualFold(e.Tenant, id)
}

// Status says whether an employee works.
type Status string

// The statuses, as files write them in any case.
const (
	Active   Status = "active"
	Inactive Status = "inactive" // no longer employed
	Leave    Status = "leave"    // employed, and away for long
)

func columns() sheet.Columns {
	return sheet.Columns{
		All: []string{
			"tenant", "employee_id", "user_principal_name", "mail", "status", "department", "cost_centre",
			"manager_user_principal_name", "end_date",
		},
		Required: []string{"employee_id", "status"},
		Aliases:  map[string]string{"cost_center": "cost_centre"},
	}
}

// Parse reads a file's rows in order. name stands in faults. knows says whether there
// is a tenant of that name; nil knows all. An error is a *sheet.Error that names every
// fault.
func Parse(name string, body []byte, knows func(tenant string) bool) ([]Employee, error) {
	s := sheet.New(body, columns())
	if s.Err(name) == nil && !s.Has("user_principal_name") && !s.Has("mail") {
		s.Fault("column user_principal_name is missing, or mail: by one of them employees are found among users")
	}
	if err := s.Err(name); err != nil {
		return nil, err
	}
	var employees []Employee
	for s.Next() {
		e := employee(s)
		if e.Tenant != "" && knows != nil && !knows(e.Tenant) {
			s.Fault("tenant %q is not in the configuration", e.Tenant)
		}
		employees = append(employees, e)
	}
	if err := s.Err(name); err != nil {
		return nil, err
	}
	return employees, nil
}

func employee(s *sheet.Sheet) Employee {
	e := Employee{
		Line: s.Line(), Tenant: s.Cell("tenant"), ID: s.Cell("employee_id"), UserPrincipalName: address(s, "user_principal_name"), Mail: address(s, "mail"),
		Status: Status(strings.ToLower(s.Cell("status"))), Department: s.Cell("department"), CostCentre: s.Cell("cost_centre"),
		Manager: address(s, "manager_user_principal_name"), End: s.Date("end_date", false),
	}
	if e.ID == "" {
		s.Fault("employee_id is missing")
	}
	if e.Status != Active && e.Status != Inactive && e.Status != Leave {
		s.Fault("status %q is not known; it is one of %s, %s, %s", s.Cell("status"), Active, Inactive, Leave)
	}
	return e
}

// address is a cell with a sign-in name or an e-mail address.
func address(s *sheet.Sheet, column string) string {
	text := s.Cell(column)
	if text != "" && (!strings.Contains(text, "@") || strings.ContainsAny(text, " \t,;")) {
		s.Fault("%s %q is not an address like ada@contoso.com", column, text)
	}
	return text
}

// File is an HR file whose every row was understood.
type File struct {
	Name      string // without its folder
	Body      []byte
	Employees []Employee
}

// Read reads a file and checks it as Parse does. Its error is a *sheet.Error that
// names every fault, or the file system's.
func Read(path string, knows func(tenant string) bool) (*File, error) {
	body, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	employees, err := Parse(path, body, knows)
	if err != nil {
		return nil, err
	}
	return &File{Name: filepath.Base(path), Body: body, Employees: employees}, nil
}

// Source answers for the source hr_employees with the file's bytes, and leaves all
// others to next. observed is when the file was read, UTC.
func (f *File) Source(next pipeline.Continuer, observed time.Time) pipeline.Continuer {
	return &sheet.Source{Next: next, Of: pipeline.HrEmployees, Name: f.Name, Body: f.Body, Observed: observed}
}

// NewDecoder turns the page of a file into the employees of the tenant with this
// configured name and directory id. Its error unwraps to *sheet.Error.
func NewDecoder(tenant, tenantID string, mem memory.Allocator) *sheet.Decoder {
	return &sheet.Decoder{
		Source: pipeline.HrEmployees, Table: schemas.HrEmployees, Memory: mem,
		Rows: func(b *sheet.Builder, name string, text []byte) (n int64, err error) {
			employees, err := Parse(name, text, nil)
			if err != nil {
				return 0, err
			}
			for i := range employees {
				if !employees[i].Of(tenant, tenantID) {
					continue
				}
				if err := write(b, &employees[i]); err != nil {
					return 0, err
				}
				n++
			}
			return n, nil
		},
	}
}

// write appends an employee, column by column in the schema's order.
func write(b *sheet.Builder, e *Employee) error {
	b.Field(0).(*array.Int32Builder).Append(int32(e.Line))
	b.Text(1, e.ID)
	b.Text(2, e.UserPrincipalName)
	b.Text(3, e.Mail)
	b.Day(8, e.End)
	return errors.Join(b.Word(4, string(e.Status)), b.Word(5, e.Department), b.Word(6, e.CostCentre), b.Word(7, e.Manager))
}
