package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/alac"
)

// late is how long after it was due a packet counts as late.
const late = 20 * time.Millisecond

// beat sends what is due, and what may leave early if the source has it. It
// returns when the next packet may leave.
func (s *Stream) beat(ctx context.Context, now time.Time) (wake time.Time) {
	for s.marked != Ended || s.left > 0 {
		due := s.tl.At(s.next).Add(-s.lead)
		early := due.Add(-s.ahead)
		if now.Before(early) {
			return s.later(now, early)
		}
		if !s.pace.take(now) {
			return now.Add(breath)
		}
		if !s.compose(ctx, now, !now.Before(due)) {
			return earlier(due, now.Add(2*breath))
		}
		if now.Sub(due) > late && now.Sub(s.begun) > late {
			s.counters.late.Add(1)
		}
		s.send()
		if t := time.Now(); t.Sub(now) > breath {
			return t // the source took its time: look again at where we are
		}
	}
	return time.Time{}
}

// later is when to look again if no packet may leave before early: then, or when
// several may.
func (s *Stream) later(now, early time.Time) (wake time.Time) {
	if s.ahead == 0 {
		return early
	}
	return now.Add(nap(early.Add(min(s.ahead/4, rest)).Sub(now)))
}

// compose puts together the next packet: sound, silence, or sound that ends.
// It returns false if the source has nothing and the packet need not leave
// yet.
func (s *Stream) compose(ctx context.Context, now time.Time, due bool) bool {
	n := int64(0)
	switch {
	case s.next < s.first:
	case s.marked == Ended:
		s.left--
	case s.filling != nil:
		if !due {
			return false
		}
		s.counters.inserted.Add(packet)
	default:
		err := s.tape.fill(s.at + packet)
		n = min(s.tape.end-s.at, packet)
		switch {
		case errors.Is(err, audio.ErrNotReady):
			if !due {
				return false
			}
			n = s.starve(ctx, now, n)
		case err != nil:
			s.sound(now, n)
			s.mark(now, s.next+n, s.at+n, Ended)
			s.left = farewell
		default:
			s.sound(now, n)
		}
	}
	s.tape.copy(s.pcm[:2*n], s.at)
	clear(s.pcm[2*n:])
	s.at += n
	return true
}

// sound says that the next packet is sound, if the one before was not.
func (s *Stream) sound(now time.Time, n int64) {
	if n == 0 || s.marked == Playing {
		return
	}
	s.counters.starved.Store(false)
	s.mark(now, s.next, s.at, Playing)
}

func (s *Stream) mark(now time.Time, frame, at int64, state State) {
	s.marked = state
	s.head.put(mark{frame: frame, at: at, state: state}, now)
}

// send encodes the packet once and gives it to every sink that is ready.
func (s *Stream) send() {
	s.payload = alac.AppendVerbatim(s.payload[:0], s.pcm[:])
	p := Packet{Frame: s.next, Payload: s.payload, Last: s.marked == Ended && s.left == 0}
	s.next += packet
	s.head.sent.Store(s.next)
	for _, m := range slices.Backward(s.members) {
		if !m.ready || p.Frame < m.from {
			continue
		}
		if err := m.sink.WritePacket(p); err != nil {
			s.drop(m, fmt.Errorf("write: %w", err))
		}
	}
	s.counters.sent()
}

// starve sends silence on the same timeline, because the next packet is due
// and the source does not have it, until it has half of what it can hold:
// one long gap is easier on the ear than many short ones. It returns how many
// of the n frames that are there go before the silence.
func (s *Stream) starve(ctx context.Context, now time.Time, n int64) int64 {
	if s.marked == Starved {
		s.counters.inserted.Add(packet)
		return 0
	}
	s.counters.inserted.Add(packet - n)
	s.counters.underruns.Add(1)
	s.sound(now, n)
	s.counters.starved.Store(true)
	s.mark(now, s.next+n, s.at+n, Starved)
	if r, ok := s.tape.src.(reservoir); ok {
		s.await(ctx, now, r.Capacity()/2)
	}
	return n
}

// A reservoir is a source that reads ahead and can be waited for, as
// *audio.Buffer is.
type reservoir interface {
	Wait(ctx context.Context, frames int) error
	Capacity() int
}

// A filling is the wait for a reservoir. A nil one is never over.
type filling struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func (f *filling) over() <-chan struct{} {
	if f == nil {
		return nil
	}
	return f.done
}

// await waits until the source has so many frames, or its end. It returns
// when to try a source that cannot be waited for.
func (s *Stream) await(ctx context.Context, now time.Time, frames int) (wake time.Time) {
	r, ok := s.tape.src.(reservoir)
	if !ok {
		return now.Add(2 * breath)
	}
	ctx, cancel := context.WithCancel(ctx)
	f := &filling{cancel: cancel, done: make(chan struct{})}
	s.filling = f
	s.children.Go(func() {
		defer close(f.done)
		r.Wait(ctx, min(frames, r.Capacity())) // what went wrong is told by Read
	})
	return time.Time{}
}

// refilled ends the wait for the source.
func (s *Stream) refilled() {
	if s.filling != nil {
		s.filling.cancel()
		s.filling = nil
	}
}
