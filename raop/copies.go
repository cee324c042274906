package raop

import (
	"time"

	"airplay2mqtt/internal/duty"
	"airplay2mqtt/internal/rtp"
)

// sendAgain sends the packets whose copies are due after the newest one.
func (s *Session) sendAgain(now time.Time) {
	if s.cfg.Single {
		return
	}
	for i, after := range duty.Copies {
		if packet := s.copyOf(after, i, now); packet != nil {
			s.send(packet, now)
		}
	}
	s.sendOld(duty.Rescues, now)
}

// sendOld sends some of what was sent before it was known how many get lost, or
// is the end of a sound.
func (s *Session) sendOld(most int, now time.Time) {
	for range most {
		packet := s.old(now)
		if packet == nil {
			return
		}
		s.send(packet, now)
	}
}

// remind sends the last packet once more, until it has been heard: receivers ask
// for what is missing when something comes, and at no other time. It tells
// whether to do it again.
func (s *Session) remind(now time.Time) bool {
	if s.cfg.Single {
		return false
	}
	s.mu.Lock()
	var packet []byte
	if b := &s.beat; b.over {
		packet = append(packet, b.ring.Find(b.seq-1, now)...)
		b.over = len(packet) > 0
	}
	if len(packet) > 0 {
		s.counts.Copies++
	}
	s.mu.Unlock()
	if len(packet) == 0 {
		return false
	}
	s.send(packet, now)
	s.sendOld(duty.Reminders, now)
	return true
}

// old returns the next of those packets.
func (s *Session) old(now time.Time) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for seq, ok := s.again.Old(); ok; seq, ok = s.again.Old() {
		packet := s.beat.ring.Find(seq, now)
		if packet != nil && packet[1] == rtp.TypeAudio { // the first begins the line, and that once
			s.counts.Copies++
			return packet
		}
	}
	return nil
}

// copyOf returns the packet that was sent so many packets ago if it is to be
// sent again, for the i-th time. It is valid until the next one is stamped.
func (s *Session) copyOf(after uint16, i int, now time.Time) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &s.beat
	if !b.running || b.count <= int(after)+1 { // the first begins the line, and that once
		return nil
	}
	packet, left := b.ring.Left(b.seq-1-after, now)
	if packet == nil || i >= s.again.Wants(left, now) {
		return nil
	}
	s.counts.Copies++
	return packet
}
