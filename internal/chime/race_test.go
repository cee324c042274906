//go:build race

package chime_test

// Under the race detector nothing is quick.
const raceDetector = true
