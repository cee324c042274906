package parameter

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Decibels maps a level from 0 to 1 to what receivers take: -30 to 0, and
// -144 for silence.
func Decibels(level float64) float64 {
	if level <= 0 {
		return -144
	}
	return 30 * (min(level, 1) - 1)
}

// Level is the inverse of Decibels, for what receivers say.
func Level(decibels float64) float64 {
	return min(max(1+decibels/30, 0), 1)
}

// Volume returns the body of the request that sets a volume.
func Volume(level float64) []byte {
	s := strconv.FormatFloat(Decibels(level), 'f', 6, 64)
	if s == "-0.000000" {
		s = "0.000000"
	}
	return fmt.Appendf(nil, "volume: %s\r\n", s)
}

// ParseVolume finds the volume in what a receiver answers; shairport-sync 4
// and 5 put an empty line in front of it.
func ParseVolume(body []byte) (float64, bool) {
	for line := range bytes.Lines(body) {
		name, value, _ := strings.Cut(string(line), ":")
		if !strings.EqualFold(strings.TrimSpace(name), "volume") {
			continue
		}
		db, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || math.IsNaN(db) {
			return 0, false
		}
		return Level(db), true
	}
	return 0, false
}
