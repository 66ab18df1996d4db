package main

import (
	"testing"

	"seatlake/pipeline"
	"seatlake/schemas"
)

func TestContendersReadTheSameFromAPage(t *testing.T) {
	g := newGenerator(7)
	for _, set := range []struct {
		name  string
		table *schemas.Table
		row   func()
	}{
		{usersFull, schemas.GraphUsers, g.userFull},
		{usersSelected, schemas.GraphUsers, g.userSelected},
		{signIns, schemas.GraphSignIns, g.signIns(50, 1e15)},
	} {
		t.Run(set.name, func(t *testing.T) {
			err := g.collection("path", 1, 50, set.row, func(_ int, text []byte) error {
				return agree(set.table, &pipeline.Page{Number: 1, Body: text})
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestADifferenceOfOneValueIsFound(t *testing.T) {
	read := func(enabled string) (string, error) {
		page := &pipeline.Page{Number: 1, Body: []byte(`{"value":[{"id":"00000000-0000-4000-8000-000000000001","accountEnabled":` + enabled + `}]}`)}
		a, err := decodeAll(schemas.GraphUsers, []*pipeline.Page{page}, true)
		if err != nil {
			return "", err
		}
		rb := builder(schemas.GraphUsers)
		defer rb.Release()
		yes := []byte(`{"value":[{"id":"00000000-0000-4000-8000-000000000001","accountEnabled":true}]}`)
		v := &visitor{root: plan(schemas.GraphUsers.Decoded(), rb)}
		if err := v.decode(yes); err != nil {
			return "", err
		}
		b := rb.NewRecordBatch()
		defer b.Release()
		return differ(a, append(a[:0:0], b)), nil
	}
	for enabled, same := range map[string]bool{"true": true, "false": false} {
		d, err := read(enabled)
		if err != nil {
			t.Fatal(err)
		}
		if (d == "") != same {
			t.Errorf("accountEnabled %s against true: difference %q", enabled, d)
		}
	}
}
