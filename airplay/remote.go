package airplay

import (
	"fmt"
	"time"

	"airplay2mqtt/dacp"
)

// playedOut is how long after its last frame sound without a Flush still counts
// as playing: a live source may be late.
const playedOut = time.Second

// enterRemote makes the session known to the server where its receiver calls,
// and takes over by which names.
func (s *Session) enterRemote() {
	if server := s.cfg.RemoteServer; server != nil {
		s.self.dacpID = server.ID()
		s.self.remote = server.Enter(dacp.Session{Far: s.far, Number: s.self.remote, IsNews: s.isNews, Tell: s.cfg.Remote})
	}
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
		s.cfg.RemoteServer.Interrupt(s.self.remote)
		return
	}
	s.cfg.RemoteServer.Leave(s.self.remote)
}

// situation is how the session stands. s.mu is held.
func (s *Session) situation(now time.Time) dacp.Situation {
	b := &s.beat
	playing := b.sounding && now.Before(b.line.tl.At(b.tape.end).Add(playedOut))
	level, known := s.volume.Level()
	return dacp.Situation{Playing: playing, Level: level, Known: known}
}

// isNews takes in what the receiver's buttons said by DACP, and tells whether it
// is news.
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
	s.tearDown()
	s.fail(fmt.Errorf("%w: another input was chosen on it", ErrClosedByReceiver))
}
