package stream

import (
	"sync/atomic"
	"time"
)

// Stats is what a stream has counted since it began.
type Stats struct {
	Packets   int64         // packets that were due, each sent to all sinks
	Late      int64         // of these, sent more than 20 ms after they were due
	Underruns int64         // times the source had nothing when it was due
	Inserted  time.Duration // silence that was sent instead
	Restarts  int64         // timelines that had to be begun anew after a stall
	Dropped   int64         // sinks that failed
	Sinks     int           // sinks that are attached now
	Starved   bool          // silence is being sent, because the source has nothing
	First     time.Time     // when the first packet was sent; zero: none was
}

// counters are written by the stream's goroutine and read by any.
type counters struct {
	packets, late, underruns, inserted, restarts, dropped, sinks atomic.Int64

	starved atomic.Bool

	born  time.Time    // when the stream was made
	first atomic.Int64 // how long after that the first packet was sent, 1 at least; 0: none was
}

// sent counts a packet that has been given to all sinks.
func (c *counters) sent() {
	if c.packets.Add(1) == 1 {
		c.first.Store(max(int64(time.Since(c.born)), 1))
	}
}

func (c *counters) stats() Stats {
	var first time.Time
	if after := c.first.Load(); after > 0 {
		first = c.born.Add(time.Duration(after))
	}
	return Stats{
		Packets:   c.packets.Load(),
		Late:      c.late.Load(),
		Underruns: c.underruns.Load(),
		Inserted:  lasts(c.inserted.Load(), rate),
		Restarts:  c.restarts.Load(),
		Dropped:   c.dropped.Load(),
		Sinks:     int(c.sinks.Load()),
		Starved:   c.starved.Load(),
		First:     first,
	}
}
