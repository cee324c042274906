package raop

import (
	"time"

	"airplay2mqtt/internal/rtp"
)

// Syncs come quickly at first, because a receiver drops those that it gets
// before it knows our clock: one a second costs the first second of sound
// (docs/protocols/raop.md, the first-sync trap).
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
	told  chan struct{} // closed once the first of a line was sent; nil: it was
}

// begin plans the first sync of a line and returns what is closed when it has
// been sent.
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
	buf := make([]byte, 0, rtp.SyncSize)
	for {
		select {
		case <-s.over:
			return
		case <-s.wakeSync:
		case <-timer.C:
		}
		wait := s.tellSync(buf)
		if s.remind(time.Now()) {
			wait = min(wait, remindBetween)
		}
		timer.Reset(wait)
	}
}

// tellSync sends the sync that is due and returns when to look again.
func (s *Session) tellSync(buf []byte) (wait time.Duration) {
	now := time.Now()
	sync, told, wait := s.nextSync(now)
	if sync == nil {
		return wait
	}
	s.control.SetWriteDeadline(now.Add(sendPatience))
	if _, err := s.control.WriteTo(sync.AppendTo(buf), s.controlAddr); err != nil {
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
	switch p := &b.sync; {
	case p.due.IsZero():
		return nil, nil, time.Hour
	case now.Before(p.due):
		return nil, nil, p.due.Sub(now)
	}
	line := b.line.later(s.offset)
	next := line.sync(s.clock, now, b.announced)
	if b.sync.told != nil {
		next = line.firstSync(s.clock, b.announced)
		told, b.sync.told = b.sync.told, nil
	}
	b.sync.step(now)
	s.counts.Syncs++
	return &next, told, b.sync.due.Sub(now)
}
