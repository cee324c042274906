//go:build linux && !race

package interop

// raceEnabled tells whether this test was built with the race detector.
const raceEnabled = false
