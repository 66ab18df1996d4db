package parquet_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"seatlake/schemas"
)

// tenant makes rows that look like a tenant's: people with names, licences from
// a small catalogue, skewed departments, counters of wide range, dates near one
// another, and nulls where Graph has them.
type tenant struct {
	*rand.Rand
	pools  map[string][]any
	person person
}

type person struct {
	id                        uuid
	upn, first, last, display string
}

// realisticBatches are rows of the table, batchRows at a time.
func realisticBatches(table *schemas.Table, rows, batchRows int, mem memory.Allocator) []arrow.RecordBatch {
	t := &tenant{Rand: rand.New(rand.NewPCG(42, uint64(len(table.Name)))), pools: map[string][]any{}}
	g := &gen{Rand: t.Rand, mem: mem}
	var batches []arrow.RecordBatch
	for done := 0; done < rows; done += batchRows {
		n := min(batchRows, rows-done)
		columns := make([][]any, len(table.Fields))
		for i := range n {
			t.nextPerson(table.Name, done+i)
			for k := range table.Fields {
				columns[k] = append(columns[k], t.value(table.Name, &table.Fields[k], ""))
			}
		}
		batches = append(batches, g.batch(table, columns, n))
	}
	return batches
}

// nextPerson moves on: a licence row is about the same person as the last four
// times out of five, a sign-in about anyone of four thousand.
func (t *tenant) nextPerson(table string, row int) {
	switch table {
	case "graph_user_licenses":
		if row > 0 && t.IntN(5) > 0 {
			return
		}
	case "graph_sign_ins":
		if len(t.pools["people"]) < 4000 {
			t.pools["people"] = append(t.pools["people"], t.newPerson(row))
		}
		t.person = t.pick(t.pools["people"]).(person)
		return
	}
	t.person = t.newPerson(row)
}

var (
	firstNames = strings.Fields("Anna James Maria Wei Oliver Zoë Müge Łukasz John Sarah Pedro Yuki Ahmed Priya Chloé Lars Nina Tom Eva Ravi Søren Kate Ivan Lea")
	lastNames  = strings.Fields("Smith Müller García Chen O'Brien Johnson Kowalski Nakamura Patel Dubois Andersson Rossi Jensen Brown Novák Silva Khan Lee Berg Schmidt Ivanova Costa Nguyen Meyer")
)

func (t *tenant) newPerson(row int) person {
	f, l := firstNames[t.IntN(len(firstNames))], lastNames[t.IntN(len(lastNames))]
	upn := fmt.Sprintf("%s.%s%d@contoso.com", strings.ToLower(f), strings.ToLower(l), row)
	return person{t.uuid(), upn, f, l, f + " " + l}
}

func (t *tenant) uuid() (u uuid) {
	for i := range u {
		u[i] = byte(t.Uint32())
	}
	return u
}

// pick prefers the front of the pool.
func (t *tenant) pick(pool []any) any {
	x := t.Float64()
	return pool[int(x*x*float64(len(pool)))]
}

func (t *tenant) pool(name string, size int, value func(i int) any) any {
	if t.pools[name] == nil {
		for i := range size {
			t.pools[name] = append(t.pools[name], value(i))
		}
	}
	return t.pick(t.pools[name])
}

var epoch = time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)

func (t *tenant) value(table string, f *schemas.Field, parent string) any {
	key := table + "." + parent + f.Name
	switch f.Name {
	case "tenant_id":
		return uuid{1, 2, 3}
	case "snapshot_date", "report_refresh_date", "event_date":
		return int32(20240)
	case "report_period":
		return int32(180)
	case "user_id":
		return t.person.id
	case "user_principal_name", "owner_principal_name", "mail":
		return t.person.upn
	case "display_name", "user_display_name", "owner_display_name":
		return t.person.display
	case "given_name":
		return t.person.first
	case "surname":
		return t.person.last
	case "ip_address":
		return fmt.Sprintf("%d.%d.%d.%d", 20+t.IntN(60), t.IntN(40), t.IntN(256), t.IntN(256))
	case "site_url":
		return "https://contoso-my.sharepoint.com/personal/" + strings.ReplaceAll(t.person.upn, ".", "_")
	case "status_error_code":
		if t.IntN(10) > 0 {
			return int32(0)
		}
	}
	if !f.Required && t.IntN(100) < 12 {
		return nil
	}
	switch f.Kind {
	case schemas.String:
		if !f.Dict {
			return fmt.Sprintf("%s%05d", f.Name[:3], t.IntN(100_000))
		}
		return t.pool(key, 5+8*len(f.Name)%120, func(i int) any { return fmt.Sprintf("%s value %d", f.Name, i) })
	case schemas.UUID:
		if !f.Dict {
			return t.uuid()
		}
		return t.pool(f.Name, 25+len(f.Name)%9*20, func(int) any { return t.uuid() })
	case schemas.Bool:
		return t.IntN(5) == 0
	case schemas.Int32:
		return int32(t.pool(key, 40, func(i int) any { return i * 7 }).(int))
	case schemas.Int64:
		if strings.Contains(f.Name, "quota") || strings.Contains(f.Name, "allocated") {
			return int64(1+t.IntN(3)) * 53_687_091_200
		}
		if t.IntN(3) == 0 {
			return int64(0)
		}
		top := 6.0
		if strings.Contains(f.Name, "byte") {
			top = 24
		}
		return int64(math.Exp(t.Float64() * top))
	case schemas.Date:
		return int32(20240 - t.IntN(180)*t.IntN(4))
	case schemas.Timestamp:
		if strings.HasPrefix(parent, "assigned_plans") {
			return t.pool(key, 300, func(int) any { return t.instant() })
		}
		return t.instant()
	case schemas.List:
		n := t.IntN(5)
		switch f.Name {
		case "assigned_plans":
			n = 20 + t.IntN(40)
		case "disabled_plans", "disabled_plan_ids", "other_mails", "assigned_by_groups":
			n = max(0, t.IntN(6)-3)
		}
		l := make(listValue, n)
		for i := range l {
			l[i] = t.value(table, f.Elem, parent+f.Name+".")
		}
		return l
	case schemas.Struct:
		s := make(structValue, len(f.Fields))
		for i := range f.Fields {
			s[i] = t.value(table, &f.Fields[i], parent)
		}
		return s
	default:
		return t.NormFloat64()
	}
}

// instant is a second of the last two years.
func (t *tenant) instant() int64 {
	return epoch.Add(-time.Duration(t.IntN(2*365*86_400)) * time.Second).UnixMicro()
}
