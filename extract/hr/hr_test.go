package hr

import (
	"errors"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"seatlake/extract/sheet"
	"seatlake/pipeline"
)

func TestAnEmployeeIsReadWhole(t *testing.T) {
	const file = "\xef\xbb\xbfStatus,Mail,employee_id,cost_center,end_date,department,manager_user_principal_name,tenant,user_principal_name\r\n" +
		"INACTIVE, Ada@contoso.com ,0007,CC-1,2026-09-30,\"Sales, EMEA\",zoe@contoso.com,contoso,\r\n" +
		",,,,,,,,\r\n" +
		"leave,,8,,,,,,bob@contoso.com\r\n"
	got, err := Parse("hr.csv", []byte(file), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []Employee{
		{
			Line: 2, Tenant: "contoso", ID: "0007", Mail: "Ada@contoso.com", Status: Inactive, Department: "Sales, EMEA", CostCentre: "CC-1",
			Manager: "zoe@contoso.com", End: time.Date(2026, 9, 30, 0, 0, 0, 0, time.UTC),
		},
		{Line: 4, ID: "8", UserPrincipalName: "bob@contoso.com", Status: Leave},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("employees differ (-want +got):\n%s", diff)
	}
}

func TestEveryFaultOfAFileIsNamed(t *testing.T) {
	knows := func(tenant string) bool { return tenant == "contoso" }
	for name, c := range map[string]struct{ file, want string }{
		"cells that say nothing": {
			"employee_id,user_principal_name,status,end_date,tenant\n,ada,retired,30.09.2026,fabrikam\n1,b c@d,active,,contoso\n2,x@y\n",
			`hr.csv:2: user_principal_name "ada" is not an address like ada@contoso.com
hr.csv:2: end_date "30.09.2026" is not a day like 2026-07-01
hr.csv:2: employee_id is missing
hr.csv:2: status "retired" is not known; it is one of active, inactive, leave
hr.csv:2: tenant "fabrikam" is not in the configuration
hr.csv:3: user_principal_name "b c@d" is not an address like ada@contoso.com
hr.csv:4: has 2 cells where the header has 5; quote text and numbers that hold a comma`,
		},
		"columns that are not there": {
			"employee_id,state\n", "hr.csv:1: column \"state\" is not known; there are: tenant, employee_id, user_principal_name, mail, status, department, cost_centre, manager_user_principal_name, end_date\n" +
				"hr.csv:1: column status is missing",
		},
		"nothing to find users by": {"employee_id,status\n1,active\n", "hr.csv:1: column user_principal_name is missing, or mail: by one of them employees are found among users"},
		"a column twice":           {"employee_id,status,Status,mail\n", "hr.csv:1: column status is there twice"},
		"semicolons":               {"employee_id;status;mail\n", "hr.csv:1: the columns are separated by ;, they must be by a comma"},
		"no text":                  {"", "hr.csv:1: the file is empty; its first line names the columns: tenant,employee_id,user_principal_name,mail,status,department,cost_centre,manager_user_principal_name,end_date"},
		"another encoding":         {"employee_id,status,mail\n1,active,a@b\n2,active,J\xfcrgen@b\n", `hr.csv:3: is not UTF-8; save the file as "CSV UTF-8"`},
		"a quote that never ends":  {"employee_id,status,mail\n1,active,\"a@b\n", "hr.csv:2: is not CSV: extraneous or missing \" in quoted-field"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("hr.csv", []byte(c.file), knows)
			var faulty *sheet.Error
			if !errors.As(err, &faulty) {
				t.Fatalf("error %v, want a *sheet.Error", err)
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Errorf("faults differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestATenantHasItsEmployees(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	const file = "employee_id,mail,status,tenant,end_date\n1,a@b,active,,\n2,c@d,active,Fabrikam,\n3,,leave,0A,2026-12-31\n"
	d := NewDecoder("contoso", "0a", mem)
	page := sheet.Page(pipeline.HrEmployees, "hr.csv", []byte(file), time.Time{})
	rows := ""
	for batch, err := range d.Stream(func(yield func(*pipeline.Page, error) bool) { yield(page, nil) }).Batches {
		if err != nil {
			t.Fatal(err)
		}
		for i := range int(batch.NumRows()) {
			for c := range int(batch.NumCols()) {
				rows += batch.Column(c).ValueStr(i) + " "
			}
			rows += "\n"
		}
	}
	const want = `2 1 (null) a@b active (null) (null) (null) (null) 
4 3 (null) (null) leave (null) (null) (null) 2026-12-31 
`
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("rows differ (-want +got):\n%s", diff)
	}
	if got := d.Drift().Rows; got != 2 {
		t.Errorf("%d rows are counted", got)
	}
	if state := string(d.State()); state != `{"file":"hr.csv","sha256":"e203ada3b6ee041db5784734057d468380bfcf5599e5c2408f5502d88554e92a"}` {
		t.Errorf("the commit notes %s", state)
	}
	for _, err := range d.Stream(func(yield func(*pipeline.Page, error) bool) { yield(page, nil) }).Batches {
		if err == nil {
			t.Error("a second page is read")
		}
	}
}
