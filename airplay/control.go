package airplay

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
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

func portOf(c net.PacketConn) uint16 {
	a, ok := c.LocalAddr().(*net.UDPAddr)
	if !ok {
		return 0
	}
	return uint16(a.Port)
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
	for i := range min(q.Count, ringSize) {
		if !r.allowed(now) {
			break
		}
		r.resend(q.First+i, now)
	}
	r.s.mu.Lock()
	r.s.counts.ResendAsked += uint64(q.Count)
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

// resend sends a packet again if it is there and can still be heard, and says
// so if not.
func (r *resender) resend(seq uint16, now time.Time) {
	s := r.s
	s.mu.Lock()
	if packet := s.beat.ring.Find(seq, now); packet != nil {
		r.packet = append(rtp.Resend{Seq: seq}.AppendTo(r.packet[:0]), packet...)
		s.counts.Resent++
	} else {
		r.packet = rtp.Lost{Seq: seq}.AppendTo(r.packet[:0])
	}
	s.mu.Unlock()
	s.control.SetWriteDeadline(now.Add(sendPatience))
	if _, err := s.control.WriteTo(r.packet, s.controlAddr); err != nil {
		s.sendFailed(err, now)
	}
}

// answerTimings is the goroutine that tells receivers the time by NTP. It
// takes no lock before it has answered, so that nothing of ours is in the
// answer.
func (s *Session) answerTimings() {
	defer s.wg.Done()
	buf := make([]byte, 0, rtp.TimingSize)
	datagrams(s.timingPort, func(b []byte, from net.Addr) {
		received := s.clock.Stamp(time.Now())
		var q rtp.Timing
		if ipOf(from).WithZone("") != s.far.WithZone("") || q.Unmarshal(b) != nil || q.Reply {
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

// sendFailed counts what the network refused. Refusals by the receiver's
// kernel mean that it has closed its port, and a connection for buffered
// sound that breaks is the end of it.
func (s *Session) sendFailed(err error, now time.Time) {
	s.mu.Lock()
	s.counts.SendErrors++
	gone := s.kind == Buffered
	if errors.Is(err, syscall.ECONNREFUSED) {
		gone = s.refusals.add(now) || gone
	}
	s.mu.Unlock()
	if gone {
		s.fail(fmt.Errorf("%w: its audio port is closed: %w", ErrClosedByReceiver, err))
	}
}

// refusals counts refused packets. It is guarded by the session's mutex.
type refusals struct {
	since time.Time
	count int
}

// add notes a refusal and tells whether they have gone on for two seconds.
func (r *refusals) add(now time.Time) (hopeless bool) {
	if r.count == 0 || now.Sub(r.since) > 10*time.Second {
		*r = refusals{since: now}
	}
	r.count++
	return r.count >= 3 && now.Sub(r.since) > 2*time.Second
}
