//go:build !race

package chime_test

const raceDetector = false
