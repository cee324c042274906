package duty

import "time"

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
	// twice is for how many lost packets one counts that was sent twice: it is
	// rare where few get lost.
	twice = 8
	// memory is over how many packets that is counted, and doubled for how long
	// all packets are sent twice then.
	memory  = 256
	doubled = 30 * time.Second
	// Rescues are how many older packets are sent again beside each new one,
	// Reminders so many at once after the last.
	Rescues, Reminders = 2, 32
	// RemindBetween is how often a receiver is reminded of what is missing once
	// the last packet was sent.
	RemindBetween = 100 * time.Millisecond
)

// Copies are how many packets later one is sent once more, each time, because
// losses come in clusters. Streams end with as many packets of silence.
var Copies = [...]uint16{4, 12, 28}

// An Again decides which packets are sent more than once, unasked: those that
// could not be repaired in time, which are the first ones of a sound that is to
// be heard soon, and all of them where very many get lost, or where that is not
// known yet. Receivers drop what they have already (docs/protocols/raop.md,
// burst and pacing). The session guards it.
type Again struct {
	among int       // how many packets were sent lately
	lost  float64   // and how many of them were asked for
	until time.Time // all are sent twice until then

	from, to uint16 // these are sent once more, a few at a time
}

// Sent counts a packet that was sent for the first time.
func (a *Again) Sent() {
	a.among = min(a.among+1, memory)
	a.lost -= a.lost / memory
}

// Asked counts packets that were asked for, before seq was sent.
func (a *Again) Asked(n, seq uint16, now time.Time) {
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

// End has what was sent and not heard sent once more, where anything was lost
// lately: the last packets of a sound are asked for less often than others.
func (a *Again) End(seq uint16) {
	if a.lost >= 1 {
		a.from, a.to = seq-memory, seq
	}
}

// Wants tells how many copies of a packet are sent that is to be heard after so
// long.
func (a *Again) Wants(left time.Duration, now time.Time) (n int) {
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
func (a *Again) doubles(now time.Time) bool { return a.among < memory || now.Before(a.until) }

// Old returns the next packet of those that are sent once more after all.
func (a *Again) Old() (seq uint16, ok bool) {
	if a.from == a.to {
		return 0, false
	}
	a.from++
	return a.from - 1, true
}
