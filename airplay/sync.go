package airplay

import (
	"time"

	"airplay2mqtt/internal/rtp"
)

// Syncs come quickly at first, because a receiver may drop those that it gets
// before it knows the time.
const (
	quickSyncs   = time.Second
	quickBetween = 100 * time.Millisecond
	syncBetween  = time.Second
)

// A syncPlan says when the next sync is due. It is guarded by the session's
// mutex.
type syncPlan struct {
	due   time.Time     // zero: there is no line to tell of
	quick time.Time     // until when they come quickly
	first bool          // the next bids forget what was before
	told  chan struct{} // closed once the first of a Start was sent; nil: it was
}

// begin plans the first sync of a Start and returns what is closed when it
// has been sent.
func (p *syncPlan) begin(now time.Time) <-chan struct{} {
	if p.told == nil {
		p.told = make(chan struct{})
	}
	p.due, p.quick = now, now.Add(quickSyncs)
	return p.told
}

// step plans the one after the sync that is sent now.
func (p *syncPlan) step(now time.Time) {
	between := syncBetween
	if now.Before(p.quick) {
		between = quickBetween
	}
	if p.due = p.due.Add(between); p.due.Before(now) {
		p.due = now.Add(between)
	}
}

// syncSoon sends a sync at once, if there is a line.
func (s *Session) syncSoon() {
	s.mu.Lock()
	if p := &s.beat.sync; !p.due.IsZero() {
		p.due = time.Now()
	}
	s.mu.Unlock()
	wake(s.wakeSync)
}

// tellSyncs is the goroutine that sends syncs, and the only one that does.
func (s *Session) tellSyncs() {
	defer s.wg.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	buf := make([]byte, 0, rtp.PTPSyncSize)
	for {
		select {
		case <-s.over:
			return
		case <-s.wakeSync:
		case <-timer.C:
		}
		timer.Reset(s.tellSync(buf))
	}
}

// tellSync sends the sync that is due and returns when to look again.
func (s *Session) tellSync(buf []byte) (wait time.Duration) {
	now := time.Now()
	sync, told, wait := s.nextSync(buf, now)
	if sync == nil {
		return wait
	}
	s.control.SetWriteDeadline(now.Add(sendPatience))
	if _, err := s.control.WriteTo(sync, s.controlAddr); err != nil {
		s.sendFailed(err, now)
	}
	if told != nil {
		close(told)
		wake(s.wakeSpool)
	}
	return wait
}

// nextSync returns the sync that is due, if one is.
func (s *Session) nextSync(buf []byte, now time.Time) (sync []byte, told chan struct{}, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &s.beat.sync
	switch {
	case p.due.IsZero():
		return nil, nil, time.Hour
	case now.Before(p.due):
		return nil, nil, p.due.Sub(now)
	}
	sync, ok := s.syncAt(buf, now, p.first)
	if !ok {
		return nil, nil, quickBetween // the time is not known at the moment
	}
	told, p.told, p.first = p.told, nil, false
	p.step(now)
	s.counts.Syncs++
	return sync, told, p.due.Sub(now)
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
