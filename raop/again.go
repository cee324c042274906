package raop

import "time"

const (
	// repair is how long a receiver takes to get a lost packet again, at the
	// second try: shairport-sync asks after 100 ms and once more 250 ms later
	// (docs/protocols/raop.md, retransmission).
	repair = 450 * time.Millisecond
	// much is the share of lost packets from which on asking for them does not
	// keep up: requests get lost too, and shairport-sync then keeps silent for
	// 0.3 s.
	much = 0.05
	// memory is over how many packets that is counted, and doubled for how long
	// all packets are sent twice then.
	memory  = 256
	doubled = 30 * time.Second
	// Copies follow so many packets later, because losses come in clusters.
	firstCopy, secondCopy = 4, 12
)

// An again decides which packets are sent more than once, unasked: those that
// could not be repaired in time, which are the first ones of a sound that is to
// be heard soon, and all of them where very many get lost. Receivers drop what
// they have already (docs/protocols/raop.md, burst and pacing). It is guarded by
// the session's mutex.
type again struct {
	loss  float64   // the share of packets that were asked for lately
	until time.Time // all are sent twice until then
}

// sent counts a packet that was sent for the first time.
func (a *again) sent() { a.loss -= a.loss / memory }

// asked counts packets that were asked for.
func (a *again) asked(n uint16, now time.Time) {
	a.loss = min(a.loss+float64(n)/memory, 1)
	if a.loss > much {
		a.until = now.Add(doubled)
	}
}

// wants tells whether a packet is sent once more, so many packets after it was
// sent, when so much time is left until it has been heard.
func (a *again) wants(after uint16, left time.Duration, now time.Time) bool {
	lossy := now.Before(a.until)
	if after == secondCopy {
		return lossy && left < repair
	}
	return lossy || left < repair
}

// sendAgain sends the packets whose copies are due after the newest one.
func (s *Session) sendAgain(now time.Time) {
	if s.cfg.Single {
		return
	}
	for _, after := range [...]uint16{firstCopy, secondCopy} {
		if packet := s.copyOf(after, now); packet != nil {
			s.send(packet, now)
		}
	}
}

// copyOf returns the packet that was sent so many packets ago if it is to be
// sent again. It is valid until the next one is stamped.
func (s *Session) copyOf(after uint16, now time.Time) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &s.beat
	if !b.running || b.count <= int(after)+1 { // the first begins the line, and that once
		return nil
	}
	packet, left := b.ring.Left(b.seq-1-after, now)
	if packet == nil || !s.again.wants(after, left, now) {
		return nil
	}
	s.counts.Copies++
	return packet
}
