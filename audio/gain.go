package audio

import (
	"io"

	"airplay2mqtt/audio/loudness"
)

// ceiling is what a gain leaves of peaks, in decibels below full scale.
const ceiling = -1

// Gain makes src louder (factor above 1) or softer. It is a [Seeker] if src is
// one, and takes src over. Where it makes peaks too high for full scale, a
// limiter turns them down.
func Gain(src Source, factor float32) Source {
	g := gain{Source: src, factor: factor}
	if factor > 1 {
		// The error is for rates that are none, at which there is nothing to hear.
		g.limiter, _ = loudness.NewLimiter(src.Rate(), ceiling)
	}
	if s, ok := src.(Seeker); ok {
		return &seekingGain{Seeker: s, gain: g}
	}
	return &g
}

type gain struct {
	Source
	factor  float32
	limiter *loudness.Limiter // nil: none is needed
	over    bool              // src is at its end
}

func (g *gain) Read(p []Frame) (int, error) {
	if g.limiter == nil {
		n, err := g.Source.Read(p)
		scale(p[:n], g.factor)
		return n, err
	}
	for len(p) > 0 {
		if g.over {
			if n := g.limiter.Flush(p); n > 0 {
				return n, nil
			}
			return 0, io.EOF
		}
		n, err := g.Source.Read(p)
		scale(p[:n], g.factor)
		n = g.limiter.Process(p[:n])
		if g.over = err == io.EOF; g.over {
			err = nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, nil
}

func scale(p []Frame, factor float32) {
	for i := range p {
		p[i][0] *= factor
		p[i][1] *= factor
	}
}

// Len is that of the source in frames, -1 if it is not known.
func (g *gain) Len() int64 { return length(g.Source) }

// Seekable tells what the source tells.
func (g *gain) Seekable() bool { return seekable(g.Source) }

type seekingGain struct {
	Seeker
	gain gain
}

func (g *seekingGain) Read(p []Frame) (int, error) { return g.gain.Read(p) }
func (g *seekingGain) Seekable() bool              { return g.gain.Seekable() }

func (g *seekingGain) SeekFrame(n int64) error {
	if err := g.Seeker.SeekFrame(n); err != nil {
		return err
	}
	if g.gain.over = false; g.gain.limiter != nil {
		g.gain.limiter.Reset()
	}
	return nil
}
