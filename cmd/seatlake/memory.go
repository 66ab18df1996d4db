package main

import (
	"os"
	"runtime/debug"
)

// A run holds little and makes much garbage: half as much headroom as Go's default
// costs it a twentieth of its processor time. From heapGoal on the collector works
// harder still; it is no bound, and a tenant that needs more gets it.
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
