package raop

import (
	"context"
	"fmt"
	"time"

	"airplay2mqtt/dacp"
	"airplay2mqtt/internal/rtsp"
)

// playedOut is how long after its last packet a line without a Flush still
// counts as playing: a live source may be late.
const playedOut = time.Second

// situation is how the session stands. s.mu is held.
func (s *Session) situation(now time.Time) dacp.Situation {
	b := &s.beat
	playing := b.running && now.Before(b.line.tl.At(b.end).Add(s.offset+playedOut))
	level, known := s.volume.Level()
	return dacp.Situation{Playing: playing, Level: level, Known: known}
}

// isNews takes in what the receiver's buttons said, and tells whether it is
// news.
func (s *Session) isNews(r dacp.Remote, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ear.IsNews(r, s.situation(now), now) {
		return false
	}
	switch r.Kind {
	case dacp.Volume:
		s.volume.Changed(r.Level)
	case dacp.Busy:
		s.agenda.Move(yield, now)
	}
	return true
}

// noteVolume remembers that a volume is about to be sent.
func (s *Session) noteVolume(level float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.ear.Sends(level, s.situation(now), now)
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
	interrupted := s.ear.Interrupted()
	s.mu.Unlock()
	if interrupted {
		s.cfg.RemoteServer.Interrupt(s.active)
		return
	}
	s.cfg.RemoteServer.Leave(s.active)
}
