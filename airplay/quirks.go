package airplay

import (
	"strings"
	"time"
)

// A quirk is what must be known of a kind of receiver.
type quirk struct {
	model, manufacturer string // beginnings; empty: any
	// endless: it is never flushed and never runs dry, for either makes a
	// noise of 100 ms (docs/protocols/airplay2.md, realtime). Pauses are
	// silence on the same line.
	endless bool
	// depth is how long before they are heard packets leave. More than 2 s
	// ahead is thrown away by most.
	depth time.Duration
	// floor is how long before it is heard a packet must have left.
	floor time.Duration
	// silent: it never asks for the time, so nothing proves that it follows.
	silent bool
	// settles is how long after its first question a receiver has learned the
	// time.
	settles time.Duration
	// buffered: it starves in realtime.
	buffered bool
	// ssrc is what blocks of buffered sound bear, for receivers that tell the
	// codec by it.
	ssrc uint32
}

// usualQuirk is for receivers that are not in the table.
var usualQuirk = quirk{depth: 1600 * time.Millisecond, floor: 550 * time.Millisecond, settles: 2300 * time.Millisecond}

// shairportALAC is shairport-sync's own name of ALAC in buffered sound; with
// another it stays silent [T].
const shairportALAC = 0x0000face

// quirks are tried in this order. Sources: docs/protocols/airplay2.md.
var quirks = []quirk{
	// Measured with 5.1: what leaves 250 ms before it is heard is heard, and
	// a sync is believed within 0.7 s of SETPEERS.
	{model: "Shairport", depth: 1600 * time.Millisecond, floor: 250 * time.Millisecond, settles: 900 * time.Millisecond, silent: true, ssrc: shairportALAC},
	{model: "AppleTV", endless: true, depth: 600 * time.Millisecond, floor: 650 * time.Millisecond, settles: 2300 * time.Millisecond},
	{model: "AudioAccessory", endless: true, depth: 600 * time.Millisecond, floor: 650 * time.Millisecond, settles: 2300 * time.Millisecond},
	// They starve silently below 2.5 s, and take buffered sound.
	{manufacturer: "Linkplay", depth: 2600 * time.Millisecond, floor: 2500 * time.Millisecond, settles: 2300 * time.Millisecond, buffered: true},
	{model: "WiiM", depth: 2600 * time.Millisecond, floor: 2500 * time.Millisecond, settles: 2300 * time.Millisecond, buffered: true},
	{model: "Edifier", depth: 2600 * time.Millisecond, floor: 2500 * time.Millisecond, settles: 2300 * time.Millisecond, buffered: true},
	{manufacturer: "Edifier", depth: 2600 * time.Millisecond, floor: 2500 * time.Millisecond, settles: 2300 * time.Millisecond, buffered: true},
}

// quirkOf returns what is known of such a receiver.
func quirkOf(i Info) quirk {
	for _, q := range quirks {
		if hasPrefixFold(i.Model, q.model) && hasPrefixFold(i.Manufacturer, q.manufacturer) {
			return q
		}
	}
	return usualQuirk
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
