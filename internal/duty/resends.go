package duty

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"airplay2mqtt/internal/rtp"
)

// Receivers with a dying radio ask for the same packets again and again.
// Beyond this they are not answered, so that others still get through.
const (
	resendLimit  = 200
	resendWindow = 100 * time.Millisecond
	// Storm is how many packets asked for at once are a reason for a sync.
	Storm = 32
)

// Resends answers what a receiver asks for again. It belongs to the goroutine
// that runs Answer.
type Resends struct {
	// Conn is our control port, Far the receiver, and To its control port.
	Conn net.PacketConn
	Far  netip.Addr
	To   net.Addr
	// Most is how many packets one request may ask for: as many as are
	// remembered.
	Most uint16
	// Find appends to b what a packet is answered with, and says how often that
	// is sent; zero: not at all.
	Find func(b []byte, seq uint16, now time.Time) (answer []byte, times int)
	// Asked is told how many packets a request was for, after it was answered.
	Asked func(n uint16, now time.Time)
	// Failed is told what the network refused.
	Failed func(err error, now time.Time)

	since  time.Time // the window that is counted
	count  int
	answer []byte
}

// Answer reads the control port until that is closed.
func (r *Resends) Answer() { Datagrams(r.Conn, r.handle) }

func (r *Resends) handle(b []byte, from net.Addr) {
	var q rtp.ResendRequest
	if !From(from, r.Far) || q.Unmarshal(b) != nil {
		return
	}
	now := time.Now()
	for i := range min(q.Count, r.Most) {
		if !r.allowed(now) {
			break
		}
		r.resend(q.First+i, now)
	}
	r.Asked(q.Count, now)
}

// allowed counts packets per window.
func (r *Resends) allowed(now time.Time) bool {
	if now.Sub(r.since) >= resendWindow {
		r.since, r.count = now, 0
	}
	r.count++
	return r.count <= resendLimit
}

func (r *Resends) resend(seq uint16, now time.Time) {
	var times int
	r.answer, times = r.Find(r.answer[:0], seq, now)
	for range times {
		if err := SendTo(r.Conn, r.To, r.answer, now); err != nil {
			r.Failed(err, now)
			return
		}
	}
}

// Refusals are the last times at which a packet was refused. The session guards
// them.
type Refusals struct {
	times     [3]time.Time
	suspected time.Time
}

// A Verdict is what refusals say of a receiver.
type Verdict int

// What they say. Refusals by the receiver's kernel mean that it has closed its
// port: three within a second are a reason to ask whether the session still
// stands, and if they go on although it is said to, it does not.
const (
	Calm Verdict = iota
	Suspicious
	Hopeless
)

// Add notes that the network refused a packet, and judges.
func (r *Refusals) Add(err error, now time.Time) Verdict {
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return Calm
	}
	r.times = [3]time.Time{r.times[1], r.times[2], now}
	if r.times[0].IsZero() || now.Sub(r.times[0]) > time.Second {
		return Calm
	}
	switch since := now.Sub(r.suspected); {
	case since > 10*time.Second:
		r.suspected = now
		return Suspicious
	case since > 2*time.Second:
		return Hopeless
	}
	return Calm
}
