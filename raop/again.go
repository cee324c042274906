package raop

import (
	"time"

	"airplay2mqtt/internal/rtp"
)

const (
	// repair is how long a receiver takes to get a lost packet again, at the
	// second try: shairport-sync asks after 100 ms and once more 250 ms later
	// (docs/protocols/raop.md, retransmission). unsure is how long it takes where
	// it loses its own request, too.
	repair = 450 * time.Millisecond
	unsure = time.Second
	// much is the share of lost packets from which on asking for them does not
	// keep up: requests get lost too, and shairport-sync then keeps silent for
	// 0.3 s. So few packets prove nothing.
	much, few = 0.03, 4
	// twice is for how many lost packets one counts that was sent twice.
	twice = 4
	// memory is over how many packets that is counted, and doubled for how long
	// all packets are sent twice then.
	memory  = 256
	doubled = 30 * time.Second
	// rescues are how many older packets are sent again beside each new one,
	// reminders so many at once after the last.
	rescues, reminders = 2, 32
)

// copies are how many packets later one is sent once more, each time, because
// losses come in clusters. Streams end with as many packets of silence.
var copies = [...]uint16{4, 12, 28}

// An again decides which packets are sent more than once, unasked: those that
// could not be repaired in time, which are the first ones of a sound that is to
// be heard soon, and all of them where very many get lost, or where that is not
// known yet. Receivers drop what they have already (docs/protocols/raop.md,
// burst and pacing). It is guarded by the session's mutex.
type again struct {
	among int       // how many packets were sent lately
	lost  float64   // and how many of them were asked for
	until time.Time // all are sent twice until then

	from, to uint16 // these are sent once more, a few at a time
}

// sent counts a packet that was sent for the first time.
func (a *again) sent() {
	a.among = min(a.among+1, memory)
	a.lost -= a.lost / memory
}

// asked counts packets that were asked for, before seq was sent.
func (a *again) asked(n, seq uint16, now time.Time) {
	weight := 1.0
	if a.doubles(now) {
		weight = twice
	}
	a.lost = min(a.lost+weight*float64(n), memory)
	if a.lost < few || a.lost <= much*float64(a.among) {
		return
	}
	if now.After(a.until) {
		a.from, a.to = seq-memory, seq
	}
	a.until = now.Add(doubled)
}

// end has what was sent and not heard sent once more, where anything was lost
// lately: the last packets of a sound are asked for less often than others.
func (a *again) end(seq uint16) {
	if a.lost >= 1 {
		a.from, a.to = seq-memory, seq
	}
}

// wants tells how many copies of a packet are sent that is to be heard after so
// long.
func (a *again) wants(left time.Duration, now time.Time) (n int) {
	if left < unsure {
		n++
	}
	if left < repair {
		n++
	}
	if a.doubles(now) {
		n++
	}
	return n
}

// doubles tells whether all packets are sent twice.
func (a *again) doubles(now time.Time) bool { return a.among < memory || now.Before(a.until) }

// sendAgain sends the packets whose copies are due after the newest one.
func (s *Session) sendAgain(now time.Time) {
	if s.cfg.Single {
		return
	}
	for i, after := range copies {
		if packet := s.copyOf(after, i, now); packet != nil {
			s.send(packet, now)
		}
	}
	s.sendOld(rescues, now)
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

// remindBetween is how often a receiver is reminded of what is missing once the
// last packet was sent.
const remindBetween = 100 * time.Millisecond

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
	s.sendOld(reminders, now)
	return true
}

// old returns the next of those packets.
func (s *Session) old(now time.Time) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &s.again
	for a.from != a.to {
		packet := s.beat.ring.Find(a.from, now)
		a.from++
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
	if packet == nil || i >= s.again.wants(left, now) {
		return nil
	}
	s.counts.Copies++
	return packet
}
