package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"
)

// sqlType is a type of DuckDB, taken apart.
type sqlType struct {
	name         string // BIGINT, LIST, STRUCT, MAP
	width, scale int    // of a DECIMAL
	members      []member
}

// member is a field of a STRUCT or UNION, the element of a LIST, or, in this
// order, the key and the value of a MAP.
type member struct {
	name string
	sqlType
}

func typesOf(columns []Column) []sqlType {
	types := make([]sqlType, len(columns))
	for i, c := range columns {
		types[i], _ = parseType(c.Type)
	}
	return types
}

// parseType takes the first type of s and gives what is behind it. What it does
// not know is a name without members, whose values are printed by what they are.
func parseType(s string) (t sqlType, rest string) {
	end := strings.IndexAny(s, "(),[")
	if end < 0 {
		end = len(s)
	}
	t.name, rest = strings.ToUpper(strings.TrimSpace(s[:end])), s[end:]
	if strings.HasPrefix(rest, "(") {
		switch t.name {
		case "STRUCT", "UNION", "MAP":
			for separator := "("; strings.HasPrefix(rest, separator); separator = "," {
				var m member
				rest = strings.TrimLeft(rest[1:], " ")
				if t.name != "MAP" {
					m.name, rest = parseName(rest)
				}
				m.sqlType, rest = parseType(rest)
				t.members = append(t.members, m)
			}
			rest = strings.TrimPrefix(rest, ")")
		default:
			arguments, after, _ := strings.Cut(rest[1:], ")")
			rest = after
			if width, scale, ok := strings.Cut(arguments, ","); ok {
				t.width, _ = strconv.Atoi(strings.TrimSpace(width))
				t.scale, _ = strconv.Atoi(strings.TrimSpace(scale))
			}
		}
	}
	for strings.HasPrefix(rest, "[") {
		_, after, ok := strings.Cut(rest, "]")
		if !ok {
			return t, ""
		}
		t, rest = sqlType{name: "LIST", members: []member{{sqlType: t}}}, after
	}
	return t, rest
}

// parseName takes a field's name, quoted or not.
func parseName(s string) (name, rest string) {
	if !strings.HasPrefix(s, `"`) {
		name, rest, _ = strings.Cut(s, " ")
		return name, rest
	}
	for i := 1; i < len(s); i++ {
		if s[i] != '"' {
			continue
		}
		if strings.HasPrefix(s[i+1:], `"`) {
			i++
			continue
		}
		return strings.ReplaceAll(s[1:i], `""`, `"`), s[i+1:]
	}
	return s, ""
}

// member gives the type of a member by its name, or the only one a list has.
func (t sqlType) member(name string) sqlType {
	for _, m := range t.members {
		if m.name == name {
			return m.sqlType
		}
	}
	return sqlType{}
}

func (t sqlType) isNumber() bool {
	switch t.name {
	case "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT",
		"BIGNUM", "FLOAT", "DOUBLE", "DECIMAL":
		return true
	}
	return false
}

func (t sqlType) isInstant() bool { return strings.HasPrefix(t.name, "TIMESTAMP") }

// display gives a value as text: nothing for NULL, JSON for what has parts.
func display(v any, t sqlType) (string, error) {
	if v == nil {
		return "", nil
	}
	s, _, err := scalar(v, t)
	if errors.Is(err, errNested) {
		var b []byte
		b, err = appendJSON(nil, v, t)
		s = string(b)
	}
	return s, err
}

var errNested = errors.New("the value has parts")

// scalar gives a value as text, and whether JSON takes that text without quotes.
// A value that has parts is errNested.
func scalar(v any, t sqlType) (s string, bare bool, err error) {
	switch v := v.(type) {
	case string: // also of the types that no type of database/sql holds
		switch {
		case t.name == "DECIMAL":
			if n, ok := unscaled(v, t.scale); ok {
				return formatDecimal(duckdb.Decimal{Scale: uint8(t.scale), Value: n}), true, nil
			}
		case t.isNumber():
			return v, json.Valid([]byte(v)), nil
		case t.name == "UUID" && len(v) == len(uuid.UUID{}):
			return uuid.UUID([]byte(v)).String(), false, nil
		case t.name == "BLOB":
			return `\x` + hex.EncodeToString([]byte(v)), false, nil
		}
		return v, false, nil
	case bool:
		return strconv.FormatBool(v), true, nil
	case float32:
		return formatFloat(float64(v), 32), true, nil
	case float64:
		return formatFloat(v, 64), true, nil
	case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, *big.Int:
		return fmt.Sprint(v), true, nil
	case duckdb.Decimal:
		return formatDecimal(v), true, nil
	case time.Time:
		return formatTime(v.UTC(), t), false, nil
	case []byte:
		if t.name == "UUID" && len(v) == len(uuid.UUID{}) {
			return uuid.UUID(v).String(), false, nil
		}
		return `\x` + hex.EncodeToString(v), false, nil
	case duckdb.UUID:
		return uuid.UUID(v).String(), false, nil
	case [16]byte:
		return uuid.UUID(v).String(), false, nil
	case duckdb.Interval:
		return formatInterval(v), false, nil
	case duckdb.Bit:
		return v.String(), false, nil
	case []any, map[string]any, duckdb.OrderedMap, duckdb.Union:
		return "", false, errNested
	}
	return "", false, fmt.Errorf("a value of type %s (%T) cannot be printed", t.name, v)
}

// appendJSON appends a value as JSON. NaN and the infinities, for which JSON has
// no number, are null.
func appendJSON(b []byte, v any, t sqlType) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case float32:
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return append(b, "null"...), nil
		}
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return append(b, "null"...), nil
		}
	case []any:
		element := t.member("")
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			var err error
			if b, err = appendJSON(b, e, element); err != nil {
				return b, err
			}
		}
		return append(b, ']'), nil
	case map[string]any:
		names := slices.Sorted(maps.Keys(v))
		if len(t.members) > 0 { // the order of the STRUCT
			names = names[:0]
			for _, m := range t.members {
				names = append(names, m.name)
			}
		}
		return appendObject(b, names, func(i int) (any, sqlType) { return v[names[i]], t.member(names[i]) })
	case duckdb.OrderedMap:
		var key, value sqlType
		if len(t.members) == 2 {
			key, value = t.members[0].sqlType, t.members[1].sqlType
		}
		names := make([]string, v.Len())
		for i, k := range v.Keys() {
			var err error
			if names[i], err = display(k, key); err != nil {
				return b, err
			}
		}
		values := v.Values()
		return appendObject(b, names, func(i int) (any, sqlType) { return values[i], value })
	case duckdb.Union:
		return appendJSON(b, v.Value, t.member(v.Tag))
	}
	s, bare, err := scalar(v, t)
	if err != nil {
		return b, err
	}
	if bare {
		return append(b, s...), nil
	}
	return appendString(b, s), nil
}

func appendObject(b []byte, names []string, value func(i int) (any, sqlType)) ([]byte, error) {
	b = append(b, '{')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, name), ':')
		v, t := value(i)
		var err error
		if b, err = appendJSON(b, v, t); err != nil {
			return b, err
		}
	}
	return append(b, '}'), nil
}

// appendString appends a JSON string that leaves <, > and & as they are.
func appendString(b []byte, s string) []byte {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // neither a string nor a Builder can fail
	return append(b, strings.TrimSuffix(out.String(), "\n")...)
}

// formatFloat is the shortest text that reads back as the same number, with an
// exponent only where JavaScript has one.
func formatFloat(f float64, bits int) string {
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		return strconv.FormatFloat(f, 'e', -1, bits)
	}
	return strconv.FormatFloat(f, 'f', -1, bits)
}

// formatDecimal keeps the zeros of the scale: 12.50 stays 12.50.
func formatDecimal(d duckdb.Decimal) string {
	s := new(big.Int).Abs(d.Value).String()
	if scale := int(d.Scale); scale > 0 {
		if missing := scale + 1 - len(s); missing > 0 {
			s = strings.Repeat("0", missing) + s
		}
		s = s[:len(s)-scale] + "." + s[len(s)-scale:]
	}
	if d.Value.Sign() < 0 {
		s = "-" + s
	}
	return s
}

func formatTime(v time.Time, t sqlType) string {
	switch {
	case t.name == "DATE":
		return v.Format(time.DateOnly)
	case t.name == "TIME":
		return v.Format("15:04:05.999999")
	case strings.HasPrefix(t.name, "TIME") && !t.isInstant():
		return v.Format("15:04:05.999999Z07:00")
	}
	return v.Format(time.RFC3339Nano)
}

// formatInterval is ISO 8601. Months, days and time do not convert into each
// other, so each may have a sign of its own.
func formatInterval(v duckdb.Interval) string {
	s := "P"
	if v.Months != 0 {
		s += fmt.Sprintf("%dM", v.Months)
	}
	if v.Days != 0 {
		s += fmt.Sprintf("%dD", v.Days)
	}
	if v.Micros != 0 {
		seconds := formatDecimal(duckdb.Decimal{Scale: 6, Value: big.NewInt(v.Micros)})
		s += "T" + strings.TrimSuffix(strings.TrimRight(seconds, "0"), ".") + "S"
	}
	if s == "P" {
		return "PT0S"
	}
	return s
}

// parquetNode is the column type that holds a type without loss.
func (t sqlType) parquetNode() parquet.Node {
	switch t.name {
	case "BOOLEAN":
		return parquet.Leaf(parquet.BooleanType)
	case "TINYINT", "SMALLINT", "INTEGER":
		return parquet.Int(32)
	case "BIGINT":
		return parquet.Int(64)
	case "UTINYINT", "USMALLINT", "UINTEGER":
		return parquet.Uint(32)
	case "UBIGINT":
		return parquet.Uint(64)
	case "FLOAT", "DOUBLE":
		return parquet.Leaf(parquet.DoubleType)
	case "DECIMAL":
		return parquet.Decimal(t.scale, t.width, parquet.FixedLenByteArrayType(decimalWidth))
	case "HUGEINT", "UHUGEINT":
		return parquet.Decimal(0, decimalDigits, parquet.FixedLenByteArrayType(decimalWidth))
	case "DATE":
		return parquet.Date()
	case "TIMESTAMP_NS":
		return parquet.TimestampAdjusted(parquet.Nanosecond, false)
	case "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS":
		return parquet.TimestampAdjusted(parquet.Microsecond, false)
	case "TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE":
		return parquet.TimestampAdjusted(parquet.Microsecond, true)
	case "UUID":
		return parquet.UUID()
	case "BLOB":
		return parquet.Leaf(parquet.ByteArrayType)
	}
	return parquet.String()
}

// parquetValue converts a value for the column of parquetNode. A value that the
// column cannot hold is an error.
func (t sqlType) parquetValue(v any) (parquet.Value, error) {
	if v == nil {
		return parquet.NullValue(), nil
	}
	switch t.name {
	case "BOOLEAN":
		if b, ok := v.(bool); ok {
			return parquet.BooleanValue(b), nil
		}
	case "TINYINT", "SMALLINT", "INTEGER":
		if n, ok := wholeNumber(v); ok && n.IsInt64() && int64(int32(n.Int64())) == n.Int64() {
			return parquet.Int32Value(int32(n.Int64())), nil
		}
	case "BIGINT":
		if n, ok := wholeNumber(v); ok && n.IsInt64() {
			return parquet.Int64Value(n.Int64()), nil
		}
	case "UTINYINT", "USMALLINT", "UINTEGER":
		if n, ok := wholeNumber(v); ok && n.IsUint64() && n.Uint64() <= math.MaxUint32 {
			return parquet.Int32Value(int32(uint32(n.Uint64()))), nil
		}
	case "UBIGINT":
		if n, ok := wholeNumber(v); ok && n.IsUint64() {
			return parquet.Int64Value(int64(n.Uint64())), nil
		}
	case "FLOAT", "DOUBLE":
		switch f := v.(type) {
		case float32:
			return parquet.DoubleValue(float64(f)), nil
		case float64:
			return parquet.DoubleValue(f), nil
		}
	case "DECIMAL":
		if n, ok := unscaled(v, t.scale); ok {
			return decimalValue(n)
		}
	case "HUGEINT", "UHUGEINT":
		if n, ok := wholeNumber(v); ok {
			return decimalValue(n)
		}
	case "DATE":
		if day, ok := v.(time.Time); ok {
			const second = 24 * 60 * 60 // of a day; the division rounds down before 1970 too
			return parquet.Int32Value(int32((day.Unix() - (day.Unix()%second+second)%second) / second)), nil
		}
	case "TIMESTAMP_NS":
		if instant, ok := v.(time.Time); ok {
			return parquet.Int64Value(instant.UnixNano()), nil
		}
	case "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE":
		if instant, ok := v.(time.Time); ok {
			return parquet.Int64Value(instant.UnixMicro()), nil
		}
	case "UUID":
		if s, _, err := scalar(v, t); err == nil {
			id, err := uuid.Parse(s)
			return parquet.FixedLenByteArrayValue(id[:]), err
		}
	case "BLOB":
		switch b := v.(type) {
		case []byte:
			return parquet.ByteArrayValue(slices.Clone(b)), nil
		case string:
			return parquet.ByteArrayValue([]byte(b)), nil
		}
	default:
		s, err := display(v, t)
		return parquet.ByteArrayValue([]byte(s)), err
	}
	return parquet.Value{}, fmt.Errorf("a %T does not fit a column of type %s", v, t.name)
}

// wholeNumber takes every type in which an integer may come, digits among them.
func wholeNumber(v any) (*big.Int, bool) {
	switch v := v.(type) {
	case *big.Int:
		return v, true
	case string:
		return new(big.Int).SetString(v, 10)
	}
	switch r := reflect.ValueOf(v); {
	case r.CanInt():
		return big.NewInt(r.Int()), true
	case r.CanUint():
		return new(big.Int).SetUint64(r.Uint()), true
	}
	return nil, false
}

// unscaled is a decimal times ten to the power of its scale.
func unscaled(v any, scale int) (*big.Int, bool) {
	switch v := v.(type) {
	case duckdb.Decimal:
		return v.Value, int(v.Scale) == scale
	case string:
		whole, fraction, _ := strings.Cut(v, ".")
		if len(fraction) > scale {
			return nil, false
		}
		return new(big.Int).SetString(whole+fraction+strings.Repeat("0", scale-len(fraction)), 10)
	}
	return nil, false
}

const (
	decimalDigits = 38 // as many as DuckDB and Parquet readers have
	decimalWidth  = 16 // bytes that hold them
)

// decimalValue is the unscaled number in sixteen bytes of two's complement.
func decimalValue(n *big.Int) (parquet.Value, error) {
	if len(new(big.Int).Abs(n).String()) > decimalDigits {
		return parquet.Value{}, fmt.Errorf("%s has more than the %d digits of a Parquet decimal", n, decimalDigits)
	}
	twos := n
	if n.Sign() < 0 {
		twos = new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), 8*decimalWidth))
	}
	return parquet.FixedLenByteArrayValue(twos.FillBytes(make([]byte, decimalWidth))), nil
}
