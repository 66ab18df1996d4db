package feed_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"github.com/xuri/excelize/v2"

	"seatlake/load/feed"
)

var update = flag.Bool("update", false, "rewrite the expected files")

var today = time.Date(2026, 10, 8, 0, 0, 0, 0, time.UTC)

const (
	contoso  = "11111111-1111-4111-8111-111111111111"
	fabrikam = "22222222-2222-4222-8222-222222222222"
	e3       = "05e9a617-0261-4cee-bb44-138d3ef5d965"
	e5       = "06ebc4ee-1bb5-47dd-8120-11324bc54e06"
	visio    = "c5928f49-12ba-48f7-ada3-0d743a3601d5"
	free     = "f30db892-07e9-47e9-837c-80727f46fd3d"
	storage  = "99049c9c-6011-4908-bf17-15f496e6519d"
)

func day(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

func ptr[T any](v T) *T { return &v }

// position is a SKU with units: enabled, warning, consumed.
func position(tenant, name, sku, part, product, class, applies string, enabled, warning, consumed int64) feed.Position {
	entitled := enabled + warning
	return feed.Position{
		TenantID: tenant, Tenant: name, AsOf: today, SKUID: sku, PartNumber: part, Product: product, Class: class, AppliesTo: applies, Status: "Enabled",
		Enabled: &enabled, Warning: &warning, Suspended: ptr(int64(3)), LockedOut: ptr(int64(1)),
		Entitled: &entitled, Consumed: &consumed, Available: ptr(entitled - consumed), Assigned: ptr(consumed), Active: ptr(consumed),
		Inactive: ptr(int64(0)), NeverActive: ptr(int64(0)), TooNew: ptr(int64(0)), NotMeasurable: ptr(int64(0)),
	}
}

// sample is two tenants. Contoso has 100 units of E3, 20 of them in grace: 60 are
// paid monthly, 30 every half year in another currency, 10 by nobody. Its E5 term
// pays for 100 units, of which it has 80. Two seats of Visio have no units.
func sample() *feed.Facts {
	return &feed.Facts{
		Version: 7,
		Positions: []feed.Position{
			position(contoso, "contoso", e3, "SPE_E3", "Microsoft 365 E3", "paid", "User", 80, 20, 95),
			position(contoso, "contoso", e5, "SPE_E5", "Microsoft 365 E5", "paid", "User", 80, 0, 80),
			position(contoso, "contoso", visio, "VISIOCLIENT", "Visio Plan 2", "paid", "User", 0, 0, 2),
			position(contoso, "contoso", free, "FLOW_FREE", "Power Automate Free", "free", "User", 10000, 0, 12),
			position(contoso, "contoso", storage, "SHAREPOINTSTORAGE", "Extra storage", "capacity", "Company", 500, 0, 0),
			position(fabrikam, "fabrikam", e3, "SPE_E3", "Microsoft 365 E3", "paid", "User", 7, 0, 7),
		},
		Terms: []feed.Term{
			{TenantID: contoso, SKUID: e3, Line: 2, PurchaseID: "PO-7", Quantity: 60, Amount: "1200.00", Annual: "14400.00", Currency: "EUR", Frequency: "Monthly",
				Effective: day("2026-01-01"), Ending: ptr(day("2027-01-01")), Vendor: `Reseller "North", Ltd`, Contract: "+49-EA", CostCentre: "Sales/EMEA"},
			{TenantID: contoso, SKUID: e3, Line: 3, PurchaseID: "=PO+8", Quantity: 30, Amount: "100.00", Annual: "200.00", Currency: "USD", Frequency: "Semi-Annually",
				Effective: day("2026-02-01")},
			{TenantID: contoso, SKUID: e5, Line: 4, PurchaseID: "PO-7", Quantity: 100, Amount: "60000.00", UnitAmount: ptr(feed.Decimal("600.0000")), Annual: "20000.00", Currency: "EUR", Frequency: "Once",
				Effective: day("2026-01-01"), Ending: ptr(day("2029-01-01"))},
			{TenantID: fabrikam, SKUID: e3, Line: 5, Quantity: 7, Amount: "1400.00", Annual: "1400.00", Currency: "EUR", Frequency: "Annually", Effective: day("2026-03-01")},
		},
		Assignments: []feed.Assignment{
			{TenantID: contoso, UserID: "u1", SKUID: e3, UPN: "miriam@contoso.com", PartNumber: "SPE_E3", Product: "Microsoft 365 E3", Class: "paid",
				AssignedDate: ptr(day("2026-01-02")), LastActivity: ptr(day("2026-10-06")), Status: "active", Evidence: "complete"},
			{TenantID: contoso, UserID: "u2", SKUID: e3, UPN: "=cmd@contoso.com", PartNumber: "SPE_E3", Product: "Microsoft 365 E3", Class: "paid",
				LastActivity: ptr(day("2026-03-01")), Status: "not_measurable", Evidence: "partial"},
			{TenantID: contoso, UserID: "u2", SKUID: free, UPN: "=cmd@contoso.com", PartNumber: "FLOW_FREE", Product: "Power Automate Free", Class: "free", Status: "active", Evidence: "complete"},
			{TenantID: fabrikam, UserID: "u1", SKUID: e3, UPN: "ola@fabrikam.com", PartNumber: "SPE_E3", Product: "Microsoft 365 E3", Class: "paid", Status: "never_active", Evidence: "complete"},
		},
		Hybrids: []feed.Hybrid{
			{TenantID: contoso, Tenant: "contoso", Family: "Microsoft 365 Apps", AsOf: today, Entitled: ptr(int64(180)), Assigned: ptr(int64(175)), Activated: ptr(int64(90)), Installed: ptr(int64(2)),
				InstalledUsers: ptr(int64(1)), Matched: ptr(int64(1)), UnlicensedUsers: ptr(int64(7)), UnresolvedDevices: ptr(int64(1)),
				Consumed: ptr(int64(182)), Entitlements: ptr(int64(180)), AtRisk: ptr(int64(2)), Availability: ptr(int64(-2)), Status: "At risk"},
			{TenantID: fabrikam, Tenant: "fabrikam", Family: "Visio", AsOf: today, Status: "Unknown", StatusReason: "no inventory"},
		},
		Installations: []feed.Installation{
			{TenantID: contoso, DeviceKey: "serial:abc1", DeviceName: "PC-1", Serial: "ABC1", OS: "Windows 11", User: "CONTOSO\\miriam", Mail: "miriam@contoso.com", Kind: "per_user",
				Product: "Microsoft 365 Apps for enterprise - en-us", Version: "16.0.1", Publisher: "Microsoft Corporation", LastSeen: ptr(day("2026-10-07")), Installed: ptr(day("2026-05-01"))},
			{TenantID: contoso, DeviceKey: "serial:abc1", DeviceName: "PC-1", OS: "Windows 11", User: "CONTOSO\\ola", Kind: "per_user",
				Product: "Microsoft Visio", Version: "16.0.1", LastSeen: ptr(day("2026-10-01")), LastUsed: ptr(day("2026-09-01"))},
			{TenantID: contoso, DeviceKey: "name:kiosk", Kind: "shared_computer", User: "anybody", Product: "Microsoft Visio"},
		},
	}
}

func template(t *testing.T, name, content string) *feed.Template {
	t.Helper()
	made, err := feed.ReadTemplate(name, []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return made
}

const purchaseTemplate = "\xef\xbb\xbfAuthorized by Email;Purchase Order No.;Item;Purchase quantity;Unit Price;Currency;Expiry date;Vendor;Contract No.;Comments\n"

func build(t *testing.T, profile string, f *feed.Facts, o feed.Options) *feed.Feed {
	t.Helper()
	o.Today = today
	if profile == "fnms-purchases" && o.Templates == nil {
		o.Templates = []*feed.Template{template(t, "purchases", purchaseTemplate)}
	}
	if profile == "snow-licenses" {
		o.Set = map[string]string{"Legal organisation": "ROOT,IT", "Purchase date": "2026-10-01"}
	}
	made, err := feed.Named(profile).Build(f, o)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func write(t *testing.T, s *feed.Sheet, f feed.Format) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.Write(&b, f); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Every profile has its expected files: CSV byte for byte, spreadsheets cell by cell
// with their types. What the notices say is among them.
func TestProfiles(t *testing.T) {
	for _, p := range feed.Profiles() {
		t.Run(p.Name, func(t *testing.T) {
			made := build(t, p.Name, sample(), feed.Options{})
			var got strings.Builder
			for i := range made.Sheets {
				s := &made.Sheets[i]
				body := write(t, s, made.Format)
				if again := write(t, s, made.Format); !bytes.Equal(body, again) {
					t.Errorf("%s is not the same bytes when it is written again", s.FileName(made.Format))
				}
				fmt.Fprintf(&got, "-- %s --\n", s.FileName(made.Format))
				if made.Format == feed.XLSX {
					body = []byte(dump(t, body))
				}
				got.WriteString(strings.ReplaceAll(string(body), "\r\n", "\n"))
			}
			fmt.Fprintf(&got, "-- notices --\n%s\n", strings.Join(made.Notices, "\n"))
			golden := filepath.Join("testdata", p.Name+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// dump is a spreadsheet as text: a line a row, each cell with its type.
func dump(t *testing.T, body []byte) string {
	t.Helper()
	f, err := excelize.OpenReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b strings.Builder
	for _, sheet := range f.GetSheetList() {
		fmt.Fprintf(&b, "worksheet %s\n", sheet)
		rows, err := f.GetRows(sheet)
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			for j, text := range row {
				cell, _ := excelize.CoordinatesToCellName(j+1, i+1)
				kind, err := f.GetCellType(sheet, cell)
				if err != nil {
					t.Fatal(err)
				}
				formula, err := f.GetCellFormula(sheet, cell)
				if err != nil || formula != "" {
					t.Errorf("%s is a formula: %s %v", cell, formula, err)
				}
				name := map[excelize.CellType]string{excelize.CellTypeInlineString: "text", excelize.CellTypeSharedString: "text", excelize.CellTypeUnset: "", excelize.CellTypeNumber: ""}[kind]
				if text != "" {
					fmt.Fprintf(&b, "%s %s %q\n", cell, name, text)
				}
			}
		}
	}
	return b.String()
}

func TestParquetKeepsTypes(t *testing.T) {
	made := build(t, "generic", sample(), feed.Options{Format: feed.Parquet})
	type term struct {
		Line      int64  `parquet:"line,optional"`
		Purchase  string `parquet:"purchase_id,optional"`
		Amount    int64  `parquet:"amount,optional,decimal(6:18)"`
		Effective int32  `parquet:"effective_date,optional,date"`
		Ending    *int32 `parquet:"ending_date,optional,date"`
	}
	body := write(t, &made.Sheets[1], feed.Parquet)
	got, err := parquet.Read[term](bytes.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	want := []term{
		{2, "PO-7", 1200_000000, 20454, ptr(int32(20819))}, {3, "=PO+8", 100_000000, 20485, nil},
		{4, "PO-7", 60000_000000, 20454, ptr(int32(21550))}, {5, "", 1400_000000, 20513, nil},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestUnknownUnitsAreRefused(t *testing.T) {
	facts := sample()
	facts.Positions[0].Entitled = nil
	for _, profile := range []string{"fnms-purchase-order", "servicenow-entitlements", "fnms-license"} {
		_, err := feed.Named(profile).Build(facts, feed.Options{Today: today})
		if err == nil || !strings.Contains(err.Error(), "the target needs a value") {
			t.Errorf("%s: %v", profile, err)
		}
	}
	facts.Positions[0].Consumed, facts.Positions[0].Available = nil, nil
	made := build(t, "generic", facts, feed.Options{})
	if text := string(write(t, &made.Sheets[0], feed.CSV)); !strings.Contains(text, "SPE_E3,Microsoft 365 E3,paid,User,Enabled,80,20,3,1,,true,,,95") {
		t.Errorf("what is not known is not empty:\n%s", text)
	}
}
