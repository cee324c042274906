package stream

import "time"

const (
	// backToBack is how many packets may leave at once: the socket buffer of
	// a receiver holds about 90 on Linux and fewer elsewhere
	// (docs/protocols/raop.md, burst and pacing). atFirst is how many are then:
	// sinks that do not know their network send the first ones more than once.
	backToBack, atFirst = 20, 8
	// breath is the time between wakes while bursting, and while waiting for
	// a source that has nothing yet.
	breath = 4 * time.Millisecond
	// rest is how long a stream sleeps that is ahead as far as it may be: it
	// then sends as many packets as may leave at once. Waking for every single
	// one cost ten times the processor time, most of it in going to sleep.
	rest = 160 * time.Millisecond
)

// A pace holds bursts down: on average a packet each interval, and never more
// than backToBack of them at once.
type pace struct {
	interval time.Duration
	clear    time.Time // when all that was sent would have been, one each interval
}

// begin holds the first burst of a timeline down more than others.
func (p *pace) begin(now time.Time) {
	p.clear = now.Add((backToBack - atFirst) * p.interval)
}

// take tells whether a packet may leave now, and counts it.
func (p *pace) take(now time.Time) bool {
	if p.clear.Before(now) {
		p.clear = now
	}
	if p.clear.Sub(now) > (backToBack-1)*p.interval {
		return false
	}
	p.clear = p.clear.Add(p.interval)
	return true
}

// nap is for how long to sleep where it need not be d exactly: a moment more
// than whole milliseconds. The runtime sleeps in whole ones and stays awake for
// the rest, which costs as much as the packets that are then sent.
func nap(d time.Duration) time.Duration {
	const moment = 50 * time.Microsecond
	return d.Truncate(time.Millisecond) + moment
}
