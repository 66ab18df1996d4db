package decode_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"seatlake/extract/decode"
	"seatlake/pipeline"
	"seatlake/schemas"
)

// Each benchmark decodes the same pages as its Std twin, which reads them with
// the standard library into structs or cells and appends those to Arrow builders.

func BenchmarkUsersFull(b *testing.B)   { benchDecode(b, schemas.GraphUsers, usersPages(true)) }
func BenchmarkUsersSelect(b *testing.B) { benchDecode(b, schemas.GraphUsers, usersPages(false)) }
func BenchmarkSignIns(b *testing.B)     { benchDecode(b, schemas.GraphSignIns, signInsPages()) }
func BenchmarkActiveUsers(b *testing.B) {
	benchDecode(b, schemas.ReportOffice365ActiveUserDetail, []*pipeline.Page{newGen(1).activeUsersReport(40000)})
}
func BenchmarkApps(b *testing.B) {
	benchDecode(b, schemas.ReportM365AppUserDetail, []*pipeline.Page{newGen(1).appsReport(40000)})
}

func BenchmarkUsersFullStd(b *testing.B)   { benchStd(b, usersPages(true), stdUsers) }
func BenchmarkUsersSelectStd(b *testing.B) { benchStd(b, usersPages(false), stdUsers) }
func BenchmarkSignInsStd(b *testing.B)     { benchStd(b, signInsPages(), stdSignIns) }
func BenchmarkActiveUsersStd(b *testing.B) {
	benchStd(b, []*pipeline.Page{newGen(1).activeUsersReport(40000)}, stdCSV(schemas.ReportOffice365ActiveUserDetail))
}
func BenchmarkAppsStd(b *testing.B) {
	benchStd(b, []*pipeline.Page{newGen(1).appsReport(40000)}, stdCSV(schemas.ReportM365AppUserDetail))
}

func BenchmarkEnvelope(b *testing.B) {
	pages := usersPages(true)
	b.SetBytes(size(b, pages))
	for b.Loop() {
		for _, p := range pages {
			text, _ := p.Text()
			if _, err := decode.ReadEnvelope(text); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func usersPages(full bool) []*pipeline.Page {
	g := newGen(1)
	return []*pipeline.Page{g.usersPage(999, full), g.usersPage(999, full), g.usersPage(999, full)}
}

func signInsPages() []*pipeline.Page {
	g := newGen(1)
	return []*pipeline.Page{g.signInsPage(1000), g.signInsPage(1000), g.signInsPage(1000)}
}

func size(tb testing.TB, pages []*pipeline.Page) (n int64) {
	for i, p := range pages {
		p.Number = i + 1
		text, err := p.Text()
		if err != nil {
			tb.Fatal(err)
		}
		n += int64(len(text))
	}
	return n
}

// rounds yields the pages again and again, until the loop ends: one stream over
// all iterations, as a run has one stream over all pages.
func rounds(b *testing.B, pages []*pipeline.Page) pipeline.Pages {
	return func(yield func(*pipeline.Page, error) bool) {
		for b.Loop() {
			for _, p := range pages {
				if !yield(p, nil) {
					return
				}
			}
		}
	}
}

func benchDecode(b *testing.B, table *schemas.Table, pages []*pipeline.Page) {
	b.SetBytes(size(b, pages))
	b.ReportAllocs()
	d := decode.For(table, decode.Options{})
	var rows int64
	for batch, err := range d.Stream(rounds(b, pages)).Batches {
		if err != nil {
			b.Fatal(err)
		}
		rows += batch.NumRows()
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

func benchStd(b *testing.B, pages []*pipeline.Page, decode func(testing.TB, []byte) int64) {
	b.SetBytes(size(b, pages))
	b.ReportAllocs()
	var rows int64
	for b.Loop() {
		for _, p := range pages {
			text, _ := p.Text()
			rows += decode(b, text)
		}
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

// What decoders are compared with must fill every column the table has got since.
func TestTheUsualWayReadsEveryColumn(t *testing.T) {
	g := newGen(1)
	for name, c := range map[string]struct {
		page *pipeline.Page
		read func(testing.TB, []byte) int64
	}{
		"users":        {g.usersPage(20, true), stdUsers},
		"sign-ins":     {g.signInsPage(20), stdSignIns},
		"active users": {g.activeUsersReport(20), stdCSV(schemas.ReportOffice365ActiveUserDetail)},
		"apps":         {g.appsReport(20), stdCSV(schemas.ReportM365AppUserDetail)},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := c.page.Text()
			if err != nil {
				t.Fatal(err)
			}
			if rows := c.read(t, text); rows != 20 {
				t.Errorf("%d rows, want 20", rows)
			}
		})
	}
}

type stdUser struct {
	ID                string     `json:"id"`
	UPN               *string    `json:"userPrincipalName"`
	DisplayName       *string    `json:"displayName"`
	GivenName         *string    `json:"givenName"`
	Surname           *string    `json:"surname"`
	Mail              *string    `json:"mail"`
	OtherMails        []string   `json:"otherMails"`
	AccountEnabled    *bool      `json:"accountEnabled"`
	UserType          *string    `json:"userType"`
	Created           *time.Time `json:"createdDateTime"`
	JobTitle          *string    `json:"jobTitle"`
	Department        *string    `json:"department"`
	CompanyName       *string    `json:"companyName"`
	Country           *string    `json:"country"`
	City              *string    `json:"city"`
	OfficeLocation    *string    `json:"officeLocation"`
	UsageLocation     *string    `json:"usageLocation"`
	PreferredLanguage *string    `json:"preferredLanguage"`
	EmployeeID        *string    `json:"employeeId"`
	EmployeeType      *string    `json:"employeeType"`
	HireDate          *time.Time `json:"employeeHireDate"`
	LeaveDate         *time.Time `json:"employeeLeaveDateTime"`
	SyncEnabled       *bool      `json:"onPremisesSyncEnabled"`
	LastSync          *time.Time `json:"onPremisesLastSyncDateTime"`
	SamAccountName    *string    `json:"onPremisesSamAccountName"`
	DomainName        *string    `json:"onPremisesDomainName"`
	ExternalState     *string    `json:"externalUserState"`
	PasswordChange    *time.Time `json:"lastPasswordChangeDateTime"`
	Licenses          []struct {
		SkuID         string   `json:"skuId"`
		DisabledPlans []string `json:"disabledPlans"`
	} `json:"assignedLicenses"`
	Plans []struct {
		Assigned *time.Time `json:"assignedDateTime"`
		Status   *string    `json:"capabilityStatus"`
		Service  *string    `json:"service"`
		PlanID   string     `json:"servicePlanId"`
	} `json:"assignedPlans"`
	States []struct {
		SkuID         string     `json:"skuId"`
		DisabledPlans []string   `json:"disabledPlans"`
		Group         *string    `json:"assignedByGroup"`
		State         *string    `json:"state"`
		Error         *string    `json:"error"`
		Updated       *time.Time `json:"lastUpdatedDateTime"`
	} `json:"licenseAssignmentStates"`
	Activity *struct {
		Last           *time.Time `json:"lastSignInDateTime"`
		NonInteractive *time.Time `json:"lastNonInteractiveSignInDateTime"`
		Successful     *time.Time `json:"lastSuccessfulSignInDateTime"`
	} `json:"signInActivity"`
	Addresses []string `json:"proxyAddresses"`
	Manager   struct {
		ID *string `json:"id"`
	} `json:"manager"`
}

// Plain schemas, with strings where the table has dictionaries and GUIDs: the
// builders of those are slower still.
func plainSchema(table *schemas.Table) *arrow.Schema {
	var plain func(fs []schemas.Field) []schemas.Field
	one := func(f schemas.Field) schemas.Field {
		if f.Dict = false; f.Kind == schemas.UUID {
			f.Kind = schemas.String
		}
		if f.Elem != nil {
			e := plain([]schemas.Field{*f.Elem})[0]
			f.Elem = &e
		}
		f.Fields = plain(f.Fields)
		return f
	}
	plain = func(fs []schemas.Field) (out []schemas.Field) {
		for _, f := range fs {
			out = append(out, one(f))
		}
		return out
	}
	return schemas.ArrowSchema(plain(table.Decoded()))
}

func putText(b array.Builder, v *string) {
	if v == nil {
		b.AppendNull()
	} else {
		b.(*array.StringBuilder).Append(*v)
	}
}

func putBool(b array.Builder, v *bool) {
	if v == nil {
		b.AppendNull()
	} else {
		b.(*array.BooleanBuilder).Append(*v)
	}
}

func putTime(b array.Builder, v *time.Time) {
	if v == nil || v.Year() == 1 {
		b.AppendNull()
	} else {
		b.(*array.TimestampBuilder).Append(arrow.Timestamp(v.UnixMicro()))
	}
}

func putTexts(b array.Builder, vs []string) {
	l := b.(*array.ListBuilder)
	l.Append(true)
	for i := range vs {
		l.ValueBuilder().(*array.StringBuilder).Append(vs[i])
	}
}

func stdUsers(b testing.TB, text []byte) int64 {
	var page struct{ Value []stdUser }
	if err := json.Unmarshal(text, &page); err != nil {
		b.Fatal(err)
	}
	rb := array.NewRecordBuilder(memory.DefaultAllocator, plainSchema(schemas.GraphUsers))
	defer rb.Release()
	for i := range page.Value {
		u := &page.Value[i]
		putText(rb.Field(0), &u.ID)
		for k, v := range []*string{u.UPN, u.DisplayName, u.GivenName, u.Surname, u.Mail} {
			putText(rb.Field(1+k), v)
		}
		putTexts(rb.Field(6), u.OtherMails)
		putBool(rb.Field(7), u.AccountEnabled)
		putText(rb.Field(8), u.UserType)
		putTime(rb.Field(9), u.Created)
		for k, v := range []*string{u.JobTitle, u.Department, u.CompanyName, u.Country, u.City, u.OfficeLocation, u.UsageLocation, u.PreferredLanguage, u.EmployeeID, u.EmployeeType} {
			putText(rb.Field(10+k), v)
		}
		putTime(rb.Field(20), u.HireDate)
		putTime(rb.Field(21), u.LeaveDate)
		putBool(rb.Field(22), u.SyncEnabled)
		putTime(rb.Field(23), u.LastSync)
		putText(rb.Field(24), u.SamAccountName)
		putText(rb.Field(25), u.DomainName)
		putText(rb.Field(26), u.ExternalState)
		putTime(rb.Field(27), u.PasswordChange)

		list := rb.Field(28).(*array.ListBuilder)
		list.Append(true)
		s := list.ValueBuilder().(*array.StructBuilder)
		for k := range u.Licenses {
			s.Append(true)
			putText(s.FieldBuilder(0), &u.Licenses[k].SkuID)
			putTexts(s.FieldBuilder(1), u.Licenses[k].DisabledPlans)
		}
		list = rb.Field(29).(*array.ListBuilder)
		list.Append(true)
		s = list.ValueBuilder().(*array.StructBuilder)
		for k := range u.Plans {
			s.Append(true)
			putTime(s.FieldBuilder(0), u.Plans[k].Assigned)
			putText(s.FieldBuilder(1), u.Plans[k].Status)
			putText(s.FieldBuilder(2), u.Plans[k].Service)
			putText(s.FieldBuilder(3), &u.Plans[k].PlanID)
		}
		list = rb.Field(30).(*array.ListBuilder)
		list.Append(true)
		s = list.ValueBuilder().(*array.StructBuilder)
		for k := range u.States {
			s.Append(true)
			putText(s.FieldBuilder(0), &u.States[k].SkuID)
			putTexts(s.FieldBuilder(1), u.States[k].DisabledPlans)
			putText(s.FieldBuilder(2), u.States[k].Group)
			putText(s.FieldBuilder(3), u.States[k].State)
			putText(s.FieldBuilder(4), u.States[k].Error)
			putTime(s.FieldBuilder(5), u.States[k].Updated)
		}
		if a := u.Activity; a == nil {
			rb.Field(31).AppendNull()
			rb.Field(32).AppendNull()
			rb.Field(33).AppendNull()
		} else {
			putTime(rb.Field(31), a.Last)
			putTime(rb.Field(32), a.NonInteractive)
			putTime(rb.Field(33), a.Successful)
		}
		putTexts(rb.Field(34), u.Addresses)
		putText(rb.Field(35), u.Manager.ID)
	}
	rec := rb.NewRecordBatch()
	defer rec.Release()
	return rec.NumRows()
}

type stdSignIn struct {
	ID                  string     `json:"id"`
	Created             *time.Time `json:"createdDateTime"`
	UserID              *string    `json:"userId"`
	UPN                 *string    `json:"userPrincipalName"`
	DisplayName         *string    `json:"userDisplayName"`
	AppID               *string    `json:"appId"`
	AppDisplayName      *string    `json:"appDisplayName"`
	ResourceID          *string    `json:"resourceId"`
	ResourceDisplayName *string    `json:"resourceDisplayName"`
	ClientAppUsed       *string    `json:"clientAppUsed"`
	IsInteractive       *bool      `json:"isInteractive"`
	IPAddress           *string    `json:"ipAddress"`
	CorrelationID       *string    `json:"correlationId"`
	Access              *string    `json:"conditionalAccessStatus"`
	RiskState           *string    `json:"riskState"`
	RiskLevel           *string    `json:"riskLevelAggregated"`
	Status              struct {
		ErrorCode     int32   `json:"errorCode"`
		FailureReason *string `json:"failureReason"`
	} `json:"status"`
	Device struct {
		OperatingSystem *string `json:"operatingSystem"`
		Browser         *string `json:"browser"`
		IsManaged       *bool   `json:"isManaged"`
		TrustType       *string `json:"trustType"`
	} `json:"deviceDetail"`
	Location struct {
		City    *string `json:"city"`
		Country *string `json:"countryOrRegion"`
	} `json:"location"`
}

func stdSignIns(b testing.TB, text []byte) int64 {
	var page struct{ Value []stdSignIn }
	if err := json.Unmarshal(text, &page); err != nil {
		b.Fatal(err)
	}
	rb := array.NewRecordBuilder(memory.DefaultAllocator, plainSchema(schemas.GraphSignIns))
	defer rb.Release()
	for i := range page.Value {
		s := &page.Value[i]
		putText(rb.Field(0), &s.ID)
		putTime(rb.Field(1), s.Created)
		for k, v := range []*string{s.UserID, s.UPN, s.DisplayName, s.AppID, s.AppDisplayName, s.ResourceID, s.ResourceDisplayName, s.ClientAppUsed} {
			putText(rb.Field(2+k), v)
		}
		putBool(rb.Field(10), s.IsInteractive)
		for k, v := range []*string{s.IPAddress, s.CorrelationID, s.Access, s.RiskState, s.RiskLevel} {
			putText(rb.Field(11+k), v)
		}
		rb.Field(16).(*array.Int32Builder).Append(s.Status.ErrorCode)
		putText(rb.Field(17), s.Status.FailureReason)
		putText(rb.Field(18), s.Device.OperatingSystem)
		putText(rb.Field(19), s.Device.Browser)
		putBool(rb.Field(20), s.Device.IsManaged)
		putText(rb.Field(21), s.Device.TrustType)
		putText(rb.Field(22), s.Location.City)
		putText(rb.Field(23), s.Location.Country)
	}
	rec := rb.NewRecordBatch()
	defer rec.Release()
	return rec.NumRows()
}

func stdCSV(table *schemas.Table) func(testing.TB, []byte) int64 {
	schema := plainSchema(table)
	return func(b testing.TB, text []byte) int64 {
		r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
		r.ReuseRecord = true
		if _, err := r.Read(); err != nil {
			b.Fatal(err)
		}
		rb := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		defer rb.Release()
		for {
			row, err := r.Read()
			if err == io.EOF {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			for i, v := range row {
				if v == "" {
					rb.Field(i).AppendNull()
					continue
				}
				switch f := rb.Field(i).(type) {
				case *array.StringBuilder:
					f.Append(v)
				case *array.BooleanBuilder:
					f.Append(v == "True" || v == "Yes")
				case *array.Date32Builder:
					t, err := time.Parse(time.DateOnly, v)
					if err != nil {
						b.Fatal(err)
					}
					f.Append(arrow.Date32FromTime(t))
				case *array.Int32Builder:
					n, err := strconv.ParseInt(v, 10, 32)
					if err != nil {
						b.Fatal(err)
					}
					f.Append(int32(n))
				case *array.ListBuilder:
					f.Append(true)
					for _, name := range strings.Split(v, "+") {
						f.ValueBuilder().(*array.StringBuilder).Append(name)
					}
				}
			}
		}
		rec := rb.NewRecordBatch()
		defer rec.Release()
		return rec.NumRows()
	}
}
