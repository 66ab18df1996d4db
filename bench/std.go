package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"seatlake/schemas"
)

// plain are the columns that a table decodes, with text where the table has
// dictionaries and GUIDs: the builders of those are slower still.
func plain(table *schemas.Table) []schemas.Field {
	var one func(f schemas.Field) schemas.Field
	one = func(f schemas.Field) schemas.Field {
		if f.Dict = false; f.Kind == schemas.UUID {
			f.Kind = schemas.String
		}
		if f.Elem != nil {
			e := one(*f.Elem)
			f.Elem = &e
		}
		members := f.Fields
		f.Fields = nil
		for _, m := range members {
			f.Fields = append(f.Fields, one(m))
		}
		return f
	}
	var out []schemas.Field
	for _, f := range table.Decoded() {
		out = append(out, one(f))
	}
	return out
}

func builder(table *schemas.Table) *array.RecordBuilder {
	return array.NewRecordBuilder(memory.DefaultAllocator, schemas.ArrowSchema(plain(table)))
}

// stdUser is a user as encoding/json reads it, with what the table stores.
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
	Activity struct {
		Last           *time.Time `json:"lastSignInDateTime"`
		NonInteractive *time.Time `json:"lastNonInteractiveSignInDateTime"`
		Successful     *time.Time `json:"lastSuccessfulSignInDateTime"`
	} `json:"signInActivity"`
	Addresses []string `json:"proxyAddresses"`
	Manager   struct {
		ID *string `json:"id"`
	} `json:"manager"`
}

// stdSignIn is a sign-in as encoding/json reads it, with what the table stores.
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

// stdPage is a page as encoding/json reads it.
type stdPage[Row any] struct {
	NextLink string `json:"@odata.nextLink"`
	Value    []Row  `json:"value"`
}

// stdDecode is the usual way: encoding/json into structs, then builders. It
// appends the page's rows and gives the link to the next page.
func stdDecode(table *schemas.Table, text []byte, to *array.RecordBuilder) (next string, err error) {
	if table == schemas.GraphUsers {
		var page stdPage[stdUser]
		if err := json.Unmarshal(text, &page); err != nil {
			return "", err
		}
		for i := range page.Value {
			putUser(to, &page.Value[i])
		}
		return page.NextLink, nil
	}
	var page stdPage[stdSignIn]
	if err := json.Unmarshal(text, &page); err != nil {
		return "", err
	}
	for i := range page.Value {
		putSignIn(to, &page.Value[i])
	}
	return page.NextLink, nil
}

func putUser(rb *array.RecordBuilder, u *stdUser) {
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
	if s := list(rb.Field(28), u.Licenses != nil); s != nil {
		for _, l := range u.Licenses {
			s.Append(true)
			putText(s.FieldBuilder(0), &l.SkuID)
			putTexts(s.FieldBuilder(1), l.DisabledPlans)
		}
	}
	if s := list(rb.Field(29), u.Plans != nil); s != nil {
		for i := range u.Plans {
			p := &u.Plans[i]
			s.Append(true)
			putTime(s.FieldBuilder(0), p.Assigned)
			putText(s.FieldBuilder(1), p.Status)
			putText(s.FieldBuilder(2), p.Service)
			putText(s.FieldBuilder(3), &p.PlanID)
		}
	}
	if s := list(rb.Field(30), u.States != nil); s != nil {
		for i := range u.States {
			a := &u.States[i]
			s.Append(true)
			putText(s.FieldBuilder(0), &a.SkuID)
			putTexts(s.FieldBuilder(1), a.DisabledPlans)
			putText(s.FieldBuilder(2), a.Group)
			putText(s.FieldBuilder(3), a.State)
			putText(s.FieldBuilder(4), a.Error)
			putTime(s.FieldBuilder(5), a.Updated)
		}
	}
	putTime(rb.Field(31), u.Activity.Last)
	putTime(rb.Field(32), u.Activity.NonInteractive)
	putTime(rb.Field(33), u.Activity.Successful)
	putTexts(rb.Field(34), u.Addresses)
	putText(rb.Field(35), u.Manager.ID)
}

func putSignIn(rb *array.RecordBuilder, s *stdSignIn) {
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

// list opens a list of structs, or appends a null and gives nil.
func list(b array.Builder, present bool) *array.StructBuilder {
	l := b.(*array.ListBuilder)
	if !present {
		l.AppendNull()
		return nil
	}
	l.Append(true)
	return l.ValueBuilder().(*array.StructBuilder)
}

func putText(b array.Builder, v *string) {
	if v == nil {
		b.AppendNull()
	} else {
		b.(*array.StringBuilder).BinaryBuilder.AppendString(*v)
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
	if v == nil {
		b.AppendNull()
	} else {
		b.(*array.TimestampBuilder).Append(arrow.Timestamp(v.UnixMicro()))
	}
}

func putTexts(b array.Builder, vs []string) {
	l := b.(*array.ListBuilder)
	if vs == nil {
		l.AppendNull()
		return
	}
	l.Append(true)
	for i := range vs {
		l.ValueBuilder().(*array.StringBuilder).BinaryBuilder.AppendString(vs[i])
	}
}

// stdReport is the usual way to read a report: encoding/csv, then builders. The
// columns of the file are those of the table.
func stdReport(text []byte, to *array.RecordBuilder) error {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
	r.ReuseRecord = true
	if _, err := r.Read(); err != nil {
		return err
	}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for i, v := range row {
			if err := putCell(to.Field(i), v); err != nil {
				return err
			}
		}
	}
}

func putCell(b array.Builder, v string) error {
	if v == "" {
		b.AppendNull()
		return nil
	}
	switch b := b.(type) {
	case *array.StringBuilder:
		b.BinaryBuilder.AppendString(v)
	case *array.BooleanBuilder:
		b.Append(v == "True" || v == "Yes")
	case *array.Date32Builder:
		t, err := time.Parse(time.DateOnly, v)
		if err != nil {
			return err
		}
		b.Append(arrow.Date32FromTime(t))
	case *array.Int32Builder:
		n, err := strconv.ParseInt(v, 10, 32)
		if err != nil {
			return err
		}
		b.Append(int32(n))
	case *array.ListBuilder:
		b.Append(true)
		for name := range strings.SplitSeq(v, "+") {
			b.ValueBuilder().(*array.StringBuilder).BinaryBuilder.AppendString(name)
		}
	default:
		return fmt.Errorf("no cell becomes a %s", b.Type())
	}
	return nil
}
