package raop

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"airplay2mqtt/internal/rtp"
)

// datagrams hands each datagram that comes to a socket to handle, until the
// socket is closed. Other errors are those of single datagrams, unless there
// is no end to them.
func datagrams(conn net.PacketConn, handle func(b []byte, from net.Addr)) {
	buf := make([]byte, 2048)
	for errs := 0; errs < 100; {
		n, from, err := conn.ReadFrom(buf)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			errs++
		default:
			errs = 0
			handle(buf[:n], from)
		}
	}
}

// ipOf returns the address without port, the zero address if it has none.
func ipOf(a net.Addr) netip.Addr {
	switch a := a.(type) {
	case *net.UDPAddr:
		return a.AddrPort().Addr().Unmap()
	case *net.TCPAddr:
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// Receivers with a dying radio ask for the same packets again and again.
// Beyond this they are not answered, so that others still get through.
const (
	resendLimit  = 200
	resendWindow = 100 * time.Millisecond
	// storm is how many packets asked for at once are a reason for a sync.
	storm = 32
)

// A resender answers what the receiver asks for on the control port. It
// belongs to the goroutine that reads there.
type resender struct {
	s      *Session
	since  time.Time // the window that is counted
	count  int
	packet []byte
}

// answerResends is the goroutine that reads the control port.
func (s *Session) answerResends() {
	defer s.wg.Done()
	r := resender{s: s, packet: make([]byte, 0, rtp.ResendSize+slotSize)}
	datagrams(s.control, r.handle)
}

func (r *resender) handle(b []byte, from net.Addr) {
	var q rtp.ResendRequest
	if ipOf(from).WithZone("") != r.s.far.WithZone("") || q.Unmarshal(b) != nil {
		return
	}
	now := time.Now()
	for i := range min(q.Count, ringLimit) {
		if !r.allowed(now) {
			break
		}
		r.resend(q.First+i, now)
	}
	r.s.mu.Lock()
	r.s.counts.ResendAsked += uint64(q.Count)
	r.s.again.asked(min(q.Count, ringLimit), r.s.beat.seq, now)
	r.s.mu.Unlock()
	if q.Count >= storm {
		r.s.syncSoon()
	}
}

// allowed counts packets per window.
func (r *resender) allowed(now time.Time) bool {
	if now.Sub(r.since) >= resendWindow {
		r.since, r.count = now, 0
	}
	r.count++
	return r.count <= resendLimit
}

// resend sends a packet again if it is there and can still be heard; twice, as
// iOS does, because where one got lost the next may too.
func (r *resender) resend(seq uint16, now time.Time) {
	s := r.s
	s.mu.Lock()
	packet := s.beat.ring.Find(seq, now)
	if packet == nil && s.beat.ring.Passed(seq, now) {
		s.counts.Missed++
	}
	if packet != nil {
		r.packet = append(rtp.Resend{Seq: seq}.AppendTo(r.packet[:0]), packet...)
		s.counts.Resent++
	}
	s.mu.Unlock()
	if packet == nil {
		return
	}
	s.control.SetWriteDeadline(now.Add(sendPatience))
	for range 2 {
		if _, err := s.control.WriteTo(r.packet, s.controlAddr); err != nil {
			s.sendFailed(err, now)
			return
		}
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
	datagrams(s.timing, func(b []byte, from net.Addr) {
		received := s.clock.Stamp(time.Now())
		var q rtp.Timing
		if q.Unmarshal(b) != nil || q.Reply {
			return
		}
		answer := q.Answer(received)
		answer.Sent = s.clock.Stamp(time.Now())
		// Not to the port that SETUP told: Apple TV says 0.
		if _, err := s.timing.WriteTo(answer.AppendTo(buf), from); err != nil {
			return
		}
		s.timingAnswered()
	})
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
