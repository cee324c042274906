package airplay

import (
	"fmt"
	"net"
	"time"

	"airplay2mqtt/internal/duty"
	"airplay2mqtt/internal/rtp"
)

// answerResends is the goroutine that reads the control port.
func (s *Session) answerResends() {
	defer s.wg.Done()
	r := duty.Resends{Conn: s.control, Far: s.far, To: s.controlAddr, Most: ringSize,
		Find: s.findAgain, Asked: s.askedAgain, Failed: s.sendFailed}
	r.Answer()
}

// findAgain answers with a packet that can still be heard, twice, as iOS does:
// where one got lost the next may too; and else that it is lost.
func (s *Session) findAgain(b []byte, seq uint16, now time.Time) (answer []byte, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	packet := s.beat.ring.Find(seq, now)
	if packet == nil {
		return rtp.Lost{Seq: seq}.AppendTo(b), 1
	}
	s.counts.Resent++
	return append(rtp.Resend{Seq: seq}.AppendTo(b), packet...), 2
}

func (s *Session) askedAgain(n uint16, now time.Time) {
	s.mu.Lock()
	s.counts.ResendAsked += uint64(n)
	s.again.Asked(min(n, ringSize), uint16(s.beat.seq), now)
	s.mu.Unlock()
	if n >= duty.Storm {
		s.syncSoon()
	}
}

// answerTimings is the goroutine that tells receivers the time by NTP. It
// takes no lock before it has answered, so that nothing of ours is in the
// answer.
func (s *Session) answerTimings() {
	defer s.wg.Done()
	buf := make([]byte, 0, rtp.TimingSize)
	duty.Datagrams(s.timingPort, func(b []byte, from net.Addr) {
		received := s.clock.Stamp(time.Now())
		var q rtp.Timing
		if !duty.From(from, s.far) || q.Unmarshal(b) != nil || q.Reply {
			return
		}
		answer := q.Answer(received)
		answer.Sent = s.clock.Stamp(time.Now())
		if _, err := s.timingPort.WriteTo(answer.AppendTo(buf), from); err != nil {
			return
		}
		if s.lastAsked.Swap(max(1, int64(time.Since(s.born)))) == 0 {
			close(s.asked)
			s.syncSoon()
		}
	})
}

// sendFailed counts what the network refused, and what it says of the receiver.
func (s *Session) sendFailed(err error, now time.Time) {
	s.mu.Lock()
	s.counts.SendErrors++
	verdict := s.refusals.Add(err, now)
	s.mu.Unlock()
	switch verdict {
	case duty.Suspicious:
		s.agenda.Plan(feedback, now)
	case duty.Hopeless:
		s.fail(fmt.Errorf("%w: its audio port is closed: %w", ErrClosedByReceiver, err))
	}
}
