package airplay

import (
	"time"

	"airplay2mqtt/internal/duty"
	"airplay2mqtt/internal/rtp"
)

// syncSoon sends a sync at once, if there is a line.
func (s *Session) syncSoon() {
	s.mu.Lock()
	s.beat.sync.Soon(time.Now())
	s.mu.Unlock()
	s.wakeSync.Ring()
}

// tellSyncs is the goroutine that sends syncs, and the only one that does.
func (s *Session) tellSyncs() {
	defer s.wg.Done()
	buf := make([]byte, 0, rtp.PTPSyncSize)
	duty.Loop(s.end.Over(), s.wakeSync, func() time.Duration { return s.tellSync(buf) })
}

// tellSync sends the sync that is due and returns when to look again.
func (s *Session) tellSync(buf []byte) (wait time.Duration) {
	now := time.Now()
	sync, told, wait := s.nextSync(buf, now)
	if sync == nil {
		return wait
	}
	if err := duty.SendTo(s.control, s.controlAddr, sync, now); err != nil {
		s.sendFailed(err, now)
	}
	if told != nil {
		close(told)
		s.wakeSpool.Ring()
	}
	return wait
}

// nextSync returns the sync that is due, if one is.
func (s *Session) nextSync(buf []byte, now time.Time) (sync []byte, told chan struct{}, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &s.beat
	if wait := b.sync.Wait(now); wait > 0 {
		return nil, nil, wait
	}
	sync, ok := s.syncAt(buf, now, b.forget)
	if !ok {
		return nil, nil, b.sync.Again() // the time is not known at the moment
	}
	b.forget = false
	s.counts.Syncs++
	told, wait = b.sync.Step(now)
	return sync, told, wait
}

// syncAt appends the sync of now in the session's time. It is false where that
// is the receiver's and not known. s.mu is held.
func (s *Session) syncAt(buf []byte, now time.Time, first bool) (sync []byte, ok bool) {
	if s.timing == NTP {
		m := s.beat.line.ntpSync(s.clock, now)
		m.First = first
		return m.AppendTo(buf), true
	}
	m, at := s.beat.line.ptpSync(now)
	m.First = first
	m.Clock, m.Now, ok = s.peer.Stamp(at)
	return m.AppendTo(buf), ok
}
