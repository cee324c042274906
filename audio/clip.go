package audio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync/atomic"
	"time"
)

// A Clip is a sound in memory, decoded, of 44100 frames a second. It does not
// change, and any number of sources can play it at once.
type Clip struct{ frames []Frame }

// ErrTooLong is wrapped by the error of [ReadClip] for a sound that goes on
// when there should be no more.
var ErrTooLong = errors.New("audio: the sound is too long")

// NewClip makes a clip of frames, which must not be changed afterwards.
func NewClip(frames []Frame) *Clip { return &Clip{frames} }

// ReadClip reads src to its end, at its own speed, and resamples it where
// needed. A sound longer than max is an error, and so is one that breaks off.
// It does not close src.
func ReadClip(ctx context.Context, src Source, max time.Duration) (*Clip, error) {
	frames, err := readAll(ctx, Resample(src, Rate), framesIn(max, Rate))
	if err != nil {
		return nil, fmt.Errorf("audio: read clip: %w", err)
	}
	return &Clip{frames}, nil
}

// Frames are all frames of the clip. They must not be changed.
func (c *Clip) Frames() []Frame { return c.frames }

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
