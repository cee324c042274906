package streamtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"airplay2mqtt/audio/alac"
	"airplay2mqtt/audio/stream"
)

// A Speaker is a sink that hears: a frame that has arrived sounds when the
// timeline says, unless it was flushed before. The zero value is a perfect
// one; the knobs are set before it is used.
type Speaker struct {
	Floor      time.Duration // its MinLead
	StartTakes time.Duration // how long Start waits
	FlushTakes time.Duration // how long Flush waits
	FailStart  error         // what Start returns
	FailFlush  error         // what Flush returns
	FailWrite  error         // what WritePacket returns from packet FailAfter on
	FailAfter  int
	Whole      bool          // it plays each packet to its end, whatever it is told to forget
	Rude       chan struct{} // if not nil, Start and Flush return when it is closed, whatever ctx says

	mu      sync.Mutex
	tl      stream.Timeline
	starts  []Started
	flushes []time.Time
	packets []Arrival
	payload []byte // of all packets, decoded when somebody asks what was heard
	current int    // the first packet of the timeline that can still be flushed
	broken  bool
}

// A Started is a call of Start.
type Started struct {
	At       time.Time
	Timeline stream.Timeline
}

// An Arrival is a packet that was sent to the speaker.
type Arrival struct {
	At    time.Time
	Frame int64
	Heard time.Time // when its first frame is to be heard

	tl  stream.Timeline
	cut time.Time // what would be heard after this is not; zero: all is heard
}

// An Instant is a frame that was heard.
type Instant struct {
	At     time.Time
	Sample [2]int16
}

// Break makes the speaker fail every WritePacket from now on.
func (s *Speaker) Break() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = true
}

// MinLead is for streams.
func (s *Speaker) MinLead() time.Duration { return s.Floor }

// Start is for streams.
func (s *Speaker) Start(ctx context.Context, tl stream.Timeline) error {
	if err := s.wait(ctx, s.StartTakes); err != nil {
		return err
	}
	if s.FailStart != nil {
		return s.FailStart
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut(time.Now())
	s.tl = tl
	s.starts = append(s.starts, Started{At: time.Now(), Timeline: tl})
	return nil
}

// Flush is for streams.
func (s *Speaker) Flush(ctx context.Context) error {
	if err := s.wait(ctx, s.FlushTakes); err != nil {
		return err
	}
	if s.FailFlush != nil {
		return s.FailFlush
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut(time.Now())
	s.tl = stream.Timeline{}
	s.flushes = append(s.flushes, time.Now())
	return nil
}

// WritePacket is for streams.
func (s *Speaker) WritePacket(p stream.Packet) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return errors.New("the speaker is broken")
	}
	if s.FailWrite != nil && len(s.packets) >= s.FailAfter {
		return s.FailWrite
	}
	if s.tl.IsZero() {
		return errors.New("a packet without a timeline")
	}
	if err := s.follows(p.Frame); err != nil {
		return err
	}
	if len(p.Payload) != alac.PacketSize {
		return fmt.Errorf("a packet of %d bytes", len(p.Payload))
	}
	s.payload = append(s.payload, p.Payload...)
	s.packets = append(s.packets, Arrival{At: time.Now(), Frame: p.Frame, Heard: s.tl.At(p.Frame), tl: s.tl})
	return nil
}

// follows holds streams to their promise: packets come in order, without
// gaps, and the first of a timeline is its first or a later one.
func (s *Speaker) follows(frame int64) error {
	if s.current == len(s.packets) {
		if off := frame - s.tl.Frame; off < 0 || off%alac.FramesPerPacket != 0 {
			return fmt.Errorf("packet %d on a timeline from %d", frame, s.tl.Frame)
		}
		return nil
	}
	if want := s.packets[len(s.packets)-1].Frame + alac.FramesPerPacket; frame != want {
		return fmt.Errorf("packet %d where %d was due", frame, want)
	}
	return nil
}

// cut silences what has not been heard at t.
func (s *Speaker) cut(t time.Time) {
	for i := s.current; i < len(s.packets); i++ {
		s.packets[i].cut = t
	}
	s.current = len(s.packets)
}

func (s *Speaker) wait(ctx context.Context, d time.Duration) error {
	if s.Rude != nil {
		<-s.Rude
	}
	if d == 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Heard returns every frame that has been heard so far, silence included. One
// that came too late was not.
func (s *Speaker) Heard() []Instant {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	heard := make([]Instant, 0, len(s.packets)*alac.FramesPerPacket)
	for i, p := range s.packets {
		pcm := decode(s.payload[i*alac.PacketSize:][:alac.PacketSize])
		for n := range alac.FramesPerPacket {
			at := p.tl.At(p.Frame + int64(n))
			told := at
			if s.Whole {
				told = p.Heard
			}
			if at.Before(p.At) || at.After(now) || !p.cut.IsZero() && told.After(p.cut) {
				continue
			}
			heard = append(heard, Instant{At: at, Sample: [2]int16{pcm[2*n], pcm[2*n+1]}})
		}
	}
	return heard
}

// decode returns the samples of a packet, left and right in turn. A packet that
// cannot be decoded is a bug of the stream.
func decode(payload []byte) (pcm [2 * alac.FramesPerPacket]int16) {
	if frames, err := alac.DecodeVerbatim(pcm[:], payload); err != nil || frames != alac.FramesPerPacket {
		panic(fmt.Sprintf("streamtest: a packet of %d frames: %v", frames, err))
	}
	return pcm
}

// Sound returns the frames that have been heard so far and were not silence.
func (s *Speaker) Sound() []Instant {
	return slices.DeleteFunc(s.Heard(), func(i Instant) bool { return i.Sample == [2]int16{} })
}

// Starts returns the calls of Start.
func (s *Speaker) Starts() []Started {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.starts)
}

// Flushes returns when Flush was called.
func (s *Speaker) Flushes() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.flushes)
}

// Packets returns what was sent to the speaker.
func (s *Speaker) Packets() []Arrival {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.packets)
}

// Samples returns what was heard without the times.
func (s *Speaker) Samples() [][2]int16 {
	sound := s.Sound()
	samples := make([][2]int16, len(sound))
	for i, instant := range sound {
		samples[i] = instant.Sample
	}
	return samples
}
