package feed_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
	"pgregory.net/rapid"

	"seatlake/load/feed"
)

// hostile is texts as directories and contracts have them at their worst.
func hostile() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{
			"=HYPERLINK(\"http://x\")", "+1", "-2+3", "@SUM(A1)", "\tx", "\rx", "'=1", "''", "a\"b", "a,b;c\td", "line\nline", "line\r\nline", " x ", "x\r",
			"Zürich", "日本語", "😀", "_x0041_", "<&>", "]]>", "=", "'", "0123", "1e5", "2026-01-01", "TRUE", strings.Repeat("n", 500),
		}),
		rapid.StringOfN(rapid.RuneFrom([]rune("=+-@'\"\t\r\n,;_x0/<&ä漢😀 ")), 1, 12, -1),
	)
}

// tenancy makes facts of random positions, terms and assignments.
func tenancy() *rapid.Generator[*feed.Facts] {
	return rapid.Custom(func(t *rapid.T) *feed.Facts {
		f := &feed.Facts{Version: 1}
		units := rapid.Int64Range(0, 50)
		n := rapid.IntRange(1, 5).Draw(t, "skus")
		line := int64(1)
		for i := range n {
			sku := fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
			part := fmt.Sprintf("PART_%d", i)
			product := hostile().Draw(t, "product")
			class := rapid.SampledFrom([]string{"paid", "paid", "paid", "free", "trial", "capacity"}).Draw(t, "class")
			applies := rapid.SampledFrom([]string{"User", "User", "Company"}).Draw(t, "applies to")
			p := position(contoso, "contoso", sku, part, product, class, applies, units.Draw(t, "enabled"), units.Draw(t, "warning"), units.Draw(t, "consumed"))
			f.Positions = append(f.Positions, p)
			for range rapid.IntRange(0, 3).Draw(t, "terms") {
				line++
				quantity := rapid.Int64Range(1, 60).Draw(t, "quantity")
				cents := rapid.Int64Range(0, 10_000_00).Draw(t, "cents")
				f.Terms = append(f.Terms, feed.Term{
					TenantID: contoso, SKUID: sku, Line: line, PurchaseID: fmt.Sprintf("%s%d", hostile().Draw(t, "purchase"), line), Quantity: quantity,
					Amount: money(cents), Annual: money(cents * 12), Currency: rapid.SampledFrom([]string{"EUR", "USD"}).Draw(t, "currency"), Frequency: "Monthly",
					Effective: day("2026-01-01").AddDate(0, 0, int(line)), Vendor: hostile().Draw(t, "vendor"),
				})
			}
			for j := range rapid.IntRange(0, 3).Draw(t, "users") {
				a := feed.Assignment{TenantID: contoso, UserID: fmt.Sprintf("u%d", j), SKUID: sku, UPN: fmt.Sprintf("%s%d@x", hostile().Draw(t, "upn"), j),
					PartNumber: part, Product: product, Class: class, Evidence: rapid.SampledFrom([]string{"complete", "partial", "none"}).Draw(t, "evidence")}
				if rapid.Bool().Draw(t, "seen") {
					a.LastActivity = ptr(day("2026-09-01").AddDate(0, 0, rapid.IntRange(0, 30).Draw(t, "last")))
				}
				f.Assignments = append(f.Assignments, a)
			}
		}
		return f
	})
}

func money(cents int64) feed.Decimal {
	return feed.Decimal(fmt.Sprintf("%d.%02d", cents/100, cents%100))
}

// table is a delivered file as its reader sees it: rows by column name.
type table []map[string]string

// readBack reads a file as the target does, and undoes the guard against formulas
// in texts of CSV.
func readBack(t *rapid.T, s *feed.Sheet, f feed.Format) table {
	var b bytes.Buffer
	if err := s.Write(&b, f); err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	if f == feed.XLSX {
		file, err := excelize.OpenReader(&b)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if rows, err = file.GetRows(file.GetSheetName(0)); err != nil {
			t.Fatal(err)
		}
	} else {
		rows = parseCSV(b.String())
	}
	header := rows[0]
	if diff := cmp.Diff(s.Header(), header); diff != "" {
		t.Fatalf("header: %s", diff)
	}
	var out table
	for _, cells := range rows[1:] {
		row := map[string]string{}
		for i, c := range s.Columns {
			if i >= len(cells) { // a spreadsheet's row ends with its last cell
				continue
			}
			text := cells[i]
			if f == feed.CSV && c.Kind == feed.Text {
				if strings.IndexAny(text, "=+-@\t\r\n") == 0 {
					t.Fatalf("%s: %q is a formula", c.Name, text)
				}
				text = feed.Unguard(text)
			}
			if text != "" {
				row[c.Name] = text
			}
		}
		out = append(out, row)
	}
	return out
}

// parseCSV keeps line ends in quotes as they are, which encoding/csv does not.
func parseCSV(text string) [][]string {
	var rows [][]string
	var row []string
	var cell strings.Builder
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '"' && i+1 < len(text) && text[i+1] == '"':
			cell.WriteByte('"')
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
			cell.WriteByte(c)
		case c == ',':
			row = append(row, cell.String())
			cell.Reset()
		case c == '\r' && text[i+1] == '\n':
			rows = append(rows, append(row, cell.String()))
			cell.Reset()
			row = nil
			i++
		default:
			cell.WriteByte(c)
		}
	}
	return rows
}

// sums is what the rows of each part number add up to.
func (t table) sums(part, number string) map[string]int64 {
	out := map[string]int64{}
	for _, row := range t {
		var n int64
		fmt.Sscan(row[number], &n)
		if n != 0 {
			out[row[part]] += n
		}
	}
	return out
}

// units is a figure of the positions that belong in a feed, by part number.
func units(f *feed.Facts, belongs func(*feed.Position) bool, figure func(*feed.Position) int64) map[string]int64 {
	out := map[string]int64{}
	for i := range f.Positions {
		if p := &f.Positions[i]; belongs(p) && figure(p) != 0 {
			out[p.PartNumber] += figure(p)
		}
	}
	return out
}

// From the files of each profile alone, the position comes back: units by SKU, and
// where the profile has them money and users. Names come back letter by letter.
func TestRoundTrip(t *testing.T) {
	paidForUsers := func(p *feed.Position) bool { return p.Class == "paid" && p.AppliesTo == "User" }
	every := func(*feed.Position) bool { return true }
	entitled := func(p *feed.Position) int64 { return *p.Entitled }
	tests := []roundTrip{
		{"fnms-purchases", "Part no./SKU", "Item", "Purchase quantity", 0, paidForUsers, entitled},
		{"fnms-purchase-order", "PartNo", "ItemDescription", "PurchaseQuantity", 0, paidForUsers, entitled},
		{"fnms-license", "PartNo", "", "EntitlementCount", 0, paidForUsers, entitled},
		{"servicenow-entitlements", "Publisher part number", "Product", "Purchased rights", 0, paidForUsers, entitled},
		{"snow-licenses", "SKU (stock keeping unit)", "Application name", "Quantity", 0, paidForUsers, entitled},
		{"sam360", "SkuPartNumber", "SkuName", "ActiveUnits", 0, every, func(p *feed.Position) int64 { return *p.Enabled }},
		{"sam360", "SkuPartNumber", "SkuName", "WarningUnits", 0, every, func(p *feed.Position) int64 { return *p.Warning }},
		{"sam360", "SkuPartNumber", "SkuName", "ConsumedUnits", 0, every, func(p *feed.Position) int64 { return *p.Consumed }},
		{"generic", "sku_part_number", "product_name", "entitled_units", 0, every, entitled},
		{"generic", "sku_part_number", "product_name", "available_units", 0, every, func(p *feed.Position) int64 { return *p.Available }},
	}
	type one struct {
		roundTrip
		format feed.Format
	}
	var spreadsheets []one
	for _, test := range tests {
		for _, format := range feed.Named(test.profile).Formats {
			switch format {
			case feed.XLSX:
				spreadsheets = append(spreadsheets, one{test, format})
			case feed.CSV:
				t.Run(test.profile+" "+test.number, func(t *testing.T) {
					rapid.Check(t, func(t *rapid.T) { test.check(t, format) })
				})
			}
		}
	}
	// Spreadsheets take long to read, so that each draws one.
	t.Run("spreadsheets", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			test := spreadsheets[rapid.IntRange(0, len(spreadsheets)-1).Draw(t, "profile")]
			test.check(t, test.format)
		})
	})
	t.Run("money of purchase orders, to the cent, and one currency a file", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			facts := tenancy().Draw(t, "facts")
			made := draw(t, "fnms-purchase-order", facts, feed.CSV)
			got := map[string]string{}
			for i := range made.Sheets {
				s := &made.Sheets[i]
				for _, row := range readBack(t, s, feed.CSV) {
					if want := strings.TrimPrefix(s.Name, "PurchaseOrder"); row["CurrencyCode"] != strings.TrimPrefix(want, "-") {
						t.Fatalf("%s has a row in %q", s.Name, row["CurrencyCode"])
					}
					if row["TotalPrice"] != "" {
						got[row["PurchaseOrderNo"]] = row["TotalPrice"] + " for " + row["PurchaseQuantity"] + " from " + row["VendorName"]
					} else if row["UnitPrice"] != "" || row["CurrencyCode"] != "" {
						t.Fatalf("a price without a total: %v", row)
					}
				}
			}
			want := map[string]string{}
			left := units(facts, paidForUsers, entitled)
			for _, term := range facts.Terms {
				var sku int
				fmt.Sscan(term.SKUID[24:], &sku)
				part := fmt.Sprintf("PART_%d", sku)
				if n := min(left[part], term.Quantity); n > 0 {
					left[part] -= n
					var whole, cents int64
					fmt.Sscanf(string(term.Annual), "%d.%d", &whole, &cents)
					// halves of a cent up
					share := (2*(whole*100+cents)*n + term.Quantity) / (2 * term.Quantity)
					want[term.PurchaseID] = fmt.Sprintf("%s for %d from %s", money(share), n, term.Vendor)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("-terms +feed: %s", diff)
			}
		})
	})
	t.Run("users of subscriptions", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			facts := tenancy().Draw(t, "facts")
			format := rapid.SampledFrom([]feed.Format{feed.CSV, feed.CSV, feed.XLSX}).Draw(t, "format")
			made := draw(t, "servicenow-subscriptions", facts, format)
			got, want := map[string]int{}, map[string]int{}
			for _, row := range readBack(t, &made.Sheets[0], format) {
				got[fmt.Sprintf("%s|%s|%s|%s", row["User principal name"], row["Subscription identifier"], row["Last activity"], row["Active"])]++
			}
			for _, a := range facts.Assignments {
				if a.Class != "paid" {
					continue
				}
				last := ""
				if a.LastActivity != nil && a.Evidence == "complete" {
					last = a.LastActivity.Format(time.DateOnly)
				}
				want[fmt.Sprintf("%s|%s|%s|true", a.UPN, a.PartNumber, last)]++
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("-assignments +feed: %s", diff)
			}
		})
	})
}

// Devices and what stands on them come back from the inventory sheets, and last uses
// from those of usage.
func TestRoundTripOfInventoryAndUsage(t *testing.T) {
	t.Run("inventory", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			facts := &feed.Facts{}
			devices, software := map[string]bool{}, map[string]bool{}
			for range rapid.IntRange(1, 6).Draw(t, "rows") {
				n := feed.Installation{
					TenantID: contoso, DeviceKey: fmt.Sprint("serial:", rapid.IntRange(1, 3).Draw(t, "device")), DeviceName: "PC", Kind: "per_user",
					Product: rapid.StringMatching("[=+@ä]?[a-c]").Draw(t, "product"), Version: rapid.SampledFrom([]string{"", "1", "-2"}).Draw(t, "version"), User: "u",
				}
				facts.Installations = append(facts.Installations, n)
				devices[n.DeviceKey], software[n.DeviceKey+"|"+n.Product+"|"+n.Version] = true, true
			}
			format := rapid.SampledFrom([]feed.Format{feed.CSV, feed.CSV, feed.XLSX}).Draw(t, "format")
			made := draw(t, "fnms-inventory", facts, format)
			gotDevices, gotSoftware := map[string]bool{}, map[string]bool{}
			for _, row := range readBack(t, &made.Sheets[0], format) {
				gotDevices[row["ComputerID"]] = true
			}
			rows := readBack(t, &made.Sheets[1], format)
			for _, row := range rows {
				gotSoftware[row["ComputerID"]+"|"+row["DisplayName"]+"|"+row["Version"]] = true
			}
			if diff := cmp.Diff(devices, gotDevices) + cmp.Diff(software, gotSoftware); diff != "" || len(rows) != len(software) {
				t.Fatalf("-inventory +feed: %s", diff)
			}
		})
	})
	t.Run("usage", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			facts := tenancy().Draw(t, "facts")
			made := draw(t, "servicenow-usage", facts, feed.CSV)
			got, want := map[string]int{}, map[string]int{}
			for _, row := range readBack(t, &made.Sheets[0], feed.CSV) {
				if last := row["Last used time"]; last[:4] != row["Year"] || strings.TrimPrefix(last[5:7], "0") != row["Month"] {
					t.Fatalf("month and year are not those of the last use: %v", row)
				}
				got[row["User"]+"|"+row["Product"]+"|"+row["Last used time"]]++
			}
			for _, a := range facts.Assignments {
				if a.Class == "paid" && a.Evidence == "complete" && a.LastActivity != nil {
					want[a.UPN+"|"+a.Product+"|"+a.LastActivity.Format(time.DateOnly)]++
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("-assignments +feed: %s", diff)
			}
		})
	})
}

// roundTrip is a profile, the columns that give a SKU's part number, its name and a
// figure, and the figure of the position that must come back.
type roundTrip struct {
	profile, part, name, number string
	sheet                       int
	belongs                     func(*feed.Position) bool
	figure                      func(*feed.Position) int64
}

func (test roundTrip) check(t *rapid.T, format feed.Format) {
	facts := tenancy().Draw(t, "facts")
	if test.profile == "fnms-license" { // which has a limit
		for i := range facts.Positions {
			facts.Positions[i].Product = fmt.Sprint("licence ", i)
		}
	}
	made := draw(t, test.profile, facts, format)
	var all table
	for i := range made.Sheets {
		if test.profile != "generic" || i == test.sheet {
			all = append(all, readBack(t, &made.Sheets[i], format)...)
		}
	}
	if diff := cmp.Diff(units(facts, test.belongs, test.figure), all.sums(test.part, test.number)); diff != "" {
		t.Fatalf("-position +feed: %s", diff)
	}
	for _, row := range all {
		for _, p := range facts.Positions {
			if p.PartNumber == row[test.part] && test.name != "" && p.Product != row[test.name] {
				t.Fatalf("the name %q comes back as %q", p.Product, row[test.name])
			}
		}
	}
}

// draw builds a feed inside a property.
func draw(t *rapid.T, profile string, f *feed.Facts, format feed.Format) *feed.Feed {
	o := feed.Options{Format: format, Today: today}
	switch profile {
	case "fnms-purchases":
		content := []byte("Purchase Order No.,Part no./SKU,Item,Purchase quantity,Currency,Total price,Vendor\r\n")
		if format == feed.XLSX {
			file := excelize.NewFile()
			defer file.Close()
			row := []any{"Purchase Order No.", "Part no./SKU", "Item", "Purchase quantity", "Currency", "Total price", "Vendor"}
			if err := file.SetSheetRow("Sheet1", "A1", &row); err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := file.Write(&b); err != nil {
				t.Fatal(err)
			}
			content = b.Bytes()
		}
		made, err := feed.ReadTemplate("x", content)
		if err != nil {
			t.Fatal(err)
		}
		o.Templates = []*feed.Template{made}
	case "snow-licenses":
		o.Set = map[string]string{"Legal organisation": "ROOT", "Purchase date": "2026-10-01"}
	}
	made, err := feed.Named(profile).Build(f, o)
	if err != nil {
		t.Fatal(err)
	}
	return made
}
