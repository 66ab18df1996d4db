package seal

import (
	"context"
	"crypto/cipher"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"seatlake/pipeline"
	"seatlake/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	keyText   = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	otherText = "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
)

func key(t testing.TB, text string) *Key {
	t.Helper()
	k, err := ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func kinds() []schemas.Personal {
	return []schemas.Personal{schemas.SignInName, schemas.Address, schemas.EmployeeNumber, schemas.AccountName,
		schemas.AnyName, schemas.PersonName, schemas.Device, schemas.Place}
}

// TestFormIsFixed keeps lakes readable: what was sealed once is sealed alike for ever.
func TestFormIsFixed(t *testing.T) {
	k := key(t, keyText)
	if got, want := k.ID(), "f9934faf39c9b2ea"; got != want {
		t.Errorf("id %s, want %s", got, want)
	}
	for _, c := range []struct {
		as         schemas.Personal
		text, want string
	}{
		{schemas.SignInName, "Ada@contoso.com", "seal1aqmoug6sw2ln4b6xtscm3ek2yncieu6rqtk6dpiglt46lve3jkdfrxg4afnelpfo5g3f7o2jpnmikw"},
		{schemas.SignInName, "bo_x.com#EXT#@contoso.onmicrosoft.com", "seal1anksvexmyfupjq2g56dqq2bwsmamh7vkcnyjf2bhriwiaoznhnbgmv3u5zk2chxfcgzpjawnk22rtodufu762jtshskwudwcxi6bl3crcrqxo23cffixbebvvvijm6pbj#ext#"},
		{schemas.Device, "serial:ABC", "serial:seal1dpphbenshknejim3o32g5got3gslam76fewwo7o77vr67juye6m3a74wpgaeejhw3s33ansybmzvak"},
		{schemas.PersonName, "Ada", "seal1pb5rqhvv3qh5kgzpsouli757q4oc5m4exdpbkd7orp3kcns523gsvexyu3nfom4fqml5z3rnhfl3u6"},
	} {
		if got := k.Seal(c.as, c.text); got != c.want {
			t.Errorf("%s is sealed as\n%s, want\n%s", c.text, got, c.want)
		}
	}
}

func TestSealedValues(t *testing.T) {
	k, other := key(t, keyText), key(t, otherText)
	names := rapid.OneOf(rapid.StringMatching(`[A-Za-z .'-]{1,70}`), rapid.String(), rapid.StringMatching(`[a-zA-Z]{1,9}_[a-z]{1,5}\.com#EXT#@[a-z]{1,5}\.com`))

	t.Run("are equal exactly when the names are, and open to them", rapid.MakeCheck(func(t *rapid.T) {
		as := rapid.SampledFrom(kinds()).Draw(t, "as")
		a, b := names.Draw(t, "a"), names.Draw(t, "b")
		if rapid.Bool().Draw(t, "same but for case") {
			b = strings.ToUpper(a)
		}
		d, _ := domainOf(as)
		clear := func(s string) string {
			if d.folds() {
				return fold(s)
			}
			return s
		}
		sa, sb := k.Seal(as, a), k.Seal(as, b)
		if (clear(a) == clear(b)) != (fold(sa) == fold(sb)) {
			t.Fatalf("%q and %q are sealed as %q and %q", a, b, sa, sb)
		}
		if got, err := k.Reveal(sa); err != nil || clear(got) != clear(a) {
			t.Fatalf("%q comes back as %q, %v", a, got, err)
		}
	}))

	t.Run("keep what models read of a name", rapid.MakeCheck(func(t *rapid.T) {
		as := rapid.SampledFrom(kinds()).Draw(t, "as")
		name := names.Draw(t, "name")
		sealed := k.Seal(as, name)
		if got, want := strings.Trim(sealed, " "), k.Seal(as, strings.Trim(name, " ")); got != want {
			t.Fatalf("trimmed after sealing %q, before %q", got, want)
		}
		d, _ := domainOf(as)
		if d.folds() && fold(sealed) != k.Seal(as, fold(name)) {
			t.Fatalf("lower-cased after sealing %q, before %q", fold(sealed), k.Seal(as, fold(name)))
		}
		if d == addresses && strings.Contains(fold(name), external) != strings.Contains(sealed, external) {
			t.Fatalf("%q is sealed as %q", name, sealed)
		}
		if (strings.Trim(name, " ") == "") != (strings.Trim(sealed, " ") == "") {
			t.Fatalf("blank %q is sealed as %q", name, sealed)
		}
	}))

	t.Run("keep the kind of an address and of a device", func(t *testing.T) {
		ada := k.Seal(schemas.SignInName, "ada@contoso.com")
		for text, want := range map[string]string{"SMTP:Ada@contoso.com": "SMTP:" + ada, "smtp:ada@contoso.com": "smtp:" + ada} {
			if got := k.Seal(schemas.Address, text); got != want {
				t.Errorf("%s is sealed as %s, want %s", text, got, want)
			}
		}
		if got := k.Seal(schemas.Device, "serial:pf123"); !strings.HasPrefix(got, "serial:seal1d") {
			t.Errorf("a serial number is sealed as %s", got)
		}
	})

	t.Run("hide nothing behind a colon that no model looks at", func(t *testing.T) {
		for _, text := range []string{"x500:/o=contoso/cn=ada", "ada:lovelace"} {
			if got := k.Seal(schemas.Address, text); !strings.HasPrefix(got, "seal1a") {
				t.Errorf("%s is sealed as %s", text, got)
			}
		}
	})

	t.Run("differ by domain and by key", func(t *testing.T) {
		seen := map[string]bool{}
		for _, k := range []*Key{k, other} {
			for _, d := range domains() {
				seen[k.token(d, "ada")[len(prefix)+1:]] = true
			}
		}
		if len(seen) != 2*len(domains()) {
			t.Errorf("%d values of %d", len(seen), 2*len(domains()))
		}
	})

	t.Run("tell the length in steps only", func(t *testing.T) {
		lengths := map[int]bool{}
		for n := 1; n < step; n++ {
			lengths[len(k.token(persons, strings.Repeat("a", n)))] = true
		}
		if len(lengths) != 1 {
			t.Errorf("lengths %v", lengths)
		}
	})

	t.Run("do not open with another key, or changed", func(t *testing.T) {
		sealed := k.Seal(schemas.PersonName, "Ada")
		if got, err := other.Reveal(sealed); !errors.Is(err, errNotSealed) || got != sealed {
			t.Errorf("another key: %q, %v", got, err)
		}
		for i := len(prefix); i < len(sealed); i++ {
			changed := []byte(sealed)
			if changed[i]++; !form.Match(changed) {
				continue
			}
			if got, err := k.Reveal(string(changed)); err == nil {
				t.Errorf("changed at %d: %q", i, got)
			}
		}
	})

	t.Run("are revealed within any text", func(t *testing.T) {
		text := "devices " + k.Seal(schemas.Device, "PC1") + ", " + k.Seal(schemas.Device, "PC2") + " of " + k.Seal(schemas.SignInName, "a_b.com#EXT#@c.com") + "."
		if got, err := k.Reveal(text); err != nil || got != "devices pc1, pc2 of a_b.com#ext#@c.com." {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestKeys(t *testing.T) {
	for _, text := range []string{"", "abc", keyText + "00", strings.Repeat("z", 64)} {
		if _, err := ParseKey(text); err == nil || text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("key %q: %v", text, err)
		}
	}
	if _, err := ParseKey(strings.ToUpper(keyText) + "\n"); err != nil {
		t.Error(err)
	}
}

// TestColumns seals every stored table's columns as its schema marks them.
func TestColumns(t *testing.T) {
	k := key(t, keyText)
	for _, table := range schemas.All() {
		t.Run(table.Name, func(t *testing.T) {
			mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
			defer mem.AssertSize(t, 0)
			in := batchOf(t, mem, table)
			defer in.Release()
			out, err := k.Table(table)(pipeline.Stream{Schema: in.Schema(), Batches: func(yield func(arrow.RecordBatch, error) bool) { yield(in, nil) }})
			if err != nil {
				t.Fatal(err)
			}
			for batch, err := range out.Batches {
				if err != nil {
					t.Fatal(err)
				}
				if !batch.Schema().Equal(in.Schema()) || batch.NumRows() != in.NumRows() {
					t.Fatalf("%d rows of %s", batch.NumRows(), batch.Schema())
				}
				for i := range table.Fields {
					compare(t, k, table.Fields[i].Name, &table.Fields[i], in.Column(i), batch.Column(i))
				}
			}
		})
	}
}

// batchOf is three rows of a table: two with the same texts in different case, and one
// that is null wherever a row may be.
func batchOf(t *testing.T, mem memory.Allocator, table *schemas.Table) arrow.RecordBatch {
	t.Helper()
	b := array.NewRecordBuilder(mem, table.Arrow())
	defer b.Release()
	for i := range table.Fields {
		for row := range 3 {
			fill(t, b.Field(i), &table.Fields[i], row)
		}
	}
	return b.NewRecordBatch()
}

func fill(t *testing.T, b array.Builder, f *schemas.Field, row int) {
	t.Helper()
	if row == 2 && !f.Required {
		b.AppendNull()
		return
	}
	texts := []string{"Ada " + f.Name, "ADA " + strings.ToUpper(f.Name), "x"}
	switch b := b.(type) {
	case *array.StringBuilder:
		b.Append(texts[row])
	case *array.BinaryDictionaryBuilder:
		if err := b.AppendString(texts[row]); err != nil {
			t.Fatal(err)
		}
	case *array.ListBuilder:
		b.Append(true)
		for range row + 1 {
			fill(t, b.ValueBuilder(), f.Elem, row)
		}
	case *array.StructBuilder:
		b.Append(true)
		for i := range f.Fields {
			fill(t, b.FieldBuilder(i), &f.Fields[i], row)
		}
	default:
		b.AppendEmptyValue()
	}
}

// compare says whether a column was sealed where, and only where, it names a person.
func compare(t *testing.T, k *Key, path string, f *schemas.Field, in, out arrow.Array) {
	t.Helper()
	switch f.Kind {
	case schemas.List:
		compare(t, k, path+"."+f.Elem.Name, f.Elem, in.(*array.List).ListValues(), out.(*array.List).ListValues())
		return
	case schemas.Struct:
		for i := range f.Fields {
			compare(t, k, path+"."+f.Fields[i].Name, &f.Fields[i], in.(*array.Struct).Field(i), out.(*array.Struct).Field(i))
		}
		return
	}
	if _, ok := domainOf(f.Personal); !ok || f.Kind != schemas.String {
		if !array.Equal(in, out) {
			t.Errorf("%s names nobody and was changed: %v", path, out)
		}
		return
	}
	for row := range in.Len() {
		if in.IsNull(row) != out.IsNull(row) {
			t.Errorf("%s: row %d null %v, was %v", path, row, out.IsNull(row), in.IsNull(row))
			continue
		}
		if in.IsNull(row) {
			continue
		}
		if got, want := valueOf(out, row), k.Seal(f.Personal, valueOf(in, row)); got != want || !Holds(got) {
			t.Errorf("%s: row %d is %q, want %q", path, row, got, want)
		}
	}
}

func valueOf(a arrow.Array, row int) string {
	if d, ok := a.(*array.Dictionary); ok {
		return d.Dictionary().(*array.String).Value(d.GetValueIndex(row))
	}
	return a.(*array.String).Value(row)
}

func TestPages(t *testing.T) {
	k := key(t, keyText)
	page := func(n int, coding, body string) *pipeline.Page {
		return &pipeline.Page{Source: "users", Number: n, Request: "/users", RequestID: "r", Coding: coding, Body: []byte(body)}
	}
	ctx := context.Background()

	t.Run("are kept sealed and passed on clear", func(t *testing.T) {
		k1 := &memoryKeeper{}
		var passed []string
		for p, err := range k.Keeper(k1).Keep(ctx, "users", pagesOf(page(1, "gzip", "Ada"), page(2, "", "Bo"))) {
			if err != nil {
				t.Fatal(err)
			}
			passed = append(passed, p.Coding+" "+string(p.Body))
		}
		if !slices.Equal(passed, []string{"gzip Ada", " Bo"}) {
			t.Errorf("passed on: %q", passed)
		}
		for _, p := range k1.pages {
			if strings.Contains(string(p.Body), "Ada") || strings.Contains(string(p.Body), "Bo\x00") || p.Coding != "" {
				t.Errorf("kept: %q %q", p.Coding, p.Body)
			}
		}
		var opened []string
		for p, err := range k.Kept(fixedSource(k1.pages)).Pages(ctx, "users", pipeline.Window{}) {
			if err != nil {
				t.Fatal(err)
			}
			opened = append(opened, p.Coding+" "+string(p.Body))
		}
		if !slices.Equal(opened, passed) {
			t.Errorf("opened: %q", opened)
		}
	})

	t.Run("of equal bytes are sealed alike", func(t *testing.T) {
		a, _ := k.SealPage(page(1, "", "Ada"))
		b, _ := k.SealPage(page(1, "", "Ada"))
		if a.SHA256() != b.SHA256() {
			t.Error("two forms")
		}
	})

	t.Run("that are changed, clear or of another key are refused", func(t *testing.T) {
		sealed, _ := k.SealPage(page(1, "", "Ada"))
		for name, p := range map[string]*pipeline.Page{
			"clear": page(1, "", "Ada"), "cut": page(1, "", string(sealed.Body[:len(sealed.Body)-1])), "empty": page(1, "", pageMagic),
		} {
			if _, err := k.OpenPage(p); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		if _, err := key(t, otherText).OpenPage(sealed); !errors.Is(err, errNotSealed) {
			t.Errorf("another key: %v", err)
		}
	})

	t.Run("end with the error they had", func(t *testing.T) {
		broken := errors.New("broken")
		in := func(yield func(*pipeline.Page, error) bool) {
			if yield(page(1, "", "Ada"), nil) {
				yield(nil, broken)
			}
		}
		var end error
		for _, err := range k.Keeper(&memoryKeeper{}).Keep(ctx, "users", in) {
			end = err
		}
		if !errors.Is(end, broken) {
			t.Error(end)
		}
	})

	t.Run("of a run that is taken up are opened, and living ones left", func(t *testing.T) {
		sealed, _ := k.SealPage(page(1, "gzip", "Ada"))
		live := &continuing{}
		source := k.Resumed(live, func(c pipeline.Continuer) pipeline.Source { return mixed{c, sealed} })
		var got []string
		for p, err := range source.Pages(ctx, "users", pipeline.Window{}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(p.Body))
		}
		if !slices.Equal(got, []string{"Ada", "Ada", "live"}) || live.seen != "Ada" {
			t.Errorf("pages %q, of which the living source saw %q", got, live.seen)
		}
	})
}

type memoryKeeper struct{ pages []*pipeline.Page }

func (m *memoryKeeper) Keep(_ context.Context, _ string, pages pipeline.Pages) pipeline.Pages {
	return func(yield func(*pipeline.Page, error) bool) {
		for p, err := range pages {
			if err == nil {
				m.pages = append(m.pages, p)
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

func pagesOf(pages ...*pipeline.Page) pipeline.Pages {
	return func(yield func(*pipeline.Page, error) bool) {
		for _, p := range pages {
			if !yield(p, nil) {
				return
			}
		}
	}
}

type fixedSource []*pipeline.Page

func (s fixedSource) Pages(context.Context, string, pipeline.Window) pipeline.Pages {
	return pagesOf(s...)
}

// continuing is a living source that goes on from what it is given.
type continuing struct{ seen string }

func (c *continuing) Pages(context.Context, string, pipeline.Window) pipeline.Pages { return pagesOf() }

func (c *continuing) Continue(_ context.Context, _ string, _ pipeline.Window, kept pipeline.Pages) pipeline.Pages {
	return func(yield func(*pipeline.Page, error) bool) {
		for p, err := range kept {
			c.seen += string(p.Body)
			if !yield(p, err) {
				return
			}
		}
		yield(&pipeline.Page{Source: "users", Number: 2, Body: []byte("live")}, nil)
	}
}

// mixed reads a kept page itself, and lets the living source go on from it.
type mixed struct {
	live pipeline.Continuer
	kept *pipeline.Page
}

func (m mixed) Pages(ctx context.Context, source string, w pipeline.Window) pipeline.Pages {
	return func(yield func(*pipeline.Page, error) bool) {
		again := *m.kept
		if !yield(&again, nil) {
			return
		}
		for p, err := range m.live.Continue(ctx, source, w, pagesOf(m.kept)) {
			if !yield(p, err) {
				return
			}
		}
	}
}

// TestCTR compares the short way with the standard library's.
func TestCTR(t *testing.T) {
	c := key(t, keyText).pages
	rapid.Check(t, func(t *rapid.T) {
		iv := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 0xff}), ivBytes, ivBytes).Draw(t, "iv")
		text := rapid.SliceOfN(rapid.Byte(), 0, short).Draw(t, "text")
		want := make([]byte, len(text))
		cipher.NewCTR(c.block, iv).XORKeyStream(want, text)
		if c.xor(new(worker), iv, text); !slices.Equal(text, want) {
			t.Fatalf("%x, want %x", text, want)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	k := key(b, keyText)
	b.Run("value", func(b *testing.B) {
		for b.Loop() {
			k.Seal(schemas.SignInName, "Ada.Lovelace@contoso.com")
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "values/s")
	})
}
