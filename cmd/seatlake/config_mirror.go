package main

import (
	"math"

	"github.com/dustin/go-humanize"
)

// usualMirror is what copies of a bucket's files may take on this machine.
const usualMirror = 10 << 30

// mirror gives the bytes that copies of a bucket's files may take.
func (r *reader) mirror(p place) int64 {
	keys := r.mapping(p, "max_size")
	at := keys["max_size"]
	if !at.given() {
		return usualMirror
	}
	s, ok := r.text(at)
	if !ok {
		return usualMirror
	}
	n, err := humanize.ParseBytes(s)
	if err != nil || n < 1 || n > math.MaxInt64 {
		r.fault(at, "%q is not a size, such as 10GiB", s)
		return usualMirror
	}
	return int64(n)
}
