// Package ntp writes the 64-bit time stamps that go to receivers: seconds
// since 1900 in the upper half, their fraction in the lower.
//
//	clock := ntp.NewClock()
//	sync.Time = clock.Stamp(time.Now())
//
// Receivers use only differences of stamps. So a [Clock] counts from an
// instant of its own on the monotonic clock: a stepped system clock does not
// move sound. See docs/protocols/raop.md, clocks.
package ntp

import "time"

// epoch is 1970 in seconds since 1900. With it the top bit of a stamp is set,
// as it is for every sender there is.
const epoch = 2208988800

// head is what a Clock shows at its beginning, so that instants shortly
// before it have a stamp too.
const head = 24 * time.Hour

// FromDuration returns the stamp of the instant d after 1970. It must not be
// negative.
func FromDuration(d time.Duration) uint64 {
	seconds, rest := uint64(d)/1e9, uint64(d)%1e9
	return (seconds+epoch)<<32 | rest<<32/1e9
}

// ToDuration is the inverse of FromDuration, to within a nanosecond. A stamp
// from before 1970 counts as 1970.
func ToDuration(stamp uint64) time.Duration {
	seconds, fraction := stamp>>32, stamp&0xffffffff
	if seconds < epoch {
		return 0
	}
	return time.Duration((seconds-epoch)*1e9 + (fraction*1e9+1<<31)>>32)
}

// A Clock stamps instants of the monotonic clock.
type Clock struct{ anchor time.Time }

// NewClock returns a clock that begins now.
func NewClock() Clock { return Clock{anchor: time.Now()} }

// Stamp returns the stamp of t, which must bear a monotonic reading (as what
// is computed from time.Now does) to be proof against clock steps.
func (c Clock) Stamp(t time.Time) uint64 {
	return FromDuration(max(0, head+t.Sub(c.anchor)))
}

// Time returns the instant of a stamp.
func (c Clock) Time(stamp uint64) time.Time {
	return c.anchor.Add(ToDuration(stamp) - head)
}
