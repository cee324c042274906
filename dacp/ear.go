package dacp

import (
	"math"
	"time"

	"airplay2mqtt/internal/parameter"
)

const (
	// Receivers report the volume that they were just told, some the one
	// before it (docs/protocols/raop.md, remote control).
	volumeEcho = 2 * time.Second
	// sameVolume is in decibels: a little less than one percent.
	sameVolume = 0.29
	// Some receivers say that they are busy while they switch to us.
	switching = 10 * time.Second
)

// An Ear decides what of a receiver's words is news for its session, and what
// an echo of the session's own. The session guards it.
type Ear struct {
	volumeSet   time.Time // when a volume of ours that was news to the receiver was sent
	began       time.Time // when it switched to us last
	spared      bool      // one busy has been ignored
	interrupted bool      // another input was chosen
}

// A Situation is how a session stands.
type Situation struct {
	Playing bool    // there is something to be paused
	Level   float64 // its volume, if that is known
	Known   bool
}

// Began notes that the receiver was made to switch to us: it was told that sound
// is to come, or the first sound came.
func (e *Ear) Began(at time.Time) { e.began = at }

// Interrupted tells whether another input was chosen on the receiver.
func (e *Ear) Interrupted() bool { return e.interrupted }

// Sends notes that a volume is about to be sent.
func (e *Ear) Sends(level float64, s Situation, now time.Time) {
	if !s.Known || !alike(s.Level, level) {
		e.volumeSet = now
	}
}

// IsNews tells whether something that the receiver said is news. The session
// then takes over a Volume, and ends for a Busy.
func (e *Ear) IsNews(r Remote, s Situation, now time.Time) bool {
	switch r.Kind {
	case Volume:
		echo := !e.volumeSet.IsZero() && now.Sub(e.volumeSet) < volumeEcho
		return !echo && !(s.Known && alike(s.Level, r.Level))
	case Play:
		return !s.Playing
	case Pause, Stop:
		return s.Playing
	case Busy:
		return r.Busy && e.interrupt(now)
	}
	return true
}

// interrupt notes that the receiver was given another input. The first time
// that is not believed while the receiver may still be switching to us: Music
// Assistant's rule.
func (e *Ear) interrupt(now time.Time) bool {
	switch {
	case e.interrupted:
		return false
	case now.Sub(e.began) < switching && !e.spared:
		e.spared = true
		return false
	}
	e.interrupted = true
	return true
}

// alike tells whether two levels are the same to a receiver that rounds.
func alike(a, b float64) bool {
	return math.Abs(parameter.Decibels(a)-parameter.Decibels(b)) < sameVolume
}
