// Package streamtest has what tests of streams and of sinks need: a speaker
// that hears, sounds that can be told apart frame by frame, and the body of
// tests that every sink has to pass.
//
//	synctest.Test(t, func(t *testing.T) {
//		speaker := new(streamtest.Speaker)
//		err := stream.Play(t.Context(), streamtest.Sound(1000), speaker)
//		got := speaker.Sound()
//	})
package streamtest

import (
	"io"
	"sync"

	"airplay2mqtt/audio"
)

// Sample returns frame n of every test sound, as 16-bit samples: no two
// within a minute are the same, and none is silence.
func Sample(n int64) [2]int16 {
	return [2]int16{int16(n%32749) + 1, int16(n/32749) + 1}
}

// Samples returns the frames from first to end, exclusive.
func Samples(first, end int64) [][2]int16 {
	samples := make([][2]int16, 0, max(end-first, 0))
	for n := first; n < end; n++ {
		samples = append(samples, Sample(n))
	}
	return samples
}

// A Source is a test sound that can be starved, cut short and broken. Make
// one with Sound; the fields are set before it is used.
type Source struct {
	// Chunk is how many frames a Read returns at most; 0: any number.
	Chunk int
	// Broken is the error at its end; nil: io.EOF.
	Broken error

	mu     sync.Mutex
	frames int64
	at     int64
	ready  int64 // Read returns audio.ErrNotReady from here on
	closed bool
}

// Sound returns a sound of so many frames.
func Sound(frames int64) *Source { return &Source{frames: frames, ready: frames} }

// Again returns the same sound, from the beginning and unharmed.
func (s *Source) Again() *Source { return Sound(s.frames) }

// Frames returns how many frames it has.
func (s *Source) Frames() int64 { return s.frames }

// Hold makes Read return audio.ErrNotReady from frame n on, until it is
// called again.
func (s *Source) Hold(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready = min(n, s.frames)
}

// Closed tells whether somebody closed the sound.
func (s *Source) Closed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

func (s *Source) Rate() int { return audio.Rate }

func (s *Source) Read(p []audio.Frame) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at >= s.frames {
		if s.Broken != nil {
			return 0, s.Broken
		}
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), s.ready-s.at))
	if n <= 0 {
		return 0, audio.ErrNotReady
	}
	if s.Chunk > 0 {
		n = min(n, s.Chunk)
	}
	for i := range n {
		sample := Sample(s.at + int64(i))
		p[i] = audio.Frame{float32(sample[0]) / 32768, float32(sample[1]) / 32768}
	}
	s.at += int64(n)
	return n, nil
}

func (s *Source) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// Seekable returns the same sound as one that can seek.
func (s *Source) Seekable() audio.Seeker { return seeker{s} }

type seeker struct{ *Source }

func (s seeker) Len() int64 { return s.frames }

func (s seeker) SeekFrame(n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = n
	return nil
}
