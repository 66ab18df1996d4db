package parquet

import "encoding/binary"

// appendHybrid appends v in Parquet's RLE and bit-packing hybrid, width bits a
// value, at most 32. A run of equal values is run-length encoded where that
// saves bytes; what lies between is bit-packed in groups of eight.
func appendHybrid[T byte | int32](dst []byte, v []T, width int) []byte {
	if width == 0 {
		return binary.AppendUvarint(dst, uint64(len(v))<<1)
	}
	valueBytes := (width + 7) / 8
	// A run costs its header, its value and the header of the packed stretch
	// after it.
	least := max(8, 8*(valueBytes+3)/width)
	packed := 0 // v[:packed] is written
	for i := 0; i < len(v); {
		end := i + 1
		for end < len(v) && v[end] == v[i] {
			end++
		}
		// The stretch before a run takes from it what fills its last group.
		start := packed + (i-packed+7)&^7
		if end-start >= least || start == packed && end == len(v) && start < end {
			dst = appendPacked(dst, v[packed:start], width)
			dst = binary.AppendUvarint(dst, uint64(end-start)<<1)
			for k := range valueBytes {
				dst = append(dst, byte(uint32(v[i])>>(8*k)))
			}
			packed = end
		}
		i = end
	}
	return appendPacked(dst, v[packed:], width)
}

// appendPacked appends one bit-packed stretch; zeros fill its last group.
func appendPacked[T byte | int32](dst []byte, v []T, width int) []byte {
	if len(v) == 0 {
		return dst
	}
	groups := (len(v) + 7) / 8
	dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
	end := len(dst) + groups*width
	var word uint64
	n := 0
	for _, x := range v {
		word |= uint64(uint32(x)) << n
		if n += width; n >= 32 {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(word))
			word >>= 32
			n -= 32
		}
	}
	for len(dst) < end {
		dst = append(dst, byte(word))
		word >>= 8
	}
	return dst
}
