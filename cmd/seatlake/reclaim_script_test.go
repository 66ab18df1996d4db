package main

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"seatlake/extract/graph/graphsim"
)

// served is the key of the simulated tenant that a script started last.
type served struct{}

// cmdTenant looks at the script's tenant, or changes it as others would in between.
//
//	tenant licenses USER SKU [WAY...]   the user has the SKU in exactly these ways: direct, or groups by the last digits of their ids
//	tenant signs-in USER TIME           the user signs in
//	tenant gives USER SKU               an administrator assigns the SKU directly
//	tenant takes USER SKU               an administrator removes the direct assignment
//	tenant writes N                     N requests that are no reads came to Graph so far
func cmdTenant(ts *testscript.TestScript, neg bool, args []string) {
	server := *ts.Value(served{}).(**graphsim.Server)
	if neg || len(args) < 2 || server == nil {
		ts.Fatalf("usage: tenant licenses|signs-in|gives|takes USER ..., or tenant writes N, after graph")
	}
	switch args[0] {
	case "licenses":
		var ways []string
		for _, a := range server.Licenses(args[1]) {
			switch {
			case a.SKU != args[2] || a.State == "Error":
			case a.Group == "":
				ways = append(ways, strings.TrimSuffix("direct-"+strings.Join(a.Disabled, "-"), "-"))
			default:
				ways = append(ways, a.Group[len(a.Group)-2:])
			}
		}
		if !slices.Equal(ways, args[3:]) {
			ts.Fatalf("%s has %s by %v, want %v", args[1], args[2], ways, args[3:])
		}
	case "signs-in":
		at, err := time.Parse(time.RFC3339, args[2])
		ts.Check(err)
		if !server.SignIn(args[1], at) {
			ts.Fatalf("%s is nobody", args[1])
		}
	case "gives":
		ts.Check(server.Assign(args[1], []graphsim.Assignment{{SKU: args[2]}}, nil))
	case "takes":
		ts.Check(server.Assign(args[1], nil, []string{args[2]}))
	case "writes":
		n := 0
		for _, r := range server.Log() {
			if r.Server == "graph" && r.Method != http.MethodGet {
				n++
			}
		}
		if fmt.Sprint(n) != args[1] {
			ts.Fatalf("%d writes came, want %s", n, args[1])
		}
	default:
		ts.Fatalf("tenant %s is not known", args[0])
	}
}

// cmdSpreadsheet writes a CSV as a spreadsheet of another country does, after somebody
// has written into some cells: semicolons, a byte order mark, line breaks of Windows,
// the columns the other way round, one that is new, and a row that is empty.
//
//	spreadsheet IN OUT [ROW:COLUMN=VALUE]...
func cmdSpreadsheet(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: spreadsheet IN OUT [ROW:COLUMN=VALUE]...")
	}
	rows, err := csv.NewReader(strings.NewReader(ts.ReadFile(args[0]))).ReadAll()
	ts.Check(err)
	for _, edit := range args[2:] {
		at, value, _ := strings.Cut(edit, "=")
		row, column, _ := strings.Cut(at, ":")
		n, err := strconv.Atoi(row)
		ts.Check(err)
		i := slices.Index(rows[0], column)
		if i < 0 || n >= len(rows) {
			ts.Fatalf("%s has no cell %s", args[0], at)
		}
		rows[n][i] = value
	}
	for n := range rows {
		rows[n] = append(rows[n], []string{"Seen by", "", "", "Otto"}[min(n, 3)])
		slices.Reverse(rows[n])
	}
	rows = append(rows, make([]string, len(rows[0])))
	var b strings.Builder
	b.WriteString("\ufeff")
	out := csv.NewWriter(&b)
	out.Comma, out.UseCRLF = ';', true
	ts.Check(out.WriteAll(rows))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(b.String()), 0o600))
}
