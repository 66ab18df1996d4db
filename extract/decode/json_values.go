package decode

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"

	"seatlake/schemas"
)

// value reads the value at i into the column.
func (r *jsonReader) value(c *column, i int) int {
	b := r.b
	if b[i] <= ' ' {
		i = r.space(i)
	}
	ch := b[i]
	if ch == 'n' && binary.LittleEndian.Uint32(b[i:]) == wordNull {
		c.addNull()
		return i + 4
	}
	switch c.shape {
	case shapeText:
		if ch != '"' {
			break
		}
		end, wide := stringEnd(b, i+1)
		if b[end] == '"' && !wide {
			c.addText(b[i+1 : end])
			return end + 1
		}
		v, next, _ := r.text(i + 1)
		c.addText(v)
		return next
	case shapeTextDict:
		if ch != '"' {
			break
		}
		x, next, ok := c.texts.guess(b, i+1)
		if !ok {
			var v []byte
			var plain bool
			v, next, plain = r.text(i + 1)
			x = c.texts.add(v)
			if plain {
				c.texts.learn(b, i+1, x)
			}
		}
		c.addInt32(x)
		c.n++
		return next
	case shapeUUID:
		if ch != '"' {
			break
		}
		if b[i+37] == '"' {
			if u, ok := parseUUID(b[i+1 : i+37]); ok {
				copy(c.extend(16), u[:])
				c.n++
				return i + 38
			}
		}
		return r.uuid(c, i)
	case shapeUUIDDict:
		if ch != '"' {
			break
		}
		if b[i+37] == '"' {
			raw := (*[36]byte)(b[i+1 : i+37])
			x, ok := c.uuids.guess(raw)
			if !ok {
				var u [16]byte
				if u, ok = parseUUID(raw[:]); ok {
					x = c.uuids.add(u)
					c.uuids.learn(raw, x)
				}
			}
			if ok {
				c.addInt32(x)
				c.n++
				return i + 38
			}
		}
		return r.uuid(c, i)
	case shapeTimestamp:
		if ch != '"' {
			break
		}
		if b[i+21] == '"' {
			if micros, null, ok := c.lastDay.parseTime(b[i+1 : i+21]); ok && !null {
				c.addInt64(micros)
				c.n++
				return i + 22
			}
		}
		return r.time(c, i)
	case shapeDate, shapeDateDict:
		if ch != '"' {
			break
		}
		return r.day(c, i)
	case shapeBool:
		switch {
		case ch == 't' && binary.LittleEndian.Uint32(b[i:]) == wordTrue:
			c.addBool(true)
			return i + 4
		case ch == 'f' && binary.LittleEndian.Uint32(b[i+1:]) == wordAlse:
			c.addBool(false)
			return i + 5
		}
	case shapeInt32, shapeInt64, shapeFloat64:
		if ch != '-' && ch-'0' > 9 {
			break
		}
		return r.number(c, i)
	case shapeList:
		if ch != '[' {
			break
		}
		return r.list(c, i)
	case shapeStruct:
		if ch != '{' {
			break
		}
		i = r.object(c.object, i, c.n)
		r.require(c.required)
		c.n++
		return i
	}
	return r.wants(c, i)
}

// wants refuses a value of the wrong type.
func (r *jsonReader) wants(c *column, i int) int {
	if i >= r.end {
		return r.fail(i, "the value of %s", c.path)
	}
	return r.damage("column %s: want %s, found %s", c.path, article(c.field.Kind), r.found(i))
}

// article is a kind in a sentence.
func article(k schemas.Kind) string {
	switch k {
	case schemas.String:
		return "a string"
	case schemas.UUID:
		return "a GUID"
	case schemas.Bool:
		return "true or false"
	case schemas.Int32, schemas.Int64:
		return "an integer"
	case schemas.Float64:
		return "a number"
	case schemas.Date:
		return "a date"
	case schemas.Timestamp:
		return "a timestamp"
	case schemas.List:
		return "an array"
	default:
		return "an object"
	}
}

// uuid reads a GUID that has white space around it, escapes, or no characters at
// all, which is a null.
func (r *jsonReader) uuid(c *column, i int) int {
	v, next, _ := r.text(i + 1)
	if r.err == nil && !c.setUUID(v) {
		return r.malformed(c, v)
	}
	return next
}

// setUUID appends the GUID in v, or null if it is blank. White space around it,
// the no-break space included, comes with GUIDs that people paste.
func (c *column) setUUID(v []byte) bool {
	v = bytes.TrimSpace(v)
	if len(v) == 0 {
		c.addNull()
		return true
	}
	u, ok := parseUUID(v)
	if !ok {
		return false
	}
	if c.shape == shapeUUIDDict {
		c.addInt32(c.uuids.add(u))
	} else {
		copy(c.extend(16), u[:])
	}
	c.n++
	return true
}

// time reads an instant in any of its forms; an empty one is a null.
func (r *jsonReader) time(c *column, i int) int {
	v, next, _ := r.text(i + 1)
	if r.err == nil && !c.setTime(v) {
		return r.malformed(c, v)
	}
	return next
}

// setTime appends the instant in v, or null if it is empty or of year 1.
func (c *column) setTime(v []byte) bool {
	var micros int64
	null, ok := true, true
	if len(v) > 0 {
		micros, null, ok = c.lastDay.parseTime(v)
	}
	switch {
	case !ok:
		return false
	case null:
		c.addNull()
	default:
		c.addInt64(micros)
		c.n++
	}
	return true
}

// day reads a day, alone or that of an instant; an empty one is a null.
func (r *jsonReader) day(c *column, i int) int {
	v, next, _ := r.text(i + 1)
	if r.err == nil && !c.setDay(v) {
		return r.malformed(c, v)
	}
	return next
}

// setDay appends the day in v, or null if it is empty or of year 1.
func (c *column) setDay(v []byte) bool {
	var day int32
	null, ok := true, true
	if len(v) > 0 {
		day, null, ok = c.lastDay.parseDay(v)
	}
	switch {
	case !ok:
		return false
	case null:
		c.addNull()
		return true
	case c.shape == shapeDateDict:
		day = c.days.add(day)
	}
	c.addInt32(day)
	c.n++
	return true
}

// malformed refuses the text of a value.
func (r *jsonReader) malformed(c *column, v []byte) int {
	return r.damage("column %s: %q is not %s", c.path, cut(v), article(c.field.Kind))
}

// number reads an integer or a float.
func (r *jsonReader) number(c *column, i int) int {
	end, integer := numberEnd(r.b, i)
	if end < 0 {
		return r.fail(i, "a number")
	}
	v := r.b[i:end]
	if c.shape == shapeFloat64 {
		if !c.setFloat(v) {
			return r.damage("column %s: %s is out of range", c.path, cut(v))
		}
		return end
	}
	if !integer {
		return r.wants(c, i)
	}
	if !c.setInt(v) {
		return r.damage("column %s: %s is out of range", c.path, cut(v))
	}
	return end
}

// setFloat appends the number in v.
func (c *column) setFloat(v []byte) bool {
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return false
	}
	c.addInt64(int64(math.Float64bits(f)))
	c.n++
	return true
}

// setInt appends the integer in v.
func (c *column) setInt(v []byte) bool {
	if c.shape == shapeInt32 {
		n, ok := parseInt(v, 32)
		if ok {
			c.addInt32(int32(n))
			c.n++
		}
		return ok
	}
	n, ok := parseInt(v, 64)
	if ok {
		c.addInt64(n)
		c.n++
	}
	return ok
}

// list reads the array at i.
func (r *jsonReader) list(c *column, i int) int {
	b := r.b
	i++
	if b[i] != ']' {
		if i = r.space(i); b[i] == ']' {
			goto done
		}
		for {
			i = r.value(c.elem, i)
			if b[i] != ',' {
				if i = r.space(i); b[i] != ',' {
					break
				}
			}
			i++
		}
		if b[i] != ']' {
			return r.fail(i, "',' or ']'")
		}
	}
done:
	c.addInt32(int32(c.elem.n))
	c.n++
	return i + 1
}
