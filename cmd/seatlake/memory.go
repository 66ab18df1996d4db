package main

import (
	"os"
	"runtime/debug"
)

// A run holds little and makes much garbage: half as much headroom as Go's default
// costs it a twentieth of its processor time.
//
// What is live grows until the row groups of all tables at work are full, to 140 MB
// with 100,000 users and 220 MB with 1,000,000; beyond that, by the 20 to 27 bytes
// that telling a user from the others takes. From heapGoal on the collector works
// harder, so that the garbage does not come on top of it. The goal is no bound: a
// tenant that needs more gets it.
const (
	gcPercent = 50
	heapGoal  = 256 << 20 // bytes
)

// saveMemory lowers the heap's headroom until restore is called, unless GOGC or
// GOMEMLIMIT in the environment say what it is to be. DuckDB's memory is not Go's.
func saveMemory() (restore func()) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	percent, limit := debug.SetGCPercent(gcPercent), debug.SetMemoryLimit(heapGoal)
	return func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}
}
