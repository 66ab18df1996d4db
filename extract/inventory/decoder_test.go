package inventory

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"seatlake/pipeline"
	"seatlake/schemas"
	"seatlake/transform"
)

var observed = time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)

func open(t *testing.T, file, mapping string) *File {
	t.Helper()
	f, err := Open(file, mapping)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// rows decodes pages and says what each installation is.
func rows(t *testing.T, d *Decoder, pages pipeline.Pages) ([]string, error) {
	t.Helper()
	stream, err := transform.Stamp(schemas.InventoryInstallations, [16]byte{1}, observed)(d.Stream(pages))
	if err != nil {
		t.Fatal(err)
	}
	if !stream.Schema.Equal(schemas.InventoryInstallations.Arrow()) {
		t.Fatalf("schema %s", stream.Schema)
	}
	at := stream.Schema.FieldIndices
	var out []string
	for batch, err := range stream.Batches {
		if err != nil {
			return out, err
		}
		for i := range int(batch.NumRows()) {
			var cells []string
			for _, name := range []string{"file", "line", "mapping", "device_key", "product_family", "install_date", "user_account"} {
				cells = append(cells, batch.Column(at(name)[0]).ValueStr(i))
			}
			out = append(out, strings.Join(cells, " "))
		}
	}
	return out, nil
}

func TestFilesBecomeRowsOfTheTable(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	source := &Source{Files: []*File{open(t, "testdata/glpi.csv", "glpi"), open(t, "testdata/jamf.csv", "jamf")}, Observed: observed}
	d := NewDecoder(mem)
	got, err := rows(t, d, source.Pages(t.Context(), pipeline.Inventory, pipeline.Window{}))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"glpi.csv 2 glpi serial:pf3abcde Microsoft 365 Apps 2025-04-01 (null)",
		"glpi.csv 4 glpi name:pc-gre-02 Visio (null) (null)",
		"jamf.csv 2 jamf serial:c02xg0fdh7jy Microsoft 365 Apps (null) (null)",
		"jamf.csv 5 jamf serial:c02yh1gej8kz Microsoft 365 Apps (null) (null)",
	}
	want[0] = strings.Replace(want[0], "(null)", "mgraham", 1)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	drift := pipeline.Drift{Rows: 4, Unknown: map[string]int64{"glpi.csv: Contract": 3, "jamf.csv: FileVault Status": 4}}
	if diff := cmp.Diff(drift, d.Drift()); diff != "" {
		t.Errorf("drift (-want +got):\n%s", diff)
	}
	if lost := d.Lost(); lost != nil {
		t.Errorf("lost %v", lost)
	}
	for _, word := range []string{`"file":"glpi.csv"`, `"mapping":"jamf"`, `"product_rows":3`, `"sha256":"` + source.Files[0].sum + `"`} {
		if !strings.Contains(string(d.State()), word) {
			t.Errorf("the state has no %s: %s", word, d.State())
		}
	}
}

func TestARunThatIsTakenUpKeepsToWhatItHasKept(t *testing.T) {
	files := []*File{open(t, "testdata/glpi.csv", "glpi"), open(t, "testdata/jamf.csv", "jamf")}
	source := &Source{Files: files, Observed: observed}
	var all []*pipeline.Page
	for page, err := range source.Pages(t.Context(), pipeline.Inventory, pipeline.Window{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page)
	}
	for kept := range len(all) + 1 {
		var got []string
		pages := func(yield func(*pipeline.Page, error) bool) {
			for _, page := range all[:kept] {
				if !yield(page, nil) {
					return
				}
			}
		}
		for page, err := range source.Continue(t.Context(), pipeline.Inventory, pipeline.Window{}, pages) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, page.Request)
		}
		if diff := cmp.Diff([]string{"mapping glpi", "file glpi.csv", "mapping jamf", "file jamf.csv"}, got); diff != "" {
			t.Errorf("after %d pages (-want +got):\n%s", kept, diff)
		}
	}
}

// nobody answers for no source.
type nobody struct{ pipeline.Continuer }

func (nobody) Pages(context.Context, string, pipeline.Window) pipeline.Pages {
	return func(yield func(*pipeline.Page, error) bool) { yield(nil, errors.New("asked of another")) }
}

func TestPagesThatAreNotWholeAreErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "devices.csv")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const whole = "device_name,product_name\nPC-1,Microsoft Visio - en-us\n"
	t.Run("other sources are asked of others", func(t *testing.T) {
		source := &Source{Next: nobody{}}
		for _, err := range source.Pages(t.Context(), pipeline.Users, pipeline.Window{}) {
			if err == nil || err.Error() != "asked of another" {
				t.Errorf("error %v", err)
			}
		}
	})
	t.Run("a file that changes while it is read", func(t *testing.T) {
		write(whole)
		source := &Source{Files: []*File{open(t, file, "csv")}, Observed: observed}
		write(whole + "PC-2,Microsoft Visio - en-us\n")
		_, err := rows(t, NewDecoder(memory.DefaultAllocator), source.Pages(t.Context(), pipeline.Inventory, pipeline.Window{}))
		if err == nil || !strings.Contains(err.Error(), "devices.csv changed while it was being read; run again") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a file without its mapping", func(t *testing.T) {
		write(whole)
		pages := open(t, file, "csv").pages(1, observed)[1:]
		_, err := rows(t, NewDecoder(memory.DefaultAllocator), func(yield func(*pipeline.Page, error) bool) { yield(pages[0], nil) })
		var placed *pipeline.Error
		if !errors.As(err, &placed) || placed.Page != 2 || !strings.Contains(err.Error(), "a mapping and then its file are expected") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a file that names no device or user", func(t *testing.T) {
		write("device_name,product_name,last_used_date\n,Microsoft Visio - en-us,\nPC-1,Microsoft Visio - en-us,yesterday\n")
		d := NewDecoder(memory.DefaultAllocator)
		source := &Source{Files: []*File{open(t, file, "csv")}, Observed: observed}
		if _, err := rows(t, d, source.Pages(t.Context(), pipeline.Inventory, pipeline.Window{})); err != nil {
			t.Fatal(err)
		}
		want := []string{
			"devices.csv: 1 rows of licensed products name no device, so that they are not counted: export the device's name or serial number",
			"devices.csv: no column names the user, so that no installation joins one: export the user's sign-in name",
			`devices.csv: last_used_date: 1 dates, such as "yesterday" in row 3, fit none of the mapping's formats and are empty: name their format under dates: in a mapping of your own`,
		}
		if diff := cmp.Diff(want, d.Lost()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
