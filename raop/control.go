package raop

import (
	"net"
	"time"

	"airplay2mqtt/internal/duty"
	"airplay2mqtt/internal/rtp"
)

// answerResends is the goroutine that reads the control port.
func (s *Session) answerResends() {
	defer s.wg.Done()
	r := duty.Resends{Conn: s.control, Far: s.far, To: s.controlAddr, Most: ringLimit,
		Find: s.findAgain, Asked: s.askedAgain, Failed: s.sendFailed}
	r.Answer()
}

// findAgain answers with a packet that can still be heard, twice, as iOS does:
// where one got lost the next may too.
func (s *Session) findAgain(b []byte, seq uint16, now time.Time) (answer []byte, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	packet := s.beat.ring.Find(seq, now)
	if packet == nil {
		if s.beat.ring.Passed(seq, now) {
			s.counts.Missed++
		}
		return b, 0
	}
	s.counts.Resent++
	return append(rtp.Resend{Seq: seq}.AppendTo(b), packet...), 2
}

func (s *Session) askedAgain(n uint16, now time.Time) {
	s.mu.Lock()
	s.counts.ResendAsked += uint64(n)
	s.again.Asked(min(n, ringLimit), s.beat.seq, now)
	s.mu.Unlock()
	if n >= duty.Storm {
		s.syncSoon()
	}
}

// timingSilence is how long a receiver may not ask for the time before it
// counts as stalled; shairport-sync asks every 3 s.
const timingSilence = 10 * time.Second

// answerTimings is the goroutine that tells receivers the time. It takes no
// lock before it has answered, so that nothing of ours is in the answer.
func (s *Session) answerTimings() {
	defer s.wg.Done()
	buf := make([]byte, 0, rtp.TimingSize)
	duty.Datagrams(s.timing, func(b []byte, from net.Addr) {
		received := s.clock.Stamp(time.Now())
		var q rtp.Timing
		if q.Unmarshal(b) != nil || q.Reply {
			return
		}
		answer := q.Answer(received)
		for range s.timingAnswers() {
			answer.Sent = s.clock.Stamp(time.Now())
			// Not to the port that SETUP told: Apple TV says 0.
			if _, err := s.timing.WriteTo(answer.AppendTo(buf), from); err != nil {
				return
			}
		}
		s.timingAnswered()
	})
}

// timingAnswers is how often the next question for the time is answered. Without
// the first answer a receiver knows nothing of our line, and shairport-sync asks
// again only when a bell is due, after 300 ms: of a network that loses one in
// twenty, one bell in twenty had no beginning.
func (s *Session) timingAnswers() int {
	if s.timings.Load() == 0 {
		return 2
	}
	return 1
}

// timingAnswered notes it. The first is a reason for a sync: those before it
// were in vain.
func (s *Session) timingAnswered() {
	s.timings.Add(1)
	if s.lastAsked.Swap(max(1, int64(time.Since(s.born)))) == 0 {
		close(s.asked)
		s.syncSoon()
		s.repeatVolumeAfterTiming()
	}
}
