package stream

import (
	"context"
	"fmt"
	"time"
)

// Attach adds a sink, which joins the running timeline at the next packet,
// and returns when its Start has. While the stream is paused, or before it
// has begun, it only joins.
func (s *Stream) Attach(ctx context.Context, k Sink) error {
	joined := make(chan error, 1)
	err := s.do(ctx, func(running context.Context) error {
		if s.member(k) != nil {
			return ErrAttached
		}
		s.failure = nil
		m := s.join(k)
		if s.tl.IsZero() {
			joined <- nil
			return nil
		}
		m.joined = joined
		s.start(running, m, s.entry(m))
		return nil
	})
	if err != nil {
		return err
	}
	select {
	case err := <-joined:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-s.done:
		return ErrEnded
	}
}

// entry returns the timeline from the first packet on that a sink can honour.
func (s *Stream) entry(m *member) Timeline {
	frame := s.next
	if soonest := s.tl.FrameAt(time.Now().Add(m.floor())); soonest > frame {
		frame += (soonest - frame + packet - 1) / packet * packet
	}
	return Timeline{Rate: rate, Frame: frame, Time: s.tl.At(frame)}
}

// Detach silences a sink and lets it go. It is no sink of this stream any
// more, even if it could not be silenced. A sink that is not attached is left
// alone.
func (s *Stream) Detach(ctx context.Context, k Sink) error {
	var last *call
	sounding := false
	err := s.do(ctx, func(context.Context) error {
		m := s.member(k)
		if m == nil {
			return nil
		}
		last, sounding = m.call, !s.tl.IsZero()
		m.tell(ErrEnded)
		s.leave(m)
		return nil
	})
	if err != nil || !sounding {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-last.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	return k.Flush(ctx)
}

// Pause falls silent at once. What was sent and not heard is kept. It returns
// an error only where no sink could be silenced.
func (s *Stream) Pause(ctx context.Context) error {
	return s.do(ctx, func(running context.Context) error {
		if s.paused {
			return nil
		}
		s.paused = true
		s.toEdge(running)
		return s.hush(running, Paused)
	})
}

// margin is how long before the end of a packet a receiver is told to be silent,
// if that is to be there. shairport-sync looks each 5 ms whether it was told, or
// whether a packet is due: of 25 pauses none cut or repeated anything with 1 to
// 3 ms, and 8 did with none (docs/protocols/raop.md, FLUSH).
const margin = 2 * time.Millisecond

// toEdge waits for the end of a packet.
func (s *Stream) toEdge(ctx context.Context) {
	if !s.cfg.Whole || !s.rolling {
		return
	}
	t := time.NewTimer(time.Until(s.tl.At(s.edge(time.Now().Add(margin)))) - margin)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// edge returns the first frame of the timeline from t on that begins a packet.
func (s *Stream) edge(t time.Time) int64 {
	into := s.tl.FrameAt(t) - s.tl.Frame
	return s.tl.Frame + (into+packet-1)/packet*packet
}

// unheard returns the position of the first frame that is not heard if the
// receivers are told to be silent at t.
func (s *Stream) unheard(t time.Time) int64 {
	frame := s.tl.FrameAt(t) + 1
	if s.cfg.Whole {
		frame = s.edge(t.Add(-margin)) // however late the timer was
	}
	return s.head.cut(frame)
}

// Resume continues at the very next frame after the one that was being heard
// when the stream was paused, on a new timeline.
func (s *Stream) Resume(ctx context.Context) error {
	return s.do(ctx, func(context.Context) error {
		if s.paused {
			s.paused = false
			s.head.rest(s.at, Starting)
		}
		return nil
	})
}

// Seek continues at another place of the sound, or its end if it is shorter,
// on a new timeline, or once it is resumed. It returns an error that wraps
// audio.ErrNotSeekable, and changes nothing, where the source cannot go
// there.
func (s *Stream) Seek(ctx context.Context, to time.Duration) error {
	return s.do(ctx, func(running context.Context) error {
		at, err := s.tape.seek(frames(to))
		if err != nil {
			return fmt.Errorf("stream: seek: %w", err)
		}
		state := Starting
		if s.paused {
			state = Paused
		}
		err = s.hush(running, state)
		s.at = at
		s.head.rest(at, state)
		return err
	})
}

// hush silences the sinks, if they may sound, and ends the timeline.
func (s *Stream) hush(ctx context.Context, why State) error {
	sounding := !s.tl.IsZero()
	s.silence(why)
	s.refilled()
	s.counters.starved.Store(false)
	if !sounding {
		return nil
	}
	return s.flush(ctx)
}

// Elapsed returns how much of the sound has been heard, or the position in it
// after a Seek. Silence that was inserted does not count.
func (s *Stream) Elapsed() time.Duration {
	at, _ := s.head.now(time.Now())
	return time.Duration(scale(at, int64(time.Second), rate))
}

// Heard is closed when the first frame is due at the ear. For a sound without
// frames, or a stream that ends before, it never is.
func (s *Stream) Heard() <-chan struct{} { return s.heard }

// Done is closed when Run has ended.
func (s *Stream) Done() <-chan struct{} { return s.done }

// Err returns what Run returned, nil before that.
func (s *Stream) Err() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// Stats returns what was counted.
func (s *Stream) Stats() Stats { return s.counters.stats() }

// do has f run by the goroutine that owns the state, with the context of Run.
func (s *Stream) do(ctx context.Context, f func(running context.Context) error) error {
	answer := make(chan error, 1)
	request := func(running context.Context) {
		if err := ctx.Err(); err != nil {
			answer <- err
			return
		}
		err := f(running)
		s.tell(time.Now())
		answer <- err
	}
	select {
	case s.requests <- request:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.done:
		return ErrEnded
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
