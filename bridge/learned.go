package bridge

import (
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/raop"
)

// learned is what a device has taught us, for the next time that it is dialled.
// It is a value that never changes: what is learned makes another.
type learned struct {
	// Auth is the way that worked, so that it is the first one tried.
	Auth raop.Auth `json:"auth,omitempty"`
	// AudioLatency is what it said that it needs, in milliseconds; negative:
	// it never did.
	AudioLatency float64 `json:"audio_latency_ms"`
	// Floor is the smallest latency that is dared, in milliseconds, because
	// what was smaller had gaps; 0: none had.
	Floor float64 `json:"floor_ms,omitempty"`
	// Smooth is how many sessions in a row had no gap since.
	Smooth int `json:"smooth,omitempty"`
	// Timing is how it keeps time by AirPlay 2, where that is not what is
	// thought best, and Timed how many sessions it did since.
	Timing airplay.Timing `json:"timing,omitempty"`
	Timed  int            `json:"timed,omitempty"`
}

const (
	// gaps and gapsAmong are how many packets, and what part of them, came too
	// late to be repaired where a latency is too small for a network.
	gaps, gapsAmong = 3, 1000
	// proves is how many packets a session must have had to prove anything.
	proves = 250
	// forgiven is after how many smooth sessions it is dared once more.
	forgiven = 20
	// retimed is after how many sessions the best way is tried once more.
	retimed = 50
	// highest is as much as is learned; who needs more says so.
	highest = 2 * time.Second
)

// settings puts what was learned into those of a session. A latency that the
// user has chosen stays.
func (l learned) settings(cfg *raop.Config) {
	cfg.Auth = l.Auth
	cfg.AudioLatency = duration(l.AudioLatency)
	if cfg.Floor == 0 {
		cfg.Floor = duration(l.Floor)
	}
}

// agreed learns from a session that has begun.
func (l learned) agreed(f raop.Facts) learned {
	l.Auth = f.Auth
	if f.AudioLatency >= 0 {
		l.AudioLatency = milliseconds(f.AudioLatency)
	}
	return l
}

// timed learns from a session by AirPlay 2 that has begun.
func (l learned) timed(f airplay.Facts) learned {
	if l.Timed++; f.First == airplay.AutoTiming || l.Timed >= retimed {
		l.Timing, l.Timed = airplay.AutoTiming, 0
		return l
	}
	l.Timing = f.First
	return l
}

// heard learns from a session that is over, which had that floor: where lost
// packets were asked for again too late to be heard, there were gaps.
func (l learned) heard(s raop.Stats, floor time.Duration) learned {
	switch {
	case s.Packets < proves:
	case s.Missed >= gaps && s.Missed*gapsAmong > s.Packets:
		l.Floor, l.Smooth = milliseconds(min(floor*3/2, highest)), 0
	case s.Missed == 0 && l.Floor > 0:
		if l.Smooth++; l.Smooth >= forgiven {
			l.Floor, l.Smooth = 0, 0
		}
	}
	return l
}

// weakNetwork is the part of the packets, one in so many, that a good network
// does not lose.
const weakNetwork = 20

// diagnose says what the counts of a session mean (docs/protocols/raop.md).
func (d *device) diagnose(s raop.Stats) {
	d.log.Debug().Uint64("packets", s.Packets).Uint64("late", s.Late).Uint64("refused", s.SendErrors).
		Uint64("asked_again", s.ResendAsked).Uint64("missed", s.Missed).Msg("session counted")
	if s.Packets > 4*proves && s.ResendAsked*weakNetwork > s.Packets {
		d.log.Warn().Uint64("packets", s.Packets).Uint64("asked_again", s.ResendAsked).
			Msg("many packets got lost: the wireless network is weak, and latency: robust may help")
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func duration(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

// learns changes what is known of the device, and has it remembered. It may be
// called from any goroutine.
func (d *device) learns(change func(learned) learned) {
	for {
		was := d.learned.Load()
		now := change(*was)
		if now == *was {
			return
		}
		if d.learned.CompareAndSwap(was, &now) {
			d.remember(now)
			return
		}
	}
}
