package raop

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
	buf := make([]byte, 0, rtp.SyncSize)
	duty.Loop(s.end.Over(), s.wakeSync, func() time.Duration {
		wait := s.tellSync(buf)
		if s.remind(time.Now()) {
			wait = min(wait, duty.RemindBetween)
		}
		return wait
	})
}

// tellSync sends the sync that is due and returns when to look again.
func (s *Session) tellSync(buf []byte) (wait time.Duration) {
	now := time.Now()
	sync, told, wait := s.nextSync(now)
	if sync == nil {
		return wait
	}
	if err := duty.SendTo(s.control, s.controlAddr, sync.AppendTo(buf), now); err != nil {
		s.sendFailed(err, now)
	}
	if told != nil {
		close(told)
	}
	return wait
}

// nextSync returns the sync that is due, if one is.
func (s *Session) nextSync(now time.Time) (sync *rtp.Sync, told chan struct{}, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &s.beat
	if wait := b.sync.Wait(now); wait > 0 {
		return nil, nil, wait
	}
	line := b.line.later(s.offset)
	next := line.sync(s.clock, now, b.announced)
	if b.sync.First() {
		next = line.firstSync(s.clock, b.announced)
	}
	s.counts.Syncs++
	told, wait = b.sync.Step(now)
	return &next, told, wait
}
