package stream

import (
	"context"
	"time"
)

// Ready makes a stream that is not run send packets, for benchmarks.
func (s *Stream) Ready(now time.Time) {
	s.tape.keep(4 * rate)
	s.tl = Timeline{Rate: rate, Frame: s.next, Time: now}
	s.head.start(s.tl, s.at)
	for _, m := range s.members {
		m.ready, m.from = true, s.next
	}
}

// Beat sends a packet.
func (s *Stream) Beat(ctx context.Context, now time.Time) {
	s.compose(ctx, now, true)
	s.send()
}
