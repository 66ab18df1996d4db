package inventory

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite the expectations of the sample layouts")

// The samples look as the tools export them. What is read of each stands beside it,
// to be reviewed as prose.
func TestFiveLayoutsAreReadWithNoCode(t *testing.T) {
	for _, name := range []string{"sccm", "intune", "jamf", "lansweeper", "glpi"} {
		t.Run(name, func(t *testing.T) {
			f, err := Open("testdata/"+name+".csv", name)
			if err != nil {
				t.Fatal(err)
			}
			found, report, err := f.Read()
			if err != nil {
				t.Fatal(err)
			}
			compare(t, "testdata/"+name+".want", describe(found, report))
		})
	}
}

func compare(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// describe is what was read, a line for each thing.
func describe(found []Installation, r *Report) string {
	var b strings.Builder
	for _, m := range r.Mapped {
		fmt.Fprintf(&b, "column %s: %s\n", m.Field, strings.Join(m.Headers, ", "))
	}
	fmt.Fprintf(&b, "not read: %s\n", strings.Join(r.Unmapped, ", "))
	fmt.Fprintf(&b, "rows %d, products %d, other %d, skipped %d, without device %d\n", r.Rows, r.Products, r.Other, r.Skipped, r.NoDevice)
	for _, d := range r.Dates {
		fmt.Fprintf(&b, "%s\n", d)
	}
	day := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.Format(time.DateOnly)
	}
	for _, i := range found {
		u := i.User
		fmt.Fprintf(&b, "%d: %s on %s (%s, %s, seen %s) %s %s by %s; user %q object %q address %q mail %q account %s/%s number %q; installed %s, used %s\n",
			i.Row, i.Family, i.DeviceKey, i.Platform, i.Kind, day(i.LastSeen), i.Version, i.Edition, i.Rule,
			u.Name, u.ObjectID, u.Address, u.Mail, u.Domain, u.Account, u.EmployeeID, day(i.Installed), day(i.LastUsed))
	}
	return b.String()
}

const plain = `name: plain
columns: {device_name: [Host, Device], serial_number: Serial, user_name: User, product_name: App, install_date: Since, os: OS}
dates: [dd.MM.yyyy, "yyyy-MM-dd HH:mm:ss"]
`

func parse(t *testing.T, text string) *Mapping {
	t.Helper()
	m, err := ParseMapping("plain.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAFileIsReadHoweverItIsWritten(t *testing.T) {
	const text = "Serial;Host;App;User;Since\r\nS1;Büro-1;Microsoft Visio - de-de;zoë;24.11.2026\r\n"
	must := func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	book := excelize.NewFile()
	for i, row := range [][]any{{"Inventory of November"}, {}, {"Serial", "Host", "App", "User", "Since"}, {"S1", "Büro-1", "Microsoft Visio - de-de", "zoë", 46350}} {
		if err := book.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &row); err != nil {
			t.Fatal(err)
		}
	}
	var sheet bytes.Buffer
	if err := book.Write(&sheet); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		body    []byte
		mapping string
	}{
		"as UTF-8":                          {[]byte(text), plain},
		"with a byte order mark":            {[]byte("\ufeff" + text), plain},
		"in UTF-16 with a mark":             {must(unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewEncoder().Bytes([]byte(text))), plain},
		"in UTF-16 without a mark":          {must(unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewEncoder().Bytes([]byte(text))), plain},
		"in the code page of the mapping":   {must(charmap.Windows1252.NewEncoder().Bytes([]byte(text))), plain + "encoding: windows-1252\n"},
		"with commas":                       {[]byte(strings.ReplaceAll(text, ";", ",")), plain},
		"with tabs":                         {[]byte(strings.ReplaceAll(text, ";", "\t")), plain},
		"with pipes":                        {[]byte(strings.ReplaceAll(text, ";", "|")), plain},
		"with the delimiter in a first row": {[]byte("sep=;\r\n" + text), plain},
		"below a title":                     {[]byte("Inventory;of November\r\n\r\n" + text), plain},
		"with empty rows and short ones":    {[]byte("Serial;Host;App;User;Since;OS;Note\r\n;;;;;;\r\nS1;Büro-1;Microsoft Visio - de-de;zoë;24.11.2026\r\n;;\r\n"), plain},
		"with columns in another order":     {[]byte("User;Since;App;Serial;Host\r\nzoë;24.11.2026;Microsoft Visio - de-de;S1;Büro-1\r\n"), plain},
		"with other blanks and case":        {[]byte("SERIAL; host ;\u00a0App;User;since\r\nS1;Büro-1 ;Microsoft Visio - de-de;zoë;24.11.2026\r\n"), plain},
		"with times":                        {[]byte(strings.ReplaceAll(text, "24.11.2026", "2026-11-24 23:59:59")), plain},
		"as a workbook":                     {sheet.Bytes(), plain},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			found, _, err := Read("devices", bytes.NewReader(c.body), parse(t, c.mapping))
			if err != nil {
				t.Fatal(err)
			}
			if len(found) != 1 {
				t.Fatalf("%d installations, want 1: %+v", len(found), found)
			}
			i := found[0]
			got := []string{i.DeviceKey, i.DeviceName, i.Product, i.Family, i.User.Account, i.Installed.Format(time.DateOnly)}
			if diff := cmp.Diff([]string{"serial:s1", "Büro-1", "Microsoft Visio - de-de", "Visio", "zoë", "2026-11-24"}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAFileThatCannotBeReadSaysWhereAndHow(t *testing.T) {
	cases := map[string]struct{ mapping, body, want string }{
		"an empty file":                  {plain, " \r\n ", "f: is empty"},
		"no column of the software":      {plain, "Host,Software\nPC,x\n", "f:1: the mapping plain does not find product_name (App) in the columns Host, Software; export them too, or name the columns in a mapping of your own"},
		"no column of the device":        {plain, "\nApp,Owner,Site\nx,y,z\n", "f:2: the mapping plain does not find a column for the device (Host, Device, Serial) in the columns App, Owner, Site"},
		"a required column":              {plain + "required: [user_name]\n", "Host,App\nPC,x\n", "does not find user_name (User)"},
		"a column that is there twice":   {plain, "Host,App,App\nPC,x,y\n", "f:1: column App is there twice"},
		"a row that is too long":         {plain, "Host,App\nPC,x\nPC,x,y\n", "f:3: has more cells than the header has columns"},
		"a quote that is not doubled":    {plain, "Host,App\nPC,a \"b\" c\n", "f:2: is not CSV"},
		"another encoding":               {plain, "Host,App\nPC,x\nB\xfcro,x\n", "f:3: is not UTF-8; say what it is under encoding: in the mapping"},
		"a workbook of the old kind":     {plain, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and so on", "f: is a workbook of the old XLS kind, or an encrypted one; save it as XLSX"},
		"a workbook that is none":        {plain, "PK\x03\x04 and nothing else", "f: is not a workbook that can be read"},
		"a line behind a delimiter line": {plain, "sep=,\nHost,App\nPC,x,y\n", "f:3: has more cells"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, _, err := Read("f", strings.NewReader(c.body), parse(t, c.mapping))
			var faulty *Error
			if !errors.As(err, &faulty) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want an *Error with %q", err, c.want)
			}
		})
	}
	t.Run("a sheet that is not there", func(t *testing.T) {
		var body bytes.Buffer
		if err := excelize.NewFile().Write(&body); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Read("f", &body, parse(t, plain+"sheet: Software\n")); err == nil || !strings.Contains(err.Error(), `has no sheet "Software"; it has Sheet1`) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("many faults are named up to a number", func(t *testing.T) {
		_, _, err := Read("f", strings.NewReader("Host,App\n"+strings.Repeat("PC,x,y\n", 30)), parse(t, plain))
		if err == nil || !strings.HasSuffix(err.Error(), "f: and 10 more") {
			t.Errorf("error %v", err)
		}
	})
}

func TestAMappingThatCannotBeUsedSaysWhy(t *testing.T) {
	cases := map[string]struct{ text, want string }{
		"an empty one":            {"", "m.yaml: is empty"},
		"an unknown key":          {"name: x\ncolums: {}\n", "m.yaml:2: key colums is not known"},
		"an unknown field":        {"columns: {device: x}\n", `columns: "device" is not a field; there are device_id, device_name`},
		"no software":             {"columns: {device_name: x}\n", "columns: product_name is missing"},
		"no device":               {"columns: {product_name: x}\n", "columns: device_name, device_id and serial_number are all missing"},
		"a column of two fields":  {"columns: {device_name: x, device_id: X, product_name: y}\n", `"x" is both device_id and device_name`},
		"a strange encoding":      {plain + "encoding: ebcdic\n", `encoding: "ebcdic" is not known; auto, utf-8`},
		"a strange delimiter":     {plain + "delimiter: dash\n", `delimiter: "dash" is not one of auto, comma`},
		"a date without a year":   {"columns: {device_name: x, product_name: y}\ndates: [dd.MM]\n", `dates: "dd.MM" lacks a year`},
		"a date of other letters": {"columns: {device_name: x, product_name: y}\ndates: [DD.MM.yyyy]\n", `dates: "DD.MM.yyyy" has "D"`},
		"two ways to read a day":  {"columns: {device_name: x, product_name: y}\ndates: [M/d/yyyy, d/M/yyyy]\n", `dates: "M/d/yyyy" and "d/M/yyyy" read the same text as two days`},
		"a rule of no family":     {plain + "products: [{rule: r, when: {product_name: x}}]\n", "products[0]: a rule either names a family or says skip: true"},
		"a rule for everything":   {plain + "products: [{rule: r, family: F}]\n", "products[0]: when is missing, so that the rule would take every row"},
		"a rule by the user":      {plain + "products: [{rule: r, family: F, when: {user_name: x}}]\n", "a product is told by product_name, publisher"},
		"a strange kind":          {plain + "install_kinds: [{kind: cloud, when: {os: x}}]\n", `kind "cloud" is not one of per_user`},
		"no rules at all":         {plain + "shipped_rules: false\n", "products is empty and shipped_rules is false"},
		"a list for a text":       {"name: [x]\n", "m.yaml:1: cannot unmarshal"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := ParseMapping("m.yaml", []byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
	t.Run("the documented one can", func(t *testing.T) {
		text, err := os.ReadFile("../../docs/inventory.md")
		if err != nil {
			t.Fatal(err)
		}
		_, example, ok := strings.Cut(string(text), "```yaml\nname: mine\n")
		example, _, _ = strings.Cut(example, "```")
		if _, err := ParseMapping("mine.yaml", []byte(example)); err != nil || !ok {
			t.Error(err)
		}
		for _, name := range fieldNames() {
			if !strings.Contains(string(text), name) {
				t.Errorf("the field %s is not there", name)
			}
		}
	})
	t.Run("all of the program can", func(t *testing.T) {
		for _, name := range Layouts() {
			text, ok := Layout(name)
			if _, err := ParseMapping(name, text); err != nil || !ok {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestRulesSayWhichSoftwareIsAProduct(t *testing.T) {
	const windows, mac, phone = "Microsoft Windows 11 Enterprise", "macOS 15.1", "iOS 18.1"
	for _, c := range []struct{ software, os, family string }{
		{"Microsoft 365 Apps for enterprise - en-us", windows, "Microsoft 365 Apps"},
		{"Microsoft 365 Apps for business - de-de", windows, "Microsoft 365 Apps"},
		{"Microsoft Office 365 ProPlus - fr-fr", windows, "Microsoft 365 Apps"},
		{"Aplicaciones de Microsoft 365 para empresas - es-es", windows, "Microsoft 365 Apps"},
		{"Microsoft Word.app", mac, "Microsoft 365 Apps"},
		{"Microsoft Word", phone, "Microsoft 365 Apps"},
		{"Microsoft Word", windows, ""},
		{"Microsoft 365 - en-us", windows, "Microsoft 365 (consumer)"},
		{"Microsoft Office Professional Plus 2019 - en-us", windows, "Microsoft Office (perpetual)"},
		{"Microsoft Office LTSC Professional Plus 2024 - en-us", windows, "Microsoft Office (perpetual)"},
		{"Microsoft Office Home and Business 2016 - en-us", windows, "Microsoft Office (perpetual)"},
		{"Microsoft Office 16 Click-to-Run Licensing Component", windows, ""},
		{"Microsoft Office Proofing (English) 2016", windows, ""},
		{"Microsoft Office Language Pack 2019 - de-de", windows, ""},
		{"Microsoft Visio - en-us", windows, "Visio"},
		{"Microsoft Visio Professional 2021 - en-us", windows, "Visio (perpetual)"},
		{"Microsoft Office Visio Professional 2007", windows, "Visio (perpetual)"},
		{"Microsoft Visio Viewer 2016", windows, ""},
		{"Microsoft Project - en-us", windows, "Project"},
		{"Microsoft Project Online Desktop Client - en-us", windows, "Project"},
		{"Microsoft Project Standard 2019 - en-us", windows, "Project (perpetual)"},
		{"Microsoft Teams", windows, ""},
		{"LibreOffice 24.8", windows, ""},
		{"MICROSOFT VISIO - EN-US", windows, "Visio"},
	} {
		found, _, err := Read("f", strings.NewReader("Host,App,OS\nPC,\""+c.software+"\","+c.os+"\n"), parse(t, plain))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if len(found) == 1 {
			got = found[0].Family
		}
		if got != c.family {
			t.Errorf("%s on %s is %q, want %q", c.software, c.os, got, c.family)
		}
	}
}

func TestAMappingsOwnRulesGoBeforeThoseOfTheProgram(t *testing.T) {
	m := parse(t, plain+`
constants: {publisher: ACME}
skip: [{device_name: ["TEST*"]}]
products:
  - {rule: no_visio, skip: true, when: {product_name: "*Visio*"}, unless: {version: "16.*"}}
  - {rule: acme, family: Acme Tool, edition: pro, when: {product_name: "Acme*", publisher: acme}}
install_kinds:
  - {kind: vdi, when: {device_name: "CTX-*"}}
  - {kind: unattended, when: {user_name: ["robot*", "svc*"]}}
`)
	found, report, err := Read("f", strings.NewReader(`Host,App,User,OS
PC-1,Microsoft Visio - en-us,ann,Windows 11
PC-1,Acme Tool 3,ann,Windows 11
CTX-1,Acme Tool 3,ann,Windows 11
PC-2,Acme Tool 3,ROBOT7,Windows 11
SRV,Microsoft Project - en-us,bob,Microsoft Windows Server 2022
TEST-1,Acme Tool 3,ann,Windows 11
`), m)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, i := range found {
		got = append(got, i.DeviceName+" "+i.Family+" "+i.Edition+" "+string(i.Kind))
	}
	want := []string{"PC-1 Acme Tool pro per_user", "CTX-1 Acme Tool pro vdi", "PC-2 Acme Tool pro unattended", "SRV Project  shared_computer"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if report.Skipped != 1 || report.Other != 1 {
		t.Errorf("skipped %d and other %d, want 1 and 1", report.Skipped, report.Other)
	}
}

func TestUsersAreReadInEveryForm(t *testing.T) {
	m := parse(t, plain+"domains: {CONTOSO: corp.contoso.com}\n")
	for _, c := range []struct {
		name, domain string
		want         User
	}{
		{"Jane@Contoso.com", "", User{Address: "jane@contoso.com"}},
		{`CONTOSO\JDoe`, "", User{Domain: "corp.contoso.com", Account: "jdoe"}},
		{`emea\jdoe`, "", User{Domain: "emea", Account: "jdoe"}},
		{"jdoe@CONTOSO", "", User{Domain: "corp.contoso.com", Account: "jdoe"}},
		{"jdoe", "EMEA", User{Domain: "emea", Account: "jdoe"}},
		{"jdoe", "", User{Account: "jdoe"}},
		{`AzureAD\JaneDoe`, "", User{}},
		{`PC-1\jdoe`, "", User{}},
		{"jdoe", "pc-1", User{}},
		{`NT AUTHORITY\SYSTEM`, "", User{}},
		{"PC-1$", "CONTOSO", User{}},
		{"Administrator", "", User{}},
		{"", "CONTOSO", User{}},
	} {
		r := record{userName: c.name, userDomain: c.domain}
		got := m.user(&r, "PC-1.corp.contoso.com")
		c.want.Name = c.name
		if c.name == "" {
			c.want.Domain = ""
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s with domain %q (-want +got):\n%s", c.name, c.domain, diff)
		}
	}
}

func TestDaysThatCannotBeReadAreEmptyAndCounted(t *testing.T) {
	us := parse(t, "columns: {device_name: Host, product_name: App, install_date: Since}\ndates: [M/d/yyyy]\n")
	read := func(days ...string) ([]Installation, []DateFault) {
		t.Helper()
		text := "Host,App,Since\n"
		for i, day := range days {
			text += fmt.Sprintf("PC-%d,Microsoft Visio - en-us,%s\n", i, day)
		}
		found, report, err := Read("f", strings.NewReader(text), us)
		if err != nil {
			t.Fatal(err)
		}
		return found, report.Dates
	}
	t.Run("some text is no day", func(t *testing.T) {
		found, faults := read("3/4/2026", "soon", "never", "")
		want := []DateFault{{Field: "install_date", Count: 2, Row: 3, Example: "soon"}}
		if diff := cmp.Diff(want, faults); diff != "" || found[0].Installed.Format(time.DateOnly) != "2026-03-04" || !found[1].Installed.IsZero() {
			t.Errorf("%v %v: %s", found[0].Installed, found[1].Installed, diff)
		}
	})
	t.Run("day and month stand the other way round", func(t *testing.T) {
		found, faults := read("3/4/2026", "soon", "24/11/2026")
		want := []DateFault{{Field: "install_date", Count: 2, Row: 4, Example: "24/11/2026", Swapped: true}}
		if diff := cmp.Diff(want, faults); diff != "" || !found[0].Installed.IsZero() {
			t.Errorf("3/4/2026 is read as %v: %s", found[0].Installed, diff)
		}
	})
}

// Rows that say the same, in any order, are one installation with the earliest day of
// installation and the latest of use.
func TestTheOrderOfRowsChangesNothing(t *testing.T) {
	m := parse(t, "columns: {device_name: Host, user_name: User, product_name: App, install_date: Since, last_used_date: Used}\ndates: [yyyy-MM-dd]\n")
	type key struct{ device, family, user string }
	read := func(t *rapid.T, rows []string) map[key][2]string {
		found, report, err := Read("f", strings.NewReader("Host,User,App,Since,Used\n"+strings.Join(rows, "\n")+"\n"), m)
		if err != nil {
			t.Fatal(err)
		}
		if report.Products+report.Other+report.Skipped != report.Rows {
			t.Fatalf("%d rows: %d products and %d others", report.Rows, report.Products, report.Other)
		}
		out := map[key][2]string{}
		for _, i := range found {
			k := key{i.DeviceKey, i.Family, i.User.Account}
			if _, twice := out[k]; twice {
				t.Fatalf("%v is there twice", k)
			}
			out[k] = [2]string{i.Installed.String(), i.LastUsed.String()}
		}
		return out
	}
	rapid.Check(t, func(t *rapid.T) {
		row := rapid.Custom(func(t *rapid.T) string {
			day := rapid.SampledFrom([]string{"", "2026-01-02", "2026-03-04", "2025-12-31"})
			return strings.Join([]string{
				rapid.SampledFrom([]string{"PC-1", "pc-1", "PC-2"}).Draw(t, "host"), rapid.SampledFrom([]string{"ann", "bob", ""}).Draw(t, "user"),
				rapid.SampledFrom([]string{"Microsoft Visio - en-us", "Microsoft Visio - de-de", "Microsoft Project - en-us", "7-Zip"}).Draw(t, "app"), day.Draw(t, "since"), day.Draw(t, "used"),
			}, ",")
		})
		rows := rapid.SliceOfN(row, 1, 12).Draw(t, "rows")
		shuffled := rapid.Permutation(rows).Draw(t, "shuffled")
		if diff := cmp.Diff(read(t, rows), read(t, shuffled)); diff != "" {
			t.Fatalf("%s", diff)
		}
	})
}

func TestPatternsMatchAsStarsDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune("ab")), 0, 8, -1).Draw(t, "text")
		star := rapid.StringOfN(rapid.SampledFrom([]rune("ab*")), 0, 6, -1).Draw(t, "pattern")
		want, err := filepath.Match(star, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := anyMatches(patterns([]string{star}), strings.ToUpper(text)); got != want {
			t.Fatalf("%q matches %q: %t, want %t", star, text, got, want)
		}
	})
}
