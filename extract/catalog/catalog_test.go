package catalog

import (
	"bytes"
	"compress/gzip"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"seatlake/pipeline"
	"seatlake/schemas"
)

var (
	listFile = flag.String("csv", "", "Microsoft's CSV, to compare the embedded catalogue with")
	listDate = flag.String("date", "2025-12-30", "day of the list")
	write    = flag.Bool("write", false, "write the embedded catalogue anew")
)

// TestEmbedded keeps the embedded catalogue and Microsoft's list equal, where
// the list is at hand.
func TestEmbedded(t *testing.T) {
	if *listFile == "" {
		t.Skip("compares with Microsoft's list: go test -run TestEmbedded -csv FILE")
	}
	f, err := os.Open(*listFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want, err := ParseCSV(f)
	if err != nil {
		t.Fatal(err)
	}
	want.Source, want.Date = "Product names and service plan identifiers for licensing", *listDate
	for _, note := range want.Notes {
		t.Log(note)
	}
	want.Notes = nil
	t.Logf("%d SKUs, %d plans", len(want.skus), len(want.plans))
	if *write {
		var out bytes.Buffer
		if err := want.WriteCompact(&out); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("catalog.txt.gz", out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		embedded = out.Bytes()
	}
	got, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(Catalog{}, sku{})); d != "" {
		t.Errorf("embedded catalogue differs from the list (-list +embedded); run again with -write:\n%s", d)
	}
}

func TestTheEmbeddedCatalogueKnowsItsSKUs(t *testing.T) {
	c := embeddedCatalog(t)
	if c.Source == "" || c.Date == "" {
		t.Errorf("source %q, date %q", c.Source, c.Date)
	}
	if n := len(slices.Collect(c.SKUs())); n != 569 {
		t.Errorf("%d SKUs, want 569", n)
	}
	if n := len(slices.Collect(c.AllPlans())); n != 723 {
		t.Errorf("%d plans, want 723", n)
	}
	e5, ok := c.SKU(guid(t, "06ebc4ee-1bb5-47dd-8120-11324bc54e06"))
	if !ok || e5.PartNumber != "SPE_E5" || e5.Name != "Microsoft 365 E5" {
		t.Errorf("got %+v, %v", e5, ok)
	}
	// The list gives this one with a non-breaking space behind its GUID or in its
	// part number.
	if s := skuNamed(t, c, "O365_w/o Teams Bundle_M3"); s.Name == "" {
		t.Errorf("got %+v", s)
	}
	if _, ok := c.SKU([16]byte{1}); ok {
		t.Error("a SKU that does not exist is known")
	}
	if plans := c.Plans([16]byte{1}); plans != nil {
		t.Errorf("a SKU that does not exist has plans %v", plans)
	}
}

func TestSKUsEntitleServices(t *testing.T) {
	c := embeddedCatalog(t)
	all := schemas.Services()
	six := []schemas.Service{schemas.Exchange, schemas.OneDrive, schemas.SharePoint, schemas.Skype, schemas.Yammer, schemas.Teams, schemas.Outlook}
	for part, want := range map[string][]schemas.Service{
		"SPE_E5":             append(slices.Clone(six), schemas.PowerBI),
		"SPE_E3":             six,
		"SPE_F1":             six,
		"EXCHANGESTANDARD":   {schemas.Exchange, schemas.Outlook},
		"EMS":                nil,
		"AAD_PREMIUM_P2":     nil,
		"OFFICESUBSCRIPTION": {schemas.OneDrive},
		"POWER_BI_PRO":       {schemas.PowerBI},
		"VISIOCLIENT":        {schemas.OneDrive, schemas.Visio},
		"MCOEV":              nil,
		"MCOMEETADV":         nil,
		"TEAMS_FREE":         {schemas.SharePoint, schemas.OneDrive, schemas.Teams},
		"FLOW_FREE":          nil,
		"SHAREPOINTSTORAGE":  nil,
		"POWERAPPS_PER_USER": nil,
	} {
		t.Run(part, func(t *testing.T) {
			got := map[schemas.Service]bool{}
			for _, p := range c.Plans(skuNamed(t, c, part).ID) {
				for _, s := range c.Services(p.ID) {
					got[s] = true
				}
			}
			var have []schemas.Service
			for _, s := range all {
				if got[s] {
					have = append(have, s)
				}
			}
			slices.SortFunc(want, func(a, b schemas.Service) int { return slices.Index(all, a) - slices.Index(all, b) })
			if d := cmp.Diff(want, have); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		})
	}
}

func TestServiceMap(t *testing.T) {
	m, err := Map()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("goes by names whatever their case", func(t *testing.T) {
		if got := m.Services(" exchange_S_enterprise_GOV\u00a0"); !slices.Equal(got, []schemas.Service{schemas.Exchange, schemas.Outlook}) {
			t.Errorf("got %v", got)
		}
	})
	t.Run("leaves out what only sounds like a service", func(t *testing.T) {
		for _, name := range []string{
			"EXCHANGE_S_FOUNDATION", "EXCHANGE_S_FOUNDATION_GOV", "EXCHANGE_S_ARCHIVE_ADDON", "EXCHANGE_ANALYTICS", "EXCHANGEONLINE_MULTIGEO", "EOP_ENTERPRISE",
			"SHAREPOINTWAC", "SHAREPOINTWAC_GOV", "SHAREPOINTSTORAGE", "SHAREPOINTONLINE_MULTIGEO",
			"MCOEV", "MCOEV_GOV", "MCOMEETADV", "MCOPSTN1", "MCOFREE", "MCO_VIRTUAL_APPT",
			"TEAMSPRO_MGMT", "TEAMSMULTIGEO", "Teams_Room_Pro", "Teams_Rooms_Basic", "TEAMS_FREE_SERVICE",
			"PBI_PREMIUM_P1_ADDON", "SQL_IS_SSIM",
			"PROJECTWORKMANAGEMENT", "PROJECT_O365_P3", "FLOW_FOR_PROJECT", "Power_Automate_For_Project_P1",
			"DYN365_CDS_O365_P2", "DYN365_CDS_VIRAL", "DDYN365_CDS_DYN_P2", "DYN365BC_MS_INVOICING", "POWERAPPS_DYN_APPS", "CRMSTORAGE", "CRMINSTANCE", "GUIDES",
			"VIVAENGAGE_KNOWLEDGE", "", "virtualization rights / windows",
		} {
			if got := m.Services(name); got != nil {
				t.Errorf("%s entitles %v", name, got)
			}
		}
	})
	t.Run("has no pattern that decides nothing", func(t *testing.T) {
		decides := map[string]bool{}
		for p := range embeddedCatalog(t).AllPlans() {
			for i := range m.rules {
				if r := &m.rules[i]; r.matches(strings.ToUpper(p.Name)) {
					after := &ServiceMap{rules: m.rules[i+1:]}
					decides[r.pattern] = decides[r.pattern] || !slices.Equal(r.services, after.Services(p.Name))
					break
				}
			}
		}
		for _, r := range m.rules {
			if !decides[r.pattern] {
				t.Errorf("pattern %s changes nothing", r.pattern)
			}
		}
	})
	t.Run("gives services once, in their order", func(t *testing.T) {
		m, err := ReadServiceMap(strings.NewReader("pattern,services,note\nP,Outlook;OneDrive;Outlook,\n"))
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Services("p"); !slices.Equal(got, []schemas.Service{schemas.OneDrive, schemas.Outlook}) {
			t.Errorf("got %v", got)
		}
	})
	for name, text := range map[string]string{
		"another header":        "a,b,c\n",
		"a pattern in lower":    "pattern,services,note\nteams1,,\n",
		"another wildcard":      "pattern,services,note\nTEAMS?,,\n",
		"a * within a pattern":  "pattern,services,note\nTEAMS*GOV,,\n",
		"a pattern of all":      "pattern,services,note\n*,,\n",
		"a service not tracked": "pattern,services,note\nTEAMS1,Paint,\n",
		"a missing cell":        "pattern,services,note\nTEAMS1,\n",
		"nothing":               "",
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			if _, err := ReadServiceMap(strings.NewReader(text)); err == nil {
				t.Error("it was taken")
			}
		})
	}
}

const (
	header = "Product_Display_Name,String_Id,GUID,Service_Plan_Name,Service_Plan_Id,Service_Plans_Included_Friendly_Names"
	skuA   = "aaaaaaaa-0000-0000-0000-000000000001"
	planA  = "bbbbbbbb-0000-0000-0000-000000000001"
	planB  = "bbbbbbbb-0000-0000-0000-000000000002"
)

func TestParseCSVBearsWhatTheListContains(t *testing.T) {
	text := "\ufeff" + header + "\r\n" +
		"Contoso Suite,SUITE\u00a0ONE ," + strings.ToUpper(skuA) + "\u00a0,TEAMS1, " + planB + ",Microsoft Teams\r\n" +
		"Contoso  Suite,SUITE ONE," + skuA + ",TEAMS1," + planB + ",Microsoft Teams\r\n" +
		"\"Contoso Suite\",SUITE ONE," + skuA + ",Exchange \tFoundation," + planA + ",\"Caf\xe9, old\"\r\n" +
		"Contoso Suite,SUITE ONE," + skuA + ",TEAMS1 OLD," + planB + ",\r\n" +
		",,,,,\r\n" +
		"Contoso Suite,SUITE ONE," + skuA + ",Exchange Foundation," + planA + ",\r\n" +
		"Contoso Suite,SUITE ONE," + skuA + ",Exchange Foundation," + planA + ",\r\n"
	c, err := ParseCSV(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := c.SKU(guid(t, skuA)); got != (SKU{ID: guid(t, skuA), PartNumber: "SUITE ONE", Name: "Contoso Suite"}) {
		t.Errorf("SKU is %+v", got)
	}
	want := []Plan{
		{ID: guid(t, planA), Name: "Exchange Foundation", FriendlyName: "Café, old"},
		{ID: guid(t, planB), Name: "TEAMS1", FriendlyName: "Microsoft Teams"},
	}
	if d := cmp.Diff(want, c.Plans(guid(t, skuA))); d != "" {
		t.Errorf("plans: -want +got\n%s", d)
	}
	if got := c.Services(guid(t, planB)); !slices.Equal(got, []schemas.Service{schemas.Teams}) {
		t.Errorf("services are %v", got)
	}
	if d := cmp.Diff([]string{"service plan " + planB + ` is "TEAMS1" in most rows, and "TEAMS1 OLD" in 1`}, c.Notes); d != "" {
		t.Errorf("notes: -want +got\n%s", d)
	}
}

func TestParseCSVDoesNotDependOnTheOrderOfRows(t *testing.T) {
	rows := []string{
		"A,A," + skuA + ",P1," + planA + ",x", "A,A," + skuA + ",P2," + planA + ",y", "B,A," + skuA + ",P3," + planB + ",",
	}
	first, err := ParseCSV(strings.NewReader(header + "\n" + strings.Join(rows, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(rows)
	second, err := ParseCSV(strings.NewReader(header + "\n" + strings.Join(rows, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(first, second, cmp.AllowUnexported(Catalog{}, sku{})); d != "" {
		t.Errorf("-forwards +backwards\n%s", d)
	}
	if p, _ := first.Plan(guid(t, planA)); p.Name != "P1" || p.FriendlyName != "x" {
		t.Errorf("of names given equally often, %q and %q were taken", p.Name, p.FriendlyName)
	}
}

func TestParseCSVTakesColumnsByNameAndSemicolons(t *testing.T) {
	text := "GUID;string_id;Service_Plan_Id;Service_Plan_Name;Service_Plans_Included_Friendly_Names;New;Product_Display_Name\n" +
		skuA + ";SUITE;" + planA + ";P;F;?;Suite\n"
	c, err := ParseCSV(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := c.SKU(guid(t, skuA)); got.Name != "Suite" || got.PartNumber != "SUITE" {
		t.Errorf("got %+v", got)
	}
}

func TestParseCSVNamesTheLinesOfBadRows(t *testing.T) {
	text := header + "\n" +
		"Suite,SUITE,not-a-guid,P," + planA + ",\n" +
		"Suite,SUITE," + skuA + ",P," + planA + ",\"two\nlines\"\n" +
		"Suite,SUITE," + skuA + ",,\n" +
		"Suite,," + skuA + ",P," + planA + ",\n" +
		"Suite,SUITE," + skuA + ",P," + planA[:35] + ",\n"
	_, err := ParseCSV(strings.NewReader(text))
	if err == nil {
		t.Fatal("the list was taken")
	}
	for _, want := range []string{`line 2: GUID: "not-a-guid" is no GUID`, "line 5: 5 cells", "line 6: String_Id is empty", "line 7: Service_Plan_Id"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error is\n%v\nwant %q in it", err, want)
		}
	}
	if strings.Contains(err.Error(), "line 3") {
		t.Errorf("error is\n%v\nand line 3 is well", err)
	}
}

func TestParseCSVRefusesWhatIsNoList(t *testing.T) {
	for name, text := range map[string]string{"nothing": "", "a header alone": header + "\r\n", "other columns": "a,b\n1,2\n"} {
		t.Run(name, func(t *testing.T) {
			if _, err := ParseCSV(strings.NewReader(text)); err == nil {
				t.Error("it was taken")
			}
		})
	}
}

func TestCompactForm(t *testing.T) {
	c := embeddedCatalog(t)
	var first, second bytes.Buffer
	if err := c.WriteCompact(&first); err != nil {
		t.Fatal(err)
	}
	again, err := ReadCompact(bytes.NewReader(first.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(c, again, cmp.AllowUnexported(Catalog{}, sku{})); d != "" {
		t.Errorf("read again: -want +got\n%s", d)
	}
	if err := again.WriteCompact(&second); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("equal catalogues give different bytes")
	}
	if len(first.Bytes()) > 150_000 {
		t.Errorf("it takes %d bytes", first.Len())
	}
	t.Run("is refused when cut short", func(t *testing.T) {
		for _, n := range []int{0, 1, 10, first.Len() / 2, first.Len() - 1} {
			if _, err := ReadCompact(bytes.NewReader(first.Bytes()[:n])); err == nil {
				t.Errorf("%d of %d bytes were taken", n, first.Len())
			}
		}
	})
	z, err := gzip.NewReader(bytes.NewReader(first.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, new, want string }{
		"of a later version":     {"seatlake-catalog\t1", "seatlake-catalog\t2", "use a newer seatlake"},
		"with a line missing":    {"date\t2025", "2025", "line 3"},
		"with a wrong count":     {"plans\t723", "plans\t724", "line 728"},
		"with a plan twice":      {"\t209\nend", "\t209 0\nend", "no distance"},
		"with a plan out of use": {"\t209\nend", "\t723\nend", "no distance"},
		"without its end":        {"\nend\n", "\n", "unexpected EOF"},
		"with more behind":       {"\nend\n", "\nend\nend\n", "after the end"},
		"out of order":           {"\n00527d7f-", "\n00000000-", "not in order"},
	} {
		t.Run("is refused "+name, func(t *testing.T) {
			if !strings.Contains(string(text), c.old) {
				t.Fatalf("%q is not in the text", c.old)
			}
			_, err := ReadCompact(bytes.NewReader(zip(t, strings.Replace(string(text), c.old, c.new, 1))))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q in it", err, c.want)
			}
		})
	}
}

func zip(t *testing.T, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestUpdateSaysWhatChanged(t *testing.T) {
	dir := t.TempDir()
	list, into := filepath.Join(dir, "list.csv"), filepath.Join(dir, "catalog.txt.gz")
	skuB, skuC := strings.Replace(skuA, "1", "2", 1), strings.Replace(skuA, "1", "3", 1)
	save := func(rows ...string) {
		t.Helper()
		if err := os.WriteFile(list, []byte(header+"\n"+strings.Join(rows, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(list, time.Time{}, time.Date(2026, 8, 19, 23, 0, 0, 0, time.UTC)); err != nil {
			t.Fatal(err)
		}
	}
	save("A,A,"+skuA+",P,"+planA+",", "B,B,"+skuB+",P,"+planA+",")
	first, err := Update(list, into)
	if err != nil {
		t.Fatal(err)
	}
	if len(first.Added) != 2 || len(first.Removed) != 569 {
		t.Errorf("against the embedded catalogue %d SKUs were added and %d removed", len(first.Added), len(first.Removed))
	}
	save("A new,A,"+skuA+",P,"+planA+",", "A new,A,"+skuA+",Q,"+planB+",", "C,C,"+skuC+",P,"+planA+",")
	got, err := Update(list, into)
	if err != nil {
		t.Fatal(err)
	}
	a, aNew := SKU{guid(t, skuA), "A", "A"}, SKU{guid(t, skuA), "A", "A new"}
	want := Diff{
		Added: []SKU{{guid(t, skuC), "C", "C"}}, Removed: []SKU{{guid(t, skuB), "B", "B"}},
		Renamed: []Rename{{From: a, To: aNew}}, Changed: []SKU{aNew},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	text := strings.Join([]string{
		"added    " + skuC + " C (C)",
		"removed  " + skuB + " B (B)",
		"renamed  " + skuA + " A (A new), was A (A)",
		"plans    " + skuA + " A (A new) has other service plans",
		"1 added, 1 removed, 1 renamed, 1 with other plans",
	}, "\n")
	if d := cmp.Diff(text, got.String()); d != "" {
		t.Errorf("as text: -want +got\n%s", d)
	}
	c, err := Load(into)
	if err != nil {
		t.Fatal(err)
	}
	if c.Source != "list.csv" || c.Date != "2026-08-19" {
		t.Errorf("source %q, date %q", c.Source, c.Date)
	}
	if got, err := Update(list, into); err != nil || !got.Empty() || got.String() != "no SKU changed" {
		t.Errorf("the same list changed %v, error %v", got, err)
	}
	t.Run("and a list that cannot be read leaves the catalogue as it was", func(t *testing.T) {
		save("A,A,nothing,P," + planA + ",")
		if _, err := Update(list, into); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("error is %v", err)
		}
		if again, err := Load(into); err != nil || !cmp.Equal(c, again, cmp.AllowUnexported(Catalog{}, sku{})) {
			t.Errorf("the catalogue changed, error %v", err)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
			t.Errorf("files are %v, error %v", entries, err)
		}
	})
	t.Run("and a write that fails leaves nothing behind", func(t *testing.T) {
		inTheWay := filepath.Join(t.TempDir(), "catalog.txt.gz")
		if err := os.MkdirAll(filepath.Join(inTheWay, "full"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := replaceFile(inTheWay, c); err == nil {
			t.Error("a folder was replaced")
		}
		if entries, err := os.ReadDir(filepath.Dir(inTheWay)); err != nil || len(entries) != 1 {
			t.Errorf("files are %v, error %v", entries, err)
		}
	})
	t.Run("and a catalogue that is damaged is named", func(t *testing.T) {
		if err := os.WriteFile(into, []byte{0x1f, 0x8b, 0}, 0o600); err != nil {
			t.Fatal(err)
		}
		save("A,A," + skuA + ",P," + planA + ",")
		if _, err := Update(list, into); err == nil || !strings.Contains(err.Error(), into) {
			t.Errorf("error is %v", err)
		}
	})
}

func TestStreams(t *testing.T) {
	c := embeddedCatalog(t)
	t.Run("of SKUs", func(t *testing.T) {
		rows := 0
		each(t, c.SKUStream, schemas.CatalogSkus, func(batch arrow.RecordBatch) {
			ids := batch.Column(0).(*array.FixedSizeBinary)
			for i := range ids.Len() {
				s, ok := c.SKU([16]byte(ids.Value(i)))
				if part, name := batch.Column(1).ValueStr(i), batch.Column(2).ValueStr(i); !ok || part != s.PartNumber || name != s.Name {
					t.Errorf("row %d is %s, %s, want %+v", i, part, name, s)
				}
				if i > 0 && bytes.Compare(ids.Value(i-1), ids.Value(i)) >= 0 {
					t.Errorf("row %d is out of order", i)
				}
				rows++
			}
		})
		if rows != 569 {
			t.Errorf("%d rows, want 569", rows)
		}
	})
	t.Run("of plans", func(t *testing.T) {
		// The rows are the table's grain, said by the catalogue's other methods.
		var want [][5]string
		for s := range c.SKUs() {
			for _, p := range c.Plans(s.ID) {
				services := c.Services(p.ID)
				if services == nil {
					services = []schemas.Service{""}
				}
				for _, service := range services {
					want = append(want, [5]string{string(s.ID[:]), string(p.ID[:]), p.Name, p.FriendlyName, string(service)})
				}
			}
		}
		var got [][5]string
		each(t, c.PlanStream, schemas.CatalogServicePlans, func(batch arrow.RecordBatch) {
			for i := range int(batch.NumRows()) {
				var r [5]string
				for j := range r {
					d := batch.Column(j).(*array.Dictionary)
					if d.IsNull(i) {
						continue
					}
					switch values := d.Dictionary().(type) {
					case *array.FixedSizeBinary:
						r[j] = string(values.Value(d.GetValueIndex(i)))
					case *array.String:
						r[j] = values.Value(d.GetValueIndex(i))
					}
				}
				got = append(got, r)
			}
		})
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("-want +got\n%s", d)
		}
		if len(got) < 5448 {
			t.Errorf("%d rows, want at least one for each of 5448 plans of SKUs", len(got))
		}
	})
}

func each(t *testing.T, stream func(memory.Allocator) pipeline.Stream, table *schemas.Table, see func(arrow.RecordBatch)) {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	s := stream(mem)
	if !s.Schema.Equal(table.Arrow()) {
		t.Errorf("schema is %v", s.Schema)
	}
	for batch, err := range s.Batches {
		if err != nil {
			t.Fatal(err)
		}
		if err := array.ValidateRecordFull(batch); err != nil {
			t.Error(err)
		}
		see(batch)
	}
}

func FuzzParseCSV(f *testing.F) {
	f.Add([]byte(header + "\r\nSuite,SUITE," + skuA + ",TEAMS1," + planA + ",Teams\r\n"))
	f.Add([]byte("\ufeff" + header + "\n\"a\nb\",\xe9," + skuA + ",/*," + planB + ",\t\n"))
	f.Add([]byte("GUID;String_Id\n;\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := ParseCSV(bytes.NewReader(text))
		if err != nil {
			return
		}
		c.Notes = nil
		var out bytes.Buffer
		if err := c.WriteCompact(&out); err != nil {
			t.Fatal(err)
		}
		again, err := ReadCompact(&out)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c, again, cmp.AllowUnexported(Catalog{}, sku{})); d != "" {
			t.Errorf("compact form: -want +got\n%s", d)
		}
	})
}

func embeddedCatalog(t *testing.T) *Catalog {
	t.Helper()
	c, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func skuNamed(t *testing.T, c *Catalog, part string) SKU {
	t.Helper()
	for s := range c.SKUs() {
		if s.PartNumber == part {
			return s
		}
	}
	t.Fatalf("no SKU has part number %s", part)
	return SKU{}
}

func guid(t *testing.T, text string) [16]byte {
	t.Helper()
	id, err := ParseGUID(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
