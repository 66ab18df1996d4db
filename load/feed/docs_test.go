package feed_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"seatlake/load/feed"
)

// docs/feeds.md has every column of every profile, as the program has it. With
// -update the tables are written anew; the text between them is not touched.
func TestTheDocumentHasEveryColumn(t *testing.T) {
	const path = "../../docs/feeds.md"
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	for _, p := range feed.Profiles() {
		for _, s := range p.Sheets {
			begin, end := fmt.Sprintf("<!-- columns of %s %s -->\n", p.Name, s.Name), "<!-- end -->"
			before, rest, ok := strings.Cut(text, begin)
			was, after, ok2 := strings.Cut(rest, end)
			if !ok || !ok2 {
				t.Errorf("docs/feeds.md has no place for the columns of %s, file %s: %s%s", p.Name, s.Name, begin, end)
				continue
			}
			if is := columnTable(s); is != was {
				text = before + begin + is + end + after
				if *update {
					continue
				}
				t.Errorf("docs/feeds.md is behind the columns of %s, file %s; go test ./load/feed -update writes them", p.Name, s.Name)
			}
		}
	}
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func columnTable(s feed.Sheet) string {
	var b strings.Builder
	b.WriteString("| Column | Holds | Source |\n|---|---|---|\n")
	for _, c := range s.Columns {
		holds := string(c.Kind)
		if c.Required {
			holds += ", mandatory"
		}
		if c.Max > 0 {
			holds += fmt.Sprintf(", at most %d characters", c.Max)
		}
		if c.Level > 0 {
			holds += fmt.Sprintf(", each level %d", c.Level)
		}
		if c.Values != nil {
			holds += ": " + strings.Join(c.Values, ", ")
		}
		if c.TemplateOnly {
			holds += "; only where the template has it"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", c.Name, holds, c.Source)
	}
	return b.String()
}
