package feed_test

import (
	"errors"
	"strings"
	"testing"

	"seatlake/load/feed"
)

// faultsOf builds a feed that has to be refused.
func faultsOf(t *testing.T, profile string, f *feed.Facts, o feed.Options) *feed.Faults {
	t.Helper()
	o.Today = today
	_, err := feed.Named(profile).Build(f, o)
	var faults *feed.Faults
	if !errors.As(err, &faults) {
		t.Fatalf("not refused: %v", err)
	}
	return faults
}

// Limits are counted in UTF-16 units of what is written: an umlaut is one, most
// emoji are two, and an apostrophe against formulas counts too.
func TestLimits(t *testing.T) {
	x := strings.Repeat
	tests := []struct {
		name, field, text string
		fits              bool
	}{
		{"64 characters of a contract fit", "contract", x("ä", 64), true},
		{"65 do not", "contract", x("ä", 65), false},
		{"32 emoji are 64 units", "contract", x("😀", 32), true},
		{"33 are not", "contract", x("😀", 33), false},
		{"a formula of 63 characters fits with its apostrophe", "contract", "=" + x("a", 62), true},
		{"one of 64 does not", "contract", "=" + x("a", 63), false},
		{"a level of 64 characters fits", "cost centre", x("c", 64) + "/" + x("d", 64), true},
		{"one of 65 does not", "cost centre", "ok/" + x("c", 65), false},
		{"500 characters in levels fit", "cost centre", x(x("c", 49)+"/", 10), true},
		{"501 do not", "cost centre", x(x("c", 49)+"/", 10) + "c", false},
		{"a product name of 500 characters has no limit stated", "product", x("n", 500), true},
		{"control characters are refused", "contract", "a\x01b", false},
		{"bytes that are no text are refused", "contract", "a\xffb", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			facts := sample()
			switch test.field {
			case "contract":
				facts.Terms[0].Contract = test.text
			case "cost centre":
				facts.Terms[0].CostCentre = test.text
			case "product":
				facts.Positions[0].Product = test.text
			}
			_, err := feed.Named("fnms-purchase-order").Build(facts, feed.Options{Today: today})
			if (err == nil) != test.fits {
				t.Errorf("%v", err)
			}
			if err != nil && !strings.Contains(err.Error(), "PO-7") {
				t.Errorf("the row is not named: %v", err)
			}
		})
	}
	t.Run("a licence's contract has 60", func(t *testing.T) {
		facts := sample()
		facts.Terms = facts.Terms[3:]
		facts.Terms[0].Contract = x("k", 61)
		faults := faultsOf(t, "fnms-license", facts, feed.Options{})
		if len(faults.All) != 1 || faults.All[0].Column != "ContractNo" {
			t.Errorf("%v", faults)
		}
	})
	t.Run("4,000 characters of comments", func(t *testing.T) {
		o := feed.Options{Templates: []*feed.Template{template(t, "t", "Item,Purchase quantity,Comments,Notes2\r\n")}}
		o.Mapping = feed.Mapping{"Notes2": {Column: "Comments"}}
		facts := sample()
		facts.Terms[0].Frequency = x("f", 4000)
		faults := faultsOf(t, "fnms-purchases", facts, o)
		if len(faults.All) != 2 || !strings.Contains(faults.Error(), "takes 4000") {
			t.Errorf("%v", faults)
		}
	})
}

func TestAllFaultsAreNamedAtOnce(t *testing.T) {
	facts := sample()
	facts.Terms[0].Contract = strings.Repeat("c", 70)
	facts.Terms[1].CostCentre = strings.Repeat("c", 70)
	facts.Terms[3].Currency = strings.Repeat("c", 70)
	faults := faultsOf(t, "fnms-purchase-order", facts, feed.Options{})
	columns := map[string]bool{}
	for _, f := range faults.All {
		columns[f.Column] = true
		if f.Row < 2 || f.Text == "" {
			t.Errorf("a fault without row or text: %+v", f)
		}
	}
	if len(faults.All) != 3 || !columns["ContractNo"] || !columns["CostCenter"] || !columns["CurrencyCode"] {
		t.Errorf("%v", faults)
	}
}

func TestSnowNeedsWhatTheLakeDoesNotHave(t *testing.T) {
	faults := faultsOf(t, "snow-licenses", sample(), feed.Options{})
	text := faults.Error()
	if !strings.Contains(text, `--set "Legal organisation=..."`) || !strings.Contains(text, "column Purchase date") {
		t.Errorf("the cure is not named: %v", text)
	}
	if n := strings.Count(text, "\n"); n != 2 {
		t.Errorf("the same fault of several rows takes %d lines, want one for each of the two", n)
	}
}

func TestFormulasAreGuarded(t *testing.T) {
	for text, want := range map[string]string{
		"=1+1": "'=1+1", "+49": "'+49", "-1": "'-1", "@SUM": "'@SUM", "\tx": "'\tx", "\rx": "'\rx", "\nx": "'\nx", "＝1": "'＝1",
		"'=1": "''=1", "''=1": "'''=1", "'plain": "'plain", "plain=": "plain=", "": "", "'": "'",
	} {
		if got := feed.Guard(text); got != want {
			t.Errorf("Guard(%q) = %q, want %q", text, got, want)
		}
		if got := feed.Unguard(feed.Guard(text)); got != text {
			t.Errorf("Unguard(Guard(%q)) = %q", text, got)
		}
	}
}
