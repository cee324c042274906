package audio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"airplay2mqtt/audio/loudness"
)

// A Clip is a sound in memory, decoded, of 44100 frames a second. It does not
// change, and any number of sources can play it at once.
type Clip struct {
	frames []Frame
	tags   Tags
	loud   func() loudness.Reading // measured once, when it is asked for
}

// ErrTooLong is wrapped by the error of [ReadClip] for a sound that goes on
// when there should be no more.
var ErrTooLong = errors.New("audio: the sound is too long")

// NewClip makes a clip of frames, which must not be changed afterwards.
func NewClip(frames []Frame) *Clip { return newClip(frames, Tags{}) }

func newClip(frames []Frame, t Tags) *Clip {
	return &Clip{frames: frames, tags: t, loud: sync.OnceValue(func() loudness.Reading {
		r, _ := loudness.Measure(frames, Rate) // the error is for other rates
		return r
	})}
}

// ReadClip reads src to its end, at its own speed, and resamples it where
// needed. A sound longer than max is an error, and so is one that breaks off.
// It does not close src.
func ReadClip(ctx context.Context, src Source, max time.Duration) (*Clip, error) {
	frames, err := readAll(ctx, Resample(src, Rate), framesIn(max, Rate))
	if err != nil {
		return nil, fmt.Errorf("audio: read clip: %w", err)
	}
	return NewClip(frames), nil
}

// Frames are all frames of the clip. They must not be changed.
func (c *Clip) Frames() []Frame { return c.frames }

// Tags is what the sound says of itself, if it came from a [Cache].
func (c *Clip) Tags() Tags { return c.tags }

// Loudness is how loud the clip is to the ear. It is measured at the first call,
// in a few milliseconds for each second of the clip.
func (c *Clip) Loudness() loudness.Reading { return c.loud() }

// loudest is the greatest factor of Normalise, 20 dB: a recording of nothing
// much is not to become loud noise.
const loudest = 10

// Normalise makes a clip that is as loud as target, in LUFS, without peaks above
// ceiling, in dBTP: a limiter turns down those that would be. -16 and -1 are
// usual. It does not make a clip louder by more than 20 dB.
func (c *Clip) Normalise(target, ceiling float64) (*Clip, error) {
	l, err := loudness.NewLimiter(Rate, ceiling)
	if err != nil {
		return nil, fmt.Errorf("audio: normalise: %w", err)
	}
	factor := min(c.Loudness().GainTo(target, math.Inf(1)), loudest)
	frames := slices.Clone(c.frames)
	scale(frames, float32(factor))
	n := l.Process(frames)
	for m := l.Flush(frames[n:]); m > 0; m = l.Flush(frames[n:]) {
		n += m
	}
	return newClip(frames, c.tags), nil
}

// Duration is how long the clip sounds.
func (c *Clip) Duration() time.Duration { return duration(int64(len(c.frames)), Rate) }

// duration is how long so many frames sound.
func duration(frames int64, rate int) time.Duration {
	r := int64(rate)
	return time.Duration(frames/r)*time.Second + time.Duration(frames%r)*time.Second/time.Duration(r)
}

// Source plays the clip, from its beginning.
func (c *Clip) Source() Seeker { return &clipSource{clip: c} }

type clipSource struct {
	clip   *Clip
	next   int64
	closed atomic.Bool
}

func (s *clipSource) Rate() int  { return Rate }
func (s *clipSource) Len() int64 { return int64(len(s.clip.frames)) }

func (s *clipSource) Read(p []Frame) (int, error) {
	if s.closed.Load() {
		return 0, errClosed
	}
	n := copy(p, s.clip.frames[s.next:])
	s.next += int64(n)
	if s.next == s.Len() {
		return n, io.EOF
	}
	return n, nil
}

func (s *clipSource) SeekFrame(n int64) error {
	if s.closed.Load() {
		return fmt.Errorf("audio: seek: %w", fs.ErrClosed)
	}
	if n < 0 || n > s.Len() {
		return fmt.Errorf("audio: seek to frame %d of %d", n, s.Len())
	}
	s.next = n
	return nil
}

func (s *clipSource) Close() error {
	s.closed.Store(true)
	return nil
}
