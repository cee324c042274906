package video

import (
	"errors"
	"strconv"
	"strings"

	"airplay2mqtt/airplay"
	"airplay2mqtt/internal/features"
)

// A Way is how a receiver is shown films.
type Way string

// The ways.
const (
	Plain  Way = "airplay1" // /play on a connection of its own: Apple TV 2 and 3, UxPlay
	Inside Way = "airplay2" // /play in a session of AirPlay 2: tvOS 13 to 17
	Queue  Way = "queue"    // a play queue in such a session: tvOS 18 and later
)

// Known tells whether there is such a way.
func (w Way) Known() bool { return w == Plain || w == Inside || w == Queue }

// Versions that decide (docs/protocols/video.md, which way).
const (
	sessionsSince = 13  // tvOS
	queuesSince   = 18  // tvOS
	queuesVersion = 800 // of AirPlay, where tvOS does not tell its own
)

// Ways are those worth trying on a receiver, the best first, and why; none for
// one that shows no films.
func Ways(i airplay.Info) (ways []Way, why string) {
	if able, why := i.Video(); !able {
		return nil, why
	}
	if second, why := i.AirPlay2(); !second {
		return []Way{Plain}, why
	}
	os, version := major(i.OS), major(i.Version)
	switch set := features.Set(i.Features); {
	case os >= queuesSince:
		return []Way{Queue, Inside}, "its software is of " + i.OS
	case os >= sessionsSince:
		return []Way{Inside, Queue}, "its software is of " + i.OS
	case os > 0:
		return []Way{Plain, Inside}, "its software is of " + i.OS
	case version >= queuesVersion:
		return []Way{Queue, Inside}, "its AirPlay is of " + i.Version
	case !set.Has(features.Video):
		return []Way{Queue, Inside}, "it announces films in the newer form only (bit 49)"
	}
	return []Way{Inside, Queue, Plain}, "it does not tell its version"
}

// major is the first number of a version, 0 if there is none.
func major(version string) int {
	digits, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}

// minor is the second.
func minor(version string) int {
	_, rest, _ := strings.Cut(version, ".")
	return major(rest)
}

// errWay is wrapped by the errors of a way that the receiver does not take.
var errWay = errors.New("it does not show films in this way")
