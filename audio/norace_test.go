//go:build !race

package audio_test

// raceDetector tells whether these tests watch for races.
const raceDetector = false
