package airplay

import (
	"time"

	"airplay2mqtt/audio/stream"
	"airplay2mqtt/internal/ntp"
	"airplay2mqtt/internal/rtp"
)

const (
	// fixedLatency is what receivers add to what a sync announces, in frames.
	fixedLatency = 11035
	// usualLatency is what Apple's senders announce above that.
	usualLatency = 77175
	// classicLatency is the fixed one where time is kept by NTP.
	classicLatency = 11025
)

// A line is which time stamp is heard when: frame 0 of the line bears base. It
// is drawn with the first sound of a session and never moved, so that every
// sync is a point of it. See docs/protocols/airplay2.md, realtime.
type line struct {
	tl   stream.Timeline
	base uint32
}

// rtp returns the time stamp of a frame.
func (l line) rtp(frame int64) uint32 { return l.base + uint32(frame) }

// ptpSync returns the sync for now, without its clock: the instant at which
// the frame being heard began.
func (l line) ptpSync(now time.Time) (s rtp.PTPSync, at time.Time) {
	frame := l.tl.FrameAt(now)
	return rtp.PTPSync{Time: l.rtp(frame) + fixedLatency, Latency: usualLatency}, l.tl.At(frame)
}

// ntpSync returns the sync for now, as AirPlay 1 has it.
func (l line) ntpSync(clock ntp.Clock, now time.Time) rtp.Sync {
	frame := l.tl.FrameAt(now)
	return rtp.Sync{
		Field:   rtp.FieldTunes,
		Time:    l.rtp(frame) + usualLatency + classicLatency,
		Latency: usualLatency,
		Now:     clock.Stamp(l.tl.At(frame)),
	}
}
