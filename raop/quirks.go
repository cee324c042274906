package raop

import (
	"strings"
	"time"

	"airplay2mqtt/internal/rtsp"
)

// A matcher picks receivers: all that is not empty must match, without regard
// to case. model and manufacturer are beginnings.
type matcher struct {
	model, manufacturer string
	since               int // AirTunes version
}

func (m matcher) matches(i Info) bool {
	return hasPrefixFold(i.Model, m.model) && hasPrefixFold(i.Manufacturer, m.manufacturer) && i.version() >= m.since
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// A broken receiver announces RAOP and does not play it.
type broken struct {
	matcher
	reason string
}

// brokenRAOP is from Music Assistant's list of broken models and from users'
// reports (docs/protocols/raop.md, what is not playable).
var brokenRAOP = []broken{
	// philippe44/LMS-Raop#57, music-assistant/support#6469: sessions come up
	// and stay silent since OS 27.
	{matcher{model: "AudioAccessory", since: 980}, "HomePods with OS 27 or later play AirPlay 2 only"},
	// philippe44/libraop#37
	{matcher{model: "Era 100"}, sonosReason},
	{matcher{model: "Era 300"}, sonosReason},
	{matcher{model: "Move 2"}, sonosReason},
	{matcher{model: "Roam 2"}, sonosReason},
	{matcher{model: "Arc Ultra"}, sonosReason},
	{matcher{manufacturer: "Samsung"}, "Samsung's receivers play AirPlay 2 only"},
	{matcher{model: "UPL-AMP"}, "this amplifier plays AirPlay 2 only"},
}

const sonosReason = "this Sonos plays AirPlay 2 only"

// A quirk is what must be known of a kind of receiver.
type quirk struct {
	matcher
	// floor is the smallest announced latency in frames that it can honour.
	// What it says itself (Audio-Latency) counts too; if exact, only beyond the
	// 11025 that shairport-sync always says.
	floor int
	exact bool
	// record is how long it may think about RECORD.
	record time.Duration
	// upper: its digests are in upper case.
	upper bool
	// knock: it was seen behind firewalls; an empty datagram opens them.
	knock bool
	// volumeAgain: it wants its volume while it plays.
	volumeAgain bool
}

// unknownFloor is for receivers that say nothing and are not in the table.
const unknownFloor = 11025

const recordPatience = 12 * time.Second

// firstAirPort is the AirPort Express of 2004: alone among receivers it has no
// model. RECORD waits for its timing requests, 30 s if they are blocked
// (LinusU/rust-raop-player#23, also for the datagram that opened a firewall);
// digests as in OwnTone's auth_quirk_itunes; 350 ms is TuneBlade's figure.
var firstAirPort = quirk{floor: 15435, record: 35 * time.Second, upper: true, knock: true}

// quirks are tried in this order. Floors: TuneBlade's published minima for
// hardware, our own measurements for shairport-sync (docs/protocols/raop.md,
// floors).
var quirks = []quirk{
	{matcher: matcher{model: "AirPort4"}, floor: 15435, knock: true},
	{matcher: matcher{model: "AirPort"}, floor: 6174, knock: true},
	// postlund/pyatv#2642: silent unless the volume comes while it plays.
	{matcher: matcher{model: "AppleTV"}, floor: 2205, volumeAgain: true},
	{matcher: matcher{model: "AudioAccessory"}, floor: 11025},
	// It says 11025 and plays what it gets 250 ms ahead of time: measured.
	{matcher: matcher{model: shairport}, floor: 0, exact: true},
	{matcher: matcher{model: "airplay2mqtt"}, floor: 0, exact: true}, // raoptest
	// music-assistant/server#5369, #5618: they starve silently below this.
	{matcher: matcher{manufacturer: "Linkplay"}, floor: 66150},
	{matcher: matcher{model: "WiiM"}, floor: 66150},
	{matcher: matcher{model: "Up2Stream"}, floor: 66150},
	{matcher: matcher{model: "Edifier"}, floor: 99225},
	{matcher: matcher{manufacturer: "Edifier"}, floor: 99225},
}

// shairport is what shairport-sync says that its model is.
const shairport = "ShairportSync"

// isShairport tells by an answer to SETUP whether a receiver is shairport-sync,
// for where no record has said so. It claims the version of an AirPort Express,
// repeats our own words of the transport, and says nothing of its jack, as
// others do (strings of 3.3.8).
func isShairport(h rtsp.Header) bool {
	return h.Get("Server") == "AirTunes/105.1" && h.Get("Audio-Jack-Status") == "" &&
		strings.HasPrefix(h.Get("Transport"), "RTP/AVP/UDP;unicast;interleaved=0-1;mode=record;control_port=")
}

// quirkOf returns what is known of such a receiver.
func quirkOf(i Info) quirk {
	q := quirk{floor: -1}
	if i.Model == "" && i.Manufacturer == "" && i.Encryption.Has(EncryptionRSA) && !i.RFC2617 {
		q = firstAirPort
	}
	for _, known := range quirks {
		if i.Model+i.Manufacturer != "" && known.matches(i) {
			q = known
			break
		}
	}
	if q.record == 0 {
		q.record = recordPatience
	}
	return q
}

// announceFloor returns the smallest latency to be announced, in frames, given
// what the receiver said of its own (negative: nothing).
func (q quirk) announceFloor(said int) int {
	switch {
	case q.exact && said <= fixedLatency:
		return q.floor
	case said < 0 && q.floor < 0:
		return unknownFloor
	}
	return max(said, q.floor, 0)
}
