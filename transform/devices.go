package transform

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"seatlake/pipeline"
	"seatlake/schemas"
)

// Devices adds apps_used, uses_windows, uses_mac, uses_mobile and uses_web to the
// report on the Microsoft 365 apps. A platform is used when its own column says
// so; where that is null, when the column of any app on it does, and not known
// (null) when all of them are null too. Apps are told likewise, by their own column
// before those of the platforms; the list is null when no app is known, and empty
// when none was used.
func Devices() pipeline.Transform {
	return func(in pipeline.Stream) (pipeline.Stream, error) {
		d, err := newDevices(in.Schema)
		if err != nil {
			return pipeline.Stream{}, fmt.Errorf("devices: %w", err)
		}
		return extend(in, d.schema, func(batch arrow.RecordBatch) ([]arrow.Array, error) {
			return d.columns(batch), nil
		}), nil
	}
}

type devices struct {
	schema    *arrow.Schema
	apps      []string // as the report heads their columns
	byApp     [][]int  // positions of each app's columns, its own first
	platforms [][]int  // positions of each platform's columns, its own first
}

func newDevices(in *arrow.Schema) (*devices, error) {
	table := schemas.ReportM365AppUserDetail
	d := &devices{}
	apps := []string{"outlook", "word", "excel", "powerpoint", "onenote", "teams"}
	platforms := []string{"windows", "mac", "mobile", "web"}
	for _, app := range apps {
		names := []string{app}
		for _, platform := range platforms {
			names = append(names, app+"_"+platform)
		}
		at, err := positions(in, table, names...)
		if err != nil {
			return nil, err
		}
		f, _ := table.Field(app) // positions has found it
		d.apps = append(d.apps, f.From)
		d.byApp = append(d.byApp, at)
	}
	made := []string{"apps_used"}
	for _, platform := range platforms {
		names := []string{platform}
		for _, app := range apps {
			names = append(names, app+"_"+platform)
		}
		at, err := positions(in, table, names...)
		if err != nil {
			return nil, err
		}
		d.platforms = append(d.platforms, at)
		made = append(made, "uses_"+platform)
	}
	var err error
	d.schema, err = appending(in, table, made...)
	return d, err
}

func (d *devices) columns(batch arrow.RecordBatch) []arrow.Array {
	made := []arrow.Array{d.appsUsed(batch)}
	rows := int(batch.NumRows())
	for _, at := range d.platforms {
		used, known := stated(batch, at)
		var valid *memory.Buffer
		nulls := rows - countOnes(known, rows)
		if nulls > 0 {
			valid = memory.NewBufferBytes(known)
		}
		made = append(made, booleans(used, valid, rows, nulls))
	}
	return made
}

func (d *devices) appsUsed(batch arrow.RecordBatch) arrow.Array {
	rows := int(batch.NumRows())
	used := make([][]byte, len(d.apps))
	known := make([]byte, bitutil.BytesForBits(int64(rows)))
	for i, at := range d.byApp {
		var k []byte
		used[i], k = stated(batch, at)
		or(known, k)
	}
	var (
		indices = makeColumn[int32](rows)
		offsets = make([]int32, 1, rows+1)
		valid   bitmap
	)
	for row := range rows {
		for app := range used {
			if bitutil.BitIsSet(used[app], row) {
				indices.append(int32(app))
			}
		}
		offsets = append(offsets, int32(len(indices.values)))
		valid.append(bitutil.BitIsSet(known, row))
	}
	f, _ := d.schema.FieldsByName("apps_used")
	return list(f[0].Type, offsets, &valid, dictionary(&indices, texts(d.apps)))
}

// stated is, per row, whether the first of some boolean columns is true, or any of
// the others where it is null, and whether that is known.
func stated(batch arrow.RecordBatch, at []int) (used, known []byte) {
	used, known = anyOf(batch, at[:1])
	others, othersKnown := anyOf(batch, at[1:])
	for i := range used {
		used[i] |= others[i] &^ known[i]
		known[i] |= othersKnown[i]
	}
	return used, known
}

// anyOf is, per row, whether any of some boolean columns is true, and whether
// any is known.
func anyOf(batch arrow.RecordBatch, at []int) (used, known []byte) {
	rows := int(batch.NumRows())
	bytes := bitutil.BytesForBits(int64(rows))
	used, known = make([]byte, bytes), make([]byte, bytes)
	value, valid := make([]byte, bytes), make([]byte, bytes)
	for _, i := range at {
		c := batch.Column(i).(*array.Boolean)
		buffers := c.Data().Buffers()
		if c.NullN() == rows {
			continue
		}
		bitutil.CopyBitmap(buffers[1].Bytes(), c.Data().Offset(), rows, value, 0)
		if c.NullN() == 0 {
			or(used, value)
			bitutil.SetBitsTo(known, 0, int64(rows), true)
			continue
		}
		bitutil.CopyBitmap(buffers[0].Bytes(), c.Data().Offset(), rows, valid, 0)
		for j := range value {
			value[j] &= valid[j]
		}
		or(used, value)
		or(known, valid)
	}
	return used, known
}

func or(into, from []byte) {
	for i := range into {
		into[i] |= from[i]
	}
}
