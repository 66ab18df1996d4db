package feed_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"seatlake/load/feed"
)

// The header is the template's, byte for byte: byte order mark, separator, quotes and
// line end; rows that stood below it are gone.
func TestCSVTemplates(t *testing.T) {
	tests := []struct{ name, head, rest, separator, newline string }{
		{"with a byte order mark and semicolons", "\xef\xbb\xbfItem;Purchase quantity;Part no./SKU\n", "old;1;x\n", ";", "\n"},
		{"with commas and CR LF", "Part no./SKU,\"Item\",Purchase quantity\r\n", "", ",", "\r\n"},
		{"with tabs and CR", "Item\tPurchase quantity\r", "old\t1\r", "\t", "\r"},
		{"with a line end in a quoted name", "Item,\"Purchase\nquantity\"\r\n", "old,1\r\n", ",", "\r\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := feed.Options{Templates: []*feed.Template{template(t, "mine", test.head+test.rest)}}
			made := build(t, "fnms-purchases", sample(), o)
			text := string(write(t, &made.Sheets[0], made.Format))
			rows, ok := strings.CutPrefix(text, test.head)
			if !ok {
				t.Fatalf("the header is another one:\n%q\nof %q", text[:min(len(text), 80)], test.head)
			}
			if strings.Contains(rows, "old") || strings.Count(rows, test.newline) != 5 || strings.Count(rows, test.separator) < 5 {
				t.Errorf("rows: %q", rows)
			}
		})
	}
	t.Run("without a line end it gets one", func(t *testing.T) {
		made := build(t, "fnms-purchases", sample(), feed.Options{Templates: []*feed.Template{template(t, "mine", "Item,Purchase quantity")}})
		if text := string(write(t, &made.Sheets[0], feed.CSV)); !strings.HasPrefix(text, "Item,Purchase quantity\r\n") {
			t.Errorf("%q", text)
		}
	})
	for name, content := range map[string]string{
		"nothing": "", "UTF-16": "\xff\xfeI\x00", "no text": "Item,\xff\n", "a name twice": "Item,Item\n", "no name": "Item,,Quantity\n", "no archive": "PK garbage",
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			if _, err := feed.ReadTemplate("x", []byte(content)); err == nil {
				t.Error("it is taken")
			}
		})
	}
}

func xlsxTemplate(t *testing.T, worksheet string, rows ...[]any) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	if err := f.SetSheetName("Sheet1", "Read me"); err != nil {
		t.Fatal(err)
	}
	if err := f.SetCellStr("Read me", "A1", "How to fill in the other worksheet"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.NewSheet(worksheet); err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		cell, _ := excelize.CoordinatesToCellName(1, i+1)
		if err := f.SetSheetRow(worksheet, cell, &row); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestXLSXTemplate(t *testing.T) {
	content := xlsxTemplate(t, "Purchases 2026", []any{"Purchase quantity *", "Item", "Total Price (EUR)", "Effective/Agreement date", "Contract No."}, []any{1, "sample", 2, "", "x"}, []any{3, "sample"})
	facts := sample()
	facts.Terms = facts.Terms[2:] // one currency
	o := feed.Options{Templates: []*feed.Template{template(t, "mine", string(content))}}
	made := build(t, "fnms-purchases", facts, o)
	body := write(t, &made.Sheets[0], made.Format)
	if !bytes.Equal(body, write(t, &made.Sheets[0], made.Format)) {
		t.Error("the bytes differ when it is written again")
	}
	f, err := excelize.OpenReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if diff := cmp.Diff([]string{"Read me", "Purchases 2026"}, f.GetSheetList()); diff != "" {
		t.Errorf("worksheets: %s", diff)
	}
	rows, err := f.GetRows("Purchases 2026")
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"Purchase quantity *", "Item", "Total Price (EUR)", "Effective/Agreement date", "Contract No."},
		{"100", "Microsoft 365 E3"},
		{"80", "Microsoft 365 E5", "16000", "2026-01-01"},
		{"7", "Microsoft 365 E3", "1400", "2026-03-01"},
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestTemplatesThatDoNotFit(t *testing.T) {
	tests := []struct {
		name, header string
		mapping      feed.Mapping
		want         []string // parts of the error; none when it fits
	}{
		{"an unknown mandatory column", "Item,Purchase quantity,* Approver\n", nil, []string{`mandatory column "* Approver"`}},
		{"an unknown column may be mandatory", "Item,Purchase quantity,Approver\n", nil, []string{`column "Approver" of the template is not known, so it may be mandatory`}},
		{"all of them at once", "Item,Purchase quantity,Approver,Region\n", nil, []string{"Approver", "Region"}},
		{"no quantity", "Item,Part no./SKU\n", nil, []string{"no column for Purchase quantity"}},
		{"a mapping makes it known", "Item,Purchase quantity,Approver\n", feed.Mapping{"Approver": {Const: "IT"}}, nil},
		{"a mapping leaves it empty", "Item,Purchase quantity,Approver\n", feed.Mapping{"Approver": {}}, nil},
		{"a mapping to no column", "Item,Purchase quantity,Approver\n", feed.Mapping{"Approver": {Column: "Boss"}}, []string{`"Boss", which is no column of the profile`}},
		{"a mapping of no column", "Item,Purchase quantity\n", feed.Mapping{"Approver": {}}, []string{`names column "Approver"`}},
		{"prices of two currencies and no column for them", "Item,Purchase quantity,Unit price\n", nil, []string{"the price is in USD, another one in EUR"}},
		{"a price column of one currency", "Item,Purchase quantity,Unit price (EUR)\n", nil, []string{"the price is in USD, and the column holds EUR"}},
		{"a price column that names no currency", "Item,Purchase quantity,Unit Price (CUR),Currency\n", nil, nil},
		{"a mandatory column with an empty cell", "Item,Purchase quantity,*Vendor\n", nil, []string{"the target needs a value", "*Vendor"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := feed.Options{Today: today, Templates: []*feed.Template{template(t, "mine", test.header)}, Mapping: test.mapping}
			facts := sample()
			// Rows are sorted by purchase: the first price is PO-7's, in EUR.
			facts.Terms[1].PurchaseID = "PO-8"
			facts.Terms[3].PurchaseID = "PO-1"
			_, err := feed.Named("fnms-purchases").Build(facts, o)
			if len(test.want) == 0 && err != nil {
				t.Fatalf("refused: %v", err)
			}
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want %q", err, want)
				}
			}
		})
	}
	t.Run("no template for a profile that needs one", func(t *testing.T) {
		if _, err := feed.Named("fnms-purchases").Build(sample(), feed.Options{}); err == nil || !strings.Contains(err.Error(), "--template") {
			t.Errorf("%v", err)
		}
	})
	t.Run("one for a profile with fixed columns", func(t *testing.T) {
		o := feed.Options{Templates: []*feed.Template{template(t, "x", "a,b\n")}}
		if _, err := feed.Named("sam360").Build(sample(), o); err == nil || !strings.Contains(err.Error(), "takes no template") {
			t.Errorf("%v", err)
		}
	})
}

// Inventory sheets keep the templates' names, columns and order; columns that the
// lake knows nothing of stay empty.
func TestInventoryTemplates(t *testing.T) {
	computers := template(t, "Computers", "ComputerID,ComputerName,ChassisType,SerialNo,InventoryDate\r\n")
	evidence := template(t, "MyInstallerEvidence", "ComputerID,DisplayName,Version,Publisher,Evidence\r\n")
	made := build(t, "fnms-inventory", sample(), feed.Options{Templates: []*feed.Template{evidence, computers}})
	var got strings.Builder
	for i := range made.Sheets {
		got.WriteString(made.Sheets[i].FileName(made.Format) + "\n" + string(write(t, &made.Sheets[i], made.Format)))
	}
	want := "Computers.csv\nComputerID,ComputerName,ChassisType,SerialNo,InventoryDate\r\n" +
		"name:kiosk,name:kiosk,,,\r\nserial:abc1,PC-1,,ABC1,2026-10-07\r\n" +
		"MyInstallerEvidence.csv\nComputerID,DisplayName,Version,Publisher,Evidence\r\n" +
		"name:kiosk,Microsoft Visio,,,\r\nserial:abc1,Microsoft 365 Apps for enterprise - en-us,16.0.1,Microsoft Corporation,\r\nserial:abc1,Microsoft Visio,16.0.1,,\r\n"
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestMappingFiles(t *testing.T) {
	got, err := feed.ReadMapping(strings.NewReader("\xef\xbb\xbfcolumn,is,mandatory\nApprover,=IT,yes\nPO,Purchase Order No.,\nRegion,-,no\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := feed.Mapping{"Approver": {Const: "IT", Mandatory: true}, "PO": {Column: "Purchase Order No."}, "Region": {}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, bad := range []string{"", "a,b\n", "column,is\nX,\n", "column,is\nX,-\nX,-\n", "column,is,mandatory\nX,-,maybe\n", "column,is\n\"X\n"} {
		if _, err := feed.ReadMapping(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
