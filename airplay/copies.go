package airplay

import (
	"time"

	"airplay2mqtt/internal/duty"
	"airplay2mqtt/internal/rtp"
)

// sendAgain sends the packets whose copies are due after the newest one, unless
// that is silence of ours. Apple's own devices hold so little that it would be
// all packets, and repair well.
func (s *Session) sendAgain(now time.Time) {
	if s.kind != Realtime || s.quirk.endless {
		return
	}
	for i, after := range duty.Copies {
		if packet := s.copyOf(after, i, now); packet != nil {
			s.sendCopy(packet, now)
		}
	}
	for range duty.Rescues {
		if packet := s.old(now); packet != nil {
			s.sendCopy(packet, now)
		}
	}
}

func (s *Session) sendCopy(packet []byte, now time.Time) {
	if err := s.send(packet, now); err != nil {
		s.sendFailed(err, now)
	}
}

// copyOf returns the packet that was sent so many packets ago if it is to be
// sent again, for the i-th time. It is valid until the next one is sealed.
func (s *Session) copyOf(after uint16, i int, now time.Time) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &s.beat
	packet, left := b.ring.Left(uint16(b.seq)-1-after, now)
	if !b.running || b.filled || packet == nil || begins(packet) || i >= s.again.Wants(left, now) {
		return nil
	}
	s.counts.Copies++
	return packet
}

// old returns the next of the packets that are sent once more because it has
// shown that many get lost.
func (s *Session) old(now time.Time) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for seq, ok := s.again.Old(); ok; seq, ok = s.again.Old() {
		if packet := s.beat.ring.Find(seq, now); packet != nil && !begins(packet) {
			s.counts.Copies++
			return packet
		}
	}
	return nil
}

// begins tells whether a packet is the first after silence, which it says, and
// that once.
func begins(packet []byte) bool { return packet[1] != rtp.TypeAudio }
