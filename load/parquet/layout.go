package parquet

import (
	"fmt"
	"strings"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"seatlake/schemas"
)

// layOut declares the table's Parquet schema and the columns that fill it.
func (w *Writer) layOut() error {
	w.elements = append(w.elements, format.SchemaElement{
		Name:        w.table.Name,
		NumChildren: thrift.New(int32(len(w.table.Fields))),
	})
	for i := range w.table.Fields {
		c, err := w.column(&w.table.Fields[i], place{})
		if err != nil {
			return err
		}
		w.columns = append(w.columns, c)
	}
	return nil
}

// place is where a column stands in the schema.
type place struct {
	path []string
	def  byte  // definition level of a slot whose parent is present
	rep  byte  // repetition level of the nearest list
	list *list // the nearest list above, nil when there is none
}

func (p place) under(name string) place {
	p.path = append(p.path[:len(p.path):len(p.path)], name)
	return p
}

func (p place) name() string { return strings.Join(p.path, ".") }

// column declares a field and everything below it, depth first.
func (w *Writer) column(f *schemas.Field, at place) (column, error) {
	at = at.under(f.Name)
	e := format.SchemaElement{Name: f.Name, FieldID: f.ID, RepetitionType: thrift.New(format.Required)}
	layer := nullable{place: at, required: f.Required}
	if !f.Required {
		e.RepetitionType = thrift.New(format.Optional)
		at.def++
	}
	switch f.Kind {
	case schemas.List:
		e.NumChildren = thrift.New(int32(1))
		e.ConvertedType = thrift.New(deprecated.List)
		e.LogicalType.Value = &format.ListType{}
		w.elements = append(w.elements, e, format.SchemaElement{
			Name:           "list",
			RepetitionType: thrift.New(format.Repeated),
			NumChildren:    thrift.New(int32(1)),
		})
		l := &list{nullable: layer, max: at.rep + 1}
		w.lists = append(w.lists, l)
		at = at.under("list")
		at.def++
		at.rep++
		at.list = l
		var err error
		l.elem, err = w.column(f.Elem, at)
		return l, err
	case schemas.Struct:
		e.NumChildren = thrift.New(int32(len(f.Fields)))
		w.elements = append(w.elements, e)
		s := &group{nullable: layer}
		for i := range f.Fields {
			c, err := w.column(&f.Fields[i], at)
			if err != nil {
				return nil, err
			}
			s.members = append(s.members, c)
		}
		return s, nil
	}
	t, err := annotate(&e, f)
	if err != nil {
		return nil, fmt.Errorf("column %s: %w", at.name(), err)
	}
	w.elements = append(w.elements, e)
	l := &leaf{nullable: layer, physical: t, maxDef: at.def, declared: f.Dict, values: values{kind: f.Kind}}
	l.dictionary.kind = f.Kind
	w.leaves = append(w.leaves, l)
	return l, nil
}

// annotate gives the element the field's physical and logical type, and
// returns the former. ConvertedType stands beside LogicalType wherever the
// format has one: DuckDB reads text without it as a BLOB.
func annotate(e *format.SchemaElement, f *schemas.Field) (format.Type, error) {
	var t format.Type
	switch f.Kind {
	case schemas.String:
		t = format.ByteArray
		e.ConvertedType = thrift.New(deprecated.UTF8)
		e.LogicalType.Value = &format.StringType{}
	case schemas.UUID:
		t = format.FixedLenByteArray
		e.TypeLength = thrift.New(int32(uuidSize))
		e.LogicalType.Value = &format.UUIDType{}
	case schemas.Bool:
		t = format.Boolean
	case schemas.Int32:
		t = format.Int32
	case schemas.Int64:
		t = format.Int64
	case schemas.Float64:
		t = format.Double
	case schemas.Date:
		t = format.Int32
		e.ConvertedType = thrift.New(deprecated.Date)
		e.LogicalType.Value = &format.DateType{}
	case schemas.Timestamp:
		t = format.Int64
		e.ConvertedType = thrift.New(deprecated.TimestampMicros)
		e.LogicalType.Value = &format.TimestampType{IsAdjustedToUTC: true, Unit: format.TimeUnit{Value: &format.MicroSeconds{}}}
	default:
		return 0, fmt.Errorf("kind %d is not one that can be stored", f.Kind)
	}
	e.Type = thrift.New(t)
	return t, nil
}
