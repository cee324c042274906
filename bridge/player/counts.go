package player

import (
	"sync"
	"time"

	"airplay2mqtt/audio/stream"
)

// Counts are what a player has counted since it was made.
type Counts struct {
	Sounding  int           // streams that are under way
	Streams   int64         // that were begun, those of announcements too
	Packets   int64         // that were due
	Late      int64         // of these, sent too late
	Underruns int64         // times a source had nothing when it was due
	Inserted  time.Duration // silence that was sent instead
	Restarts  int64         // after a stall of this machine
	Prompt    Promptness
}

// Bounds are those of the classes of a Promptness.
var Bounds = [...]time.Duration{
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
}

// A Promptness is how long after a command the first packet of its sound was
// sent, of all that began a stream.
type Promptness struct {
	Classes [len(Bounds) + 1]int64 // at most Bounds[i], and more than the one before; the last: more than all
	Sum     time.Duration
}

func (p *Promptness) add(d time.Duration) {
	i := 0
	for i < len(Bounds) && d > Bounds[i] {
		i++
	}
	p.Classes[i]++
	p.Sum += d
}

// Count is how often that was.
func (p Promptness) Count() (n int64) {
	for _, class := range p.Classes {
		n += class
	}
	return n
}

// A counter counts streams. They count for themselves, and are only looked at.
type counter struct {
	mu   sync.Mutex
	past Counts
	live map[*stream.Stream]time.Time // since when each is awaited; zero: by nobody, or its first packet is counted
}

// begin counts a stream that was asked for at a time, if somebody waits for it.
func (t *counter) begin(s *stream.Stream, asked time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.live == nil {
		t.live = map[*stream.Stream]time.Time{}
	}
	t.live[s] = asked
	t.past.Streams++
}

// end takes over what a stream has counted.
func (t *counter) end(s *stream.Stream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.look(s)
	t.past.add(s.Stats())
	delete(t.live, s)
}

// look looks whether the first packet has been sent. It wants mu held.
func (t *counter) look(s *stream.Stream) {
	asked := t.live[s]
	if first := s.Stats().First; !asked.IsZero() && !first.IsZero() {
		t.past.Prompt.add(first.Sub(asked))
		t.live[s] = time.Time{}
	}
}

func (t *Counts) add(s stream.Stats) {
	t.Packets += s.Packets
	t.Late += s.Late
	t.Underruns += s.Underruns
	t.Inserted += s.Inserted
	t.Restarts += s.Restarts
}

// Counts returns the counts so far. It may be called by any goroutine.
func (p *Player) Counts() Counts {
	t := &p.counter
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range t.live {
		t.look(s)
	}
	sum := t.past
	sum.Sounding = len(t.live)
	for s := range t.live {
		sum.add(s.Stats())
	}
	return sum
}

// counted lets a stream sound, in a goroutine of its own.
func (p *Player) counted(run func(), s *stream.Stream, asked time.Time) {
	p.counter.begin(s, asked)
	p.children.Go(func() {
		defer p.counter.end(s)
		run()
	})
}
