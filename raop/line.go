package raop

import (
	"time"

	"airplay2mqtt/audio/stream"
	"airplay2mqtt/internal/ntp"
	"airplay2mqtt/internal/rtp"
)

// fixedLatency is what every receiver adds to the latency that a sync
// announces, in frames.
const fixedLatency = 11025

// maxLatency is the largest latency that is ever announced: three quarters of
// shairport-sync's buffer, beyond which it ignores the sync.
const maxLatency = 248000

// The usual latency, for which every receiver was built.
const usualLatency = 88200

// A line is the play line: which RTP time stamp is heard when. Syncs are
// points of it. Where on the line a sync stands, how much latency it
// announces, and how far ahead of it packets are sent, is all the same to the
// ear; see docs/protocols/raop.md, the play line.
type line struct {
	tl   stream.Timeline
	base uint32 // the time stamp of frame tl.Frame
}

// rtp returns the time stamp of a frame.
func (l line) rtp(frame int64) uint32 { return l.base + uint32(frame-l.tl.Frame) }

// rtpAt returns the time stamp of the frame that is heard at t.
func (l line) rtpAt(t time.Time) uint32 { return l.rtp(l.tl.FrameAt(t)) }

// later returns the line of a receiver that is to be late by offset.
func (l line) later(offset time.Duration) line {
	l.tl.Time = l.tl.Time.Add(offset)
	return l
}

// sync returns the sync for now: the instant at which the frame being heard
// began, and the time stamp that belongs there, given the announced latency.
func (l line) sync(clock ntp.Clock, now time.Time, latency uint32) rtp.Sync {
	return l.syncAt(clock, l.tl.FrameAt(now), latency)
}

// firstSync returns the sync that bears the time stamp of the line's first
// packet, although its instant may be past. Receivers that compare the first
// sync with the first packet stay silent otherwise (Eufy Genie,
// docs/protocols/raop.md, quirks).
func (l line) firstSync(clock ntp.Clock, latency uint32) rtp.Sync {
	s := l.syncAt(clock, l.tl.Frame-int64(latency)-fixedLatency, latency)
	s.First = true
	return s
}

// syncAt returns the sync of the instant at which frame is heard.
func (l line) syncAt(clock ntp.Clock, frame int64, latency uint32) rtp.Sync {
	return rtp.Sync{
		Field:   rtp.FieldTunes,
		Time:    l.rtp(frame) + latency + fixedLatency,
		Latency: latency,
		Now:     clock.Stamp(l.tl.At(frame)),
	}
}
