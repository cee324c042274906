package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// tolerance is how much closer than a sink's floor the first frame may be
	// without the timeline being made anew, and how long a timeline without
	// a moment to spare waits for all sinks.
	tolerance = 30 * time.Millisecond
	// retries bounds how often a timeline is made anew because no sink was
	// ready for it in time.
	retries = 3
)

// A member is a sink of the stream.
type member struct {
	sink   Sink
	ready  bool       // Start has returned: packets go to it
	from   int64      // the first frame that it is given
	call   *call      // the last one; nil: none yet, or the member has left
	joined chan error // told when it is attached; nil: nobody asked
}

// A call is a Start or Flush of a sink in a goroutine of its own, because it
// may wait for the receiver. The calls to one sink follow each other.
type call struct {
	member *member
	cancel context.CancelFunc
	err    error         // valid once done is closed
	done   chan struct{} // closed when the sink has returned
}

// outcome returns what the call returned, or that it has not.
func (c *call) outcome() error {
	select {
	case <-c.done:
		return c.err
	default:
		return errNoAnswer
	}
}

var errNoAnswer = errors.New("no answer")

func (s *Stream) join(k Sink) *member {
	m := &member{sink: k}
	s.members = append(s.members, m)
	s.counters.sinks.Store(int64(len(s.members)))
	return m
}

func (s *Stream) leave(m *member) {
	s.members = slices.DeleteFunc(s.members, func(other *member) bool { return other == m })
	s.counters.sinks.Store(int64(len(s.members)))
	if m.call != nil {
		m.call.cancel()
	}
	m.call = nil
}

// drop removes a sink that failed. The others go on; who owns it learns it
// from the sink.
func (s *Stream) drop(m *member, err error) {
	s.leave(m)
	m.tell(err)
	s.counters.dropped.Add(1)
	if len(s.members) > 0 {
		s.cfg.Logger.Warn().Err(err).Msg("speaker left the stream")
		return
	}
	s.failure, s.lonely = err, time.Now().Add(s.cfg.Linger)
	if s.cfg.Alone != nil {
		s.cfg.Alone(err)
	}
}

// tell answers who attached the sink.
func (m *member) tell(err error) {
	if m.joined != nil {
		m.joined <- err
		m.joined = nil
	}
}

func (s *Stream) member(k Sink) *member {
	for _, m := range s.members {
		if m.sink == k {
			return m
		}
	}
	return nil
}

// floor returns the longest time that a sink needs.
func (s *Stream) floor() time.Duration {
	var longest time.Duration
	for _, m := range s.members {
		longest = max(longest, m.floor())
	}
	return longest
}

func (m *member) floor() time.Duration {
	if f, ok := m.sink.(Floor); ok {
		return f.MinLead()
	}
	return 0
}

// call makes a call to the sink, once the one before has returned. It is the
// last that matters: earlier ones are hurried.
func (s *Stream) call(ctx context.Context, m *member, f func(ctx context.Context) error) *call {
	ctx, cancel := context.WithTimeout(ctx, patience)
	before, c := m.call, &call{member: m, cancel: cancel, done: make(chan struct{})}
	m.call, m.ready = c, false
	if before != nil {
		before.cancel()
	}
	s.children.Go(func() {
		defer close(c.done)
		defer cancel()
		if before != nil {
			<-before.done
		}
		c.err = f(ctx)
	})
	return c
}

// start gives a sink the timeline. What comes of it is settled later.
func (s *Stream) start(ctx context.Context, m *member, tl Timeline) {
	m.from = tl.Frame
	c := s.call(ctx, m, func(ctx context.Context) error { return m.sink.Start(ctx, tl) })
	s.children.Go(func() {
		<-c.done
		select {
		case s.settled <- c:
		case <-ctx.Done():
		}
	})
}

// settle takes the outcome of a Start.
func (s *Stream) settle(c *call) {
	m := c.member
	if m.call != c {
		return // it was paused, or started again, or has left
	}
	if c.err != nil {
		s.drop(m, fmt.Errorf("start: %w", c.err))
		return
	}
	m.ready = true
	m.tell(nil)
}

// gather lets packets leave once all sinks are ready for them, or, so that a
// slow one does not hold up the others, at the barrier those that are. If
// even these came too late for the timeline, it is made anew: the beginning
// of a sound is not to be lost.
func (s *Stream) gather(ctx context.Context, now time.Time) (wake time.Time) {
	ready := 0
	for _, m := range s.members {
		if m.ready {
			ready++
		}
	}
	if ready == 0 {
		return time.Time{}
	}
	if ready < len(s.members) && now.Before(s.barrier) {
		return s.barrier
	}
	if s.tries < retries && now.Add(s.floor()-tolerance).After(s.tl.At(s.first)) {
		s.tries++
		return s.begin(ctx, now, now.Sub(s.begun))
	}
	s.rolling, s.tries = true, 0
	return s.beat(ctx, now)
}

// flush silences all sinks at once and drops those that cannot be within
// patience. It returns an error if none is left.
func (s *Stream) flush(ctx context.Context) error {
	members := slices.Clone(s.members)
	calls := make([]*call, len(members))
	for i, m := range members {
		m.tell(nil) // attached, and started with the next timeline
		calls[i] = s.call(ctx, m, m.sink.Flush)
	}
	limit, cancel := context.WithTimeout(ctx, patience+tolerance)
	defer cancel()
	var errs []error
	for i, c := range calls {
		select {
		case <-c.done:
		case <-limit.Done(): // a sink that does not heed its context
		}
		err := c.outcome()
		if err != nil {
			errs = append(errs, err)
			s.drop(members[i], fmt.Errorf("flush: %w", err))
		}
	}
	if len(s.members) == 0 {
		return errors.Join(errs...)
	}
	return nil
}
