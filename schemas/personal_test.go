package schemas_test

import (
	"bufio"
	"os"
	"strings"
	"testing"

	"seatlake/schemas"
)

// TestEveryTextIsDecidedOn makes who adds a column say whether it names a person: it
// is marked in its declaration, or listed among those that name nobody.
func TestEveryTextIsDecidedOn(t *testing.T) {
	nobody := impersonal(t)
	for _, table := range schemas.All() {
		table.Leaves(func(path string, f *schemas.Field) {
			name := table.Name + "." + path
			listed := nobody[name]
			delete(nobody, name)
			switch text := f.Kind == schemas.String || f.Kind == schemas.UUID; {
			case !text && f.Personal != 0:
				t.Errorf("%s is a %s and cannot name a person", name, f.Kind)
			case text && f.Personal != 0 && listed:
				t.Errorf("%s names a person and is listed in testdata/impersonal.txt, too", name)
			case text && f.Personal == 0 && !listed:
				t.Errorf("%s may name a person: mark it with Personal, or list it in testdata/impersonal.txt", name)
			case f.Personal == 0 && f.Whose != schemas.Subject:
				t.Errorf("%s says whom it is about and not what it tells", name)
			}
		})
	}
	for name := range nobody {
		t.Errorf("testdata/impersonal.txt lists %s, which is no column", name)
	}
}

// TestRowsOfPersonsHaveTheirIdentity finds a table whose rows bear names and nothing by
// which they could be found again.
func TestRowsOfPersonsHaveTheirIdentity(t *testing.T) {
	for _, table := range schemas.All() {
		table.Leaves(func(path string, f *schemas.Field) {
			if f.Personal != 0 && f.Whose == schemas.Subject && !table.NamesPersons() {
				t.Errorf("%s.%s tells of a person, and no column of the table says whose the row is", table.Name, path)
			}
			if f.Whose == schemas.Other && f.Required {
				t.Errorf("%s.%s names somebody else and may not be null: that person could not be erased", table.Name, path)
			}
		})
	}
}

// impersonal is the columns that name nobody, as table.column.
func impersonal(t *testing.T) map[string]bool {
	t.Helper()
	f, err := os.Open("testdata/impersonal.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := map[string]bool{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if line := strings.TrimSpace(lines.Text()); line != "" && !strings.HasPrefix(line, "#") {
			if out[line] {
				t.Errorf("testdata/impersonal.txt lists %s twice", line)
			}
			out[line] = true
		}
	}
	return out
}
