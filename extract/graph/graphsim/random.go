package graphsim

import "encoding/hex"

// random is a splitmix64 sequence. Every fact of the tenant is drawn from a
// sequence that starts from the seed, a purpose and an index, so that any row can be
// computed without those before it.
type random uint64

// purpose keeps sequences of the same index apart.
type purpose uint64

const (
	forUser purpose = iota + 1
	forID
	forLicenses
	forActivity
	forSignIn
	forSignInID
	forSites
	forGroup
	forPeriod
	forRequest
	forToken
	forHash
	forDevices
	forShuffle
	forRegistration
	forCopilot
	forClientSignIn
	forClientPeriod
	forManager
)

const gamma = 0x9E3779B97F4A7C15

// mix is the finaliser of splitmix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

func newRandom(seed uint64, p purpose, index uint64) random {
	return random(mix(seed+uint64(p)*gamma) ^ mix(index*gamma+uint64(p)))
}

func (r *random) next() uint64 {
	*r += gamma
	return mix(uint64(*r))
}

// below is a number in [0, n); n is positive. The bias of a 64-bit remainder is
// far below what any tenant could show.
func (r *random) below(n int) int { return int(r.next() % uint64(n)) }

// chance is true in percent of 100 cases.
func (r *random) chance(percent int) bool { return r.below(100) < percent }

// guid is a version 4 GUID.
func (r *random) guid() [16]byte {
	var g [16]byte
	a, b := r.next(), r.next()
	for i := range 8 {
		g[i], g[8+i] = byte(a>>(8*i)), byte(b>>(8*i))
	}
	g[6], g[8] = g[6]&0x0f|0x40, g[8]&0x3f|0x80
	return g
}

// appendGUID appends the text of a GUID, lower-case.
func appendGUID(dst []byte, g [16]byte) []byte {
	dst = hex.AppendEncode(dst, g[:4])
	dst = append(dst, '-')
	dst = hex.AppendEncode(dst, g[4:6])
	dst = append(dst, '-')
	dst = hex.AppendEncode(dst, g[6:8])
	dst = append(dst, '-')
	dst = hex.AppendEncode(dst, g[8:10])
	dst = append(dst, '-')
	return hex.AppendEncode(dst, g[10:])
}

func guidText(g [16]byte) string { return string(appendGUID(nil, g)) }

// parseGUID reads a well-formed GUID of this package's own tables.
func parseGUID(s string) (g [16]byte) {
	text := make([]byte, 0, 32)
	for i := range len(s) {
		if s[i] != '-' {
			text = append(text, s[i])
		}
	}
	_, _ = hex.Decode(g[:], text) // only the program's own GUIDs come here
	return g
}
