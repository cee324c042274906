package raop

import (
	"context"
	"fmt"
	"math"
	"time"

	"airplay2mqtt/internal/parameter"
	"airplay2mqtt/internal/rtsp"
)

// Kinds of what a speaker's buttons say.
const (
	RemotePlay        = "play"
	RemotePause       = "pause"
	RemotePlayPause   = "play_pause"
	RemoteStop        = "stop"
	RemoteNext        = "next"
	RemotePrevious    = "previous"
	RemoteFastForward = "fast_forward" // until play_resume
	RemoteRewind      = "rewind"       // until play_resume
	RemotePlayResume  = "play_resume"
	RemoteVolume      = "volume" // the receiver has changed its volume itself; see Level
	RemoteVolumeUp    = "volume_up"
	RemoteVolumeDown  = "volume_down"
	RemoteMuteToggle  = "mute_toggle"
	RemoteShuffle     = "shuffle"
	RemoteBusy        = "busy" // the receiver was given another input, or has it no more; see Busy
)

// A Remote is what a speaker's buttons, or its own remote control, say.
//
// Most are wishes: the receiver does nothing by itself and expects that the
// sender pauses, skips, or sets another volume (5 percent are a usual step).
// RemoteVolume and RemoteBusy are facts. A volume must not be sent back: the
// session has taken it over already. When the receiver is busy the session is
// about to end with ErrClosedByReceiver, and nobody should dial again by
// himself; when it is busy no more, who wants to go on may dial.
type Remote struct {
	Kind  string
	Level float64 // of RemoteVolume, from 0 to 1
	Busy  bool    // of RemoteBusy
}

const (
	// Receivers report the volume that they were just told, some the one
	// before it (docs/protocols/raop.md, remote control).
	volumeEcho = 2 * time.Second
	// sameVolume is in decibels: a little less than one percent.
	sameVolume = 0.29
	// Some receivers say that they are busy while they switch to us.
	switching = 10 * time.Second
	// playedOut is how long after its last packet a line without a Flush still
	// counts as playing: a live source may be late.
	playedOut = time.Second
)

// remoteState is what is remembered for the sake of the buttons. It is guarded
// by the session's mutex.
type remoteState struct {
	number      uint32    // the Active-Remote by which we are registered
	volumeSet   time.Time // when a volume of ours that was news to the receiver was sent
	started     time.Time // the first Start
	spared      bool      // one busy has been ignored
	interrupted bool      // another input was chosen, and the session is ending
}

// hearRemote takes in what the receiver said, and tells whether it is news.
func (s *Session) hearRemote(r Remote, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.Kind {
	case RemoteVolume:
		return s.hearVolume(r.Level, now)
	case RemotePlay:
		return !s.playing(now)
	case RemotePause, RemoteStop:
		return s.playing(now)
	case RemoteBusy:
		return r.Busy && s.interrupt(now)
	}
	return true
}

// hearVolume takes over a volume that is neither ours nor an echo of ours.
func (s *Session) hearVolume(level float64, now time.Time) bool {
	at := s.remote.volumeSet
	echo := !at.IsZero() && now.Sub(at) < volumeEcho
	if echo || s.volume.known && alike(s.volume.level, level) {
		return false
	}
	s.volume.level, s.volume.known = level, true
	return true
}

// alike tells whether two levels are the same to a receiver that rounds.
func alike(a, b float64) bool {
	return math.Abs(parameter.Decibels(a)-parameter.Decibels(b)) < sameVolume
}

// noteVolume remembers that a volume is about to be sent, if it is another
// than the receiver has.
func (s *Session) noteVolume(level float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.volume.known || !alike(s.volume.level, level) {
		s.remote.volumeSet = time.Now()
	}
}

// playing tells whether there is anything to be paused.
func (s *Session) playing(now time.Time) bool {
	b := &s.beat
	return b.running && now.Before(b.line.tl.At(b.end).Add(s.offset+playedOut))
}

// interrupt begins the end of a session whose receiver was given another
// input. The first time it is not believed while the receiver may still be
// switching to us: Music Assistant's rule.
func (s *Session) interrupt(now time.Time) bool {
	since := s.recorded
	if s.remote.started.After(since) {
		since = s.remote.started
	}
	switch {
	case s.remote.interrupted:
		return false
	case now.Sub(since) < switching && !s.remote.spared:
		s.remote.spared = true
		return false
	}
	s.remote.interrupted = true
	s.agenda[yield] = now
	wake(s.wakeChore)
	return true
}

// yield leaves the receiver to the input that was chosen.
func (s *Session) yield() {
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	if _, err := s.ask(ctx, rtsp.Request{Method: "TEARDOWN"}); err != nil {
		s.log.Debug().Err(err).Msg("teardown not answered")
	}
	s.fail(fmt.Errorf("%w: another input was chosen on it", ErrClosedByReceiver))
}

// leaveRemote tells the server that the session is over.
func (s *Session) leaveRemote() {
	if s.cfg.RemoteServer == nil {
		return
	}
	s.mu.Lock()
	number, interrupted := s.remote.number, s.remote.interrupted
	s.mu.Unlock()
	s.cfg.RemoteServer.leave(number, interrupted)
}
